//! The HTTP API under `/v1`, its documentation, the pages that mailed links lead to, and health.

mod accounts;
mod addresses;
mod answers;
mod around;
mod body;
mod bulk;
mod caller;
mod companies;
mod company_mails;
mod conditional;
mod description;
mod dev_hosts;
mod dev_mail;
mod devices;
mod even_time;
mod events;
mod feed;
mod groups;
mod health;
mod idempotency;
mod limits;
mod links;
mod localize;
mod logins;
mod measures;
mod orders;
mod pages;
mod permissions;
mod problem;
mod query;
mod receipts;
mod request;
mod search;
mod server;
mod sessions;
mod shares;
mod sites;
mod standing;
mod support;
mod takeovers;
mod taking;
mod terminals;
#[cfg(test)]
mod tests;

pub use company_mails::CompanyMails;
pub use dev_hosts::DevHosts;
pub use even_time::refusal_step;
pub use events::EventBody;
pub use health::Probe;
pub use limits::{Limiter, Limits, Rate};
pub use measures::metrics_router;
pub use orders::OrderBody;
pub use search::SearchBody;
pub use server::{Connections, serve};
pub use shares::{Followers, UnderWay};
pub use support::DiagnosisBody;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware;
use futures_util::StreamExt;
use ipnet::IpNet;
use loquet_domain::app::App;
use loquet_domain::ports::{EventCodec, EventStore, Position, Subscribed};
use loquet_projections::ports::{Clock, ReadStore};
use loquet_projections::runner::{NotThere, Status};
use tokio::sync::watch;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::SwaggerUi;

use problem::Problem;

use crate::idempotency_store::IdempotencyStore;
use crate::key_store::KeyStore;
use crate::logo::Drawing;
use crate::mail_journal::SqliteJournal;
use crate::metrics::Metrics;
use crate::service_tokens::ServiceTokens;

/// The largest body that is read. An order of a thousand lines fits.
const MOST_BYTES: usize = 1024 * 1024;
/// How long one request may take. This is long enough for a query that waits, and for a full queue of hashes.
const PATIENCE: Duration = Duration::from_secs(30);
/// The maximum number of events that can arrive while a query waits.
const MOST_EVENTS_AHEAD: u64 = 1_000_000;
/// How long a query waits for the requested position.
const READERS_PATIENCE: Duration = Duration::from_secs(5);

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
    pub keys: KeyStore,
    /// The tokens of programs.
    pub service_tokens: ServiceTokens,
    /// The time.
    pub clock: Clock,
    /// The answer to a refused login leaves at a multiple of this duration after the request: [`refusal_step`].
    pub refusal_step: Duration,
    /// The name of the customer account.
    pub brand: String,
    /// The result of the latest test write to the log, for readiness.
    pub probe: Probe,
    /// The folder of development mails, shown at `/dev/mail`; none in production.
    pub dev_mail: Option<PathBuf>,
    /// The host names that a development server answers to. `None` in production, where the proxy checks names.
    pub dev_hosts: Option<DevHosts>,
    /// What was answered to commands that carried a key.
    pub answers: IdempotencyStore,
    /// What is measured.
    pub metrics: Arc<Metrics>,
    /// How many mails wait, for the metrics.
    pub mails: SqliteJournal,
    /// The proxies whose `X-Forwarded-For` is trusted.
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
    /// Becomes `true` when the server stops, so that event streams end.
    pub stopping: watch::Sender<bool>,
}

impl Api {
    /// Waits until the log has reached a position. Returns the log's position (law 10).
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

    /// Refuses a position that the log can't reach in the time of a request. It comes from another log, or was
    /// invented.
    pub(crate) async fn within_reach(&self, at_least: Position, head: Position) -> Result<(), Problem> {
        if at_least.0.saturating_sub(head.0) < MOST_EVENTS_AHEAD {
            return Ok(());
        }
        Err(self.not_there(at_least, NotThere::Behind(head)).await)
    }

