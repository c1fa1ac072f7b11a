//! How commands print results: tables, fields and progress.

use comfy_table::{Table, TableStyle};
use indicatif::{ProgressBar, ProgressStyle};
use loquet_domain::Moment;
use loquet_domain::values::address::Address;
use serde_json::Value;

pub(crate) use crate::output::place_of;
use crate::output::{self, line};

/// A table without borders, so that other programs can split it into columns.
pub(crate) fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(TableStyle::new()).set_header(head.to_vec());
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

/// Shows a progress bar on a terminal. Shows nothing elsewhere.
pub(crate) fn progress(length: u64, what: &str) -> anyhow::Result<ProgressBar> {
    let bar = if output::errors_are_watched() { ProgressBar::new(length) } else { ProgressBar::hidden() };
    let style = ProgressStyle::with_template("{msg:24} {bar:30} {human_pos}/{human_len} {per_sec} {eta}")?;
    Ok(bar.with_style(style).with_message(what.to_owned()))
}

/// Prints one item: a line for each field with a value.
pub(super) fn fields(shown: &Value) {
    let holds = |value: &Value| !value.is_null() && value.as_array().is_none_or(|items| !items.is_empty());
    for (name, value) in shown.as_object().into_iter().flatten().filter(|(_, value)| holds(value)) {
        let value = match value {
            Value::String(text) => text.clone(),
            Value::Array(items) => items.iter().map(text_of).collect::<Vec<_>>().join(", "),
            other => other.to_string(),
        };
        line(format_args!("{name:<22} {value}"));
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

/// Returns an address on one line.
pub(super) fn address(address: &Address) -> String {
    let Address { street, number, r#box, postal_code, town, country } = address;
    let within = r#box.as_ref().map(|within| format!(" / {within}")).unwrap_or_default();
    format!("{street} {number}{within}, {postal_code} {town}, {country}")
}

/// Returns a moment, to the second.
pub(super) fn moment(moment: Moment) -> String {
    moment.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Returns a moment, to the second, or a dash.
pub(super) fn moment_or_dash(at: Option<Moment>) -> String {
    at.map_or_else(|| "-".to_owned(), moment)
}
