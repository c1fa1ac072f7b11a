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
    cap: Option<u32>,
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
    /// A cap of zero would lock everybody out, one over a hundred is none (NIST SP 800-63B-4, 3.2.2).
    #[error("the cap across lockouts must be from 1 to 100 wrong logins")]
    Cap,
}

impl Default for LockoutPolicy {
    fn default() -> Self {
        Self { attempts: 7, duration: TimeDelta::minutes(15), cap: None }
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
        Ok(Self { attempts, duration, cap: None })
    }

    /// The same, with so many wrong guesses across lockouts, after which only a reset or a release opens.
    ///
    /// # Errors
    /// [`UnsafeLockoutPolicy::Cap`] for zero, or over a hundred.
    pub fn with_cap(self, cap: u32) -> Result<Self, UnsafeLockoutPolicy> {
        match (1..=100).contains(&cap) {
            true => Ok(Self { cap: Some(cap), ..self }),
            false => Err(UnsafeLockoutPolicy::Cap),
        }
    }
}

/// When a lockout ends; what ends first is the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "Kept", into = "Kept")]
pub enum LockEnd {
    /// By itself, then.
    At(Moment),
    /// Not by itself: a new password through a mailed link ends it, or support.
    AtReset,
}

/// How strangers' lockouts are kept between two runs: a moment, as ever, or a word in its place.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Kept {
    At(Moment),
    Word(Word),
}

#[derive(Serialize, Deserialize)]
enum Word {
    #[serde(rename = "reset")]
    Reset,
}

impl From<Kept> for LockEnd {
    fn from(kept: Kept) -> Self {
        match kept {
            Kept::At(end) => Self::At(end),
            Kept::Word(Word::Reset) => Self::AtReset,
        }
    }
}

impl From<LockEnd> for Kept {
    fn from(end: LockEnd) -> Self {
        end.moment().map_or(Self::Word(Word::Reset), Self::At)
    }
}

impl LockEnd {
    /// When it ends by itself, where it does.
    #[must_use]
    pub fn moment(self) -> Option<Moment> {
        self.into()
    }

    fn is_over(self, at: Moment) -> bool {
        self.moment().is_some_and(|end| at >= end)
    }
}

impl From<Moment> for LockEnd {
    fn from(end: Moment) -> Self {
        Self::At(end)
    }
}

impl From<Option<Moment>> for LockEnd {
    fn from(end: Option<Moment>) -> Self {
        end.map_or(Self::AtReset, Self::At)
    }
}

impl From<LockEnd> for Option<Moment> {
    fn from(end: LockEnd) -> Self {
        match end {
            LockEnd::At(end) => Some(end),
            LockEnd::AtReset => None,
        }
    }
}

impl std::fmt::Display for LockEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::At(end) => write!(f, "until {end}"),
            Self::AtReset => f.write_str("until the password is reset"),
        }
    }
}

/// The wrong guesses since the last success, release or expiry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lockout {
    failures: u32,
    until: Option<LockEnd>,
    /// Those since the last success, reset or release: no expiry sets it to zero.
    #[serde(default)]
    across: u32,
}

/// What one more wrong guess does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Wrong guesses in a row, this one counted.
    pub failures: u32,
    /// Until when it locks, where it does.
    pub locks_until: Option<LockEnd>,
}

impl Lockout {
    /// Until when nothing is verified, if that is so at `at`.
    #[must_use]
    pub fn locked_until(&self, at: Moment) -> Option<LockEnd> {
        self.until.filter(|until| !until.is_over(at))
    }

    /// Whether a lockout has ended by itself, and nothing was judged since.
    #[must_use]
    pub fn has_expired(&self, at: Moment) -> bool {
        self.until.is_some_and(|until| until.is_over(at))
    }

    /// Wrong guesses in a row that count at `at`: none once a lockout has ended.
    #[must_use]
    pub fn failures_at(&self, at: Moment) -> u32 {
        if self.has_expired(at) { 0 } else { self.failures }
    }

    /// The same with a lockout that has ended by itself taken away, and what counted towards it.
    #[must_use]
    pub fn settled(self, at: Moment) -> Self {
        if self.has_expired(at) { Self { failures: 0, until: None, ..self } } else { self }
    }

    /// Wrong guesses since the last success, reset or release, across lockouts.
    #[must_use]
    pub fn failures_across(&self) -> u32 {
        self.across
    }

    /// Judges a wrong guess made while not locked.
    #[must_use]
    pub fn judge_failure(&self, policy: &LockoutPolicy, at: Moment) -> Failure {
        let row = self.judge_row(policy, at);
        let capped = policy.cap.is_some_and(|cap| self.across.saturating_add(1) >= cap);
        Failure { locks_until: if capped { Some(LockEnd::AtReset) } else { row.locks_until }, ..row }
    }

    /// The same without a cap: a lockout that ends by itself, after so many in a row.
    #[must_use]
    pub fn judge_row(&self, policy: &LockoutPolicy, at: Moment) -> Failure {
        let failures = self.failures_at(at).saturating_add(1);
        let end = at.checked_add_signed(policy.duration).unwrap_or(Moment::MAX_UTC);
        Failure { failures, locks_until: (failures >= policy.attempts).then_some(LockEnd::At(end)) }
    }

    /// After a wrong guess that was judged so.
    #[must_use]
    pub fn failed(self, failures: u32) -> Self {
        Self { failures, until: None, across: self.across.saturating_add(1) }
    }

    /// After a lockout began.
    #[must_use]
    pub fn locked(self, until: LockEnd) -> Self {
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
        assert_eq!(judged.locks_until, Some(LockEnd::At(Moment::MAX_UTC)));
    }

    #[test]
    fn a_cap_that_locks_everybody_or_nobody_is_refused() {
        for cap in [0, 101, u32::MAX] {
            assert_eq!(LockoutPolicy::default().with_cap(cap), Err(UnsafeLockoutPolicy::Cap), "{cap}");
        }
        assert!(LockoutPolicy::default().with_cap(100).is_ok());
    }

    #[test]
    fn what_was_kept_of_a_stranger_before_there_was_a_cap_is_read() {
        let kept = r#"{"failures":7,"until":"2026-11-23T09:45:00Z"}"#;
        let lockout: Lockout = serde_json::from_str(kept).unwrap();
        assert_eq!(lockout.failures, 7);
        assert!(lockout.locked_until(Moment::MIN_UTC).is_some_and(|end| end.moment().is_some()));
    }

    #[test]
    fn a_lock_without_end_survives_being_kept() {
        let lockout = Lockout::default().failed(7).locked(LockEnd::AtReset);
        let kept = serde_json::to_string(&lockout).unwrap();
        assert_eq!(serde_json::from_str::<Lockout>(&kept).unwrap(), lockout);
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
