//! Some buildings on their way through the log, each with its own checkpoint.

use std::sync::Arc;

use loquet_domain::ports::{EventCodec, EventStore, Position};

use super::BATCH;
use crate::ports::{ReadStore, StoreFailed, Work};
use crate::view::{Build, CannotApply, Noted, View};

/// A building of a view, and how far it is.
pub(super) struct Entry {
    pub(super) view: Arc<dyn View>,
    pub(super) build: Build,
    pub(super) position: Position,
    pub(super) failure: Option<String>,
}

/// What lies before a course.
pub(super) struct Course {
    pub(super) store: Arc<dyn EventStore>,
    pub(super) codec: Arc<dyn EventCodec>,
    pub(super) rows: Arc<dyn ReadStore>,
    pub(super) entries: Vec<Entry>,
}

impl Course {
    /// The position of the entry furthest behind.
    pub(super) fn start(&self) -> Position {
        self.entries.iter().map(|entry| entry.position).min().unwrap_or_default()
    }

    /// Applies what each entry has not seen; one that has stopped stays where it is.
    pub(super) async fn apply(&mut self, batch: &[Arc<Noted>]) {
        for entry in self.entries.iter_mut().filter(|entry| entry.failure.is_none()) {
            entry.advance(self.rows.as_ref(), batch).await;
        }
    }

    /// A page of the log as far as `up_to`; what comes before an event that can't be read, if there is any.
    pub(super) async fn read(&self, after: Position, up_to: Position) -> Result<Vec<Arc<Noted>>, String> {
        let page = self.store.read_all(after, BATCH).await.map_err(|e| e.to_string())?;
        let mut noted = Vec::with_capacity(page.len());
        for recorded in page.into_iter().filter(|event| event.position <= up_to) {
            match Noted::read(self.codec.as_ref(), recorded).await {
                Ok(event) => noted.push(Arc::new(event)),
                Err(error) if noted.is_empty() => return Err(error.to_string()),
                Err(_) => break,
            }
        }
        Ok(noted)
    }

    /// Brings entries that stopped up to `goal`, if what stopped them is mended.
    pub(super) async fn retry_stopped(&mut self, goal: Position) -> Result<(), String> {
        for n in 0..self.entries.len() {
            let Some(mut at) = self.entries.get(n).filter(|e| e.failure.is_some()).map(|e| e.position) else {
                continue;
            };
            while at < goal {
                let page = self.read(at, goal).await?;
                let Some(entry) = self.entries.get_mut(n) else { break };
                entry.advance(self.rows.as_ref(), &page).await;
                if entry.failure.is_some() || entry.position == at {
                    break;
                }
                at = entry.position;
            }
        }
        Ok(())
    }
}

impl Entry {
    /// Applies what it has not seen. If the batch fails as a whole, its events are applied one by one up to
    /// the one that fails.
    pub(super) async fn advance(&mut self, rows: &dyn ReadStore, batch: &[Arc<Noted>]) {
        let news: Vec<_> = batch.iter().filter(|event| event.position > self.position).cloned().collect();
        let Some(last) = news.last().map(|event| event.position) else {
            return;
        };
        if self.update(rows, last, news.clone()).await.is_ok() {
            return self.reached(rows, last).await;
        }
        for event in news {
            let position = event.position;
            if let Err(error) = self.update(rows, position, vec![event]).await {
                return self.stopped(rows, format!("event {position}: {error}")).await;
            }
            self.position = position;
        }
        self.reached(rows, last).await;
    }

    async fn update(
        &self,
        rows: &dyn ReadStore,
        up_to: Position,
        events: Vec<Arc<Noted>>,
    ) -> Result<(), CannotApply> {
        let applying = self.view.clone();
        let work: Work =
            Box::new(move |rows| events.iter().try_for_each(|event| applying.apply(rows, event)));
        rows.update(self.build, up_to, work).await
    }

    async fn reached(&mut self, rows: &dyn ReadStore, position: Position) {
        self.position = position;
        if self.failure.take().is_some() {
            tracing::info!(view = self.build.view.name, "a view goes on");
            said(rows.note_failure(self.build, None).await);
        }
    }

    pub(super) async fn stopped(&mut self, rows: &dyn ReadStore, failure: String) {
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
        tracing::warn!(%error, "the state of a view could not be noted");
    }
}
