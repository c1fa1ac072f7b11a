//! The names of take-overs' streams.

use crate::ids::TakeOverId;
use crate::stream::StreamId;

/// What the names of take-overs' streams begin with. Part of the storage format: never change it.
pub const CATEGORY: &str = "takeover";

/// The stream of a take-over.
#[must_use]
pub fn stream(id: TakeOverId) -> StreamId {
    StreamId::new(CATEGORY, &id.to_string())
}
