//! Checks that events are as they were written, as far as the log itself can show. SQLite has no checksum
//! over a page's content.

use std::collections::HashMap;

use loquet_domain::ports::Position;
use rusqlite::{Connection, Row};
use serde::de::IgnoredAny;

use super::heads::{Heads, Key};

/// The number of the newest events that a start checks. They include the events that reactions are about to
/// handle.
pub(super) const NEWEST: u64 = 50_000;

/// What is wrong with an event.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// SQLite can't read it.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// It can be read, but it has changed since it was written.
    #[error("event {position} is not as it was written: {why}")]
    Altered {
        /// The event's position.
        position: u64,
        /// What is wrong with it.
        why: String,
    },
}

/// Reads every event after a position. Returns the first one that is wrong. A correct event has the number
/// after the previous one, its texts are JSON, and it names the previous event of its stream.
pub(crate) fn check_events(connection: &Connection, after: Position) -> Result<(), Fault> {
    each_stream(connection, after).map(drop)
}

/// Checks the same as [`check_events`]. Also checks that the last event of each stream is the head in memory.
pub(super) fn check_newest(connection: &Connection, heads: &Heads) -> Result<(), Fault> {
    let after = Position(heads.last().0.saturating_sub(NEWEST));
    for (stream, last) in each_stream(connection, after)? {
        let head = heads.by_key(Key::of(&stream));
        if head.is_none_or(|head| (head.position.0, head.revision.0) != last) {
            let why = "it is not the end of the stream that it names".to_owned();
            return Err(Fault::Altered { position: last.0, why });
        }
    }
    Ok(())
}

/// A position and a revision.
type Place = (u64, u64);

fn each_stream(connection: &Connection, after: Position) -> Result<HashMap<String, Place>, Fault> {
    let query = "SELECT position, stream, revision, previous, event_id, data, metadata FROM events
        WHERE position > ? ORDER BY position";
    let mut statement = connection.prepare(query)?;
    let mut rows = statement.query([after.0])?;
    let mut streams = HashMap::new();
    let mut last = after.0;
    while let Some(row) = rows.next()? {
        let position: u64 = row.get(0)?;
        let altered = |why: String| Fault::Altered { position, why };
        if position != last + 1 {
            return Err(altered("the event before it is missing".to_owned()));
        }
        last = position;
        let (stream, place, before) = read(row).map_err(|e| altered(e.to_string()))?;
        let known = streams.insert(stream, place);
        let follows = match known {
            Some(known) => (before, place.1) == (known.0, known.1 + 1),
            None => before <= after.0 && (before == 0) == (place.1 == 1),
        };
        if !follows {
            return Err(altered("it does not follow the event of its stream before it".to_owned()));
        }
    }
    Ok(streams)
}

/// An event's stream and place, and the position of the previous event of its stream.
fn read(row: &Row<'_>) -> Result<(String, Place, u64), Box<dyn std::error::Error>> {
    let _id: [u8; 16] = row.get(4)?;
    for text in [row.get_ref(5)?, row.get_ref(6)?] {
        serde_json::from_slice::<IgnoredAny>(text.as_bytes()?)?;
        std::str::from_utf8(text.as_bytes()?)?;
    }
    Ok((row.get(1)?, (row.get(0)?, row.get(2)?), row.get(3)?))
}
