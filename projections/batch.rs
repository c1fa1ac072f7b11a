//! The rows of a view while events are applied: each is read and parsed once, changed in memory, and
//! written once when the batch ends. A batch may outlast many pages of the log; until it is written, the
//! view is where its checkpoint says.

use std::any::Any;
use std::collections::HashMap;

use crate::ports::{IndexEntry, Rows};
use crate::table::{Row, RowFailed, read};
use crate::view::CannotApply;

/// Rows in memory, and what of them is to be written.
#[derive(Default)]
pub struct HeldRows {
    rows: HashMap<String, Held>,
}

/// A row in memory.
pub(crate) struct Held {
    row: Option<Box<dyn AnyRow>>,
    /// The index entries of the row that is stored; none where none is.
    stored: Option<Vec<IndexEntry>>,
    changed: bool,
}

/// A row of whatever view.
trait AnyRow: Any + Send {
    fn indexes(&self) -> Vec<IndexEntry>;
    fn to_json(&self) -> serde_json::Result<Vec<u8>>;
    fn as_any(&self) -> &dyn Any;
    fn as_any_mut(&mut self) -> &mut dyn Any;
}

impl<R: Row> AnyRow for R {
    fn indexes(&self) -> Vec<IndexEntry> {
        Row::indexes(self)
    }
    fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(self)
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

impl HeldRows {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Writes what was changed, in the order of the keys: neighbours share a page.
    ///
    /// # Errors
    /// [`CannotApply`] where a row can't be written.
    pub fn write(self, stored: &mut dyn Rows) -> Result<(), CannotApply> {
        let mut changed: Vec<_> = self.rows.into_iter().filter(|(_, held)| held.changed).collect();
        changed.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        for (key, held) in changed {
            let old = held.stored.as_deref();
            match (&held.row, old) {
                (Some(row), _) => {
                    let (old, new) = (old.unwrap_or_default(), row.indexes());
                    let bytes = row.to_json().map_err(|e| RowFailed::written(&key, e))?;
                    stored.put(&key, &bytes, &without(old, &new), &without(&new, old))?;
                }
                (None, Some(old)) => stored.delete(&key, old)?,
                (None, None) => {}
            }
        }
        Ok(())
    }
}

/// The entries that are not among the others.
fn without(these: &[IndexEntry], others: &[IndexEntry]) -> Vec<IndexEntry> {
    these.iter().filter(|entry| !others.contains(entry)).cloned().collect()
}

/// The rows of one view while events are applied: those in memory, over those that are stored.
pub struct Batch<'a> {
    stored: &'a mut dyn Rows,
    held: &'a mut HeldRows,
}

impl<'a> Batch<'a> {
    /// Reads what is stored, and changes what is held.
    pub fn over(stored: &'a mut dyn Rows, held: &'a mut HeldRows) -> Self {
        Self { stored, held }
    }

    pub(crate) fn held<R: Row>(&mut self, key: &str) -> Result<&mut Held, CannotApply> {
        let rows = &mut self.held.rows;
        if !rows.contains_key(key) {
            let row = self.stored.get(key)?.map(|bytes| read::<R>(key, &bytes)).transpose()?;
            let stored = row.as_ref().map(Row::indexes);
            let row = row.map(|row| -> Box<dyn AnyRow> { Box::new(row) });
            rows.insert(key.to_owned(), Held { row, stored, changed: false });
        }
        let lost = || CannotApply::Contradiction(format!("the row {key} is not held"));
        rows.get_mut(key).ok_or_else(lost)
    }
}

impl Held {
    pub(crate) fn row<R: Row>(&self) -> Option<&R> {
        self.row.as_ref()?.as_ref().as_any().downcast_ref()
    }

    pub(crate) fn set<R: Row>(&mut self, row: Option<R>) {
        self.row = row.map(|row| -> Box<dyn AnyRow> { Box::new(row) });
        self.changed = true;
    }

    /// Changes the row; none where there is none.
    pub(crate) fn change<R: Row>(&mut self, change: impl FnOnce(&mut R)) -> Option<()> {
        change(self.row.as_mut()?.as_mut().as_any_mut().downcast_mut()?);
        self.changed = true;
        Some(())
    }
}
