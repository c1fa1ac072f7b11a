//! Creating, inviting and admitting accounts.

use axum::extract::{Path, State};
use loquet_domain::access::Grantor;
use loquet_domain::account::Admission;
use loquet_domain::app::{Failure, NewColleague};
use loquet_domain::fact::Context;
use loquet_domain::ids::{AccountId, CompanyId};
use loquet_domain::values::permission::Permission;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::authorisation::Need;
use crate::caller::{Arrival, Caller};
use crate::extractors::body::{Body, MaybeBody};
use crate::responses::carry_out::{carry_out, to_its_end};
use crate::responses::created::Created;
use crate::responses::done::Done;
use crate::responses::faults::Faults;
use crate::responses::problem::{Problem, ProblemBody};
use crate::routes::accounts::ending::ReasonBody;
use crate::routes::reasons::WhyBody;
use crate::state::Shared;
use loquet_http_ports::scope::Scope;

/// The person who gets an account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ColleagueBody {
    #[schema(example = "jan@boulangerie.example")]
    email: String,
    given_name: String,
    family_name: String,
    /// The person's language: fr, nl or en.
    #[schema(example = "nl")]
    language: String,
    role: AdmissionBody,
    /// The company. Required from programs. A person creates accounts of their own company only.
    company_id: Option<Uuid>,
    /// The reason. Required from the supplier's staff.
    #[schema(example = "Their administrator asked for it by telephone")]
    reason: Option<String>,
}

/// Administrator or user.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Admission)]
pub(crate) enum AdmissionBody {
    /// Full access to the company.
    Administrator,
    /// The permissions that groups grant.
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
    pub(crate) account_id: Uuid,
    /// The position of the event in the log.
    pub(crate) position: u64,
}

/// Create an account for a colleague.
///
/// The colleague gets an activation mail. That mail waits for up to an hour if its address has received many activation
/// mails in the last hour. If the supplier makes an administrator, the company's other administrators get a mail.
#[utoipa::path(
    post, path = "/v1/accounts", operation_id = "create_account", tag = "accounts", request_body = ColleagueBody,
    security(("session" = []), ("service" = [])),
    responses(
        (status = 201, description = "Created", body = CreatedBody, headers(("Location" = String, description = "The place of what was made, relative to this request"))),
        (status = 403, description = "You are not an administrator", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "An account already has this address", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The body breaks rules. The answer lists all of them", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Your company has reached the hourly limit of activation mails. `Retry-After` says when to try again", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn create(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Body(body): Body<ColleagueBody>,
) -> Result<Created<CreatedBody>, Problem> {
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
            let managing = Need::anywhere(Permission::ManageUsers);
            let grantor = api.permit(&caller, Scope::AccountsWrite, company, managing).await?;
            // A user who manages users may create users, but no administrators.
            if grantor != Grantor::Anything && matches!(body.role, AdmissionBody::Administrator) {
                return Err(Problem::forbidden());
            }
            (Some(company), Some(person.account))
        }
    };
    let because = faults.because(&caller, "/reason", body.reason);
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
    api.company_mails.admit(&caller, arrival.at)?;
    let (at, context) = (arrival.at, caller.context(&arrival, because));
    let created = to_its_end(async move { api.app.create_account(&context, new).await }).await?;
    let (account, position) = created.map_err(|failure| match failure {
        Failure::NoSuchCompany(_) => Problem::at("/company_id", "company-unknown"),
        failure => Problem::of(failure, at),
    })?;
    Ok(Created::new("accounts", account.0, CreatedBody { account_id: account.0, position: position.0 }))
}

/// The role of an admitted person.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConversionBody {
    to: AdmissionBody,
    /// The reason. Required from the supplier's staff.
    #[schema(example = "Their administrator asked for it by telephone")]
    reason: Option<String>,
}

/// Admit a temporary administrator as administrator or as user.
///
/// If the supplier makes an administrator, the company's other administrators get a mail.
#[utoipa::path(
    post, path = "/v1/accounts/{account_id}/conversion", operation_id = "convert_account", tag = "accounts", request_body = ConversionBody,
    security(("session" = []), ("service" = [])), params(("account_id" = Uuid, Path)),
    responses(
        (status = 204, description = "Admitted"),
        (status = 403, description = "You are not an administrator", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "There is no such account", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "The account is not a temporary administrator", body = ProblemBody, content_type = "application/problem+json")
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
    let authority = caller.administers(Scope::AccountsWrite, &api.profile(id).await?)?;
    let (at, context) = (arrival.at, because(&caller, &arrival, body.reason)?);
    carry_out(at, async move { api.app.convert(&context, authority, id, body.to.into()).await }).await
}

