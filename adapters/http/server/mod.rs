//! Serves connections. Their number is limited, in all and for each client address. A client that sends nothing, or
//! reads nothing, loses its connection after a time.

mod write_timeout;

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use ipnet::IpNet;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower::ServiceExt;

use crate::limits::limiter::{Counted, WIDER};
use crate::limits::shares::{Share, Shares};

use write_timeout::with_write_timeout;

/// How long a client may take to send a request's head, idle time between requests included.
const HEAD: Duration = Duration::from_secs(20);
/// How long accepted requests may take once the server stops.
const DRAIN: Duration = Duration::from_secs(15);

/// How many connections are served.
#[derive(Clone, Debug)]
pub struct Connections {
    /// The maximum number of open connections. Further connections wait to be accepted.
    pub most: usize,
    /// How many connections one address may have at once. Further ones are closed. An IPv6 address is counted with
    /// its /64 network, and with its /48 network, which may have eight times as many, but at most half of all
    /// connections.
    pub most_per_address: usize,
    /// Proxies. They carry the requests of many clients, so their connections are not counted.
    pub trusted_proxies: Vec<IpNet>,
    /// How long a client may read nothing while data waits.
    pub patience: Duration,
}

impl Connections {
    /// A maximum number of connections, without a limit for one address.
    #[must_use]
    pub fn uncounted(most: usize) -> Self {
        let patience = Self::PATIENCE;
        Self { most, most_per_address: most, trusted_proxies: Vec::new(), patience }
    }

    /// How long a client may read nothing unless told otherwise. A request may take as long.
    pub const PATIENCE: Duration = Duration::from_secs(30);
}

/// Connections by address.
struct Places {
    /// Keyed by a network's bits and its first address: a /48 may begin with the same address as a /64.
    held: Arc<Shares<(u8, IpAddr)>>,
    most: usize,
    most_of_wide: usize,
    trusted: Vec<IpNet>,
}

/// A connection's place among those of its address. `None` for a trusted proxy.
type Place = Option<Share<(u8, IpAddr)>>;

/// This address already has as many connections as it may have.
struct Full;

impl Places {
    fn of(connections: &Connections) -> Self {
        let most = connections.most_per_address;
        let wider = usize::try_from(WIDER).unwrap_or(usize::MAX);
        let most_of_wide = most.saturating_mul(wider).min(connections.most / 2).max(most);
        Self { held: Arc::default(), most, most_of_wide, trusted: connections.trusted_proxies.clone() }
    }

    fn take(&self, peer: SocketAddr) -> Result<Place, Full> {
        let address = peer.ip().to_canonical();
        if self.trusted.iter().any(|network| network.contains(&address)) {
            return Ok(None);
        }
        let Counted { near, wide } = Counted::of(address);
        let near = ((64, near), self.most);
        let wanted: Vec<_> =
            std::iter::once(near).chain(wide.map(|wide| ((48, wide), self.most_of_wide))).collect();
        self.held.take(&wanted).map(Some).ok_or(Full)
    }
}

/// Serves connections until `stop`, then lets accepted requests end.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    connections: Connections,
    stop: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    let all = Arc::new(Semaphore::new(connections.most));
    let (places, patience) = (Places::of(&connections), connections.patience);
    let mut builder = Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD);
    let accepting = async {
        loop {
            let Ok(one_of_all) = all.clone().acquire_owned().await else { return };
            let (stream, peer) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Most likely there are no free file descriptors: other connections must end first.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let Ok(place) = places.take(peer) else { continue };
            let router = router.clone();
            let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                let mut request = request.map(Body::new);
                request.extensions_mut().insert(ConnectInfo::<SocketAddr>(peer));
                let answered = router.clone().oneshot(request);
                async move { answered.await.map(with_options) }
            });
            let stream = TokioIo::new(with_write_timeout(stream, patience));
            let connection = graceful.watch(builder.serve_connection(stream, service));
            tokio::spawn(async move {
                // A client that closes its connection is not logged.
                drop(connection.await);
                drop((one_of_all, place));
            });
        }
    };
    tokio::select! {
        () = accepting => {}
        () = stop => {}
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("some connections were still open and are closed");
    }
}

