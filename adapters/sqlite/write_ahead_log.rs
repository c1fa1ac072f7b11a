//! The write-ahead logs of a server's files: how large they are, and which program prevents copying them into
//! their files.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use loquet_domain::Moment;
use loquet_files::suffixed;
use loquet_metrics::{AskedMetrics, OfFile};
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rustix::process::{Flock, FlockOffsetType, FlockType, Pid, fcntl_getlk};

use crate::answers::ANSWERS;
use crate::database::wal::{PAGE, word};
use crate::database::{FileError, Kind, explain};
use crate::event_store::LOG;
use crate::key_store::KEYS;
use crate::mail_journal::JOURNAL;
use crate::read_store::VIEWS;
use crate::service_tokens::TOKENS;
use crate::webhooks::WEBHOOKS;

/// Every SQLite file of a server.
pub const FILES: [&str; 7] =
    ["log.db", "keys.db", "reactions.db", "views.db", "tokens.db", "answers.db", "webhooks.db"];
pub(crate) const KINDS: [&Kind; 7] = [&LOG, &KEYS, &JOURNAL, &VIEWS, &TOKENS, &ANSWERS, &WEBHOOKS];

/// A warning is logged if this number of bytes can't be copied into a file: 64 MiB. A busy server writes that
/// in minutes, and no reader of the server runs so long.
pub const MUCH: u64 = 64 * 1024 * 1024;
/// Below this number of bytes, the warning ends. An automatic checkpoint begins at this size.
const LITTLE: u64 = 4 * 1024 * 1024;

/// The state of a file's write-ahead log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The file's name.
    pub file: &'static str,
    /// Its size on disk, in bytes.
    pub size: u64,
    /// The part that is not copied into its file, in bytes. It stays small unless a program reads an old
    /// state.
    pub held: u64,
    /// The processes that read a state older than the newest one.
    pub readers: Vec<Reader>,
}

/// A process that reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    /// Its process id.
    pub pid: i32,
    /// Its name, if the system gives it.
    pub name: Option<String>,
}

impl std::fmt::Display for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.name {
            Some(name) => write!(f, "process {} ({name})", self.pid),
            None => write!(f, "process {}", self.pid),
        }
    }
}

fn size_of(database: &Path) -> u64 {
    std::fs::metadata(suffixed(database, "-wal")).map_or(0, |wal| wal.len())
}

fn bytes_of(frames: u64) -> u64 {
    frames.saturating_mul(PAGE + 24)
}

/// Examines the write-ahead logs in a folder from outside the server, and asks the system which processes
/// read.
///
/// Call it only in a process that has none of these files open: when a process closes a file, the system drops all of
/// its locks on that file, also those of SQLite.
#[must_use]
pub fn look_from_beside(folder: &Path) -> Vec<Found> {
    let look = |file| {
        let database = folder.join(file);
        let (held, readers) = readers_of(&database).unwrap_or_default();
        Found { file, size: size_of(&database), held, readers }
    };
    FILES.into_iter().map(look).collect()
}

/// Returns how many bytes can't be copied yet, and which processes read an older state. Both come from the
/// index of the write-ahead log, which is in shared memory, and from the locks on it.
fn readers_of(database: &Path) -> Option<(u64, Vec<Reader>)> {
    let mut index = File::open(suffixed(database, "-shm")).ok()?;
    let mut bytes = [0; 136];
    index.read_exact(&mut bytes).ok()?;
    // In the byte order of the machine.
    let number = |at: usize| word(&bytes, at).map(|word| u32::from_ne_bytes(word.to_be_bytes()));
    let (last, copied) = (number(16)?, number(96)?);
    let mut readers = Vec::new();
    for slot in 0..5_u8 {
        let state = number(100 + 4 * usize::from(slot))?;
        // A process in the first slot reads the file itself, so nothing can be copied into the file
        // meanwhile.
        if slot > 0 && state >= last {
            continue;
        }
        if let Some(pid) = holder(&index, 123 + u64::from(slot)) {
            let pid = pid.as_raw_nonzero().get();
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok();
            let reader = Reader { pid, name: name.map(|name| name.trim().to_owned()) };
            if !readers.contains(&reader) {
                readers.push(reader);
            }
        }
    }
    Some((bytes_of(u64::from(last.saturating_sub(copied))), readers))
}

/// Returns another process that has a lock on a byte.
fn holder(file: &File, byte: u64) -> Option<Pid> {
    let wanted = Flock {
        start: byte,
        length: 1,
        pid: None,
        typ: FlockType::WriteLock,
        offset_type: FlockOffsetType::Set,
    };
    fcntl_getlk(file, &wanted).ok().flatten()?.pid
}

/// Measures a server's write-ahead logs at intervals, from within the server.
pub struct WriteAheadLogs(Vec<Watched>);

struct Watched {
    file: &'static str,
    path: PathBuf,
    connection: Connection,
    /// Since when more bytes are held than a checkpoint leaves behind.
    since: Option<Moment>,
    is_told: bool,
}

impl WriteAheadLogs {
    /// Opens another connection to each file that exists. These connections never run a checkpoint, not even
    /// when they are closed.
    ///
    /// # Errors
    /// [`FileError`] names the file.
    pub fn open(folder: &Path) -> Result<Self, FileError> {
        let mut watched = Vec::new();
        for (file, kind) in FILES.into_iter().zip(KINDS) {
            let path = folder.join(file);
            if !path.exists() {
                continue;
            }
            let connection = kind.open_as_it_is(&path)?;
            connection
                .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
                .map_err(|e| kind.unusable(&path, &e))?;
            watched.push(Watched { file, path, connection, since: None, is_told: false });
        }
        Ok(Self(watched))
    }

    /// Measures each log. Logs a warning once when much can't be copied, and a message when that ends.
    /// Blocks.
    pub fn look(&mut self, now: Moment, metrics: &AskedMetrics) {
        for watched in &mut self.0 {
            let of = OfFile { file: watched.file.to_owned() };
            let gauge = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
            metrics.wal.get_or_create(&of).set(gauge(size_of(&watched.path)));
            match watched.held() {
                Ok(held) => {
                    metrics.wal_held.get_or_create(&of).set(gauge(held));
                    watched.judge(held, now);
                }
                Err(error) => {
                    let why = explain(&error);
                    tracing::warn!(file = watched.file, why, "its write-ahead log can't be examined");
                }
            }
        }
    }
}

impl Watched {
    fn held(&self) -> rusqlite::Result<u64> {
        let frames = self.connection.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| {
            Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        });
        let (written, copied) = frames?;
        Ok(bytes_of(u64::try_from(written - copied).unwrap_or(0)))
    }

    fn judge(&mut self, held: u64, now: Moment) {
        if held < LITTLE {
            self.since = None;
            if std::mem::take(&mut self.is_told) {
                tracing::info!(file = self.file, "its write-ahead log is copied into it again");
            }
            return;
        }
        let since = *self.since.get_or_insert(now);
        if held > MUCH && !std::mem::replace(&mut self.is_told, true) {
            tracing::warn!(
                file = self.file,
                mebibytes = held / 1024 / 1024,
                %since,
                "its write-ahead log grows: a program reads an old state of it, or copying fails; \
                 `loquet doctor` says who it is"
            );
        }
    }
}
