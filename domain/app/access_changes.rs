//! What is done with groups, their members, and who is an administrator.

use std::collections::BTreeSet;

use crate::access::{self, Access, Command, Grantor, GroupChange, GroupName, GroupText, Where};
use crate::account::{self, Admission, Role};
use crate::company;
use crate::fact::Context;
use crate::ids::{AccountId, CompanyId, GroupId};
use crate::permission::Permission;
use crate::ports::{Folded, Position, StreamId};

use super::{App, Failure, Unavailable};

impl App {
    /// Who may do what in a company, as the log has it now.
    ///
    /// # Errors
    /// [`Unavailable`] when it can't be read.
    pub async fn access(&self, company: CompanyId) -> Result<Folded<Access>, Unavailable> {
        self.access.load(&access_stream(company)).await
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
        new: (GroupName, GroupText, BTreeSet<Permission>),
    ) -> Result<(GroupId, Position), Failure> {
        if self.company(company).await?.state.registered.is_none() {
            return Err(Failure::NoSuchCompany);
        }
        let group = GroupId(self.ports.identities.fresh());
        let (name, description, permissions) = new;
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
        (group, change): (GroupId, GroupChange),
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
        (group, move_to): (GroupId, Option<GroupId>),
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
        (group, account, sites): (GroupId, AccountId, Where),
    ) -> Result<Position, Failure> {
        let held = self.account(account).await?;
        let user = held.profile().filter(|profile| held.is_live() && profile.company == company);
        if user.is_none_or(|profile| profile.role != Role::User) {
            return Err(Failure::NotAUser);
        }
        if let Where::Sites(named) = &sites {
            let own = self.company(company).await?.state.sites;
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
        (group, account): (GroupId, AccountId),
    ) -> Result<Position, Failure> {
        self.change_access(context, company, grantor, Command::RemoveMember { group, account }).await
    }

    /// Makes a user of an administrator, or the other way round.
    ///
    /// # Errors
    /// [`access::Refusal::LastAdministrator`] where the company would have none left.
    pub async fn change_role(
        &self,
        context: &Context,
        account: AccountId,
        to: Admission,
    ) -> Result<Position, Failure> {
        let change = || account::Command::ChangeRole(to);
        let held = self.account(account).await?;
        // Refused before anything is written.
        account::decide(&held, &self.policies, context.at, change())?;
        let company = held.profile().ok_or(account::Refusal::NoSuchAccount)?.company;
        if to == Admission::User {
            self.step_down(context, company, account).await?;
        }
        let changed = self.change_account(context, account, change).await?;
        let noted = match to {
            Admission::Administrator => self.note_administrator(context, company, account).await?,
            Admission::User => Position::default(),
        };
        Ok(changed.max(noted))
    }

    /// Notes that an account is an administrator of its company; done after it became one, so that the list
    /// never holds one more than there are.
    ///
    /// # Errors
    /// [`Failure::Unavailable`] while that can't be written.
    pub async fn note_administrator(
        &self,
        context: &Context,
        company: CompanyId,
        account: AccountId,
    ) -> Result<Position, Failure> {
        let admit = Command::AdmitAdministrator { account };
        self.change_access(context, company, Grantor::Anything, admit).await
    }

    /// Has the list of administrators and members agree with what an account is now. For whoever follows the log,
    /// where a crash fell between an account's event and the list.
    ///
    /// # Errors
    /// [`Failure::Unavailable`] while that can't be written.
    pub async fn settle_access(&self, context: &Context, account: AccountId) -> Result<(), Failure> {
        let held = self.account(account).await?;
        let Some(profile) = held.profile() else { return Ok(()) };
        let settle = match (held.is_live(), profile.role) {
            (false, _) => Command::Forget { account },
            (true, Role::Administrator) => Command::AdmitAdministrator { account },
            (true, _) => Command::StrikeAdministrator { account },
        };
        self.change_access(context, profile.company, Grantor::Anything, settle).await.map(drop)
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
        let committed = self
            .access
            .transact(&access_stream(company), context, |held| {
                Ok::<_, Failure>(access::decide(held, grantor, command.clone())?)
            })
            .await?;
        Ok(committed.position)
    }
}

/// The stream of who may do what in a company.
pub(super) fn access_stream(company: CompanyId) -> StreamId {
    StreamId::new("access", &company.to_string())
}
