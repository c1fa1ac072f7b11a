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

/// Some nodes, each with a data directory of its own. They share the server key, the database and the folder of
/// development mails.
pub(crate) struct Cluster {
    pub(crate) postgres: PostgresServer,
    pub(crate) nodes: Vec<Server>,
    folder: TempDir,
}

impl Cluster {
    /// Starts nodes on an empty database. Skips the test where there is no PostgreSQL.
    pub(crate) async fn start(test: &str, nodes: usize) -> Option<Self> {
        let postgres = PostgresServer::start(test)?;
        let mut cluster = Self { postgres, nodes: Vec::new(), folder: tempfile::tempdir().unwrap() };
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
        let variables = variables.map(|(name, value)| (name.to_owned(), value));
        Server::stopped(folder, variables.to_vec())
    }

    pub(crate) fn key_file(&self) -> PathBuf {
        self.folder.path().join("server.key")
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
