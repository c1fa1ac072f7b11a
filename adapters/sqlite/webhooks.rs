//! Webhook endpoints and their deliveries, in a SQLite file of their own.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use loquet_domain::Moment;
use loquet_domain::ports::{BoxFuture, Position};
use loquet_projections::ports::{Delivery, DeliveryCounts, Endpoint, Fence, LogPoint, StoreFailed, Webhooks};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior};
use uuid::Uuid;

use crate::database::{FileError, Kind, SqliteFailed};

pub(crate) const WEBHOOKS: Kind = Kind {
    what: "a Loquet webhook store",
    application_id: 0x4c71_7408,
    version: 1,
    upgrades: &[],
    holds_keys: false,
    remedy: "restore it from a backup, or delete it and add the webhooks again",
    synchronous: "FULL",
    schema: "
        CREATE TABLE IF NOT EXISTS endpoints (
            id         BLOB    PRIMARY KEY,
            url        TEXT    NOT NULL,
            types      TEXT    NOT NULL,  -- separated by spaces; empty for all
            created_at INTEGER NOT NULL,  -- microseconds since 1970
            secret     INTEGER NOT NULL,  -- the number of the present secret, which is derived and not stored
            older_secret_until INTEGER,
            position   INTEGER NOT NULL,
            event_id   BLOB,              -- of the event at this position
            stopped    TEXT
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS deliveries (
            endpoint   BLOB    NOT NULL,
            position   INTEGER NOT NULL,  -- of the event
            tries      INTEGER NOT NULL,
            due_at     INTEGER,           -- NULL for a dead letter
            why        TEXT,
            PRIMARY KEY (endpoint, position)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (endpoint, due_at);",
};

/// The webhooks. Other processes may change them while this one runs.
#[derive(Clone)]
pub struct SqliteWebhooks {
    connection: Arc<Mutex<Connection>>,
}

impl SqliteWebhooks {
    /// Opens the file. Makes it if it does not exist.
    ///
    /// # Errors
    /// [`FileError`] names the file and what is wrong.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        Ok(Self { connection: Arc::new(Mutex::new(WEBHOOKS.open(path)?)) })
    }

    /// Does something in one transaction, on a thread that may wait for the disk.
    fn transaction<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, StoreFailed>> {
        let connection = self.connection.clone();
        Box::pin(async move {
            let ran = tokio::task::spawn_blocking(move || {
                let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
                let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                let done = change(&transaction)?;
                transaction.commit()?;
                Ok(done)
            });
            let ran = ran.await.map_err(StoreFailed::new)?;
            ran.map_err(|error: rusqlite::Error| StoreFailed::new(SqliteFailed::from(error)))
        })
    }
}

fn micros(moment: Moment) -> i64 {
    moment.timestamp_micros()
}

fn moment(micros: i64) -> Moment {
    Moment::from_timestamp_micros(micros).unwrap_or(Moment::MAX_UTC)
}

fn endpoint(row: &Row<'_>) -> rusqlite::Result<Endpoint> {
    let types = row.get_ref(2)?.as_str()?.split(' ').filter(|name| !name.is_empty());
    Ok(Endpoint {
        id: Uuid::from_bytes(row.get(0)?),
        url: row.get(1)?,
        types: types.map(ToOwned::to_owned).collect(),
        created_at: moment(row.get(3)?),
        secret: row.get(4)?,
        older_secret_until: row.get::<_, Option<i64>>(5)?.map(moment),
        position: Position(row.get(6)?),
        event_id: row.get::<_, Option<[u8; 16]>>(7)?.map(Uuid::from_bytes),
        stopped: row.get(8)?,
    })
}

fn delivery(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    Ok(Delivery {
        endpoint: Uuid::from_bytes(row.get(0)?),
        position: Position(row.get(1)?),
        tries: row.get(2)?,
        due_at: row.get::<_, Option<i64>>(3)?.map(moment),
        why: row.get(4)?,
    })
}

fn deliveries(
    transaction: &Transaction<'_>,
    select: &str,
    parameters: impl rusqlite::Params,
) -> rusqlite::Result<Vec<Delivery>> {
    transaction.prepare_cached(select)?.query_map(parameters, delivery)?.collect()
}

impl Webhooks for SqliteWebhooks {
    fn under(&self, _: Fence) -> Arc<dyn Webhooks> {
        // One server at a time uses the file.
        Arc::new(self.clone())
    }

    fn add(&self, endpoint: Endpoint) -> BoxFuture<'_, Result<(), StoreFailed>> {
        self.transaction(move |transaction| {
            let row = (
                endpoint.id.into_bytes(),
                endpoint.url,
                endpoint.types.join(" "),
                micros(endpoint.created_at),
                endpoint.secret,
                endpoint.older_secret_until.map(micros),
                endpoint.position.0,
                endpoint.event_id.map(Uuid::into_bytes),
                endpoint.stopped,
            );
            transaction.execute("INSERT INTO endpoints VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row).map(drop)
        })
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Endpoint>, StoreFailed>> {
        self.transaction(|transaction| {
            let select =
                "SELECT id, url, types, created_at, secret, older_secret_until, position, event_id, stopped
                FROM endpoints ORDER BY created_at, id";
            transaction.prepare_cached(select)?.query_map([], endpoint)?.collect()
        })
    }

    fn remove(&self, endpoint: Uuid) -> BoxFuture<'_, Result<bool, StoreFailed>> {
        self.transaction(move |transaction| {
            let id = endpoint.into_bytes();
            transaction.execute("DELETE FROM deliveries WHERE endpoint = ?", [id])?;
            Ok(transaction.execute("DELETE FROM endpoints WHERE id = ?", [id])? == 1)
        })
    }

    fn rotate(&self, endpoint: Uuid, older_until: Moment) -> BoxFuture<'_, Result<Option<u32>, StoreFailed>> {
        self.transaction(move |transaction| {
            let update = "UPDATE endpoints SET secret = secret + 1, older_secret_until = ? WHERE id = ?
                RETURNING secret";
            let row = (micros(older_until), endpoint.into_bytes());
            transaction.query_row(update, row, |row| row.get(0)).optional()
        })
    }

    fn stop(&self, endpoint: Uuid, why: Option<String>) -> BoxFuture<'_, Result<bool, StoreFailed>> {
        self.transaction(move |transaction| {
            let update = "UPDATE endpoints SET stopped = ? WHERE id = ?";
            Ok(transaction.execute(update, (why, endpoint.into_bytes()))? == 1)
        })
    }

    fn advance(
        &self,
        endpoint: Uuid,
        from: Position,
        to: LogPoint,
        events: Vec<Position>,
        now: Moment,
    ) -> BoxFuture<'_, Result<bool, StoreFailed>> {
        self.transaction(move |transaction| {
            let id = endpoint.into_bytes();
            let update = "UPDATE endpoints SET position = ?, event_id = ? WHERE id = ? AND position = ?";
            let row = (to.position.0, to.event_id.map(Uuid::into_bytes), id, from.0);
            if transaction.execute(update, row)? == 0 {
                return Ok(false);
            }
            let insert = "INSERT OR IGNORE INTO deliveries VALUES (?, ?, 0, ?, NULL)";
            let mut insert = transaction.prepare_cached(insert)?;
            for event in events {
                insert.execute((id, event.0, micros(now)))?;
            }
            Ok(true)
        })
    }

    fn set_position(
        &self,
        endpoint: Uuid,
        from: Option<Position>,
        to: LogPoint,
    ) -> BoxFuture<'_, Result<bool, StoreFailed>> {
        self.transaction(move |transaction| {
            let id = endpoint.into_bytes();
            let update = "UPDATE endpoints SET position = ?, event_id = ?, stopped = NULL
                WHERE id = ? AND position = coalesce(?, position)";
            let row = (to.position.0, to.event_id.map(Uuid::into_bytes), id, from.map(|from| from.0));
            if transaction.execute(update, row)? == 0 {
                return Ok(false);
            }
            let later = "DELETE FROM deliveries WHERE endpoint = ? AND position > ?";
            transaction.execute(later, (id, to.position.0))?;
            Ok(true)
        })
    }

    fn due(
        &self,
        endpoint: Uuid,
        now: Moment,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<Delivery>, StoreFailed>> {
        self.transaction(move |transaction| {
            let select = "SELECT endpoint, position, tries, due_at, why FROM deliveries
                WHERE endpoint = ? AND (due_at <= ? OR due_at > ?) ORDER BY position LIMIT ?";
            let farthest = now.checked_add_signed(Delivery::FARTHEST).unwrap_or(Moment::MAX_UTC);
            deliveries(transaction, select, (endpoint.into_bytes(), micros(now), micros(farthest), limit))
        })
    }

    fn delivered(&self, endpoint: Uuid, event: Position) -> BoxFuture<'_, Result<(), StoreFailed>> {
        self.transaction(move |transaction| {
            let delete = "DELETE FROM deliveries WHERE endpoint = ? AND position = ?";
            transaction.execute(delete, (endpoint.into_bytes(), event.0)).map(drop)
        })
    }

    fn failed(
        &self,
        endpoint: Uuid,
        event: Position,
        why: String,
        due_at: Option<Moment>,
    ) -> BoxFuture<'_, Result<(), StoreFailed>> {
        self.transaction(move |transaction| {
            let update = "UPDATE deliveries SET tries = tries + 1, due_at = ?, why = ?
                WHERE endpoint = ? AND position = ?";
            let row = (due_at.map(micros), why, endpoint.into_bytes(), event.0);
            transaction.execute(update, row).map(drop)
        })
    }

    fn counts(&self, endpoint: Uuid) -> BoxFuture<'_, Result<DeliveryCounts, StoreFailed>> {
        self.transaction(move |transaction| {
            let select = "SELECT count(due_at), count(*) - count(due_at) FROM deliveries WHERE endpoint = ?";
            transaction.query_row(select, [endpoint.into_bytes()], |row| {
                Ok(DeliveryCounts { waiting: row.get(0)?, dead: row.get(1)? })
            })
        })
    }

    fn failing(&self, endpoint: Uuid, limit: u32) -> BoxFuture<'_, Result<Vec<Delivery>, StoreFailed>> {
        self.transaction(move |transaction| {
            let select = "SELECT endpoint, position, tries, due_at, why FROM deliveries
                WHERE endpoint = ? AND tries > 0 ORDER BY position LIMIT ?";
            deliveries(transaction, select, (endpoint.into_bytes(), limit))
        })
    }

    fn retry(&self, endpoint: Uuid, now: Moment) -> BoxFuture<'_, Result<u64, StoreFailed>> {
        self.transaction(move |transaction| {
            let update = "UPDATE deliveries SET tries = 0, due_at = ? WHERE endpoint = ? AND tries > 0";
            let changed = transaction.execute(update, (micros(now), endpoint.into_bytes()))?;
            Ok(u64::try_from(changed).unwrap_or(u64::MAX))
        })
    }
}
