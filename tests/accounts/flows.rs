//! Flows through real HTTP, against the real program on a folder of its own.

use std::collections::BTreeMap;
use std::process::Command;

use futures_util::future::join_all;
use loquet_tests::server::{Answer, Server, order, token_in};
use reqwest::Method;
use serde_json::{Value, json};

const PASSWORD: &str = "Boulange7!";

/// Returns everything that an anonymous caller sees of an answer, except the date.
#[track_caller]
fn seen(answer: &Answer) -> (u16, BTreeMap<String, String>, String) {
    let headers =
        answer.headers.iter().filter(|(name, _)| !["date", "x-request-id"].contains(&name.as_str()));
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    // The request's own id is random: it tells requests apart, and accounts not.
    let id = answer.headers["x-request-id"].to_str().unwrap();
    (answer.status.as_u16(), headers.collect(), answer.text.replace(id, "ID"))
}

#[tokio::test]
async fn from_a_first_order_to_a_login_a_lockout_and_a_reset() {
    let server = Server::start().await;
    let email = "marie@boulangerie.example";
    let first = server.service_post("/v1/orders", order(1, 1, email)).await.expect(201).json();
    let second = server.service_post("/v1/orders", order(1, 1, email)).await.expect(200).json();
    assert_eq!(first, second);
    assert_eq!(first["outcome"], "first_order");
    let id = first["account_id"].as_str().unwrap();

    let mail = server.mail(email, "Confirmez votre compte MyCCV", 1).await;
    let token = token_in(&mail);
    assert!(mail.contains(&format!("{}/activate?token=", server.url)));
    let activate =
        |password: &str| server.post("/v1/activations", json!({ "token": token, "password": password }));
    let weak = activate("short").await.expect(422).json();
    let rules: Vec<_> =
        weak["errors"].as_array().unwrap().iter().map(|e| e["rule"].as_str().unwrap()).collect();
    assert_eq!(rules, ["password-too-short", "password-upper-case", "password-digit", "password-special"]);
    let position = activate(PASSWORD).await.expect(204).position();
    assert_eq!(activate(PASSWORD).await.expect(410).json()["type"], "urn:loquet:problem:link-used");
    let path = format!("/v1/accounts/{id}?at_least={position}");
    let shown = server.service_get(&path).await.expect(200).json();
    assert_eq!((shown["status"].as_str(), shown["email"].as_str()), (Some("active"), Some(email)));
    assert!(shown["position"].as_u64().unwrap() >= position, "law 10");

    let session = server.login(" Marie@Boulangerie.example", PASSWORD).await.expect(201).json();
    assert_eq!(session["account_id"], id);
    for _ in 0..7 {
        server.login(email, "Wrong1!!").await.expect(401);
    }
    let locked = server.login(email, PASSWORD).await.expect(423);
    let retry: u64 = locked.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((890..=900).contains(&retry));
    let wrong = server.login(email, "Wrong1!!").await.expect(423);
    assert_eq!(locked.json()["locked_until"], wrong.json()["locked_until"], "trying does not lengthen it");
    let notice = server.mail(email, "erronées", 1).await;
    assert!(notice.contains("prend fin le"), "{notice}");

    server.post("/v1/password-resets", json!({ "email": email })).await.expect(202);
    let reset = token_in(&server.mail(email, "nouveau mot de passe", 1).await);
    let old_session = session["session_token"].as_str().unwrap();
    let me = |token: String| {
        let path = format!("/v1/accounts/{id}");
        let server = &server;
        async move { server.send(Method::GET, &path, Some(&token), None).await.status.as_u16() }
    };
    assert_eq!(me(old_session.to_owned()).await, 200);
    server
        .post("/v1/password-resets/confirm", json!({ "token": reset, "password": "Nouveau8!" }))
        .await
        .expect(204);
    assert_eq!(me(old_session.to_owned()).await, 401, "a reset ends every session");
    server.login(email, PASSWORD).await.expect(401);
    let session = server.login(email, "Nouveau8!").await.expect(201).json();
    assert_eq!(me(session["session_token"].as_str().unwrap().to_owned()).await, 200);
    server.mail(email, "a été modifié", 1).await;

    let events = server.service_get(&format!("/v1/accounts/{id}/events?limit=200")).await.expect(200).json();
    let names = events["items"].as_array().unwrap().iter().map(|e| e["type"].as_str().unwrap());
    // Mails are sent beside what people do: when each was is not told here, that it was is.
    let (sent, names): (Vec<_>, Vec<_>) = names.partition(|name| *name == "mail-sent");
    assert!((3..=4).contains(&sent.len()), "activation, lockout, reset and, by now or soon, the notice");
    let mut story = vec!["account-created", "account-activated", "device-trusted", "login-succeeded"];
    story.extend(["login-failed"; 7]);
    story.extend(["account-locked", "password-reset-requested", "device-trusted"]);
    story.extend(["password-reset", "sessions-ended", "login-failed", "login-succeeded"]);
    assert_eq!(names, story);
    assert!(!events.to_string().contains("argon2"), "password hashes leave the log for no one");
    let story = events["items"].as_array().unwrap().iter().filter(|event| event["type"] != "mail-sent");
    let actors: Vec<_> = story.map(|event| event["actor"]["kind"].clone()).collect();
    assert_eq!(
        actors[..4],
        [json!("service"), json!("stranger"), json!("account"), json!("account")],
        "who delivered the order, who followed the link, and the owner, who logged in"
    );
    assert_eq!(actors[4], "stranger", "nobody knows who gave a wrong password");
}

