//! The endpoints that are sent events, and the deliveries that wait.

use std::sync::Arc;

use chrono::TimeDelta;
use loquet_domain::Moment;
use loquet_domain::ports::{BoxFuture, Position};
use uuid::Uuid;

use super::{Fence, StoreFailed};

/// A receiver of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its id.
    pub id: Uuid,
    /// The URL to which events are sent.
    pub url: String,
    /// The types of event that it gets. Empty: all.
    pub types: Vec<String>,
    /// When it was added.
    pub created_at: Moment,
    /// The number of its present secret. The first is 1.
    pub secret: u32,
    /// Until when deliveries are signed with the secret before, too. `None` if there is none.
    pub older_secret_until: Option<Moment>,
    /// All events up to this position were delivered, wait, or are dead letters.
    pub position: Position,
    /// The id of the event at this position. It tells whether the log is still the same. `None` at the start of the log.
    pub event_id: Option<Uuid>,
    /// Why it gets no more events. `None` while it does.
    pub stopped: Option<String>,
}

/// A position in the log, with the event there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogPoint {
    /// The position.
    pub position: Position,
    /// The id of the event at this position. `None` at the start of the log.
    pub event_id: Option<Uuid>,
}

/// A delivery that did not succeed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The endpoint.
    pub endpoint: Uuid,
    /// The position of the event.
    pub position: Position,
    /// How often it was tried.
    pub tries: u32,
    /// When it is tried next. `None` for a dead letter.
    pub due_at: Option<Moment>,
    /// Why the last try failed.
    pub why: Option<String>,
}

impl Delivery {
    /// A delivery that is due later than in this time was stored while the clock was ahead. The longest pause is a day.
    pub const FARTHEST: TimeDelta = TimeDelta::hours(25);
}

/// How many deliveries of an endpoint wait, and how many were given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeliveryCounts {
    /// They are tried again.
    pub waiting: u64,
    /// Dead letters.
    pub dead: u64,
}

/// The endpoints and their deliveries. All nodes share them.
///
/// An adapter guarantees:
/// - **A delivery is not lost**: [`advance`](Self::advance) stores deliveries and the position together.
/// - **A position is moved by one caller at a time**: of two who move an endpoint from the same position, one succeeds.
/// - **Durable**: what a call changed survives a kill after it returned.
/// - **A removed endpoint is gone**, with its deliveries. A call that names it changes nothing.
pub trait Webhooks: Send + Sync {
    /// Returns the same webhooks for the node that holds the lease on the reactions under this fence. Once the lease is
    /// over, every write through them fails with [`Fenced`](super::Fenced) as its cause, and changes nothing. A store that
    /// no other node uses has nothing to compare.
    fn under(&self, fence: Fence) -> Arc<dyn Webhooks>;

    /// Adds an endpoint.
    ///
    /// # Errors
    /// [`StoreFailed`] if the store can't be written.
    fn add(&self, endpoint: Endpoint) -> BoxFuture<'_, Result<(), StoreFailed>>;

    /// All endpoints, the oldest first.
    ///
    /// # Errors
    /// [`StoreFailed`] if the store can't be read.
    fn list(&self) -> BoxFuture<'_, Result<Vec<Endpoint>, StoreFailed>>;

    /// Removes an endpoint with its deliveries. Returns whether there was one.
    ///
    /// # Errors
    /// [`StoreFailed`] if the store can't be written.
    fn remove(&self, endpoint: Uuid) -> BoxFuture<'_, Result<bool, StoreFailed>>;

    /// Gives an endpoint a new secret. The old one is used too until `older_until`. Returns the number of the new
    /// secret, or `None` if there is no such endpoint.
    ///
    /// # Errors
    /// [`StoreFailed`] if the store can't be written.
    fn rotate(&self, endpoint: Uuid, older_until: Moment) -> BoxFuture<'_, Result<Option<u32>, StoreFailed>>;

    /// Stops an endpoint, with the reason, or lets it go on (`None`). Returns whether there is one.
    ///
    /// # Errors
    /// [`StoreFailed`] if the store can't be written.
    fn stop(&self, endpoint: Uuid, why: Option<String>) -> BoxFuture<'_, Result<bool, StoreFailed>>;

    /// Moves an endpoint from one position to the position up to which the log was read, and stores deliveries of these
    /// events, which are due now. A delivery that is there stays as it is. Returns `false` and stores nothing if the
    /// endpoint is not at `from`, or is gone: an operator or another node has moved it.
    ///
    /// # Errors
    /// [`StoreFailed`] if the store can't be written. Then nothing was stored.
    fn advance(
        &self,
        endpoint: Uuid,
        from: Position,
        to: LogPoint,
        events: Vec<Position>,
        now: Moment,
    ) -> BoxFuture<'_, Result<bool, StoreFailed>>;

    /// Sets the position, removes the deliveries of later events, and lets the endpoint go on if it was stopped. Returns
    /// `false` and changes nothing if there is no such endpoint, or if `from` is given and the endpoint is not there.
    ///
    /// # Errors
    /// [`StoreFailed`] if the store can't be written.
    fn set_position(
        &self,
        endpoint: Uuid,
        from: Option<Position>,
        to: LogPoint,
    ) -> BoxFuture<'_, Result<bool, StoreFailed>>;

    /// Up to `limit` deliveries of an endpoint that are due, those of older events first. A delivery that is due
    /// later than in [`Delivery::FARTHEST`] is due now, because the clock was put back.
    ///
    /// # Errors
    /// [`StoreFailed`] if the store can't be read.
    fn due(
        &self,
        endpoint: Uuid,
        now: Moment,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<Delivery>, StoreFailed>>;

    /// Removes a delivery, because it succeeded.
    ///
    /// # Errors
    /// [`StoreFailed`] if the store can't be written. The event may then be delivered again.
    fn delivered(&self, endpoint: Uuid, event: Position) -> BoxFuture<'_, Result<(), StoreFailed>>;

    /// Notes a try that failed. The delivery is due again at `due_at`. Without that, it is a dead letter.
    ///
    /// # Errors
    /// [`StoreFailed`] if the store can't be written.
    fn failed(
        &self,
        endpoint: Uuid,
        event: Position,
        why: String,
        due_at: Option<Moment>,
    ) -> BoxFuture<'_, Result<(), StoreFailed>>;

    /// How many deliveries of an endpoint wait, and how many are dead letters.
    ///
    /// # Errors
    /// [`StoreFailed`] if the store can't be read.
    fn counts(&self, endpoint: Uuid) -> BoxFuture<'_, Result<DeliveryCounts, StoreFailed>>;

    /// Up to `limit` deliveries of an endpoint that failed at least once, those of older events first.
    ///
    /// # Errors
    /// [`StoreFailed`] if the store can't be read.
    fn failing(&self, endpoint: Uuid, limit: u32) -> BoxFuture<'_, Result<Vec<Delivery>, StoreFailed>>;

    /// Makes every delivery of an endpoint that failed due now, as if it had never been tried. Returns how many.
    ///
    /// # Errors
    /// [`StoreFailed`] if the store can't be written.
    fn retry(&self, endpoint: Uuid, now: Moment) -> BoxFuture<'_, Result<u64, StoreFailed>>;
}
