//! Backups: copies of the data files, taken while a server runs. Each copy shows its file at one moment.
//!
//! The log is copied first, so the files copied after it are at least as new. The mail journal must be newer
//! so that a restored server does not send mails twice. The keys must be newer so that every event in the log
//! can be read. Read models are left out, because they can be built from the log. The server key is never
//! part of a backup.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use loquet_crypto::server_key::{Fingerprint, KeyFile, ServerKeyError};
use loquet_domain::Moment;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::database::{FileError, Kind, copy_to, explain, explain_io};
use crate::event_store::{LOG, check_all};
use crate::key_store::{KEYS, wrapped_by};
use crate::mail_journal::JOURNAL;
use crate::service_tokens::TOKENS;
use crate::webhooks::WEBHOOKS;
use crate::write_ahead_log;
use loquet_files::{remove_if_there, suffixed};

/// The files of a backup, in the order in which they are copied.
const FILES: [(&str, &Kind); 5] = [
    ("log.db", &LOG),
    ("reactions.db", &JOURNAL),
    ("keys.db", &KEYS),
    ("tokens.db", &TOKENS),
    ("webhooks.db", &WEBHOOKS),
];
/// The file that describes a backup. It is written last: a backup without it is not complete.
const MANIFEST: &str = "backup.json";
const FORMAT: u32 = 1;
/// The files and folders in a server's data directory, without the server key. Each `.db` file may have
/// further files of its name beside it.
const KEPT: [&str; 12] = [
    "log.db",
    "reactions.db",
    "keys.db",
    "tokens.db",
    "webhooks.db",
    "views.db",
    "answers.db",
    "strangers.json",
    "sessions.json",
    "clock.json",
    "dev-token",
    "mail",
];

/// Whether the account keys are part of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// The keys are included.
    Included,
    /// The keys are kept separately. A backup that includes them can bring back erased data.
    Separate,
}

/// A backup could not be taken, checked or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A data file can't be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// A folder or file can't be used.
    #[error("can't use {path}: {why}")]
    Unusable {
        /// The folder or file.
        path: PathBuf,
        /// The reason.
        why: String,
    },
    /// There is no backup.
    #[error("there is no backup in {0}: a complete backup has a file backup.json")]
    NoBackup(PathBuf),
    /// The target of the backup is not empty.
    #[error("{0} is not empty: choose a directory that is empty or does not exist yet")]
    Occupied(PathBuf),
    /// The target of the restore still holds data of a server. It would be mixed with the restored data.
    #[error("{folder} still holds {}: move that away, or choose another directory with --data-dir", names.join(", "))]
    InTheWay {
        /// The folder.
        folder: PathBuf,
        /// The names of what it holds.
        names: Vec<String>,
    },
    /// The keys in the copy would need a server key that the running rotation is about to remove.
    #[error("the server key is being rotated: let `loquet keys rotate` end, and take the backup again")]
    Rotating,
    /// A server could not read the restored data.
    #[error(
        "these keys need the server key {needed}, and {path} holds {held}: give the newest keys.db with --keys, or put \
         back the server key of that time"
    )]
    OtherServerKey {
        /// The file of the server key.
        path: PathBuf,
        /// The fingerprint of the key in that file.
        held: Fingerprint,
        /// The fingerprint of the server key that the account keys are wrapped with.
        needed: Fingerprint,
    },
    /// The server key in place can't be used.
    #[error(transparent)]
    ServerKey(#[from] ServerKeyError),
    /// A file of the backup has changed since the backup was taken.
    #[error("{path} is not as it was backed up: {why}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// The description of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    format: u32,
    /// The version of Loquet that took it.
    pub version: String,
    /// When it was taken.
    pub taken_at: Moment,
    /// The position of the last event.
    pub position: u64,
    /// The server key that wrapped the account keys at that time. A rotation replaces it. `None` in old
    /// backups.
    #[serde(default)]
    pub server_key: Option<Fingerprint>,
    files: BTreeMap<String, FileEntry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct FileEntry {
    bytes: u64,
    sha256: String,
}

impl Manifest {
    /// Returns whether the account keys are included.
    #[must_use]
    pub fn has_keys(&self) -> bool {
        self.files.contains_key("keys.db")
    }

    /// Returns the total size of its files, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.values().map(|file| file.bytes).sum()
    }
}

