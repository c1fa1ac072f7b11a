//! A take-over, from its opening to the last thing that moves.

use std::collections::{BTreeMap, BTreeSet};

use crate::access::{self, Access, Group, GroupName, NewGroup, Where};
use crate::account::{self, Role};
use crate::company;
use crate::fact::Context;
use crate::fleet;
use crate::ids::{AccountId, CompanyId, GroupId, SiteId, TakeOverId};
use crate::permission::Permission;
use crate::ports::{BoxFuture, Folded, Position, StreamId};
use crate::takeover::{self, Cancellation, Command, Opened, Side, Stage, TakeOver};

use super::side_by_side::side_by_side;
use super::{App, Failure, Unavailable};

/// A take-over that support wants to open.
#[derive(Clone, Debug)]
pub struct NewTakeOver {
    /// The company that gives.
    pub from: CompanyId,
    /// The company that takes.
    pub to: CompanyId,
    /// The sites that go along; none for all of them.
    pub sites: Option<Vec<SiteId>>,
    /// The accounts that go along.
    pub accounts: Vec<AccountId>,
    /// Support's own number for it.
    pub reference: String,
}

impl App {
    /// A take-over as the log has it now.
    ///
    /// # Errors
    /// [`Unavailable`] when it can't be read.
    pub async fn take_over(&self, id: TakeOverId) -> Result<Folded<TakeOver>, Unavailable> {
        self.takeovers.load(&take_over_stream(id)).await
    }

    /// Opens a take-over; both companies are asked.
    ///
    /// # Errors
    /// [`takeover::Refusal`], [`company::Refusal::NoSuchSite`] or [`account::Refusal::NoSuchAccount`] for what
    /// is not the company's, [`access::Refusal::LastAdministrator`] where it keeps sites and nobody to
    /// administer them.
    pub async fn open_take_over(
        &self,
        context: &Context,
        new: NewTakeOver,
    ) -> Result<(TakeOverId, Position), Failure> {
        let company = self.company(new.from).await?.state;
        let acquirer = self.company(new.to).await?.state;
        if company.registered.is_none() || acquirer.registered.is_none() {
            return Err(Failure::NoSuchCompany);
        }
        let all = || company.sites.iter().map(|(id, _)| id).collect();
        let sites: BTreeSet<SiteId> = new.sites.map_or_else(all, |sites| sites.into_iter().collect());
        let sites: Vec<SiteId> = sites.into_iter().collect();
        company.moved_sites(&sites)?;
        for account in &new.accounts {
            self.member_role(new.from, *account).await?;
        }
        if sites.len() < company.sites.len() {
            self.keeps_an_administrator(new.from, &new.accounts).await?;
        }
        let id = TakeOverId(self.ports.identities.fresh());
        let (from, to, accounts, reference) = (new.from, new.to, new.accounts, new.reference);
        let open = Command::Open { from, to, sites, accounts, reference };
        Ok((id, self.change_take_over(context, id, open).await?))
    }

    /// Notes that a company agreed.
    ///
    /// # Errors
    /// [`takeover::Refusal`] where it is over.
    pub async fn confirm_take_over(
        &self,
        context: &Context,
        id: TakeOverId,
        side: Side,
    ) -> Result<Position, Failure> {
        self.change_take_over(context, id, Command::Confirm { side }).await
    }

    /// Gives a take-over up.
    ///
    /// # Errors
    /// [`takeover::Refusal::Completed`] where things have moved.
    pub async fn cancel_take_over(
        &self,
        context: &Context,
        id: TakeOverId,
        reason: Cancellation,
    ) -> Result<Position, Failure> {
        self.change_take_over(context, id, Command::Cancel { reason }).await
    }

