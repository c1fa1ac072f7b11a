//! A view's rows, with their type.

use crate::held_rows::HeldRows;
use crate::index::Lookup;
use crate::ports::{Cursor, Order, ReadStore, Rows, Selection, StoreFailed};
use crate::row::{CannotApply, read};
pub use crate::row::{FoundByWords, Row, RowFailed, sortable};

/// The rows of one view while events are applied. Rows in memory hide the stored ones.
pub struct Table<'a, R> {
    stored: &'a mut dyn Rows,
    held: &'a mut HeldRows<R>,
}

impl<'a, R: Row> Table<'a, R> {
    /// Makes a table that reads from `stored` and changes `held`.
    pub fn over(stored: &'a mut dyn Rows, held: &'a mut HeldRows<R>) -> Self {
        Self { stored, held }
    }

    /// The row with this key.
    ///
    /// # Errors
    /// [`CannotApply`] if it can't be read.
    pub fn get(&mut self, key: &str) -> Result<Option<&R>, CannotApply> {
        Ok(self.held.hold(self.stored, key)?.row())
    }

    /// Writes a row.
    ///
    /// # Errors
    /// The same as [`Table::get`].
    pub fn put(&mut self, key: &str, row: R) -> Result<(), CannotApply> {
        self.held.hold(self.stored, key)?.set(Some(row));
        Ok(())
    }

    /// Changes an existing row.
    ///
    /// # Errors
    /// [`CannotApply::Contradiction`] if there is no such row.
    pub fn change(&mut self, key: &str, change: impl FnOnce(&mut R)) -> Result<(), CannotApply> {
        let missing = || CannotApply::Contradiction(format!("there is no row {key} to change"));
        self.held.hold(self.stored, key)?.change(change).ok_or_else(missing)
    }

    /// Changes a row. If there is none, changes the row that `first` makes.
    ///
    /// # Errors
    /// The same as [`Table::get`].
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

    /// Removes a row, if there is one.
    ///
    /// # Errors
    /// The same as [`Table::get`].
    pub fn delete(&mut self, key: &str) -> Result<(), CannotApply> {
        let held = self.held.hold(self.stored, key)?;
        if held.row().is_some() {
            held.set(None);
        }
        Ok(())
    }

    /// Removes a row, if there is one, and everything that the files have of it.
    ///
    /// # Errors
    /// The same as [`Table::get`].
    pub fn erase(&mut self, key: &str) -> Result<(), CannotApply> {
        self.held.note_erasure();
        self.delete(key)
    }
}

/// One row of a view, for a query.
///
/// # Errors
/// [`StoreFailed`] if the store can't be used or the row can't be read.
pub async fn find<R: Row>(store: &dyn ReadStore, key: String) -> Result<Option<R>, StoreFailed> {
    let bytes = store.get(R::VIEW, key.clone()).await?;
    bytes.map(|bytes| read(&key, &bytes)).transpose().map_err(StoreFailed::new)
}

/// The rows of type `R` that a query asks for.
#[derive(Clone, Debug)]
pub struct RowQuery<R> {
    /// What to look for in an index. The rows come in the order of their values in that index. `None`: all rows, in
    /// the order of their keys.
    pub by: Option<Lookup<R>>,
    /// The order of the rows.
    pub order: Order,
    /// Only rows after this one. `None`: from the first row.
    pub after: Option<Cursor>,
    /// The maximum number of rows.
    pub limit: usize,
}

// A derived implementation would require a default row.
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

/// How many rows are read at once if the number of wanted rows is not known.
const AT_ONCE: usize = 1_000;

/// The first rows that match, at most as many as are wanted, each with its cursor. Rows that do not match do not
/// count towards the limit. So a page ends with a row that is on it.
///
/// # Errors
/// The same as [`find`].
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

/// The rows that a query asks for, each with its cursor.
///
/// # Errors
/// The same as [`find`].
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
