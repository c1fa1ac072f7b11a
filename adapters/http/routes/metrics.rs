//! Metrics, for Prometheus to fetch.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use loquet_projections::causes::Causes;
use loquet_projections::ports::StoreFailed;
use loquet_projections::runner::ServiceState;

use crate::caller::Caller;
use crate::responses::problem::{Problem, ProblemBody};
use crate::state::{Api, Shared};
use loquet_http_ports::scope::Scope;
use loquet_metrics::{OfPart, OfService, OfState, OfView};

/// Return the metrics in the format OpenMetrics 1.0, or in the text format before it if only that is accepted.
///
/// Requires the scope `metrics:read`. With the setting `metrics.listen`, the same metrics are also served on another
/// address without a token.
#[utoipa::path(
    get, path = "/metrics", tag = "health", security(("service" = [])),
    responses(
        (status = 200, description = "The metrics", body = String, content_type = "application/openmetrics-text"),
        (status = 401, description = "There is no token", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn metrics(
    State(api): Shared,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    caller.service(Scope::MetricsRead)?;
    Ok(told(&api, &headers).await)
}

/// The metrics alone, for an address that only the monitoring reaches.
pub fn metrics_router(api: Arc<Api>) -> Router {
    let open =
        get(|State(api): State<Arc<Api>>, headers: HeaderMap| async move { told(&api, &headers).await });
    Router::new().route("/metrics", open).with_state(api)
}

/// Collects all parts of the metrics. If one part fails, the others are still collected, because they are
/// needed most at such a time.
async fn told(api: &Api, headers: &HeaderMap) -> Response {
    let asked = [("log", ask_the_log(api).await), ("mails", ask_the_mails(api).await)];
    for (part, answer) in asked {
        let failed = api.metrics.asked.failed.get_or_create(&OfPart { part: part.to_owned() }).clone();
        failed.set(i64::from(answer.is_err()));
        if let Err(error) = answer {
            tracing::error!(error = %Causes(&error), part, "a part of the metrics could not be collected: it shows its last value");
        }
    }
    api.metrics.asked.memory.set(resident_memory().unwrap_or(0));
    let (kind, text) = match wants_older_text(headers) {
        true => ("text/plain; version=0.0.4; charset=utf-8", api.metrics.older_text()),
        false => ("application/openmetrics-text; version=1.0.0; charset=utf-8", api.metrics.text()),
    };
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

/// Whether a program asks for the text format before OpenMetrics: it accepts plain text, and no OpenMetrics.
fn wants_older_text(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let accepted = accepted.collect::<Vec<_>>().join(",");
    accepted.contains("text/plain") && !accepted.contains("application/openmetrics-text")
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

async fn ask_the_log(api: &Api) -> Result<(), StoreFailed> {
    let asked = &api.metrics.asked;
    let head = api.store.head().await.map_err(StoreFailed::new)?;
    asked.position.set(number(head.0));
    for (who, progress) in api.status.all() {
        let of = OfView { view: who.to_string() };
        asked.view_position.get_or_create(&of).set(number(progress.position.0));
        asked.view_lag.get_or_create(&of).set(number(head.0.saturating_sub(progress.position.0)));
        let failing = progress.building.is_some_and(|building| building.failure.is_some());
        asked.view_building_stopped.get_or_create(&of).set(i64::from(failing));
        asked.view_stopped.get_or_create(&of).set(i64::from(progress.failure.is_some()));
    }
    for (service, state) in api.status.services() {
        let of = OfService { service: service.to_owned() };
        let failing = matches!(state, ServiceState::Failing(_));
        asked.service_failing.get_or_create(&of).set(i64::from(failing));
    }
    Ok(())
}

async fn ask_the_mails(api: &Api) -> Result<(), StoreFailed> {
    let asked = &api.metrics.asked;
    let mails = api.mails.counts().await?;
    for (state, count) in [("pending", mails.tried_in_vain), ("unnoted", mails.unnoted)] {
        asked.mails_failing.get_or_create(&OfState { state: state.to_owned() }).set(number(count));
    }
    for (state, count) in [("pending", mails.pending), ("sending", mails.sending), ("dead", mails.dead)] {
        asked.mails.get_or_create(&OfState { state: state.to_owned() }).set(number(count));
    }
    let age = mails.oldest_pending.map_or(0, |since| ((api.clock)() - since).num_seconds().max(0));
    asked.oldest_mail.set(age);
    Ok(())
}

/// The process's resident memory in bytes, where the system tells (Linux).
fn resident_memory() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: i64 = line.split_whitespace().next()?.parse().ok()?;
    kibibytes.checked_mul(1024)
}
