//! The HTTP API under `/v1`, its documentation, the pages that mailed links lead to, and health.

mod accounts;
mod answers;
mod body;
mod caller;
mod conditional;
mod dev_mail;
mod even_time;
mod events;
mod feed;
mod health;
mod idempotency;
mod limits;
mod links;
mod localize;
mod logins;
mod measures;
mod orders;
mod pages;
mod problem;
mod request;
mod server;
mod sessions;
#[cfg(test)]
mod tests;

pub use events::EventBody;
pub use health::Probe;
pub use limits::{Limiter, Limits, Rate};
pub use measures::metrics_router;
pub use orders::OrderBody;
pub use server::serve;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware;
use ipnet::IpNet;
use loquet_domain::app::App;
use loquet_domain::ports::{EventCodec, EventStore, Position};
use loquet_projections::ports::{Clock, ReadStore};
use loquet_projections::runner::{NotThere, Status};
use tokio::sync::{Semaphore, watch};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::SwaggerUi;

use problem::Problem;

use crate::idempotency_store::IdempotencyStore;
use crate::mail_journal::SqliteJournal;
use crate::metrics::Metrics;
use crate::service_tokens::ServiceTokens;

/// The largest body that is read. An order of a thousand lines fits.
const MOST_BYTES: usize = 1024 * 1024;
/// How long one request may take: a query's patience and a full queue of hashes fit.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a query waits for the position that it was told to be at.
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
    /// The tokens of programs.
    pub service_tokens: ServiceTokens,
    /// The time.
    pub clock: Clock,
    /// The name of the customer account.
    pub brand: String,
    /// What the log said when it was last written to for readiness.
    pub probe: Probe,
    /// The folder of development mails, shown at `/dev/mail`; none in production.
    pub dev_mail: Option<PathBuf>,
    /// What was answered to commands that carried a key.
    pub answers: IdempotencyStore,
    /// What is measured.
    pub metrics: Arc<Metrics>,
    /// How many mails wait, for the metrics.
    pub mails: SqliteJournal,
    /// Whose word on a client's address is taken.
    pub trusted_proxies: Vec<IpNet>,
    /// Counts requests.
    pub limiter: Limiter,
    /// Places for programs that follow the events.
    pub followers: Arc<Semaphore>,
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
        let mut log = self.store.subscribe(at_least);
        let there = tokio::time::timeout(READERS_PATIENCE, futures_util::StreamExt::next(&mut log)).await;
        let head = self.store.head().await?;
        if there.is_ok() && head >= at_least { Ok(head) } else { Err(NotThere::Behind(head).into()) }
    }
}

type Shared = axum::extract::State<Arc<Api>>;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Loquet",
        description = "Accounts, logins and lockouts of a customer portal. \
            Errors are RFC 9457 problems. Commands answer with the `position` of their events in the log, \
            in the body or in the header `Loquet-Position`; queries take `at_least` to wait for one."
    ),
    modifiers(&Bearer),
    tags(
        (name = "orders", description = "Orders bring companies and accounts into being."),
        (name = "links", description = "What the mailed links do."),
        (name = "logins", description = "Getting in, and out."),
        (name = "accounts", description = "Accounts and what is done with them."),
        (name = "events", description = "What happened, for programs that follow it."),
        (name = "health", description = "For whoever runs it.")
    )
)]
struct Description;

struct Bearer;

impl utoipa::Modify for Bearer {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let scheme = |what| {
            SecurityScheme::Http(
                HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(what)).build(),
            )
        };
        let components = api.components.get_or_insert_with(Default::default);
        components.add_security_scheme("session", scheme("A person's session token, from POST /v1/logins."));
        components.add_security_scheme("service", scheme("A program's token, from `loquet token create`."));
    }
}

fn described() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(orders::place, orders::list))
        .routes(routes!(orders::show))
        .routes(routes!(sessions::log_out))
        .routes(routes!(accounts::list, accounts::create))
        .routes(routes!(accounts::show, accounts::delete))
        .routes(routes!(accounts::lockout))
        .routes(routes!(accounts::convert))
        .routes(routes!(accounts::activation_mail))
        .routes(routes!(accounts::release))
        .routes(routes!(accounts::password))
        .routes(routes!(accounts::erase))
        .routes(routes!(accounts::logins))
        .routes(routes!(accounts::mails))
        .routes(routes!(events::of_account))
        .routes(routes!(feed::feed))
        .routes(routes!(sessions::list, sessions::end_all))
        .routes(routes!(sessions::end))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(measures::metrics))
}

/// What anybody can ask who has shown no token: each answer costs more than its question, or is about a
/// secret.
fn for_strangers() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(links::activate))
        .routes(routes!(links::request_reset))
        .routes(routes!(links::confirm_reset))
        .routes(routes!(logins::log_in))
}

/// The description of the API (OpenAPI 3.1), as it is served at `/openapi.json`.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    described().merge(for_strangers()).into_openapi()
}

/// All routes.
pub fn router(api: Arc<Api>) -> Router {
    let limited = middleware::from_fn_with_state(api.clone(), limits::strangers);
    let strangers = for_strangers().layer(limited.clone());
    let (described, description) = described().merge(strangers).split_for_parts();
    let viewer = SwaggerUi::new("/docs").url("/openapi.json", description);
    let mut router = described
        .merge(pages::routes().layer(limited))
        .merge(pages::open_routes())
        .fallback(problem::no_such_route);
    if api.dev_mail.is_some() {
        router = router.merge(dev_mail::routes());
    }
    router
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(middleware::from_fn_with_state(api.clone(), idempotency::once))
        .layer(middleware::from_fn_with_state(api.clone(), request::measure))
        .with_state(api.clone())
        .merge(viewer)
        .layer(middleware::from_fn(body::buffer))
        .layer(middleware::from_fn(conditional::not_modified))
        .layer(middleware::from_fn_with_state(api.clone(), limits::requests))
        .layer(DefaultBodyLimit::max(MOST_BYTES))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, PATIENCE))
        .layer(CatchPanicLayer::custom(problem::panicked))
        .layer(middleware::from_fn(localize::localize))
        .layer(middleware::from_fn_with_state(api, request::identify))
        .layer(middleware::from_fn(pages::strict_content))
        .layer(fixed(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(fixed(header::REFERRER_POLICY, "no-referrer"))
        .layer(fixed(header::X_FRAME_OPTIONS, "DENY"))
        .layer(fixed(header::CACHE_CONTROL, "no-store"))
}

fn fixed(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}
