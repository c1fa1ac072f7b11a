//! The mails: their contents, and the sender that sends them.

mod judge;
mod ledger;
mod letter;
mod mailboxes;
mod of_companies;
mod pace;
mod sender;
mod software;
mod status;
#[cfg(test)]
mod tests;
mod verdict;

pub use judge::{Judgement, Topic, judge, topic};
pub use ledger::{LedgerEntry, MailCounts, MailLedger, MailState};
pub use letter::{Accent, Accents, Letterhead, Letters, Tidings, UnfilledTemplate};
pub use loquet_domain::values::mail_kind::MailKind;
pub use mailboxes::Mailboxes;
pub use sender::{Sender, Sending};
pub use software::Software;
pub use status::{Delivery, MailHelp, MailStatus, what_helps};
pub use verdict::{Answer, Enhanced, Missing, Stage, Trouble, Verdict};

use loquet_domain::ids::{AccountId, EventId};
use uuid::Uuid;

/// The priority of a mail when many wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Somebody is waiting for it, or must see at once what was done with their account.
    AtOnce,
    /// It may wait behind all the mails that an import of orders causes.
    InTurn,
}

impl Urgency {
    /// All priorities, the most urgent first.
    pub const ALL: [Self; 2] = [Self::AtOnce, Self::InTurn];

    /// Its number in a store. Smaller numbers go first. It is stored: never change one.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::AtOnce => 0,
            Self::InTurn => 1,
        }
    }

    /// The priority of a kind of mail.
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
            | MailKind::Admitted
            | MailKind::AccountDeleted
            | MailKind::SitesOpened
            | MailKind::TakeOverOpened
            | MailKind::TakeOverCompleted
            | MailKind::TakeOverCancelled => Self::InTurn,
        }
    }
}

/// The id of the mail of this kind to this recipient that follows from this event.
#[must_use]
pub fn effect_of(event: EventId, kind: MailKind, recipient: AccountId) -> Uuid {
    event.effect(&format!("mail/{}/{recipient}", kind.name()))
}

/// A mail that is written and ready to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id. The Message-ID is this id and the sender's domain.
    pub effect: Uuid,
    /// The address of the recipient.
    pub to: String,
    /// The name of the recipient.
    pub to_name: String,
    /// The language it is written in, for `Content-Language`.
    pub language: &'static str,
    /// The subject.
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
