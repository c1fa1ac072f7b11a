//! Changes to groups, their members, and administrators.

use std::collections::BTreeSet;

use crate::access::{self, Access, Command, Grantor, GroupChange, GroupName, GroupText, Where};
use crate::account::{self, Account, Admission, Authority, Role};
use crate::company;
use crate::decider::Decider;
use crate::fact::Context;
use crate::ids::{AccountId, CompanyId, GroupId};
use crate::ports::{Folded, Position};
use crate::values::permission::Permission;

use super::{App, Failure, Unavailable};

/// An account, with the lock of its company. The lock ends when this is dropped.
pub(super) struct Turn {
    pub(super) held: Account,
    pub(super) company: CompanyId,
    _turn: Box<dyn Send>,
}

impl App {
    /// The present access rights of a company in the log.
    ///
    /// # Errors
    /// [`Unavailable`] if they can't be read.
    pub async fn access(&self, company: CompanyId) -> Result<Folded<Access>, Unavailable> {
        self.access.load(&access::stream(company)).await
    }

    /// Creates a group.
    ///
    /// # Errors
    /// [`access::Refusal::NameTaken`]. [`access::Refusal::Beyond`] if a user grants a permission that they lack.
    pub async fn create_group(
        &self,
        context: &Context,
        company: CompanyId,
        grantor: Grantor,
        name: GroupName,
        description: GroupText,
        permissions: BTreeSet<Permission>,
    ) -> Result<(GroupId, Position), Failure> {
        if self.company(company).await?.state.registered.is_none() {
            return Err(Failure::NoSuchCompany(company));
        }
        let group = GroupId(self.ports.identities.fresh());
        let create = Command::CreateGroup { group, name, description, permissions };
        Ok((group, self.change_access(context, company, grantor, create).await?))
    }

    /// Changes a group. The change applies from its members' next request.
    ///
    /// # Errors
    /// [`access::Refusal::NoSuchGroup`], [`access::Refusal::NameTaken`] or [`access::Refusal::Beyond`].
    pub async fn change_group(
        &self,
        context: &Context,
        company: CompanyId,
        grantor: Grantor,
        group: GroupId,
        change: GroupChange,
    ) -> Result<Position, Failure> {
        self.change_access(context, company, grantor, Command::ChangeGroup { group, change }).await
    }

    /// Deletes a group. Its members move to another group, or to none.
    ///
    /// # Errors
    /// [`access::Refusal::HasMembers`] if it has members and no group to move them to.
    pub async fn delete_group(
        &self,
        context: &Context,
        company: CompanyId,
        grantor: Grantor,
        group: GroupId,
        move_to: Option<GroupId>,
    ) -> Result<Position, Failure> {
        self.change_access(context, company, grantor, Command::DeleteGroup { group, move_to }).await
    }

    /// Makes a user a member of a group, on exactly these sites.
    ///
    /// # Errors
    /// [`Failure::NotAUser`] if the account is not a user of the company. [`company::Refusal::NoSuchSite`] if a site
    /// does not belong to the company. [`access::Refusal::Beyond`] if a user grants a permission that they lack.
    pub async fn set_member(
        &self,
        context: &Context,
        company: CompanyId,
        grantor: Grantor,
        group: GroupId,
        account: AccountId,
        sites: Where,
    ) -> Result<Position, Failure> {
        let held = self.account(account).await?;
        let user = held.profile().filter(|profile| held.is_live() && profile.company == company);
        if user.is_none_or(|profile| profile.role != Role::User) {
            return Err(Failure::NotAUser);
        }
        if let Where::Sites(named) = &sites {
            let own = &self.company(company).await?.state.sites;
            if let Some(foreign) = named.iter().find(|site| !own.contains(**site)) {
                return Err(company::Refusal::NoSuchSite(*foreign).into());
            }
        }
        let set = Command::SetMember { group, account, sites };
        self.change_access(context, company, grantor, set).await
    }

    /// Removes a member from a group.
    ///
    /// # Errors
    /// [`access::Refusal::NotMember`] if the account is not in the group.
    pub async fn remove_member(
        &self,
        context: &Context,
        company: CompanyId,
        grantor: Grantor,
        group: GroupId,
        account: AccountId,
    ) -> Result<Position, Failure> {
        self.change_access(context, company, grantor, Command::RemoveMember { group, account }).await
    }

