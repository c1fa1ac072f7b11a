//! Explains why somebody cannot log in now, and names the one action that solves it.
//!
//! Pure: it needs only the state of an account and a moment. A test compares it with the answer that a login gets at
//! that moment.

use chrono::TimeDelta;

use crate::Moment;
use crate::account::{Account, Active, Admission, Role};
use crate::ids::DeviceId;
use crate::policies::Policies;
use crate::policies::lockout::{LockEnd, Lockout};

/// The answer that a login with the right password would get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Refused in the same way as a wrong password.
    Refused,
    /// Locked: nothing is verified until the lockout ends.
    Locked {
        /// When the lockout ends.
        until: LockEnd,
    },
    /// The password is right, but the account has not been admitted yet.
    AwaitingConversion,
    /// A code is asked for.
    SecondStep,
    /// The login succeeds.
    Succeeded,
}

/// Something that keeps a person from logging in, or may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginBlocker {
    /// No account has this address, and none ever had.
    NoSuchAccount,
    /// The account was deleted.
    Deleted,
    /// The account was deleted and the person's data erased.
    Erased,
    /// Nobody has chosen a password yet.
    NotActivated {
        /// When the newest activation link expires.
        link_expires_at: Moment,
        /// Whether that moment has passed.
        link_expired: bool,
    },
    /// Too many wrong guesses at the account. Everybody except trusted devices is locked out.
    Locked {
        /// When the lockout began.
        since: Option<Moment>,
        /// When it ends.
        until: LockEnd,
    },
    /// Too many wrong guesses from a trusted device. That device is locked out.
    DeviceLocked {
        /// Which device.
        device: DeviceId,
        /// When the lockout ends.
        until: LockEnd,
    },
    /// An administrator must admit them first.
    AwaitingConversion,
    /// Too many guesses at an address that has no account in use.
    AnonymousLocked {
        /// When the lockout ends.
        until: LockEnd,
    },
    /// A code is asked for.
    SecondStep {
        /// Recovery codes that are left.
        recovery_codes_left: usize,
        /// Wrong codes since the last complete login.
        wrong_codes: u32,
        /// When a code was asked for, within the last day. `None` if a login was completed or a wrong guess was
        /// judged since.
        asked_at: Option<Moment>,
    },
    /// Wrong guesses in a row at the account, not enough to lock it yet.
    WrongGuesses {
        /// How many.
        failures: u32,
        /// The number of wrong codes. It may be higher than `failures`, because a new password does not set it to
        /// zero.
        wrong_codes: u32,
        /// When the newest wrong guess was judged.
        last: Option<Moment>,
    },
    /// Wrong guesses in a row from a trusted device, not enough to lock it yet.
    DeviceWrongGuesses {
        /// Which device.
        device: DeviceId,
        /// How many.
        failures: u32,
        /// The number of wrong codes.
        wrong_codes: u32,
    },
}

/// The one action that removes a login blocker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Check the spelling of the address: no account has it.
    CheckAddress,
    /// An administrator or support creates a new account, or an order names the address.
    CreateAccount {
        /// The role to give, so that the company has an administrator.
        role: Admission,
    },
    /// Send the activation mail again.
    ResendActivation,
    /// Release the lockout, after the identity of the person who asks was checked.
    Release,
    /// An administrator of the company, or support, admits them.
    Convert {
        /// The role to give, so that the company has an administrator.
        to: Admission,
    },
    /// Turn the second step off, after the identity of the person who asks was checked.
    ResetSecondStep,
    /// The person enters a code of their app, or a recovery code.
    EnterCode,
    /// Send a reset mail.
    SendReset,
    /// Nothing: the blocker goes away when the ones before it are solved.
    Nothing,
}

/// Whether a company has an administrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Administrators {
    /// It has at least one.
    Present,
    /// It has none.
    Missing,
}

impl Administrators {
    /// The role that a new account must get so that the company has an administrator. It is `User` if the company has
    /// one already: the person who admits it may choose another role.
    fn needs(self) -> Admission {
        match self {
            Self::Present => Admission::User,
            Self::Missing => Admission::Administrator,
        }
    }
}

impl LoginBlocker {
    /// The action that removes this blocker.
    #[must_use]
    pub fn remedy(&self, administrators: Administrators) -> Remedy {
        match self {
            Self::NoSuchAccount => Remedy::CheckAddress,
            Self::Deleted | Self::Erased => Remedy::CreateAccount { role: administrators.needs() },
            Self::NotActivated { .. } => Remedy::ResendActivation,
            // The owner ends this lockout with a new password. Support need not check the owner's identity for that.
            Self::Locked { until: LockEnd::AtReset, .. }
            | Self::DeviceLocked { until: LockEnd::AtReset, .. } => Remedy::SendReset,
            Self::Locked { .. } | Self::DeviceLocked { .. } => Remedy::Release,
            Self::AwaitingConversion => Remedy::Convert { to: administrators.needs() },
            // No wrong code was given: the person has not reached that step.
            Self::SecondStep { wrong_codes: 0, asked_at: None, .. } => Remedy::EnterCode,
            Self::SecondStep { .. } => Remedy::ResetSecondStep,
            // A new password does not help with wrong codes.
            Self::WrongGuesses { failures, wrong_codes, .. }
            | Self::DeviceWrongGuesses { failures, wrong_codes, .. }
                if wrong_codes >= failures =>
            {
                Remedy::EnterCode
            }
            Self::WrongGuesses { .. } | Self::DeviceWrongGuesses { .. } => Remedy::SendReset,
            Self::AnonymousLocked { .. } => Remedy::Nothing,
        }
    }
}

