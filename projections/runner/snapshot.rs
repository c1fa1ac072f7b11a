//! Builds all views up to one position, to keep them as they were there.

use std::sync::Arc;

use loquet_domain::ports::{EventCodec, EventStore, Position};

use super::builder::{BuildFailed, Builder};
use super::projection_group::{Entry, ProjectionGroup};
use crate::erased_view::ErasedView;
use crate::ports::ReadStore;

impl Builder {
    /// Continues the builds that serve in a store to which nothing else writes. Returns `None` if they are not of these
    /// views, are not all at one position, or have stopped: they were then made by another version.
    ///
    /// # Errors
    /// [`BuildFailed`] if the read store can't be used.
    pub async fn go_on(
        store: Arc<dyn EventStore>,
        codec: Arc<dyn EventCodec>,
        rows: Arc<dyn ReadStore>,
        views: Vec<Arc<dyn ErasedView>>,
    ) -> Result<Option<Self>, BuildFailed> {
        let found = rows.builds().await?;
        let mut entries = Vec::with_capacity(views.len());
        for view in views {
            let id = view.id();
            let serving = found.iter().find(|state| state.serving && state.build.view == id);
            let Some(state) = serving.filter(|state| state.failure.is_none()) else { return Ok(None) };
            let Some(build) = state.build.of(id.name) else { return Ok(None) };
            entries.push(Entry::new(view, build, state.position, None));
        }
        let at = entries.first().map(|entry| entry.position).unwrap_or_default();
        if entries.iter().any(|entry| entry.position != at) {
            return Ok(None);
        }
        Ok(Some(Self::resume(ProjectionGroup::new(store, codec, rows, entries, at))))
    }

    /// The position up to which all builds have seen the log.
    #[must_use]
    pub fn position(&self) -> Position {
        self.entries().iter().map(|entry| entry.position).min().unwrap_or_default()
    }
}
