//! The events of a take-over. [`crate::schema`] freezes their stored names.

use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::company::MergedSite;
use crate::ids::{AccountId, CompanyId, SiteId, TerminalId};

/// One of the two companies of a take-over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The company that gives sites and accounts away.
    Transferor,
    /// The company that gets them.
    Acquirer,
}

/// Why a take-over was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cancellation {
    /// The companies no longer want it.
    Withdrawn,
    /// One of the companies did not agree.
    Refused,
    /// It was opened by mistake.
    Mistake,
}

/// Something that happened to a take-over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Support opened the take-over.
    TakeOverOpened {
        /// The company that gives sites and accounts away.
        from: CompanyId,
        /// The company that gets them.
        to: CompanyId,
        /// The sites that move, each with its terminals.
        sites: Vec<SiteId>,
        /// The accounts that move.
        accounts: Vec<AccountId>,
        /// Support's own reference number.
        reference: String,
        /// When the take-over is expected to be completed.
        due_at: Moment,
    },
    /// One of the companies agreed.
    TakeOverConfirmed {
        /// The company.
        side: Side,
    },
    /// Support started the completion. From here on the take-over can't be cancelled.
    TakeOverBegun {
        /// The accounts that move: those that still belong to the company.
        accounts: Vec<AccountId>,
    },
    /// Everything has moved. From this event on it is shown at the new company.
    TakeOverCompleted {
        /// The company that gave sites and accounts away.
        from: CompanyId,
        /// The company that got them.
        to: CompanyId,
        /// The sites that moved.
        sites: Vec<SiteId>,
        /// The terminals that moved.
        terminals: Vec<TerminalId>,
        /// The accounts that moved.
        accounts: Vec<AccountId>,
        /// The sites that became one with a site that the new company had at the same address.
        merged: Vec<MergedSite>,
    },
    /// The take-over was cancelled.
    TakeOverCancelled {
        /// Why.
        reason: Cancellation,
    },
}
