//! What can be asked of who may do what.

use std::collections::BTreeSet;

use super::{GroupName, GroupText, NewGroup, Where};
use crate::ids::{AccountId, CompanyId, GroupId, TakeOverId};
use crate::values::permission::Permission;

/// Who asks: nobody grants what they lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grantor {
    /// An administrator, or the supplier: has everything to grant.
    Anything,
    /// A user, who has what their groups grant.
    User(AccountId),
}

impl Grantor {
    /// A command that they give.
    #[must_use]
    pub fn asks(self, command: Command) -> Request {
        Request { grantor: self, command }
    }
}

/// A command, and who gives it.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who asks.
    pub grantor: Grantor,
    /// What is asked.
    pub command: Command,
}

/// What of a group is to be otherwise; what is not said stays.
#[derive(Clone, Debug, Default)]
pub struct GroupChange {
    /// What it is called.
    pub name: Option<GroupName>,
    /// What it is for.
    pub description: Option<GroupText>,
    /// What it permits.
    pub permissions: Option<BTreeSet<Permission>>,
}

/// A wish that the rules may refuse.
#[derive(Clone, Debug)]
pub enum Command {
    /// Note that an account is an administrator.
    AdmitAdministrator {
        /// Which.
        account: AccountId,
        /// Whether it is in use.
        active: bool,
    },
    /// An account is about to be no administrator any more.
    RemoveAdministrator {
        /// Which.
        account: AccountId,
    },
    /// An account is no administrator any more, whatever is left.
    StrikeAdministrator {
        /// Which.
        account: AccountId,
    },
    /// Make a group.
    CreateGroup {
        /// Its id.
        group: GroupId,
        /// What it is called.
        name: GroupName,
        /// What it is for.
        description: GroupText,
        /// What it permits.
        permissions: BTreeSet<Permission>,
    },
    /// Change a group.
    ChangeGroup {
        /// Which.
        group: GroupId,
        /// How.
        change: GroupChange,
    },
    /// Delete a group.
    DeleteGroup {
        /// Which.
        group: GroupId,
        /// To which its members go; none where it has none.
        move_to: Option<GroupId>,
    },
    /// Have an account in a group, on these sites and no others.
    SetMember {
        /// Which group.
        group: GroupId,
        /// Which account; whoever asks knows that it is a user of the company.
        account: AccountId,
        /// Where; whoever asks knows that they are the company's.
        sites: Where,
    },
    /// Take an account out of a group.
    RemoveMember {
        /// Which group.
        group: GroupId,
        /// Which account.
        account: AccountId,
    },
    /// Forget an account that is gone: it is in no group and no administrator.
    Forget {
        /// Which.
        account: AccountId,
    },
    /// Have people ready to go to another company.
    Depart {
        /// By which take-over.
        takeover: TakeOverId,
        /// Who.
        accounts: Vec<AccountId>,
        /// Whether the company keeps sites, which somebody must administer.
        keeps_sites: bool,
    },
    /// Let those who were ready to go with a take-over stay.
    Stay {
        /// Which does not happen.
        takeover: TakeOverId,
    },
    /// Let go those who were ready to go with a take-over.
    Leave {
        /// Which.
        takeover: TakeOverId,
    },
    /// Take in people from another company.
    Join {
        /// By which take-over.
        takeover: TakeOverId,
        /// From whom.
        from: CompanyId,
        /// The groups in which they keep what they could do.
        groups: Vec<NewGroup>,
    },
}
