//! What every request gets before anything is done with it: an id, the address that it came from, a span
//! for its log lines, and a place in the metrics.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use ipnet::IpNet;
use loquet_domain::ports::Identities;
use opentelemetry::propagation::Extractor;
use tracing::Instrument;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use uuid::Uuid;

use super::Api;
use crate::identities::RandomIdentities;
use crate::metrics::{OfRoute, Request as Labels};

/// Names the request in the answer, in log lines and, as correlation id, in its events.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A request's id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestId(pub(crate) Uuid);

/// The address that a request came from: the connection's, or what a proxy that is trusted says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

/// The last address of `X-Forwarded-For` that is no trusted proxy's, if the connection is from one. What
/// stands before it anybody can have written.
fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    if !is_trusted(peer) {
        return peer;
    }
    let said = headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
    let said: Vec<&str> = said.flat_map(|value| value.split(',')).map(str::trim).collect();
    let mut nearest = peer;
    for address in said.into_iter().rev() {
        match address.parse::<IpAddr>() {
            Ok(address) => nearest = address.to_canonical(),
            Err(_) => return nearest,
        }
        if !is_trusted(nearest) {
            return nearest;
        }
    }
    nearest
}

/// Identifies a request. Its line in the log names the route, never the address that was asked for, which
/// may hold an e-mail address or a token.
pub(crate) async fn identify(State(api): State<Arc<Api>>, mut request: Request, next: Next) -> Response {
    let id = RandomIdentities.fresh();
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
    if let Some(peer) = peer {
        let address = client(peer, request.headers(), &api.trusted_proxies);
        request.extensions_mut().insert(ClientAddress(address));
    }
    request.extensions_mut().insert(RequestId(id));
    let method = known_method(request.method().as_str());
    let span = tracing::info_span!("request", request_id = %id, method, route = tracing::field::Empty);
    // A trace that began elsewhere goes on here (W3C Trace Context). Refused where nothing is traced.
    let caller =
        opentelemetry::global::get_text_map_propagator(|known| known.extract(&Headers(request.headers())));
    drop(span.set_parent(caller));
    let mut response = next.run(request).instrument(span).await;
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// Measures a request, now that it is known which route serves it.
pub(crate) async fn measure(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let method = known_method(request.method().as_str());
    tracing::Span::current().record("route", &route);
    let response = next.run(request).await;
    let took = begun.elapsed();
    let status = response.status().as_u16();
    tracing::debug!(target: "loquet_http", status, microseconds = %took.as_micros(), "served");
    let http = &api.metrics.http;
    http.seconds.get_or_create(&OfRoute { route: route.clone() }).observe(took.as_secs_f64());
    http.requests.get_or_create(&Labels { method, route, status: status.to_string() }).inc();
    response
}

/// The headers in which a trace is named.
struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

/// A method as a label: a stranger must not be able to make new ones.
fn known_method(method: &str) -> String {
    let known = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"];
    known.into_iter().find(|known| *known == method).unwrap_or("other").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwarded_addresses_are_believed_from_trusted_proxies_only_and_only_as_far_as_they_go() {
        let trusted: Vec<IpNet> = ["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()].to_vec();
        let told = |peer: &str, said: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(FORWARDED_FOR, said.parse().unwrap());
            client(peer.parse().unwrap(), &headers, &trusted).to_string()
        };
        assert_eq!(told("192.0.2.1", "198.51.100.7"), "192.0.2.1", "a stranger says what it likes");
        assert_eq!(told("10.0.0.1", "198.51.100.7"), "198.51.100.7");
        assert_eq!(told("::1", "203.0.113.9, 198.51.100.7, 10.0.0.2"), "198.51.100.7");
        assert_eq!(told("10.0.0.1", "10.0.0.3"), "10.0.0.3", "a request of a proxy's own");
        assert_eq!(told("10.0.0.1", "198.51.100.7, nonsense"), "10.0.0.1", "what can't be read ends it");
        assert_eq!(client("10.0.0.1".parse().unwrap(), &HeaderMap::new(), &trusted).to_string(), "10.0.0.1");
    }
}
