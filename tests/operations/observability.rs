//! What the program tells whoever watches it: metrics, the dashboard and alerts made of them, traces.
#![expect(clippy::float_cmp, reason = "what is counted is whole, and a float holds it exactly")]

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use loquet_tests::server::{Server, free_port, order};
use reqwest::Method;

const PASSWORD: &str = "Boulange7!";

async fn metrics(server: &Server) -> String {
    server.service_get("/metrics").await.expect(200).text
}

#[track_caller]
fn value(metrics: &str, name: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.unwrap_or_else(|| panic!("no {name} in\n{metrics}")).parse().unwrap()
}

#[tokio::test]
async fn the_metrics_answer_what_an_operator_asks() {
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let server = Server::start_with(&["--metrics-listen", &listen]).await;
    server.active(1, "marie@example.be", PASSWORD).await;
    server.login("marie@example.be", PASSWORD).await.expect(201);
    for _ in 0..7 {
        server.login("marie@example.be", "Wrong1!!").await.expect(401);
    }
    server.login("marie@example.be", PASSWORD).await.expect(423);
    server.login("nobody@example.be", PASSWORD).await.expect(401);
    let told = metrics(&server).await;
    for (name, expected) in [
        ("loquet_logins_total{outcome=\"succeeded\"}", 1.0),
        ("loquet_logins_total{outcome=\"refused\"}", 8.0),
        ("loquet_logins_total{outcome=\"locked\"}", 1.0),
        ("loquet_events_total{type=\"account-locked\"}", 1.0),
        ("loquet_events_total{type=\"login-failed\"}", 7.0),
        ("loquet_hash_waiting", 0.0),
        ("loquet_http_requests_total{method=\"POST\",route=\"/v1/logins\",status=\"423\"}", 1.0),
        ("loquet_view_stopped{view=\"accounts\"}", 0.0),
        ("loquet_mails{state=\"dead\"}", 0.0),
    ] {
        assert_eq!(value(&told, name), expected, "{name}");
    }
    // Five hashes at the start, which tell how long one takes; one to activate, one a login that was judged: nine, and none
    // while it was locked.
    assert_eq!(value(&told, "loquet_hash_seconds_count"), 15.0);
    assert!(value(&told, "loquet_append_seconds_count") > 10.0);
    assert!(value(&told, "loquet_resident_memory_bytes") > 1e6);
    assert!(told.ends_with("# EOF\n"));
    assert!(!told.contains("example.be"));
    assert_eq!(server.send(Method::GET, "/metrics", None, None).await.status, 401);
    let open = server.client.get(format!("http://{listen}/metrics")).send().await.unwrap();
    assert_eq!(open.status(), 200, "on an address of its own, without a token");
    assert_eq!(server.client.get(format!("http://{listen}/v1/accounts")).send().await.unwrap().status(), 404);
}

/// Every metric that the dashboard and the alerts name, by its base name.
fn named(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in text.match_indices("loquet_") {
        let name: String =
            text[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        names.insert(name);
    }
    names
}

#[tokio::test]
async fn the_dashboard_and_the_alerts_name_only_metrics_that_there_are() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/monitoring");
    let server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    server.login("marie@example.be", PASSWORD).await.expect(201);
    let told = metrics(&server).await;
    let known: BTreeSet<_> =
        told.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let is_known = |name: &str| {
        let base =
            ["_total", "_bucket", "_sum", "_count", "_info"].iter().find_map(|end| name.strip_suffix(end));
        known.contains(name) || base.is_some_and(|base| known.contains(base))
    };
    for file in ["dashboard.json", "alerts.yml"] {
        let text = std::fs::read_to_string(docs.join(file)).unwrap();
        let names = named(&text);
        assert!(names.len() > 8, "{file} shows {names:?}");
        for name in names {
            assert!(is_known(&name), "{file} names {name}, which there is not");
        }
    }
    let dashboard: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(docs.join("dashboard.json")).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let charts = panels.iter().filter(|panel| panel["type"] != "row");
    assert!(charts.clone().count() > 8);
    assert!(charts.clone().all(|panel| !panel["targets"].as_array().unwrap().is_empty()));
}

