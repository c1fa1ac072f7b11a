//! The mail journal for an operator: shows the status of each mail, and sends mails again by hand.

use loquet_domain::Moment;
use loquet_domain::ids::AccountId;
use loquet_domain::ports::{BoxFuture, Position};
use serde::Serialize;
use strum::{EnumString, IntoStaticStr, VariantArray};
use uuid::Uuid;

use super::Verdict;
use crate::ports::{QueuedMail, ReactionJournal, StoreFailed};

/// The state of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
pub enum MailState {
    /// It is due, or will be tried again.
    #[strum(serialize = "pending")]
    Pending,
    /// It is being sent.
    #[strum(serialize = "sending")]
    Sending,
    /// The mail server took it.
    #[strum(serialize = "sent")]
    Sent,
    /// It was out of date and was not sent.
    #[strum(serialize = "void")]
    Void,
    /// It was given up: refused for good, or tried for too long.
    #[strum(serialize = "dead")]
    Dead,
}

impl MailState {
    /// Its name, in the database and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Reads a name. Returns `None` for an unknown one.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        name.parse().ok()
    }
}

/// A mail and its status.
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
    /// The last answer of the mail server, without personal data.
    pub why: Option<String>,
    /// The same as stage and codes.
    pub verdict: Option<Verdict>,
    /// Why its result could not be written to the log.
    pub unnoted: Option<String>,
}

/// The number of mails in the states that an operator watches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct MailCounts {
    pub pending: u64,
    pub sending: u64,
    pub dead: u64,
    /// The number of pending mails that were tried without success.
    pub tried_in_vain: u64,
    /// The number of mails whose result could not be written to the log.
    pub unnoted: u64,
    /// Since when the oldest pending mail waits.
    pub oldest_pending: Option<Moment>,
}

/// The mail journal for an operator. An operator needs no lease: their changes take effect whichever node sends the
/// mails.
pub trait MailLedger: ReactionJournal {
    /// Lists mails, newest first: those in a state, those to an account, or all. At most `limit`.
    fn list(
        &self,
        state: Option<MailState>,
        recipient: Option<AccountId>,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<LedgerEntry>, StoreFailed>>;

    /// Returns one mail.
    fn entry(&self, mail: Uuid) -> BoxFuture<'_, Result<Option<LedgerEntry>, StoreFailed>>;

    /// Puts a mail that was given up, or that waits for its next try, at the head of the queue. It is due now, and is
    /// tried for as long as a new mail. Returns `false` if there is no such mail to try.
    fn retry(&self, mail: Uuid, now: Moment) -> BoxFuture<'_, Result<bool, StoreFailed>>;

    /// Puts every mail that was given up back into the queue. Returns their number.
    fn retry_all_dead(&self, now: Moment) -> BoxFuture<'_, Result<usize, StoreFailed>>;

    /// The name and the checkpoint of each reaction, in the order of the names.
    fn checkpoints(&self) -> BoxFuture<'_, Result<Vec<(String, Position)>, StoreFailed>>;

    /// Counts the mails that wait, are being sent, or were given up.
    fn counts(&self) -> BoxFuture<'_, Result<MailCounts, StoreFailed>>;
}
