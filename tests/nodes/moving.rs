//! Moving everything from one machine to several nodes, and back.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use loquet_tests::postgres_server::PostgresServer;
use loquet_tests::server::{Server, order};
use serde_json::Value;

use crate::cluster::{Cluster, PASSWORD};

/// A configuration file of one engine.
fn config(folder: &Path, name: &str, lines: &str) -> PathBuf {
    let file = folder.join(format!("{name}.toml"));
    let (own, key) = (folder.join(name), folder.join("server.key"));
    let (own, key) = (own.display(), key.display());
    let text = format!(
        "data_dir = \"{own}\"\nserver_key_file = \"{key}\"\npublic_url = \"https://portal.example\"\n{lines}\n"
    );
    std::fs::write(&file, text).unwrap();
    file
}

fn variables(folder: &Path) -> Vec<(String, String)> {
    let variables = [
        ("LOQUET_SERVER_KEY_FILE", folder.join("server.key").display().to_string()),
        ("LOQUET_WEBHOOKS_ALLOWED_NETWORKS", "127.0.0.1/32".to_owned()),
    ];
    variables.map(|(name, value)| (name.to_owned(), value)).to_vec()
}

fn copy(server: &Server, from: &Path, to: &Path) -> Output {
    let mut copy = server.command();
    copy.args(["log", "copy"]).arg("--from").arg(from).arg("--to").arg(to);
    copy.output().unwrap()
}

#[track_caller]
fn said(output: &Output) -> String {
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    said
}

