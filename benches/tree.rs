//! What the proof costs an append: durable appends a second while the Merkle tree follows the log, and without it, in turns.
//!
//! The tree follows as a server lets it: every half second, it reads the new events, hashes them and writes the hashes. Nobody
//! waits for it. It uses a part of the processor and of the disk.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a benchmark is started by hand, and prints what it measured")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use loquet_benches::append_load::appends_a_second;
use loquet_benches::{Comparison, Outcome, print_conditions, print_head, print_row, rate_since};
use loquet_domain::ports::{EventStore, Position};
use loquet_proof::leaf::hash_of;
use loquet_proof::tree::Hash;
use loquet_proof::tree_files::TreeWriter;
use loquet_sqlite::event_store::SqliteStore;
use tokio::runtime::Runtime;

const ROUNDS: u32 = 7;
/// Long enough for the tree to follow several times.
const WINDOW: Duration = Duration::from_secs(3);
const CALLERS: [u64; 3] = [1, 64, 512];
const GOAL: f64 = 0.95;
/// The same as a server's.
const LOOK: Duration = Duration::from_millis(500);
/// The same as a server's.
const PAGE: usize = 1000;

fn main() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let runtime = Runtime::new()?;
    let streams = Arc::new(AtomicU64::new(0));
    let store = SqliteStore::open(&folder.path().join("log.db"))?;
    appends_a_second(&runtime, &store, &streams, 64, WINDOW / 5)?;
    println!("durable appends a second of one event, while the tree follows the log, and without it");
    print_conditions(ROUNDS, WINDOW);
    print_head("callers", "with the tree/s", "without/s");
    for callers in CALLERS {
        let compared = Comparison::in_turns(
            ROUNDS,
            || {
                let stop = Arc::new(AtomicBool::new(false));
                let head = runtime.block_on(store.head())?;
                let tree = folder.path().join(format!("tree-{}", streams.load(Ordering::Relaxed)));
                std::fs::create_dir_all(&tree)?;
                let following = runtime.spawn(follow(store.clone(), head, tree, stop.clone()));
                let rate = appends_a_second(&runtime, &store, &streams, callers, WINDOW);
                stop.store(true, Ordering::Relaxed);
                runtime.block_on(following)??;
                rate
            },
            || appends_a_second(&runtime, &store, &streams, callers, WINDOW),
        )?;
        print_row(&callers.to_string(), &compared, Some(GOAL));
    }
    let start = Instant::now();
    let leaves = runtime.block_on(whole(&store, &folder.path().join("whole")))?;
    println!(
        "a tree over {leaves} events from the beginning: {:.0} events a second",
        rate_since(start, leaves)
    );
    store.close();
    Ok(())
}

/// Adds events to a tree as they come.
async fn follow(
    store: SqliteStore,
    after: Position,
    folder: PathBuf,
    stop: Arc<AtomicBool>,
) -> Result<(), String> {
    let mut tree = TreeWriter::open(&folder, 0).map_err(|error| error.to_string())?;
    let mut at = after;
    while !stop.load(Ordering::Relaxed) {
        tokio::time::sleep(LOOK).await;
        at = add_from(&store, &mut tree, at).await?;
    }
    Ok(())
}

/// Adds all events after a position. Returns the position of the last one.
async fn add_from(store: &SqliteStore, tree: &mut TreeWriter, after: Position) -> Result<Position, String> {
    let mut at = after;
    loop {
        let page = store.read_all(at, PAGE).await.map_err(|error| error.to_string())?;
        let Some(last) = page.last() else { return Ok(at) };
        at = last.position;
        let leaves: Vec<Hash> = page.iter().map(hash_of).collect();
        tokio::task::block_in_place(|| tree.append(&leaves)).map_err(|error| error.to_string())?;
    }
}

/// Makes the tree over the whole log. Returns the number of events.
async fn whole(store: &SqliteStore, folder: &Path) -> Outcome<u32> {
    std::fs::create_dir_all(folder)?;
    let mut tree = TreeWriter::open(folder, 0)?;
    add_from(store, &mut tree, Position::default()).await?;
    tree.sync()?;
    Ok(u32::try_from(tree.size())?)
}
