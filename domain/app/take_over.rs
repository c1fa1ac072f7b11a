//! A take-over, from its opening until everything has moved.

use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::access::{self, Access, Grantor, Group, GroupName, GroupText, NewGroup, Where};
use crate::account::{self, Role};
use crate::company::{self, MergedSite};
use crate::fact::Context;
use crate::ids::{AccountId, CompanyId, GroupId, SiteId, TakeOverId};
use crate::ports::{BoxFuture, Folded, Position};
use crate::takeover::{self, Cancellation, Command, Opened, Side, Stage, TakeOver};
use crate::terminals;
use crate::values::permission::Permission;

use super::{App, Failure, SIDE_BY_SIDE, Unavailable};

/// The details of a take-over that support opens.
#[derive(Clone, Debug)]
pub struct NewTakeOver {
    /// The company that gives sites and accounts away.
    pub from: CompanyId,
    /// The company that gets them.
    pub to: CompanyId,
    /// The sites that move. `None`: all sites.
    pub sites: Option<Vec<SiteId>>,
    /// The accounts that move.
    pub accounts: Vec<AccountId>,
    /// Support's own reference number.
    pub reference: String,
}

impl App {
    /// A take-over's present state in the log.
    ///
    /// # Errors
    /// [`Unavailable`] if it can't be read.
    pub async fn take_over(&self, id: TakeOverId) -> Result<Folded<TakeOver>, Unavailable> {
        self.takeovers.load(&takeover::stream(id)).await
    }

    /// Opens a take-over. Both companies are asked to agree.
    ///
    /// # Errors
    /// [`takeover::Refusal`]. [`Failure::NoSuchCompany`], [`company::Refusal::NoSuchSite`] or
    /// [`Failure::NoSuchMember`] if a company, site or account does not exist. [`access::Refusal::LastAdministrator`]
    /// if the company keeps sites but no administrator.
    pub async fn open_take_over(
        &self,
        context: &Context,
        new: NewTakeOver,
    ) -> Result<(TakeOverId, Position), Failure> {
        let company = self.company(new.from).await?.state;
        let acquirer = self.company(new.to).await?.state;
        for (id, held) in [(new.from, &company), (new.to, &acquirer)] {
            if held.registered.is_none() {
                return Err(Failure::NoSuchCompany(id));
            }
        }
        let all = || company.sites.iter().map(|(id, _)| id).collect();
        let sites: BTreeSet<SiteId> = new.sites.map_or_else(all, |sites| sites.into_iter().collect());
        let sites: Vec<SiteId> = sites.into_iter().collect();
        for account in &new.accounts {
            self.member_role(new.from, *account).await?;
        }
        if let Some(foreign) = sites.iter().find(|site| !company.sites.contains(**site)) {
            return Err(company::Refusal::NoSuchSite(*foreign).into());
        }
        let id = TakeOverId(self.ports.identities.fresh());
        let keeps_sites = sites.len() < company.sites.len();
        let depart = access::Command::Depart { takeover: id, accounts: new.accounts.clone(), keeps_sites };
        let (from, to, accounts, reference) = (new.from, new.to, new.accounts, new.reference);
        let open = Command::Open { from, to, sites: sites.clone(), accounts, reference };
        takeover::decide(&None, context.at, open.clone())?;
        // The accounts leave when the take-over completes. Accounts that can never leave are refused now.
        access::decide(&self.access(from).await?.state, Grantor::Anything, depart)?;
        let _turn = self.ports.keyed_lock.acquire(takeover::stream(id).to_string()).await;
        let promise = company::Command::PromiseSites { takeover: id, to, sites };
        self.change_company(context, from, promise).await?;
        // If two companies open take-overs of each other at once, each has made its promise before it checks the
        // other's.
        if self.company(to).await?.state.is_taken_over_by(from) {
            self.call_off(context, id, from).await?;
            return Err(takeover::Refusal::Circular.into());
        }
        Ok((id, self.change_take_over(context, id, open).await?))
    }

    /// Records that a company agreed.
    ///
    /// # Errors
    /// [`takeover::Refusal`] if the take-over is completed or cancelled.
    pub async fn confirm_take_over(
        &self,
        context: &Context,
        id: TakeOverId,
        side: Side,
    ) -> Result<Position, Failure> {
        self.change_take_over(context, id, Command::Confirm { side }).await
    }

    /// Cancels a take-over.
    ///
    /// # Errors
    /// [`takeover::Refusal::Completed`] if things have started to move.
    pub async fn cancel_take_over(
        &self,
        context: &Context,
        id: TakeOverId,
        reason: Cancellation,
    ) -> Result<Position, Failure> {
        let _turn = self.ports.keyed_lock.acquire(takeover::stream(id).to_string()).await;
        let cancelled = self.change_take_over(context, id, Command::Cancel { reason }).await?;
        let folded = self.take_over(id).await?;
        let from = folded.state.as_ref().as_ref().ok_or(takeover::Refusal::NoSuchTakeOver)?.from;
        Ok(cancelled.max(self.call_off(context, id, from).await?))
    }

