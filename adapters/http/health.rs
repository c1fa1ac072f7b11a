//! Whether it lives, and whether it can serve.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::Shared;

/// The process lives.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, description = "Alive", body = String)))]
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// How far a view is.
#[derive(Serialize, ToSchema)]
pub(crate) struct ViewHealth {
    /// Up to where it has seen the log.
    position: u64,
    /// How many events it has not seen.
    lag: u64,
    /// What stopped it.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
}

/// Whether it can serve, and what keeps it from it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Readiness {
    ready: bool,
    /// What the log said when it was written to just now.
    log: String,
    /// The position of its last event.
    position: u64,
    views: BTreeMap<String, ViewHealth>,
}

/// Whether requests can be served: the log can be written, and no view has stopped.
#[utoipa::path(
    get, path = "/readyz", tag = "health",
    responses(
        (status = 200, description = "Ready", body = Readiness),
        (status = 503, description = "Not ready", body = Readiness)
    )
)]
pub(crate) async fn readyz(State(api): Shared) -> (StatusCode, Json<Readiness>) {
    let written = api.store.decoy().await;
    let head = api.store.head().await.unwrap_or_default();
    let views: BTreeMap<_, _> = api
        .status
        .all()
        .into_iter()
        .map(|(view, progress)| {
            let lag = head.0.saturating_sub(progress.position.0);
            let health = ViewHealth { position: progress.position.0, lag, failure: progress.failure };
            (format!("{}-v{}", view.name, view.version), health)
        })
        .collect();
    let ready = written.is_ok() && views.values().all(|view| view.failure.is_none());
    let log = written.map_or_else(|error| error.to_string(), |()| "ok".to_owned());
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, log, position: head.0, views }))
}
