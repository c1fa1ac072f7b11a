//! The nodes of a cluster: which of them leads, which are up, and their connections.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::clock;
use crate::faults::Faults;
use crate::log::Log;

/// A user and the password.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: String,
    /// The password.
    pub password: String,
}

/// What the nodes of a cluster share.
pub(crate) struct Cluster {
    pub(crate) log: Log,
    pub(crate) faults: Faults,
    pub(crate) nodes: Vec<Node>,
    leader: AtomicUsize,
    users: Vec<User>,
}

/// One node.
pub(crate) struct Node {
    pub(crate) id: Uuid,
    pub(crate) port: u16,
    alive: AtomicBool,
    muted: watch::Sender<bool>,
    connections: Mutex<JoinSet<()>>,
}

impl Node {
    pub(crate) fn at(port: u16) -> Self {
        let (alive, muted) = (AtomicBool::new(true), watch::Sender::new(false));
        Self { id: clock::fresh_id(), port, alive, muted, connections: Mutex::default() }
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Acquire)
    }

    pub(crate) fn set_alive(&self, alive: bool) {
        self.alive.store(alive, Ordering::Release);
    }

    pub(crate) fn set_muted(&self, muted: bool) {
        self.muted.send_replace(muted);
    }

    /// Waits until subscriptions of this node may deliver.
    pub(crate) async fn may_deliver(&self) {
        // The sender is in this struct, so it cannot be gone.
        let _ = self.muted.subscribe().wait_for(|muted| !muted).await;
    }

    /// Serves a connection until it ends or is cut.
    pub(crate) fn serve(&self, connection: impl Future<Output = ()> + Send + 'static) {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        while connections.try_join_next().is_some() {}
        connections.spawn(connection);
    }

    /// Breaks all connections of the node.
    pub(crate) fn cut(&self) {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}

impl Cluster {
    pub(crate) fn new(nodes: Vec<Node>, users: Vec<User>) -> Self {
        Self { log: Log::new(), faults: Faults::new(), nodes, leader: AtomicUsize::new(0), users }
    }

    pub(crate) fn leader(&self) -> usize {
        self.leader.load(Ordering::Acquire)
    }

    pub(crate) fn elect(&self, node: usize) {
        self.leader.store(node, Ordering::Release);
    }

    pub(crate) fn cut(&self) {
        self.nodes.iter().for_each(Node::cut);
    }

    /// Checks that the caller gave the name and password of a user, if the cluster has users.
    pub(crate) fn authenticate(&self, metadata: &MetadataMap) -> Result<(), Status> {
        if self.users.is_empty() {
            return Ok(());
        }
        let header = metadata.get("authorization").and_then(|header| header.to_str().ok());
        let Some(encoded) = header.and_then(|header| header.strip_prefix("Basic ")) else {
            return Err(access_denied());
        };
        let decoded = STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let known = decoded.is_some_and(|given| {
            self.users.iter().any(|user| given == format!("{}:{}", user.name, user.password))
        });
        known.then_some(()).ok_or_else(|| Status::unauthenticated("the credentials are invalid"))
    }

    /// Checks that this node leads, if the caller asks for the leader.
    pub(crate) fn lead(&self, node: usize, metadata: &MetadataMap) -> Result<(), Status> {
        let asked = metadata.get("requires-leader").is_some_and(|value| value == "true");
        if !asked || node == self.leader() {
            return Ok(());
        }
        let mut status = Status::new(Code::NotFound, "Leader info available");
        let port = self.nodes.get(self.leader()).map_or(0, |leader| leader.port);
        let metadata = status.metadata_mut();
        metadata.insert("exception", tonic::metadata::MetadataValue::from_static("not-leader"));
        metadata.insert("leader-endpoint-host", tonic::metadata::MetadataValue::from_static("127.0.0.1"));
        metadata.insert("leader-endpoint-port", port.into());
        Err(status)
    }
}

pub(crate) fn access_denied() -> Status {
    let mut status = Status::permission_denied("Access Denied");
    let exception = tonic::metadata::MetadataValue::from_static("access-denied");
    status.metadata_mut().insert("exception", exception);
    status
}
