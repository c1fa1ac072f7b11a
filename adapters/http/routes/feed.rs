//! The events of the whole log, for programs: page by page, or as they happen (server-sent events, WHATWG HTML 9.2).
//! In their stored format they contain no sealed data. In the public format they are what other services receive from
//! Kafka and webhooks.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{Stream, StreamExt, stream};
use loquet_domain::ports::{BoxStream, Position, ReadError, RecordedEvent, Subscribed};
use loquet_domain::schema;
use loquet_metrics::Gauge;
use loquet_projections::as_of::position_at;
use loquet_projections::causes::Causes;
use loquet_projections::people::Unreadable;
use loquet_public_events::{ContractError, type_of, types};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::watch;
use tokio::time::{Instant, Interval, interval_at};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::caller::Caller;
use crate::extractors::query::Params;
use crate::limits::shares::{Costly, NoPlace, Place};
use crate::request_parts::bearer;
use crate::responses::faults::Faults;
use crate::responses::page::Page;
use crate::responses::problem::{Problem, ProblemBody};
use crate::routes::events::EventBody;
use crate::state::{Api, Shared};
use loquet_http_ports::scope::Scope;
use loquet_metrics::OfLimit;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Tells nginx not to buffer an answer.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// The maximum number of events that are read for one page. So a filter that matches no event is answered too.
const LOOKED_THROUGH: usize = 5_000;
/// How many events are read at once.
const READ: usize = 500;
/// How often a stream without events sends a heartbeat, so that proxies keep it open. It carries the position up to
/// which the stream has read, so that a program with a filter resumes there.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How often the token of a stream without events is checked again.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// A filter for events.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FeedFilter {
    /// Only events after this position: `next_cursor` of the previous page.
    cursor: Option<String>,
    /// The format of the events: `stored` (the default) as the log has them, or `public`. Public events are CloudEvents
    /// 1.0, the same that Kafka and webhooks deliver. Not every event is public.
    format: Option<String>,
    /// Only events of these types, separated by commas, such as `account-locked,lockout-released`. Public types, such as
    /// `loquet.account.locked.v1`, name the same events.
    r#type: Option<String>,
    /// Only events of streams of this category: `account`, `email`, `company`, `order`, `terminals`, `serial`,
    /// `access`, `receipt`, `logo`, `takeover` or `administration`.
    category: Option<String>,
    /// Only events from this moment on. Events that were decided at the same time may be a little out of order.
    since: Option<DateTime<Utc>>,
    /// The maximum number of items: 1 to 200. Default: 50.
    limit: Option<u32>,
    /// Answer only when the log has reached this position.
    at_least: Option<u64>,
}

/// How events are written.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Format {
    /// As the log has them.
    #[default]
    Stored,
    /// As other services receive them.
    Public,
}

/// The names of the formats.
pub(crate) const FORMATS: [&str; 2] = ["stored", "public"];

/// An event for other services (CloudEvents 1.0, JSON event format).
#[derive(Serialize, ToSchema)]
#[schema(as = CloudEvent)]
pub(crate) struct CloudEventBody {
    /// The version of CloudEvents: `1.0`.
    specversion: String,
    /// The id of the event. An event that is delivered twice has the same id.
    id: Uuid,
    /// The installation that published the event, as a URI reference.
    source: String,
    /// The type of event, with its version.
    #[schema(example = "loquet.account.locked.v1")]
    r#type: String,
    /// The account, company or take-over that the event concerns.
    subject: Uuid,
    /// When it happened.
    time: chrono::DateTime<chrono::Utc>,
    /// Its position in the log, with 20 digits.
    #[schema(example = "00000000000000000042")]
    sequence: String,
    /// The media type of the data: `application/json`.
    datacontenttype: String,
    /// The data. `loquet schema` prints its JSON Schema.
    #[schema(value_type = Object)]
    data: serde_json::Value,
}

/// An item of a page of events.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = FeedItem)]
pub(crate) enum ItemBody {
    /// An event in the stored format.
    Stored(Box<EventBody>),
    /// An event in the public format.
    #[schema(value_type = CloudEventBody)]
    Public(Box<RawValue>),
}

/// The events that a caller wants.
#[derive(Clone, Default)]
struct Wanted {
    format: Format,
    types: Option<Vec<String>>,
    category: Option<String>,
}

impl Wanted {
    fn of(filter: &FeedFilter, faults: &mut Faults) -> Self {
        faults.one_of("format", filter.format.as_deref(), &FORMATS);
        let format = if filter.format.as_deref() == Some("public") { Format::Public } else { Format::Stored };
        let wanted: Option<Vec<String>> =
            filter.r#type.as_ref().map(|types| types.split(',').map(|name| name.trim().to_owned()).collect());
        let known: Vec<_> = schema::names().into_iter().chain(types().map(|known| known.name)).collect();
        let unknown = wanted.iter().flatten().find(|name| !known.contains(&name.as_str()));
        faults.one_of("type", unknown.map(String::as_str), &known);
        faults.one_of("category", filter.category.as_deref(), schema::CATEGORIES);
        Self { format, types: wanted, category: filter.category.clone() }
    }

