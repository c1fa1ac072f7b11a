//! What can go wrong with a database file, with the remedy where there is one.

use std::path::PathBuf;

use rusqlite::ErrorCode;
use tokio::sync::AcquireError;
use tokio::task::JoinError;

/// A database file that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It is something else.
    #[error(
        "{path} is not {what}, or its beginning was overwritten: move it away and restore the right one, or choose \
         another folder with --data-dir"
    )]
    Foreign {
        /// Which file.
        path: PathBuf,
        /// What it should have been.
        what: &'static str,
    },
    /// A newer version of this software wrote it.
    #[error(
        "{path} was written by a newer version of Loquet (format {found}, this one knows {known}): upgrade"
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest format known.
        known: i64,
    },
    /// It is shorter than it says it is, or its pages contradict one another.
    #[error("{path} is damaged ({how}): {remedy}")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// In which way.
        how: String,
        /// What mends it.
        remedy: &'static str,
    },
    /// An older version of this software wrote it, and it is only to be read.
    #[error("{0} has an older format: start the server once, which upgrades it after taking a copy")]
    Older(PathBuf),
    /// Another process has it.
    #[error(
        "{0} is in use by another Loquet process: stop that one, or use another directory with --data-dir"
    )]
    InUse(PathBuf),
    /// A copy of keys is left over from before, and would bring the erased back.
    #[error("{copy} is a left-over copy of keys and can't be deleted ({why}): delete it")]
    CopyOfKeys {
        /// Which file.
        copy: PathBuf,
        /// What the file system said.
        why: String,
    },
    /// SQLite or the file system refused.
    #[error("can't use {path}: {why}")]
    Unusable {
        /// Which file.
        path: PathBuf,
        /// What they said.
        why: String,
    },
}

/// What SQLite said, with the remedy where there is one.
pub(crate) fn explain(error: &rusqlite::Error) -> String {
    match remedy(error) {
        Some(remedy) => format!("{remedy} ({error})"),
        None => error.to_string(),
    }
}

/// What helps against an error of SQLite, if that is known.
fn remedy(error: &rusqlite::Error) -> Option<&'static str> {
    match error.sqlite_error_code()? {
        ErrorCode::DiskFull => Some("the disk is full: make room"),
        ErrorCode::ReadOnly => Some("the file or its directory is read-only: make it writable"),
        ErrorCode::CannotOpen => {
            Some("the file can't be opened: check that its directory exists and is writable")
        }
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            Some("another program holds a lock on the file: end it, or have it read and not write")
        }
        ErrorCode::SystemIoFailure => Some("the disk failed: look at the kernel's log"),
        ErrorCode::PermissionDenied => Some("permission denied: whose file is it?"),
        _ => None,
    }
}

/// Work on a SQLite file was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SqliteFailed {
    /// SQLite refused, and it is known what helps.
    #[error("{remedy}")]
    Remediable { remedy: &'static str, source: Said },
    /// SQLite refused.
    #[error(transparent)]
    Other(Said),
    /// Every connection is taken.
    #[error("no connection is free")]
    NoConnection,
    /// The pool of connections was closed.
    #[error(transparent)]
    Closed(#[from] AcquireError),
    /// The thread that did the work ended before it was done.
    #[error(transparent)]
    Ended(#[from] JoinError),
}

/// What SQLite said. It has no source: the one that rusqlite gives says the same again.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Said(rusqlite::Error);

impl From<rusqlite::Error> for SqliteFailed {
    fn from(error: rusqlite::Error) -> Self {
        match remedy(&error) {
            Some(remedy) => Self::Remediable { remedy, source: Said(error) },
            None => Self::Other(Said(error)),
        }
    }
}

/// What the file system said, with the remedy where there is one.
pub(crate) fn explain_io(error: &std::io::Error) -> String {
    let remedy = match error.kind() {
        std::io::ErrorKind::PermissionDenied => {
            "permission denied: make its directory writable, or choose another with --data-dir"
        }
        std::io::ErrorKind::ReadOnlyFilesystem => {
            "the file system is read-only: choose another directory with --data-dir"
        }
        std::io::ErrorKind::StorageFull => "the disk is full: make room",
        std::io::ErrorKind::NotFound => {
            "its directory does not exist: create it, or choose another with --data-dir"
        }
        _ => return error.to_string(),
    };
    remedy.to_owned()
}
