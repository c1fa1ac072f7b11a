//! The lockout rule: after seven wrong guesses in a row nothing is verified for 15 minutes. Both numbers are
//! settings.
//!
//! Each account, each trusted device and each unknown address has its own row of wrong guesses (laws 4 and 11).

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::Moment;

/// How many wrong guesses in a row begin a lockout, and how long it lasts. The default is seven guesses and 15
/// minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockoutPolicy {
    attempts: u32,
    duration: TimeDelta,
    cap: Option<u32>,
}

/// A setting that would switch the lockout off, or make it endless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsafeLockoutPolicy {
    /// Zero guesses, or more than a hundred.
    #[error("the lockout must begin after 1 to 100 wrong logins in a row")]
    Attempts,
    /// Shorter than a second, or longer than 30 days.
    #[error("a lockout must last from 1 second to 30 days")]
    Duration,
    /// A cap of zero would lock everybody out. A cap over a hundred limits nothing (NIST SP 800-63B-4, 3.2.2).
    #[error("the cap across lockouts must be from 1 to 100 wrong logins")]
    Cap,
}

impl Default for LockoutPolicy {
    fn default() -> Self {
        Self { attempts: 7, duration: TimeDelta::minutes(15), cap: None }
    }
}

impl LockoutPolicy {
    /// Makes a policy of 1 to 100 attempts and of 1 second to 30 days.
    ///
    /// # Errors
    /// [`UnsafeLockoutPolicy`] for values outside these limits.
    pub fn new(attempts: u32, duration: TimeDelta) -> Result<Self, UnsafeLockoutPolicy> {
        if !(1..=100).contains(&attempts) {
            return Err(UnsafeLockoutPolicy::Attempts);
        }
        if duration < TimeDelta::seconds(1) || duration > TimeDelta::days(30) {
            return Err(UnsafeLockoutPolicy::Duration);
        }
        Ok(Self { attempts, duration, cap: None })
    }

    /// The same policy with a cap on wrong guesses across lockouts. When the cap is reached, only a password reset or
    /// a release by support ends the lockout.
    ///
    /// # Errors
    /// [`UnsafeLockoutPolicy::Cap`] for zero, or for more than a hundred.
    pub fn with_cap(self, cap: u32) -> Result<Self, UnsafeLockoutPolicy> {
        match (1..=100).contains(&cap) {
            true => Ok(Self { cap: Some(cap), ..self }),
            false => Err(UnsafeLockoutPolicy::Cap),
        }
    }
}

impl LockoutPolicy {
    /// How many wrong guesses in a row begin a lockout.
    #[must_use]
    pub fn attempts(self) -> u32 {
        self.attempts
    }

    /// How long a lockout lasts.
    #[must_use]
    pub fn duration(self) -> TimeDelta {
        self.duration
    }

    /// The cap on wrong guesses across lockouts, if there is one.
    #[must_use]
    pub fn cap(self) -> Option<u32> {
        self.cap
    }
}

/// When a lockout ends. The earlier end is the smaller value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "Kept", into = "Kept")]
pub enum LockEnd {
    /// By itself, at this moment.
    At(Moment),
    /// Not by itself. A new password through a mailed link ends it, or support does.
    AtReset,
}

/// How the lockout of an unknown address is stored between two runs: as a moment, or as a word in its place.
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
    /// The moment at which it ends by itself. Returns `None` if it does not.
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

/// A row of wrong guesses and the lockout that it caused. It belongs to an account, a trusted device or an unknown
/// address.
///
/// Seven wrong passwords in a row lock for 15 minutes, and then the count is zero again:
///
/// ```
/// use chrono::TimeDelta;
/// use loquet_domain::Moment;
/// use loquet_domain::policies::lockout::{Lockout, LockoutPolicy, Wrong};
///
/// let (policy, at) = (LockoutPolicy::default(), Moment::UNIX_EPOCH);
/// let mut lockout = Lockout::default();
/// for guess in 1..=7 {
///     let judged = lockout.judge(&policy, Wrong::Password, at);
///     assert_eq!((judged.failures, judged.locks_until.is_some()), (guess, guess == 7));
///     lockout = lockout.failed(at, judged.failures, judged.codes);
///     if let Some(until) = judged.locks_until {
///         lockout = lockout.locked(until);
///     }
/// }
/// assert!(lockout.locked_until(at + TimeDelta::minutes(14)).is_some());
/// assert!(lockout.locked_until(at + TimeDelta::minutes(15)).is_none());
/// assert_eq!(lockout.failures_at(at + TimeDelta::minutes(15)), 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lockout {
    failures: u32,
    until: Option<LockEnd>,
    /// Wrong guesses since the last success, reset or release. The end of a lockout does not set this to zero.
    #[serde(default)]
    across: u32,
    /// Wrong codes since the last success, release or end of a lockout. A new password does not set this to zero.
    #[serde(default, skip_serializing_if = "is_zero")]
    codes: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What was wrong about a guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// The password.
    Password,
    /// The code of the second step.
    Code,
}

/// What one more wrong guess changes in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Wrong guesses in a row, this one included.
    pub failures: u32,
    /// Wrong codes, this guess included. A new password does not set them to zero.
    pub codes: u32,
    /// When the lockout ends that this guess begins. `None` if it begins none, because it is too early or a lockout
    /// is running already.
    pub locks_until: Option<LockEnd>,
}

