//! Webhooks: the real program sends to a receiver that checks each delivery with the package of Standard Webhooks.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use loquet_tests::server::{Server, free_port, order};
use loquet_tests::skip;
use serde_json::Value;
use tempfile::TempDir;

/// A receiver on a free port.
struct Receiver {
    folder: TempDir,
    port: u16,
    child: Child,
}

impl Receiver {
    async fn start(test: &str) -> Option<Self> {
        let python = skip::unless_tool(test, "venv/bin/python3")?;
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("api/receiver.py");
        std::fs::write(folder.path().join("deliveries"), "").unwrap();
        std::fs::write(folder.path().join("secret"), "whsec_AAAA").unwrap();
        let mut receive = Command::new(python);
        let child = receive.arg(script).arg(port.to_string()).arg(folder.path()).spawn().unwrap();
        let receiver = Self { folder, port, child };
        receiver.answer("204");
        let begun = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(begun.elapsed() < Duration::from_secs(30), "the receiver does not start");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Some(receiver)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// How it answers from now on.
    fn answer(&self, mode: &str) {
        std::fs::write(self.file("mode"), mode).unwrap();
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hooks", self.port)
    }

    fn deliveries(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.file("deliveries")).unwrap();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Waits until the deliveries are as asked for. Returns them.
    async fn until(&self, what: &str, is_so: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let begun = Instant::now();
        loop {
            let deliveries = self.deliveries();
            if is_so(&deliveries) {
                return deliveries;
            }
            assert!(begun.elapsed() < Duration::from_mins(1), "{what}: {deliveries:#?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `loquet webhook …` beside the server.
fn try_webhook(server: &Server, arguments: &[&str]) -> (bool, String) {
    let ran = server
        .command()
        .arg("webhook")
        .args(arguments)
        .env("LOQUET_WEBHOOKS_ALLOWED_NETWORKS", NEAR)
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    (ran.status.success(), said)
}

#[track_caller]
fn webhook(server: &Server, arguments: &[&str]) -> String {
    let (well, said) = try_webhook(server, arguments);
    assert!(well, "{arguments:?}: {said}");
    said
}

/// Adds the receiver as a webhook, and gives it the secret. Returns the id.
#[track_caller]
fn add(server: &Server, receiver: &Receiver, more: &[&str]) -> String {
    let url = receiver.url();
    let added = webhook(server, &[&["add", &url, "--json"], more].concat());
    let added: Value = serde_json::from_str(&added).unwrap();
    std::fs::write(receiver.file("secret"), added["secret"].as_str().unwrap()).unwrap();
    added["webhook_id"].as_str().unwrap().to_owned()
}

const NEAR: &str = "127.0.0.0/8, ::1";

async fn server() -> Server {
    Server::with_variables(&[("LOQUET_WEBHOOKS_ALLOWED_NETWORKS", NEAR)]).await
}

async fn place(server: &Server, n: u32) {
    server.service_post("/v1/orders", order(n, n, &format!("p{n}@example.be"))).await.expect(201);
}

async fn public_events(server: &Server) -> Vec<Value> {
    let page = server.service_get("/v1/events?format=public&limit=200").await.expect(200).json();
    page["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_webhook_gets_every_event_signed_as_standard_webhooks_says() {
    let name = "a_webhook_gets_every_event_signed_as_standard_webhooks_says";
    let Some(receiver) = Receiver::start(name).await else { return };
    let server = server().await;
    place(&server, 1).await;
    // With the history, and then what happens.
    add(&server, &receiver, &["--after", "0"]);
    place(&server, 2).await;
    let events = public_events(&server).await;
    let got = receiver.until("all arrive", |got| got.len() >= events.len()).await;
    for event in &events {
        let delivery = got.iter().find(|delivery| delivery["id"] == event["id"]).unwrap();
        assert_eq!(delivery["event"], *event, "the same as the HTTP interface offers");
        assert_eq!(delivery["verified"], true, "{delivery:#}");
        assert_eq!(delivery["webhook_id"], event["id"]);
        assert_eq!(delivery["content_type"], "application/cloudevents+json");
    }
    let list = webhook(&server, &["list", "--json"]);
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!((list["dead"].as_u64(), list["waiting"].as_u64()), (Some(0), Some(0)), "{list:#}");
    let metrics = server.service_get("/metrics").await.text;
    let counted = format!("loquet_webhook_deliveries_total{{outcome=\"delivered\"}} {}", events.len());
    assert!(metrics.contains(&counted), "{metrics}");
}

/// Places orders until a delivery has that many signatures: the server notices a rotation within seconds, not at once.
/// A delivery that is under way at that moment is sent again.
async fn place_until_signed(server: &Server, receiver: &Receiver, signatures: u64) -> Value {
    let begun = Instant::now();
    loop {
        let n = u32::try_from(receiver.deliveries().len()).unwrap() + 1;
        place(server, n).await;
        let order = format!("SO-{n}");
        let is_it = |delivery: &&Value| delivery["event"]["data"]["order_id"] == order;
        let got = receiver.until("the event arrives", |got| got.iter().any(|one| is_it(&one))).await;
        let last = got.iter().rfind(is_it).unwrap();
        if last["signatures"] == signatures {
            return last.clone();
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "not {signatures} signatures: {got:#?}");
    }
}

#[tokio::test]
async fn a_rotated_secret_is_used_at_once_and_the_old_one_for_a_time_too() {
    let name = "a_rotated_secret_is_used_at_once_and_the_old_one_for_a_time_too";
    let Some(receiver) = Receiver::start(name).await else { return };
    let server = server().await;
    let id = add(&server, &receiver, &["--type", "loquet.company.registered.v1"]);
    let rotated: Value = serde_json::from_str(&webhook(&server, &["rotate", &id, "--json"])).unwrap();
    let new = rotated["secret"].as_str().unwrap().to_owned();
    let old = std::fs::read_to_string(receiver.file("secret")).unwrap();
    assert!(new.starts_with("whsec_") && new != old);
    let got = place_until_signed(&server, &receiver, 2).await;
    assert_eq!(got["verified"], true, "with the old one");
    assert_eq!(got["type"], "loquet.company.registered.v1", "and of no other type");
    std::fs::write(receiver.file("secret"), &new).unwrap();
    let got = place_until_signed(&server, &receiver, 2).await;
    assert_eq!(got["verified"], true, "with the new one");
    std::fs::write(receiver.file("secret"), &old).unwrap();
    webhook(&server, &["rotate", &id, "--keep-hours", "0"]);
    let got = place_until_signed(&server, &receiver, 1).await;
    assert_eq!(got["verified"], false, "the old one has ended");
}

#[tokio::test]
async fn a_delivery_that_fails_is_tried_again_though_the_server_is_killed_and_holds_up_no_other_webhook() {
    let name =
        "a_delivery_that_fails_is_tried_again_though_the_server_is_killed_and_holds_up_no_other_webhook";
    let (Some(failing), Some(well)) = (Receiver::start(name).await, Receiver::start(name).await) else {
        return;
    };
    let mut server = server().await;
    let only = ["--type", "loquet.company.registered.v1"];
    let id = add(&server, &failing, &only);
    add(&server, &well, &only);
    failing.answer("500");
    place(&server, 1).await;
    well.until("the other one gets it", |got| got.len() == 1).await;
    failing.until("it was tried", |got| !got.is_empty()).await;
    server.kill();
    failing.answer("204");
    server.restart().await;
    failing.until("it is tried again", |got| got.iter().any(|delivery| delivery["mode"] == "204")).await;
    // Given up: nine tries failed before.
    failing.answer("503");
    place(&server, 2).await;
    failing.until("it was tried", |got| got.iter().any(|delivery| delivery["mode"] == "503")).await;
    let store = rusqlite::Connection::open(server.folder.join("webhooks.db")).unwrap();
    store.busy_timeout(Duration::from_secs(10)).unwrap();
    let begun = Instant::now();
    while store.execute("UPDATE deliveries SET tries = 9, due_at = 0 WHERE tries = 1", []).unwrap() == 0 {
        assert!(begun.elapsed() < Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let listed = || webhook(&server, &["failing", &id, "--json"]);
    let begun = Instant::now();
    while !listed().contains("\"dead\":true") {
        assert!(begun.elapsed() < Duration::from_secs(30), "{}", listed());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(listed().contains("it answered 503"), "{}", listed());
    let begun = Instant::now();
    loop {
        let ready = server.service_get("/readyz").await.json();
        if ready["services"]["webhooks"].as_str().is_some_and(|said| said.contains("dead letters")) {
            assert_eq!(ready["ready"], true);
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{ready:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    failing.answer("204");
    assert!(webhook(&server, &["retry", &id]).contains("deliveries that are sent again now: 1"));
    let twice = |got: &[Value]| got.iter().filter(|delivery| delivery["mode"] == "204").count() == 2;
    failing.until("it arrives in the end", twice).await;
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_stopped_and_a_redirect_is_not_followed() {
    let name = "an_endpoint_that_is_gone_is_stopped_and_a_redirect_is_not_followed";
    let Some(receiver) = Receiver::start(name).await else { return };
    let server = server().await;
    let id = add(&server, &receiver, &["--type", "loquet.company.registered.v1"]);
    receiver.answer("redirect");
    place(&server, 1).await;
    receiver.until("it was tried", |got| got.len() == 1).await;
    receiver.answer("410");
    let got = receiver.until("it was tried again", |got| got.len() == 2).await;
    assert!(got.iter().all(|delivery| delivery["path"] == "/hooks"), "{got:#?}");
    let begun = Instant::now();
    while !webhook(&server, &["list"]).contains("410 Gone") {
        assert!(begun.elapsed() < Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    receiver.answer("204");
    place(&server, 2).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(receiver.deliveries().len(), 2, "a stopped webhook gets nothing");
    webhook(&server, &["retry", &id]);
    receiver.until("it goes on with both", |got| got.len() == 4).await;
    webhook(&server, &["remove", &id, "--yes"]);
    assert!(!webhook(&server, &["list"]).contains(&id));
}

/// The position of the only webhook, and the number of events after it.
fn position_and_lag(server: &Server) -> (u64, u64) {
    let list: Value = serde_json::from_str(&webhook(server, &["list", "--json"])).unwrap();
    (list["position"].as_u64().unwrap(), list["lag"].as_u64().unwrap())
}

/// Waits until the only webhook is at the end of the log. Returns its position.
async fn caught_up(server: &Server) -> u64 {
    let begun = Instant::now();
    loop {
        if let (position, 0) = position_and_lag(server) {
            return position;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", position_and_lag(server));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn an_operator_who_skips_events_while_others_are_sent_is_not_overruled() {
    let name = "an_operator_who_skips_events_while_others_are_sent_is_not_overruled";
    let Some(receiver) = Receiver::start(name).await else { return };
    let server = server().await;
    let id = add(&server, &receiver, &["--type", "loquet.company.registered.v1"]);
    receiver.answer("wait");
    place(&server, 1).await;
    receiver.until("the first is being sent", |got| got.len() == 1).await;
    // The server reads no further events until the first is answered.
    place(&server, 2).await;
    let (position, lag) = position_and_lag(&server);
    assert!(lag > 0, "the second order is not read yet");
    webhook(&server, &["set-position", "--yes", &id, &(position + lag).to_string()]);
    receiver.answer("204");
    caught_up(&server).await;
    place(&server, 3).await;
    let got = receiver.until("the third arrives", |got| got.len() >= 2).await;
    let events = public_events(&server).await;
    let registered: Vec<&Value> =
        events.iter().filter(|event| event["type"] == "loquet.company.registered.v1").collect();
    let ids: Vec<&Value> = got.iter().map(|delivery| &delivery["id"]).collect();
    assert_eq!(ids, [&registered[0]["id"], &registered[2]["id"]], "the second was skipped");
}

/// The server looks at its webhooks every two seconds. The position is set back between two looks, and nothing else happens.
#[tokio::test]
async fn events_are_sent_again_after_a_position_was_set_back_in_a_quiet_log() {
    let name = "events_are_sent_again_after_a_position_was_set_back_in_a_quiet_log";
    let Some(receiver) = Receiver::start(name).await else { return };
    let server = server().await;
    let id = add(&server, &receiver, &["--type", "loquet.company.registered.v1"]);
    for round in 0..3_u32 {
        let before = caught_up(&server).await;
        // The server has seen this position.
        tokio::time::sleep(Duration::from_secs(3)).await;
        let sent = receiver.deliveries().len();
        place(&server, round + 1).await;
        receiver.until("it arrives", |got| got.len() == sent + 1).await;
        webhook(&server, &["set-position", "--yes", &id, &before.to_string()]);
        receiver.until("it arrives again", |got| got.len() >= sent + 2).await;
    }
}

/// Without the setting, nothing is sent into the operator's network, whatever the URL or the name says.
#[tokio::test]
async fn events_are_not_sent_into_the_operators_network_unless_it_is_listed() {
    let name = "events_are_not_sent_into_the_operators_network_unless_it_is_listed";
    let Some(receiver) = Receiver::start(name).await else { return };
    let server = Server::start().await;
    let guarded = |url: &str| {
        let ran = server.command().args(["webhook", "add", url]).output().unwrap();
        (ran.status.success(), String::from_utf8_lossy(&ran.stderr).into_owned())
    };
    for (url, why) in [
        (receiver.url(), "not public"),
        (format!("https://127.0.0.1:{}/", receiver.port), "not public"),
        (format!("https://[::ffff:127.0.0.1]:{}/", receiver.port), "not public"),
        (format!("https://2130706433:{}/", receiver.port), "not public"),
        ("http://example.com/".to_owned(), "needs https"),
        ("nonsense".to_owned(), "is no URL"),
    ] {
        let (well, said) = guarded(&url);
        assert!(!well && said.contains(why), "{url}: {said}");
    }
    // A name is judged by its addresses, when the connection is made.
    let name = format!("https://localhost:{}/", receiver.port);
    assert!(guarded(&name).0);
    // What was allowed once is refused when it is no longer.
    add(&server, &receiver, &[]);
    place(&server, 1).await;
    let begun = Instant::now();
    loop {
        let ids = webhook(&server, &["list", "--json"]);
        let ids = ids.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let failing: Vec<String> =
            ids.map(|row| webhook(&server, &["failing", row["webhook_id"].as_str().unwrap()])).collect();
        if failing.iter().all(|said| said.contains("not public")) {
            assert!(failing[0].contains("the name localhost leads to"), "{failing:?}");
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{failing:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(receiver.deliveries().len(), 0);
}

/// A log that was put back and went on has other events at the same positions. No event of it is passed over unnoticed.
#[tokio::test]
async fn a_webhook_notices_that_the_log_was_put_back_and_went_on() {
    let name = "a_webhook_notices_that_the_log_was_put_back_and_went_on";
    let Some(receiver) = Receiver::start(name).await else { return };
    let mut server = server().await;
    let id = add(&server, &receiver, &["--type", "loquet.company.registered.v1"]);
    place(&server, 1).await;
    receiver.until("the first arrives", |got| got.len() == 1).await;
    server.stop();
    let backup = tempfile::tempdir().unwrap();
    let files = ["log.db", "keys.db", "views.db", "reactions.db"];
    for file in files {
        std::fs::copy(server.folder.join(file), backup.path().join(file)).unwrap();
    }
    server.restart().await;
    place(&server, 2).await;
    receiver.until("the second arrives", |got| got.len() == 2).await;
    server.stop();
    for file in files {
        for rest in ["", "-wal", "-shm"] {
            drop(std::fs::remove_file(server.folder.join(format!("{file}{rest}"))));
        }
        std::fs::copy(backup.path().join(file), server.folder.join(file)).unwrap();
    }
    // Otherwise the server would notice that the log contradicts its last checkpoint.
    std::fs::remove_dir_all(server.folder.join("proof")).unwrap();
    // The log goes on before a server looks at the webhooks.
    let orders = server.folder.with_extension("orders");
    let lines: String = (10..15).map(|n| format!("{}\n", order(n, n, &format!("p{n}@example.be")))).collect();
    std::fs::write(&orders, lines).unwrap();
    let imported = server.command().args(["order", "import"]).arg(&orders).output().unwrap();
    assert!(imported.status.success(), "{imported:?}");
    server.restart().await;
    let begun = Instant::now();
    while !webhook(&server, &["list"]).contains("the log has another event than before") {
        assert!(begun.elapsed() < Duration::from_secs(30), "{}", webhook(&server, &["list"]));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    webhook(&server, &["set-position", "--yes", &id, "0"]);
    receiver.until("the history of this log arrives", |got| got.len() == 2 + 6).await;
}
