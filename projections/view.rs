//! A view: a pure function from events to rows.

use loquet_domain::fact::Fact;
use loquet_domain::ports::{CodecError, EventCodec, Position, RecordedEvent, Revision, StreamId};
use loquet_domain::schema::DomainEvent;

use crate::batch::Batch;
use crate::ports::StoreFailed;

/// Which view, in which version. A new version is built from the start, in tables of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ViewId {
    /// Its name: lower case, underscores.
    pub name: &'static str,
    /// Goes up whenever its rows come to mean something else.
    pub version: u32,
}

/// One building of a view, its rows in tables of their own: a view can be built anew beside the building
/// that serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Build {
    /// Of which view.
    pub view: ViewId,
    /// Which: greater is later.
    pub generation: u32,
}

/// An event as views and reactions see it.
#[derive(Clone, Debug)]
pub struct Noted {
    /// Where in the log.
    pub position: Position,
    /// Of which stream.
    pub stream: StreamId,
    /// Where in its stream.
    pub revision: Revision,
    /// What happened.
    pub fact: Fact<DomainEvent>,
}

impl Noted {
    /// Reads the open part of an event: all that a view may see, and no key is asked for.
    ///
    /// # Errors
    /// [`CodecError`] where it can't be read.
    pub fn read_open(codec: &dyn EventCodec, recorded: RecordedEvent) -> Result<Self, CodecError> {
        let fact = codec.decode_open(&recorded)?;
        Ok(Self::new(recorded, fact))
    }

    pub(crate) fn new(recorded: RecordedEvent, fact: Fact<DomainEvent>) -> Self {
        let RecordedEvent { position, stream, revision, .. } = recorded;
        Self { position, stream, revision, fact }
    }
}

/// Why a view stopped. It is shown and tried again; the event is never passed over (law 9).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotApply {
    /// The event contradicts the rows.
    #[error("{0}")]
    Contradiction(String),
    /// A row can't be read.
    #[error("row {key} can't be read: {why}")]
    Row {
        /// Which row.
        key: String,
        /// What is wrong with it.
        why: String,
    },
    /// Somebody else has moved the building's checkpoint: what was applied was applied to rows that are no
    /// more. Nothing was written; it goes on from there.
    #[error("the checkpoint was moved to {0} by somebody else")]
    Moved(Position),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreFailed),
}

/// A read model. It can name rows, and nothing that sends (law 5).
pub trait View: Send + Sync {
    /// Which.
    fn id(&self) -> ViewId;

    /// Takes one event in: its open part, what is sealed reads as erased.
    ///
    /// # Errors
    /// [`CannotApply`] stops this view, and no other, at this event.
    fn apply(&self, rows: &mut Batch<'_>, event: &Noted) -> Result<(), CannotApply>;
}
