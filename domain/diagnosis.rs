//! Why somebody cannot log in now, and the one action that mends it: DOMAIN's section on support.
//!
//! Pure: from the fold of an account and a moment. A test holds it against what a login at that moment answers.

use crate::Moment;
use crate::account::{Account, Active, Role};
use crate::lockout::{LockEnd, Lockout};

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
pub enum Hindrance {
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
    /// Too many wrong guesses.
    Locked {
        /// Since when.
        since: Option<Moment>,
        /// Until when.
        until: LockEnd,
    },
    /// An administrator must admit them first.
    AwaitingConversion,
    /// Too many wrong codes: a new password has opened the account since, and no code is judged yet.
    SecondStepLocked {
        /// Until when.
        until: LockEnd,
    },
    /// Too many guesses at an address that nobody gets in with. They are counted in the memory of a node, and each
    /// has its own.
    StrangersLocked {
        /// Until when.
        until: LockEnd,
    },
    /// A code is asked for; the phone may be lost.
    SecondStep {
        /// Recovery codes that are left.
        recovery_codes_left: usize,
    },
    /// Wrong guesses in a row, not yet enough to lock.
    WrongGuesses {
        /// How many.
        failures: u32,
        /// The newest.
        last: Option<Moment>,
    },
}

/// The one action that mends a hindrance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Look whether the address is spelled right; nobody has it.
    CheckAddress,
    /// An administrator creates a new account, or an order names the address.
    CreateAccount,
    /// Have the activation mail sent again.
    ResendActivation,
    /// Release the lockout, once it is sure who asks.
    Release,
    /// An administrator of the company, or support, admits them.
    Convert,
    /// Take the second step away, once it is sure who asks.
    ResetSecondStep,
    /// Have a reset mail sent.
    SendReset,
    /// Nothing: it holds for nobody once what stands before it is mended.
    Nothing,
}

impl Hindrance {
    /// What mends it.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::NoSuchAccount => Remedy::CheckAddress,
            Self::Deleted | Self::Erased => Remedy::CreateAccount,
            Self::NotActivated { .. } => Remedy::ResendActivation,
            Self::Locked { until: LockEnd::At(_), .. } => Remedy::Release,
            // Its owner opens it with a new password, and nobody need be told whether they are who they say.
            Self::Locked { until: LockEnd::AtReset, .. } => Remedy::SendReset,
            Self::SecondStepLocked { .. } => Remedy::Release,
            Self::AwaitingConversion => Remedy::Convert,
            Self::SecondStep { .. } => Remedy::ResetSecondStep,
            Self::WrongGuesses { .. } => Remedy::SendReset,
            Self::StrangersLocked { .. } => Remedy::Nothing,
        }
    }
}

/// What a login with the right password would be answered at `at`. Guesses at an address without an account in use
/// are judged as an account's are (law 11): `strangers` is what is known of them here.
#[must_use]
pub fn answer(account: &Account, strangers: &Lockout, at: Moment) -> Answer {
    let Some(active) = account.active() else {
        return strangers.locked_until(at).map_or(Answer::Refused, |until| Answer::Locked { until });
    };
    match (active.lockout.locked_until(at), active.profile.role, &active.second_step) {
        (Some(until), ..) => Answer::Locked { until },
        (None, Role::TemporaryAdministrator, _) => Answer::AwaitingConversion,
        (None, _, Some(_)) => Answer::SecondStep,
        (None, _, None) => Answer::Succeeded,
    }
}

/// What keeps its owner out at `at`: what must be mended first stands first. Empty where nothing does.
#[must_use]
pub fn hindrances(account: &Account, strangers: &Lockout, at: Moment) -> Vec<Hindrance> {
    let nobody = match account {
        Account::Absent => Hindrance::NoSuchAccount,
        Account::Deleted(profile) if profile.erased => Hindrance::Erased,
        Account::Deleted(_) => Hindrance::Deleted,
        Account::Invited(invited) => {
            let link_expires_at = invited.activation.expires_at;
            Hindrance::NotActivated { link_expires_at, link_expired: at >= link_expires_at }
        }
        Account::Active(active) => return in_use(active, at),
    };
    let locked = strangers.locked_until(at).map(|until| Hindrance::StrangersLocked { until });
    std::iter::once(nobody).chain(locked).collect()
}

fn in_use(active: &Active, at: Moment) -> Vec<Hindrance> {
    let until = active.lockout.locked_until(at);
    let locked = until.map(|until| Hindrance::Locked { since: active.locked_since, until });
    let temporary = active.profile.role == Role::TemporaryAdministrator;
    let second = active.second_step.as_ref().filter(|_| !temporary);
    let held = active.codes_locked_until(at).filter(|_| until.is_none());
    let held = held.map(|until| Hindrance::SecondStepLocked { until });
    let second = second.map(|second| Hindrance::SecondStep { recovery_codes_left: second.recovery.len() });
    let failures = active.lockout.failures_at(at);
    let guesses = (until.is_none() && failures > 0)
        .then_some(Hindrance::WrongGuesses { failures, last: active.last_failure_at });
    let waiting = temporary.then_some(Hindrance::AwaitingConversion);
    [locked, waiting, held, second, guesses].into_iter().flatten().collect()
}
