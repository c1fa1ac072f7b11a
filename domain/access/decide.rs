//! The rules of access: who may do what where, and who may create whom.
//!
//! One rule says what a user who manages users may do with a group: **they may touch it only if, at every site where
//! it is held before or after, they hold everything that it permits, and manage users**. To touch is to grant, to
//! take away, to rename, to change or to delete. For a group that is held nowhere, they must hold each of its
//! permissions somewhere.

use std::collections::BTreeSet;

use super::{
    Access, CATEGORY, Command, Event, Grantor, Group, GroupChange, GroupName, NewGroup, Request, Where,
    evolve,
};
use crate::Moment;
use crate::decider::Decider;
use crate::fact::Fact;
use crate::ids::{AccountId, GroupId, TakeOverId};
use crate::policies::Policies;
use crate::values::permission::Permission;

/// The maximum number of groups that a company can create. Groups that come with a take-over do not count.
pub const MOST_GROUPS: usize = 500;

/// Why a command is refused. A refused command changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The company has no such group.
    #[error("there is no such group")]
    NoSuchGroup(GroupId),
    /// Another group has this name.
    #[error("another group has this name")]
    NameTaken,
    /// The group has members, and no group is named for them to move to.
    #[error("the group still has {0} member(s)")]
    HasMembers(usize),
    /// The members cannot move to the group that is deleted.
    #[error("members can't go to the group that is deleted")]
    SameGroup,
    /// The account is not in the group.
    #[error("the account is not in the group")]
    NotMember,
    /// The caller lacks this permission at one of the sites, so the caller can neither grant it nor take it away.
    #[error("you do not have {0} there yourself")]
    Beyond(Permission),
    /// The company would be left without an administrator.
    #[error("it is the company's last administrator")]
    LastAdministrator,
    /// The account is about to move to another company.
    #[error("the account is about to move to another company")]
    Leaving,
    /// The company has the maximum number of groups.
    #[error("a company has at most {MOST_GROUPS} groups")]
    TooManyGroups,
}

/// Decides a command. `grantor` is who gives it.
///
/// # Errors
/// The rule that refuses, as a [`Refusal`].
pub fn decide(access: &Access, grantor: Grantor, command: Command) -> Result<Vec<Event>, Refusal> {
    match command {
        Command::AdmitAdministrator { account, active } => admit(access, account, active),
        Command::RemoveAdministrator { account } => remove_administrator(access, account),
        Command::StrikeAdministrator { account } => Ok(strike(access, account).into_iter().collect()),
        Command::CreateGroup { group, name, description, permissions } => {
            create_group(access, grantor, group, &name, &permissions)?;
            let created = Event::GroupCreated { group, name, description, permissions };
            Ok((!access.groups.contains_key(&group)).then_some(created).into_iter().collect())
        }
        Command::ChangeGroup { group, change } => change_group(access, grantor, group, change),
        Command::DeleteGroup { group, move_to } => delete_group(access, grantor, group, move_to),
        Command::SetMember { group, account, sites } => {
            let held = found(access, group)?;
            stays(access, account)?;
            let before = held.members.get(&account);
            for sites in before.into_iter().chain([&sites]) {
                access.may_touch(grantor, &held.permissions, sites)?;
            }
            let same = before == Some(&sites);
            Ok((!same).then_some(Event::MemberAdded { group, account, sites }).into_iter().collect())
        }
        Command::RemoveMember { group, account } => {
            let held = found(access, group)?;
            let sites = held.members.get(&account).ok_or(Refusal::NotMember)?;
            access.may_touch(grantor, &held.permissions, sites)?;
            Ok(vec![Event::MemberRemoved { group, account }])
        }
        Command::Forget { account } => Ok(forget(access, account)),
        Command::Join { takeover, .. } if access.joined.contains(&takeover) => Ok(Vec::new()),
        Command::Join { takeover, from, groups } => {
            let groups = with_free_names(access, groups);
            Ok(vec![Event::AccountsJoined { takeover, from, groups }])
        }
        Command::Depart { takeover, accounts, keeps_sites } => {
            depart(access, takeover, accounts, keeps_sites)
        }
        Command::Stay { takeover } => {
            let leaving = access.leaving.contains_key(&takeover);
            Ok(leaving.then_some(Event::AccountsStayed { takeover }).into_iter().collect())
        }
        Command::Leave { takeover } => {
            let left = |accounts: &BTreeSet<AccountId>| {
                let accounts = accounts.iter().copied().collect();
                Event::AccountsLeft { takeover, accounts }
            };
            Ok(access.leaving.get(&takeover).map(left).into_iter().collect())
        }
    }
}

