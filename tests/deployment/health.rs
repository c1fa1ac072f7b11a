//! `loquet health`, which asks a running server from a script or a container.

use std::path::Path;
use std::process::{Command, Output};

use loquet_tests::server::{Server, order};

use super::{loquet, run};

fn ask(server: &Server, arguments: &[&str]) -> Output {
    loquet().args(["health", "--url", &server.url]).args(arguments).output().unwrap()
}

#[tokio::test]
async fn an_exit_code_tells_whether_a_server_is_ready() {
    let mut server = Server::start().await;
    let ready = ask(&server, &[]);
    assert_eq!(ready.status.code(), Some(0));
    assert_eq!(String::from_utf8(ready.stdout).unwrap(), format!("{}: the server is ready\n", server.url));
    assert_eq!(ask(&server, &["--live"]).status.code(), Some(0));
    // Its own configuration says where it listens. Faults of other settings, and proxies, do not matter.
    let listen = format!("0.0.0.0:{}", server.port);
    let mut own = loquet();
    own.arg("health").env("LOQUET_HTTP_LISTEN", listen).env("LOQUET_SMTP_PORT", "nonsense");
    assert_eq!(
        run(own.env("HTTP_PROXY", "http://127.0.0.1:1")),
        format!("{}: the server is ready\n", server.url)
    );
    // Something else is listening there.
    let other = loquet().args(["health", "--url", &format!("{}/v1", server.url)]).output().unwrap();
    let said = String::from_utf8(other.stderr).unwrap();
    assert!(other.status.code() == Some(1) && said.contains("is this a Loquet server?"), "{said}");
    server.stop();
    let gone = ask(&server, &[]);
    let said = String::from_utf8(gone.stderr).unwrap();
    assert!(gone.status.code() == Some(1) && said.contains("no answer"), "{said}");
}

/// Waits until the server has looked at its key file, which it does every two seconds.
async fn becomes(server: &Server, code: i32) {
    for _ in 0..100 {
        if ask(server, &[]).status.code() == Some(code) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the exit code does not become {code}: {}", server.errors());
}

fn put(key: &str, path: &Path) {
    let unfinished = path.with_extension("unfinished");
    std::fs::write(&unfinished, key).unwrap();
    std::fs::rename(unfinished, path).unwrap();
}

/// docs/operations.md, "Rotating the server key": nodes that get the key from a secret can't write it.
#[tokio::test]
async fn a_server_that_gets_its_key_from_elsewhere_is_ready_throughout_a_rotation() {
    let folder = tempfile::tempdir().unwrap();
    let (held, copy) = (folder.path().join("held.key"), folder.path().join("copy.key"));
    let server = Server::start_with(&["--server-key-file", held.to_str().unwrap()]).await;
    let mut orders = 0;
    let mut works = async |when: &str| {
        orders += 1;
        let answer =
            server.service_post("/v1/orders", order(orders, 1, &format!("p{orders}@example.be"))).await;
        assert_eq!(answer.status, 201, "{when}: {}", answer.text);
        assert_eq!(ask(&server, &[]).status.code(), Some(0), "{when}");
    };
    works("before").await;
    let old = std::fs::read_to_string(&held).unwrap();
    let random = run(Command::new("openssl").args(["rand", "-base64", "32"]));
    put(&format!("{random}{old}"), &held);
    put(&format!("{random}{old}"), &copy);
    works("with the new key above the old one").await;
    let rotate = ["--server-key-file", copy.to_str().unwrap(), "keys", "rotate"];
    run(server.command().args(rotate));
    assert_eq!(std::fs::read_to_string(&copy).unwrap(), random, "the old key is gone");
    works("after the rotation").await;
    put(&random, &held);
    works("with the new key alone").await;
    // Without the first step, the server does not know the new key. It runs, but it is not ready until it gets the key.
    run(server.command().args(rotate));
    becomes(&server, 1).await;
    assert_eq!(ask(&server, &["--live"]).status.code(), Some(0));
    put(&std::fs::read_to_string(&copy).unwrap(), &held);
    becomes(&server, 0).await;
    works("with the key that it missed").await;
}