    /// The problem for a position that was not reached. A view that is behind is our fault. A position after the end of
    /// the log is the caller's.
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

type Shared = axum::extract::State<Arc<Api>>;

fn described() -> OpenApiRouter<Arc<Api>> {
    description::begun()
        .routes(routes!(orders::place, orders::list))
        .routes(routes!(orders::show))
        .routes(routes!(orders::resolve))
        .routes(routes!(sessions::log_out))
        .routes(routes!(accounts::finding::list, accounts::admission::create))
        .routes(routes!(accounts::finding::show, accounts::ending::delete))
        .routes(routes!(accounts::history::lockout))
        .routes(routes!(accounts::admission::convert))
        .routes(routes!(accounts::admission::activation_mail))
        .routes(routes!(accounts::admission::password_reset_mail))
        .routes(routes!(accounts::ending::release))
        .routes(routes!(accounts::ending::erase))
        .routes(routes!(accounts::history::logins))
        .routes(routes!(accounts::history::mails))
        .routes(routes!(events::of_account))
        .routes(routes!(feed::feed))
        .routes(routes!(sessions::list, sessions::end_all))
        .routes(routes!(sessions::end))
        .routes(routes!(devices::list, devices::forget_all))
        .routes(routes!(devices::forget))
        .routes(routes!(accounts::admission::change_role))
        .routes(routes!(support::diagnosis))
        .routes(routes!(search::search))
        .routes(routes!(accounts::second_step::show))
        .routes(routes!(accounts::second_step::reset))
        .merge(of_companies())
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(measures::metrics))
}

/// Companies, their sites, terminals, groups, receipts and take-overs.
fn of_companies() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(companies::list))
        .routes(routes!(companies::show, companies::change))
        .routes(routes!(sites::list))
        .routes(routes!(sites::show, sites::change))
        .routes(routes!(terminals::of_site))
        .routes(routes!(terminals::list))
        .routes(routes!(terminals::show))
        .routes(routes!(terminals::of_terminal))
        .routes(routes!(terminals::assign))
        .routes(routes!(terminals::note_serial))
        .routes(routes!(bulk::assign))
        .routes(routes!(groups::list, groups::create))
        .routes(routes!(groups::show, groups::change, groups::delete))
        .routes(routes!(groups::members))
        .routes(routes!(groups::set_member, groups::remove_member))
        .routes(routes!(permissions::ask))
        .routes(routes!(permissions::of_account))
        .routes(routes!(permissions::at_site))
        .routes(routes!(receipts::show, receipts::save))
        .routes(routes!(receipts::preview_text))
        .routes(routes!(receipts::preview_picture))
        .routes(routes!(receipts::of_terminal))
        .routes(routes!(takeovers::list, takeovers::open))
        .routes(routes!(takeovers::show))
        .routes(routes!(takeovers::confirm))
        .routes(routes!(takeovers::complete))
        .routes(routes!(takeovers::cancel))
}

/// Routes whose body contains a password. They take no idempotency key: not even a keyed hash of a password is stored,
/// and a wrong password is judged each time.
fn with_passwords() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(accounts::password::change))
        .routes(routes!(accounts::second_step::propose))
        .routes(routes!(accounts::second_step::confirm))
        .routes(routes!(accounts::second_step::replace_recovery_codes))
        .routes(routes!(accounts::second_step::disable))
}

/// Routes for anonymous callers. Each answer costs more than its request, or is about a secret, so these routes are
/// limited.
fn for_strangers() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(links::activate))
        .routes(routes!(links::request_reset))
        .routes(routes!(links::confirm_reset))
        .routes(routes!(logins::log_in))
        .routes(routes!(logins::second_step))
}

/// The description of the API (OpenAPI 3.1), as it is served at `/openapi.json`.
#[must_use]
pub fn openapi() -> serde_json::Value {
    description::complete(&described().merge(with_passwords()).merge(for_strangers()).into_openapi())
}

/// All routes.
pub fn router(api: Arc<Api>) -> Router {
    let limited = middleware::from_fn_with_state(api.clone(), limits::strangers);
    let strangers = for_strangers().layer(limited.clone());
    // Only there: an answer to an anonymous caller's command may contain a session token, and must not be stored.
    let once = middleware::from_fn_with_state(api.clone(), idempotency::once);
    let described = described().layer(once).merge(with_passwords()).merge(strangers);
    let (described, description) = described.split_for_parts();
    let viewer =
        SwaggerUi::new("/docs").external_url_unchecked("/openapi.json", description::complete(&description));
    let mut router = described
        .merge(pages::routes().layer(limited))
        .merge(pages::open_routes())
        .fallback(problem::no_such_route);
    if api.dev_mail.is_some() {
        router = router.merge(dev_mail::routes());
    }
    let around = middleware::from_fn_with_state(api.clone(), around::every_request);
    router.method_not_allowed_fallback(problem::no_such_method).with_state(api).merge(viewer).layer(around)
}