impl Decider for Access {
    const CATEGORY: &'static str = CATEGORY;
    type Command = Request;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, _: &Policies, _: Moment, request: Request) -> Result<Vec<Event>, Refusal> {
        decide(self, request.grantor, request.command)
    }

    fn evolve(self, fact: &Fact<Event>) -> Self {
        evolve(self, fact)
    }
}

fn admit(access: &Access, account: AccountId, active: bool) -> Result<Vec<Event>, Refusal> {
    stays(access, account)?;
    let new = !access.administrators.contains(&account);
    let admitted = new.then_some(Event::AdministratorAdmitted { account });
    let in_use = active && !access.active.contains(&account);
    let activated = in_use.then_some(Event::AdministratorActivated { account });
    Ok(admitted.into_iter().chain(activated).collect())
}

/// The last administrator of a company can neither be deleted nor made a user.
fn remove_administrator(access: &Access, account: AccountId) -> Result<Vec<Event>, Refusal> {
    stays(access, account)?;
    keep_an_administrator(access, |other| other == account)?;
    Ok(strike(access, account).into_iter().collect())
}

/// A company must keep an administrator. If it has active ones, one of them must stay, because somebody who has not
/// followed the activation link may never do so.
fn keep_an_administrator(access: &Access, goes: impl Fn(AccountId) -> bool) -> Result<(), Refusal> {
    let here = |account: &AccountId| !access.is_leaving(*account);
    let enough = |list: &BTreeSet<AccountId>| list.iter().any(|account| here(account) && !goes(*account));
    let used = access.active.iter().any(here);
    let kept = if used { enough(&access.active) } else { enough(&access.administrators) };
    if kept { Ok(()) } else { Err(Refusal::LastAdministrator) }
}

/// Refuses changes to an account that is about to move to another company.
fn stays(access: &Access, account: AccountId) -> Result<(), Refusal> {
    if access.is_leaving(account) { Err(Refusal::Leaving) } else { Ok(()) }
}

/// A company that keeps sites keeps an administrator, if it has any.
fn depart(
    access: &Access,
    takeover: TakeOverId,
    accounts: Vec<AccountId>,
    keeps_sites: bool,
) -> Result<Vec<Event>, Refusal> {
    let done = access.leaving.contains_key(&takeover) || access.left.contains(&takeover);
    if done || accounts.is_empty() {
        return Ok(Vec::new());
    }
    for account in &accounts {
        stays(access, *account)?;
    }
    if keeps_sites && access.administrators.iter().any(|account| !access.is_leaving(*account)) {
        keep_an_administrator(access, |account| accounts.contains(&account))?;
    }
    Ok(vec![Event::AccountsLeaving { takeover, accounts }])
}

/// The groups that come with a take-over, renamed where needed so that each name is unique in the company.
fn with_free_names(access: &Access, groups: Vec<NewGroup>) -> Vec<NewGroup> {
    let mut taken: Vec<GroupName> = access.groups.values().map(|group| group.name.clone()).collect();
    let named = groups.into_iter().map(|group| {
        let name = group.name.made_free(&taken);
        taken.push(name.clone());
        NewGroup { name, ..group }
    });
    named.collect()
}

fn strike(access: &Access, account: AccountId) -> Option<Event> {
    access.administrators.contains(&account).then_some(Event::AdministratorRemoved { account })
}

fn create_group(
    access: &Access,
    grantor: Grantor,
    group: GroupId,
    name: &GroupName,
    permissions: &BTreeSet<Permission>,
) -> Result<(), Refusal> {
    free_name(access, group, name)?;
    if access.groups.len() >= MOST_GROUPS && !access.groups.contains_key(&group) {
        return Err(Refusal::TooManyGroups);
    }
    access.has_anywhere(grantor, permissions)
}

