//! The heads of all streams, in memory: the position and revision of each stream's last event.
//!
//! The heads are derived from the log. When the log is closed, they are written to a snapshot file beside it,
//! so that the next start need not read the whole log. It reads only the events after the snapshot. A
//! snapshot that does not match the log is ignored.

use std::fs;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use loquet_domain::ports::{Position, Revision, StreamId};
use loquet_files::{create_private, remove_if_there};
use rusqlite::{Connection, OptionalExtension};
use sha2::{Digest, Sha256};

use super::LOG;
use crate::database::FileError;

const MAGIC: &[u8; 8] = b"lqheads2";
/// The bytes of the snapshot's header: its format, the last position, and the id of the event there.
const HEAD: usize = 8 + 8 + 16;
/// The bytes of an entry: a stream's key, position and revision.
const ENTRY: usize = KEY + 8 + 8;
/// The bytes at the snapshot's end: the SHA-256 of everything before.
const DIGEST: usize = 32;
/// If a start had to read more events than this, it writes a new snapshot at once.
const LONG_TAIL: u64 = 100_000;

/// A stream's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) position: Position,
    pub(super) revision: Revision,
}

/// The bytes of a key. Among a thousand million streams, the chance that two have the same 96 bits is 6 · 10⁻¹².
const KEY: usize = 12;

/// The first bytes of the SHA-256 of a stream's name. They take a fifth of the memory that names would take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key([u8; KEY]);

impl Key {
    pub(super) fn of(stream: &str) -> Self {
        let digest = Sha256::digest(stream.as_bytes());
        Self(digest.first_chunk().copied().unwrap_or_default())
    }

    /// Returns the shelf of this key, and the rest of the key, by which the shelf is sorted.
    fn split(self) -> (usize, [u8; KEY - 2]) {
        let [first, second, rest @ ..] = self.0;
        (usize::from(u16::from_be_bytes([first, second])), rest)
    }

    fn joined(shelf: u16, rest: [u8; KEY - 2]) -> Self {
        let mut key = [0; KEY];
        let (front, back) = key.split_at_mut(2);
        front.copy_from_slice(&shelf.to_be_bytes());
        back.copy_from_slice(&rest);
        Self(key)
    }
}

pub(super) struct Heads {
    by_stream: RwLock<(Table, Position)>,
}

/// The number of shelves: one for each value of a key's first two bytes.
const SHELVES: usize = 1 << 16;

/// Heads by key. A million accounts have four million streams, so every byte of an entry counts. The first
/// two bytes of a key choose the shelf. The entries of a shelf are sorted, without gaps, and take 19 bytes
/// each. A hash map would leave up to half of its places empty.
struct Table {
    shelves: Vec<Vec<Entry>>,
}

/// The rest of a key, and its head's position and revision. A SQLite file holds at most 2⁴⁸ bytes, and an event takes over
/// 256, so five bytes are enough for the number of any event. Four are enough for the events of one stream.
#[derive(Clone, Copy)]
struct Entry {
    rest: [u8; KEY - 2],
    position: [u8; 5],
    revision: [u8; 4],
}

impl Entry {
    fn new(rest: [u8; KEY - 2], head: Head) -> Self {
        let [_, _, _, position @ ..] = head.position.0.to_be_bytes();
        let [_, _, _, _, revision @ ..] = head.revision.0.to_be_bytes();
        Self { rest, position, revision }
    }

    fn head(&self) -> Head {
        let mut position = [0; 8];
        let [_, _, _, last @ ..] = &mut position;
        *last = self.position;
        let position = Position(u64::from_be_bytes(position));
        Head { position, revision: Revision(u32::from_be_bytes(self.revision).into()) }
    }
}

impl Default for Table {
    fn default() -> Self {
        Self { shelves: vec![Vec::new(); SHELVES] }
    }
}

impl Table {
    fn get(&self, key: Key) -> Option<Head> {
        let (shelf, rest) = key.split();
        let entries = self.shelves.get(shelf)?;
        let at = entries.binary_search_by(|entry| entry.rest.cmp(&rest)).ok()?;
        entries.get(at).map(Entry::head)
    }

