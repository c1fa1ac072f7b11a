//! Loads of streams of 20 events a second, in a log of 5 million events, compared with a bare SQLite lookup
//! of the same rows.
//!
//! The limit knows the positions of the rows. It searches for nothing: it reads each row by its position, in
//! order, over its thread's own connection and prepared statement, into its own values. Both sides have as
//! many callers as there are cores.
//!
//! `-- --events N` changes the number. `--folder PATH` keeps the data for the next run, which saves minutes.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a benchmark is started by hand, and prints what it measured")]

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use loquet_benches::history::{Extent, History};
use loquet_benches::{
    Comparison, Outcome, argument, cores, print_conditions, print_head, print_row, rate_since,
};
use loquet_domain::account;
use loquet_domain::ports::{EventStore, Revision, StreamId};
use loquet_sqlite::event_store::SqliteStore;
use rusqlite::{Connection, OpenFlags};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

const ROUNDS: u32 = 9;
const WINDOW: Duration = Duration::from_secs(1);
const EVENTS: u32 = 5_000_000;
const GOAL: f64 = 0.8;
/// The number of streams that are loaded, one after another. They are spread over the log.
const STREAMS: u32 = 20_000;

/// A stream and the positions of its events.
type Place = (StreamId, Vec<u64>);

fn main() -> Outcome<()> {
    let history = History::prepare(Extent::of_events(argument("--events")?.unwrap_or(EVENTS)))?;
    let log = history.folder.join("log.db");
    let runtime = Runtime::new()?;
    let store = SqliteStore::open_to_read(&log)?;
    let places = Arc::new(runtime.block_on(places(&store, &history))?);
    loads_a_second(&runtime, &store, &places, WINDOW)?;
    lookups_a_second(&log, &places, WINDOW)?;

    println!("streams of 20 events loaded a second, among {} events", history.extent.events());
    print_conditions(ROUNDS, WINDOW);
    print_head("callers", "SqliteStore/s", "bare SQLite/s");
    let compared = Comparison::in_turns(
        ROUNDS,
        || loads_a_second(&runtime, &store, &places, WINDOW),
        || lookups_a_second(&log, &places, WINDOW),
    )?;
    print_row(&cores().to_string(), &compared, Some(GOAL));
    Ok(())
}

/// Returns streams from all parts of the log, in no order.
async fn places(store: &SqliteStore, history: &History) -> Outcome<Vec<Place>> {
    let accounts = history.extent.accounts;
    let mut places = Vec::new();
    for turn in 0..STREAMS.min(accounts) {
        // This multiplier has no common factor with any number of accounts that is used.
        let number = u32::try_from(u64::from(turn) * 7_368_787 % u64::from(accounts))?;
        let stream = account::stream(history.account(number)?);
        let events = store.read_stream(&stream, Revision(0)).await?;
        if events.len() != 20 {
            return Err(format!("{stream} has {} events", events.len()).into());
        }
        places.push((stream, events.iter().map(|event| event.position.0).collect()));
    }
    Ok(places)
}

fn loads_a_second(
    runtime: &Runtime,
    store: &SqliteStore,
    places: &Arc<Vec<Place>>,
    window: Duration,
) -> Outcome<f64> {
    let start = Instant::now();
    runtime.block_on(async {
        let mut callers = JoinSet::new();
        for caller in 0..cores() {
            let (store, places) = (store.clone(), places.clone());
            callers.spawn(async move {
                let mut loads = 0;
                for (stream, positions) in turns(&places, caller) {
                    if start.elapsed() >= window {
                        break;
                    }
                    let events = store.read_stream(stream, Revision(0)).await?;
                    if events.len() != positions.len() {
                        return Err(format!("{stream} has {} events", events.len()).into());
                    }
                    black_box(events);
                    loads += 1;
                }
                Ok(loads)
            });
        }
        let loads = callers.join_all().await.into_iter().sum::<Outcome<u32>>()?;
        Ok(rate_since(start, loads))
    })
}

/// Each caller begins at another stream.
fn turns(places: &[Place], caller: usize) -> impl Iterator<Item = &Place> {
    places.iter().cycle().skip(caller * places.len() / cores())
}

fn lookups_a_second(log: &Path, places: &[Place], window: Duration) -> Outcome<f64> {
    let start = Instant::now();
    let lookups = thread::scope(|scope| {
        let looking: Vec<_> = (0..cores())
            .map(|caller| scope.spawn(move || look_up_until(log, turns(places, caller), start + window)))
            .collect();
        let looked = looking.into_iter().map(|thread| thread.join().map_err(|_| "a thread panicked")?);
        looked.sum::<Outcome<u32>>()
    })?;
    Ok(rate_since(start, lookups))
}

/// A row: everything that the log holds about an event.
type Row = (u64, String, u64, [u8; 16], String, u16, String, String, Option<[u8; 16]>, Option<Vec<u8>>);

fn look_up_until<'a>(log: &Path, places: impl Iterator<Item = &'a Place>, end: Instant) -> Outcome<u32> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(log, flags)?;
    connection.execute_batch("PRAGMA mmap_size = 1073741824;")?;
    let mut select = connection.prepare(
        "SELECT position, stream, revision, event_id, name, version, data, metadata, subject, sealed
         FROM events WHERE position = ?",
    )?;
    let mut lookups = 0;
    for (_, positions) in places {
        if Instant::now() >= end {
            break;
        }
        let mut rows: Vec<Row> = Vec::with_capacity(positions.len());
        // One transaction, as one statement over an index would have.
        connection.execute_batch("BEGIN")?;
        for position in positions {
            rows.push(select.query_row([position], |row| row.try_into())?);
        }
        connection.execute_batch("COMMIT")?;
        black_box(rows);
        lookups += 1;
    }
    Ok(lookups)
}
