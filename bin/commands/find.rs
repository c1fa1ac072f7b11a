//! `loquet find`.

use anyhow::Context;
use loquet_domain::ports::Position;
use loquet_domain::search::Query;
use loquet_http::SearchBody;
use loquet_http_ports::scope::Scope;
use loquet_projections::search::Search;
use serde_json::Value;

use super::show::table;
use crate::adapters::{self, Access};
use crate::cli::{DataDirectory, Find};
use crate::output::{columns, line, note};
use crate::system::System;

/// Searches the read models as they are, in the same way as the API. The server may be running.
pub(crate) async fn run(directory: &DataDirectory, sought: Find) -> anyhow::Result<()> {
    let query = Query::parse(&sought.text)?;
    let system = System::open_to_read(directory).await?;
    let (rows, position) = match &system.past {
        Some(past) => (past.rows.clone(), Some(past.position)),
        None => {
            let rows = adapters::read_models(directory, Access::Read)?;
            let builds = rows.builds().await?;
            let positions = builds.iter().filter(|state| state.serving).map(|state| state.position);
            let position = positions.min();
            (rows, position)
        }
    };
    let search = Search {
        rows: rows.as_ref(),
        store: system.store.as_ref(),
        codec: system.codec.as_ref(),
        tokens: system.app.tokens(),
        most: usize::try_from(sought.limit).unwrap_or(usize::MAX),
    };
    let found = SearchBody::find(
        &search,
        &query,
        &Scope::ALL.iter().copied().collect(),
        position.unwrap_or(Position(0)),
    )
    .await?;
    let found = serde_json::to_value(found).context("the results can't be written as JSON")?;
    system.close().await?;
    if sought.json {
        line(&found);
    } else {
        print(&found);
    }
    Ok(())
}

/// The two columns that are shown beside the id, for each kind of result.
const KINDS: [(&str, &str, [&str; 4], [&str; 2]); 4] = [
    ("accounts", "account_id", ["given_name", "family_name", "email", "status"], ["role", "company_name"]),
    ("companies", "company_id", ["legal_name", "trading_name", "country", "enterprise_number"], ["", ""]),
    (
        "sites",
        "site_id",
        ["name", "/address/street", "/address/number", "/address/town"],
        ["company_name", ""],
    ),
    ("terminals", "terminal_id", ["serial", "model", "", ""], ["company_name", ""]),
];

fn print(found: &Value) {
    let mut shown = table(&["KIND", "ID", "WHAT", "OF"]);
    let mut cut_short = Vec::new();
    for (kind, id, what, of) in KINDS {
        let Some(hits) = found.get(kind) else { continue };
        for item in hits.get("items").and_then(Value::as_array).into_iter().flatten() {
            let one = |name: &str| {
                let pointer = if name.starts_with('/') { name.to_owned() } else { format!("/{name}") };
                item.pointer(&pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
            };
            let joined = |names: &[&str]| {
                let words: Vec<_> =
                    names.iter().map(|name| one(name)).filter(|word| !word.is_empty()).collect();
                words.join(" ")
            };
            shown.add_row([kind.to_owned(), one(id), joined(&what), joined(&of)]);
        }
        if hits.get("more") == Some(&Value::Bool(true)) {
            cut_short.push(kind);
        }
    }
    columns(&shown);
    if !cut_short.is_empty() {
        let kinds = cut_short.join(", ");
        note(format_args!("there are more {kinds}: search for more words, or raise --limit"));
    }
}
