//! Reads query parameters. A refusal lists every broken rule.

use axum::extract::{FromRequestParts, Query};
use axum::http::StatusCode;
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use loquet_domain::ports::Position;
use loquet_projections::ports::{Cursor, Order};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use crate::extractors::shape;
use crate::responses::faults::Faults;
use crate::responses::problem::{Fault, Problem};

/// The default number of items on a page.
const USUAL: u32 = 50;
/// The maximum number of items on a page.
const MOST: u32 = 200;

/// The parameters of a query, of the shape `T`.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Query::try_from_uri(&parts.uri).map(|Query(params)| Self(params)).map_err(|_| {
            let operation = shape::of(&parts.method, &parts.extensions);
            refused(operation.map(|operation| operation.query_faults(&parts.uri)).unwrap_or_default())
        })
    }
}

/// The log position that the answer to a query must include.
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

/// The problem of a query that can't be read.
pub(crate) const MALFORMED: &str = "malformed-request";

/// The query breaks these rules.
pub(crate) fn refused(faults: Vec<Fault>) -> Problem {
    Problem { faults, ..Problem::new(StatusCode::BAD_REQUEST, MALFORMED) }
}

fn read_cursor(text: &str) -> Option<Cursor> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    let (value, key) = text.split_once('\0')?;
    Some(Cursor { value: value.to_owned(), key: key.to_owned() })
}

impl Faults {
    /// Returns the number of items on a page.
    pub(crate) fn limit(&mut self, limit: Option<u32>) -> usize {
        let limit = limit.unwrap_or(USUAL);
        if !(1..=MOST).contains(&limit) {
            self.add_with("?limit", "limit-range", "most", MOST);
        }
        usize::try_from(limit).unwrap_or_default()
    }

    /// Checks a parameter that must have one of some values.
    pub(crate) fn one_of(&mut self, name: &str, value: Option<&str>, known: &[&str]) {
        if value.is_some_and(|value| !known.contains(&value)) {
            self.add_with(&format!("?{name}"), "value-unknown", "known", known.join(", "));
        }
    }

    /// The order of a list: by the one field by which it can be sorted, with `-` before it for descending order.
    pub(crate) fn order(&mut self, sort: Option<&str>, by: &str) -> Order {
        match sort {
            Some(sort) if sort.strip_prefix('-') == Some(by) => Order::Descending,
            Some(sort) if sort != by => {
                self.add_with("?sort", "value-unknown", "known", format!("{by}, -{by}"));
                Order::Ascending
            }
            _ => Order::Ascending,
        }
    }

    /// Reads a cursor that this server made.
    pub(crate) fn cursor(&mut self, text: Option<&str>) -> Option<Cursor> {
        let cursor = text.map(read_cursor);
        if cursor == Some(None) {
            self.add("?cursor", "cursor-invalid");
        }
        cursor.flatten()
    }

    /// A cursor whose key is a number, such as a revision. Zero if there is none.
    pub(crate) fn number_cursor(&mut self, text: Option<&str>) -> u64 {
        let number = self.cursor(text).map(|cursor| cursor.key.parse());
        if let Some(Err(_)) = number {
            self.add("?cursor", "cursor-invalid");
        }
        number.and_then(Result::ok).unwrap_or(0)
    }

    /// A cursor into the log: a position. The start of the log if there is none.
    pub(crate) fn position(&mut self, pointer: &str, text: Option<&str>) -> Position {
        let position = text.map(|text| text.trim().parse());
        if let Some(Err(_)) = position {
            self.add(pointer, "cursor-invalid");
        }
        Position(position.and_then(Result::ok).unwrap_or(0))
    }

    /// Fails if a rule was broken.
    pub(crate) fn finish_query(self) -> Result<(), Problem> {
        let faults = self.into_faults();
        if faults.is_empty() { Ok(()) } else { Err(refused(faults)) }
    }
}
