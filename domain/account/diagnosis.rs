//! Why somebody cannot log in now, and the one action that mends it: DOMAIN's section on support.
//!
//! Pure: from the fold of an account and a moment. A test holds it against what a login at that moment answers.

use chrono::TimeDelta;

use crate::Moment;
use crate::account::{Account, Active, Admission, Role};
use crate::ids::DeviceId;
use crate::policies::Policies;
use crate::policies::lockout::{LockEnd, Lockout};

/// What a login with the right password would be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Refused, as a wrong password is.
    Refused,
    /// Nothing would be verified until then.
    Locked {
        /// The end of the lockout.
        until: LockEnd,
    },
    /// Right, and not admitted yet.
    AwaitingConversion,
    /// A code would be asked for.
    SecondStep,
    /// In.
    Succeeded,
}

/// Something that keeps a person out, or may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginBlocker {
    /// Nobody has this address, nor ever had.
    NoSuchAccount,
    /// The account is gone.
    Deleted,
    /// The account is gone and the person forgotten.
    Erased,
    /// Nobody has chosen a password yet.
    NotActivated {
        /// When the newest link ends.
        link_expires_at: Moment,
        /// Whether that is over.
        link_expired: bool,
    },
    /// Too many wrong guesses at the account: everybody except trusted devices is locked out.
    Locked {
        /// Since when.
        since: Option<Moment>,
        /// Until when.
        until: LockEnd,
    },
    /// Too many wrong guesses from a trusted device: it is locked out.
    DeviceLocked {
        /// Which device.
        device: DeviceId,
        /// Until when.
        until: LockEnd,
    },
    /// An administrator must admit them first.
    AwaitingConversion,
    /// Too many guesses at an address that nobody gets in with. They are counted in the memory of a node, and each
    /// has its own.
    AnonymousLocked {
        /// Until when.
        until: LockEnd,
    },
    /// A code is asked for.
    SecondStep {
        /// Recovery codes that are left.
        recovery_codes_left: usize,
        /// Wrong codes since the last complete login.
        wrong_codes: u32,
        /// When a code was asked for in the last day, if neither a login was completed nor a wrong guess judged since.
        asked_at: Option<Moment>,
    },
    /// Wrong guesses in a row at the account, not yet enough to lock it.
    WrongGuesses {
        /// How many.
        failures: u32,
        /// How many wrong codes count. They may be more than the guesses: a new password does not set them to zero.
        wrong_codes: u32,
        /// When the newest was judged.
        last: Option<Moment>,
    },
    /// Wrong guesses in a row from a trusted device, not yet enough to lock it.
    DeviceWrongGuesses {
        /// Which device.
        device: DeviceId,
        /// How many.
        failures: u32,
        /// How many wrong codes count.
        wrong_codes: u32,
    },
}

/// The one action that mends a login blocker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Look whether the address is spelled right: nobody has it.
    CheckAddress,
    /// An administrator or support creates a new account, or an order names the address.
    CreateAccount {
        /// As what, so that the company has an administrator.
        role: Admission,
    },
    /// Have the activation mail sent again.
    ResendActivation,
    /// Release the lockout, once it is sure who asks.
    Release,
    /// An administrator of the company, or support, admits them.
    Convert {
        /// As what, so that the company has an administrator.
        to: Admission,
    },
    /// Take the second step away, once it is sure who asks.
    ResetSecondStep,
    /// The person enters a code of their app, or a recovery code.
    EnterCode,
    /// Have a reset mail sent.
    SendReset,
    /// Nothing: it holds for nobody once what stands before it is mended.
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
    /// The role that somebody new must get so that the company has an administrator. It is user if the company has
    /// one: the one who admits them may choose another role.
    fn needs(self) -> Admission {
        match self {
            Self::Present => Admission::User,
            Self::Missing => Admission::Administrator,
        }
    }
}

impl LoginBlocker {
    /// What mends it.
    #[must_use]
    pub fn remedy(&self, administrators: Administrators) -> Remedy {
        match self {
            Self::NoSuchAccount => Remedy::CheckAddress,
            Self::Deleted | Self::Erased => Remedy::CreateAccount { role: administrators.needs() },
            Self::NotActivated { .. } => Remedy::ResendActivation,
            // Its owner opens it with a new password, and nobody need be told whether they are who they say.
            Self::Locked { until: LockEnd::AtReset, .. }
            | Self::DeviceLocked { until: LockEnd::AtReset, .. } => Remedy::SendReset,
            Self::Locked { .. } | Self::DeviceLocked { .. } => Remedy::Release,
            Self::AwaitingConversion => Remedy::Convert { to: administrators.needs() },
            // A code was never the problem: the person has not reached that step.
            Self::SecondStep { wrong_codes: 0, asked_at: None, .. } => Remedy::EnterCode,
            Self::SecondStep { .. } => Remedy::ResetSecondStep,
            // A new password mends no code.
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

/// What a login with the right password would be answered at `at`, if it comes from this device.
///
/// A device that the account does not trust is ignored. Guesses at an address without an account in use are judged as
/// an account's are (law 11): `anonymous callers` is what is known of them on this node.
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

/// What keeps the owner out at `at`, or may. What must be solved first stands first. It is empty if nothing keeps
/// them out.
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

/// Whether a code that was asked for may still be what a person waits with: it was in the last day, and what came after it
/// was no other trouble.
fn is_fresh(asked: Moment, last_failure: Option<Moment>, at: Moment) -> bool {
    at - asked < TimeDelta::days(1) && last_failure.is_none_or(|failed| failed <= asked)
}
