//! The log in EventStoreDB or KurrentDB, compared with its maker's client on the same server.
//!
//! All callers of the bare client append in one session of batch appends, each with the expected revision. That is its
//! quickest way, but an append that fails ends the session for everybody. To read, it reads the log in pages of 500
//! events, and leaves each event as it comes.
//!
//! The server is the one of this project's tests, which keeps events in memory. `LOQUET_TEST_EVENTSTORE` names a real one
//! instead. Only the ratios say something about this software.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a benchmark is started by hand, and prints what it measured")]

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use eventstore::{
    BatchAppendClient, BatchAppendOptions, Client, ClientSettings, EventData, ReadAllOptions, StreamPosition,
    StreamState, SubscriptionFilter,
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
/// The number of reads, one after another from the start of the log.
const PAGES: u32 = 100;

fn main() -> Outcome<()> {
    let server = KurrentServer::fresh();
    let runtime = Runtime::new()?;
    let streams = Arc::new(AtomicU64::new(0));
    let store = runtime.block_on(KurrentStore::open(&server.connection()))?;
    let settings = server.url().parse()?;
    let bare = runtime.block_on(Bare::connect(settings, server.prefix()))?;
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
    print_head("read", "KurrentStore, events/s", "bare client, events/s");
    let compared =
        Comparison::in_turns(ROUNDS, || runtime.block_on(read(&store)), || runtime.block_on(bare.read()))?;
    print_row("pages of 500", &compared, Some(GOAL));
    runtime.block_on(store.close());
    Ok(())
}

async fn read(store: &KurrentStore) -> Outcome<f64> {
    let (start, mut at, mut events) = (Instant::now(), Position(0), 0);
    for _ in 0..PAGES {
        let page = store.read_all(at, PAGE).await?;
        at = page.last().ok_or("the log is too short")?.position;
        events += u32::try_from(page.len())?;
    }
    Ok(rate_since(start, events))
}

/// The limit: the client, asked directly.
#[derive(Clone)]
struct Bare {
    client: Client,
    session: Arc<BatchAppendClient>,
    prefix: String,
}

impl Bare {
    async fn connect(settings: ClientSettings, prefix: &str) -> Outcome<Self> {
        let client = Client::new(settings)?;
        let session = Arc::new(client.batch_append(&BatchAppendOptions::default()).await?);
        Ok(Self { client, session, prefix: prefix.to_owned() })
    }

    async fn read(&self) -> Outcome<f64> {
        let (start, mut at, mut events) = (Instant::now(), StreamPosition::Start, 0);
        for _ in 0..PAGES {
            let ours = SubscriptionFilter::on_stream_name().add_prefix(&self.prefix);
            let page = ReadAllOptions::default().position(at).max_count(PAGE).filter(ours);
            let mut page = self.client.read_all(&page).await?;
            let mut last = None;
            while let Some(event) = page.next().await? {
                last = Some(event.get_original_event().position);
                events += 1;
            }
            // The next page begins with the last event of this one.
            at = StreamPosition::Position(last.ok_or("the log is too short")?);
        }
        Ok(rate_since(start, events))
    }
}

impl Log for Bare {
    async fn append(&self, stream: &StreamId, expected: Revision, events: Vec<NewEvent>) -> Outcome<()> {
        let state = expected.0.checked_sub(1).map_or(StreamState::NoStream, StreamState::StreamRevision);
        let events = events.into_iter().map(|event| {
            let data: &serde_json::value::RawValue = serde_json::from_slice(&event.data)?;
            let sealed = event.sealed.map(|sealed| sealed.bytes).unwrap_or_default();
            let beside = [event.metadata, sealed].concat();
            Ok(EventData::json(event.name, &data)?.id(event.id.0).metadata(beside.into()))
        });
        let events = events.collect::<Outcome<Vec<_>>>()?;
        self.session.append_to_stream(format!("bare-{stream}"), state, events).await?;
        Ok(())
    }
}
