//! Files: how private files are made, how one file replaces another in one step, and snapshot files of what
//! is in memory.
#![forbid(unsafe_code)]

mod ownership;
pub mod snapshot_file;

use std::path::{Path, PathBuf};

pub use ownership::{create_private, give, give_as_its_directory, remove_if_there};

/// Returns the path of a file beside another: its name with a suffix added.
#[must_use]
pub fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