/// What a command says that refuses to copy.
#[track_caller]
fn refused(output: &Output) -> String {
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The names of everything in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The section of a configuration that names a database.
fn in_postgres(postgres: &PostgresServer) -> String {
    format!("[store]\nengine = \"postgres\"\n[postgres]\nurl = \"{}\"", postgres.url())
}

/// Every row of every table of the files in a data directory, as SQLite's own tool prints it.
fn files(folder: &Path) -> String {
    let mut all = String::new();
    for (file, tables) in [
        (
            "log.db",
            "SELECT position, stream, revision, hex(event_id), name, version, data, metadata, hex(subject), hex(sealed) FROM events ORDER BY position",
        ),
        (
            "keys.db",
            "SELECT hex(account), hex(wrapped), generation FROM keys ORDER BY account; SELECT id, hex(fingerprint) FROM server; SELECT name, hex(wrapped), generation, ends_at FROM secrets ORDER BY name",
        ),
        (
            "reactions.db",
            "SELECT * FROM checkpoints ORDER BY reaction; SELECT hex(effect), kind, hex(recipient), position, state, tries, due_at, queued_at, ended_at, why, since, noted, urgency, unnoted_why, waited, tried_at, verdict FROM mails ORDER BY effect; SELECT * FROM held",
        ),
        (
            "tokens.db",
            "SELECT hex(hash), name, scopes, created_at, expires_at, last_used_at, revoked_at, hex(family), role FROM tokens ORDER BY hash",
        ),
        (
            "webhooks.db",
            "SELECT hex(id), url, types, created_at, secret, older_secret_until, position, hex(event_id), stopped FROM endpoints ORDER BY id; SELECT hex(endpoint), position, tries, due_at, why FROM deliveries ORDER BY endpoint, position",
        ),
        (
            "answers.db",
            "SELECT hex(command), hex(contents), begun_at, hex(answer) FROM answers ORDER BY command",
        ),
    ] {
        let rows = Command::new("sqlite3").arg(folder.join(file)).arg(tables).output().unwrap();
        assert!(rows.status.success(), "{file}: {}", String::from_utf8_lossy(&rows.stderr));
        all += file;
        all += &String::from_utf8(rows.stdout).unwrap();
    }
    all
}

/// A world with something in every table: people, an erased person, mails, a webhook with failed deliveries, tokens, a
/// rotated server key, and an answer to an idempotency key.
async fn world(server: &mut Server) {
    server.active(1, "marie@example.be", PASSWORD).await;
    let erased = server.active(2, "paul@example.be", PASSWORD).await;
    server.successor(&erased).await;
    for n in 3..30 {
        let request = server.client.post(format!("{}/v1/orders", server.url)).bearer_auth(server.token());
        let placed = order(n, n % 5 + 3, &format!("p{n}@example.be"));
        let answer =
            request.header("idempotency-key", format!("key {n}")).json(&placed).send().await.unwrap();
        assert_eq!(answer.status(), 201);
    }
    for n in 0..9 {
        let password = if n < 7 { "Wrong1!!" } else { PASSWORD };
        server.login("marie@example.be", password).await;
    }
    for n in 3..30 {
        server.mail(&format!("p{n}@example.be"), "Confirmez", 1).await;
    }
    // Nobody listens there.
    let webhook = ["webhook", "add", "http://127.0.0.1:1/", "--after", "0"];
    said(&server.command().args(webhook).output().unwrap());
    let token = ["token", "create", "--name", "shop", "--scope", "orders:write"];
    said(&server.command().args(token).output().unwrap());
    said(&server.command().args(["keys", "rotate"]).output().unwrap());
    let webhooks = || said(&server.command().args(["webhook", "list", "--json"]).output().unwrap());
    let begun = std::time::Instant::now();
    while !webhooks().contains("\"waiting\":") || webhooks().contains("\"waiting\":0") {
        assert!(begun.elapsed() < Duration::from_secs(30), "{}", webhooks());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server.stop();
    let erase = ["account", "erase", &erased, "--yes", "--reason", "he asked"];
    said(&server.command().args(erase).output().unwrap());
    server.restart().await;
}

async fn locked_until(server: &Server) -> Value {
    server.login("marie@example.be", PASSWORD).await.expect(423).json()["locked_until"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_to_postgresql_and_back_is_the_same_and_serves_the_same_people() {
    let name = "a_copy_to_postgresql_and_back_is_the_same_and_serves_the_same_people";
    if !loquet_tests::skip::unless_installed(name, "sqlite3") {
        return;
    }
    let Some(postgres) = PostgresServer::start(name) else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::stopped(folder.path().join("one"), variables(folder.path()));
    server.restart().await;
    world(&mut server).await;
    let locked = locked_until(&server).await;
    let one = config(folder.path(), "one", "");
    let shared = in_postgres(&postgres);
    let (nodes, back) = (config(folder.path(), "nodes", &shared), config(folder.path(), "back", ""));
    // A server that runs is not copied from.
    let why = refused(&copy(&server, &one, &nodes));
    assert!(why.contains("can't use the source (--from)") && why.contains("in use"), "{why}");
    server.stop();
    // A copy that is killed again and again goes on where it stopped.
    for n in 0..6 {
        let mut copying = server.command();
        copying.args(["log", "copy"]).arg("--from").arg(&one).arg("--to").arg(&nodes);
        let mut child = copying.spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(60 * n)).await;
        drop(child.kill());
        child.wait().unwrap();
    }
    let told = said(&copy(&server, &one, &nodes));
    assert!(told.contains("SHA-256 of the log") && told.contains("Both sides were read again"), "{told}");
    assert_eq!(
        postgres.sql("SELECT count(*) FROM loquet.account_keys WHERE wrapped IS NULL"),
        "1",
        "one was erased"
    );
    // A copy into something else is refused.
    let other = config(folder.path(), "other", "");
    let mut second = Server::stopped(folder.path().join("other"), server.variables.clone());
    second.restart().await;
    second.service_post("/v1/orders", order(1, 1, "other@example.be")).await.expect(201);
    second.stop();
    let why = refused(&copy(&server, &other, &nodes));
    assert!(
        why.contains("the target (--to) is not empty, and it is not a copy of this source (--from)"),
        "{why}"
    );
    // Back again: the files hold the same.
    said(&copy(&server, &nodes, &back));
    assert_eq!(files(&folder.path().join("back")), files(&folder.path().join("one")));
    // A node over the copy serves the same people.
    let mut node = Server::stopped(folder.path().join("nodes"), server.variables.clone());
    node.variables.push(("LOQUET_STORE_ENGINE".to_owned(), "postgres".to_owned()));
    node.variables.push(("LOQUET_POSTGRES_URL".to_owned(), postgres.url()));
    node.restart().await;
    assert_eq!(locked_until(&node).await, locked, "the lockout came along");
    let token = server.token();
    let same = node.client.post(format!("{}/v1/orders", node.url)).bearer_auth(&token);
    let again =
        same.header("idempotency-key", "key 3").json(&order(3, 6, "p3@example.be")).send().await.unwrap();
    assert_eq!(again.status(), 201, "the token and the answer came along");
    node.service_post("/v1/orders", order(77, 7, "new@example.be")).await.expect(201);
    node.mail("new@example.be", "Confirmez", 1).await;
    assert_eq!(node.mails("p3@example.be").await.len(), 0, "what was sent before is not sent again");
}

/// KurrentDB counts positions in steps of its own. Whatever names a position there names the same event as here.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_to_kurrentdb_and_back_is_the_same() {
    let name = "a_copy_to_kurrentdb_and_back_is_the_same";
    if !loquet_tests::skip::unless_installed(name, "sqlite3") {
        return;
    }
    let Some(postgres) = PostgresServer::start(name) else { return };
    let kurrentdb = loquet_event_store_server::Server::start(loquet_event_store_server::Options::default());
    let kurrentdb = kurrentdb.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::stopped(folder.path().join("one"), variables(folder.path()));
    server.restart().await;
    world(&mut server).await;
    server.stop();
    let shared = format!(
        "[store]\nengine = \"kurrentdb\"\n[kurrentdb]\nurl = \"{}\"\n[postgres]\nurl = \"{}\"",
        kurrentdb.url(),
        postgres.url()
    );
    let one = config(folder.path(), "one", "");
    let (nodes, back) = (config(folder.path(), "nodes", &shared), config(folder.path(), "back", ""));
    said(&copy(&server, &one, &nodes));
    let positions = "SELECT max(position) FROM loquet.mails";
    let there: u64 = postgres.sql(positions).parse().unwrap();
    assert!(there > 1000, "mails name positions of KurrentDB: {there}");
    let mut tail = server.command();
    tail.arg("--config").arg(&nodes).args(["--data-dir"]).arg(folder.path().join("nodes"));
    let log = said(&tail.args(["events", "tail", "--after", "0", "--json"]).output().unwrap());
    let events: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let answers = postgres.sql("SELECT convert_from(answer, 'UTF8') FROM loquet.answers");
    assert_eq!(answers.lines().count(), 27);
    for answer in answers.lines() {
        let answer: Value = serde_json::from_str(answer).unwrap();
        let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        let event = events.iter().find(|event| event["position"] == body["position"]);
        let stream =
            event.unwrap_or_else(|| panic!("no event is at the position of {body}"))["stream"].clone();
        assert!(stream.as_str().unwrap().contains(body["order_id"].as_str().unwrap()), "{stream}: {body}");
    }
    said(&copy(&server, &nodes, &back));
    assert_eq!(files(&folder.path().join("back")), files(&folder.path().join("one")));
}

/// What is not there can't be copied, and looking for it makes nothing.
#[test]
fn a_source_that_is_not_there_is_refused_and_nothing_is_made() {
    let name = "a_source_that_is_not_there_is_refused_and_nothing_is_made";
    let folder = tempfile::tempdir().unwrap();
    let server = Server::stopped(folder.path().join("unused"), Vec::new());
    let (missing, empty) = (config(folder.path(), "missing", ""), config(folder.path(), "empty", ""));
    let target = config(folder.path(), "target", "");
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    let before = names(folder.path());
    for source in [&missing, &empty] {
        let why = refused(&copy(&server, source, &target));
        assert!(why.contains("the source (--from)") && why.contains("there is no log.db"), "{why}");
        assert_eq!(names(folder.path()), before);
        assert_eq!(names(&folder.path().join("empty")), [""; 0]);
    }
    let Some(postgres) = PostgresServer::start(name) else { return };
    let nodes = config(folder.path(), "nodes", &in_postgres(&postgres));
    let before = names(folder.path());
    let why = refused(&copy(&server, &nodes, &target));
    assert!(why.contains("the source (--from)") && why.contains("postgres.url"), "{why}");
    assert_eq!(names(folder.path()), before);
    let schemas = "SELECT count(*) FROM information_schema.schemata WHERE schema_name = 'loquet'";
    assert_eq!(postgres.sql(schemas), "0", "no tables are made in a source");
}

/// Without its keys, a log can't be read by anybody.
#[tokio::test]
async fn a_source_without_its_keys_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::stopped(folder.path().join("one"), variables(folder.path()));
    server.restart().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    server.stop();
    std::fs::remove_file(folder.path().join("one/keys.db")).unwrap();
    let (one, target) = (config(folder.path(), "one", ""), config(folder.path(), "target", ""));
    let why = refused(&copy(&server, &one, &target));
    assert!(why.contains("no keys") && why.contains("restore keys.db"), "{why}");
    assert!(!folder.path().join("one/keys.db").exists() && !folder.path().join("target").exists());
}

/// Nodes on other machines are known by their lease. A lease that a killed node left behind stops nobody.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_copied_from_or_to_nodes_that_run() {
    let name = "nothing_is_copied_from_or_to_nodes_that_run";
    let Some(mut cluster) = Cluster::start(name, 2).await else { return };
    cluster.nodes[0].active(1, "marie@example.be", PASSWORD).await;
    let folder = tempfile::tempdir().unwrap();
    let running = config(folder.path(), "running", &in_postgres(&cluster.postgres));
    let target = config(folder.path(), "target", "");
    let leader = |cluster: &Cluster| format!("node-{}", cluster.leader().unwrap() + 1);
    cluster.until("a node has the lease", async |cluster| cluster.leader().is_some()).await;
    let why = refused(&copy(&cluster.nodes[0], &running, &target));
    let node = leader(&cluster);
    for part in ["the source (--from)", &format!("the node {node} is running"), "stop this node"] {
        assert!(why.contains(part), "no '{part}' in {why}");
    }
    assert!(!folder.path().join("target").exists(), "nothing is left behind");
    // The node without the lease is noticed too, when the other one is gone.
    let first = cluster.leader().unwrap();
    cluster.nodes[first].stop();
    let why = refused(&copy(&cluster.nodes[0], &running, &target));
    assert!(why.contains(&format!("the node node-{} is running", 2 - first)), "{why}");
    let told = said(&cluster.nodes[1 - first].command().args(["keys", "rotate"]).output().unwrap());
    let file = cluster.key_file().display().to_string();
    for part in
        [&format!("Copy {file} to every other node now, because"), "is not ready", "does not start again"]
    {
        assert!(told.contains(part), "no '{part}' in {told}");
    }
    cluster.nodes[1 - first].kill();
    said(&copy(&cluster.nodes[0], &running, &target));
    // The other direction: nodes that run are no target.
    cluster.nodes[0].restart().await;
    let why = refused(&copy(&cluster.nodes[0], &target, &running));
    assert!(why.contains("the target (--to)") && why.contains("the node node-1 is running"), "{why}");
}

