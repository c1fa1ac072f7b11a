//! Every route whose success can hold a session or a challenge, for accounts in every state that lets nobody in.

use std::collections::BTreeSet;

use loquet_tests::server::{Answer, Server, order, token_in};
use reqwest::Method;
use serde_json::{Value, json};
use totp_rs::{Builder, Secret, Totp};

const PASSWORD: &str = "Boulange7!";
/// What lets somebody in, or half in.
const KEYS: [&str; 2] = ["session_token", "challenge"];

/// In what state an account is, and what `POST /v1/logins` and `POST /v1/logins/second-step` answer then: to the right
/// password, without a code and with one that was never used, and to a challenge of better days with such a code.
const TABLE: [(State, [(u16, &str); 3]); 6] = [
    (State::Locked, [(423, "locked"), (423, "locked"), (423, "locked")]),
    (State::Deleted, [(401, "wrong-credentials"), (401, "wrong-credentials"), (401, "challenge-void")]),
    (State::Erased, [(401, "wrong-credentials"), (401, "wrong-credentials"), (401, "challenge-void")]),
    (State::Unactivated, [(401, "wrong-credentials"), (401, "wrong-credentials"), (401, "challenge-void")]),
    (State::Awaiting, [(403, "awaiting-conversion"), (403, "awaiting-conversion"), (401, "challenge-void")]),
    // The control: a right password alone gets a challenge and no more, and a wrong code nothing.
    (State::SecondStep, [(200, "challenge"), (401, "wrong-code"), (401, "wrong-code")]),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Locked,
    Deleted,
    Erased,
    Unactivated,
    Awaiting,
    SecondStep,
}

/// An account, and what its owner has from the time when it could be logged in to.
struct Prepared {
    account: String,
    email: String,
    challenge: String,
    code: String,
}

async fn colleague(server: &Server, company: &str, email: &str) -> String {
    let body = json!({
        "email": email, "given_name": "Marie", "family_name": "Dupont",
        "language": "fr", "role": "user", "company_id": company,
    });
    let created = server.service_post("/v1/accounts", body).await.expect(201).json();
    created["account_id"].as_str().unwrap().to_owned()
}

async fn activate(server: &Server, email: &str) {
    let token = token_in(&server.mail(email, "Confirmez", 1).await);
    server.post("/v1/activations", json!({ "token": token, "password": PASSWORD })).await.expect(204);
}

/// Turns the second step on; gives its recovery codes.
async fn enrol(server: &Server, account: &str, email: &str) -> Vec<String> {
    let entered = server.login(email, PASSWORD).await.expect(201).json();
    let session = entered["session_token"].as_str();
    let path = format!("/v1/accounts/{account}/second-step");
    let current = json!({ "current_password": PASSWORD });
    let shown = server.send(Method::POST, &path, session, Some(&current)).await.expect(201).json();
    let secret = Secret::try_from_base32(shown["secret"].as_str().unwrap()).unwrap();
    let app: Totp = Builder::new().with_secret(secret).build().unwrap();
    let code = json!({ "code": app.generate_current().to_string() });
    let path = format!("{path}/confirmation");
    let on = server.send(Method::POST, &path, session, Some(&code)).await.expect(200).json();
    let codes = on["recovery_codes"].as_array().unwrap();
    codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect()
}

/// An account with its second step on, a challenge open, and a recovery code unused.
async fn half_in(server: &Server, company: &str, email: &str) -> Prepared {
    let account = colleague(server, company, email).await;
    activate(server, email).await;
    let code = enrol(server, &account, email).await[0].clone();
    let asked = server.login(email, PASSWORD).await.expect(200).json();
    let challenge = asked["challenge"].as_str().unwrap().to_owned();
    Prepared { account, email: email.to_owned(), challenge, code }
}

async fn prepare(server: &Server, company: &str, number: u32, state: State) -> Prepared {
    let email = format!("marie{number}@example.be");
    let nobodys = "0000-0000-0000-0000".to_owned();
    match state {
        State::Unactivated => {
            let account = colleague(server, company, &email).await;
            Prepared { account, email, challenge: "AAAA".to_owned(), code: nobodys }
        }
        State::Awaiting => {
            let placed = server.service_post("/v1/orders", order(number, 1, &email)).await.expect(201).json();
            activate(server, &email).await;
            let account = placed["account_id"].as_str().unwrap().to_owned();
            Prepared { account, email, challenge: "AAAA".to_owned(), code: nobodys }
        }
        State::SecondStep => Prepared { code: nobodys, ..half_in(server, company, &email).await },
        State::Locked | State::Deleted | State::Erased => {
            let prepared = half_in(server, company, &email).await;
            close(server, &prepared, state).await;
            prepared
        }
    }
}

