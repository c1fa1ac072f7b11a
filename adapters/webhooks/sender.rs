//! Sends events to endpoints, each at least once.
//!
//! For each endpoint, the events of the log become deliveries, which are stored with the position up to which the log was
//! read. A delivery is removed when the endpoint answers 2xx. Otherwise it is tried again after growing pauses, and at
//! last it is a dead letter. An endpoint that is away holds up no other.
//!
//! An operator may set the position of an endpoint while events are sent. So a position is moved only from where this
//! sender has read it. If it is elsewhere, the sender reads it again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::StreamExt;
use futures_util::future::join_all;
use loquet_domain::Moment;
use loquet_domain::ports::{EventCodec, EventStore, Position, ReadError, Subscribed};
use loquet_metrics::{Outcome, Outcomes};
use loquet_projections::causes::Causes;
use loquet_projections::ports::{Clock, Delivery, Endpoint, LogPoint, StoreFailed, Webhooks};
use loquet_projections::runner::{ServiceState, Status};
use loquet_public_events::cloud_event::STRUCTURED;
use loquet_public_events::{CloudEvent, Contract, ContractError, type_of};
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, StatusCode};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::guard::Guard;
use crate::schedule::pause_after;
use crate::signature::{self, Secret};

/// The name under which the sender shows its state.
pub const NAME: &str = "webhooks";
/// How often endpoints that were added, changed or removed are noticed.
const LOOK: Duration = Duration::from_secs(2);
/// The pause after a failure of a store.
const RETRY: Duration = Duration::from_secs(2);
/// The longest pause after a failure of a store.
const LONGEST_RETRY: Duration = Duration::from_mins(5);
/// The longest time that one delivery may take.
const TIMEOUT: Duration = Duration::from_secs(15);
/// The longest time until a connection is made.
const CONNECT: Duration = Duration::from_secs(5);
/// Deliveries to one endpoint at the same time.
const AT_ONCE: u32 = 8;
/// Events that are read at once.
const PAGE: usize = 500;
/// With so many deliveries that wait, no more events are read for an endpoint. They wait in the log.
const MOST_WAITING: u64 = 1000;

/// Derives the secret of an endpoint from its id and the number of the secret.
pub type Secrets = Arc<dyn Fn(Uuid, u32) -> Secret + Send + Sync>;

/// Sends events to every endpoint.
#[derive(Clone)]
pub struct WebhookSender {
    /// The log.
    pub store: Arc<dyn EventStore>,
    /// Decodes its events.
    pub codec: Arc<dyn EventCodec>,
    /// What is public.
    pub contract: Arc<Contract>,
    /// The endpoints and their deliveries.
    pub webhooks: Arc<dyn Webhooks>,
    /// The secrets that sign deliveries.
    pub secrets: Secrets,
    /// Where events may be sent to.
    pub guard: Guard,
    /// The time.
    pub clock: Clock,
    /// Shows which endpoints fail.
    pub status: Status,
    /// Counts deliveries, by outcome.
    pub deliveries: Outcomes,
    /// Why endpoints get nothing now, by endpoint. Empty at the start.
    pub troubles: Troubles,
}

/// Why endpoints get nothing now, by endpoint.
pub type Troubles = Arc<Mutex<BTreeMap<Uuid, String>>>;

/// The HTTP clients: one for each kind of URL.
#[derive(Clone)]
struct Clients {
    encrypted: Client,
    plain: Client,
}

/// Why an endpoint gets nothing now.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Store(#[from] StoreFailed),
    #[error(transparent)]
    Log(#[from] ReadError),
    #[error("the event at position {position} can't be published")]
    Event { position: Position, source: ContractError },
    #[error("the event at position {0} can't be written")]
    Unwritable(Position),
}

/// What became of a delivery.
enum Sent {
    Delivered,
    /// The endpoint says that it is gone for good.
    Gone,
    Failed {
        why: String,
        asked: Option<TimeDelta>,
    },
}

