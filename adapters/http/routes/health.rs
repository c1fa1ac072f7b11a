//! Health checks: whether the process runs, and whether it can serve requests.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use loquet_projections::runner::Follower;
use serde::Serialize;
use utoipa::ToSchema;

use crate::middleware::request_identity::is_of_service;
use crate::state::{Api, Shared};

/// Tell that the process runs.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, description = "The process runs", body = String)))]
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// The state of a view.
#[derive(Serialize, ToSchema)]
pub(crate) struct ViewHealth {
    /// The log position up to which the view has read.
    position: u64,
    /// The number of events that the view has not read yet.
    lag: u64,
    /// The error that stopped the view.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
    /// During a rebuild: the log position up to which the new view has read.
    #[serde(skip_serializing_if = "Option::is_none")]
    building: Option<u64>,
    /// The error that stopped the rebuild. The server tries again, and it is ready meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    building_failure: Option<String>,
}

/// Whether the server can serve requests. With a service token, also the details. An anonymous caller is not told the
/// end of the log: it would show whether a login was tried at a known address (law 11).
#[derive(Serialize, ToSchema)]
pub(crate) struct Readiness {
    ready: bool,
    /// Only for callers whose token has the scope `metrics:read`.
    #[serde(flatten)]
    details: Option<Details>,
}

/// The checks behind readiness.
#[derive(Serialize, ToSchema)]
pub(crate) struct Details {
    /// `ok`, or the error of the latest test write to the log.
    log: String,
    /// `ok`, or the error of the latest check of the server key.
    keys: String,
    /// `ok`, or the time since which no mail can be sent, and the reason. The server is ready even so.
    mails: String,
    /// The position of the last event in the log.
    position: u64,
    /// The views, by name and version, the reactions and the publishers.
    views: BTreeMap<String, ViewHealth>,
    /// For each other system, such as `kafka`: `ok`, `standby` with the reason, or what keeps the work with it from going
    /// on. The server is ready even so.
    services: BTreeMap<String, String>,
}

/// Tell whether the server can serve requests: the log is writable, the server key fits the stored keys, and no view
/// has stopped or is further behind the log than `readiness.max_lag` says.
#[utoipa::path(
    get, path = "/readyz", tag = "health", security((), ("service" = [])),
    responses(
        (status = 200, description = "Ready", body = Readiness),
        (status = 503, description = "Not ready", body = Readiness)
    )
)]
pub(crate) async fn readyz(State(api): Shared, headers: HeaderMap) -> (StatusCode, Json<Readiness>) {
    readiness(&api, &headers, Need::Views).await
}

/// Tell whether the server can answer logins: the log is writable, and the server key fits the stored keys. Logins need
/// no view. A balancer that asks here lets logins through to a server whose views still catch up.
#[utoipa::path(
    get, path = "/readyz/logins", tag = "health", security((), ("service" = [])),
    responses(
        (status = 200, description = "Ready for logins", body = Readiness),
        (status = 503, description = "Not ready", body = Readiness)
    )
)]
pub(crate) async fn readyz_for_logins(
    State(api): Shared,
    headers: HeaderMap,
) -> (StatusCode, Json<Readiness>) {
    readiness(&api, &headers, Need::Logins).await
}

/// What a caller needs a ready server for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    /// Every request.
    Views,
    /// Logins, which read the log alone.
    Logins,
}

async fn readiness(api: &Api, headers: &HeaderMap, need: Need) -> (StatusCode, Json<Readiness>) {
    let written = api.probe.write(api.store.as_ref()).await;
    let end = api.store.head().await;
    let head = end.clone().unwrap_or_default();
    let followers = api.status.all();
    let are_near = followers.iter().all(|(who, progress)| {
        let lag = head.0.saturating_sub(progress.position.0);
        progress.failure.is_none() && (lag <= api.max_lag || !matches!(who, Follower::View(_)))
    });
    let views: BTreeMap<_, _> = followers
        .into_iter()
        .map(|(who, progress)| {
            let lag = head.0.saturating_sub(progress.position.0);
            let name = match who {
                Follower::View(name) => format!("{name}-v{}", progress.version),
                Follower::Reaction(_) | Follower::Publisher(_) => who.to_string(),
            };
            let (building, building_failure) =
                progress.building.map(|building| (building.position.0, building.failure)).unzip();
            let (position, failure) = (progress.position.0, progress.failure);
            let building_failure = building_failure.flatten();
            (name, ViewHealth { position, lag, failure, building, building_failure })
        })
        .collect();
    let keys = api.keys.failure();
    let ready = written.is_ok() && end.is_ok() && keys.is_none() && (are_near || need == Need::Logins);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let log = written.map_or_else(|error| error.to_string(), |()| "ok".to_owned());
    let keys = keys.unwrap_or_else(|| "ok".to_owned());
    let details = match is_of_service(api, headers).await {
        true => {
            let services = api.status.services().into_iter();
            let services = services.map(|(name, state)| (name.to_owned(), state.to_string())).collect();
            Some(Details { log, keys, mails: mails(api).await, position: head.0, views, services })
        }
        false => None,
    };
    (status, Json(Readiness { ready, details }))
}

/// Whether mails can be sent, in words.
async fn mails(api: &Api) -> String {
    match api.mails.held().await {
        Ok(None) => "ok".to_owned(),
        Ok(Some(hold)) => format!("no mail goes since {}: {}", hold.since, hold.trouble),
        Err(error) => format!("the mail queue can't be read: {error}"),
    }
}
