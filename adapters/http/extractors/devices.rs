//! The cookies and the header with which a request sends the tokens of trusted devices.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use cookie::{Cookie, SameSite};
use loquet_domain::Moment;
use loquet_domain::app::GivenDevice;

use crate::state::Api;

/// The header in which a client without cookies sends its device tokens.
pub(crate) const HEADER: &str = "loquet-device";
/// The prefix of the cookie's name; the account's id follows it. If two people share a browser, it has one
/// cookie for each. `__Host-` makes the browser accept it only from this host, over TLS, for every path (RFC
/// 6265bis, 4.1.3.2).
const COOKIE: &str = "__Host-loquet-device-";
/// The most tokens that are read from one request.
const MOST: usize = 50;

/// The device tokens of a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Devices(pub(crate) Vec<String>);

impl FromRequestParts<Arc<Api>> for Devices {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Api>) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

impl Devices {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let text = |value: &HeaderValue| value.to_str().map(str::to_owned).ok();
        let sent = headers.get_all(HEADER).iter().filter_map(text);
        let lines = headers.get_all(header::COOKIE).iter().filter_map(text);
        let cookies = lines.flat_map(Cookie::split_parse).filter_map(Result::ok);
        let cookies = cookies
            .filter(|cookie| cookie.name().starts_with(COOKIE))
            .map(|cookie| cookie.value().to_owned());
        Self(sent.chain(cookies).take(MOST).collect())
    }
}

/// Sets the cookie that makes the browser keep a device token.
pub(crate) fn keep(mut response: Response, given: Option<&GivenDevice>, now: Moment) -> Response {
    let cookie = given.and_then(|given| {
        let lasts = (given.expires_at - now).to_std().unwrap_or_default();
        let cookie = Cookie::build((format!("{COOKIE}{}", given.account), given.token.as_str()))
            .path("/")
            .max_age(lasts.try_into().unwrap_or_default())
            .secure(true)
            .http_only(true)
            .same_site(SameSite::Lax);
        HeaderValue::from_str(&cookie.to_string()).ok()
    });
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_by_header_and_by_cookies_of_their_name_and_no_more_than_so_many() {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, HeaderValue::from_static("sent"));
        let cookies = "theme=dark; __Host-loquet-device-1=one;__Host-loquet-device-2=two; loquet-device=no";
        headers.insert(header::COOKIE, HeaderValue::from_static(cookies));
        assert_eq!(Devices::of(&headers).0, ["sent", "one", "two"]);
        for n in 0..60 {
            headers.append(HEADER, HeaderValue::from(n));
        }
        assert_eq!(Devices::of(&headers).0.len(), MOST);
    }
}
