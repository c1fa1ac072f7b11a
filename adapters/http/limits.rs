//! How many requests one client, and all strangers together, may make (GCRA, by the `governor` library).
//!
//! A limit is asked before anything is looked up, so that it tells nothing about accounts (law 11).

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, NotUntil, Quota, RateLimiter};

use super::Api;
use super::problem::Problem;
use super::request::ClientAddress;
use crate::metrics::OfLimit;

/// So many in a second, and so many at once after a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Rate {
    pub per_second: NonZeroU32,
    pub burst: NonZeroU32,
}

/// The limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of all requests, one client address.
    pub requests: Rate,
    /// Of logins, reset requests and followed links, one client address.
    pub strangers: Rate,
    /// Of the same, everybody together.
    pub all_strangers: Rate,
    /// How many programs may follow the events at once.
    pub event_streams: usize,
}

/// After so many requests the addresses that have come to rest are forgotten.
const SWEEP: u32 = 10_000;

/// Counts requests.
pub struct Limiter {
    requests: DefaultKeyedRateLimiter<IpAddr>,
    strangers: DefaultKeyedRateLimiter<IpAddr>,
    all_strangers: DefaultDirectRateLimiter,
    seen: AtomicU32,
}

impl Limiter {
    /// Counts from zero.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let quota = |rate: Rate| Quota::per_second(rate.per_second).allow_burst(rate.burst);
        Self {
            requests: RateLimiter::keyed(quota(limits.requests)),
            strangers: RateLimiter::keyed(quota(limits.strangers)),
            all_strangers: RateLimiter::direct(quota(limits.all_strangers)),
            seen: AtomicU32::new(0),
        }
    }

    fn sweep(&self) {
        if self.seen.fetch_add(1, Ordering::Relaxed) % SWEEP == SWEEP - 1 {
            self.requests.retain_recent();
            self.strangers.retain_recent();
        }
    }
}

/// Whom a limit counts: an address, or the network of 64 bits that one customer of a provider is given.
fn counted(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => {
            let network = u128::from(six) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(network))
        }
    }
}

/// The limit on all requests of one address.
pub(crate) async fn requests(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    api.limiter.sweep();
    if let Some(ClientAddress(address)) = request.extensions().get().copied()
        && let Err(until) = api.limiter.requests.check_key(&counted(address))
    {
        return refuse(&api, "requests", &until);
    }
    next.run(request).await
}

/// The limits on what strangers can ask.
pub(crate) async fn strangers(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    if let Some(ClientAddress(address)) = request.extensions().get().copied()
        && let Err(until) = api.limiter.strangers.check_key(&counted(address))
    {
        return refuse(&api, "strangers", &until);
    }
    if let Err(until) = api.limiter.all_strangers.check() {
        return refuse(&api, "all_strangers", &until);
    }
    next.run(request).await
}

/// Says when the next request will be let through, in whole seconds, rounded up.
fn refuse(api: &Api, limit: &'static str, until: &NotUntil<<DefaultClock as Clock>::Instant>) -> Response {
    api.metrics.http.limited.get_or_create(&OfLimit { limit: limit.to_owned() }).inc();
    let wait = until.wait_time_from(DefaultClock::default().now());
    let seconds = i64::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(i64::MAX).max(1);
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-requests").with("seconds", seconds);
    Problem { retry_after: Some(seconds), ..problem }.into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_version_6_is_counted_with_its_network() {
        let counted = |text: &str| counted(text.parse().unwrap()).to_string();
        assert_eq!(counted("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(counted("192.0.2.1"), "192.0.2.1");
    }
}
