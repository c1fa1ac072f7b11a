//! Makes snapshots beside a server, and removes them when somebody is erased.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use loquet_domain::ports::{EventCodec, EventStore, Position};
use loquet_projections::causes::Causes;
use loquet_projections::erased_view::ErasedView;
use loquet_projections::ports::ReadStore;
use loquet_projections::runner::{Builder, Follower, ServiceState, Status};
use loquet_projections::views;
use tokio::time::{Instant, sleep};

use super::{Kept, Shelf, remove, search};
use crate::adapters::OwnReadModels;
use crate::cli::DataDirectory;
use crate::disk::{SPARE, free_space};

/// The name under which the snapshots show their state.
const NAME: &str = "snapshots";
/// How often it is looked for erasures, and whether a snapshot is due.
const LOOK: Duration = Duration::from_secs(1);
/// The pause after a failure.
const PAUSE: Duration = Duration::from_mins(1);
/// After an erasure, new snapshots wait. If many people are erased in a row, the work is done once.
const SETTLE: Duration = Duration::from_mins(10);
/// Events that are applied at once. The pause after them is as long as the work was, since nobody waits for it.
const STEP: u64 = 20_000;
/// After so many events without an erasure, that is written down.
const NOTED: u64 = 10_000;

/// Keeps the snapshots of a server's read models.
pub(crate) struct SnapshotKeeper {
    shelf: Shelf,
    store: Arc<dyn EventStore>,
    codec: Arc<dyn EventCodec>,
    status: Status,
    /// The fewest events between two snapshots. Zero: there are none.
    every: u64,
    /// The most snapshots.
    most: usize,
    /// The position up to which the log was searched for erasures.
    searched: Position,
    /// The position that was written down last.
    noted: Position,
    /// When snapshots were last removed for an erasure.
    removed: Option<Instant>,
}

impl SnapshotKeeper {
    pub(crate) fn new(
        directory: &DataDirectory,
        store: Arc<dyn EventStore>,
        codec: Arc<dyn EventCodec>,
        status: Status,
        (every, most): (u64, usize),
    ) -> Self {
        let shelf = Shelf::of(directory);
        let searched = shelf.seen();
        Self { shelf, store, codec, status, every, most, searched, noted: searched, removed: None }
    }

    /// Makes and removes snapshots, until the task is dropped.
    pub(crate) async fn keep(mut self) {
        loop {
            match self.step().await {
                Ok(()) => drop(self.status.tell(NAME, ServiceState::Working)),
                Err(error) => {
                    let why = Causes(error.as_ref()).to_string();
                    if self.status.tell(NAME, ServiceState::Failing(why.clone())) {
                        tracing::error!(%why, "the snapshots of the read models can't be kept; trying again");
                    }
                    sleep(PAUSE).await;
                }
            }
            sleep(LOOK).await;
        }
    }

    async fn step(&mut self) -> anyhow::Result<()> {
        self.forget_erased().await?;
        let is_settled = self.removed.is_none_or(|removed| removed.elapsed() >= SETTLE);
        if self.every == 0 {
            return self.remove_all();
        }
        if !is_settled {
            return Ok(());
        }
        let (all, head) = (self.shelf.list(), self.store.head().await?);
        if let Some(newest) = all.last()
            && !newest.is_of(self.store.as_ref()).await?
        {
            return self.remove_all();
        }
        let newest = all.last().map(|kept| kept.position).unwrap_or_default();
        // On a long log, the few snapshots are spread over the whole of it.
        let apart = self.every.max(head.0 / u64::try_from(self.most)?);
        let due = Position(newest.0 + apart);
        if head < due || !self.has_reached(due) || !self.has_room() {
            return Ok(());
        }
        let Some(last) = self.store.read_all(Position(due.0 - 1), 1).await?.pop() else { return Ok(()) };
        let next = Kept { position: last.position, event: last.event.id.0 };
        if self.make(all.last(), &next).await? {
            tracing::info!(position = %next.position, "a snapshot of the read models was made");
            self.thin_out()?;
        }
        Ok(())
    }

    /// Removes all snapshots if somebody was erased since. Returns whether somebody was.
    async fn forget_erased(&mut self) -> anyhow::Result<bool> {
        let mut is_outdated = false;
        if self.searched > self.store.head().await? {
            // The log is another one, or an older copy.
            (self.searched, is_outdated) = (Position::default(), true);
        }
        loop {
            let (at, is_erased) = search(self.store.as_ref(), self.searched).await?;
            self.searched = at;
            if !is_erased {
                break;
            }
            is_outdated = true;
        }
        if is_outdated {
            if !self.shelf.list().is_empty() {
                self.removed = Some(Instant::now());
            }
            self.remove_all()?;
        }
        if is_outdated || self.searched.0 >= self.noted.0 + NOTED {
            self.note()?;
        }
        Ok(is_outdated)
    }

