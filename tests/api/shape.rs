//! Requests of a wrong shape, and what HTTP itself asks of a server.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use loquet_tests::server::{Answer, Server, order, token_in};
use reqwest::Method;
use serde_json::{Value, json};

const PASSWORD: &str = "Boulange7!";

async fn ask(server: &Server, method: Method, path: &str, language: &str, body: Option<&Value>) -> Answer {
    let request = server.client.request(method, format!("{}{path}", server.url)).bearer_auth(server.token());
    let mut request = request.header("accept-language", language);
    if let Some(body) = body {
        request = request.json(body);
    }
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    Answer { status, headers, text: answer.text().await.unwrap() }
}

#[track_caller]
fn rules(answer: &Answer) -> Vec<String> {
    let errors = answer.json()["errors"].as_array().cloned().unwrap_or_default();
    let rule = |fault: &Value| format!("{} {}", fault["pointer"], fault["rule"]).replace('"', "");
    let mut rules: Vec<_> = errors.iter().map(rule).collect();
    rules.sort_unstable();
    rules
}

/// The answer to bytes that no client library would send.
fn raw(server: &Server, request: &str) -> String {
    let mut stream = TcpStream::connect(server.url.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test]
async fn a_body_of_the_wrong_shape_is_told_every_fault_in_the_readers_language() {
    let server = Server::start().await;
    let mut wrong = order(1, 1, "marie@example.be");
    wrong["channel"] = json!("onlin");
    wrong["emial"] = json!("x");
    wrong["contact"].as_object_mut().unwrap().remove("email");
    wrong["lines"][0]["quantity"] = json!("two");
    for (language, word) in [("en", "required"), ("fr", "obligatoire"), ("nl", "verplicht")] {
        let answer = ask(&server, Method::POST, "/v1/orders", language, Some(&wrong)).await.expect(400);
        let expected = [
            "/channel value-unknown",
            "/contact/email field-missing",
            "/emial field-unknown",
            "/lines/0/quantity type-integer",
        ];
        assert_eq!(rules(&answer), expected);
        assert!(answer.text.contains(word) && answer.text.contains("online, offline"), "{}", answer.text);
        for english_of_a_library in ["missing field", "unknown variant", "expected", "did not match"] {
            assert!(!answer.text.contains(english_of_a_library), "{}", answer.text);
        }
    }
    let answer = ask(&server, Method::POST, "/v1/orders", "en", Some(&json!([]))).await.expect(400);
    assert_eq!(rules(&answer), [" type-object"]);
}

#[tokio::test]
async fn a_query_and_a_path_of_the_wrong_shape_are_told_every_fault_and_nothing_else() {
    let server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    let answer = ask(&server, Method::GET, "/v1/accounts?emial=x&limit=many", "fr", None).await.expect(400);
    assert_eq!(rules(&answer), ["?emial parameter-unknown", "?limit type-integer"]);
    assert!(answer.text.contains("paramètres connus") && answer.text.contains("email"), "{}", answer.text);
    assert!(!answer.text.contains("marie@example.be"), "{}", answer.text);
    let answer = ask(&server, Method::GET, "/v1/accounts/me", "nl", None).await.expect(400);
    assert_eq!(rules(&answer), ["{account_id} format-uuid"]);
    assert!(answer.text.contains("UUID"), "{}", answer.text);
}

#[tokio::test]
async fn callers_read_what_they_wrote_without_asking_for_a_position() {
    let server = Server::start().await;
    for n in 1..40 {
        server.service_post("/v1/orders", order(n, n, &format!("p{n}@example.be"))).await.expect(201);
        server.service_get(&format!("/v1/orders/SO-{n}")).await.expect(200);
        let found = server.service_get(&format!("/v1/accounts?email=p{n}@example.be")).await.expect(200);
        assert_eq!(found.json()["items"].as_array().unwrap().len(), 1, "order {n}: {}", found.text);
    }
}

#[tokio::test]
async fn a_compressed_body_and_a_form_that_is_none_are_refused_with_a_problem() {
    let server = Server::start().await;
    let request = server.client.post(format!("{}/v1/logins", server.url)).header("content-encoding", "gzip");
    let answer = request.header("content-type", "application/json").body("x").send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.headers()["accept-encoding"].as_bytes()),
        (415, &b"identity"[..])
    );
    assert!(answer.text().await.unwrap().contains("urn:loquet:problem:content-coding"));
    let answer =
        server.client.post(format!("{}/activate", server.url)).json(&json!({})).send().await.unwrap();
    assert_eq!(answer.status(), 415);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
}

