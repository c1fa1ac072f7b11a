//! Counts the processor instructions of what the program does most, with Callgrind. A count is the same on a busy machine
//! and on a quiet one.
//!
//! `counts.toml` has the count of each benchmark. A benchmark fails if it takes over a tenth more. A change that means to
//! take more writes the new count there, and its commit says why.
#![forbid(unsafe_code)]
#![expect(missing_docs, clippy::must_use_candidate, reason = "the macros make modules and functions without")]
#![expect(clippy::disallowed_methods, reason = "the harness has a main of its own")]
#![expect(clippy::unwrap_used, reason = "a benchmark that fails stops here, and says where")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;

use axum::http::StatusCode;
use gungraun::{
    Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use loquet_crypto::random_ids::RandomIdentities;
use loquet_domain::ids::EventId;
use loquet_domain::ports::{EventStore, Identities, NewEvent, RecordedEvent, Revision, StreamId};
use loquet_instructions::people::PASSWORD;
use loquet_instructions::world::{WRONG, World, attempt};
use loquet_projections::erased_view::{Batch, ErasedView};
use loquet_projections::ports::{IndexEntry, Rows, StoreFailed};
use loquet_projections::view::EventEnvelope;
use loquet_projections::views;
use loquet_sqlite::event_store::SqliteStore;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// What each benchmark took when it was last looked at.
const COUNTS: &str = include_str!("counts.toml");
/// How many times each thing is done. What the program does now and then, such as noting when a token was used last, should
/// not count much.
const TIMES: usize = 100;

/// The greatest count that a benchmark may have: a tenth more than in `counts.toml`.
fn at_most(benchmark: &str, arguments: &[&str]) -> LibraryBenchmarkConfig {
    let counts: BTreeMap<String, u64> = toml::from_str(COUNTS).unwrap_or_default();
    let count = counts.get(benchmark).copied().unwrap_or_default();
    let mut callgrind = Callgrind::with_args(["--cache-sim=no"]);
    callgrind.args(arguments).hard_limits([(EventKind::Ir, count + count / 10)]);
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(callgrind);
    config
}

fn world() -> World {
    World::new().unwrap()
}

/// A log, and an event to append to it.
struct Log {
    runtime: Runtime,
    store: SqliteStore,
    events: Vec<NewEvent>,
    _folder: TempDir,
}

impl Log {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("log.db")).unwrap();
        let event = || NewEvent {
            id: EventId(RandomIdentities.fresh()),
            name: "login-succeeded".to_owned(),
            version: 1,
            data: vec![b'd'; 200],
            metadata: vec![b'm'; 200],
            sealed: None,
        };
        let events = std::iter::repeat_with(event).take(TIMES).collect();
        Self { runtime, store, events, _folder: folder }
    }
}

/// A view never reads a stored row here, and what it would write is dropped.
struct NothingStored;

impl Rows for NothingStored {
    fn get(&mut self, _: &str) -> Result<Option<Vec<u8>>, StoreFailed> {
        Ok(None)
    }

    fn put(&mut self, _: &str, _: &[u8]) -> Result<(), StoreFailed> {
        Ok(())
    }

    fn delete(&mut self, _: &str) -> Result<(), StoreFailed> {
        Ok(())
    }

    fn enter(&mut self, _: &IndexEntry, _: &str) -> Result<(), StoreFailed> {
        Ok(())
    }

    fn leave(&mut self, _: &IndexEntry, _: &str) -> Result<(), StoreFailed> {
        Ok(())
    }

    fn note_erasure(&mut self) -> Result<(), StoreFailed> {
        Ok(())
    }
}

/// The events of two people, and every view.
struct Applying {
    batches: Vec<Box<dyn Batch>>,
    events: Vec<Arc<EventEnvelope>>,
}

impl Applying {
    fn new() -> Self {
        let world = world();
        let codec = world.server.codec.as_ref();
        let open = |event: &RecordedEvent| EventEnvelope::read_open(codec, event.clone()).unwrap();
        Self {
            batches: views::all().into_iter().map(ErasedView::batch).collect(),
            events: world.events.iter().map(|event| Arc::new(open(event))).collect(),
        }
    }
}

// Appends to the log, one event at a time. The thread that writes the log counts too.
#[library_benchmark(config = at_most("append", &["--toggle-collect=*event_store::writer::Writer::commit*"]))]
#[bench::embedded(setup = Log::new)]
fn append(mut log: Log) -> Log {
    for (n, event) in log.events.drain(..).enumerate() {
        let stream = StreamId::new("account", &n.to_string());
        log.runtime.block_on(log.store.append(&stream, Revision(0), vec![event])).unwrap();
    }
    log
}

// Decodes the events of two people, with what is sealed in them.
#[library_benchmark(config = at_most("decode", &[]))]
#[bench::sealed(setup = world)]
fn decode(world: World) -> World {
    for event in &world.events {
        black_box(world.runtime.block_on(world.server.codec.decode(event)).unwrap());
    }
    world
}

// Shows the events of two people to every view.
#[library_benchmark(config = at_most("apply", &[]))]
#[bench::all_views(setup = Applying::new)]
fn apply(mut applying: Applying) -> Applying {
    for batch in &mut applying.batches {
        batch.apply(&mut NothingStored, &applying.events).unwrap();
    }
    applying
}

// Tries to log in to an account that is locked.
#[library_benchmark(config = at_most("locked", &[]))]
#[bench::refused(setup = world)]
fn locked(world: World) -> World {
    for _ in 0..TIMES {
        world.send(attempt(1, WRONG).unwrap(), StatusCode::LOCKED).unwrap();
    }
    world
}

// Asks for the lockout of an account.
#[library_benchmark(config = at_most("query", &[]))]
#[bench::lockout(setup = world)]
fn query(world: World) -> World {
    for _ in 0..TIMES {
        world.send(world.question().unwrap(), StatusCode::OK).unwrap();
    }
    world
}

// Logs in, without the work of the hash, which has threads of its own.
#[library_benchmark(config = at_most("login", &[]))]
#[bench::complete(setup = world)]
fn login(world: World) -> World {
    for _ in 0..TIMES {
        world.send(attempt(0, PASSWORD).unwrap(), StatusCode::CREATED).unwrap();
    }
    world
}

// Asks for the first page of somebody who is logged in.
#[library_benchmark(config = at_most("page", &[]))]
#[bench::overview(setup = world)]
fn page(world: World) -> World {
    for _ in 0..TIMES {
        world.send(world.page().unwrap(), StatusCode::OK).unwrap();
    }
    world
}

library_benchmark_group!(name = instructions; benchmarks = append, decode, apply, locked, query, login, page);
main!(library_benchmark_groups = instructions);