#[tokio::test]
async fn a_stranger_cannot_tell_unknown_unactivated_and_deleted_accounts_from_a_wrong_password() {
    let server = Server::start().await;
    server.active(1, "known@example.be", PASSWORD).await;
    server.service_post("/v1/orders", order(2, 2, "unactivated@example.be")).await.expect(201);
    let deleted = server.active(3, "deleted@example.be", PASSWORD).await;
    server.successor(&deleted).await;
    let path = format!("/v1/accounts/{deleted}");
    server.send(Method::DELETE, &path, Some(&server.token()), None).await.expect(204);
    let emails = ["known@example.be", "unactivated@example.be", "deleted@example.be", "unknown@example.be"];
    for n in 0..9 {
        let mut answers = Vec::new();
        for email in emails {
            // A deleted or unactivated account's own password is wrong too.
            let password = if email == "deleted@example.be" { PASSWORD } else { "Wrong1!!" };
            let (status, headers, text) = seen(&server.login(email, password).await);
            let text = text.split("\"locked_until\"").next().unwrap().to_owned();
            let headers: Vec<_> = headers.into_iter().filter(|(name, _)| name != "retry-after").collect();
            answers.push((status, headers, text));
        }
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "guess {n}: {answers:#?}");
        assert_eq!(answers[0].0, if n < 7 { 401 } else { 423 });
    }
    let mut resets = Vec::new();
    for email in emails {
        resets.push(seen(&server.post("/v1/password-resets", json!({ "email": email })).await));
    }
    assert!(resets.windows(2).all(|pair| pair[0] == pair[1]), "{resets:#?}");
    server.mail("known@example.be", "nouveau mot de passe", 1).await;
    for email in &emails[1..] {
        let mails = server.mails(email).await;
        assert!(mails.iter().all(|mail| !mail["subject"].as_str().unwrap().contains("nouveau")), "{mails:?}");
    }
    let log = server.errors();
    for email in emails {
        assert!(!log.contains(email), "{email} is in the server's log");
    }
}

#[tokio::test]
async fn five_hundred_guesses_at_once_are_judged_seven_times() {
    let server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    for email in ["marie@example.be", "nobody@example.be"] {
        let guesses = (0..500).map(|n| {
            let spelled = if n % 2 == 0 { email.to_uppercase() } else { format!(" {email}") };
            let server = &server;
            async move { server.login(&spelled, &format!("Wrong{n}!")).await.status.as_u16() }
        });
        let answers = join_all(guesses).await;
        let of = |status| answers.iter().filter(|answer| **answer == status).count();
        assert_eq!((of(401), of(423)), (7, 493), "{email}");
        server.login(email, PASSWORD).await.expect(423);
    }
}

/// A caller who hangs up leaves no guess half judged and gets none for free.
#[tokio::test]
async fn hanging_up_does_not_get_a_guess_judged_for_free() {
    let server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    for n in 0..40 {
        let login = server.login("marie@example.be", "Wrong1!!");
        let _ = tokio::time::timeout(std::time::Duration::from_micros(500 * n), login).await;
    }
    let mut last = server.login("marie@example.be", PASSWORD).await;
    let patience = std::time::Instant::now();
    while last.status != 423 && patience.elapsed().as_secs() < 20 {
        last = server.login("marie@example.be", "Wrong1!!").await;
    }
    let id = server.service_get("/v1/accounts?email=marie@example.be").await.json()["items"][0]["account_id"]
        .clone();
    let path = format!("/v1/accounts/{}/events?limit=200", id.as_str().unwrap());
    let events = server.service_get(&path).await.json();
    let types: Vec<_> =
        events["items"].as_array().unwrap().iter().map(|e| e["type"].as_str().unwrap()).collect();
    let since = types.iter().rposition(|name| *name == "login-succeeded").unwrap_or(0);
    assert_eq!(types[since..].iter().filter(|name| **name == "login-failed").count(), 7, "{types:?}");
}

