//! The profiles `default`, `nist` and `pci` of lockout and passwords: in process, where time is handed in,
//! and through real HTTP.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use chrono::TimeDelta;
use futures_util::future::join_all;
use loquet_domain::account::Account;
use loquet_domain::app::{Failure, LinkRefused, Login, Owner};
use loquet_domain::ids::{AccountId, SessionId};
use loquet_domain::policies::Policies;
use loquet_domain::policies::lockout::{LockEnd, LockoutPolicy};
use loquet_domain::policies::password_policy::{
    Blocklisted, Composition, Context, PasswordPolicy, PasswordRule,
};
use loquet_domain::ports::{LinkClaims, Purpose, Tokens};
use loquet_memory::event_store::MemoryStore;
use loquet_tests::kit::{Node, context, email_address, minute, password};
use loquet_tests::server::{Answer, Server, binary, order, token_in};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

const PHRASE: &str = "My cat hates 2 Tuesdays!";

fn nist() -> Policies {
    let password = PasswordPolicy::new(15, 1024, Composition::Free).unwrap();
    let words = vec!["MyCCV".to_owned()];
    Policies {
        lockout: LockoutPolicy::default().with_cap(100).unwrap(),
        password: password.with_blocklist(Blocklisted::Refused).with_context(Context::Refused { words }),
        ..Policies::default()
    }
}

fn pci() -> Policies {
    let password = PasswordPolicy::new(12, 1024, Composition::LettersAndDigits).unwrap();
    Policies {
        lockout: LockoutPolicy::new(10, TimeDelta::minutes(30)).unwrap(),
        password: password.with_history(4).unwrap(),
        ..Policies::default()
    }
}

/// Every profile: its rules, how many guesses in a row lock, for how many minutes, and its cap.
fn profiles() -> [(&'static str, Policies, usize, i64, Option<usize>); 3] {
    [
        ("default", Policies::default(), 7, 15, None),
        ("nist", nist(), 7, 15, Some(100)),
        ("pci", pci(), 10, 30, None),
    ]
}

fn node(policies: &Policies, store: &MemoryStore, folder: &Path) -> Arc<Node> {
    Arc::new(Node::with(policies.clone(), Arc::new(store.clone()), folder))
}

/// An active account with [`PHRASE`], which every profile takes.
async fn active(node: &Node, number: u32, email: &str) -> AccountId {
    let placed = node.app.place_order(&context(0), node.order(number, number, email)).await.unwrap();
    let account = placed.onboarded.account;
    let token = node.activation_token(account).await;
    node.app.activate(&context(0), &token, password(PHRASE)).await.unwrap();
    account
}

async fn reset_token(node: &Node, at: i64, account: AccountId, email: &str) -> String {
    node.app.request_password_reset(&context(at), &email_address(email)).await.unwrap();
    let Account::Active(active) = node.app.account(account).await.unwrap() else { panic!("not active") };
    let link = active.reset.unwrap();
    let (event, expires_at) = (link.event, link.expires_at);
    node.tokens.link(&LinkClaims { purpose: Purpose::PasswordReset, account, event, expires_at })
}

/// Law 4 for each profile: rounds of guesses at once, a lockout apart, on two nodes.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_profile_judges_more_guesses_than_it_allows_however_many_come_at_once() {
    for (name, policies, attempts, minutes, cap) in profiles() {
        let folder = tempfile::tempdir().unwrap();
        let store = MemoryStore::default();
        let nodes = [node(&policies, &store, folder.path()), node(&policies, &store, folder.path())];
        active(&nodes[0], 1, "marie@example.be").await;
        let mut judged = 0;
        for round in 0..18 {
            let at = 1 + round * minutes;
            let guesses = (0..20).map(|n| {
                let node = nodes[n % 2].clone();
                tokio::spawn(async move { node.log_in(at, "marie@example.be", &format!("Wrong{n}!")).await })
            });
            let answers: Vec<Login> = join_all(guesses).await.into_iter().map(Result::unwrap).collect();
            let refused = answers.iter().filter(|answer| **answer == Login::Refused).count();
            let left = cap.map_or(attempts, |cap| attempts.min(cap - judged));
            assert_eq!(refused, left, "{name}, round {round}");
            judged += refused;
        }
        let right = nodes[1].log_in(1 + 18 * minutes, "marie@example.be", PHRASE).await;
        match cap {
            Some(cap) => {
                assert_eq!((judged, right), (cap, Login::Locked { until: LockEnd::AtReset }), "{name}");
            }
            None => assert!(matches!(right, Login::Succeeded { .. }), "{name}: {right:?}"),
        }
    }
}

