//! The sizes of merchants, and which of them are taken over.

use loquet_domain::Moment;

/// A merchant with at least this many sites is a chain.
pub(super) const CHAIN: u32 = 100;

/// The size of a merchant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    /// The number of its owner among all people.
    pub(super) first: u32,
    pub(super) people: u32,
    pub(super) sites: u32,
}

/// The result of a take-over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Completed,
    Cancelled,
    Open,
}

/// A merchant that another merchant takes over.
#[derive(Clone, Copy, Debug)]
pub(super) struct TakeOverPlan {
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) ending: Ending,
    pub(super) opened: Moment,
}
