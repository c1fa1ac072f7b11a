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

use loquet_benches::append_load::{Log, appends_a_second};
use loquet_benches::{Comparison, Outcome, print_conditions, print_head, print_row, rate_since};
use loquet_domain::ports::{EventStore, NewEvent, Position, Revision, StreamId};
use loquet_postgres::event_store::PostgresStore;
use loquet_sqlite::event_store::SqliteStore;
use loquet_tests::postgres_server::PostgresServer;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls};

const ROUNDS: u32 = 7;
const WINDOW: Duration = Duration::from_millis(800);
const CALLERS: [u64; 3] = [1, 64, 512];
/// The goal for appends and reads.
const GOAL: f64 = 0.8;
/// The number of events that one read returns.
const PAGE: usize = 500;
/// The same as the store's.
const BATCH: usize = 512;

fn main() -> Outcome<()> {
    let server = PostgresServer::start("postgres_log").ok_or("PostgreSQL is not installed")?;
    let folder = tempfile::tempdir()?;
    let runtime = Runtime::new()?;
    let streams = Arc::new(AtomicU64::new(0));
    let store = runtime.block_on(async { PostgresStore::open(server.database()) });
    server.sql(
        "CREATE TABLE bare (LIKE loquet.events INCLUDING ALL);
         ALTER TABLE bare ALTER COLUMN position ADD GENERATED ALWAYS AS IDENTITY",
    );
    let bare = runtime.block_on(Bare::connect(&server))?;
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

/// A row to write, and where its caller waits.
struct Asked {
    stream: StreamId,
    revision: Revision,
    events: Vec<NewEvent>,
    reply: oneshot::Sender<()>,
}

/// The limit: the driver, and one statement for each batch.
#[derive(Clone)]
struct Bare {
    requests: mpsc::Sender<Asked>,
    reader: Arc<Client>,
}

const INSERT: &str = "
    INSERT INTO bare (event_id, stream, revision, name, version, data, metadata, subject, sealed)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::int[], $6::bytea[], $7::bytea[],
                         $8::uuid[], $9::bytea[])";

impl Bare {
    async fn connect(server: &PostgresServer) -> Outcome<Self> {
        let (writer, connection) = tokio_postgres::connect(&server.url(), NoTls).await?;
        tokio::spawn(connection);
        let (reader, connection) = tokio_postgres::connect(&server.url(), NoTls).await?;
        tokio::spawn(connection);
        let (requests, queue) = mpsc::channel(4096);
        tokio::spawn(write(writer, queue));
        Ok(Self { requests, reader: Arc::new(reader) })
    }

    async fn read_all(&self) -> Outcome<f64> {
        let query =
            "SELECT position, stream, revision, event_id, name, version, data, metadata, subject, sealed
                     FROM loquet.events WHERE position > $1 ORDER BY position LIMIT 500";
        let query = self.reader.prepare(query).await?;
        let (start, mut at, mut rows) = (Instant::now(), 0_i64, 0);
        loop {
            let page = self.reader.query(&query, &[&at]).await?;
            let Some(last) = page.last() else { return Ok(rate_since(start, rows)) };
            at = last.try_get(0)?;
            rows += u32::try_from(page.len())?;
        }
    }
}

async fn write(client: Client, mut queue: mpsc::Receiver<Asked>) -> Outcome<()> {
    let insert = client.prepare(INSERT).await?;
    let mut batch = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        let rows: Vec<(&Asked, &NewEvent)> =
            batch.iter().flat_map(|asked| asked.events.iter().map(move |event| (asked, event))).collect();
        let ids: Vec<_> = rows.iter().map(|(_, event)| event.id.0).collect();
        let streams: Vec<_> = rows.iter().map(|(asked, _)| asked.stream.as_str()).collect();
        let revisions = rows.iter().map(|(asked, _)| i64::try_from(asked.revision.0 + 1));
        let revisions = revisions.collect::<Result<Vec<_>, _>>()?;
        let names: Vec<_> = rows.iter().map(|(_, event)| event.name.as_str()).collect();
        let versions: Vec<_> = rows.iter().map(|(_, event)| i32::from(event.version)).collect();
        let data: Vec<_> = rows.iter().map(|(_, event)| event.data.as_slice()).collect();
        let metadata: Vec<_> = rows.iter().map(|(_, event)| event.metadata.as_slice()).collect();
        let subjects: Vec<_> =
            rows.iter().map(|(_, event)| event.sealed.as_ref().map(|s| s.subject.0)).collect();
        let sealed: Vec<_> =
            rows.iter().map(|(_, event)| event.sealed.as_ref().map(|s| s.bytes.as_slice())).collect();
        let columns: [&(dyn ToSql + Sync); 9] =
            [&ids, &streams, &revisions, &names, &versions, &data, &metadata, &subjects, &sealed];
        client.execute(&insert, &columns).await?;
        batch.drain(..).for_each(|asked| asked.reply.send(()).unwrap_or(()));
    }
    Ok(())
}

impl Log for Bare {
    async fn append(&self, stream: &StreamId, expected: Revision, events: Vec<NewEvent>) -> Outcome<()> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(Asked { stream: stream.clone(), revision: expected, events, reply }).await?;
        Ok(answer.await?)
    }
}
