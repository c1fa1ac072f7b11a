//! Entity tags: a client that already has the current answer gets 304 and no body (RFC 9110, 8.8.3 and 13.1).

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::responses::problem::Problem;

/// What a query asks of its answer.
pub(crate) struct Asked {
    /// The tags of the answers that the client has.
    known: Option<HeaderValue>,
    /// The tags of which the answer must have one.
    wanted: Option<HeaderValue>,
}

impl Asked {
    pub(crate) fn by(request: &Request) -> Self {
        let is_query = matches!(*request.method(), Method::GET | Method::HEAD);
        let header = |name| is_query.then(|| request.headers().get(name).cloned()).flatten();
        Self { known: header(header::IF_NONE_MATCH), wanted: header(header::IF_MATCH) }
    }
}

/// Answers 304 if the client already has this answer, and 412 if it is not one that the client wants.
pub(crate) fn answer(asked: Asked, response: Response) -> Response {
    if let Some(wanted) = asked.wanted
        && response.status() == StatusCode::OK
        && !matches(&wanted, response.headers())
    {
        return Problem::new(StatusCode::PRECONDITION_FAILED, "precondition-failed").into_response();
    }
    match asked.known {
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
