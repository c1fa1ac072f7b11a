//! The consumers of docs/consumers, as a team would run them: each learns the same, whether it is killed or not.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use loquet_tests::environment;
use loquet_tests::kafka_broker::Broker;
use loquet_tests::skip;
use serde_json::{Value, json};

use crate::world::{published, server};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The consumer in Rust, built.
fn in_rust() -> Command {
    let mut build = environment::cargo();
    // `cargo test` has built it already, with the features of the workspace.
    build.args(["build", "--quiet", "--workspace", "--example", "consumer", "--manifest-path"]);
    assert!(build.arg(root().join("Cargo.toml")).status().unwrap().success());
    let here = std::env::current_exe().unwrap();
    Command::new(here.parent().unwrap().parent().unwrap().join("examples/consumer"))
}

/// The consumer in JavaScript. Modules are looked for beside the script, so it is copied to where they are.
fn in_node(packages: &Path) -> Command {
    let script = packages.parent().unwrap().parent().unwrap().join("consumer.mjs");
    std::fs::copy(root().join("docs/consumers/consumer.mjs"), &script).unwrap();
    let mut node = Command::new("node");
    node.arg(script);
    node
}

#[tokio::test]
async fn the_consumers_of_the_guide_learn_the_same_and_lose_nothing_when_they_are_killed() {
    let name = "the_consumers_of_the_guide_learn_the_same_and_lose_nothing_when_they_are_killed";
    let Some(broker) = Broker::start(name) else { return };
    let Some(packages) = skip::unless_tool(name, "node_modules/@platformatic/kafka") else { return };
    let server = server(&broker).await;
    let mut accounts = Vec::new();
    for n in 1..=3 {
        accounts.push(server.active(n, &format!("p{n}@example.be"), "Bonjour2026!").await);
        for _ in 0..7 {
            server.login(&format!("p{n}@example.be"), "wrong").await;
        }
    }
    published(&server).await;
    let folder = tempfile::tempdir().unwrap();
    let consumers = |suffix: &str| -> Vec<(PathBuf, Command)> {
        let python = || {
            let mut python = broker.python();
            python.arg(root().join("docs/consumers/consumer.py"));
            python
        };
        let all: [(&str, Command); 3] =
            [("rust", in_rust()), ("python", python()), ("node", in_node(&packages))];
        let with = |(name, mut command): (&str, Command)| {
            let file = folder.path().join(format!("{name}.json"));
            command.arg(broker.brokers()).arg(&file).arg(suffix);
            (file, command)
        };
        all.into_iter().map(with).collect()
    };
    // Killed at some moment, and started again.
    for (_, mut command) in consumers("--once") {
        let mut child = command.spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(700)).await;
        drop(child.kill());
        child.wait().unwrap();
    }
    let learned = |what: &str, is_locked: [bool; 3]| {
        for (file, mut command) in consumers("--once") {
            let ran = command.output().unwrap();
            assert!(ran.status.success(), "{what}: {}", String::from_utf8_lossy(&ran.stderr));
            let state: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
            let locked = accounts.iter().map(|account| state["locked"].get(account).is_some());
            assert_eq!(locked.collect::<Vec<_>>(), is_locked, "{what}: {}: {state:#}", file.display());
        }
    };
    learned("after three lockouts", [true, true, true]);
    let release = format!("/v1/accounts/{}/release", accounts[1]);
    let released = server.service_post(&release, json!({ "reason": "asked" })).await;
    assert!(released.status.is_success(), "{}", released.text);
    server.successor(&accounts[2]).await;
    let erasure = format!("/v1/accounts/{}/erasure", accounts[2]);
    server.service_post(&erasure, json!({ "reason": "asked" })).await.expect(204);
    published(&server).await;
    learned("after a release and an erasure", [true, false, false]);
}
