//! The system as it was at an earlier position of the log: the same use cases and views, over the log up to there.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use loquet_domain::app::{App, Ports};
use loquet_domain::policies::Policies;
use loquet_domain::ports::{BoxFuture, EventStore, Position};
use loquet_http::{Past, Pasts};
use loquet_memory::state_cache::MemoryStateCache;
use loquet_projections::as_of::AsOf;
use loquet_projections::ports::StoreFailed;
use loquet_projections::runner::{PastRows, Status};
use loquet_projections::views;
use tokio::sync::Mutex;

use crate::adapters;
use crate::snapshots::{Filling, SnapshotFiles};

/// The read models of a past have no place.
#[derive(Debug, thiserror::Error)]
#[error("the read models of the past can't be made: {0}")]
struct Unusable(String);

/// The number of states that a past keeps in memory, of each kind.
const CACHED: usize = 1000;

/// Opens pasts.
pub(crate) struct PastSystems {
    pub(crate) ports: Ports,
    pub(crate) policies: Policies,
    pub(crate) store: Arc<dyn EventStore>,
    /// The folder for the read models of pasts. Their files are deleted with them.
    pub(crate) folder: PathBuf,
    /// The read models of some earlier positions.
    pub(crate) snapshots: Arc<SnapshotFiles>,
    /// Held while a read model of a past is built.
    pub(crate) turn: Arc<Mutex<()>>,
}

/// Removes the read models of pasts, and of comparisons, that a process left behind when it was killed.
pub(crate) fn remove_left_over(folder: &Path) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let rest = name.strip_prefix("past-").or_else(|| name.strip_prefix("verify-"));
        let process: Option<u32> = rest.and_then(|rest| rest.split(['-', '.']).next()?.parse().ok());
        // In a container, each process has the number of the one before it. This one has made no such file yet.
        let is_left = process.is_some_and(|process| {
            process == std::process::id() || !Path::new(&format!("/proc/{process}")).exists()
        });
        if is_left && name.contains(".db") {
            drop(std::fs::remove_file(path));
        }
    }
}

impl PastSystems {
    /// The system as of a position.
    pub(crate) fn at(&self, position: Position) -> Result<Past, StoreFailed> {
        let store: Arc<dyn EventStore> = Arc::new(AsOf::new(self.store.clone(), position));
        let ports = Ports {
            store: store.clone(),
            accounts: Arc::new(MemoryStateCache::new(CACHED)),
            claims: Arc::new(MemoryStateCache::new(CACHED)),
            companies: Arc::new(MemoryStateCache::new(CACHED)),
            orders: Arc::new(MemoryStateCache::new(CACHED)),
            terminals: Arc::new(MemoryStateCache::new(CACHED)),
            serials: Arc::new(MemoryStateCache::new(CACHED)),
            access: Arc::new(MemoryStateCache::new(CACHED)),
            receipts: Arc::new(MemoryStateCache::new(CACHED)),
            logos: Arc::new(MemoryStateCache::new(10)),
            takeovers: Arc::new(MemoryStateCache::new(CACHED)),
            administration: Arc::new(MemoryStateCache::new(1)),
            ..self.ports.clone()
        };
        let codec = ports.codec.clone();
        let scratch = adapters::scratch_read_models(&self.scratch());
        let (rows, file) = scratch.map_err(|error| StoreFailed::new(Unusable(format!("{error:#}"))))?;
        let snapshots = Arc::new(Filling { files: self.snapshots.clone(), rows: rows.clone() });
        let (rows, store_now) = (rows.rows(), self.store.clone());
        let rows = PastRows::new(rows, snapshots, store_now, codec, position, self.turn.clone());
        let rows = rows.kept_with(file);
        let status = Status::at(views::all().iter().map(|view| view.id()), position);
        let app = Arc::new(App::new(self.policies.clone(), ports));
        Ok(Past { app, store, rows: Arc::new(rows), status })
    }

    /// A file that no other past uses.
    fn scratch(&self) -> PathBuf {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        self.folder.join(format!("past-{}-{number}.db", std::process::id()))
    }
}

impl Pasts for PastSystems {
    fn open(&self, position: Position) -> BoxFuture<'_, Result<Past, StoreFailed>> {
        // It makes a file.
        Box::pin(async move { tokio::task::block_in_place(|| self.at(position)) })
    }
}
