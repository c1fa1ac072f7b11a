//! The API as programs use it: following events, pages, tags, tokens, limits.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use loquet_tests::server::{Answer, Server, order};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

const PASSWORD: &str = "Boulange7!";

/// The answer to a request with headers of its own.
async fn ask(
    server: &Server,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&Value>,
) -> Answer {
    let mut request =
        server.client.request(method, format!("{}{path}", server.url)).bearer_auth(server.token());
    request = request.header("accept-language", "en");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if let Some(body) = body {
        request = request.json(body);
    }
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    Answer { status, headers, text: answer.text().await.unwrap() }
}

/// Server-sent events, one after the other.
struct Follower {
    answer: reqwest::Response,
    held: String,
}

impl Follower {
    async fn begin(server: &Server, query: &str, last: Option<u64>) -> Self {
        Self::begin_with(server, &server.token(), query, last).await
    }

    async fn begin_with(server: &Server, token: &str, query: &str, last: Option<u64>) -> Self {
        let request = server.client.get(format!("{}/v1/events{query}", server.url)).bearer_auth(token);
        let mut request = request.header("accept", "text/event-stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/event-stream"));
        Self { answer, held: String::new() }
    }

    /// The next event's id, type and data; none once the server has ended the stream.
    async fn next(&mut self) -> Option<(u64, String, Value)> {
        loop {
            if let Some((event, rest)) = self.held.split_once("\n\n") {
                let field =
                    |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
                // A heartbeat has an id and no data.
                let found = field("id:").zip(field("data:")).map(|(id, data)| {
                    let data = serde_json::from_str(data).unwrap();
                    (id.parse().unwrap(), field("event:").unwrap().to_owned(), data)
                });
                self.held = rest.to_owned();
                if found.is_some() {
                    return found;
                }
                continue;
            }
            let chunk = tokio::time::timeout(Duration::from_secs(30), self.answer.chunk()).await.unwrap();
            self.held += std::str::from_utf8(&chunk.unwrap()?).unwrap();
        }
    }
}

/// The public events are the same in a page and in a stream, and have their own types.
#[tokio::test]
async fn the_public_events_come_in_pages_and_as_they_happen() {
    let server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    let page = server.service_get("/v1/events?format=public&limit=200").await.expect(200).json();
    let items = page["items"].as_array().unwrap();
    assert!(items.len() > 5, "{page:#}");
    let mut follower = Follower::begin(&server, "?format=public", None).await;
    for item in items {
        let (id, name, data) = follower.next().await.unwrap();
        let position: u64 = item["sequence"].as_str().unwrap().parse().unwrap();
        assert_eq!((id, name.as_str(), &data), (position, item["type"].as_str().unwrap(), item));
    }
    let mut failures =
        Follower::begin(&server, "?format=public&type=loquet.account.login-failed.v1", None).await;
    server.login("marie@example.be", "wrong").await.expect(401);
    let (_, name, data) = failures.next().await.unwrap();
    assert_eq!((name.as_str(), &data["data"]["failures"]), ("loquet.account.login-failed.v1", &json!(1)));
    let refused = server.service_get("/v1/events?format=xml&type=login-failed").await.expect(400).text;
    assert!(refused.contains("stored, public"), "{refused}");
    // A type may be named in either format.
    for format in ["public", "stored"] {
        let of = async |name: &str| {
            let path = format!("/v1/events?format={format}&type={name}");
            server.service_get(&path).await.expect(200).json()["items"].clone()
        };
        let named = of("login-failed").await;
        assert_eq!(named.as_array().unwrap().len(), 1, "{named}");
        assert_eq!(named, of("loquet.account.login-failed.v1").await);
    }
    server.service_get("/v1/events?type=loquet.account.locked.v2").await.expect(400);
}

