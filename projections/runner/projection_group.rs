//! Some builds on their way through the log, each with its own checkpoint.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use loquet_domain::ports::{EventCodec, EventStore, Position};

use crate::causes::Causes;
use crate::erased_view::Batch;
use crate::erased_view::{ErasedView, sight_of};
use crate::people::Unreadable;
use crate::ports::{ReadStore, StoreFailed, Work};
use crate::reading::Slice;
use crate::view::{Build, CannotApply, EventEnvelope, Sight};

/// How many events are read at once for an entry that is behind the others.
const PAGE: usize = 500;
/// How many such pages a view that had stopped goes through while the others wait for it.
const TRIED: usize = 4;
/// How many changed rows are held at most before they are written: some hundred megabytes at the worst.
const HELD: usize = 200_000;
/// How long they are held at most, as long as more is to come: by a projection group that is far behind, and by one
/// that has caught up and that queries wait for.
const HELD_FOR: Duration = Duration::from_secs(10);
const HELD_FOR_LIVE: Duration = Duration::from_millis(200);

/// A build of a view, and how far it is.
pub(super) struct Entry {
    pub(super) view: Arc<dyn ErasedView>,
    pub(super) build: Build,
    /// The checkpoint.
    pub(super) position: Position,
    pub(super) failure: Option<String>,
    ahead: Option<Ahead>,
}

/// A view can't apply an event.
#[derive(Debug, thiserror::Error)]
#[error("event {event}")]
struct StoppedAt {
    event: Position,
    source: CannotApply,
}

/// The log ends before events that were shown to others.
#[derive(Debug, thiserror::Error)]
#[error("the log has nothing between {after} and {goal}")]
struct Gap {
    after: Position,
    goal: Position,
}

/// What was applied in memory and is not written yet.
struct Ahead {
    batch: Arc<Mutex<Box<dyn Batch>>>,
    position: Position,
    since: Instant,
}

/// What lies before a projection group.
pub(super) struct ProjectionGroup {
    pub(super) store: Arc<dyn EventStore>,
    pub(super) codec: Arc<dyn EventCodec>,
    pub(super) rows: Arc<dyn ReadStore>,
    pub(super) entries: Vec<Entry>,
    /// Up to where the log was shown to the entries, whichever of them are there: whoever joins must have
    /// seen as much.
    delivered: Position,
    held_for: Duration,
}

impl ProjectionGroup {
    pub(super) fn new(
        store: Arc<dyn EventStore>,
        codec: Arc<dyn EventCodec>,
        rows: Arc<dyn ReadStore>,
        entries: Vec<Entry>,
        delivered: Position,
    ) -> Self {
        Self { store, codec, rows, entries, delivered, held_for: HELD_FOR }
    }

    /// From now on queries wait for what comes: it is written soon, however much more is to come.
    pub(super) fn is_live(&mut self) {
        self.held_for = HELD_FOR_LIVE;
    }

    /// How much of events its views see.
    pub(super) fn sight(&self) -> Sight {
        sight_of(self.entries.iter().map(|entry| &entry.view))
    }

    /// Up to where the log was shown to the entries.
    pub(super) fn delivered(&self) -> Position {
        self.delivered
    }

    /// Applies what each entry has not seen, and writes it; one that has stopped stays where it is.
    pub(super) async fn apply(&mut self, batch: Slice<'_>) {
        if self.entries.iter().any(|entry| entry.ahead.is_some()) {
            self.gather(batch).await;
            return self.write().await;
        }
        for entry in self.entries.iter_mut().filter(|entry| entry.failure.is_none()) {
            entry.advance(self.rows.as_ref(), batch).await;
        }
        self.delivered = batch.end();
    }

    /// Applies in memory what each entry has not seen, since more is to come: a row that changes a hundred
    /// times on the way is written once. Writes it when it is much, or was held for long.
    pub(super) async fn gather(&mut self, batch: Slice<'_>) {
        let rows = self.rows.clone();
        for n in 0..self.entries.len() {
            let Some(entry) = self.entries.get_mut(n).filter(|entry| entry.failure.is_none()) else {
                continue;
            };
            if entry.go_ahead(rows.as_ref(), batch).await.is_err() {
                self.bring_up(n, batch.end()).await;
            }
        }
        self.delivered = batch.end();
        let held: usize = self.entries.iter().map(Entry::held).sum();
        let held_for = self.held_for;
        let old = |ahead: &Ahead| ahead.since.elapsed() > held_for;
        if held > HELD || self.entries.iter().any(|entry| entry.ahead.as_ref().is_some_and(old)) {
            self.write().await;
        }
    }