/// The result of a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The backup's description.
    pub manifest: Manifest,
    /// The server key that the restored data needs, if it is known.
    pub server_key: Option<Fingerprint>,
}

/// Copies the data in `folder` to `to`, which must be empty or not exist yet. Reports each file when its copying
/// begins.
///
/// # Errors
/// [`BackupError`]. What was written so far is deleted, because it may include keys.
pub fn take(
    folder: &Path,
    to: &Path,
    keys: Keys,
    version: &str,
    now: Moment,
    begin: impl FnMut(&str),
) -> Result<Manifest, BackupError> {
    make_empty(to)?;
    let taken = copy(folder, to, keys, begin).and_then(|files| {
        let server_key = wrapped_in(&files, to, folder)?;
        describe_all(
            Manifest {
                server_key,
                files,
                format: FORMAT,
                version: version.to_owned(),
                taken_at: now,
                position: 0,
            },
            to,
        )
    });
    if taken.is_err() {
        delete(to)?;
    }
    taken
}

fn copy(
    folder: &Path,
    to: &Path,
    keys: Keys,
    mut begin: impl FnMut(&str),
) -> Result<BTreeMap<String, FileEntry>, BackupError> {
    let mut files = BTreeMap::new();
    for (name, kind) in FILES {
        let path = folder.join(name);
        let wanted = name != "keys.db" || keys == Keys::Included;
        if !wanted || (!path.exists() && name != "log.db") {
            continue;
        }
        begin(name);
        let copy = to.join(name);
        let reader = kind.open_reader(&path)?;
        copy_to(&reader, &copy)?;
        if name == "keys.db" && is_being_rotated(&kind.open_to_look(&copy)?, &copy)? {
            return Err(BackupError::Rotating);
        }
        files.insert(name.to_owned(), describe(&copy)?);
    }
    Ok(files)
}

/// Writes the description of the backup.
fn describe_all(copied: Manifest, to: &Path) -> Result<Manifest, BackupError> {
    let log = to.join("log.db");
    let position = last_position(&LOG.open_to_look(&log)?, &log)?;
    let manifest = Manifest { position, ..copied };
    let path = to.join(MANIFEST);
    let json = serde_json::to_vec_pretty(&manifest).unwrap_or_default();
    let written = std::fs::write(&path, json).and_then(|()| File::open(&path)?.sync_all());
    written.and_then(|()| File::open(to)?.sync_all()).map_err(|e| unusable(&path, &e))?;
    Ok(manifest)
}

/// Checks that a backup is complete: every file is as it was written, SQLite finds no damage, and the log has
/// no gaps.
///
/// # Errors
/// [`BackupError`] names the file and what is wrong with it.
pub fn check(from: &Path) -> Result<Manifest, BackupError> {
    let path = from.join(MANIFEST);
    let damaged = |why: String| BackupError::Damaged { path: path.clone(), why };
    let json = std::fs::read(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => BackupError::NoBackup(from.to_owned()),
        _ => unusable(&path, &error),
    })?;
    let manifest: Manifest = serde_json::from_slice(&json).map_err(|e| damaged(e.to_string()))?;
    if manifest.format != FORMAT {
        return Err(damaged(format!("its format is {}, this version knows {FORMAT}", manifest.format)));
    }
    for (name, kind) in FILES {
        let Some(entry) = manifest.files.get(name) else { continue };
        let path = from.join(name);
        if describe(&path)? != *entry {
            let why = "its size or its SHA-256 is another".to_owned();
            return Err(BackupError::Damaged { path, why });
        }
        is_sound(&kind.open_to_look(&path)?, &path)?;
    }
    let log = from.join("log.db");
    let whole = manifest.files.contains_key("log.db");
    if !whole || last_position(&LOG.open_to_look(&log)?, &log)? != manifest.position {
        return Err(BackupError::Damaged { path: log, why: "it does not end where it should".to_owned() });
    }
    Ok(manifest)
}

/// Checks that SQLite finds no damage in a log, that no event is missing, and that events follow from one another. A
/// server may be writing to the log.
///
/// # Errors
/// [`BackupError`] says what is wrong with it.
pub fn check_log(path: &Path) -> Result<(), BackupError> {
    let log = LOG.open_reader(path)?;
    LOG.refuse_any_damage(&log, path)?;
    last_position(&log, path)?;
    Ok(check_all(&log, path)?)
}

