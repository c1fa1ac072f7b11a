//! The sample world of `loquet demo`, and the commands that look at companies, sites, terminals and take-overs.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use loquet_tests::server::{Server, order};
use loquet_tests::{environment, skip};
use reqwest::Method;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use tempfile::TempDir;

fn program(folder: &Path) -> Command {
    let mut command = Command::new(loquet_tests::server::binary());
    command.env_clear().arg("--data-dir").arg(folder);
    command
}

#[track_caller]
fn run(command: &mut Command) -> (Option<i32>, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// What a command says that ends with this code.
#[track_caller]
fn said(folder: &Path, arguments: &[&str], expected: i32) -> String {
    let (code, out, errors) = run(program(folder).args(arguments));
    assert_eq!(code, Some(expected), "{arguments:?}: {out}{errors}");
    out
}

/// The lines of JSON that a command says.
#[track_caller]
fn lines(folder: &Path, arguments: &[&str]) -> Vec<Value> {
    let out = said(folder, &[arguments, &["--json"]].concat(), 0);
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The end of a story that is the same whenever the test runs.
const UNTIL: &str = "2026-11-20T00:00:00Z";

/// A sample world.
#[track_caller]
fn sample(folder: &Path, accounts: &str, until: &str) -> Value {
    serde_json::from_str(&said(folder, &["demo", "--accounts", accounts, "--until", until, "--json"], 0))
        .unwrap()
}

async fn over_a_sample(accounts: &str, until: &str) -> (TempDir, Server, Value) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("var");
    let told = sample(&data, accounts, until);
    let server = Server::over(data, &[]).await;
    (folder, server, told)
}

#[track_caller]
fn log(folder: &Path) -> Connection {
    Connection::open_with_flags(folder.join("log.db"), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

/// Stream, revision, id, name, version, data and metadata.
type Open = (String, u64, Vec<u8>, String, u16, String, String);

/// Every event as anybody may read it: all but what is sealed, also in the metadata, and where it stands in the whole log.
#[track_caller]
fn open_part(folder: &Path) -> Vec<Open> {
    let log = log(folder);
    let query = "SELECT stream, revision, event_id, name, version, data,
        json_remove(metadata, '$.sealed_for_company') FROM events ORDER BY 1, 2";
    let mut statement = log.prepare(query).unwrap();
    let row = |row: &rusqlite::Row<'_>| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?))
    };
    statement.query_map([], row).unwrap().map(Result::unwrap).collect()
}

#[test]
fn a_seed_tells_one_world_whenever_it_is_told_in_the_order_of_its_moments() {
    let root = tempfile::tempdir().unwrap();
    let told = |name: &str, seed: &str| {
        let folder = root.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        // What stands for an address in the log follows from the server key too.
        let key = root.path().join("server.key");
        if key.exists() {
            std::fs::copy(&key, folder.join("server.key")).unwrap();
        }
        said(&folder, &["demo", "--accounts", "300", "--seed", seed, "--until", UNTIL], 0);
        std::fs::copy(folder.join("server.key"), &key).unwrap();
        open_part(&folder)
    };
    let first = told("first", "7");
    assert!(first == told("again", "7"), "the same seed told another world");
    assert!(first != told("other", "8"), "another seed told the same world");
    assert!(first.len() > 4_000, "{} events", first.len());

    let end: DateTime<Utc> = UNTIL.parse().unwrap();
    assert_in_order(&root.path().join("first"), end, TimeDelta::days(1));
}

/// No event is of the end, and none so long before one that stands before it in the log.
#[track_caller]
fn assert_in_order(folder: &Path, end: DateTime<Utc>, slack: TimeDelta) {
    let log = log(folder);
    let query = "SELECT json_extract(metadata, '$.at') FROM events ORDER BY position";
    let mut statement = log.prepare(query).unwrap();
    let mut latest = DateTime::<Utc>::UNIX_EPOCH;
    for at in statement.query_map([], |row| row.get::<_, String>(0)).unwrap() {
        let at: DateTime<Utc> = at.unwrap().parse().unwrap();
        assert!(at < end && at > latest - slack, "{at} comes after {latest}");
        latest = latest.max(at);
    }
}

#[tokio::test]
async fn a_server_over_a_sample_world_finds_everybody_as_they_were_left_and_mails_nothing_of_it() {
    // Its story ends now, so that whoever is locked out still is.
    let (_folder, server, told) = over_a_sample("300", &environment::now().to_rfc3339()).await;
    let password = told["password"].as_str().unwrap();
    assert_eq!(told["accounts"], 300);
    let counted: u64 =
        told["states"].as_object().unwrap().values().map(|s| s["accounts"].as_u64().unwrap()).sum();
    assert_eq!(counted, 300, "{told}");
    let someone = |state: &str| told["states"][state]["examples"][0].clone();
    let email = |state: &str| someone(state)["email"].as_str().unwrap().to_owned();

    // Each as they were left.
    let administrator = server.login(&email("administrator"), password).await.expect(201).json();
    server.login(&email("user"), password).await.expect(201);
    server.login(&email("reset_link_open"), password).await.expect(201);
    server.login(&email("locked"), password).await.expect(423);
    let asked = server.login(&email("second_step"), password).await.expect(200).json();
    let recovery = &told["second_step"]["recovery_codes"][9];
    let answer = json!({ "challenge": asked["challenge"], "recovery_code": recovery });
    server.post("/v1/logins/second-step", answer).await.expect(201);
    for state in ["awaiting_activation", "deleted"] {
        server.login(&email(state), password).await.expect(401);
    }
    let waits = server.login(&email("awaiting_conversion"), password).await;
    assert!(waits.text.contains("awaiting-conversion"), "{}", waits.text);
    let erased = someone("erased")["account_id"].as_str().unwrap().to_owned();
    let head = told["events"].as_u64().unwrap();
    let shown =
        server.service_get(&format!("/v1/accounts/{erased}?at_least={head}")).await.expect(200).json();
    assert_eq!((&shown["status"], &shown["email"]), (&json!("erased"), &Value::Null));

    for state in ["awaiting_activation", "deleted", "erased"] {
        let found =
            server.service_get(&format!("/v1/accounts?status={state}&limit=200")).await.expect(200).json();
        assert_eq!(told["states"][state]["accounts"], found["items"].as_array().unwrap().len(), "{state}");
    }

    // Their company's sites, and what they may do there.
    let session = administrator["session_token"].as_str().unwrap();
    let sites = server
        .send(Method::GET, &format!("/v1/sites?at_least={head}"), Some(session), None)
        .await
        .expect(200)
        .json();
    let site = sites["items"][0]["site_id"].as_str().unwrap();
    let account = administrator["account_id"].as_str().unwrap();
    let may = |account: String, site: String| {
        let server = &server;
        async move {
            let asked = format!("/v1/permissions?account={account}&permission=manage_terminals&site={site}");
            server.service_get(&asked).await.expect(200).json()["allowed"].as_bool().unwrap()
        }
    };
    assert!(may(account.to_owned(), site.to_owned()).await);
    assert!(!may(erased, site.to_owned()).await);

    // Besides what is told of these logins, from a device that nobody there used before, the only mail is the one that
    // this order asks for: reactions act in the order of the log.
    server.service_post("/v1/orders", order(900_001, 99, "marie@example.be")).await.expect(201);
    server.mail("marie@example.be", "Confirmez", 1).await;
    let of_logins =
        lines(&server.folder, &["mail", "list"]).iter().filter(|m| m["kind"] == "new-device").count();
    assert!(of_logins >= 3, "{of_logins}");
    assert_eq!(server.mails("").await.len(), of_logins + 1);
    assert_eq!(lines(&server.folder, &["mail", "list"]).len(), of_logins + 1);
    assert!(!server.errors().contains("ahead of the log"), "{}", server.errors());

    let verified = said(&server.folder, &["projections", "verify"], 0);
    assert!(verified.contains("sites: equals a replay") && !verified.contains("DIFFERS"), "{verified}");
}

#[tokio::test]
async fn an_app_with_the_published_secret_answers_the_second_step_of_a_sample_world() {
    let name = "an_app_with_the_published_secret_answers_the_second_step_of_a_sample_world";
    if !skip::unless_installed(name, "oathtool") {
        return;
    }
    let (_folder, server, told) = over_a_sample("100", UNTIL).await;
    let email = told["states"]["second_step"]["examples"][0]["email"].as_str().unwrap();
    let asked = server.login(email, told["password"].as_str().unwrap()).await.expect(200).json();
    let secret = told["second_step"]["secret"].as_str().unwrap();
    let shown = Command::new("oathtool").args(["--totp", "--base32", secret]).output().unwrap().stdout;
    let code = String::from_utf8(shown).unwrap();
    let answer = json!({ "challenge": asked["challenge"], "code": code.trim() });
    server.post("/v1/logins/second-step", answer).await.expect(201);
}

#[test]
fn a_sample_world_has_everything_that_can_happen_to_a_merchant() {
    let folder = tempfile::tempdir().unwrap();
    let told = sample(folder.path(), "100", UNTIL);
    let log = log(folder.path());
    let column = |query: &str| -> BTreeSet<String> {
        let mut statement = log.prepare(query).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let names = column("SELECT DISTINCT name FROM events");
    // Mails are not sent, nobody changes a password that they know, moves a site or sends a picture, and the rest comes seldom.
    let absent = [
        "mail-sent",
        "mail-given-up",
        "password-changed",
        "password-rehashed",
        "session-ended",
        "role-changed",
        "profile-changed",
        "data-exported",
        "site-address-changed",
        "group-changed",
        "group-deleted",
        "company-renamed",
        "company-number-changed",
        "company-redirected",
        "company-address-changed",
        "lockout-released",
        "company-erased",
        "serial-released",
        "serial-awaited",
        "terminal-freed",
        "accounts-stayed",
        "logo-kept",
        "second-step-failed",
        "second-step-disabled",
        "second-step-reset",
        "recovery-code-used",
        "recovery-codes-replaced",
        "device-forgotten",
        "order-resolved",
        "token-created",
        "token-rotated",
        "token-revoked",
        "server-key-put-in-use",
        "backup-restored",
        "policies-put-in-force",
        "history-exported",
    ];
    let names_of_all = loquet_domain::schema::names().into_iter();
    let missing: Vec<_> =
        names_of_all.filter(|name| !names.contains(*name) && !absent.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let outcomes =
        column("SELECT DISTINCT json_extract(data, '$.outcome') FROM events WHERE name = 'order-onboarded'");
    assert_eq!(outcomes.len(), 4, "{outcomes:?}");
    let channels =
        column("SELECT DISTINCT json_extract(data, '$.channel') FROM events WHERE name = 'order-received'");
    assert_eq!(channels.len(), 2, "{channels:?}");
    let models =
        column("SELECT DISTINCT json_extract(data, '$.model') FROM events WHERE name = 'terminal-added'");
    assert_eq!(models.len(), 5, "{models:?}");
    let counted = |query: &str| log.query_row(query, [], |row| row.get::<_, u64>(0)).unwrap();
    let of = |name: &str| counted(&format!("SELECT count(*) FROM events WHERE name = '{name}'"));
    assert_eq!(told["companies"], of("company-registered"));
    assert_eq!(told["sites"], of("site-opened"));
    assert_eq!(told["terminals"], of("terminal-added"));
    assert_eq!(told["accounts"], of("account-created"));
    assert_eq!(told["events"], counted("SELECT count(*) FROM events"));
    // So small a world is told one act after the other; some take a minute.
    assert_in_order(folder.path(), UNTIL.parse().unwrap(), TimeDelta::minutes(2));
}

#[test]
fn a_folder_with_a_history_is_refused_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    sample(folder.path(), "100", UNTIL);
    let before = open_part(folder.path());
    let (code, _, errors) = run(program(folder.path()).args(["demo", "--seed", "2"]));
    assert!(code == Some(1) && errors.contains("is not empty"), "{errors}");
    assert!(before == open_part(folder.path()));
    let elsewhere = folder.path().join("elsewhere");
    for arguments in [["--until", "-200000-01-01T00:00:00Z"], ["--until", "1066-10-14T09:00:00Z"]] {
        let (code, _, errors) = run(program(&elsewhere).arg("demo").arg(arguments.join("=")));
        assert!(code == Some(1) && errors.contains("from 2000 to 2199"), "{errors}");
    }
    said(&elsewhere, &["demo", "--accounts", "99"], 2);
    assert!(!elsewhere.exists());
}

#[tokio::test]
async fn nothing_is_mailed_of_a_story_that_was_broken_off() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("var");
    let mut telling =
        program(&data).args(["demo", "--accounts", "20000"]).stdout(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    let created = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let log = Connection::open_with_flags(data.join("log.db"), flags).ok()?;
        log.query_row("SELECT count(*) FROM events WHERE name = 'account-created'", [], |row| row.get(0)).ok()
    };
    while created().is_none_or(|accounts: u64| accounts < 50) {
        assert!(begun.elapsed() < Duration::from_mins(1) && telling.try_wait().unwrap().is_none());
        std::thread::yield_now();
    }
    telling.kill().unwrap();
    telling.wait().unwrap();
    let server = Server::over(data, &[]).await;
    server.service_post("/v1/orders", order(900_001, 99, "marie@example.be")).await.expect(201);
    server.mail("marie@example.be", "Confirmez", 1).await;
    assert_eq!(server.mails("").await.len(), 1);
}

/// The first of these whose field holds this.
#[track_caller]
fn whose<'a>(rows: &'a [Value], field: &str, value: &str) -> &'a Value {
    rows.iter().find(|row| row[field] == value).unwrap_or_else(|| panic!("no {field} {value} in {rows:?}"))
}

