//! The journal of the reactions: their checkpoints, and the queue of mails.

use chrono::TimeDelta;
use loquet_domain::Moment;
use loquet_domain::ids::AccountId;
use loquet_domain::ports::{BoxFuture, Position};
use uuid::Uuid;

use super::{Fence, StoreFailed, WriteFailed};
use crate::mail::{MailKind, MailState, MailStatus, Trouble};

/// A mail in the queue. Its contents are read from the log when it is sent, so the queue holds no personal data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedMail {
    /// Its id, derived from the event and the recipient. The Message-ID begins with it.
    pub effect: Uuid,
    /// The kind of mail.
    pub kind: MailKind,
    /// The account of the recipient.
    pub recipient: AccountId,
    /// The position of its event in the log.
    pub position: Position,
}

/// A mail that the sender has claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedMail {
    /// The mail.
    pub mail: QueuedMail,
    /// The number of tries, this one included.
    pub tries: u32,
    /// How long it has waited since it was first refused. Only the pauses after its own refusals count, not the time
    /// in which no mail was sent at all.
    pub waited: TimeDelta,
}

/// Why no mail is being sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Since when.
    pub since: Moment,
    /// What the mail server said about us, or that it can't be reached.
    pub trouble: Trouble,
}

impl Hold {
    /// Whether the mail server refuses us, so that an operator must act. `false` if it can't be reached or closes the
    /// connection.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        let code = self.trouble.verdict.and_then(|verdict| verdict.code());
        code.is_some_and(|code| code != 421)
    }
}

/// A mail whose result is in the journal and not in the log yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnnotedFate {
    /// The mail.
    pub mail: QueuedMail,
    /// When it was sent or given up.
    pub at: Moment,
    /// Why it was given up. `None` if it was sent.
    pub given_up: Option<String>,
}

/// The result of a try to send a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailOutcome {
    /// The mail server took it.
    Sent,
    /// The mail is out of date, because there is a newer link or the account was deleted. It was not sent.
    Void,
    /// The mail is tried again.
    Retry {
        /// When it is tried again.
        at: Moment,
        /// How long it will have waited by then, as in [`ClaimedMail::waited`].
        waited: TimeDelta,
        /// What went wrong.
        trouble: Trouble,
    },
    /// The mail is given up. An operator must look at it.
    Dead {
        /// What went wrong.
        trouble: Trouble,
    },
}

/// What a result changes in the stored mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conclusion<'a> {
    /// The new state.
    pub state: MailState,
    /// When the mail is tried again, if it is. Otherwise the time of the result.
    pub due_at: Moment,
    /// When it was sent, given up, or found to be out of date. `None` if it is tried again.
    pub ended_at: Option<Moment>,
    /// From when on the log is to be told the result. `None` if there is nothing to tell.
    pub note_at: Option<Moment>,
    /// How long the mail will have waited, as in [`ClaimedMail::waited`]. `None` if that stays as it is.
    pub waited: Option<TimeDelta>,
    /// What went wrong.
    pub trouble: Option<&'a Trouble>,
}

impl MailOutcome {
    /// What this result, at `now`, changes in the stored mail.
    #[must_use]
    pub fn conclusion(&self, now: Moment) -> Conclusion<'_> {
        let ended = |state, note_at, trouble| {
            let (due_at, ended_at, waited) = (now, Some(now), None);
            Conclusion { state, due_at, ended_at, note_at, waited, trouble }
        };
        match self {
            Self::Sent => ended(MailState::Sent, Some(now), None),
            Self::Void => ended(MailState::Void, None, None),
            Self::Dead { trouble } => ended(MailState::Dead, Some(now), Some(trouble)),
            Self::Retry { at, waited, trouble } => Conclusion {
                state: MailState::Pending,
                due_at: *at,
                ended_at: None,
                note_at: None,
                waited: Some(*waited),
                trouble: Some(trouble),
            },
        }
    }
}