    fn fits(&self, event: &RecordedEvent) -> bool {
        let stored = event.event.name.as_str();
        let public = type_of(stored).map(|known| known.name);
        if matches!(self.format, Format::Public) && public.is_none() {
            return false;
        }
        let is_one = |wanted: &String| wanted == stored || Some(wanted.as_str()) == public;
        self.types.as_ref().is_none_or(|types| types.iter().any(is_one))
            && self.category.as_ref().is_none_or(|wanted| wanted == event.stream.category())
    }

    /// The event as the caller wants it, with the name of its type.
    async fn write(&self, api: &Api, event: &RecordedEvent) -> Result<(String, ItemBody), CannotPublish> {
        match self.format {
            Format::Stored => {
                let body = EventBody::open(api.codec.as_ref(), event)?;
                Ok((event.event.name.clone(), ItemBody::Stored(Box::new(body))))
            }
            Format::Public => {
                let public = api.contract.publish(api.codec.as_ref(), event).await?;
                let public = public.ok_or(CannotPublish::NotPublic)?;
                let json = public.structured()?;
                Ok((public.name.to_owned(), ItemBody::Public(serde_json::from_slice(&json)?)))
            }
        }
    }
}

/// Why an event can't be written for a caller.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CannotPublish {
    #[error(transparent)]
    Stored(#[from] Unreadable),
    #[error(transparent)]
    Public(#[from] ContractError),
    #[error("the event is not public")]
    NotPublic,
    #[error("the event can't be written as JSON")]
    Json(#[from] serde_json::Error),
}

impl From<CannotPublish> for Problem {
    fn from(error: CannotPublish) -> Self {
        Self::unavailable("store-unavailable", Causes(&error))
    }
}

/// Follow the log.
///
/// As JSON, returns a page of events after `cursor`. Every page has a `next_cursor`; after the last page, use it later
/// to ask for newer events. With `Accept: text/event-stream`, returns the events after `Last-Event-ID` (or `cursor`),
/// and then each event as it happens: `id` is its position, `event` its type, and `data` the same object as in a page.
/// With `format=public`, events have the format in which Kafka and webhooks deliver them. The stream ends when the token is no longer valid. Requires the scope `events:read`.
#[utoipa::path(
    get, path = "/v1/events", operation_id = "follow_events", tag = "events", security(("service" = [])),
    params(FeedFilter, ("Last-Event-ID" = Option<u64>, Header, description = "With server-sent events: the position of the last event that was received")),
    responses(
        (status = 200, description = "A page of events, or a stream of them", content(
            (Page<ItemBody> = "application/json"), (String = "text/event-stream"))),
        (status = 403, description = "The token lacks the scope `events:read`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "There are too many event streams, in all or of this token", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn feed(
    State(api): Shared,
    caller: Caller,
    headers: HeaderMap,
    Params(filter): Params<FeedFilter>,
) -> Result<Response, Problem> {
    let service = caller.service(Scope::EventsRead)?;
    let mut faults = Faults::default();
    let wanted = Wanted::of(&filter, &mut faults);
    let size = faults.limit(filter.limit);
    let last = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok());
    let resumed = faults.position("Last-Event-ID", last);
    let after = faults.position("?cursor", filter.cursor.as_deref()).max(resumed);
    faults.finish_query()?;
    let after = match filter.since {
        // The moment itself belongs to what is asked for.
        Some(since) => {
            let before = since.checked_sub_signed(TimeDelta::microseconds(1)).unwrap_or(since);
            after.max(position_at(api.store.as_ref(), api.codec.as_ref(), before).await?)
        }
        None => after,
    };
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // A position that the log does not have comes from another log, or from before a restore.
    api.log_at(after.max(Position(filter.at_least.unwrap_or(0)))).await?;
    if accepts.contains("text/event-stream") {
        let token = bearer(&headers).ok_or_else(Problem::unauthenticated)?;
        let place = api.followers.admit(service).map_err(|why| no_place(&api, why))?;
        return Ok(live(api, place, token, wanted, after));
    }
    let head = api.log_at(Position(filter.at_least.unwrap_or(0))).await?;
    let _share = api.admit_costly(&caller, Costly::Feed)?;
    let (found, seen) = look_through(&api, &wanted, after, head, size).await?;
    let mut items = Vec::with_capacity(found.len());
    for event in &found {
        items.push(wanted.write(&api, event).await?.1);
    }
    Ok(Json(Page { items, next_cursor: Some(seen.to_string()), position: head.0 }).into_response())
}

/// Up to `size` events that match, and the position up to which the log was read.
async fn look_through(
    api: &Api,
    wanted: &Wanted,
    after: Position,
    head: Position,
    size: usize,
) -> Result<(Vec<RecordedEvent>, Position), Problem> {
    let (mut found, mut seen, mut looked) = (Vec::new(), after, 0);
    while seen < head && looked < LOOKED_THROUGH {
        let page = api.store.read_all(seen, READ).await?;
        looked += READ;
        for event in page.into_iter().filter(|event| event.position <= head) {
            seen = event.position;
            if wanted.fits(&event) {
                found.push(event);
            }
            if found.len() == size {
                return Ok((found, seen));
            }
        }
    }
    Ok((found, seen))
}

/// One program that follows the events. Its place becomes free when the stream ends.
struct Following {
    api: Arc<Api>,
    log: BoxStream<'static, Result<Subscribed, ReadError>>,
    token: Zeroizing<String>,
    look_again: Interval,
    heartbeat: Interval,
    /// The position up to which the log was read.
    seen: Position,
    wanted: Wanted,
    stopping: watch::Receiver<bool>,
    gauge: Gauge,
    _place: Place,
}

impl Drop for Following {
    fn drop(&mut self) {
        self.gauge.dec();
    }
}

/// What a stream sends next.
enum Next {
    Event(Box<RecordedEvent>),
    Heartbeat,
}

impl Following {
    /// The next event that matches, or a heartbeat. Returns `None` when the stream must end: the server stops, the token is no longer
    /// valid, or the log can't be read.
    async fn next(&mut self) -> Option<Next> {
        loop {
            if *self.stopping.borrow_and_update() {
                return None;
            }
            let next = tokio::select! {
                next = self.log.next() => next?,
                _ = self.stopping.changed() => return None,
                _ = self.look_again.tick() => match may_read(&self.api, &self.token).await {
                    true => continue,
                    false => return None,
                },
                _ = self.heartbeat.tick() => return Some(Next::Heartbeat),
            };
            match next {
                Ok(Subscribed::Event(event)) => {
                    self.seen = event.position;
                    if self.wanted.fits(&event) {
                        self.heartbeat.reset();
                        return may_read(&self.api, &self.token).await.then_some(Next::Event(event));
                    }
                }
                Ok(Subscribed::CaughtUp(_)) => {}
                Err(error) => {
                    tracing::error!(%error, "the stream of events can't be continued");
                    return None;
                }
            }
        }
    }
}

/// Whether a token is valid now and has the scope. A stream must end when its token does.
async fn may_read(api: &Api, token: &str) -> bool {
    match api.service_tokens.find(token, (api.clock)()).await {
        Ok(service) => service.is_some_and(|service| service.scopes.contains(&Scope::EventsRead)),
        Err(error) => {
            tracing::error!(%error, "a token could not be checked: its stream of events ends");
            false
        }
    }
}

/// A place becomes free when a stream ends. Nobody knows when that happens, but a program that has gone is noticed at
/// the next sign of life on its stream at the latest.
fn no_place(api: &Api, why: NoPlace) -> Problem {
    api.metrics.http.limited.get_or_create(&OfLimit { limit: "event_streams".to_owned() }).inc();
    let too_many = |slug| Problem::new(StatusCode::TOO_MANY_REQUESTS, slug);
    let problem = match why {
        NoPlace::Token { most } => too_many("too-many-followers-of-token").with("most", most),
        NoPlace::All => too_many("too-many-followers"),
    };
    Problem { retry_after: i64::try_from(HEARTBEAT.as_secs()).ok(), ..problem }
}

fn live(api: Arc<Api>, place: Place, token: &str, wanted: Wanted, after: Position) -> Response {
    let gauge = api.metrics.http.event_streams.clone();
    gauge.inc();
    let following = Following {
        log: api.store.subscribe(after),
        token: Zeroizing::new(token.to_owned()),
        look_again: interval_at(Instant::now() + LOOK_AGAIN, LOOK_AGAIN),
        heartbeat: interval_at(Instant::now() + HEARTBEAT, HEARTBEAT),
        seen: after,
        wanted,
        stopping: api.stopping.subscribe(),
        gauge,
        _place: place,
        api,
    };
    let mut response = Sse::new(events(following)).into_response();
    // nginx would keep the newest events in its buffer.
    response.headers_mut().insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

/// The events, until the stream ends. Then the program connects again with the last id that it received. No event is
/// skipped.
fn events(following: Following) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(following, |mut following| async {
        let event = match following.next().await? {
            Next::Event(event) => event,
            // An `id` without data sets the last event id of a reader and dispatches nothing (WHATWG HTML 9.2.6).
            Next::Heartbeat => {
                let told = Event::default().comment("").id(following.seen.to_string());
                return Some((Ok(told), following));
            }
        };
        let (name, body) = match following.wanted.write(&following.api, &event).await {
            Ok(written) => written,
            Err(error) => {
                tracing::error!(error = %Causes(&error), position = %event.position, "an event can't be read");
                return None;
            }
        };
        let json = serde_json::to_string(&body).ok()?;
        let told = Event::default().id(event.position.to_string()).event(&name).data(json);
        Some((Ok(told), following))
    })
}
