//! Nodes that share a database.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use loquet_tests::postgres_server::PostgresServer;
use loquet_tests::server::{Answer, Server};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The password of every active account.
pub(crate) const PASSWORD: &str = "Boulange7!";

/// Where the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// In PostgreSQL, with everything else.
    Postgres,
    /// In KurrentDB. The rest is in PostgreSQL.
    Kurrentdb,
}

/// Both shapes.
pub(crate) const SHAPES: [Shape; 2] = [Shape::Postgres, Shape::Kurrentdb];

/// Some nodes, each with a data directory of its own. They share the server key, the database and the folder of
/// development mails.
pub(crate) struct Cluster {
    pub(crate) postgres: PostgresServer,
    pub(crate) nodes: Vec<Server>,
    /// A server that speaks the protocol of KurrentDB.
    kurrentdb: Option<loquet_event_store_server::Server>,
    folder: TempDir,
}

impl Cluster {
    /// Starts nodes on an empty database. Skips the test where there is no PostgreSQL.
    pub(crate) async fn start(test: &str, nodes: usize) -> Option<Self> {
        Self::of(Shape::Postgres, test, nodes).await
    }

    /// Starts nodes of a shape.
    pub(crate) async fn of(shape: Shape, test: &str, nodes: usize) -> Option<Self> {
        let postgres = PostgresServer::start(test)?;
        let options = loquet_event_store_server::Options::default();
        let kurrentdb =
            (shape == Shape::Kurrentdb).then(|| loquet_event_store_server::Server::start(options).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let mut cluster = Self { postgres, nodes: Vec::new(), kurrentdb, folder };
        std::fs::create_dir(cluster.folder.path().join("mail")).unwrap();
        for _ in 0..nodes {
            let mut node = cluster.another();
            node.restart().await;
            cluster.nodes.push(node);
        }
        Some(cluster)
    }

    /// A further node, which is not started yet.
    pub(crate) fn another(&self) -> Server {
        let number = self.nodes.len() + 1;
        let folder = self.folder.path().join(format!("node-{number}"));
        std::fs::create_dir(&folder).unwrap();
        std::os::unix::fs::symlink(self.folder.path().join("mail"), folder.join("mail")).unwrap();
        let key = self.folder.path().join("server.key");
        let variables = [
            ("LOQUET_STORE_ENGINE", "postgres".to_owned()),
            ("LOQUET_POSTGRES_URL", self.postgres.url()),
            ("LOQUET_POSTGRES_STATEMENT_TIMEOUT", "3s".to_owned()),
            ("LOQUET_SERVER_KEY_FILE", key.display().to_string()),
            ("LOQUET_NODE", format!("node-{number}")),
        ];
        let mut variables = variables.map(|(name, value)| (name.to_owned(), value)).to_vec();
        if let Some(kurrentdb) = &self.kurrentdb {
            variables.retain(|(name, _)| name != "LOQUET_STORE_ENGINE");
            variables.push(("LOQUET_STORE_ENGINE".to_owned(), "kurrentdb".to_owned()));
            variables.push(("LOQUET_KURRENTDB_URL".to_owned(), kurrentdb.url()));
        }
        Server::stopped(folder, variables)
    }

    pub(crate) fn key_file(&self) -> PathBuf {
        self.folder.path().join("server.key")
    }

    /// Panics unless positions grow, and have no gaps where the engine promises it.
    #[track_caller]
    pub(crate) fn has_positions_in_order(&self, log: &[Value]) {
        let positions: Vec<u64> = log.iter().map(|event| event["position"].as_u64().unwrap()).collect();
        assert!(positions.is_sorted_by(|one, next| one < next), "{positions:?}");
        if self.kurrentdb.is_none() {
            assert!(
                positions.iter().copied().eq(1..=u64::try_from(log.len()).unwrap()),
                "positions have gaps"
            );
        }
    }

    /// The whole log, read from the database by the command line.
    #[track_caller]
    pub(crate) fn log(&self) -> Vec<Value> {
        let mut tail = self.nodes[0].command();
        let output = tail.args(["events", "tail", "--after", "0", "--json"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The name of the node that holds the lease, without the number of its run.
    pub(crate) fn leader(&self) -> Option<usize> {
        let holder = self.postgres.sql("SELECT holder FROM loquet.reaction_lease");
        let name = holder.split('/').next().unwrap_or_default();
        name.strip_prefix("node-").and_then(|number| number.parse::<usize>().ok()).map(|number| number - 1)
    }

    /// Waits until something holds.
    pub(crate) async fn until(&self, what: &str, mut holds: impl AsyncFnMut(&Self) -> bool) {
        let begun = Instant::now();
        while !holds(self).await {
            let said: Vec<String> = self.nodes.iter().map(Server::errors).collect();
            assert!(begun.elapsed() < Duration::from_mins(1), "{what}: {said:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Logs in, whatever happens to the node. `None` if no answer came.
pub(crate) async fn try_login(node: &Server, email: &str, password: &str) -> Option<Answer> {
    let body = json!({ "email": email, "password": password });
    node.try_send(Method::POST, "/v1/logins", None, Some(&body)).await.ok()
}

/// Sends a signal to a node.
#[track_caller]
pub(crate) fn signal(node: &Server, signal: &str) {
    assert!(Command::new("kill").args([signal, &node.pid().to_string()]).status().unwrap().success());
}
