//! What commands and queries have in common in their answers.

use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use loquet_domain::ports::Position;
use loquet_projections::ports::Cursor;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::query::write_cursor;

/// In which header a command without a body says where its events stand (law 10).
pub(crate) const POSITION: HeaderName = HeaderName::from_static("loquet-position");

/// 204, with the position of what was done.
pub(crate) struct Done(pub(crate) Position);

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        let position = HeaderValue::from(self.0.0);
        (StatusCode::NO_CONTENT, [(POSITION, position)]).into_response()
    }
}

/// From where on a query's answer holds.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AtLeast {
    /// Wait until the answer is at this position of the log.
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
    /// What to send as `cursor` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_cursor: Option<String>,
    /// The position of the log that the answer is at.
    pub(crate) position: u64,
}

impl<T> Page<T> {
    /// A list that is short enough to be one page.
    pub(crate) fn whole(items: Vec<T>, position: Position) -> Self {
        Self { items, next_cursor: None, position: position.0 }
    }

    /// A page out of one row more than it may have: the one more tells that there is another page. The cursor names
    /// the last row on the page: rows that are out of the caller's sight are taken out before.
    pub(crate) fn of(mut rows: Vec<(Cursor, T)>, size: usize, position: Position) -> Self {
        let more = rows.len() > size;
        rows.truncate(size);
        let next_cursor = rows.last().filter(|_| more).map(|(cursor, _)| write_cursor(cursor));
        Self { items: rows.into_iter().map(|(_, item)| item).collect(), next_cursor, position: position.0 }
    }
}