/// Law 11 for each profile: the same answers at the same moments, whoever has the address or nobody.
#[tokio::test]
async fn under_every_profile_unknown_addresses_are_locked_as_known_ones_are_up_to_the_cap_and_beyond() {
    for (name, policies, attempts, minutes, cap) in profiles() {
        let folder = tempfile::tempdir().unwrap();
        let store = MemoryStore::default();
        let node = node(&policies, &store, folder.path());
        active(&node, 1, "known@example.be").await;
        node.app.place_order(&context(0), node.order(2, 2, "unactivated@example.be")).await.unwrap();
        let mut told = Vec::new();
        for email in ["known@example.be", "unactivated@example.be", "unknown@example.be"] {
            let (mut answers, before) = (Vec::new(), node.verified());
            for round in 0..17 {
                for _ in 0..=attempts {
                    answers.push(node.log_in(1 + round * minutes, email, "Wrong1!!").await);
                }
            }
            answers.push(node.log_in(1_000_000, email, "Wrong1!!").await);
            told.push((answers, node.verified() - before));
        }
        assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "{name}: {told:#?}");
        let last = told[0].0.last().unwrap();
        let endless = Login::Locked { until: LockEnd::AtReset };
        assert_eq!(*last == endless, cap.is_some(), "{name}");
        assert!(cap.is_none_or(|cap| told[0].1 == cap), "{name} verified {}", told[0].1);
    }
}

#[tokio::test]
async fn a_reset_link_opens_what_the_cap_has_locked_and_a_release_does() {
    let folder = tempfile::tempdir().unwrap();
    let store = MemoryStore::default();
    let policies = Policies { lockout: LockoutPolicy::default().with_cap(5).unwrap(), ..nist() };
    let node = node(&policies, &store, folder.path());
    let account = active(&node, 1, "marie@example.be").await;
    let lock = async |at| {
        for _ in 0..5 {
            assert_eq!(node.log_in(at, "marie@example.be", "Wrong1!!").await, Login::Refused);
        }
        let endless = Login::Locked { until: LockEnd::AtReset };
        assert_eq!(node.log_in(at + 100_000, "marie@example.be", PHRASE).await, endless);
    };
    lock(1).await;
    let token = reset_token(&node, 2, account, "marie@example.be").await;
    node.app.reset_password(&context(3), &token, password("Another cat, another 2 days")).await.unwrap();
    let login = node.log_in(4, "marie@example.be", "Another cat, another 2 days").await;
    assert!(matches!(login, Login::Succeeded { .. }), "{login:?}");
    lock(5).await;
    node.app.release(&context(6), account, "called from the number on file").await.unwrap();
    assert_eq!(node.log_in(7, "marie@example.be", "Wrong1!!").await, Login::Refused);
}

fn weak(rules: &[PasswordRule]) -> Failure {
    Failure::WeakPassword(rules.to_vec())
}

#[tokio::test]
async fn one_of_the_last_four_passwords_is_refused_and_nobody_who_proved_nothing_makes_it_cost_a_hash() {
    let folder = tempfile::tempdir().unwrap();
    let store = MemoryStore::default();
    let node = node(&pci(), &store, folder.path());
    let account = active(&node, 1, "marie@example.be").await;
    let change = async |current: &str, new: &str| {
        let before = node.verified();
        let answer = node
            .app
            .change_password(
                &context(1),
                Owner { account, session: SessionId(Uuid::nil()), device: None },
                password(current),
                password(new),
            )
            .await;
        (answer.map(drop), node.verified() - before)
    };
    let reused = || Err(weak(&[PasswordRule::Reused(4)]));
    let mut present = PHRASE.to_owned();
    assert_eq!(change(PHRASE, PHRASE).await.0, reused(), "not even the present one");
    for n in 2..=5 {
        let next = format!("Password no {n}");
        assert_eq!(change(&present, &next).await.0, Ok(()));
        present = next;
    }
    // Of 5, 4, 3, 2 and the first, the last four are 5 to 2.
    assert_eq!(change(&present, "Password no 2").await, (reused(), 5), "the present one and four compared");
    assert_eq!(change("wrong one", "Password no 2").await, (Err(Failure::WrongPassword), 1), "a stranger");
    assert_eq!(change(&present, "short").await.1, 0, "what breaks another rule is not compared");

    let before = node.verified();
    let forged = node.app.reset_password(&context(2), "AAAA", password("Password no 2")).await;
    assert_eq!(forged, Err(Failure::Link(LinkRefused::Invalid)));
    assert_eq!(node.verified(), before, "a forged link costs no hash");
    let token = reset_token(&node, 2, account, "marie@example.be").await;
    for old in ["Password no 2", "Password no 5"] {
        let refused = node.app.reset_password(&context(3), &token, password(old)).await;
        assert_eq!(refused, Err(weak(&[PasswordRule::Reused(4)])), "{old}");
    }
    node.app.reset_password(&context(3), &token, password(PHRASE)).await.unwrap();
    let login = node.log_in(4, "marie@example.be", PHRASE).await;
    assert!(
        matches!(login, Login::Succeeded { .. }),
        "the fifth may come back, and the link was not used up"
    );
}

