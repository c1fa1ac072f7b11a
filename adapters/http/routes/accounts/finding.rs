//! Finding accounts.

use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use loquet_domain::account::Role;
use loquet_domain::ids::AccountId;
use loquet_domain::ports::Position;
use loquet_domain::values::email_address::EmailAddress;
use loquet_domain::values::language::Language;
use loquet_domain::values::permission::Permission;
use loquet_projections::index::Lookup;
use loquet_projections::people::person_at;
use loquet_projections::table::{Row, RowQuery, find, select_where};
use loquet_projections::views::accounts::AccountRow;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::authorisation::Need;
use crate::caller::Caller;
use crate::extractors::query::{AtLeast, Params};
use crate::responses::faults::Faults;
use crate::responses::page::Page;
use crate::responses::problem::{Problem, ProblemBody};
use crate::responses::tagged::Tagged;
use crate::state::{Api, Shared};
use loquet_http_ports::scope::Scope;

/// An account.
#[derive(Serialize, ToSchema)]
#[schema(as = Account)]
pub(crate) struct AccountBody {
    account_id: Uuid,
    company_id: Uuid,
    #[schema(value_type = String, example = "administrator")]
    role: Role,
    /// `awaiting_activation`, `active`, `deleted` or `erased`.
    #[schema(example = "active")]
    status: &'static str,
    #[schema(value_type = String, example = "fr")]
    language: Language,
    /// Absent if the person was erased.
    email: Option<String>,
    given_name: Option<String>,
    family_name: Option<String>,
    created_at: DateTime<Utc>,
    activated_at: Option<DateTime<Utc>>,
    last_login_at: Option<DateTime<Utc>>,
    deleted_at: Option<DateTime<Utc>>,
    /// The log position up to which the answer includes all events.
    position: u64,
}

pub(crate) async fn body(api: &Api, row: AccountRow, position: Position) -> Result<AccountBody, Problem> {
    let person = person_at(api.store.as_ref(), api.codec.as_ref(), row.person_at).await?;
    let person = person.known();
    Ok(AccountBody {
        account_id: row.account_id.0,
        company_id: row.company_id.0,
        role: row.role,
        status: row.status.word(),
        language: row.language,
        email: person.map(|person| person.email.to_string()),
        given_name: person.map(|person| person.given_name.as_str().to_owned()),
        family_name: person.map(|person| person.family_name.as_str().to_owned()),
        created_at: row.created_at,
        activated_at: row.activated_at,
        last_login_at: row.last_login_at,
        deleted_at: row.deleted_at,
        position: position.0,
    })
}

