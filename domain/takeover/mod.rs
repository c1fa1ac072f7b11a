//! A take-over: sites with their terminals, and accounts, move from one company to another.
//!
//! Support opens and completes it. Both companies are asked to agree. Completing it takes appends to the streams of
//! both companies and of every account that moves. Each append is idempotent. What people see changes all at once
//! with the last of them, `TakeOverCompleted`. At every position of the log each site, terminal and account is shown
//! at exactly one company.

mod decide;
mod event;
mod identity;
mod state;
#[cfg(test)]
mod tests;

pub use decide::{Command, Refusal, decide};
pub use event::{Cancellation, Event, Side};
pub use identity::{CATEGORY, stream};
pub use state::{Opened, Stage, TakeOver, evolve};

use chrono::TimeDelta;

/// The expected duration of a take-over.
pub const EXPECTED: TimeDelta = TimeDelta::days(28);
