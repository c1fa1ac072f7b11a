//! `loquet site list` and `show`.

use anyhow::Context;
use loquet_domain::ids::SiteId;
use loquet_projections::ports::Order;
use loquet_projections::views::companies::CompanyRow;
use loquet_projections::views::sites::{SitePlace, SiteRow};
use loquet_projections::views::terminals::TerminalRow;
use serde_json::{Value, json};

use super::known::{Known, Rows};
use super::show::{address, fields, moment, table};
use crate::cli::{DataDirectory, ListSites, SiteCommand, WhichSite};
use crate::output::{Reader, columns, line};

/// The most terminals of one site that are listed.
const MOST_TERMINALS: usize = 10_000;

pub(crate) async fn run(directory: &DataDirectory, command: SiteCommand) -> anyhow::Result<()> {
    let known = Known::open::<SiteRow>(directory).await?;
    match command {
        SiteCommand::List(which) => list(&known, &which).await,
        SiteCommand::Show(which) => show(&known, &which).await,
    }
}

async fn list(known: &Known, which: &ListSites) -> anyhow::Result<()> {
    let company = known.company(&which.company).await?.company_id;
    let by = SiteRow::BY_COMPANY_AND_NAME.under(company);
    let limit = usize::try_from(which.how.limit)?;
    let mut rows = table(&["SITE", "NAME", "ADDRESS", "SINCE"]);
    for site in known.listed(Rows { by, order: Order::Ascending, limit }).await? {
        let Some(place) = &site.place else { continue };
        if which.how.json {
            if line(as_json(&site, place)) == Reader::Gone {
                break;
            }
            continue;
        }
        rows.add_row([
            site.site_id.to_string(),
            place.name.as_str().to_owned(),
            address(&place.address),
            moment(site.opened_at),
        ]);
    }
    if !which.how.json {
        columns(&rows);
    }
    Ok(())
}

fn as_json(site: &SiteRow, place: &SitePlace) -> Value {
    json!({
        "site_id": site.site_id,
        "company_id": site.company_id,
        "name": place.name,
        "address": place.address,
        "opened_at": site.opened_at,
        "order_id": site.order_id,
    })
}

/// What is known of a site.
pub(super) async fn told(known: &Known, id: SiteId) -> anyhow::Result<Value> {
    let site = known.one::<SiteRow>(id).await?.with_context(|| format!("there is no site {id}"))?;
    let place =
        site.place.as_ref().with_context(|| format!("the key of company {} is lost", site.company_id))?;
    Ok(as_json(&site, place))
}

/// Shows a site.
pub(super) async fn show_one(directory: &DataDirectory, which: &WhichSite) -> anyhow::Result<()> {
    show(&Known::open::<SiteRow>(directory).await?, which).await
}

async fn show(known: &Known, which: &WhichSite) -> anyhow::Result<()> {
    let site = known.one::<SiteRow>(which.site).await?;
    let site = site.with_context(|| format!("there is no site {}", which.site))?;
    let company = known.one::<CompanyRow>(site.company_id).await?;
    let by = TerminalRow::BY_SITE.under(site.site_id);
    let terminals = known.some(Rows { by, order: Order::Ascending, limit: MOST_TERMINALS }).await?;
    let place =
        site.place.as_ref().with_context(|| format!("the key of company {} is lost", site.company_id))?;
    let mut shown = as_json(&site, place);
    if let Some(told) = shown.as_object_mut() {
        told.insert("company_name".to_owned(), json!(company.as_ref().and_then(CompanyRow::legal_name)));
        told.insert("position".to_owned(), json!(known.position()));
        if which.json {
            let terminal = |row: &TerminalRow| json!({ "terminal_id": row.terminal_id, "model": row.model, "serial": row.serial });
            let terminals: Vec<_> = terminals.iter().map(terminal).collect();
            told.insert("terminals".to_owned(), json!(terminals));
        } else {
            told.insert("address".to_owned(), json!(address(&place.address)));
        }
    }
    if which.json {
        line(&shown);
        return Ok(());
    }
    fields(&shown);
    let mut rows = table(&["TERMINAL", "MODEL", "SERIAL", "SINCE"]);
    for row in terminals {
        let serial = row.serial.map_or_else(|| "-".to_owned(), |serial| serial.to_string());
        rows.add_row([row.terminal_id.to_string(), row.model.to_string(), serial, moment(row.added_at)]);
    }
    line(format_args!("\n{rows}"));
    Ok(())
}
