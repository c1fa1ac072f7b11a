//! Refuses requests beyond the limits of `limits/limiter.rs`, with the time to wait.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock, DefaultClock};
use loquet_domain::ports::Purpose;
use loquet_http_ports::service_tokens::Service;
use loquet_metrics::OfLimit;

use crate::caller::{Arrival, Caller};
use crate::limits::limiter::Until;
use crate::limits::shares::{Costly, Share};
use crate::request_parts::ClientAddress;
use crate::responses::problem::Problem;
use crate::state::Api;

/// The limit on all requests of one address.
pub(crate) fn admit_request(api: &Api, request: &Request) -> Result<(), Problem> {
    api.limiter.sweep();
    let Some(ClientAddress(address)) = request.extensions().get().copied() else { return Ok(()) };
    api.limiter.requests.check(address).map_err(|until| refused(api, "requests", &until))
}

/// The limit on the requests of one anonymous caller.
pub(crate) async fn anonymous(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    if let Some(ClientAddress(address)) = request.extensions().get().copied()
        && let Err(until) = api.limiter.anonymous.check(address)
    {
        return refused(&api, "strangers", &until).into_response();
    }
    next.run(request).await
}

impl Api {
    /// The limit on the requests of all anonymous callers together. A handler calls this once, after it has
    /// checked the request's form and before it looks anything up. Only requests that may lead to a hash or a
    /// mail count, so malformed requests use up nothing of the common limit.
    pub(crate) fn admit(&self, arrival: &Arrival) -> Result<(), Problem> {
        let taken = self.limiter.of_all_anonymous(arrival.address);
        taken.map_err(|until| refused(self, "all_strangers", &until))
    }

    /// The limit on the searches of one token, whatever address they come from.
    pub(crate) fn admit_search(&self, service: &Service) -> Result<(), Problem> {
        let taken = self.limiter.searches.check_key(&service.family);
        taken.map_err(|until| {
            let problem = refused(self, "searches", &until);
            Problem { slug: "too-many-searches", ..problem }
        })
    }

    /// The same limit for a request with a link. A link that this server did not make is not counted, because
    /// it is refused without a hash.
    pub(crate) fn admit_with_link(
        &self,
        arrival: &Arrival,
        purpose: Purpose,
        token: &str,
    ) -> Result<(), Problem> {
        match self.app.tokens().read_link(purpose, token) {
            Some(_) => self.admit(arrival),
            None => Ok(()),
        }
    }
}

impl Api {
    /// Lets a costly request through unless its caller already has the greatest number of them in progress. The share
    /// is held for as long as the work takes.
    pub(crate) fn admit_costly(
        &self,
        caller: &Caller,
        kind: Costly,
    ) -> Result<Share<(Costly, String)>, Problem> {
        let most = kind.most();
        self.under_way.take(kind, caller.identity()).ok_or_else(|| {
            self.metrics.http.limited.get_or_create(&OfLimit { limit: "under_way".to_owned() }).inc();
            let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-at-once");
            Problem {
                retry_after: Some(1),
                limit: Some("under_way"),
                ..problem.with("most", most).with("seconds", 1)
            }
        })
    }
}

/// Counts a refused request in the metrics. Returns its problem, with the time to wait in whole seconds, rounded up.
fn refused(api: &Api, limit: &'static str, until: &Until) -> Problem {
    api.metrics.http.limited.get_or_create(&OfLimit { limit: limit.to_owned() }).inc();
    let wait = until.wait_time_from(DefaultClock::default().now());
    let seconds = i64::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(i64::MAX).max(1);
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-requests").with("seconds", seconds);
    Problem { retry_after: Some(seconds), limit: Some(limit), ..problem }
}
