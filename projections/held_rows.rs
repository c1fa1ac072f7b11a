//! The rows of a view in memory while events are applied. Each row is read and parsed once, changed in memory, and
//! written once.

use std::collections::HashMap;

use crate::ports::{IndexEntry, Rows};
use crate::row::{CannotApply, Row, RowFailed, read};

/// Rows in memory, with a mark on those that changed.
pub struct HeldRows<R> {
    rows: HashMap<String, Held<R>>,
    /// Whether a row was deleted because of an erasure.
    erased: bool,
}

/// A row in memory.
pub(crate) struct Held<R> {
    row: Option<R>,
    /// The index entries of the stored row. `None` if no row is stored.
    stored: Option<Vec<IndexEntry>>,
    changed: bool,
}

// A derived implementation would require a default row.
impl<R> Default for HeldRows<R> {
    fn default() -> Self {
        Self { rows: HashMap::new(), erased: false }
    }
}

impl<R: Row> HeldRows<R> {
    /// The number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Writes the changed rows in the order of their keys, because neighbouring rows share a page.
    ///
    /// # Errors
    /// [`CannotApply`] if a row can't be written.
    pub fn write(self, stored: &mut dyn Rows) -> Result<(), CannotApply> {
        let mut changed: Vec<_> = self.rows.into_iter().filter(|(_, held)| held.changed).collect();
        changed.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        for (key, held) in changed {
            let old = held.stored.as_deref();
            match (&held.row, old) {
                (Some(row), _) => {
                    let (old, new) = (old.unwrap_or_default(), row.index_entries());
                    let bytes = serde_json::to_vec(row).map_err(|e| RowFailed::written(&key, e))?;
                    stored.put(&key, &bytes, &without(old, &new), &without(&new, old))?;
                }
                (None, Some(old)) => stored.delete(&key, old)?,
                (None, None) => {}
            }
        }
        if self.erased {
            stored.note_erasure()?;
        }
        Ok(())
    }

    pub(crate) fn note_erasure(&mut self) {
        self.erased = true;
    }

    /// The row with this key. Reads the stored row if it is not in memory yet.
    pub(crate) fn hold(&mut self, stored: &mut dyn Rows, key: &str) -> Result<&mut Held<R>, CannotApply> {
        if !self.rows.contains_key(key) {
            let row = stored.get(key)?.map(|bytes| read::<R>(key, &bytes)).transpose()?;
            let stored = row.as_ref().map(Row::index_entries);
            self.rows.insert(key.to_owned(), Held { row, stored, changed: false });
        }
        let lost = || CannotApply::Contradiction(format!("the row {key} is not held"));
        self.rows.get_mut(key).ok_or_else(lost)
    }
}

/// The entries of the first list that are not in the second.
fn without(these: &[IndexEntry], others: &[IndexEntry]) -> Vec<IndexEntry> {
    these.iter().filter(|entry| !others.contains(entry)).cloned().collect()
}

impl<R: Row> Held<R> {
    pub(crate) fn row(&self) -> Option<&R> {
        self.row.as_ref()
    }

    pub(crate) fn set(&mut self, row: Option<R>) {
        self.row = row;
        self.changed = true;
    }

    /// Changes the row. Returns `None` if there is no row.
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut R)) -> Option<()> {
        change(self.row.as_mut()?);
        self.changed = true;
        Some(())
    }
}
