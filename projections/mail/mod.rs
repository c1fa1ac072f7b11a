//! The mails: what they say, and the sender that sends them.

mod letter;
mod sender;
#[cfg(test)]
mod tests;

pub use letter::{Letterhead, Letters};
pub use sender::Sender;

use loquet_domain::ids::{AccountId, EventId};
use uuid::Uuid;

/// Which mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

    /// Its name in the journal and in the words. Stored: never change one.
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

/// The identity of the mail of this kind that follows from an event for a recipient.
#[must_use]
pub fn effect_of(event: EventId, kind: MailKind, recipient: AccountId) -> Uuid {
    event.effect(&format!("mail/{}/{recipient}", kind.name()))
}

/// A mail, written and ready to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Its identity; with the sender's domain, its Message-ID.
    pub effect: Uuid,
    /// Where it goes.
    pub to: String,
    /// To whom, by name.
    pub to_name: String,
    /// The language it is written in, for `Content-Language`.
    pub language: &'static str,
    /// Subject.
    pub subject: String,
    /// The body as plain text.
    pub text: String,
    /// The body as HTML.
    pub html: String,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Message({})", self.effect)
    }
}