#[tokio::test]
async fn companies_sites_terminals_and_take_overs_are_looked_at_beside_the_server() {
    let (_folder, server, told) = over_a_sample("100", UNTIL).await;
    let head = told["events"].as_u64().unwrap();
    server.service_get(&format!("/v1/companies?at_least={head}")).await.expect(200);
    for view in ["sites?", "terminals?company=00000000-0000-0000-0000-000000000000&", "takeovers?"] {
        server.service_get(&format!("/v1/{view}at_least={head}")).await.expect(200);
    }
    let data = server.folder.as_path();

    let companies = lines(data, &["company", "list", "--limit", "1000"]);
    assert_eq!(told["companies"], companies.len());
    let company = &companies[3];
    let (id, number) =
        (company["company_id"].as_str().unwrap(), company["enterprise_number"].as_str().unwrap());
    let name = company["legal_name"].as_str().unwrap();
    let prefix: String = name.to_uppercase().chars().take(5).collect();
    let named = lines(data, &["company", "list", "--name", &prefix]);
    whose(&named, "company_id", id);
    assert!(named.len() < companies.len());
    for which in [id, number] {
        assert_eq!(lines(data, &["company", "show", which])[0]["legal_name"], name);
    }
    assert!(said(data, &["company", "show", id], 0).contains(number));
    said(data, &["company", "show", "12345678"], 1);
    said(data, &["company", "show", "no number"], 2);

    let sites = lines(data, &["site", "list", number]);
    assert_eq!(lines(data, &["company", "show", id])[0]["sites"], sites.len());
    let site = sites[0]["site_id"].as_str().unwrap();
    let shown = &lines(data, &["site", "show", site])[0];
    assert_eq!((&shown["company_name"], &shown["site_id"]), (&json!(name), &json!(site)));
    let terminals = shown["terminals"].as_array().unwrap();
    assert!(said(data, &["site", "show", site], 0).contains(terminals[0]["terminal_id"].as_str().unwrap()));
    said(data, &["site", "show", "00000000-0000-0000-0000-000000000000"], 1);

    let log = log(data);
    let query = "SELECT json_extract(data, '$.terminal_id') FROM events WHERE name = 'terminal-assigned'";
    let moved: String = log.query_row(query, [], |row| row.get(0)).unwrap();
    let shown = &lines(data, &["terminal", "show", &moved])[0];
    let history = shown["history"].as_array().unwrap();
    assert_eq!(history[0]["cause"]["kind"], "ordered");
    assert_eq!(history.last().unwrap()["cause"]["to_site_id"], shown["site_id"]);
    let query = "SELECT json_extract(data, '$.serial') FROM events WHERE name = 'terminal-added' AND json_extract(data, '$.serial') IS NOT NULL";
    let serial: String = log.query_row(query, [], |row| row.get(0)).unwrap();
    assert!(said(data, &["terminal", "show", &serial], 0).contains("ordered by SO-"));
    said(data, &["terminal", "show", "no such"], 1);

    let takeovers = lines(data, &["takeover", "list"]);
    let statuses: Vec<_> = takeovers.iter().map(|row| row["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["open", "cancelled", "completed"], "the newest first");
    assert_eq!(takeovers[0]["waits_for"], json!(["acquirer_confirmation"]));
    assert_eq!(lines(data, &["takeover", "list", "--status", "completed"]).len(), 1);
    let completed = takeovers[2]["takeover_id"].as_str().unwrap();
    let shown = said(data, &["takeover", "show", completed], 0);
    assert!(shown.contains("to_company_name") && !shown.contains("waits_for"), "{shown}");
}

#[tokio::test]
async fn a_permission_is_asked_and_answered_by_an_exit_code() {
    let (_folder, server, told) = over_a_sample("100", UNTIL).await;
    let data = server.folder.as_path();
    let user = told["states"]["administrator"]["examples"][0].clone();
    let (account, head) = (user["account_id"].as_str().unwrap(), told["events"].as_u64().unwrap());
    let held = server.service_get(&format!("/v1/accounts/{account}?at_least={head}")).await.expect(200);
    let company = held.json()["company_id"].as_str().unwrap().to_owned();
    let sites = server.service_get(&format!("/v1/sites?company={company}&at_least={head}")).await.expect(200);
    let site = sites.json()["items"][0]["site_id"].as_str().unwrap().to_owned();
    let ask = |account: &str, code: i32| {
        let asked =
            ["permission", "ask", "--account", account, "--permission", "manage_company", "--site", &site];
        let json = said(data, &[&asked[..], &["--json"]].concat(), code);
        let answer: Value = serde_json::from_str(&json).unwrap();
        (said(data, &asked, code), answer["allowed"].clone())
    };
    assert_eq!(ask(user["email"].as_str().unwrap(), 0), ("yes\n".to_owned(), json!(true)));
    let erased = told["states"]["erased"]["examples"][0]["account_id"].as_str().unwrap();
    assert_eq!(ask(erased, 3), ("no\n".to_owned(), json!(false)));
    let asked =
        ["permission", "ask", "--account", erased, "--permission", "manage_everything", "--site", &site];
    said(data, &asked, 2);
}

#[tokio::test]
async fn terminals_are_assigned_from_a_file_by_the_server_all_or_none() {
    let server = Server::start().await;
    let mut both = order(1, 1, "marie@example.be");
    let mut second = both["lines"][0].clone();
    second["delivery_address"]["number"] = json!("14");
    both["lines"][0]["serials"] = json!(["T-1", "T-2"]);
    both["lines"].as_array_mut().unwrap().push(second);
    let placed = server.service_post("/v1/orders", both).await.expect(201).json();
    let (company, head) =
        (placed["company_id"].as_str().unwrap().to_owned(), placed["position"].as_u64().unwrap());
    let sites =
        server.service_get(&format!("/v1/sites?company={company}&at_least={head}")).await.expect(200).json();
    server.service_get(&format!("/v1/terminals?company={company}&at_least={head}")).await.expect(200);
    let data = server.folder.as_path();
    let stands = || lines(data, &["terminal", "show", "t-1"])[0]["site_id"].as_str().unwrap().to_owned();
    let before = stands();
    let ids: Vec<_> = (0..2).map(|n| sites["items"][n]["site_id"].as_str().unwrap().to_owned()).collect();
    let other = ids.iter().find(|site| **site != before).unwrap();
    let file = data.join("moves.csv");
    let token = data.join("dev-token").display().to_string();
    let import = |csv: String, code: i32, more: &[&str]| {
        std::fs::write(&file, csv).unwrap();
        let path = file.display().to_string();
        let arguments = [
            "terminal",
            "import",
            &path,
            "--company",
            &company,
            "--url",
            &server.url,
            "--token-file",
            &token,
        ];
        said(data, &[&arguments[..], more].concat(), code)
    };
    let faulty = import(format!("terminal,site\nT-1,{other}\nT-9,{other}\n"), 4, &[]);
    assert!(faulty.starts_with("nothing was changed:\nline 3, terminal: "), "{faulty}");
    let good = format!("terminal,site\nT-1,{other}\nT-2,{before}\n");
    let tried = import(good.clone(), 0, &["--dry-run"]);
    assert!(tried.contains("1 would move (nothing was changed), 1 are already at their site"), "{tried}");
    let head = server.service_get("/v1/events").await.expect(200).position();
    server.service_get(&format!("/v1/terminals?company={company}&at_least={head}")).await.expect(200);
    assert_eq!(stands(), before);
    let report: Value = serde_json::from_str(&import(good, 0, &["--json"])).unwrap();
    assert_eq!(report["moves"][0]["to_site_id"].as_str(), Some(other.as_str()));
    let head = server.service_get("/v1/events").await.expect(200).position();
    server.service_get(&format!("/v1/terminals?company={company}&at_least={head}")).await.expect(200);
    assert_eq!(stands(), *other);
}

#[tokio::test]
async fn what_is_known_is_said_to_be_behind_where_no_server_has_caught_up() {
    let mut server = Server::start().await;
    let placed = server.service_post("/v1/orders", order(1, 1, "marie@example.be")).await.expect(201).json();
    let head = placed["position"].as_u64().unwrap();
    server.service_get(&format!("/v1/companies?at_least={head}")).await.expect(200);
    server.stop();
    let listed = |folder: &Path| run(program(folder).args(["company", "list"]));
    let orders = server.folder.join("orders.jsonl");
    std::fs::write(&orders, order(2, 2, "paul@example.be").to_string()).unwrap();
    said(&server.folder, &["order", "import", &orders.display().to_string()], 0);
    let (code, out, errors) = listed(&server.folder);
    assert_eq!(code, Some(0));
    assert!(out.contains("Boulangerie 1 SRL") && !out.contains("Boulangerie 2 SRL"), "{out}");
    assert!(errors.contains("events behind the log"), "{errors}");
    let (code, _, errors) = listed(&server.folder.join("elsewhere"));
    assert!(code == Some(1) && errors.contains("there are no read models in"), "{errors}");
}

#[test]
fn the_completions_and_the_manual_know_the_commands_that_look_at_the_customers() {
    let folder = tempfile::tempdir().unwrap();
    let completions = said(folder.path(), &["completions", "bash"], 0);
    let pages = folder.path().join("man");
    said(folder.path(), &["man", "--to", &pages.display().to_string()], 0);
    for command in
        ["demo", "company-list", "company-show", "site-list", "site-show", "terminal-show", "terminal-import"]
            .into_iter()
            .chain(["permission-ask", "takeover-list", "takeover-show"])
    {
        assert!(
            completions.contains(&format!("loquet__subcmd__{}", command.replace('-', "__subcmd__"))),
            "{command}"
        );
        assert!(pages.join(format!("loquet-{command}.1")).exists(), "{command}");
    }
}