#[tokio::test]
async fn a_request_names_one_host_and_options_says_which_methods_there_are() {
    let server = Server::start().await;
    for (hosts, status) in
        [("Host: localhost\r\nHost: localhost\r\n", "400"), ("", "400"), ("Host: localhost\r\n", "200")]
    {
        let answer = raw(&server, &format!("GET /healthz HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{hosts:?}: {answer}");
    }
    for path in ["/readyz", "*"] {
        let answer =
            raw(&server, &format!("OPTIONS {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
        let head = answer.to_lowercase();
        assert!(head.starts_with("http/1.1 204") && head.contains("allow: get,head"), "{path}: {answer}");
    }
}

#[tokio::test]
async fn an_activation_link_that_is_opened_again_says_that_the_account_is_active() {
    let server = Server::start().await;
    server.service_post("/v1/orders", order(1, 1, "marie@example.be")).await.expect(201);
    let token = token_in(&server.mail("marie@example.be", "Confirmez", 1).await);
    let url = format!("{}/activate", server.url);
    for said in ["Your password is set", "Your account is active"] {
        let form = server.client.post(&url).header("accept-language", "en");
        let fields = format!("token={token}&password={}", PASSWORD.replace('!', "%21"));
        let form = form.header("content-type", "application/x-www-form-urlencoded").body(fields);
        let answer = form.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let page = answer.text().await.unwrap();
        assert!(page.contains(said) && page.contains("log in"), "{page}");
    }
    let again = server.client.get(format!("{url}?token={token}")).header("accept-language", "en");
    let page = again.send().await.unwrap().text().await.unwrap();
    assert!(page.contains("Your account is active"), "{page}");
    // The style sheet is found beside the page, whatever path a proxy puts before it.
    assert!(page.contains(r#"href="assets/style-"#), "{page}");
}

#[tokio::test]
async fn a_heartbeat_of_the_event_stream_carries_the_position_and_no_proxy_buffers_it() {
    let server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    let head =
        server.service_get("/v1/events?limit=1").await.expect(200).json()["position"].as_u64().unwrap();
    let url = format!("{}/v1/events?type=takeover-opened", server.url);
    let request = server.client.get(url).bearer_auth(server.token()).header("accept", "text/event-stream");
    let mut answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["x-accel-buffering"], "no");
    let beat = tokio::time::timeout(Duration::from_secs(40), answer.chunk()).await.unwrap().unwrap().unwrap();
    let beat = std::str::from_utf8(&beat).unwrap();
    let id = beat.lines().find_map(|line| line.strip_prefix("id:")).unwrap().trim();
    assert!(id.parse::<u64>().unwrap() >= head && !beat.contains("data"), "{beat}");
}

/// Several steps read a query: its shape, the past that it asks about, and the rules of the list. All are told at once.
#[tokio::test]
async fn every_fault_of_a_query_is_told_at_once_whichever_step_finds_it() {
    let server = Server::start().await;
    let pointers = async |path: &str| {
        let refused = server.service_get(path).await.expect(400).json();
        let errors = refused["errors"].as_array().unwrap().clone();
        let mut all: Vec<_> =
            errors.iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect();
        all.sort_unstable();
        all
    };
    let told = pointers("/v1/accounts?status=foo&limit=0&sort=zzz&company=nope&at_least=x&as_of=y").await;
    assert_eq!(told, ["?as_of", "?at_least", "?company", "?limit", "?sort", "?status"]);
    let told = pointers("/v1/accounts/nope?at_least=-1").await;
    assert_eq!(told, ["?at_least", "{account_id}"]);
    let told = pointers("/v1/accounts?limit=0&sort=zzz").await;
    assert_eq!(told, ["?limit", "?sort"], "each fault once");
    let told = pointers("/v1/accounts?email=a&email=b").await;
    assert_eq!(told, ["?email"]);
    let refused = server.service_get("/v1/events?type=nope").await.expect(400);
    assert!(refused.text.contains("account-locked"), "the known types are named: {}", refused.text);
}
