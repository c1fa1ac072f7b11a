//! `loquet diagnose` names a command, and the command helps: by the running server, and in the data directory itself.

use std::process::Command;

use loquet_tests::server::{Server, order, token_in};
use reqwest::Method;
use serde_json::{Value, json};

use crate::tools::run;

const PASSWORD: &str = "Boulange7!";

/// What a list shows, line by line.
#[track_caller]
fn listed(server: &Server, arguments: &[&str]) -> Vec<Value> {
    let (code, out) = run(server, &[arguments, &["--json"]].concat());
    assert_eq!(code, Some(0), "{out}");
    let lines = out.lines().filter(|line| line.starts_with('{'));
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Does what the diagnosis of this person names, with a reason in the place of the dots.
#[track_caller]
fn help(server: &Server, email: &str, expected: &str, by_server: bool) {
    let (code, told) = run(server, &["diagnose", email]);
    assert_eq!(code, Some(0), "{told}");
    let commands = told.split('`').skip(1).step_by(2);
    let named = commands.filter_map(|command| command.strip_prefix("loquet "));
    let command = named.into_iter().find(|command| command.contains(expected));
    let command =
        command.unwrap_or_else(|| panic!("no `{expected}` in {told}")).replace("\"…\"", "called-back");
    let mut words: Vec<&str> = command.split(' ').collect();
    let token = server.folder.join("dev-token").display().to_string();
    if by_server {
        words.extend(["--url", &server.url, "--token-file", &token]);
    }
    let (code, said) = run(server, &[&words[..], &["--json"]].concat());
    assert_eq!(code, Some(0), "{command}: {said}");
    assert!(said.contains("\"done\""), "{said}");
    // What is done is done: nobody can do it twice, and the command says why in words.
    if !expected.starts_with("send") {
        let (code, said) = run(server, &words);
        assert!(code == Some(1) && said.len() > 30, "{command}: {said}");
    }
}

/// Turns the second step of an account on, with the code of the step before now.
async fn enrol(server: &Server, email: &str, account: &str) {
    let session = server.login(email, PASSWORD).await.expect(201).json()["session_token"].clone();
    let post = async |path: &str, body: Value| {
        let path = format!("/v1/accounts/{account}/second-step{path}");
        server.send(Method::POST, &path, session.as_str(), Some(&body)).await
    };
    let shown = post("", json!({ "current_password": PASSWORD })).await.expect(201).json();
    let secret = shown["secret"].as_str().unwrap();
    let made = Command::new("oathtool").args(["--totp", "--base32", secret]).output().unwrap();
    let code = String::from_utf8(made.stdout).unwrap();
    post("/confirmation", json!({ "code": code.trim() })).await.expect(200);
}

#[tokio::test]
async fn the_command_that_a_diagnosis_names_helps_beside_a_server_and_without_one() {
    for by_server in [true, false] {
        let mut server = Server::start().await;
        let marie = server.active(1, "marie@example.be", PASSWORD).await;
        let els = server.active(2, "els@example.be", PASSWORD).await;
        enrol(&server, "els@example.be", &els).await;
        for _ in 0..7 {
            server.login("marie@example.be", "Wrong1234!").await.expect(401);
        }
        server.login("els@example.be", PASSWORD).await.expect(200);
        let challenge =
            server.login("els@example.be", PASSWORD).await.expect(200).json()["challenge"].clone();
        let wrong = json!({ "challenge": challenge, "code": "000000" });
        server.post("/v1/logins/second-step", wrong).await.expect(401);
        // The second person who orders for a company waits to be admitted.
        let an = server.service_post("/v1/orders", order(3, 1, "an@example.be")).await.expect(201).json();
        let token = token_in(&server.mail("an@example.be", "Confirmez", 1).await);
        server.post("/v1/activations", json!({ "token": token, "password": PASSWORD })).await.expect(204);
        server.login("an@example.be", "Wrong1234!").await.expect(401);
        let last =
            server.service_post("/v1/orders", order(4, 4, "jan@example.be")).await.expect(201).position();
        server.mail("jan@example.be", "Confirmez", 1).await;
        server.service_get(&format!("/v1/lockouts?at_least={last}")).await.expect(200);
        server.service_get(&format!("/v1/accounts?at_least={last}")).await.expect(200);

        let locked = listed(&server, &["lockout", "list"]);
        assert_eq!(locked.len(), 1, "{locked:?}");
        assert_eq!(
            (&locked[0]["account_id"], &locked[0]["email"]),
            (&json!(marie), &json!("marie@example.be"))
        );
        let waiting = listed(&server, &["account", "list", "--awaiting-conversion"]);
        assert_eq!(waiting.len(), 1, "{waiting:?}");
        assert_eq!(waiting[0]["account_id"], an["account_id"]);
        let of_company =
            listed(&server, &["account", "list", "--company", an["company_id"].as_str().unwrap()]);
        let addresses: Vec<_> = of_company.iter().map(|account| account["email"].clone()).collect();
        assert_eq!(addresses, ["an@example.be", "marie@example.be"], "the newest first");
        let invited = listed(&server, &["account", "list", "--status", "awaiting_activation"]);
        assert_eq!(invited.iter().map(|account| &account["email"]).collect::<Vec<_>>(), ["jan@example.be"]);

        if !by_server {
            server.stop();
        }
        help(&server, "marie@example.be", "release", by_server);
        help(&server, "jan@example.be", "send-activation", by_server);
        help(&server, "an@example.be", "convert", by_server);
        help(&server, "els@example.be", "reset-second-step", by_server);
        help(&server, "an@example.be", "send-reset", by_server);
        if !by_server {
            server.restart().await;
        }
        server.login("marie@example.be", PASSWORD).await.expect(201);
        server.mail("jan@example.be", "Confirmez", 2).await;
        server.mail("an@example.be", "nouveau", 1).await;
        server.login("an@example.be", PASSWORD).await.expect(201);
        server.login("els@example.be", PASSWORD).await.expect(201);
        let (_, history) = run(&server, &["account", "history", "els@example.be", "--json"]);
        assert!(history.contains("called-back — called-back"), "reason and proof are kept: {history}");
    }
}
