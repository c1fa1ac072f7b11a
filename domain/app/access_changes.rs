//! What is done with groups, their members, and who is an administrator.

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

/// An account whose company's turn it is, until this is dropped.
pub(super) struct Turn {
    pub(super) held: Account,
    pub(super) company: CompanyId,
    _turn: Box<dyn Send>,
}

impl App {
    /// Who may do what in a company, as the log has it now.
    ///
    /// # Errors
    /// [`Unavailable`] when it can't be read.
    pub async fn access(&self, company: CompanyId) -> Result<Folded<Access>, Unavailable> {
        self.access.load(&access::stream(company)).await
    }

    /// Makes a group.
    ///
    /// # Errors
    /// [`access::Refusal::NameTaken`], or [`access::Refusal::Beyond`] where a user asks for what they lack.
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

    /// Changes a group; the change holds from its members' next request.
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

    /// Deletes a group, its members going to another or being none.
    ///
    /// # Errors
    /// [`access::Refusal::HasMembers`] where they are to go nowhere.
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

    /// Has a user in a group, on these sites and no others.
    ///
    /// # Errors
    /// [`Failure::NotAUser`] for whoever is no user of the company, [`company::Refusal::NoSuchSite`] for a
    /// site that is not its, [`access::Refusal::Beyond`] where a user grants what they lack.
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

    /// Takes a member out of a group.
    ///
    /// # Errors
    /// [`access::Refusal::NotMember`] for whoever is not in it.
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

    /// Makes a user of an administrator, or the other way round.
    ///
    /// # Errors
    /// [`access::Refusal::LastAdministrator`] where the company would have none left, [`access::Refusal::Leaving`]
    /// while a take-over carries the account away.
    pub async fn change_role(
        &self,
        context: &Context,
        authority: Authority,
        account: AccountId,
        to: Admission,
    ) -> Result<Position, Failure> {
        let change = authority.asks(account::Command::ChangeRole(to));
        let turn = self.in_turn(account).await?;
        // Refused before anything is written.
        turn.held.decide(&self.policies, context.at, change.clone())?;
        if to == Admission::User {
            self.step_down(context, turn.company, account).await?;
        }
        let changed = self.change_account(context, account, change).await?;
        Ok(changed.max(self.settle(context, turn.company, account).await?))
    }

    /// Has the list of administrators and members agree with what an account is now. Whoever makes an administrator
    /// does this after, so that the list never holds one more than there are; whoever follows the log does it again,
    /// where a crash fell between the two.
    ///
    /// # Errors
    /// [`Failure::Unavailable`] while that can't be written.
    pub async fn settle_access(&self, context: &Context, account: AccountId) -> Result<Position, Failure> {
        match self.in_turn(account).await {
            Ok(turn) => self.settle(context, turn.company, account).await,
            Err(Failure::Refused(account::Refusal::NoSuchAccount)) => Ok(Position::default()),
            Err(other) => Err(other),
        }
    }

    /// Strikes an account out of a company that it has left.
    ///
    /// # Errors
    /// [`Failure::Unavailable`] while that can't be written.
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
            // Whoever leaves is struck out when they have left.
            Err(Failure::Access(access::Refusal::Leaving)) => Ok(Position::default()),
            other => other,
        }
    }

    /// Waits until nobody else changes who administers a company: the account and the list are two streams, and what is
    /// decided on the one is written to both.
    pub(super) async fn turn_of(&self, company: CompanyId) -> Box<dyn Send> {
        self.ports.keyed_lock.acquire(access::stream(company).to_string()).await
    }

    /// An account, its company, and that company's turn.
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
            // It may have gone to another company in the meantime.
            if company == before {
                return Ok(Turn { held, company, _turn: turn });
            }
        }
    }

    /// Strikes an administrator off before they cease to be one, so that the list never holds one more than
    /// there are.
    pub(super) async fn step_down(
        &self,
        context: &Context,
        company: CompanyId,
        account: AccountId,
    ) -> Result<Position, Failure> {
        let remove = Command::RemoveAdministrator { account };
        self.change_access(context, company, Grantor::Anything, remove).await
    }

    /// Takes an account that is gone out of every group.
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
