//! The names of order streams.

use crate::ids::OrderId;
use crate::stream::StreamId;

/// The category of order streams: the first part of their names. Part of the storage format: never change it.
pub const CATEGORY: &str = "order";

/// The stream of an order.
#[must_use]
pub fn stream(id: &OrderId) -> StreamId {
    StreamId::new(CATEGORY, id.as_str())
}
