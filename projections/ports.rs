//! What projections ask of the outside.

use std::sync::Arc;

use chrono::TimeDelta;
use loquet_domain::Moment;
use loquet_domain::ids::AccountId;
use loquet_domain::ports::{BoxFuture, Position};
use uuid::Uuid;

use crate::mail::{Judgement, MailKind, MailStatus, Message, Trouble, Verdict};
use crate::view::{Build, CannotApply, ViewId};

/// Tells the time. Only the program's wiring makes one from the real clock.
pub type Clock = Arc<dyn Fn() -> Moment + Send + Sync>;

/// A store of read models or reactions can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StoreFailed(pub String);

/// One view's rows, within a transaction.
pub trait Rows {
    /// The row under a key.
    ///
    /// # Errors
    /// [`StoreFailed`] when the store does not answer.
    fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, StoreFailed>;

    /// Writes a row. `gone` and `new` are the index entries that change with it.
    ///
    /// # Errors
    /// As above.
    fn put(
        &mut self,
        key: &str,
        row: &[u8],
        gone: &[IndexEntry],
        new: &[IndexEntry],
    ) -> Result<(), StoreFailed>;

    /// Removes a row and its index entries.
    ///
    /// # Errors
    /// As above.
    fn delete(&mut self, key: &str, gone: &[IndexEntry]) -> Result<(), StoreFailed>;
}

/// Under what a row is found besides its key: the index's name and the value in it.
pub type IndexEntry = (&'static str, String);

/// Work on a view's rows.
pub type Work = Box<dyn FnOnce(&mut dyn Rows) -> Result<(), CannotApply> + Send>;

/// In which order rows come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The least first.
    #[default]
    Ascending,
    /// The greatest first.
    Descending,
}

/// A place among the rows that a query finds: behind it the next page begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The row's value in the index that was asked; empty where none was.
    pub value: String,
    /// The row's key.
    pub key: String,
}

/// Which rows a query wants.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// An index, and with what a row's value in it begins; the rows come in the order of these values.
    /// Without one, all rows in the order of their keys.
    pub by: Option<IndexEntry>,
    /// In which order.
    pub order: Order,
    /// Only rows behind this one.
    pub after: Option<Cursor>,
    /// At most so many.
    pub limit: usize,
}

/// A row that a query found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRow {
    /// Where it stands among the others, its key included.
    pub cursor: Cursor,
    /// The row.
    pub row: Vec<u8>,
}

/// How far a building of a view is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildState {
    /// Which.
    pub build: Build,
    /// Up to where it has seen the log.
    pub position: Position,
    /// Whether queries read it.
    pub serving: bool,
    /// What stopped it.
    pub failure: Option<String>,
}

/// Where read models live.
pub trait ReadStore: Send + Sync {
    /// Every building there is.
    fn builds(&self) -> BoxFuture<'_, Result<Vec<BuildState>, StoreFailed>>;

    /// Begins a building of a view, under a number that none of that name ever had. Queries read it at once if
    /// they have no other of that name.
    fn begin(&self, view: ViewId) -> BoxFuture<'_, Result<Build, StoreFailed>>;

    /// From now on queries read this building, and no other of its name.
    fn serve(&self, build: Build) -> BoxFuture<'_, Result<(), StoreFailed>>;

