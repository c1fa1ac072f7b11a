//! The embedded log after a write that failed: it writes again once the cause is gone, whoever reads it, and what
//! comes back after a crash is what the callers were told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use loquet_domain::ids::EventId;
use loquet_domain::ports::{AppendError, EventStore, NewEvent, Position, Revision, StreamId};
use loquet_sqlite::event_store::SqliteStore;
use loquet_tests::server::Server;
use loquet_tests::small_disk::SmallDisk;
use loquet_tests::{environment, skip};
use rusqlite::{Connection, OpenFlags};
use uuid::Uuid;

/// Bytes of the write-ahead log before its first frame, and of a frame (SQLite's file format, section 4).
const WAL_HEADER: usize = 32;
const FRAME: usize = 24 + 4096;
/// What the system writes to a disk at once.
const PAGE: usize = 4096;

/// The three events of one append: together they take several frames of the write-ahead log.
fn events(append: u64) -> Vec<NewEvent> {
    let event = |place: u64, size: usize| NewEvent {
        id: EventId(Uuid::from_u128(u128::from(append * 3 + place))),
        name: "login-failed".to_owned(),
        version: 1,
        data: format!("\"{}\"", "x".repeat(size)).into_bytes(),
        metadata: b"{}".to_vec(),
        sealed: None,
    };
    vec![event(0, 10), event(1, 6_000), event(2, 20_000)]
}

fn stream(append: u64) -> StreamId {
    StreamId::new("account", &append.to_string())
}

async fn append(store: &SqliteStore, number: u64) -> Result<(), AppendError> {
    store.append(&stream(number), Revision(0), events(number)).await.map(drop)
}

/// What the caller of an append was told. `Nothing` where the process was killed before it said anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Acknowledged,
    Refused,
    Unknown,
    Nothing,
}

/// Appends in a process of its own, as the variables say, and tells what became of each.
#[tokio::test]
async fn appends_in_a_child() {
    let Some(path) = environment::variable("LOQUET_TEST_LOG").map(PathBuf::from) else { return };
    let variable = |name: &str| environment::variable(name)?.into_string().ok();
    let from: u64 = variable("LOQUET_TEST_FROM").unwrap().parse().unwrap();
    let count: u64 = variable("LOQUET_TEST_COUNT").unwrap().parse().unwrap();
    let store = SqliteStore::open(&path).unwrap();
    for number in from..from + count {
        println!("begins {number}");
        let told = append(&store, number).await;
        match &told {
            Ok(()) => println!("acknowledged {number}"),
            Err(AppendError::Unavailable(_)) => println!("refused {number}"),
            Err(AppendError::Unknown(_)) => println!("unknown {number}"),
            Err(AppendError::Conflict { .. }) => panic!("a conflict in a stream of its own"),
        }
        if let Some(copies) = variable("LOQUET_TEST_COPIES") {
            copy(&path, &Path::new(&copies).join(number.to_string()));
        }
        if variable("LOQUET_TEST_REBUILD").is_some() && matches!(told, Err(AppendError::Unknown(_))) {
            rebuild_the_index(&path);
            match append(&store, number).await {
                Ok(()) => println!("acknowledged {number}"),
                Err(error) => println!("still refused {number}: {error}"),
            }
        }
    }
    store.close();
    println!("closed");
}

/// Copies the log as it is, by a process of its own: if this one closed the file, SQLite's locks on it would be gone.
#[track_caller]
fn copy(log: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    let wal = log.with_extension("db-wal");
    assert!(Command::new("cp").args([log, &wal, to]).status().unwrap().success());
}

/// Has the write-ahead log read anew, as if whoever wrote it had died.
#[track_caller]
fn rebuild_the_index(log: &Path) {
    let mut erase = Command::new("dd");
    erase.args(["if=/dev/zero", "bs=96", "count=1", "conv=notrunc", "status=none"]);
    let of = format!("of={}", log.with_extension("db-shm").display());
    assert!(erase.arg(of).status().unwrap().success());
}

