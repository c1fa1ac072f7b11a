//! The mails as an operator looks at them: what became of each, and trying again by hand.

use loquet_domain::Moment;
use loquet_domain::ids::AccountId;
use loquet_domain::ports::{BoxFuture, Position};
use serde::Serialize;
use strum::{EnumString, IntoStaticStr, VariantArray};
use uuid::Uuid;

use super::Verdict;
use crate::ports::{QueuedMail, ReactionJournal, StoreFailed};

/// In which state a mail is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
pub enum MailState {
    /// It is due, or will be again.
    #[strum(serialize = "pending")]
    Pending,
    /// It is being handed over.
    #[strum(serialize = "sending")]
    Sending,
    /// The mail server took it.
    #[strum(serialize = "sent")]
    Sent,
    /// It says nothing true any more, and was not sent.
    #[strum(serialize = "void")]
    Void,
    /// It was given up: refused for good, or tried for too long.
    #[strum(serialize = "dead")]
    Dead,
}

impl MailState {
    /// Its name, in the file and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        name.parse().ok()
    }
}

/// A mail and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct LedgerEntry {
    pub mail: QueuedMail,
    pub state: MailState,
    pub tries: u32,
    pub queued_at: Moment,
    /// When it is tried next, while it is pending.
    pub due_at: Moment,
    pub ended_at: Option<Moment>,
    /// What the mail server said last, in words that name nobody.
    pub why: Option<String>,
    /// The same as stage and codes.
    pub verdict: Option<Verdict>,
    /// Why the log did not take in what became of it.
    pub unnoted: Option<String>,
}

/// How many mails are in the states that an operator watches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct MailCounts {
    pub pending: u64,
    pub sending: u64,
    pub dead: u64,
    /// Of the pending ones, those that were tried in vain.
    pub tried_in_vain: u64,
    /// How many have ended, and the log did not take that in.
    pub unnoted: u64,
    /// The moment since which the oldest of the pending ones waits.
    pub oldest_pending: Option<Moment>,
}

/// The mail journal as an operator looks at it. An operator needs no lease: what they change holds, whoever sends the mails.
pub trait MailLedger: ReactionJournal {
    /// Returns mails, newest first: those in a state, those to an account, or all; at most `limit`.
    fn list(
        &self,
        state: Option<MailState>,
        recipient: Option<AccountId>,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<LedgerEntry>, StoreFailed>>;

    /// Returns one mail.
    fn entry(&self, mail: Uuid) -> BoxFuture<'_, Result<Option<LedgerEntry>, StoreFailed>>;

    /// Puts a mail that was given up, or that waits for its next try, back at the head of the queue: it is due now and
    /// is tried for as long as a new one. Returns `false` if there is no such mail to try.
    fn retry(&self, mail: Uuid, now: Moment) -> BoxFuture<'_, Result<bool, StoreFailed>>;

    /// Puts every mail that was given up back into the queue. Returns how many these are.
    fn retry_all_dead(&self, now: Moment) -> BoxFuture<'_, Result<usize, StoreFailed>>;

    /// Returns the name and the checkpoint of each reaction, in the order of the names.
    fn checkpoints(&self) -> BoxFuture<'_, Result<Vec<(String, Position)>, StoreFailed>>;

    /// Counts the mails that wait, are being handed over, or were given up.
    fn counts(&self) -> BoxFuture<'_, Result<MailCounts, StoreFailed>>;
}
