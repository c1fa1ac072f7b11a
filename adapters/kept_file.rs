//! Small things that are kept in a file between two runs, and can be done without.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// What is in the file; nothing where it can't be read.
pub(crate) fn load<T: DeserializeOwned + Default>(path: &Path) -> T {
    let kept = std::fs::read(path).ok().and_then(|json| serde_json::from_slice(&json).ok());
    kept.unwrap_or_default()
}

/// Puts this in place of what was in the file, all of it or nothing.
pub(crate) fn save(path: &Path, kept: &impl Serialize) -> std::io::Result<()> {
    let unfinished = path.with_extension("new");
    std::fs::write(&unfinished, serde_json::to_vec(kept)?)?;
    std::fs::rename(unfinished, path)
}
