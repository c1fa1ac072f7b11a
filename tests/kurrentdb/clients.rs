//! Clients in other languages, which nobody of this project wrote, find the server of the tests as its documentation
//! describes the real one.

use std::path::{Path, PathBuf};
use std::process::Command;

use loquet_event_store_server::Options;
use loquet_tests::kurrentdb_server::KurrentServer;
use loquet_tests::skip;

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("kurrentdb").join(name)
}

#[track_caller]
fn steps(mut client: Command) -> Vec<String> {
    let ran = client.output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(ran.status.success(), "after {said}: {}", String::from_utf8_lossy(&ran.stderr));
    said.lines().map(ToOwned::to_owned).collect()
}

/// A node, and three nodes of ours. With a real server it alone is asked.
fn servers(test: &str) -> Vec<KurrentServer> {
    let first = KurrentServer::fresh();
    let three = Options { ports: vec![0; 3], ..Options::default() };
    let three = if first.is_real() { None } else { KurrentServer::start(test, three) };
    [Some(first), three].into_iter().flatten().collect()
}

#[test]
fn the_client_for_python_finds_the_server_as_it_expects_one() {
    let test = "kurrentdb_python";
    let Some(python) = skip::unless_tool(test, "venv/bin/python3") else { return };
    for server in servers(test) {
        let mut client = Command::new(&python);
        client.arg(script("client.py")).args([server.url(), server.prefix()]);
        assert_eq!(
            steps(client),
            [
                "append",
                "conflict",
                "repeat",
                "single events",
                "read a stream",
                "read the log",
                "subscribe",
                "metadata",
                "delete",
                "gossip"
            ]
        );
    }
}

#[test]
fn the_client_for_node_finds_the_server_as_it_expects_one() {
    let test = "kurrentdb_node";
    let Some(package) = skip::unless_tool(test, "node_modules/@kurrent/kurrentdb-client") else { return };
    if !skip::unless_installed(test, "node") {
        return;
    }
    let packages = package.ancestors().nth(3).unwrap();
    for server in servers(test) {
        let mut client = Command::new("node");
        client.arg(script("client.mjs")).arg(packages).args([server.url(), server.prefix()]);
        assert_eq!(
            steps(client),
            [
                "append",
                "conflict",
                "repeat",
                "read a stream",
                "read the log",
                "subscribe",
                "metadata",
                "delete"
            ]
        );
    }
}