#[tokio::test]
async fn a_program_follows_the_events_across_a_break_and_a_restart_without_gap_or_repetition() {
    let mut server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    let mut seen = Vec::new();
    let mut follower = Follower::begin(&server, "", None).await;
    for _ in 0..4 {
        seen.push(follower.next().await.unwrap());
    }
    drop(follower);
    // From where it was; then live.
    let mut follower = Follower::begin(&server, "", Some(seen.last().unwrap().0)).await;
    let login = server.login("marie@example.be", PASSWORD).await.expect(201).position();
    while seen.last().unwrap().0 < login {
        seen.push(follower.next().await.unwrap());
    }
    assert!(seen.iter().any(|(_, name, _)| name == "login-succeeded"));
    server.terminate();
    let stopping = Instant::now();
    assert_eq!(follower.next().await, None, "a stop ends the stream");
    server.wait();
    assert!(stopping.elapsed() < Duration::from_secs(10), "who follows does not hold a stop up");
    server.restart().await;
    let mut follower = Follower::begin(&server, "", Some(seen.last().unwrap().0)).await;
    let last = server.login("marie@example.be", PASSWORD).await.expect(201).position();
    while seen.last().unwrap().0 < last {
        seen.push(follower.next().await.unwrap());
    }
    let ids: Vec<u64> = seen.iter().map(|(id, ..)| *id).collect();
    assert_eq!(ids, (1..=last).collect::<Vec<_>>());
    assert!(seen.iter().all(|(id, _, data)| data["position"] == *id && data.get("personal").is_none()));
    let mut failures = Follower::begin(&server, "?type=login-failed,account-locked", Some(last)).await;
    for _ in 0..7 {
        server.login("marie@example.be", "Wrong1!!").await.expect(401);
    }
    let mut types = Vec::new();
    for _ in 0..8 {
        types.push(failures.next().await.unwrap().1);
    }
    assert_eq!(types, [vec!["login-failed"; 7], vec!["account-locked"]].concat());
}

/// Whether something happens or not, and however the token came to hold no more.
#[tokio::test]
async fn a_stream_ends_with_the_token_that_opened_it_and_shows_nothing_that_comes_after() {
    let server = Server::start().await;
    let token = || {
        let create = ["token", "create", "--name", "audit", "--scope", "events:read"];
        let made = server.command().args(create).output().unwrap();
        String::from_utf8(made.stdout).unwrap().trim().to_owned()
    };
    let tokens = rusqlite::Connection::open(server.folder.join("tokens.db")).unwrap();
    let endings = [
        "UPDATE tokens SET revoked_at = 0 WHERE name = 'audit'",
        "UPDATE tokens SET expires_at = 0 WHERE name = 'audit'",
        "UPDATE tokens SET scopes = 'orders:read' WHERE name = 'audit'",
    ];
    for (n, ending) in (1..).zip(endings) {
        let token = token();
        let email = format!("p{n}@example.be");
        let last = server.service_post("/v1/orders", order(n, n, &email)).await.expect(201).position();
        let mut busy = Follower::begin_with(&server, &token, "", Some(last - 1)).await;
        assert_eq!(busy.next().await.unwrap().0, last);
        let mut quiet = Follower::begin_with(&server, &token, "?type=account-erased", None).await;
        tokens.execute(ending, []).unwrap();
        server
            .service_post("/v1/orders", order(n + 10, n + 10, &format!("q{n}@example.be")))
            .await
            .expect(201);
        // What came between the last event and the end of the token may still be shown.
        let mails = async {
            while let Some((_, name, _)) = busy.next().await {
                assert!(name.starts_with("mail-"), "{name} after: {ending}");
            }
        };
        mails.await;
        assert_eq!(quiet.next().await, None, "{ending}");
    }
    let metrics = server.service_get("/metrics").await.expect(200).text;
    assert!(metrics.contains("loquet_event_streams 0"), "{metrics}");
}

/// Whether a token may follow the events now; the stream ends at once.
async fn follows(server: &Server, token: &str) -> reqwest::Response {
    let request = server.client.get(format!("{}/v1/events", server.url)).bearer_auth(token);
    let request = request.header("accept", "text/event-stream").header("accept-language", "en");
    request.send().await.unwrap()
}

