//! The write-ahead logs of SQLite files: whether one is undamaged, how large they are, and which program keeps them
//! from being copied into their files.
//!
//! The layout follows SQLite's description of its file format, <https://sqlite.org/fileformat2.html> (section 4) and
//! <https://sqlite.org/walformat.html> (section 2).

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use loquet_domain::Moment;
use loquet_files::suffixed;
use loquet_metrics::{AskedMetrics, OfFile};
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rustix::process::{Flock, FlockOffsetType, FlockType, Pid, fcntl_getlk};

use crate::answers::ANSWERS;
use crate::database::{FileError, Kind, explain};
use crate::event_store::LOG;
use crate::key_store::KEYS;
use crate::mail_journal::JOURNAL;
use crate::read_store::VIEWS;
use crate::service_tokens::TOKENS;

/// Every SQLite file of a server.
pub const FILES: [&str; 6] = ["log.db", "keys.db", "reactions.db", "views.db", "tokens.db", "answers.db"];
pub(crate) const KINDS: [&Kind; 6] = [&LOG, &KEYS, &JOURNAL, &VIEWS, &TOKENS, &ANSWERS];

/// From this number of bytes that can't be copied into a file, a warning is logged: 64 MiB. A busy server writes that
/// in minutes; no reader of our own stays so long.
pub const MUCH: u64 = 64 * 1024 * 1024;
/// Below this number of bytes the warning is over: an automatic checkpoint begins from here on.
const LITTLE: u64 = 4 * 1024 * 1024;

/// Bytes before the first frame, of a frame before its page, and of a page.
const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
const PAGE: u64 = 4096;

/// Two running sums, each over all that came before.
type Checksum = (u32, u32);

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let word: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(u32::from_be_bytes(word))
}

fn pair(bytes: &[u8], at: usize) -> Option<(u32, u32)> {
    Some((word(bytes, at)?, word(bytes, at + 4)?))
}

/// How a write-ahead log begins.
struct Beginning {
    page_size: usize,
    salts: (u32, u32),
    checksum: Checksum,
    is_big_endian: bool,
}

impl Beginning {
    fn parse(header: &[u8; HEADER]) -> Option<Self> {
        let (magic, page_size) = (word(header, 0)?, word(header, 8)?);
        let valid =
            magic & !1 == 0x377f_0682 && page_size.is_power_of_two() && (512..=65_536).contains(&page_size);
        let is_big_endian = magic & 1 == 1;
        let checksum = sum(header.get(..HEADER - 8)?, (0, 0), is_big_endian);
        let (salts, page_size) = (pair(header, 16)?, usize::try_from(page_size).ok()?);
        (valid && checksum == pair(header, 24)?).then_some(Self { page_size, salts, checksum, is_big_endian })
    }

    /// The checksum that a frame should hold if it follows a frame with this checksum.
    fn checksum_after(&self, before: Checksum, frame: &[u8]) -> Option<Checksum> {
        let head = sum(frame.get(..8)?, before, self.is_big_endian);
        Some(sum(frame.get(FRAME_HEADER..)?, head, self.is_big_endian))
    }
}

fn sum(bytes: &[u8], from: Checksum, is_big_endian: bool) -> Checksum {
    let number = |bytes: [u8; 4]| match is_big_endian {
        true => u32::from_be_bytes(bytes),
        false => u32::from_le_bytes(bytes),
    };
    let (mut first, mut second) = from;
    for &[a, b, c, d, e, f, g, h] in bytes.as_chunks().0 {
        first = first.wrapping_add(number([a, b, c, d])).wrapping_add(second);
        second = second.wrapping_add(number([e, f, g, h])).wrapping_add(first);
    }
    (first, second)
}

/// Says what was overwritten in the write-ahead log of a file whose every commit is synced. SQLite would drop what
/// follows without an error. Returns `None` if nothing was overwritten. Also returns `None` if it looks like a crash
/// in the middle of the last commit: such a commit was never acknowledged.
///
/// SQLite stops reading at a frame that does not follow from those before it. If two commits come after that frame
/// and follow from one another, the first of them was durable before the second began. So the frame was whole once.
pub(crate) fn damage(database: &Path) -> Option<&'static str> {
    let path = suffixed(database, "-wal");
    for _ in 0..3 {
        let before = header_of(&path)?;
        let found = damage_after(&path, &before);
        // If another program begins the write-ahead log anew meanwhile, parts of two logs are read.
        if header_of(&path) == Some(before) {
            return found;
        }
    }
    None
}

fn header_of(wal: &Path) -> Option<[u8; HEADER]> {
    let mut header = [0; HEADER];
    File::open(wal).ok()?.read_exact(&mut header).ok()?;
    Some(header)
}