#[tokio::test]
async fn colleagues_and_temporary_administrators_come_in_by_an_administrator() {
    let server = Server::start().await;
    let marie = server.active(1, "marie@example.be", PASSWORD).await;
    let other = server.active(2, "other@example.be", PASSWORD).await;
    let token = |answer: Answer| answer.json()["session_token"].as_str().unwrap().to_owned();
    let admin = token(server.login("marie@example.be", PASSWORD).await.expect(201));
    let anonymous = token(server.login("other@example.be", PASSWORD).await.expect(201));
    let call = |method: Method, path: String, token: String, body: Option<Value>| {
        let server = &server;
        async move { server.send(method, &path, Some(&token), body.as_ref()).await }
    };

    // An order with another e-mail: a temporary administrator, and the administrators are told.
    let placed = server.service_post("/v1/orders", order(3, 1, "jan@example.be")).await.expect(201).json();
    assert_eq!(placed["outcome"], "temporary_administrator");
    let jan = placed["account_id"].as_str().unwrap().to_owned();
    let told = server.mail("marie@example.be", "attend votre accord", 1).await;
    assert!(told.contains("jan@example.be"));
    let link = token_in(&server.mail("jan@example.be", "Confirmez", 1).await);
    server.post("/v1/activations", json!({ "token": link, "password": PASSWORD })).await.expect(204);
    let refused = server.login("jan@example.be", PASSWORD).await.expect(403).json();
    assert_eq!(refused["type"], "urn:loquet:problem:awaiting-conversion");
    server.login("jan@example.be", "Wrong1!!").await.expect(401);
    let convert = |token: &str| {
        call(
            Method::POST,
            format!("/v1/accounts/{jan}/conversion"),
            token.to_owned(),
            Some(json!({ "to": "user" })),
        )
    };
    convert(&anonymous).await.expect(404);
    convert(&admin).await.expect(204);
    convert(&admin).await.expect(409);
    let user = token(server.login("jan@example.be", PASSWORD).await.expect(201));

    // A colleague is created by an administrator, not by a user and not for another company.
    let colleague = |email: &str| json!({ "email": email, "given_name": "An", "family_name": "Peeters", "language": "nl", "role": "administrator" });
    let create =
        |token: &str, body| call(Method::POST, "/v1/accounts".to_owned(), token.to_owned(), Some(body));
    create(&user, colleague("an@example.be")).await.expect(403);
    let mut foreign = colleague("an@example.be");
    foreign["company_id"] = json!("00000000-0000-4000-8000-000000000000");
    create(&admin, foreign).await.expect(404);
    let created = create(&admin, colleague("an@example.be")).await.expect(201);
    create(&admin, colleague("other@example.be")).await.expect(409);
    let an = created.json()["account_id"].as_str().unwrap().to_owned();
    server.mail("an@example.be", "Bevestig uw MyCCV-account", 1).await;
    let again = call(Method::POST, format!("/v1/accounts/{an}/activation-mail"), admin.clone(), None)
        .await
        .expect(204);
    assert!(again.position() > created.position());
    server.mail("an@example.be", "Bevestig", 2).await;

    // Who sees whom.
    let statuses = async |token: &str| {
        let mut statuses = Vec::new();
        for id in [&marie, &jan, &an, &other] {
            let answer = call(Method::GET, format!("/v1/accounts/{id}"), token.to_owned(), None).await;
            statuses.push(answer.status.as_u16());
        }
        statuses
    };
    assert_eq!(statuses(&admin).await, [200, 200, 200, 404]);
    assert_eq!(statuses(&user).await, [404, 200, 404, 404]);
    assert_eq!(statuses(&anonymous).await, [404, 404, 404, 200]);
    assert_eq!(statuses("nonsense").await, [401; 4]);
    let listed = call(Method::GET, "/v1/accounts".to_owned(), admin.clone(), None).await.expect(200).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 3);
    call(Method::GET, "/v1/accounts".to_owned(), user.clone(), None).await.expect(403);

    let mut nowhere = colleague("x@example.be");
    nowhere["company_id"] = json!("00000000-0000-4000-8000-000000000000");
    let unknown = server.service_post("/v1/accounts", nowhere).await.expect(422).json();
    assert_eq!(unknown["errors"][0]["rule"], "company-unknown");

    // Only programs release, deliver orders and erase.
    for (path, body) in [
        (format!("/v1/accounts/{jan}/release"), json!({ "reason": "please" })),
        (format!("/v1/accounts/{jan}/erasure"), json!({ "reason": "please" })),
        ("/v1/orders".to_owned(), order(9, 9, "x@example.be")),
    ] {
        call(Method::POST, path, admin.clone(), Some(body)).await.expect(403);
    }
    call(Method::DELETE, format!("/v1/accounts/{jan}"), user, None).await.expect(403);
    call(Method::DELETE, format!("/v1/accounts/{jan}"), anonymous, None).await.expect(404);
    call(Method::DELETE, format!("/v1/accounts/{jan}?reason=left"), admin, None).await.expect(204);
    server.login("jan@example.be", PASSWORD).await.expect(401);
}

