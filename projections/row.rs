//! A row of a view, and what goes wrong with one.

use std::sync::Arc;

use loquet_domain::Moment;
use loquet_domain::ports::Position;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::causes::Causes;
use crate::index::{Entry, Index};
use crate::ports::{IndexEntry, StoreFailed};

/// Which view, in which version. A new version is built from the start, in tables of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ViewId {
    /// Its name: lower case, underscores.
    pub name: &'static str,
    /// Goes up whenever its rows come to mean something else.
    pub version: u32,
}

/// One build of a view, its rows in tables of their own: a view can be built anew beside the build
/// that serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Build {
    /// Of which view.
    pub view: ViewId,
    /// Which: greater is later.
    pub generation: u32,
}

/// A row of a view. It is stored as JSON.
pub trait Row: Serialize + DeserializeOwned + Clone + Send + 'static {
    /// Of which view.
    const VIEW: ViewId;

    /// What the row is found by besides its key: its entries in the indexes that are declared beside it.
    fn indexes(&self) -> Vec<Entry<Self>>;

    /// The same entries as a store keeps them.
    fn index_entries(&self) -> Vec<IndexEntry> {
        self.indexes().into_iter().map(Entry::stored).collect()
    }
}

/// A row that is found by the words in it.
pub trait FoundByWords: Row {
    /// The words, or hashes of them.
    const BY_WORD: Index<Self>;
}

/// A moment since 1970 as a text that sorts as moments do, for indexes.
#[must_use]
pub fn sortable(moment: Moment) -> String {
    format!("{:019}", moment.timestamp_micros().max(0))
}

/// A name as people look for it and sort it: small letters, for indexes.
#[must_use]
pub fn sortable_name(name: &str) -> String {
    name.to_lowercase().replace('\0', " ")
}

/// A row can't be read from its stored form, or written in it.
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

/// Two failures are equal if they read the same, causes included.
impl PartialEq for RowFailed {
    fn eq(&self, other: &Self) -> bool {
        Causes(self).to_string() == Causes(other).to_string()
    }
}

impl Eq for RowFailed {}

pub(crate) fn read<R: Row>(key: &str, bytes: &[u8]) -> Result<R, RowFailed> {
    serde_json::from_slice(bytes).map_err(|e| RowFailed::read(key, e))
}

/// Some events were not shown to a view: taking in what follows would pass them over (law 9).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what follows position {seen} was not shown to it: it was given what follows {after}")]
pub struct PassedOver {
    /// Up to where the view has seen the log.
    pub seen: Position,
    /// Behind which position the events begin that it was given.
    pub after: Position,
}

/// Why a view stopped. It is shown and tried again; the event is never passed over (law 9).
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
    /// Somebody else has moved the build's checkpoint: what was applied was applied to rows that are no
    /// more. Nothing was written; it goes on from there.
    #[error("the checkpoint was moved to {0} by somebody else")]
    Moved(Position),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreFailed),
}
