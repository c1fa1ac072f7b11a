//! The owner of a file. Root may run a command beside a server that runs as another user. The server must be
//! able to read every file that the command leaves behind.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

/// Makes a new file that only its owner can read. If root makes it in a directory of another user, it belongs to that
/// user.
///
/// # Errors
/// The file system's error. It is an error if the file already exists.
pub fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    if let Err(error) = give_as_its_directory(&file, path) {
        remove_if_there(path)?;
        return Err(error);
    }
    Ok(file)
}

/// Gives a file or directory that root has made the owner and the group of the directory that it is in. Does nothing if
/// another user has made it, or if its directory belongs to root.
///
/// # Errors
/// The file system's error.
pub fn give_as_its_directory(made: &File, path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if made.metadata()?.uid() == 0 {
            let folder = std::fs::metadata(folder)?;
            if folder.uid() != 0 {
                give(made, &folder)?;
            }
        }
    }
    Ok(())
}

/// Gives a file the owner and the group of another file.
///
/// # Errors
/// The file system's error. Only root can change a file's owner.
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

/// Deletes a file. Succeeds if there is no such file.
///
/// # Errors
/// The file system's error.
pub fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