impl WebhookSender {
    /// Sends until the task is dropped.
    ///
    /// # Errors
    /// An error if the HTTP client can't be made.
    pub async fn run(self) -> Result<(), reqwest::Error> {
        let clients = Clients { encrypted: self.client(true)?, plain: self.client(false)? };
        let mut running: BTreeMap<Uuid, Running> = BTreeMap::new();
        loop {
            // Read before the endpoints are. So a position that is behind it was set by somebody else.
            let reached: BTreeMap<Uuid, Position> =
                running.iter().map(|(id, sending)| (*id, sending.reached.get())).collect();
            match self.webhooks.list().await {
                Ok(endpoints) => {
                    running.retain(|id, sending| {
                        let now = endpoints.iter().find(|endpoint| endpoint.id == *id);
                        let reached = reached.get(id).copied().unwrap_or_default();
                        now.is_some_and(|now| sending.goes_on(now, reached))
                    });
                    for endpoint in endpoints.into_iter().filter(|endpoint| endpoint.stopped.is_none()) {
                        running.entry(endpoint.id).or_insert_with(|| {
                            let reached = Arc::new(Reached::at(endpoint.position));
                            let task =
                                self.clone().follow(endpoint.clone(), clients.clone(), reached.clone());
                            Running { endpoint, reached, task: AbortOnDrop(tokio::spawn(task)) }
                        });
                    }
                    self.show().await;
                }
                Err(error) => self.tell(ServiceState::Failing(Causes(&error).to_string())),
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn client(&self, is_encrypted: bool) -> Result<Client, reqwest::Error> {
        Client::builder()
            .user_agent(concat!("Loquet/", env!("CARGO_PKG_VERSION")))
            // A redirect would lead where nobody checked.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .timeout(TIMEOUT)
            .connect_timeout(CONNECT)
            .dns_resolver(self.guard.resolver(is_encrypted))
            .build()
    }

    /// Shows which endpoints were stopped, fail, or have dead letters. It is said once for each state, and not for each
    /// delivery: how many lines there are tells nothing about logins.
    async fn show(&self) {
        let Ok(endpoints) = self.webhooks.list().await else { return };
        let mut failing = Vec::new();
        for endpoint in &endpoints {
            let counts = self.webhooks.counts(endpoint.id).await.unwrap_or_default();
            let failed = self.webhooks.failing(endpoint.id, 1).await.unwrap_or_default();
            let trouble = self.troubles.lock().await.get(&endpoint.id).cloned();
            let url = &endpoint.url;
            if let Some(why) = &endpoint.stopped {
                failing.push(format!("{url} was stopped: {why}"));
            } else if let Some(why) = trouble {
                failing.push(format!("{url}: {why}"));
            } else if counts.dead > 0 {
                failing.push(format!("{url} has dead letters"));
            } else if let Some(why) = failed.into_iter().next().and_then(|delivery| delivery.why) {
                failing.push(format!("{url}: {why}"));
            }
        }
        match failing.is_empty() {
            true => self.tell(ServiceState::Working),
            false => self.tell(ServiceState::Failing(failing.join("; "))),
        }
    }

    fn tell(&self, state: ServiceState) {
        if self.status.tell(NAME, state.clone())
            && let ServiceState::Failing(why) = state
        {
            tracing::error!(%why, "webhooks fail");
        }
    }

    /// Sends the events of the log to one endpoint.
    async fn follow(self, endpoint: Endpoint, clients: Clients, reached: Arc<Reached>) {
        let mut pause = RETRY;
        let mut is_checked = false;
        loop {
            let stepped = match is_checked {
                true => self.step(&endpoint, &clients, &reached).await,
                false => self.check_log(&endpoint, &reached).await,
            };
            match stepped {
                Ok(true) => {
                    if self.troubles.lock().await.remove(&endpoint.id).is_some() {
                        tracing::info!(url = %endpoint.url, "events are sent to the webhook again");
                    }
                    (is_checked, pause) = (true, RETRY);
                }
                Ok(false) => return,
                Err(trouble) => {
                    let why = Causes(&trouble).to_string();
                    let known = self.troubles.lock().await.insert(endpoint.id, why.clone());
                    if known.as_ref() != Some(&why) {
                        tracing::error!(%why, url = %endpoint.url, "events can't be sent to a webhook; trying again");
                    }
                    // If only the note of a delivery failed, the event is sent again. So the pauses grow.
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_RETRY);
                }
            }
        }
    }

    /// Compares the position with the log. After a restore, the log may end before it, or have another event there. Returns
    /// whether to go on. If not, the endpoint is stopped, or was moved by somebody else and is read again.
    async fn check_log(&self, endpoint: &Endpoint, reached: &Reached) -> Result<bool, Trouble> {
        let (position, head) = (reached.get(), self.store.head().await?);
        if position > head {
            let to = LogPoint { position: head, event_id: event_id_at(self.store.as_ref(), head).await? };
            if !self.webhooks.set_position(endpoint.id, Some(position), to).await? {
                return Ok(false);
            }
            tracing::warn!(url = %endpoint.url, position = position.0, head = head.0, "a webhook was ahead of the log; its position was set back");
            reached.set(head);
            return Ok(true);
        }
        let here = event_id_at(self.store.as_ref(), position).await?;
        if endpoint.event_id.is_some() && endpoint.event_id != here {
            let why = format!(
                "at position {position} the log has another event than before: it was put back to an older backup. Choose from \
                 where to go on: loquet webhook set-position {} POSITION",
                endpoint.id
            );
            self.webhooks.stop(endpoint.id, Some(why)).await?;
            return Ok(false);
        }
        Ok(true)
    }

    /// Sends what is due, or reads further events, or waits. Returns whether to go on. If not, the endpoint is stopped, or
    /// was moved by somebody else and is read again.
    async fn step(&self, endpoint: &Endpoint, clients: &Clients, reached: &Reached) -> Result<bool, Trouble> {
        let now = (self.clock)();
        let position = reached.get();
        let due = self.webhooks.due(endpoint.id, now, AT_ONCE).await?;
        if !due.is_empty() {
            let sent = due.iter().map(|delivery| self.deliver(endpoint, clients, delivery));
            let sent = join_all(sent).await.into_iter().collect::<Result<Vec<_>, _>>()?;
            return Ok(!sent.contains(&false));
        }
        if self.webhooks.counts(endpoint.id).await?.waiting < MOST_WAITING {
            let page = self.store.read_all(position, PAGE).await?;
            if let Some(last) = page.last() {
                let to = LogPoint { position: last.position, event_id: Some(last.event.id.0) };
                let wanted = page.iter().filter(|event| wants(endpoint, &event.event.name));
                let events = wanted.map(|event| event.position).collect();
                let has_moved = self.webhooks.advance(endpoint.id, position, to, events, now).await?;
                if has_moved {
                    reached.set(to.position);
                }
                return Ok(has_moved);
            }
        }
        tokio::select! {
            more = wait_for_more(self.store.as_ref(), position) => { more?; }
            () = tokio::time::sleep(LOOK) => {}
        }
        Ok(true)
    }

    /// Tries one delivery, and notes what became of it. Returns whether the endpoint goes on.
    async fn deliver(
        &self,
        endpoint: &Endpoint,
        clients: &Clients,
        delivery: &Delivery,
    ) -> Result<bool, Trouble> {
        let event = delivery.position;
        let Some(public) = self.public_event(event).await? else {
            // It is no longer public.
            self.webhooks.delivered(endpoint.id, event).await?;
            return Ok(true);
        };
        let sent = self.send(endpoint, clients, &public).await?;
        let outcome = match &sent {
            Sent::Delivered => "delivered",
            Sent::Gone => "gone",
            Sent::Failed { .. } => "failed",
        };
        self.deliveries.get_or_create(&Outcome { outcome: outcome.to_owned() }).inc();
        match sent {
            Sent::Delivered => self.webhooks.delivered(endpoint.id, event).await?,
            Sent::Gone => {
                let why = "it answered 410 Gone".to_owned();
                self.webhooks.stop(endpoint.id, Some(why)).await?;
                return Ok(false);
            }
            Sent::Failed { why, asked } => {
                let pause = pause_after(delivery.tries + 1, asked);
                let due_at = pause.and_then(|pause| (self.clock)().checked_add_signed(pause));
                tracing::debug!(url = %endpoint.url, %event, %why, "a webhook was not delivered");
                self.webhooks.failed(endpoint.id, event, why, due_at).await?;
            }
        }
        Ok(true)
    }

    /// The public event at a position, as it is now: without the data of a person who was erased since.
    async fn public_event(&self, position: Position) -> Result<Option<CloudEvent>, Trouble> {
        let Some(event) = self.store.event_at(position).await? else { return Ok(None) };
        let public = self.contract.publish(self.codec.as_ref(), &event).await;
        public.map_err(|source| Trouble::Event { position, source })
    }

    async fn send(
        &self,
        endpoint: &Endpoint,
        clients: &Clients,
        event: &CloudEvent,
    ) -> Result<Sent, Trouble> {
        let failed = |why: String| Sent::Failed { why, asked: None };
        // The settings may have changed since the endpoint was added.
        let url = match self.guard.check(&endpoint.url) {
            Ok(url) => url,
            Err(refused) => return Ok(failed(refused.to_string())),
        };
        let body = event.structured().map_err(|_| Trouble::Unwritable(event.position))?;
        let now = (self.clock)();
        let signature = signature::header(&self.secrets_of(endpoint, now), event.id, now, &body);
        let client = if url.scheme() == "https" { &clients.encrypted } else { &clients.plain };
        let request = client
            .post(url)
            .header(CONTENT_TYPE, STRUCTURED)
            .header("webhook-id", event.id.to_string())
            .header("webhook-timestamp", now.timestamp().to_string())
            .header("webhook-signature", signature)
            .body(body);
        Ok(match request.send().await {
            Ok(answer) if answer.status().is_success() => Sent::Delivered,
            Ok(answer) if answer.status() == StatusCode::GONE => Sent::Gone,
            Ok(answer) => {
                let (status, asked) = (answer.status(), retry_after(answer.headers()));
                Sent::Failed { why: format!("it answered {status}"), asked }
            }
            // The URL stands beside the reason already.
            Err(error) => failed(Causes(&error.without_url()).to_string()),
        })
    }

    /// The secrets that sign now: the present one, and for a time the one before.
    fn secrets_of(&self, endpoint: &Endpoint, now: Moment) -> Vec<Secret> {
        let older = endpoint.older_secret_until.filter(|until| now < *until);
        let older = older.and_then(|_| endpoint.secret.checked_sub(1)).filter(|number| *number > 0);
        let numbers = std::iter::once(endpoint.secret).chain(older);
        numbers.map(|number| (self.secrets)(endpoint.id, number)).collect()
    }
}

/// Whether an endpoint wants events with this stored name.
fn wants(endpoint: &Endpoint, stored: &str) -> bool {
    type_of(stored).is_some_and(|known| {
        endpoint.types.is_empty() || endpoint.types.iter().any(|name| name == known.name)
    })
}

/// The pause that a receiver asks for, in seconds (RFC 9110, 10.2.3). A date is not read.
fn retry_after(headers: &HeaderMap) -> Option<TimeDelta> {
    let seconds: u32 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(TimeDelta::seconds(seconds.into()))
}

/// The id of the event at a position. Returns `None` at the start of the log.
///
/// # Errors
/// [`ReadError`] if the log can't be read.
pub async fn event_id_at(store: &dyn EventStore, position: Position) -> Result<Option<Uuid>, ReadError> {
    Ok(store.event_at(position).await?.map(|event| event.event.id.0))
}

/// Waits until the log has an event after a position.
async fn wait_for_more(store: &dyn EventStore, after: Position) -> Result<(), ReadError> {
    let mut log = store.subscribe(after);
    while let Some(next) = log.next().await {
        if let Subscribed::Event(_) = next? {
            return Ok(());
        }
    }
    Ok(())
}

/// The task that sends events to one endpoint.
struct Running {
    /// The endpoint as it was when the task began.
    endpoint: Endpoint,
    reached: Arc<Reached>,
    task: AbortOnDrop,
}

impl Running {
    /// Whether the task goes on. It ends if the endpoint was changed, or is at a position before the one that the task had
    /// stored earlier.
    fn goes_on(&self, now: &Endpoint, stored: Position) -> bool {
        let begun = Endpoint { position: now.position, event_id: now.event_id, ..self.endpoint.clone() };
        begun == *now && now.position >= stored && !self.task.0.is_finished()
    }
}

/// The position that a task has read or stored last.
struct Reached(AtomicU64);

impl Reached {
    fn at(position: Position) -> Self {
        Self(AtomicU64::new(position.0))
    }

    fn get(&self) -> Position {
        Position(self.0.load(Ordering::Acquire))
    }

    fn set(&self, position: Position) {
        self.0.store(position.0, Ordering::Release);
    }
}

struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
