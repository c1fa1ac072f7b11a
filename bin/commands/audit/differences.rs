//! `loquet audit diff`: what an account, a company or a site was like at two points of history, and what happened in between.

use chrono::{SecondsFormat, TimeDelta};
use loquet_domain::ids::AccountId;
use loquet_projections::views::companies::CompanyRow;
use loquet_projections::views::sites::SiteRow;
use serde_json::{Value, json};
use uuid::Uuid;

use super::timeline;
use crate::cli::{DataDirectory, Timeline};
use crate::commands::known::Known;
use crate::commands::show::table;
use crate::commands::{account, company, site};
use crate::moments::{Point, point};
use crate::output::{columns, line, note};
use crate::system::System;

/// Fields that say when something was asked, and nothing of what it is like.
const OF_THE_QUESTION: [&str; 1] = ["position"];

pub(super) async fn run(directory: &DataDirectory, asked: &Timeline) -> anyhow::Result<()> {
    if let Some(whose) = asked.whose.as_deref() {
        let before = match &asked.from {
            Some(from) => at(directory, Some(just_before(from)?), whose).await,
            // Before the beginning of the log there was nothing.
            None => None,
        };
        let after = asked.to.as_deref().map(just_before).transpose()?;
        let after = at(directory, after, whose).await;
        if before.is_some() || after.is_some() {
            print(&changed(before.as_ref(), after.as_ref()), asked.json);
        }
    }
    timeline::run(directory, asked).await
}

/// The last point before a point. The events from the point on are not part of what was known there.
fn just_before(text: &str) -> anyhow::Result<String> {
    Ok(match point(text)? {
        Point::Position(position) => position.0.saturating_sub(1).to_string(),
        Point::Moment(moment) => {
            let before = moment.checked_sub_signed(TimeDelta::microseconds(1)).unwrap_or(moment);
            before.to_rfc3339_opts(SecondsFormat::Micros, true)
        }
    })
}

/// What something was like at a point of history. `None` if it was not there yet, or if it is nothing that has a state of its
/// own.
async fn at(directory: &DataDirectory, point: Option<String>, whose: &str) -> Option<Value> {
    let directory = DataDirectory { as_of: point, ..directory.clone() };
    if let Ok(system) = System::open_to_read(&directory).await {
        let id = match Uuid::parse_str(whose) {
            Ok(id) => Some(AccountId(id)),
            Err(_) => account::find(&system, whose).await.ok(),
        };
        if let Some(id) = id
            && let Ok(Some(told)) = account::told(&system, id).await
        {
            return Some(told);
        }
    }
    if let Ok(known) = Known::open::<CompanyRow>(&directory).await
        && let Ok(told) = company::told(&known, whose).await
    {
        return Some(told);
    }
    let known = Known::open::<SiteRow>(&directory).await.ok()?;
    site::told(&known, whose.parse().ok()?).await.ok()
}

/// A field that differs: its name, and its values before and after.
type Change = (String, Value, Value);

fn changed(before: Option<&Value>, after: Option<&Value>) -> Vec<Change> {
    let names = [before, after].into_iter().flatten().filter_map(Value::as_object).flat_map(|of| of.keys());
    let names: std::collections::BTreeSet<&String> = names.collect();
    let value = |of: Option<&Value>, name: &str| of.and_then(|of| of.get(name)).cloned().unwrap_or_default();
    let all = names.into_iter().filter(|name| !OF_THE_QUESTION.contains(&name.as_str()));
    all.map(|name| (name.clone(), value(before, name), value(after, name)))
        .filter(|(_, before, after)| before != after)
        .collect()
}

fn print(changes: &[Change], as_json: bool) {
    if as_json {
        let fields: Vec<_> = changes
            .iter()
            .map(|(name, before, after)| json!({ "field": name, "before": before, "after": after }))
            .collect();
        line(json!({ "changed": fields }));
        return;
    }
    if changes.is_empty() {
        note("no field differs");
        return;
    }
    let text = |value: &Value| match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut rows = table(&["FIELD", "BEFORE", "AFTER"]);
    for (name, before, after) in changes {
        rows.add_row([name.clone(), text(before), text(after)]);
    }
    columns(&rows);
    line("");
}
