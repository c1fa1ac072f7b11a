//! The policies as an event stores them. **These shapes are part of the storage format.**

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::Policies;
use super::password_policy::PasswordPolicyInForce;

/// The policies that a server decides by, as history remembers them. Durations are in seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoliciesInForce {
    /// How many wrong guesses in a row begin a lockout.
    pub lockout_attempts: u32,
    /// How long a lockout lasts.
    pub lockout_seconds: i64,
    /// The cap on wrong guesses across lockouts, if there is one.
    pub lockout_cap: Option<u32>,
    /// The rules for new passwords.
    pub password: PasswordPolicyInForce,
    /// How long an activation link works.
    pub activation_link_seconds: i64,
    /// The maximum number of activation mails that can be requested in an hour for one account.
    pub activation_mails_per_hour: usize,
    /// How long a reset link works.
    pub reset_link_seconds: i64,
    /// The maximum number of reset mails in an hour for one account.
    pub resets_per_hour: usize,
    /// How long a session lasts at most.
    pub session_seconds: i64,
    /// How long a session may be unused before it ends.
    pub idle_session_seconds: i64,
    /// The time between the right password and the code.
    pub challenge_seconds: i64,
    /// How long a shown secret of a second step can be confirmed.
    pub enrolment_seconds: i64,
    /// The maximum number of sessions of one account.
    pub sessions_per_account: usize,
    /// How long a device stays trusted. `None`: no device is trusted.
    pub trusted_device_seconds: Option<i64>,
}

impl PoliciesInForce {
    /// The policies to be remembered.
    #[must_use]
    pub fn of(policies: &Policies) -> Self {
        let Policies {
            lockout,
            password,
            activation_link,
            activation_mails_per_hour,
            reset_link,
            resets_per_hour,
            session,
            idle_session,
            challenge,
            enrolment,
            sessions_per_account,
            trusted_devices,
        } = policies;
        Self {
            lockout_attempts: lockout.attempts(),
            lockout_seconds: lockout.duration().num_seconds(),
            lockout_cap: lockout.cap(),
            password: password.in_force(),
            activation_link_seconds: activation_link.num_seconds(),
            activation_mails_per_hour: *activation_mails_per_hour,
            reset_link_seconds: reset_link.num_seconds(),
            resets_per_hour: *resets_per_hour,
            session_seconds: session.num_seconds(),
            idle_session_seconds: idle_session.num_seconds(),
            challenge_seconds: challenge.num_seconds(),
            enrolment_seconds: enrolment.num_seconds(),
            sessions_per_account: *sessions_per_account,
            trusted_device_seconds: trusted_devices.as_ref().map(TimeDelta::num_seconds),
        }
    }
}
