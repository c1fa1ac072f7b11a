//! Runs views: one reading of the log for all of them, each with its own checkpoint.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use loquet_domain::ports::{EventCodec, EventStore, Position};
use tokio::sync::watch;

use crate::ports::{ReadStore, Work};
use crate::reading::{End, Reading};
use crate::table::Batch;
use crate::view::{CannotApply, Noted, View, ViewId};

/// How many events one transaction takes at most. A view that is built anew meets most of its rows
/// several times in so many, and writes each once.
const BATCH: usize = 100_000;
/// How many events a view that stopped is given at once when it is tried again.
const PAGE: usize = 500;
/// How long a view that stopped waits before it is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// How far a view is, and what stopped it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Up to where it has seen the log.
    pub position: Position,
    /// What it can't apply, if it has stopped.
    pub failure: Option<String>,
}

/// The progress of every view, for queries that wait and for readiness.
#[derive(Clone, Default)]
pub struct Status {
    views: Arc<RwLock<BTreeMap<ViewId, watch::Sender<Progress>>>>,
}

/// A query waited in vain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotThere {
    /// The view is behind, and stayed so.
    #[error("this is known up to position {0} so far")]
    Behind(Position),
    /// The view has stopped.
    #[error("the view has stopped: {0}")]
    Stopped(String),
}

impl Status {
    fn sender(&self, view: ViewId) -> watch::Sender<Progress> {
        self.views.write().unwrap_or_else(PoisonError::into_inner).entry(view).or_default().clone()
    }

    pub(crate) fn set(&self, view: ViewId, progress: Progress) {
        self.sender(view).send_replace(progress);
    }

    /// The progress of every view.
    #[must_use]
    pub fn all(&self) -> BTreeMap<ViewId, Progress> {
        let views = self.views.read().unwrap_or_else(PoisonError::into_inner);
        views.iter().map(|(view, progress)| (*view, progress.borrow().clone())).collect()
    }

    /// Waits until a view is at `at_least`; gives where it is (law 10).
    ///
    /// # Errors
    /// [`NotThere`] when it stays behind for `patience`, or has stopped.
    pub async fn reach(
        &self,
        view: ViewId,
        at_least: Position,
        patience: Duration,
    ) -> Result<Position, NotThere> {
        let mut progress = self.sender(view).subscribe();
        let there = progress.wait_for(|progress| progress.position >= at_least || progress.failure.is_some());
        let now = match tokio::time::timeout(patience, there).await {
            Ok(Ok(progress)) => progress.clone(),
            Ok(Err(_)) | Err(_) => self.sender(view).borrow().clone(),
        };
        match now.failure {
            _ if now.position >= at_least => Ok(now.position),
            Some(failure) => Err(NotThere::Stopped(failure)),
            None => Err(NotThere::Behind(now.position)),
        }
    }
}

/// Runs views over a log.
pub struct Runner {
    /// The log.
    pub store: Arc<dyn EventStore>,
    /// Reads its events.
    pub codec: Arc<dyn EventCodec>,
    /// Where the rows go.
    pub rows: Arc<dyn ReadStore>,
    /// The views.
    pub views: Vec<Arc<dyn View>>,
    /// How far each is.
    pub status: Status,
}

