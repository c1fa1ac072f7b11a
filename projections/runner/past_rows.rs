//! The read models as they were at an earlier position. Each is built when it is first asked for: from the log, or from the
//! newest snapshot before that position and the events after it.

use std::collections::BTreeSet;
use std::sync::Arc;

use loquet_domain::ports::{BoxFuture, EventCodec, EventStore, Position};
use tokio::sync::Mutex;

use super::builder::{BuildFailed, Builder};
use super::projection_group::{Entry, ProjectionGroup};
use crate::as_of::AsOf;
use crate::erased_view::ErasedView;
use crate::ports::{BuildState, FoundRow, ReadStore, Selection, Snapshots, StoreFailed, StoredBuild, Work};
use crate::view::{Build, CannotApply, ViewId};
use crate::views;

/// The read models of an earlier position, in a store of their own.
pub struct PastRows {
    rows: Arc<dyn ReadStore>,
    past: Arc<Past>,
    /// What is dropped with the rows, such as their file.
    kept: Option<Arc<dyn Send + Sync>>,
}

/// What builds the views.
struct Past {
    rows: Arc<dyn ReadStore>,
    snapshots: Arc<dyn Snapshots>,
    store: Arc<dyn EventStore>,
    codec: Arc<dyn EventCodec>,
    views: Vec<Arc<dyn ErasedView>>,
    position: Position,
    built: Mutex<BTreeSet<&'static str>>,
    /// Held while a view is built. All pasts share it, so that one view is built at a time.
    turn: Arc<Mutex<()>>,
}

impl PastRows {
    /// The views as of `position`. `rows` is empty, and nothing but `snapshots` writes to it beside this. Of all pasts with one
    /// `turn`, one at a time builds a view.
    #[must_use]
    pub fn new(
        rows: Arc<dyn ReadStore>,
        snapshots: Arc<dyn Snapshots>,
        store: Arc<dyn EventStore>,
        codec: Arc<dyn EventCodec>,
        position: Position,
        turn: Arc<Mutex<()>>,
    ) -> Self {
        let store: Arc<dyn EventStore> = Arc::new(AsOf::new(store, position));
        let (views, built) = (views::all(), Mutex::default());
        let past = Past { rows: rows.clone(), snapshots, store, codec, views, position, built, turn };
        let past = Arc::new(past);
        Self { rows, past, kept: None }
    }

    /// The same rows. The value is dropped with them.
    #[must_use]
    pub fn kept_with(self, kept: impl Send + Sync + 'static) -> Self {
        Self { kept: Some(Arc::new(kept)), ..self }
    }

    /// Waits until a view is built. If the caller does not wait to the end, the build goes on, and the next caller finds it.
    async fn have(&self, wanted: ViewId) -> Result<(), StoreFailed> {
        if self.past.built.lock().await.contains(wanted.name) {
            return Ok(());
        }
        let (past, kept) = (self.past.clone(), self.kept.clone());
        let building = tokio::spawn(async move {
            let built = past.build(wanted).await;
            drop(kept);
            built
        });
        building.await.map_err(StoreFailed::new)?
    }
}

impl Past {
    /// Builds a view, unless it is built. Others that ask for it meanwhile wait.
    async fn build(&self, wanted: ViewId) -> Result<(), StoreFailed> {
        let _turn = self.turn.lock().await;
        if self.built.lock().await.contains(wanted.name) {
            return Ok(());
        }
        let view = self.views.iter().find(|view| view.id() == wanted).cloned();
        let Some(view) = view.filter(|_| self.position > Position::default()) else { return Ok(()) };
        let mut builder = self.begin(view).await.map_err(failed)?;
        builder.build(self.position, |_| ()).await.map_err(failed)?;
        builder.take_over().await.map_err(failed)?;
        self.built.lock().await.insert(wanted.name);
        Ok(())
    }
}

impl Past {
    async fn begin(&self, view: Arc<dyn ErasedView>) -> Result<Builder, BuildFailed> {
        let (store, codec, rows) = (self.store.clone(), self.codec.clone(), self.rows.clone());
        match self.snapshots.fill(view.id(), self.position).await? {
            Some((build, at)) => {
                let entries = vec![Entry::new(view, build, at, None)];
                Ok(Builder::resume(ProjectionGroup::new(store, codec, rows, entries, at)))
            }
            None => Builder::begin(store, codec, rows, vec![view]).await,
        }
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
