//! `loquet account list`.

use loquet_domain::account::{Profile, Role};
use loquet_projections::ports::Order;
use loquet_projections::views::accounts::AccountRow;
use serde_json::{Value, json};

use crate::cli::DataDirectory;
use crate::cli::accounts::ListAccounts;
use crate::commands::known::{Known, Rows};
use crate::commands::show::{moment, moment_or_dash, table};
use crate::output::{Reader, columns, line};
use crate::system::System;

/// Lists accounts, the newest first.
pub(super) async fn list(directory: &DataDirectory, which: &ListAccounts) -> anyhow::Result<()> {
    let known = Known::open::<AccountRow>(directory).await?;
    let company = match &which.company {
        Some(company) => Some(known.company(company).await?.company_id),
        None => None,
    };
    let status = which.status.as_deref();
    let by = match (company, status) {
        _ if which.awaiting_conversion => AccountRow::AWAITING_CONVERSION.all(),
        (Some(company), Some(status)) => {
            AccountRow::BY_COMPANY_AND_STATUS.under(format!("{company}/{status}"))
        }
        (Some(company), None) => AccountRow::BY_COMPANY.under(company),
        (None, Some(status)) => AccountRow::BY_STATUS.under(status),
        (None, None) => AccountRow::BY_CREATION.all(),
    };
    let limit = usize::try_from(which.how.limit)?;
    let system = System::open_to_read(directory).await?;
    let mut rows =
        table(&["ACCOUNT", "STATUS", "ROLE", "E-MAIL", "NAME", "COMPANY", "CREATED", "LAST LOGIN"]);
    for row in known.listed(Rows { by, order: Order::Descending, limit }).await? {
        let account = system.app.account(row.account_id).await?;
        let shown = as_json(&row, account.profile());
        if which.how.json {
            if line(shown) == Reader::Gone {
                break;
            }
            continue;
        }
        let text = |name: &str| shown.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
        rows.add_row([
            text("account_id"),
            text("status"),
            text("role"),
            text("email"),
            format!("{} {}", text("given_name"), text("family_name")),
            text("company_id"),
            moment(row.created_at),
            moment_or_dash(row.last_login_at),
        ]);
    }
    if !which.how.json {
        columns(&rows);
    }
    Ok(())
}

fn as_json(row: &AccountRow, profile: Option<&Profile>) -> Value {
    let person = profile.and_then(|profile| profile.person.known());
    json!({
        "account_id": row.account_id,
        "company_id": row.company_id,
        "status": row.status,
        "role": row.role,
        "awaiting_conversion": row.role == Role::TemporaryAdministrator,
        "language": row.language,
        "email": person.map(|person| person.email.to_string()),
        "given_name": person.map(|person| person.given_name.as_str()),
        "family_name": person.map(|person| person.family_name.as_str()),
        "created_at": row.created_at,
        "activated_at": row.activated_at,
        "last_login_at": row.last_login_at,
        "deleted_at": row.deleted_at,
    })
}
