//! The head of every stream, in memory: where its last event stands.
//!
//! Derived from the log. So that a start need not scan all of it, the heads are noted in a file
//! beside the log when it is closed; what came after is scanned. A note that does not fit the log
//! is ignored.

use std::collections::HashMap;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use loquet_domain::ports::{Position, Revision, StreamId};
use rusqlite::{Connection, OptionalExtension};
use sha2::{Digest, Sha256};

use super::LOG;
use crate::sqlite::{FileError, explain};

const MAGIC: &[u8; 8] = b"lqheads1";
const ENTRY: usize = 16 + 8 + 8;
/// A tail longer than this is noted at once, so that the next start need not scan it again.
const LONG_TAIL: u64 = 100_000;

/// A stream's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) position: Position,
    pub(super) revision: Revision,
}

/// 128 bits of a name's SHA-256: a quarter of the memory that the names would take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key([u8; 16]);

impl Key {
    pub(super) fn of(stream: &str) -> Self {
        let digest = Sha256::digest(stream.as_bytes());
        Self(digest.first_chunk().copied().unwrap_or_default())
    }
}

pub(super) struct Heads {
    by_stream: RwLock<(HashMap<Key, Head>, Position)>,
}

impl Heads {
    /// The heads of a log that is about to be written to.
    pub(super) fn open(connection: &Connection, log: &Path) -> Result<Self, FileError> {
        let (heads, noted) = Self::scan(connection, log)?;
        if heads.last().0.saturating_sub(noted.0) > LONG_TAIL {
            heads.note(log, connection);
        }
        Ok(heads)
    }

    /// The heads of a log that is only read.
    pub(super) fn read(connection: &Connection, log: &Path) -> Result<Self, FileError> {
        Ok(Self::scan(connection, log)?.0)
    }

    fn scan(connection: &Connection, log: &Path) -> Result<(Self, Position), FileError> {
        let (mut heads, noted) = noted(log, connection).unwrap_or_default();
        let mut last = noted;
        let mut scan = || -> rusqlite::Result<()> {
            let mut statement = connection.prepare(
                "SELECT position, stream, revision FROM events WHERE position > ? ORDER BY position",
            )?;
            let mut rows = statement.query([noted.0])?;
            while let Some(row) = rows.next()? {
                let position = Position(row.get(0)?);
                let head = Head { position, revision: Revision(row.get(2)?) };
                heads.insert(Key::of(row.get_ref(1)?.as_str()?), head);
                last = position;
            }
            Ok(())
        };
        scan().map_err(|e| FileError::Unusable {
            path: log.to_owned(),
            why: format!("{} cannot be read to its end: {}", LOG.what, explain(&e)),
        })?;
        Ok((Self { by_stream: RwLock::new((heads, last)) }, noted))
    }

    pub(super) fn get(&self, stream: &StreamId) -> Option<Head> {
        self.by_key(Key::of(stream.as_str()))
    }

    pub(super) fn by_key(&self, key: Key) -> Option<Head> {
        self.by_stream.read().unwrap_or_else(PoisonError::into_inner).0.get(&key).copied()
    }

    /// The last position of the whole log.
    pub(super) fn last(&self) -> Position {
        self.by_stream.read().unwrap_or_else(PoisonError::into_inner).1
    }

    /// Moves the heads of a batch that is durable.
    pub(super) fn advance(&self, moved: impl IntoIterator<Item = (Key, Head)>, last: Position) {
        let mut heads = self.by_stream.write().unwrap_or_else(PoisonError::into_inner);
        heads.0.extend(moved);
        heads.1 = last;
    }

    /// Notes the heads beside the log. Failing costs time at the next start and nothing else.
    pub(super) fn note(&self, log: &Path, connection: &Connection) {
        let heads = self.by_stream.read().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = write_note(log, connection, &heads.0, heads.1) {
            tracing::warn!(%error, "the heads of the log were not noted; the next start takes longer");
        }
    }
}

fn note_path(log: &Path) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(".heads");
    PathBuf::from(name)
}

/// What ties a note to its log: the identity of the event at the note's position.
fn event_at(connection: &Connection, position: Position) -> rusqlite::Result<Option<Vec<u8>>> {
    let query = "SELECT event_id FROM events WHERE position = ?";
    connection.query_row(query, [position.0], |row| row.get(0)).optional()
}

fn write_note(
    log: &Path,
    connection: &Connection,
    heads: &HashMap<Key, Head>,
    last: Position,
) -> std::io::Result<()> {
    let Some(event) = event_at(connection, last).map_err(std::io::Error::other)? else {
        return Ok(());
    };
    let path = note_path(log);
    let unfinished = path.with_extension("heads.new");
    let mut digest = Sha256::new();
    let mut file = BufWriter::new(fs::File::create(&unfinished)?);
    let mut write = |bytes: &[u8]| {
        digest.update(bytes);
        file.write_all(bytes)
    };
    write(MAGIC)?;
    write(&last.0.to_be_bytes())?;
    write(&event)?;
    for (key, head) in heads {
        write(&key.0)?;
        write(&head.position.0.to_be_bytes())?;
        write(&head.revision.0.to_be_bytes())?;
    }
    file.write_all(&digest.finalize())?;
    file.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
    fs::rename(unfinished, path)
}

/// The heads as they were noted, and up to where; none where there is no note, or it does not fit.
fn noted(log: &Path, connection: &Connection) -> Option<(HashMap<Key, Head>, Position)> {
    let bytes = fs::read(note_path(log)).ok()?;
    let (body, digest) = bytes.split_at_checked(bytes.len().checked_sub(32)?)?;
    if Sha256::digest(body).as_slice() != digest {
        return None;
    }
    let rest = body.strip_prefix(MAGIC)?;
    let (position, rest) = rest.split_first_chunk::<8>()?;
    let (event, entries) = rest.split_first_chunk::<16>()?;
    let last = Position(u64::from_be_bytes(*position));
    if event_at(connection, last).ok()??.as_slice() != event {
        return None;
    }
    let number = |bytes: &[u8]| bytes.first_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes));
    let entry = |entry: &[u8]| {
        let (key, rest) = entry.split_first_chunk::<16>()?;
        let (position, revision) = rest.split_at_checked(8)?;
        let head = Head { position: Position(number(position)?), revision: Revision(number(revision)?) };
        Some((Key(*key), head))
    };
    let heads = entries.chunks_exact(ENTRY).map(entry).collect::<Option<HashMap<_, _>>>()?;
    Some((heads, last))
}
