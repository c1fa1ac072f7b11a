//! How each event changes access rights. Every event is accepted (law 8).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Access, Event, Group, Where};
use crate::fact::Fact;
use crate::ids::{AccountId, GroupId};

/// The access rights after one more event.
#[must_use]
pub fn evolve(mut access: Access, fact: &Fact<Event>) -> Access {
    match &fact.event {
        Event::AdministratorAdmitted { account } => {
            access.administrators.insert(*account);
        }
        Event::AdministratorRemoved { account } => {
            access.unseat(*account);
        }
        Event::AdministratorActivated { account } => {
            access.active.insert(*account);
        }
        Event::GroupCreated { group, name, description, permissions } => {
            let (name, description) = (name.clone(), description.clone());
            let new = Group { name, description, permissions: permissions.clone(), members: BTreeMap::new() };
            access.groups.insert(*group, Arc::new(new));
        }
        Event::GroupChanged { group, name, description, permissions } => {
            if let Some(held) = access.groups.get_mut(group).map(Arc::make_mut) {
                held.name = name.clone();
                held.description = description.clone();
                held.permissions = permissions.clone();
            }
        }
        Event::GroupDeleted { group } => {
            let members = access.groups.remove(group).into_iter().flat_map(|gone| members(&gone));
            for account in members {
                access.leave(*group, account);
            }
        }
        Event::MemberAdded { group, account, sites } => access.acquire(*group, *account, sites),
        Event::MemberRemoved { group, account } => {
            if let Some(held) = access.groups.get_mut(group).map(Arc::make_mut) {
                held.members.remove(account);
            }
            access.leave(*group, *account);
        }
        Event::AccountsLeaving { takeover, accounts } => {
            access.leaving.insert(*takeover, accounts.iter().copied().collect());
        }
        Event::AccountsStayed { takeover } => {
            access.leaving.remove(takeover);
        }
        Event::AccountsLeft { takeover, accounts } => {
            access.leaving.remove(takeover);
            access.left.insert(*takeover);
            for account in accounts {
                access.unseat(*account);
                for group in access.of.remove(*account).unwrap_or_default() {
                    if let Some(held) = access.groups.get_mut(&group).map(Arc::make_mut) {
                        held.members.remove(account);
                    }
                }
            }
        }
        Event::AccountsJoined { takeover, groups, .. } => {
            access.joined.insert(*takeover);
            for new in groups {
                let group = Group {
                    name: new.name.clone(),
                    description: new.description.clone(),
                    permissions: new.permissions.clone(),
                    members: BTreeMap::new(),
                };
                access.groups.insert(new.group, Arc::new(group));
                for (account, sites) in &new.members {
                    access.acquire(new.group, *account, sites);
                }
            }
        }
    }
    access
}

fn members(group: &Group) -> Vec<AccountId> {
    group.members.keys().copied().collect()
}

impl Access {
    fn unseat(&mut self, account: AccountId) {
        self.administrators.remove(&account);
        self.active.remove(&account);
    }

    fn leave(&mut self, group: GroupId, account: AccountId) {
        self.of.change(account, |groups| {
            groups.remove(&group);
        });
        if self.of.get(account).is_some_and(|groups| groups.is_empty()) {
            self.of.remove(account);
        }
    }

    fn acquire(&mut self, group: GroupId, account: AccountId, sites: &Where) {
        let Some(held) = self.groups.get_mut(&group).map(Arc::make_mut) else { return };
        held.members.insert(account, sites.clone());
        let mut groups = self.of.get(account).cloned().unwrap_or_default();
        groups.insert(group);
        self.of.insert(account, groups);
    }
}
