//! `loquet company list`, `show` and `erase`.

use anyhow::{Context as _, ensure};
use loquet_domain::company::{AddressKind, CompanyName};
use loquet_projections::collation::{beginning_of_name, name_begins};
use loquet_projections::ports::Order;
use loquet_projections::views::companies::{CompanyDetails, CompanyRow};
use loquet_projections::views::sites::SiteRow;
use serde_json::{Value, json};

use super::known::{Known, Rows};
use super::remote::Running;
use super::show::{address, fields, moment, table};
use crate::cli::{CompanyCommand, DataDirectory, EraseCompany, ListCompanies, WhichCompany};
use crate::output::{Reader, agreed, columns, line, result};

/// The most sites that are counted.
const MOST_SITES: usize = 100_000;

pub(crate) async fn run(directory: &DataDirectory, command: CompanyCommand) -> anyhow::Result<()> {
    let known = Known::open::<CompanyRow>(directory);
    match command {
        CompanyCommand::List(which) => list(&known.await?, &which).await,
        CompanyCommand::Show(which) => show(&known.await?, &which).await,
        CompanyCommand::Erase(which) => erase(which).await,
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
    for company in known.listed(Rows { by, order, limit }).await? {
        let Some(details) = &company.details else { continue };
        let begins = |text: &String| company.names().iter().any(|name| name_begins(name, text));
        if which.without_administrator && !company.administrators.is_empty()
            || !which.name.as_ref().is_none_or(begins)
        {
            continue;
        }
        if which.how.json {
            if line(as_json(&company, details)) == Reader::Gone {
                break;
            }
            continue;
        }
        let office = details.addresses.get(&AddressKind::RegisteredOffice);
        rows.add_row([
            company.company_id.to_string(),
            format!("{} {}", details.country, details.enterprise_number),
            details.legal_name.as_str().to_owned(),
            details.trading_name.as_ref().map_or("-", CompanyName::as_str).to_owned(),
            office.map(|office| office.town.clone()).unwrap_or_default(),
            moment(company.registered_at),
        ]);
    }
    if !which.how.json {
        columns(&rows);
    }
    Ok(())
}

fn as_json(company: &CompanyRow, details: &CompanyDetails) -> Value {
    let address = |kind| details.addresses.get(&kind);
    json!({
        "company_id": company.company_id,
        "country": details.country,
        "enterprise_number": details.enterprise_number,
        "legal_name": details.legal_name,
        "trading_name": details.trading_name,
        "registered_office": address(AddressKind::RegisteredOffice),
        "invoicing_address": address(AddressKind::Invoicing),
        "correspondence_address": address(AddressKind::Correspondence),
        "registered_at": company.registered_at,
        "order_id": company.order_id,
        "administrators": company.administrators.len(),
    })
}

/// Shows a company.
pub(super) async fn show_one(directory: &DataDirectory, which: &WhichCompany) -> anyhow::Result<()> {
    show(&Known::open::<CompanyRow>(directory).await?, which).await
}

/// What is known of a company.
pub(super) async fn told(known: &Known, which: &str) -> anyhow::Result<Value> {
    let company = known.company(which).await?;
    let details = company.details.as_ref();
    let details = details.with_context(|| format!("the key of company {} is lost", company.company_id))?;
    Ok(as_json(&company, details))
}

async fn show(known: &Known, which: &WhichCompany) -> anyhow::Result<()> {
    let company = known.company(&which.company).await?;
    let by = SiteRow::BY_COMPANY.under(company.company_id);
    let sites = known.some(Rows { by, order: Order::Ascending, limit: MOST_SITES }).await?;
    let details = company.details.as_ref();
    let details = details.with_context(|| format!("the key of company {} is lost", company.company_id))?;
    let mut shown = as_json(&company, details);
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
                told.insert(name.to_owned(), json!(details.addresses.get(&kind).map(address)));
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

/// Erases a company, if the operator gave `--yes` or agrees at the terminal.
async fn erase(which: EraseCompany) -> anyhow::Result<()> {
    let server = Running::at(&which.url, &which.token_file)?;
    let id = server.company(&which.company).await?;
    agreed(format_args!("This erases the names and addresses of company {id} for ever."), which.yes)?;
    let body = serde_json::to_vec(&json!({ "reason": which.reason }))?;
    let answer = server.post(&format!("/v1/companies/{id}/erasure"), body).await?;
    ensure!(answer.status == 204, answer.refusal());
    result(
        format_args!(
            "Company {id} is erased. Backups of keys.db still hold its key until they are destroyed."
        ),
        &json!({ "company_id": id, "erased": true }),
    );
    Ok(())
}
