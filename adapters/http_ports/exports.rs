//! Extracts of the history that auditors take by the API or in the portal, without personal data.

use std::fs::File;

use loquet_domain::Moment;
use loquet_domain::administration::ExportNotice;
use loquet_domain::app::Unavailable;
use loquet_domain::fact::{Actor, Context};
use loquet_domain::ports::BoxFuture;
use uuid::Uuid;

/// An extract that somebody asks for.
#[derive(Clone, Debug)]
pub struct NewExport {
    /// Who asks, when and why.
    pub context: Context,
    /// What the log says about it.
    pub notice: ExportNotice,
    /// Whether the accounts, companies, sites and terminals are added as they are at the end of the log.
    pub states: bool,
}

/// How far an extract is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It waits for its turn, or is being written.
    UnderWay {
        /// The position up to which the log was read.
        position: u64,
    },
    /// It can be downloaded.
    Finished {
        /// The number of its events.
        events: u64,
        /// The size of its archive, in bytes.
        bytes: u64,
        /// When it is removed.
        until: Moment,
    },
    /// It could not be written.
    Failed {
        /// Why not, in English.
        why: String,
    },
}

/// An extract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// What the log says about it.
    pub notice: ExportNotice,
    /// Who asked for it.
    pub actor: Actor,
    /// Whether it has the accounts, companies, sites and terminals.
    pub states: bool,
    /// How far it is.
    pub progress: Progress,
}

/// An extract can't be begun.
#[derive(Debug, thiserror::Error)]
pub enum NotBegun {
    /// So many extracts are under way already.
    #[error("{0} extracts are under way already")]
    TooMany(usize),
    /// The log can't record that it is taken.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// The archive of an extract can't be read.
#[derive(Debug, thiserror::Error)]
#[error("the archive of an extract can't be read: {0}")]
pub struct ArchiveUnreadable(#[from] pub std::io::Error);

/// Writes extracts, and keeps them for a while. The extracts of one server are not on another.
pub trait Exports: Send + Sync {
    /// Records in the log that an extract is taken, and begins to write it.
    ///
    /// # Errors
    /// [`NotBegun`] says why not. Then nothing is in the log.
    fn begin(&self, new: NewExport) -> BoxFuture<'_, Result<(), NotBegun>>;

    /// All extracts that are kept, the newest first.
    fn list(&self) -> Vec<Export>;

    /// The archive (ZIP) of a finished extract. `None`: there is no such extract, or it is not finished.
    ///
    /// # Errors
    /// [`ArchiveUnreadable`] says why.
    fn open(&self, id: Uuid) -> Result<Option<File>, ArchiveUnreadable>;
}