/// A collector of traces: takes what is posted and says yes.
fn collector() -> (u16, mpsc::Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = Vec::new();
            let mut chunk = [0; 8192];
            loop {
                let text = String::from_utf8_lossy(&request).into_owned();
                let head = text.find("\r\n\r\n");
                let length = text
                    .to_lowercase()
                    .split("content-length: ")
                    .nth(1)
                    .map(|rest| rest.lines().next().unwrap().parse::<usize>().unwrap());
                if let (Some(head), Some(length)) = (head, length)
                    && request.len() >= head + 4 + length
                {
                    break;
                }
                match stream.read(&mut chunk) {
                    Ok(0) | Err(_) => break,
                    Ok(read) => request.extend_from_slice(&chunk[..read]),
                }
            }
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let first = String::from_utf8_lossy(&request).lines().next().unwrap_or_default().to_owned();
            if sender.send((first, request)).is_err() {
                return;
            }
        }
    });
    (port, receiver)
}

#[tokio::test]
async fn metrics_that_cannot_be_told_do_not_hide_the_others() {
    let server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    assert_eq!(value(&metrics(&server).await, "loquet_scrape_failed{part=\"mails\"}"), 0.0);
    let journal = rusqlite::Connection::open(server.folder.join("reactions.db")).unwrap();
    journal.execute("ALTER TABLE mails RENAME TO elsewhere", []).unwrap();
    let told = metrics(&server).await;
    assert_eq!(value(&told, "loquet_scrape_failed{part=\"mails\"}"), 1.0);
    assert_eq!(value(&told, "loquet_scrape_failed{part=\"log\"}"), 0.0);
    assert!(value(&told, "loquet_log_position") > 3.0);
    journal.execute("ALTER TABLE elsewhere RENAME TO mails", []).unwrap();
    assert_eq!(value(&metrics(&server).await, "loquet_scrape_failed{part=\"mails\"}"), 0.0);
}

/// Traces go out over OTLP/HTTP, join those of whoever called, and name nobody.
#[tokio::test(flavor = "multi_thread")]
async fn traces_are_sent_where_the_setting_says_and_join_the_callers() {
    let (port, received) = collector();
    let endpoint = format!("http://127.0.0.1:{port}/v1/traces");
    let mut server =
        Server::start_with(&["--tracing-otlp-endpoint", &endpoint, "--tracing-share", "1"]).await;
    server.active(1, "marie@example.be", PASSWORD).await;
    let (trace, made_up) = ("0af7651916cd43dd8448eb211c80319c", "1bf7651916cd43dd8448eb211c80319d");
    let order_as = async |token: &str, trace: &str| {
        let request = server.client.post(format!("{}/v1/orders", server.url)).bearer_auth(token);
        let request = request.header("traceparent", format!("00-{trace}-b7ad6b7169203331-01"));
        request.json(&order(2, 2, "jan@example.be")).send().await.unwrap().status()
    };
    assert_eq!(order_as("lqt_made-up", made_up).await, 401);
    assert_eq!(order_as(&server.token(), trace).await, 201);
    server.login("marie@example.be", PASSWORD).await.expect(201);
    server.stop();
    let mut all = Vec::new();
    while let Ok((first, body)) = received.recv_timeout(Duration::from_secs(5)) {
        assert_eq!(first, "POST /v1/traces HTTP/1.1");
        all.extend(body);
        if all.windows(4).any(|window| window == b"hash") {
            break;
        }
    }
    let contains = |needle: &[u8]| all.windows(needle.len()).any(|window| window == needle);
    for span in ["request", "append", "hash", "/v1/logins", "loquet"] {
        assert!(contains(span.as_bytes()), "no {span} in what was sent");
    }
    let id = |trace: &str| -> Vec<u8> {
        (0..16).map(|n| u8::from_str_radix(&trace[n * 2..n * 2 + 2], 16).unwrap()).collect()
    };
    assert!(contains(&id(trace)), "the caller's trace goes on here");
    assert!(!contains(&id(made_up)), "a stranger's does not");
    assert!(!contains(b"example.be") && !contains(PASSWORD.as_bytes()));
}
