//! A view's rows, typed.

use std::any::Any;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ports::{IndexEntry, ReadStore, Rows, Selection, StoreFailed};
use crate::view::{CannotApply, ViewId};

/// A row of a view.
pub trait Row: Serialize + DeserializeOwned + Clone + Send + 'static {
    /// Of which view.
    const VIEW: ViewId;

    /// Under what it is found besides its key.
    fn indexes(&self) -> Vec<IndexEntry>;
}

/// The rows of one view while a batch of events is applied: each is read and parsed once, changed in
/// memory, and written once when the batch ends.
pub struct Batch<'a> {
    stored: &'a mut dyn Rows,
    held: HashMap<String, Held>,
}

/// A row in memory.
struct Held {
    row: Option<Box<dyn AnyRow>>,
    /// The index entries of the row that is stored; none where none is.
    stored: Option<Vec<IndexEntry>>,
    changed: bool,
}

/// A row of whatever view.
trait AnyRow: Any {
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

impl<'a> Batch<'a> {
    /// A batch over what is stored.
    pub fn over(stored: &'a mut dyn Rows) -> Self {
        Self { stored, held: HashMap::new() }
    }

    /// Writes what was changed, in the order of the keys: neighbours share a page.
    ///
    /// # Errors
    /// [`CannotApply`] where a row can't be written.
    pub fn write(self) -> Result<(), CannotApply> {
        let mut changed: Vec<_> = self.held.into_iter().filter(|(_, held)| held.changed).collect();
        changed.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        for (key, held) in changed {
            let old = held.stored.as_deref();
            match (&held.row, old) {
                (Some(row), _) => {
                    let (old, new) = (old.unwrap_or_default(), row.indexes());
                    let bytes = row.to_json().map_err(|e| unreadable(&key, &e))?;
                    self.stored.put(&key, &bytes, &without(old, &new), &without(&new, old))?;
                }
                (None, Some(old)) => self.stored.delete(&key, old)?,
                (None, None) => {}
            }
        }
        Ok(())
    }

    fn held<R: Row>(&mut self, key: &str) -> Result<&mut Held, CannotApply> {
        match self.held.entry(key.to_owned()) {
            Entry::Occupied(held) => Ok(held.into_mut()),
            Entry::Vacant(place) => {
                let row = self.stored.get(key)?.map(|bytes| read::<R>(key, &bytes)).transpose()?;
                let stored = row.as_ref().map(Row::indexes);
                let row = row.map(|row| -> Box<dyn AnyRow> { Box::new(row) });
                Ok(place.insert(Held { row, stored, changed: false }))
            }
        }
    }
}

/// The entries that are not among the others.
fn without(these: &[IndexEntry], others: &[IndexEntry]) -> Vec<IndexEntry> {
    these.iter().filter(|entry| !others.contains(entry)).cloned().collect()
}

impl Held {
    fn row<R: Row>(&self) -> Option<&R> {
        self.row.as_ref()?.as_ref().as_any().downcast_ref()
    }

    fn set<R: Row>(&mut self, row: Option<R>) {
        self.row = row.map(|row| -> Box<dyn AnyRow> { Box::new(row) });
        self.changed = true;
    }

    fn change<R: Row>(&mut self, change: impl FnOnce(&mut R)) -> Option<()> {
        change(self.row.as_mut()?.as_mut().as_any_mut().downcast_mut()?);
        self.changed = true;
        Some(())
    }
}

/// The rows of one view, while an event is applied.
pub struct Table<'a, 'b, R> {
    batch: &'a mut Batch<'b>,
    row: PhantomData<R>,
}

impl<'a, 'b, R: Row> Table<'a, 'b, R> {
    /// The typed rows.
    pub fn new(batch: &'a mut Batch<'b>) -> Self {
        Self { batch, row: PhantomData }
    }

    /// The row under a key.
    ///
    /// # Errors
    /// [`CannotApply`] where it can't be read.
    pub fn get(&mut self, key: &str) -> Result<Option<&R>, CannotApply> {
        Ok(self.batch.held::<R>(key)?.row())
    }

    /// Writes a row.
    ///
    /// # Errors
    /// As [`Table::get`].
    pub fn put(&mut self, key: &str, row: R) -> Result<(), CannotApply> {
        self.batch.held::<R>(key)?.set(Some(row));
        Ok(())
    }

    /// Changes a row that must be there.
    ///
    /// # Errors
    /// [`CannotApply::Contradiction`] where it is not.
    pub fn change(&mut self, key: &str, change: impl FnOnce(&mut R)) -> Result<(), CannotApply> {
        let missing = || CannotApply::Contradiction(format!("there is no row {key} to change"));
        self.batch.held::<R>(key)?.change(change).ok_or_else(missing)
    }

    /// Changes a row, beginning with this one where there is none.
    ///
    /// # Errors
    /// As [`Table::get`].
    pub fn change_or(
        &mut self,
        key: &str,
        first: impl FnOnce() -> R,
        change: impl FnOnce(&mut R),
    ) -> Result<(), CannotApply> {
        let held = self.batch.held::<R>(key)?;
        if held.row.is_none() {
            held.set(Some(first()));
        }
        held.change(change);
        Ok(())
    }

    /// Removes a row, if it is there.
    ///
    /// # Errors
    /// As [`Table::get`].
    pub fn delete(&mut self, key: &str) -> Result<(), CannotApply> {
        let held = self.batch.held::<R>(key)?;
        if held.row.is_some() {
            held.set::<R>(None);
        }
        Ok(())
    }
}

fn read<R: Row>(key: &str, bytes: &[u8]) -> Result<R, CannotApply> {
    serde_json::from_slice(bytes).map_err(|e| unreadable(key, &e))
}

fn unreadable(key: &str, error: &serde_json::Error) -> CannotApply {
    CannotApply::Row { key: key.to_owned(), why: error.to_string() }
}

/// One row of a view, for a query.
///
/// # Errors
/// [`StoreFailed`] where the store does not answer or the row can't be read.
pub async fn find<R: Row>(store: &dyn ReadStore, key: String) -> Result<Option<R>, StoreFailed> {
    let bytes = store.get(R::VIEW, key.clone()).await?;
    bytes.map(|bytes| read(&key, &bytes)).transpose().map_err(|e: CannotApply| StoreFailed(e.to_string()))
}

/// Rows of a view with their keys, for a query.
///
/// # Errors
/// As [`find`].
pub async fn select<R: Row>(
    store: &dyn ReadStore,
    wanted: Selection,
) -> Result<Vec<(String, R)>, StoreFailed> {
    let rows = store.select(R::VIEW, wanted).await?;
    rows.into_iter()
        .map(|(key, bytes)| {
            let row = read(&key, &bytes).map_err(|e| StoreFailed(e.to_string()))?;
            Ok((key, row))
        })
        .collect()
}
