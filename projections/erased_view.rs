//! Views without the type of their rows, so that the runner can keep them in one list.
//!
//! A batch may collect many slices of the log. Until it is written, the view's position is its checkpoint.

use std::mem;
use std::sync::Arc;

use crate::held_rows::{ChangedRows, HeldRows};
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

    /// Does the part of the writing for which no store is needed. Nothing may be applied between this and the writing.
    ///
    /// # Errors
    /// The same as [`Batch::write`].
    fn make_ready(&mut self) -> Result<(), CannotApply>;

    /// Writes the changed rows and removes all rows from memory.
    ///
    /// # Errors
    /// [`CannotApply`] if a row can't be written.
    fn write(&mut self, stored: &mut dyn Rows) -> Result<(), CannotApply>;

    /// The number of rows in memory.
    fn held(&self) -> usize;
}

/// A view and its rows in memory.
pub(crate) struct TypedBatch<V: View> {
    view: Arc<V>,
    rows: HeldRows<V::Row>,
    ready: Option<ChangedRows>,
}

impl<V: View> TypedBatch<V> {
    pub(crate) fn new(view: Arc<V>) -> Self {
        Self { view, rows: HeldRows::default(), ready: None }
    }
}

impl<V: View> Batch for TypedBatch<V> {
    fn apply(&mut self, stored: &mut dyn Rows, events: &[Arc<EventEnvelope>]) -> Result<(), CannotApply> {
        let mut table = Table::over(stored, &mut self.rows);
        events.iter().try_for_each(|event| self.view.apply(&mut table, event))
    }

    fn make_ready(&mut self) -> Result<(), CannotApply> {
        self.ready = Some(mem::take(&mut self.rows).changed()?);
        Ok(())
    }

    fn write(&mut self, stored: &mut dyn Rows) -> Result<(), CannotApply> {
        if self.ready.is_none() {
            self.make_ready()?;
        }
        self.ready.take().map_or(Ok(()), |ready| ready.write(stored))
    }

    fn held(&self) -> usize {
        self.rows.len()
    }
}