    /// No query reads a view of this name any more: its buildings are as good as half deleted.
    fn retire(&self, view: &'static str) -> BoxFuture<'_, Result<(), StoreFailed>>;

    /// The buildings whose deletion was begun and not ended.
    fn half_deleted(&self) -> BoxFuture<'_, Result<Vec<Build>, StoreFailed>>;

    /// Deletes a building that no query reads. Takes its time, and lets others write in between.
    fn discard(&self, build: Build) -> BoxFuture<'_, Result<(), StoreFailed>>;

    /// Does work that reads rows; whatever it writes is undone.
    fn look(&self, build: Build, work: Work) -> BoxFuture<'_, Result<(), CannotApply>>;

    /// Does the work and moves the checkpoint from `from`, both or neither (law 9).
    fn update(
        &self,
        build: Build,
        from: Position,
        up_to: Position,
        work: Work,
    ) -> BoxFuture<'_, Result<(), CannotApply>>;

    /// Forgets a building's rows and checkpoint: it is built from the start.
    fn reset(&self, build: Build) -> BoxFuture<'_, Result<(), StoreFailed>>;

    /// Notes what stopped a building, or that nothing does, for whoever looks from outside.
    fn note_failure(&self, build: Build, failure: Option<String>) -> BoxFuture<'_, Result<(), StoreFailed>>;

    /// Asks whoever runs the views to build one anew.
    fn request_rebuild(&self, view: String) -> BoxFuture<'_, Result<(), StoreFailed>>;

    /// Which views were asked to be built anew since this was last called.
    fn take_requests(&self) -> BoxFuture<'_, Result<Vec<String>, StoreFailed>>;

    /// One row of the building that serves.
    fn get(&self, view: ViewId, key: String) -> BoxFuture<'_, Result<Option<Vec<u8>>, StoreFailed>>;

    /// Rows of the building that serves.
    fn select(&self, view: ViewId, wanted: Selection) -> BoxFuture<'_, Result<Vec<FoundRow>, StoreFailed>>;

    /// The keys whose rows or index entries two buildings do not have in common, at most `limit`.
    fn differences(
        &self,
        one: Build,
        other: Build,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<String>, StoreFailed>>;
}

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
    /// Why it was given up; none where it was sent.
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

/// Where reactions note how far they are and what is to be sent. It outlives every rebuild.
pub trait ReactionJournal: Send + Sync {
    /// Up to where a reaction has acted; zero for one that is new.
    fn checkpoint(&self, reaction: &'static str) -> BoxFuture<'_, Result<Position, StoreFailed>>;

    /// Moves a reaction's checkpoint and queues the mails it wants, both or neither. A mail that was
    /// queued before, sent or not, is not queued again.
    fn advance(
        &self,
        reaction: &'static str,
        up_to: Position,
        mails: Vec<QueuedMail>,
        now: Moment,
    ) -> BoxFuture<'_, Result<(), StoreFailed>>;

    /// Claims what is due, durably, before it is sent: at most `limit` mails, the urgent ones first.
    fn claim_due(&self, now: Moment, limit: usize) -> BoxFuture<'_, Result<Vec<ClaimedMail>, StoreFailed>>;

    /// Makes due again what was claimed by somebody who can no longer say what became of it: a process that
    /// died, or one that was not told what it claimed.
    fn reclaim(&self) -> BoxFuture<'_, Result<(), StoreFailed>>;

    /// Notes what became of a mail.
    fn conclude(
        &self,
        effect: Uuid,
        outcome: MailOutcome,
        now: Moment,
    ) -> BoxFuture<'_, Result<(), StoreFailed>>;

    /// When the next mail is due.
    fn next_due(&self) -> BoxFuture<'_, Result<Option<Moment>, StoreFailed>>;

    /// Mails that have ended, of which the log does not know yet, and that are to be noted now: at most
    /// `limit`.
    fn unnoted(&self, now: Moment, limit: usize) -> BoxFuture<'_, Result<Vec<UnnotedFate>, StoreFailed>>;

    /// The log did not take in what became of a mail: it is tried again at `again`, and why is shown.
    fn not_noted(&self, effect: Uuid, why: String, again: Moment) -> BoxFuture<'_, Result<(), StoreFailed>>;

    /// The log knows what became of a mail.
    fn noted(&self, effect: Uuid) -> BoxFuture<'_, Result<(), StoreFailed>>;

    /// Stores why no mail goes, or that mails go. It survives a restart, and other processes read it.
    fn hold(&self, hold: Option<Hold>) -> BoxFuture<'_, Result<(), StoreFailed>>;

    /// Returns why no mail goes. Returns `None` while mails go.
    fn held(&self) -> BoxFuture<'_, Result<Option<Hold>, StoreFailed>>;

    /// What became of the mails to an account, the newest first: at most `limit`.
    fn mails_of(&self, account: AccountId, limit: u32)
    -> BoxFuture<'_, Result<Vec<MailStatus>, StoreFailed>>;

    /// The mails to an account, and those that follow from the events at these positions.
    fn mails_about(
        &self,
        account: AccountId,
        positions: Vec<Position>,
    ) -> BoxFuture<'_, Result<Vec<Uuid>, StoreFailed>>;
}

/// Why a mail was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The server can't be reached, or takes nothing from us. Every mail would get the same reply.
    #[error("{0}")]
    Away(Trouble),
    /// The server does not take this mail for now. Another try may succeed.
    #[error("{0}")]
    Transient(Trouble),
    /// The server does not take this mail, or takes nothing from us: its reply fits both.
    #[error("{0}")]
    Unclear(Trouble),
    /// The server never takes this mail, or the address can't be used. Another try is useless.
    #[error("{0}")]
    Permanent(Trouble),
}

impl From<Verdict> for SendError {
    fn from(verdict: Verdict) -> Self {
        match verdict.judgement() {
            Judgement::AboutUs => Self::Away(verdict.into()),
            Judgement::NotNow => Self::Transient(verdict.into()),
            Judgement::Unclear => Self::Unclear(verdict.into()),
            Judgement::Never => Self::Permanent(verdict.into()),
        }
    }
}

/// Sends mail.
pub trait Mailer: Send + Sync {
    /// Hands a message to the mail server; yes once it said so.
    fn send(&self, message: Message) -> BoxFuture<'_, Result<(), SendError>>;

    /// Forgets what is kept here of mails, where anything is: a person was erased.
    fn forget(&self, _mails: Vec<Uuid>) -> BoxFuture<'_, Result<(), StoreFailed>> {
        Box::pin(std::future::ready(Ok(())))
    }
}
