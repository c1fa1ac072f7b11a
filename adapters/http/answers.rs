//! The parts that the answers of commands and queries share.

use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use loquet_domain::ports::Position;
use loquet_projections::ports::Cursor;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::query::write_cursor;

/// The header in which the answer to a command without a body gives the log position of its events (law 10).
pub(crate) const POSITION: HeaderName = HeaderName::from_static("loquet-position");

/// 204, with the log position of the command's events.
pub(crate) struct Done(pub(crate) Position);

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        let position = HeaderValue::from(self.0.0);
        (StatusCode::NO_CONTENT, [(POSITION, position)]).into_response()
    }
}

/// The log position that an answer must include.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AtLeast {
    /// Answer only when all events up to this log position are included.
    pub(crate) at_least: Option<u64>,
}

impl AtLeast {
    pub(crate) fn position(&self) -> Position {
        Position(self.at_least.unwrap_or(0))
    }
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
