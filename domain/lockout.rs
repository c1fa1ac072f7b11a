//! The lockout rule: so many wrong guesses in a row, and nothing is verified for so long.
//!
//! Accounts and unknown addresses are judged by the same value (law 11).

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::Moment;

/// How many wrong guesses in a row lock, and for how long. Seven and fifteen minutes by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockoutPolicy {
    attempts: u32,
    duration: TimeDelta,
}

/// A setting that would switch the lockout off, or never let anybody back in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsafeLockoutPolicy {
    /// Zero, or over a hundred guesses.
    #[error("the lockout must begin after 1 to 100 wrong logins in a row")]
    Attempts,
    /// Under a second, or over 30 days.
    #[error("a lockout must last from 1 second to 30 days")]
    Duration,
}

impl Default for LockoutPolicy {
    fn default() -> Self {
        Self { attempts: 7, duration: TimeDelta::minutes(15) }
    }
}

impl LockoutPolicy {
    /// A policy of 1 to 100 attempts and 1 second to 30 days.
    ///
    /// # Errors
    /// [`UnsafeLockoutPolicy`] for anything that would protect nobody.
    pub fn new(attempts: u32, duration: TimeDelta) -> Result<Self, UnsafeLockoutPolicy> {
        if !(1..=100).contains(&attempts) {
            return Err(UnsafeLockoutPolicy::Attempts);
        }
        if duration < TimeDelta::seconds(1) || duration > TimeDelta::days(30) {
            return Err(UnsafeLockoutPolicy::Duration);
        }
        Ok(Self { attempts, duration })
    }
}

/// The wrong guesses since the last success, release or expiry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lockout {
    failures: u32,
    until: Option<Moment>,
}

/// What one more wrong guess does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Wrong guesses in a row, this one counted.
    pub failures: u32,
    /// Until when it locks, where it does.
    pub locks_until: Option<Moment>,
}

impl Lockout {
    /// Until when nothing is verified, if that is so at `at`.
    #[must_use]
    pub fn locked_until(&self, at: Moment) -> Option<Moment> {
        self.until.filter(|until| at < *until)
    }

    /// Wrong guesses in a row that count at `at`: none once a lockout has ended.
    #[must_use]
    pub fn failures_at(&self, at: Moment) -> u32 {
        let expired = self.until.is_some_and(|until| at >= until);
        if expired { 0 } else { self.failures }
    }

    /// Judges a wrong guess made while not locked.
    #[must_use]
    pub fn judge_failure(&self, policy: &LockoutPolicy, at: Moment) -> Failure {
        let failures = self.failures_at(at).saturating_add(1);
        let end = at.checked_add_signed(policy.duration).unwrap_or(Moment::MAX_UTC);
        Failure { failures, locks_until: (failures >= policy.attempts).then_some(end) }
    }

    /// After a wrong guess that was judged so.
    #[must_use]
    pub fn failed(self, failures: u32) -> Self {
        Self { failures, until: None }
    }

    /// After a lockout began.
    #[must_use]
    pub fn locked(self, until: Moment) -> Self {
        Self { until: Some(until), ..self }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_policy_that_protects_nobody_is_refused() {
        assert!(LockoutPolicy::new(0, TimeDelta::minutes(15)).is_err());
        assert!(LockoutPolicy::new(101, TimeDelta::minutes(15)).is_err());
        for duration in
            [TimeDelta::zero(), TimeDelta::minutes(-15), TimeDelta::days(31), TimeDelta::MAX, TimeDelta::MIN]
        {
            assert!(LockoutPolicy::new(7, duration).is_err(), "{duration:?}");
        }
    }

    #[test]
    fn the_last_moment_of_time_does_not_overflow_into_no_lock() {
        let lockout = Lockout::default().failed(6);
        let judged = lockout.judge_failure(&LockoutPolicy::default(), Moment::MAX_UTC);
        assert_eq!(judged.locks_until, Some(Moment::MAX_UTC));
    }

    proptest! {
        #[test]
        fn a_clock_that_jumps_back_never_opens_a_lock(at in 0_i64..4_000_000_000, back in 0_i64..4_000_000_000) {
            let at = Moment::from_timestamp(at, 0).unwrap();
            let until = Lockout::default().failed(6).judge_failure(&LockoutPolicy::default(), at).locks_until.unwrap();
            let earlier = at - TimeDelta::seconds(back);
            prop_assert_eq!(Lockout::default().failed(7).locked(until).locked_until(earlier), Some(until));
        }
    }
}
