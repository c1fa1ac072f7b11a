//! What projections ask of the outside.

use std::sync::Arc;

use loquet_domain::Moment;
use loquet_domain::ids::AccountId;
use loquet_domain::ports::{BoxFuture, Position};
use uuid::Uuid;

use crate::mail::{MailKind, Message};
use crate::view::{CannotApply, ViewId};

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

/// Which rows a query wants.
#[derive(Clone, Debug)]
pub struct Selection {
    /// The index and the value in it; all rows where there is none.
    pub by: Option<IndexEntry>,
    /// Only keys after this one.
    pub after: Option<String>,
    /// At most so many.
    pub limit: usize,
}

/// A row with its key.
pub type KeyedRow = (String, Vec<u8>);

/// Where read models live.
pub trait ReadStore: Send + Sync {
    /// Up to where a view has seen the log; zero for one that is new.
    fn checkpoint(&self, view: ViewId) -> BoxFuture<'_, Result<Position, StoreFailed>>;

    /// Does the work and moves the checkpoint, both or neither (law 9).
    fn update(&self, view: ViewId, up_to: Position, work: Work) -> BoxFuture<'_, Result<(), CannotApply>>;

    /// Forgets a view's rows and checkpoint: it is built from the start.
    fn reset(&self, view: ViewId) -> BoxFuture<'_, Result<(), StoreFailed>>;

    /// One row.
    fn get(&self, view: ViewId, key: String) -> BoxFuture<'_, Result<Option<Vec<u8>>, StoreFailed>>;

    /// Rows with their keys, in the order of their keys.
    fn select(&self, view: ViewId, wanted: Selection) -> BoxFuture<'_, Result<Vec<KeyedRow>, StoreFailed>>;
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
        /// What went wrong.
        why: String,
    },
    /// Never; somebody must look at it.
    Dead {
        /// What went wrong.
        why: String,
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

    /// Claims what is due, durably, before it is sent: at most `limit` mails and how often each was
    /// tried.
    fn claim_due(
        &self,
        now: Moment,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<(QueuedMail, u32)>, StoreFailed>>;

    /// Makes due again what was claimed by a process that died before it could say what became of it.
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
}

/// Why a mail was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The server is away, busy or slow, or said 4xx: worth another try.
    #[error("{0}")]
    Transient(String),
    /// The server said 5xx, or the address can't be used: no use trying again.
    #[error("{0}")]
    Permanent(String),
}

/// Sends mail.
pub trait Mailer: Send + Sync {
    /// Hands a message to the mail server; yes once it said so.
    fn send(&self, message: Message) -> BoxFuture<'_, Result<(), SendError>>;
}
