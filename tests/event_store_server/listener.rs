//! Accepts connections of a node, with TLS or without.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tonic::service::Routes;

use crate::cluster::Cluster;
use crate::gossip_service::{FeaturesService, GossipService};
use crate::protocol::gossip::gossip_server::GossipServer;
use crate::protocol::server_features::server_features_server::ServerFeaturesServer;
use crate::protocol::streams::streams_server::StreamsServer;
use crate::service::StreamsService;

/// How many requests one connection may have at the same time. It is the default of the real server.
const REQUESTS_OF_A_CONNECTION: u32 = 100;
/// The largest message that the server takes.
const MAX_MESSAGE: usize = 17 * 1024 * 1024;

/// The certificate of the server.
#[derive(Clone)]
pub struct Tls {
    /// The certificate with its chain, as PEM text.
    pub certificate: String,
    /// The private key, as PEM text.
    pub key: String,
    /// The authority of the clients' certificates, as PEM text. With it, a client needs a certificate.
    pub clients_authority: Option<String>,
}

impl Tls {
    pub(crate) fn acceptor(&self) -> io::Result<TlsAcceptor> {
        let other = |error: &dyn std::fmt::Display| io::Error::other(error.to_string());
        let certificates = |pem: &str| {
            let read = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>();
            read.map_err(|error| other(&error))
        };
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).map_err(|error| other(&error))?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| other(&error))?;
        let builder = match &self.clients_authority {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(certificates(authority)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                builder.with_client_cert_verifier(verifier.map_err(|error| other(&error))?)
            }
        };
        let mut config =
            builder.with_single_cert(certificates(&self.certificate)?, key).map_err(|error| other(&error))?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

/// Binds a port, even if connections that it had are not gone yet. Zero takes a free port.
pub(crate) fn bind(port: u16) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
    socket.listen(128)
}

/// What accepts the connections of a node.
#[derive(Clone)]
pub(crate) struct Listener {
    cluster: Arc<Cluster>,
    node: usize,
    acceptor: Option<TlsAcceptor>,
    routes: Routes,
}

impl Listener {
    pub(crate) fn of(cluster: Arc<Cluster>, node: usize, acceptor: Option<TlsAcceptor>) -> Self {
        let streams = StreamsService { cluster: cluster.clone(), node };
        let routes = Routes::new(StreamsServer::new(streams).max_decoding_message_size(MAX_MESSAGE))
            .add_service(GossipServer::new(GossipService { cluster: cluster.clone() }))
            .add_service(ServerFeaturesServer::new(FeaturesService { cluster: cluster.clone() }))
            .prepare();
        Self { cluster, node, acceptor, routes }
    }

    pub(crate) async fn accept(self, socket: TcpListener) {
        loop {
            let Ok((connection, _)) = socket.accept().await else {
                continue;
            };
            let _ = connection.set_nodelay(true);
            if let Some(node) = self.cluster.nodes.get(self.node) {
                node.serve(self.clone().serve(connection));
            }
        }
    }

    async fn serve(self, connection: TcpStream) {
        match &self.acceptor {
            None => speak(connection, self.routes).await,
            Some(acceptor) => {
                // A client that does not trust the certificate ends the handshake.
                if let Ok(connection) = acceptor.accept(connection).await {
                    speak(connection, self.routes).await;
                }
            }
        }
    }
}

async fn speak(connection: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, routes: Routes) {
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.max_concurrent_streams(REQUESTS_OF_A_CONNECTION);
    let service = TowerToHyperService::new(routes.into_axum_router());
    // A connection that breaks is the client's matter.
    let _ = http.serve_connection(TokioIo::new(connection), service).await;
}