#[tokio::test]
async fn one_token_follows_the_events_so_often_and_leaves_places_to_others() {
    let server = Server::start_with(&["--limits-event-streams", "8"]).await;
    server.active(1, "marie@example.be", PASSWORD).await;
    let loquet = |arguments: &[&str]| {
        let output = server.command().args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let create = |name: &str| loquet(&["token", "create", "--name", name, "--scope", "events:read"]);
    let (greedy, other) = (create("greedy"), create("other"));
    let list = loquet(&["token", "list", "--json"]);
    let rows = list.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let row = rows.into_iter().find(|row| row["name"] == "greedy").unwrap();
    let rotated = loquet(&["token", "rotate", row["id"].as_str().unwrap()]);
    let first = follows(&server, &greedy).await;
    let second = follows(&server, &rotated).await;
    assert_eq!((first.status(), second.status()), (StatusCode::OK, StatusCode::OK));
    for token in [&greedy, &rotated] {
        let refused = follows(&server, token).await;
        assert_eq!(refused.status(), 429, "a token and the one it was rotated to have one share");
        let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait}");
        let refused: Value = serde_json::from_str(&refused.text().await.unwrap()).unwrap();
        assert_eq!(refused["type"], "urn:loquet:problem:too-many-followers-of-token");
        assert!(refused["detail"].as_str().unwrap().contains("2 times"), "{refused}");
    }
    let mut held = Vec::new();
    for _ in 0..2 {
        held.push(follows(&server, &other).await);
    }
    assert!(held.iter().all(|answer| answer.status() == 200), "the others have their places");
    // It reads page by page, whatever its streams do.
    server.send(Method::GET, "/v1/events", Some(&greedy), None).await.expect(200);
    drop(first);
    let start = Instant::now();
    while follows(&server, &greedy).await.status() != 200 {
        assert!(start.elapsed() < Duration::from_secs(30), "a place that was left is not free again");
        tokio::task::yield_now().await;
    }
    // People hold none.
    let session = server.login("marie@example.be", PASSWORD).await.expect(201).json();
    assert_eq!(follows(&server, session["session_token"].as_str().unwrap()).await.status(), 403);
}

/// What a page on the web can have a browser send to a development server, once its own name leads to 127.0.0.1.
#[tokio::test]
async fn a_development_server_answers_no_page_of_another_name() {
    let server = Server::start_with(&["--public-url", "http://portal.example"]).await;
    server.active(1, "marie@example.be", PASSWORD).await;
    let asked = async |method: Method, path: &str, host: &str| {
        let request = server.client.request(method, format!("{}{path}", server.url)).header("host", host);
        let answer = request.header("accept-language", "en").send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let port = server.port;
    for (method, path) in [
        (Method::GET, "/dev/mail"),
        (Method::GET, "/dev/mail.json"),
        (Method::GET, "/"),
        (Method::GET, "/docs"),
        (Method::GET, "/docs/"),
        (Method::GET, "/openapi.json"),
        (Method::GET, "/healthz"),
        (Method::GET, "/v1/accounts"),
        (Method::POST, "/v1/logins"),
        (Method::POST, "/reset"),
        (Method::GET, "/nowhere"),
        (Method::OPTIONS, "/v1/logins"),
    ] {
        let (status, text) = asked(method, path, &format!("evil.example:{port}")).await;
        assert_eq!(status, 421, "{path}: {text}");
        assert!(text.contains(&format!("127.0.0.1:{port}")) && !text.contains("marie"), "{path}: {text}");
    }
    for host in ["localhost", "127.0.0.1", "[::1]", "portal.example", &format!("localhost:{port}")] {
        assert_eq!(asked(Method::GET, "/dev/mail.json", host).await.0, 200, "{host}");
    }
    // A session is nobody's proof: a page may have one of its own.
    let session = server.login("marie@example.be", PASSWORD).await.expect(201).json();
    for (token, status) in [
        (server.token().as_str(), 200),
        (session["session_token"].as_str().unwrap(), 421),
        ("lqt_forged", 421),
    ] {
        let request = server.client.get(format!("{}/dev/mail.json", server.url)).bearer_auth(token);
        let answer = request.header("host", "evil.example").send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{token}");
    }
}

/// A browser sends what another origin's page asks for only as far as we let it: nothing is let.
#[tokio::test]
async fn no_other_origin_is_let_in_and_a_form_of_another_page_does_nothing() {
    let server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    let origin = |method: Method, path: &str| {
        let request = server.client.request(method, format!("{}{path}", server.url));
        request.header("origin", "https://evil.example").header("sec-fetch-site", "cross-site")
    };
    let login = json!({ "email": "marie@example.be", "password": PASSWORD });
    let asked = [
        origin(Method::OPTIONS, "/v1/logins")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type, authorization"),
        origin(Method::GET, "/dev/mail.json"),
        origin(Method::GET, "/v1/accounts").bearer_auth(server.token()),
        origin(Method::POST, "/v1/logins").json(&login),
    ];
    for request in asked {
        let answer = request.send().await.unwrap();
        let allows = answer.headers().keys().find(|name| name.as_str().starts_with("access-control-"));
        assert!(allows.is_none(), "{answer:?}");
    }
    // What a page sends without asking first is of these types, and taken for no command.
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        for path in ["/v1/logins", "/v1/password-resets", "/v1/activations", "/v1/password-resets/confirm"] {
            let request = origin(Method::POST, path).header("content-type", kind);
            let answer = request.body(login.to_string()).send().await.unwrap();
            assert_eq!(answer.status(), 415, "{path} takes {kind}");
        }
    }
}

