//! Two-step verification through real HTTP, checked against implementations that nobody here wrote.

use std::process::{Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use loquet_tests::server::{Answer, Server};
use loquet_tests::{environment, skip};
use reqwest::Method;
use serde_json::{Value, json};

const PASSWORD: &str = "Boulange7!";
const EMAIL: &str = "marie@example.be";

/// Now in steps of 30 seconds, from where on a few seconds are left: a code made now is of this step when it comes.
#[expect(clippy::disallowed_methods, reason = "the clock is the one thing that this waits for")]
fn step() -> u64 {
    loop {
        let now = u64::try_from(environment::now().timestamp()).unwrap();
        if now % 30 < 24 {
            return now / 30;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The code of a step, by oathtool.
#[track_caller]
fn code(secret: &str, step: u64) -> String {
    let at = format!("@{}", step * 30);
    let made = Command::new("oathtool").args(["--totp", "--base32", secret, "--now", &at]).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

struct Owner<'a> {
    server: &'a Server,
    account: String,
    session: String,
}

impl<'a> Owner<'a> {
    async fn new(server: &'a Server) -> Self {
        let account = server.active(1, EMAIL, PASSWORD).await;
        let session = server.login(EMAIL, PASSWORD).await.expect(201).json();
        Self { server, account, session: session["session_token"].as_str().unwrap().to_owned() }
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        let path = format!("/v1/accounts/{}/second-step{path}", self.account);
        self.server.send(Method::POST, &path, Some(&self.session), Some(&body)).await
    }

    /// Turns the second step on with the code of the step before now; gives secret and recovery codes.
    async fn enrol(&self) -> (String, Vec<String>) {
        let shown = self.post("", json!({ "current_password": PASSWORD })).await.expect(201).json();
        let secret = shown["secret"].as_str().unwrap().to_owned();
        let made = code(&secret, step() - 1);
        let on = self.post("/confirmation", json!({ "code": made })).await.expect(200).json();
        let codes = on["recovery_codes"].as_array().unwrap();
        (secret, codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect())
    }
}

async fn challenge(server: &Server) -> String {
    let asked = server.login(EMAIL, PASSWORD).await.expect(200).json();
    asked["challenge"].as_str().unwrap().to_owned()
}

async fn answer(server: &Server, challenge: &str, kind: &str, code: &str) -> Answer {
    server.post("/v1/logins/second-step", json!({ "challenge": challenge, kind: code })).await
}

#[track_caller]
fn slug(answer: &Answer) -> String {
    answer.json()["type"].as_str().unwrap().rsplit(':').next().unwrap().to_owned()
}

/// The text of the picture, by zbarimg.
#[track_caller]
fn read_picture(png: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("qr.png");
    std::fs::write(&file, png).unwrap();
    let mut reader = Command::new("zbarimg");
    reader.args(["--quiet", "--raw", "--nodbus"]).arg(&file).stderr(Stdio::null());
    String::from_utf8(reader.output().unwrap().stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn the_codes_of_another_implementation_log_in_and_the_picture_says_the_same_secret() {
    let name = "the_codes_of_another_implementation_log_in_and_the_picture_says_the_same_secret";
    if !skip::unless_installed(name, "oathtool") || !skip::unless_installed(name, "zbarimg") {
        return;
    }
    let server = Server::start().await;
    let owner = Owner::new(&server).await;
    owner.post("", json!({ "current_password": "Wrong1!!" })).await.expect(403);
    let shown = owner.post("", json!({ "current_password": PASSWORD })).await.expect(201).json();
    let (secret, uri) = (shown["secret"].as_str().unwrap(), shown["otpauth_uri"].as_str().unwrap());
    let png = STANDARD.decode(shown["qr_png"].as_str().unwrap()).unwrap();
    assert_eq!(read_picture(&png), uri);
    assert!(uri.starts_with("otpauth://totp/MyCCV:") && uri.contains(secret), "{uri}");
    assert!(shown["qr_svg"].as_str().unwrap().contains("<svg"));
    assert_eq!(
        slug(&owner.post("/confirmation", json!({ "code": "000000" })).await.expect(403)),
        "wrong-code"
    );
    let now = step();
    let confirmed =
        owner.post("/confirmation", json!({ "code": code(secret, now - 1) })).await.expect(200).json();
    assert_eq!(confirmed["recovery_codes"].as_array().unwrap().len(), 10);
    server.mail(EMAIL, "deux étapes activée", 1).await;

    // In two requests, and for machines in one; each code once, whichever way.
    let asked = challenge(&server).await;
    for path in ["/v1/companies", "/v1/accounts"] {
        server.send(Method::GET, path, Some(&asked), None).await.expect(401);
    }
    let made = code(secret, step());
    answer(&server, &asked, "code", &made).await.expect(201);
    let next = code(secret, step() + 1);
    assert_eq!(
        slug(&answer(&server, &asked, "code", &next).await.expect(401)),
        "challenge-void",
        "it let in"
    );
    let other = challenge(&server).await;
    assert_eq!(
        slug(&answer(&server, &other, "code", &made).await.expect(401)),
        "wrong-code",
        "a code is used once"
    );
    let next = code(secret, step() + 1);
    let both = json!({ "email": EMAIL, "password": PASSWORD, "code": next });
    server.post("/v1/logins", both.clone()).await.expect(201);
    server.post("/v1/logins", both).await.expect(401);
}

#[tokio::test]
async fn a_code_used_is_refused_in_parallel_and_after_a_restart() {
    let name = "a_code_used_is_refused_in_parallel_and_after_a_restart";
    if !skip::unless_installed(name, "oathtool") {
        return;
    }
    // More tries than seven: what is counted here is what lets in.
    let mut server = Server::start_with(&["--lockout-attempts", "100", "--lockout-duration", "1h"]).await;
    let (secret, recovery) = Owner::new(&server).await.enrol().await;
    let asked = join_all((0..50).map(|_| challenge(&server))).await;
    let made = code(&secret, step());
    let answers = join_all(asked.iter().map(|asked| answer(&server, asked, "code", &made))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1, "one code, one success");
    server.service_post(&release(&server).await, json!({ "reason": "test" })).await;
    let asked = join_all((0..50).map(|_| challenge(&server))).await;
    let one = recovery[0].as_str();
    let answers = join_all(asked.iter().map(|asked| answer(&server, asked, "recovery_code", one))).await;
    assert_eq!(
        answers.iter().filter(|answer| answer.status == 201).count(),
        1,
        "one recovery code, one success"
    );
    server.service_post(&release(&server).await, json!({ "reason": "test" })).await;
    server.stop();
    server.restart().await;
    let asked = challenge(&server).await;
    for (kind, used) in [("code", made.as_str()), ("recovery_code", one)] {
        answer(&server, &asked, kind, used).await.expect(401);
    }
    let typed = recovery[1].to_lowercase().replace('-', " ");
    answer(&server, &asked, "recovery_code", &typed).await.expect(201);
}

/// Chooses a password by the link of the reset mail that comes as the so many-th.
async fn reset_password(server: &Server, so_many: usize, password: &str) {
    server.post("/v1/password-resets", json!({ "email": EMAIL })).await.expect(202);
    let token = loquet_tests::server::token_in(&server.mail(EMAIL, "nouveau mot de passe", so_many).await);
    let body = json!({ "token": token, "password": password });
    server.post("/v1/password-resets/confirm", body).await.expect(204);
}

#[tokio::test]
async fn whoever_holds_the_mailbox_has_seven_codes_to_guess_and_one_more_for_each_reset() {
    let name = "whoever_holds_the_mailbox_has_seven_codes_to_guess_and_one_more_for_each_reset";
    if !skip::unless_installed(name, "oathtool") {
        return;
    }
    let server = Server::start().await;
    let owner = Owner::new(&server).await;
    let (secret, recovery) = owner.enrol().await;
    let wrong = code(&secret, step() + 1000);
    let guess = async |challenge: &str, n: usize| {
        let both = json!({ "email": EMAIL, "password": PASSWORD, "code": wrong });
        let answer = match n % 2 {
            0 => server.post("/v1/logins", both).await,
            _ => answer(&server, challenge, "code", &wrong).await,
        };
        let judged = answer.status == 401 && slug(&answer) == "wrong-code";
        assert!(judged || answer.status == 423, "{}", answer.text);
        usize::from(judged)
    };
    let mut judged = Vec::new();
    // So many at once after each reset: no count of seven is full before the third, which is far over it.
    for (round, guesses) in [4, 2, 50, 50].into_iter().enumerate() {
        reset_password(&server, round + 1, PASSWORD).await;
        let asked = challenge(&server).await;
        let guesses = (0..guesses).map(|n| guess(&asked, n));
        judged.push(join_all(guesses).await.into_iter().sum::<usize>());
    }
    assert_eq!(judged, [4, 2, 1, 1], "seven, and after each further reset one");

    // Now the password is refused as any is, and support sees until when.
    let locked = server.login(EMAIL, PASSWORD).await.expect(423).json();
    let path = format!("/v1/accounts/{}/lockout", owner.account);
    let shown = server.service_get(&path).await.expect(200).json();
    assert_eq!((&shown["locked"], &shown["locked_until"]), (&json!(true), &locked["locked_until"]));
    let (answer_now, _, remedy) = diagnosed(&server, EMAIL).await;
    assert_eq!((answer_now.as_str(), remedy.as_str()), ("locked", "release"));

    // The owner, who has the phone, is let in by the reset that they ask for.
    reset_password(&server, 5, PASSWORD).await;
    let asked = challenge(&server).await;
    answer(&server, &asked, "code", &code(&secret, step())).await.expect(201);

    // Seven wrong codes after that lock again; a release by support gives the owner seven again.
    let asked = challenge(&server).await;
    let guesses = join_all((0..50).map(|n| guess(&asked, n))).await;
    assert_eq!(guesses.into_iter().sum::<usize>(), 7, "a complete login set the count to zero");
    server.service_post(&release(&server).await, json!({ "reason": "called back" })).await.expect(204);
    let asked = challenge(&server).await;
    answer(&server, &asked, "recovery_code", &recovery[0]).await.expect(201);
}

async fn release(server: &Server) -> String {
    let found = server.service_get(&format!("/v1/accounts?email={EMAIL}")).await.expect(200).json();
    format!("/v1/accounts/{}/release", found["items"][0]["account_id"].as_str().unwrap())
}

#[tokio::test]
async fn the_second_step_is_turned_off_by_its_owner_and_taken_away_by_support() {
    let name = "the_second_step_is_turned_off_by_its_owner_and_taken_away_by_support";
    if !skip::unless_installed(name, "oathtool") {
        return;
    }
    let server = Server::start().await;
    let owner = Owner::new(&server).await;
    let (secret, recovery) = owner.enrol().await;
    let path = format!("/v1/accounts/{}/second-step", owner.account);
    let shown = server.send(Method::GET, &path, Some(&owner.session), None).await.expect(200).json();
    assert_eq!((&shown["on"], &shown["recovery_codes_left"]), (&json!(true), &json!(10)));

    let replaced = json!({ "current_password": PASSWORD, "recovery_code": recovery[0] });
    let replaced = owner.post("/recovery-codes", replaced).await.expect(200).json();
    let newest = replaced["recovery_codes"][0].as_str().unwrap().to_owned();
    let off = |kind: &str, code: &str| json!({ "current_password": PASSWORD, kind: code });
    owner.post("/removal", json!({ "current_password": PASSWORD })).await.expect(422);
    owner.post("/removal", off("recovery_code", &recovery[1])).await.expect(403);
    owner.post("/removal", off("recovery_code", &newest)).await.expect(204);
    server.mail(EMAIL, "désactivée", 1).await;
    server.login(EMAIL, PASSWORD).await.expect(201);
    assert_eq!(slug(&owner.post("/removal", off("code", "123456")).await.expect(409)), "no-second-step");

    owner.enrol().await;
    let reset = json!({ "reason": "Phone stolen", "identity_proof": "Called back on the number on file" });
    owner.post("/reset", reset.clone()).await.expect(403);
    server
        .service_post(&format!("{path}/reset"), json!({ "reason": "x", "identity_proof": "" }))
        .await
        .expect(422);
    let asked = challenge(&server).await;
    server.service_post(&format!("{path}/reset"), reset).await.expect(204);
    let mail = server.mail(EMAIL, "désactivée par le support", 1).await;
    assert!(mail.contains("vous avez été déconnecté"), "{mail}");
    owner.post("", json!({ "current_password": PASSWORD })).await.expect(401);
    let late = code(&secret, step() + 1);
    assert_eq!(slug(&answer(&server, &asked, "code", &late).await.expect(401)), "challenge-void");
    server.login(EMAIL, PASSWORD).await.expect(201);
    let history = format!("/v1/accounts/{}/events?limit=200", owner.account);
    let history = server.service_get(&history).await.expect(200).text;
    assert!(history.contains("Phone stolen — Called back"), "who did it and why is an event");
    for hidden in ["totp_secret", "recovery_hashes", "password_hash", &secret] {
        assert!(!history.contains(hidden), "{hidden} is nobody's to read");
    }
}

#[tokio::test]
async fn a_page_to_print_holds_the_recovery_codes() {
    let name = "a_page_to_print_holds_the_recovery_codes";
    if !skip::unless_installed(name, "oathtool") {
        return;
    }
    let server = Server::start().await;
    let owner = Owner::new(&server).await;
    let shown = owner.post("", json!({ "current_password": PASSWORD })).await.expect(201).json();
    let made = code(shown["secret"].as_str().unwrap(), step());
    let url = format!("{}/v1/accounts/{}/second-step/confirmation", server.url, owner.account);
    let page = reqwest::Client::new().post(url).bearer_auth(&owner.session).header("accept", "text/html");
    let page = page.header("accept-language", "nl").json(&json!({ "code": made })).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let html = page.text().await.unwrap();
    assert!(html.contains("Herstelcodes voor MyCCV") && html.matches("<li><code>").count() == 10, "{html}");
}

/// The one reason, or those there are, and what mends the first.
async fn diagnosed(server: &Server, email: &str) -> (String, Vec<String>, String) {
    let told = server.service_get(&format!("/v1/support/diagnosis?email={email}")).await.expect(200).json();
    let reasons = told["reasons"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let first = reasons.first().map(|reason| text(&reason["remedy"]["action"])).unwrap_or_default();
    let reasons = reasons.iter().map(|reason| text(&reason["reason"])).collect();
    (text(&told["login_would_be"]), reasons, first)
}

fn told(answer: &str, reasons: &[&str], remedy: &str) -> (String, Vec<String>, String) {
    (answer.to_owned(), reasons.iter().map(|reason| (*reason).to_owned()).collect(), remedy.to_owned())
}

#[tokio::test]
async fn the_diagnosis_names_the_reason_the_events_behind_it_and_what_mends_it() {
    let name = "the_diagnosis_names_the_reason_the_events_behind_it_and_what_mends_it";
    if !skip::unless_installed(name, "oathtool") {
        return;
    }
    let server = Server::start().await;
    assert_eq!(diagnosed(&server, EMAIL).await, told("refused", &["no_such_account"], "check_address"));
    for _ in 0..7 {
        server.login("stranger@example.be", "Wrong1!!").await.expect(401);
    }
    let guessed = told("locked", &["no_such_account", "locked_on_this_node"], "check_address");
    assert_eq!(diagnosed(&server, "stranger@example.be").await, guessed);
    let order = |number, company, email: &str| loquet_tests::server::order(number, company, email);
    server.service_post("/v1/orders", order(1, 1, EMAIL)).await.expect(201);
    server.mail(EMAIL, "Confirmez", 1).await;
    assert_eq!(diagnosed(&server, EMAIL).await, told("refused", &["not_activated"], "resend_activation"));
    let token = loquet_tests::server::token_in(&server.mail(EMAIL, "Confirmez", 1).await);
    server.post("/v1/activations", json!({ "token": token, "password": PASSWORD })).await.expect(204);
    assert_eq!(diagnosed(&server, EMAIL).await, told("succeeded", &[], ""));

    let session = server.login(EMAIL, PASSWORD).await.expect(201).json();
    let account = session["account_id"].as_str().unwrap().to_owned();
    let session = session["session_token"].as_str().unwrap().to_owned();
    let owner = Owner { server: &server, account: account.clone(), session };
    let (secret, _) = owner.enrol().await;
    assert_eq!(diagnosed(&server, EMAIL).await, told("second_step", &["second_step"], "enter_code"));
    server.login(EMAIL, "Wrong1!!").await.expect(401);
    let two = told("second_step", &["second_step", "wrong_guesses"], "enter_code");
    assert_eq!(diagnosed(&server, EMAIL).await, two);
    for _ in 0..6 {
        server.login(EMAIL, "Wrong1!!").await.expect(401);
    }
    assert_eq!(diagnosed(&server, EMAIL).await, told("locked", &["locked", "second_step"], "release"));
    let path = format!("/v1/support/diagnosis?email={EMAIL}");
    let shown = server.service_get(&path).await.expect(200).json();
    let evidence = shown["reasons"][0]["evidence"].as_array().unwrap();
    assert_eq!((evidence.len(), &evidence[0]["type"]), (8, &json!("account-locked")));
    assert_eq!(evidence[1]["client_address"], "127.0.0.1");
    assert!(shown["mails"].as_array().unwrap().iter().any(|mail| mail["type"] == "mail-sent"));

    // The action is ready to run: with a reason in it, it does what it says.
    let request = &shown["reasons"][0]["remedy"]["request"];
    server
        .service_post(request["path"].as_str().unwrap(), json!({ "reason": "called back" }))
        .await
        .expect(204);
    assert_eq!(diagnosed(&server, EMAIL).await, told("second_step", &["second_step"], "enter_code"));

    // Once a code was the trouble, the second step may be what to take away.
    let asked = challenge(&server).await;
    answer(&server, &asked, "code", &code(&secret, step() + 1000)).await.expect(401);
    let (_, _, remedy) = diagnosed(&server, EMAIL).await;
    assert_eq!(remedy, "reset_second_step");

    server.service_post("/v1/orders", order(2, 1, "jan@example.be")).await.expect(201);
    let token = loquet_tests::server::token_in(&server.mail("jan@example.be", "Confirmez", 1).await);
    server.post("/v1/activations", json!({ "token": token, "password": PASSWORD })).await.expect(204);
    let waiting = diagnosed(&server, "jan@example.be").await;
    assert_eq!(waiting, told("awaiting_conversion", &["awaiting_conversion"], "convert"));
    let shown = server.service_get("/v1/support/diagnosis?email=jan@example.be").await.expect(200).json();
    assert_eq!(shown["administrators"], json!([account]), "whom to ask");

    server.successor(&account).await;
    let path = format!("/v1/accounts/{account}?reason=left");
    server.send(Method::DELETE, &path, Some(&server.token()), None).await.expect(204);
    assert_eq!(diagnosed(&server, EMAIL).await, told("refused", &["deleted"], "create_account"));
    owner.post("", json!({})).await.expect(401);
    let printed = server.command().args(["diagnose", "--json", EMAIL]).output().unwrap();
    assert!(String::from_utf8_lossy(&printed.stdout).contains("\"deleted\""), "{printed:?}");
    server.service_get("/v1/support/diagnosis?email=nobody").await.expect(422);
}
