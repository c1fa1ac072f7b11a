//! The answer to a command that has no body.

use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use loquet_domain::ports::Position;

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
