//! The time, handed in.

use std::sync::Arc;

use loquet_domain::Moment;

/// Tells the current moment. Takes nothing, and never fails.
///
/// The program makes the only one that reads the real clock. A test hands in one that stands where it wants. Two calls
/// may give the same moment, and a later call an earlier one: an operator may set the clock back. Nothing here takes
/// the order of events from it.
pub type Clock = Arc<dyn Fn() -> Moment + Send + Sync>;
