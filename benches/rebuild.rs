//! Rebuilding every read model from 5 million events, compared with a bare scan and JSON parse of the same
//! rows.
//!
//! Our side is the program itself, started on a log whose read models were deleted. It is measured until it
//! says that they are current. The limit reads every row in one thread, and parses its data and metadata into
//! [`serde_json::Value`]. It decides nothing and writes nothing.
//!
//! `-- --events N` changes the number. `--folder PATH` keeps the data for the next run, which saves minutes.
//! `--program PATH` measures a program that was built elsewhere.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a benchmark is started by hand, and prints what it measured")]

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use loquet_benches::history::{Extent, History};
use loquet_benches::program::{Program, executable};
use loquet_benches::{Comparison, Outcome, argument, cores, print_head, print_row, rate_since};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

const ROUNDS: u32 = 3;
const EVENTS: u32 = 5_000_000;
const GOAL: f64 = 0.5;

fn main() -> Outcome<()> {
    let executable = executable()?;
    let history = History::prepare(Extent::of_events(argument("--events")?.unwrap_or(EVENTS)))?;
    let log = history.folder.join("log.db");
    scan(&log)?;
    let compared = Comparison::in_turns(ROUNDS, || rebuild(&executable, &history.folder), || scan(&log))?;
    println!(
        "events a second into every read model, {} events of {} accounts",
        history.extent.events(),
        history.extent.accounts
    );
    println!("{} cores; {ROUNDS} rounds, in turns; median (least to greatest)", cores());
    print_head("", "rebuilt/s", "scanned and parsed/s");
    print_row("all views", &compared, Some(GOAL));
    Ok(())
}

fn rebuild(executable: &Path, folder: &Path) -> Outcome<f64> {
    for file in ["views.db", "views.db-wal", "views.db-shm"] {
        let path = folder.join(file);
        if path.exists() {
            fs::remove_file(path)?;
        }
    }
    let program = Program::start(executable, folder)?;
    let took = program.current()?;
    let head: Value = serde_json::from_str(&program.call("GET", "/readyz", "")?.expect(200)?.body)?;
    let head = head.get("position").and_then(Value::as_u64).ok_or("no position")?;
    program.stop()?;
    rate(head, took)
}

fn rate(count: u64, took: Duration) -> Outcome<f64> {
    Ok(f64::from(u32::try_from(count)?) / took.as_secs_f64())
}

fn scan(log: &Path) -> Outcome<f64> {
    let connection =
        Connection::open_with_flags(log, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.execute_batch("PRAGMA mmap_size = 1073741824;")?;
    let start = Instant::now();
    let mut select = connection.prepare("SELECT * FROM events ORDER BY position")?;
    let mut rows = select.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        black_box(serde_json::from_str::<Value>(row.get_ref(7)?.as_str()?)?);
        black_box(serde_json::from_str::<Value>(row.get_ref(8)?.as_str()?)?);
        count += 1;
    }
    Ok(rate_since(start, count))
}
