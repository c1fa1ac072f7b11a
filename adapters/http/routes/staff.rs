//! The supplier's staff: they have accounts as people do, with a role in place of a company.

use axum::extract::State;
use loquet_domain::app::NewStaff;
use loquet_domain::fact::StaffRole;
use loquet_domain::ids::CompanyId;
use loquet_http_ports::scope::Scope;
use loquet_projections::ports::Order;
use loquet_projections::table::{Row, RowQuery, select};
use loquet_projections::views::accounts::AccountRow;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::caller::{Arrival, Caller};
use crate::extractors::body::Body;
use crate::extractors::query::{AtLeast, Params};
use crate::responses::carry_out::to_its_end;
use crate::responses::created::Created;
use crate::responses::faults::Faults;
use crate::responses::page::Page;
use crate::responses::problem::{Problem, ProblemBody};
use crate::responses::tagged::Tagged;
use crate::routes::accounts::admission::CreatedBody;
use crate::routes::accounts::finding::{AccountBody, body};
use crate::state::Shared;

/// The most members of the staff that are listed.
const MOST: usize = 1000;

/// The person who is invited.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewStaffBody {
    #[schema(example = "sofie@supplier.example")]
    email: String,
    given_name: String,
    family_name: String,
    /// The person's language: fr, nl or en.
    #[schema(example = "fr")]
    language: String,
    role: StaffRoleBody,
    /// The reason. Required from the supplier's staff.
    #[schema(example = "Begins on Monday")]
    reason: Option<String>,
}

/// What a member of the staff may do.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = StaffRole)]
pub(crate) enum StaffRoleBody {
    /// Helps customers where self-service ends.
    Support,
    /// Does what support does, and also deletes and erases accounts.
    Supervisor,
    /// Reads history, changes nothing.
    Auditor,
}

impl From<StaffRoleBody> for StaffRole {
    fn from(body: StaffRoleBody) -> Self {
        match body {
            StaffRoleBody::Support => Self::Support,
            StaffRoleBody::Supervisor => Self::Supervisor,
            StaffRoleBody::Auditor => Self::Auditor,
        }
    }
}

/// Invite a member of the supplier's staff.
///
/// The person gets an activation mail, chooses a password, and must turn the second step on before they can do anything as a
/// member of the staff.
#[utoipa::path(
    post, path = "/v1/staff", operation_id = "invite_staff", tag = "staff", request_body = NewStaffBody,
    security(("service" = [])),
    responses(
        (status = 201, description = "Invited", body = CreatedBody, headers(("Location" = String, description = "The place of what was made, relative to this request"))),
        (status = 403, description = "Your token lacks the scope staff:write", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "An account already has this address", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The body breaks rules. The answer lists all of them", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn invite(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Body(new): Body<NewStaffBody>,
) -> Result<Created<CreatedBody>, Problem> {
    caller.service(Scope::StaffWrite)?;
    let mut faults = Faults::default();
    let because = faults.because(&caller, "/reason", new.reason);
    let person = faults.person("", &new.email, &new.given_name, &new.family_name);
    let language = faults.language("/language", &new.language);
    let role = new.role.into();
    let invited = person.zip(language).map(|(person, language)| NewStaff { role, language, person });
    let invited = faults.finish(invited)?;
    let (at, context) = (arrival.at, caller.context(&arrival, because));
    let invited = to_its_end(async move { api.app.invite_staff(&context, invited).await }).await?;
    let (account, position) = invited.map_err(|failure| Problem::of(failure, at))?;
    Ok(Created::new("accounts", account.0, CreatedBody { account_id: account.0, position: position.0 }))
}

/// List the supplier's staff.
#[utoipa::path(
    get, path = "/v1/staff", operation_id = "list_staff", tag = "staff",
    security(("service" = [])), params(AtLeast),
    responses(
        (status = 200, description = "The accounts of the staff", body = Page<AccountBody>),
        (status = 403, description = "Your token lacks the scope staff:write", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn list(
    State(api): Shared,
    caller: Caller,
    Params(at_least): Params<AtLeast>,
) -> Result<Tagged<Page<AccountBody>>, Problem> {
    caller.service(Scope::StaffWrite)?;
    let position = api.reach(AccountRow::VIEW, &at_least).await?;
    let query = RowQuery {
        by: Some(AccountRow::BY_COMPANY.under(CompanyId::SUPPLIER)),
        order: Order::Ascending,
        after: None,
        limit: MOST,
    };
    let rows = select(api.rows.as_ref(), query).await?;
    let mut items = Vec::new();
    for (_, row) in rows {
        items.push(body(&api, row, position).await?);
    }
    Ok(Tagged(Page::whole(items, position)))
}
