//! Prepares every request: it gets an id, the client's address, a span for its log lines, and an entry in the metrics.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use axum::extract::{ConnectInfo, MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use ipnet::IpNet;
use opentelemetry::propagation::Extractor;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use uuid::Uuid;

use crate::request_parts::{ClientAddress, REQUEST_ID, RequestId, bearer};
use crate::state::Api;
use loquet_http_ports::service_tokens::PREFIX;
use loquet_metrics::{OfRoute, Request as Labels};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const TRACE: HeaderName = HeaderName::from_static("traceparent");
/// The route of a request for a path that does not exist, in logs and metrics.
const NO_ROUTE: &str = "none";

/// If the connection is from a trusted proxy, returns the last address of `X-Forwarded-For` that is not a trusted
/// proxy. The client may have written anything before it. If the proxy's own part can't be read, returns the proxy's
/// address: a limit always needs an address to count.
fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let mut nearest = peer;
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    for hop in lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b',')) {
        if !is_trusted(nearest, trusted) {
            return nearest;
        }
        match address(hop) {
            Some(address) => nearest = address,
            None => return nearest,
        }
    }
    nearest
}

fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&address))
}

/// Reads an address as proxies write it: with or without brackets, with or without a port.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse().ok().map(|with_port: SocketAddr| with_port.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

/// Gives a request its id, its address and a span. Its log line names the route. It never contains the URL, which may
/// contain an e-mail address or a token.
pub(crate) async fn identify(api: &Api, request: &mut Request) -> (RequestId, Span) {
    let id = api.identities.fresh();
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
    if let Some(peer) = peer {
        let address = client(peer, request.headers(), &api.trusted_proxies);
        request.extensions_mut().insert(ClientAddress(address));
    }
    request.extensions_mut().insert(RequestId(id));
    let callers = request.headers().get(REQUEST_ID).and_then(callers_id).map(ToOwned::to_owned);
    let method = known_method(request.method().as_str());
    let path = request.extensions().get::<MatchedPath>();
    let route = path.map_or(NO_ROUTE, MatchedPath::as_str);
    let span = match api.traced {
        true => traced(id, method, route, callers.as_deref()),
        false => {
            tracing::info_span!("request", request_id = %id, method, route, caller_request_id = callers)
        }
    };
    if request.headers().contains_key(TRACE) && may_name_a_trace(api, peer, request.headers()).await {
        // Continues a trace that began in another program (W3C Trace Context). Does nothing if tracing is
        // off.
        let caller = opentelemetry::global::get_text_map_propagator(|known| {
            known.extract(&Headers(request.headers()))
        });
        drop(span.set_parent(caller));
    }
    (RequestId(id), span)
}

/// The span of a request that may be traced. The names with dots are those of the OpenTelemetry conventions for HTTP
/// servers.
fn traced(id: Uuid, method: &str, route: &str, callers: Option<&str>) -> Span {
    tracing::info_span!(
        "request", request_id = %id, method, route, caller_request_id = callers,
        otel.kind = "server", otel.name = %format_args!("{method} {route}"),
        otel.status_code = tracing::field::Empty,
        http.request.method = method, http.route = route,
        http.response.status_code = tracing::field::Empty,
    )
}

/// The id that a caller gave to its request. It is kept in the log beside ours if it is short and can be printed safely.
fn callers_id(value: &HeaderValue) -> Option<&str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/+=".contains(&byte);
    value.to_str().ok().filter(|id| (1..=128).contains(&id.len()) && id.bytes().all(is_plain))
}

/// Whether the trace id of a request is accepted. The trace id of an anonymous caller is not. Otherwise
/// anybody could have every request traced, regardless of `tracing.share`, and add requests to other traces.
async fn may_name_a_trace(api: &Api, peer: Option<IpAddr>, headers: &HeaderMap) -> bool {
    peer.is_some_and(|peer| is_trusted(peer, &api.trusted_proxies)) || is_of_service(api, headers).await
}

/// Whether a request has a valid service token.
pub(crate) async fn is_of_service(api: &Api, headers: &HeaderMap) -> bool {
    match bearer(headers).filter(|token| token.starts_with(PREFIX)) {
        Some(token) => matches!(api.service_tokens.find(token, (api.clock)()).await, Ok(Some(_))),
        None => false,
    }
}

/// Measures a request.
pub(crate) async fn measure(api: &Api, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let path = request.extensions().get::<MatchedPath>().cloned();
    let route = path.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
    let method = known_method(request.method().as_str());
    let response = next.run(request).await;
    let took = begun.elapsed();
    let status = response.status().as_u16();
    if api.traced {
        let span = Span::current();
        span.record("http.response.status_code", status);
        if response.status().is_server_error() {
            span.record("otel.status_code", "ERROR");
        }
    }
    tracing::debug!(target: "loquet_http", status, microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX), "served");
    let http = &api.metrics.http;
    let of = OfRoute { route: route.to_owned() };
    http.seconds.get_or_create(&of).observe(took.as_secs_f64());
    http.requests.get_or_create(&Labels { method, route: of.route, status }).inc();
    response
}

/// The headers that contain the trace id.
struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

/// A method as a label of a metric. A caller must not be able to create new labels.
fn known_method(method: &str) -> &'static str {
    let known = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"];
    known.into_iter().find(|known| *known == method).unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn forwarded_addresses_are_believed_from_trusted_proxies_only_and_only_as_far_as_they_go() {
        let trusted: Vec<IpNet> = ["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()].to_vec();
        let heard = |peer: &str, said: &[&[u8]]| {
            let mut headers = HeaderMap::new();
            for line in said {
                headers.append(FORWARDED_FOR, HeaderValue::from_bytes(line).unwrap());
            }
            client(peer.parse().unwrap(), &headers, &trusted).to_string()
        };
        let told = |peer: &str, said: &str| heard(peer, &[said.as_bytes()]);
        assert_eq!(told("192.0.2.1", "198.51.100.7"), "192.0.2.1", "a stranger says what it likes");
        assert_eq!(told("10.0.0.1", "198.51.100.7"), "198.51.100.7");
        assert_eq!(told("::1", "203.0.113.9, 198.51.100.7, 10.0.0.2"), "198.51.100.7");
        assert_eq!(told("10.0.0.1", "10.0.0.3"), "10.0.0.3", "a request of a proxy's own");
        assert_eq!(heard("10.0.0.1", &[]), "10.0.0.1");
        // What a client wrote before the proxy's part is ignored, whatever it looks like.
        assert_eq!(heard("10.0.0.1", &[b"\xe9\xff, 198.51.100.7"]), "198.51.100.7");
        assert_eq!(heard("10.0.0.1", &[b"\xe9", b"203.0.113.9", b"198.51.100.7,10.0.0.2"]), "198.51.100.7");
        assert_eq!(told("10.0.0.1", "nonsense, 198.51.100.7"), "198.51.100.7");
        // If the proxy's own part can't be read, the proxy's address counts.
        assert_eq!(told("10.0.0.1", "198.51.100.7, nonsense"), "10.0.0.1");
        assert_eq!(heard("10.0.0.1", &[b"198.51.100.7, \xe9"]), "10.0.0.1");
        for with_port in ["198.51.100.7:4711", "[2001:db8::7]:4711", "[2001:db8::7]", "2001:db8::7"] {
            let bare = if with_port.starts_with("198") { "198.51.100.7" } else { "2001:db8::7" };
            assert_eq!(told("10.0.0.1", with_port), bare, "{with_port}");
        }
    }
}
