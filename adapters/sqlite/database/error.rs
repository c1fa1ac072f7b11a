//! The errors of database files, with a remedy where one is known.

use std::path::PathBuf;

use rusqlite::ErrorCode;
use tokio::sync::AcquireError;
use tokio::task::JoinError;

/// A database file that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file is of another kind.
    #[error(
        "{path} is not {what}, or its beginning was overwritten: move it away and restore the right one, or choose \
         another folder with --data-dir"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The kind of file that was expected.
        what: &'static str,
    },
    /// A newer version of Loquet wrote the file.
    #[error(
        "{path} was written by a newer version of Loquet (format {found}, this one knows {known}): upgrade"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The file's format.
        found: i64,
        /// The newest format that this version knows.
        known: i64,
    },
    /// The file is shorter than its header says, or its pages contradict one another.
    #[error("{path} is damaged ({how}): {remedy}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is damaged.
        how: String,
        /// How to repair it.
        remedy: &'static str,
    },
    /// An older version of Loquet wrote the file. It was opened for reading only, so it can't be upgraded.
    #[error("{0} has an older format: start the server once, which upgrades it after taking a copy")]
    Older(PathBuf),
    /// Another process has the file open.
    #[error(
        "{0} is in use by another Loquet process: stop that one, or use another directory with --data-dir"
    )]
    InUse(PathBuf),
    /// An old copy of keys was left behind. It would bring back erased data.
    #[error("{copy} is a left-over copy of keys and can't be deleted ({why}): delete it")]
    CopyOfKeys {
        /// The file.
        copy: PathBuf,
        /// The file system's error.
        why: String,
    },
    /// SQLite or the file system reported an error.
    #[error("can't use {path}: {why}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// The error.
        why: String,
    },
}

/// Returns SQLite's error text, with the remedy if one is known.
pub(crate) fn explain(error: &rusqlite::Error) -> String {
    match remedy(error) {
        Some(remedy) => format!("{remedy} ({error})"),
        None => error.to_string(),
    }
}

/// Returns the remedy for an error of SQLite, if one is known.
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

/// An operation on a SQLite file failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SqliteFailed {
    /// SQLite reported an error with a known remedy.
    #[error("{remedy}")]
    Remediable { remedy: &'static str, source: Said },
    /// SQLite reported an error.
    #[error(transparent)]
    Other(Said),
    /// All connections are in use.
    #[error("no connection is free")]
    NoConnection,
    /// The connection pool was closed.
    #[error(transparent)]
    Closed(#[from] AcquireError),
    /// The thread ended before the work was done.
    #[error(transparent)]
    Ended(#[from] JoinError),
}

/// SQLite's error text. It has no source, because the source that rusqlite gives repeats the same text.
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

/// Returns the file system's error text, with the remedy if one is known.
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
