//! Queries about the past: `as_of` names a moment or a position of the log, and the answer is what the system knew then. The
//! same routes answer, over the system as of that position.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{Method, Uri, header};
use axum::response::{IntoResponse, Response};
use chrono::{NaiveDate, NaiveTime};
use loquet_domain::Moment;
use loquet_domain::app::Unavailable;
use loquet_domain::ports::Position;
use loquet_domain::schema::ends_a_subject;
use loquet_projections::as_of::position_at;
use tower::ServiceExt;

use crate::caller::Caller;
use crate::extractors::caller::{KnownCaller, caller_of};
use crate::extractors::query::refused;
use crate::extractors::shape::parameters;
use crate::past::{History, LONGEST, PARAMETER, Past};
use crate::request_parts::{ClientAddress, RequestId, bearer};
use crate::responses::problem::{Fault, Problem};
use crate::state::Api;

/// Events that are read at once.
const PAGE: usize = 500;

/// Makes the routes over a past.
pub(crate) type Routes = fn(Arc<Api>) -> Router;

/// The value of `as_of` in a query, as it was written.
fn asked(uri: &Uri) -> Option<String> {
    parameters(uri).into_iter().find(|(name, _)| name == PARAMETER).map(|(_, value)| value)
}

/// Answers a query about the past. Returns the request if it is about the present.
pub(crate) async fn answer(api: &Arc<Api>, routes: Routes, request: Request) -> Result<Response, Request> {
    // The pages ask these routes themselves.
    let is_query =
        matches!(*request.method(), Method::GET | Method::HEAD) && request.uri().path().starts_with("/v1/");
    if !is_query || api.history.pasts.is_none() {
        return Err(request);
    }
    match asked(request.uri()) {
        Some(asked) => {
            Ok(past(api, routes, request, &asked).await.unwrap_or_else(IntoResponse::into_response))
        }
        None => Err(request),
    }
}

async fn past(api: &Arc<Api>, make: Routes, request: Request, asked: &str) -> Result<Response, Problem> {
    // The token must be valid now. A session is a thing of its time, so the staff are known by their session of now, and the
    // people of companies can't ask about another time.
    let token = bearer(request.headers()).ok_or_else(Problem::unauthenticated)?;
    let Caller::Service(service) = caller_of(api, token, request.uri().path()).await? else {
        return Err(Problem::forbidden());
    };
    let wrong = || {
        refused(vec![Fault { pointer: format!("?{PARAMETER}"), rule: "as-of-invalid", places: Vec::new() }])
    };
    if asked.chars().count() > LONGEST {
        return Err(wrong());
    }
    if parameters(request.uri()).iter().filter(|(name, _)| name == PARAMETER).count() > 1 {
        let twice = Fault { pointer: format!("?{PARAMETER}"), rule: "field-twice", places: Vec::new() };
        return Err(refused(vec![twice]));
    }
    let position = match asked.parse() {
        Ok(position) => api.log_at(Position(position)).await.map(|_| Position(position))?,
        Err(_) => {
            let moment = moment(asked).ok_or_else(wrong)?;
            position_at(api.store.as_ref(), api.codec.as_ref(), moment).await?
        }
    };
    // One past at a time is opened, and one that was opened meanwhile is not opened again.
    let turn = api.history.open.turn().await;
    forget_erased(api).await?;
    let routes = match api.history.open.get(position) {
        Some(routes) => routes,
        None => {
            let routes = make(Arc::new(as_of(api, position).await?));
            api.history.open.put(position, routes.clone());
            routes
        }
    };
    drop(turn);
    let mut request = without_parameter(&request);
    request.extensions_mut().insert(KnownCaller(service));
    let Ok(mut response) = routes.oneshot(request).await;
    response.headers_mut().insert("loquet-as-of", position.0.into());
    Ok(response)
}

/// Closes all pasts if somebody was erased since they were opened, by whichever node: a past still names them.
async fn forget_erased(api: &Api) -> Result<(), Problem> {
    let (mut at, head) = (api.history.open.seen(), api.store.head().await?);
    while let Some(after) = at.filter(|at| *at < head) {
        let page = api.store.read_all(after, PAGE).await?;
        if page.iter().any(|event| ends_a_subject(&event.event.name)) {
            api.history.open.close_all();
        }
        at = page.last().map(|last| last.position);
    }
    api.history.open.see(head);
    Ok(())
}

/// Reads a moment: RFC 3339, or a date, which stands for its beginning (UTC).
fn moment(text: &str) -> Option<Moment> {
    match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        Ok(date) => Some(date.and_time(NaiveTime::MIN).and_utc()),
        Err(_) => text.parse().ok(),
    }
}

/// The interface over the system as of a position. Its clock shows when the last event of that position happened.
async fn as_of(api: &Api, position: Position) -> Result<Api, Problem> {
    let Some(pasts) = &api.history.pasts else { return Err(Problem::unauthenticated()) };
    let Past { app, store, rows, status } = pasts.open(position).await?;
    let at = match api.store.event_at(position).await? {
        Some(event) => api.codec.decode_open(&event).map_err(Unavailable::from)?.context.at,
        None => Moment::UNIX_EPOCH,
    };
    let clock = Arc::new(move || at);
    Ok(Api { app, store, rows, status, clock, history: History::past(position), ..api.clone() })
}

/// The same request without the parameter, as a new one: the router adds its own parts to it.
fn without_parameter(request: &Request) -> Request {
    let mut asked = Request::new(Body::empty());
    *asked.method_mut() = request.method().clone();
    asked.headers_mut().clone_from(request.headers());
    asked.headers_mut().remove(header::CONTENT_LENGTH);
    let others = parameters(request.uri()).into_iter().filter(|(name, _)| name != PARAMETER);
    let others = form_urlencoded::Serializer::new(String::new()).extend_pairs(others).finish();
    let path = request.uri().path();
    let target = if others.is_empty() { path.to_owned() } else { format!("{path}?{others}") };
    if let Ok(uri) = target.parse() {
        *asked.uri_mut() = uri;
    }
    if let Some(address) = request.extensions().get::<ClientAddress>() {
        asked.extensions_mut().insert(*address);
    }
    if let Some(id) = request.extensions().get::<RequestId>() {
        asked.extensions_mut().insert(*id);
    }
    asked
}
