//! The files beside a database: its lock, and its copies.

use std::path::{Path, PathBuf};

use loquet_files::{create_private, give, suffixed};
use rusqlite::Connection;

use super::{FileError, explain, explain_io};

/// A lock beside a file, held until what is returned is dropped, and whatever becomes of the process. SQLite's
/// own would keep an auditor's tool out.
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

/// The file of a lock, which whoever may write to the file that it is for can open: a lock needs no more than
/// to read it.
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

/// The copy that is taken of a file before it is upgraded from a version.
pub(super) fn copy_of(path: &Path, version: i64) -> PathBuf {
    suffixed(path, &format!(".v{version}"))
}

/// Copies a database as it is at one moment, whoever writes to it meanwhile, into a new file that only
/// its owner can read, and has it on disk before it says so.
pub(crate) fn copy_to(connection: &Connection, copy: &Path) -> Result<(), FileError> {
    let unusable = |why: String| FileError::Unusable { path: copy.to_owned(), why };
    let of_files = |error: std::io::Error| unusable(explain_io(&error));
    let of_sqlite = |error: rusqlite::Error| unusable(explain(&error));
    let unfinished = suffixed(copy, ".new");
    drop(std::fs::remove_file(&unfinished));
    create_private(&unfinished).map(drop).map_err(of_files)?;
    let mut target = Connection::open(&unfinished).map_err(of_sqlite)?;
    // One step holds one view of the source; several would begin anew with each write to it.
    let copied = rusqlite::backup::Backup::new(connection, &mut target).and_then(|backup| backup.step(-1));
    copied.map_err(of_sqlite)?;
    drop(target);
    let synced = std::fs::File::open(&unfinished).and_then(|file| file.sync_all());
    synced.and_then(|()| std::fs::rename(&unfinished, copy)).map_err(of_files)?;
    let folder = copy.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(of_files)
}
