//! The parts of a request that are read first: its id, the address that it came from, and its token.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use cookie::Cookie;
use uuid::Uuid;

/// The header with the request's id. The id is also in log lines and is the correlation id of the request's
/// events.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A request's id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestId(pub(crate) Uuid);

impl RequestId {
    /// Returns the id as the value of the header.
    pub(crate) fn header(self) -> HeaderValue {
        let mut text = Uuid::encode_buffer();
        // Hexadecimal digits and hyphens are always a valid header value.
        HeaderValue::from_str(self.0.hyphenated().encode_lower(&mut text))
            .unwrap_or(HeaderValue::from_static("unknown"))
    }
}

/// The address that a request came from: the connection's address, or the one that a trusted proxy reports.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

/// Returns the token of an `Authorization: Bearer` header (RFC 6750).
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Returns the value of a cookie (RFC 6265, 4.2).
pub(crate) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut cookies = lines.flat_map(Cookie::split_parse).filter_map(Result::ok);
    cookies.find(|cookie| cookie.name() == name).map(|cookie| cookie.value().to_owned())
}
