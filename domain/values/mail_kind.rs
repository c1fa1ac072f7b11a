//! The kinds of mail. Their texts and their delivery are not decided here.

use serde::{Deserialize, Serialize};

/// A kind of mail. Its name is part of the storage format: never change one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailKind {
    /// Asks the owner to choose a first password.
    Activation,
    /// Lets the owner choose a new password, who asked for it.
    PasswordReset,
    /// Says that the password was changed.
    PasswordChanged,
    /// Says that the account is locked after too many wrong guesses.
    LockedOut,
    /// Says that the account is locked after too many wrong guesses across lockouts. Only a new password ends this
    /// lockout.
    LockedUntilReset,
    /// Tells administrators that a temporary administrator waits to be admitted.
    AwaitingConversion,
    /// Tells administrators that an order opened sites of their company.
    SitesOpened,
    /// Asks administrators to agree to a take-over of or by their company.
    TakeOverOpened,
    /// Says that a take-over was completed.
    TakeOverCompleted,
    /// Says that a take-over was cancelled.
    TakeOverCancelled,
    /// Says that the second step was turned on.
    SecondStepOn,
    /// Says that the owner turned the second step off.
    SecondStepOff,
    /// Says that support turned the second step off.
    SecondStepReset,
    /// Says that somebody logged in from a new device.
    NewDevice,
    /// Says that one trusted device is locked after too many wrong guesses from it.
    DeviceLocked,
    /// Lets the owner choose a new password. Support requested the mail.
    PasswordResetBySupport,
    /// Says that support ended a lockout.
    LockoutReleased,
    /// Says that support made somebody an administrator of the company.
    AdministratorBySupport,
    /// Says to a temporary administrator that they are admitted.
    Admitted,
    /// Says that the account was deleted. Only somebody who has used the account gets it.
    AccountDeleted,
}

impl MailKind {
    /// Every kind.
    pub const ALL: [Self; 20] = [
        Self::Activation,
        Self::PasswordReset,
        Self::PasswordChanged,
        Self::LockedOut,
        Self::LockedUntilReset,
        Self::AwaitingConversion,
        Self::SitesOpened,
        Self::TakeOverOpened,
        Self::TakeOverCompleted,
        Self::TakeOverCancelled,
        Self::SecondStepOn,
        Self::SecondStepOff,
        Self::SecondStepReset,
        Self::NewDevice,
        Self::DeviceLocked,
        Self::PasswordResetBySupport,
        Self::LockoutReleased,
        Self::AdministratorBySupport,
        Self::Admitted,
        Self::AccountDeleted,
    ];

    /// Its name in the log, in the mail journal and in the text files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Activation => "activation",
            Self::PasswordReset => "password-reset",
            Self::PasswordChanged => "password-changed",
            Self::LockedOut => "locked-out",
            Self::LockedUntilReset => "locked-until-reset",
            Self::AwaitingConversion => "awaiting-conversion",
            Self::SitesOpened => "sites-opened",
            Self::TakeOverOpened => "take-over-opened",
            Self::TakeOverCompleted => "take-over-completed",
            Self::TakeOverCancelled => "take-over-cancelled",
            Self::SecondStepOn => "second-step-on",
            Self::SecondStepOff => "second-step-off",
            Self::SecondStepReset => "second-step-reset",
            Self::NewDevice => "new-device",
            Self::DeviceLocked => "device-locked",
            Self::PasswordResetBySupport => "password-reset-by-support",
            Self::LockoutReleased => "lockout-released",
            Self::AdministratorBySupport => "administrator-by-support",
            Self::Admitted => "admitted",
            Self::AccountDeleted => "account-deleted",
        }
    }

    /// Reads a name. Returns `None` for an unknown one.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Law 8: these names are stored in the log, in the mail journal and in the ids of effects.
    #[test]
    fn the_stored_name_of_every_mail_is_frozen() {
        let frozen = [
            (MailKind::Activation, "activation"),
            (MailKind::PasswordReset, "password-reset"),
            (MailKind::PasswordChanged, "password-changed"),
            (MailKind::LockedOut, "locked-out"),
            (MailKind::LockedUntilReset, "locked-until-reset"),
            (MailKind::AwaitingConversion, "awaiting-conversion"),
            (MailKind::SitesOpened, "sites-opened"),
            (MailKind::TakeOverOpened, "take-over-opened"),
            (MailKind::TakeOverCompleted, "take-over-completed"),
            (MailKind::TakeOverCancelled, "take-over-cancelled"),
            (MailKind::SecondStepOn, "second-step-on"),
            (MailKind::SecondStepOff, "second-step-off"),
            (MailKind::SecondStepReset, "second-step-reset"),
            (MailKind::NewDevice, "new-device"),
            (MailKind::DeviceLocked, "device-locked"),
            (MailKind::PasswordResetBySupport, "password-reset-by-support"),
            (MailKind::LockoutReleased, "lockout-released"),
            (MailKind::AdministratorBySupport, "administrator-by-support"),
            (MailKind::Admitted, "admitted"),
            (MailKind::AccountDeleted, "account-deleted"),
        ];
        assert_eq!(MailKind::ALL, frozen.map(|(kind, _)| kind));
        for (kind, name) in frozen {
            assert_eq!(kind.name(), name);
            assert_eq!(MailKind::parse(name), Some(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), name);
            assert_eq!(serde_json::from_value::<MailKind>(name.into()).unwrap(), kind);
        }
    }
}