    /// Completes a take-over: sites, terminals and accounts move, with their history. Called again after a crash, it
    /// goes on where it stopped. All refusals are checked before the first thing moves.
    ///
    /// # Errors
    /// [`takeover::Refusal::NotConfirmed`] if a company has not agreed yet. [`company::Refusal`] if a site has moved
    /// elsewhere since. [`access::Refusal`] if the company keeps sites but no administrator.
    pub async fn complete_take_over(&self, context: &Context, id: TakeOverId) -> Result<Position, Failure> {
        let _turn = self.ports.keyed_lock.acquire(takeover::stream(id).to_string()).await;
        let takeover = self.take_over(id).await?.state;
        let opened = takeover.as_deref().ok_or(takeover::Refusal::NoSuchTakeOver)?;
        // Nobody else may change the company's administrators until all accounts have left.
        let _company = self.turn_of(opened.from).await;
        let accounts = self.still_there(opened).await?;
        let begin = Command::Begin { accounts: accounts.clone() };
        takeover::decide(&takeover, context.at, begin.clone())?;
        if opened.stage == Stage::Open {
            let (from, to, sites) = (opened.from, opened.to, opened.sites.clone());
            let keeps_sites = sites.len() < self.company(from).await?.state.sites.len();
            let promise = company::Command::PromiseSites { takeover: id, to, sites };
            self.change_company(context, from, promise).await?;
            let depart = access::Command::Depart { takeover: id, accounts, keeps_sites };
            self.change_access(context, from, Grantor::Anything, depart).await?;
            if let Err(refused) = self.change_take_over(context, id, begin).await {
                // It was cancelled elsewhere at the same time.
                if refused == Failure::TakeOver(takeover::Refusal::Cancelled) {
                    self.call_off(context, id, from).await?;
                }
                return Err(refused);
            }
        }
        let folded = self.take_over(id).await?;
        match &*folded.state {
            Some(opened) if opened.stage == Stage::Begun => self.carry_over(context, id, opened).await,
            _ => Ok(folded.position),
        }
    }

    /// Continues a take-over after a crash. Completes one that has begun. For a cancelled one, frees what `from` had
    /// promised. Called by the code that follows the log.
    ///
    /// # Errors
    /// [`Failure::Unavailable`] if that can't be done now.
    pub async fn resume_take_over(
        &self,
        context: &Context,
        id: TakeOverId,
        from: CompanyId,
    ) -> Result<(), Failure> {
        let turn = self.ports.keyed_lock.acquire(takeover::stream(id).to_string()).await;
        let begun = match self.take_over(id).await?.state.as_ref().as_ref().map(|opened| opened.stage) {
            None | Some(Stage::Cancelled) => {
                self.call_off(context, id, from).await?;
                false
            }
            Some(Stage::Open) => self.access(from).await?.state.awaits(id),
            Some(Stage::Begun) => true,
            Some(Stage::Completed) => false,
        };
        drop(turn);
        if begun {
            self.complete_take_over(context, id).await?;
        }
        Ok(())
    }

    /// Frees everything that was promised to a take-over that was cancelled.
    async fn call_off(
        &self,
        context: &Context,
        id: TakeOverId,
        from: CompanyId,
    ) -> Result<Position, Failure> {
        let keep = company::Command::KeepSites { takeover: id };
        let kept = self.change_company(context, from, keep).await?.position;
        let stay = access::Command::Stay { takeover: id };
        Ok(kept.max(self.change_access(context, from, Grantor::Anything, stay).await?))
    }