fn damage_after(wal: &Path, header: &[u8; HEADER]) -> Option<&'static str> {
    let mut file = BufReader::with_capacity(1 << 18, File::open(wal).ok()?);
    let length = file.get_ref().metadata().ok()?.len();
    let Some(beginning) = Beginning::parse(header) else {
        // The header is synced before the first frame is written.
        let has_frame = length >= u64::try_from(HEADER + FRAME_HEADER).ok()? + PAGE;
        return has_frame.then_some("the beginning of its write-ahead log was overwritten");
    };
    std::io::copy(&mut (&mut file).take(u64::try_from(HEADER).ok()?), &mut std::io::sink()).ok()?;
    let mut frame = vec![0; FRAME_HEADER + beginning.page_size];
    let mut valid = Some(beginning.checksum);
    let (mut before, mut commits): (Option<Checksum>, u32) = (None, 0);
    while file.read_exact(&mut frame).is_ok() {
        let (own, is_of_now) = (pair(&frame, 16)?, pair(&frame, 8)? == beginning.salts);
        let follows = |before| is_of_now && beginning.checksum_after(before, &frame) == Some(own);
        valid = valid.filter(|before| follows(*before)).map(|_| own);
        if valid.is_some() {
            continue;
        }
        if !before.is_some_and(follows) {
            commits = 0;
        }
        let is_commit = word(&frame, 4)? != 0;
        commits += u32::from(is_of_now && is_commit);
        if commits >= 2 {
            return Some("its write-ahead log was overwritten in the middle");
        }
        before = is_of_now.then_some(own);
    }
    None
}

/// What was found of a file's write-ahead log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which file.
    pub file: &'static str,
    /// How large it is on disk, in bytes.
    pub size: u64,
    /// How much of it is not copied into its file, in bytes. It stays small unless a program reads an old state.
    pub held: u64,
    /// Which processes read a state that is older than the newest one.
    pub readers: Vec<Reader>,
}

/// A process that reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    /// Its number.
    pub pid: i32,
    /// Its name, if the system tells it.
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

/// Looks at the write-ahead logs in a folder from outside the server, and asks the system which processes read.
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

/// How many bytes wait to be copied, and which processes read an older state. Both come from the index of the
/// write-ahead log, which is in shared memory, and from the locks on it.
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
        // A process in the first slot reads the file itself, so nothing is copied into the file meanwhile.
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

/// Which other process has a lock on a byte.
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

/// The write-ahead logs of a server, measured from within it at intervals.
pub struct WriteAheadLogs(Vec<Watched>);

struct Watched {
    file: &'static str,
    path: PathBuf,
    connection: Connection,
    /// Since when more is held than a checkpoint leaves behind.
    since: Option<Moment>,
    is_told: bool,
}

impl WriteAheadLogs {
    /// Opens a further connection to each file that is there. These connections never run a checkpoint, not even when
    /// they are closed.
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

    /// Measures each log. Warns once when much can't be copied, and logs when that is over. Blocks.
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
                    tracing::warn!(file = watched.file, why, "its write-ahead log can't be looked at");
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with twelve commits in its write-ahead log, and the place of each frame in it that ends a commit.
    fn twelve_commits(folder: &Path) -> (PathBuf, Vec<u8>, Vec<bool>) {
        let path = folder.join("some.db");
        let connection = Connection::open(&path).unwrap();
        let prepare = "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (data BLOB);";
        connection.execute_batch(prepare).unwrap();
        for commit in 0..11 {
            connection.execute("INSERT INTO t VALUES (randomblob(?))", [commit % 4 * 5000]).unwrap();
        }
        let wal = std::fs::read(suffixed(&path, "-wal")).unwrap();
        let frames = wal[HEADER..].chunks(FRAME_HEADER + 4096).map(|frame| word(frame, 4).unwrap() != 0);
        let ends = frames.collect();
        std::fs::write(folder.join("copy.db"), "").unwrap();
        (folder.join("copy.db"), wal, ends)
    }

    fn damage_of(copy: &Path, wal: &[u8]) -> Option<&'static str> {
        std::fs::write(suffixed(copy, "-wal"), wal).unwrap();
        damage(copy)
    }

    #[test]
    fn a_frame_that_was_overwritten_is_found_wherever_a_later_commit_proves_that_it_was_whole() {
        let folder = tempfile::tempdir().unwrap();
        let (copy, wal, ends) = twelve_commits(folder.path());
        assert_eq!(damage_of(&copy, &wal), None);
        for at in 0..ends.len() {
            let commits = ends[at..].iter().filter(|is_end| **is_end).count();
            let mut damaged = wal.clone();
            damaged[HEADER + at * (FRAME_HEADER + 4096) + FRAME_HEADER + 1000] ^= 1;
            assert_eq!(damage_of(&copy, &damaged).is_some(), commits >= 2, "frame {at}, {commits} commits");
        }
        for byte in [0, 5, 9, 16, 24] {
            let mut damaged = wal.clone();
            damaged[byte] ^= 1;
            assert!(damage_of(&copy, &damaged).is_some(), "byte {byte} of the beginning");
        }
    }

    #[test]
    fn what_a_crash_leaves_behind_is_no_damage() {
        let folder = tempfile::tempdir().unwrap();
        let (copy, wal, ends) = twelve_commits(folder.path());
        for length in (0..wal.len()).step_by(1001) {
            assert_eq!(damage_of(&copy, &wal[..length]), None, "{length} bytes arrived");
        }
        let last = ends[..ends.len() - 1].iter().rposition(|is_end| *is_end).unwrap() + 1;
        let pages = 1 + (ends.len() - last) * (FRAME_HEADER + 4096) / 4096;
        for hole in 0..pages {
            let mut torn = wal.clone();
            let from = HEADER + last * (FRAME_HEADER + 4096) + hole * 4096;
            torn.iter_mut().skip(from).take(4096).for_each(|byte| *byte = 0);
            assert_eq!(damage_of(&copy, &torn), None, "page {hole} of the last commit did not arrive");
        }
    }
}