/// A child that appends while faults are injected.
struct Child<'a> {
    log: &'a Path,
    from: u64,
    count: u64,
    variables: Vec<(&'static str, String)>,
    arguments: Vec<String>,
}

impl<'a> Child<'a> {
    fn over(log: &'a Path, from: u64, count: u64) -> Self {
        Self { log, from, count, variables: Vec::new(), arguments: Vec::new() }
    }

    fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.variables.push((name, value.to_string()));
        self
    }

    fn inject(mut self, fault: &str) -> Self {
        self.arguments.extend(["-e".to_owned(), format!("inject={fault}")]);
        self
    }

    /// Faults fall on this file alone.
    fn only_on(mut self, path: &Path) -> Self {
        self.arguments.extend(["-P".to_owned(), path.display().to_string()]);
        self
    }

    /// What each caller was told, and all that the child said.
    #[track_caller]
    fn run(self) -> (BTreeMap<u64, Told>, String) {
        let mut traced = Command::new("strace");
        traced.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync,pwrite64,ftruncate"]);
        traced.args(&self.arguments).arg(std::env::current_exe().unwrap());
        traced.args(["--exact", "log_recovery::appends_in_a_child", "--nocapture"]);
        traced.env("LOQUET_TEST_LOG", self.log).envs(self.variables);
        traced.env("LOQUET_TEST_FROM", self.from.to_string());
        traced.env("LOQUET_TEST_COUNT", self.count.to_string());
        let output = traced.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut told = BTreeMap::new();
        for line in said.lines() {
            for (word, what) in [
                ("begins ", Told::Nothing),
                ("acknowledged ", Told::Acknowledged),
                ("refused ", Told::Refused),
                ("unknown ", Told::Unknown),
            ] {
                if let Some(number) = line.strip_prefix(word).and_then(|number| number.parse().ok()) {
                    told.insert(number, what);
                }
            }
        }
        (told, said)
    }
}

/// Which appends a log holds, each with all of its events.
async fn held(log: &Path) -> BTreeSet<u64> {
    let store = SqliteStore::open(log).unwrap();
    let all = store.read_all(Position(0), 10_000).await.unwrap();
    store.close();
    let mut events: BTreeMap<u64, u64> = BTreeMap::new();
    for recorded in &all {
        *events.entry(u64::try_from(recorded.event.id.0.as_u128() / 3).unwrap()).or_default() += 1;
    }
    assert!(
        events.values().all(|count| *count == 3),
        "a part of an append is in {}: {events:?}",
        log.display()
    );
    events.into_keys().collect()
}

/// Whether a log holds what the callers were told it holds.
#[track_caller]
fn agree(held: &BTreeSet<u64>, told: &BTreeMap<u64, Told>, where_: &str) {
    for (number, told) in told {
        match told {
            Told::Acknowledged => {
                assert!(held.contains(number), "{where_}: {number} was acknowledged and is gone");
            }
            Told::Refused => assert!(!held.contains(number), "{where_}: {number} was refused and came back"),
            Told::Unknown | Told::Nothing => {}
        }
    }
}

fn count(told: &BTreeMap<u64, Told>, wanted: Told) -> usize {
    told.values().filter(|told| **told == wanted).count()
}