#[tokio::test]
async fn sessions_are_listed_and_ended_by_their_owner() {
    let server = Server::start().await;
    let id = server.active(1, "marie@example.be", PASSWORD).await;
    let mut tokens = Vec::new();
    for _ in 0..3 {
        let session = server.login("marie@example.be", PASSWORD).await.expect(201).json();
        tokens.push(session["session_token"].as_str().unwrap().to_owned());
    }
    let last = server.login("marie@example.be", PASSWORD).await.expect(201).json();
    tokens.push(last["session_token"].as_str().unwrap().to_owned());
    let path = format!("/v1/accounts/{id}/sessions");
    let list = format!("{path}?at_least={}", last["position"]);
    let sessions = server.send(Method::GET, &list, Some(&tokens[3]), None).await.expect(200).json();
    let sessions = sessions["items"].as_array().unwrap().clone();
    assert_eq!(sessions.len(), 4);
    assert_eq!(sessions[0]["current"], true);
    assert_eq!(sessions[0]["client_address"], "127.0.0.1");
    assert!(sessions[0]["last_seen_at"].as_str() > sessions[0]["started_at"].as_str(), "it asks just now");
    assert_eq!(sessions[3]["last_seen_at"], sessions[3]["started_at"], "it never asked for anything");
    let works = async |token: &str| {
        server.send(Method::GET, &format!("/v1/accounts/{id}"), Some(token), None).await.status == 200
    };
    let oldest = format!("{path}/{}", sessions[3]["session_id"].as_str().unwrap());
    server.send(Method::DELETE, &oldest, Some(&tokens[3]), None).await.expect(204);
    assert!(!works(&tokens[0]).await);
    server.send(Method::DELETE, &oldest, Some(&tokens[3]), None).await.expect(404);
    server.send(Method::DELETE, "/v1/sessions/current", Some(&tokens[1]), None).await.expect(204);
    assert!(!works(&tokens[1]).await && works(&tokens[2]).await);
    server.send(Method::DELETE, &path, Some(&tokens[2]), None).await.expect(204);
    assert!(!works(&tokens[2]).await && !works(&tokens[3]).await);
}

#[tokio::test]
async fn a_password_is_changed_by_whoever_knows_it_and_wrong_ones_count() {
    let server = Server::start().await;
    let id = server.active(1, "marie@example.be", PASSWORD).await;
    let session = server.login("marie@example.be", PASSWORD).await.expect(201).json();
    let token = session["session_token"].as_str().unwrap().to_owned();
    let change = |current: &str, new: &str| {
        let body = json!({ "current_password": current, "new_password": new });
        let (server, path, token) = (&server, format!("/v1/accounts/{id}/password"), token.clone());
        async move { server.send(Method::POST, &path, Some(&token), Some(&body)).await }
    };
    let weak = change(PASSWORD, "weak").await.expect(422).json();
    assert_eq!(weak["errors"][0]["pointer"], "/new_password");
    change("Wrong1!!", "Nouveau8!").await.expect(403);
    change(PASSWORD, "Nouveau8!").await.expect(204);
    change("Nouveau8!", PASSWORD).await.expect(401);
    server.mail("marie@example.be", "a été modifié", 1).await;
    let session = server.login("marie@example.be", "Nouveau8!").await.expect(201).json();
    let token = session["session_token"].as_str().unwrap().to_owned();
    let guesses = (0..50).map(|n| {
        let body = json!({ "current_password": format!("Wrong{n}!!"), "new_password": "Nouveau9!" });
        let (server, path, token) = (&server, format!("/v1/accounts/{id}/password"), token.clone());
        async move { server.send(Method::POST, &path, Some(&token), Some(&body)).await.status.as_u16() }
    });
    let answers = join_all(guesses).await;
    assert_eq!(answers.iter().filter(|status| **status == 403).count(), 7, "{answers:?}");
    server.login("marie@example.be", "Nouveau8!").await.expect(423);
    let path = format!("/v1/accounts/{id}/lockout?at_least=1");
    let lockout = server.service_get(&path).await.expect(200).json();
    assert_eq!((lockout["locked"].as_bool(), lockout["failures"].as_u64()), (Some(true), Some(7)));
    let release = format!("/v1/accounts/{id}/release");
    server.service_post(&release, json!({ "reason": "called from the number on file" })).await.expect(204);
    server.service_post(&release, json!({ "reason": "again" })).await.expect(409);
    server.login("marie@example.be", "Nouveau8!").await.expect(201);
}

