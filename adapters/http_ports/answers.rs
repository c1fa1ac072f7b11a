//! Stored answers to commands with an idempotency key. If a client sends a command again, it gets the same
//! answer and the command is not carried out again (IETF draft-ietf-httpapi-idempotency-key-header).
//!
//! A command is identified by a keyed hash of the caller, the key and the content. An answer holds ids and
//! positions. It never holds a person's data, a password or a token.

use std::fmt;

use loquet_domain::Moment;
use loquet_domain::ports::BoxFuture;
use loquet_projections::ports::StoreFailed;

/// Identifies a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandId {
    /// A keyed hash of the caller and the idempotency key.
    pub command: [u8; 32],
    /// A keyed hash of the request that the caller sent.
    pub contents: [u8; 32],
}

/// What the store knows about a command before it is carried out.
#[derive(Debug)]
pub enum Known {
    /// Nothing. The caller carries the command out and then calls [`Answers::end`].
    New(UnderWay),
    /// The command was carried out, with this answer.
    Answered(Vec<u8>),
    /// The command is being carried out.
    UnderWay,
    /// The key was used for a different command.
    Differs,
}

/// A command that is being carried out. When this is dropped, the command's key is free again, and the
/// command can be sent again. Other nodes may see that a moment later than this one.
pub struct UnderWay {
    /// The command.
    pub id: CommandId,
    /// When it began.
    pub begun_at: Moment,
    _claim: Box<dyn Send + Sync>,
}

impl UnderWay {
    /// A command that holds its key until `claim` is dropped.
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

/// The stored answers. They are kept for 24 hours.
///
/// What a store must keep: of all calls of [`Answers::begin`] for one command, at once or on several nodes, at most one
/// gets [`Known::New`] until its claim ends. An answer is durable when [`Answers::end`] returns. A claim whose process
/// died ends too.
pub trait Answers: Send + Sync {
    /// Returns the identity of a command, from the caller, the idempotency key and the content.
    fn id(&self, caller: &str, key: &str, contents: &[&[u8]]) -> CommandId;

    /// Begins a command. Does nothing if the command is known already.
    fn begin(&self, id: CommandId, now: Moment) -> BoxFuture<'_, Result<Known, StoreFailed>>;

    /// Stores the answer to a command durably. If this fails, the command can be sent again.
    fn end(&self, command: UnderWay, answer: Vec<u8>) -> BoxFuture<'_, Result<(), StoreFailed>>;
}
