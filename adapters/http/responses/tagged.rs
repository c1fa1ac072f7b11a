//! Answers with an entity tag (RFC 9110, 8.8.3).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::responses::problem::Problem;

/// The answer to a query, with a weak tag. The tag leaves out the `position` at the end of the answer,
/// because the position changes with every event in the log, also when the queried data does not.
pub(crate) struct Tagged<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let Ok(body) = serde_json::to_vec(&self.0) else {
            return Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal").into_response();
        };
        let tag = tag(&body);
        let kind = HeaderValue::from_static("application/json");
        let mut response = ([(header::CONTENT_TYPE, kind)], body).into_response();
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            response.headers_mut().insert(header::ETAG, tag);
            // Only the caller may cache the answer, and must check it with the server before using it.
            let private = HeaderValue::from_static("private, no-cache");
            response.headers_mut().insert(header::CACHE_CONTROL, private);
        }
        response
    }
}

fn tag(body: &[u8]) -> String {
    const POSITION: &[u8] = b",\"position\":";
    let end = body.windows(POSITION.len()).rposition(|window| window == POSITION).unwrap_or(body.len());
    let digest = Sha256::digest(body.get(..end).unwrap_or(body));
    format!("W/\"{}\"", URL_SAFE_NO_PAD.encode(digest.first_chunk::<16>().copied().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_changes_with_what_was_asked_about_and_not_with_the_position() {
        let at = |email: &str, position: u64| {
            tag(format!(r#"{{"email":"{email}","position":{position}}}"#).as_bytes())
        };
        assert_eq!(at("a", 1), at("a", 22));
        assert_ne!(at("a", 1), at("b", 1));
    }
}
