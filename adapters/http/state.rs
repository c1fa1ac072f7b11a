//! What the handlers use: the use cases, the ports, the limits and the metrics.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use futures_util::StreamExt;
use ipnet::IpNet;
use loquet_domain::app::App;
use loquet_domain::ports::{
    EventCodec, EventStore, Identities, KeyVault, OneTimeCodes, Position, Subscribed,
};
use loquet_domain::values::language::Language;
use loquet_http_ports::answers::Answers;
use loquet_http_ports::dead_letters::DeadLetters;
use loquet_http_ports::dev_mails::DevMails;
use loquet_http_ports::exports::Exports;
use loquet_http_ports::log_proof::LogProof;
use loquet_http_ports::service_tokens::ServiceTokens;
use loquet_metrics::Metrics;
use loquet_projections::local_time::TimeZone;
use loquet_projections::mail::MailLedger;
use loquet_projections::ports::{Clock, ReadStore};
use loquet_projections::runner::{NotThere, Status};
use loquet_public_events::Contract;
use tokio::sync::watch;

use crate::design::Look;
use crate::design::branding::Branding;
use crate::dev_hosts::DevHosts;
use crate::limits::company_mails::CompanyMails;
use crate::limits::limiter::Limiter;
use crate::limits::shares::{Followers, UnderWay};
use crate::past::History;
use crate::pictures::logo::Drawing;
use crate::readiness_probe::Probe;
use crate::responses::problem::Problem;

/// A query waits only if the position that it asks for is at most this number of events ahead of the log.
const MOST_EVENTS_AHEAD: u64 = 1_000_000;
/// How long a query waits for the position that it asks for.
pub(crate) const READERS_PATIENCE: Duration = Duration::from_secs(5);

/// Everything that the handlers use.
#[derive(Clone)]
pub struct Api {
    /// The use cases.
    pub app: Arc<App>,
    /// The event log, for histories.
    pub store: Arc<dyn EventStore>,
    /// Decodes the events of the log.
    pub codec: Arc<dyn EventCodec>,
    /// Which events are public, and how they are written.
    pub contract: Arc<Contract>,
    /// The read models.
    pub rows: Arc<dyn ReadStore>,
    /// The positions of the read models.
    pub status: Status,
    /// The server is not ready while a read model is further behind the log, in positions.
    pub max_lag: u64,
    /// The account keys. The readiness check asks whether they can be used.
    pub keys: Arc<dyn KeyVault>,
    /// The service tokens.
    pub service_tokens: Arc<dyn ServiceTokens>,
    /// Makes the ids of requests.
    pub identities: Arc<dyn Identities>,
    /// Formats a secret of the second step for an authenticator app.
    pub codes: Arc<dyn OneTimeCodes>,
    /// The time.
    pub clock: Clock,
    /// Refused logins are answered at a multiple of this time after they arrived: see
    /// [`crate::response_timing::refusal_step`].
    pub refusal_step: Duration,
    /// The name of the customer portal, as users see it.
    pub brand: String,
    /// The supplier's colour and logo on the pages.
    pub branding: Arc<Branding>,
    /// The time zone in which people read times.
    pub time_zone: TimeZone,
    /// Where people reach support, as the pages say it. `None`: the pages do not say where.
    pub support_contact: Option<String>,
    /// Whether traces of requests are sent.
    pub traced: bool,
    /// Whether anybody can read the description of the API.
    pub docs: bool,
    /// The result of the last write to the log by the readiness check.
    pub probe: Arc<Probe>,
    /// The development mails that `/dev/mail` shows. `None` in production.
    pub dev_mail: Option<Arc<dyn DevMails>>,
    /// The host names that a development server answers to. `None` in production, where the proxy checks names.
    pub dev_hosts: Option<DevHosts>,
    /// The stored answers to commands with an idempotency key.
    pub answers: Arc<dyn Answers>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// What keeps the proof of the log.
    pub proof: Arc<dyn LogProof>,
    /// The orders from Kafka that could not be taken. `None`: no orders are taken from Kafka.
    pub dead_letters: Option<Arc<dyn DeadLetters>>,
    /// Writes extracts of the history.
    pub exports: Arc<dyn Exports>,
    /// The mail queue. The metrics show how many mails wait.
    pub mails: Arc<dyn MailLedger>,
    /// The proxies that may report a client's address.
    pub trusted_proxies: Vec<IpNet>,
    /// Limits the number of requests.
    pub limiter: Arc<Limiter>,
    /// Limits the activation mails that a company causes.
    pub company_mails: Arc<CompanyMails>,
    /// Limits how many pictures are drawn at once.
    pub drawing: Drawing,
    /// Limits how many programs follow the events at once.
    pub followers: Arc<Followers>,
    /// Limits the costly requests that a caller has in progress.
    pub under_way: Arc<UnderWay>,
    /// Whether this is the present or a past, and how a past is opened.
    pub history: History,
    /// Signals that the server stops, so that endless responses end.
    pub stopping: watch::Sender<bool>,
}

impl Api {
    /// The look of a page in a language. `root` leads from the page to the root of the server.
    pub(crate) fn look(&self, language: Language, root: String) -> Look {
        Look {
            language,
            time_zone: self.time_zone,
            brand: self.brand.clone(),
            branding: self.branding.clone(),
            contact: self.support_contact.clone(),
            root,
            here: String::new(),
            person: None,
            menu: Vec::new(),
            done: None,
            dev: self.dev_mail.is_some(),
            docs: self.docs,
        }
    }

    /// Waits until the log has reached a position. Returns the log's position (law 10).
    pub(crate) async fn log_at(&self, at_least: Position) -> Result<Position, Problem> {
        let head = self.store.head().await?;
        if head >= at_least {
            return Ok(head);
        }
        self.within_reach(at_least, head).await?;
        let mut log = self.store.subscribe(head);
        let there = async {
            while let Some(Ok(next)) = log.next().await {
                match next {
                    Subscribed::Event(event) if event.position >= at_least => return Some(event.position),
                    Subscribed::Event(_) | Subscribed::CaughtUp(_) => {}
                }
            }
            None
        };
        match tokio::time::timeout(READERS_PATIENCE, there).await {
            Ok(Some(position)) => Ok(position),
            _ => Err(self.not_there(at_least, NotThere::Behind(head)).await),
        }
    }

    /// Refuses a position that the log can't reach during the wait. Such a position is from another log, or
    /// made up.
    pub(crate) async fn within_reach(&self, at_least: Position, head: Position) -> Result<(), Problem> {
        if at_least.0.saturating_sub(head.0) < MOST_EVENTS_AHEAD {
            return Ok(());
        }
        Err(self.not_there(at_least, NotThere::Behind(head)).await)
    }

    /// If a view is behind the log, the answer is a server error. If the log has not reached the position,
    /// the answer is a client error.
    pub(crate) async fn not_there(&self, at_least: Position, why: NotThere) -> Problem {
        match self.store.head().await {
            Ok(head) if at_least > head => {
                let problem = Problem::new(StatusCode::CONFLICT, "position-ahead").with("position", head);
                Problem { retry_after: Some(2), ..problem }
            }
            _ => why.into(),
        }
    }
}

/// The state, as handlers receive it.
pub(crate) type Shared = axum::extract::State<Arc<Api>>;
