//! The clock. The caller supplies it.

use std::sync::Arc;

use loquet_domain::Moment;

/// Returns the current time. Never fails.
///
/// The program makes the only clock that reads the real time. A test supplies one that shows a chosen time. Two calls
/// may return the same time. A later call may return an earlier time, because an operator may set the clock back. No
/// code here orders events by it.
pub type Clock = Arc<dyn Fn() -> Moment + Send + Sync>;