async fn close(server: &Server, prepared: &Prepared, state: State) {
    let path = format!("/v1/accounts/{}", prepared.account);
    match state {
        State::Locked => {
            for _ in 0..7 {
                server.login(&prepared.email, "Croissant8!").await.expect(401);
            }
        }
        State::Erased => {
            let reason = json!({ "reason": "asked to" });
            server.service_post(&format!("{path}/erasure"), reason).await.expect(204);
        }
        _ => {
            let path = format!("{path}?reason=left");
            server.send(Method::DELETE, &path, Some(&server.token()), None).await.expect(204);
        }
    }
}

/// Which of [`KEYS`] a schema holds, however deep.
#[track_caller]
fn keys_in(schema: &Value, description: &Value, found: &mut BTreeSet<&'static str>) {
    match schema {
        Value::Object(members) => {
            let properties = members.get("properties").and_then(Value::as_object);
            for key in KEYS.into_iter().filter(|key| properties.is_some_and(|held| held.contains_key(*key))) {
                found.insert(key);
            }
            if let Some(name) = members.get("$ref").and_then(Value::as_str) {
                let named = description.pointer(name.trim_start_matches('#')).unwrap();
                keys_in(named, description, found);
            }
            members.values().for_each(|member| keys_in(member, description, found));
        }
        Value::Array(items) => items.iter().for_each(|item| keys_in(item, description, found)),
        _ => {}
    }
}

/// Method and path of each operation whose success can hold one of [`KEYS`].
#[track_caller]
fn ways_in(description: &Value) -> Vec<String> {
    let mut ways = Vec::new();
    for (path, operations) in description["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let mut found = BTreeSet::new();
            let answers = operation["responses"].as_object().unwrap().iter();
            for (_, answer) in answers.filter(|(status, _)| status.starts_with('2') || *status == "default") {
                keys_in(answer, description, &mut found);
            }
            if !found.is_empty() {
                ways.push(format!("{method} {path}"));
            }
        }
    }
    ways
}

/// What an answer came to: the last part of its problem's type, or which of [`KEYS`] it holds.
#[track_caller]
fn came_to(answer: &Answer) -> (u16, String) {
    let body = answer.json();
    let held = KEYS.into_iter().find(|key| body.get(key).is_some()).map(str::to_owned);
    let kind = body["type"].as_str().and_then(|kind| kind.rsplit(['/', ':']).next()).map(str::to_owned);
    (answer.status.as_u16(), held.or(kind).unwrap_or_default())
}

#[tokio::test]
async fn no_route_lets_anybody_in_whose_account_is_locked_gone_or_not_yet_theirs() {
    let server = Server::start().await;
    let description = server.send(Method::GET, "/openapi.json", None, None).await.expect(200).json();
    // Whoever adds a way in adds it to the table, and to what is tried below.
    assert_eq!(ways_in(&description), ["post /v1/logins", "post /v1/logins/second-step"]);
    let founder = server.active(1, "paul@example.be", PASSWORD).await;
    let founder = server.service_get(&format!("/v1/accounts/{founder}")).await.expect(200).json();
    let company = founder["company_id"].as_str().unwrap();
    for (number, (state, expected)) in (2..).zip(TABLE) {
        let Prepared { account, email, challenge, code } = prepare(&server, company, number, state).await;
        // Only who has enrolled was ever in.
        let before = opened(&server, &account).await;
        let with_code = json!({ "email": email, "password": PASSWORD, "recovery_code": code });
        let half = json!({ "challenge": challenge, "recovery_code": code });
        let was_in = !matches!(state, State::Unactivated | State::Awaiting);
        assert_eq!(before, usize::from(was_in), "{state:?}");
        let answers = [
            server.login(&email, PASSWORD).await,
            server.post("/v1/logins", with_code).await,
            server.post("/v1/logins/second-step", half).await,
        ];
        for (answer, (status, kind)) in answers.iter().zip(expected) {
            assert_eq!(came_to(answer), (status, kind.to_owned()), "{state:?}");
            assert!(answer.json().get("session_token").is_none(), "{state:?}: {}", answer.text);
        }
        assert_eq!(opened(&server, &account).await, before, "{state:?}: nothing was opened");
        // Half a login authorises nothing.
        let path = format!("/v1/accounts/{account}");
        server.send(Method::GET, &path, Some(&challenge), None).await.expect(401);
    }
}

/// How many sessions were ever opened for an account, as the log has it.
async fn opened(server: &Server, account: &str) -> usize {
    let path = format!("/v1/accounts/{account}/events?limit=200");
    let history = server.service_get(&path).await.expect(200).json();
    let events = history["items"].as_array().unwrap().iter();
    events.filter(|event| event["type"] == "login-succeeded").count()
}
