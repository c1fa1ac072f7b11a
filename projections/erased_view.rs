//! Views without the type of their rows: what the runner keeps in one list, and applies events to.
//!
//! A batch may outlast many slices of the log. Until it is written, the view is where its checkpoint says.

use std::mem;
use std::sync::Arc;

use crate::held_rows::HeldRows;
use crate::ports::Rows;
use crate::table::Table;
use crate::view::{CannotApply, EventEnvelope, Sight, View, ViewId};

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

/// As much as the one that sees most of these views.
pub(crate) fn sight_of<'a>(views: impl Iterator<Item = &'a Arc<dyn ErasedView>>) -> Sight {
    views.map(|view| view.sight()).max().unwrap_or_default()
}

/// A view and its rows in memory, without their type: what the runner applies events to and then writes.
pub trait Batch: Send {
    /// Applies events in order, in memory. Reads what it needs from what is stored, and writes nothing there.
    ///
    /// # Errors
    /// [`CannotApply`] at the first event that can't be applied. The batch is then of no more use: part of that event may
    /// have been applied.
    fn apply(&mut self, stored: &mut dyn Rows, events: &[Arc<EventEnvelope>]) -> Result<(), CannotApply>;

    /// Writes the rows that have changed, and holds none any more.
    ///
    /// # Errors
    /// [`CannotApply`] if a row can't be written.
    fn write(&mut self, stored: &mut dyn Rows) -> Result<(), CannotApply>;

    /// How many rows are held in memory.
    fn held(&self) -> usize;
}

/// A view and its rows in memory.
pub(crate) struct TypedBatch<V: View> {
    view: Arc<V>,
    rows: HeldRows<V::Row>,
}

impl<V: View> TypedBatch<V> {
    pub(crate) fn new(view: Arc<V>) -> Self {
        Self { view, rows: HeldRows::default() }
    }
}

impl<V: View> Batch for TypedBatch<V> {
    fn apply(&mut self, stored: &mut dyn Rows, events: &[Arc<EventEnvelope>]) -> Result<(), CannotApply> {
        let mut table = Table::over(stored, &mut self.rows);
        events.iter().try_for_each(|event| self.view.apply(&mut table, event))
    }

    fn write(&mut self, stored: &mut dyn Rows) -> Result<(), CannotApply> {
        mem::take(&mut self.rows).write(stored)
    }

    fn held(&self) -> usize {
        self.rows.len()
    }
}
