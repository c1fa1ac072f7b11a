//! What an auditor waits for: judging the history again, compared with a bare scan of the same rows, and a query as of an
//! earlier position, compared with the same query now.
//!
//! `what-if` tries four policies in one pass. The limit reads every row of the log in one thread, and does nothing with it. The
//! queries ask for the lockout of an account. Each one as of another position, so no past is open yet. Then the first page of the
//! list of companies is asked for, as of other positions, with the snapshots that a server keeps and without any.
//!
//! `-- --events N` changes the number of events (5 million by default). `--folder PATH` keeps the data for the next run.
//! `--program PATH` measures a program that was built elsewhere.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a benchmark is started by hand, and prints what it measured")]

use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use loquet_benches::client::{Connection, request};
use loquet_benches::history::{Extent, History};
use loquet_benches::program::{Program, executable};
use loquet_benches::{Comparison, Outcome, argument, cores, print_head, print_row, rate_since};
use rusqlite::{Connection as Sqlite, OpenFlags};

const ROUNDS: u32 = 3;
const EVENTS: u32 = 5_000_000;
const GOAL: f64 = 0.5;
/// The number of positions as of which a list is asked for.
const PASTS: u64 = 4;
/// Queries of each kind in a round.
const QUERIES: u32 = 50;

fn main() -> Outcome<()> {
    let executable = executable()?;
    let history = History::prepare(Extent::of_events(argument("--events")?.unwrap_or(EVENTS)))?;
    let log = history.folder.join("log.db");
    let events = u32::try_from(history.extent.events())?;
    scan(&log)?;
    let judged =
        Comparison::in_turns(ROUNDS, || what_if(&executable, &history.folder, events), || scan(&log))?;
    println!(
        "{} events of {} accounts; {} cores; {ROUNDS} rounds, in turns",
        events,
        history.extent.accounts,
        cores()
    );
    print_head("", "events judged/s", "rows scanned/s");
    print_row("what-if, four policies", &judged, Some(GOAL));
    let program = Program::start(&executable, &history.folder)?;
    program.ready()?;
    let asked = Comparison::in_turns(
        ROUNDS,
        || queries(&program, &history, |number| format!("?as_of={}", events / 2 + number)),
        || queries(&program, &history, |_| String::new()),
    )?;
    print_head("", "as of/s", "now/s");
    print_row("lockout queries", &asked, None);
    program.stop()?;
    lists(&executable, &history)
}

/// Measures the first page of a list as of several positions, which takes a read model of that time.
fn lists(executable: &Path, history: &History) -> Outcome<()> {
    let events = history.extent.events();
    let places = (1..=PASTS).map(|place| events * place / (PASTS + 1) + 137);
    let mut measured = Vec::new();
    for every in ["0", "250000"] {
        let every = ("LOQUET_PROJECTIONS_SNAPSHOT_EVERY", every.to_owned());
        let program = Program::start_with(executable, &history.folder, &[every])?;
        program.current()?;
        if !measured.is_empty() {
            wait_for_snapshots(&history.folder, events)?;
        }
        let mut seconds = Vec::new();
        for place in places.clone() {
            let start = Instant::now();
            program.call("GET", &format!("/v1/companies?limit=50&as_of={place}"), "")?.expect(200)?;
            seconds.push(start.elapsed().as_secs_f64());
        }
        measured.push(seconds);
        program.stop()?;
    }
    println!("\nthe first page of companies as of {PASTS} positions, each for the first time, in seconds");
    for (what, seconds) in ["from the log alone", "with snapshots"].iter().zip(&measured) {
        let shown: Vec<_> = seconds.iter().map(|seconds| format!("{seconds:.2}")).collect();
        println!("  {what:<20} {}", shown.join("  "));
    }
    Ok(())
}

/// Waits until the newest snapshot is near the end of the log. Prints how much space they take.
fn wait_for_snapshots(folder: &Path, events: u64) -> Outcome<()> {
    let start = Instant::now();
    loop {
        let (mut newest, mut bytes, mut count) = (0, 0, 0);
        for file in std::fs::read_dir(folder.join("snapshots")).into_iter().flatten() {
            let (file, name) =
                (file.as_ref().map_err(ToString::to_string)?, file.as_ref().map(|f| f.file_name()));
            let name = name.map_err(ToString::to_string)?.into_string().map_err(|_| "no text")?;
            let Some((position, _)) = name.strip_suffix(".db").and_then(|name| name.split_once('-')) else {
                continue;
            };
            newest = newest.max(position.parse()?);
            bytes += file.metadata()?.len();
            count += 1;
        }
        if newest + (events / 10).max(250_000) > events {
            let seconds = start.elapsed().as_secs();
            println!(
                "\n{count} snapshots of {} MB in all were made in {seconds} s beside the server",
                bytes / 1_000_000
            );
            return Ok(());
        }
        loquet_benches::pause(std::time::Duration::from_secs(1));
    }
}

fn what_if(executable: &Path, folder: &Path, events: u32) -> Outcome<f64> {
    let start = Instant::now();
    let mut command = Command::new(executable);
    command.arg("--data-dir").arg(folder).args(["audit", "what-if", "--json"]);
    command.args([
        "--policy",
        "profile=pci",
        "--policy",
        "attempts=5,duration=30m",
        "--policy",
        "devices=off",
    ]);
    let status = command.stdout(Stdio::null()).status()?;
    if !status.success() {
        return Err("what-if failed".into());
    }
    Ok(rate_since(start, events))
}

fn scan(log: &Path) -> Outcome<f64> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Sqlite::open_with_flags(log, flags)?;
    connection.execute_batch("PRAGMA mmap_size = 1073741824;")?;
    let start = Instant::now();
    let mut select = connection.prepare("SELECT * FROM events ORDER BY position")?;
    let mut rows = select.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        for column in [5, 7, 8] {
            black_box(row.get_ref(column)?.as_str()?);
        }
        count += 1;
    }
    Ok(rate_since(start, count))
}

fn queries(program: &Program, history: &History, as_of: impl Fn(u32) -> String) -> Outcome<f64> {
    let mut connection = Connection::open(program.address)?;
    let start = Instant::now();
    for number in 0..QUERIES {
        let path = format!("/v1/accounts/{}/lockout{}", history.account(number)?, as_of(number));
        connection.call(&request("GET", &path, Some(&program.token), ""))?.expect(200)?;
    }
    Ok(rate_since(start, QUERIES))
}