/// A transaction that reads the log for as long as it is kept, like an auditor's tool.
#[track_caller]
fn reader(log: &Path) -> Connection {
    let reader = Connection::open_with_flags(log, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    reader.execute_batch("BEGIN; SELECT max(position) FROM events;").unwrap();
    reader
}

/// Readers that come, stay for a while and go, one of them at every moment.
struct Readers {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<usize>>,
}

impl Readers {
    fn of(log: &Path) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, log) = (stop.clone(), log.to_owned());
        let thread = std::thread::spawn(move || {
            let (mut open, mut came) = (VecDeque::new(), 0);
            while !stopped.load(Ordering::SeqCst) {
                open.push_back(reader(&log));
                came += 1;
                if open.len() > 6 {
                    open.pop_front();
                }
                std::thread::yield_now();
            }
            came
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let came = self.thread.take().unwrap().join().unwrap();
        assert!(came > 6 || std::thread::panicking(), "only {came} readers came");
    }
}

async fn new_log(folder: &Path) -> PathBuf {
    let path = folder.join("log.db");
    let store = SqliteStore::open(&path).unwrap();
    append(&store, 0).await.unwrap();
    store.close();
    path
}

/// Everything that a power failure can leave behind: of what was written since the last sync that worked, each page is on
/// the disk as it is now or as it was then. A page that SQLite has overwritten and synced since is as it is now.
async fn survives_a_power_failure(copies: &Path, number: u64, told: &BTreeMap<u64, Told>, what: &str) {
    let (before, now) = (copies.join((number - 1).to_string()), copies.join(number.to_string()));
    let (Ok(old), Ok(new)) =
        (std::fs::read(before.join("log.db-wal")), std::fs::read(now.join("log.db-wal")))
    else {
        return;
    };
    if std::fs::read(before.join("log.db")).unwrap() != std::fs::read(now.join("log.db")).unwrap() {
        return;
    }
    let synced = match told[&number] {
        Told::Acknowledged => return,
        Told::Refused => WAL_HEADER + FRAME * frames(&now, copies),
        Told::Unknown | Told::Nothing => 0,
    };
    for chance in 0..6_u64 {
        let mut disk = new.clone();
        for (page, bytes) in disk.chunks_mut(PAGE).enumerate().filter(|(page, _)| page * PAGE >= synced) {
            let dice = Uuid::new_v5(&Uuid::nil(), format!("{number} {page} {chance}").as_bytes());
            if dice.as_bytes()[0] & 1 == 1 {
                let was = old.get(page * PAGE..).unwrap_or_default();
                let both = was.len().min(bytes.len());
                bytes[..both].copy_from_slice(&was[..both]);
                bytes[both..].fill(0);
            }
        }
        let restored = copies.join("power");
        std::fs::create_dir_all(&restored).unwrap();
        std::fs::copy(now.join("log.db"), restored.join("log.db")).unwrap();
        std::fs::write(restored.join("log.db-wal"), disk).unwrap();
        let so_far = told.range(..=number).map(|(number, told)| (*number, *told)).collect();
        agree(
            &held(&restored.join("log.db")).await,
            &so_far,
            &format!("{what}, power failure {chance} at {number}"),
        );
        std::fs::remove_dir_all(restored).unwrap();
    }
}

/// How many frames of a copy's write-ahead log SQLite reads.
#[track_caller]
fn frames(copy: &Path, scratch: &Path) -> usize {
    let looked = scratch.join("looked");
    std::fs::create_dir_all(&looked).unwrap();
    for name in ["log.db", "log.db-wal"] {
        std::fs::copy(copy.join(name), looked.join(name)).unwrap();
    }
    let connection = Connection::open(looked.join("log.db")).unwrap();
    connection.query_row("SELECT count(*) FROM events", [], |row| row.get::<_, i64>(0)).unwrap();
    let frames: i64 = connection.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| row.get(1)).unwrap();
    drop(connection);
    std::fs::remove_dir_all(looked).unwrap();
    usize::try_from(frames).unwrap()
}