/// Keeps the checkpoint of each reaction and the queue of mails. It outlives every rebuild of a read model.
///
/// Both are behind one port because [`advance`](Self::advance) changes both in one step. Otherwise a crash could
/// queue a mail without moving the checkpoint, and the mail would come twice. Or it could move the checkpoint without
/// queueing the mail, and the mail would be lost.
///
/// **Durable**: every method that changes something returns when the change survives a crash. **Atomic**: each method
/// makes its whole change or none of it, even if the process is killed. A mail is in one claim at a time.
///
/// **Fenced**: every method that changes something takes the fence of the caller's [`Lease`](super::Lease), and
/// compares it in the transaction of the change. If that lease is over, the method fails with
/// [`Fenced`](super::Fenced) and changes nothing. So a node that lost the lease writes nothing, even if it notices
/// late.
///
/// Every method fails with [`StoreFailed`] if the journal can't be used. Then the change may have been made or not,
/// and the caller repeats the call. Making a change twice has the same effect as making it once. The exception is
/// [`claim_due`](Self::claim_due): its caller calls [`reclaim`](Self::reclaim) first.
pub trait ReactionJournal: Send + Sync {
    /// Returns the position up to which a reaction has acted. Returns zero for a reaction that is new.
    fn checkpoint(&self, reaction: &'static str) -> BoxFuture<'_, Result<Position, StoreFailed>>;

    /// Moves a reaction's checkpoint to `up_to` and queues the mails that follow from its events: both or neither. A
    /// mail whose id the journal knows, sent or not, is not queued again. `now` is the time of queueing.
    fn advance(
        &self,
        fence: Fence,
        reaction: &'static str,
        up_to: Position,
        mails: Vec<QueuedMail>,
        now: Moment,
    ) -> BoxFuture<'_, Result<(), WriteFailed>>;

    /// Claims at most `limit` mails that are due at `now`, the urgent ones first. The claim and the counted try are
    /// durable before this returns. So a mail is never sent twice without the journal knowing of the first time.
    fn claim_due(
        &self,
        fence: Fence,
        now: Moment,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<ClaimedMail>, WriteFailed>>;

    /// Makes every claimed mail due again. Used for claims whose owner can no longer say how they ended: the process
    /// died, lost the lease, or did not get the answer to its claim.
    fn reclaim(&self, fence: Fence) -> BoxFuture<'_, Result<(), WriteFailed>>;

    /// Records the result of a claimed mail at `now`. This ends the claim.
    fn conclude(
        &self,
        fence: Fence,
        effect: Uuid,
        outcome: MailOutcome,
        now: Moment,
    ) -> BoxFuture<'_, Result<(), WriteFailed>>;

    /// The time at which the next mail is due. Returns `None` if no mail waits.
    fn next_due(&self) -> BoxFuture<'_, Result<Option<Moment>, StoreFailed>>;

    /// Mails that were sent or given up, whose result is not in the log yet and is to be written at `now`: at most
    /// `limit`.
    fn unnoted(&self, now: Moment, limit: usize) -> BoxFuture<'_, Result<Vec<UnnotedFate>, StoreFailed>>;

    /// Records why the result of a mail could not be written to the log. [`unnoted`](Self::unnoted) returns the mail
    /// again from `again` on.
    fn not_noted(
        &self,
        fence: Fence,
        effect: Uuid,
        why: String,
        again: Moment,
    ) -> BoxFuture<'_, Result<(), WriteFailed>>;

    /// Records that the result of a mail is in the log.
    fn noted(&self, fence: Fence, effect: Uuid) -> BoxFuture<'_, Result<(), WriteFailed>>;

    /// Stores why no mail is being sent. `None`: mails are being sent. The value survives a restart, and other
    /// processes can read it.
    fn hold(&self, fence: Fence, hold: Option<Hold>) -> BoxFuture<'_, Result<(), WriteFailed>>;

    /// Why no mail is being sent. Returns `None` if mails are being sent.
    fn held(&self) -> BoxFuture<'_, Result<Option<Hold>, StoreFailed>>;

    /// The mails to an account and their status, newest first: at most `limit`.
    fn mails_of(&self, account: AccountId, limit: u32)
    -> BoxFuture<'_, Result<Vec<MailStatus>, StoreFailed>>;

    /// The ids of the mails to an account, and of the mails that follow from the events at these positions.
    fn mails_about(
        &self,
        account: AccountId,
        positions: Vec<Position>,
    ) -> BoxFuture<'_, Result<Vec<Uuid>, StoreFailed>>;
}
