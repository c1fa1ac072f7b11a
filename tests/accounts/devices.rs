//! Trusted devices through real HTTP. A flood of wrong guesses by an anonymous caller does not keep the owner out. An
//! owner who mistypes is locked out like anybody else.

use loquet_tests::server::{Answer, Server, free_port, token_in};
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

/// A client that shows the token of the device that a login gave.
#[track_caller]
fn on_device<'a>(server: &'a Server, given: &Value) -> Client<'a> {
    Client::new(server, "any/1").with("loquet-device", given["device_token"].as_str().unwrap())
}

/// The cookie that an answer has a browser keep, and what it says of it.
#[track_caller]
fn cookie(answer: &Answer) -> (String, String) {
    let set = answer.headers["set-cookie"].to_str().unwrap();
    let (pair, attributes) = set.split_once(';').unwrap();
    (pair.to_owned(), attributes.to_owned())
}

/// Seven wrong passwords from nowhere in particular; after them the right one is refused.
async fn hammer(server: &Server) {
    let anonymous = Client::new(server, "stranger/1");
    for n in 0..7 {
        anonymous.log_in(&format!("Guess{n}!!")).await.expect(401);
    }
    anonymous.log_in(PASSWORD).await.expect(423);
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

/// The lockout and the login diagnosis, as support sees them.
async fn shown(server: &Server, account: &str) -> (Value, Value) {
    let lockout = server.service_get(&format!("/v1/accounts/{account}/lockout")).await.expect(200).json();
    let diagnosis =
        server.service_get(&format!("/v1/support/diagnosis?email={EMAIL}")).await.expect(200).json();
    (lockout, diagnosis)
}

#[track_caller]
fn reasons(diagnosis: &Value) -> Vec<&str> {
    diagnosis["reasons"].as_array().unwrap().iter().map(|reason| reason["reason"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn seven_wrong_in_ones_own_browser_lock_the_account_and_the_browser_and_everybody_says_so() {
    let server = Server::start().await;
    let account = server.active(1, EMAIL, PASSWORD).await;
    let phone = Client::new(&server, "phone/1").log_in(PASSWORD).await.expect(201).json();
    let till = Client::new(&server, "till/1").log_in(PASSWORD).await.expect(201).json();
    let on = |given: &Value| on_device(&server, given);
    for n in 0..4 {
        on(&phone).log_in(&format!("Guess{n}!!")).await.expect(401);
    }
    let (lockout, diagnosis) = shown(&server, &account).await;
    assert_eq!((&lockout["failures"], &lockout["locked"]), (&json!(4), &json!(false)));
    assert_eq!(reasons(&diagnosis), ["wrong_guesses", "device_wrong_guesses"]);
    assert_eq!(diagnosis["reasons"][0]["remedy"]["action"], "send_reset");
    for n in 4..7 {
        on(&phone).log_in(&format!("Guess{n}!!")).await.expect(401);
    }
    on(&phone).log_in("Guess8!!").await.expect(423);
    on(&phone).log_in(PASSWORD).await.expect(423);
    Client::new(&server, "new/1").log_in(PASSWORD).await.expect(423);
    let (lockout, diagnosis) = shown(&server, &account).await;
    assert_eq!((&lockout["failures"], &lockout["locked"]), (&json!(7), &json!(true)));
    assert_eq!(
        (&diagnosis["login_would_be"], reasons(&diagnosis)),
        (&json!("locked"), vec!["locked", "device_locked"])
    );
    assert_eq!(diagnosis["reasons"][0]["remedy"]["action"], "release");
    // The newest device stands first.
    let logins = |n: usize| {
        (diagnosis["devices"][n]["failures"].clone(), diagnosis["devices"][n]["login_would_be"].clone())
    };
    assert_eq!([logins(0), logins(1)], [(json!(0), json!("succeeded")), (json!(7), json!("locked"))]);
    let locked = server.mail(EMAIL, "erronées", 1).await;
    assert!(locked.contains("Vous pouvez vous connecter avec les autres navigateurs"), "{locked}");
    on(&till).log_in(PASSWORD).await.expect(201);
    // The till's login is complete: the count is zero, and the lockout goes on. Support still sees what led to it.
    let (lockout, diagnosis) = shown(&server, &account).await;
    assert_eq!((&lockout["failures"], &lockout["locked"]), (&json!(0), &json!(true)));
    let evidence = diagnosis["reasons"][0]["evidence"].as_array().unwrap();
    assert_eq!((evidence.len(), &evidence[0]["type"]), (8, &json!("account-locked")));
    on(&phone).log_in(PASSWORD).await.expect(423);
}

/// A mail may be days late. What it says is true when it is sent.
#[tokio::test]
async fn a_mail_about_a_lockout_that_is_over_when_it_is_sent_says_so() {
    let mut server = Server::start().await;
    let account = server.active(1, EMAIL, PASSWORD).await;
    Client::new(&server, "phone/1").log_in(PASSWORD).await.expect(201);
    let nobody_there = free_port().to_string();
    server
        .restart_with(&["--smtp-host", "127.0.0.1", "--smtp-port", &nobody_there, "--smtp-security", "none"])
        .await;
    for n in 0..7 {
        Client::new(&server, "new/1").log_in(&format!("Guess{n}!!")).await.expect(401);
    }
    Client::new(&server, "new/1").log_in(PASSWORD).await.expect(423);
    let release = format!("/v1/accounts/{account}/release");
    server.service_post(&release, json!({ "reason": "called from the number on file" })).await.expect(204);
    server.restart_with(&[]).await;
    let told = server.mail(EMAIL, "erronées", 1).await;
    assert!(told.contains("Le blocage a pris fin entre-temps."), "{told}");
    assert!(!told.contains("personne ne peut se connecter"), "{told}");
}

#[tokio::test]
async fn a_locked_browser_is_locked_though_the_account_is_not_and_its_owner_is_told_which() {
    let server = Server::start().await;
    let account = server.active(1, EMAIL, PASSWORD).await;
    let phone = Client::new(&server, "phone/1").log_in(PASSWORD).await.expect(201).json();
    let till = Client::new(&server, "till/1").log_in(PASSWORD).await.expect(201).json();
    let on = |given: &Value| on_device(&server, given);
    for n in 0..6 {
        on(&phone).log_in(&format!("Guess{n}!!")).await.expect(401);
    }
    on(&till).log_in(PASSWORD).await.expect(201);
    on(&phone).log_in("Seventh7!!").await.expect(401);
    on(&phone).log_in(PASSWORD).await.expect(423);
    let (_, diagnosis) = shown(&server, &account).await;
    assert_eq!(diagnosis["login_would_be"], "succeeded");
    assert_eq!(reasons(&diagnosis), ["device_locked", "wrong_guesses"]);
    let told = server.mail(EMAIL, "navigateurs", 1).await;
    assert!(told.contains("dans un navigateur dans lequel vous vous êtes déjà connecté"), "{told}");
    // A new browser of theirs is not concerned.
    Client::new(&server, "new/1").log_in(PASSWORD).await.expect(201);
    let list = server.service_get(&format!("/v1/accounts/{account}/devices")).await.expect(200).json();
    let locked = list["items"].as_array().unwrap().iter().filter(|device| !device["locked_until"].is_null());
    assert_eq!(locked.map(|device| device["failures"].as_u64()).collect::<Vec<_>>(), [Some(7)]);
}

#[tokio::test]
async fn whoever_took_a_session_and_its_device_guesses_the_password_as_often_as_anybody() {
    let server = Server::start().await;
    let account = server.active(1, EMAIL, PASSWORD).await;
    let phone = Client::new(&server, "phone/1").log_in(PASSWORD).await.expect(201).json();
    let session = format!("Bearer {}", phone["session_token"].as_str().unwrap());
    let device = phone["device_token"].as_str().unwrap();
    let taken =
        Client::new(&server, "thief/1").with("authorization", session.clone()).with("loquet-device", device);
    let without = Client::new(&server, "thief/1").with("authorization", session);
    let change = async |client: &Client<'_>, current: &str| {
        let body = json!({ "current_password": current, "new_password": "Nouveau8!" });
        client.post(&format!("/v1/accounts/{account}/password"), body).await
    };
    for n in 0..7 {
        change(&taken, &format!("Guess{n}!!")).await.expect(403);
    }
    change(&taken, PASSWORD).await.expect(423);
    change(&without, PASSWORD).await.expect(423);
}

#[tokio::test]
async fn the_owner_is_told_of_a_new_device_sees_all_and_has_one_forgotten() {
    const PHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
        Version/17.5 Mobile/15E148 Safari/604.1";
    const TILL: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0";
    let server = Server::start().await;
    let account = server.active(1, EMAIL, PASSWORD).await;
    let first = Client::new(&server, PHONE).log_in(PASSWORD).await.expect(201).json();
    // The same client again, which kept nothing: no other device, and nobody is told.
    Client::new(&server, PHONE).log_in(PASSWORD).await.expect(201);
    let second = Client::new(&server, TILL).log_in(PASSWORD).await.expect(201).json();
    let told = server.mail(EMAIL, "Nouvelle connexion", 1).await;
    assert!(told.contains("Firefox sur Linux, à l’adresse IP 127.0.0.1."), "{told}");
    assert_eq!(
        server
            .mails(EMAIL)
            .await
            .iter()
            .filter(|mail| mail["text"].as_str().unwrap().contains("Safari"))
            .count(),
        0
    );
    let path = format!("/v1/accounts/{account}/devices");
    let session = second["session_token"].as_str().unwrap();
    let list = server.send(Method::GET, &path, Some(session), None).await.expect(200).json();
    let shown: Vec<_> = list["items"].as_array().unwrap().iter().collect();
    let agents: Vec<_> = shown.iter().map(|device| device["client_agent"].as_str().unwrap()).collect();
    assert_eq!(agents, [TILL, PHONE]);
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
    let on = |given: &Value| on_device(&server, given);
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
async fn whoever_forgot_the_password_on_a_trusted_device_gets_in_by_a_reset_whatever_strangers_do() {
    let server = Server::start().await;
    server.active(1, EMAIL, PASSWORD).await;
    let (pair, _) = cookie(&Client::new(&server, "browser/1").log_in(PASSWORD).await.expect(201));
    let owner = Client::new(&server, "browser/1").with("cookie", pair);
    for n in 0..7 {
        owner.log_in(&format!("Forgot{n}!!")).await.expect(401);
    }
    owner.log_in(PASSWORD).await.expect(423);
    server.post("/v1/password-resets", json!({ "email": EMAIL })).await.expect(202);
    let link = token_in(&server.mail(EMAIL, "nouveau mot de passe", 1).await);
    let page = owner.send(Method::GET, &format!("/reset?token={link}"), None).await.expect(200);
    assert!(page.headers.get("set-cookie").is_none(), "the browser is trusted already");
    let body = json!({ "token": link, "password": "Nouveau8!" });
    owner.post("/v1/password-resets/confirm", body).await.expect(204);
    for n in 0..7 {
        Client::new(&server, "stranger/1").log_in(&format!("Guess{n}!!")).await.expect(401);
    }
    Client::new(&server, "stranger/1").log_in("Nouveau8!").await.expect(423);
    owner.log_in("Nouveau8!").await.expect(201);
}

/// How many wrong guesses were judged: of callers without a device, and of each device.
async fn judged(server: &Server) -> (usize, Vec<usize>) {
    let events = server.service_get("/v1/events?type=login-failed&limit=200").await.expect(200).json();
    let mut without = 0;
    let mut of_devices = std::collections::BTreeMap::<String, usize>::new();
    for event in events["items"].as_array().unwrap() {
        match event["data"]["device"]["device_id"].as_str() {
            Some(device) => *of_devices.entry(device.to_owned()).or_default() += 1,
            None => without += 1,
        }
    }
    (without, of_devices.into_values().collect())
}

/// Law 4, and the bound that SECURITY states for devices.
#[tokio::test]
async fn of_five_hundred_guesses_at_once_seven_are_judged_without_a_device_and_seven_more_of_each_device_at_most()
 {
    for devices in [0_usize, 1, 3] {
        let server = Server::start().await;
        server.active(1, EMAIL, PASSWORD).await;
        let mut clients = vec![Client::new(&server, "stranger/1")];
        for n in 0..devices {
            let agent = ["phone/1", "till/1", "desk/1"][n];
            let given = Client::new(&server, agent).log_in(PASSWORD).await.expect(201).json();
            clients.push(
                Client::new(&server, agent).with("loquet-device", given["device_token"].as_str().unwrap()),
            );
        }
        let guesses = (0..500).map(|n| clients[n % clients.len()].log_in("Guess-in-a-flood1!"));
        let answers = futures_util::future::join_all(guesses).await;
        let told = answers.iter().filter(|answer| answer.status == 401).count();
        let statuses = answers.iter().map(|answer| answer.status.as_u16());
        assert!(
            statuses.clone().all(|status| [401, 423, 429].contains(&status)),
            "{:?}",
            statuses.collect::<Vec<_>>()
        );
        let (without, of_devices) = judged(&server).await;
        assert_eq!(told, without + of_devices.iter().sum::<usize>(), "whoever was told 401 was judged");
        assert!(without <= 7 && of_devices.len() <= devices, "{without} and {of_devices:?}");
        assert!(of_devices.iter().all(|judged| *judged <= 7), "{of_devices:?}");
        // Nobody gets in now: everybody is locked out, or was told to come later.
        for client in &clients {
            client.log_in(PASSWORD).await.expect(423);
        }
    }
}
