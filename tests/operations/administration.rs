//! What operators do to the system itself is in the log, with who and when.

use std::process::Command;
use std::time::{Duration, Instant};

use loquet_tests::server::{Server, binary, order};
use serde_json::Value;

fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The acts of administration in the log, the first one first.
fn acts(server: &Server) -> Vec<Value> {
    let log = said(server.command().args(["events", "tail", "--after", "0", "--json"]));
    let events = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    events.filter(|event| event["stream"] == "administration-system").collect()
}

/// Waits until the log has so many acts of this name. Returns the last one.
async fn until(server: &Server, name: &str, count: usize) -> Value {
    let begun = Instant::now();
    loop {
        let acts = acts(server);
        let named: Vec<_> = acts.iter().filter(|act| act["type"] == name).collect();
        if named.len() == count {
            return named[count - 1].clone();
        }
        assert!(named.len() < count, "{named:#?}");
        assert!(begun.elapsed() < Duration::from_secs(30), "{name}: {acts:#?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn what_operators_do_is_in_the_log_once_with_who_and_when() {
    let mut server = Server::start().await;
    let policies = until(&server, "policies-put-in-force", 1).await;
    assert_eq!(policies["data"]["policies"]["lockout_attempts"], 7);
    assert_eq!(policies["actor"]["kind"], "operator");
    let key = until(&server, "server-key-put-in-use", 1).await;
    assert_eq!(key["data"]["key"]["generation"], 1);
    assert_eq!(until(&server, "token-created", 1).await["data"]["name"], "dev");

    // Beside the server.
    let scope = ["token", "create", "--name", "web shop", "--scope", "orders:write"];
    said(server.command().args(scope));
    let made = until(&server, "token-created", 2).await;
    let me = said(Command::new("id").arg("-un"));
    assert_eq!((&made["data"]["name"], &made["data"]["by"]), (&"web shop".into(), &me.trim().into()));
    assert!(!made.to_string().contains("lqt_"), "the log holds no secret: {made}");
    let id = made["data"]["token_id"].as_str().unwrap().to_owned();
    said(server.command().args(["token", "rotate", &id]));
    let rotated = until(&server, "token-rotated", 1).await;
    assert_eq!(rotated["data"]["first_token_id"], made["data"]["token_id"]);
    said(server.command().args(["token", "revoke", "--yes", &id]));
    let revoked = until(&server, "token-revoked", 1).await;
    assert_eq!((&revoked["data"]["token_id"], &revoked["data"]["by"]), (&id.into(), &me.trim().into()));

    // A rotation, with its reason. The server notices it.
    said(server.command().args(["keys", "rotate", "--compromised", "--yes"]));
    let key = until(&server, "server-key-put-in-use", 2).await;
    assert_eq!(key["data"]["key"]["generation"], 2);
    assert_eq!(key["data"]["key"]["compromised"], true);
    assert_eq!(key["data"]["key"]["rotated_by"], me.trim());

    // While no server runs. Another policy is an act, and a start with the same one is none.
    server.service_post("/v1/orders", order(1, 1, "p1@example.be")).await.expect(201);
    server.stop();
    said(server.command().args(["token", "create", "--staff", "Sofie Maes", "--role", "support"]));
    server.restart().await;
    let made = until(&server, "token-created", 3).await;
    assert_eq!((&made["data"]["role"], &made["data"]["name"]), (&"support".into(), &"Sofie Maes".into()));
    until(&server, "policies-put-in-force", 1).await;

    // A backup that is restored.
    let elsewhere = tempfile::tempdir().unwrap();
    let (backup, restored) = (elsewhere.path().join("backup"), elsewhere.path().join("var"));
    said(server.command().arg("backup").arg(&backup));
    let mut restore = Command::new(binary());
    said(restore.env_clear().arg("--data-dir").arg(&restored).arg("restore").arg(&backup));
    for name in ["server.key", "dev-token"] {
        std::fs::copy(server.folder.join(name), restored.join(name)).unwrap();
    }
    server.stop();
    let before = acts(&server).len();
    let restored = Server::over(restored, &["--lockout-attempts", "5"]).await;
    let act = until(&restored, "backup-restored", 1).await;
    assert_eq!(act["data"]["restore"]["restored_by"], me.trim());
    assert!(act["data"]["restore"]["position"].as_u64().unwrap() > 0, "{act:#}");
    let policies = until(&restored, "policies-put-in-force", 2).await;
    assert_eq!(policies["data"]["policies"]["lockout_attempts"], 5);
    assert_eq!(acts(&restored).len(), before + 2, "and nothing else");
}
