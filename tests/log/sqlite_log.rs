//! The embedded log as a file: reopening, locking, damage, a full disk, a disk that fails.

use std::path::Path;
use std::process::Command;

use loquet_domain::ids::EventId;
use loquet_domain::ports::{AppendError, EventStore, NewEvent, Position, Revision, StreamId};
use loquet_sqlite::event_store::{FileError, SqliteStore};
use loquet_tests::small_disk::SmallDisk;
use loquet_tests::{environment, skip};
use uuid::Uuid;

fn event(size: usize) -> NewEvent {
    NewEvent {
        id: EventId(Uuid::from_u128(rand_id())),
        name: "login-failed".to_owned(),
        version: 1,
        data: format!("\"{}\"", "x".repeat(size)).into_bytes(),
        metadata: b"{}".to_vec(),
        sealed: None,
    }
}

fn rand_id() -> u128 {
    use loquet_domain::ports::Identities;
    loquet_crypto::random_ids::RandomIdentities.fresh().as_u128()
}

fn stream(n: u64) -> StreamId {
    StreamId::new("account", &n.to_string())
}

async fn fill(store: &SqliteStore, streams: u64, each: u64) {
    for n in 0..streams {
        for revision in 0..each {
            store.append(&stream(n), Revision(revision), vec![event(10)]).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_log_goes_on_where_it_stopped_with_its_note_of_heads_or_without() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let note = folder.path().join("log.db.heads");
    let store = SqliteStore::open(&path).unwrap();
    fill(&store, 5, 3).await;
    store.close();
    let closed = store.append(&stream(0), Revision(3), vec![event(1)]).await;
    assert!(matches!(closed, Err(AppendError::Unavailable(_))));
    drop(store);
    assert!(note.exists());
    let noted = std::fs::read(&note).unwrap();
    let damaged: Vec<u8> = noted.iter().map(|byte| byte ^ 1).collect();
    for (round, note_now) in
        [None, Some(noted.clone()), Some(damaged), Some(noted[..20].to_vec()), Some(Vec::new())]
            .into_iter()
            .enumerate()
    {
        let round = u64::try_from(round).unwrap();
        match note_now {
            Some(bytes) => std::fs::write(&note, bytes).unwrap(),
            None => std::fs::remove_file(&note).unwrap(),
        }
        let store = SqliteStore::open(&path).unwrap();
        assert_eq!(store.head().await.unwrap(), Position(15 + round));
        let conflict = store.append(&stream(4), Revision(0), vec![event(1)]).await;
        assert_eq!(conflict, Err(AppendError::Conflict { actual: Revision(3 + round) }), "round {round}");
        store.append(&stream(4), Revision(3 + round), vec![event(1)]).await.unwrap();
        let held = store.read_stream(&stream(4), Revision(0)).await.unwrap().len();
        assert_eq!(u64::try_from(held).unwrap(), 4 + round);
        store.close();
    }
}

#[tokio::test]
async fn a_second_process_is_refused_and_an_auditor_may_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let store = SqliteStore::open(&path).unwrap();
    fill(&store, 2, 2).await;
    let refused = SqliteStore::open(&path).err().unwrap();
    assert!(matches!(refused, FileError::InUse(_)), "{refused}");
    assert!(refused.to_string().contains("in use by another Loquet process"), "{refused}");
    let reading = SqliteStore::open_to_read(&path).unwrap();
    assert_eq!(reading.read_all(Position(0), 10).await.unwrap().len(), 4);
    let sql = "SELECT count(*) FROM history WHERE stream = 'account-1'";
    let auditor = rusqlite::Connection::open(&path).unwrap();
    assert_eq!(auditor.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap(), 2);
    store.append(&stream(9), Revision(0), vec![event(1)]).await.unwrap();
}

#[test]
fn foreign_newer_and_truncated_files_are_refused_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let said = |path: &Path| SqliteStore::open(path).err().map_or_else(String::new, |e| e.to_string());
    std::fs::write(path("text"), "Dear diary, today I bought a terminal.\n".repeat(100)).unwrap();
    assert!(said(&path("text")).contains("is not a Loquet event log"), "{}", said(&path("text")));
    let foreign = rusqlite::Connection::open(path("foreign")).unwrap();
    foreign.execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (1)").unwrap();
    assert!(said(&path("foreign")).contains("is not a Loquet event log"), "{}", said(&path("foreign")));
    assert_eq!(foreign.query_row("SELECT count(*) FROM sqlite_master", [], |r| r.get::<_, i64>(0)), Ok(1));
    drop(SqliteStore::open(&path("newer")).map(|store| store.close()));
    rusqlite::Connection::open(path("newer")).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    assert!(said(&path("newer")).contains("newer version of Loquet"), "{}", said(&path("newer")));
    let store = SqliteStore::open(&path("short")).unwrap();
    store.close();
    drop(store);
    let bytes = std::fs::read(path("short")).unwrap();
    std::fs::write(path("short"), &bytes[..bytes.len() - 4096]).unwrap();
    assert!(said(&path("short")).contains("its end is missing"), "{}", said(&path("short")));
    std::fs::write(path("stub"), &bytes[..50]).unwrap();
    assert!(said(&path("stub")).contains("its end is missing"), "{}", said(&path("stub")));
    assert!(said(&path("no/such/folder/log")).contains("can't use"), "{}", said(&path("no/such/folder/log")));
}

