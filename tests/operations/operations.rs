//! What operators do, done for real with the program: configuration, read models, keys, backups, doctor.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use loquet_crypto::server_key::Fingerprint;
use loquet_crypto::server_key::{KeyFile, ServerKey};
use loquet_sqlite::key_store::{Cause, Rotation};
use loquet_tests::server::{Server, free_port, order, token_in};
use loquet_tests::{environment, skip};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

const PASSWORD: &str = "Boulange7!";

/// Code, standard output and standard error of a command that has ended.
#[track_caller]
fn run(command: &mut Command) -> (Option<i32>, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn loquet(server: &Server, arguments: &[&str]) -> (Option<i32>, String, String) {
    run(server.command().args(arguments))
}

/// Standard output of a command that succeeds.
#[track_caller]
fn said(server: &Server, arguments: &[&str]) -> String {
    let (code, out, errors) = loquet(server, arguments);
    assert_eq!(code, Some(0), "{arguments:?}: {out}{errors}");
    out
}

fn program() -> Command {
    let mut command = Command::new(loquet_tests::server::binary());
    command.env_clear();
    command
}

/// The whole log, read as an auditor would.
#[track_caller]
fn log(server: &Server) -> Vec<Value> {
    let text = said(server, &["events", "tail", "--after", "0", "--json"]);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn config_check_on_a_file_with_ten_faults_names_ten_with_their_lines() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("loquet.toml");
    let text = "brand = \"\"
public_url = \"http://portal.example\"
[lockout]
attempts = 0
duration = \"15 minutes\"
[lokout]
x = 1
[password]
min_lenght = 8
[smtp]
host = \"mail.example\"
user = \"x\"
security = \"off\"
port = \"587\"
[limits]
requests_per_second = -1
";
    std::fs::write(&file, text).unwrap();
    let (code, out, _) = run(program().arg("--config").arg(&file).args(["config", "check"]));
    assert_eq!(code, Some(1), "{out}");
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines.len(), 11, "{out}");
    for (line, (number, named)) in lines.iter().zip([
        (1, "brand"),
        (2, "https://"),
        (4, "from 1 to 100"),
        (5, "such as 15m"),
        (6, "did you mean 'lockout'?"),
        (9, "did you mean 'password.min_length'?"),
        (12, "smtp.password_file"),
        (13, "starttls, tls, none"),
        (14, "without quotes"),
        (16, "requests_per_second"),
    ]) {
        assert!(
            line.starts_with(&format!("{}:{number}: ", file.display())) && line.contains(named),
            "{line}"
        );
    }
    // A server says the same rather than start with half of it.
    let (code, _, errors) = run(program().arg("--config").arg(&file).args(["serve", "--dev"]));
    assert!(code == Some(1) && errors.contains("did you mean 'lockout'?"), "{errors}");
}

#[test]
fn settings_that_switch_a_protection_off_together_are_named_with_their_lines() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("loquet.toml");
    let text = "public_url = \"https://portal.example\"
[http]
trusted_proxies = \"0.0.0.0/0\"
[lockout]
attempts = 100
duration = \"1s\"
[argon2]
memory_kib = 7168
passes = 1
[smtp]
host = \"mail.example\"
security = \"none\"
user = \"loquet\"
password = \"hunter2\"
";
    let checked = |text: &str, more: &[&str]| {
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        run(program().arg("--config").arg(&file).args(["config", "check"]).args(more)).1
    };
    let out = checked(text, &[]);
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines.len(), 5, "{out}");
    for (line, (number, named)) in lines.iter().zip([
        (3, "0.0.0.0/0' is too large"),
        (6, "lockout.duration must be at least 3000s"),
        (9, "with 7168 KiB of memory, at least 5 passes are required"),
        (12, "unencrypted"),
    ]) {
        assert!(
            line.starts_with(&format!("{}:{number}: ", file.display())) && line.contains(named),
            "{line}"
        );
    }
    // At the one of two settings that somebody set.
    let attempts =
        "public_url = \"https://portal.example\"\nsmtp.host = \"mail.example\"\nlockout.attempts = 60\n";
    let out = checked(attempts, &[]);
    assert!(out.starts_with(&format!("{}:3: lockout.attempts: ", file.display())), "{out}");
    // What is as strong, stays on this machine, or is development's.
    for (text, more) in [
        (text.replace("passes = 1", "passes = 5"), &[][..]),
        (text.replace("7168", "47104"), &[]),
        (text.to_owned(), &["--dev"]),
    ] {
        let text =
            text.replace("0.0.0.0/0", "10.0.0.0/8").replace("1s", "50m").replace("mail.example", "localhost");
        assert_eq!(checked(&text, more), "the configuration is valid\n", "{text}");
    }
}

#[test]
fn a_development_server_listens_to_this_machine_alone() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("var");
    let checked =
        |listen: &str, more: &[&str]| run(program().args(["config", "check", "--listen", listen]).args(more));
    let production = ["--public-url", "https://portal.example", "--smtp-host", "localhost"];
    for reached in [
        "0.0.0.0:8080",
        "[::]:8080",
        "192.168.1.7:8080",
        "[fe80::1]:8080",
        "[2001:db8::1]:8080",
        "[::ffff:192.168.1.7]:8080",
        "[::ffff:0.0.0.0]:8080",
    ] {
        let (code, out, _) = checked(reached, &["--dev"]);
        assert!(
            code == Some(1) && out.contains("with --dev the server shows every mail"),
            "{reached}: {out}"
        );
        assert!(
            out.contains("listen on 127.0.0.1:8080") && out.contains("without --dev"),
            "{reached}: {out}"
        );
        let mut serve = program();
        serve.arg("--data-dir").arg(&data).args(["serve", "--dev", "--listen", reached]);
        let (code, _, errors) = run(&mut serve);
        assert!(code == Some(1) && errors.contains("with --dev the server shows"), "{reached}: {errors}");
        assert!(!data.exists(), "{reached}: nothing is made, no token above all");
        assert_eq!(checked(reached, &production).0, Some(0), "{reached}: it is --dev's matter alone");
    }
    for ours in ["127.0.0.1:8080", "127.0.0.2:80", "[::1]:8080", "[::ffff:127.0.0.1]:8080"] {
        assert_eq!(checked(ours, &["--dev"]).0, Some(0), "{ours}");
    }
    // A name may lead anywhere, now or later.
    assert_eq!(checked("localhost:8080", &["--dev"]).0, Some(1));
}

#[tokio::test]
async fn the_development_token_is_its_owners_alone_and_production_shows_no_mail() {
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("var");
    std::fs::create_dir(&data).unwrap();
    let token = data.join("dev-token");
    // There already, for everybody to read.
    std::fs::write(&token, "lqt_old\n").unwrap();
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o644)).unwrap();
    let mut server = Server::over(data, &[]).await;
    assert_eq!(mode(&token), 0o600);
    let made = server.token();
    server.service_get("/v1/accounts").await.expect(200);
    server.stop();
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o644)).unwrap();
    server.restart().await;
    assert_eq!((mode(&token), server.token()), (0o600, made), "the one that holds stays");
    server.stop();
    let listen = format!("127.0.0.1:{}", server.port);
    let mut command = server.command();
    command.args(["serve", "--listen", &listen, "--public-url", "https://portal.example"]);
    let mut production = command.args(["--smtp-host", "localhost", "--smtp-port", "1"]).spawn().unwrap();
    let start = Instant::now();
    while server.try_send(Method::GET, "/healthz", None, None).await.is_err() {
        assert!(start.elapsed() < Duration::from_mins(1), "it does not start");
        tokio::task::yield_now().await;
    }
    for path in ["/dev/mail", "/dev/mail.json", "/dev/mail/1.eml", "/dev"] {
        server.send(Method::GET, path, None, None).await.expect(404);
    }
    // Names are the proxy's matter there.
    let named = server.client.get(format!("{}/healthz", server.url)).header("host", "portal.example");
    assert_eq!(named.send().await.unwrap().status(), 200);
    production.kill().unwrap();
    production.wait().unwrap();
}

