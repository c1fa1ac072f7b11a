//! The names of orders' streams.

use crate::ids::OrderId;
use crate::stream::StreamId;

/// What the names of orders' streams begin with. Part of the storage format: never change it.
pub const CATEGORY: &str = "order";

/// The stream of an order.
#[must_use]
pub fn stream(id: &OrderId) -> StreamId {
    StreamId::new(CATEGORY, id.as_str())
}
