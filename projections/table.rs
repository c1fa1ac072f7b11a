//! A view's rows, typed.

use std::marker::PhantomData;
use std::sync::Arc;

use loquet_domain::Moment;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::batch::Batch;
use crate::causes::Causes;
use crate::ports::{Cursor, IndexEntry, ReadStore, Selection, StoreFailed};
use crate::view::{CannotApply, ViewId};

/// A row of a view.
pub trait Row: Serialize + DeserializeOwned + Clone + Send + 'static {
    /// Of which view.
    const VIEW: ViewId;

    /// Under what it is found besides its key.
    fn indexes(&self) -> Vec<IndexEntry>;
}

/// A moment since 1970 as a text that sorts as moments do, for indexes.
#[must_use]
pub fn sortable(moment: Moment) -> String {
    format!("{:019}", moment.timestamp_micros().max(0))
}

/// A name as people look for it and sort it: small letters, for indexes.
#[must_use]
pub fn sortable_name(name: &str) -> String {
    name.to_lowercase().replace('\0', " ")
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
        if held.row::<R>().is_none() {
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
        if held.row::<R>().is_some() {
            held.set::<R>(None);
        }
        Ok(())
    }
}

/// A row can't be read from its stored form, or written in it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("row {key} can't be {done}")]
pub struct RowFailed {
    key: String,
    done: &'static str,
    source: Arc<serde_json::Error>,
}

impl RowFailed {
    pub(crate) fn read(key: &str, error: serde_json::Error) -> Self {
        Self { key: key.to_owned(), done: "read", source: Arc::new(error) }
    }

    pub(crate) fn written(key: &str, error: serde_json::Error) -> Self {
        Self { key: key.to_owned(), done: "written", source: Arc::new(error) }
    }
}

/// Two failures are equal if they read the same, causes included.
impl PartialEq for RowFailed {
    fn eq(&self, other: &Self) -> bool {
        Causes(self).to_string() == Causes(other).to_string()
    }
}

impl Eq for RowFailed {}

pub(crate) fn read<R: Row>(key: &str, bytes: &[u8]) -> Result<R, RowFailed> {
    serde_json::from_slice(bytes).map_err(|e| RowFailed::read(key, e))
}

/// One row of a view, for a query.
///
/// # Errors
/// [`StoreFailed`] where the store does not answer or the row can't be read.
pub async fn find<R: Row>(store: &dyn ReadStore, key: String) -> Result<Option<R>, StoreFailed> {
    let bytes = store.get(R::VIEW, key.clone()).await?;
    bytes.map(|bytes| read(&key, &bytes)).transpose().map_err(StoreFailed::new)
}

/// How many rows are read at once where nobody knows how many are wanted.
const AT_ONCE: usize = 1_000;

/// The first rows that fit, at most as many as are wanted, each with its place among all. What does not fit does not
/// count, so that a page is cut behind a row that is on it.
///
/// # Errors
/// As [`find`].
pub async fn select_where<R: Row>(
    store: &dyn ReadStore,
    mut wanted: Selection,
    fits: impl Fn(&R) -> bool,
) -> Result<Vec<(Cursor, R)>, StoreFailed> {
    let (most, mut found) = (wanted.limit, Vec::new());
    wanted.limit = most.min(AT_ONCE);
    loop {
        let rows = select::<R>(store, wanted.clone()).await?;
        let last = rows.last().map(|(cursor, _)| cursor.clone()).filter(|_| rows.len() == wanted.limit);
        found.extend(rows.into_iter().filter(|(_, row)| fits(row)));
        found.truncate(most);
        match last {
            Some(last) if found.len() < most => wanted.after = Some(last),
            _ => return Ok(found),
        }
        wanted.limit = AT_ONCE;
    }
}

/// Rows of a view, each with its place among them, for a query.
///
/// # Errors
/// As [`find`].
pub async fn select<R: Row>(
    store: &dyn ReadStore,
    wanted: Selection,
) -> Result<Vec<(Cursor, R)>, StoreFailed> {
    let rows = store.select(R::VIEW, wanted).await?;
    rows.into_iter()
        .map(|found| {
            let row = read(&found.cursor.key, &found.row).map_err(StoreFailed::new)?;
            Ok((found.cursor, row))
        })
        .collect()
}
