//! A group of builds that go through the log together. Each has its own checkpoint.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use loquet_domain::ports::{EventCodec, EventStore, Position};

use crate::causes::Causes;
use crate::erased_view::Batch;
use crate::erased_view::{ErasedView, sight_of};
use crate::people::Unreadable;
use crate::ports::{ReadStore, StoreFailed, Work};
use crate::reading::Slice;
use crate::view::{Build, CannotApply, EventEnvelope, Sight};
use tokio::task::JoinHandle;

/// The number of events read at once for an entry that is behind the others.
const PAGE: usize = 500;
/// The maximum number of such pages for a view that had stopped. The other views wait meanwhile.
const TRIED: usize = 4;
/// The maximum number of changed rows in memory before they are written. As many others may be on their way to the store
/// meanwhile. All take half a gigabyte at most. With more rows at once, a page of the store is written less often.
const HELD: usize = 300_000;
/// The longest time that changed rows stay in memory while more events follow: for a projection group that is far
/// behind, and for one that has caught up and that queries wait for.
const HELD_FOR: Duration = Duration::from_secs(10);
const HELD_FOR_LIVE: Duration = Duration::from_millis(200);

/// A build of a view, and its progress.
pub(super) struct Entry {
    pub(super) view: Arc<dyn ErasedView>,
    pub(super) build: Build,
    /// The checkpoint.
    pub(super) position: Position,
    pub(super) failure: Option<String>,
    ahead: Option<Ahead>,
    writing: Option<Writing>,
}

/// A view can't apply an event.
#[derive(Debug, thiserror::Error)]
#[error("event {event}")]
struct StoppedAt {
    event: Position,
    source: CannotApply,
}

/// The log has no events in a range in which others have seen some.
#[derive(Debug, thiserror::Error)]
#[error("the log has no events between {after} and {goal}")]
struct Gap {
    after: Position,
    goal: Position,
}

/// Events that were applied in memory.
struct Ahead {
    batch: Arc<Mutex<Box<dyn Batch>>>,
    position: Position,
    /// When the first of them was applied whose rows are not being written yet.
    since: Option<Instant>,
}

/// Rows that are being written, while the next events are applied.
struct Writing {
    written: JoinHandle<Result<(), CannotApply>>,
    up_to: Position,
}

/// The builds of a group, and what they have been shown.
pub(super) struct ProjectionGroup {
    pub(super) store: Arc<dyn EventStore>,
    pub(super) codec: Arc<dyn EventCodec>,
    pub(super) rows: Arc<dyn ReadStore>,
    pub(super) entries: Vec<Entry>,
    /// The position up to which the log was shown to the group. An entry that joins must have seen the log up to
    /// here.
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

    /// Marks the group as caught up. From now on queries wait for new events, so rows are written soon even if more
    /// events follow.
    pub(super) fn is_live(&mut self) {
        self.held_for = HELD_FOR_LIVE;
    }

    /// The largest sight among its views.
    pub(super) fn sight(&self) -> Sight {
        sight_of(self.entries.iter().map(|entry| &entry.view))
    }

    /// The position up to which the log was shown to the group.
    pub(super) fn delivered(&self) -> Position {
        self.delivered
    }

    /// Applies the events that each entry has not seen, and writes the rows. An entry that has stopped stays where it
    /// is.
    pub(super) async fn apply(&mut self, batch: Slice<'_>) {
        if self.entries.iter().any(|entry| entry.ahead.is_some() || entry.writing.is_some()) {
            self.gather(batch).await;
            return self.write().await;
        }
        for entry in self.entries.iter_mut().filter(|entry| entry.failure.is_none()) {
            entry.advance(self.rows.as_ref(), batch).await;
        }
        self.delivered = batch.end();
    }

    /// Applies in memory the events that each entry has not seen, because more events follow. So a row that changes a
    /// hundred times is written once. Writes the rows when there are many, or after some time.
    pub(super) async fn gather(&mut self, batch: Slice<'_>) {
        let rows = self.rows.clone();
        let going = self.entries.iter_mut().enumerate().filter(|(_, entry)| entry.failure.is_none());
        let applied = going.map(async |(n, entry)| (n, entry.go_ahead(rows.as_ref(), batch).await));
        for (n, applied) in join_all(applied).await {
            if applied.is_err() {
                self.bring_up(n, batch.end()).await;
            }
        }
        self.delivered = batch.end();
        let held: usize = self.entries.iter().map(Entry::held).sum();
        let held_for = self.held_for;
        let old = |ahead: &Ahead| ahead.since.is_some_and(|since| since.elapsed() > held_for);
        if held > HELD || self.entries.iter().any(|entry| entry.ahead.as_ref().is_some_and(old)) {
            self.begin_to_write().await;
        }
    }

    /// Writes the rows in memory, and waits until they are written.
    pub(super) async fn write(&mut self) {
        self.begin_to_write().await;
        self.finish_writing().await;
    }

    /// Begins to write the rows in memory. What was begun before is finished first.
    async fn begin_to_write(&mut self) {
        self.finish_writing().await;
        let rows = self.rows.clone();
        let entries = self.entries.iter_mut().enumerate();
        let begun = entries.map(async |(n, entry)| (n, entry.begin_to_write(&rows).await));
        for (n, begun) in join_all(begun).await {
            if let Err(goal) = begun {
                self.bring_up(n, goal).await;
            }
        }
    }

    async fn finish_writing(&mut self) {
        let rows = self.rows.clone();
        for n in 0..self.entries.len() {
            let Some(entry) = self.entries.get_mut(n) else { continue };
            if let Err(goal) = entry.finish_writing(rows.as_ref()).await {
                self.bring_up(n, goal).await;
            }
        }
    }

