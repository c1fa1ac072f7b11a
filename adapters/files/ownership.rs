//! Whose a file is. A command that root runs beside a server of another user must leave nothing behind
//! that this one can't read.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

/// A new file that its owner alone can read.
///
/// # Errors
/// What the file system said; a file of that name is one.
pub fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Gives a file to the owner and the group that another has.
///
/// # Errors
/// What the file system said: only root gives files away.
pub fn give(file: &File, like: &Metadata) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};
        let own = file.metadata()?;
        if (own.uid(), own.gid()) != (like.uid(), like.gid()) {
            fchown(file, Some(like.uid()), Some(like.gid()))?;
        }
    }
    Ok(())
}

/// Deletes a file; none there is as good.
///
/// # Errors
/// What the file system said.
pub fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