impl Runner {
    /// Runs for as long as the log does. What can't be read is reported and tried again.
    pub async fn run(self) {
        loop {
            if let Err(why) = self.follow().await {
                tracing::error!(%why, "the views have stopped; trying again");
                self.stop_all(&why);
            } else {
                return;
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Follows the log from the checkpoint furthest behind.
    async fn follow(&self) -> Result<(), String> {
        let mut start = None;
        let head = self.store.head().await.map_err(|e| e.to_string())?;
        for view in &self.views {
            let mut position = self.rows.checkpoint(view.id()).await.map_err(|e| e.to_string())?;
            if position > head {
                // The log was put back to an earlier state: what the view knows of what came after
                // is not so, and the next event would be passed over (law 9).
                tracing::warn!(view = view.id().name, %position, %head, "a view is ahead of the log; built anew");
                self.rows.reset(view.id()).await.map_err(|e| e.to_string())?;
                position = Position::default();
            }
            self.status.set(view.id(), Progress { position, failure: None });
            start = Some(start.map_or(position, |held: Position| held.min(position)));
        }
        let mut log = Reading::begin(&self.store, &self.codec, start.unwrap_or_default());
        let mut batch: Vec<Arc<Noted>> = Vec::new();
        let mut retry = tokio::time::interval(RETRY);
        loop {
            let end = tokio::select! {
                page = log.next() => match page {
                    None => return Ok(()),
                    Some(page) => {
                        batch.extend(page.events);
                        page.end
                    }
                },
                _ = retry.tick() => {
                    self.retry_stopped().await?;
                    continue;
                }
            };
            if batch.len() < BATCH && matches!(end, End::More) {
                continue;
            }
            // The views stop at an event that can't be read, not at the batch before it.
            self.apply_to_all(&batch).await;
            batch.clear();
            if let End::Failed(why) = end {
                return Err(why);
            }
        }
    }

    async fn apply_to_all(&self, batch: &[Arc<Noted>]) {
        for view in &self.views {
            let progress = self.status.sender(view.id()).borrow().clone();
            if progress.failure.is_none() {
                self.advance(view, progress.position, batch).await;
            }
        }
    }

    /// Applies what a view has not seen. A batch that fails as a whole is halved until the event that
    /// fails stands alone, and what came before it is applied.
    async fn advance(&self, view: &Arc<dyn View>, at: Position, batch: &[Arc<Noted>]) {
        let (mut reached, mut failure) = (at, None);
        let mut parts =
            vec![batch.get(batch.partition_point(|event| event.position <= at)..).unwrap_or_default()];
        while let Some(part) = parts.pop() {
            let Some(last) = part.last().map(|event| event.position) else { continue };
            match self.update(view, last, part.to_vec()).await {
                Ok(()) => reached = last,
                Err(error) if part.len() == 1 => {
                    let why = format!("event {last}: {error}");
                    tracing::error!(view = view.id().name, failure = %why, "a view has stopped");
                    failure = Some(why);
                    break;
                }
                Err(_) => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                }
            }
        }
        if reached > at || failure.is_some() {
            self.status.set(view.id(), Progress { position: reached, failure });
        }
    }

    async fn update(
        &self,
        view: &Arc<dyn View>,
        up_to: Position,
        events: Vec<Arc<Noted>>,
    ) -> Result<(), CannotApply> {
        let applying = view.clone();
        let work: Work = Box::new(move |rows| {
            let mut batch = Batch::over(rows);
            events.iter().try_for_each(|event| applying.apply(&mut batch, event))?;
            batch.write()
        });
        self.rows.update(view.id(), up_to, work).await
    }

    /// Brings views that stopped up to the others, if what stopped them is mended.
    async fn retry_stopped(&self) -> Result<(), String> {
        let mut all = self.status.all();
        all.retain(|id, _| self.views.iter().any(|view| view.id() == *id));
        let furthest = all.values().filter(|p| p.failure.is_none()).map(|p| p.position).max();
        for view in &self.views {
            let stopped = all.get(&view.id()).filter(|progress| progress.failure.is_some());
            let Some(mut at) = stopped.map(|progress| progress.position) else {
                continue;
            };
            let goal = match furthest {
                Some(goal) => goal,
                None => self.store.head().await.map_err(|e| e.to_string())?,
            };
            while at < goal {
                let page = self.read(at, goal).await?;
                self.advance(view, at, &page).await;
                let progress = self.status.sender(view.id()).borrow().clone();
                if progress.failure.is_some() || progress.position == at {
                    break;
                }
                at = progress.position;
            }
        }
        Ok(())
    }

    async fn read(&self, after: Position, up_to: Position) -> Result<Vec<Arc<Noted>>, String> {
        let page = self.store.read_all(after, PAGE).await.map_err(|e| e.to_string())?;
        let mut noted = Vec::with_capacity(page.len());
        for recorded in page.into_iter().filter(|event| event.position <= up_to) {
            match Noted::read_open(self.codec.as_ref(), recorded) {
                Ok(event) => noted.push(Arc::new(event)),
                Err(error) if noted.is_empty() => return Err(error.to_string()),
                Err(_) => break,
            }
        }
        Ok(noted)
    }

    fn stop_all(&self, why: &str) {
        for view in &self.views {
            let progress = self.status.sender(view.id()).borrow().clone();
            self.status.set(view.id(), Progress { failure: Some(why.to_owned()), ..progress });
        }
    }
}
