//! What commands and queries have in common in their answers.

use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use loquet_domain::ports::Position;
use loquet_projections::ports::{Cursor, Order};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problem::Problem;

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

/// A request whose address or query is not of the form asked for.
pub(crate) fn bad_request() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "malformed-request")
}

/// How many items a page has.
pub(crate) fn page_size(limit: Option<u32>) -> Result<usize, Problem> {
    let limit = limit.unwrap_or(50);
    let fits = (1..=200).contains(&limit).then(|| usize::try_from(limit).ok()).flatten();
    fits.ok_or_else(bad_request)
}

/// A filter's value must be one that there is.
pub(crate) fn one_of(value: Option<&str>, known: &[&str]) -> Result<(), Problem> {
    let fits = value.is_none_or(|value| known.contains(&value));
    if fits { Ok(()) } else { Err(bad_request()) }
}

/// In which order a list is asked for: by the one thing that it can be sorted by, `-` before it for the
/// greatest first.
pub(crate) fn sort_order(sort: Option<&str>, by: &str) -> Result<Order, Problem> {
    match sort {
        None => Ok(Order::Ascending),
        Some(sort) if sort == by => Ok(Order::Ascending),
        Some(sort) if sort.strip_prefix('-') == Some(by) => Ok(Order::Descending),
        Some(_) => Err(bad_request()),
    }
}

/// A cursor as a client is given it: opaque.
fn write_cursor(cursor: &Cursor) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}\0{}", cursor.value, cursor.key))
}

/// A cursor that this server gave.
pub(crate) fn read_cursor(text: &str) -> Result<Cursor, Problem> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| bad_request())?;
    let text = String::from_utf8(bytes).map_err(|_| bad_request())?;
    let (value, key) = text.split_once('\0').ok_or_else(bad_request)?;
    Ok(Cursor { value: value.to_owned(), key: key.to_owned() })
}

/// A cursor into the whole log: a position; its beginning where there is none.
pub(crate) fn cursor_position(text: Option<&str>) -> Result<Position, Problem> {
    text.map_or(Ok(Position::default()), |text| text.trim().parse().map(Position).map_err(|_| bad_request()))
}

impl<T> Page<T> {
    /// A page out of one row more than it may have: the one more tells that there is another page.
    pub(crate) fn of(mut rows: Vec<(Cursor, T)>, size: usize, position: Position) -> Self {
        let more = rows.len() > size;
        rows.truncate(size);
        let next_cursor = rows.last().filter(|_| more).map(|(cursor, _)| write_cursor(cursor));
        Self { items: rows.into_iter().map(|(_, item)| item).collect(), next_cursor, position: position.0 }
    }
}
