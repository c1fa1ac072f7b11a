//! `loquet company list` and `show`.

use loquet_domain::company::{AddressKind, CompanyName};
use loquet_projections::collation::{beginning_of_name, name_begins};
use loquet_projections::ports::Order;
use loquet_projections::views::companies::CompanyRow;
use loquet_projections::views::sites::SiteRow;
use serde_json::{Value, json};

use super::known::{Known, Rows};
use super::show::{address, fields, moment, table};
use crate::cli::{CompanyCommand, DataDirectory, ListCompanies, WhichCompany};
use crate::output::{Reader, line};

/// The most sites that are counted.
const MOST_SITES: usize = 100_000;

pub(crate) async fn run(directory: &DataDirectory, command: CompanyCommand) -> anyhow::Result<()> {
    let known = Known::open::<CompanyRow>(directory).await?;
    match command {
        CompanyCommand::List(which) => list(&known, &which).await,
        CompanyCommand::Show(which) => show(&known, &which).await,
    }
}

async fn list(known: &Known, which: &ListCompanies) -> anyhow::Result<()> {
    let (by, order) = match &which.name {
        Some(name) => (CompanyRow::BY_NAME.beginning(beginning_of_name(name)), Order::Ascending),
        None if which.without_administrator => (CompanyRow::WITHOUT_ADMINISTRATOR.all(), Order::Descending),
        None => (CompanyRow::BY_REGISTRATION.all(), Order::Descending),
    };
    let limit = usize::try_from(which.how.limit)?;
    let mut rows = table(&["COMPANY", "NUMBER", "NAME", "TRADING NAME", "TOWN", "SINCE"]);
    for company in known.some(Rows { by, order, limit }).await? {
        let begins = |text: &String| company.names().iter().any(|name| name_begins(name, text));
        if which.without_administrator && !company.administrators.is_empty()
            || !which.name.as_ref().is_none_or(begins)
        {
            continue;
        }
        if which.how.json {
            if line(as_json(&company)) == Reader::Gone {
                break;
            }
            continue;
        }
        let office = company.addresses.get(&AddressKind::RegisteredOffice);
        rows.add_row([
            company.company_id.to_string(),
            format!("{} {}", company.country, company.enterprise_number),
            company.legal_name.as_str().to_owned(),
            company.trading_name.as_ref().map_or("-", CompanyName::as_str).to_owned(),
            office.map(|office| office.town.clone()).unwrap_or_default(),
            moment(company.registered_at),
        ]);
    }
    if !which.how.json {
        line(&rows);
    }
    Ok(())
}

fn as_json(company: &CompanyRow) -> Value {
    let address = |kind| company.addresses.get(&kind);
    json!({
        "company_id": company.company_id,
        "country": company.country,
        "enterprise_number": company.enterprise_number,
        "legal_name": company.legal_name,
        "trading_name": company.trading_name,
        "registered_office": address(AddressKind::RegisteredOffice),
        "invoicing_address": address(AddressKind::Invoicing),
        "correspondence_address": address(AddressKind::Correspondence),
        "registered_at": company.registered_at,
        "order_id": company.order_id,
        "administrators": company.administrators.len(),
    })
}

async fn show(known: &Known, which: &WhichCompany) -> anyhow::Result<()> {
    let company = known.company(&which.company).await?;
    let by = SiteRow::BY_COMPANY.under(company.company_id);
    let sites = known.some(Rows { by, order: Order::Ascending, limit: MOST_SITES }).await?;
    let mut shown = as_json(&company);
    if let Some(told) = shown.as_object_mut() {
        told.insert("sites".to_owned(), json!(sites.len()));
        told.insert("position".to_owned(), json!(known.position()));
        if !which.json {
            let kinds = [
                ("registered_office", AddressKind::RegisteredOffice),
                ("invoicing_address", AddressKind::Invoicing),
                ("correspondence_address", AddressKind::Correspondence),
            ];
            for (name, kind) in kinds {
                told.insert(name.to_owned(), json!(company.addresses.get(&kind).map(address)));
            }
        }
    }
    if which.json {
        line(&shown);
    } else {
        fields(&shown);
    }
    Ok(())
}
