//! Whether it lives, and whether it can serve.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use loquet_projections::runner::Follower;
use serde::Serialize;
use utoipa::ToSchema;

use crate::middleware::request_identity::is_of_service;
use crate::state::{Api, Shared};

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
    /// Up to where what will take its place has seen the log, while that is built.
    #[serde(skip_serializing_if = "Option::is_none")]
    building: Option<u64>,
    /// What stopped that; it is tried again, and does not keep the server from serving.
    #[serde(skip_serializing_if = "Option::is_none")]
    building_failure: Option<String>,
}

/// Whether it can serve; with a service token, what keeps it from it. A stranger is not told where the
/// log ends: it would show them whether their last guess was at a known address (law 11).
#[derive(Serialize, ToSchema)]
pub(crate) struct Readiness {
    ready: bool,
    #[serde(flatten)]
    details: Option<Details>,
}

/// What readiness rests on.
#[derive(Serialize, ToSchema)]
pub(crate) struct Details {
    /// What the log said when it was written to a moment ago.
    log: String,
    /// What became of looking whether the server key was rotated.
    keys: String,
    /// `ok`, or since when and why no mail goes. It does not keep the server from serving.
    mails: String,
    /// The position of its last event.
    position: u64,
    /// Views by name and version, and reactions.
    views: BTreeMap<String, ViewHealth>,
}

/// Whether requests can be served: the log can be written, the server key is the one that the keys are
/// wrapped with, and no view has stopped.
#[utoipa::path(
    get, path = "/readyz", tag = "health", security((), ("service" = [])),
    responses(
        (status = 200, description = "Ready", body = Readiness),
        (status = 503, description = "Not ready", body = Readiness)
    )
)]
pub(crate) async fn readyz(State(api): Shared, headers: HeaderMap) -> (StatusCode, Json<Readiness>) {
    let written = api.probe.write(api.store.as_ref()).await;
    let head = api.store.head().await.unwrap_or_default();
    let views: BTreeMap<_, _> = api
        .status
        .all()
        .into_iter()
        .map(|(who, progress)| {
            let lag = head.0.saturating_sub(progress.position.0);
            let name = match who {
                Follower::View(name) => format!("{name}-v{}", progress.version),
                Follower::Reaction(_) => who.to_string(),
            };
            let (building, building_failure) =
                progress.building.map(|building| (building.position.0, building.failure)).unzip();
            let (position, failure) = (progress.position.0, progress.failure);
            let building_failure = building_failure.flatten();
            (name, ViewHealth { position, lag, failure, building, building_failure })
        })
        .collect();
    let keys = api.keys.failure();
    let ready = written.is_ok() && keys.is_none() && views.values().all(|view| view.failure.is_none());
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let log = written.map_or_else(|error| error, |()| "ok".to_owned());
    let keys = keys.unwrap_or_else(|| "ok".to_owned());
    let details = match is_of_service(&api, &headers).await {
        true => Some(Details { log, keys, mails: mails(&api).await, position: head.0, views }),
        false => None,
    };
    (status, Json(Readiness { ready, details }))
}

/// Whether mails go, in words.
async fn mails(api: &Api) -> String {
    match api.mails.held().await {
        Ok(None) => "ok".to_owned(),
        Ok(Some(hold)) => format!("no mail goes since {}: {}", hold.since, hold.trouble),
        Err(error) => format!("the mail queue can't be read: {error}"),
    }
}
