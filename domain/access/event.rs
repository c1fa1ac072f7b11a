//! What can happen to who may do what. Stored names are frozen in [`crate::schema`].

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{GroupName, GroupText, Where};
use crate::ids::{AccountId, CompanyId, GroupId, TakeOverId};
use crate::values::permission::Permission;

/// A group that a take-over makes, with its members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewGroup {
    /// Which.
    pub group: GroupId,
    /// What it is called.
    pub name: GroupName,
    /// What it permits.
    pub permissions: BTreeSet<Permission>,
    /// Who is in it, and where they hold what it permits.
    pub members: BTreeMap<AccountId, Where>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An account has full access.
    AdministratorAdmitted {
        /// Whose.
        account: AccountId,
    },
    /// An administrator's account is in use: it counts when the last one is asked for.
    AdministratorActivated {
        /// Whose.
        account: AccountId,
    },
    /// An account no longer has full access.
    AdministratorRemoved {
        /// Whose.
        account: AccountId,
    },
    /// There is a group.
    GroupCreated {
        /// Which.
        group: GroupId,
        /// What it is called.
        name: GroupName,
        /// What it is for.
        description: GroupText,
        /// What it permits.
        permissions: BTreeSet<Permission>,
    },
    /// A group is called otherwise, or permits something else.
    GroupChanged {
        /// Which.
        group: GroupId,
        /// What it is called.
        name: GroupName,
        /// What it is for.
        description: GroupText,
        /// What it permits.
        permissions: BTreeSet<Permission>,
    },
    /// A group is gone; nobody was in it any more.
    GroupDeleted {
        /// Which.
        group: GroupId,
    },
    /// An account is in a group, or is in it on other sites.
    MemberAdded {
        /// Of which group.
        group: GroupId,
        /// Who.
        account: AccountId,
        /// Where it holds what the group permits.
        sites: Where,
    },
    /// An account is not in a group any more.
    MemberRemoved {
        /// Of which group.
        group: GroupId,
        /// Who.
        account: AccountId,
    },
    /// People are about to go to another company; until they have left or stayed nothing about them is changed.
    AccountsLeaving {
        /// By which take-over.
        takeover: TakeOverId,
        /// Who.
        accounts: Vec<AccountId>,
    },
    /// Those who were about to go with a take-over stay.
    AccountsStayed {
        /// Which does not happen.
        takeover: TakeOverId,
    },
    /// People went to another company: they are in no group any more and administer nothing.
    AccountsLeft {
        /// By which take-over.
        takeover: TakeOverId,
        /// Who.
        accounts: Vec<AccountId>,
    },
    /// People came from another company, with what they could do at the sites that came with them.
    AccountsJoined {
        /// By which take-over.
        takeover: TakeOverId,
        /// From whom.
        from: CompanyId,
        /// The groups in which they keep it.
        groups: Vec<NewGroup>,
    },
}
