//! What the server takes from its machine: the time, and random ids.

use std::time::Duration;

use uuid::Uuid;

/// The time since 1970.
#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a server stamps its events; no rule of the program depends on it"
)]
pub(crate) fn since_1970() -> Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
}

/// A random id.
#[expect(clippy::disallowed_methods, reason = "ids of the server's own events and subscriptions")]
pub(crate) fn fresh_id() -> Uuid {
    Uuid::new_v4()
}