    /// Brings an entry whose events could not be applied in memory from its checkpoint up to `goal`, page by page, as
    /// far as possible.
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

    /// A page of the log up to `up_to`. If an event can't be read, returns the events before it, if there are any.
    pub(super) async fn read(
        &self,
        after: Position,
        up_to: Position,
    ) -> Result<Vec<Arc<EventEnvelope>>, Unreadable> {
        let page = self.store.read_all(after, PAGE).await?;
        let page = page.into_iter().filter(|event| event.position <= up_to).collect();
        match EventEnvelope::read_page(self.codec.as_ref(), page, self.sight()).await {
            (events, Some(error)) if events.is_empty() => Err(error.into()),
            (events, _) => Ok(events),
        }
    }

    /// Tries the entries again that have stopped, each for a few pages. The others wait meanwhile. Returns the
    /// entries that go on but are still further behind.
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

    /// Shows an entry that joins the events that the others were shown.
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

    /// Tries the entries again that have stopped, and continues from their checkpoints.
    pub(super) async fn try_again(&mut self, goal: Position) {
        for n in 0..self.entries.len() {
            if self.entries.get(n).is_some_and(|entry| entry.failure.is_some()) {
                self.go_some_way(n, goal, 1).await;
            }
        }
        self.delivered = self.entries.iter().map(|entry| entry.position).min().unwrap_or(goal);
    }

    /// Stops all entries that have not stopped yet, for this reason.
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
        Self { view, build, position, failure, ahead: None, writing: None }
    }

    /// The number of rows in memory.
    fn held(&self) -> usize {
        self.ahead
            .as_ref()
            .map_or(0, |ahead| ahead.batch.lock().unwrap_or_else(PoisonError::into_inner).held())
    }

    /// Applies in memory the events that it has not seen. After a failure no rows stay in memory, because part of an
    /// event may have been applied.
    async fn go_ahead(&mut self, rows: &dyn ReadStore, batch: Slice<'_>) -> Result<(), CannotApply> {
        let applied = self.apply_in_memory(rows, batch).await;
        if applied.is_err() {
            self.ahead = None;
            // What is being written ends before the event that failed. If that fails too, its events are applied again.
            let _ = self.finish_writing(rows).await;
        }
        applied
    }

    async fn apply_in_memory(&mut self, rows: &dyn ReadStore, batch: Slice<'_>) -> Result<(), CannotApply> {
        let seen = self.ahead.as_ref().map_or(self.position, |ahead| ahead.position);
        let news = batch.news(seen)?;
        let Some(position) = news.last().map(|event| event.position) else { return Ok(()) };
        let ahead = self.ahead.get_or_insert_with(|| Ahead {
            batch: Arc::new(Mutex::new(self.view.clone().batch())),
            position: seen,
            since: None,
        });
        let (batch, news) = (ahead.batch.clone(), news.to_vec());
        let work: Work =
            Box::new(move |stored| batch.lock().unwrap_or_else(PoisonError::into_inner).apply(stored, &news));
        rows.look(self.build, work).await?;
        ahead.position = position;
        ahead.since.get_or_insert_with(Instant::now);
        Ok(())
    }

    /// Begins to write the rows in memory. If that fails, returns the position that was reached.
    async fn begin_to_write(&mut self, rows: &Arc<dyn ReadStore>) -> Result<(), Position> {
        let Some(ahead) = self.ahead.as_mut() else { return Ok(()) };
        if ahead.since.take().is_none() {
            return Ok(());
        }
        let (batch, up_to) = (ahead.batch.clone(), ahead.position);
        let changed = move || batch.lock().unwrap_or_else(PoisonError::into_inner).changed();
        let Ok(Ok(changed)) = tokio::task::spawn_blocking(changed).await else {
            self.ahead = None;
            return Err(up_to);
        };
        let (rows, build, from) = (rows.clone(), self.build, self.position);
        let work: Work = Box::new(move |stored| changed.write(stored));
        let written = tokio::spawn(async move { rows.update(build, from, up_to, work).await });
        self.writing = Some(Writing { written, up_to });
        Ok(())
    }

    /// Waits until the rows are written. If that fails, returns the position that was reached in memory.
    async fn finish_writing(&mut self, rows: &dyn ReadStore) -> Result<(), Position> {
        let Some(Writing { written, up_to }) = self.writing.take() else { return Ok(()) };
        if !matches!(written.await, Ok(Ok(()))) {
            let reached = self.ahead.take().map_or(up_to, |ahead| ahead.position);
            return Err(reached);
        }
        self.reached(rows, up_to).await;
        // No event was applied since, so nothing has to be kept in memory.
        self.ahead = self.ahead.take().filter(|ahead| ahead.since.is_some());
        Ok(())
    }

    /// Applies the events that it has not seen, and writes the rows. A batch that fails is halved until the failing
    /// event is alone. The events before it are applied.
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
            batch.changed()?.write(stored)
        });
        rows.update(self.build, self.position, up_to, work).await
    }

    async fn reached(&mut self, rows: &dyn ReadStore, position: Position) {
        self.position = position;
        if self.failure.take().is_some() {
            tracing::info!(view = self.build.view.name, "a view continues");
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

/// The status is written for other processes to see. If it can't be written, the view goes on.
fn said(noted: Result<(), StoreFailed>) {
    if let Err(error) = noted {
        tracing::warn!(error = %Causes(&error), "the state of a view could not be written");
    }
}
