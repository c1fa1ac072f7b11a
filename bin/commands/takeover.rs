//! `loquet takeover list` and `show`.

use anyhow::Context;
use loquet_domain::Moment;
use loquet_projections::ports::Order;
use loquet_projections::views::companies::CompanyRow;
use loquet_projections::views::takeovers::TakeOverRow;
use serde_json::{Value, json};

use super::known::{Known, Rows};
use super::show::{fields, moment, moment_or_dash, table};
use crate::cli::{DataDirectory, ListTakeOvers, TakeOverCommand, WhichTakeOver};
use crate::output::{Reader, columns, line};

pub(crate) async fn run(directory: &DataDirectory, command: TakeOverCommand) -> anyhow::Result<()> {
    let known = Known::open::<TakeOverRow>(directory).await?;
    match command {
        TakeOverCommand::List(which) => list(&known, &which).await,
        TakeOverCommand::Show(which) => show(&known, &which).await,
    }
}

async fn list(known: &Known, which: &ListTakeOvers) -> anyhow::Result<()> {
    let by = match &which.status {
        Some(status) => TakeOverRow::BY_STATUS.under(status),
        None => TakeOverRow::BY_OPENING.all(),
    };
    let limit = usize::try_from(which.how.limit)?;
    let heads =
        ["TAKE-OVER", "REFERENCE", "STATUS", "FROM COMPANY", "TO COMPANY", "DUE", "ENDED", "WAITS FOR"];
    let (mut rows, now) = (table(&heads), known.now());
    for row in known.listed(Rows { by, order: Order::Descending, limit }).await? {
        if which.how.json {
            if line(as_json(&row, now)) == Reader::Gone {
                break;
            }
            continue;
        }
        rows.add_row([
            row.takeover_id.to_string(),
            row.reference.clone(),
            row.status.word().to_owned(),
            row.from_company_id.to_string(),
            row.to_company_id.to_string(),
            moment(row.due_at),
            moment_or_dash(row.ended_at),
            row.waits_for().join(", "),
        ]);
    }
    if !which.how.json {
        columns(&rows);
    }
    Ok(())
}

fn as_json(row: &TakeOverRow, now: Moment) -> Value {
    json!({
        "takeover_id": row.takeover_id,
        "reference": row.reference,
        "status": row.status,
        "from_company_id": row.from_company_id,
        "to_company_id": row.to_company_id,
        "waits_for": row.waits_for(),
        "overdue": row.ended_at.is_none() && now > row.due_at,
        "opened_at": row.opened_at,
        "due_at": row.due_at,
        "ended_at": row.ended_at,
        "cancellation": row.cancellation,
        "site_ids": row.site_ids,
        "account_ids": row.account_ids,
        "terminal_ids": row.terminal_ids,
    })
}

async fn show(known: &Known, which: &WhichTakeOver) -> anyhow::Result<()> {
    let row = known.one::<TakeOverRow>(which.takeover).await?;
    let row = row.with_context(|| format!("there is no take-over {}", which.takeover))?;
    let mut shown = as_json(&row, known.now());
    let companies = [("from_company_name", row.from_company_id), ("to_company_name", row.to_company_id)];
    for (name, company) in companies {
        let company = known.one::<CompanyRow>(company).await?;
        if let Some(told) = shown.as_object_mut() {
            told.insert(name.to_owned(), json!(company.as_ref().and_then(CompanyRow::legal_name)));
        }
    }
    if let Some(told) = shown.as_object_mut() {
        told.insert("position".to_owned(), json!(known.position()));
    }
    if which.json {
        line(&shown);
    } else {
        fields(&shown);
    }
    Ok(())
}