#[tokio::test]
async fn a_change_that_is_refused_as_reused_counts_nothing_and_a_wrong_one_counts() {
    let folder = tempfile::tempdir().unwrap();
    let store = MemoryStore::default();
    let node = node(&pci(), &store, folder.path());
    let account = active(&node, 1, "marie@example.be").await;
    let failures = async || {
        let held = node.app.account(account).await.unwrap();
        held.active().unwrap().lockout.failures_across()
    };
    let change = async |current: &str| {
        let answer = node
            .app
            .change_password(
                &context(1),
                Owner { account, session: SessionId(Uuid::nil()), device: None },
                password(current),
                password(PHRASE),
            )
            .await;
        answer.map(drop)
    };
    assert_eq!(change("wrong").await, Err(Failure::WrongPassword));
    assert_eq!(failures().await, 1);
    assert_eq!(change(PHRASE).await, Err(weak(&[PasswordRule::Reused(4)])));
    assert_eq!(failures().await, 1, "a right password that changes nothing forgives nothing");
    for _ in 1..10 {
        assert_eq!(change("wrong").await, Err(Failure::WrongPassword));
    }
    let until = minute(31).into();
    let refusal = loquet_domain::account::Refusal::Locked { until };
    assert_eq!(change(PHRASE).await, Err(refusal.into()), "nothing is compared while it is locked");
}

#[track_caller]
fn rules(answer: &Answer) -> Vec<String> {
    let errors = answer.json()["errors"].as_array().cloned().unwrap_or_default();
    errors.iter().map(|error| error["rule"].as_str().unwrap().to_owned()).collect()
}

/// Returns everything that an anonymous caller sees of an answer, except the date and the request's id.
#[track_caller]
fn seen(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let headers =
        answer.headers.iter().filter(|(name, _)| !["date", "x-request-id"].contains(&name.as_str()));
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    let id = answer.headers["x-request-id"].to_str().unwrap();
    (answer.status.as_u16(), headers.collect(), answer.text.replace(id, "ID"))
}

async fn activation(server: &Server, number: u32, email: &str) -> (String, String) {
    let placed = server.service_post("/v1/orders", order(number, number, email)).await.expect(201).json();
    let token = token_in(&server.mail(email, "Confirmez", 1).await);
    (placed["account_id"].as_str().unwrap().to_owned(), token)
}

