//! May this account do that at this site? Answered from memory, at the log's head.

use std::sync::Arc;

use crate::access::{self, Access, Where};
use crate::account::{self, Account, Role};
use crate::ids::{AccountId, CompanyId, SiteId};
use crate::values::permission::Permission;

use super::{App, Unavailable};

/// What an account is, and what its groups grant it, at one moment.
#[derive(Clone, Debug)]
pub struct Authorisation {
    /// Whose.
    pub account: AccountId,
    /// Of which company.
    pub company: CompanyId,
    /// As what; none where it is not in use, and may do nothing.
    pub role: Option<Role>,
    access: Arc<Access>,
}

impl Authorisation {
    /// Where the account may do something. Whether a site is the company's is not asked here.
    #[must_use]
    pub fn allowed(&self, permission: Permission) -> Where {
        match self.role {
            Some(Role::Administrator) => Where::Everywhere,
            Some(Role::User) => self.access.granted(self.account, permission),
            Some(Role::TemporaryAdministrator) | None => Where::nowhere(),
        }
    }

    /// Whether it may do something at a site of its company.
    #[must_use]
    pub fn may(&self, permission: Permission, site: SiteId) -> bool {
        match self.role {
            Some(Role::Administrator) => true,
            Some(Role::User) => self.access.grants(self.account, permission, site),
            Some(Role::TemporaryAdministrator) | None => false,
        }
    }

    /// Whether it may do something on every site of its company.
    #[must_use]
    pub fn may_everywhere(&self, permission: Permission) -> bool {
        self.allowed(permission) == Where::Everywhere
    }

    /// Whether it may do something on any site at all.
    #[must_use]
    pub fn may_anywhere(&self, permission: Permission) -> bool {
        self.allowed(permission) != Where::nowhere()
    }
}

impl App {
    /// What an account is and may do; none where there never was one.
    ///
    /// # Errors
    /// [`Unavailable`] when the log can't be read.
    pub async fn authorisation(&self, account: AccountId) -> Result<Option<Authorisation>, Unavailable> {
        let held = self.accounts.load(&account::stream(account)).await?.state;
        let Some(profile) = held.profile() else { return Ok(None) };
        let role = matches!(*held, Account::Active(_)).then_some(profile.role);
        let access = self.access.load(&access::stream(profile.company)).await?.state;
        Ok(Some(Authorisation { account, company: profile.company, role, access }))
    }

    /// Whether an account may do something at a site: it is in use, the site is its company's, and it is an
    /// administrator or one of its groups permits it there.
    ///
    /// # Errors
    /// [`Unavailable`] when the log can't be read.
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
