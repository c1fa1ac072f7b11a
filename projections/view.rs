//! A view: a pure function from events to rows.

use std::sync::Arc;

use loquet_domain::account;
use loquet_domain::fact::Fact;
use loquet_domain::ports::{CodecError, EventCodec, Position, RecordedEvent, Revision, StreamId};
use loquet_domain::schema::DomainEvent;
use loquet_domain::search;

use crate::batch::{Batch, TypedBatch};
use crate::ports::StoreFailed;
use crate::table::{Row, RowFailed, Table};

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
    /// Of an account that was created, keyed hashes of the first letters of the words of its owner's name: for views
    /// that see as much, and where the account's key is there.
    pub name_words: Vec<String>,
}

/// How much of events views see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sight {
    /// The open part. No key is asked for.
    #[default]
    Open,
    /// And keyed hashes of the words of names, by which people are found. The names themselves no view sees.
    HashedNames,
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

    /// Reads as much of an event as views of that sight may see.
    ///
    /// # Errors
    /// As [`Noted::read_open`]. A name that can't be read is none: the loss of one account's key stops no view.
    pub(crate) async fn read(
        codec: &dyn EventCodec,
        recorded: RecordedEvent,
        sight: Sight,
    ) -> Result<Self, CodecError> {
        let fact = codec.decode_open(&recorded)?;
        let named = matches!(fact.event, DomainEvent::Account(account::Event::AccountCreated { .. }));
        let name_words = match sight {
            Sight::HashedNames if named => hashed_names(codec, &recorded).await,
            Sight::HashedNames | Sight::Open => Vec::new(),
        };
        Ok(Self { name_words, ..Self::new(recorded, fact) })
    }

    pub(crate) fn new(recorded: RecordedEvent, fact: Fact<DomainEvent>) -> Self {
        let RecordedEvent { position, stream, revision, .. } = recorded;
        Self { position, stream, revision, fact, name_words: Vec::new() }
    }
}

/// What finds the person whose account was created; nothing where they were erased.
async fn hashed_names(codec: &dyn EventCodec, recorded: &RecordedEvent) -> Vec<String> {
    let person = match codec.decode(recorded).await.map(|fact| fact.event) {
        Ok(DomainEvent::Account(account::Event::AccountCreated { person, .. })) => person,
        Ok(_) => return Vec::new(),
        Err(error) => {
            let (stream, position) = (&recorded.stream, recorded.position);
            tracing::error!(%stream, %position, %error, "whose account this is can't be read: they are not found by name");
            return Vec::new();
        }
    };
    let names = person.known().map(|person| [person.given_name.as_str(), person.family_name.as_str()]);
    let beginnings = names.map(|names| search::beginnings_of(&names)).unwrap_or_default();
    beginnings.iter().map(|beginning| codec.hash_word(beginning)).collect()
}

/// Some events were not shown to a view: taking in what follows would pass them over (law 9).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what follows position {seen} was not shown to it: it was given what follows {after}")]
pub struct PassedOver {
    /// Up to where the view has seen the log.
    pub seen: Position,
    /// Behind which position the events begin that it was given.
    pub after: Position,
}

/// Why a view stopped. It is shown and tried again; the event is never passed over (law 9).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotApply {
    /// The event contradicts the rows.
    #[error("{0}")]
    Contradiction(String),
    /// A row can't be read or written.
    #[error(transparent)]
    Row(#[from] RowFailed),
    /// Some events before this one were not shown to the view.
    #[error(transparent)]
    PassedOver(#[from] PassedOver),
    /// Somebody else has moved the building's checkpoint: what was applied was applied to rows that are no
    /// more. Nothing was written; it goes on from there.
    #[error("the checkpoint was moved to {0} by somebody else")]
    Moved(Position),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreFailed),
}

/// As much as the one that sees most of these views.
pub(crate) fn sight_of<'a>(views: impl Iterator<Item = &'a Arc<dyn ErasedView>>) -> Sight {
    views.map(|view| view.sight()).max().unwrap_or_default()
}

