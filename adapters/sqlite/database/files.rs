//! The files beside a database: its lock file and its copies.

use std::path::{Path, PathBuf};

use loquet_files::{create_private, give, suffixed};
use rusqlite::Connection;

use super::{FileError, explain, explain_io};

/// Locks a file by a lock file beside it. The lock is held until the returned file is dropped; the system
/// releases it if the process dies. SQLite's own lock would prevent an auditor from reading the file.
pub(crate) fn lock_beside(path: &Path, suffix: &str) -> Result<std::fs::File, FileError> {
    let name = suffixed(path, suffix);
    let unusable = |e: std::io::Error| FileError::Unusable { path: name.clone(), why: explain_io(&e) };
    let file = lock_file(&name, path).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(FileError::InUse(path.to_owned())),
        Err(std::fs::TryLockError::Error(e)) => Err(unusable(e)),
    }
}

/// Opens the lock file, or makes it with the owner of the file that it protects. Opening it needs only the
/// right to read.
fn lock_file(name: &Path, of: &Path) -> std::io::Result<std::fs::File> {
    match create_private(name) {
        Ok(file) => {
            if let Ok(like) = std::fs::metadata(of) {
                give(&file, &like)?;
            }
            Ok(file)
        }
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => std::fs::File::open(name),
        Err(e) => Err(e),
    }
}

/// Returns the name of the copy that is taken before a file is upgraded from this version.
pub(super) fn copy_of(path: &Path, version: i64) -> PathBuf {
    suffixed(path, &format!(".v{version}"))
}

/// Copies a database into a new file that only its owner can read. The copy shows the database at one moment,
/// even if other processes write to it. When this returns, the copy is on disk.
pub(crate) fn copy_to(connection: &Connection, copy: &Path) -> Result<(), FileError> {
    let unusable = |why: String| FileError::Unusable { path: copy.to_owned(), why };
    let of_files = |error: std::io::Error| unusable(explain_io(&error));
    let of_sqlite = |error: rusqlite::Error| unusable(explain(&error));
    let unfinished = suffixed(copy, ".new");
    drop(std::fs::remove_file(&unfinished));
    create_private(&unfinished).map(drop).map_err(of_files)?;
    let mut target = Connection::open(&unfinished).map_err(of_sqlite)?;
    // One step reads one state of the source. Several steps would start again at each write to it.
    let copied = rusqlite::backup::Backup::new(connection, &mut target).and_then(|backup| backup.step(-1));
    copied.map_err(of_sqlite)?;
    drop(target);
    let synced = std::fs::File::open(&unfinished).and_then(|file| file.sync_all());
    synced.and_then(|()| std::fs::rename(&unfinished, copy)).map_err(of_files)?;
    let folder = copy.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(of_files)
}