#[test]
fn the_annotated_sample_is_what_the_program_prints_and_every_line_of_it_holds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let kept = std::fs::read_to_string(root.join("docs/loquet.toml")).unwrap();
    let (_, printed, _) = run(program().args(["config", "sample"]));
    assert_eq!(kept, printed, "docs/loquet.toml is out of date: `loquet config sample > docs/loquet.toml`");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("loquet.toml");
    // With every setting taken up that needs no file of its own.
    let needs_a_file = |line: &str| line.contains("_file = ") || line.starts_with("#password = ");
    let lines = kept.lines().filter(|line| !needs_a_file(line) && !line.starts_with("#user"));
    let set = |line: &str| match line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')) {
        Some(setting) => setting.to_owned(),
        None => line.to_owned(),
    };
    // Words that are compared with nothing are a fault: they need what compares to be on.
    let settings =
        lines.map(set).collect::<Vec<_>>().join("\n").replace("context = \"off\"", "context = \"on\"");
    std::fs::write(&file, settings).unwrap();
    let (code, out, _) = run(program().arg("--config").arg(&file).args(["config", "check"]));
    assert_eq!(code, Some(0), "{out}");
}

#[test]
fn config_show_says_where_each_value_came_from_and_hides_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("loquet.toml");
    std::fs::write(&file, "[smtp]\nuser = \"u\"\npassword = \"hunter2\"\n[lockout]\nattempts = 3\n").unwrap();
    let mut show = program();
    show.arg("--config").arg(&file).env("LOQUET_BRAND", "Chez nous");
    let (code, out, _) = run(show.args(["config", "show", "--json", "--links-reset", "30m"]));
    assert_eq!(code, Some(0));
    let shown: Value = serde_json::from_str(&out).unwrap();
    let told = |key: &str| (shown[key]["value"].clone(), shown[key]["from"].as_str().unwrap().to_owned());
    assert_eq!(told("brand"), (json!("Chez nous"), "LOQUET_BRAND".to_owned()));
    assert_eq!(told("links.reset"), (json!("30m"), "--links-reset".to_owned()));
    assert_eq!(told("lockout.attempts"), (json!("3"), format!("{}:5", file.display())));
    assert_eq!(told("smtp.password").0, json!("(hidden)"));
    assert_eq!(told("argon2.passes"), (json!("2"), "default".to_owned()));
    assert!(!out.contains("hunter2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn read_models_are_rebuilt_and_verified_beside_a_server_on_which_people_log_in() {
    let server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    server.service_post("/v1/orders", order(2, 2, "jan@example.be")).await.expect(201);
    server.mail("jan@example.be", "Confirmez", 1).await;
    let mails = server.mails("").await.len();
    let done = AtomicBool::new(false);
    let logging_in = async {
        let mut logins = 0;
        while !done.load(Ordering::SeqCst) {
            let position = server.login("marie@example.be", PASSWORD).await.expect(201).position();
            let me = format!("/v1/accounts?email=marie@example.be&at_least={position}");
            server.service_get(&me).await.expect(200);
            logins += 1;
        }
        logins
    };
    let operating = async {
        let command = |arguments: &'static [&'static str]| {
            let mut command = server.command();
            tokio::task::spawn_blocking(move || run(command.args(arguments)))
        };
        let mut ended = Vec::new();
        for arguments in [
            &["projections", "rebuild", "accounts"][..],
            &["projections", "verify"],
            &["projections", "rebuild", "all"],
            &["projections", "verify", "accounts", "sessions"],
        ] {
            ended.push(command(arguments).await.unwrap());
        }
        done.store(true, Ordering::SeqCst);
        ended
    };
    let (logins, ended) = tokio::join!(logging_in, operating);
    for (code, out, errors) in &ended {
        assert_eq!(*code, Some(0), "{out}{errors}");
    }
    assert!(
        ended[0].1.contains("accounts: ") && ended[0].1.contains("a second; the new one serves"),
        "{}",
        ended[0].1
    );
    assert_eq!(
        ended[1].1.matches("equals a replay").count(),
        loquet_projections::views::all().len(),
        "{}",
        ended[1].1
    );
    assert!(logins > 3, "{logins} logins");
    let list = said(&server, &["projections", "list", "--json"]);
    let rows: Vec<Value> = list.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(
        rows.iter().filter(|row| row["state"] == "serves").count() == loquet_projections::views::all().len(),
        "{list}"
    );
    // Whatever the rebuild had queued, to Jan whose link is open say, would have gone before this one.
    server.service_post("/v1/orders", order(3, 3, "ann@example.be")).await.expect(201);
    server.mail("ann@example.be", "Confirmez", 1).await;
    assert_eq!(server.mails("").await.len(), mails + 1, "a rebuild sends nothing");
    let (code, _, errors) = loquet(&server, &["projections", "rebuild", "acounts"]);
    assert!(code == Some(2) && errors.contains("accounts, activity, assignments"), "{errors}");
}

/// Stops the server's process, so that what it is asked for stays as it is; not in the middle of a write, since one that
/// stands still there holds the file against everybody.
async fn stand_still_between_two_writes(server: &Server, views: &rusqlite::Connection) {
    let signal = |name: &str| {
        assert!(Command::new("kill").args([name, &server.pid().to_string()]).status().unwrap().success());
    };
    views.busy_timeout(Duration::ZERO).unwrap();
    signal("-STOP");
    while views.execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_err() {
        signal("-CONT");
        tokio::task::yield_now().await;
        signal("-STOP");
    }
    views.busy_timeout(Duration::from_secs(5)).unwrap();
}

