//! The store of the rows of views.

use loquet_domain::ports::{BoxFuture, Position};

use super::StoreFailed;
use crate::index::IndexEntry;
use crate::view::{Build, CannotApply, ViewId};

/// The rows of one build within a transaction. A view changes them through a [`Table`](crate::table::Table).
///
/// Every method fails with [`StoreFailed`] if the store can't be used. Then the whole transaction is undone.
#[expect(clippy::missing_errors_doc, reason = "the trait says it of all its methods")]
pub trait Rows {
    /// The row with this key, as it was written. Returns `None` if there is none.
    fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, StoreFailed>;

    /// Writes a row. Replaces an earlier row with the same key. The row is UTF-8.
    fn put(&mut self, key: &str, row: &[u8]) -> Result<(), StoreFailed>;

    /// Removes a row.
    fn delete(&mut self, key: &str) -> Result<(), StoreFailed>;

    /// Adds an index entry of the row with this key. It is no failure if the row has it already.
    fn enter(&mut self, entry: &IndexEntry, key: &str) -> Result<(), StoreFailed>;

    /// Removes an index entry of the row with this key.
    fn leave(&mut self, entry: &IndexEntry, key: &str) -> Result<(), StoreFailed>;

    /// Notes that rows were deleted because of an erasure. [`ReadStore::scrub`] removes what the files still have of them.
    fn note_erasure(&mut self) -> Result<(), StoreFailed>;
}

/// Work on the rows of one build. If it fails, none of it is written.
pub type Work = Box<dyn FnOnce(&mut dyn Rows) -> Result<(), CannotApply> + Send>;

/// The order of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The smallest first.
    #[default]
    Ascending,
    /// The greatest first.
    Descending,
}

/// The place of a row in the results of a query. The next page begins after it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The row's value in the index of the query. Empty if the query has no index.
    pub value: String,
    /// The row's key.
    pub key: String,
}

/// The rows that a query asks for.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// An index, and the beginning of the rows' values in it. The rows come in the order of these values. `None`: all
    /// rows, in the order of their keys.
    pub by: Option<IndexEntry>,
    /// The order of the rows.
    pub order: Order,
    /// Only rows after this one. `None`: from the first row.
    pub after: Option<Cursor>,
    /// The maximum number of rows.
    pub limit: usize,
}

/// A row that a query found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRow {
    /// Its place in the results. It includes the row's key.
    pub cursor: Cursor,
    /// The row.
    pub row: Vec<u8>,
}

/// A view as the store knows it. The program may no longer have a view of that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredView {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u32,
}

impl PartialEq<ViewId> for StoredView {
    fn eq(&self, view: &ViewId) -> bool {
        self.name == view.name && self.version == view.version
    }
}

/// A build as the store knows it. The program may no longer have its view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBuild {
    /// The view.
    pub view: StoredView,
    /// The number of the build. A later build has a greater number.
    pub generation: u32,
}

impl StoredBuild {
    /// This build, if its view has this name. The version does not matter.
    #[must_use]
    pub fn of(&self, name: &'static str) -> Option<Build> {
        let view = ViewId { name, version: self.view.version };
        (self.view == view).then_some(Build { view, generation: self.generation })
    }
}

impl From<Build> for StoredBuild {
    fn from(build: Build) -> Self {
        let Build { view: ViewId { name, version }, generation } = build;
        Self { view: StoredView { name: name.to_owned(), version }, generation }
    }
}

impl PartialEq<Build> for StoredBuild {
    fn eq(&self, build: &Build) -> bool {
        self.view == build.view && self.generation == build.generation
    }
}

/// The progress of a build of a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildState {
    /// The build.
    pub build: StoredBuild,
    /// The position up to which it has applied the log.
    pub position: Position,
    /// Whether queries read it.
    pub serving: bool,
    /// Why it stopped. `None` if it has not.
    pub failure: Option<String>,
}

