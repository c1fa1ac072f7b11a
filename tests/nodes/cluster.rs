//! Nodes that share a database.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use loquet_tests::postgres_server::PostgresServer;
use loquet_tests::server::{Answer, Server};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::network::Namespace;

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
    /// Further variables of each node.
    variables: Vec<(String, String)>,
    folder: TempDir,
}

impl Cluster {
    /// Starts nodes on an empty database. Skips the test where there is no PostgreSQL.
    pub(crate) async fn start(test: &str, nodes: usize) -> Option<Self> {
        Self::of(Shape::Postgres, test, nodes).await
    }

    /// Starts nodes of a shape.
    pub(crate) async fn of(shape: Shape, test: &str, nodes: usize) -> Option<Self> {
        let mut cluster = Self::over(PostgresServer::start(test)?, &[]);
        if shape == Shape::Kurrentdb {
            let options = loquet_event_store_server::Options::default();
            cluster.kurrentdb = Some(loquet_event_store_server::Server::start(options).unwrap());
        }
        cluster.add(nodes).await;
        Some(cluster)
    }

    /// No node yet, over a database. Each node will have these variables.
    pub(crate) fn over(postgres: PostgresServer, variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("mail")).unwrap();
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self { postgres, nodes: Vec::new(), kurrentdb: None, variables: variables.collect(), folder }
    }

    /// Starts further nodes.
    pub(crate) async fn add(&mut self, nodes: usize) {
        for _ in 0..nodes {
            let mut node = self.another();
            node.restart().await;
            self.nodes.push(node);
        }
    }

    /// Starts a further node in a network namespace, with these variables. It reaches the database over the link.
    pub(crate) async fn add_within(&mut self, namespace: &mut Namespace, variables: &[(&str, &str)]) {
        let mut node = self.another();
        node.launcher = namespace.launcher();
        namespace.let_clients_in(node.port);
        let database = self.postgres.url().replace("127.0.0.1", &namespace.address().to_string());
        for (name, value) in variables.iter().chain(&[("LOQUET_POSTGRES_URL", database.as_str())]) {
            node.variables.retain(|(other, _)| other != name);
            node.variables.push(((*name).to_owned(), (*value).to_owned()));
        }
        node.restart().await;
        self.nodes.push(node);
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
        variables.extend(self.variables.iter().cloned());
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

    /// The files of mails that were sent, by the id of the mail.
    pub(crate) fn sent_mails(&self) -> BTreeMap<String, usize> {
        let mut sent = BTreeMap::new();
        for file in std::fs::read_dir(self.folder.path().join("mail")).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            // The name is a moment, a hyphen, and the id.
            if let Some((_, id)) = name.strip_suffix(".eml").and_then(|name| name.split_once('-')) {
                *sent.entry(id.to_owned()).or_default() += 1;
            }
        }
        sent
    }

    /// The node that holds the lease.
    pub(crate) fn leader(&self) -> Option<usize> {
        let holder = self.postgres.sql("SELECT holder FROM loquet.reaction_lease");
        let name = holder.split('/').next().unwrap_or_default();
        name.strip_prefix("node-").and_then(|number| number.parse::<usize>().ok()).map(|number| number - 1)
    }

    /// Makes a node the one that holds the lease. The others are suspended until it has it.
    pub(crate) async fn lead(&self, node: usize) {
        let others: Vec<&Server> =
            self.nodes.iter().enumerate().filter(|(n, _)| *n != node).map(|(_, other)| other).collect();
        if self.leader() != Some(node) {
            others.iter().for_each(|other| signal(other, "-STOP"));
            self.until("the node leads", async |cluster: &Self| cluster.leader() == Some(node)).await;
            others.iter().for_each(|other| signal(other, "-CONT"));
        }
        self.until_ready().await;
    }

    /// Waits until every node is ready.
    pub(crate) async fn until_ready(&self) {
        self.until("every node is ready", async |cluster: &Self| {
            let asked = cluster.nodes.iter().map(|node| node.try_send(Method::GET, "/readyz", None, None));
            join_all(asked).await.iter().all(|answer| answer.as_ref().is_ok_and(|it| it.status == 200))
        })
        .await;
    }

    /// Waits until something holds.
    pub(crate) async fn until(&self, what: &str, mut holds: impl AsyncFnMut(&Self) -> bool) {
        let begun = Instant::now();
        while !holds(self).await {
            let said: Vec<String> = self.nodes.iter().map(Server::errors).collect();
            assert!(begun.elapsed() < Duration::from_mins(2), "{what}: {said:#?}");
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
