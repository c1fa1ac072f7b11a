//! A take-over: a company's sites, with their terminals, and its people go to another company.
//!
//! Support opens it and completes it; both companies are asked. Completing takes appends to the streams of
//! both companies and of every account that moves. Each is idempotent, and what people see moves with the
//! last of them, `TakeOverCompleted`, all at once: at every position in between each site, terminal and
//! account is shown at exactly one company.

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

/// How long a take-over is expected to last.
pub const EXPECTED: TimeDelta = TimeDelta::days(28);
