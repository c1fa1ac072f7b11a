//! The states of an extract: accounts, companies, sites and terminals as they were at a position of the log.

use std::path::Path;

use anyhow::Context;
use loquet_domain::Moment;
use loquet_projections::ports::{ReadStore, Selection};
use loquet_projections::table::Row;
use loquet_projections::views::accounts::AccountRow;
use loquet_projections::views::companies::CompanyRow;
use loquet_projections::views::sites::SiteRow;
use loquet_projections::views::terminals::TerminalRow;
use serde_json::{Value, json};

use super::table::{Kind, Table};

/// An error ends the work.
type MayGoOn<'a> = &'a (dyn Fn() -> anyhow::Result<()> + Sync);

/// Rows that are read at once.
const PAGE: usize = 1000;

const ACCOUNTS: Table = Table {
    name: "accounts",
    columns: &[
        ("account_id", Kind::Text),
        ("company_id", Kind::Text),
        ("role", Kind::Text),
        ("language", Kind::Text),
        ("status", Kind::Text),
        ("created_at", Kind::Moment),
        ("activated_at", Kind::Moment),
        ("last_login_at", Kind::Moment),
        ("deleted_at", Kind::Moment),
    ],
};
const COMPANIES: Table = Table {
    name: "companies",
    columns: &[
        ("company_id", Kind::Text),
        ("registered_at", Kind::Moment),
        ("order_id", Kind::Text),
        ("administrators", Kind::Json),
        ("details", Kind::Json),
    ],
};
const SITES: Table = Table {
    name: "sites",
    columns: &[
        ("site_id", Kind::Text),
        ("company_id", Kind::Text),
        ("opened_at", Kind::Moment),
        ("order_id", Kind::Text),
        ("place", Kind::Json),
    ],
};
const TERMINALS: Table = Table {
    name: "terminals",
    columns: &[
        ("terminal_id", Kind::Text),
        ("company_id", Kind::Text),
        ("site_id", Kind::Text),
        ("model", Kind::Text),
        ("serial", Kind::Text),
        ("added_at", Kind::Moment),
        ("order_id", Kind::Text),
    ],
};

/// The names of all files of states.
pub(super) fn files() -> Vec<String> {
    [ACCOUNTS, COMPANIES, SITES, TERMINALS].iter().flat_map(Table::files).collect()
}

/// Writes all states. What identifies a person is left out unless it is asked for. `may_go_on` is asked after each page.
pub(super) async fn write(
    rows: &dyn ReadStore,
    folder: &Path,
    is_personal: bool,
    may_go_on: MayGoOn<'_>,
) -> anyhow::Result<()> {
    let moment = |at: Option<Moment>| at.map(|at| at.to_rfc3339());
    table((rows, may_go_on), folder, &ACCOUNTS, |row: AccountRow| {
        // The hash of an address is no address, and yet tells whose account it is.
        json!({
            "account_id": row.account_id, "company_id": row.company_id, "role": row.role, "language": row.language,
            "status": row.status, "created_at": moment(Some(row.created_at)), "activated_at": moment(row.activated_at),
            "last_login_at": moment(row.last_login_at), "deleted_at": moment(row.deleted_at),
        })
    })
    .await?;
    table((rows, may_go_on), folder, &COMPANIES, |row: CompanyRow| {
        // The company of a sole trader bears their name and address.
        json!({
            "company_id": row.company_id, "registered_at": moment(Some(row.registered_at)), "order_id": row.order_id,
            "administrators": row.administrators, "details": row.details.filter(|_| is_personal),
        })
    })
    .await?;
    table((rows, may_go_on), folder, &SITES, |row: SiteRow| {
        json!({
            "site_id": row.site_id, "company_id": row.company_id, "opened_at": moment(Some(row.opened_at)),
            "order_id": row.order_id, "place": row.place.filter(|_| is_personal),
        })
    })
    .await?;
    table((rows, may_go_on), folder, &TERMINALS, |row: TerminalRow| {
        json!({
            "terminal_id": row.terminal_id, "company_id": row.company_id, "site_id": row.site_id, "model": row.model,
            "serial": row.serial, "added_at": moment(Some(row.added_at)), "order_id": row.order_id,
        })
    })
    .await
}

async fn table<R: Row>(
    (rows, may_go_on): (&dyn ReadStore, MayGoOn<'_>),
    folder: &Path,
    table: &Table,
    told: impl Fn(R) -> Value,
) -> anyhow::Result<()> {
    let mut writer = table.begin(folder)?;
    let mut after = None;
    loop {
        let page = rows.select(R::VIEW, Selection { after, limit: PAGE, ..Selection::default() }).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.cursor.clone());
        for found in &page {
            let row = serde_json::from_slice(&found.row)
                .with_context(|| format!("a row of {} can't be read", R::VIEW.name))?;
            writer.add(told(row))?;
        }
        may_go_on()?;
    }
    writer.end()
}
