//! User groups and their members.

use std::collections::BTreeSet;

use axum::extract::{Path, State};
use loquet_domain::access::{self, Group, GroupChange, GroupName, GroupText, InvalidGroupText, Where};
use loquet_domain::app::Failure;
use loquet_domain::company;
use loquet_domain::ids::{AccountId, CompanyId, GroupId, SiteId};
use loquet_domain::values::permission::Permission;
use loquet_projections::collation::sortable_name;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::authorisation::Need;
use crate::caller::{Arrival, Caller};
use crate::extractors::body::Body;
use crate::extractors::query::{AtLeast, Params};
use crate::responses::carry_out::{carry_out, carry_out_or, to_its_end};
use crate::responses::created::Created;
use crate::responses::done::Done;
use crate::responses::faults::{Faults, item};
use crate::responses::page::Page;
use crate::responses::problem::{Problem, ProblemBody};
use crate::responses::tagged::Tagged;
use crate::routes::reasons::Why;
use crate::state::Shared;
use loquet_http_ports::scope::Scope;

/// A person with *manage users* at any site sees the groups.
const MANAGES_USERS: Need = Need::anywhere(Permission::ManageUsers);

/// A permission: the right to use one of the portal's menus.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Permission)]
pub(crate) enum PermissionBody {
    ViewTransactions,
    ViewInvoices,
    ManageUsers,
    ManageTerminals,
    ManageReceipts,
    ActivateTerminalApp,
    ManageCompany,
}

impl From<PermissionBody> for Permission {
    fn from(body: PermissionBody) -> Self {
        match body {
            PermissionBody::ViewTransactions => Self::ViewTransactions,
            PermissionBody::ViewInvoices => Self::ViewInvoices,
            PermissionBody::ManageUsers => Self::ManageUsers,
            PermissionBody::ManageTerminals => Self::ManageTerminals,
            PermissionBody::ManageReceipts => Self::ManageReceipts,
            PermissionBody::ActivateTerminalApp => Self::ActivateTerminalApp,
            PermissionBody::ManageCompany => Self::ManageCompany,
        }
    }
}

/// A group, with the permissions of its members.
#[derive(Serialize, ToSchema)]
#[schema(as = Group)]
pub(crate) struct GroupBody {
    group_id: Uuid,
    #[schema(example = "Comptables")]
    name: String,
    description: String,
    #[schema(value_type = Vec<PermissionBody>)]
    permissions: BTreeSet<Permission>,
    /// The number of members.
    members: usize,
    /// The log position up to which the answer includes all events.
    position: u64,
}

fn body(id: GroupId, group: &Group, position: u64) -> GroupBody {
    GroupBody {
        group_id: id.0,
        name: group.name.as_str().to_owned(),
        description: group.description.as_str().to_owned(),
        permissions: group.permissions.clone(),
        members: group.members.len(),
        position,
    }
}