/// The answer that a login with the right password would get at `at` from this device.
///
/// A device that the account does not trust is ignored. Guesses at an address without an account in use are judged as
/// guesses at an account are (law 11): `anonymous` is the row of such an address.
#[must_use]
pub fn answer(
    account: &Account,
    anonymous: &Lockout,
    policies: &Policies,
    from: Option<DeviceId>,
    at: Moment,
) -> Answer {
    let from = from.filter(|_| policies.trusted_devices.is_some());
    let Some(active) = account.active() else {
        return anonymous.locked_until(at).map_or(Answer::Refused, |until| Answer::Locked { until });
    };
    match (active.locked_for(from, at), active.profile.role, &active.second_step) {
        (Some(until), ..) => Answer::Locked { until },
        (None, Role::TemporaryAdministrator, _) => Answer::AwaitingConversion,
        (None, _, Some(_)) => Answer::SecondStep,
        (None, _, None) => Answer::Succeeded,
    }
}

/// Everything that keeps the owner out at `at`, or may. The blocker to solve first comes first. Empty if nothing
/// keeps the owner out.
#[must_use]
pub fn login_blockers(
    account: &Account,
    anonymous: &Lockout,
    policies: &Policies,
    at: Moment,
) -> Vec<LoginBlocker> {
    let nobody = match account {
        Account::Absent => LoginBlocker::NoSuchAccount,
        Account::Deleted(profile) if profile.erased => LoginBlocker::Erased,
        Account::Deleted(_) => LoginBlocker::Deleted,
        Account::Invited(invited) => {
            let link_expires_at = invited.activation.expires_at;
            LoginBlocker::NotActivated { link_expires_at, link_expired: at >= link_expires_at }
        }
        Account::Active(active) => return in_use(active, policies, at),
    };
    let locked = anonymous.locked_until(at).map(|until| LoginBlocker::AnonymousLocked { until });
    std::iter::once(nobody).chain(locked).collect()
}

fn in_use(active: &Active, policies: &Policies, at: Moment) -> Vec<LoginBlocker> {
    let until = active.lockout.locked_until(at);
    let locked = until.map(|until| LoginBlocker::Locked { since: active.locked_since, until });
    let (failures, wrong_codes) = (active.lockout.failures_at(at), active.lockout.codes_at(at));
    let guesses = (until.is_none() && (failures > 0 || wrong_codes > 0))
        .then_some(LoginBlocker::WrongGuesses { failures, wrong_codes, last: active.last_failure_at });
    let trusted = policies.trusted_devices.is_some();
    let devices = || active.devices_at(at).filter(move |_| trusted).map(|device| (device.id, device.lockout));
    let devices_locked = devices().filter_map(|(device, row)| {
        row.locked_until(at).map(|until| LoginBlocker::DeviceLocked { device, until })
    });
    let devices_guessed = devices().filter_map(|(device, row)| {
        let (failures, wrong_codes) = (row.failures_at(at), row.codes_at(at));
        let counts = failures > 0 && row.locked_until(at).is_none();
        counts.then_some(LoginBlocker::DeviceWrongGuesses { device, failures, wrong_codes })
    });
    let temporary = active.profile.role == Role::TemporaryAdministrator;
    let waiting = temporary.then_some(LoginBlocker::AwaitingConversion);
    let second = active.second_step.as_ref().filter(|_| !temporary).map(|second| LoginBlocker::SecondStep {
        recovery_codes_left: second.recovery.len(),
        wrong_codes,
        asked_at: active.code_asked_at.filter(|asked| is_fresh(*asked, active.last_failure_at, at)),
    });
    let mut all: Vec<_> = locked.into_iter().chain(devices_locked).collect();
    all.extend([waiting, second, guesses].into_iter().flatten());
    all.extend(devices_guessed);
    all
}

/// Whether the person may still be waiting to enter the code that was asked for: it was asked for within the last
/// day, and no wrong guess was judged since.
fn is_fresh(asked: Moment, last_failure: Option<Moment>, at: Moment) -> bool {
    at - asked < TimeDelta::days(1) && last_failure.is_none_or(|failed| failed <= asked)
}
