//! The operator's tools: what they refuse, what they find, and what they tell.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use loquet_tests::server::Server;

const PASSWORD: &str = "Boulange7!";

/// Runs a command of the program without a terminal: its exit code, and what it wrote.
#[track_caller]
pub(crate) fn run(server: &Server, arguments: &[&str]) -> (Option<i32>, String) {
    let output = server.command().args(arguments).stdin(Stdio::null()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

#[tokio::test]
async fn what_cannot_be_undone_is_not_done_without_a_word_where_nobody_can_be_asked() {
    let server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    let (code, said) = run(&server, &["account", "erase", "marie@example.be", "--reason", "asked"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("This can't be undone. Add --yes to do it."), "{said}");
    server.login("marie@example.be", PASSWORD).await.expect(201);
}

#[tokio::test]
async fn no_server_key_is_made_beside_data_that_has_one_and_the_doctor_misses_lost_keys() {
    let mut server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    server.stop();
    let key = server.folder.join("server.key");
    let kept = server.folder.with_extension("kept");
    std::fs::rename(&key, &kept).unwrap();
    let (code, said) = run(&server, &["keys", "create"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("restore that key from your copy") && !key.exists(), "{said}");
    std::fs::rename(&kept, &key).unwrap();
    // Where the key is there and opens the data, nothing is to be restored.
    let (code, said) = run(&server, &["keys", "create"]);
    assert!(code == Some(1) && said.contains("server.key exists") && !said.contains("restore"), "{said}");

    for name in ["keys.db", "keys.db-wal", "keys.db-shm"] {
        drop(std::fs::remove_file(server.folder.join(name)));
    }
    let (code, said) = run(&server, &["doctor", "--dev"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("keys.db is missing, but there is a log"), "{said}");
}

#[tokio::test]
async fn a_password_that_every_user_of_the_machine_can_read_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::stopped(folder.path().join("var"), Vec::new());
    let (password, file) = (folder.path().join("smtp.password"), folder.path().join("loquet.toml"));
    std::fs::write(&password, "hunter2\n").unwrap();
    let settings = |line: String| {
        format!("public_url = \"https://portal.example\"\n[smtp]\nhost = \"mail.example\"\n{line}\n")
    };
    let in_file = format!("username = \"loquet\"\npassword_file = \"{}\"", password.display());
    let check = |open: &std::path::Path, line: &str| {
        std::fs::write(&file, settings(line.to_owned())).unwrap();
        for path in [&password, &file] {
            let mode = if path.as_path() == open { 0o644 } else { 0o600 };
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        run(&server, &["config", "check", "--config", file.to_str().unwrap()]).1
    };
    assert!(
        check(&password, &in_file).contains("WARNING") && check(&password, &in_file).contains("chmod o-r")
    );
    let own = "username = \"loquet\"\npassword = \"hunter2\"";
    let said = check(&file, own);
    assert!(said.contains("WARNING") && !said.contains("hunter2"), "{said}");
    assert!(
        !check(&password, own).contains("WARNING"),
        "nobody else can read the file that has the password"
    );
}

#[tokio::test]
async fn the_start_is_a_line_of_the_log_and_numbers_are_numbers() {
    let server = Server::start_with(&["--log-format", "json"]).await;
    let said = server.errors();
    let lines = said.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let started =
        lines.into_iter().find(|line| line["message"] == "started").unwrap_or_else(|| panic!("{said}"));
    assert_eq!(started["store"], "sqlite");
    assert_eq!(started["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(started["is_dev"], true);
}

/// Whoever reads JSON lines reads no other ones, also where both outputs go to one file.
#[test]
fn the_greeting_of_a_server_is_json_where_its_log_is() {
    use std::io::{BufRead, BufReader};
    let folder = tempfile::tempdir().unwrap();
    let mut server = std::process::Command::new(loquet_tests::server::binary())
        .env_clear()
        .args(["serve", "--dev", "--log-format", "json", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(folder.path().join("var"))
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    let greeting: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert!(greeting["url"].as_str().is_some_and(|url| url.starts_with("http://127.0.0.1:")), "{line}");
    assert!(greeting["portal"].as_str().is_some_and(|portal| portal.ends_with('/')), "{line}");
}

#[tokio::test]
async fn the_metrics_tell_of_the_process_the_disk_and_the_last_backup_in_both_formats() {
    let server = Server::start().await;
    let (code, said) = run(&server, &["backup", server.folder.with_extension("copy").to_str().unwrap()]);
    assert_eq!(code, Some(0), "{said}");
    let token = server.token();
    let ask = |kind: &'static str| {
        let request = server.client.get(format!("{}/metrics", server.url)).bearer_auth(&token);
        async move { request.header("accept", kind).send().await.unwrap().text().await.unwrap() }
    };
    let start = std::time::Instant::now();
    let open = loop {
        let open = ask("application/openmetrics-text").await;
        let taken = open.lines().find_map(|line| line.strip_prefix("loquet_last_backup_timestamp_seconds "));
        if taken.is_some_and(|taken| taken.parse::<f64>().unwrap() > 1e9) {
            break open;
        }
        assert!(start.elapsed() < std::time::Duration::from_mins(2), "no backup in {open}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    for name in [
        "process_cpu_seconds_total ",
        "process_start_time_seconds ",
        "process_resident_memory_bytes ",
        "process_open_fds ",
        "process_max_fds ",
        "loquet_disk_free_bytes ",
        "loquet_disk_size_bytes ",
    ] {
        let value =
            open.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name}"));
        assert!(value.parse::<f64>().unwrap() > 0.0, "{name}{value}");
    }
    let older = ask("text/plain;version=0.0.4").await;
    assert!(older.contains("# TYPE loquet_logins_total counter\n"), "{older}");
    assert!(!older.contains("# EOF") && !older.contains("# UNIT"), "{older}");
}

#[tokio::test]
async fn a_pipe_in_the_place_of_a_file_is_named_and_nothing_waits_for_it() {
    let mut server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    server.stop();
    let views = server.folder.join("views.db");
    std::fs::remove_file(&views).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&views).status().unwrap().success());
    for command in [&["doctor", "--dev"][..], &["serve", "--dev"], &["company", "list"]] {
        let (code, said) = run(&server, command);
        assert_eq!(code, Some(1), "{command:?}: {said}");
        assert!(said.contains("views.db") && said.contains("pipe"), "{command:?}: {said}");
    }
}

#[tokio::test]
async fn the_doctor_says_that_a_log_was_copied_without_its_write_ahead_log() {
    let mut server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    server.kill();
    std::fs::remove_file(server.folder.join("log.db-wal")).unwrap();
    let (code, said) = run(&server, &["doctor", "--dev"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("log.db") && said.contains("without its log.db-wal"), "{said}");
}

/// The names of the files in a data directory, and what is in them.
fn files_of(folder: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    let files =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap()).filter(|file| file.path().is_file());
    let mut all: Vec<_> = files
        .map(|file| (file.file_name().into_string().unwrap(), std::fs::read(file.path()).unwrap()))
        .collect();
    all.sort();
    all
}

#[tokio::test]
async fn a_start_without_the_log_or_its_keys_is_refused_and_leaves_nothing_behind() {
    for lost in ["log.db", "keys.db"] {
        let mut server = Server::start().await;
        server.active(1, "marie@example.be", PASSWORD).await;
        server.stop();
        for beside in ["", "-wal", "-shm", ".heads"] {
            drop(std::fs::remove_file(server.folder.join(format!("{lost}{beside}"))));
        }
        let before = files_of(&server.folder);
        let (code, said) = run(&server, &["serve", "--dev"]);
        assert_eq!(code, Some(1), "{lost}: {said}");
        assert!(said.contains(&format!("{lost} is missing")) && said.contains("backup"), "{lost}: {said}");
        assert!(files_of(&server.folder) == before, "{lost}: {said}");
        let (code, said) = run(&server, &["doctor", "--dev"]);
        assert_eq!(code, Some(1), "{lost}: {said}");
        assert!(said.contains(&format!("{lost} is missing")), "{lost}: {said}");
    }
    // Keys that can't be opened are no reason to write beside the log.
    let mut server = Server::start().await;
    server.stop();
    std::fs::write(server.folder.join("keys.db"), "no keys").unwrap();
    let before = files_of(&server.folder);
    let (code, said) = run(&server, &["serve", "--dev"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(files_of(&server.folder) == before, "{said}");
}

#[tokio::test]
async fn the_doctor_fails_when_the_log_has_lost_what_the_read_models_have_seen_or_a_store_is_gone() {
    let mut server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    let older = server.folder.with_extension("older");
    assert_eq!(run(&server, &["backup", older.to_str().unwrap()]).0, Some(0));
    server.login("marie@example.be", "Wrong1!!").await;
    server.stop();
    let tokens = server.folder.join("tokens.db");
    let kept = std::fs::read(&tokens).unwrap();
    std::fs::remove_file(&tokens).unwrap();
    let (code, said) = run(&server, &["doctor", "--dev"]);
    assert!(code == Some(1) && said.contains("tokens.db is missing, and with it every token"), "{said}");
    std::fs::write(&tokens, kept).unwrap();
    for beside in ["", "-wal", "-shm", ".heads"] {
        drop(std::fs::remove_file(server.folder.join(format!("log.db{beside}"))));
    }
    std::fs::copy(older.join("log.db"), server.folder.join("log.db")).unwrap();
    // Without its proof, nothing else would tell.
    std::fs::remove_dir_all(server.folder.join("proof")).unwrap();
    let (code, said) = run(&server, &["doctor", "--dev"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("events at its end are lost") && said.contains("log.db-wal"), "{said}");
}
