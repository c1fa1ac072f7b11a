//! The read models as they were at an earlier position. Each is built from the log when it is first asked for.

use std::collections::BTreeSet;
use std::sync::Arc;

use loquet_domain::ports::{BoxFuture, EventCodec, EventStore, Position};
use tokio::sync::Mutex;

use super::builder::{BuildFailed, Builder};
use crate::as_of::AsOf;
use crate::erased_view::ErasedView;
use crate::ports::{BuildState, FoundRow, ReadStore, Selection, StoreFailed, StoredBuild, Work};
use crate::view::{Build, CannotApply, ViewId};
use crate::views;

/// The read models of an earlier position, in a store of their own.
pub struct PastRows {
    rows: Arc<dyn ReadStore>,
    store: Arc<dyn EventStore>,
    codec: Arc<dyn EventCodec>,
    views: Vec<Arc<dyn ErasedView>>,
    position: Position,
    /// What is dropped with the rows, such as their file.
    _kept: Option<Box<dyn Send + Sync>>,
    built: Mutex<BTreeSet<&'static str>>,
}

impl PastRows {
    /// The views as of `position`. `rows` is empty, and nothing else writes to it.
    #[must_use]
    pub fn new(
        rows: Arc<dyn ReadStore>,
        store: Arc<dyn EventStore>,
        codec: Arc<dyn EventCodec>,
        position: Position,
    ) -> Self {
        let store: Arc<dyn EventStore> = Arc::new(AsOf::new(store, position));
        Self { rows, store, codec, views: views::all(), position, _kept: None, built: Mutex::default() }
    }

    /// The same rows. The value is dropped with them.
    #[must_use]
    pub fn kept_with(self, kept: impl Send + Sync + 'static) -> Self {
        Self { _kept: Some(Box::new(kept)), ..self }
    }

    /// Builds a view, unless it is built. Others that ask for it meanwhile wait.
    async fn have(&self, wanted: ViewId) -> Result<(), StoreFailed> {
        let mut built = self.built.lock().await;
        if built.contains(wanted.name) {
            return Ok(());
        }
        let view = self.views.iter().find(|view| view.id() == wanted).cloned();
        let Some(view) = view.filter(|_| self.position > Position::default()) else { return Ok(()) };
        let builder = Builder::begin(self.store.clone(), self.codec.clone(), self.rows.clone(), vec![view]);
        let mut builder = builder.await.map_err(failed)?;
        builder.build(self.position, |_| ()).await.map_err(failed)?;
        builder.take_over().await.map_err(failed)?;
        built.insert(wanted.name);
        Ok(())
    }
}

fn failed(why: BuildFailed) -> StoreFailed {
    StoreFailed::new(why)
}

impl ReadStore for PastRows {
    fn builds(&self) -> BoxFuture<'_, Result<Vec<BuildState>, StoreFailed>> {
        self.rows.builds()
    }

    fn begin(&self, view: ViewId) -> BoxFuture<'_, Result<Build, StoreFailed>> {
        self.rows.begin(view)
    }

    fn serve(&self, build: Build) -> BoxFuture<'_, Result<(), StoreFailed>> {
        self.rows.serve(build)
    }

    fn retire(&self, view: String) -> BoxFuture<'_, Result<(), StoreFailed>> {
        self.rows.retire(view)
    }

    fn half_deleted(&self) -> BoxFuture<'_, Result<Vec<StoredBuild>, StoreFailed>> {
        self.rows.half_deleted()
    }

    fn discard(&self, build: StoredBuild) -> BoxFuture<'_, Result<(), StoreFailed>> {
        self.rows.discard(build)
    }

    fn look(&self, build: Build, work: Work) -> BoxFuture<'_, Result<(), CannotApply>> {
        self.rows.look(build, work)
    }

    fn update(
        &self,
        build: Build,
        from: Position,
        up_to: Position,
        work: Work,
    ) -> BoxFuture<'_, Result<(), CannotApply>> {
        self.rows.update(build, from, up_to, work)
    }

    fn reset(&self, build: Build) -> BoxFuture<'_, Result<(), StoreFailed>> {
        self.rows.reset(build)
    }

    fn note_failure(&self, build: Build, failure: Option<String>) -> BoxFuture<'_, Result<(), StoreFailed>> {
        self.rows.note_failure(build, failure)
    }

    fn scrub(&self) -> BoxFuture<'_, Result<(), StoreFailed>> {
        self.rows.scrub()
    }

    fn request_rebuild(&self, view: String) -> BoxFuture<'_, Result<(), StoreFailed>> {
        self.rows.request_rebuild(view)
    }

    fn take_requests(&self) -> BoxFuture<'_, Result<Vec<String>, StoreFailed>> {
        self.rows.take_requests()
    }

    fn get(&self, view: ViewId, key: String) -> BoxFuture<'_, Result<Option<Vec<u8>>, StoreFailed>> {
        Box::pin(async move {
            self.have(view).await?;
            self.rows.get(view, key).await
        })
    }

    fn select(&self, view: ViewId, wanted: Selection) -> BoxFuture<'_, Result<Vec<FoundRow>, StoreFailed>> {
        Box::pin(async move {
            self.have(view).await?;
            self.rows.select(view, wanted).await
        })
    }

    fn differences(
        &self,
        one: Build,
        other: Build,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<String>, StoreFailed>> {
        self.rows.differences(one, other, limit)
    }
}