#[tokio::test]
async fn newer_links_void_older_ones_and_a_change_or_a_deletion_voids_all() {
    let server = Server::start().await;
    let id = server.active(1, "marie@example.be", PASSWORD).await;
    let ask = async |count| {
        server.post("/v1/password-resets", json!({ "email": "marie@example.be" })).await.expect(202);
        token_in(&server.mail("marie@example.be", "nouveau mot de passe", count).await)
    };
    let follow = async |token: &str| {
        let body = json!({ "token": token, "password": "Nouveau8!" });
        server.post("/v1/password-resets/confirm", body).await
    };
    let (first, second) = (ask(1).await, ask(2).await);
    assert_ne!(first, second);
    assert_eq!(follow(&first).await.expect(410).json()["type"], "urn:loquet:problem:link-used");
    follow(&second).await.expect(204);
    follow(&second).await.expect(410);
    let third = ask(3).await;
    server.successor(&id).await;
    server.send(Method::DELETE, &format!("/v1/accounts/{id}"), Some(&server.token()), None).await.expect(204);
    follow(&third).await.expect(410);
    for forged in ["", "x", "AAAA", &third[..third.len() - 1], &format!("{third}A"), &"a".repeat(5000)] {
        let status = follow(forged).await.status.as_u16();
        assert!([400, 422].contains(&status), "{forged}: {status}");
    }
}

#[tokio::test]
async fn the_host_header_changes_no_link() {
    let server = Server::start_with(&["--public-url", "https://portal.example/"]).await;
    server.active(1, "marie@example.be", PASSWORD).await;
    let reset = server.client.post(format!("{}/v1/password-resets", server.url));
    let poisoned = reset
        // A name that the development server answers to; the public one is another.
        .header("host", "localhost")
        .header("x-forwarded-host", "evil.example")
        .header("forwarded", "host=evil.example")
        .json(&json!({ "email": "marie@example.be" }));
    assert_eq!(poisoned.send().await.unwrap().status(), 202);
    let text = server.mail("marie@example.be", "nouveau mot de passe", 1).await;
    assert!(text.contains("https://portal.example/reset?token=") && !text.contains("evil"), "{text}");
    assert!(!text.contains("localhost"), "{text}");
}

#[tokio::test]
async fn an_erased_person_is_gone_from_every_answer_and_every_file() {
    let mut server = Server::start().await;
    let id = server.active(1, "marie.dupont@boulangerie.example", PASSWORD).await;
    server.login("marie.dupont@boulangerie.example", PASSWORD).await.expect(201);
    let path = format!("/v1/accounts/{id}/erasure");
    let position = server.service_post(&path, json!({ "reason": "asked" })).await.expect(204).position();
    server.service_post(&path, json!({ "reason": "asked again" })).await.expect(204);
    let shown =
        server.service_get(&format!("/v1/accounts/{id}?at_least={position}")).await.expect(200).json();
    assert_eq!((shown["status"].as_str(), shown["email"].as_str()), (Some("erased"), None));
    let events = server.service_get(&format!("/v1/accounts/{id}/events")).await.expect(200).json();
    assert!(
        events["items"].as_array().unwrap().iter().all(|event| event.get("personal").is_none()),
        "{events}"
    );
    server.login("marie.dupont@boulangerie.example", PASSWORD).await.expect(401);
    server.stop();
    for entry in std::fs::read_dir(&server.folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes.windows(12).any(|window| window == b"marie.dupont");
            assert!(!found, "{} still names her", path.display());
        }
    }
    server.restart().await;
    let views = server.send(Method::GET, "/readyz", None, None).await.expect(200).json();
    assert_eq!(views["ready"], true, "what is left still replays: {views}");
    server.service_post("/v1/orders", order(2, 2, "marie.dupont@boulangerie.example")).await.expect(201);
}