impl Lockout {
    /// When the lockout ends that is running at `at`.
    #[must_use]
    pub fn locked_until(&self, at: Moment) -> Option<LockEnd> {
        self.until.filter(|until| !until.is_over(at))
    }

    /// The wrong guesses in a row that count at `at`. Zero after a lockout has ended by itself.
    #[must_use]
    pub fn failures_at(&self, at: Moment) -> u32 {
        self.settled(at).failures
    }

    /// The wrong codes that count at `at`, including codes before a reset. Zero after a lockout has ended by itself.
    #[must_use]
    pub fn codes_at(&self, at: Moment) -> u32 {
        self.settled(at).codes
    }

    /// The same row. A lockout that has ended by `at` is removed, and so are the wrong guesses that caused it.
    #[must_use]
    pub fn settled(self, at: Moment) -> Self {
        let over = self.until.is_some_and(|until| until.is_over(at));
        if over { Self { across: self.across, ..Self::default() } } else { self }
    }

    /// Wrong guesses since the last success, reset or release, across lockouts.
    #[must_use]
    pub fn failures_across(&self) -> u32 {
        self.across
    }

    /// When the lockout ends that is running at `at`, if wrong codes alone would have caused it.
    #[must_use]
    pub fn codes_locked_until(&self, policy: &LockoutPolicy, at: Moment) -> Option<LockEnd> {
        self.locked_until(at).filter(|_| self.codes >= policy.attempts)
    }

    /// Judges a wrong guess made at `at`.
    ///
    /// The policy's number of wrong guesses in a row begins a lockout. The same number of wrong codes does too, even
    /// if the password was reset between them. A running lockout is not lengthened. When the policy's cap is reached,
    /// it becomes a lockout that does not end by itself.
    #[must_use]
    pub fn judge(&self, policy: &LockoutPolicy, wrong: Wrong, at: Moment) -> Failure {
        let now = self.settled(at);
        let failures = now.failures.saturating_add(1);
        let (codes, enough_codes) = match wrong {
            Wrong::Password => (now.codes, false),
            Wrong::Code => {
                let codes = now.codes.saturating_add(1);
                (codes, codes >= policy.attempts)
            }
        };
        let capped = policy.cap.is_some_and(|cap| now.across.saturating_add(1) >= cap);
        let end = LockEnd::At(at.checked_add_signed(policy.duration).unwrap_or(Moment::MAX_UTC));
        let locks_until = match now.until {
            Some(LockEnd::AtReset) => None,
            _ if capped => Some(LockEnd::AtReset),
            Some(LockEnd::At(_)) => None,
            None => (failures >= policy.attempts || enough_codes).then_some(end),
        };
        Failure { failures, codes, locks_until }
    }

    /// The row after a wrong guess at `at`, with these numbers of wrong guesses and wrong codes. A running lockout
    /// stays.
    #[must_use]
    pub fn failed(self, at: Moment, failures: u32, codes: u32) -> Self {
        let now = self.settled(at);
        Self { failures, codes, across: now.across.saturating_add(1), until: now.until }
    }

    /// The row after wrong codes that do not count as wrong guesses. Only `second-step-failed` events up to version 3
    /// have such codes.
    #[must_use]
    pub fn with_codes(self, at: Moment, codes: u32) -> Self {
        Self { codes, ..self.settled(at) }
    }

    /// The row after a lockout began.
    #[must_use]
    pub fn locked(self, until: LockEnd) -> Self {
        Self { until: Some(until), ..self }
    }

    /// The row after a complete login at `at`: the count is zero. A running lockout goes on for everybody else; it
    /// did not hold for the trusted device that the login came from.
    #[must_use]
    pub fn after_login(self, at: Moment) -> Self {
        Self { until: self.locked_until(at), ..Self::default() }
    }

    /// The row after the owner chose a new password through a mailed link: only the wrong codes stay. After seven
    /// wrong codes, one more begins a lockout. So a thief who has the mailbox but not the phone gets one more code to
    /// guess, not seven.
    #[must_use]
    pub fn after_reset(self, at: Moment) -> Self {
        Self { codes: self.codes_at(at), ..Self::default() }
    }

    /// The row after the second step was turned on or off: wrong codes of the earlier second step do not count.
    #[must_use]
    pub fn without_codes(self) -> Self {
        Self { codes: 0, ..self }
    }
}

#[cfg(test)]
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
        let lockout = Lockout::default().failed(Moment::MAX_UTC, 6, 0);
        let judged = lockout.judge(&LockoutPolicy::default(), Wrong::Password, Moment::MAX_UTC);
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
        let lockout = Lockout::default().failed(Moment::MIN_UTC, 7, 0).locked(LockEnd::AtReset);
        let kept = serde_json::to_string(&lockout).unwrap();
        assert_eq!(serde_json::from_str::<Lockout>(&kept).unwrap(), lockout);
    }

    proptest! {
        #[test]
        fn a_clock_that_jumps_back_never_opens_a_lock(at in 0_i64..4_000_000_000, back in 0_i64..4_000_000_000) {
            let at = Moment::from_timestamp(at, 0).unwrap();
            let six = Lockout::default().failed(at, 6, 0);
            let until = six.judge(&LockoutPolicy::default(), Wrong::Password, at).locks_until.unwrap();
            let earlier = at - TimeDelta::seconds(back);
            prop_assert_eq!(six.failed(at, 7, 0).locked(until).locked_until(earlier), Some(until));
        }
    }
}