/// List the groups of a company, sorted by name.
///
/// A company has at most 500 groups.
#[utoipa::path(
    get, path = "/v1/companies/{company_id}/groups", operation_id = "list_groups", tag = "groups", security(("session" = []), ("service" = [])),
    params(("company_id" = Uuid, Path), AtLeast),
    responses(
        (status = 200, description = "All groups", body = Page<GroupBody>),
        (status = 404, description = "The company does not exist, or you may not see it", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn list(
    State(api): Shared,
    caller: Caller,
    Path(company): Path<Uuid>,
    Params(at_least): Params<AtLeast>,
) -> Result<Tagged<Page<GroupBody>>, Problem> {
    let company = CompanyId(company);
    api.permit(&caller, Scope::CompaniesRead, company, MANAGES_USERS).await?;
    let position = api.log_at(at_least.position()).await?;
    if api.app.company(company).await?.state.registered.is_none() {
        return Err(Problem::not_found());
    }
    let access = api.app.access(company).await?.state;
    let mut items: Vec<GroupBody> =
        access.groups.iter().map(|(id, group)| body(*id, group, position.0)).collect();
    items.sort_by_cached_key(|group| (sortable_name(&group.name), group.group_id));
    Ok(Tagged(Page::whole(items, position)))
}

/// Show a group.
#[utoipa::path(
    get, path = "/v1/companies/{company_id}/groups/{group_id}", operation_id = "show_group", tag = "groups", security(("session" = []), ("service" = [])),
    params(("company_id" = Uuid, Path), ("group_id" = Uuid, Path), AtLeast),
    responses(
        (status = 200, description = "The group", body = GroupBody),
        (status = 404, description = "It does not exist, or you may not see it", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn show(
    State(api): Shared,
    caller: Caller,
    Path((company, group)): Path<(Uuid, Uuid)>,
    Params(at_least): Params<AtLeast>,
) -> Result<Tagged<GroupBody>, Problem> {
    let (company, id) = (CompanyId(company), GroupId(group));
    api.permit(&caller, Scope::CompaniesRead, company, MANAGES_USERS).await?;
    let position = api.log_at(at_least.position()).await?;
    let access = api.app.access(company).await?.state;
    let group = access.groups.get(&id).ok_or_else(Problem::not_found)?;
    Ok(Tagged(body(id, group, position.0)))
}

/// The group to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewGroupBody {
    #[schema(example = "Comptables")]
    name: String,
    #[serde(default)]
    description: String,
    permissions: Vec<PermissionBody>,
    /// The reason. Required from the supplier's staff.
    #[schema(example = "Their administrator asked for it by telephone")]
    reason: Option<String>,
}

/// Fields to change. Omitted fields keep their value.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = GroupChange)]
pub(crate) struct GroupChangeBody {
    name: Option<String>,
    description: Option<String>,
    permissions: Option<Vec<PermissionBody>>,
    /// The reason. Required from the supplier's staff.
    #[schema(example = "Their administrator asked for it by telephone")]
    reason: Option<String>,
}

fn permissions(wanted: Vec<PermissionBody>) -> BTreeSet<Permission> {
    wanted.into_iter().map(Permission::from).collect()
}

fn group_name(faults: &mut Faults, name: &str) -> Option<GroupName> {
    faults.check("/name", GroupName::parse(name), |fault| match fault {
        InvalidGroupText::Text => "group-name-invalid",
        InvalidGroupText::Link => "name-with-scheme",
    })
}

fn group_text(faults: &mut Faults, text: &str) -> Option<GroupText> {
    faults.check("/description", GroupText::parse(text), |fault| match fault {
        InvalidGroupText::Text => "group-description-invalid",
        InvalidGroupText::Link => "name-with-scheme",
    })
}

/// A group that was created.
#[derive(Serialize, ToSchema)]
pub(crate) struct GroupCreated {
    group_id: Uuid,
    /// The position of the event in the log.
    position: u64,
}

/// Create a group.
///
/// A user can't grant a permission that they do not have themselves.
#[utoipa::path(
    post, path = "/v1/companies/{company_id}/groups", operation_id = "create_group", tag = "groups", request_body = NewGroupBody,
    security(("session" = []), ("service" = [])), params(("company_id" = Uuid, Path)),
    responses(
        (status = 201, description = "Created", body = GroupCreated, headers(("Location" = String, description = "The place of what was made, relative to this request"))),
        (status = 409, description = "Another group has this name", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The body breaks rules. The answer lists all of them", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn create(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Path(company): Path<Uuid>,
    Body(body): Body<NewGroupBody>,
) -> Result<Created<GroupCreated>, Problem> {
    let company = CompanyId(company);
    let grantor = api.permit(&caller, Scope::CompaniesWrite, company, MANAGES_USERS).await?;
    let mut faults = Faults::default();
    let name = group_name(&mut faults, &body.name);
    let description = group_text(&mut faults, &body.description);
    let because = faults.because(&caller, "/reason", body.reason);
    let (name, description) = faults.finish(name.zip(description))?;
    let permitted = permissions(body.permissions);
    let (at, context) = (arrival.at, caller.context(&arrival, because));
    let made = to_its_end(async move {
        api.app.create_group(&context, company, grantor, name, description, permitted).await
    })
    .await?;
    let (group, position) = made.map_err(|failure| Problem::of(failure, at))?;
    Ok(Created::new("groups", group.0, GroupCreated { group_id: group.0, position: position.0 }))
}

/// Change a group.
///
/// The change applies from the members' next request. They get no mail.
#[utoipa::path(
    patch, path = "/v1/companies/{company_id}/groups/{group_id}", operation_id = "change_group", tag = "groups", request_body = GroupChangeBody,
    security(("session" = []), ("service" = [])), params(("company_id" = Uuid, Path), ("group_id" = Uuid, Path)),
    responses(
        (status = 204, description = "Changed"),
        (status = 404, description = "It does not exist, or you may not see it", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "Another group has this name", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The body breaks rules. The answer lists all of them", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn change(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Path((company, group)): Path<(Uuid, Uuid)>,
    Body(body): Body<GroupChangeBody>,
) -> Result<Done, Problem> {
    let (company, group) = (CompanyId(company), GroupId(group));
    let grantor = api.permit(&caller, Scope::CompaniesWrite, company, MANAGES_USERS).await?;
    let mut faults = Faults::default();
    let change = GroupChange {
        name: body.name.and_then(|name| group_name(&mut faults, &name)),
        description: body.description.and_then(|text| group_text(&mut faults, &text)),
        permissions: body.permissions.map(permissions),
    };
    let because = faults.because(&caller, "/reason", body.reason);
    let change = faults.finish(Some(change))?;
    let (at, context) = (arrival.at, caller.context(&arrival, because));
    carry_out(at, async move { api.app.change_group(&context, company, grantor, group, change).await }).await
}

/// The new group for the members of a deleted group.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct MoveTo {
    /// The group to which the members move. Required if the group has members.
    move_to: Option<Uuid>,
    /// The reason. Required from the supplier's staff.
    reason: Option<String>,
}

/// Delete a group.
///
/// If it has members, name a group to which they move.
#[utoipa::path(
    delete, path = "/v1/companies/{company_id}/groups/{group_id}", operation_id = "delete_group", tag = "groups",
    security(("session" = []), ("service" = [])), params(("company_id" = Uuid, Path), ("group_id" = Uuid, Path), MoveTo),
    responses(
        (status = 204, description = "Deleted"),
        (status = 404, description = "It does not exist, or you may not see it", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "The group has members", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The members can't move to this group: it does not exist, or it is the deleted group", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn delete(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Path((company, group)): Path<(Uuid, Uuid)>,
    Params(target): Params<MoveTo>,
) -> Result<Done, Problem> {
    let company = CompanyId(company);
    let grantor = api.permit(&caller, Scope::CompaniesWrite, company, MANAGES_USERS).await?;
    let (group, move_to) = (GroupId(group), target.move_to.map(GroupId));
    let mut faults = Faults::default();
    let because = faults.because(&caller, "?reason", target.reason);
    let because = faults.finish(Some(because))?;
    let (at, context) = (arrival.at, caller.context(&arrival, because));
    let deleted = async move { api.app.delete_group(&context, company, grantor, group, move_to).await };
    carry_out_or(deleted, |failure| match failure {
        Failure::Access(access::Refusal::NoSuchGroup(unknown)) if Some(unknown) == move_to => {
            Problem::at("?move_to", "group-unknown")
        }
        Failure::Access(access::Refusal::SameGroup) => Problem::at("?move_to", "group-same"),
        failure => Problem::of(failure, at),
    })
    .await
}

/// A member of a group.
#[derive(Serialize, ToSchema)]
#[schema(as = Member)]
pub(crate) struct MemberBody {
    account_id: Uuid,
    /// The sites where the member has the group's permissions: `everywhere`, or named sites.
    #[schema(value_type = PlacesBody)]
    sites: Where,
}

/// `"everywhere"`, or `{"sites": [...]}`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Places)]
pub(crate) enum PlacesBody {
    /// All sites, future sites included.
    Everywhere,
    /// These sites.
    Sites(Vec<Uuid>),
}

impl From<PlacesBody> for Where {
    fn from(body: PlacesBody) -> Self {
        match body {
            PlacesBody::Everywhere => Self::Everywhere,
            PlacesBody::Sites(sites) => Self::Sites(sites.into_iter().map(SiteId).collect()),
        }
    }
}

/// List the members of a group.
#[utoipa::path(
    get, path = "/v1/companies/{company_id}/groups/{group_id}/members", operation_id = "list_members", tag = "groups", security(("session" = []), ("service" = [])),
    params(("company_id" = Uuid, Path), ("group_id" = Uuid, Path), AtLeast),
    responses(
        (status = 200, description = "All members", body = Page<MemberBody>),
        (status = 404, description = "It does not exist, or you may not see it", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn members(
    State(api): Shared,
    caller: Caller,
    Path((company, group)): Path<(Uuid, Uuid)>,
    Params(at_least): Params<AtLeast>,
) -> Result<Tagged<Page<MemberBody>>, Problem> {
    let company = CompanyId(company);
    api.permit(&caller, Scope::CompaniesRead, company, MANAGES_USERS).await?;
    let position = api.log_at(at_least.position()).await?;
    let access = api.app.access(company).await?.state;
    let group = access.groups.get(&GroupId(group)).ok_or_else(Problem::not_found)?;
    let member =
        |(account, sites): (&AccountId, &Where)| MemberBody { account_id: account.0, sites: sites.clone() };
    Ok(Tagged(Page::whole(group.members.iter().map(member).collect(), position)))
}

/// The sites where a member gets the group's permissions.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MembershipBody {
    sites: PlacesBody,
    /// The reason. Required from the supplier's staff.
    #[schema(example = "Their administrator asked for it by telephone")]
    reason: Option<String>,
}

/// Add a user to a group at these sites, or replace the sites of a member.
///
/// A user can't grant a permission that they do not have themselves at those sites.
#[utoipa::path(
    put, path = "/v1/companies/{company_id}/groups/{group_id}/members/{account_id}", operation_id = "set_member", tag = "groups", request_body = MembershipBody,
    security(("session" = []), ("service" = [])), params(("company_id" = Uuid, Path), ("group_id" = Uuid, Path), ("account_id" = Uuid, Path)),
    responses(
        (status = 204, description = "The user is a member at these sites"),
        (status = 404, description = "It does not exist, or you may not see it", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "The account is not a user of the company", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The company has no such site", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn set_member(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Path((company, group, account)): Path<(Uuid, Uuid, Uuid)>,
    Body(body): Body<MembershipBody>,
) -> Result<Done, Problem> {
    let company = CompanyId(company);
    let grantor = api.permit(&caller, Scope::CompaniesWrite, company, MANAGES_USERS).await?;
    let named = match &body.sites {
        PlacesBody::Everywhere => None,
        PlacesBody::Sites(sites) => Some(sites.clone()),
    };
    let mut faults = Faults::default();
    let because = faults.because(&caller, "/reason", body.reason);
    let because = faults.finish(Some(because))?;
    let (group, account, sites) = (GroupId(group), AccountId(account), Where::from(body.sites));
    let (at, context) = (arrival.at, caller.context(&arrival, because));
    let set = async move { api.app.set_member(&context, company, grantor, group, account, sites).await };
    carry_out_or(set, |failure| match failure {
        Failure::Company(company::Refusal::NoSuchSite(site)) => {
            Problem::site_unknown(item("/sites/sites", named.as_deref(), site.0), site)
        }
        failure => Problem::of(failure, at),
    })
    .await
}

/// Remove a member from a group.
#[utoipa::path(
    delete, path = "/v1/companies/{company_id}/groups/{group_id}/members/{account_id}", operation_id = "remove_member", tag = "groups",
    security(("session" = []), ("service" = [])), params(("company_id" = Uuid, Path), ("group_id" = Uuid, Path), ("account_id" = Uuid, Path), Why),
    responses(
        (status = 204, description = "The user is no longer a member"),
        (status = 404, description = "It does not exist, or you may not see it", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn remove_member(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Path((company, group, account)): Path<(Uuid, Uuid, Uuid)>,
    Params(why): Params<Why>,
) -> Result<Done, Problem> {
    let company = CompanyId(company);
    let grantor = api.permit(&caller, Scope::CompaniesWrite, company, MANAGES_USERS).await?;
    let (group, account) = (GroupId(group), AccountId(account));
    let because = why.check(&caller)?;
    let (at, context) = (arrival.at, caller.context(&arrival, because));
    carry_out(at, async move { api.app.remove_member(&context, company, grantor, group, account).await })
        .await
}
