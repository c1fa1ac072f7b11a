//! The disk that the data is on.

use std::path::Path;

/// The space that work in the background leaves free on the disk, in bytes. The log needs it.
pub(crate) const SPARE: u64 = 1024 * 1024 * 1024;

/// The free bytes on the disk of a directory. `None` if the file system does not say: then a write fails at worst.
pub(crate) fn free_space(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}
