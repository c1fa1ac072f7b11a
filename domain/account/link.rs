//! A mailed link, and other things that an event makes valid until a moment.

use chrono::TimeDelta;

use crate::Moment;
use crate::ids::EventId;
/// A link that was mailed and can still be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The event that it comes from.
    pub event: EventId,
    /// When it was made.
    pub since: Moment,
    /// The first moment at which it no longer works.
    pub expires_at: Moment,
}

impl Link {
    /// Whether it works at `at`. One that a clock ahead has made waits until it is due: otherwise it would last as much
    /// longer as the clock was ahead.
    #[must_use]
    pub fn holds(&self, at: Moment) -> bool {
        self.since - at <= SKEW && self.holds_early(at)
    }

    /// Whether it works at `at`, or before it is due. Activation links last for weeks, and whoever waits for one must not
    /// suffer from a clock that was ahead.
    #[must_use]
    pub fn holds_early(&self, at: Moment) -> bool {
        at < self.expires_at
    }
}

/// How far the clocks of two nodes may be apart.
const SKEW: TimeDelta = TimeDelta::minutes(5);

/// The moment that is `duration` after `at`; the last moment of all where there is none.
pub(super) fn later(at: Moment, duration: TimeDelta) -> Moment {
    at.checked_add_signed(duration).unwrap_or(Moment::MAX_UTC)
}
