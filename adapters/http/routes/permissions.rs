//! Who may do what where: asked of memory, at the log's head.

use axum::extract::{Path, State};
use loquet_domain::access::Where;
use loquet_domain::account::Role;
use loquet_domain::app::Standing;
use loquet_domain::ids::{AccountId, SiteId};
use loquet_domain::values::permission::Permission;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::authorisation::Needed;
use crate::caller::Caller;
use crate::extractors::query::{AtLeast, Params};
use crate::responses::page::Page;
use crate::responses::problem::{Problem, ProblemBody};
use crate::responses::tagged::Tagged;
use crate::routes::groups::{PermissionBody, PlacesBody};
use crate::state::{Api, Shared};
use loquet_http_ports::scope::Scope;

/// May this account do that at this site?
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Question {
    /// The account.
    account: Uuid,
    /// What it would do.
    permission: PermissionBody,
    /// Where.
    site: Uuid,
    /// Wait until the answer is at this position of the log.
    at_least: Option<u64>,
}

/// The answer.
#[derive(Serialize, ToSchema)]
#[schema(as = PermissionAnswer)]
pub(crate) struct AnswerBody {
    account_id: Uuid,
    #[schema(value_type = PermissionBody)]
    permission: Permission,
    site_id: Uuid,
    /// Whether it may. What does not exist may nothing.
    allowed: bool,
    /// The position of the log that the answer is at.
    position: u64,
}

/// May account A do P at site S? For programs with `permissions:read`, and for a person about themselves.
#[utoipa::path(
    get, path = "/v1/permissions", operation_id = "ask_permission", tag = "permissions", params(Question), security(("session" = []), ("service" = [])),
    responses((status = 200, description = "Yes or no", body = AnswerBody))
)]
pub(crate) async fn ask(
    State(api): Shared,
    caller: Caller,
    Params(question): Params<Question>,
) -> Result<Tagged<AnswerBody>, Problem> {
    let account = AccountId(question.account);
    caller.owns(Scope::PermissionsRead, account)?;
    let at_least = AtLeast { at_least: question.at_least };
    let position = api.log_at(at_least.position()).await?;
    let permission = Permission::from(question.permission);
    let allowed = api.app.may(account, permission, SiteId(question.site)).await?;
    Ok(Tagged(AnswerBody {
        account_id: question.account,
        permission,
        site_id: question.site,
        allowed,
        position: position.0,
    }))
}

/// Where an account may do something.
#[derive(Serialize, ToSchema)]
#[schema(as = Grant)]
pub(crate) struct GrantBody {
    #[schema(value_type = PermissionBody)]
    permission: Permission,
    /// On every site of its company, or on these.
    #[schema(value_type = PlacesBody)]
    sites: Where,
}

/// What an account may do, and where: one's own, a colleague's for whoever manages users, or any for a program with
/// `permissions:read`.
#[utoipa::path(
    get, path = "/v1/accounts/{account_id}/permissions", operation_id = "list_permissions", tag = "permissions", security(("session" = []), ("service" = [])),
    params(("account_id" = Uuid, Path), AtLeast),
    responses(
        (status = 200, description = "What it may do; what is not listed it may not", body = Page<GrantBody>),
        (status = 404, description = "There is no account to see", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn of_account(
    State(api): Shared,
    caller: Caller,
    Path(id): Path<Uuid>,
    Params(at_least): Params<AtLeast>,
) -> Result<Tagged<Page<GrantBody>>, Problem> {
    let id = AccountId(id);
    let position = api.log_at(at_least.position()).await?;
    let standing = api.app.standing(id).await?.ok_or_else(Problem::not_found)?;
    if caller.owns(Scope::PermissionsRead, id).is_err() {
        let needed = (Permission::ManageUsers, Needed::Anywhere);
        api.permit(&caller, Scope::PermissionsRead, standing.company, needed).await?;
    }
    Ok(Tagged(Page::whole(grants(&standing), position)))
}

fn grants(standing: &Standing) -> Vec<GrantBody> {
    let grant = |permission| GrantBody { permission, sites: standing.allowed(permission) };
    let somewhere = |grant: &GrantBody| grant.sites != Where::nowhere();
    Permission::ALL.into_iter().map(grant).filter(somewhere).collect()
}

/// Which permission.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// What they may do.
    permission: PermissionBody,
    /// Wait until the answer is at this position of the log.
    at_least: Option<u64>,
}

/// An account that may.
#[derive(Serialize, ToSchema)]
#[schema(as = PermissionHolder)]
pub(crate) struct HolderBody {
    account_id: Uuid,
    #[schema(value_type = String, example = "user")]
    role: Role,
}

/// Who may do something at a site: for whoever manages users there, or a program with `permissions:read`.
#[utoipa::path(
    get, path = "/v1/sites/{site_id}/permission-holders", operation_id = "list_permission_holders", tag = "permissions", security(("session" = []), ("service" = [])),
    params(("site_id" = Uuid, Path), Which),
    responses(
        (status = 200, description = "All who may", body = Page<HolderBody>),
        (status = 404, description = "There is no site to see", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn at_site(
    State(api): Shared,
    caller: Caller,
    Path(id): Path<Uuid>,
    Params(which): Params<Which>,
) -> Result<Tagged<Page<HolderBody>>, Problem> {
    let site = api.site(SiteId(id)).await?;
    let needed = (Permission::ManageUsers, Needed::At(site.site_id));
    api.permit(&caller, Scope::PermissionsRead, site.company_id, needed).await?;
    let at_least = AtLeast { at_least: which.at_least };
    let position = api.log_at(at_least.position()).await?;
    let holders = holders(&api, &site, which.permission.into()).await?;
    Ok(Tagged(Page::whole(holders, position)))
}

async fn holders(
    api: &Api,
    site: &loquet_projections::views::sites::SiteRow,
    permission: Permission,
) -> Result<Vec<HolderBody>, Problem> {
    let access = api.app.access(site.company_id).await?.state;
    let granting = access.groups.values().filter(|group| group.permissions.contains(&permission));
    let members = granting.flat_map(|group| group.members.iter());
    let there = members.filter(|(_, places)| places.includes(site.site_id)).map(|(account, _)| *account);
    let asked: std::collections::BTreeSet<AccountId> =
        there.chain(access.administrators.iter().copied()).collect();
    let mut holders = Vec::new();
    for account in asked {
        // What a group grants counts only for an account that is in use.
        let standing = api.app.standing(account).await?;
        let standing = standing.filter(|standing| standing.company == site.company_id);
        if let Some(role) = standing.filter(|s| s.may(permission, site.site_id)).and_then(|s| s.role) {
            holders.push(HolderBody { account_id: account.0, role });
        }
    }
    Ok(holders)
}