/// Stores the rows of views and their checkpoints.
///
/// A view may have several builds at a time. Each has its own rows and checkpoint. Queries read the one that serves.
///
/// **Atomic**: [`update`](Self::update) writes the rows and the checkpoint: both or neither (law 9). A query sees a
/// build as it is between two updates. **Durable**: not required. A store that loses its newest updates in a crash
/// loses both rows and checkpoint, and the views apply the events again. A store that loses everything is built again
/// from the log.
///
/// Every method fails with [`StoreFailed`] if the store can't be used. The caller tries again.
pub trait ReadStore: Send + Sync {
    /// All builds that are not being deleted.
    fn builds(&self) -> BoxFuture<'_, Result<Vec<BuildState>, StoreFailed>>;

    /// Begins a build of a view, without rows, at position zero. Its generation is greater than that of every build
    /// that any view of this name ever had, including deleted ones. Queries read it at once if no other build of this
    /// name serves.
    fn begin(&self, view: ViewId) -> BoxFuture<'_, Result<Build, StoreFailed>>;

    /// Makes queries read this build from now on, and no other of its name.
    fn serve(&self, build: Build) -> BoxFuture<'_, Result<(), StoreFailed>>;

    /// Marks every build of this name as half deleted, because the program no longer has such a view.
    fn retire(&self, view: String) -> BoxFuture<'_, Result<(), StoreFailed>>;

    /// The builds whose deletion was started and not finished.
    fn half_deleted(&self) -> BoxFuture<'_, Result<Vec<StoredBuild>, StoreFailed>>;

    /// Deletes a build, unless it serves. Deletes in steps, so that others can write in between. After a crash the
    /// build is half deleted.
    fn discard(&self, build: StoredBuild) -> BoxFuture<'_, Result<(), StoreFailed>>;

    /// Runs work that reads a build's rows. Other work may run at the same time.
    ///
    /// # Errors
    /// The error of the work. Work that writes fails.
    fn look(&self, build: Build, work: Work) -> BoxFuture<'_, Result<(), CannotApply>>;

    /// Runs work on a build's rows and moves its checkpoint from `from` to `up_to`: both or neither (law 9).
    ///
    /// # Errors
    /// [`CannotApply::Moved`] if the checkpoint is not at `from`, because another process has changed the rows. Then
    /// the work is not run. Otherwise the error of the work.
    fn update(
        &self,
        build: Build,
        from: Position,
        up_to: Position,
        work: Work,
    ) -> BoxFuture<'_, Result<(), CannotApply>>;

    /// Deletes a build's rows and failure, and sets its checkpoint to zero: all or nothing.
    fn reset(&self, build: Build) -> BoxFuture<'_, Result<(), StoreFailed>>;

    /// Stores why a build stopped, for other processes to see. `None`: the build goes on.
    fn note_failure(&self, build: Build, failure: Option<String>) -> BoxFuture<'_, Result<(), StoreFailed>>;

    /// Removes from the files what deleted rows have left there, if [`Rows::note_erasure`] has said so since the last time.
    /// It does nothing otherwise. If another process reads the files, a part may remain until a later call. It may take
    /// several seconds, in which no view is updated.
    fn scrub(&self) -> BoxFuture<'_, Result<(), StoreFailed>>;

    /// Asks the process that runs the views to rebuild one. Asking twice before the request is taken changes nothing.
    fn request_rebuild(&self, view: String) -> BoxFuture<'_, Result<(), StoreFailed>>;

    /// The names of the views whose rebuild was requested. Removes the requests. After a crash in between it may
    /// return them again.
    fn take_requests(&self) -> BoxFuture<'_, Result<Vec<String>, StoreFailed>>;

    /// One row of the serving build. Returns `None` if there is no such row or build.
    fn get(&self, view: ViewId, key: String) -> BoxFuture<'_, Result<Option<Vec<u8>>, StoreFailed>>;

    /// Rows of the serving build, all as of one moment. Returns none if there is no such build.
    fn select(&self, view: ViewId, wanted: Selection) -> BoxFuture<'_, Result<Vec<FoundRow>, StoreFailed>>;

    /// The keys whose rows or index entries differ between two builds, in order, at most `limit`.
    fn differences(
        &self,
        one: Build,
        other: Build,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<String>, StoreFailed>>;
}