#[tokio::test]
async fn nist_over_http_long_passwords_without_composition_no_common_ones_and_a_cap_that_a_reset_lifts() {
    // A hundred in one row, so that the test has no lockout to wait for.
    let server = Server::start_with(&[
        "--lockout-profile",
        "nist",
        "--password-profile",
        "nist",
        "--lockout-attempts",
        "100",
        "--lockout-duration",
        "50m",
        "--password-context-words",
        "pay terminal",
    ])
    .await;
    let email = "marie@example.be";
    let (id, token) = activation(&server, 1, email).await;
    let activate =
        |password: &str| server.post("/v1/activations", json!({ "token": token, "password": password }));
    for (password, broken) in [
        ("Boulange7!", &["password-too-short"][..]),
        ("passwordPASSWORD", &["password-common"]),
        ("qwertyuiop", &["password-too-short", "password-common"]),
        ("Boulangerie 2026", &["password-context"]),
        ("Marie.Dupont.1984", &["password-context"]),
        ("MyCCV/Pay-Terminal", &["password-context"]),
    ] {
        assert_eq!(rules(&activate(password).await.expect(422)), broken, "{password}");
    }
    let page = server.client.get(format!("{}/activate?token={token}", server.url));
    let page = page.header("accept-language", "en").send().await.unwrap().text().await.unwrap();
    for rule in [
        "At least 15 characters",
        "Not a common password or one known from a data breach",
        "More than your name",
    ] {
        assert!(page.contains(rule), "'{rule}' is not on the page: {page}");
    }
    assert!(!page.contains("upper-case"), "{page}");
    activate("correct horse battery staple").await.expect(204);

    for guess in 0..100 {
        for address in [email, "unknown@example.be"] {
            assert_eq!(server.login(address, "Wrong1!!").await.status.as_u16(), 401, "guess {guess}");
        }
    }
    let locked = server.login(email, "correct horse battery staple").await.expect(423);
    assert_eq!(locked.json()["type"], "urn:loquet:problem:locked-until-reset");
    assert!(locked.json().get("locked_until").is_none() && !locked.headers.contains_key("retry-after"));
    let unknown = server.login("unknown@example.be", "Wrong1!!").await;
    assert_eq!(seen(&locked), seen(&unknown), "an unknown address is locked in the same words");
    let shown = server.service_get(&format!("/v1/accounts/{id}/lockout")).await.expect(200).json();
    assert_eq!((&shown["locked"], &shown["locked_until_reset"]), (&json!(true), &json!(true)));
    assert_eq!((&shown["locked_until"], &shown["failures_across_lockouts"]), (&Value::Null, &json!(100)));
    let diagnosis = format!("/v1/support/diagnosis?email={email}");
    let told = server.service_get(&diagnosis).await.expect(200).json();
    assert_eq!(
        (&told["login_would_be"], &told["reasons"][0]["reason"]),
        (&json!("locked"), &json!("locked_until_reset"))
    );
    assert_eq!(told["reasons"][0]["remedy"]["action"], "send_reset", "its owner opens it");
    let mail = server.mail(email, "bloqué jusqu’à", 1).await;
    assert!(mail.contains("mot de passe oublié"), "{mail}");

    server.post("/v1/password-resets", json!({ "email": email })).await.expect(202);
    let reset = token_in(&server.mail(email, "nouveau mot de passe", 2).await);
    let body = json!({ "token": reset, "password": "wrong horse battery staple" });
    server.post("/v1/password-resets/confirm", body).await.expect(204);
    server.login(email, "wrong horse battery staple").await.expect(201);
}

#[tokio::test]
async fn pci_over_http_ten_tries_thirty_minutes_twelve_characters_and_none_of_the_last_four() {
    let server = Server::start_with(&["--lockout-profile", "pci", "--password-profile", "pci"]).await;
    let email = "marie@example.be";
    let (id, token) = activation(&server, 1, email).await;
    let activate =
        |password: &str| server.post("/v1/activations", json!({ "token": token, "password": password }));
    assert_eq!(rules(&activate("Boulange7!").await.expect(422)), ["password-too-short"]);
    assert_eq!(rules(&activate("twelveletters").await.expect(422)), ["password-digit"]);
    assert_eq!(rules(&activate("123456789012").await.expect(422)), ["password-letter"]);
    activate("twelveletters1").await.expect(204);
    let change = async |current: &str, new: &str| {
        let session = server.login(email, current).await.expect(201).json();
        let body = json!({ "current_password": current, "new_password": new });
        let path = format!("/v1/accounts/{id}/password");
        let token = session["session_token"].as_str().unwrap().to_owned();
        server.send(Method::POST, &path, Some(&token), Some(&body)).await
    };
    for n in 1..5 {
        change(&format!("twelveletters{n}"), &format!("twelveletters{}", n + 1)).await.expect(204);
    }
    let refused = change("twelveletters5", "twelveletters2").await.expect(422);
    assert_eq!(rules(&refused), ["password-reused"]);
    assert!(refused.text.contains("/new_password") && refused.text.contains("last 4"), "{}", refused.text);
    change("twelveletters5", "twelveletters1").await.expect(204);
    // The link was used.
    activate("twelveletters9").await.expect(410);

    for _ in 0..10 {
        server.login(email, "Wrong1!!").await.expect(401);
    }
    let locked = server.login(email, "twelveletters1").await.expect(423);
    let retry: u64 = locked.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1790..=1800).contains(&retry), "{retry}");
}

#[tokio::test]
async fn by_default_the_rules_are_the_customers_and_nothing_is_compared() {
    let server = Server::start().await;
    let email = "marie@example.be";
    let (id, token) = activation(&server, 1, email).await;
    server.post("/v1/activations", json!({ "token": token, "password": "Dupont2026!" })).await.expect(204);
    let session = server.login(email, "Dupont2026!").await.expect(201).json();
    let body = json!({ "current_password": "Dupont2026!", "new_password": "Dupont2026!" });
    let token = session["session_token"].as_str().unwrap();
    let path = format!("/v1/accounts/{id}/password");
    server.send(Method::POST, &path, Some(token), Some(&body)).await.expect(204);
}