    /// Writes down up to where the log was searched. What was found before is removed by then.
    fn note(&mut self) -> anyhow::Result<()> {
        self.make_folder()?;
        self.shelf.see(self.searched)?;
        self.noted = self.searched;
        Ok(())
    }

    fn make_folder(&self) -> anyhow::Result<()> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.shelf.folder);
        made.with_context(|| format!("can't make {}", self.shelf.folder.display()))
    }

    fn remove_all(&self) -> anyhow::Result<()> {
        self.shelf.list().iter().try_for_each(|kept| remove(&self.shelf.path(kept)))?;
        remove(&self.unfinished())
    }

    fn unfinished(&self) -> PathBuf {
        self.shelf.folder.join("unfinished.db")
    }

    /// Whether the read models that serve have come as far. They go first.
    fn has_reached(&self, due: Position) -> bool {
        let all = self.status.all();
        let views = || all.iter().filter(|(who, _)| matches!(who, Follower::View(_)));
        let has_reached =
            views().all(|(_, progress)| progress.position >= due && progress.building.is_none());
        has_reached && views().next().is_some()
    }

    fn has_room(&self) -> bool {
        let folder = self.shelf.folder.parent().unwrap_or(&self.shelf.folder);
        let newest = self.shelf.list().last().and_then(|kept| self.shelf.path(kept).metadata().ok());
        let needed = SPARE + newest.map_or(0, |file| file.len().saturating_mul(2));
        free_space(folder).is_none_or(|free| free >= needed)
    }

    /// Makes a snapshot out of the one before and the events after that. Returns whether it was made: if somebody is erased
    /// meanwhile, it is not.
    async fn make(&mut self, before: Option<&Kept>, next: &Kept) -> anyhow::Result<bool> {
        self.make_folder()?;
        let unfinished = self.unfinished();
        remove(&unfinished)?;
        if let Some(before) = before {
            std::fs::copy(self.shelf.path(before), &unfinished)?;
        }
        if !self.build(&unfinished, before.is_some(), next.position).await? {
            return Ok(false);
        }
        tokio::task::block_in_place(|| OwnReadModels::complete(&unfinished))?;
        if self.forget_erased().await? {
            self.removed = Some(Instant::now());
            return Ok(false);
        }
        std::fs::rename(&unfinished, self.shelf.path(next))?;
        self.note()?;
        Ok(true)
    }

    /// Builds the read models in a file up to a position. Returns `false` if the snapshot before was made by another version:
    /// all are removed then.
    async fn build(&self, path: &Path, is_copy: bool, goal: Position) -> anyhow::Result<bool> {
        let rows: Arc<dyn ReadStore> = tokio::task::block_in_place(|| OwnReadModels::open(path))?.rows();
        let views: Vec<Arc<dyn ErasedView>> = views::all();
        let (store, codec) = (self.store.clone(), self.codec.clone());
        let mut builder = match is_copy {
            false => Builder::begin(store, codec, rows, views).await?,
            true => match Builder::go_on(store, codec, rows, views).await? {
                Some(builder) => builder,
                None => {
                    self.remove_all()?;
                    return Ok(false);
                }
            },
        };
        while builder.position() < goal {
            let began = Instant::now();
            let next = self.store.read_all(Position(builder.position().0 + STEP - 1), 1).await?;
            let reached = next.first().map_or(goal, |event| event.position).min(goal);
            builder.build(reached, |_| ()).await?;
            sleep(began.elapsed()).await;
        }
        Ok(true)
    }

    /// Removes snapshots until there are no more than allowed. Each time the one goes that leaves the smallest gap.
    fn thin_out(&self) -> anyhow::Result<()> {
        let mut all = self.shelf.list();
        while all.len() > self.most {
            let befores = std::iter::once(0).chain(all.iter().map(|kept| kept.position.0));
            let gaps = befores.zip(all.iter().skip(1)).map(|(before, after)| after.position.0 - before);
            let Some((n, _)) = gaps.enumerate().min_by_key(|(_, gap)| *gap) else { break };
            remove(&self.shelf.path(&all.remove(n)))?;
        }
        Ok(())
    }
}
