//! Moving everything from one machine to several nodes, and back.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use loquet_tests::postgres_server::PostgresServer;
use loquet_tests::server::{Server, order};
use serde_json::Value;

use crate::cluster::PASSWORD;

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
    let shared = format!("[store]\nengine = \"postgres\"\n[postgres]\nurl = \"{}\"", postgres.url());
    let (nodes, back) = (config(folder.path(), "nodes", &shared), config(folder.path(), "back", ""));
    // A server that runs is not copied from.
    let refused = copy(&server, &one, &nodes);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("in use"), "{refused:?}");
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
    assert!(told.contains("SHA-256 of the log") && told.contains("read again on both sides"), "{told}");
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
    let refused = copy(&server, &other, &nodes);
    assert!(!refused.status.success());
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(why.contains("is not the beginning of a copy"), "{why}");
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
    said(&copy(&server, &nodes, &back));
    assert_eq!(files(&folder.path().join("back")), files(&folder.path().join("one")));
}
