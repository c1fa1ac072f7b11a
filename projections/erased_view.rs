//! Views without the type of their rows, so that the runner can keep them in one list.
//!
//! A batch may collect many slices of the log. Until it is written, the view's position is its checkpoint.

use std::mem;
use std::sync::Arc;

use crate::held_rows::{ChangedRows, Covered, HeldRows};
use crate::ports::Rows;
use crate::table::Table;
use crate::view::{CannotApply, EventEnvelope, Sight, View, ViewId};

/// A view without the type of its rows. Every [`View`] is one.
pub trait ErasedView: Send + Sync {
    /// The same as [`View::id`].
    fn id(&self) -> ViewId;

    /// The same as [`View::sight`].
    fn sight(&self) -> Sight;

    /// Starts a batch with no rows in memory.
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

/// The largest sight among these views.
pub(crate) fn sight_of<'a>(views: impl Iterator<Item = &'a Arc<dyn ErasedView>>) -> Sight {
    views.map(|view| view.sight()).max().unwrap_or_default()
}

/// A view and its rows in memory, without their type. The runner applies events to it and then writes it.
pub trait Batch: Send {
    /// Applies events in order, in memory. Reads stored rows as needed, and writes none.
    ///
    /// # Errors
    /// [`CannotApply`] at the first event that can't be applied. Discard the batch then, because part of that event
    /// may have been applied.
    fn apply(&mut self, stored: &mut dyn Rows, events: &[Arc<EventEnvelope>]) -> Result<(), CannotApply>;

    /// The changed rows, ready to be written. Removes all rows from memory. Until the next call, events that are applied see
    /// these rows, whether they were written already or not. So the next events are applied while they are written.
    ///
    /// # Errors
    /// [`CannotApply`] if a row has no stored form.
    fn changed(&mut self) -> Result<Arc<ChangedRows>, CannotApply>;

    /// The number of rows in memory.
    fn held(&self) -> usize;
}

/// A view and its rows in memory.
pub(crate) struct TypedBatch<V: View> {
    view: Arc<V>,
    rows: HeldRows<V::Row>,
    /// The rows that were changed before those in memory.
    before: Arc<ChangedRows>,
}

impl<V: View> TypedBatch<V> {
    pub(crate) fn new(view: Arc<V>) -> Self {
        Self { view, rows: HeldRows::default(), before: Arc::default() }
    }
}

impl<V: View> Batch for TypedBatch<V> {
    fn apply(&mut self, stored: &mut dyn Rows, events: &[Arc<EventEnvelope>]) -> Result<(), CannotApply> {
        let mut stored = Covered { by: &self.before, stored };
        let mut table = Table::over(&mut stored, &mut self.rows);
        events.iter().try_for_each(|event| self.view.apply(&mut table, event))
    }

    fn changed(&mut self) -> Result<Arc<ChangedRows>, CannotApply> {
        self.before = Arc::new(mem::take(&mut self.rows).changed()?);
        Ok(self.before.clone())
    }

    fn held(&self) -> usize {
        self.rows.len()
    }
}
