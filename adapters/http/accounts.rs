//! Accounts and what is done with them.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use loquet_domain::access::Grantor;
use loquet_domain::account::{Admission, Profile, Role};
use loquet_domain::app::{Failure, NewColleague};
use loquet_domain::email_address::EmailAddress;
use loquet_domain::ids::{AccountId, CompanyId};
use loquet_domain::language::Language;
use loquet_domain::mail_kind::MailKind;
use loquet_domain::password::Password;
use loquet_domain::permission::Permission;
use loquet_domain::ports::Position;
use loquet_projections::people::{client_at, person_at};
use loquet_projections::ports::Selection;
use loquet_projections::table::{Row, find, select};
use loquet_projections::view::ViewId;
use loquet_projections::views::accounts::AccountRow;
use loquet_projections::views::logins::{LoginsRow, Outcome};
use loquet_projections::views::mails::{EndedMail, MailsRow};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::answers::{AtLeast, Done, Page};
use super::body::{Body, Faults};
use super::caller::{Arrival, Caller, carry_out, to_its_end};
use super::conditional::Tagged;
use super::problem::{Problem, ProblemBody};
use super::query::Params;
use super::standing::Needed;
use super::{Api, READERS_PATIENCE, Shared};
use crate::service_tokens::Scope;

impl Api {
    /// Waits until a view is where the query wants it (law 10).
    pub(crate) async fn reach(&self, view: ViewId, at_least: &AtLeast) -> Result<Position, Problem> {
        match self.status.reach(view, at_least.position(), READERS_PATIENCE).await {
            Ok(position) => Ok(position),
            Err(why) => Err(self.not_there(at_least.position(), why).await),
        }
    }

    /// Waits until the log is where the query wants it; gives where it is. An account that is folded
    /// after that has seen as much: it is asked from memory, not from a view.
    async fn reach_log(&self, at_least: &AtLeast) -> Result<Position, Problem> {
        self.log_at(at_least.position()).await
    }

    /// Who and what an account is, from the log itself.
    pub(crate) async fn profile(&self, account: AccountId) -> Result<Profile, Problem> {
        let account = self.app.account(account).await?;
        account.profile().cloned().ok_or_else(Problem::not_found)
    }
}

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
    /// None once the person was erased.
    email: Option<String>,
    given_name: Option<String>,
    family_name: Option<String>,
    created_at: DateTime<Utc>,
    activated_at: Option<DateTime<Utc>>,
    last_login_at: Option<DateTime<Utc>>,
    deleted_at: Option<DateTime<Utc>>,
    /// The position of the log that the answer is at.
    position: u64,
}

