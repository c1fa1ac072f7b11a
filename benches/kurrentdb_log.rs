//! The log in EventStoreDB or KurrentDB, compared with its maker's client on the same server.
//!
//! Each caller of the bare client appends one event with the expected revision, waits, and appends the next. To read, the
//! bare client reads the whole log in pages of 500 events, and leaves each event as it comes.
//!
//! The server is the one of this project's tests, which keeps events in memory. `LOQUET_TEST_EVENTSTORE` names a real one
//! instead. Only the ratios say something about this software.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a benchmark is started by hand, and prints what it measured")]

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use eventstore::{
    AppendToStreamOptions, Client, EventData, ReadAllOptions, StreamPosition, StreamState, SubscriptionFilter,
};
use loquet_benches::append_load::{Log, appends_a_second};
use loquet_benches::{Comparison, Outcome, print_conditions, print_head, print_row, rate_since};
use loquet_domain::ports::{EventStore, NewEvent, Position, Revision, StreamId};
use loquet_kurrentdb::KurrentStore;
use loquet_tests::kurrentdb_server::KurrentServer;
use tokio::runtime::Runtime;

const ROUNDS: u32 = 7;
const WINDOW: Duration = Duration::from_millis(800);
const CALLERS: [u64; 3] = [1, 64, 512];
/// The goal for appends and reads.
const GOAL: f64 = 0.8;
/// The number of events that one read returns.
const PAGE: usize = 500;

fn main() -> Outcome<()> {
    let server = KurrentServer::fresh();
    let runtime = Runtime::new()?;
    let streams = Arc::new(AtomicU64::new(0));
    let store = runtime.block_on(KurrentStore::open(&server.connection()))?;
    let settings = server.url().parse()?;
    let bare = runtime.block_on(async { Client::new(settings) })?;
    let bare = Bare { client: bare, prefix: server.prefix().to_owned() };
    for callers in [1, 64] {
        appends_a_second(&runtime, &store, &streams, callers, WINDOW / 5)?;
        appends_a_second(&runtime, &bare, &streams, callers, WINDOW / 5)?;
    }
    println!("acknowledged appends a second of one event");
    print_conditions(ROUNDS, WINDOW);
    print_head("callers", "KurrentStore/s", "bare client/s");
    for callers in CALLERS {
        let compared = Comparison::in_turns(
            ROUNDS,
            || appends_a_second(&runtime, &store, &streams, callers, WINDOW),
            || appends_a_second(&runtime, &bare, &streams, callers, WINDOW),
        )?;
        print_row(&callers.to_string(), &compared, Some(GOAL));
    }
    print_head("full read", "KurrentStore, events/s", "bare client, events/s");
    let compared = Comparison::in_turns(
        ROUNDS,
        || runtime.block_on(read_all(&store)),
        || runtime.block_on(bare.read_all()),
    )?;
    print_row("pages of 500", &compared, Some(GOAL));
    runtime.block_on(store.close());
    Ok(())
}

async fn read_all(store: &KurrentStore) -> Outcome<f64> {
    let (start, mut at, mut events) = (Instant::now(), Position(0), 0);
    loop {
        let page = store.read_all(at, PAGE).await?;
        let Some(last) = page.last() else { return Ok(rate_since(start, events)) };
        at = last.position;
        events += u32::try_from(page.len())?;
    }
}

/// The limit: the client, asked directly.
#[derive(Clone)]
struct Bare {
    client: Client,
    prefix: String,
}

impl Bare {
    async fn read_all(&self) -> Outcome<f64> {
        let (start, mut at, mut events) = (Instant::now(), StreamPosition::Start, 0);
        loop {
            let ours = SubscriptionFilter::on_stream_name().add_prefix(&self.prefix);
            let page = ReadAllOptions::default().position(at).max_count(PAGE).filter(ours);
            let mut page = self.client.read_all(&page).await?;
            let (mut last, mut read) = (None, 0_u32);
            while let Some(event) = page.next().await? {
                last = Some(event.get_original_event().position);
                read += 1;
            }
            events += read;
            match last {
                // A page begins with the last event of the page before.
                Some(last) if read > 1 => at = StreamPosition::Position(last),
                _ => return Ok(rate_since(start, events)),
            }
        }
    }
}

impl Log for Bare {
    async fn append(&self, stream: &StreamId, expected: Revision, events: Vec<NewEvent>) -> Outcome<()> {
        let state = expected.0.checked_sub(1).map_or(StreamState::NoStream, StreamState::StreamRevision);
        let options = AppendToStreamOptions::default().stream_state(state);
        let events = events.into_iter().map(|event| {
            let data: &serde_json::value::RawValue = serde_json::from_slice(&event.data)?;
            let sealed = event.sealed.map(|sealed| sealed.bytes).unwrap_or_default();
            let beside = [event.metadata, sealed].concat();
            Ok(EventData::json(event.name, &data)?.id(event.id.0).metadata(beside.into()))
        });
        let events = events.collect::<Outcome<Vec<_>>>()?;
        self.client.append_to_stream(format!("bare-{stream}"), &options, events).await?;
        Ok(())
    }
}
