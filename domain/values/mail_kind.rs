//! Which mails are sent. What they say, and how they leave, is not decided here.

use serde::{Deserialize, Serialize};

/// Which mail. Its name is part of the storage format: never change one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailKind {
    /// Choose a first password.
    Activation,
    /// Choose another password.
    PasswordReset,
    /// The password was changed.
    PasswordChanged,
    /// Too many wrong passwords.
    LockedOut,
    /// Too many wrong passwords across lockouts: only a new password opens the account again.
    LockedUntilReset,
    /// A temporary administrator waits for you.
    AwaitingConversion,
    /// An order opened sites of your company.
    SitesOpened,
    /// A take-over of or by your company was opened: do you agree?
    TakeOverOpened,
    /// A take-over is completed.
    TakeOverCompleted,
    /// A take-over does not happen.
    TakeOverCancelled,
    /// The second step is on.
    SecondStepOn,
    /// The owner turned it off.
    SecondStepOff,
    /// Support took it away.
    SecondStepReset,
    /// Somebody logged in from a device that had not been seen before.
    NewDevice,
    /// Too many wrong passwords from one of the owner's devices: it alone is locked.
    DeviceLocked,
    /// Choose another password: support sends the link.
    PasswordResetBySupport,
    /// Support ended a lockout.
    LockoutReleased,
    /// Support made somebody an administrator of your company.
    AdministratorBySupport,
}

impl MailKind {
    /// Every kind.
    pub const ALL: [Self; 18] = [
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
    ];

    /// Its name in the log, in the journal and in the words.
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
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Law 8: the names that the log, the journal and every effect's id hold.
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