/// Returns the context of a command with its reason. The supplier's staff must give one.
fn because(caller: &Caller, arrival: &Arrival, reason: Option<String>) -> Result<Context, Problem> {
    let mut faults = Faults::default();
    let because = faults.because(caller, "/reason", reason);
    faults.finish(Some(caller.context(arrival, because)))
}

/// Send a password reset link to an account's owner.
///
/// Support does not see the link and does not choose the password. The mail says that support sent it. The hourly limit
/// for people who forgot their password does not apply, and these mails do not count towards it.
#[utoipa::path(
    post, path = "/v1/accounts/{account_id}/password-reset-mail", operation_id = "send_password_reset_mail", tag = "accounts", request_body = ReasonBody,
    security(("service" = [])), params(("account_id" = Uuid, Path)),
    responses(
        (status = 204, description = "The mail is queued. Older links no longer work"),
        (status = 404, description = "There is no such account", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "The account is not active", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn password_reset_mail(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Path(id): Path<Uuid>,
    Body(body): Body<ReasonBody>,
) -> Result<Done, Problem> {
    caller.service(Scope::AccountsWrite)?;
    let because = body.check()?;
    let (at, context) = (arrival.at, caller.context(&arrival, because));
    carry_out(at, async move { api.app.send_reset(&context, AccountId(id)).await }).await
}

/// Send the activation mail again.
///
/// Older links no longer work. The users of a company can request a limited number of these mails per hour for one
/// account. After that, the answer is 429, and the link in the newest mail still works. The supplier's staff and
/// programs have a separate limit of the same size, so that they can help a person who waits for a mail.
#[utoipa::path(
    post, path = "/v1/accounts/{account_id}/activation-mail", operation_id = "send_activation_mail", tag = "accounts", request_body = Option<WhyBody>,
    security(("session" = []), ("service" = [])), params(("account_id" = Uuid, Path)),
    responses(
        (status = 204, description = "The mail is queued"),
        (status = 404, description = "There is no such account", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "The account is already active", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "The hourly limit of activation mails is reached. `Retry-After` says when to try again", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn activation_mail(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Path(id): Path<Uuid>,
    MaybeBody(why): MaybeBody<WhyBody>,
) -> Result<Done, Problem> {
    let id = AccountId(id);
    let authority = caller.administers(Scope::AccountsWrite, &api.profile(id).await?)?;
    let mut faults = Faults::default();
    let because = WhyBody::check(why, &caller, &mut faults);
    let because = faults.finish(Some(because))?;
    let (at, context) = (arrival.at, caller.context(&arrival, because));
    api.company_mails.admit(&caller, at)?;
    carry_out(at, async move { api.app.request_activation(&context, authority, id).await }).await
}

/// The new role of an account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleBody {
    role: AdmissionBody,
    /// The reason. Required from the supplier's staff.
    #[schema(example = "Their administrator asked for it by telephone")]
    reason: Option<String>,
}

/// Change an account's role to administrator or user.
///
/// The last administrator of a company can't become a user. If the supplier makes somebody an administrator, the
/// company's other administrators get a mail.
#[utoipa::path(
    post, path = "/v1/accounts/{account_id}/role", operation_id = "change_role", tag = "accounts", request_body = RoleBody,
    security(("session" = []), ("service" = [])), params(("account_id" = Uuid, Path)),
    responses(
        (status = 204, description = "The account has this role"),
        (status = 403, description = "You are not an administrator", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "There is no such account", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "The account is the company's last administrator, or a temporary administrator", body = ProblemBody, content_type = "application/problem+json")
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
    let authority = caller.administers(Scope::AccountsWrite, &api.profile(id).await?)?;
    let (at, context) = (arrival.at, because(&caller, &arrival, body.reason)?);
    carry_out(at, async move { api.app.change_role(&context, authority, id, body.role.into()).await }).await
}
