//! A simple model of the rule of seven. Tests compare the real rule with it.

use super::tests::Numbers;

/// One row of wrong guesses, of an account or of a device.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    pub(super) failures: u32,
    pub(super) codes: u32,
    pub(super) across: u32,
    /// The minute at which the lockout ends. `i64::MAX` for a lockout that only a reset or a release ends.
    pub(super) until: Option<i64>,
}

/// What was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    Password,
    Code,
}

/// Whether a lockout began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Locks,
    GoesOn,
}

impl Row {
    /// Whether nothing is judged now. A lockout that has ended sets the count to zero.
    pub(super) fn is_locked(&mut self, now: i64) -> bool {
        if self.until.is_some_and(|until| now >= until) {
            *self = Self { across: self.across, ..Self::default() };
        }
        self.until.is_some()
    }

    /// Counts one more wrong guess.
    pub(super) fn wrong(&mut self, now: i64, numbers: Numbers, wrong: Wrong) -> Then {
        let was_locked = self.is_locked(now);
        self.failures += 1;
        self.across += 1;
        let mut enough = self.failures >= numbers.attempts;
        if wrong == Wrong::Code {
            self.codes += 1;
            enough |= self.codes >= numbers.attempts;
        }
        let for_good = numbers.cap.is_some_and(|cap| self.across >= cap);
        if for_good && self.until != Some(i64::MAX) {
            self.until = Some(i64::MAX);
            return Then::Locks;
        }
        if was_locked || !enough {
            return Then::GoesOn;
        }
        self.until = Some(now + numbers.minutes);
        Then::Locks
    }

    /// A new password through a mailed link. Only the wrong codes stay counted.
    pub(super) fn reset(&mut self, now: i64) {
        self.is_locked(now);
        *self = Self { codes: self.codes, ..Self::default() };
    }

    /// A complete login. It does not end a lockout that others caused.
    pub(super) fn log_in(&mut self, now: i64) {
        self.is_locked(now);
        *self = Self { until: self.until, ..Self::default() };
    }

    /// Support's release.
    pub(super) fn release(&mut self) {
        *self = Self::default();
    }
}
