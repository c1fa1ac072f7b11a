//! Pages of lists.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use loquet_domain::ports::Position;
use loquet_projections::ports::Cursor;
use serde::Serialize;
use utoipa::ToSchema;

/// A cursor as a client is given it: opaque.
pub(crate) fn write_cursor(cursor: &Cursor) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}\0{}", cursor.value, cursor.key))
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// The items.
    pub(crate) items: Vec<T>,
    /// The `cursor` for the next page. Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_cursor: Option<String>,
    /// The log position up to which the answer includes all events.
    pub(crate) position: u64,
}

impl<T> Page<T> {
    /// A whole list as one page.
    pub(crate) fn whole(items: Vec<T>, position: Position) -> Self {
        Self { items, next_cursor: None, position: position.0 }
    }

    /// Makes a page from up to one row more than fits: the additional row shows that there is another page. The cursor
    /// names the last row on the page. Rows that the caller may not see must be removed before.
    pub(crate) fn of(mut rows: Vec<(Cursor, T)>, size: usize, position: Position) -> Self {
        let more = rows.len() > size;
        rows.truncate(size);
        let next_cursor = rows.last().filter(|_| more).map(|(cursor, _)| write_cursor(cursor));
        Self { items: rows.into_iter().map(|(_, item)| item).collect(), next_cursor, position: position.0 }
    }
}