#[expect(clippy::too_many_lines, reason = "a table of bad inputs")]
#[tokio::test]
async fn bad_input_is_named_and_changes_nothing() {
    let server = Server::start().await;
    let token = server.token();
    let position = async || server.service_get("/readyz").await.json()["position"].as_u64().unwrap();
    let before = position().await;
    let raw = async |path: &str, kind: &str, body: String| {
        let request = server.client.post(format!("{}{path}", server.url)).bearer_auth(&token);
        let answer = request
            .header("content-type", kind)
            .header("accept-language", "en")
            .body(body)
            .send()
            .await
            .unwrap();
        let status = answer.status().as_u16();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        let text = answer.text().await.unwrap();
        assert_eq!(kind, "application/problem+json", "{text}");
        (status, text)
    };
    let json_kind = "application/json";
    let login = "/v1/logins";
    for (path, kind, body, status, named) in [
        (login, json_kind, "{".to_owned(), 400, "not JSON"),
        (login, json_kind, "[]".to_owned(), 400, "type"),
        (login, json_kind, "{\"email\":\"a@b.be\"}".to_owned(), 400, "\"field-missing\""),
        (
            login,
            json_kind,
            "{\"email\":\"a@b.be\",\"password\":\"x\",\"admin\":true}".to_owned(),
            400,
            "/admin",
        ),
        (
            login,
            json_kind,
            "{\"email\":\"a@b.be\",\"password\":\"Secret1!\",\"password\":\"y\"}".to_owned(),
            400,
            "field-twice",
        ),
        (login, json_kind, "{\"email\":\"a@b.be\",\"password\":12345678}".to_owned(), 400, "password"),
        (login, json_kind, "{\"email\":\"a@b.be\",\"password\":\"x\"} trailing".to_owned(), 400, "not JSON"),
        (login, "text/plain", "{}".to_owned(), 415, "application/json"),
        (login, json_kind, "\u{0}".repeat(10), 400, "not JSON"),
        (login, json_kind, "[".repeat(100_000), 400, "type"),
        (login, json_kind, format!("{{\"email\":\"{}\"", "a".repeat(2_000_000)), 413, "1 MiB"),
        (login, json_kind, "{\"email\":\"nobody\",\"password\":\"x\"}".to_owned(), 422, "/email"),
        ("/v1/password-resets", json_kind, "{\"email\":\"é@b.be\"}".to_owned(), 422, "email-not-ascii"),
    ] {
        let (got, text) = raw(path, kind, body).await;
        assert_eq!(got, status, "{text}");
        assert!(text.contains(named), "'{named}' is not in {text}");
        assert!(!text.contains("Secret1!") && !text.contains("12345678"), "a secret is quoted: {text}");
    }
    let mut broken = order(1, 1, "not an address");
    broken["order_id"] = json!("no spaces, please");
    broken["placed_at"] = json!("9999-12-31T23:59:59Z");
    broken["company"]["enterprise_number"] = json!("0123456700");
    broken["company"]["registered_office"]["postal_code"] = json!("10");
    broken["contact"]["given_name"] = json!("a\r\nBcc: everybody@example.be");
    broken["contact"]["language"] = json!("de");
    broken["lines"][0]["quantity"] = json!(0);
    broken["lines"][0]["serials"] = json!(["same", "same"]);
    let refused = server.service_post("/v1/orders", broken).await.expect(422).json();
    let pointers: Vec<_> =
        refused["errors"].as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap()).collect();
    assert_eq!(
        pointers,
        [
            "/order_id",
            "/placed_at",
            "/company/enterprise_number",
            "/company/registered_office/postal_code",
            "/contact/email",
            "/contact/given_name",
            "/contact/language",
            "/lines/0/quantity",
            "/lines/0/serials",
            "/lines/0/serials/1",
        ]
    );
    for path in [
        "/v1/accounts/not-a-uuid",
        "/v1/accounts?limit=0",
        "/v1/accounts?limit=x",
        "/v1/accounts?at_least=-1",
    ] {
        server.service_get(path).await.expect(400);
    }
    server.service_get("/nowhere").await.expect(404);
    server.send(Method::PUT, "/v1/logins", None, None).await.expect(405);
    let ahead = server.service_get("/v1/accounts?at_least=999999999").await.expect(409);
    assert!(ahead.headers.contains_key("retry-after") && ahead.text.contains("position-ahead"), "{ahead:?}");
    let mut changed = order(2, 2, "marie@example.be");
    server.service_post("/v1/orders", changed.clone()).await.expect(201);
    // Its mail is sent beside it, which is an event too.
    let patience = std::time::Instant::now();
    while position().await - before < 11 && patience.elapsed().as_secs() < 20 {
        tokio::task::yield_now().await;
    }
    let after = position().await;
    assert_eq!(after - before, 11, "one order was taken, its mail sent, and nothing else");
    // Another spelling is the same order: accents that are composed, the country before a postal code, an abbreviation.
    let mut spelled = changed.clone();
    for address in ["/company/registered_office", "/lines/0/delivery_address"] {
        let address = spelled.pointer_mut(address).unwrap();
        address["street"] = json!("R. Neuve");
        address["postal_code"] = json!("B-1000");
        address["town"] = json!("Brussel");
    }
    server.service_post("/v1/orders", spelled).await.expect(200);
    changed["channel"] = json!("offline");
    assert_eq!(
        server.service_post("/v1/orders", changed).await.expect(409).json()["type"],
        "urn:loquet:problem:order-differs"
    );
    assert_eq!(position().await, after);
}

