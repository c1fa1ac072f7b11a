//! A row of a view, and the errors of rows and views.

use std::sync::Arc;

use loquet_domain::Moment;
use loquet_domain::ports::Position;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::causes::Causes;
use crate::index::{Entry, Index};
use crate::ports::{IndexEntry, StoreFailed};

/// The name and version of a view. A new version is built from the start of the log, in its own tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ViewId {
    /// Its name: lower case, underscores.
    pub name: &'static str,
    /// Increases when the meaning of the rows changes.
    pub version: u32,
}

/// One build of a view. Its rows have their own tables, so a view can be built again while the old build answers
/// queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Build {
    /// The view.
    pub view: ViewId,
    /// The number of the build. A later build has a greater number.
    pub generation: u32,
}

/// A row of a view. It is stored as JSON.
pub trait Row: Serialize + DeserializeOwned + Clone + Send + 'static {
    /// The view that it belongs to.
    const VIEW: ViewId;

    /// The row's entries in the indexes of its view. Queries find the row by them.
    fn indexes(&self) -> Vec<Entry<Self>>;

    /// The same entries in their stored form.
    fn index_entries(&self) -> Vec<IndexEntry> {
        self.indexes().into_iter().map(Entry::stored).collect()
    }
}

/// A row that a search finds by words.
pub trait FoundByWords: Row {
    /// The index of the words, or of their hashes.
    const BY_WORD: Index<Self>;
}

/// A moment as text for an index. The texts sort in the order of the moments.
#[must_use]
pub fn sortable(moment: Moment) -> String {
    format!("{:019}", moment.timestamp_micros().max(0))
}

/// A row can't be read or written in its stored form.
#[derive(Clone, Debug, thiserror::Error)]
#[error("row {key} can't be {done}")]
pub struct RowFailed {
    key: String,
    done: &'static str,
    source: Arc<serde_json::Error>,
}

impl RowFailed {
    pub(crate) fn read(key: &str, error: serde_json::Error) -> Self {
        Self { key: key.to_owned(), done: "read", source: Arc::new(error) }
    }

    pub(crate) fn written(key: &str, error: serde_json::Error) -> Self {
        Self { key: key.to_owned(), done: "written", source: Arc::new(error) }
    }
}

/// Two failures are equal if their texts and the texts of their causes are equal.
impl PartialEq for RowFailed {
    fn eq(&self, other: &Self) -> bool {
        Causes(self).to_string() == Causes(other).to_string()
    }
}

impl Eq for RowFailed {}

pub(crate) fn read<R: Row>(key: &str, bytes: &[u8]) -> Result<R, RowFailed> {
    serde_json::from_slice(bytes).map_err(|e| RowFailed::read(key, e))
}

/// Some events were not shown to a view. Applying later ones would skip them (law 9).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "events are missing: the view has applied events up to position {seen}, but the next ones follow position {after}"
)]
pub struct PassedOver {
    /// The position up to which the view has applied the log.
    pub seen: Position,
    /// The position after which the given events begin.
    pub after: Position,
}

/// Why a view stopped. The reason is shown, and the view tries again. The event is never skipped (law 9).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotApply {
    /// The event contradicts the rows.
    #[error("{0}")]
    Contradiction(String),
    /// A row can't be read or written.
    #[error(transparent)]
    Row(#[from] RowFailed),
    /// Some events before this one were not shown to the view.
    #[error(transparent)]
    PassedOver(#[from] PassedOver),
    /// Another process moved the build's checkpoint, so the rows have changed. Nothing was written. The view goes on
    /// from the new checkpoint.
    #[error("another process moved the checkpoint to {0}")]
    Moved(Position),
    /// The store can't be used.
    #[error(transparent)]
    Store(#[from] StoreFailed),
}
