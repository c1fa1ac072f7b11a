//! A view's rows, typed.

use crate::held_rows::HeldRows;
use crate::index::Lookup;
use crate::ports::{Cursor, Order, ReadStore, Rows, Selection, StoreFailed};
use crate::row::{CannotApply, read};
pub use crate::row::{FoundByWords, Row, RowFailed, sortable, sortable_name};

/// The rows of one view, while events are applied: those in memory, over those that are stored.
pub struct Table<'a, R> {
    stored: &'a mut dyn Rows,
    held: &'a mut HeldRows<R>,
}

impl<'a, R: Row> Table<'a, R> {
    /// Reads what is stored, and changes what is held.
    pub fn over(stored: &'a mut dyn Rows, held: &'a mut HeldRows<R>) -> Self {
        Self { stored, held }
    }

    /// The row under a key.
    ///
    /// # Errors
    /// [`CannotApply`] if it can't be read.
    pub fn get(&mut self, key: &str) -> Result<Option<&R>, CannotApply> {
        Ok(self.held.hold(self.stored, key)?.row())
    }

    /// Writes a row.
    ///
    /// # Errors
    /// As [`Table::get`].
    pub fn put(&mut self, key: &str, row: R) -> Result<(), CannotApply> {
        self.held.hold(self.stored, key)?.set(Some(row));
        Ok(())
    }

    /// Changes a row that must be there.
    ///
    /// # Errors
    /// [`CannotApply::Contradiction`] if it is not.
    pub fn change(&mut self, key: &str, change: impl FnOnce(&mut R)) -> Result<(), CannotApply> {
        let missing = || CannotApply::Contradiction(format!("there is no row {key} to change"));
        self.held.hold(self.stored, key)?.change(change).ok_or_else(missing)
    }

    /// Changes a row. If there is none, `first` makes the row that is changed.
    ///
    /// # Errors
    /// As [`Table::get`].
    pub fn change_or(
        &mut self,
        key: &str,
        first: impl FnOnce() -> R,
        change: impl FnOnce(&mut R),
    ) -> Result<(), CannotApply> {
        let held = self.held.hold(self.stored, key)?;
        if held.row().is_none() {
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
        let held = self.held.hold(self.stored, key)?;
        if held.row().is_some() {
            held.set(None);
        }
        Ok(())
    }
}

/// One row of a view, for a query.
///
/// # Errors
/// [`StoreFailed`] if the store does not answer or the row can't be read.
pub async fn find<R: Row>(store: &dyn ReadStore, key: String) -> Result<Option<R>, StoreFailed> {
    let bytes = store.get(R::VIEW, key.clone()).await?;
    bytes.map(|bytes| read(&key, &bytes)).transpose().map_err(StoreFailed::new)
}

/// Which rows of type `R` a query wants.
#[derive(Clone, Debug)]
pub struct RowQuery<R> {
    /// What to look for in an index; the rows come in the order of their values there. Without it, all rows in the order
    /// of their keys.
    pub by: Option<Lookup<R>>,
    /// In which order.
    pub order: Order,
    /// Only rows behind this one.
    pub after: Option<Cursor>,
    /// At most so many.
    pub limit: usize,
}

// Derived, this would ask that there is a default row.
impl<R> Default for RowQuery<R> {
    fn default() -> Self {
        Self { by: None, order: Order::default(), after: None, limit: 0 }
    }
}

impl<R> From<RowQuery<R>> for Selection {
    fn from(query: RowQuery<R>) -> Self {
        let RowQuery { by, order, after, limit } = query;
        Self { by: by.map(Lookup::stored), order, after, limit }
    }
}

/// How many rows are read at once if it is not known how many are wanted.
const AT_ONCE: usize = 1_000;

/// The first rows that fit, at most as many as are wanted, each with its place among all. What does not fit does not
/// count, so that a page is cut behind a row that is on it.
///
/// # Errors
/// As [`find`].
pub async fn select_where<R: Row>(
    store: &dyn ReadStore,
    mut wanted: RowQuery<R>,
    fits: impl Fn(&R) -> bool,
) -> Result<Vec<(Cursor, R)>, StoreFailed> {
    let (most, mut found) = (wanted.limit, Vec::new());
    wanted.limit = most.min(AT_ONCE);
    loop {
        let rows = select(store, wanted.clone()).await?;
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
    wanted: RowQuery<R>,
) -> Result<Vec<(Cursor, R)>, StoreFailed> {
    let rows = store.select(R::VIEW, wanted.into()).await?;
    let typed = rows.into_iter().map(|found| {
        let row = read(&found.cursor.key, &found.row).map_err(StoreFailed::new)?;
        Ok((found.cursor, row))
    });
    typed.collect()
}
