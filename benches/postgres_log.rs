//! The log in PostgreSQL, compared with a bare client on the same server.
//!
//! Appends: the bare client has one task behind a channel. It takes the waiting requests, writes their rows with one
//! statement into a table with the same columns and indexes, commits, and replies. It checks no revisions, takes no lock,
//! announces nothing, and lets the database number the rows. So its order is not one that a reader could follow.
//!
//! Reads: both sides read the whole log in pages of 500 events. The bare client leaves each row as the driver gives it.
//!
//! The embedded log stands beside it, measured in the same turns, to show what the network and the server cost.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a benchmark is started by hand, and prints what it measured")]

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use loquet_benches::append_load::appends_a_second;
use loquet_benches::bare_postgres::BarePostgres;
use loquet_benches::{Comparison, Outcome, print_conditions, print_head, print_row, rate_since};
use loquet_domain::ports::{EventStore, Position};
use loquet_postgres::event_store::PostgresStore;
use loquet_sqlite::event_store::SqliteStore;
use loquet_tests::postgres_server::PostgresServer;
use tokio::runtime::Runtime;

const ROUNDS: u32 = 7;
const WINDOW: Duration = Duration::from_millis(800);
const CALLERS: [u64; 3] = [1, 64, 512];
/// The goal for appends and reads.
const GOAL: f64 = 0.8;
/// The number of events that one read returns.
const PAGE: usize = 500;

fn main() -> Outcome<()> {
    let server = PostgresServer::start("postgres_log").ok_or("PostgreSQL is not installed")?;
    let folder = tempfile::tempdir()?;
    let runtime = Runtime::new()?;
    let streams = Arc::new(AtomicU64::new(0));
    let store = runtime.block_on(async { PostgresStore::open(server.database()) });
    let bare = runtime.block_on(BarePostgres::connect(&server))?;
    let embedded = SqliteStore::open(&folder.path().join("log.db"))?;
    for callers in [1, 64] {
        appends_a_second(&runtime, &store, &streams, callers, WINDOW / 5)?;
        appends_a_second(&runtime, &bare, &streams, callers, WINDOW / 5)?;
    }
    println!("durable appends a second of one event");
    print_conditions(ROUNDS, WINDOW);
    print_head("callers", "PostgresStore/s", "bare client/s");
    for callers in CALLERS {
        let compared = Comparison::in_turns(
            ROUNDS,
            || appends_a_second(&runtime, &store, &streams, callers, WINDOW),
            || appends_a_second(&runtime, &bare, &streams, callers, WINDOW),
        )?;
        print_row(&callers.to_string(), &compared, Some(GOAL));
    }
    print_head("callers", "SqliteStore/s", "PostgresStore/s");
    for callers in CALLERS {
        let compared = Comparison::in_turns(
            ROUNDS,
            || appends_a_second(&runtime, &embedded, &streams, callers, WINDOW),
            || appends_a_second(&runtime, &store, &streams, callers, WINDOW),
        )?;
        print_row(&callers.to_string(), &compared, None);
    }
    print_head("full read", "PostgresStore, events/s", "bare client, rows/s");
    let compared = Comparison::in_turns(
        ROUNDS,
        || runtime.block_on(read_all(&store)),
        || runtime.block_on(bare.read_all()),
    )?;
    print_row("pages of 500", &compared, Some(GOAL));
    embedded.close();
    Ok(())
}

async fn read_all(store: &PostgresStore) -> Outcome<f64> {
    let (start, mut at, mut events) = (Instant::now(), Position(0), 0);
    loop {
        let page = store.read_all(at, PAGE).await?;
        let Some(last) = page.last() else { return Ok(rate_since(start, events)) };
        at = last.position;
        events += u32::try_from(page.len())?;
    }
}
