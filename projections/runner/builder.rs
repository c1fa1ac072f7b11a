//! Builds views anew beside those that serve, with a reading of the log of their own: what serves goes on
//! without waiting for it.

use std::sync::Arc;

use loquet_domain::ports::{EventCodec, EventStore, Position, ReadError};

use super::projection_group::{Entry, ProjectionGroup};
use crate::erased_view::ErasedView;
use crate::people::Unreadable;
use crate::ports::{ReadStore, StoreFailed};
use crate::reading::{End, Reading};
use crate::view::Build;

/// Views being built from the log.
pub struct Builder {
    group: ProjectionGroup,
}

/// Why a build was not finished.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildFailed {
    /// The read store does not answer.
    #[error(transparent)]
    Rows(#[from] StoreFailed),
    /// The log can't be read.
    #[error(transparent)]
    Log(#[from] Unreadable),
    /// The log ends before the position up to which to build.
    #[error("the log ends at {at}, before {goal}")]
    LogEnds {
        /// Where it ends.
        at: Position,
        /// Up to where to build.
        goal: Position,
    },
    /// A view has stopped, for the reason that is noted of it.
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
    /// [`BuildFailed`] when the read store does not answer.
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
        Ok(Self { group: ProjectionGroup::new(store, codec, rows, entries, Position::default()) })
    }

    /// Goes on with builds that were begun.
    pub(super) fn resume(group: ProjectionGroup) -> Self {
        Self { group }
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

    /// What stopped one of them.
    pub(super) fn failure(&self) -> Option<&String> {
        self.group.entries.iter().find_map(|entry| entry.failure.as_ref())
    }

    pub(super) async fn stopped(&mut self, why: &BuildFailed) {
        self.group.stop(why).await;
    }

    /// Looks whether what stopped it is mended.
    pub(super) async fn try_again(&mut self, goal: Position) -> Result<(), BuildFailed> {
        self.group.try_again(goal).await;
        self.fail_with_the_first()
    }

    /// Builds up to `goal`, saying after each page where it is.
    ///
    /// # Errors
    /// [`BuildFailed`] says which event can't be read or applied; the build is kept for looking at.
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
            self.group.gather(page.slice().up_to(goal)).await;
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

    /// Lets the builds take over from those that serve, and deletes those.
    ///
    /// # Errors
    /// [`BuildFailed`] when the read store does not answer.
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
