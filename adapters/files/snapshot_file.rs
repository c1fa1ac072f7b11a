//! Small files that keep some state from one run to the next. The program also works without them.

use std::io::{ErrorKind, Write};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::create_private;

/// Reads the content of the snapshot file. Returns the default if there is no file, or if it can't be read; the latter
/// is logged as a warning.
pub fn load<T: DeserializeOwned + Default>(path: &Path) -> T {
    let kept = match std::fs::read(path) {
        Ok(json) => serde_json::from_slice(&json).map_err(std::io::Error::from),
        Err(error) if error.kind() == ErrorKind::NotFound => return T::default(),
        Err(error) => Err(error),
    };
    kept.unwrap_or_else(|error| {
        tracing::warn!(file = %path.display(), %error, "snapshot file can't be read: starting without its content");
        T::default()
    })
}

/// Replaces the content of the file in one step. After a failure, the old content is still there.
///
/// # Errors
/// The file system's error.
pub fn save(path: &Path, kept: &impl Serialize) -> std::io::Result<()> {
    let unfinished = path.with_extension("new");
    let json = serde_json::to_vec(kept)?;
    // Removes a temporary file that an interrupted run may have left behind.
    let _ = std::fs::remove_file(&unfinished);
    create_private(&unfinished)?.write_all(&json)?;
    std::fs::rename(unfinished, path)
}
