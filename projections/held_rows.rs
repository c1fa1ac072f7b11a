//! The rows of a view in memory while events are applied. Each row is read and parsed once, changed in memory, and
//! written once.

use std::collections::HashMap;
use std::sync::Arc;

use crate::ports::{IndexEntry, Rows, StoreFailed};
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

    /// Writes the changed rows.
    ///
    /// # Errors
    /// [`CannotApply`] if a row can't be written.
    pub fn write(self, stored: &mut dyn Rows) -> Result<(), CannotApply> {
        self.changed()?.write(stored)
    }

    /// The changed rows as they are stored.
    ///
    /// # Errors
    /// [`CannotApply`] if a row has no stored form.
    pub(crate) fn changed(self) -> Result<ChangedRows, CannotApply> {
        let mut changed = ChangedRows { erased: self.erased, ..ChangedRows::default() };
        for (key, held) in self.rows.into_iter().filter(|(_, held)| held.changed) {
            let key: Arc<str> = key.into();
            let old = held.stored.as_deref();
            let new = held.row.as_ref().map(Row::index_entries);
            match (&held.row, old) {
                (Some(row), _) => {
                    let bytes = serde_json::to_vec(row).map_err(|e| RowFailed::written(&key, e))?;
                    changed.rows.push((key.clone(), Some(bytes)));
                }
                (None, Some(_)) => changed.rows.push((key.clone(), None)),
                (None, None) => {}
            }
            let (old, new) = (old.unwrap_or_default(), new.as_deref().unwrap_or_default());
            changed.gone.extend(without(old, new).map(|entry| (entry.clone(), key.clone())));
            changed.new.extend(without(new, old).map(|entry| (entry.clone(), key.clone())));
        }
        changed.rows.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        changed.gone.sort_unstable();
        changed.new.sort_unstable();
        Ok(changed)
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
fn without<'a>(these: &'a [IndexEntry], others: &[IndexEntry]) -> impl Iterator<Item = &'a IndexEntry> {
    these.iter().filter(|entry| !others.contains(entry))
}

/// Rows to be written, in the order of their keys, and index entries in the order of their values. Neighbours share a page of
/// the file, so it is quicker to write them one after another.
#[derive(Default)]
pub struct ChangedRows {
    /// `None`: the row is deleted.
    rows: Vec<(Arc<str>, Option<Vec<u8>>)>,
    gone: Vec<(IndexEntry, Arc<str>)>,
    new: Vec<(IndexEntry, Arc<str>)>,
    erased: bool,
}

impl ChangedRows {
    /// Writes the rows and the entries.
    ///
    /// # Errors
    /// [`CannotApply`] if the store can't be used.
    pub fn write(&self, stored: &mut dyn Rows) -> Result<(), CannotApply> {
        for (key, row) in &self.rows {
            match row {
                Some(row) => stored.put(key, row)?,
                None => stored.delete(key)?,
            }
        }
        self.gone.iter().try_for_each(|(entry, key)| stored.leave(entry, key))?;
        self.new.iter().try_for_each(|(entry, key)| stored.enter(entry, key))?;
        if self.erased {
            stored.note_erasure()?;
        }
        Ok(())
    }
}

/// Stored rows, and changed ones that hide them.
pub(crate) struct Covered<'a> {
    pub(crate) by: &'a ChangedRows,
    pub(crate) stored: &'a mut dyn Rows,
}

impl Rows for Covered<'_> {
    fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, StoreFailed> {
        let changed = &self.by.rows;
        match changed.binary_search_by(|(at, _)| at.as_ref().cmp(key)).ok().and_then(|at| changed.get(at)) {
            Some((_, row)) => Ok(row.clone()),
            None => self.stored.get(key),
        }
    }

    fn put(&mut self, key: &str, row: &[u8]) -> Result<(), StoreFailed> {
        self.stored.put(key, row)
    }

    fn delete(&mut self, key: &str) -> Result<(), StoreFailed> {
        self.stored.delete(key)
    }

    fn enter(&mut self, entry: &IndexEntry, key: &str) -> Result<(), StoreFailed> {
        self.stored.enter(entry, key)
    }

    fn leave(&mut self, entry: &IndexEntry, key: &str) -> Result<(), StoreFailed> {
        self.stored.leave(entry, key)
    }

    fn note_erasure(&mut self) -> Result<(), StoreFailed> {
        self.stored.note_erasure()
    }
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
