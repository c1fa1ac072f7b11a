//! The middleware around every handler, from the outside in.
//!
//! There is only one middleware. Each further one would box its future, and clone everything within it, at
//! every request.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Uri, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use tracing::Instrument;

use super::as_of::{self, Routes};
use super::buffered_body;
use super::conditional;
use super::rate_limits;
use super::request_identity;
use crate::extractors::{query, shape};
use crate::request_parts::REQUEST_ID;
use crate::responses::localize::Reader;
use crate::responses::problem::Problem;
use crate::responses::{localize, problem};
use crate::state::Api;

/// The headers of every answer that does not set them itself.
const FIXED: [(HeaderName, &str); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::CACHE_CONTROL, "no-store"),
];

/// How long one request may take. A query's wait and a full queue of hashes fit into it.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the middleware uses: the interface, and the routes over a past.
#[derive(Clone)]
pub(crate) struct Around {
    pub(crate) api: Arc<Api>,
    pub(crate) past: Routes,
}

pub(crate) async fn every_request(
    State(Around { api, past }): State<Around>,
    mut request: Request,
    next: Next,
) -> Response {
    let policy = content_policy(request.uri().path());
    let language = localize::language(request.headers());
    let is_page = localize::wants_page(request.uri().path(), request.headers());
    let reader = Reader {
        language,
        time_zone: api.time_zone,
        page_of: is_page.then(|| api.look(language, localize::root_from(request.uri().path()))),
    };
    let (id, span) = request_identity::identify(&api, &mut request).await;
    let answered = answered_in_time(&api, past, request, next).instrument(span).await;
    let mut response = localize::localize(&reader, id, answered);
    let headers = response.headers_mut();
    headers.reserve(FIXED.len() + 2);
    headers.insert(REQUEST_ID, id.header());
    for (name, value) in FIXED {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(policy));
    response
}

/// Always returns an answer, also after a panic or a timeout.
async fn answered_in_time(api: &Arc<Api>, past: Routes, request: Request, next: Next) -> Response {
    let in_time = tokio::time::timeout(PATIENCE, admitted(api, past, request, next));
    match AssertUnwindSafe(in_time).catch_unwind().await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Err(panic) => problem::panicked(panic),
    }
}

/// In development, checks the name in `Host`. A request with a valid service token needs no check: a web page that
/// forges a name has no token.
async fn admit_host(api: &Api, request: Request) -> Result<Request, Problem> {
    let Some(hosts) = &api.dev_hosts else { return Ok(request) };
    if !request_identity::is_of_service(api, request.headers()).await {
        hosts.admit(&request)?;
    }
    Ok(request)
}

/// Whether a request names exactly one host (RFC 9112, 3.2). HTTP/1.0 may name none.
fn has_one_host(request: &Request) -> bool {
    match request.headers().get_all(header::HOST).iter().count() {
        0 => request.version() < Version::HTTP_11 || request.uri().host().is_some(),
        hosts => hosts == 1,
    }
}

/// Answers OPTIONS, as load balancers ask it (RFC 9110, 9.3.7). The router adds the header Allow to what it did not route.
fn options(uri: &Uri, response: &Response) -> Option<Response> {
    if uri.path() == "*" {
        let allowed = [(header::ALLOW, "GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS")];
        return Some((StatusCode::NO_CONTENT, allowed).into_response());
    }
    let is_known = response.status() == StatusCode::METHOD_NOT_ALLOWED;
    is_known.then(|| StatusCode::NO_CONTENT.into_response())
}

async fn admitted(api: &Arc<Api>, past: Routes, request: Request, next: Next) -> Response {
    if !has_one_host(&request) {
        return Problem::new(StatusCode::BAD_REQUEST, "host-invalid").into_response();
    }
    if let Err(problem) = rate_limits::admit_request(api, &request) {
        return problem.into_response();
    }
    let request = match admit_host(api, request).await {
        Ok(request) => request,
        Err(problem) => return problem.into_response(),
    };
    let asked = conditional::Asked::by(&request);
    let operation = shape::of(request.method(), request.extensions());
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let (uri, asks_for_options) = (request.uri().clone(), request.method() == Method::OPTIONS);
    if uri.query().is_some_and(|query| !query.is_empty())
        && let Some(operation) = operation
        && uri.path().starts_with("/v1/")
        && operation.has_unknown_parameter(&uri)
    {
        return query::refused(operation.query_faults(&uri)).into_response();
    }
    let mut response = match buffered_body::buffered(request).await {
        Ok(request) => match as_of::answer(api, past, request).await {
            Ok(past) => past,
            Err(request) => request_identity::measure(api, request, next).await,
        },
        Err(problem) => return problem.into_response(),
    };
    if asks_for_options && let Some(options) = options(&uri, &response) {
        return options;
    }
    // The framework refused a part of the path: this says which.
    if response.status() == StatusCode::BAD_REQUEST
        && response.extensions().get::<Problem>().is_none()
        && let (Some(operation), Some(matched)) = (operation, matched)
    {
        let mut faults = operation.path_faults(matched.as_str(), &uri);
        faults.extend(operation.query_faults(&uri));
        return query::refused(faults).into_response();
    }
    // A handler stops at the first step of reading that fails. The others may have failed too.
    if let Some(operation) = operation
        && let Some(problem) = response.extensions_mut().get_mut::<Problem>()
        && problem.slug == query::MALFORMED
    {
        let others = operation.query_faults(&uri);
        let told: HashSet<_> = problem.faults.iter().map(|fault| fault.pointer.clone()).collect();
        problem.faults.extend(others.into_iter().filter(|fault| !told.contains(&fault.pointer)));
    }
    conditional::answer(asked, response)
}

/// Allows no frames, no forms to other hosts, and only our own style sheet. Allows no script, or only our own.
fn content_policy(path: &str) -> &'static str {
    // The API viewer is third-party software. It needs its own scripts, and styles that it creates itself.
    if path.starts_with("/docs") {
        return "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                base-uri 'none'; frame-ancestors 'none'";
    }
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'"
}