/// Adds OPTIONS to the methods in `Allow`. The router, which writes this header, does not know that every route answers it.
fn with_options(mut response: Response) -> Response {
    let allowed = response.headers().get(header::ALLOW).and_then(|allowed| allowed.to_str().ok());
    let more =
        allowed.filter(|allowed| !allowed.contains("OPTIONS")).map(|allowed| format!("{allowed},OPTIONS"));
    if let Some(more) = more.and_then(|more| HeaderValue::from_str(&more).ok()) {
        response.headers_mut().insert(header::ALLOW, more);
    }
    response
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::pending;
    use std::sync::{Mutex, PoisonError};

    use axum::body::Bytes;
    use axum::routing::get;
    use futures_util::stream;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    /// Ends a test that would otherwise never end. The test itself does not wait for this.
    const TOO_LONG: Duration = Duration::from_secs(30);

    async fn serving(router: Router, connections: Connections) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, router, connections, pending()));
        address
    }

    /// Makes a connection, sends one request on it, and keeps it open. Returns `None` if the server closed it
    /// without an answer.
    async fn open(address: SocketAddr) -> Option<TcpStream> {
        let mut stream = TcpStream::connect(address).await.ok()?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.ok()?;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.ok()?;
        assert_eq!(&answer, b"HTTP/1.1 200");
        Some(stream)
    }

    #[tokio::test]
    async fn one_address_has_so_many_connections_and_a_trusted_proxy_as_many_as_there_are() {
        let router = || Router::new().route("/", get(|| async { "ok" }));
        let few = Connections { most_per_address: 3, ..Connections::uncounted(20) };
        let address = serving(router(), few.clone()).await;
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(open(address).await.unwrap());
        }
        assert!(open(address).await.is_none());
        // The place is free again once its connection has ended.
        held.pop();
        let again = async { while open(address).await.is_none() {} };
        tokio::time::timeout(TOO_LONG, again).await.unwrap();
        let proxies = vec!["127.0.0.0/8".parse().unwrap()];
        let address = serving(router(), Connections { trusted_proxies: proxies, ..few }).await;
        let mut held = Vec::new();
        for _ in 0..10 {
            held.push(open(address).await.unwrap());
        }
    }

    #[test]
    fn one_network_of_48_bits_has_eight_times_the_connections_of_an_address_and_half_of_all_at_most() {
        let open = |most: usize, most_per_address: usize, from: &dyn Fn(u16) -> String| {
            let connections = Connections { most_per_address, ..Connections::uncounted(most) };
            let places = Places::of(&connections);
            let peer = |n: u16| SocketAddr::new(from(n).parse().unwrap(), 4711);
            let held: Vec<_> = (0..1000).filter_map(|n| places.take(peer(n)).ok()).collect();
            let again = held.len();
            drop(held);
            assert_eq!((0..1000).filter(|n| places.take(peer(*n)).is_ok()).count(), 1000, "all given back");
            again
        };
        let of_48 = |n: u16| format!("2001:db8:1:{n:x}::1");
        let of_64 = |n: u16| format!("2001:db8:1:1::{n:x}");
        let mapped = |_: u16| "::ffff:192.0.2.1".to_owned();
        assert_eq!(open(4096, 10, &of_64), 10);
        assert_eq!(open(4096, 10, &of_48), 80);
        assert_eq!(open(4096, 10, &mapped), 10);
        assert_eq!(open(4096, 10, &|n| format!("198.51.{}.{}", n / 250, n % 250)), 1000, "each its own");
        assert_eq!(open(100, 10, &of_48), 50, "others have the other half");
        assert_eq!(open(100, 70, &of_48), 70, "never less than one address");
        assert_eq!(open(4096, 10, &|n| format!("2001:db8:{n:x}:1::1")), 1000, "neighbours");
    }

    #[tokio::test]
    async fn an_answer_that_nobody_reads_ends() {
        static ZEROS: [u8; 65_536] = [0; 65_536];
        let (gone, noticed) = tokio::sync::oneshot::channel::<()>();
        let endless = Arc::new(Mutex::new(Some(gone)));
        let router = Router::new().route(
            "/",
            get(move || {
                let held = endless.lock().unwrap_or_else(PoisonError::into_inner).take();
                async move {
                    Body::from_stream(stream::repeat_with(move || {
                        // Ends when the stream is dropped.
                        let _ = &held;
                        Ok::<_, Infallible>(Bytes::from_static(&ZEROS))
                    }))
                }
            }),
        );
        let patience = Duration::from_millis(100);
        let address = serving(router, Connections { patience, ..Connections::uncounted(20) }).await;
        let unread = open(address).await.unwrap();
        assert!(tokio::time::timeout(TOO_LONG, noticed).await.unwrap().is_err());
        drop(unread);
    }
}
