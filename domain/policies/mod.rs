//! The policies: all rules that are settings, as one value, and the rules of lockouts and passwords.

pub mod in_force;
pub mod lockout;
pub mod password_context;
pub mod password_history;
pub mod password_policy;

use chrono::TimeDelta;

use crate::policies::lockout::LockoutPolicy;
use crate::policies::password_policy::PasswordPolicy;

/// The settings that decisions depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policies {
    /// When guesses lead to a lockout, and how long it lasts.
    pub lockout: LockoutPolicy,
    /// The rules for a new password.
    pub password: PasswordPolicy,
    /// How long an activation link works.
    pub activation_link: TimeDelta,
    /// The maximum number of activation mails that can be requested in an hour for one account. The company's people
    /// and the supplier each have this limit. One address gets at most this number from all accounts together. Mails
    /// that the supplier requested are always sent.
    pub activation_mails_per_hour: usize,
    /// How long a reset link works.
    pub reset_link: TimeDelta,
    /// The maximum number of reset mails in an hour for one account.
    pub resets_per_hour: usize,
    /// How long a session lasts at most, even if it is in use (OWASP ASVS 5.0, 7.3.2).
    pub session: TimeDelta,
    /// How long a session may be unused before it ends (OWASP ASVS 5.0, 7.3.1).
    pub idle_session: TimeDelta,
    /// How long a challenge can be answered: the time between the right password and the code.
    pub challenge: TimeDelta,
    /// How long a shown secret can be confirmed by a code.
    pub enrolment: TimeDelta,
    /// The maximum number of sessions of one account. A further login ends the oldest session.
    pub sessions_per_account: usize,
    /// How long a device stays trusted after a login from it. `None`: no device is trusted.
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
