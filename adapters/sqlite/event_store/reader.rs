//! Reads the log. Reading does not wait for the writer.

use std::path::Path;

use loquet_domain::ids::{AccountId, EventId};
use loquet_domain::ports::{
    BoxFuture, Look, NewEvent, OpenEvent, Position, ReadError, RecordedEvent, Revision, Sealed, StreamId,
};
use loquet_projections::causes::Causes;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row};
use uuid::Uuid;

use super::LOG;
use super::heads::Head;
use crate::database::{FileError, ReaderPool};

/// Reads the event at a position.
const AT: &str =
    "SELECT position, stream, revision, previous, event_id, name, version, data, metadata, subject, sealed
    FROM events WHERE position = ?";
/// Reads events after a position.
const AFTER: &str =
    "SELECT position, stream, revision, previous, event_id, name, version, data, metadata, subject, sealed
    FROM events WHERE position > ? ORDER BY position LIMIT ?";

/// Reads the unencrypted parts of the events between two positions.
const BETWEEN: &str = "SELECT name, position, stream, revision, event_id, version, data, metadata
    FROM events WHERE position > ? AND position <= ? ORDER BY position";

/// Reads of the log.
pub(super) struct Readers(ReaderPool);

impl Readers {
    pub(super) fn open(path: &Path) -> Result<Self, FileError> {
        Ok(Self(ReaderPool::open(&LOG, path)?))
    }

    /// Reads a stream's events after `after`, backwards from its head.
    pub(super) fn stream(
        &self,
        stream: StreamId,
        head: Head,
        after: Revision,
    ) -> BoxFuture<'static, Result<Vec<RecordedEvent>, ReadError>> {
        self.run_few(move |connection| {
            // All reads are in one transaction. Otherwise each statement would lock and unlock the
            // write-ahead log.
            let transaction = connection.unchecked_transaction()?;
            walk_back(&transaction, &stream, head, after)
        })
    }

    /// Reads the events of the whole log after `after`, at most `limit` of them.
    pub(super) fn all(
        &self,
        after: Position,
        limit: usize,
    ) -> BoxFuture<'static, Result<Vec<RecordedEvent>, ReadError>> {
        self.run(move |connection| {
            let mut statement = connection.prepare_cached(AFTER)?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let events = statement.query_map((after.0, limit), |row| Ok(recorded(row)?.0))?;
            events.collect()
        })
    }

    /// Shows the events after `after`, up to `up_to`, that have one of these names, as they lie in SQLite's memory. Returns how
    /// many events there are in between.
    pub(super) fn look(
        &self,
        after: Position,
        up_to: Position,
        names: &'static [&'static str],
        mut look: Look,
    ) -> BoxFuture<'static, Result<usize, ReadError>> {
        self.run(move |connection| {
            let mut statement = connection.prepare_cached(BETWEEN)?;
            let mut rows = statement.query((after.0, up_to.0))?;
            let mut passed = 0;
            while let Some(row) = rows.next()? {
                passed += 1;
                let name = row.get_ref(0)?.as_str()?;
                if names.contains(&name) {
                    look(&OpenEvent {
                        position: Position(row.get(1)?),
                        stream: row.get_ref(2)?.as_str()?,
                        revision: Revision(row.get(3)?),
                        id: EventId(Uuid::from_bytes(row.get(4)?)),
                        name,
                        version: row.get(5)?,
                        data: row.get_ref(6)?.as_bytes()?,
                        metadata: row.get_ref(7)?.as_bytes()?,
                    });
                }
            }
            Ok(passed)
        })
    }

    /// Reads the event at a position.
    pub(super) fn at(
        &self,
        position: Position,
    ) -> BoxFuture<'static, Result<Option<RecordedEvent>, ReadError>> {
        self.run_few(move |connection| {
            let event = statement(connection)?.query_row([position.0], |row| Ok(recorded(row)?.0));
            event.optional()
        })
    }

    /// Runs a read of one stream or event.
    fn run_few<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, ReadError>> {
        let pool = self.0.clone();
        Box::pin(async move { pool.read_few(read).await.map_err(|e| ReadError(Causes(&e).to_string())) })
    }

    fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, ReadError>> {
        let pool = self.0.clone();
        Box::pin(async move { pool.read(read).await.map_err(|e| ReadError(Causes(&e).to_string())) })
    }
}

/// Follows the back pointers from the head to the revision after `after`.
pub(super) fn walk_back(
    connection: &Connection,
    stream: &StreamId,
    head: Head,
    after: Revision,
) -> rusqlite::Result<Vec<RecordedEvent>> {
    let mut statement = statement(connection)?;
    let mut events =
        Vec::with_capacity(usize::try_from(head.revision.0.saturating_sub(after.0)).unwrap_or(0).min(4096));
    let mut at = head.position;
    while at != Position::default() {
        let (event, previous) = statement.query_row([at.0], recorded)?;
        if event.revision <= after {
            break;
        }
        debug_assert_eq!(&event.stream, stream);
        at = previous;
        events.push(event);
    }
    events.reverse();
    Ok(events)
}

fn statement(connection: &Connection) -> rusqlite::Result<CachedStatement<'_>> {
    connection.prepare_cached(AT)
}

/// An event, and the position of the previous event of its stream.
fn recorded(row: &Row<'_>) -> rusqlite::Result<(RecordedEvent, Position)> {
    let uuid = |bytes: [u8; 16]| Uuid::from_bytes(bytes);
    let subject: Option<[u8; 16]> = row.get(9)?;
    let sealed: Option<Vec<u8>> = row.get(10)?;
    let event = NewEvent {
        id: EventId(uuid(row.get(4)?)),
        name: row.get(5)?,
        version: row.get(6)?,
        data: row.get_ref(7)?.as_bytes()?.to_owned(),
        metadata: row.get_ref(8)?.as_bytes()?.to_owned(),
        sealed: subject
            .zip(sealed)
            .map(|(subject, bytes)| Sealed { subject: AccountId(uuid(subject)), bytes }),
    };
    let recorded = RecordedEvent {
        position: Position(row.get(0)?),
        stream: StreamId::stored(row.get(1)?),
        revision: Revision(row.get(2)?),
        event,
    };
    Ok((recorded, Position(row.get(3)?)))
}