/// The copy begins with the deletion of the rows of its target.
#[tokio::test(flavor = "multi_thread")]
async fn two_sides_that_share_a_database_or_a_directory_are_refused_and_nothing_is_lost() {
    let name = "two_sides_that_share_a_database_or_a_directory_are_refused_and_nothing_is_lost";
    let Some(mut cluster) = Cluster::start(name, 1).await else { return };
    cluster.nodes[0].active(1, "marie@example.be", PASSWORD).await;
    cluster.nodes[0].stop();
    let kurrentdb = loquet_event_store_server::Server::start(loquet_event_store_server::Options::default());
    let kurrentdb = kurrentdb.unwrap();
    let Some(other) = PostgresServer::start(name) else { return };
    let folder = tempfile::tempdir().unwrap();
    let from = config(folder.path(), "from", &in_postgres(&cluster.postgres));
    let in_kurrentdb = |main: &str, keys: &str| {
        format!(
            "[store]\nengine = \"kurrentdb\"\n[kurrentdb]\nurl = \"{}\"\n[postgres]\nurl = \"{main}\"\nkeys_url = \"{keys}\"",
            kurrentdb.url()
        )
    };
    let (here, there) = (cluster.postgres.url(), other.url());
    let keys = || cluster.postgres.sql("SELECT count(*) FROM loquet.account_keys");
    assert_eq!(keys(), "2");
    for (main, keys_too) in [(&here, &here), (&here, &there), (&there, &here)] {
        let to = config(folder.path(), "to", &in_kurrentdb(main, keys_too));
        let why = refused(&copy(&cluster.nodes[0], &from, &to));
        assert!(
            why.contains("the target (--to)") && why.contains("would delete what it has to copy"),
            "{why}"
        );
        assert_eq!(keys(), "2");
    }
    said(&copy(&cluster.nodes[0], &from, &config(folder.path(), "to", &in_kurrentdb(&there, &there))));
    let one = config(folder.path(), "one", "");
    said(&copy(&cluster.nodes[0], &from, &one));
    let why = refused(&copy(&cluster.nodes[0], &one, &one));
    assert!(why.contains("would delete what it has to copy"), "{why}");
}

