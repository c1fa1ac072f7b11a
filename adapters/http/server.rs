//! Serving connections: a bounded number, so many of one address, none of which can be held open by sending
//! nothing or by taking nothing.

use std::collections::HashMap;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use ipnet::IpNet;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower::ServiceExt;

use super::limits::counted;
use super::taking::Taking;

/// How long a client may take to send a request's head, idle time between requests included.
const HEAD: Duration = Duration::from_secs(20);
/// How long requests that were accepted may take to end once the server is to stop.
const DRAIN: Duration = Duration::from_secs(15);

/// How many connections are served.
#[derive(Clone, Debug)]
pub struct Connections {
    /// At once; further ones wait to be accepted.
    pub most: usize,
    /// At once of one address; further ones are closed. An address of version 6 is counted with its network.
    pub most_per_address: usize,
    /// Proxies, which come with many clients and are not counted.
    pub trusted_proxies: Vec<IpNet>,
    /// How long a client may take nothing of what it is sent.
    pub patience: Duration,
}

impl Connections {
    /// So many, from one address or from many.
    #[must_use]
    pub fn uncounted(most: usize) -> Self {
        let patience = Self::PATIENCE;
        Self { most, most_per_address: most, trusted_proxies: Vec::new(), patience }
    }

    /// As long as a request may take.
    pub const PATIENCE: Duration = Duration::from_secs(30);
}

/// Connections by address.
struct Places {
    held: Mutex<HashMap<IpAddr, usize>>,
    most: usize,
    trusted: Vec<IpNet>,
}

/// A connection's place among those of its address; none for a proxy that is trusted.
struct Place {
    address: Option<IpAddr>,
    places: Arc<Places>,
}

impl Places {
    fn take(self: &Arc<Self>, peer: SocketAddr) -> Option<Place> {
        let address = peer.ip().to_canonical();
        if self.trusted.iter().any(|network| network.contains(&address)) {
            return Some(Place { address: None, places: self.clone() });
        }
        let address = counted(address);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(address).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Place { address: Some(address), places: self.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(address) = self.address else { return };
        let mut held = self.places.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                held.remove(&address);
            }
        }
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
    let Connections { most_per_address, trusted_proxies, patience, .. } = connections;
    let places =
        Arc::new(Places { held: Mutex::default(), most: most_per_address, trusted: trusted_proxies });
    let mut builder = Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD);
    let accepting = async {
        loop {
            let Ok(one_of_all) = all.clone().acquire_owned().await else { return };
            let (stream, peer) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, most likely: others must end first.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let Some(place) = places.take(peer) else { continue };
            let router = router.clone();
            let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                let mut request = request.map(Body::new);
                request.extensions_mut().insert(ConnectInfo::<SocketAddr>(peer));
                router.clone().oneshot(request)
            });
            let stream = TokioIo::new(Taking::new(stream, patience));
            let connection = graceful.watch(builder.serve_connection(stream, service));
            tokio::spawn(async move {
                // A client that breaks off is no news.
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::pending;

    use axum::body::Bytes;
    use axum::routing::get;
    use futures_util::stream;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    /// A guard against a test that would never end; nothing here waits for it.
    const TOO_LONG: Duration = Duration::from_secs(30);

    async fn serving(router: Router, connections: Connections) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, router, connections, pending()));
        address
    }

    /// A connection that was served once, and stays open; none where it was closed unserved.
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
        // A place is free again when its connection is gone.
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

    #[tokio::test]
    async fn an_answer_that_nobody_reads_ends() {
        let (gone, noticed) = tokio::sync::oneshot::channel::<()>();
        let endless = Arc::new(Mutex::new(Some(gone)));
        let router = Router::new().route(
            "/",
            get(move || {
                let held = endless.lock().unwrap_or_else(PoisonError::into_inner).take();
                async move {
                    Body::from_stream(stream::repeat_with(move || {
                        // Dropped with the stream.
                        let _ = &held;
                        Ok::<_, Infallible>(Bytes::from_static(&[0; 65_536]))
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