#[tokio::test]
async fn after_a_failed_sync_the_log_writes_again_whoever_reads_it_and_nothing_refused_comes_back() {
    if !skip::unless_installed("after_a_failed_sync", "strace") {
        return;
    }
    for fault in [
        "fdatasync:error=EIO:when=4",
        "fdatasync:error=EIO:when=5..6",
        "fdatasync:error=EIO:when=6..9",
        "fdatasync:error=ENOSPC:when=7",
        "pwrite64:error=EIO:when=50..55",
        "pwrite64:error=ENOSPC:when=61..64",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (log, copies) = (new_log(folder.path()).await, folder.path().join("copies"));
        let (stays, come_and_go) = (reader(&log), Readers::of(&log));
        let child = Child::over(&log, 1, 16).with("LOQUET_TEST_COPIES", copies.display()).inject(fault);
        let (told, said) = child.run();
        drop(come_and_go);
        assert_eq!(told.len(), 16, "{fault}\n{said}");
        assert!(count(&told, Told::Acknowledged) < 16, "{fault}: nothing failed\n{said}");
        assert!(count(&told, Told::Acknowledged) >= 11, "{fault}: it did not write again\n{said}");
        assert_eq!(told[&16], Told::Acknowledged, "{fault}: it did not write again\n{said}");
        stays.execute_batch("COMMIT").unwrap();
        drop(stays);
        agree(&held(&log).await, &told, fault);
        for number in 1..=16 {
            let killed = copies.join(format!("killed-{number}"));
            copy(&copies.join(number.to_string()).join("log.db"), &killed);
            let so_far = told.range(..=number).map(|(number, told)| (*number, *told)).collect();
            agree(&held(&killed.join("log.db")).await, &so_far, &format!("{fault}, killed after {number}"));
            if number > 1 {
                survives_a_power_failure(&copies, number, &told, fault).await;
            }
        }
    }
}

#[tokio::test]
async fn killed_at_any_moment_around_a_failed_sync_what_was_refused_stays_away() {
    if !skip::unless_installed("killed_at_any_moment", "strace") {
        return;
    }
    let (mut came_back, mut stayed_away) = (0, 0);
    // The second append fails to sync; so does, once, what is to make sure that it is gone.
    for moment in 34..50 {
        let folder = tempfile::tempdir().unwrap();
        let log = new_log(folder.path()).await;
        let stays = reader(&log);
        let child = Child::over(&log, 1, 12).inject("fdatasync:error=EIO:when=4..5");
        let (told, said) = child.inject(&format!("pwrite64:signal=KILL:when={moment}")).run();
        assert!(!said.contains("closed"), "{moment}: it was not killed\n{said}");
        drop(stays);
        let held = held(&log).await;
        agree(&held, &told, &format!("killed at write {moment}\n{said}"));
        match told[&2] {
            Told::Nothing if held.contains(&2) => came_back += 1,
            Told::Unknown | Told::Refused if !held.contains(&2) => stayed_away += 1,
            _ => {}
        }
    }
    // Else the kills fell elsewhere, and the test shows nothing.
    assert!(came_back > 0 && stayed_away > 0, "{came_back} came back, {stayed_away} stayed away");
}

/// The write-ahead log is read anew while a batch is in doubt, and the batch is found whole: it is taken in, and its caller,
/// who was told that it may have happened, is told so when asking again.
#[tokio::test]
async fn a_batch_in_doubt_that_another_program_finds_in_the_write_ahead_log_is_taken_in() {
    if !skip::unless_installed("a_batch_in_doubt", "strace") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let log = new_log(folder.path()).await;
    // Neither the batch nor what was to make sure that it is gone: that is not even written.
    let child = Child::over(&log, 1, 6).with("LOQUET_TEST_REBUILD", 1);
    let child = child.inject("fdatasync:error=EIO:when=3").inject("pwrite64:error=EIO:when=22");
    let (told, said) = child.run();
    assert!(said.contains("unknown "), "nothing was in doubt\n{said}");
    assert_eq!(count(&told, Told::Acknowledged), 6, "{said}");
    assert_eq!(held(&log).await, (0..=6).collect(), "{said}");
}

#[tokio::test]
async fn a_checkpoint_that_fails_refuses_nobody_and_loses_nothing() {
    if !skip::unless_installed("a_checkpoint_that_fails", "strace") {
        return;
    }
    for (fault, is_emptied) in [("fdatasync:error=EIO:when=1", false), ("pwrite64:error=EIO:when=1..3", true)]
    {
        let folder = tempfile::tempdir().unwrap();
        let log = new_log(folder.path()).await;
        let (told, said) = Child::over(&log, 1, 200).only_on(&log).inject(fault).run();
        assert_eq!(count(&told, Told::Acknowledged), 200, "{fault}\n{said}");
        assert!(said.contains("closed"), "{fault}\n{said}");
        // After a failed sync of the file, the write-ahead log holds everything until a new process copies it.
        let wal = std::fs::metadata(log.with_extension("db-wal")).map_or(0, |wal| wal.len());
        assert_eq!(wal == 0, is_emptied, "{fault}: {wal} bytes");
        assert_eq!(held(&log).await, (0..=200).collect(), "{fault}");
        let wal = std::fs::metadata(log.with_extension("db-wal")).map_or(0, |wal| wal.len());
        assert_eq!(wal, 0, "{fault}: the new process did not copy it");
    }
}

