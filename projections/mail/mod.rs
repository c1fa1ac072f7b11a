//! The mails: what they say, and the sender that sends them.

mod judge;
mod ledger;
mod letter;
mod mailboxes;
mod of_companies;
mod pace;
mod sender;
mod status;
#[cfg(test)]
mod tests;
mod verdict;

pub use judge::{Judgement, Topic, judge, topic};
pub use ledger::{LedgerEntry, MailCounts, MailLedger, MailState};
pub use letter::{Letterhead, Letters, Tidings, UnfilledTemplate};
pub use loquet_domain::values::mail_kind::MailKind;
pub use mailboxes::Mailboxes;
pub use sender::{Sender, Sending};
pub use status::{Delivery, MailHelp, MailStatus, what_helps};
pub use verdict::{Answer, Enhanced, Missing, Stage, Trouble, Verdict};

use loquet_domain::ids::{AccountId, EventId};
use uuid::Uuid;

/// Which mails go first when many wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Somebody waits for it at the door, or is to see at once what was done with their account.
    AtOnce,
    /// It may wait its turn, behind as many as an import of orders brings.
    InTurn,
}

impl Urgency {
    /// Every one, the most urgent first.
    pub const ALL: [Self; 2] = [Self::AtOnce, Self::InTurn];

    /// How urgent a mail of a kind is.
    #[must_use]
    pub fn of(kind: MailKind) -> Self {
        match kind {
            MailKind::PasswordReset
            | MailKind::PasswordResetBySupport
            | MailKind::LockoutReleased
            | MailKind::PasswordChanged
            | MailKind::LockedOut
            | MailKind::LockedUntilReset
            | MailKind::SecondStepOn
            | MailKind::SecondStepOff
            | MailKind::SecondStepReset
            | MailKind::NewDevice
            | MailKind::AdministratorBySupport
            | MailKind::DeviceLocked => Self::AtOnce,
            MailKind::Activation
            | MailKind::AwaitingConversion
            | MailKind::SitesOpened
            | MailKind::TakeOverOpened
            | MailKind::TakeOverCompleted
            | MailKind::TakeOverCancelled => Self::InTurn,
        }
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
