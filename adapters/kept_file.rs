//! Small things that are kept in a file between two runs, and can be done without.

use std::io::Write;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ownership::create_private;

/// What is in the file; nothing where it can't be read.
pub(crate) fn load<T: DeserializeOwned + Default>(path: &Path) -> T {
    let kept = std::fs::read(path).ok().and_then(|json| serde_json::from_slice(&json).ok());
    kept.unwrap_or_default()
}

/// Puts this in place of what was in the file, all of it or nothing.
pub(crate) fn save(path: &Path, kept: &impl Serialize) -> std::io::Result<()> {
    let unfinished = path.with_extension("new");
    let json = serde_json::to_vec(kept)?;
    // What a stop in the middle left is in the way of nothing.
    let _ = std::fs::remove_file(&unfinished);
    create_private(&unfinished)?.write_all(&json)?;
    std::fs::rename(unfinished, path)
}
