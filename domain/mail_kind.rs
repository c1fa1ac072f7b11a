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
    /// A temporary administrator waits for you.
    AwaitingConversion,
}

impl MailKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Activation,
        Self::PasswordReset,
        Self::PasswordChanged,
        Self::LockedOut,
        Self::AwaitingConversion,
    ];

    /// Its name in the log, in the journal and in the words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Activation => "activation",
            Self::PasswordReset => "password-reset",
            Self::PasswordChanged => "password-changed",
            Self::LockedOut => "locked-out",
            Self::AwaitingConversion => "awaiting-conversion",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}