    /// Makes an administrator a user, or a user an administrator.
    ///
    /// # Errors
    /// [`access::Refusal::LastAdministrator`] if it is the company's last administrator. [`access::Refusal::Leaving`]
    /// while a take-over moves the account away.
    pub async fn change_role(
        &self,
        context: &Context,
        authority: Authority,
        account: AccountId,
        to: Admission,
    ) -> Result<Position, Failure> {
        let change = authority.asks(account::Command::ChangeRole(to));
        let turn = self.in_turn(account).await?;
        // Checked before anything is written, so that a refusal leaves nothing behind.
        turn.held.decide(&self.policies, context.at, change.clone())?;
        if to == Admission::User {
            self.step_down(context, turn.company, account).await?;
        }
        let changed = self.change_account(context, account, change).await?;
        Ok(changed.max(self.settle(context, turn.company, account).await?))
    }

    /// Makes the lists of administrators and members agree with the account's present role. Code that makes an
    /// administrator calls this afterwards, so that the list never has an administrator too many. The code that
    /// follows the log calls it again, in case of a crash in between.
    ///
    /// # Errors
    /// [`Failure::Unavailable`] if it can't be written now.
    pub async fn settle_access(&self, context: &Context, account: AccountId) -> Result<Position, Failure> {
        match self.in_turn(account).await {
            Ok(turn) => self.settle(context, turn.company, account).await,
            Err(Failure::Refused(account::Refusal::NoSuchAccount)) => Ok(Position::default()),
            Err(other) => Err(other),
        }
    }

    /// Removes an account from the lists of a company that it has left.
    ///
    /// # Errors
    /// [`Failure::Unavailable`] if it can't be written now.
    pub async fn settle_left(
        &self,
        context: &Context,
        company: CompanyId,
        account: AccountId,
    ) -> Result<Position, Failure> {
        let _turn = self.turn_of(company).await;
        self.settle(context, company, account).await
    }

    async fn settle(
        &self,
        context: &Context,
        company: CompanyId,
        account: AccountId,
    ) -> Result<Position, Failure> {
        let held = self.account(account).await?;
        let own = held.profile().filter(|profile| held.is_live() && profile.company == company);
        let settle = match own.map(|profile| profile.role) {
            None => Command::Forget { account },
            Some(Role::Administrator) => {
                Command::AdmitAdministrator { account, active: held.active().is_some() }
            }
            Some(_) => Command::StrikeAdministrator { account },
        };
        match self.change_access(context, company, Grantor::Anything, settle).await {
            // An account that is leaving is removed after it has left.
            Err(Failure::Access(access::Refusal::Leaving)) => Ok(Position::default()),
            other => other,
        }
    }

    /// Waits for the lock under which a company's administrators change. The account and the list are two streams,
    /// and a decision on one is written to both.
    pub(super) async fn turn_of(&self, company: CompanyId) -> Box<dyn Send> {
        self.ports.keyed_lock.acquire(access::stream(company).to_string()).await
    }

    /// An account, its company, and the lock of that company.
    pub(super) async fn in_turn(&self, account: AccountId) -> Result<Turn, Failure> {
        let company = async || {
            let held = self.account(account).await?;
            let company = held.profile().ok_or(account::Refusal::NoSuchAccount)?.company;
            Ok::<_, Failure>((held, company))
        };
        loop {
            let (_, before) = company().await?;
            let turn = self.turn_of(before).await;
            let (held, company) = company().await?;
            // The account may have moved to another company while this waited.
            if company == before {
                return Ok(Turn { held, company, _turn: turn });
            }
        }
    }

    /// Removes an administrator from the list before the account's role changes. So the list never has an
    /// administrator too many.
    pub(super) async fn step_down(
        &self,
        context: &Context,
        company: CompanyId,
        account: AccountId,
    ) -> Result<Position, Failure> {
        let remove = Command::RemoveAdministrator { account };
        self.change_access(context, company, Grantor::Anything, remove).await
    }

    /// Removes a deleted account from every group.
    pub(super) async fn forget_access(
        &self,
        context: &Context,
        company: CompanyId,
        account: AccountId,
    ) -> Result<Position, Failure> {
        self.change_access(context, company, Grantor::Anything, Command::Forget { account }).await
    }

    pub(super) async fn change_access(
        &self,
        context: &Context,
        company: CompanyId,
        grantor: Grantor,
        command: Command,
    ) -> Result<Position, Failure> {
        let request = grantor.asks(command);
        Ok(self.access.transact(&access::stream(company), context, request).await?.position)
    }
}