#[tokio::test]
async fn the_feed_opens_nothing_that_is_sealed() {
    let mut server = Server::start().await;
    let id = server.active(1, "marie@example.be", PASSWORD).await;
    server.stop();
    let keys = rusqlite::Connection::open(server.folder.join("keys.db")).unwrap();
    let held = keys.execute("UPDATE keys SET wrapped = x'00'", []).unwrap();
    assert_eq!(held, 2, "the account's and the company's");
    server.restart().await;
    server.service_get(&format!("/v1/accounts/{id}/events")).await.expect(503);
    let page = server.service_get("/v1/events").await.expect(200).json();
    assert!(page["items"].as_array().unwrap().iter().any(|event| event["type"] == "account-created"));
    let mut follower = Follower::begin(&server, "?type=account-activated", None).await;
    assert_eq!(follower.next().await.unwrap().1, "account-activated");
}

#[tokio::test]
async fn the_events_come_in_pages_too_and_every_page_says_where_to_go_on() {
    let server = Server::start().await;
    for n in 1..8 {
        server.service_post("/v1/orders", order(n, n, &format!("p{n}@example.be"))).await.expect(201);
    }
    let head = server.login("p1@example.be", PASSWORD).await.expect(401);
    assert_eq!(head.status, 401);
    let (mut cursor, mut positions, mut pages) = (String::new(), Vec::new(), 0);
    loop {
        let page = server.service_get(&format!("/v1/events?limit=10&cursor={cursor}")).await;
        let page = if cursor.is_empty() { server.service_get("/v1/events?limit=10").await } else { page };
        let page = page.expect(200).json();
        let items = page["items"].as_array().unwrap();
        positions.extend(items.iter().map(|event| event["position"].as_u64().unwrap()));
        cursor = page["next_cursor"].as_str().unwrap().to_owned();
        pages += 1;
        if items.is_empty() {
            break;
        }
    }
    assert_eq!(positions, (1..=u64::try_from(positions.len()).unwrap()).collect::<Vec<_>>());
    assert!(pages > 3);
    let created = server.service_get("/v1/events?type=account-created&limit=200").await.expect(200).json();
    assert_eq!(created["items"].as_array().unwrap().len(), 7);
    assert!(!created.to_string().contains("@example.be"), "nothing sealed is in the feed");
    let companies = server.service_get("/v1/events?category=company").await.expect(200).json();
    assert_eq!(companies["items"].as_array().unwrap().len(), 14, "each registered, and its site opened");
    for wrong in ["?type=nonsense", "?category=planet", "?cursor=abc", "?limit=0"] {
        server.service_get(&format!("/v1/events{wrong}")).await.expect(400);
    }
    let waiting = positions.len() + 1;
    let waiting_path = format!("/v1/events?at_least={waiting}");
    let waits = server.service_get(&waiting_path);
    let (answer, placed) =
        tokio::join!(waits, server.service_post("/v1/orders", order(99, 99, "late@example.be")));
    placed.expect(201);
    assert!(answer.expect(200).json()["position"].as_u64().unwrap() >= u64::try_from(waiting).unwrap());
}