#[tokio::test]
async fn a_rebuild_does_not_wait_for_a_server_that_has_ended() {
    let mut server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    let views = rusqlite::Connection::open(server.folder.join("views.db")).unwrap();
    stand_still_between_two_writes(&server, &views).await;
    let mut command = server.command();
    let rebuilding =
        tokio::task::spawn_blocking(move || run(command.args(["projections", "rebuild", "accounts"])));
    let start = Instant::now();
    while views.query_row("SELECT count(*) FROM requests", [], |row| row.get::<_, i64>(0)).unwrap() == 0 {
        assert!(start.elapsed() < Duration::from_secs(30), "nothing was asked for");
        tokio::task::yield_now().await;
    }
    views
        .execute(
            "INSERT INTO builds SELECT view, version, 99, 0, 0, NULL FROM builds WHERE view = 'accounts'",
            [],
        )
        .unwrap();
    server.kill();
    let (code, _, errors) = rebuilding.await.unwrap();
    assert!(code == Some(1) && errors.contains("the server has stopped"), "{errors}");
    // And at its next start it builds what it was asked for; the row was only this test's.
    views.execute("DELETE FROM builds WHERE generation = 99", []).unwrap();
    server.restart().await;
    let start = Instant::now();
    let fresh = "SELECT count(*) FROM builds WHERE view = 'accounts' AND serving = 1 AND generation > 1";
    while views.query_row(fresh, [], |row| row.get::<_, i64>(0)).unwrap() == 0 {
        assert!(start.elapsed() < Duration::from_secs(30), "{}", server.errors());
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_read_model_that_was_tampered_with_is_found_and_mended_without_a_server_too() {
    let mut server = Server::start().await;
    let id = server.active(1, "marie@example.be", PASSWORD).await;
    let head = server.login("marie@example.be", PASSWORD).await.expect(201).position();
    server.service_get(&format!("/v1/accounts/{id}/sessions?at_least={head}")).await.expect(200);
    server.service_get(&format!("/v1/accounts/{id}?at_least={head}")).await.expect(200);
    server.stop();
    let views = rusqlite::Connection::open(server.folder.join("views.db")).unwrap();
    let tampered = views.execute("UPDATE view_accounts_5_1 SET row = replace(row, 'fr', 'nl')", []).unwrap();
    drop(views);
    assert_eq!(tampered, 1);
    let (code, out, _) = loquet(&server, &["projections", "verify", "accounts"]);
    assert!(code == Some(1) && out.contains("DIFFERS") && out.contains(&id), "{out}");
    said(&server, &["projections", "rebuild", "accounts"]);
    said(&server, &["projections", "verify"]);
    server.restart().await;
    let shown = server.service_get(&format!("/v1/accounts/{id}")).await.expect(200).json();
    assert_eq!(shown["language"], "fr");
}

#[tokio::test]
async fn the_server_key_is_rotated_beside_a_running_server_and_links_sessions_and_logins_hold() {
    let mut server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    server.service_post("/v1/orders", order(2, 2, "jan@example.be")).await.expect(201);
    let mailed = token_in(&server.mail("jan@example.be", "Confirmez", 1).await);
    let session = server.login("marie@example.be", PASSWORD).await.expect(201).json();
    let me = format!("/v1/accounts/{}", session["account_id"].as_str().unwrap());
    let token = session["session_token"].as_str().unwrap().to_owned();
    let old = std::fs::read_to_string(server.folder.join("server.key")).unwrap();
    let out = said(&server, &["keys", "rotate"]);
    // Two persons, and their two companies.
    assert!(out.contains("4 keys were wrapped with the new key; the server key is now number 2"), "{out}");
    let new = std::fs::read_to_string(server.folder.join("server.key")).unwrap();
    assert!(new != old && new.lines().count() == 1);
    // Everything that the old key made holds, before the server has taken note and after.
    server.send(Method::GET, &me, Some(&token), None).await.expect(200);
    server.login("marie@example.be", PASSWORD).await.expect(201);
    let start = Instant::now();
    while !server.errors().contains("the server key was rotated: the new one is in use") {
        assert!(start.elapsed() < Duration::from_secs(20), "{}", server.errors());
        tokio::task::yield_now().await;
    }
    server.post("/v1/activations", json!({ "token": mailed, "password": PASSWORD })).await.expect(204);
    server.login("jan@example.be", PASSWORD).await.expect(201);
    server.active(3, "els@example.be", PASSWORD).await;
    server.stop();
    server.restart().await;
    server.send(Method::GET, &me, Some(&token), None).await.expect(200);
    for email in ["marie@example.be", "jan@example.be", "els@example.be"] {
        server.login(email, PASSWORD).await.expect(201);
    }
    // After a compromise what the old key signed ends; who has an account still gets in.
    said(&server, &["keys", "rotate", "--compromised", "--yes"]);
    server.stop();
    server.restart().await;
    server.send(Method::GET, &me, Some(&token), None).await.expect(401);
    server.login("marie@example.be", PASSWORD).await.expect(201);
}

/// Killed at three moments: when the new key is in its file and the store has not heard of it, when some of the
/// keys are wrapped anew, and when all are and the old key is still in its file.
#[tokio::test]
async fn a_rotation_killed_half_way_goes_on_when_it_is_asked_for_again() {
    let mut server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    server.stop();
    import(&server, 10..30);
    let keys = rusqlite::Connection::open(server.folder.join("keys.db")).unwrap();
    let count = |query: &str| keys.query_row(query, [], |row| row.get::<_, u32>(0)).unwrap();
    // Forty thousand who were erased: keys to go through, one batch after another.
    keys.execute_batch(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)
         INSERT INTO keys SELECT randomblob(16), NULL, 1 FROM n;",
    )
    .unwrap();
    server.restart().await;
    let lines = || std::fs::read_to_string(server.folder.join("server.key")).unwrap().lines().count();

    // Nobody writes to the store while somebody else does.
    keys.execute_batch("BEGIN IMMEDIATE").unwrap();
    killed_when(&server, || lines() == 2);
    keys.execute_batch("ROLLBACK").unwrap();
    assert_eq!(count("SELECT count(*) FROM server"), 1);
    server.login("marie@example.be", PASSWORD).await.expect(201);

    let wrapped_anew = "SELECT count(*) FROM keys WHERE generation > 1";
    killed_when(&server, || count(wrapped_anew) > 0);
    let left = count("SELECT count(*) FROM keys WHERE generation = 1");
    assert!(left > 0 && lines() == 2, "{left} keys left");
    server.login("marie@example.be", PASSWORD).await.expect(201);

    // The store is written out only when nobody reads it.
    keys.execute_batch("BEGIN; SELECT count(*) FROM keys").unwrap();
    let other = rusqlite::Connection::open(server.folder.join("keys.db")).unwrap();
    let generations =
        || other.query_row("SELECT count(*) FROM server", [], |row| row.get::<_, u32>(0)).unwrap();
    killed_when(&server, || generations() == 1);
    keys.execute_batch("ROLLBACK").unwrap();
    assert_eq!(lines(), 2);
    server.login("marie@example.be", PASSWORD).await.expect(201);

    let out = said(&server, &["keys", "rotate"]);
    assert!(out.contains("0 keys were wrapped with the new key; the server key is now number 2"), "{out}");
    assert_eq!(lines(), 1);
    server.stop();
    server.restart().await;
    server.login("marie@example.be", PASSWORD).await.expect(201);
    let shown = said(&server, &["account", "show", "p29@example.be"]);
    assert!(shown.contains("Dupont"), "{shown}");
}

/// A rotation, killed as soon as this is so.
#[track_caller]
fn killed_when(server: &Server, is_so: impl Fn() -> bool) {
    let mut rotating =
        server.command().args(["keys", "rotate"]).stdout(std::process::Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    while !is_so() {
        assert!(
            rotating.try_wait().unwrap().is_none() && start.elapsed() < Duration::from_secs(30),
            "it ended"
        );
    }
    rotating.kill().unwrap();
    rotating.wait().unwrap();
}

/// The session that the old key signed ends, on the server that runs meanwhile, although the rotation that was
/// interrupted had kept it.
#[tokio::test]
async fn after_a_compromise_an_interrupted_rotation_honours_the_old_key_no_more_without_a_restart() {
    let server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    let session = server.login("marie@example.be", PASSWORD).await.expect(201).json();
    let me = format!("/v1/accounts/{}", session["account_id"].as_str().unwrap());
    let token = session["session_token"].as_str().unwrap().to_owned();
    let key = KeyFile::load(&server.folder.join("server.key")).unwrap();
    let now = environment::now();
    drop(Rotation::begin(&server.folder.join("keys.db"), key, now, Cause::Routine).unwrap());
    log_says(&server, "the server key was rotated").await;
    server.send(Method::GET, &me, Some(&token), None).await.expect(200);
    let out = said(&server, &["keys", "rotate", "--compromised", "--yes"]);
    assert!(out.contains("is now number 2") && out.contains("is now number 3"), "{out}");
    let start = Instant::now();
    while server.send(Method::GET, &me, Some(&token), None).await.status != 401 {
        assert!(start.elapsed() < Duration::from_secs(20), "{}", server.errors());
    }
    server.login("marie@example.be", PASSWORD).await.expect(201);
}

/// As when `keys rotate` was run with another file than the server's, or has left it one that it can't read.
#[tokio::test]
async fn a_server_that_cannot_use_the_new_server_key_says_that_it_is_not_ready() {
    let server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    let (own, other) = (server.folder.join("server.key"), server.folder.with_extension("other"));
    std::fs::copy(&own, &other).unwrap();
    said(&server, &["--server-key-file", other.to_str().unwrap(), "keys", "rotate"]);
    let keys = ready(&server, 503).await["keys"].as_str().unwrap().to_owned();
    assert!(keys.contains("the server key is not the one"), "{keys}");
    std::fs::copy(&other, &own).unwrap();
    assert_eq!(ready(&server, 200).await["keys"], "ok");
    server.login("marie@example.be", PASSWORD).await.expect(201);
}

/// Delivers orders of people `p<n>@example.be` while no server runs.
#[track_caller]
fn import(server: &Server, numbers: std::ops::Range<u32>) {
    let file = server.folder.with_extension("jsonl");
    let lines: Vec<_> = numbers.map(|n| order(n, n, &format!("p{n}@example.be")).to_string()).collect();
    std::fs::write(&file, lines.join("\n")).unwrap();
    said(server, &["order", "import", file.to_str().unwrap()]);
}

/// What readiness says once it has this status, and knows of the erasures: they are looked through at each start.
async fn ready(server: &Server, status: u16) -> Value {
    let start = Instant::now();
    loop {
        let answer = server.service_get("/readyz").await;
        let said = answer.json();
        if answer.status == status && said["views"].get("reaction erasure").is_some() {
            return said;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{said}");
        tokio::task::yield_now().await;
    }
}

/// Waits until the program's own log says this.
async fn log_says(server: &Server, text: &str) {
    let start = Instant::now();
    while !server.errors().contains(text) {
        assert!(start.elapsed() < Duration::from_secs(30), "{}", server.errors());
        tokio::task::yield_now().await;
    }
}

/// Every file below a folder.
#[track_caller]
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// By what an account's owner is found: what the newest read model of people holds of their name.
#[track_caller]
fn name_hashes(folder: &Path, account: &str) -> Vec<String> {
    let views = rusqlite::Connection::open(folder.join("views.db")).unwrap();
    let table = "SELECT 'view_people_' || version || '_' || generation FROM builds WHERE view = 'people' AND serving = 1";
    let table: String = views.query_row(table, [], |row| row.get(0)).unwrap();
    let select = format!("SELECT row FROM {table} WHERE key = ?");
    let row: String = views.query_row(&select, [account], |row| row.get(0)).unwrap();
    let row: Value = serde_json::from_str(&row).unwrap();
    row["words"].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

/// Law 6: what an erasure leaves, in the raw bytes of every file: log and its write-ahead log, read models,
/// free pages, kept answers, mails, the program's own log.
#[tokio::test]
async fn an_erasure_leaves_nothing_of_the_person_in_any_file() {
    let mut server = Server::start_with(&["--log-filter", "debug"]).await;
    let id = server.active(1, "marie.vandenberghe@boulangerie.example", PASSWORD).await;
    server.active(2, "jan@example.be", PASSWORD).await;
    // A mail to somebody else that names her: she waits for admission to Jan's company.
    let mut second = order(3, 2, "marie.peeters@boulangerie.example");
    second["contact"]["family_name"] = json!("Quisquater");
    let keyed = server.client.post(format!("{}/v1/orders", server.url)).bearer_auth(server.token());
    let placed = keyed.header("idempotency-key", "order-3").json(&second).send().await.unwrap();
    assert_eq!(placed.status(), 201);
    let waiting = placed.json::<Value>().await.unwrap()["account_id"].as_str().unwrap().to_owned();
    server.mail("jan@example.be", "Quisquater", 1).await;
    server.login("marie.vandenberghe@boulangerie.example", "Wrong1!!").await.expect(401);
    server
        .post("/v1/password-resets", json!({ "email": "marie.vandenberghe@boulangerie.example" }))
        .await
        .expect(202);
    server.mail("marie.vandenberghe@boulangerie.example", "nouveau", 1).await;
    // What finds them by name, in the read model of people.
    let searched = async |name: &str| {
        let head = server.service_get("/v1/events?limit=1").await.json()["position"].clone();
        let path = format!("/v1/support/search?q={name}&at_least={head}");
        server.service_get(&path).await.expect(200).json()["accounts"]["items"].as_array().unwrap().len()
    };
    assert_eq!((searched("marie").await, searched("quisquater").await), (3, 1));
    let (hers, hashes) = (name_hashes(&server.folder, &id), name_hashes(&server.folder, &waiting));
    // Another Marie stays.
    let hashes: Vec<_> = hashes.into_iter().filter(|hash| !hers.contains(hash)).collect();
    assert_eq!(hashes.len(), 2, "three and five letters of Quisquater");
    let token = server.folder.join("dev-token").display().to_string();
    let first = ["account", "erase", "marie.vandenberghe@boulangerie.example", "--reason", "asked by letter"];
    let (code, _, refused) = run(server.command().args(first).stdin(std::process::Stdio::null()));
    assert!(code == Some(1) && refused.contains("Add --yes") && refused.contains(&id), "{refused}");
    let url = server.url.clone();
    said(&server, &[&first[..], &["--yes", "--url", &url, "--token-file", &token]].concat());
    server
        .service_post(&format!("/v1/accounts/{waiting}/erasure"), json!({ "reason": "asked" }))
        .await
        .expect(204);
    assert_eq!((searched("marie").await, searched("quisquater").await), (1, 0), "of three, Jan's is left");
    let start = Instant::now();
    while !server.mails("boulangerie.example").await.is_empty() {
        assert!(start.elapsed() < Duration::from_secs(20), "the mails are still there");
    }
    let folder = server.folder.clone();
    let check = |when: &str| {
        for path in files(&folder).into_iter().chain([folder.with_extension("log")]) {
            let bytes = std::fs::read(&path).unwrap();
            let text = String::from_utf8_lossy(&bytes).to_lowercase();
            for name in ["vandenberghe", "marie.peeters", "quisquater"] {
                assert!(!text.contains(name), "{} names {name} {when}", path.display());
            }
        }
    };
    check("while the server runs");
    server.stop();
    check("after a clean stop");
    // A deleted row stays in the write-ahead log until that is next emptied, and nowhere else.
    let views = rusqlite::Connection::open(folder.join("views.db")).unwrap();
    views.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(views);
    let views = std::fs::read(folder.join("views.db")).unwrap();
    for hash in hashes {
        assert!(
            !String::from_utf8_lossy(&views).contains(&hash),
            "the erased can still be told by their name"
        );
    }
    server.restart().await;
    assert_eq!(server.send(Method::GET, "/readyz", None, None).await.expect(200).json()["ready"], true);
    said(&server, &["projections", "verify"]);
}

/// The ids of the mails that a backup notes as sent.
#[track_caller]
fn mailed_before(backup: &Path) -> BTreeSet<Uuid> {
    let journal = rusqlite::Connection::open(backup.join("reactions.db")).unwrap();
    let mut select = journal.prepare("SELECT effect FROM mails WHERE state = 'sent'").unwrap();
    let ids = select.query_map([], |row| Ok(Uuid::from_bytes(row.get(0)?))).unwrap();
    ids.map(Result::unwrap).collect()
}

/// The ids of the mails in the folder of a development server: a file's name ends with its mail's.
#[track_caller]
fn mailed_by(server: &Server) -> BTreeSet<Uuid> {
    let names =
        files(&server.folder.join("mail")).into_iter().map(|path| path.file_stem().unwrap().to_owned());
    names.map(|name| name.to_str().unwrap()[name.len() - 36..].parse().unwrap()).collect()
}

/// Waits until the mails of everything in the log are queued, and of those up to a position none waits or is on
/// its way: a backup's journal, copied after its log, may know of mails about what that log never saw.
async fn nothing_left_to_send(server: &Server, up_to: usize) {
    let start = Instant::now();
    let is_left = |mail: &str| {
        let mail: Value = serde_json::from_str(mail).unwrap();
        mail["about_position"].as_u64() <= u64::try_from(up_to).ok()
    };
    loop {
        let health = server.service_get("/readyz").await.json();
        let at_the_end = health["views"]["reaction mails"]["lag"] == 0;
        let left = |state| said(server, &["mail", "list", "--json", "--state", state]).lines().any(is_left);
        if at_the_end && !left("pending") && !left("sending") {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{health}");
    }
}

/// A backup taken while people order and log in is the log as it was at one moment, and a server runs on it.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_taken_under_load_restores_to_the_log_as_it_was_at_that_point() {
    let mut server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let (backup, restored) = (elsewhere.path().join("backup"), elsewhere.path().join("var"));
    let (done, delivered) = (AtomicBool::new(false), tokio::sync::watch::Sender::new(0));
    let load = async {
        let mut number = 100;
        while !done.load(Ordering::SeqCst) {
            number += 1;
            let placing = server
                .service_post("/v1/orders", order(number, number % 7, &format!("p{number}@example.be")));
            let (placed, login) = tokio::join!(placing, server.login("marie@example.be", PASSWORD));
            placed.expect(201);
            login.expect(201);
            delivered.send_replace(number - 100);
        }
    };
    let taking = async {
        let mut command = server.command();
        command.arg("backup").arg(&backup);
        delivered.subscribe().wait_for(|orders| *orders >= 10).await.unwrap();
        let taken = tokio::task::spawn_blocking(move || run(&mut command)).await.unwrap();
        let then = *delivered.borrow();
        delivered.subscribe().wait_for(|orders| *orders > then).await.unwrap();
        done.store(true, Ordering::SeqCst);
        taken
    };
    let ((), (code, out, errors)) = tokio::join!(load, taking);
    assert_eq!(code, Some(0), "{out}{errors}");
    let manifest: Value =
        serde_json::from_slice(&std::fs::read(backup.join("backup.json")).unwrap()).unwrap();
    let position = usize::try_from(manifest["position"].as_u64().unwrap()).unwrap();
    let original = log(&server);
    assert!(position < original.len(), "the load went on after it");
    said(&server, &["restore", backup.to_str().unwrap(), "--check"]);

    let mut copy = program();
    copy.arg("--data-dir").arg(&restored).arg("restore").arg(&backup);
    let (code, out, errors) = run(&mut copy);
    assert_eq!(code, Some(0), "{out}{errors}");
    std::fs::copy(server.folder.join("server.key"), restored.join("server.key")).unwrap();
    std::fs::copy(server.folder.join("dev-token"), restored.join("dev-token")).unwrap();
    server.stop();
    let before = mailed_before(&backup);
    assert!(!before.is_empty(), "there is something that could be sent again");
    let restored = Server::over(restored, &[]).await;
    let again = log(&restored);
    assert_eq!(again[..position], original[..position], "event for event");
    restored.login("marie@example.be", PASSWORD).await.expect(201);
    said(&restored, &["projections", "verify"]);
    // Law 5: what was mailed before the backup is not mailed again.
    nothing_left_to_send(&restored, position).await;
    let again: Vec<_> = mailed_by(&restored).intersection(&before).copied().collect();
    assert!(again.is_empty(), "sent again: {again:?}");
    let (code, _, errors) = loquet(&restored, &["restore", backup.to_str().unwrap()]);
    assert!(code == Some(1) && errors.contains("still holds") && errors.contains("log.db"), "{errors}");
}

#[tokio::test]
async fn a_backup_that_was_altered_is_refused_and_nothing_is_restored() {
    let server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let backup = elsewhere.path().join("backup");
    said(&server, &["backup", backup.to_str().unwrap()]);
    let log = backup.join("log.db");
    let mut bytes = std::fs::read(&log).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&log, bytes).unwrap();
    let target = elsewhere.path().join("var");
    let (code, _, errors) = run(program().arg("--data-dir").arg(&target).arg("restore").arg(&backup));
    assert!(code == Some(1) && errors.contains("log.db is not as it was backed up"), "{errors}");
    assert!(files(&target).is_empty());
    let (code, _, errors) = loquet(&server, &["backup", backup.to_str().unwrap()]);
    assert!(code == Some(1) && errors.contains("is not empty"), "{errors}");
}

/// What a server that died left behind would be taken for the restored log's own: a write-ahead log above all.
#[tokio::test]
async fn a_backup_is_restored_into_no_folder_that_holds_what_a_server_left() {
    let mut server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let (backup, target) = (elsewhere.path().join("backup"), elsewhere.path().join("var"));
    said(&server, &["backup", backup.to_str().unwrap()]);
    server.service_post("/v1/orders", order(2, 2, "jan@example.be")).await.expect(201);
    server.kill();
    let stale = std::fs::read(server.folder.join("log.db-wal")).unwrap();
    assert!(!stale.is_empty());
    std::fs::create_dir(&target).unwrap();
    let restore = || run(program().arg("--data-dir").arg(&target).arg("restore").arg(&backup));
    let left =
        ["log.db-wal", "log.db-shm", "log.db.heads", "keys.db-wal", "keys.db.v1", "answers.db", "views.db"];
    for name in left.into_iter().chain(["tokens.db.new", "reactions.db", "strangers.json", "mail"]) {
        std::fs::write(target.join(name), &stale).unwrap();
        let (code, _, errors) = restore();
        assert!(code == Some(1) && errors.contains(&format!("still holds {name}:")), "{name}: {errors}");
        assert_eq!(files(&target), [target.join(name)], "nothing was put beside it");
        std::fs::remove_file(target.join(name)).unwrap();
    }
    std::fs::copy(server.folder.join("server.key"), target.join("server.key")).unwrap();
    for theirs in ["loquet.toml", "logbook", "lost+found"] {
        std::fs::write(target.join(theirs), "").unwrap();
    }
    let (code, _, errors) = restore();
    assert_eq!(code, Some(0), "{errors}");
    let restored = Server::over(target, &[]).await;
    restored.login("marie@example.be", PASSWORD).await.expect(201);
    restored.login("jan@example.be", PASSWORD).await.expect(401);
}

/// The backup says which server key it needs, and never the key; what could not be read is not restored.
#[tokio::test]
async fn a_backup_from_before_a_rotation_needs_the_newest_keys_and_says_so() {
    let mut server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let (backup, target) = (elsewhere.path().join("backup"), elsewhere.path().join("var"));
    said(&server, &["backup", backup.to_str().unwrap()]);
    let key = server.folder.join("server.key");
    let print = Fingerprint::from(&ServerKey::load(&key).unwrap()).to_string();
    let manifest = std::fs::read_to_string(backup.join("backup.json")).unwrap();
    assert!(manifest.contains(&format!("\"server_key\": \"{print}\"")), "{manifest}");
    assert!(!manifest.contains(std::fs::read_to_string(&key).unwrap().trim()));
    let restore = |target: &Path, more: &[&str]| {
        run(program().arg("--data-dir").arg(target).arg("restore").arg(&backup).args(more))
    };
    let (code, out, errors) = restore(&elsewhere.path().join("keyless"), &[]);
    assert!(code == Some(0) && out.contains(&format!("Copy the server key {print} to")), "{out}{errors}");
    said(&server, &["keys", "rotate"]);
    server.stop();
    std::fs::create_dir(&target).unwrap();
    std::fs::copy(&key, target.join("server.key")).unwrap();
    let (code, _, errors) = restore(&target, &[]);
    assert!(code == Some(1) && errors.contains(&print) && errors.contains("--keys"), "{errors}");
    assert_eq!(files(&target), [target.join("server.key")]);
    let newest = server.folder.join("keys.db");
    let (code, _, errors) = restore(&target, &["--keys", newest.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{errors}");
    let restored = Server::over(target, &[]).await;
    restored.login("marie@example.be", PASSWORD).await.expect(201);
}

/// A copy of keys that is no backup would lie about for ever.
#[tokio::test]
async fn a_backup_that_is_refused_during_a_rotation_leaves_no_copies() {
    let mut server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    server.stop();
    let key = KeyFile::load(&server.folder.join("server.key")).unwrap();
    let now = chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let keys = server.folder.join("keys.db");
    drop(Rotation::begin(&keys, key, now, Cause::Routine).unwrap());
    let elsewhere = tempfile::tempdir().unwrap();
    let backup = elsewhere.path().join("backup");
    let (code, _, errors) = loquet(&server, &["backup", backup.to_str().unwrap()]);
    assert!(code == Some(1) && errors.contains("loquet keys rotate"), "{errors}");
    assert!(files(&backup).is_empty(), "{:?}", files(&backup));
    said(&server, &["keys", "rotate"]);
    said(&server, &["backup", backup.to_str().unwrap()]);
    said(&server, &["restore", backup.to_str().unwrap(), "--check"]);
}

/// Keys that are backed up apart do not bring the erased back.
#[tokio::test]
async fn a_backup_restored_with_the_newest_keys_leaves_the_erased_erased() {
    let mut server = Server::start().await;
    let id = server.active(1, "marie@example.be", PASSWORD).await;
    server.active(2, "jan@example.be", PASSWORD).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let (backup, target) = (elsewhere.path().join("backup"), elsewhere.path().join("var"));
    said(&server, &["backup", backup.to_str().unwrap(), "--without-keys"]);
    assert!(!backup.join("keys.db").exists());
    server
        .service_post(&format!("/v1/accounts/{id}/erasure"), json!({ "reason": "asked" }))
        .await
        .expect(204);
    let keys = server.folder.join("keys.db");
    let mut restore = program();
    restore.arg("--data-dir").arg(&target).arg("restore").arg(&backup).arg("--keys").arg(&keys);
    let (code, _, errors) = run(&mut restore);
    assert_eq!(code, Some(0), "{errors}");
    std::fs::copy(server.folder.join("server.key"), target.join("server.key")).unwrap();
    server.stop();
    let restored = Server::over(target, &[]).await;
    restored.login("jan@example.be", PASSWORD).await.expect(201);
    restored.login("marie@example.be", PASSWORD).await.expect(401);
    let log = log(&restored);
    let of_hers = log.iter().filter(|event| event["stream"] == format!("account-{id}"));
    assert!(of_hers.clone().count() > 1 && of_hers.clone().all(|event| event.get("personal").is_none()));
}

/// Nor do keys that were put back from before: the next start deletes the erased one's again, whatever became
/// of the read models, and however far back in the log the erasure is.
#[tokio::test]
async fn an_older_key_store_put_back_does_not_bring_the_erased_back() {
    let mut server = Server::start().await;
    let id = server.active(1, "marie@example.be", PASSWORD).await;
    server.stop();
    let old = std::fs::read(server.folder.join("keys.db")).unwrap();
    import(&server, 10..260);
    server.restart().await;
    let erased = format!("/v1/accounts/{id}/erasure");
    let erasure = server.service_post(&erased, json!({ "reason": "asked" })).await.expect(204).position();
    assert!(erasure > 1000, "{erasure} events");
    server.stop();
    import(&server, 300..301);
    let current = std::fs::read(server.folder.join("keys.db")).unwrap();
    std::fs::write(server.folder.join("keys.db"), old).unwrap();
    std::fs::remove_file(server.folder.join("views.db")).unwrap();
    let named = |server: &Server| said(server, &["account", "history", &id, "--json"]).contains("Dupont");
    assert!(named(&server), "the keys that are back are hers");
    server.restart().await;
    log_says(&server, "it is deleted again").await;
    assert!(!named(&server));
    let history = server.service_get(&format!("/v1/accounts/{id}/events")).await.expect(200).text;
    assert!(history.contains("account-erased") && !history.contains("Dupont"), "{history}");
    server.stop();
    assert!(!named(&server));
    std::fs::write(server.folder.join("keys.db"), current).unwrap();
    server.restart().await;
    ready(&server, 200).await;
    let again = server.errors().matches("it is deleted again").count();
    assert_eq!(again, 1, "whoever is not there is not deleted again");
}

/// A reader of the keys keeps the deleted one in the write-ahead log: the server says so, tries again, and is
/// done only once it is out of there.
#[tokio::test]
async fn an_erasure_done_again_at_a_start_is_tried_until_the_key_is_gone_for_good() {
    let mut server = Server::start().await;
    let id = server.active(1, "marie@example.be", PASSWORD).await;
    server.stop();
    let keys = server.folder.join("keys.db");
    let old = std::fs::read(&keys).unwrap();
    server.restart().await;
    let erased = format!("/v1/accounts/{id}/erasure");
    server.service_post(&erased, json!({ "reason": "asked" })).await.expect(204);
    server.stop();
    std::fs::write(&keys, old).unwrap();
    let reader = rusqlite::Connection::open(&keys).unwrap();
    let count = "BEGIN; SELECT count(*) FROM keys;";
    reader.execute_batch(count).unwrap();
    server.restart().await;
    let failure = ready(&server, 503).await["views"]["reaction erasure"]["failure"].to_string();
    assert!(failure.contains("still in the write-ahead log"), "{failure}");
    drop(reader);
    ready(&server, 200).await;
    assert_eq!(std::fs::metadata(keys.with_extension("db-wal")).unwrap().len(), 0);
}

#[tokio::test]
async fn the_doctor_finds_what_is_wrong_and_says_what_mends_it() {
    use std::os::unix::fs::PermissionsExt;
    let mut server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    let findings = |server: &Server, more: &[&str]| {
        let (code, out, errors) = loquet(server, &[&["doctor", "--json"][..], more].concat());
        let findings: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(!findings.is_empty(), "{errors}");
        (code, findings)
    };
    let state = |findings: &[Value], what: &str| -> Vec<String> {
        let of = findings.iter().filter(|finding| finding["what"] == what);
        of.map(|finding| finding["state"].as_str().unwrap().to_owned()).collect()
    };
    let mode =
        |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(&server.folder, 0o700);
    let (code, well) = findings(&server, &["--dev"]);
    assert_eq!(code, Some(0), "{well:?}");
    assert!(well.iter().all(|finding| finding["state"] == "well"), "{well:?}");
    server.stop();

    let unreachable = free_port().to_string();
    let smtp =
        ["--public-url", "https://portal.example", "--smtp-host", "127.0.0.1", "--smtp-port", &unreachable];
    let (code, found) = findings(&server, &smtp);
    assert_eq!((code, state(&found, "mail server")), (Some(1), vec!["failing".to_owned()]), "{found:?}");
    let (code, found) = findings(&server, &[]);
    assert_eq!(
        (code, state(&found, "configuration").len()),
        (Some(1), 3),
        "no address, no mail server: {found:?}"
    );

    mode(&server.folder, 0o755);
    mode(&server.folder.join("server.key"), 0o644);
    let (code, found) = findings(&server, &["--dev"]);
    assert_eq!((code, state(&found, "data directory")), (Some(1), vec!["warning".to_owned()]));
    assert!(state(&found, "server key").contains(&"failing".to_owned()), "{found:?}");
    mode(&server.folder.join("server.key"), 0o600);
    for (name, bits, failing) in [
        ("tokens.db", 0o660, false),
        ("keys.db", 0o644, true),
        ("dev-token", 0o604, true),
        ("log.db", 0o666, true),
    ] {
        mode(&server.folder.join(name), bits);
        let (code, found) = findings(&server, &["--dev"]);
        let expected = if failing { "failing" } else { "warning" };
        assert_eq!(code == Some(1), failing, "{name}: {found:?}");
        assert!(state(&found, "file modes").contains(&expected.to_owned()), "{name}: {found:?}");
        let of_modes =
            found.iter().find(|finding| finding["what"] == "file modes" && finding["state"] == expected);
        let said = of_modes.unwrap()["found"].to_string();
        assert!(said.contains(name) && said.contains("write") == (bits & 0o022 != 0), "{said}");
        mode(&server.folder.join(name), 0o600);
    }

    let key = server.folder.join("server.key");
    std::fs::write(&key, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n").unwrap();
    let (code, found) = findings(&server, &["--dev"]);
    assert!(code == Some(1) && state(&found, "server key").contains(&"failing".to_owned()), "{found:?}");
    let log = rusqlite::Connection::open(server.folder.join("log.db")).unwrap();
    log.execute("DELETE FROM events WHERE position = 3", []).unwrap();
    drop(log);
    let (_, found) = findings(&server, &["--dev"]);
    assert_eq!(state(&found, "log"), ["failing"], "a gap: {found:?}");
    let remedies = found.iter().filter(|finding| finding["state"] != "well");
    assert!(
        remedies.clone().all(|finding| finding["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty()))
    );
}

/// Two keys in the key file mean one of three things, and each asks for something else.
#[tokio::test]
async fn the_doctor_says_what_a_second_key_in_the_key_file_is_for() {
    let mut server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    server.stop();
    let (key, store) = (server.folder.join("server.key"), server.folder.join("keys.db"));
    let about_the_key = |server: &Server| {
        let (_, out, errors) = loquet(server, &["doctor", "--dev", "--json"]);
        let mut findings = out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let last = findings.rfind(|finding| finding["what"] == "server key");
        let last = last.unwrap_or_else(|| panic!("{errors}"));
        ["state", "found", "remedy"].map(|field| last[field].as_str().unwrap_or_default().to_owned())
    };
    let [state, found, remedy] = about_the_key(&server);
    assert_eq!((state.as_str(), found.as_str(), remedy.as_str()), ("well", "it opens keys.db", ""));
    // Prepared, once or twice.
    let first = std::fs::read_to_string(&key).unwrap();
    for _ in 0..2 {
        assert!(said(&server, &["keys", "prepare"]).contains("Copy the file to every node"));
        let [state, found, remedy] = about_the_key(&server);
        assert_eq!(state, "well", "{found}");
        assert!(found.contains("the next key is prepared") && found.contains("server.key"), "{found}");
        assert!(
            remedy.contains("copy this file to every node") && remedy.contains("loquet keys rotate"),
            "{remedy}"
        );
    }
    // Begun, and interrupted.
    let both = std::fs::read_to_string(&key).unwrap();
    assert_eq!(both.lines().count(), 2);
    let file = KeyFile::load(&key).unwrap();
    drop(Rotation::begin(&store, file, environment::now(), Cause::Routine).unwrap());
    let [state, found, remedy] = about_the_key(&server);
    assert_eq!(state, "warning", "{found}");
    assert!(found.contains("was interrupted") && remedy.contains("run it again"), "{found} {remedy}");
    let (code, _, why) = loquet(&server, &["keys", "prepare"]);
    assert!(code == Some(1) && why.contains("complete it with `loquet keys rotate`"), "{why}");
    let told = said(&server, &["keys", "rotate"]);
    assert!(told.contains("continuing a rotation that was interrupted"), "{told}");
    // Complete, but on this node the old key is still there.
    std::fs::write(&key, &both).unwrap();
    let [state, found, remedy] = about_the_key(&server);
    assert_eq!(state, "warning", "{found}");
    assert!(found.contains("still has the old key") && remedy.contains("removes the old key"), "{found}");
    let (code, _, why) = loquet(&server, &["keys", "prepare"]);
    assert!(code == Some(1) && why.contains("still has the old key of an earlier rotation"), "{why}");
    let told = said(&server, &["keys", "rotate"]);
    assert!(told.contains("removing this key"), "{told}");
    let newest = std::fs::read_to_string(&key).unwrap();
    assert!(both.starts_with(&newest) && newest.lines().count() == 1 && newest != first);
    // A rotation of a prepared key says so.
    said(&server, &["keys", "prepare"]);
    let told = said(&server, &["keys", "rotate"]);
    assert!(told.contains("has a prepared key: rotating to this key"), "{told}");
    assert_eq!(about_the_key(&server)[1], "it opens keys.db");
}

#[test]
fn every_shell_gets_its_completions_and_every_command_a_manual_page() {
    for shell in ["bash", "zsh", "fish"] {
        let (code, out, _) = run(program().args(["completions", shell]));
        assert!(code == Some(0) && out.contains("projections"), "{shell}");
    }
    let folder = tempfile::tempdir().unwrap();
    let (code, _, errors) = run(program().args(["man", "--to"]).arg(folder.path()));
    assert_eq!(code, Some(0), "{errors}");
    let serve = std::fs::read_to_string(folder.path().join("loquet-serve.1")).unwrap();
    assert!(serve.contains("lockout") && serve.contains("LOQUET_LOCKOUT_ATTEMPTS"));
    assert!(folder.path().join("loquet-keys-rotate.1").exists());
}

/// The clock jumps a day ahead and a day back while the server runs: a lockout ends when it should, a jump
/// back opens none, links and sessions obey the clock, and nothing stops.
#[tokio::test]
async fn a_clock_that_jumps_a_day_either_way_opens_no_lock_and_stops_nothing() {
    const NAME: &str = "a_clock_that_jumps_a_day_either_way_opens_no_lock";
    let Some(library) = skip::unless_faketime(NAME) else { return };
    let folder = tempfile::tempdir().unwrap();
    let clock = folder.path().join("clock");
    let set = |offset: &str| std::fs::write(&clock, offset).unwrap();
    set("+0");
    let variables = [
        ("LD_PRELOAD", library),
        ("FAKETIME_TIMESTAMP_FILE", clock.to_str().unwrap()),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    let mut server = Server::with_variables(&variables).await;
    let email = "marie@example.be";
    server.active(1, email, PASSWORD).await;
    let session = server.login(email, PASSWORD).await.expect(201).json();
    let me = format!("/v1/accounts/{}", session["account_id"].as_str().unwrap());
    let token = session["session_token"].as_str().unwrap();
    // Jan logs in once and does nothing more.
    let other = "jan@example.be";
    server.active(3, other, PASSWORD).await;
    let jan = server.login(other, PASSWORD).await.expect(201).json();
    let his = format!("/v1/accounts/{}", jan["account_id"].as_str().unwrap());
    let jan = jan["session_token"].as_str().unwrap();
    for _ in 0..7 {
        server.login(email, "Wrong1!!").await.expect(401);
    }
    server.login(email, PASSWORD).await.expect(423);
    set("-1d");
    server.login(email, PASSWORD).await.expect(423);
    server.send(Method::GET, &me, Some(token), None).await.expect(200);
    server.post("/v1/password-resets", json!({ "email": email })).await.expect(202);
    let reset = token_in(&server.mail(email, "nouveau", 1).await);
    set("+1d");
    server.send(Method::GET, &me, Some(token), None).await.expect(401);
    server
        .post("/v1/password-resets/confirm", json!({ "token": reset, "password": PASSWORD }))
        .await
        .expect(410);
    let fresh = server.login(email, PASSWORD).await.expect(201).json();
    set("+0");
    let fresh = fresh["session_token"].as_str().unwrap();
    server.send(Method::GET, &me, Some(fresh), None).await.expect(200);
    // A day had passed for the clock: what had expired then stays so, and what begins now does not suffer.
    server.send(Method::GET, &me, Some(token), None).await.expect(401);
    server.send(Method::GET, &his, Some(jan), None).await.expect(401);
    let anew = server.login(other, PASSWORD).await.expect(201).json();
    let anew = anew["session_token"].as_str().unwrap();
    server.send(Method::GET, &his, Some(anew), None).await.expect(200);
    for _ in 0..7 {
        server.login(email, "Wrong1!!").await.expect(401);
    }
    server.login(email, PASSWORD).await.expect(423);
    server.send(Method::GET, "/readyz", None, None).await.expect(200);
    server.service_post("/v1/orders", order(2, 2, "paul@example.be")).await.expect(201);
    server.mail("paul@example.be", "Confirmez", 1).await;
    server.stop();
    server.restart().await;
    server.login(email, PASSWORD).await.expect(423);
    server.send(Method::GET, &his, Some(jan), None).await.expect(401);
    server.send(Method::GET, &his, Some(anew), None).await.expect(200);
    said(&server, &["projections", "verify"]);
}

/// A full disk: nothing acknowledged is lost, requests are told, and with room again it goes on by itself.
#[tokio::test]
async fn a_disk_that_is_full_for_a_while_is_told_and_left_behind() {
    const NAME: &str = "a_disk_that_is_full_for_a_while";
    let folder = tempfile::tempdir().unwrap();
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"]).arg(folder.path());
    if !skip::is_root() || !mount.status().is_ok_and(|status| status.success()) {
        return skip::skipped(NAME, "a tmpfs can't be mounted here");
    }
    let mut server = Server::over(folder.path().join("var"), &[]).await;
    server.active(1, "marie@example.be", PASSWORD).await;
    let ballast = folder.path().join("ballast");
    let fill = Command::new("dd")
        .args(["if=/dev/zero", "bs=4096"])
        .arg(format!("of={}", ballast.display()))
        .output();
    assert!(!fill.unwrap().status.success(), "the disk is full now");
    let mut refused = false;
    let mut positions = Vec::new();
    for n in 0..200 {
        let answer =
            server.service_post("/v1/orders", order(100 + n, 100 + n, &format!("p{n}@example.be"))).await;
        match answer.status.as_u16() {
            201 => positions.push(answer.position()),
            503 => {
                assert!(
                    answer.text.contains("store-unavailable") || answer.text.contains("fate-unknown"),
                    "{}",
                    answer.text
                );
                assert!(answer.headers.contains_key("retry-after"));
                refused = true;
                break;
            }
            other => panic!("{other}: {}", answer.text),
        }
    }
    assert!(refused, "the disk was never full");
    server.send(Method::GET, "/readyz", None, None).await.expect(503);
    std::fs::remove_file(&ballast).unwrap();
    let start = Instant::now();
    while server.login("marie@example.be", PASSWORD).await.status != 201 {
        assert!(start.elapsed() < Duration::from_secs(30), "{}", server.errors());
    }
    let last =
        server.service_post("/v1/orders", order(999, 999, "last@example.be")).await.expect(201).position();
    let start = Instant::now();
    let path = format!("/v1/accounts?email=last@example.be&at_least={last}");
    while server.service_get(&path).await.status != 200 {
        assert!(start.elapsed() < Duration::from_secs(30), "{}", server.errors());
    }
    let log = log(&server);
    for position in positions {
        assert!(
            log.iter().any(|event| event["position"] == position),
            "position {position} was acknowledged"
        );
    }
    server.stop();
    let _ = Command::new("umount").arg(folder.path()).output();
}

/// Turns the files of a stopped server into those of the version before: what that one wrote.
#[track_caller]
fn as_the_version_before(folder: &Path) {
    let open = |name: &str| rusqlite::Connection::open(folder.join(name)).unwrap();
    let script = |name: &str, script: &str| {
        let connection = open(name);
        connection.execute_batch(script).unwrap_or_else(|e| panic!("{name}: {e}"));
        connection.execute_batch("PRAGMA user_version = 1; PRAGMA wal_checkpoint(TRUNCATE);").unwrap();
    };
    script("keys.db", "DROP TABLE secrets; ALTER TABLE keys DROP COLUMN generation;");
    script(
        "tokens.db",
        "ALTER TABLE tokens DROP COLUMN last_used_at; ALTER TABLE tokens DROP COLUMN revoked_at;
         ALTER TABLE tokens DROP COLUMN family; ALTER TABLE tokens DROP COLUMN role;
         ALTER TABLE tokens DROP COLUMN created_by; ALTER TABLE tokens DROP COLUMN revoked_by;",
    );
    script(
        "reactions.db",
        "DROP INDEX mails_to_note; DROP INDEX mails_urgent; ALTER TABLE mails DROP COLUMN since;
         ALTER TABLE mails DROP COLUMN noted; ALTER TABLE mails DROP COLUMN urgency;
         ALTER TABLE mails DROP COLUMN note_at; ALTER TABLE mails DROP COLUMN unnoted_why;
         ALTER TABLE mails DROP COLUMN waited; ALTER TABLE mails DROP COLUMN tried_at;
         ALTER TABLE mails DROP COLUMN verdict; DROP TABLE held;",
    );
    script(
        "views.db",
        "CREATE TABLE checkpoints (view TEXT NOT NULL, version INTEGER NOT NULL, position INTEGER NOT NULL,
             PRIMARY KEY (view, version)) STRICT, WITHOUT ROWID;
         INSERT INTO checkpoints SELECT view, 1, position FROM builds WHERE view = 'accounts';
         INSERT INTO checkpoints VALUES ('lockouts', 1, 3);
         CREATE TABLE view_accounts_1 AS SELECT * FROM view_accounts_5_1;
         CREATE TABLE view_accounts_1_index AS SELECT * FROM view_accounts_5_1_index;
         CREATE TABLE view_lockouts_1 (key TEXT PRIMARY KEY, row TEXT NOT NULL) STRICT, WITHOUT ROWID;
         CREATE TABLE view_lockouts_1_index (
             name TEXT NOT NULL, value TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (name, value, key)
         ) STRICT, WITHOUT ROWID;
         DROP TABLE builds; DROP TABLE requests; DROP TABLE generations;",
    );
}

/// The key is one account's, and so is the trouble.
#[tokio::test]
async fn one_accounts_missing_key_is_shown_and_keeps_back_nobody_elses_mails() {
    let mut server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    server.service_post("/v1/orders", order(2, 2, "jan@example.be")).await.expect(201);
    server.mail("jan@example.be", "Confirmez", 1).await;
    server.stop();
    // The log was not told what became of Jan's mail, and everything is to be acted on again.
    let journal = rusqlite::Connection::open(server.folder.join("reactions.db")).unwrap();
    let newest = "SELECT recipient FROM mails ORDER BY position DESC LIMIT 1";
    let jan: Vec<u8> = journal.query_row(newest, [], |row| row.get(0)).unwrap();
    let again = "UPDATE mails SET noted = 0, ended_at = ended_at + 1, note_at = 0 WHERE recipient = ?";
    assert_eq!(journal.execute(again, [&jan]).unwrap(), 1);
    journal.execute("DELETE FROM checkpoints", []).unwrap();
    let keys = rusqlite::Connection::open(server.folder.join("keys.db")).unwrap();
    assert_eq!(keys.execute("DELETE FROM keys WHERE account = ?", [&jan]).unwrap(), 1);
    drop((journal, keys));
    server.restart().await;
    server.service_post("/v1/orders", order(3, 3, "ann@example.be")).await.expect(201);
    server.mail("ann@example.be", "Confirmez", 1).await;
    let start = Instant::now();
    let shown = |text: &str| text.contains("is missing: restore keys.db");
    loop {
        let list = said(&server, &["mail", "list"]);
        let metrics = server.service_get("/metrics").await.text;
        let ready = server.service_get("/readyz").await.json();
        let stuck = ready["views"]["reaction onboarding-2"]["failure"].as_str().is_some_and(shown);
        let counted = metrics.contains("loquet_mails_failing{state=\"unnoted\"} 1");
        if list.contains("not in the log yet") && shown(&list) && counted && stuck {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{list}{ready}{}", server.errors());
    }
    server.login("marie@example.be", PASSWORD).await.expect(201);
}

#[tokio::test]
async fn the_files_of_the_version_before_are_upgraded_after_a_copy_and_everything_goes_on() {
    let mut server = Server::start().await;
    let id = server.active(1, "marie@example.be", PASSWORD).await;
    server.service_post("/v1/orders", order(2, 2, "jan@example.be")).await.expect(201);
    let mailed = token_in(&server.mail("jan@example.be", "Confirmez", 1).await);
    let session = server.login("marie@example.be", PASSWORD).await.expect(201).json();
    let mails = server.mails("").await.len();
    server.stop();
    as_the_version_before(&server.folder);
    // What is only to be read is not upgraded: it says what to do.
    let (code, _, errors) = loquet(&server, &["account", "show", "marie@example.be"]);
    assert!(code == Some(1) && errors.contains("start the server once"), "{errors}");
    server.restart().await;
    let token = session["session_token"].as_str().unwrap();
    let me = format!("/v1/accounts/{id}");
    server.send(Method::GET, &me, Some(token), None).await.expect(200);
    server.post("/v1/activations", json!({ "token": mailed, "password": PASSWORD })).await.expect(204);
    let head = server.login("jan@example.be", PASSWORD).await.expect(201).position();
    let start = Instant::now();
    let built = format!("/v1/accounts?sort=-created_at&at_least={head}");
    loop {
        let list = server.service_get(&built).await;
        if list.status == 200 && list.json()["items"].as_array().unwrap().len() == 2 {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{} {}", list.text, server.errors());
    }
    assert_eq!(server.mails("").await.len(), mails, "nothing is mailed again");
    said(&server, &["projections", "verify"]);
    let list = said(&server, &["projections", "list"]);
    let stays = |line: &str| line.split_whitespace().take(2).eq(["lockouts", "1"]);
    assert!(!list.lines().any(stays), "a view that the code no longer has is gone: {list}");
    said(&server, &["keys", "rotate"]);
    server.login("marie@example.be", PASSWORD).await.expect(201);
    for copied in ["tokens.db.v1", "reactions.db.v1", "views.db.v1"] {
        assert!(server.folder.join(copied).exists(), "no {copied}");
    }
    assert!(!server.folder.join("keys.db.v1").exists(), "a copy of keys would bring the erased back");
}
