//! A mailed link, and other things that an event makes valid until a moment.

use chrono::TimeDelta;

use crate::Moment;
use crate::ids::EventId;
/// A mailed link that can still be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The event that created it.
    pub event: EventId,
    /// When it was created.
    pub since: Moment,
    /// The first moment at which it no longer works.
    pub expires_at: Moment,
}

impl Link {
    /// Whether it works at `at`. A link that a clock that was ahead created does not work before its start. Otherwise
    /// it would last longer by the time that the clock was ahead.
    #[must_use]
    pub fn holds(&self, at: Moment) -> bool {
        self.since - at <= SKEW && self.holds_early(at)
    }

    /// Whether it works at `at`, or would before its start. Activation links last for weeks, and a person who waits
    /// for one must not suffer from a clock that was ahead.
    #[must_use]
    pub fn holds_early(&self, at: Moment) -> bool {
        at < self.expires_at
    }
}

/// The largest accepted difference between the clocks of two nodes.
const SKEW: TimeDelta = TimeDelta::minutes(5);

/// The moment `duration` after `at`. Returns the latest possible moment if that is out of range.
pub(super) fn later(at: Moment, duration: TimeDelta) -> Moment {
    at.checked_add_signed(duration).unwrap_or(Moment::MAX_UTC)
}