    fn insert(&mut self, key: Key, head: Head) {
        let (shelf, rest) = key.split();
        let Some(entries) = self.shelves.get_mut(shelf) else { return };
        let entry = Entry::new(rest, head);
        match entries.binary_search_by(|entry| entry.rest.cmp(&rest)) {
            Ok(at) => entries.iter_mut().skip(at).take(1).for_each(|held| *held = entry),
            Err(at) => {
                if entries.len() == entries.capacity() {
                    // Doubling the capacity would leave a quarter of all places empty.
                    entries.reserve_exact(4 + entries.len() / 8);
                }
                entries.insert(at, entry);
            }
        }
    }

    /// Returns the entries in the order in which inserting them again is fastest.
    fn iter(&self) -> impl Iterator<Item = (Key, Head)> {
        let shelves = (0_u16..=u16::MAX).zip(&self.shelves);
        shelves.flat_map(|(shelf, entries)| {
            entries.iter().map(move |entry| (Key::joined(shelf, entry.rest), entry.head()))
        })
    }
}

impl Heads {
    /// Reads the heads of a log that is opened for writing.
    pub(super) fn open(connection: &Connection, log: &Path) -> Result<Self, FileError> {
        let (heads, noted) = Self::scan(connection, log)?;
        if heads.last().0.saturating_sub(noted.0) > LONG_TAIL {
            heads.note(log, connection);
        }
        Ok(heads)
    }

    /// Reads the heads of a log that is opened for reading.
    pub(super) fn read(connection: &Connection, log: &Path) -> Result<Self, FileError> {
        Ok(Self::scan(connection, log)?.0)
    }

    fn scan(connection: &Connection, log: &Path) -> Result<(Self, Position), FileError> {
        let (mut heads, noted) = noted(log, connection).unwrap_or_default();
        let last = each_after(connection, noted, |key, head| heads.insert(key, head));
        let last = last.map_err(|e| LOG.unreadable(log, &e))?;
        Ok((Self { by_stream: RwLock::new((heads, last)) }, noted))
    }

    pub(super) fn get(&self, stream: &StreamId) -> Option<Head> {
        self.by_key(Key::of(stream.as_str()))
    }

    pub(super) fn by_key(&self, key: Key) -> Option<Head> {
        self.by_stream.read().unwrap_or_else(PoisonError::into_inner).0.get(key)
    }

    /// Returns the last position of the log.
    pub(super) fn last(&self) -> Position {
        self.by_stream.read().unwrap_or_else(PoisonError::into_inner).1
    }

    /// Updates the heads with a batch that is durable.
    pub(super) fn advance(&self, moved: impl IntoIterator<Item = (Key, Head)>, last: Position) {
        let mut heads = self.by_stream.write().unwrap_or_else(PoisonError::into_inner);
        moved.into_iter().for_each(|(key, head)| heads.0.insert(key, head));
        heads.1 = last;
    }

    /// Adds the events of the file that are missing here. Some are missing only if a batch was committed
    /// after all although its result was unknown.
    pub(super) fn catch_up(&self, connection: &Connection) -> rusqlite::Result<()> {
        let known = self.last();
        let mut found = Vec::new();
        let last = each_after(connection, known, |key, head| found.push((key, head)))?;
        if last > known {
            self.advance(found, last);
        }
        Ok(())
    }

    /// Writes the snapshot beside the log. If this fails, the next start takes longer. Nothing else is lost.
    pub(super) fn note(&self, log: &Path, connection: &Connection) {
        let heads = self.by_stream.read().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = write_note(log, connection, &heads.0, heads.1) {
            tracing::warn!(%error, "the heads of the log were not saved; the next start takes longer");
        }
    }
}

/// Calls `tell` for each event after a position, in order, with its stream's key and the head that it makes.
/// Returns the position of the last event.
fn each_after(
    connection: &Connection,
    after: Position,
    mut tell: impl FnMut(Key, Head),
) -> rusqlite::Result<Position> {
    let query = "SELECT position, stream, revision FROM events WHERE position > ? ORDER BY position";
    let mut statement = connection.prepare_cached(query)?;
    let mut rows = statement.query([after.0])?;
    let mut last = after;
    while let Some(row) = rows.next()? {
        last = Position(row.get(0)?);
        tell(Key::of(row.get_ref(1)?.as_str()?), Head { position: last, revision: Revision(row.get(2)?) });
    }
    Ok(last)
}

