//! The answer to a command that made something.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// 201, with the place of what was made (RFC 9110, 10.2.2).
pub(crate) struct Created<T> {
    collection: &'static str,
    id: String,
    body: T,
}

impl<T> Created<T> {
    /// What was made in a collection. `collection` is the last segment of the request's path. So the place is right
    /// behind a proxy that adds a path of its own, too.
    pub(crate) fn new(collection: &'static str, id: impl ToString, body: T) -> Self {
        Self { collection, id: id.to_string(), body }
    }
}

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        let mut response = (StatusCode::CREATED, Json(self.body)).into_response();
        if let Ok(place) = HeaderValue::try_from(format!("{}/{}", self.collection, self.id)) {
            response.headers_mut().insert(header::LOCATION, place);
        }
        response
    }
}
