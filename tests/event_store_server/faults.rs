//! What goes wrong on request.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// What happens to an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendFault {
    /// The append succeeds. This lets one append through before the next fault.
    Nothing,
    /// The events are written. Then all connections break, and the client gets no answer.
    LostReply,
    /// Nothing is written. All connections break, and the client gets no answer.
    LostRequest,
    /// The events are written, but the server answers that it timed out.
    TimedOutLate,
    /// Nothing is written, and the server answers that it is too busy.
    TooBusy,
    /// The append succeeds, but the answer names no position, as some servers answer a repeat.
    NoPosition,
    /// The events are written, and no answer ever comes. The connection stays.
    Silence,
}

/// What the server refuses with "access denied".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Denied {
    /// Nothing.
    #[default]
    Nothing,
    /// Each append.
    Appends,
    /// Each read of the whole log.
    WholeLog,
}

/// In which order a subscription delivers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    /// Each event once and in order, as a real server does.
    #[default]
    InOrder,
    /// Each event twice, and neighbours exchanged.
    TwiceAndOutOfOrder,
}

/// The faults of a cluster. They hold for all of its nodes.
pub struct Faults {
    state: Mutex<State>,
    stalled: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    appends: VecDeque<AppendFault>,
    denied: Denied,
    delivery: Delivery,
}

impl Faults {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::default(), stalled: watch::Sender::new(false) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the next appends go wrong in these ways, one fault for each append.
    pub fn inject(&self, faults: impl IntoIterator<Item = AppendFault>) {
        self.state().appends.extend(faults);
    }

    /// The number of injected faults that no append has met yet.
    #[must_use]
    pub fn left(&self) -> usize {
        self.state().appends.len()
    }

    /// Refuses requests with "access denied" from now on.
    pub fn deny(&self, denied: Denied) {
        self.state().denied = denied;
    }

    /// Changes how subscriptions deliver, from their next event on.
    pub fn deliver(&self, delivery: Delivery) {
        self.state().delivery = delivery;
    }

    /// Holds all requests and answers until [`Faults::go_on`]. Connections stay open.
    pub fn stall(&self) {
        self.stalled.send_replace(true);
    }

    /// Ends a stall.
    pub fn go_on(&self) {
        self.stalled.send_replace(false);
    }

    pub(crate) fn next_append(&self) -> AppendFault {
        self.state().appends.pop_front().unwrap_or(AppendFault::Nothing)
    }

    pub(crate) fn denied(&self) -> Denied {
        self.state().denied
    }

    pub(crate) fn delivery(&self) -> Delivery {
        self.state().delivery
    }

    /// Waits until no stall holds requests up.
    pub(crate) async fn pass(&self) {
        // The sender is in this struct, so it cannot be gone.
        let _ = self.stalled.subscribe().wait_for(|stalled| !stalled).await;
    }
}
