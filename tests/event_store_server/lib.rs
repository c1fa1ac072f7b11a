//! A server for tests that speaks the gRPC protocol of EventStoreDB and KurrentDB. Its events are in memory.
//!
//! It behaves as the real server does where clients can see it: positions are bytes, system events stand between the
//! others, an append is idempotent by the ids of its events, and a stream's metadata hides events. It knows no
//! persistent subscriptions, no projections and no links. Tests with clients that others wrote keep it honest.
//!
//! A [`Server`] is a cluster of nodes that share their events at once. [`Faults`] makes it fail on request.
#![forbid(unsafe_code)]
#![expect(clippy::result_large_err, reason = "a status is the refusal of the protocol, and large")]

mod clock;
mod cluster;
mod faults;
mod gossip_service;
mod listener;
mod log;
mod messages;
mod protocol;
mod reads;
mod service;
mod subscription;

use std::io;
use std::sync::Arc;

use tokio::runtime::Runtime;
use tokio::task::AbortHandle;

pub use crate::cluster::User;
use crate::cluster::{Cluster, Node};
pub use crate::faults::{AppendFault, Delivery, Denied, Faults};
use crate::listener::Listener;
pub use crate::listener::Tls;

/// How a cluster is.
#[derive(Clone, Default)]
pub struct Options {
    /// The ports of its nodes on 127.0.0.1. Zero takes a free one. Empty is one node on a free port.
    pub ports: Vec<u16>,
    /// The certificate. `None` is a cluster without TLS.
    pub tls: Option<Tls>,
    /// Who may use the cluster. Empty is everybody, without a password.
    pub users: Vec<User>,
}

/// A running cluster. It ends when the value is dropped.
pub struct Server {
    runtime: Option<Runtime>,
    cluster: Arc<Cluster>,
    listeners: Vec<Listener>,
    accepting: Vec<Option<AbortHandle>>,
    secure: bool,
}

impl Server {
    /// Starts a cluster. Its first node leads. It has threads of its own.
    ///
    /// # Errors
    /// The port is taken, or the certificate can't be used.
    pub fn start(options: Options) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let secure = options.tls.is_some();
        let acceptor = options.tls.map(|tls| tls.acceptor()).transpose()?;
        let ports = if options.ports.is_empty() { vec![0] } else { options.ports };
        let bound = {
            let _in_runtime = runtime.enter();
            ports.into_iter().map(listener::bind).collect::<io::Result<Vec<_>>>()?
        };
        let ports = bound.iter().map(|socket| Ok(socket.local_addr()?.port()));
        let nodes = ports.map(|port| port.map(Node::at)).collect::<io::Result<_>>()?;
        let cluster = Arc::new(Cluster::new(nodes, options.users));
        let mut listeners = Vec::new();
        let mut accepting = Vec::new();
        for (node, socket) in bound.into_iter().enumerate() {
            let listener = Listener::of(cluster.clone(), node, acceptor.clone());
            accepting.push(Some(runtime.spawn(listener.clone().accept(socket)).abort_handle()));
            listeners.push(listener);
        }
        Ok(Self { runtime: Some(runtime), cluster, listeners, accepting, secure })
    }

    /// The port of a node.
    #[must_use]
    pub fn port(&self, node: usize) -> u16 {
        self.cluster.nodes.get(node).map_or(0, |node| node.port)
    }

    /// The connection string. It names all nodes.
    #[must_use]
    pub fn url(&self) -> String {
        let hosts: Vec<_> =
            self.cluster.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        format!("kurrentdb://{}?tls={}", hosts.join(","), self.secure)
    }

    /// What goes wrong on request.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.cluster.faults
    }

    /// Makes another node the leader. Connections stay. The former leader answers "not leader".
    pub fn elect(&self, node: usize) {
        self.cluster.elect(node);
    }

    /// Keeps new events from the subscriptions of a node, and leaves their connections open. So they are like those of a
    /// node that was cut off from the others.
    pub fn mute(&self, node: usize) {
        if let Some(node) = self.cluster.nodes.get(node) {
            node.set_muted(true);
        }
    }

    /// Breaks all connections. New ones are accepted.
    pub fn cut_connections(&self) {
        self.cluster.cut();
    }

    /// Ends a node: it accepts no connections, and the ones that it has break. Its events are still with the others.
    pub fn stop_node(&mut self, node: usize) {
        if let Some(accepting) = self.accepting.get_mut(node).and_then(Option::take) {
            accepting.abort();
        }
        if let Some(node) = self.cluster.nodes.get(node) {
            node.set_alive(false);
            node.cut();
        }
    }

    /// Starts a node again, on the port that it had.
    ///
    /// # Errors
    /// The port is taken.
    pub fn start_node(&mut self, node: usize) -> io::Result<()> {
        let port = self.port(node);
        let (Some(runtime), Some(listener), Some(accepting)) =
            (&self.runtime, self.listeners.get(node), self.accepting.get_mut(node))
        else {
            return Ok(());
        };
        let socket = {
            let _in_runtime = runtime.enter();
            listener::bind(port)?
        };
        *accepting = Some(runtime.spawn(listener.clone().accept(socket)).abort_handle());
        if let Some(node) = self.cluster.nodes.get(node) {
            node.set_alive(true);
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.cluster.cut();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
