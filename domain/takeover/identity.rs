//! The names of take-over streams.

use crate::ids::TakeOverId;
use crate::stream::StreamId;

/// The category of take-over streams: the first part of their names. Part of the storage format: never change it.
pub const CATEGORY: &str = "takeover";

/// The stream of a take-over.
#[must_use]
pub fn stream(id: TakeOverId) -> StreamId {
    StreamId::new(CATEGORY, &id.to_string())
}
