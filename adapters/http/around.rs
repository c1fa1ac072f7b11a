//! The middleware around every handler, from the outside in.
//!
//! There is only one: each further middleware would box its future, and clone everything within it, at every request.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use tracing::Instrument;

use super::problem::Problem;
use super::{Api, PATIENCE, body, conditional, limits, localize, pages, problem, request};

/// The headers of every answer that does not set them itself.
const FIXED: [(HeaderName, &str); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::CACHE_CONTROL, "no-store"),
];

pub(super) async fn every_request(State(api): State<Arc<Api>>, mut request: Request, next: Next) -> Response {
    let policy = pages::content_policy(request.uri().path());
    let language = localize::language(request.headers());
    let (id, span) = request::identify(&api, &mut request);
    let answered = answered_in_time(&api, request, next).instrument(span).await;
    let mut response = localize::localize(language, id, answered);
    let headers = response.headers_mut();
    headers.insert(request::REQUEST_ID, id.header());
    for (name, value) in FIXED {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(policy));
    response
}

/// Answers in any case, also after a panic or a timeout.
async fn answered_in_time(api: &Api, request: Request, next: Next) -> Response {
    let in_time = tokio::time::timeout(PATIENCE, admitted(api, request, next));
    match AssertUnwindSafe(in_time).catch_unwind().await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Err(panic) => problem::panicked(panic),
    }
}

/// In development, checks the name in `Host`. A request with a valid service token needs no check: a web page that
/// forges a name has no token.
fn admit_host(api: &Api, request: &Request) -> Result<(), Problem> {
    match &api.dev_hosts {
        Some(hosts) if !request::is_of_service(api, request.headers()) => hosts.admit(request),
        _ => Ok(()),
    }
}

async fn admitted(api: &Api, request: Request, next: Next) -> Response {
    if let Err(problem) = limits::admit_request(api, &request) {
        return problem.into_response();
    }
    if let Err(problem) = admit_host(api, &request) {
        return problem.into_response();
    }
    let known = conditional::known_to_client(&request);
    let response = match body::buffered(request).await {
        Ok(request) => request::measure(api, request, next).await,
        Err(problem) => return problem.into_response(),
    };
    conditional::not_modified(known, response)
}
