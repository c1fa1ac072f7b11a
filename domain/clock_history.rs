//! Remembers when a clock was set back, so that nothing that had expired works again.
//!
//! Expiry is compared, not scheduled (law 7). So a clock that is set back would make an expired session valid again.
//! It is no solution to compare with the latest time ever shown: after a clock was ahead by mistake and was
//! corrected, new sessions would count as expired. The solution is to know how much time has passed since each
//! session began. So each jump back is remembered, with the sessions and challenges that begin after it, until the
//! clock has passed the time that it jumped from. A jump back neither lengthens nor shortens a session. A session
//! from a time when the clock was ahead lasts no longer than any other, and still works after the clock was
//! corrected.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{PoisonError, RwLock};

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Moment;

/// Requests that come at the same time may be processed in any order. A clock that goes back by at most this much was
/// not set back.
const NOISE: TimeDelta = TimeDelta::seconds(1);

/// The times at which the clock of this process was set back.
#[derive(Debug)]
pub struct ClockHistory {
    /// The latest time shown since the last jump, in microseconds since 1970.
    latest: AtomicI64,
    /// The latest time that any remembered jump came from, in the same unit.
    furthest: AtomicI64,
    jumps: RwLock<Jumps>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Jumps {
    /// The jumps whose starting time the clock has not passed again.
    back: Vec<Jump>,
    /// The number of jumps so far.
    count: u64,
    /// The sessions and challenges that began while a jump was remembered, with the number of jumps at that time.
    began: HashMap<Uuid, u64>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Jump {
    /// Its number. The first jump is 1.
    number: u64,
    from: Moment,
    to: Moment,
}

/// A clock's history as it is stored between two runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClockSnapshot {
    latest: Option<Moment>,
    jumps: Jumps,
}

impl Default for ClockHistory {
    fn default() -> Self {
        let (latest, furthest) = (AtomicI64::new(i64::MIN), AtomicI64::new(i64::MIN));
        Self { latest, furthest, jumps: RwLock::default() }
    }
}

impl ClockHistory {
    /// Records a time that the clock shows.
    pub fn note(&self, at: Moment) {
        let shown = at.timestamp_micros();
        let before = self.latest.fetch_max(shown, Ordering::SeqCst);
        let Some(from) = Moment::from_timestamp_micros(before).filter(|from| *from - at > NOISE) else {
            return;
        };
        let mut jumps = self.jumps.write().unwrap_or_else(PoisonError::into_inner);
        if self.latest.compare_exchange(before, shown, Ordering::SeqCst, Ordering::SeqCst).is_err() {
            return; // somebody else noted the jump
        }
        if self.has_passed(from) {
            jumps.back.clear();
            jumps.began.clear();
        }
        jumps.count += 1;
        let number = jumps.count;
        jumps.back.push(Jump { number, from, to: at });
        self.furthest.fetch_max(before, Ordering::SeqCst);
    }

    /// The part that the next run must know.
    #[must_use]
    pub fn kept(&self) -> ClockSnapshot {
        let latest = Moment::from_timestamp_micros(self.latest.load(Ordering::SeqCst));
        ClockSnapshot { latest, jumps: self.jumps.read().unwrap_or_else(PoisonError::into_inner).clone() }
    }

    /// Restores what the last run stored. It must be called before the clock is first recorded.
    pub fn take_up(&self, kept: ClockSnapshot) {
        let furthest = kept.jumps.back.iter().map(|jump| jump.from.timestamp_micros()).max();
        self.furthest.fetch_max(furthest.unwrap_or(i64::MIN), Ordering::SeqCst);
        *self.jumps.write().unwrap_or_else(PoisonError::into_inner) = kept.jumps;
        if let Some(latest) = kept.latest {
            self.note(latest);
        }
    }

    /// Records that a session or challenge begins. `at` is now.
    pub fn begins(&self, id: Uuid, at: Moment) {
        if !self.has_passed(at) {
            let mut jumps = self.jumps.write().unwrap_or_else(PoisonError::into_inner);
            let count = jumps.count;
            jumps.began.insert(id, count);
        }
    }

    /// The time that the clock would show if it had not been set back since something began. `at` is now. The result
    /// is `at` unless the clock was set back. Something that is not known to have begun after a jump counts as begun
    /// before it.
    #[must_use]
    pub fn reached(&self, id: Uuid, at: Moment) -> Moment {
        let latest = Moment::from_timestamp_micros(self.latest.load(Ordering::SeqCst));
        let now = latest.filter(|latest| *latest - at <= NOISE).map_or(at, |latest| latest.max(at));
        if self.has_passed(at) {
            return now;
        }
        let jumps = self.jumps.read().unwrap_or_else(PoisonError::into_inner);
        let began = jumps.began.get(&id).copied().unwrap_or_default();
        let since = jumps.back.iter().filter(|jump| jump.number > began).map(|jump| jump.from - jump.to);
        since.fold(now, |reached, lost| reached.checked_add_signed(lost).unwrap_or(Moment::MAX_UTC))
    }

    /// Whether the clock has passed every time from which it was set back.
    fn has_passed(&self, at: Moment) -> bool {
        at.timestamp_micros() >= self.furthest.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: Uuid = Uuid::from_u128(1);
    const OTHER: Uuid = Uuid::from_u128(2);

    fn at(minute: i64) -> Moment {
        Moment::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    #[test]
    fn what_had_expired_when_the_clock_was_put_back_stays_so_and_what_begins_afterwards_does_not_suffer() {
        let history = ClockHistory::default();
        history.begins(SESSION, at(100));
        for minute in [100, 1000, 160] {
            history.note(at(minute));
        }
        assert_eq!(history.reached(SESSION, at(160)), at(1000), "the clock had come as far as that");
        assert_eq!(history.reached(SESSION, at(165)), at(1005), "and the time goes on from there");
        history.begins(OTHER, at(161));
        assert_eq!(history.reached(OTHER, at(170)), at(170), "the jump was before it");
        for minute in [300, 180] {
            history.note(at(minute));
        }
        assert_eq!(history.reached(OTHER, at(180)), at(300), "another jump was not");
        assert_eq!(
            history.reached(SESSION, at(180)),
            at(1140),
            "two jumps took nothing from the 1040 minutes"
        );
        assert_eq!(history.reached(SESSION, at(2000)), at(2000), "the clock has passed them all");
    }

    #[test]
    fn a_clock_that_is_put_back_between_two_runs_or_was_before_is_remembered() {
        let before = ClockHistory::default();
        before.begins(SESSION, at(100));
        [100, 1000, 160].iter().for_each(|minute| before.note(at(*minute)));
        before.begins(OTHER, at(161));
        let after = ClockHistory::default();
        after.take_up(serde_json::from_str(&serde_json::to_string(&before.kept()).unwrap()).unwrap());
        after.note(at(170));
        assert_eq!(after.reached(SESSION, at(170)), at(1010));
        assert_eq!(after.reached(OTHER, at(170)), at(170));
        let stopped = ClockHistory::default();
        stopped.take_up(after.kept());
        stopped.note(at(120));
        assert_eq!(stopped.reached(OTHER, at(120)), at(170), "it was put back while nothing ran");
    }

    #[test]
    fn requests_that_overtake_one_another_are_no_jump() {
        let history = ClockHistory::default();
        history.note(at(100));
        let earlier = at(100) - TimeDelta::milliseconds(900);
        history.note(earlier);
        assert_eq!(history.reached(SESSION, earlier), at(100));
        history.begins(OTHER, earlier);
        assert_eq!(history.reached(OTHER, at(101)), at(101));
    }
}
