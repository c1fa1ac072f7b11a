//! Permissions: who may do what at which site. The answers come from memory and include the whole log.

use axum::extract::{Path, State};
use loquet_domain::access::Where;
use loquet_domain::account::Role;
use loquet_domain::app::Authorisation;
use loquet_domain::ids::{AccountId, SiteId};
use loquet_domain::values::permission::Permission;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::authorisation::Need;
use crate::caller::Caller;
use crate::extractors::query::{AtLeast, Params};
use crate::responses::page::Page;
use crate::responses::problem::{Problem, ProblemBody};
use crate::responses::tagged::Tagged;
use crate::routes::groups::{PermissionBody, PlacesBody};
use crate::state::{Api, Shared};
use loquet_http_ports::scope::Scope;

/// A question: may this account do this at this site?
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Question {
    /// The account.
    account: Uuid,
    /// The permission.
    permission: PermissionBody,
    /// The site.
    site: Uuid,
    /// Answer only when all events up to this log position are included.
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
    /// Whether the account has the permission at the site. `false` if the account or the site does not exist.
    allowed: bool,
    /// The log position up to which the answer includes all events.
    position: u64,
}

/// Tell whether an account has a permission at a site.
///
/// A person can ask about their own account. Programs need the scope `permissions:read`.
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

/// A permission, and the sites where an account has it.
#[derive(Serialize, ToSchema)]
#[schema(as = Grant)]
pub(crate) struct GrantBody {
    #[schema(value_type = PermissionBody)]
    permission: Permission,
    /// All sites of the company, or these.
    #[schema(value_type = PlacesBody)]
    sites: Where,
}

/// List what an account may do, and where.
///
/// A person sees their own permissions, and with *manage users* those of colleagues. A token with the scope
/// `permissions:read` sees those of every account.
#[utoipa::path(
    get, path = "/v1/accounts/{account_id}/permissions", operation_id = "list_permissions", tag = "permissions", security(("session" = []), ("service" = [])),
    params(("account_id" = Uuid, Path), AtLeast),
    responses(
        (status = 200, description = "The permissions of the account. It has no others", body = Page<GrantBody>),
        (status = 404, description = "The account does not exist, or you may not see it", body = ProblemBody, content_type = "application/problem+json")
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
    let authorisation = api.app.authorisation(id).await?.ok_or_else(Problem::not_found)?;
    if caller.owns(Scope::PermissionsRead, id).is_err() {
        let needed = Need::anywhere(Permission::ManageUsers);
        api.permit(&caller, Scope::PermissionsRead, authorisation.company, needed).await?;
    }
    Ok(Tagged(Page::whole(grants(&authorisation), position)))
}

fn grants(authorisation: &Authorisation) -> Vec<GrantBody> {
    let grant = |permission| GrantBody { permission, sites: authorisation.allowed(permission) };
    let somewhere = |grant: &GrantBody| grant.sites != Where::nowhere();
    Permission::ALL.into_iter().map(grant).filter(somewhere).collect()
}

/// The permission to ask about.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// The permission.
    permission: PermissionBody,
    /// Answer only when all events up to this log position are included.
    at_least: Option<u64>,
}

/// An account that has the permission.
#[derive(Serialize, ToSchema)]
#[schema(as = PermissionHolder)]
pub(crate) struct HolderBody {
    account_id: Uuid,
    #[schema(value_type = String, example = "user")]
    role: Role,
}

/// List the accounts that have a permission at a site.
///
/// Allowed for persons with *manage users* at the site, and for tokens with the scope `permissions:read`.
#[utoipa::path(
    get, path = "/v1/sites/{site_id}/permission-holders", operation_id = "list_permission_holders", tag = "permissions", security(("session" = []), ("service" = [])),
    params(("site_id" = Uuid, Path), Which),
    responses(
        (status = 200, description = "All accounts that have the permission", body = Page<HolderBody>),
        (status = 404, description = "The site does not exist, or you may not see it", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn at_site(
    State(api): Shared,
    caller: Caller,
    Path(id): Path<Uuid>,
    Params(which): Params<Which>,
) -> Result<Tagged<Page<HolderBody>>, Problem> {
    let site = api.site(SiteId(id)).await?;
    let needed = Need::at(Permission::ManageUsers, site.site_id);
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
        let authorisation = api.app.authorisation(account).await?;
        let authorisation = authorisation.filter(|authorisation| authorisation.company == site.company_id);
        if let Some(role) = authorisation.filter(|s| s.may(permission, site.site_id)).and_then(|s| s.role) {
            holders.push(HolderBody { account_id: account.0, role });
        }
    }
    Ok(holders)
}
