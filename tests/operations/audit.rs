//! What the system knew at an earlier moment, by the command line, and what would have been under another policy.

use std::process::Command;

use loquet_tests::server::{Server, binary, order};
use reqwest::Method;
use serde_json::Value;
use std::path::Path;

use crate::snapshots::{made, server_with_snapshots};

const PASSWORD: &str = "Boulange7!";

fn loquet(data: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output =
        Command::new(binary()).env_clear().arg("--data-dir").arg(data).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[track_caller]
pub(crate) fn said(data: &Path, arguments: &[&str]) -> String {
    let (code, out, errors) = loquet(data, arguments);
    assert_eq!(code, Some(0), "{arguments:?}: {out}{errors}");
    out
}

#[track_caller]
pub(crate) fn json(data: &Path, arguments: &[&str]) -> Value {
    serde_json::from_str(&said(data, &[arguments, &["--json"]].concat())).unwrap()
}

/// The newest position of the log.
pub(crate) fn head(server: &Server) -> String {
    let log = said(&server.folder, &["events", "tail", "--json"]);
    let last: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    last["position"].to_string()
}

#[tokio::test]
async fn an_auditor_sees_what_was_known_then_who_granted_what_and_what_happened_in_sentences() {
    let mut server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    let active = head(&server);
    for _ in 0..7 {
        server.login("marie@example.be", "Wrong1!!").await;
    }
    let locked = head(&server);
    let account = json(&server.folder, &["account", "show", "marie@example.be"]);
    let account = account["account_id"].as_str().unwrap().to_owned();
    let release = format!("/v1/accounts/{account}/release");
    server.service_post(&release, serde_json::json!({ "reason": "called" })).await.expect(204);
    server.service_post("/v1/orders", order(2, 1, "jan@example.be")).await.expect(201);
    let data = server.folder.clone();
    let shown = |at: &str| json(&data, &["audit", "account", &account, "--as-of", at]);
    assert_eq!(shown(&active)["failures"], 0);
    assert_eq!((&shown(&locked)["failures"], shown(&locked)["locked_until"].is_null()), (&7.into(), false));
    let now = json(&data, &["audit", "account", &account]);
    assert_eq!((&now["failures"], now["locked_until"].is_null()), (&0.into(), true));
    assert_eq!(
        json(&data, &["account", "show", &account, "--as-of", &locked]),
        shown(&locked),
        "the same command"
    );
    let (code, _, errors) = loquet(&data, &["audit", "account", &account, "--as-of", "yesterday"]);
    assert!(code == Some(2) && errors.contains("write a date"), "{errors}");
    let (code, _, errors) = loquet(&data, &["audit", "account", &account, "--as-of", "9999999"]);
    assert!(code == Some(1) && errors.contains("the log ends at position"), "{errors}");
    let (code, _, _) = loquet(&data, &["backup", "/nowhere", "--as-of", "1"]);
    assert_eq!(code, Some(2), "a command that does not read takes no moment");

    // What she could do, and who had granted it.
    let company = json(&data, &["company", "list"])["company_id"].as_str().unwrap().to_owned();
    let site = json(&data, &["site", "list", &company])["site_id"].as_str().unwrap().to_owned();
    let permissions = |at: &str| -> Vec<Value> {
        let out = said(&data, &["audit", "permissions", &account, &site, "--json", "--as-of", at]);
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let then = permissions(&active);
    assert!(
        then.iter().all(|one| one["allowed"] == true && one["granted_by"]["kind"] == "service"),
        "{then:#?}"
    );
    assert_eq!(json(&data, &["company", "show", &company, "--as-of", &active])["sites"], 1);

    // In sentences, in three languages.
    let told = said(&data, &["audit", "timeline", "marie@example.be"]);
    assert!(told.contains("A lockout began") || told.to_lowercase().contains("lock"), "{told}");
    assert!(told.contains("called"), "with the reason: {told}");
    let french = said(&data, &["audit", "timeline", &account, "--language", "fr"]);
    let dutch = said(&data, &["audit", "timeline", &account, "--language", "nl"]);
    assert!(french != told && dutch != told && french != dutch);
    let all = said(&data, &["audit", "diff", "--json"]).lines().count();
    let log = said(&data, &["events", "tail", "--after", "0", "--json"]).lines().count();
    assert_eq!(all, log);
    assert!(said(&data, &["audit", "timeline", "administration"]).contains("Policies were put in force"));
    assert!(!said(&data, &["audit", "timeline", &company]).is_empty());
    let later = said(&data, &["audit", "diff", "--from", "2999-01-01"]);
    assert!(later.is_empty(), "{later}");
    server.stop();
}

/// The facade answers every query that it describes as of the end of the log as it does now. So `as_of` loses nothing.
#[tokio::test]
async fn as_of_the_end_of_the_log_every_query_answers_as_it_does_now() {
    let mut server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    for _ in 0..7 {
        server.login("marie@example.be", "Wrong1!!").await;
    }
    server.service_post("/v1/orders", order(2, 2, "jan@example.be")).await.expect(201);
    server.mail("jan@example.be", "Confirmez", 1).await;
    let one = |list: Value, name: &str| list["items"][0][name].as_str().unwrap().to_owned();
    let account = json(&server.folder, &["account", "show", "marie@example.be"])["account_id"].clone();
    let account = account.as_str().unwrap().to_owned();
    let company = one(server.service_get("/v1/companies").await.json(), "company_id");
    let site = one(server.service_get(&format!("/v1/sites?company={company}")).await.json(), "site_id");
    let terminal =
        one(server.service_get(&format!("/v1/terminals?company={company}")).await.json(), "terminal_id");
    // Every query that the API describes, with these ids.
    let described: Value = serde_json::from_str(&said(&server.folder, &["openapi"])).unwrap();
    let takes_past = |operation: &Value| {
        let mut parameters = operation["get"]["parameters"].as_array().into_iter().flatten();
        parameters.any(|parameter| parameter["name"] == "as_of")
    };
    let paths = described["paths"].as_object().unwrap().iter().filter(|(_, path)| takes_past(path));
    let mut queries: Vec<String> = paths
        .map(|(path, _)| {
            let filled = path.replace("{account_id}", &account).replace("{company_id}", &company);
            let filled = filled.replace("{site_id}", &site).replace("{terminal}", &terminal);
            let filled = filled.replace("{order_id}", "SO-2").replace("{group_id}", &site);
            filled.replace("{takeover_id}", &site).replace("{export_id}", &site)
        })
        .map(|path| match path.as_str() {
            "/v1/permissions" => format!("{path}?account={account}&permission=manage_terminals&site={site}"),
            "/v1/support/diagnosis" => format!("{path}?email=marie@example.be"),
            "/v1/support/search" => format!("{path}?q=boul"),
            path if path.ends_with("/permission-holders") => format!("{path}?permission=manage_terminals"),
            path => path.to_owned(),
        })
        .collect();
    assert!(queries.len() > 25 && queries.iter().all(|query| !query.contains('{')), "{queries:?}");
    queries.push(format!("/v1/accounts?company={company}&status=active"));
    queries.push(format!("/v1/terminals?company={company}&limit=1"));
    // Nothing happens any more: the mails are noted, and the acts of administration too.
    let mut end = head(&server);
    loop {
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        let later = head(&server);
        if later == end {
            break;
        }
        end = later;
    }
    let mut answered = 0;
    for query in &queries {
        let sign = if query.contains('?') { '&' } else { '?' };
        let now = server.service_get(query).await;
        let then = server.service_get(&format!("{query}{sign}as_of={end}")).await;
        assert_eq!(then.status, now.status, "{query}: {then:?} {now:?}");
        assert_eq!(body(&then.text), body(&now.text), "{query}");
        if now.status == 200 {
            answered += 1;
            assert_eq!(then.headers["loquet-as-of"].to_str().unwrap(), end, "{query}");
        }
    }
    assert!(answered > 20, "{answered} of {} have an answer", queries.len());
    let before = server.service_get("/v1/accounts?as_of=1").await.expect(200).json();
    assert_eq!(before["items"], serde_json::json!([]));
    // A moment is the position of the last event that is not later.
    let log = said(&server.folder, &["events", "tail", "--json"]);
    let last: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    let at = last["at"].as_str().unwrap();
    let answer = server.service_get(&format!("/v1/accounts?as_of={at}")).await.expect(200);
    assert_eq!(answer.headers["loquet-as-of"].to_str().unwrap(), end);
    server.service_get("/v1/accounts?as_of=yesterday").await.expect(400);
    server.service_get("/v1/accounts?as_of=99999999").await.expect(409);
    for nobody in [None, Some("nope"), Some("lqt_nope")] {
        let answer = server.send(reqwest::Method::GET, "/v1/accounts?as_of=1", nobody, None).await;
        assert_eq!(answer.status, 401, "{nobody:?}");
    }
    server.service_get("/v1/accounts?as_of=1&as_of=2").await.expect(400);
    // A past that was opened before an erasure forgets too.
    let jan = server.service_get("/v1/accounts?email=jan@example.be").await.json();
    let jan = jan["items"][0]["account_id"].as_str().unwrap().to_owned();
    let asked = format!("/v1/accounts/{jan}?as_of={end}");
    assert!(server.service_get(&asked).await.expect(200).text.contains("jan@example.be"));
    let erasure = format!("/v1/accounts/{jan}/erasure");
    server.service_post(&erasure, serde_json::json!({ "reason": "asked" })).await.expect(204);
    let then = server.service_get(&asked).await;
    assert!(!then.text.contains("jan@example.be"), "{then:?}");
    server.stop();
    let left = std::fs::read_dir(&server.folder).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().starts_with("past-")).collect();
    assert!(left.is_empty(), "the read models of pasts are deleted: {left:?}");
}

/// Every command that reads is asked as of each position of a history. The answer is that of a log that ends there. Some
/// snapshots of the read models are there, so a position is answered from the log alone, from a snapshot, or from both.
#[tokio::test]
async fn as_of_each_position_is_what_a_log_that_ends_there_says() {
    let mut server = server_with_snapshots().await;
    made(&server).await;
    let data = server.folder.clone();
    let field = |arguments: &[&str], name: &str| json(&data, arguments)[name].as_str().unwrap().to_owned();
    let account = field(&["account", "show", "marie@example.be"], "account_id");
    let companies = said(&data, &["company", "list", "--json"]);
    let company: Value = serde_json::from_str(companies.lines().next().unwrap()).unwrap();
    let company = company["company_id"].as_str().unwrap().to_owned();
    let site = field(&["site", "list", &company], "site_id");
    let shown = json(&data, &["site", "show", &site]);
    let terminal = shown["terminals"][0]["terminal_id"].as_str().unwrap().to_owned();
    server.stop();
    let questions: [&[&str]; 11] = [
        &["account", "show", &account, "--json"],
        &["account", "history", &account, "--json"],
        &["account", "show", "marie@example.be", "--json"],
        &["company", "list", "--json"],
        &["company", "show", &company, "--json"],
        &["site", "list", &company, "--json"],
        &["site", "show", &site, "--json"],
        &["terminal", "show", &terminal, "--json"],
        &["find", "boul", "--json"],
        &["audit", "permissions", &account, &site, "--json"],
        &["takeover", "list", "--json"],
    ];
    let log = said(&data, &["events", "tail", "--after", "0", "--json"]);
    for position in 1..=log.lines().count() {
        let cut = tempfile::tempdir().unwrap();
        let copied = Command::new("cp").arg("-a").arg(&data).arg(cut.path()).status().unwrap();
        assert!(copied.success());
        let cut = cut.path().join("var");
        cut_off(&cut, position);
        said(&cut, &["projections", "rebuild", "all"]);
        for question in questions {
            let then = loquet(&data, &[question, &["--as-of", &position.to_string()]].concat());
            let there = loquet(&cut, question);
            assert_eq!(then.0, there.0, "{question:?} as of {position}: {then:?} {there:?}");
            let lines = |out: &str| out.lines().map(body).collect::<Vec<_>>();
            assert_eq!(lines(&then.1), lines(&there.1), "{question:?} as of {position}");
        }
    }
}

/// What an answer says, without what depends on the time at which it is asked, and on the queue of mails, which has no history.
fn body(text: &str) -> Value {
    let Ok(mut body) = serde_json::from_str::<Value>(text) else { return Value::Null };
    strip(&mut body);
    body
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for name in ["position", "instance", "detail", "last_used_at", "mails", "deliveries"] {
                fields.remove(name);
            }
            fields.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

/// Cuts a log off after a position, and removes what follows from it.
fn cut_off(data: &Path, position: usize) {
    let log = rusqlite::Connection::open(data.join("log.db")).unwrap();
    log.execute("DELETE FROM events WHERE position > ?", [position]).unwrap();
    for name in
        ["views.db", "views.db-wal", "views.db-shm", "log.db.heads", "reactions.db", "reactions.db-wal"]
    {
        drop(std::fs::remove_file(data.join(name)));
    }
    drop(std::fs::remove_dir_all(data.join("proof")));
}

/// The policy that was in force judges the sample world as it was judged.
#[test]
fn what_if_under_the_policy_in_force_is_what_was_and_a_stricter_one_locks_more() {
    let folder = tempfile::tempdir().unwrap();
    let (data, chart) = (folder.path().join("var"), folder.path().join("chart.svg"));
    said(&data, &["demo", "--accounts", "400"]);
    let what_if =
        ["audit", "what-if", "--policy", "attempts=3,duration=1h", "--policy", "profile=pci,devices=off"];
    let asked = json(&data, &[&what_if[..], &["--svg", chart.to_str().unwrap()]].concat());
    let (history, policies) = (&asked["history"], asked["policies"].as_array().unwrap());
    assert!(history["lockouts"].as_u64().unwrap() > 0, "{asked:#}");
    assert_eq!(policies[0]["lockouts"], history["lockouts"]);
    assert_eq!(policies[0]["guesses_judged"], history["guesses_judged"]);
    assert_eq!((&policies[0]["guesses_stopped"], &policies[0]["logins_refused"]), (&0.into(), &0.into()));
    for nobody in ["locked_only_then", "locked_only_really", "owners_kept_out"] {
        assert_eq!(policies[0][nobody], serde_json::json!([]));
    }
    assert!(policies[1]["lockouts"].as_u64() > history["lockouts"].as_u64(), "{asked:#}");
    assert!(policies[1]["guesses_stopped"].as_u64() > Some(0), "{asked:#}");
    assert!(!policies[2]["locked_only_really"].as_array().unwrap().is_empty(), "{asked:#}");
    let svg = std::fs::read_to_string(chart).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("3 guesses, 1h"), "{svg}");
    let none = json(&data, &["audit", "what-if", "--to", "2000-01-01"]);
    assert_eq!(none["history"]["guesses_judged"], 0);
    let (code, _, errors) = loquet(&data, &["audit", "what-if", "--policy", "attempts=0"]);
    assert!(code == Some(1) && errors.contains("1 to 100"), "{errors}");
}

/// The server compares its read models with the log by itself. Metrics, readiness and the doctor say what it found.
#[tokio::test]
async fn a_read_model_that_was_changed_is_found_by_the_server_itself() {
    let mut server = Server::start_with(&["--projections-verify-every", "2s"]).await;
    server.active(1, "marie@example.be", PASSWORD).await;
    until(&server, "the read models are compared", |ready, metrics| {
        ready["services"]["verification"] == "ok" && metrics.contains("loquet_views_differing 0")
    })
    .await;
    assert!(said(&server.folder, &["doctor", "--dev"]).contains("the read models were what the log says"));
    server.stop();
    let views = rusqlite::Connection::open(server.folder.join("views.db")).unwrap();
    let table: String = views
        .query_row(
            "SELECT name FROM sqlite_master WHERE name GLOB 'view_accounts_[0-9]*' AND name NOT GLOB '*index*'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    let changed = views
        .execute(&format!("UPDATE {table} SET row = replace(row, 'administrator', 'user')"), [])
        .unwrap();
    assert!(changed > 0, "{table}");
    drop(views);
    // What a process left that was killed. No process has this number.
    let left = server.folder.join("past-999999999-0.db");
    std::fs::write(&left, "").unwrap();
    server.restart().await;
    assert!(!left.exists(), "the read models of a past that nobody reads are deleted");
    until(&server, "the difference is found", |ready, metrics| {
        let said = ready["services"]["verification"].as_str().unwrap_or_default();
        said.contains("accounts") && metrics.contains("loquet_views_differing 1")
    })
    .await;
    let (code, out, _) = loquet(&server.folder, &["doctor", "--dev"]);
    assert!(code == Some(1) && out.contains("these read models differed from the log: accounts"), "{out}");
}

async fn until(server: &Server, what: &str, is_so: impl Fn(&Value, &str) -> bool) {
    let begun = std::time::Instant::now();
    loop {
        let ready = server.service_get("/readyz").await.json();
        let metrics = server.service_get("/metrics").await.text;
        if is_so(&ready, &metrics) {
            return;
        }
        assert!(begun.elapsed() < std::time::Duration::from_mins(1), "{what}: {ready:#} {metrics}");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn the_api_tries_policies_and_lists_checkpoints_as_the_command_line_does() {
    let server = Server::start().await;
    let since = loquet_tests::environment::now();
    server.active(1, "marie@example.be", PASSWORD).await;
    for _ in 0..7 {
        server.login("marie@example.be", "Wrong1!!").await.expect(401);
    }
    let what_if = async |body: Value| server.service_post("/v1/audit/what-if", body).await;
    let strict = serde_json::json!({ "attempts": 3, "duration_seconds": 3600, "trusted_devices": false });
    let in_force = serde_json::json!({ "attempts": 7, "duration_seconds": 900 });
    let told = what_if(serde_json::json!({ "policies": [strict, in_force] })).await.expect(200).json();
    assert_eq!((&told["history"]["lockouts"], &told["history"]["guesses_judged"]), (&1.into(), &7.into()));
    let cli = json(
        &server.folder,
        &[
            "audit",
            "what-if",
            "--attempts",
            "3",
            "--duration",
            "1h",
            "--devices",
            "off",
            "--policy",
            "attempts=7",
        ],
    );
    for n in 0..2 {
        for name in ["lockouts", "accounts_locked", "guesses_judged", "guesses_stopped", "logins_refused"] {
            assert_eq!(told["policies"][n][name], cli["policies"][n][name], "{name} of policy {n}");
        }
    }
    assert_eq!(
        (&told["policies"][0]["guesses_stopped"], &told["policies"][1]["guesses_stopped"]),
        (&4.into(), &0.into())
    );
    let wrong = serde_json::json!({
        "from": "2026-12-02T00:00:00Z", "to": "2026-12-01T00:00:00Z",
        "policies": [{ "attempts": 0, "duration_seconds": 2_592_001, "cap": 101 }, { "attempts": 101.5, "duration_seconds": 0 }],
    });
    let wrong = what_if(wrong).await.expect(422).json();
    let mut faults: Vec<_> =
        wrong["errors"].as_array().unwrap().iter().map(|fault| fault["pointer"].as_str().unwrap()).collect();
    faults.sort_unstable();
    let expected = [
        "/from",
        "/policies/0/attempts",
        "/policies/0/cap",
        "/policies/0/duration_seconds",
        "/policies/1/attempts",
        "/policies/1/duration_seconds",
    ];
    assert_eq!(faults, expected);
    for count in [0, 9] {
        let policies = vec![serde_json::json!({ "attempts": 3, "duration_seconds": 60 }); count];
        what_if(serde_json::json!({ "policies": policies })).await.expect(422);
    }

    let shown = server.service_get("/v1/audit/checkpoints?limit=1").await.expect(200).json();
    let key = said(&server.folder, &["audit", "key"]);
    assert_eq!(shown["public_key"], key.trim());
    let newest = json(&server.folder, &["audit", "checkpoint"]);
    assert!(shown["items"][0]["size"].as_u64() <= newest["size"].as_u64(), "{shown} {newest}");
    let all = server.service_get("/v1/audit/checkpoints").await.expect(200).json();
    assert_eq!(all["count"], all["items"].as_array().unwrap().len());
    assert!(
        all["items"].as_array().unwrap().iter().any(|item| item["note"] == newest["note"]),
        "{all} {newest}"
    );

    let first = server.service_get("/v1/audit/checkpoints?as_of=1").await.expect(200).json();
    let positions: Vec<_> =
        first["items"].as_array().unwrap().iter().map(|item| item["position"].as_u64()).collect();
    assert!(
        positions.iter().all(|position| *position <= Some(1)),
        "what was signed later was not known: {first}"
    );
    assert!(positions.len() < all["items"].as_array().unwrap().len() && first["position"] == 1, "{first}");

    // The feed from a moment on has what happened from then on, and nothing before.
    let moment = |at: chrono::DateTime<chrono::Utc>| at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let whole =
        server.service_get(&format!("/v1/events?limit=200&since={}", moment(since))).await.expect(200).json();
    let times: Vec<_> = whole["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["at"].as_str().unwrap().to_owned())
        .collect();
    let last = times.last().unwrap();
    let from_last = server.service_get(&format!("/v1/events?since={last}")).await.expect(200).json();
    let later = from_last["items"].as_array().unwrap();
    assert!(!later.is_empty() && later.len() < times.len(), "{later:?}");
    assert!(later.iter().all(|event| event["at"].as_str().unwrap() >= last.as_str()), "{later:?}");
    let none = server.service_get("/v1/events?since=2999-01-01T00:00:00Z").await.expect(200).json();
    assert_eq!(none["items"], serde_json::json!([]));
}

#[tokio::test]
async fn an_auditor_downloads_an_extract_that_the_command_line_verifies_and_that_names_nobody() {
    let mut server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    let before = head(&server);
    let arguments = ["token", "create", "--staff", "An Peeters", "--role", "auditor"];
    let token = said(&server.folder, &arguments).trim().to_owned();
    let send = async |method: Method, path: &str, body: Option<&Value>| {
        server.send(method, path, Some(&token), body).await
    };
    let exports = "/v1/audit/exports";
    let asked = serde_json::json!({ "states": true });
    let refused = send(Method::POST, exports, Some(&asked)).await.expect(422);
    assert!(refused.text.contains("reason-required"), "{}", refused.text);
    let reversed = serde_json::json!({
        "from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z", "reason": "Yearly audit",
    });
    let refused = send(Method::POST, exports, Some(&reversed)).await.expect(422);
    assert!(refused.text.contains("moments-reversed"), "{}", refused.text);
    assert_eq!(send(Method::GET, exports, None).await.expect(200).json()["items"], serde_json::json!([]));

    let asked = serde_json::json!({ "states": true, "reason": "Yearly audit" });
    let begun = send(Method::POST, exports, Some(&asked)).await.expect(201);
    let id = begun.json()["export_id"].as_str().unwrap().to_owned();
    assert_eq!(begun.headers["location"], format!("exports/{id}"));
    let place = format!("{exports}/{id}");
    let mut export = Value::Null;
    while export["status"] != "finished" {
        assert_ne!(export["status"], "failed", "{export}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        export = send(Method::GET, &place, None).await.expect(200).json();
    }
    assert_eq!((&export["reason"], &export["actor"]["name"]), (&asked["reason"], &"An Peeters".into()));
    assert_eq!(export["position"], export["end"], "{export}");
    let listed = send(Method::GET, exports, None).await.expect(200).json();
    assert_eq!(listed["items"], serde_json::json!([export]));
    let then = server.service_get(&format!("{exports}?as_of={before}")).await.expect(200).json();
    assert_eq!(then["items"], serde_json::json!([]), "it was not there then");

    let url = format!("{}{place}/archive", server.url);
    let archive = server.client.get(&url).bearer_auth(&token).send().await.unwrap();
    assert_eq!(archive.headers()["content-type"], "application/zip");
    assert!(archive.headers()["content-disposition"].to_str().unwrap().contains("attachment; filename="));
    let bytes = archive.bytes().await.unwrap();
    assert_eq!(export["bytes"], bytes.len());
    let folder = tempfile::tempdir().unwrap();
    let (packed, files) = (folder.path().join("history.zip"), folder.path().join("history"));
    std::fs::write(&packed, &bytes).unwrap();
    let unpack = ["-m", "zipfile", "-e", packed.to_str().unwrap(), files.to_str().unwrap()];
    assert!(std::process::Command::new("python3").args(unpack).status().unwrap().success());
    let key = said(&server.folder, &["audit", "key"]);
    let checked =
        said(&server.folder, &["audit", "check-export", files.to_str().unwrap(), "--public-key", key.trim()]);
    assert!(checked.contains(&format!("{} events", export["events"])), "{checked}");
    assert!(checked.contains("It covers all events of this extract."), "{checked}");
    let mut names: Vec<_> = std::fs::read_dir(&files)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(names.len(), 16, "five tables in three formats, and the manifest: {names:?}");
    for name in &names {
        let content = std::fs::read(files.join(name)).unwrap();
        let content = String::from_utf8_lossy(&content);
        assert!(
            !content.contains("marie@example.be") && !content.contains("Dupont"),
            "{name} names somebody"
        );
    }

    // The log says who took it and why.
    let told = server.service_get("/v1/events?type=history-exported").await.expect(200).json();
    let told = &told["items"][0];
    assert_eq!((&told["actor"]["name"], &told["data"]["export"]["id"]), (&"An Peeters".into(), &id.into()));
    assert_eq!(told["data"]["export"]["reason"], "Yearly audit");

    // Others have none of it.
    let session = server.login("marie@example.be", PASSWORD).await.expect(201).json();
    let session = session["session_token"].as_str();
    server.send(Method::GET, exports, session, None).await.expect(403);
    server.send(Method::GET, &format!("{place}/archive"), session, None).await.expect(403);
    send(Method::GET, &format!("{exports}/{}/archive", "00000000-0000-4000-8000-000000000000"), None)
        .await
        .expect(404);
    assert!(server.folder.join("exports").exists());
    server.restart_with(&[]).await;
    assert!(!server.folder.join("exports").exists(), "an extract does not outlive its server");
}

#[tokio::test]
async fn a_difference_has_the_values_before_and_after_and_the_events_between() {
    let server = Server::start().await;
    let account = server.active(1, "marie@example.be", PASSWORD).await;
    let before = head(&server);
    for _ in 0..3 {
        server.login("marie@example.be", "Wrong1!!").await.expect(401);
    }
    let after = head(&server);
    server.login("marie@example.be", PASSWORD).await.expect(201);
    let next = |position: &str| (position.parse::<u64>().unwrap() + 1).to_string();
    let (from, to) = (next(&before), next(&after));
    let out =
        said(&server.folder, &["audit", "diff", "marie@example.be", "--from", &from, "--to", &to, "--json"]);
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let fields = lines[0]["changed"].as_array().unwrap();
    let failures = fields.iter().find(|field| field["field"] == "failures").unwrap();
    assert_eq!((&failures["before"], &failures["after"]), (&0.into(), &3.into()), "{fields:?}");
    assert!(fields.iter().all(|field| field["before"] != field["after"]), "{fields:?}");
    // That a mail was sent is written a moment after it was.
    let types = lines[1..].iter().map(|event| event["type"].clone());
    let types: Vec<_> = types.filter(|kind| kind != "mail-sent").collect();
    assert_eq!(types, ["login-failed"; 3]);
    // From the beginning of the log, everything is new.
    let out = said(&server.folder, &["audit", "diff", &account, "--to", &from]);
    assert!(out.contains("BEFORE") && out.contains("active") && !out.contains("login-failed"), "{out}");
    let (code, _, errors) = loquet(&server.folder, &["audit", "diff", &account, "--from", "yesterday"]);
    assert!(code == Some(2) && errors.contains("or a position of the log"), "{errors}");
}

#[tokio::test]
async fn what_a_member_of_the_staff_looks_at_is_in_the_log_of_the_program_without_what_they_typed() {
    let server = Server::start().await;
    let account = server.active(1, "marie@example.be", PASSWORD).await;
    let arguments = ["token", "create", "--staff", "An Peeters", "--role", "auditor"];
    let token = said(&server.folder, &arguments).trim().to_owned();
    let get = async |path: &str| server.send(reqwest::Method::GET, path, Some(&token), None).await;
    get(&format!("/v1/accounts/{account}/events")).await.expect(200);
    get("/v1/support/search?q=dupont").await.expect(200);
    get("/v1/accounts?email=marie@example.be").await.expect(200);
    // Nor does a look at the past go unnoticed.
    get(&format!("/v1/accounts/{account}?as_of=9")).await.expect(200);
    server.service_get(&format!("/v1/accounts/{account}")).await.expect(200);
    let log = server.errors();
    let looks: Vec<&str> =
        log.lines().filter(|line| line.contains("loquet_access") && line.contains("staff asked")).collect();
    assert_eq!(looks.len(), 4, "a program's token is no member of the staff: {log}");
    let first = looks[0];
    for part in ["An Peeters", "auditor", "GET", &format!("/v1/accounts/{account}/events")] {
        assert!(first.contains(part), "{part} is not in {first}");
    }
    assert!(!looks.iter().any(|line| line.contains("dupont") || line.contains("marie@")), "{looks:?}");
}
