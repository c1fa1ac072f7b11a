//! Builds views again while the old builds serve. A builder reads the log by itself, so the serving builds do not
//! wait for it.

use std::sync::Arc;
use std::time::Instant;

use loquet_domain::ports::{EventCodec, EventStore, Position, ReadError};

use tokio::sync::Semaphore;

use super::projection_group::{Entry, ProjectionGroup};
use crate::erased_view::ErasedView;
use crate::people::Unreadable;
use crate::ports::{ReadStore, StoreFailed};
use crate::reading::{End, Reading};
use crate::view::Build;

/// Views that are being built from the log.
pub struct Builder {
    group: ProjectionGroup,
    lane: Option<Lane>,
}

/// Builds that share a lane work one at a time, and each pauses for as long as it has worked. Nobody waits for them, but
/// logins wait for the processor.
pub(super) type Lane = Arc<Semaphore>;

/// Why a build was not finished.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildFailed {
    /// The read store can't be used.
    #[error(transparent)]
    Rows(#[from] StoreFailed),
    /// The log can't be read.
    #[error(transparent)]
    Log(#[from] Unreadable),
    /// The log ends before the position that the build should reach.
    #[error("the log ends at {at}, before {goal}")]
    LogEnds {
        /// The end of the log.
        at: Position,
        /// The position to reach.
        goal: Position,
    },
    /// A view has stopped for this reason.
    #[error("{0}")]
    Stopped(String),
}

impl From<ReadError> for BuildFailed {
    fn from(error: ReadError) -> Self {
        Self::Log(error.into())
    }
}

impl Builder {
    /// Begins a build of each view.
    ///
    /// # Errors
    /// [`BuildFailed`] if the read store can't be used.
    pub async fn begin(
        store: Arc<dyn EventStore>,
        codec: Arc<dyn EventCodec>,
        rows: Arc<dyn ReadStore>,
        views: Vec<Arc<dyn ErasedView>>,
    ) -> Result<Self, BuildFailed> {
        let mut entries = Vec::with_capacity(views.len());
        for view in views {
            let build = rows.begin(view.id()).await?;
            entries.push(Entry::new(view, build, Position::default(), None));
        }
        Ok(Self { group: ProjectionGroup::new(store, codec, rows, entries, Position::default()), lane: None })
    }

    /// Continues builds that were begun before.
    pub(super) fn resume(group: ProjectionGroup) -> Self {
        Self { group, lane: None }
    }

    pub(super) fn in_lane(self, lane: Option<Lane>) -> Self {
        Self { lane, ..self }
    }

    /// The builds.
    pub fn builds(&self) -> impl Iterator<Item = Build> {
        self.group.entries.iter().map(|entry| entry.build)
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.group.entries
    }

    pub(super) fn into_entries(self) -> Vec<Entry> {
        self.group.entries
    }

    /// The failure of one of the builds, if one has stopped.
    pub(super) fn failure(&self) -> Option<&String> {
        self.group.entries.iter().find_map(|entry| entry.failure.as_ref())
    }

    pub(super) async fn stopped(&mut self, why: &BuildFailed) {
        self.group.stop(why).await;
    }

    /// Tries again to apply the event that stopped a build.
    pub(super) async fn try_again(&mut self, goal: Position) -> Result<(), BuildFailed> {
        self.group.try_again(goal).await;
        self.fail_with_the_first()
    }

    /// Builds up to `goal`. Reports its position after each page.
    ///
    /// # Errors
    /// [`BuildFailed`] says which event can't be read or applied. The build is kept, so that it can be examined.
    pub async fn build(
        &mut self,
        goal: Position,
        mut reached: impl FnMut(Position) + Send,
    ) -> Result<(), BuildFailed> {
        self.build_showing(goal, |_, position| reached(position)).await
    }

    pub(super) async fn build_showing(
        &mut self,
        goal: Position,
        mut reached: impl FnMut(&[Entry], Position) + Send,
    ) -> Result<(), BuildFailed> {
        let mut at = self.group.delivered();
        let mut log = Reading::begin(&self.group.store, &self.group.codec, at, self.group.sight());
        while at < goal {
            let ended = BuildFailed::LogEnds { at, goal };
            let Some(page) = log.next().await else { return Err(ended) };
            let turn = match &self.lane {
                Some(lane) => lane.acquire().await.ok(),
                None => None,
            };
            let begun = Instant::now();
            self.group.gather(page.slice().up_to(goal)).await;
            if turn.is_some() {
                tokio::time::sleep(begun.elapsed()).await;
            }
            drop(turn);
            self.fail_with_the_first()?;
            at = self.group.delivered();
            reached(&self.group.entries, at);
            match page.end {
                End::Failed(why) if at < goal => {
                    self.group.write().await;
                    return Err(why.into());
                }
                End::CaughtUp if at < goal => return Err(ended),
                End::CaughtUp | End::Failed(_) | End::More => {}
            }
        }
        self.group.write().await;
        self.fail_with_the_first()
    }

    fn fail_with_the_first(&self) -> Result<(), BuildFailed> {
        self.failure().map_or(Ok(()), |failure| Err(BuildFailed::Stopped(failure.clone())))
    }

    /// Makes the new builds serve in place of the old ones, and deletes the old ones.
    ///
    /// # Errors
    /// [`BuildFailed`] if the read store can't be used.
    pub async fn take_over(self) -> Result<(), BuildFailed> {
        let rows = self.group.rows.clone();
        for build in self.builds() {
            rows.serve(build).await?;
        }
        let all = rows.builds().await?;
        for build in self.builds() {
            for old in all.iter().filter(|old| old.build.view.name == build.view.name && old.build != build) {
                rows.discard(old.build.clone()).await?;
            }
        }
        Ok(())
    }
}
