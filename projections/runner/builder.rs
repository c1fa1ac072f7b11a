//! Builds views anew beside those that serve, with a reading of the log of their own: what serves goes on
//! without waiting for it.

use std::sync::Arc;

use loquet_domain::ports::{EventCodec, EventStore, Position};

use super::course::{Course, Entry};
use crate::ports::ReadStore;
use crate::view::{Build, View};

/// Views being built from the log.
pub struct Builder {
    course: Course,
}

/// Why a building was not finished.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BuildFailed(pub String);

impl Builder {
    /// Begins a building of each view.
    ///
    /// # Errors
    /// [`BuildFailed`] when the read store does not answer.
    pub async fn begin(
        store: Arc<dyn EventStore>,
        codec: Arc<dyn EventCodec>,
        rows: Arc<dyn ReadStore>,
        views: Vec<Arc<dyn View>>,
    ) -> Result<Self, BuildFailed> {
        let mut entries = Vec::with_capacity(views.len());
        for view in views {
            let build = rows.begin(view.id()).await.map_err(|e| BuildFailed(e.to_string()))?;
            entries.push(Entry { view, build, position: Position::default(), failure: None });
        }
        Ok(Self { course: Course { store, codec, rows, entries } })
    }

    /// Goes on with buildings that were begun.
    pub(super) fn resume(course: Course) -> Self {
        Self { course }
    }

    /// The buildings.
    pub fn builds(&self) -> impl Iterator<Item = Build> {
        self.course.entries.iter().map(|entry| entry.build)
    }

    pub(super) fn into_entries(self) -> Vec<Entry> {
        self.course.entries
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
        let mut at = self.course.start();
        while at < goal {
            let page = self.course.read(at, goal).await.map_err(BuildFailed)?;
            let Some(last) = page.last().map(|event| event.position) else {
                return Err(BuildFailed(format!("the log ends at {at}, before {goal}")));
            };
            self.course.apply(&page).await;
            if let Some(failure) = self.course.entries.iter().find_map(|entry| entry.failure.clone()) {
                return Err(BuildFailed(failure));
            }
            at = last;
            reached(at);
        }
        Ok(())
    }

    /// Lets the buildings take over from those that serve, and deletes those.
    ///
    /// # Errors
    /// [`BuildFailed`] when the read store does not answer.
    pub async fn take_over(self) -> Result<(), BuildFailed> {
        let rows = self.course.rows.clone();
        let failed = |error: crate::ports::StoreFailed| BuildFailed(error.to_string());
        for build in self.builds() {
            rows.serve(build).await.map_err(failed)?;
        }
        let all = rows.builds().await.map_err(failed)?;
        for build in self.builds() {
            for old in all.iter().filter(|old| old.build.view.name == build.view.name && old.build != build) {
                rows.discard(old.build).await.map_err(failed)?;
            }
        }
        Ok(())
    }
}