    /// Completes a take-over: sites, terminals and accounts move, with their history. Asked again, it goes on
    /// where a crash stopped it.
    ///
    /// # Errors
    /// [`takeover::Refusal::NotConfirmed`] where a company has yet to agree; [`company::Refusal::NoSuchSite`]
    /// where a site has gone elsewhere since.
    pub async fn complete_take_over(&self, context: &Context, id: TakeOverId) -> Result<Position, Failure> {
        let stream = take_over_stream(id);
        let _turn = self.ports.turnstile.enter(stream.to_string()).await;
        let opened = self.take_over(id).await?.state.ok_or(takeover::Refusal::NoSuchTakeOver)?;
        if opened.stage == Stage::Open {
            let company = self.company(opened.from).await?.state;
            company.moved_sites(&opened.sites)?;
            if opened.sites.len() < company.sites.len() {
                self.keeps_an_administrator(opened.from, &opened.accounts).await?;
            }
        }
        let accounts = self.still_there(&opened).await?;
        self.change_take_over(context, id, Command::Begin { accounts }).await?;
        let folded = self.take_over(id).await?;
        match folded.state {
            Some(opened) if opened.stage == Stage::Begun => self.carry_over(context, id, &opened).await,
            _ => Ok(folded.position),
        }
    }

    /// A company that keeps sites keeps somebody to administer them.
    async fn keeps_an_administrator(&self, company: CompanyId, going: &[AccountId]) -> Result<(), Failure> {
        let administrators = self.access(company).await?.state.administrators;
        let left = administrators.iter().any(|account| !going.contains(account));
        if left || administrators.is_empty() {
            Ok(())
        } else {
            Err(access::Refusal::LastAdministrator.into())
        }
    }

