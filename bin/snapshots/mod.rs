//! Snapshots of the read models: how they were at some positions, in files of the data directory. Questions about the past are
//! answered from the newest snapshot before it and the events after that.
//!
//! A snapshot has all that the read models have, such as the names of companies and the words by which people are found. So an
//! erasure removes all snapshots, and new ones are made.

mod keeper;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use loquet_domain::ports::{BoxFuture, EventStore, Position};
use loquet_domain::schema::ends_a_subject;
use loquet_files::snapshot_file;
use loquet_projections::ports::{Snapshots, StoreFailed};
use loquet_projections::view::{Build, ViewId};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::adapters::OwnReadModels;
use crate::cli::DataDirectory;
use crate::output::place_of;

pub(crate) use self::keeper::SnapshotKeeper;

/// Events that are read at once.
const PAGE: usize = 1000;
/// The file that says up to which position the log has no erasure that the snapshots do not know.
const SEEN: &str = "seen.json";

/// Where the snapshots are.
#[derive(Clone)]
struct Shelf {
    folder: PathBuf,
}

/// A snapshot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kept {
    position: Position,
    /// The event at the position. A log that has another one there is not the log of this snapshot.
    event: Uuid,
}

impl Kept {
    /// Whether it was made from this log.
    async fn is_of(&self, store: &dyn EventStore) -> anyhow::Result<bool> {
        let there = store.event_at(self.position).await?;
        Ok(there.is_some_and(|event| event.event.id.0 == self.event))
    }
}

impl Shelf {
    fn of(directory: &DataDirectory) -> Self {
        Self { folder: directory.file("snapshots") }
    }

    fn path(&self, kept: &Kept) -> PathBuf {
        self.folder.join(format!("{}-{}.db", kept.position, kept.event))
    }

    /// All snapshots, the oldest first.
    fn list(&self) -> Vec<Kept> {
        let files = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut all: Vec<Kept> = files.filter_map(|file| named(file.file_name().to_str()?)).collect();
        all.sort_unstable();
        all
    }

    /// The position up to which the log has no erasure that the snapshots do not know. Zero if that is not known.
    fn seen(&self) -> Position {
        Position(snapshot_file::load(&self.folder.join(SEEN)))
    }

    fn see(&self, position: Position) -> anyhow::Result<()> {
        let path = self.folder.join(SEEN);
        snapshot_file::save(&path, &position.0).with_context(|| format!("can't write {}", place_of(&path)))
    }
}

/// Reads the name of a snapshot's file.
fn named(file: &str) -> Option<Kept> {
    let (position, event) = file.strip_suffix(".db")?.split_once('-')?;
    Some(Kept { position: Position(position.parse().ok()?), event: event.parse().ok()? })
}

/// The first position up to which the log was searched, and whether somebody was erased on the way there.
async fn search(store: &dyn EventStore, after: Position) -> anyhow::Result<(Position, bool)> {
    let (mut at, head) = (after, store.head().await?);
    while at < head {
        let page = store.read_all(at, PAGE).await?;
        let Some(last) = page.last() else { break };
        at = last.position;
        if page.iter().any(|event| ends_a_subject(&event.event.name)) {
            return Ok((at, true));
        }
    }
    Ok((at, false))
}

/// Finds snapshots. It neither makes nor removes any.
pub(crate) struct SnapshotFiles {
    shelf: Shelf,
    store: Arc<dyn EventStore>,
    /// The position up to which this process has searched the log for erasures, and found none.
    searched: Mutex<Position>,
}

impl SnapshotFiles {
    pub(crate) fn of(directory: &DataDirectory, store: Arc<dyn EventStore>) -> Self {
        Self { shelf: Shelf::of(directory), store, searched: Mutex::default() }
    }

    /// The file of the newest snapshot that is not after `position`.
    async fn before(&self, position: Position) -> anyhow::Result<Option<PathBuf>> {
        let mut all = self.shelf.list();
        all.retain(|kept| kept.position <= position);
        if all.is_empty() || self.is_outdated().await? {
            return Ok(None);
        }
        for kept in all.iter().rev() {
            if kept.is_of(self.store.as_ref()).await? {
                return Ok(Some(self.shelf.path(kept)));
            }
        }
        Ok(None)
    }

    /// Whether somebody was erased whom the snapshots still name.
    async fn is_outdated(&self) -> anyhow::Result<bool> {
        let mut searched = self.searched.lock().await;
        let (at, is_erased) = search(self.store.as_ref(), (*searched).max(self.shelf.seen())).await?;
        if !is_erased {
            *searched = at;
        }
        Ok(is_erased)
    }
}

/// Fills the store of a past.
pub(crate) struct Filling {
    pub(crate) files: Arc<SnapshotFiles>,
    pub(crate) rows: OwnReadModels,
}

impl Filling {
    async fn import_newest(
        &self,
        view: ViewId,
        position: Position,
    ) -> anyhow::Result<Option<(Build, Position)>> {
        let Some(path) = self.files.before(position).await? else { return Ok(None) };
        // The file may have been removed meanwhile, for an erasure.
        match path.exists() {
            true => Ok(self.rows.import(view, &path).await?),
            false => Ok(None),
        }
    }
}

impl Snapshots for Filling {
    fn fill(
        &self,
        view: ViewId,
        position: Position,
    ) -> BoxFuture<'_, Result<Option<(Build, Position)>, StoreFailed>> {
        Box::pin(async move {
            let filled = self.import_newest(view, position).await;
            // Everything can be built from the log too.
            Ok(filled.unwrap_or_else(|error| {
                tracing::warn!(error = format!("{error:#}"), "a snapshot of the read models can't be used");
                None
            }))
        })
    }
}

/// Removes a file of read models, with what is beside it.
fn remove(path: &Path) -> anyhow::Result<()> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let path = loquet_files::suffixed(path, suffix);
        loquet_files::remove_if_there(&path).with_context(|| format!("can't remove {}", place_of(&path)))?;
    }
    Ok(())
}
