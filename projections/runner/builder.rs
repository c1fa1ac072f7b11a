//! Builds views anew beside those that serve, with a reading of the log of their own: what serves goes on
//! without waiting for it.

use std::sync::Arc;

use loquet_domain::ports::{EventCodec, EventStore, Position, ReadError};

use super::course::{Course, Entry};
use crate::erased_view::ErasedView;
use crate::people::Unreadable;
use crate::ports::{ReadStore, StoreFailed};
use crate::reading::{End, Reading};
use crate::view::Build;

/// Views being built from the log.
pub struct Builder {
    course: Course,
}

/// Why a building was not finished.
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
    /// Begins a building of each view.
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
        Ok(Self { course: Course::new(store, codec, rows, entries, Position::default()) })
    }

    /// Goes on with buildings that were begun.
    pub(super) fn resume(course: Course) -> Self {
        Self { course }
    }

    /// The buildings.
    pub fn builds(&self) -> impl Iterator<Item = Build> {
        self.course.entries.iter().map(|entry| entry.build)
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.course.entries
    }

    pub(super) fn into_entries(self) -> Vec<Entry> {
        self.course.entries
    }

    /// What stopped one of them.
    pub(super) fn failure(&self) -> Option<&String> {
        self.course.entries.iter().find_map(|entry| entry.failure.as_ref())
    }

    pub(super) async fn stopped(&mut self, why: &BuildFailed) {
        self.course.stop(why).await;
    }

    /// Looks whether what stopped it is mended.
    pub(super) async fn try_again(&mut self, goal: Position) -> Result<(), BuildFailed> {
        self.course.try_again(goal).await;
        self.fail_with_the_first()
    }

    /// Builds up to `goal`, saying after each page where it is.
    ///
    /// # Errors
    /// [`BuildFailed`] says which event can't be read or applied; the building is kept for looking at.
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
        let mut at = self.course.delivered();
        let mut log = Reading::begin(&self.course.store, &self.course.codec, at, self.course.sight());
        while at < goal {
            let ended = BuildFailed::LogEnds { at, goal };
            let Some(page) = log.next().await else { return Err(ended) };
            self.course.gather(page.stretch().up_to(goal)).await;
            self.fail_with_the_first()?;
            at = self.course.delivered();
            reached(&self.course.entries, at);
            match page.end {
                End::Failed(why) if at < goal => {
                    self.course.write().await;
                    return Err(why.into());
                }
                End::CaughtUp if at < goal => return Err(ended),
                End::CaughtUp | End::Failed(_) | End::More => {}
            }
        }
        self.course.write().await;
        self.fail_with_the_first()
    }

    fn fail_with_the_first(&self) -> Result<(), BuildFailed> {
        self.failure().map_or(Ok(()), |failure| Err(BuildFailed::Stopped(failure.clone())))
    }

    /// Lets the buildings take over from those that serve, and deletes those.
    ///
    /// # Errors
    /// [`BuildFailed`] when the read store does not answer.
    pub async fn take_over(self) -> Result<(), BuildFailed> {
        let rows = self.course.rows.clone();
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
