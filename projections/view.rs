//! A view: a pure function from events to rows.

pub use crate::event_envelope::{EventEnvelope, Sight};
pub use crate::row::{Build, CannotApply, PassedOver, ViewId};
use crate::table::{Row, Table};

/// A read model: a function from events to rows of one type. It can change rows, and has no access to anything that
/// sends (law 5).
///
/// This view counts the wrong passwords of each account. A query finds the accounts with the most through the index.
///
/// ```
/// use loquet_domain::account::Event;
/// use loquet_domain::schema::DomainEvent;
/// use loquet_projections::index::{Entry, Index};
/// use loquet_projections::table::{Row, Table};
/// use loquet_projections::view::{CannotApply, EventEnvelope, View, ViewId};
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
///     fn apply(&self, rows: &mut Table<'_, FailureRow>, event: &EventEnvelope) -> Result<(), CannotApply> {
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
/// # use loquet_projections::held_rows::HeldRows;
/// # use loquet_projections::ports::{IndexEntry, Rows, StoreFailed};
/// # use uuid::Uuid;
/// # struct NothingStored;
/// # impl Rows for NothingStored {
/// #     fn get(&mut self, _: &str) -> Result<Option<Vec<u8>>, StoreFailed> {
/// #         Ok(None)
/// #     }
/// #     fn put(&mut self, _: &str, _: &[u8]) -> Result<(), StoreFailed> {
/// #         Ok(())
/// #     }
/// #     fn delete(&mut self, _: &str) -> Result<(), StoreFailed> {
/// #         Ok(())
/// #     }
/// #     fn enter(&mut self, _: &IndexEntry, _: &str) -> Result<(), StoreFailed> {
/// #         Ok(())
/// #     }
/// #     fn leave(&mut self, _: &IndexEntry, _: &str) -> Result<(), StoreFailed> {
/// #         Ok(())
/// #     }
/// #     fn note_erasure(&mut self) -> Result<(), StoreFailed> {
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
/// # let event = EventEnvelope {
/// #     position: Position(1),
/// #     stream: StreamId::new("account", marie),
/// #     revision: Revision(1),
/// #     fact: Fact { id: EventId(Uuid::nil()), context, event: failed },
/// #     name_words: Vec::new(),
/// # };
/// # let mut held = HeldRows::default();
/// # let mut nothing_stored = NothingStored;
/// # let mut rows = Table::over(&mut nothing_stored, &mut held);
/// // Two wrong passwords for one account.
/// for wrong_password in [&event, &event] {
///     Failures.apply(&mut rows, wrong_password)?;
/// }
/// assert_eq!(rows.get(marie)?.map(|row| row.failures), Some(2));
/// # Ok::<(), CannotApply>(())
/// ```
pub trait View: Send + Sync + 'static {
    /// The type of its rows.
    type Row: Row;

    /// Its name and version.
    fn id(&self) -> ViewId {
        Self::Row::VIEW
    }

    /// How much of each event it sees.
    fn sight(&self) -> Sight {
        Sight::Open
    }

    /// Applies one event. Encrypted parts are shown as erased.
    ///
    /// # Errors
    /// [`CannotApply`] stops this view at this event. Other views go on.
    fn apply(&self, rows: &mut Table<'_, Self::Row>, event: &EventEnvelope) -> Result<(), CannotApply>;
}