/// A change applies to all members of the group. What it adds is granted to each of them.
fn change_group(
    access: &Access,
    grantor: Grantor,
    group: GroupId,
    change: GroupChange,
) -> Result<Vec<Event>, Refusal> {
    let held = found(access, group)?;
    let name = change.name.unwrap_or_else(|| held.name.clone());
    let description = change.description.unwrap_or_else(|| held.description.clone());
    let permissions = change.permissions.unwrap_or_else(|| held.permissions.clone());
    free_name(access, group, &name)?;
    let either = &held.permissions | &permissions;
    access.has_anywhere(grantor, &either)?;
    for sites in held.members.values() {
        access.may_touch(grantor, &either, sites)?;
    }
    let same = name == held.name && description == held.description && permissions == held.permissions;
    let changed = Event::GroupChanged { group, name, description, permissions };
    Ok((!same).then_some(changed).into_iter().collect())
}

/// A group can be deleted if it has no members, or if another group is named for them to move to.
fn delete_group(
    access: &Access,
    grantor: Grantor,
    group: GroupId,
    move_to: Option<GroupId>,
) -> Result<Vec<Event>, Refusal> {
    let held = found(access, group)?;
    access.has_anywhere(grantor, &held.permissions)?;
    let mut events = Vec::new();
    match move_to {
        None if !held.members.is_empty() => return Err(Refusal::HasMembers(held.members.len())),
        None => {}
        Some(target) if target == group => return Err(Refusal::SameGroup),
        Some(target) => {
            let new = found(access, target)?;
            let either = &held.permissions | &new.permissions;
            access.has_anywhere(grantor, &either)?;
            for (account, sites) in &held.members {
                access.may_touch(grantor, &either, sites)?;
                events.push(Event::MemberRemoved { group, account: *account });
                let there = new.members.get(account);
                if there.is_some_and(|there| there.covers(sites)) {
                    continue;
                }
                let sites = there.cloned().unwrap_or_else(Where::nowhere).or(sites);
                access.may_touch(grantor, &new.permissions, &sites)?;
                events.push(Event::MemberAdded { group: target, account: *account, sites });
            }
        }
    }
    events.push(Event::GroupDeleted { group });
    Ok(events)
}

fn forget(access: &Access, account: AccountId) -> Vec<Event> {
    let left = access.memberships(account).map(|(group, ..)| Event::MemberRemoved { group, account });
    left.chain(strike(access, account)).collect()
}

fn found(access: &Access, group: GroupId) -> Result<&Group, Refusal> {
    access.groups.get(&group).map(AsRef::as_ref).ok_or(Refusal::NoSuchGroup(group))
}

fn free_name(access: &Access, group: GroupId, name: &GroupName) -> Result<(), Refusal> {
    let taken = access.groups.iter().any(|(id, other)| *id != group && other.name.is_like(name));
    if taken { Err(Refusal::NameTaken) } else { Ok(()) }
}

impl Access {
    /// A user may touch a group only if they manage users at its sites and hold all its permissions there.
    fn may_touch(
        &self,
        grantor: Grantor,
        permissions: &BTreeSet<Permission>,
        sites: &Where,
    ) -> Result<(), Refusal> {
        let Grantor::User(user) = grantor else { return Ok(()) };
        let needed = [Permission::ManageUsers].into_iter().chain(permissions.iter().copied());
        for permission in needed {
            let held = self.granted(user, permission);
            // The right to manage users nowhere does not count.
            if held == Where::nowhere() || !held.covers(sites) {
                return Err(Refusal::Beyond(permission));
            }
        }
        Ok(())
    }

    /// A group without members grants nothing yet. Still, a user can't add or remove a permission that they do not
    /// have at any site.
    fn has_anywhere(&self, grantor: Grantor, permissions: &BTreeSet<Permission>) -> Result<(), Refusal> {
        self.may_touch(grantor, permissions, &Where::nowhere())
    }
}
