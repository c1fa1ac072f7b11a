//! What can happen to a take-over. Stored names are frozen in [`crate::schema`].

use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::ids::{AccountId, CompanyId, SiteId, TerminalId};

/// One of the two companies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The one that gives.
    Transferor,
    /// The one that takes.
    Acquirer,
}

/// Why a take-over does not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cancellation {
    /// The companies do not want it any more.
    Withdrawn,
    /// One of them did not agree.
    Refused,
    /// It was opened by mistake.
    Mistake,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Support opened it.
    TakeOverOpened {
        /// The company that gives.
        from: CompanyId,
        /// The company that takes.
        to: CompanyId,
        /// The sites that go along, each with its terminals.
        sites: Vec<SiteId>,
        /// The accounts that go along.
        accounts: Vec<AccountId>,
        /// Support's own number for it.
        reference: String,
        /// When it is expected to be over.
        due_at: Moment,
    },
    /// One of the companies agreed.
    TakeOverConfirmed {
        /// Which.
        side: Side,
    },
    /// Support completes it: from here on it can't be cancelled.
    TakeOverBegun {
        /// The accounts that go: those that are still there.
        accounts: Vec<AccountId>,
    },
    /// Everything has moved; it is shown there from here on.
    TakeOverCompleted {
        /// The company that gave.
        from: CompanyId,
        /// The company that took.
        to: CompanyId,
        /// The sites that moved.
        sites: Vec<SiteId>,
        /// The terminals that moved.
        terminals: Vec<TerminalId>,
        /// The accounts that moved.
        accounts: Vec<AccountId>,
    },
    /// It does not happen.
    TakeOverCancelled {
        /// Why.
        reason: Cancellation,
    },
}
