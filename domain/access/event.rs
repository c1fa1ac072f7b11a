//! The events of access. [`crate::schema`] freezes their stored names.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{GroupName, GroupText, Where};
use crate::ids::{AccountId, CompanyId, GroupId, TakeOverId};
use crate::values::permission::Permission;

/// A group that a take-over creates, with its members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewGroup {
    /// Its id.
    pub group: GroupId,
    /// Its name.
    pub name: GroupName,
    /// Its description.
    #[serde(default, skip_serializing_if = "GroupText::is_empty")]
    pub description: GroupText,
    /// Its permissions.
    pub permissions: BTreeSet<Permission>,
    /// Its members, and the sites where each has the permissions.
    pub members: BTreeMap<AccountId, Where>,
}

/// Something that happened to the access rights of a company.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An account became an administrator.
    AdministratorAdmitted {
        /// The account.
        account: AccountId,
    },
    /// An administrator's account was activated. From now on it counts when the last administrator is protected.
    AdministratorActivated {
        /// The account.
        account: AccountId,
    },
    /// An account is no longer an administrator.
    AdministratorRemoved {
        /// The account.
        account: AccountId,
    },
    /// A group was created.
    GroupCreated {
        /// The group.
        group: GroupId,
        /// Its name.
        name: GroupName,
        /// Its description.
        description: GroupText,
        /// Its permissions.
        permissions: BTreeSet<Permission>,
    },
    /// A group's name, description or permissions changed.
    GroupChanged {
        /// The group.
        group: GroupId,
        /// Its name.
        name: GroupName,
        /// Its description.
        description: GroupText,
        /// Its permissions.
        permissions: BTreeSet<Permission>,
    },
    /// A group was deleted. It had no members any more.
    GroupDeleted {
        /// The group.
        group: GroupId,
    },
    /// An account became a member of a group, or its sites changed.
    MemberAdded {
        /// The group.
        group: GroupId,
        /// The account.
        account: AccountId,
        /// The sites where it has the group's permissions.
        sites: Where,
    },
    /// An account is no longer a member of a group.
    MemberRemoved {
        /// The group.
        group: GroupId,
        /// The account.
        account: AccountId,
    },
    /// Accounts are about to move to another company. Nothing about them changes until they have left or stayed.
    AccountsLeaving {
        /// The take-over.
        takeover: TakeOverId,
        /// The accounts.
        accounts: Vec<AccountId>,
    },
    /// The accounts that were about to move with a take-over stay.
    AccountsStayed {
        /// The take-over, which was cancelled.
        takeover: TakeOverId,
    },
    /// Accounts moved to another company. They are no longer members or administrators here.
    AccountsLeft {
        /// The take-over.
        takeover: TakeOverId,
        /// The accounts.
        accounts: Vec<AccountId>,
    },
    /// Accounts came from another company. They keep their rights at the sites that came with them.
    AccountsJoined {
        /// The take-over.
        takeover: TakeOverId,
        /// The company that they come from.
        from: CompanyId,
        /// The groups that give them these rights.
        groups: Vec<NewGroup>,
    },
}
