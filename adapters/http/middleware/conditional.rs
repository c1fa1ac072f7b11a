//! Entity tags: a client that already has the current answer gets 304 and no body (RFC 9110, 8.8.3 and 13.1.2).

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;

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
pub(super) fn matches(asked: &HeaderValue, headers: &HeaderMap) -> bool {
    let Some(ours) = headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()) else { return false };
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let Ok(asked) = asked.to_str() else { return false };
    asked.trim() == "*" || asked.split(',').any(|tag| opaque(tag) == opaque(ours))
}

#[cfg(test)]
mod tests {
    use super::*;

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