    /// Writes what is held.
    pub(super) async fn write(&mut self) {
        let rows = self.rows.clone();
        for n in 0..self.entries.len() {
            let Some(entry) = self.entries.get_mut(n) else { continue };
            if let Err(goal) = entry.write(rows.as_ref()).await {
                self.bring_up(n, goal).await;
            }
        }
    }

    /// Brings an entry that could not be applied in memory up to `goal` from its checkpoint, a page at a
    /// time, as far as it goes.
    async fn bring_up(&mut self, n: usize, goal: Position) {
        self.go_some_way(n, goal, usize::MAX).await;
    }

    async fn go_some_way(&mut self, n: usize, goal: Position, pages: usize) {
        if let Err(why) = self.walk(n, goal, pages).await {
            let rows = self.rows.clone();
            if let Some(entry) = self.entries.get_mut(n) {
                entry.stopped(rows.as_ref(), &why).await;
            }
        }
    }

    async fn walk(&mut self, n: usize, goal: Position, pages: usize) -> Result<(), Unreadable> {
        for _ in 0..pages {
            let position = self.entries.get(n).map(|entry| entry.position);
            let Some(at) = position.filter(|at| *at < goal) else { break };
            let page = self.read(at, goal).await?;
            let Some(entry) = self.entries.get_mut(n) else { break };
            entry.advance(self.rows.as_ref(), Slice { after: at, events: &page }).await;
            if entry.failure.is_some() || entry.position == at {
                break;
            }
        }
        Ok(())
    }

    /// A page of the log as far as `up_to`; what comes before an event that can't be read, if there is any.
    pub(super) async fn read(
        &self,
        after: Position,
        up_to: Position,
    ) -> Result<Vec<Arc<EventEnvelope>>, Unreadable> {
        let page = self.store.read_all(after, PAGE).await?;
        let sight = self.sight();
        let mut noted = Vec::with_capacity(page.len());
        for recorded in page.into_iter().filter(|event| event.position <= up_to) {
            match EventEnvelope::read(self.codec.as_ref(), recorded, sight).await {
                Ok(event) => noted.push(Arc::new(event)),
                Err(error) if noted.is_empty() => return Err(error.into()),
                Err(_) => break,
            }
        }
        Ok(noted)
    }

    /// Tries entries that stopped again, each for a few pages: whoever has caught up waits meanwhile. Gives
    /// back those that go on and are further behind than that.
    pub(super) async fn retry_stopped(&mut self) -> Vec<Entry> {
        let goal = self.delivered;
        let mut behind = Vec::new();
        for n in (0..self.entries.len()).rev() {
            if self.entries.get(n).is_none_or(|entry| entry.failure.is_none()) {
                continue;
            }
            self.go_some_way(n, goal, TRIED).await;
            if self.entries.get(n).is_some_and(|entry| entry.failure.is_none() && entry.position < goal) {
                behind.push(self.entries.remove(n));
            }
        }
        behind
    }

    /// Shows an entry that is to join what the others were shown.
    pub(super) async fn bring_along(&self, entry: &mut Entry) {
        let goal = self.delivered;
        while entry.position < goal && entry.failure.is_none() {
            let after = entry.position;
            match self.read(after, goal).await {
                Ok(page) => entry.advance(self.rows.as_ref(), Slice { after, events: &page }).await,
                Err(why) => entry.stopped(self.rows.as_ref(), &why).await,
            }
            if entry.position == after && entry.failure.is_none() {
                entry.stopped(self.rows.as_ref(), &Gap { after, goal }).await;
            }
        }
    }

    /// Tries entries that stopped again, and goes on from where they are.
    pub(super) async fn try_again(&mut self, goal: Position) {
        for n in 0..self.entries.len() {
            if self.entries.get(n).is_some_and(|entry| entry.failure.is_some()) {
                self.go_some_way(n, goal, 1).await;
            }
        }
        self.delivered = self.entries.iter().map(|entry| entry.position).min().unwrap_or(goal);
    }

    /// Stops every entry that has not stopped yet, all for one reason.
    pub(super) async fn stop(&mut self, why: &(dyn Error + Sync)) {
        for entry in self.entries.iter_mut().filter(|entry| entry.failure.is_none()) {
            entry.stopped(self.rows.as_ref(), why).await;
        }
    }
}