#[tokio::test]
async fn a_password_of_the_operators_list_is_refused_with_the_reason_in_three_languages() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("breached.txt");
    // As Have I Been Pwned gives them: hashes, how often each was seen, and the line ends of Windows.
    let listed = ["Zomervakantie-2026", "Wintersport-2026", "Herfstvakantie-2026"];
    let mut lines: Vec<_> = listed.map(|text| format!("{}:7", sha1_of(text))).into();
    lines.sort();
    std::fs::write(&list, lines.join("\r\n")).unwrap();
    let list = list.to_str().unwrap();
    let server = Server::start_with(&["--password-blocklist", "on", "--password-blocklist-file", list]).await;
    let (_, token) = activation(&server, 1, "marie@example.be").await;
    let body = json!({ "token": token, "password": "Zomervakantie-2026" });
    for (language, reason) in [
        ("en", "attackers try those first"),
        ("fr", "les premiers que l’on essaie"),
        ("nl", "het eerst geprobeerd"),
    ] {
        let request = server.client.post(format!("{}/v1/activations", server.url)).json(&body);
        let answer = request.header("accept-language", language).send().await.unwrap();
        let text = answer.text().await.unwrap();
        assert!(text.contains("password-common") && text.contains(reason), "{text}");
    }
    let body = json!({ "token": token, "password": "Zomervakantie-2027" });
    server.post("/v1/activations", body).await.expect(204);
}

/// The SHA-1 that the system's own program gives.
#[track_caller]
fn sha1_of(text: &str) -> String {
    use std::io::Write;
    use std::process::Stdio;
    let mut sum = Command::new("sha1sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    sum.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let told = String::from_utf8(sum.wait_with_output().unwrap().stdout).unwrap();
    told.split(' ').next().unwrap().to_uppercase()
}

#[track_caller]
fn config(text: &str, command: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("loquet.toml");
    let whole = format!("public_url = \"https://portal.example\"\n{text}\n[smtp]\nhost = \"mail.example\"\n");
    std::fs::write(&file, whole).unwrap();
    let mut program = Command::new(binary());
    program.env_clear().arg("--config").arg(&file).args(["config", command]);
    String::from_utf8(program.output().unwrap().stdout).unwrap()
}

#[test]
fn config_check_refuses_a_list_out_of_order_with_the_command_that_sorts_it_and_then_takes_it() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("list.txt");
    // In order but for one line, which is not where a start looks.
    let lines: Vec<_> = (0..200_000).map(|n| format!("password-{n:06}")).collect();
    let mut spoilt = lines.clone();
    spoilt[123_456] = "password-000001".to_owned();
    std::fs::write(&list, spoilt.join("\n")).unwrap();
    let shown = list.display();
    let text = format!("[password]\nprofile = \"nist\"\nblocklist_file = \"{shown}\"");
    let told = config(&text, "check");
    let command = format!("LC_ALL=C sort -f -u {shown} -o {shown}");
    assert!(told.contains(":4: password.blocklist_file: ") && told.contains(&command), "{told}");
    let sorted = Command::new("sh").args(["-c", &command]).status().unwrap();
    assert!(sorted.success());
    assert!(config(&text, "check").contains("the configuration is valid"));
    std::fs::write(&list, "zebra\naardvark\n").unwrap();
    assert!(config(&text, "check").contains(&command), "one that a start refuses");
}

#[test]
fn config_check_names_what_is_set_and_not_compared_with_and_a_list_that_is_not_there() {
    let off = config("[password]\nblocklist_file = \"/dev/null\"\ncontext_words = \"terminal\"", "check");
    assert!(off.contains("password.blocklist is off") && off.contains("password.context is off"), "{off}");
    let missing = config("[password]\nblocklist = \"on\"\nblocklist_file = \"/nowhere/list\"", "check");
    assert!(missing.contains("/nowhere/list can't be read"), "{missing}");
    let unknown = config("[lockout]\nprofile = \"hipaa\"", "check");
    assert!(unknown.contains("default, nist, pci"), "{unknown}");
}

#[test]
fn config_show_says_which_values_are_a_profiles() {
    let shown = config("[lockout]\nprofile = \"pci\"\nattempts = 5", "show");
    let line = |key: &str| shown.lines().find(|line| line.contains(key)).unwrap().to_owned();
    assert!(
        line("lockout.duration").contains("30m")
            && line("lockout.duration").contains("lockout.profile = pci")
    );
    assert!(line("lockout.attempts").contains(" 5 ") && !line("lockout.attempts").contains("= pci"));
}