fn note_path(log: &Path) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(".heads");
    PathBuf::from(name)
}

/// Ties a snapshot to its log: the id of the event at the snapshot's position.
fn event_at(connection: &Connection, position: Position) -> rusqlite::Result<Option<Vec<u8>>> {
    let query = "SELECT event_id FROM events WHERE position = ?";
    connection.query_row(query, [position.0], |row| row.get(0)).optional()
}

fn write_note(log: &Path, connection: &Connection, heads: &Table, last: Position) -> std::io::Result<()> {
    let Some(event) = event_at(connection, last).map_err(std::io::Error::other)? else {
        return Ok(());
    };
    let path = note_path(log);
    let unfinished = path.with_extension("heads.new");
    let mut digest = Sha256::new();
    remove_if_there(&unfinished)?;
    let mut file = BufWriter::new(create_private(&unfinished)?);
    let mut write = |bytes: &[u8]| {
        digest.update(bytes);
        file.write_all(bytes)
    };
    write(MAGIC)?;
    write(&last.0.to_be_bytes())?;
    write(&event)?;
    for (key, head) in heads.iter() {
        write(&key.0)?;
        write(&head.position.0.to_be_bytes())?;
        write(&head.revision.0.to_be_bytes())?;
    }
    file.write_all(&digest.finalize())?;
    file.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
    fs::rename(unfinished, path)
}

/// Reads the snapshot. Returns the heads and the position that they reach. Returns `None` if there is no
/// snapshot, or if it does not match the log.
fn noted(log: &Path, connection: &Connection) -> Option<(Table, Position)> {
    let file = fs::File::open(note_path(log)).ok()?;
    let length = file.metadata().ok()?.len();
    let mut file = BufReader::with_capacity(1 << 16, file);
    let mut digest = Sha256::new();
    let mut head = [0; HEAD];
    file.read_exact(&mut head).ok()?;
    digest.update(head);
    let rest = head.strip_prefix(MAGIC)?;
    let (position, event) = rest.split_first_chunk::<8>()?;
    let last = Position(u64::from_be_bytes(*position));
    if event_at(connection, last).ok()??.as_slice() != event {
        return None;
    }
    let body = length.checked_sub(HEAD.try_into().ok()?)?.checked_sub(DIGEST.try_into().ok()?)?;
    let mut heads = Table::default();
    for _ in 0..body / u64::try_from(ENTRY).ok()? {
        let mut entry = [0; ENTRY];
        file.read_exact(&mut entry).ok()?;
        digest.update(entry);
        let (key, head) = read_entry(&entry)?;
        heads.insert(key, head);
    }
    let mut expected = Vec::with_capacity(DIGEST);
    file.read_to_end(&mut expected).ok()?;
    (digest.finalize().as_slice() == expected).then_some((heads, last))
}

fn read_entry(entry: &[u8; ENTRY]) -> Option<(Key, Head)> {
    let (key, rest) = entry.split_first_chunk::<KEY>()?;
    let (position, rest) = rest.split_first_chunk::<8>()?;
    let position = Position(u64::from_be_bytes(*position));
    let revision = Revision(u64::from_be_bytes(*rest.first_chunk::<8>()?));
    Some((Key(*key), Head { position, revision }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn a_table_finds_the_newest_head_of_every_stream_and_no_other() {
        let (mut table, mut model) = (Table::default(), HashMap::new());
        for turn in 0_u64..300_000 {
            let stream = turn * 7_919 % 100_003;
            let key = Key::of(&format!("account-{stream}"));
            let head = Head { position: Position(turn + (1 << 39)), revision: Revision(turn % 77) };
            table.insert(key, head);
            model.insert(key, head);
        }
        assert_eq!(table.iter().collect::<HashMap<_, _>>(), model);
        for (key, head) in &model {
            assert_eq!(table.get(*key), Some(*head));
        }
        assert_eq!(table.get(Key::of("account-none")), None);
    }
}