/// Show an account.
///
/// A person sees their own account and, as an administrator, those of their company. A token with the scope
/// `accounts:read` sees every account.
#[utoipa::path(
    get, path = "/v1/accounts/{account_id}", operation_id = "show_account", tag = "accounts", security(("session" = []), ("service" = [])),
    params(("account_id" = Uuid, Path), AtLeast),
    responses(
        (status = 200, description = "The account", body = AccountBody),
        (status = 404, description = "It does not exist, or you may not see it", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn show(
    State(api): Shared,
    caller: Caller,
    Path(id): Path<Uuid>,
    Params(at_least): Params<AtLeast>,
) -> Result<Tagged<AccountBody>, Problem> {
    let id = AccountId(id);
    caller.sees(Scope::AccountsRead, id, &api.profile(id).await?)?;
    let position = api.reach(AccountRow::VIEW, &at_least).await?;
    let row = find::<AccountRow>(api.rows.as_ref(), id.to_string()).await?.ok_or_else(Problem::not_found)?;
    Ok(Tagged(body(&api, row, position).await?))
}

/// A filter for accounts.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AccountFilter {
    /// Only the account with this e-mail address.
    email: Option<String>,
    /// Only the accounts of this company.
    company: Option<Uuid>,
    /// `awaiting_activation`, `active`, `deleted` or `erased`.
    status: Option<String>,
    /// With `true`, only the accounts of temporary administrators, who wait for a conversion.
    awaiting_conversion: Option<bool>,
    /// `created_at`: the oldest first. `-created_at`: the newest first.
    sort: Option<String>,
    /// `next_cursor` of the previous page. Send it with the same filter and the same order.
    cursor: Option<String>,
    /// The maximum number of items: 1 to 200. Default: 50.
    limit: Option<u32>,
    /// Answer only when all events up to this log position are included.
    at_least: Option<u64>,
}

/// The statuses of an account.
pub(crate) const STATUSES: [&str; 4] = ["awaiting_activation", "active", "deleted", "erased"];

/// List accounts.
///
/// Administrators, and users with *manage users*, see those of their own company. A token with the scope
/// `accounts:read` sees all.
#[utoipa::path(
    get, path = "/v1/accounts", operation_id = "list_accounts", tag = "accounts", params(AccountFilter),
    security(("session" = []), ("service" = [])),
    responses(
        (status = 200, description = "A page of accounts", body = Page<AccountBody>),
        (status = 422, description = "This is not an e-mail address", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn list(
    State(api): Shared,
    caller: Caller,
    Params(filter): Params<AccountFilter>,
) -> Result<Tagged<Page<AccountBody>>, Problem> {
    let only = company_of(&api, &caller).await?;
    if only.is_some_and(|own| filter.company.is_some_and(|asked| asked != own)) {
        return Err(Problem::not_found());
    }
    let filter = AccountFilter { company: only.or(filter.company), ..filter };
    let wanted = selection(&api, &filter)?;
    let size = wanted.limit - 1;
    let position = api.reach(AccountRow::VIEW, &AtLeast { at_least: filter.at_least }).await?;
    let rows = select_where(api.rows.as_ref(), wanted, |row| filter.fits(row)).await?;
    let mut accounts = Vec::with_capacity(rows.len());
    for (key, row) in rows {
        accounts.push((key, body(&api, row, position).await?));
    }
    Ok(Tagged(Page::of(accounts, size, position)))
}

/// The one company whose accounts the caller may list. `None` for a program, which may list all.
async fn company_of(api: &Api, caller: &Caller) -> Result<Option<Uuid>, Problem> {
    match caller {
        Caller::Service(_) => caller.service(Scope::AccountsRead).map(|_| None),
        Caller::Person(person) => {
            let company = person.profile.company;
            let managing = Need::anywhere(Permission::ManageUsers);
            api.permit(caller, Scope::AccountsRead, company, managing).await?;
            Ok(Some(company.0))
        }
    }
}

/// The selection of a filter: one row more than the page has, to know whether another page follows.
fn selection(api: &Api, filter: &AccountFilter) -> Result<RowQuery<AccountRow>, Problem> {
    let mut faults = Faults::default();
    let size = faults.limit(filter.limit);
    faults.one_of("status", filter.status.as_deref(), &STATUSES);
    let order = faults.order(filter.sort.as_deref(), "created_at");
    let after = faults.cursor(filter.cursor.as_deref());
    faults.finish_query()?;
    Ok(RowQuery { by: Some(filter.by(api)?), order, after, limit: size + 1 })
}

impl AccountFilter {
    /// The index that narrows most, and what to look for in it.
    fn by(&self, api: &Api) -> Result<Lookup<AccountRow>, Problem> {
        Ok(match (&self.email, self.company, &self.status) {
            (Some(email), ..) => {
                let mut faults = Faults::default();
                let email: Option<EmailAddress> = faults.email("?email", email);
                AccountRow::BY_EMAIL.under(api.app.tokens().email_hash(&faults.finish(email)?))
            }
            (None, Some(company), Some(status)) => {
                AccountRow::BY_COMPANY_AND_STATUS.under(format_args!("{company}/{status}"))
            }
            (None, Some(company), None) => AccountRow::BY_COMPANY.under(company),
            (None, None, Some(status)) => AccountRow::BY_STATUS.under(status),
            (None, None, None) if self.awaiting_conversion == Some(true) => {
                AccountRow::AWAITING_CONVERSION.all()
            }
            (None, None, None) => AccountRow::BY_CREATION.all(),
        })
    }

    /// Whether a row matches the parts of the filter that no index covers.
    fn fits(&self, row: &AccountRow) -> bool {
        self.company.is_none_or(|company| row.company_id.0 == company)
            && self.status.as_ref().is_none_or(|status| row.status.word() == status)
            && (self.awaiting_conversion != Some(true) || row.awaits_conversion())
    }
}