/// What anybody may ask says nothing of what happened since they last asked (law 11); and every answer,
/// errors too, tells the browser to run nothing.
#[tokio::test]
async fn readiness_tells_a_stranger_no_position_and_every_answer_has_its_policy() {
    let server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    let before = seen(&server.send(Method::GET, "/readyz", None, None).await);
    server.login("marie@example.be", "Wrong1!!").await.expect(401);
    assert_eq!(seen(&server.send(Method::GET, "/readyz", None, None).await), before);
    assert_eq!(before.2, "{\"ready\":true}");
    assert!(server.service_get("/readyz").await.json()["position"].as_u64().unwrap() > 5);
    for path in ["/nowhere", "/v1/accounts", "/docs/", "/", "/openapi.json"] {
        let answer = server.send(Method::GET, path, None, None).await;
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        // Pages run their own script and no other.
        let others = policy.replace("script-src 'self';", "");
        assert!(policy.contains("frame-ancestors 'none'") && !others.contains("script"), "{path}: {policy}");
    }
}

#[tokio::test]
async fn problems_are_told_in_the_readers_language() {
    let server = Server::start().await;
    let mut titles = Vec::new();
    for language in ["fr-BE", "nl", "en", "de"] {
        let request =
            server.client.post(format!("{}/v1/logins", server.url)).header("accept-language", language);
        let answer = request.json(&json!({ "email": "a@b.be", "password": "x" })).send().await.unwrap();
        titles.push(answer.json::<Value>().await.unwrap()["title"].as_str().unwrap().to_owned());
    }
    assert_eq!(titles, ["Connexion refusée", "Inloggen geweigerd", "Login refused", "Connexion refusée"]);
}

#[tokio::test]
async fn service_tokens_do_what_their_scopes_say_and_nothing_else() {
    let server = Server::start().await;
    let id = server.active(1, "marie@example.be", PASSWORD).await;
    let create = server
        .command()
        .args(["token", "create", "--name", "web shop", "--scope", "orders:write"])
        .output()
        .unwrap();
    let shop = String::from_utf8(create.stdout).unwrap().trim().to_owned();
    assert!(shop.starts_with("lqt_"), "{}", String::from_utf8_lossy(&create.stderr));
    let call = |method: Method, path: String, body: Option<Value>| {
        let (server, shop) = (&server, shop.clone());
        async move { server.send(method, &path, Some(&shop), body.as_ref()).await.status.as_u16() }
    };
    assert_eq!(call(Method::POST, "/v1/orders".to_owned(), Some(order(2, 2, "a@example.be"))).await, 201);
    for (method, path, body) in [
        (Method::GET, "/v1/orders".to_owned(), None),
        (Method::GET, "/v1/accounts".to_owned(), None),
        (Method::GET, format!("/v1/accounts/{id}"), None),
        (Method::GET, format!("/v1/accounts/{id}/events"), None),
        (Method::GET, format!("/v1/accounts/{id}/lockout"), None),
        (Method::GET, format!("/v1/accounts/{id}/logins"), None),
        (Method::GET, format!("/v1/accounts/{id}/sessions"), None),
        (Method::DELETE, format!("/v1/accounts/{id}/sessions"), None),
        (Method::DELETE, "/v1/sessions/current".to_owned(), None),
        (Method::DELETE, format!("/v1/accounts/{id}"), None),
        (Method::POST, format!("/v1/accounts/{id}/activation-mail"), None),
        (Method::POST, format!("/v1/accounts/{id}/conversion"), Some(json!({ "to": "user" }))),
        (Method::POST, format!("/v1/accounts/{id}/release"), Some(json!({ "reason": "x" }))),
        (Method::POST, format!("/v1/accounts/{id}/erasure"), Some(json!({ "reason": "x" }))),
    ] {
        assert_eq!(call(method.clone(), path.clone(), body).await, 403, "{method} {path}");
    }
    let bad =
        server.command().args(["token", "create", "--name", "x", "--scope", "everything"]).output().unwrap();
    assert!(!bad.status.success());
    assert!(String::from_utf8_lossy(&bad.stderr).contains("orders:write"), "says which scopes there are");
}

