//! What was answered to a command that carried an idempotency key, so that asking again is answered again and does
//! nothing (IETF draft-ietf-httpapi-idempotency-key-header).
//!
//! A command is known by a keyed hash of who asked, its key and its contents. An answer names ids and positions, never a
//! person, a password or a token.

use std::fmt;

use loquet_domain::Moment;
use loquet_domain::ports::BoxFuture;
use loquet_projections::ports::StoreFailed;

/// What a command is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandId {
    /// A keyed hash of the caller and the idempotency key.
    pub command: [u8; 32],
    /// A keyed hash of what the caller sent.
    pub contents: [u8; 32],
}

/// What is known of a command before it is carried out.
#[derive(Debug)]
pub enum Known {
    /// Nothing. The caller carries it out, and then calls [`Answers::end`].
    New(UnderWay),
    /// It was carried out, with this answer.
    Answered(Vec<u8>),
    /// It is being carried out.
    UnderWay,
    /// The key was used for another command.
    Differs,
}

/// A command that is being carried out. Dropping it ends the claim on its key, so that the command can be asked for
/// again.
pub struct UnderWay {
    /// Which command.
    pub id: CommandId,
    /// When it was begun.
    pub begun_at: Moment,
    _claim: Box<dyn Send + Sync>,
}

impl UnderWay {
    /// A command whose claim ends when `claim` is dropped.
    #[must_use]
    pub fn new(id: CommandId, begun_at: Moment, claim: impl Send + Sync + 'static) -> Self {
        Self { id, begun_at, _claim: Box::new(claim) }
    }
}

impl fmt::Debug for UnderWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnderWay")
            .field("id", &self.id)
            .field("begun_at", &self.begun_at)
            .finish_non_exhaustive()
    }
}

/// The answers. They are kept for 24 hours.
///
/// What a store must keep: of all calls of [`Answers::begin`] for one command, at once or on several nodes, at most one
/// gets [`Known::New`] until its claim ends. An answer is durable when [`Answers::end`] returns. A claim whose process
/// died ends too.
pub trait Answers: Send + Sync {
    /// Returns what a command is known by: who asks, with which key, for what.
    fn id(&self, caller: &str, key: &str, contents: &[&[u8]]) -> CommandId;

    /// Begins a command, unless it is known.
    fn begin(&self, id: CommandId, now: Moment) -> BoxFuture<'_, Result<Known, StoreFailed>>;

    /// Stores the answer to a command that was begun, durably. If this fails, the command can be asked for anew.
    fn end(&self, command: UnderWay, answer: Vec<u8>) -> BoxFuture<'_, Result<(), StoreFailed>>;
}
