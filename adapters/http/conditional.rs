//! Entity tags: a client that already has the current answer gets 304 and no body (RFC 9110, 8.8.3 and 13.1.2).

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::problem::Problem;

/// A query's answer with a tag. The tag is weak: it ignores the `position` at the end of the answer, which changes with
/// every event even if the rest of the answer stays the same.
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
            // Kept by whoever asked and by nobody else, and asked about again before it is used.
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

/// The tags of the answers that the client has.
pub(crate) fn known_to_client(request: &Request) -> Option<HeaderValue> {
    let asks = matches!(*request.method(), Method::GET | Method::HEAD);
    asks.then(|| request.headers().get(header::IF_NONE_MATCH).cloned()).flatten()
}

/// Answers 304 if the client already has this answer.
pub(crate) fn not_modified(known: Option<HeaderValue>, response: Response) -> Response {
    match known {
        Some(known) if response.status() == StatusCode::OK && matches(&known, response.headers()) => {
            let (mut parts, _) = response.into_parts();
            parts.status = StatusCode::NOT_MODIFIED;
            parts.headers.remove(header::CONTENT_TYPE);
            parts.headers.remove(header::CONTENT_LENGTH);
            Response::from_parts(parts, axum::body::Body::empty())
        }
        _ => response,
    }
}

/// Compares the tag with each tag of the client. This is the weak comparison of RFC 9110, 8.8.3.2.
fn matches(asked: &HeaderValue, headers: &HeaderMap) -> bool {
    let Some(ours) = headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()) else { return false };
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let Ok(asked) = asked.to_str() else { return false };
    asked.trim() == "*" || asked.split(',').any(|tag| opaque(tag) == opaque(ours))
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

    #[test]
    fn any_of_the_tags_that_a_client_has_may_fit() {
        let mut headers = HeaderMap::new();
        headers.insert(header::ETAG, HeaderValue::from_static("W/\"x\""));
        for (asked, fits) in
            [("W/\"x\"", true), ("\"x\"", true), ("\"a\", W/\"x\"", true), ("*", true), ("\"y\"", false)]
        {
            assert_eq!(matches(&HeaderValue::from_static(asked), &headers), fits, "{asked}");
        }
    }
}
