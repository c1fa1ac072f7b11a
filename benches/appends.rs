//! Durable, revision-checked appends a second, compared with a bare segment file that uses the same batching
//! and fdatasync.
//!
//! Both sides have one writer thread behind a bounded channel. It takes the waiting requests up to the same
//! number, syncs once, and then replies. The segment file checks no revisions, and has no streams and no
//! transactions. It never grows, so a sync writes no file system metadata (half of the cost for one caller).
//! It shows what the disk and the message passing allow.
//!
//! `-- --prefill N` begins with a log of N events instead of an empty one; writing them takes time. `TMPDIR`
//! chooses the disk.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a benchmark is started by hand, and prints what it measured")]

use std::fs::File;
use std::io::{Seek, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::Duration;

use loquet_benches::append_load::{Log, STREAM, appends_a_second, event, fresh_stream};
use loquet_benches::{Comparison, Outcome, argument, print_conditions, print_head, print_row};
use loquet_domain::ports::{NewEvent, Revision, StreamId};
use loquet_sqlite::event_store::SqliteStore;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use uuid::Uuid;

const ROUNDS: u32 = 9;
const WINDOW: Duration = Duration::from_millis(800);
/// The number of concurrent callers, and the goal for that number.
const CALLERS: [(u64, Option<f64>); 3] = [(1, None), (64, Some(0.5)), (512, Some(0.5))];
/// The length of the segment file, in bytes.
const SEGMENT: usize = 64 * 1024 * 1024;
/// The same as the store's.
const QUEUE: usize = 4096;
/// The same as the store's.
const BATCH: usize = 1024;

fn main() -> Outcome<()> {
    let prefill = argument("--prefill")?.unwrap_or(0);
    let folder = tempfile::tempdir()?;
    let runtime = Runtime::new()?;
    let streams = Arc::new(AtomicU64::new(0));
    let store = SqliteStore::open(&folder.path().join("log.db"))?;
    runtime.block_on(fill(&store, &streams, prefill))?;
    let segment = Segment::create(&folder.path().join("segment"))?;
    for callers in [1, 64] {
        appends_a_second(&runtime, &store, &streams, callers, WINDOW / 5)?;
        appends_a_second(&runtime, &segment, &streams, callers, WINDOW / 5)?;
    }

    println!(
        "durable appends a second of one event of {} bytes, into a log of {prefill} events and growing",
        size(&StreamId::new("account", &Uuid::nil().to_string()), &event(Uuid::nil())),
    );
    print_conditions(ROUNDS, WINDOW);
    print_head("callers", "SqliteStore/s", "bare segment file/s");
    for (callers, goal) in CALLERS {
        let compared = Comparison::in_turns(
            ROUNDS,
            || appends_a_second(&runtime, &store, &streams, callers, WINDOW),
            || appends_a_second(&runtime, &segment, &streams, callers, WINDOW),
        )?;
        print_row(&callers.to_string(), &compared, goal);
    }
    store.close();
    Ok(())
}

/// Writes streams of the usual length until the log has `count` events.
async fn fill(store: &SqliteStore, streams: &AtomicU64, count: u64) -> Outcome<()> {
    let mut filling = JoinSet::new();
    for _ in 0..count / STREAM {
        if filling.len() >= QUEUE {
            filling.join_next().await.ok_or("nothing is being written")???;
        }
        let (store, (number, stream)) = (store.clone(), fresh_stream(streams));
        filling.spawn(async move {
            let events = (0..STREAM).map(|n| event(Uuid::from_u64_pair(number, n))).collect();
            Log::append(&store, &stream, Revision(0), events).await
        });
    }
    filling.join_all().await.into_iter().collect()
}

/// The content of an event: its stream, ids, name and parts.
fn size(stream: &StreamId, event: &NewEvent) -> usize {
    let mut record = Vec::new();
    encode(&mut record, stream, event);
    record.len()
}

/// Writes the length, and then everything that the store keeps too.
fn encode(buffer: &mut Vec<u8>, stream: &StreamId, event: &NewEvent) {
    let NewEvent { id, name, version, data, metadata, sealed } = event;
    let (subject, sealed) = sealed
        .as_ref()
        .map_or((&[][..], &[][..]), |sealed| (sealed.subject.0.as_bytes().as_slice(), &sealed.bytes));
    let version = version.to_be_bytes();
    let parts = [
        stream.as_str().as_bytes(),
        id.0.as_bytes(),
        name.as_bytes(),
        &version,
        data,
        metadata,
        subject,
        sealed,
    ];
    let length: usize = parts.iter().map(|part| part.len()).sum();
    buffer.extend_from_slice(&length.to_be_bytes());
    for part in parts {
        buffer.extend_from_slice(part);
    }
}

/// The limit: writes records one after another to a preallocated file. Begins again at its start when it is
/// full, as PostgreSQL recycles its log segments.
#[derive(Clone)]
struct Segment {
    requests: mpsc::Sender<Record>,
}

struct Record {
    stream: StreamId,
    events: Vec<NewEvent>,
    reply: oneshot::Sender<std::io::Result<()>>,
}

impl Segment {
    fn create(path: &Path) -> Outcome<Self> {
        let mut file = File::create(path)?;
        file.write_all(&vec![0; SEGMENT])?;
        file.sync_all()?;
        let (requests, queue) = mpsc::channel(QUEUE);
        let writer = SegmentWriter { file, written: SEGMENT };
        thread::Builder::new().name("segment-writer".to_owned()).spawn(move || writer.run(queue))?;
        Ok(Self { requests })
    }
}

impl Log for Segment {
    async fn append(&self, stream: &StreamId, _: Revision, events: Vec<NewEvent>) -> Outcome<()> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(Record { stream: stream.clone(), events, reply }).await?;
        Ok(answer.await??)
    }
}

struct SegmentWriter {
    file: File,
    written: usize,
}

impl SegmentWriter {
    /// Takes the waiting requests, writes them together, syncs, replies, and begins again.
    fn run(mut self, mut queue: mpsc::Receiver<Record>) {
        let (mut batch, mut buffer) = (Vec::with_capacity(BATCH), Vec::new());
        while queue.blocking_recv_many(&mut batch, BATCH) > 0 {
            buffer.clear();
            for record in &batch {
                record.events.iter().for_each(|event| encode(&mut buffer, &record.stream, event));
            }
            let outcome = self.write(&buffer);
            for record in batch.drain(..) {
                let answer = outcome.as_ref().copied().map_err(|e| e.kind().into());
                drop(record.reply.send(answer));
            }
        }
    }

    fn write(&mut self, records: &[u8]) -> std::io::Result<()> {
        if self.written + records.len() > SEGMENT {
            self.file.rewind()?;
            self.written = 0;
        }
        self.file.write_all(records)?;
        self.written += records.len();
        self.file.sync_data()
    }
}
