//! May this account do that at this site? Answered from memory, as of the log's newest event.

use std::sync::Arc;

use crate::access::{self, Access, Where};
use crate::account::{self, Account, Role};
use crate::ids::{AccountId, CompanyId, SiteId};
use crate::values::permission::Permission;

use super::{App, Unavailable};

/// An account's role and permissions at one moment.
#[derive(Clone, Debug)]
pub struct Authorisation {
    /// The account.
    pub account: AccountId,
    /// Its company.
    pub company: CompanyId,
    /// Its role. `None` if the account is not in use: then it may do nothing.
    pub role: Option<Role>,
    access: Arc<Access>,
}

impl Authorisation {
    /// The sites where the account has a permission. Does not check that a site belongs to the company.
    #[must_use]
    pub fn allowed(&self, permission: Permission) -> Where {
        match self.role {
            Some(Role::Administrator) => Where::Everywhere,
            Some(Role::User) => self.access.granted(self.account, permission),
            Some(Role::TemporaryAdministrator | Role::Support | Role::Supervisor | Role::Auditor) | None => {
                Where::nowhere()
            }
        }
    }

    /// Whether it has a permission at a site of its company.
    #[must_use]
    pub fn may(&self, permission: Permission, site: SiteId) -> bool {
        match self.role {
            Some(Role::Administrator) => true,
            Some(Role::User) => self.access.grants(self.account, permission, site),
            Some(Role::TemporaryAdministrator | Role::Support | Role::Supervisor | Role::Auditor) | None => {
                false
            }
        }
    }

    /// Whether it has a permission on all sites of its company.
    #[must_use]
    pub fn may_everywhere(&self, permission: Permission) -> bool {
        self.allowed(permission) == Where::Everywhere
    }

    /// Whether it has a permission on at least one site.
    #[must_use]
    pub fn may_anywhere(&self, permission: Permission) -> bool {
        self.allowed(permission) != Where::nowhere()
    }
}

impl App {
    /// An account's role and permissions. Returns `None` if the account never existed.
    ///
    /// # Errors
    /// [`Unavailable`] if the log can't be read.
    pub async fn authorisation(&self, account: AccountId) -> Result<Option<Authorisation>, Unavailable> {
        let held = self.accounts.load(&account::stream(account)).await?.state;
        let Some(profile) = held.profile() else { return Ok(None) };
        let role = matches!(*held, Account::Active(_)).then_some(profile.role);
        let access = self.access.load(&access::stream(profile.company)).await?.state;
        Ok(Some(Authorisation { account, company: profile.company, role, access }))
    }

    /// Whether an account has a permission at a site. It has if it is in use, the site belongs to its company, and it
    /// is an administrator or one of its groups grants the permission there.
    ///
    /// # Errors
    /// [`Unavailable`] if the log can't be read.
    pub async fn may(
        &self,
        account: AccountId,
        permission: Permission,
        site: SiteId,
    ) -> Result<bool, Unavailable> {
        let Some(authorisation) = self.authorisation(account).await? else { return Ok(false) };
        Ok(authorisation.may(permission, site)
            && self.company(authorisation.company).await?.state.sites.contains(site))
    }
}