async fn body(api: &Api, row: AccountRow, position: Position) -> Result<AccountBody, Problem> {
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

/// One account: one's own, one of one's company, or any for a program with `accounts:read`.
#[utoipa::path(
    get, path = "/v1/accounts/{account_id}", operation_id = "show_account", tag = "accounts", security(("session" = []), ("service" = [])),
    params(("account_id" = Uuid, Path), AtLeast),
    responses(
        (status = 200, description = "The account", body = AccountBody),
        (status = 404, description = "There is none to see", body = ProblemBody, content_type = "application/problem+json")
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

/// Which accounts.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AccountFilter {
    /// The account of this e-mail address.
    email: Option<String>,
    /// The accounts of this company.
    company: Option<Uuid>,
    /// `awaiting_activation`, `active`, `deleted` or `erased`.
    status: Option<String>,
    /// `created_at`, the oldest first, or `-created_at`, the newest first.
    sort: Option<String>,
    /// From `next_cursor` of the page before; with the same filter and order.
    cursor: Option<String>,
    /// 1 to 200; 50 unless said.
    limit: Option<u32>,
    /// Wait until the answer is at this position of the log.
    at_least: Option<u64>,
}

/// Find accounts. A person finds those of their own company, as its administrator or as a user with *manage users*.
#[utoipa::path(
    get, path = "/v1/accounts", operation_id = "list_accounts", tag = "accounts", params(AccountFilter),
    security(("session" = []), ("service" = [])),
    responses(
        (status = 200, description = "A page of accounts", body = Page<AccountBody>),
        (status = 422, description = "This is no e-mail address", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn list(
    State(api): Shared,
    caller: Caller,
    Params(filter): Params<AccountFilter>,
) -> Result<Tagged<Page<AccountBody>>, Problem> {
    let only = match &caller {
        Caller::Service(_) => caller.service(Scope::AccountsRead).map(|_| None)?,
        Caller::Person(person) => {
            let managing = (Permission::ManageUsers, Needed::Anywhere);
            api.permit(&caller, Scope::AccountsRead, person.profile.company, managing).await?;
            Some(person.profile.company.0)
        }
    };
    if only.is_some_and(|own| filter.company.is_some_and(|asked| asked != own)) {
        return Err(Problem::not_found());
    }
    let mut faults = Faults::default();
    let size = faults.limit(filter.limit);
    faults.one_of(
        "status",
        filter.status.as_deref(),
        &["awaiting_activation", "active", "deleted", "erased"],
    );
    let order = faults.order(filter.sort.as_deref(), "created_at");
    let after = faults.cursor(filter.cursor.as_deref());
    faults.finish_query()?;
    let at_least = AtLeast { at_least: filter.at_least };
    let position = api.reach(AccountRow::VIEW, &at_least).await?;
    let company = only.or(filter.company);
    let by = match (&filter.email, company, &filter.status) {
        (Some(email), ..) => {
            let mut faults = Faults::default();
            let email: Option<EmailAddress> = faults.email("?email", email);
            ("email", format!("{}/", api.app.tokens().email_hash(&faults.finish(email)?)))
        }
        (None, Some(company), Some(status)) => ("company_status", format!("{company}/{status}/")),
        (None, Some(company), None) => ("company", format!("{company}/")),
        (None, None, Some(status)) => ("status", format!("{status}/")),
        (None, None, None) => ("created", String::new()),
    };
    let wanted = Selection { by: Some(by), order, after, limit: size + 1 };
    let rows = select::<AccountRow>(api.rows.as_ref(), wanted).await?;
    let fits = |row: &AccountRow| {
        company.is_none_or(|company| row.company_id.0 == company)
            && filter.status.as_ref().is_none_or(|status| row.status.word() == status)
    };
    let mut accounts = Vec::with_capacity(rows.len());
    for (key, row) in rows.into_iter().filter(|(_, row)| fits(row)) {
        accounts.push((key, body(&api, row, position).await?));
    }
    Ok(Tagged(Page::of(accounts, size, position)))
}

/// A colleague who is to have an account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ColleagueBody {
    #[schema(example = "jan@boulangerie.example")]
    email: String,
    given_name: String,
    family_name: String,
    /// fr, nl or en.
    #[schema(example = "nl")]
    language: String,
    role: AdmissionBody,
    /// For programs: of which company. A person creates accounts of their own.
    company_id: Option<Uuid>,
}

/// Administrator or user.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Admission)]
pub(crate) enum AdmissionBody {
    /// Full access to the company.
    Administrator,
    /// What groups grant.
    User,
}

impl From<AdmissionBody> for Admission {
    fn from(body: AdmissionBody) -> Self {
        match body {
            AdmissionBody::Administrator => Self::Administrator,
            AdmissionBody::User => Self::User,
        }
    }
}

/// An account that was created.
#[derive(Serialize, ToSchema)]
pub(crate) struct CreatedBody {
    account_id: Uuid,
    /// Where it stands in the log.
    position: u64,
}

/// Create an account for a colleague. Their activation mail follows.
#[utoipa::path(
    post, path = "/v1/accounts", operation_id = "create_account", tag = "accounts", request_body = ColleagueBody,
    security(("session" = []), ("service" = [])),
    responses(
        (status = 201, description = "Created", body = CreatedBody),
        (status = 403, description = "Not an administrator", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "The address is an account's already", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The body breaks rules; all of them are listed", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn create(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Body(body): Body<ColleagueBody>,
) -> Result<(StatusCode, Json<CreatedBody>), Problem> {
    let mut faults = Faults::default();
    let (company, creator) = match &caller {
        Caller::Service(_) => {
            caller.service(Scope::AccountsWrite)?;
            let company = body.company_id.map(CompanyId);
            (faults.check("/company_id", company.ok_or(()), |()| "company-required"), None)
        }
        Caller::Person(person) if body.company_id.is_some_and(|asked| asked != person.profile.company.0) => {
            return Err(Problem::not_found());
        }
        Caller::Person(person) => {
            let company = person.profile.company;
            let managing = (Permission::ManageUsers, Needed::Anywhere);
            let grantor = api.permit(&caller, Scope::AccountsWrite, company, managing).await?;
            // Whoever manages users creates users, never administrators.
            if grantor != Grantor::Anything && matches!(body.role, AdmissionBody::Administrator) {
                return Err(Problem::forbidden());
            }
            (Some(company), Some(person.account))
        }
    };
    let person = faults.person("", &body.email, &body.given_name, &body.family_name);
    let language = faults.language("/language", &body.language);
    let role = body.role.into();
    let new = person.zip(language).zip(company).map(|((person, language), company)| NewColleague {
        company,
        role,
        language,
        person,
        creator,
    });
    let new = faults.finish(new)?;
    let (at, context) = (arrival.at, caller.context(&arrival));
    let created = to_its_end(async move { api.app.create_account(&context, new).await }).await?;
    let (account, position) = created.map_err(|failure| Problem::of(failure, at))?;
    Ok((StatusCode::CREATED, Json(CreatedBody { account_id: account.0, position: position.0 })))
}

/// The lockout of an account.
#[derive(Serialize, ToSchema)]
#[schema(as = Lockout)]
pub(crate) struct LockoutBody {
    account_id: Uuid,
    /// Whether it is locked now.
    locked: bool,
    /// Since when.
    locked_since: Option<DateTime<Utc>>,
    /// Until when.
    locked_until: Option<DateTime<Utc>>,
    /// Wrong logins in a row that count now.
    failures: u32,
    last_failure_at: Option<DateTime<Utc>>,
    /// The position of the log that the answer is at.
    position: u64,
}

/// Whether an account is locked, until when, and how many wrong logins count.
#[utoipa::path(
    get, path = "/v1/accounts/{account_id}/lockout", operation_id = "show_lockout", tag = "accounts",
    security(("session" = []), ("service" = [])),
    params(("account_id" = Uuid, Path), AtLeast),
    responses(
        (status = 200, description = "The lockout", body = LockoutBody),
        (status = 404, description = "There is no account to see", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn lockout(
    State(api): Shared,
    caller: Caller,
    Path(id): Path<Uuid>,
    Params(at_least): Params<AtLeast>,
) -> Result<Tagged<LockoutBody>, Problem> {
    let id = AccountId(id);
    let position = api.reach_log(&at_least).await?;
    let account = api.app.account(id).await?;
    caller.sees(Scope::AccountsRead, id, account.profile().ok_or_else(Problem::not_found)?)?;
    let now = (api.clock)();
    let active = account.active();
    let lockout = active.map(|active| active.lockout).unwrap_or_default();
    let locked_until = lockout.locked_until(now);
    Ok(Tagged(LockoutBody {
        account_id: id.0,
        locked: locked_until.is_some(),
        locked_since: active.and_then(|active| active.locked_since).filter(|_| locked_until.is_some()),
        locked_until,
        failures: lockout.failures_at(now),
        last_failure_at: active.and_then(|active| active.last_failure_at),
        position: position.0,
    }))
}

/// An attempt to log in.
#[derive(Serialize, ToSchema)]
pub(crate) struct AttemptBody {
    at: DateTime<Utc>,
    /// `succeeded`, `failed` or `awaited_conversion`.
    #[schema(value_type = String, example = "failed")]
    outcome: Outcome,
    /// From where, unless erased.
    client_address: Option<String>,
    client_agent: Option<String>,
}

/// The newest attempts to log in, newest first.
#[utoipa::path(
    get, path = "/v1/accounts/{account_id}/logins", operation_id = "list_login_attempts", tag = "accounts",
    security(("session" = []), ("service" = [])),
    params(("account_id" = Uuid, Path), AtLeast),
    responses(
        (status = 200, description = "The newest 50 attempts", body = Page<AttemptBody>),
        (status = 404, description = "There is no account to see", body = ProblemBody, content_type = "application/problem+json")
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

/// A mail that has ended.
#[derive(Serialize, ToSchema)]
pub(crate) struct MailBody {
    /// With its Message-ID begins.
    mail_id: Uuid,
    /// Which mail.
    #[schema(value_type = String, example = "activation")]
    kind: MailKind,
    /// `sent`: the mail server took it; or `given_up`.
    #[schema(example = "sent")]
    outcome: &'static str,
    /// When it was sent or given up.
    at: DateTime<Utc>,
    /// Why it was given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// What became of the newest mails to an account, newest first.
#[utoipa::path(
    get, path = "/v1/accounts/{account_id}/mails", operation_id = "list_mails", tag = "accounts", security(("service" = [])),
    params(("account_id" = Uuid, Path), AtLeast),
    responses(
        (status = 200, description = "The newest 20 mails that were sent or given up", body = Page<MailBody>),
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

/// As what a temporary administrator is admitted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConversionBody {
    to: AdmissionBody,
}

/// Admit a temporary administrator as administrator or as user.
#[utoipa::path(
    post, path = "/v1/accounts/{account_id}/conversion", operation_id = "convert_account", tag = "accounts", request_body = ConversionBody,
    security(("session" = []), ("service" = [])), params(("account_id" = Uuid, Path)),
    responses(
        (status = 204, description = "Admitted"),
        (status = 403, description = "Not an administrator", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "There is no such account", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "Not a temporary administrator", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn convert(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Path(id): Path<Uuid>,
    Body(body): Body<ConversionBody>,
) -> Result<Done, Problem> {
    let id = AccountId(id);
    caller.administers(Scope::AccountsWrite, &api.profile(id).await?)?;
    let (at, context) = (arrival.at, caller.context(&arrival));
    carry_out(at, async move { api.app.convert(&context, id, body.to.into()).await }).await
}

/// What an account is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleBody {
    role: AdmissionBody,
}

/// Make a user of an administrator, or the other way round. The last administrator of a company stays one.
#[utoipa::path(
    post, path = "/v1/accounts/{account_id}/role", operation_id = "change_role", tag = "accounts", request_body = RoleBody,
    security(("session" = []), ("service" = [])), params(("account_id" = Uuid, Path)),
    responses(
        (status = 204, description = "That is what they are"),
        (status = 403, description = "Not an administrator", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "There is no such account", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "The last administrator, or a temporary one", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn change_role(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Path(id): Path<Uuid>,
    Body(body): Body<RoleBody>,
) -> Result<Done, Problem> {
    let id = AccountId(id);
    caller.administers(Scope::AccountsWrite, &api.profile(id).await?)?;
    let (at, context) = (arrival.at, caller.context(&arrival));
    carry_out(at, async move { api.app.change_role(&context, id, body.role.into()).await }).await
}

/// Send the activation mail again. Older links no longer work.
#[utoipa::path(
    post, path = "/v1/accounts/{account_id}/activation-mail", operation_id = "send_activation_mail", tag = "accounts",
    security(("session" = []), ("service" = [])), params(("account_id" = Uuid, Path)),
    responses(
        (status = 204, description = "On its way"),
        (status = 404, description = "There is no such account", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "Active already", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn activation_mail(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Path(id): Path<Uuid>,
) -> Result<Done, Problem> {
    let id = AccountId(id);
    caller.administers(Scope::AccountsWrite, &api.profile(id).await?)?;
    let (at, context) = (arrival.at, caller.context(&arrival));
    carry_out(at, async move { api.app.request_activation(&context, id).await }).await
}

/// Why something is done to an account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReasonBody {
    #[schema(example = "Called from the number on file")]
    reason: String,
}

impl ReasonBody {
    fn check(self) -> Result<String, Problem> {
        let mut faults = Faults::default();
        faults.reason(&self.reason);
        faults.finish(Some(self.reason))
    }
}

/// End a lockout early. Support alone may: a program with `lockouts:release`.
#[utoipa::path(
    post, path = "/v1/accounts/{account_id}/release", operation_id = "release_lockout", tag = "accounts", request_body = ReasonBody,
    security(("service" = [])), params(("account_id" = Uuid, Path)),
    responses(
        (status = 204, description = "Released"),
        (status = 404, description = "There is no such account", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "Not locked", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn release(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Path(id): Path<Uuid>,
    Body(body): Body<ReasonBody>,
) -> Result<Done, Problem> {
    caller.service(Scope::LockoutsRelease)?;
    let (id, reason) = (AccountId(id), body.check()?);
    let (at, context) = (arrival.at, caller.context(&arrival));
    carry_out(at, async move { api.app.release(&context, id, &reason).await }).await
}

/// The current password, and another.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordBody {
    #[schema(format = Password)]
    current_password: String,
    #[schema(format = Password)]
    new_password: String,
}

/// Change one's own password. Ends all sessions. A wrong current password counts as a wrong login.
#[utoipa::path(
    post, path = "/v1/accounts/{account_id}/password", operation_id = "change_password", tag = "accounts", request_body = PasswordBody,
    security(("session" = [])), params(("account_id" = Uuid, Path)),
    responses(
        (status = 204, description = "Changed; log in again"),
        (status = 403, description = "The current password is wrong", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The new password breaks rules; all of them are listed", body = ProblemBody, content_type = "application/problem+json"),
        (status = 423, description = "Locked; nothing was verified", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn password(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Path(id): Path<Uuid>,
    Body(body): Body<PasswordBody>,
) -> Result<Done, Problem> {
    let id = AccountId(id);
    if caller.person()?.account != id {
        return Err(Problem::not_found());
    }
    let (current, new) = (Password::new(body.current_password), Password::new(body.new_password));
    let (at, context) = (arrival.at, caller.context(&arrival));
    let changed =
        to_its_end(async move { api.app.change_password(&context, id, current, new).await }).await?;
    match changed {
        Err(Failure::WeakPassword(rules)) => Err(Problem::weak_password("/new_password", &rules)),
        other => other.map(Done).map_err(|failure| Problem::of(failure, at)),
    }
}

/// Delete an account. Its address is free for another.
#[utoipa::path(
    delete, path = "/v1/accounts/{account_id}", operation_id = "delete_account", tag = "accounts",
    security(("session" = []), ("service" = [])),
    params(("account_id" = Uuid, Path), Why),
    responses(
        (status = 204, description = "Deleted"),
        (status = 403, description = "Not an administrator", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "There is no such account", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn delete(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Path(id): Path<Uuid>,
    Params(why): Params<Why>,
) -> Result<Done, Problem> {
    let id = AccountId(id);
    caller.administers(Scope::AccountsWrite, &api.profile(id).await?)?;
    let reason = ReasonBody { reason: why.reason.unwrap_or_else(|| "not given".to_owned()) }.check()?;
    let (at, context) = (arrival.at, caller.context(&arrival));
    carry_out(at, async move { api.app.delete_account(&context, id, &reason).await }).await
}

/// Why an account is deleted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Why {
    /// In your words.
    reason: Option<String>,
}

/// Forget a person: deletes the account, then the key of everything that was sealed for it. There is
/// no way back.
#[utoipa::path(
    post, path = "/v1/accounts/{account_id}/erasure", operation_id = "erase_person", tag = "accounts", request_body = ReasonBody,
    security(("service" = [])), params(("account_id" = Uuid, Path)),
    responses(
        (status = 204, description = "Forgotten"),
        (status = 404, description = "There never was such an account", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn erase(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Path(id): Path<Uuid>,
    Body(body): Body<ReasonBody>,
) -> Result<Done, Problem> {
    caller.service(Scope::AccountsWrite)?;
    let (id, reason) = (AccountId(id), body.check()?);
    let (at, context) = (arrival.at, caller.context(&arrival));
    carry_out(at, async move { api.app.erase_account(&context, id, &reason).await }).await
}