#[tokio::test]
async fn lists_are_sorted_and_their_pages_hold_every_item_once() {
    let server = Server::start().await;
    let mut last = 0;
    for n in 1..24 {
        last = server
            .service_post("/v1/orders", order(n, n % 3, &format!("p{n}@example.be")))
            .await
            .expect(201)
            .position();
    }
    for (list, key, sort) in [
        ("/v1/accounts", "created_at", "created_at"),
        ("/v1/orders", "received_at", "received_at"),
        ("/v1/accounts?status=awaiting_activation", "created_at", "created_at"),
    ] {
        for descending in [false, true] {
            let (mut keys, mut cursor) = (Vec::new(), None::<String>);
            loop {
                let join = if list.contains('?') { '&' } else { '?' };
                let minus = if descending { "-" } else { "" };
                let mut path = format!("{list}{join}limit=5&sort={minus}{sort}&at_least={last}");
                if let Some(cursor) = &cursor {
                    path.extend(["&cursor=", cursor]);
                }
                let page = server.service_get(&path).await.expect(200).json();
                keys.extend(
                    page["items"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(|item| item[key].as_str().unwrap().to_owned()),
                );
                cursor = page["next_cursor"].as_str().map(ToOwned::to_owned);
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(keys.len(), 23, "{list}");
            let mut sorted = keys.clone();
            sorted.sort();
            if descending {
                sorted.reverse();
            }
            assert_eq!(keys, sorted, "{list} {descending}");
        }
    }
    let company = server.service_get("/v1/orders?limit=1").await.json()["items"][0]["company_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let onboarded = server
        .service_get(&format!("/v1/orders?company={company}&status=onboarded"))
        .await
        .expect(200)
        .json();
    assert_eq!(onboarded["items"].as_array().unwrap().len(), 8);
    let wrong = "/v1/accounts?sort=email&cursor=!!&limit=900&status=sleeping";
    let refused = server.service_get(wrong).await.expect(400).json();
    let named: Vec<_> = refused["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(named, ["?limit", "?status", "?sort", "?cursor"], "every broken rule at once");
    let refused = server.service_get("/v1/accounts?limit=many").await.expect(400).json();
    assert_eq!(refused["errors"][0]["pointer"], "?limit", "{refused}");
}

#[tokio::test]
async fn an_answer_that_the_client_has_is_not_sent_again() {
    let server = Server::start().await;
    let id = server.active(1, "marie@example.be", PASSWORD).await;
    let path = format!("/v1/accounts/{id}");
    let settled = server.login("marie@example.be", PASSWORD).await.expect(201).position();
    let first = ask(&server, Method::GET, &format!("{path}?at_least={settled}"), &[], None).await.expect(200);
    let tag = first.headers["etag"].to_str().unwrap().to_owned();
    assert!(tag.starts_with("W/\""));
    // Something else happens: the position moves, the account stays as it is.
    let later = server.service_post("/v1/orders", order(2, 2, "jan@example.be")).await.expect(201).position();
    let path_later = format!("{path}?at_least={later}");
    let again = ask(&server, Method::GET, &path_later, &[("if-none-match", &tag)], None).await.expect(304);
    assert_eq!((again.text.as_str(), again.headers["etag"].to_str().unwrap()), ("", tag.as_str()));
    let login = server.login("marie@example.be", PASSWORD).await.expect(201).position();
    let changed = format!("{path}?at_least={login}");
    let changed = ask(&server, Method::GET, &changed, &[("if-none-match", &tag)], None).await.expect(200);
    assert_ne!(changed.headers["etag"].to_str().unwrap(), tag);
}

/// `If-Match` (RFC 9110, 13.1.1): nobody overwrites what they have not read.
#[tokio::test]
async fn a_command_with_a_condition_is_carried_out_only_if_nothing_has_changed_since() {
    let server = Server::start().await;
    let placed = server.service_post("/v1/orders", order(1, 1, "marie@example.be")).await.expect(201).json();
    let path = format!("/v1/companies/{}", placed["company_id"].as_str().unwrap());
    let tag = async || {
        let head = server.service_get("/v1/events?limit=1").await.json()["position"].clone();
        let shown = server.service_get(&format!("{path}?at_least={head}")).await.expect(200);
        shown.headers["etag"].to_str().unwrap().to_owned()
    };
    let name = async |condition: &str, key: Option<&str>, name: &str| {
        let mut headers = vec![("if-match", condition)];
        headers.extend(key.map(|key| ("idempotency-key", key)));
        let body = json!({ "trading_name": name });
        ask(&server, Method::PATCH, &path, &headers, Some(&body)).await
    };
    let read = tag().await;
    name(&read, Some("one"), "Le Fournil").await.expect(204);
    let replayed = name(&read, Some("one"), "Le Fournil").await.expect(204);
    assert_eq!(replayed.headers["idempotency-replayed"], "true", "what was done is answered again");
    let refused = name(&read, None, "La Mie").await.expect(412).json();
    assert_eq!(refused["type"], "urn:loquet:problem:precondition-failed");
    let shown = server.service_get(&path).await.json();
    assert_eq!(shown["trading_name"], "Le Fournil", "nothing was done");

    // Of two at once who have read the same, one is carried out. The position alone makes no difference.
    server.service_post("/v1/orders", order(2, 2, "jan@example.be")).await.expect(201);
    let read = tag().await;
    let (one, other) = tokio::join!(name(&read, None, "Un"), name(&read, None, "Deux"));
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 412]);

    name("*", None, "Trois").await.expect(204);
    let strong = tag().await.trim_start_matches("W/").to_owned();
    name(&format!("\"x\", {strong}"), None, "Quatre").await.expect(204);
    let nowhere = "/v1/companies/00000000-0000-0000-0000-000000000000";
    let body = json!({ "trading_name": "x" });
    ask(&server, Method::PATCH, nowhere, &[("if-match", &strong)], Some(&body)).await.expect(404);
    let member = format!("{path}/groups/{0}/members/{0}", "00000000-0000-0000-0000-000000000000");
    ask(&server, Method::DELETE, &member, &[("if-match", &strong)], None).await.expect(412);
}

#[tokio::test]
async fn tokens_are_listed_rotated_and_revoked_beside_the_running_server() {
    let server = Server::start().await;
    let loquet = |arguments: &[&str]| {
        let output = server.command().args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let create = ["token", "create", "--name", "audit", "--scope", "events:read", "--scope", "metrics:read"];
    let old = loquet(&create);
    let reads =
        async |token: &str| server.send(Method::GET, "/v1/events", Some(token), None).await.status.as_u16();
    assert_eq!(reads(&old).await, 200);
    assert_eq!(server.send(Method::GET, "/v1/accounts", Some(&old), None).await.status, 403, "no such scope");
    let entry = || {
        let list = loquet(&["token", "list", "--json"]);
        let rows = list.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        rows.filter(|row| row["name"] == "audit").collect::<Vec<_>>()
    };
    let start = Instant::now();
    while entry()[0]["last_used_at"].is_null() {
        assert!(start.elapsed() < Duration::from_secs(10), "the last use is not noted");
    }
    let listed = entry();
    assert_eq!(
        (&listed[0]["state"], &listed[0]["scopes"]),
        (&json!("holds"), &json!(["events:read", "metrics:read"]))
    );
    let id = listed[0]["id"].as_str().unwrap().to_owned();
    let new = loquet(&["token", "rotate", &id, "--keep-hours", "1"]);
    assert_eq!((reads(&old).await, reads(&new).await), (200, 200), "the old one goes on for a while");
    loquet(&["token", "revoke", "--yes", &id]);
    assert_eq!((reads(&old).await, reads(&new).await), (401, 200), "at once");
    assert!(!loquet(&["token", "list"]).contains(&new));
    let again = server.command().args(["token", "revoke", "--yes", &id]).output().unwrap();
    assert!(!again.status.success());
}

#[tokio::test]
async fn limits_refuse_with_a_time_to_wait_that_is_true_and_tell_nothing_of_accounts() {
    let narrow = ["--limits-strangers-per-second", "1", "--limits-strangers-burst", "8"];
    let server = Server::start_with(&narrow).await;
    server.active(1, "marie@example.be", PASSWORD).await;
    // Known and unknown share the client's budget: whoever asks learns nothing by being refused.
    let guesses = (0..40).map(|n| {
        let email = if n % 2 == 0 { "marie@example.be" } else { "nobody@example.be" };
        server.login(email, "Wrong1!!")
    });
    let answers = join_all(guesses).await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    let judged = |answer: &&Answer| [401, 423].contains(&answer.status.as_u16());
    assert_eq!(answers.iter().filter(judged).count() + refused.len(), 40, "{answers:?}");
    assert_eq!(refused.first().unwrap().json()["type"], "urn:loquet:problem:too-many-requests");
    for path in
        ["/v1/password-resets", "/v1/activations", "/v1/password-resets/confirm", "/activate", "/reset"]
    {
        let answers = join_all((0..40).map(|_| server.post(path, json!({})))).await;
        assert!(answers.iter().any(|answer| answer.status == 429), "{path} is a way around the limit");
    }
    let refused = loop {
        let answer = server.login("nobody@example.be", PASSWORD).await;
        if answer.status == 429 {
            break answer;
        }
    };
    let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    tokio::time::sleep(Duration::from_secs(wait)).await;
    assert_ne!(server.login("nobody@example.be", PASSWORD).await.status, 429, "the time to wait is true");
    // A caller with a token is not an anonymous caller.
    server.service_get("/v1/accounts").await.expect(200);

    let server =
        Server::start_with(&["--limits-requests-per-second", "2", "--limits-requests-burst", "30"]).await;
    let answers = join_all((0..200).map(|_| server.send(Method::GET, "/contact", None, None))).await;
    let limited = answers.iter().filter(|answer| answer.status == 429).count();
    assert!((100..200).contains(&limited), "{limited} of 200");
}

/// What is refused for its form costs others nothing, and a flood of what is not leaves a share for whoever
/// was not here lately.
#[tokio::test]
async fn strangers_who_flood_do_not_keep_others_out() {
    let narrow = ["--limits-all-strangers-per-second", "20", "--http-trusted-proxies", "127.0.0.1"];
    let server = Server::start_with(&narrow).await;
    let ask = async |path: &str, from: String, body: Value| {
        let request = server.client.post(format!("{}{path}", server.url)).header("x-forwarded-for", from);
        request.json(&body).send().await.unwrap().status().as_u16()
    };
    let made_up = json!({ "token": "made-up", "password": PASSWORD });
    let nothing = [
        ("/v1/logins", json!({})),
        ("/v1/logins", json!({ "email": "no address", "password": "x" })),
        ("/v1/password-resets", json!({ "email": "" })),
        ("/v1/activations", made_up.clone()),
        ("/v1/password-resets/confirm", made_up),
    ];
    let cheap = (0..500).map(|n| {
        let (path, body) = nothing[n % nothing.len()].clone();
        ask(path, format!("198.51.100.{}", n % 100), body)
    });
    let answers = join_all(cheap).await;
    assert!(answers.iter().all(|status| [400, 422].contains(status)), "{answers:?}");
    let guess = json!({ "email": "nobody@example.be", "password": "Wrong1!!" });
    assert_eq!(ask("/v1/logins", "203.0.113.1".to_owned(), guess.clone()).await, 401);
    // A flood of what costs something, from one address, and in the midst of it somebody else.
    let flood = join_all((0..400).map(|_| ask("/v1/logins", "198.51.100.1".to_owned(), guess.clone())));
    let other = json!({ "email": "somebody@example.be", "password": "Wrong1!!" });
    let others = join_all((2..5).map(|n| ask("/v1/logins", format!("203.0.113.{n}"), other.clone())));
    let (flood, others) = tokio::join!(flood, others);
    assert!(flood.contains(&429), "{flood:?}");
    assert_eq!(others, [401; 3]);
}

/// Behind a proxy that is trusted each client has a budget of its own; without that trust nobody gets one
/// by writing a header.
#[tokio::test]
async fn clients_behind_a_trusted_proxy_are_told_apart_and_nobody_else_can_claim_to_be() {
    let narrow = ["--limits-strangers-per-second", "1", "--limits-strangers-burst", "3"];
    let judged = async |server: &Server, n: usize| {
        // What a client makes up comes first; the proxy adds what it sees, some with a port.
        let said = [b"\xe9, 198.51.100.".as_slice(), format!("{n}:4711").as_bytes()].concat();
        let said = reqwest::header::HeaderValue::from_bytes(&said).unwrap();
        let request = server.client.post(format!("{}/v1/logins", server.url)).header("x-forwarded-for", said);
        let body = json!({ "email": format!("nobody{n}@example.be"), "password": "Wrong1!!" });
        request.json(&body).send().await.unwrap().status().as_u16()
    };
    let behind = Server::start_with(&[&narrow[..], &["--http-trusted-proxies", "127.0.0.1"]].concat()).await;
    let bare = Server::start_with(&narrow).await;
    let of_proxy = join_all((0..40).map(|n| judged(&behind, n))).await;
    let of_bare = join_all((0..40).map(|n| judged(&bare, n))).await;
    assert_eq!(of_proxy, [401; 40]);
    assert!(of_bare.contains(&429), "{of_bare:?}");
}

/// Every command that needs no token is limited for anonymous callers, unless it costs nothing.
#[test]
fn every_command_without_a_token_is_limited() {
    let api = loquet_http::openapi();
    let mut open = Vec::new();
    for (path, operations) in api["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            if method == "post" && operation["security"] == json!([]) {
                open.push(path.clone());
            }
        }
    }
    open.sort();
    assert_eq!(
        open,
        [
            "/v1/activations",
            "/v1/logins",
            "/v1/logins/second-step",
            "/v1/password-resets",
            "/v1/password-resets/confirm"
        ],
        "a new one belongs among `for_anonymous`, and into the test of limits above"
    );
}

#[tokio::test]
async fn a_request_has_one_id_in_its_answer_its_problem_its_events_and_the_log() {
    let server =
        Server::start_with(&["--log-format", "json", "--log-filter", "info,loquet_http=debug"]).await;
    let placed = server.service_post("/v1/orders", order(1, 1, "marie@example.be")).await.expect(201);
    let id = placed.headers["x-request-id"].to_str().unwrap();
    let page = server.service_get("/v1/events?limit=8").await.expect(200).json();
    let of_orders = |event: &&Value| event["stream"] != "administration-system";
    let mut events = page["items"].as_array().unwrap().iter().filter(of_orders).peekable();
    assert!(events.peek().is_some() && events.all(|event| event["correlation_id"] == id), "{page}");
    let refused = server.login("marie@example.be", "Wrong1!!").await.expect(401);
    let id = refused.headers["x-request-id"].to_str().unwrap();
    assert_eq!(refused.json()["instance"], format!("urn:uuid:{id}"));
    let log = server.errors();
    let line = log.lines().find(|line| line.contains(id)).unwrap_or_else(|| panic!("{log}"));
    let line: Value = serde_json::from_str(line).unwrap();
    assert_eq!((&line["status"], &line["span"]["route"]), (&json!(401), &json!("/v1/logins")), "{line}");
    assert!(log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "every line is JSON");
    assert!(!log.contains("marie") && !log.contains("Wrong1"), "{log}");
}
