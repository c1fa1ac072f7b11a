//! Idempotency keys: a command is done once, however often it is asked for and whoever hangs up meanwhile.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use loquet_tests::server::{Answer, Server, order};
use serde_json::{Value, json};

const PASSWORD: &str = "Boulange7!";

/// The answer to a command with a key.
async fn ask(server: &Server, path: &str, key: &str, body: Option<&Value>) -> Answer {
    ask_as(server, &server.token(), path, key, body).await
}

async fn ask_as(server: &Server, token: &str, path: &str, key: &str, body: Option<&Value>) -> Answer {
    let request = server.client.post(format!("{}{path}", server.url)).bearer_auth(token);
    let mut request = request.header("accept-language", "en").header("idempotency-key", key);
    if let Some(body) = body {
        request = request.json(body);
    }
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    Answer { status, headers, text: answer.text().await.unwrap() }
}

/// An account that waits for its activation: asking for another mail does something each time.
async fn invited(server: &Server) -> String {
    let placed = server.service_post("/v1/orders", order(1, 1, "marie@example.be")).await.expect(201).json();
    placed["account_id"].as_str().unwrap().to_owned()
}

/// How often another activation mail was asked for, by the log.
async fn requested(server: &Server) -> usize {
    let page = server.service_get("/v1/events?type=activation-requested&limit=200").await.expect(200).json();
    page["items"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_command_asked_again_with_its_key_is_answered_again_and_done_once() {
    let mut server = Server::start().await;
    let colleague = |email: &str, company: &str| {
        json!({ "email": email, "given_name": "Jan", "family_name": "Peeters", "language": "nl", "role": "user",
                "company_id": company })
    };
    let placed = server.service_post("/v1/orders", order(1, 1, "marie@example.be")).await.expect(201).json();
    let company = placed["company_id"].as_str().unwrap().to_owned();
    let body = colleague("jan@example.be", &company);
    let first = ask(&server, "/v1/accounts", "a-1", Some(&body)).await.expect(201);
    assert!(!first.headers.contains_key("idempotency-replayed"));
    for _ in 0..2 {
        let again = ask(&server, "/v1/accounts", "a-1", Some(&body)).await.expect(201);
        assert_eq!(again.text, first.text);
        assert_eq!(again.headers["idempotency-replayed"], "true");
        assert_eq!(again.headers["content-type"], first.headers["content-type"]);
        // A restart between the two.
        server.stop();
        server.restart().await;
    }
    let other = colleague("els@example.be", &company);
    let reused = ask(&server, "/v1/accounts", "a-1", Some(&other)).await.expect(422);
    assert!(reused.text.contains("idempotency-key-reused"), "{}", reused.text);
    // Without a key the address is taken; with a new key too: a refusal is judged again.
    server.service_post("/v1/accounts", body.clone()).await.expect(409);
    let too_long = "x".repeat(201);
    ask(&server, "/v1/accounts", &too_long, Some(&body)).await.expect(400);
    // A token that has ended is told nothing of what it was answered.
    let list = server.command().args(["token", "list", "--json"]).output().unwrap();
    let dev: Value = serde_json::from_slice(&list.stdout).unwrap();
    let token = server.token();
    let revoke =
        server.command().args(["token", "revoke", "--yes", dev["id"].as_str().unwrap()]).output().unwrap();
    assert!(revoke.status.success());
    ask(&server, "/v1/accounts", "a-1", Some(&body)).await.expect(401);
    assert_eq!(server.token(), token);
    // The key of one program is nothing to another.
    let command =
        server.command().args(["token", "create", "--name", "other", "--scope", "accounts:write"]).output();
    let token = String::from_utf8(command.unwrap().stdout).unwrap().trim().to_owned();
    let request = server.client.post(format!("{}/v1/accounts", server.url)).bearer_auth(token);
    let answer = request.header("idempotency-key", "a-1").json(&other).send().await.unwrap();
    assert_eq!(answer.status(), 201);
}

/// What is asked for twenty times at once with one key happens once, though each would do something.
#[tokio::test]
async fn of_twenty_at_once_with_one_key_one_is_done_and_all_are_answered_as_it_was() {
    let server = Server::start().await;
    let path = format!("/v1/accounts/{}/activation-mail", invited(&server).await);
    let before = requested(&server).await;
    let answers = join_all((0..20).map(|_| ask(&server, &path, "m-1", None))).await;
    assert!(answers.iter().all(|answer| [204, 409].contains(&answer.status.as_u16())), "{answers:?}");
    let done: Vec<_> = answers.iter().filter(|answer| answer.status == 204).map(Answer::position).collect();
    assert!(!done.is_empty() && done.windows(2).all(|pair| pair[0] == pair[1]), "{done:?}");
    assert_eq!(requested(&server).await - before, 1);
}

/// Whoever hangs up anywhere between sending a command and its answer finds it done, or can have it done.
#[tokio::test]
async fn a_caller_who_hangs_up_leaves_no_key_under_way_and_nothing_is_done_twice() {
    const TIMES: u64 = 80;
    // Each of them is done, not refused as one mail too many.
    let server = Server::start_with(&["--links-activation-mails-per-hour", "100"]).await;
    let path = format!("/v1/accounts/{}/activation-mail", invited(&server).await);
    let before = requested(&server).await;
    for n in 0..TIMES {
        let mut caller = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        let token = server.token();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: h-{n}\r\n"
        );
        write!(caller, "{head}Content-Length: 0\r\n\r\n").unwrap();
        // Not a wait for anything: each hangs up at another moment of the command.
        tokio::time::sleep(Duration::from_micros(50 * n)).await;
        drop(caller);
    }
    let start = Instant::now();
    for n in 0..TIMES {
        let mut answer = ask(&server, &path, &format!("h-{n}"), None).await;
        while answer.status == 409 {
            assert!(start.elapsed() < Duration::from_secs(30), "h-{n} stays under way: {}", answer.text);
            answer = ask(&server, &path, &format!("h-{n}"), None).await;
        }
        answer.expect(204);
    }
    assert_eq!(requested(&server).await - before, usize::try_from(TIMES).unwrap());
}

#[tokio::test]
async fn a_program_is_not_told_what_another_of_its_name_was_answered() {
    let server = Server::start().await;
    let loquet = |arguments: &[&str]| {
        let output = server.command().args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let body = order(1, 1, "marie@example.be");
    let create = |scope: &str| loquet(&["token", "create", "--name", "shop", "--scope", scope]);
    let shop = create("orders:write");
    let id = {
        let list = loquet(&["token", "list", "--json"]);
        let rows = list.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        rows.into_iter().find(|row| row["name"] == "shop").unwrap()["id"].as_str().unwrap().to_owned()
    };
    let first = ask_as(&server, &shop, "/v1/orders", "o-1", Some(&body)).await.expect(201);
    let namesake = create("metrics:read");
    ask_as(&server, &namesake, "/v1/orders", "o-1", Some(&body)).await.expect(403);
    // A program that has rotated its token is the same program.
    let rotated = loquet(&["token", "rotate", &id]);
    let again = ask_as(&server, &rotated, "/v1/orders", "o-1", Some(&body)).await.expect(201);
    assert_eq!((again.text, &again.headers["idempotency-replayed"]), (first.text, &"true".parse().unwrap()));
}

#[tokio::test]
async fn what_was_answered_is_known_after_a_rotation_of_the_server_key_and_a_restart() {
    let mut server = Server::start().await;
    let path = format!("/v1/accounts/{}/activation-mail", invited(&server).await);
    let first = ask(&server, &path, "r-1", None).await.expect(204).position();
    let before = requested(&server).await;
    for further in [&[][..], &["--compromised", "--yes"]] {
        let rotate = server.command().args(["keys", "rotate"]).args(further).output().unwrap();
        assert!(rotate.status.success(), "{}", String::from_utf8_lossy(&rotate.stderr));
        server.stop();
        server.restart().await;
        assert_eq!(ask(&server, &path, "r-1", None).await.expect(204).position(), first);
    }
    assert_eq!(requested(&server).await, before);
}

/// Not even as a keyed hash.
#[tokio::test]
async fn nothing_is_kept_of_a_command_that_holds_a_password() {
    let server = Server::start().await;
    let id = server.active(1, "marie@example.be", PASSWORD).await;
    let session = server.login("marie@example.be", PASSWORD).await.expect(201).json();
    let session = session["session_token"].as_str().unwrap();
    let change = json!({ "current_password": PASSWORD, "new_password": "Patisserie8!" });
    let path = format!("/v1/accounts/{id}/password");
    ask_as(&server, session, &path, "p-1", Some(&change)).await.expect(204);
    let kept = rusqlite::Connection::open(server.folder.join("answers.db")).unwrap();
    let kept: i64 = kept.query_row("SELECT count(*) FROM answers", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 0);
    let api = loquet_http::openapi();
    let described = &api["paths"]["/v1/accounts/{account_id}/password"]["post"];
    assert!(described.is_object() && !described.to_string().contains("Idempotency-Key"));
}

#[tokio::test]
async fn a_login_is_judged_anew_whatever_key_comes_with_it() {
    let server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    let body = json!({ "email": "marie@example.be", "password": PASSWORD });
    let first = ask(&server, "/v1/logins", "l-1", Some(&body)).await.expect(201);
    let again = ask(&server, "/v1/logins", "l-1", Some(&body)).await.expect(201);
    assert!(!again.headers.contains_key("idempotency-replayed"));
    assert_ne!(first.json()["session_token"], again.json()["session_token"]);
    for _ in 0..7 {
        server.login("marie@example.be", "Wrong1!!").await.expect(401);
    }
    ask(&server, "/v1/logins", "l-1", Some(&body)).await.expect(423);
}