#[tokio::test]
async fn the_command_line_imports_shows_and_tails() {
    let mut server = Server::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("orders.jsonl");
    let mut lines: Vec<String> =
        (1..6).map(|n| order(n, n, &format!("p{n}@example.be")).to_string()).collect();
    lines.push("not json".to_owned());
    lines.push(order(7, 7, "nobody").to_string());
    std::fs::write(&file, lines.join("\n")).unwrap();
    let run = |command: &mut Command| {
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, _, said) = run(server.command().args(["order", "import"]).arg(&file));
    assert_eq!(code, Some(1));
    assert!(said.contains("in use by another Loquet process") && said.contains("--url"), "{said}");

    let token = server.folder.join("dev-token");
    let mut online = server.command();
    online.args(["order", "import", "--json", "--url", &server.url, "--token-file"]).arg(&token).arg(&file);
    let (code, report, said) = run(&mut online);
    assert_eq!(code, Some(4), "{said}");
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!((&report["new"], &report["delivered_before"]), (&json!(5), &json!(0)));
    assert_eq!(report["refused"][0]["line"], 6);
    assert!(report["refused"][1]["why"][0].as_str().unwrap().starts_with("/contact/email"), "{report}");
    server.mail("p3@example.be", "Confirmez", 1).await;

    // A line of exactly the limit is read whole, one that is too long is left out whole, and neither
    // takes its neighbour along.
    let long = folder.path().join("long.jsonl");
    let padded = |number: u32, length: usize| {
        let text = order(number, number, &format!("p{number}@example.be")).to_string();
        text.clone() + &" ".repeat(length - text.len())
    };
    let lines = [
        padded(30, 1024 * 1024),
        padded(31, 1024 * 1024 + 5).replace("SO-31\"", "SO-31\" "),
        "x".repeat(3_000_000),
        padded(32, 2000),
    ];
    std::fs::write(&long, lines.join("\n")).unwrap();
    let mut online = server.command();
    online.args(["order", "import", "--json", "--url", &server.url, "--token-file"]).arg(&token).arg(&long);
    let (_, report, said) = run(&mut online);
    let report: Value = serde_json::from_str(&report).unwrap_or_else(|e| panic!("{e}: {said}"));
    assert_eq!((&report["lines"], &report["refused"][0]["line"]), (&json!(4), &json!(2)), "{report}");
    assert_eq!((&report["new"], &report["refused"][1]["line"]), (&json!(2), &json!(3)), "{report}");

    server.stop();
    let (code, report, said) = run(server.command().args(["order", "import"]).arg(&file));
    assert_eq!(code, Some(4), "{said}");
    assert!(report.starts_with("0 new, 5 delivered before, 2 refused\nline 6:"), "{report}");
    let (_, shown, _) = run(server.command().args(["account", "show", "P3@example.be"]));
    assert!(shown.contains("awaiting_activation") && shown.contains("Dupont"), "{shown}");
    let (code, _, said) = run(server.command().args(["account", "show", "nobody@example.be"]));
    assert!(code == Some(1) && said.contains("no account has the address"), "{said}");
    let (_, history, _) = run(server.command().args(["account", "history", "p3@example.be", "--json"]));
    let first: Value = serde_json::from_str(history.lines().next().unwrap()).unwrap();
    assert_eq!(first["type"], "account-created");
    let (_, all, _) = run(server.command().args(["events", "tail", "--after", "0"]));
    let after = (all.lines().count() - 2).to_string();
    let (_, tail, _) = run(server.command().args(["events", "tail", "--after", &after]));
    assert_eq!(tail.lines().count(), 2, "{tail}");
    assert!(all.contains("order-onboarded") && all.ends_with(&tail), "{tail}");
}

#[tokio::test]
async fn the_pages_that_links_lead_to_work_without_script() {
    let server = Server::start().await;
    server.service_post("/v1/orders", order(1, 1, "marie@example.be")).await.expect(201);
    let token = token_in(&server.mail("marie@example.be", "Confirmez", 1).await);
    let get = async |path: &str| {
        let answer = server.client.get(format!("{}{path}", server.url)).send().await.unwrap();
        let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, page) = get(&format!("/activate?token={token}")).await;
    assert!(
        status == 200 && page.contains("lang=\"fr\"") && page.contains("<form method=\"post\">"),
        "{page}"
    );
    let submit = async |password: &str| {
        let form = format!("token={token}&password={password}");
        let post = server.client.post(format!("{}/activate", server.url)).body(form);
        let answer = post.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, page) = submit("short").await;
    assert!(status == 422 && page.contains("Au moins une majuscule") && page.contains(&token), "{page}");
    let (status, page) = submit("Boulange7%21").await;
    assert!(status == 200 && page.contains("Votre mot de passe est enregistré"), "{page}");
    server.login("marie@example.be", PASSWORD).await.expect(201);
    let (status, page) = get(&format!("/activate?token={token}")).await;
    assert!(status == 200 && page.contains("Ce lien a déjà servi"), "{page}");
    for path in ["/activate", "/reset?token=%3Cscript%3E", "/"] {
        let (_, page) = get(path).await;
        assert!(!page.contains("<script>"), "what came is shown as text: {page}");
    }
}
