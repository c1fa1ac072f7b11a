//! How large a merchant is, and which of them are taken over.

use loquet_domain::Moment;

/// From how many sites on a merchant is a chain.
pub(super) const CHAIN: u32 = 100;

/// How large a merchant is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    /// Which of all people its owner is.
    pub(super) first: u32,
    pub(super) people: u32,
    pub(super) sites: u32,
}

/// How a take-over ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Completed,
    Cancelled,
    Open,
}

/// A merchant that another takes over.
#[derive(Clone, Copy, Debug)]
pub(super) struct TakeOverPlan {
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) ending: Ending,
    pub(super) opened: Moment,
}