/// Checks that SQLite finds no damage in the other files of a data directory. A server may be writing to them.
///
/// # Errors
/// [`BackupError`] names the damaged file.
pub fn check_files(folder: &Path) -> Result<(), BackupError> {
    for (name, kind) in write_ahead_log::FILES.into_iter().zip(write_ahead_log::KINDS) {
        let path = folder.join(name);
        if path.exists() && name != "log.db" {
            kind.refuse_any_damage(&kind.open_reader(&path)?, &path)?;
        }
    }
    Ok(())
}

/// Restores a backup into a data directory, after checking it completely. The directory may hold a server key
/// and nothing else of a server. If `keys` is given, the account keys come from there. If there is a server
/// key at `server_key`, the account keys must match it. The log is copied last, so an interrupted restore
/// leaves nothing that a server would take for data.
///
/// # Errors
/// [`BackupError`]. No existing file is overwritten, and what was restored so far is deleted.
pub fn restore(
    from: &Path,
    folder: &Path,
    keys: Option<&Path>,
    server_key: &Path,
) -> Result<Restored, BackupError> {
    let manifest = check(from)?;
    let keys_of = match keys {
        // This may be the file of a running server that writes to it.
        Some(path) => Some((KEYS.open_reader(path)?, path.to_owned())),
        None if manifest.has_keys() => {
            Some((KEYS.open_to_look(&from.join("keys.db"))?, from.join("keys.db")))
        }
        None => None,
    };
    let needed = match &keys_of {
        Some((found, path)) => {
            is_sound(found, path)?;
            let needed = wrapped(found, path)?;
            refuse_other_key(needed.as_ref(), server_key)?;
            needed
        }
        // An operator may put newer keys in place by hand. They may need another server key.
        None => manifest.server_key.clone(),
    };
    refuse_left_overs(folder)?;
    let put = put(&manifest, from, folder, keys);
    if put.is_err() {
        delete(folder)?;
    }
    put.map(|()| Restored { manifest, server_key: needed })
}

/// Returns the server key that wraps the copied account keys. If no keys were copied, returns the one for the
/// keys in the data directory.
fn wrapped_in(
    files: &BTreeMap<String, FileEntry>,
    to: &Path,
    folder: &Path,
) -> Result<Option<Fingerprint>, BackupError> {
    let (copy, own) = (to.join("keys.db"), folder.join("keys.db"));
    if files.contains_key("keys.db") {
        return wrapped(&KEYS.open_to_look(&copy)?, &copy);
    }
    if !own.exists() {
        return Ok(None);
    }
    wrapped(&KEYS.open_reader(&own)?, &own)
}

fn wrapped(keys: &Connection, path: &Path) -> Result<Option<Fingerprint>, BackupError> {
    wrapped_by(keys).map_err(|e| BackupError::Damaged { path: path.to_owned(), why: explain(&e) })
}

/// Refuses a server key that does not match. If there is no server key yet, the operator can still put the
/// right one in place.
fn refuse_other_key(needed: Option<&Fingerprint>, server_key: &Path) -> Result<(), BackupError> {
    let Some(needed) = needed.filter(|_| server_key.exists()) else { return Ok(()) };
    let file = KeyFile::load(server_key)?;
    if file.keys().any(|key| Fingerprint::from(key) == *needed) {
        return Ok(());
    }
    let held = Fingerprint::from(&file.newest);
    Err(BackupError::OtherServerKey { path: server_key.to_owned(), held, needed: needed.clone() })
}

fn put(manifest: &Manifest, from: &Path, folder: &Path, keys: Option<&Path>) -> Result<(), BackupError> {
    for (name, kind) in FILES.iter().rev() {
        let reader = match (*name, keys) {
            ("keys.db", Some(keys)) => kind.open_reader(keys)?,
            (name, _) if manifest.files.contains_key(name) => kind.open_to_look(&from.join(name))?,
            _ => continue,
        };
        let target = folder.join(name);
        copy_to(&reader, &target)?;
    }
    let log = folder.join("log.db");
    if last_position(&LOG.open_as_it_is(&log)?, &log)? != manifest.position {
        let why = "restored, it does not end where the backup does".to_owned();
        return Err(BackupError::Damaged { path: log, why });
    }
    Ok(())
}