impl Entry {
    pub(super) fn new(
        view: Arc<dyn ErasedView>,
        build: Build,
        position: Position,
        failure: Option<String>,
    ) -> Self {
        Self { view, build, position, failure, ahead: None }
    }

    /// How many rows it holds.
    fn held(&self) -> usize {
        self.ahead
            .as_ref()
            .map_or(0, |ahead| ahead.batch.lock().unwrap_or_else(PoisonError::into_inner).held())
    }

    /// Applies in memory what it has not seen. After a failure nothing is held: part of an event may have
    /// been applied.
    async fn go_ahead(&mut self, rows: &dyn ReadStore, batch: Slice<'_>) -> Result<(), CannotApply> {
        let ahead = self.ahead.take().unwrap_or_else(|| Ahead {
            batch: Arc::new(Mutex::new(self.view.clone().batch())),
            position: self.position,
            since: Instant::now(),
        });
        let news = batch.news(ahead.position)?;
        let Some(position) = news.last().map(|event| event.position) else {
            self.ahead = Some(ahead).filter(|ahead| ahead.position > self.position);
            return Ok(());
        };
        let (batch, news) = (ahead.batch.clone(), news.to_vec());
        let work: Work =
            Box::new(move |stored| batch.lock().unwrap_or_else(PoisonError::into_inner).apply(stored, &news));
        rows.look(self.build, work).await?;
        self.ahead = Some(Ahead { position, ..ahead });
        Ok(())
    }

    /// Writes what it holds; if that fails, says how far it was.
    async fn write(&mut self, rows: &dyn ReadStore) -> Result<(), Position> {
        let Some(ahead) = self.ahead.take() else { return Ok(()) };
        let Ahead { batch, position, .. } = ahead;
        let work: Work =
            Box::new(move |stored| batch.lock().unwrap_or_else(PoisonError::into_inner).write(stored));
        rows.update(self.build, self.position, position, work).await.map_err(|_| position)?;
        self.reached(rows, position).await;
        Ok(())
    }

    /// Applies what it has not seen, and writes it. A batch that fails as a whole is halved until the event
    /// that fails stands alone; what comes before that is applied.
    pub(super) async fn advance(&mut self, rows: &dyn ReadStore, batch: Slice<'_>) {
        let mut parts = match batch.news(self.position) {
            Ok(news) => vec![news],
            Err(why) => return self.stopped(rows, &why).await,
        };
        while let Some(part) = parts.pop() {
            let Some(last) = part.last().map(|event| event.position) else { continue };
            match self.update(rows, last, part.to_vec()).await {
                Ok(()) => self.position = last,
                Err(CannotApply::Moved(to)) => {
                    self.position = to;
                    match batch.news(to) {
                        Ok(news) => parts = vec![news],
                        Err(why) => return self.stopped(rows, &why).await,
                    }
                }
                Err(source) if part.len() == 1 => {
                    return self.stopped(rows, &StoppedAt { event: last, source }).await;
                }
                Err(_) => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                }
            }
        }
        self.reached(rows, self.position).await;
    }

    async fn update(
        &self,
        rows: &dyn ReadStore,
        up_to: Position,
        events: Vec<Arc<EventEnvelope>>,
    ) -> Result<(), CannotApply> {
        let mut batch = self.view.clone().batch();
        let work: Work = Box::new(move |stored| {
            batch.apply(stored, &events)?;
            batch.write(stored)
        });
        rows.update(self.build, self.position, up_to, work).await
    }

    async fn reached(&mut self, rows: &dyn ReadStore, position: Position) {
        self.position = position;
        if self.failure.take().is_some() {
            tracing::info!(view = self.build.view.name, "a view goes on");
            said(rows.note_failure(self.build, None).await);
        }
    }

    pub(super) async fn stopped(&mut self, rows: &dyn ReadStore, why: &(dyn Error + Sync)) {
        let failure = Causes(why).to_string();
        tracing::error!(view = self.build.view.name, %failure, "a view has stopped");
        if self.failure.as_ref() != Some(&failure) {
            said(rows.note_failure(self.build, Some(failure.clone())).await);
        }
        self.failure = Some(failure);
    }
}

/// A note for onlookers that could not be made is no reason to stop.
fn said(noted: Result<(), StoreFailed>) {
    if let Err(error) = noted {
        tracing::warn!(error = %Causes(&error), "the state of a view could not be noted");
    }
}
