//! Files that were overwritten, and programs that handle them beside the server.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use loquet_tests::server::{Server, free_port, order, token_in};
use loquet_tests::skip;
use reqwest::Method;
use rusqlite::Connection;
use serde_json::{Value, json};

const PASSWORD: &str = "Boulange7!";
/// How long nobody should have to wait for what takes no time.
const LONG: Duration = Duration::from_secs(20);
/// Every file of SQLite's that a server has.
const FILES: [&str; 7] =
    ["log.db", "keys.db", "reactions.db", "views.db", "tokens.db", "answers.db", "webhooks.db"];

/// Puts a folder's files into another one, as they were.
#[track_caller]
fn put(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => put(&entry.path(), &to.join(entry.file_name())),
            false => drop(std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}

/// Overwrites some bytes of a file.
#[track_caller]
fn overwrite(path: &Path, from: usize, count: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    assert!(from + count <= bytes.len(), "{} has only {} bytes", path.display(), bytes.len());
    bytes[from..from + count].iter_mut().for_each(|byte| *byte ^= 0xa5);
    std::fs::write(path, bytes).unwrap();
}

#[track_caller]
fn sql(path: &Path, statements: &str) {
    Connection::open(path).unwrap().execute_batch(statements).unwrap();
}

/// The first page that holds rows of a table, by SQLite's own account.
#[track_caller]
fn page_of(path: &Path, table: &str) -> usize {
    let root = "SELECT rootpage FROM sqlite_master WHERE name = ?";
    let page: i64 = Connection::open(path).unwrap().query_row(root, [table], |row| row.get(0)).unwrap();
    (usize::try_from(page).unwrap() - 1) * 4096
}

#[track_caller]
fn mails(folder: &Path) -> usize {
    std::fs::read_dir(folder.join("mail")).unwrap().count()
}

/// A folder whose server was stopped, with a mail that is sent at once when it starts.
async fn with_a_mail_to_send() -> (Server, PathBuf, tempfile::TempDir) {
    let mut server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    let body = order(2, 2, "paul@example.be");
    let request = server.client.post(format!("{}/v1/orders", server.url)).bearer_auth(server.token());
    let placed = request.header("Idempotency-Key", "k-1").json(&body).send().await.unwrap();
    assert_eq!(placed.status(), 201);
    server.mail("paul@example.be", "Confirmez", 1).await;
    server.stop();
    sql(&server.folder.join("reactions.db"), "UPDATE mails SET state = 'pending', due_at = 0");
    let kept = tempfile::tempdir().unwrap();
    let whole = kept.path().join("whole");
    put(&server.folder, &whole);
    (server, whole, kept)
}

type Damage = (&'static str, &'static str, fn(&Path));

const DAMAGES: [Damage; 20] = [
    ("log.db", "its beginning", |folder| overwrite(&folder.join("log.db"), 0, 100)),
    ("log.db", "a page", |folder| {
        overwrite(&folder.join("log.db"), page_of(&folder.join("log.db"), "events"), 512);
    }),
    ("log.db", "its last page", |folder| {
        let length = usize::try_from(std::fs::metadata(folder.join("log.db")).unwrap().len()).unwrap();
        overwrite(&folder.join("log.db"), length - 4096, 4096);
    }),
    ("log.db", "its end is missing", |folder| {
        let bytes = std::fs::read(folder.join("log.db")).unwrap();
        std::fs::write(folder.join("log.db"), &bytes[..bytes.len() - 4096]).unwrap();
    }),
    ("log.db", "an event's data", |folder| {
        sql(
            &folder.join("log.db"),
            "UPDATE events SET data = substr(data, 1, length(data) - 1) WHERE position = 3",
        );
    }),
    ("log.db", "an event's metadata, which is no longer text", |folder| {
        sql(
            &folder.join("log.db"),
            "UPDATE events SET metadata = CAST(x'22ff22' AS TEXT) WHERE position = 4",
        );
    }),
    ("log.db", "an event is missing", |folder| {
        sql(&folder.join("log.db"), "DELETE FROM events WHERE position = 5");
    }),
    ("log.db", "an event's stream", |folder| {
        sql(&folder.join("log.db"), "UPDATE events SET stream = 'account-0' WHERE position = 6");
    }),
    ("log.db", "what follows what", |folder| {
        sql(&folder.join("log.db"), "UPDATE events SET previous = previous - 1 WHERE previous > 1");
    }),
    ("log.db", "what is sealed", |folder| {
        sql(
            &folder.join("log.db"),
            "UPDATE events SET sealed = zeroblob(length(sealed)) WHERE sealed IS NOT NULL",
        );
    }),
    ("keys.db", "a page", |folder| {
        overwrite(&folder.join("keys.db"), page_of(&folder.join("keys.db"), "keys"), 512);
    }),
    ("reactions.db", "a page", |folder| {
        overwrite(&folder.join("reactions.db"), page_of(&folder.join("reactions.db"), "mails"), 512);
    }),
    ("reactions.db", "an index", |folder| {
        overwrite(&folder.join("reactions.db"), page_of(&folder.join("reactions.db"), "mails_due"), 512);
    }),
    ("reactions.db", "to whom a mail goes, which an index knows otherwise", |folder| {
        let path = folder.join("reactions.db");
        let select = "SELECT recipient FROM mails LIMIT 1";
        let recipient: Vec<u8> =
            Connection::open(&path).unwrap().query_row(select, [], |row| row.get(0)).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let page = page_of(&path, "mails");
        let at = bytes[page..].windows(16).position(|bytes| *bytes == recipient[..]).unwrap();
        overwrite(&path, page + at, 1);
    }),
    ("views.db", "a page", |folder| {
        overwrite(&folder.join("views.db"), page_of(&folder.join("views.db"), "builds"), 512);
    }),
    ("tokens.db", "a page", |folder| {
        overwrite(&folder.join("tokens.db"), page_of(&folder.join("tokens.db"), "tokens"), 512);
    }),
    ("answers.db", "a page", |folder| {
        overwrite(&folder.join("answers.db"), page_of(&folder.join("answers.db"), "answers"), 512);
    }),
    ("webhooks.db", "a page", |folder| {
        overwrite(&folder.join("webhooks.db"), page_of(&folder.join("webhooks.db"), "endpoints"), 512);
    }),
    ("server.key", "some letters", |folder| overwrite(&folder.join("server.key"), 4, 8)),
    ("server.key", "its end is missing", |folder| {
        let bytes = std::fs::read(folder.join("server.key")).unwrap();
        std::fs::write(folder.join("server.key"), &bytes[..20]).unwrap();
    }),
];

/// Starts the program, which must refuse; gives what it said.
#[track_caller]
fn refused(server: &Server, what: &str) -> String {
    let listen = format!("127.0.0.1:{}", free_port());
    let mut child = server
        .command()
        .args(["serve", "--dev", "--listen", &listen])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if began.elapsed() > LONG {
            child.kill().unwrap();
            panic!("{what}: it started");
        }
        std::thread::yield_now();
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{what}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn a_damaged_file_stops_the_start_before_anything_is_sent() {
    let (mut server, whole, _kept) = with_a_mail_to_send().await;
    for (file, damaged, damage) in DAMAGES {
        put(&whole, &server.folder);
        damage(&server.folder);
        let before = mails(&server.folder);
        let what = format!("{file}: {damaged}");
        let said = refused(&server, &what);
        assert!(said.contains(file), "{what}: {said}");
        let remedies = ["restore", "delete it", "must be 32 bytes"];
        assert!(remedies.iter().any(|remedy| said.contains(remedy)), "{what}: {said}");
        assert_eq!(mails(&server.folder), before, "{what}: a mail was sent");
    }
    // It is the damage that keeps the mails back.
    put(&whole, &server.folder);
    let before = mails(&server.folder);
    server.restart().await;
    let began = Instant::now();
    while mails(&server.folder) <= before {
        assert!(began.elapsed() < LONG, "nothing was sent");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_write_ahead_log_that_was_overwritten_stops_the_start() {
    for file in ["log.db", "keys.db", "answers.db"] {
        let mut server = Server::start().await;
        for n in 1..6 {
            let body = order(n, n, &format!("p{n}@example.be"));
            let request = server.client.post(format!("{}/v1/orders", server.url)).bearer_auth(server.token());
            let placed =
                request.header("Idempotency-Key", format!("k-{n}")).json(&body).send().await.unwrap();
            assert_eq!(placed.status(), 201);
        }
        server.kill();
        // Behind its header, the first frame, and a little.
        overwrite(&server.folder.join(format!("{file}-wal")), 32 + 24 + 500, 64);
        let said = refused(&server, file);
        assert!(said.contains(file) && said.contains("write-ahead log was overwritten"), "{file}: {said}");
    }
}

#[tokio::test]
async fn the_doctor_finds_the_same_damage() {
    let (server, whole, _kept) = with_a_mail_to_send().await;
    for (file, damaged, damage) in DAMAGES {
        put(&whole, &server.folder);
        damage(&server.folder);
        let output = server.command().args(["doctor", "--dev"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(1), "{file}: {damaged}: {said}");
        assert!(said.contains("FAILING") && said.contains(file), "{file}: {damaged}: {said}");
    }
}

/// A program that is the last to close a file of SQLite's deletes its write-ahead log. Many versions of SQLite know by a lock
/// on the file alone that the server has it open too.
#[tokio::test]
async fn a_tool_that_opens_and_closes_a_file_leaves_its_write_ahead_log_to_the_server() {
    use std::os::unix::fs::MetadataExt;
    let server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    let (pid, locks) = (server.pid(), std::fs::read_to_string("/proc/locks").unwrap());
    for file in FILES {
        let inode = std::fs::metadata(server.folder.join(file)).unwrap().ino();
        let is_locked = locks.lines().any(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.contains(&pid.to_string().as_str()) && line.contains(&format!(":{inode} "))
        });
        assert!(is_locked, "{file}: nobody can see that the server has it open");
    }
    if !skip::unless_installed("a_tool_that_opens_and_closes_a_file", "sqlite3") {
        return;
    }
    for file in FILES {
        let path = server.folder.join(file);
        let mut tool = std::process::Command::new("sqlite3");
        let output = tool.arg(&path).arg("SELECT count(*) FROM sqlite_master").output().unwrap();
        assert!(output.status.success(), "{file}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(path.with_extension("db-wal").exists(), "{file}: its write-ahead log is gone");
    }
}

/// Waits until the server says something of itself.
async fn metric(server: &Server, name: &str, holds: impl Fn(f64) -> bool) {
    let began = Instant::now();
    loop {
        let told = server.service_get("/metrics").await.expect(200).text;
        let value = told.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        if value.is_some_and(|value| holds(value.parse().unwrap())) {
            return;
        }
        assert!(began.elapsed() < LONG, "{name} is {value:?}");
        tokio::task::yield_now().await;
    }
}

#[track_caller]
fn doctor(server: &Server) -> Value {
    let output = server.command().args(["doctor", "--dev", "--json"]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let mut findings = said.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    findings.find(|finding| finding["what"] == "write-ahead logs").unwrap()
}

#[tokio::test]
async fn a_write_ahead_log_that_grows_because_of_a_reader_is_measured_told_once_and_explained() {
    let mut server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    assert_eq!(doctor(&server)["state"], "well");
    let (log, held) = (server.folder.join("log.db"), "loquet_write_ahead_log_held_bytes{file=\"log.db\"}");
    metric(&server, held, |bytes| bytes < 4e6).await;
    let reader = Connection::open(&log).unwrap();
    reader.execute_batch("BEGIN; SELECT max(position) FROM events;").unwrap();
    // Beside the events, so that the log stays as it is: a server would take hours to write as much.
    let writer = Connection::open(&log).unwrap();
    writer.execute_batch("CREATE TABLE ballast (data BLOB);").unwrap();
    for _ in 0..8 {
        writer.execute_batch("INSERT INTO ballast VALUES (zeroblob(10000000));").unwrap();
    }
    metric(&server, held, |bytes| bytes > 8e7).await;
    metric(&server, "loquet_write_ahead_log_bytes{file=\"log.db\"}", |bytes| bytes > 8e7).await;
    let found = doctor(&server);
    assert_eq!(found["state"], "warning", "{found}");
    let told = found["found"].as_str().unwrap();
    let own = std::process::id();
    assert!(told.contains("log.db-wal has ") && told.contains(&format!("process {own} (")), "{told}");
    assert!(!found["remedy"].as_str().unwrap().is_empty());
    server.login("marie@example.be", PASSWORD).await.expect(201);
    drop(reader);
    server.login("marie@example.be", PASSWORD).await.expect(201);
    metric(&server, held, |bytes| bytes < 4e6).await;
    // It begins anew, and gives back what it does not need.
    server.login("marie@example.be", PASSWORD).await.expect(201);
    metric(&server, "loquet_write_ahead_log_bytes{file=\"log.db\"}", |bytes| bytes < 7e7).await;
    assert_eq!(doctor(&server)["state"], "well");
    drop(writer);
    server.stop();
    let said = server.errors();
    assert_eq!(said.matches("its write-ahead log grows").count(), 1, "{said}");
    assert_eq!(said.matches("its write-ahead log is copied into it again").count(), 1, "{said}");
}

/// Each of the other files recovers as the log does: a write that fails and a reader that stays hold up nothing once the
/// cause is gone.
#[tokio::test]
async fn every_other_file_too_is_written_again_though_readers_stay() {
    let server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    for (n, file) in (10..).zip(FILES) {
        let path = server.folder.join(file);
        let stays = Connection::open(&path).unwrap();
        stays.execute_batch("BEGIN; SELECT count(*) FROM sqlite_master;").unwrap();
        let lock = Connection::open(&path).unwrap();
        lock.execute_batch("BEGIN IMMEDIATE").unwrap();
        let body = order(n, n, &format!("p{n}@example.be"));
        let key = format!("k-{n}");
        let place = || {
            let request = server.client.post(format!("{}/v1/orders", server.url)).bearer_auth(server.token());
            request.header("Idempotency-Key", &key).json(&body).send()
        };
        let began = Instant::now();
        let locked = place().await.unwrap().status().as_u16();
        assert!(began.elapsed() < LONG, "{file}: it took {:?}", began.elapsed());
        assert!([201, 200, 503].contains(&locked), "{file}: {locked}");
        lock.execute_batch("ROLLBACK").unwrap();
        let placed = place().await.unwrap().status().as_u16();
        assert!([200, 201].contains(&placed), "{file}: {placed}");
        // The keys, the reactions and the journal.
        let link = token_in(&server.mail(&format!("p{n}@example.be"), "Confirmez", 1).await);
        server.post("/v1/activations", json!({ "token": link, "password": PASSWORD })).await.expect(204);
        let position = server.login(&format!("p{n}@example.be"), PASSWORD).await.expect(201).position();
        // The views.
        let path = format!("/v1/companies?at_least={position}");
        server.send(Method::GET, &path, Some(&server.token()), None).await.expect(200);
        let began = Instant::now();
        while server.send(Method::GET, "/readyz", None, None).await.status != 200 {
            assert!(began.elapsed() < LONG, "{file}: it is not ready again");
            tokio::task::yield_now().await;
        }
        drop((stays, lock));
    }
}
