//! The server for tests of the event log in EventStoreDB or KurrentDB. It is ours, since no registry has a real one.
//! `LOQUET_TEST_EVENTSTORE` names a real server to use instead: `esdb://admin:changeit@127.0.0.1:2113?tls=false`.

use std::path::Path;

use loquet_event_store_server::{Options, Server};
use loquet_kurrentdb::Connection;

use crate::environment::variable;
use crate::skip;

/// The variable that names a real server.
pub const REAL: &str = "LOQUET_TEST_EVENTSTORE";

/// A server, and the streams that a test has in it.
pub struct KurrentServer {
    /// Ours, if it runs in this process.
    ours: Option<Server>,
    url: String,
    prefix: String,
}

impl KurrentServer {
    /// The server of a folder. It is started by who asks first, and ends with the returned value.
    pub fn in_folder(folder: &Path) -> Self {
        let name = folder.file_name().unwrap().to_str().unwrap();
        let prefix = format!("loquet-test{name}-");
        let noted = folder.join("event-store");
        let known = variable(REAL).map(|real| real.into_string().unwrap());
        if let Some(url) = known.or_else(|| std::fs::read_to_string(&noted).ok()) {
            return Self { ours: None, url, prefix };
        }
        let ours = Server::start(Options::default()).unwrap();
        let url = ours.url();
        std::fs::write(noted, &url).unwrap();
        Self { ours: Some(ours), url, prefix }
    }

    /// A server of ours. Skips the test where a real one is asked for, because a real one does not fail on request.
    pub fn start(test: &str, options: Options) -> Option<Self> {
        if variable(REAL).is_some() {
            skip::skipped(test, "a real server does not fail on request");
            return None;
        }
        let ours = Server::start(options).unwrap();
        let url = ours.url();
        Some(Self { ours: Some(ours), url, prefix: "loquet-".to_owned() })
    }

    /// A server that is not asked to fail: a real one if there is one, and otherwise ours.
    pub fn fresh() -> Self {
        let unique = tempfile::tempdir().unwrap();
        Self::in_folder(unique.path())
    }

    /// The connection string, for clients that others wrote.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether it is a real server, which other tests use too.
    pub fn is_real(&self) -> bool {
        self.ours.is_none()
    }

    /// What the names of the test's streams begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The connection that a node has to it.
    pub fn connection(&self) -> Connection {
        Connection { stream_prefix: self.prefix.clone(), ..Connection::to(&self.url) }
    }

    /// What our server does on request.
    pub fn ours(&mut self) -> &mut Server {
        self.ours.as_mut().unwrap()
    }
}
