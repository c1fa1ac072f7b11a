//! What is remembered of a clock that was put back, so that nothing that had expired works again.
//!
//! Expiry is compared, not scheduled (law 7): a clock that is put back would make a session valid again that the clock had
//! shown to be over. A clock that was ahead by mistake must not outlaw what begins after it is put right, so the latest
//! moment ever shown is no answer either. What helps is to know which moments were shown before each jump.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{PoisonError, RwLock};

use chrono::TimeDelta;

use crate::Moment;

/// Requests of one moment arrive in any order. A clock that seems to go back by less was not put back.
const NOISE: TimeDelta = TimeDelta::seconds(1);
/// How many jumps are remembered. A jump is forgotten when the clock has passed the moment that it jumped from.
const MOST: usize = 16;

/// The jumps of the clock of this process.
#[derive(Debug)]
pub struct ClockHistory {
    /// The latest moment shown since the last jump, in microseconds since 1970.
    latest: AtomicI64,
    jumps: RwLock<Vec<Jump>>,
}

#[derive(Clone, Copy, Debug)]
struct Jump {
    /// The latest moment before it.
    from: Moment,
    /// The first moment after it.
    to: Moment,
}

impl Default for ClockHistory {
    fn default() -> Self {
        Self { latest: AtomicI64::new(i64::MIN), jumps: RwLock::default() }
    }
}

impl ClockHistory {
    /// Notes a moment that the clock shows.
    pub fn note(&self, at: Moment) {
        let shown = at.timestamp_micros();
        let before = self.latest.fetch_max(shown, Ordering::Relaxed);
        let Some(from) = Moment::from_timestamp_micros(before).filter(|from| *from - at > NOISE) else {
            return;
        };
        let mut jumps = self.jumps.write().unwrap_or_else(PoisonError::into_inner);
        if self.latest.compare_exchange(before, shown, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return; // somebody else noted the jump
        }
        jumps.retain(|jump| jump.from > at);
        jumps.push(Jump { from, to: at });
        if jumps.len() > MOST {
            jumps.sort_by_key(|jump| jump.from);
            jumps.remove(0);
        }
    }

    /// The latest moment that the clock is known to have shown after something began at `since`. It is `at`, which is now,
    /// unless the clock was put back in between.
    #[must_use]
    pub fn reached(&self, since: Moment, at: Moment) -> Moment {
        self.note(at);
        let jumps = self.jumps.read().unwrap_or_else(PoisonError::into_inner);
        // What began between the two moments of a jump may have begun after it.
        let before = jumps.iter().filter(|jump| since < jump.to).map(|jump| jump.from);
        before.fold(at, Moment::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Moment {
        Moment::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    #[test]
    fn what_had_expired_when_the_clock_was_put_back_stays_so_and_what_begins_afterwards_does_not_suffer() {
        let history = ClockHistory::default();
        history.note(at(100));
        history.note(at(1000));
        assert_eq!(history.reached(at(100), at(160)), at(1000), "the clock had come as far as that");
        assert_eq!(history.reached(at(161), at(170)), at(170), "the jump was before it");
        assert_eq!(history.reached(at(100), at(2000)), at(2000), "the clock has passed it");
    }

    #[test]
    fn requests_that_overtake_one_another_are_no_jump() {
        let history = ClockHistory::default();
        history.note(at(100));
        let earlier = at(100) - TimeDelta::milliseconds(900);
        assert_eq!(history.reached(at(1), earlier), earlier);
    }

    #[test]
    fn the_jumps_that_matter_longest_are_remembered() {
        let history = ClockHistory::default();
        for jump in 0..100 {
            history.note(at(10_000 - jump * 10));
            history.note(at(10 + jump));
        }
        assert_eq!(history.reached(at(1), at(500)), at(10_000));
    }
}
