//! Trusted devices through real HTTP: a stranger hammers, and the owner gets in all the same.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // a test stops at the first thing amiss

use loquet_tests::server::{Answer, Server, token_in};
use reqwest::Method;
use serde_json::{Value, json};

const PASSWORD: &str = "Boulange7!";
const EMAIL: &str = "marie@example.be";

/// A client that shows these headers.
struct Client<'a> {
    server: &'a Server,
    agent: &'a str,
    headers: Vec<(&'static str, String)>,
}

impl<'a> Client<'a> {
    fn new(server: &'a Server, agent: &'a str) -> Self {
        Self { server, agent, headers: Vec::new() }
    }

    fn with(mut self, header: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((header, value.into()));
        self
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.server.client.request(method, format!("{}{path}", self.server.url));
        request = request.header("user-agent", self.agent).header("accept-language", "en");
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        Answer { status, headers, text: answer.text().await.unwrap() }
    }

    async fn log_in(&self, password: &str) -> Answer {
        self.post("/v1/logins", json!({ "email": EMAIL, "password": password })).await
    }
}

/// The cookie that an answer has a browser keep, and what it says of it.
fn cookie(answer: &Answer) -> (String, String) {
    let set = answer.headers["set-cookie"].to_str().unwrap();
    let (pair, attributes) = set.split_once(';').unwrap();
    (pair.to_owned(), attributes.to_owned())
}

/// Seven wrong passwords from nowhere in particular; after them the right one is refused.
async fn hammer(server: &Server) {
    let stranger = Client::new(server, "stranger/1");
    for n in 0..7 {
        stranger.log_in(&format!("Guess{n}!!")).await.expect(401);
    }
    stranger.log_in(PASSWORD).await.expect(423);
}

#[tokio::test]
async fn whoever_hammers_an_address_does_not_lock_its_owner_out_of_a_trusted_device() {
    let mut server = Server::start().await;
    let account = server.active(1, EMAIL, PASSWORD).await;
    let first = Client::new(&server, "browser/1").log_in(PASSWORD).await.expect(201);
    let (pair, attributes) = cookie(&first);
    assert!(pair.starts_with(&format!("__Host-loquet-device-{account}=")), "{pair}");
    for attribute in ["Path=/", "Secure", "HttpOnly", "SameSite=Lax", "Max-Age=15552000"] {
        assert!(attributes.contains(attribute), "{attributes}");
    }
    let token = first.json()["device_token"].as_str().unwrap().to_owned();
    assert!(pair.ends_with(&token));
    hammer(&server).await;
    let other = "__Host-loquet-device-0=AAAA; theme=dark";
    let browser = Client::new(&server, "browser/1").with("cookie", format!("{other}; {pair}"));
    let again = browser.log_in(PASSWORD).await.expect(201);
    assert!(again.headers.get("set-cookie").is_none(), "it is trusted already");
    let program = Client::new(&server, "program/1").with("loquet-device", token.clone());
    program.log_in(PASSWORD).await.expect(201);
    // A restart forgets none of it.
    server.stop();
    server.restart().await;
    Client::new(&server, "stranger/1").log_in(PASSWORD).await.expect(423);
    Client::new(&server, "browser/1").with("cookie", pair.clone()).log_in(PASSWORD).await.expect(201);
    // Another account's device, an altered token and one of nobody count as none.
    server.active(2, "jan@example.be", PASSWORD).await;
    let of_jan = server.login("jan@example.be", PASSWORD).await.expect(201).json();
    let altered = format!("{}x", &token[..token.len() - 1]);
    for foreign in [of_jan["device_token"].as_str().unwrap(), &altered, "", "AAAA"] {
        let client = Client::new(&server, "browser/1").with("loquet-device", foreign);
        client.log_in(PASSWORD).await.expect(423);
    }
}

#[tokio::test]
async fn wrong_guesses_from_a_trusted_device_lock_it_alone_and_its_owner_is_told() {
    let server = Server::start().await;
    server.active(1, EMAIL, PASSWORD).await;
    let phone = Client::new(&server, "phone/1").log_in(PASSWORD).await.expect(201).json();
    let till = Client::new(&server, "till/1").log_in(PASSWORD).await.expect(201).json();
    let on = |shown: &Value| {
        Client::new(&server, "any/1").with("loquet-device", shown["device_token"].as_str().unwrap())
    };
    for n in 0..7 {
        on(&phone).log_in(&format!("Guess{n}!!")).await.expect(401);
    }
    on(&till).log_in(PASSWORD).await.expect(201);
    let locked = server.mail(EMAIL, "appareils", 1).await;
    assert!(locked.contains("appareil inconnu"), "{locked}");
    // It counts as none now: the account's own seven.
    for n in 0..7 {
        on(&phone).log_in(&format!("More{n}!!")).await.expect(401);
    }
    on(&phone).log_in(PASSWORD).await.expect(423);
    on(&till).log_in(PASSWORD).await.expect(201);
}

#[tokio::test]
async fn whoever_took_a_session_and_its_device_guesses_the_password_on_that_count_alone() {
    let server = Server::start().await;
    let account = server.active(1, EMAIL, PASSWORD).await;
    let phone = Client::new(&server, "phone/1").log_in(PASSWORD).await.expect(201).json();
    let session = format!("Bearer {}", phone["session_token"].as_str().unwrap());
    let device = phone["device_token"].as_str().unwrap();
    let taken = Client::new(&server, "thief/1").with("authorization", session).with("loquet-device", device);
    let change = async |current: &str| {
        let body = json!({ "current_password": current, "new_password": "Nouveau8!" });
        taken.post(&format!("/v1/accounts/{account}/password"), body).await
    };
    for n in 0..7 {
        change(&format!("Guess{n}!!")).await.expect(403);
    }
    change(PASSWORD).await.expect(423);
    Client::new(&server, "till/1").log_in(PASSWORD).await.expect(201);
}

