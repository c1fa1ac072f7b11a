//! How far each reaction is, and the mails that are to be sent.

use chrono::TimeDelta;
use loquet_domain::Moment;
use loquet_domain::ids::AccountId;
use loquet_domain::ports::{BoxFuture, Position};
use uuid::Uuid;

use super::{Fence, StoreFailed, WriteFailed};
use crate::mail::{MailKind, MailStatus, Trouble};

/// A mail that is due: everything in it is read from the log when it is sent, so that nothing of the
/// person is kept here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedMail {
    /// Its identity, derived from the event and the recipient; its Message-ID.
    pub effect: Uuid,
    /// Which mail.
    pub kind: MailKind,
    /// To whom.
    pub recipient: AccountId,
    /// Where its event stands in the log.
    pub position: Position,
}

/// A mail that was claimed to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedMail {
    /// Which.
    pub mail: QueuedMail,
    /// How often it was tried, this time counted.
    pub tries: u32,
    /// How long it has waited since it was first refused. Only its own pauses count, not the time in which no mail
    /// went at all.
    pub waited: TimeDelta,
}

/// Why no mail goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Since when.
    pub since: Moment,
    /// What the mail server said of us, or that it is away.
    pub trouble: Trouble,
}

impl Hold {
    /// Whether the mail server refuses us, so that an operator must look. `false` if it is only away, or closes for
    /// now.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        let code = self.trouble.verdict.and_then(|verdict| verdict.code());
        code.is_some_and(|code| code != 421)
    }
}

/// A mail whose fate is known here and not yet in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnnotedFate {
    /// Which.
    pub mail: QueuedMail,
    /// When it ended.
    pub at: Moment,
    /// Why it was given up. `None` if it was sent.
    pub given_up: Option<String>,
}

/// What became of a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailOutcome {
    /// The mail server took it.
    Sent,
    /// It says nothing true any more: a newer link, an account deleted meanwhile.
    Void,
    /// Not now; again at that moment.
    Retry {
        /// When.
        at: Moment,
        /// How long it has then waited, as in [`ClaimedMail::waited`].
        waited: TimeDelta,
        /// What went wrong.
        trouble: Trouble,
    },
    /// Never; somebody must look at it.
    Dead {
        /// What went wrong.
        trouble: Trouble,
    },
}

/// Keeps the checkpoint of each reaction and the queue of mails. It outlives every rebuild of a read model.
///
/// Both are behind one port because [`advance`](Self::advance) changes both in one step: a mail that is queued without its
/// checkpoint would come twice, and a checkpoint without its mail would lose it.
///
/// **Durable**: every method that changes something answers once the change survives a crash. **Atomic**: each method
/// does all of its change or none of it, whatever moment the process is killed at. A mail is in one claim at a time.
///
/// **Fenced**: every method that changes something takes the fence of the caller's [`Lease`](super::Lease), and compares it
/// within the transaction of the change. It fails with [`Fenced`](super::Fenced) and changes nothing if that lease is over.
/// So a node that lost the lease writes nothing, however late it notices.
///
/// Every method fails with [`StoreFailed`] if the journal can't be used. Then the change may have been made or not, and
/// the caller repeats the call: making a change twice leads to the same state as making it once. The exception is
/// [`claim_due`](Self::claim_due), whose caller calls [`reclaim`](Self::reclaim) first.
pub trait ReactionJournal: Send + Sync {
    /// Returns the position up to which a reaction has acted. Returns zero for a reaction that is new.
    fn checkpoint(&self, reaction: &'static str) -> BoxFuture<'_, Result<Position, StoreFailed>>;

    /// Moves a reaction's checkpoint to `up_to` and queues the mails that follow from its events, both or neither.
    /// A mail whose identity the journal knows, sent or not, is not queued again. `now` is when they were queued.
    fn advance(
        &self,
        fence: Fence,
        reaction: &'static str,
        up_to: Position,
        mails: Vec<QueuedMail>,
        now: Moment,
    ) -> BoxFuture<'_, Result<(), WriteFailed>>;

    /// Claims the mails that are due at `now`, at most `limit`, the urgent ones first. The claim and the counted try are
    /// durable before this answers, so that a mail is never sent twice without the journal knowing of the first time.
    fn claim_due(
        &self,
        fence: Fence,
        now: Moment,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<ClaimedMail>, WriteFailed>>;

    /// Makes every claimed mail due again. For claims whose owner can no longer say what became of them: a process that
    /// died, one that lost the lease, or one that was not told what it claimed.
    fn reclaim(&self, fence: Fence) -> BoxFuture<'_, Result<(), WriteFailed>>;

    /// Notes what became of a claimed mail, at `now`. The claim ends with it.
    fn conclude(
        &self,
        fence: Fence,
        effect: Uuid,
        outcome: MailOutcome,
        now: Moment,
    ) -> BoxFuture<'_, Result<(), WriteFailed>>;

    /// Returns when the next mail is due. Returns `None` if no mail waits.
    fn next_due(&self) -> BoxFuture<'_, Result<Option<Moment>, StoreFailed>>;

    /// Returns mails that have ended, of which the log does not know yet, and that are to be noted at `now`: at most
    /// `limit`.
    fn unnoted(&self, now: Moment, limit: usize) -> BoxFuture<'_, Result<Vec<UnnotedFate>, StoreFailed>>;

    /// Notes that the log did not take in what became of a mail, and why. [`unnoted`](Self::unnoted) returns the mail
    /// again from the moment `again` on.
    fn not_noted(
        &self,
        fence: Fence,
        effect: Uuid,
        why: String,
        again: Moment,
    ) -> BoxFuture<'_, Result<(), WriteFailed>>;

    /// Notes that the log knows what became of a mail.
    fn noted(&self, fence: Fence, effect: Uuid) -> BoxFuture<'_, Result<(), WriteFailed>>;

    /// Stores why no mail goes. `None` says that mails go. It survives a restart, and other processes read it.
    fn hold(&self, fence: Fence, hold: Option<Hold>) -> BoxFuture<'_, Result<(), WriteFailed>>;

    /// Returns why no mail goes. Returns `None` while mails go.
    fn held(&self) -> BoxFuture<'_, Result<Option<Hold>, StoreFailed>>;

    /// Returns what became of the mails to an account, the newest first: at most `limit`.
    fn mails_of(&self, account: AccountId, limit: u32)
    -> BoxFuture<'_, Result<Vec<MailStatus>, StoreFailed>>;

    /// Returns the identities of the mails to an account, and of those that follow from the events at these positions.
    fn mails_about(
        &self,
        account: AccountId,
        positions: Vec<Position>,
    ) -> BoxFuture<'_, Result<Vec<Uuid>, StoreFailed>>;
}
