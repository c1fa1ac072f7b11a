//! The answer to a command that returns no content.

use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use loquet_domain::ports::Position;

/// The header with the position of the command's events, in answers without a body (law 10).
pub(crate) const POSITION: HeaderName = HeaderName::from_static("loquet-position");

/// 204, with the position of the command's events.
pub(crate) struct Done(pub(crate) Position);

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        let position = HeaderValue::from(self.0.0);
        (StatusCode::NO_CONTENT, [(POSITION, position)]).into_response()
    }
}