#[tokio::test]
async fn the_owner_is_told_of_a_new_device_sees_all_and_has_one_forgotten() {
    let server = Server::start().await;
    let account = server.active(1, EMAIL, PASSWORD).await;
    let first = Client::new(&server, "phone/1").log_in(PASSWORD).await.expect(201).json();
    // The same client again, which kept nothing: no other device, and nobody is told.
    Client::new(&server, "phone/1").log_in(PASSWORD).await.expect(201);
    let second = Client::new(&server, "till/7").log_in(PASSWORD).await.expect(201).json();
    let told = server.mail(EMAIL, "Nouvelle connexion", 1).await;
    assert!(told.contains("till/7, 127.0.0.1"), "{told}");
    assert_eq!(
        server
            .mails(EMAIL)
            .await
            .iter()
            .filter(|mail| mail["text"].as_str().unwrap().contains("phone/1"))
            .count(),
        0
    );
    let path = format!("/v1/accounts/{account}/devices");
    let session = second["session_token"].as_str().unwrap();
    let list = server.send(Method::GET, &path, Some(session), None).await.expect(200).json();
    let shown: Vec<_> = list["items"].as_array().unwrap().iter().collect();
    let agents: Vec<_> = shown.iter().map(|device| device["client_agent"].as_str().unwrap()).collect();
    assert_eq!(agents, ["till/7", "phone/1"]);
    assert_eq!(
        shown.iter().map(|device| device["current"].as_bool().unwrap()).collect::<Vec<_>>(),
        [true, false]
    );
    let gone = format!("{path}/{}", shown[1]["device_id"].as_str().unwrap());
    server.send(Method::DELETE, &gone, Some(session), None).await.expect(204);
    server.send(Method::DELETE, &gone, Some(session), None).await.expect(404);
    // Another's list is nobody's business.
    server.active(2, "jan@example.be", PASSWORD).await;
    let of_jan = server.login("jan@example.be", PASSWORD).await.expect(201).json();
    server.send(Method::GET, &path, of_jan["session_token"].as_str(), None).await.expect(404);
    server.send(Method::DELETE, &path, of_jan["session_token"].as_str(), None).await.expect(404);
    hammer(&server).await;
    let on = |shown: &Value| {
        Client::new(&server, "any/1").with("loquet-device", shown["device_token"].as_str().unwrap())
    };
    on(&first).log_in(PASSWORD).await.expect(423);
    on(&second).log_in(PASSWORD).await.expect(201);
}

#[tokio::test]
async fn whoever_opens_a_reset_link_gets_in_though_strangers_go_on_guessing() {
    let server = Server::start().await;
    server.active(1, EMAIL, PASSWORD).await;
    hammer(&server).await;
    server.post("/v1/password-resets", json!({ "email": EMAIL })).await.expect(202);
    let link = token_in(&server.mail(EMAIL, "mot de passe", 1).await);
    let browser = Client::new(&server, "browser/1");
    let page = browser.send(Method::GET, &format!("/reset?token={link}"), None).await.expect(200);
    let (pair, _) = cookie(&page);
    let scanner = Client::new(&server, "scanner/1");
    let again = scanner.send(Method::GET, &format!("/reset?token={link}"), None).await.expect(200);
    assert_eq!(cookie(&again).0, pair, "of one link one device");
    let body = json!({ "token": link, "password": "Nouveau8!" });
    browser.post("/v1/password-resets/confirm", body).await.expect(204);
    for n in 0..7 {
        Client::new(&server, "stranger/1").log_in(&format!("Guess{n}!!")).await.expect(401);
    }
    Client::new(&server, "stranger/1").log_in("Nouveau8!").await.expect(423);
    let owner = Client::new(&server, "browser/1").with("cookie", pair);
    owner.log_in("Nouveau8!").await.expect(201);
    let void = browser.send(Method::GET, &format!("/reset?token={link}"), None).await;
    assert!(void.status == 410 && void.headers.get("set-cookie").is_none());
}

#[tokio::test]
async fn five_hundred_guesses_at_once_on_a_trusted_device_and_off_it_are_judged_seven_times_each() {
    let server = Server::start().await;
    server.active(1, EMAIL, PASSWORD).await;
    let token = server.login(EMAIL, PASSWORD).await.expect(201).json();
    let token = token["device_token"].as_str().unwrap();
    let on = Client::new(&server, "browser/1").with("loquet-device", token);
    let off = Client::new(&server, "stranger/1");
    let guesses = (0..500).map(async |n| {
        let client = if n % 2 == 0 { &on } else { &off };
        client.log_in(&format!("Guess{n}!!")).await.status
    });
    let answers = futures_util::future::join_all(guesses).await;
    let judged = answers.iter().filter(|status| **status == 401).count();
    assert!(answers.iter().all(|status| [401, 423, 429].contains(&status.as_u16())), "{answers:?}");
    assert!(judged <= 14, "{judged} were judged");
    let path = "/v1/events?type=login-failed";
    let events = server.service_get(path).await.expect(200).json();
    let of = |on: bool| {
        events["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|e| e["data"].get("device_id").is_some() == on)
            .count()
    };
    assert_eq!((of(true), of(false)), (7, 7));
}