/// The message names the side that was written to, rather than a difference that nobody can explain.
#[tokio::test(flavor = "multi_thread")]
async fn a_side_that_was_written_to_during_the_copy_is_named() {
    let name = "a_side_that_was_written_to_during_the_copy_is_named";
    let (Some(source), Some(target)) = (PostgresServer::start(name), PostgresServer::start(name)) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::stopped(folder.path().join("one"), variables(folder.path()));
    server.restart().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    server.stop();
    let (from, to) = (
        config(folder.path(), "from", &in_postgres(&source)),
        config(folder.path(), "to", &in_postgres(&target)),
    );
    said(&copy(&server, &config(folder.path(), "one", ""), &from));
    said(&copy(&server, &from, &to));
    // An event of somebody who does not know of the lease, while the command waits for a lock of somebody else.
    let write = "INSERT INTO loquet.events SELECT position + 1, gen_random_uuid(), 'order-' || position, 1, name, version, data, \
                 metadata, subject, sealed FROM loquet.events ORDER BY position DESC LIMIT 1";
    for (side, says) in [(&source, "the source (--from)"), (&target, "the target (--to)")] {
        let mut session = target.session();
        let lock = "BEGIN; LOCK TABLE loquet.answers IN ACCESS EXCLUSIVE MODE;\n";
        session.stdin.as_mut().unwrap().write_all(lock.as_bytes()).unwrap();
        let until = async |waiting: &str| {
            let begun = std::time::Instant::now();
            while target.sql(waiting) != "1" {
                assert!(begun.elapsed() < Duration::from_mins(1), "{waiting}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        until("SELECT count(*) FROM pg_locks WHERE granted AND mode = 'AccessExclusiveLock' AND relation = 'loquet.answers'::regclass").await;
        let mut copying = server.command();
        copying.args(["log", "copy"]).arg("--from").arg(&from).arg("--to").arg(&to);
        copying.stdout(Stdio::piped()).stderr(Stdio::piped());
        let copying = copying.spawn().unwrap();
        until("SELECT count(*) FROM pg_locks WHERE NOT granted").await;
        side.sql(write);
        // The session ends, and with it the lock.
        drop(session.stdin.take());
        session.wait().unwrap();
        let why = refused(&copying.wait_with_output().unwrap());
        assert!(why.contains(&format!("a server wrote to {says} during the copy")), "{why}");
        if says.contains("source") {
            said(&copy(&server, &from, &to));
        }
    }
}