/// Refuses a folder that holds files of a server. A leftover write-ahead log would be read as part of a
/// restored file, and stored answers could name events that the restored log does not have.
fn refuse_left_overs(folder: &Path) -> Result<(), BackupError> {
    let entries = std::fs::read_dir(folder).map_err(|e| unusable(folder, &e))?;
    let names: Result<Vec<_>, _> = entries.map(|entry| entry.map(|entry| entry.file_name())).collect();
    let names = names.map_err(|e| unusable(folder, &e))?;
    let is_kept = |name: &String| {
        let of = |kept: &&str| {
            name.strip_prefix(kept).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '.']))
        };
        KEPT.iter().any(of)
    };
    let mut names: Vec<String> =
        names.into_iter().filter_map(|name| name.into_string().ok()).filter(is_kept).collect();
    names.sort();
    if names.is_empty() { Ok(()) } else { Err(BackupError::InTheWay { folder: folder.to_owned(), names }) }
}

/// Deletes what was copied into a folder. The folder held none of these files before.
fn delete(folder: &Path) -> Result<(), BackupError> {
    let copies = FILES.iter().map(|(name, _)| folder.join(name)).chain([folder.join(MANIFEST)]);
    for copy in copies {
        for left in [suffixed(&copy, ".new"), suffixed(&copy, "-wal"), suffixed(&copy, "-shm"), copy] {
            remove_if_there(&left).map_err(|e| unusable(&left, &e))?;
        }
    }
    Ok(())
}

/// Makes a folder that only its owner can read. Accepts an existing folder if it is empty.
fn make_empty(folder: &Path) -> Result<(), BackupError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|e| unusable(folder, &e))?;
    let mut entries = std::fs::read_dir(folder).map_err(|e| unusable(folder, &e))?;
    match entries.next() {
        None => Ok(()),
        Some(_) => Err(BackupError::Occupied(folder.to_owned())),
    }
}

fn describe(path: &Path) -> Result<FileEntry, BackupError> {
    let read = || {
        let mut file = File::open(path)?;
        let (mut digest, mut bytes, mut buffer) = (Sha256::new(), 0_u64, vec![0; 1024 * 1024]);
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            digest.update(buffer.get(..read).unwrap_or_default());
            bytes += u64::try_from(read).unwrap_or(0);
        }
        let sha256 = base16ct::lower::encode_string(&digest.finalize());
        Ok(FileEntry { bytes, sha256 })
    };
    read().map_err(|e| unusable(path, &e))
}

/// Checks that SQLite finds no damage in a file.
fn is_sound(found: &Connection, path: &Path) -> Result<(), BackupError> {
    let damaged = |why: String| BackupError::Damaged { path: path.to_owned(), why };
    let said: String =
        found.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(|e| damaged(explain(&e)))?;
    if said == "ok" { Ok(()) } else { Err(damaged(said)) }
}

/// Returns the last position of a log. Fails if the log has gaps.
fn last_position(log: &Connection, path: &Path) -> Result<u64, BackupError> {
    let damaged = |why: String| BackupError::Damaged { path: path.to_owned(), why };
    let query = "SELECT count(*), coalesce(max(position), 0) FROM events";
    let (count, last): (u64, u64) =
        log.query_row(query, [], |row| Ok((row.get(0)?, row.get(1)?))).map_err(|e| damaged(explain(&e)))?;
    if count == last {
        Ok(last)
    } else {
        Err(damaged(format!("{} events are missing", last.abs_diff(count))))
    }
}

/// Returns whether some of the keys are still wrapped by the previous server key.
fn is_being_rotated(keys: &Connection, path: &Path) -> Result<bool, BackupError> {
    let count: i64 = keys
        .query_row("SELECT count(*) FROM server", [], |row| row.get(0))
        .map_err(|e| BackupError::Damaged { path: path.to_owned(), why: explain(&e) })?;
    Ok(count > 1)
}

fn unusable(path: &Path, error: &std::io::Error) -> BackupError {
    BackupError::Unusable { path: path.to_owned(), why: explain_io(error) }
}
