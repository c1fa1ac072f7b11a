//! The owners of the files in the data directory. A command that root runs must leave no file that the server can't use.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::ensure;
use rustix::fs::{Access, access};

use crate::cli::DataDirectory;

impl DataDirectory {
    /// Refuses a data directory with a pipe, a socket or a device in it. Whoever opens one may wait for ever.
    pub(crate) fn refuse_strange_files(&self) -> anyhow::Result<()> {
        match self.strange_files().first() {
            None => Ok(()),
            Some(path) => anyhow::bail!(
                "{} is a pipe, a socket or a device, and no file: move it away, and restore the file if it was one of Loquet's",
                path.display()
            ),
        }
    }

    /// The pipes, sockets and devices in the data directory.
    pub(crate) fn strange_files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.data_dir).into_iter().flatten().flatten();
        let paths = entries.map(|entry| entry.path()).chain([self.server_key()]);
        let is_strange =
            |path: &PathBuf| std::fs::metadata(path).is_ok_and(|held| !held.is_file() && !held.is_dir());
        let strange: BTreeSet<PathBuf> = paths.filter(is_strange).collect();
        strange.into_iter().collect()
    }

    /// Refuses a data directory in which this process can't use something because another user owns it. Root can use
    /// everything.
    pub(crate) fn refuse_files_of_others(&self) -> anyhow::Result<()> {
        let user = rustix::process::geteuid().as_raw();
        let key = self.server_key();
        let key = std::iter::once(key).filter(|key| key.exists());
        for path in std::iter::once(self.data_dir.clone()).chain(self.files_of_stores()).chain(key) {
            let owner = owner_of(&path);
            let remedy = match path.starts_with(&self.data_dir) {
                true => format!("chown -R {user} {}", self.data_dir.display()),
                false => format!("chown {user} {}", path.display()),
            };
            ensure!(
                owner == Some(user) || access(&path, needed(&path)).is_ok(),
                "{path} belongs to another user (number {owner}), and the server, which runs as the user with the number \
                 {user}, can't use it. As root, run `{remedy}`, and start the server again",
                path = path.display(),
                owner = owner.map_or_else(|| "?".to_owned(), |owner| owner.to_string()),
            );
        }
        Ok(())
    }

    /// Returns the files of stores whose owner is not the owner of the data directory. A server that runs as the owner of
    /// the directory may not be able to use them.
    pub(crate) fn files_of_other_owners(&self) -> Vec<PathBuf> {
        let own = owner_of(&self.data_dir).filter(|owner| *owner != 0);
        let mut files = self.files_of_stores();
        files.retain(|file| own.is_some_and(|own| owner_of(file) != Some(own)));
        files
    }

    /// The files in the data directory that nobody but their owner may read. The server key is not among them: it may be elsewhere.
    pub(crate) fn private_files(&self) -> Vec<PathBuf> {
        let mut files = self.files_of_stores();
        files.extend(["dev-token", "proof/signing.key"].map(|name| self.file(name)));
        files.retain(|file| file.exists() && *file != self.server_key());
        files
    }

    /// The files in the data directory that a server needs.
    fn files_of_stores(&self) -> Vec<PathBuf> {
        let ends = [".db", ".db-wal", ".db-shm", ".lock", "server.key"];
        let is_of_a_store = |path: &Path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            ends.iter().any(|end| name.ends_with(end))
        };
        let entries = std::fs::read_dir(&self.data_dir).into_iter().flatten();
        let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.retain(|path| is_of_a_store(path));
        files.sort();
        files
    }
}

/// What a server must be able to do with a file or directory.
fn needed(path: &Path) -> Access {
    match path {
        _ if path.is_dir() => Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK,
        _ if is_database(path) => Access::READ_OK | Access::WRITE_OK,
        _ => Access::READ_OK,
    }
}

/// Whether a file is a database, or one of the files that SQLite has beside it (`-wal`, `-shm`).
fn is_database(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.to_string_lossy().starts_with("db"))
}

/// The number of the user who owns a file or directory. `None` if it can't be looked at.
fn owner_of(path: &Path) -> Option<u32> {
    std::fs::metadata(path).ok().map(|held| std::os::unix::fs::MetadataExt::uid(&held))
}