    /// The accounts that are still of the company, to be moved.
    async fn still_there(&self, opened: &Opened) -> Result<Vec<AccountId>, Failure> {
        let mut accounts = Vec::new();
        for account in &opened.accounts {
            match self.member_role(opened.from, *account).await {
                Ok(_) => accounts.push(*account),
                Err(Failure::Refused(account::Refusal::NoSuchAccount)) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(accounts)
    }

    async fn member_role(&self, company: CompanyId, account: AccountId) -> Result<Role, Failure> {
        let held = self.account(account).await?;
        let profile = held.profile().filter(|profile| held.is_live() && profile.company == company);
        Ok(profile.ok_or(account::Refusal::NoSuchAccount)?.role)
    }

    /// Moves everything, each step an append that changes nothing the second time. People lose what they could
    /// do at the old company last: until then nobody is left without an access that they had.
    async fn carry_over(
        &self,
        context: &Context,
        id: TakeOverId,
        opened: &Opened,
    ) -> Result<Position, Failure> {
        let (from, to, sites) = (opened.from, opened.to, opened.sites.clone());
        let groups = self.kept_groups(id, opened).await?;
        self.carry_sites(context, id, opened).await?;
        let release = fleet::Command::Release { takeover: id, to, sites: sites.clone() };
        self.change_fleet(context, from, release).await?;
        let gone = self.fleet(from).await?.state;
        let terminals = gone.moved_by(id).unwrap_or_default().to_vec();
        let ids = terminals.iter().map(|moved| moved.terminal).collect();
        let receive = fleet::Command::Receive { takeover: id, from, sites, terminals };
        self.change_fleet(context, to, receive).await?;
        let join = access::Command::Join { takeover: id, from, groups };
        self.change_access(context, to, access::Grantor::Anything, join).await?;
        let mut moves: Vec<BoxFuture<'_, _>> = Vec::with_capacity(opened.accounts.len());
        for account in &opened.accounts {
            moves.push(Box::pin(self.follow_company(context, id, *account, to)));
        }
        side_by_side(moves).await?;
        for account in &opened.accounts {
            self.forget_access(context, from, *account).await?;
        }
        self.change_take_over(context, id, Command::Finish { terminals: ids }).await
    }

    async fn follow_company(
        &self,
        context: &Context,
        takeover: TakeOverId,
        account: AccountId,
        company: CompanyId,
    ) -> Result<Position, Failure> {
        let follow = move || account::Command::Move { takeover, company };
        match self.change_account(context, account, follow).await {
            // Deleted meanwhile: nothing to move.
            Err(Failure::Refused(account::Refusal::NoSuchAccount)) => Ok(Position::default()),
            other => other,
        }
    }

    async fn carry_sites(&self, context: &Context, id: TakeOverId, opened: &Opened) -> Result<(), Failure> {
        let (from, to) = (opened.from, opened.to);
        let giving = self.company(from).await?.state;
        let taking = self.company(to).await?.state;
        if taking.has_moved(id) && giving.has_moved(id) {
            return Ok(());
        }
        // The acquirer knows them before the company lets go: a crash in between loses nothing.
        if !taking.has_moved(id) {
            let sites = giving.moved_sites(&opened.sites)?;
            let receive = company::Command::ReceiveSites { takeover: id, from, sites };
            self.change_company(context, to, receive).await?;
        }
        let release = company::Command::ReleaseSites { takeover: id, to, sites: opened.sites.clone() };
        self.change_company(context, from, release).await?;
        Ok(())
    }

    /// The groups in which the accounts that move keep what they could do at the sites that move.
    async fn kept_groups(&self, id: TakeOverId, opened: &Opened) -> Result<Vec<NewGroup>, Failure> {
        let access = self.access(opened.from).await?.state;
        let company = self.company(opened.from).await?.state;
        let name = company.registered.map(|registered| registered.legal_name.as_str().to_owned());
        let mut administrators = BTreeSet::new();
        for account in &opened.accounts {
            let held = self.account(*account).await?;
            if held.profile().is_some_and(|profile| profile.role == Role::Administrator) {
                administrators.insert(*account);
            }
        }
        Ok(kept(id, opened, &access, &administrators, &name.unwrap_or_default()))
    }

    async fn change_take_over(
        &self,
        context: &Context,
        id: TakeOverId,
        command: Command,
    ) -> Result<Position, Failure> {
        let committed = self
            .takeovers
            .transact(&take_over_stream(id), context, |held| {
                Ok::<_, Failure>(takeover::decide(held, context.at, command.clone())?)
            })
            .await?;
        Ok(committed.position)
    }
}

fn kept(
    id: TakeOverId,
    opened: &Opened,
    access: &Access,
    administrators: &BTreeSet<AccountId>,
    company: &str,
) -> Vec<NewGroup> {
    let moved: BTreeSet<SiteId> = opened.sites.iter().copied().collect();
    let everywhere = Where::Sites(moved.clone());
    let of_administrators = NewGroup {
        group: GroupId::of_take_over(id, None),
        name: GroupName::of_take_over("Administrators", company),
        permissions: Permission::ALL.into(),
        members: administrators.iter().map(|account| (*account, everywhere.clone())).collect(),
    };
    let of_group = |(group, held): (&GroupId, &std::sync::Arc<Group>)| NewGroup {
        group: GroupId::of_take_over(id, Some(*group)),
        name: GroupName::of_take_over(held.name.as_str(), company),
        permissions: held.permissions.clone(),
        members: kept_members(held, opened, administrators, &moved),
    };
    let groups = access.groups.iter().map(of_group).chain([of_administrators]);
    groups.filter(|group| !group.members.is_empty()).collect()
}

fn kept_members(
    group: &Group,
    opened: &Opened,
    administrators: &BTreeSet<AccountId>,
    moved: &BTreeSet<SiteId>,
) -> BTreeMap<AccountId, Where> {
    let moves = |account: &AccountId| opened.accounts.contains(account) && !administrators.contains(account);
    let members = group.members.iter().filter(|(account, _)| moves(account));
    let held = members.map(|(account, sites)| {
        let sites = match sites {
            Where::Everywhere => moved.clone(),
            Where::Sites(sites) => sites & moved,
        };
        (*account, sites)
    });
    let somewhere = held.filter(|(_, sites)| !sites.is_empty());
    somewhere.map(|(account, sites)| (account, Where::Sites(sites))).collect()
}

fn take_over_stream(id: TakeOverId) -> StreamId {
    StreamId::new("takeover", &id.to_string())
}
