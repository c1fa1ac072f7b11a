//! An account's lockout, login attempts and mails.

use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use loquet_domain::ids::AccountId;
use loquet_domain::policies::lockout::LockEnd;
use loquet_domain::values::mail_kind::MailKind;
use loquet_projections::people::client_at;
use loquet_projections::table::{Row, find};
use loquet_projections::views::logins::{LoginsRow, Outcome};
use loquet_projections::views::mails::{EndedMail, MailsRow};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::caller::Caller;
use crate::extractors::query::{AtLeast, Params};
use crate::responses::page::Page;
use crate::responses::problem::{Problem, ProblemBody};
use crate::responses::tagged::Tagged;
use crate::state::Shared;
use loquet_http_ports::scope::Scope;

/// The lockout of an account. It does not apply to trusted devices, each of which has a lockout of its own.
#[derive(Serialize, ToSchema)]
#[schema(as = Lockout)]
pub(crate) struct LockoutBody {
    account_id: Uuid,
    /// Whether the account is locked now.
    locked: bool,
    /// The start of the lockout.
    locked_since: Option<DateTime<Utc>>,
    /// The end of the lockout. Absent if the account is not locked, or if only a new password or support ends the
    /// lockout.
    locked_until: Option<DateTime<Utc>>,
    /// Whether only a new password or support ends the lockout, because there were too many wrong logins across
    /// lockouts.
    locked_until_reset: bool,
    /// Always absent: a new password ends a lockout for codes too. One more wrong code after it begins another if
    /// `wrong_codes` is as high as the number of wrong logins that lock.
    second_step_locked_until: Option<DateTime<Utc>>,
    /// The number of wrong codes of the second step that count now. A new password does not set it to zero.
    wrong_codes: u32,
    /// The number of wrong logins since the last success, reset or release, across lockouts.
    failures_across_lockouts: u32,
    /// The number of wrong logins in a row that count now.
    failures: u32,
    last_failure_at: Option<DateTime<Utc>>,
    /// The log position up to which the answer includes all events.
    position: u64,
}

/// Show whether an account is locked, until when, and how many wrong logins count.
#[utoipa::path(
    get, path = "/v1/accounts/{account_id}/lockout", operation_id = "show_lockout", tag = "accounts",
    security(("session" = []), ("service" = [])),
    params(("account_id" = Uuid, Path), AtLeast),
    responses(
        (status = 200, description = "The lockout", body = LockoutBody),
        (status = 404, description = "The account does not exist, or you may not see it", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn lockout(
    State(api): Shared,
    caller: Caller,
    Path(id): Path<Uuid>,
    Params(at_least): Params<AtLeast>,
) -> Result<Tagged<LockoutBody>, Problem> {
    let id = AccountId(id);
    let position = api.log_at(at_least.position()).await?;
    let account = api.app.account(id).await?;
    caller.sees(Scope::AccountsRead, id, account.profile().ok_or_else(Problem::not_found)?)?;
    let now = (api.clock)();
    let active = account.active();
    let lockout = active.map(|active| active.lockout).unwrap_or_default();
    let locked = lockout.locked_until(now);
    Ok(Tagged(LockoutBody {
        account_id: id.0,
        locked: locked.is_some(),
        locked_since: active.and_then(|active| active.locked_since).filter(|_| locked.is_some()),
        locked_until: locked.and_then(LockEnd::moment),
        locked_until_reset: locked == Some(LockEnd::AtReset),
        second_step_locked_until: None,
        wrong_codes: lockout.codes_at(now),
        failures_across_lockouts: lockout.failures_across(),
        failures: lockout.failures_at(now),
        last_failure_at: active.and_then(|active| active.last_failure_at),
        position: position.0,
    }))
}

/// An attempt to log in.
#[derive(Serialize, ToSchema)]
pub(crate) struct AttemptBody {
    at: DateTime<Utc>,
    /// `succeeded`, `failed`, `code_failed`, `second_step_asked` or `awaited_conversion`.
    #[schema(value_type = String, example = "failed")]
    outcome: Outcome,
    /// The client's address. Absent if the person was erased.
    client_address: Option<String>,
    client_agent: Option<String>,
}

/// List the latest attempts to log in, the newest first.
#[utoipa::path(
    get, path = "/v1/accounts/{account_id}/logins", operation_id = "list_login_attempts", tag = "accounts",
    security(("session" = []), ("service" = [])),
    params(("account_id" = Uuid, Path), AtLeast),
    responses(
        (status = 200, description = "The latest 50 attempts", body = Page<AttemptBody>),
        (status = 404, description = "The account does not exist, or you may not see it", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn logins(
    State(api): Shared,
    caller: Caller,
    Path(id): Path<Uuid>,
    Params(at_least): Params<AtLeast>,
) -> Result<Tagged<Page<AttemptBody>>, Problem> {
    let id = AccountId(id);
    caller.sees(Scope::AccountsRead, id, &api.profile(id).await?)?;
    let position = api.reach(LoginsRow::VIEW, &at_least).await?;
    let row = find::<LoginsRow>(api.rows.as_ref(), id.to_string()).await?;
    let mut items = Vec::new();
    for attempt in row.into_iter().flat_map(|row| row.attempts).rev() {
        let client =
            client_at(api.store.as_ref(), api.codec.as_ref(), attempt.client_at).await?.unwrap_or_default();
        let (client_address, client_agent) = (client.address, client.agent);
        items.push(AttemptBody { at: attempt.at, outcome: attempt.outcome, client_address, client_agent });
    }
    Ok(Tagged(Page { items, next_cursor: None, position: position.0 }))
}

/// A mail that was sent or given up.
#[derive(Serialize, ToSchema)]
pub(crate) struct MailBody {
    /// The mail's id. Its Message-ID begins with it.
    mail_id: Uuid,
    /// The kind of mail.
    #[schema(value_type = String, example = "activation")]
    kind: MailKind,
    /// `sent` (the mail server accepted it) or `given_up`.
    #[schema(example = "sent")]
    outcome: &'static str,
    /// When it was sent or given up.
    at: DateTime<Utc>,
    /// Why it was given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// List the latest mails to an account that were sent or given up, the newest first.
#[utoipa::path(
    get, path = "/v1/accounts/{account_id}/mails", operation_id = "list_mails", tag = "accounts", security(("service" = [])),
    params(("account_id" = Uuid, Path), AtLeast),
    responses(
        (status = 200, description = "The latest 20 mails", body = Page<MailBody>),
        (status = 404, description = "There is no such account", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn mails(
    State(api): Shared,
    caller: Caller,
    Path(id): Path<Uuid>,
    Params(at_least): Params<AtLeast>,
) -> Result<Tagged<Page<MailBody>>, Problem> {
    caller.service(Scope::AccountsRead)?;
    let id = AccountId(id);
    api.profile(id).await?;
    let position = api.reach(MailsRow::VIEW, &at_least).await?;
    let row = find::<MailsRow>(api.rows.as_ref(), id.to_string()).await?;
    let body = |mail: EndedMail| MailBody {
        mail_id: mail.mail_id,
        kind: mail.kind,
        outcome: if mail.given_up.is_none() { "sent" } else { "given_up" },
        at: mail.at,
        why: mail.given_up,
    };
    let items = row.into_iter().flat_map(|row| row.mails).rev().map(body).collect();
    Ok(Tagged(Page { items, next_cursor: None, position: position.0 }))
}
