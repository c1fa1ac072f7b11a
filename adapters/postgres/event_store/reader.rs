//! Reads the log. Reading does not wait for the writer.

use loquet_domain::ids::{AccountId, EventId};
use loquet_domain::ports::{NewEvent, Position, RecordedEvent, Revision, Sealed, StreamId};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::database::Database;
use crate::error::PostgresError;
use crate::numbers::{at_most, limited, number};

/// The columns in the order in which [`recorded`] reads them.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT position, stream, revision, event_id, name, version, data, metadata, subject, sealed \
             FROM loquet.events ",
            $rest
        )
    };
}

pub(super) async fn head(database: &Database) -> Result<Position, PostgresError> {
    let row = database.row("SELECT coalesce(max(position), 0) FROM loquet.events", &[]).await?;
    let newest: Option<i64> = row.map(|row| row.try_get(0)).transpose()?;
    Ok(Position(number(newest.unwrap_or_default())?))
}

pub(super) async fn stream(
    database: &Database,
    stream: &StreamId,
    after: Revision,
) -> Result<Vec<RecordedEvent>, PostgresError> {
    let query = select!("WHERE stream = $1 AND revision > $2::bigint ORDER BY revision");
    database.read(query, &[&stream.as_str(), &at_most(after.0)], recorded).await
}

pub(super) async fn all(
    database: &Database,
    after: Position,
    limit: usize,
) -> Result<Vec<RecordedEvent>, PostgresError> {
    let query = select!("WHERE position > $1::bigint ORDER BY position LIMIT $2::bigint");
    database.read(query, &[&at_most(after.0), &limited(limit)], recorded).await
}

pub(super) async fn at(
    database: &Database,
    position: Position,
) -> Result<Option<RecordedEvent>, PostgresError> {
    let row = database.row(select!("WHERE position = $1::bigint"), &[&at_most(position.0)]).await?;
    row.as_ref().map(recorded).transpose()
}

pub(super) async fn newest(database: &Database, limit: usize) -> Result<Vec<RecordedEvent>, PostgresError> {
    let query = select!("ORDER BY position DESC LIMIT $1::bigint");
    let mut newest = database.read(query, &[&limited(limit)], recorded).await?;
    newest.reverse();
    Ok(newest)
}

fn recorded(row: &Row) -> Result<RecordedEvent, PostgresError> {
    let version: i32 = row.try_get(5)?;
    let version = u16::try_from(version)
        .map_err(|_| PostgresError::Unexpected(format!("an event of version {version}")))?;
    let sealed = row.try_get::<_, Option<Uuid>>(8)?.zip(row.try_get(9)?);
    let event = NewEvent {
        id: EventId(row.try_get(3)?),
        name: row.try_get(4)?,
        version,
        data: row.try_get(6)?,
        metadata: row.try_get(7)?,
        sealed: sealed.map(|(subject, bytes)| Sealed { subject: AccountId(subject), bytes }),
    };
    Ok(RecordedEvent {
        position: Position(number(row.try_get::<_, i64>(0)?)?),
        stream: StreamId::stored(row.try_get(1)?),
        revision: Revision(number(row.try_get::<_, i64>(2)?)?),
        event,
    })
}