#[tokio::test]
async fn a_full_disk_is_said_loses_nothing_acknowledged_and_is_left_behind_when_space_returns() {
    let name = "a_full_disk_is_said";
    let Some(disk) = SmallDisk::mount("8m") else {
        return skip::skipped(name, "a tmpfs can't be mounted here");
    };
    let path = disk.path().join("log.db");
    let ballast = disk.path().join("ballast");
    std::fs::write(&ballast, vec![0; 5 * 1024 * 1024]).unwrap();
    let store = SqliteStore::open(&path).unwrap();
    let mut acknowledged = 0;
    let error = loop {
        match store.append(&stream(1), Revision(acknowledged), vec![event(20_000)]).await {
            Ok(_) => acknowledged += 1,
            Err(error) => break error,
        }
        assert!(acknowledged < 1000, "the disk never filled");
    };
    assert!(error.to_string().contains("the disk is full"), "{error}");
    assert!(store.decoy().await.is_err(), "strangers are told as little as anybody");
    let read = store.read_stream(&stream(1), Revision(0)).await.unwrap();
    assert_eq!(u64::try_from(read.len()).unwrap(), acknowledged, "nothing lost, nothing more");
    std::fs::remove_file(&ballast).unwrap();
    store.append(&stream(1), Revision(acknowledged), vec![event(20_000)]).await.unwrap();
    store.close();
    drop(store);
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(store.head().await.unwrap(), Position(acknowledged + 1));
}

/// The child of the test below: appends as told, and says what was acknowledged.
#[tokio::test]
async fn appends_in_a_child() {
    let Some(path) = environment::variable("LOQUET_TEST_APPEND_TO") else { return };
    let store = match SqliteStore::open(Path::new(&path)) {
        Ok(store) => store,
        Err(error) => return println!("refused: {error}"),
    };
    let held = store.read_stream(&stream(1), Revision(0)).await.unwrap().len();
    let mut revision = u64::try_from(held).unwrap();
    for _ in 0..60 {
        match store.append(&stream(1), Revision(revision), vec![event(100)]).await {
            Ok(appended) => {
                revision = appended.revision.0;
                println!("acknowledged {revision}");
            }
            Err(error) => println!("refused: {error}"),
        }
    }
}

#[tokio::test]
async fn a_disk_that_fails_a_sync_loses_nothing_acknowledged() {
    let name = "a_disk_that_fails_a_sync";
    if !skip::unless_installed(name, "strace") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    // Made beforehand, so that the faults fall on appends and not on making the file.
    let store = SqliteStore::open(&path).unwrap();
    store.append(&stream(1), Revision(0), vec![event(100)]).await.unwrap();
    store.close();
    drop(store);
    let mut known = 1;
    for injected in
        ["error=EIO:when=9", "error=EIO:when=12..14", "error=ENOSPC:when=8", "signal=KILL:when=15"]
    {
        let mut traced = Command::new("strace");
        traced.args(["-f", "-qq", "-e", "trace=fsync,fdatasync", "-e"]);
        traced.arg(format!("inject=fsync,fdatasync:{injected}")).arg("-o").arg(folder.path().join("trace"));
        traced.arg(std::env::current_exe().unwrap()).args([
            "--exact",
            "sqlite_log::appends_in_a_child",
            "--nocapture",
        ]);
        let output = traced.env("LOQUET_TEST_APPEND_TO", &path).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let numbers =
            said.lines().filter_map(|line| line.split("acknowledged ").nth(1)?.trim().parse::<u64>().ok());
        let acknowledged = numbers.max().unwrap_or(known);
        assert!(acknowledged > known, "{injected}: nothing was appended\n{said}");
        let store = SqliteStore::open(&path).unwrap();
        let held = store.read_stream(&stream(1), Revision(0)).await.unwrap();
        known = u64::try_from(held.len()).unwrap();
        assert!(known >= acknowledged, "{injected}: {acknowledged} acknowledged, {known} held\n{said}");
        assert!(known <= acknowledged + 1, "{injected}: what was refused came back\n{said}");
        if injected.starts_with("error") {
            assert!(said.contains("refused: "), "{injected}: the fault was not felt\n{said}");
            assert_eq!(known, acknowledged, "{injected}: what was refused came back\n{said}");
        }
        store.close();
    }
}
