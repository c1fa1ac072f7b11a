//! What the handlers need: the use cases, ports, and what is counted.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use futures_util::StreamExt;
use ipnet::IpNet;
use loquet_domain::app::App;
use loquet_domain::ports::{
    EventCodec, EventStore, Identities, KeyVault, OneTimeCodes, Position, Subscribed,
};
use loquet_http_ports::answers::Answers;
use loquet_http_ports::dev_mails::DevMails;
use loquet_http_ports::service_tokens::ServiceTokens;
use loquet_metrics::Metrics;
use loquet_projections::mail::MailLedger;
use loquet_projections::ports::{Clock, ReadStore};
use loquet_projections::runner::{NotThere, Status};
use tokio::sync::watch;

use crate::dev_hosts::DevHosts;
use crate::limits::company_mails::CompanyMails;
use crate::limits::limiter::Limiter;
use crate::limits::shares::{Followers, UnderWay};
use crate::pictures::logo::Drawing;
use crate::readiness_probe::Probe;
use crate::responses::problem::Problem;

/// How many events may come at most while a query waits.
const MOST_EVENTS_AHEAD: u64 = 1_000_000;
/// How long a query waits for the position that it was told to be at.
pub(crate) const READERS_PATIENCE: Duration = Duration::from_secs(5);

/// What the handlers need.
pub struct Api {
    /// The use cases.
    pub app: Arc<App>,
    /// The log, for history.
    pub store: Arc<dyn EventStore>,
    /// Reads its events.
    pub codec: Arc<dyn EventCodec>,
    /// The read models.
    pub rows: Arc<dyn ReadStore>,
    /// How far they are.
    pub status: Status,
    /// The keys, for readiness.
    pub keys: Arc<dyn KeyVault>,
    /// The tokens of programs.
    pub service_tokens: Arc<dyn ServiceTokens>,
    /// Draws the ids of requests.
    pub identities: Arc<dyn Identities>,
    /// Writes a secret of the second step as an authenticator app takes it.
    pub codes: Arc<dyn OneTimeCodes>,
    /// The time.
    pub clock: Clock,
    /// Refused logins leave at a multiple of this after they came: [`crate::response_timing::refusal_step`].
    pub refusal_step: Duration,
    /// The name of the customer account.
    pub brand: String,
    /// What the log said when it was last written to for readiness.
    pub probe: Probe,
    /// The development mails that `/dev/mail` shows. `None` in production.
    pub dev_mail: Option<Arc<dyn DevMails>>,
    /// The host names that a development server answers to. `None` in production, where the proxy checks names.
    pub dev_hosts: Option<DevHosts>,
    /// What was answered to commands that carried a key.
    pub answers: Arc<dyn Answers>,
    /// What is measured.
    pub metrics: Arc<Metrics>,
    /// How many mails wait, for the metrics.
    pub mails: Arc<dyn MailLedger>,
    /// Whose word on a client's address is taken.
    pub trusted_proxies: Vec<IpNet>,
    /// Counts requests.
    pub limiter: Limiter,
    /// Counts the activation mails that companies ask for.
    pub company_mails: CompanyMails,
    /// Places at which pictures are drawn.
    pub drawing: Drawing,
    /// Places for programs that follow the events.
    pub followers: Followers,
    /// Costly requests in progress.
    pub under_way: UnderWay,
    /// Told when the server stops, so that what would go on for ever ends.
    pub stopping: watch::Sender<bool>,
}

impl Api {
    /// Waits until the log is at a position; gives where it is (law 10).
    pub(crate) async fn log_at(&self, at_least: Position) -> Result<Position, Problem> {
        let head = self.store.head().await?;
        if head >= at_least {
            return Ok(head);
        }
        self.within_reach(at_least, head).await?;
        let mut log = self.store.subscribe(Position(at_least.0.saturating_sub(1)));
        let there = async {
            while let Some(Ok(next)) = log.next().await {
                if let Subscribed::Event(event) = next {
                    return Some(event.position);
                }
            }
            None
        };
        match tokio::time::timeout(READERS_PATIENCE, there).await {
            Ok(Some(position)) => Ok(position),
            _ => Err(self.not_there(at_least, NotThere::Behind(head)).await),
        }
    }

    /// Nobody waits for a position to which no log comes in that time: it is another log's, or made up.
    pub(crate) async fn within_reach(&self, at_least: Position, head: Position) -> Result<(), Problem> {
        if at_least.0.saturating_sub(head.0) < MOST_EVENTS_AHEAD {
            return Ok(());
        }
        Err(self.not_there(at_least, NotThere::Behind(head)).await)
    }

    /// A view that is behind is ours to mend; a position that the log has not come to is the caller's.
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

/// The state, as a handler takes it.
pub(crate) type Shared = axum::extract::State<Arc<Api>>;