/// How long nobody should have to wait for what takes no time.
const LONG: Duration = Duration::from_secs(8);

#[tokio::test]
async fn a_lock_of_another_program_is_told_soon_and_left_behind_at_once_though_readers_stay() {
    let folder = tempfile::tempdir().unwrap();
    let log = new_log(folder.path()).await;
    let store = SqliteStore::open(&log).unwrap();
    let (_stays, _come_and_go) = (reader(&log), Readers::of(&log));
    let lock = Connection::open(&log).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let began = Instant::now();
    let refused = append(&store, 1).await;
    assert!(began.elapsed() < LONG, "it took {:?}", began.elapsed());
    let Err(AppendError::Unavailable(why)) = refused else { panic!("{refused:?}") };
    assert!(why.contains("another program holds a lock"), "{why}");
    lock.execute_batch("ROLLBACK").unwrap();
    let began = Instant::now();
    append(&store, 1).await.unwrap();
    assert!(began.elapsed() < LONG, "it took {:?}", began.elapsed());
    store.close();
}

#[tokio::test]
async fn a_full_disk_is_left_behind_when_space_returns_though_readers_stay() {
    let Some(disk) = SmallDisk::mount("8m") else {
        return skip::skipped("a_full_disk_is_left_behind", "a tmpfs can't be mounted here");
    };
    let log = new_log(disk.path()).await;
    let ballast = disk.path().join("ballast");
    std::fs::write(&ballast, vec![0; 4 * 1024 * 1024]).unwrap();
    let store = SqliteStore::open(&log).unwrap();
    let stays = reader(&log);
    let mut told = BTreeMap::new();
    let mut number = 0;
    while told.len() - count(&told, Told::Acknowledged) < 3 {
        number += 1;
        let outcome = match append(&store, number).await {
            Ok(()) => Told::Acknowledged,
            Err(AppendError::Unavailable(why)) => {
                assert!(why.contains("the disk is full"), "{why}");
                Told::Refused
            }
            Err(other) => panic!("{other:?}"),
        };
        told.insert(number, outcome);
        assert!(number < 1000, "the disk never filled");
    }
    let later = reader(&log);
    std::fs::remove_file(&ballast).unwrap();
    append(&store, number + 1).await.unwrap();
    told.insert(number + 1, Told::Acknowledged);
    drop((stays, later));
    store.close();
    drop(store);
    agree(&held(&log).await, &told, "a full disk");
}

#[tokio::test]
async fn people_log_in_again_as_soon_as_a_write_lock_is_gone_though_an_auditor_goes_on_reading() {
    const PASSWORD: &str = "Boulange7!";
    let mut server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    let log = server.folder.join("log.db");
    let stays = reader(&log);
    let lock = Connection::open(&log).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let began = Instant::now();
    let refused = server.login("marie@example.be", PASSWORD).await.expect(503);
    assert!(began.elapsed() < LONG, "it took {:?}", began.elapsed());
    assert!(refused.headers.contains_key("retry-after"));
    assert!(refused.text.contains("store-unavailable"), "{}", refused.text);
    let opened_meanwhile = reader(&log);
    lock.execute_batch("ROLLBACK").unwrap();
    server.login("marie@example.be", PASSWORD).await.expect(201);
    drop((stays, opened_meanwhile, lock));
    server.stop();
    assert!(server.errors().contains("another program holds a lock"), "{}", server.errors());
}
