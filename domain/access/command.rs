//! The commands on access: administrators, groups and their members.

use std::collections::BTreeSet;

use super::{GroupName, GroupText, NewGroup, Where};
use crate::ids::{AccountId, CompanyId, GroupId, TakeOverId};
use crate::values::permission::Permission;

/// Who gives a command. Nobody can grant a permission that they lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grantor {
    /// An administrator or the supplier, who can grant everything.
    Anything,
    /// A user, who has the permissions that their groups grant.
    User(AccountId),
}

impl Grantor {
    /// The request for a command by this grantor.
    #[must_use]
    pub fn asks(self, command: Command) -> Request {
        Request { grantor: self, command }
    }
}

/// A command, and who gives it.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who gives it.
    pub grantor: Grantor,
    /// The command.
    pub command: Command,
}

/// Changes to a group. Omitted fields keep their value.
#[derive(Clone, Debug, Default)]
pub struct GroupChange {
    /// Its name.
    pub name: Option<GroupName>,
    /// Its description.
    pub description: Option<GroupText>,
    /// Its permissions.
    pub permissions: Option<BTreeSet<Permission>>,
}

/// A command on access. The rules may refuse it.
#[derive(Clone, Debug)]
pub enum Command {
    /// Record that an account is an administrator.
    AdmitAdministrator {
        /// The account.
        account: AccountId,
        /// Whether it is active.
        active: bool,
    },
    /// Remove an account from the list of administrators, before its role changes. Refused for the last one.
    RemoveAdministrator {
        /// The account.
        account: AccountId,
    },
    /// Remove an account from the list of administrators. Never refused.
    StrikeAdministrator {
        /// The account.
        account: AccountId,
    },
    /// Create a group.
    CreateGroup {
        /// Its id.
        group: GroupId,
        /// Its name.
        name: GroupName,
        /// Its description.
        description: GroupText,
        /// Its permissions.
        permissions: BTreeSet<Permission>,
    },
    /// Change a group.
    ChangeGroup {
        /// The group.
        group: GroupId,
        /// The changes.
        change: GroupChange,
    },
    /// Delete a group.
    DeleteGroup {
        /// The group.
        group: GroupId,
        /// The group that its members move to. `None` if it has no members.
        move_to: Option<GroupId>,
    },
    /// Make an account a member of a group, on exactly these sites.
    SetMember {
        /// The group.
        group: GroupId,
        /// The account. The caller has checked that it is a user of the company.
        account: AccountId,
        /// The sites. The caller has checked that they belong to the company.
        sites: Where,
    },
    /// Remove an account from a group.
    RemoveMember {
        /// The group.
        group: GroupId,
        /// The account.
        account: AccountId,
    },
    /// Remove a deleted account from all groups and from the administrators.
    Forget {
        /// The account.
        account: AccountId,
    },
    /// Prepare accounts for moving to another company.
    Depart {
        /// The take-over.
        takeover: TakeOverId,
        /// The accounts.
        accounts: Vec<AccountId>,
        /// Whether the company keeps sites. Then it must keep an administrator too.
        keeps_sites: bool,
    },
    /// Let the accounts stay that were prepared for a take-over, because it was cancelled.
    Stay {
        /// The take-over.
        takeover: TakeOverId,
    },
    /// Let the accounts leave that were prepared for a take-over.
    Leave {
        /// The take-over.
        takeover: TakeOverId,
    },
    /// Receive accounts from another company.
    Join {
        /// The take-over.
        takeover: TakeOverId,
        /// The company that they come from.
        from: CompanyId,
        /// The groups that give them the rights that they had.
        groups: Vec<NewGroup>,
    },
}