    /// The accounts to move that still belong to the company.
    async fn still_there(&self, opened: &Opened) -> Result<Vec<AccountId>, Failure> {
        let mut accounts = Vec::new();
        for account in &opened.accounts {
            match self.member_role(opened.from, *account).await {
                Ok(_) => accounts.push(*account),
                Err(Failure::NoSuchMember(_)) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(accounts)
    }

    async fn member_role(&self, company: CompanyId, account: AccountId) -> Result<Role, Failure> {
        let held = self.account(account).await?;
        let profile = held.profile().filter(|profile| held.is_live() && profile.company == company);
        Ok(profile.ok_or(Failure::NoSuchMember(account))?.role)
    }

    /// Moves everything. Each step is an append that changes nothing the second time. People lose their rights at the
    /// old company last, so nobody is without access in between.
    async fn carry_over(
        &self,
        context: &Context,
        id: TakeOverId,
        opened: &Opened,
    ) -> Result<Position, Failure> {
        let (from, to, sites) = (opened.from, opened.to, opened.sites.clone());
        // This is done already, unless the take-over began before accounts had to be prepared for leaving.
        let accounts = opened.accounts.clone();
        let depart = access::Command::Depart { takeover: id, accounts, keeps_sites: false };
        self.change_access(context, from, Grantor::Anything, depart).await?;
        let groups = self.kept_groups(id, opened).await?;
        let merged = self.carry_sites(context, id, opened).await?;
        let release = terminals::Command::Release { takeover: id, to, sites: sites.clone() };
        self.change_terminals(context, from, release).await?;
        let gone = self.terminals(from).await?.state;
        let mut terminals = gone.moved_by(id).unwrap_or_default().to_vec();
        for terminal in &mut terminals {
            terminal.site = MergedSite::now(&merged, terminal.site);
        }
        let ids = terminals.iter().map(|moved| moved.terminal).collect();
        let sites: Vec<SiteId> =
            sites.into_iter().filter(|site| MergedSite::now(&merged, *site) == *site).collect();
        let receive = terminals::Command::Receive { takeover: id, from, sites, terminals };
        self.change_terminals(context, to, receive).await?;
        for merged in &merged {
            self.bring_layout(context, to, *merged).await?;
        }
        let groups = groups.into_iter().map(|group| at_merged(group, &merged)).collect();
        let join = access::Command::Join { takeover: id, from, groups };
        self.change_access(context, to, Grantor::Anything, join).await?;
        let mut moves: Vec<BoxFuture<'_, _>> = Vec::with_capacity(opened.accounts.len());
        for account in &opened.accounts {
            moves.push(Box::pin(self.follow_company(context, id, *account, to)));
        }
        let moves = stream::iter(moves).buffered(SIDE_BY_SIDE);
        moves.try_for_each(|_| ready(Ok(()))).await?;
        let leave = access::Command::Leave { takeover: id };
        self.change_access(context, from, Grantor::Anything, leave).await?;
        self.change_take_over(context, id, Command::Finish { terminals: ids, merged }).await
    }

    async fn follow_company(
        &self,
        context: &Context,
        takeover: TakeOverId,
        account: AccountId,
        company: CompanyId,
    ) -> Result<Position, Failure> {
        let follow = account::Command::Move { takeover, company };
        match self.change_account(context, account, follow).await {
            // The account was deleted meanwhile, so there is nothing to move.
            Err(Failure::Refused(account::Refusal::NoSuchAccount)) => Ok(Position::default()),
            other => other,
        }
    }

    /// Moves the sites. Returns those that became one with a site of the new company.
    async fn carry_sites(
        &self,
        context: &Context,
        id: TakeOverId,
        opened: &Opened,
    ) -> Result<Vec<MergedSite>, Failure> {
        let (from, to) = (opened.from, opened.to);
        let release = company::Command::ReleaseSites { takeover: id, to, sites: opened.sites.clone() };
        let giving = self.change_company(context, from, release).await?.state;
        // The sites as they were when they left. So a name given at that moment moves with them.
        let sites = giving.moved_by(id).unwrap_or_default().to_vec();
        let receive = company::Command::ReceiveSites { takeover: id, from, sites };
        Ok(self.change_company(context, to, receive).await?.state.merged_by(id).to_vec())
    }

    /// The groups that give the moving accounts the rights that they had at the moving sites.
    async fn kept_groups(&self, id: TakeOverId, opened: &Opened) -> Result<Vec<NewGroup>, Failure> {
        let access = self.access(opened.from).await?.state;
        let mut administrators = BTreeSet::new();
        for account in &opened.accounts {
            let held = self.account(*account).await?;
            if held.profile().is_some_and(|profile| profile.role == Role::Administrator) {
                administrators.insert(*account);
            }
        }
        Ok(kept(id, opened, &access, &administrators))
    }

    async fn change_take_over(
        &self,
        context: &Context,
        id: TakeOverId,
        command: Command,
    ) -> Result<Position, Failure> {
        Ok(self.takeovers.transact(&takeover::stream(id), context, command).await?.position)
    }
}

fn kept(
    id: TakeOverId,
    opened: &Opened,
    access: &Access,
    administrators: &BTreeSet<AccountId>,
) -> Vec<NewGroup> {
    let moved: BTreeSet<SiteId> = opened.sites.iter().copied().collect();
    let everywhere = Where::Sites(moved.clone());
    let of_administrators = NewGroup {
        group: GroupId::of_take_over(id, None),
        name: GroupName::of_take_over("Administrators", &opened.reference),
        description: GroupText::default(),
        permissions: Permission::ALL.into(),
        members: administrators.iter().map(|account| (*account, everywhere.clone())).collect(),
    };
    let of_group = |(group, held): (&GroupId, &std::sync::Arc<Group>)| NewGroup {
        group: GroupId::of_take_over(id, Some(*group)),
        name: GroupName::of_take_over(held.name.as_str(), &opened.reference),
        description: held.description.clone(),
        permissions: held.permissions.clone(),
        members: kept_members(held, opened, administrators, &moved),
    };
    let groups = access.groups.iter().map(of_group).chain([of_administrators]);
    groups.filter(|group| !group.members.is_empty()).collect()
}

/// The group with the sites that stand for its sites after some of them became one with others.
fn at_merged(group: NewGroup, merged: &[MergedSite]) -> NewGroup {
    let now = |sites: Where| match sites {
        Where::Everywhere => Where::Everywhere,
        Where::Sites(sites) => {
            Where::Sites(sites.into_iter().map(|site| MergedSite::now(merged, site)).collect())
        }
    };
    let members = group.members.into_iter().map(|(account, sites)| (account, now(sites))).collect();
    NewGroup { members, ..group }
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