/// A read model: a function from events to rows of one type. It can name rows, and nothing that sends (law 5).
///
/// This view counts the wrong passwords of each account. A query finds the accounts with the most through the index.
///
/// ```
/// use loquet_domain::account::Event;
/// use loquet_domain::schema::DomainEvent;
/// use loquet_projections::index::{Entry, Index};
/// use loquet_projections::table::{Row, Table};
/// use loquet_projections::view::{CannotApply, Noted, View, ViewId};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Serialize, Deserialize)]
/// struct FailureRow {
///     failures: u32,
/// }
///
/// impl FailureRow {
///     const BY_FAILURES: Index<Self> = Index::new("failures");
/// }
///
/// impl Row for FailureRow {
///     const VIEW: ViewId = ViewId { name: "failures", version: 1 };
///
///     fn indexes(&self) -> Vec<Entry<Self>> {
///         vec![Self::BY_FAILURES.entry(format!("{:010}", self.failures))]
///     }
/// }
///
/// struct Failures;
///
/// impl View for Failures {
///     type Row = FailureRow;
///
///     fn apply(&self, rows: &mut Table<'_, FailureRow>, event: &Noted) -> Result<(), CannotApply> {
///         match &event.fact.event {
///             DomainEvent::Account(Event::LoginFailed { .. }) => {
///                 let none_yet = || FailureRow { failures: 0 };
///                 rows.change_or(event.stream.id(), none_yet, |row| row.failures += 1)
///             }
///             _ => Ok(()),
///         }
///     }
/// }
///
/// # use loquet_domain::Moment;
/// # use loquet_domain::account::Counts;
/// # use loquet_domain::fact::{Actor, Context, Fact};
/// # use loquet_domain::ids::{CorrelationId, EventId};
/// # use loquet_domain::ports::{Position, Revision, StreamId};
/// # use loquet_projections::batch::HeldRows;
/// # use loquet_projections::ports::{IndexEntry, Rows, StoreFailed};
/// # use uuid::Uuid;
/// # struct NothingStored;
/// # impl Rows for NothingStored {
/// #     fn get(&mut self, _: &str) -> Result<Option<Vec<u8>>, StoreFailed> {
/// #         Ok(None)
/// #     }
/// #     fn put(&mut self, _: &str, _: &[u8], _: &[IndexEntry], _: &[IndexEntry]) -> Result<(), StoreFailed> {
/// #         Ok(())
/// #     }
/// #     fn delete(&mut self, _: &str, _: &[IndexEntry]) -> Result<(), StoreFailed> {
/// #         Ok(())
/// #     }
/// # }
/// # let marie = "7c9e6679-7425-40de-944b-e07fc1f90ae7";
/// # let context = Context {
/// #     at: Moment::UNIX_EPOCH,
/// #     actor: Actor::Operator,
/// #     correlation: CorrelationId(Uuid::nil()),
/// #     causation: None,
/// #     client: None,
/// #     reason: None,
/// # };
/// # let failed = DomainEvent::Account(Event::LoginFailed { failures: Counts { account: None, device: None } });
/// # let event = Noted {
/// #     position: Position(1),
/// #     stream: StreamId::new("account", marie),
/// #     revision: Revision(1),
/// #     fact: Fact { id: EventId(Uuid::nil()), context, event: failed },
/// #     name_words: Vec::new(),
/// # };
/// # let mut held = HeldRows::default();
/// # let mut nothing_stored = NothingStored;
/// # let mut rows = Table::over(&mut nothing_stored, &mut held);
/// // Two wrong passwords, of one account.
/// for wrong_password in [&event, &event] {
///     Failures.apply(&mut rows, wrong_password)?;
/// }
/// assert_eq!(rows.get(marie)?.map(|row| row.failures), Some(2));
/// # Ok::<(), CannotApply>(())
/// ```
pub trait View: Send + Sync + 'static {
    /// Its rows.
    type Row: Row;

    /// Which.
    fn id(&self) -> ViewId {
        Self::Row::VIEW
    }

    /// How much it sees of events.
    fn sight(&self) -> Sight {
        Sight::Open
    }

    /// Takes one event in: its open part, what is sealed reads as erased.
    ///
    /// # Errors
    /// [`CannotApply`] stops this view, and no other, at this event.
    fn apply(&self, rows: &mut Table<'_, Self::Row>, event: &Noted) -> Result<(), CannotApply>;
}

/// A view without the type of its rows: what the runner keeps in one list. Every [`View`] is one.
pub trait ErasedView: Send + Sync {
    /// As [`View::id`].
    fn id(&self) -> ViewId;

    /// As [`View::sight`].
    fn sight(&self) -> Sight;

    /// Begins to apply events, with no rows in memory.
    fn batch(self: Arc<Self>) -> Box<dyn Batch>;
}

impl<V: View> ErasedView for V {
    fn id(&self) -> ViewId {
        View::id(self)
    }

    fn sight(&self) -> Sight {
        View::sight(self)
    }

    fn batch(self: Arc<Self>) -> Box<dyn Batch> {
        Box::new(TypedBatch::new(self))
    }
}
