//! Where the rows of views are kept.

use loquet_domain::ports::{BoxFuture, Position};

use super::StoreFailed;
use crate::index::IndexEntry;
use crate::view::{Build, CannotApply, ViewId};

/// One build's rows, within a transaction. A view changes them through a [`Table`](crate::table::Table).
///
/// Every method fails with [`StoreFailed`] if the store does not answer. The transaction is then undone as a whole.
#[expect(clippy::missing_errors_doc, reason = "the trait says it of all its methods")]
pub trait Rows {
    /// Returns the row under a key, as it was put. Returns `None` if there is none.
    fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, StoreFailed>;

    /// Writes a row under a key, in place of the one that is there. `gone` and `new` are the index entries that the row
    /// no longer has and has now; entries that stay are in neither. The row is UTF-8.
    fn put(
        &mut self,
        key: &str,
        row: &[u8],
        gone: &[IndexEntry],
        new: &[IndexEntry],
    ) -> Result<(), StoreFailed>;

    /// Removes a row and its index entries, all of which are in `gone`.
    fn delete(&mut self, key: &str, gone: &[IndexEntry]) -> Result<(), StoreFailed>;
}

/// Work on the rows of one build. If it fails, none of it is written.
pub type Work = Box<dyn FnOnce(&mut dyn Rows) -> Result<(), CannotApply> + Send>;

/// In which order rows come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The least first.
    #[default]
    Ascending,
    /// The greatest first.
    Descending,
}

/// A place among the rows that a query finds: behind it the next page begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The row's value in the index that was asked. Empty if none was asked.
    pub value: String,
    /// The row's key.
    pub key: String,
}

/// Which rows a query wants.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// An index, and with what a row's value in it begins; the rows come in the order of these values.
    /// Without one, all rows in the order of their keys.
    pub by: Option<IndexEntry>,
    /// In which order.
    pub order: Order,
    /// Only rows behind this one.
    pub after: Option<Cursor>,
    /// At most so many.
    pub limit: usize,
}

/// A row that a query found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRow {
    /// Where it stands among the others, its key included.
    pub cursor: Cursor,
    /// The row.
    pub row: Vec<u8>,
}

/// A view as the store knows it: the program may no longer have a view of that name.
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

/// A build as the store knows it: the program may no longer have its view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBuild {
    /// Of which view.
    pub view: StoredView,
    /// Which: greater is later.
    pub generation: u32,
}

impl StoredBuild {
    /// This build, if it is of a view of this name, in whatever version.
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

/// How far a build of a view is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildState {
    /// Which.
    pub build: StoredBuild,
    /// Up to where it has seen the log.
    pub position: Position,
    /// Whether queries read it.
    pub serving: bool,
    /// What stopped it.
    pub failure: Option<String>,
}

/// Keeps the rows of views and their checkpoints.
///
/// A view may have several builds at a time, each with rows and a checkpoint of its own. Queries read the one that
/// serves.
///
/// **Atomic**: [`update`](Self::update) writes the rows and the checkpoint, both or neither (law 9). A query sees a build
/// as it is between two updates. **Durable**: not required. A store that forgets its newest updates in a crash forgets
/// rows and checkpoint alike, and the views take the events in again. A store that loses everything is built again from
/// the log.
///
/// Every method fails with [`StoreFailed`] if the store can't be used. The caller tries again.
pub trait ReadStore: Send + Sync {
    /// Returns every build that is not being deleted.
    fn builds(&self) -> BoxFuture<'_, Result<Vec<BuildState>, StoreFailed>>;

    /// Begins a build of a view, without rows, at position zero. Its generation is greater than that of every build that
    /// any view of this name ever had, deleted ones included. Queries read it at once if no other of this name serves.
    fn begin(&self, view: ViewId) -> BoxFuture<'_, Result<Build, StoreFailed>>;

    /// Lets queries read this build from now on, and no other of its name.
    fn serve(&self, build: Build) -> BoxFuture<'_, Result<(), StoreFailed>>;

    /// Marks every build of this name as half deleted: the program no longer has such a view.
    fn retire(&self, view: String) -> BoxFuture<'_, Result<(), StoreFailed>>;

    /// Returns the builds whose deletion was begun and not ended.
    fn half_deleted(&self) -> BoxFuture<'_, Result<Vec<StoredBuild>, StoreFailed>>;

    /// Deletes a build, unless it serves. Deletes in steps, so that others can write in between. A crash leaves it half
    /// deleted.
    fn discard(&self, build: StoredBuild) -> BoxFuture<'_, Result<(), StoreFailed>>;

    /// Does work on a build's rows, and undoes whatever it writes.
    ///
    /// # Errors
    /// What the work fails with.
    fn look(&self, build: Build, work: Work) -> BoxFuture<'_, Result<(), CannotApply>>;

    /// Does work on a build's rows and moves its checkpoint from `from` to `up_to`, both or neither (law 9).
    ///
    /// # Errors
    /// [`CannotApply::Moved`] if the checkpoint is not at `from`, without doing the work: somebody else has changed the
    /// rows. Otherwise what the work fails with.
    fn update(
        &self,
        build: Build,
        from: Position,
        up_to: Position,
        work: Work,
    ) -> BoxFuture<'_, Result<(), CannotApply>>;

    /// Deletes a build's rows and failure, and puts its checkpoint back to zero, all or nothing.
    fn reset(&self, build: Build) -> BoxFuture<'_, Result<(), StoreFailed>>;

    /// Notes what stopped a build, for other processes to see. `None` says that it goes on.
    fn note_failure(&self, build: Build, failure: Option<String>) -> BoxFuture<'_, Result<(), StoreFailed>>;

    /// Asks the process that runs the views to build one anew. Asking again before it is taken changes nothing.
    fn request_rebuild(&self, view: String) -> BoxFuture<'_, Result<(), StoreFailed>>;

    /// Returns the names of the views that were asked to be built anew, and forgets that they were. A crash in between
    /// may return them again.
    fn take_requests(&self) -> BoxFuture<'_, Result<Vec<String>, StoreFailed>>;

    /// Returns one row of the build that serves. Returns `None` if there is no such row, or no such build.
    fn get(&self, view: ViewId, key: String) -> BoxFuture<'_, Result<Option<Vec<u8>>, StoreFailed>>;

    /// Returns rows of the build that serves, all as of one moment. Returns none if there is no such build.
    fn select(&self, view: ViewId, wanted: Selection) -> BoxFuture<'_, Result<Vec<FoundRow>, StoreFailed>>;

    /// Returns the keys whose rows or index entries two builds do not have in common, in order, at most `limit`.
    fn differences(
        &self,
        one: Build,
        other: Build,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<String>, StoreFailed>>;
}
