//! Policies: every rule that is a setting, as one value, and the rules of lockouts and passwords.

pub mod lockout;
pub mod password_context;
pub mod password_history;
pub mod password_policy;

use chrono::TimeDelta;

use crate::policies::lockout::LockoutPolicy;
use crate::policies::password_policy::PasswordPolicy;

/// The settings that deciding needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policies {
    /// When guessing stops.
    pub lockout: LockoutPolicy,
    /// What a new password must be.
    pub password: PasswordPolicy,
    /// How long an activation link works.
    pub activation_link: TimeDelta,
    /// How many activation mails may be asked for in an hour for one account. The company's people and the supplier
    /// have this number each. One address gets the same number from all accounts together; mails that the supplier
    /// asked for are always sent.
    pub activation_mails_per_hour: usize,
    /// How long a reset link works.
    pub reset_link: TimeDelta,
    /// How many reset mails one account is sent in an hour at most.
    pub resets_per_hour: usize,
    /// How long a session lasts, whatever is done with it (OWASP ASVS 5.0, 7.3.2).
    pub session: TimeDelta,
    /// For how long a session may go unused before it ends (OWASP ASVS 5.0, 7.3.1).
    pub idle_session: TimeDelta,
    /// How long a right password may be followed by its second step.
    pub challenge: TimeDelta,
    /// How long a shown secret may be confirmed by a code.
    pub enrolment: TimeDelta,
    /// How many sessions one account has at most; a further login ends the oldest.
    pub sessions_per_account: usize,
    /// How long a device is trusted after a login from it; none where no device is.
    pub trusted_devices: Option<TimeDelta>,
}

impl Default for Policies {
    fn default() -> Self {
        Self {
            lockout: LockoutPolicy::default(),
            password: PasswordPolicy::default(),
            activation_link: TimeDelta::days(90),
            activation_mails_per_hour: 5,
            reset_link: TimeDelta::hours(1),
            resets_per_hour: 5,
            session: TimeDelta::hours(12),
            idle_session: TimeDelta::hours(2),
            challenge: TimeDelta::minutes(5),
            enrolment: TimeDelta::minutes(15),
            sessions_per_account: 100,
            trusted_devices: Some(TimeDelta::days(180)),
        }
    }
}
