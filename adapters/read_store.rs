//! Read models in a SQLite file of the node's own. All of it can be rebuilt from the log.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use loquet_domain::ports::{BoxFuture, Position};
use loquet_projections::ports::{IndexEntry, KeyedRow, ReadStore, Rows, Selection, StoreFailed, Work};
use loquet_projections::view::{CannotApply, ViewId};
use rusqlite::{Connection, OptionalExtension, params_from_iter};

use crate::sqlite::{FileError, Kind, ReaderPool, explain};

const VIEWS: Kind = Kind {
    what: "a Loquet read store",
    application_id: 0x4c71_7403,
    version: 1,
    upgrades: &[],
    holds_keys: false,
    remedy: "delete it and what is beside it (-wal, -shm): it is built again from the log",
    synchronous: "NORMAL",
    schema: "
        CREATE TABLE IF NOT EXISTS checkpoints (
            view TEXT NOT NULL, version INTEGER NOT NULL, position INTEGER NOT NULL,
            PRIMARY KEY (view, version)
        ) STRICT, WITHOUT ROWID;",
};

/// Read models in one file: a table of rows and a table of index entries for each view and version.
#[derive(Clone)]
pub struct SqliteReadStore {
    writer: Arc<Mutex<Connection>>,
    readers: ReaderPool,
}

impl SqliteReadStore {
    /// Opens the file, and makes the tables of `views` that are not there.
    ///
    /// # Errors
    /// [`FileError`] names the file and what is wrong.
    pub fn open(path: &Path, views: &[ViewId]) -> Result<Self, FileError> {
        let writer = VIEWS.open(path)?;
        let unusable = |e: rusqlite::Error| FileError::Unusable { path: path.to_owned(), why: explain(&e) };
        // A view that is built anew changes rows all over its tables in one transaction.
        writer
            .execute_batch("PRAGMA cache_size = -32768; PRAGMA mmap_size = 1073741824;")
            .map_err(unusable)?;
        for view in views {
            let table = table(*view);
            let schema = format!(
                "CREATE TABLE IF NOT EXISTS {table} (key TEXT PRIMARY KEY, row TEXT NOT NULL) STRICT, WITHOUT ROWID;
                 CREATE TABLE IF NOT EXISTS {table}_index (
                     name TEXT NOT NULL, value TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (name, value, key)
                 ) STRICT, WITHOUT ROWID;"
            );
            writer.execute_batch(&schema).map_err(unusable)?;
        }
        let readers = ReaderPool::open(&VIEWS, path)?;
        Ok(Self { writer: Arc::new(Mutex::new(writer)), readers })
    }

    fn writer(&self) -> MutexGuard<'_, Connection> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreFailed> {
        self.readers.read(read).await.map_err(StoreFailed)
    }

    fn update_now(&self, view: ViewId, up_to: Position, work: Work) -> Result<(), CannotApply> {
        let mut connection = self.writer();
        let transaction = connection.transaction().map_err(failed)?;
        work(&mut TableRows { connection: &transaction, table: table(view) })?;
        let checkpoint = "INSERT INTO checkpoints VALUES (?, ?, ?)
            ON CONFLICT (view, version) DO UPDATE SET position = excluded.position";
        transaction.execute(checkpoint, (view.name, view.version, up_to.0)).map_err(failed)?;
        Ok(transaction.commit().map_err(failed)?)
    }

    fn reset_now(&self, view: ViewId) -> rusqlite::Result<()> {
        let mut connection = self.writer();
        let transaction = connection.transaction()?;
        let table = table(view);
        transaction.execute_batch(&format!("DELETE FROM {table}; DELETE FROM {table}_index;"))?;
        let forget = "DELETE FROM checkpoints WHERE view = ? AND version = ?";
        transaction.execute(forget, (view.name, view.version))?;
        transaction.commit()
    }
}

fn table(view: ViewId) -> String {
    format!("view_{}_{}", view.name, view.version)
}

fn failed(error: rusqlite::Error) -> StoreFailed {
    StoreFailed(explain(&error))
}

struct TableRows<'a> {
    connection: &'a Connection,
    table: String,
}

impl TableRows<'_> {
    fn index(&self, sql: &str, key: &str, entries: &[IndexEntry]) -> Result<(), StoreFailed> {
        for (name, value) in entries {
            let sql = sql.replace("{index}", &format!("{}_index", self.table));
            self.connection
                .prepare_cached(&sql)
                .and_then(|mut s| s.execute((name, value, key)))
                .map_err(failed)?;
        }
        Ok(())
    }
}

impl Rows for TableRows<'_> {
    fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, StoreFailed> {
        get(self.connection, &self.table, key).map_err(failed)
    }

    fn put(
        &mut self,
        key: &str,
        row: &[u8],
        gone: &[IndexEntry],
        new: &[IndexEntry],
    ) -> Result<(), StoreFailed> {
        let row = std::str::from_utf8(row).map_err(|e| StoreFailed(e.to_string()))?;
        let table = &self.table;
        let put =
            format!("INSERT INTO {table} VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET row = excluded.row");
        self.connection.prepare_cached(&put).and_then(|mut s| s.execute((key, row))).map_err(failed)?;
        self.index("DELETE FROM {index} WHERE name = ? AND value = ? AND key = ?", key, gone)?;
        self.index("INSERT OR IGNORE INTO {index} VALUES (?, ?, ?)", key, new)
    }

    fn delete(&mut self, key: &str, gone: &[IndexEntry]) -> Result<(), StoreFailed> {
        let delete = format!("DELETE FROM {} WHERE key = ?", self.table);
        self.connection.prepare_cached(&delete).and_then(|mut s| s.execute([key])).map_err(failed)?;
        self.index("DELETE FROM {index} WHERE name = ? AND value = ? AND key = ?", key, gone)
    }
}

fn get(connection: &Connection, table: &str, key: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    let mut select = connection.prepare_cached(&format!("SELECT row FROM {table} WHERE key = ?"))?;
    select.query_row([key], |row| Ok(row.get_ref(0)?.as_bytes()?.to_owned())).optional()
}

fn select(connection: &Connection, table: &str, wanted: &Selection) -> rusqlite::Result<Vec<KeyedRow>> {
    let mut places: Vec<String> = Vec::new();
    let mut conditions: Vec<String> = Vec::new();
    let mut from = format!("{table} AS r");
    if let Some((name, value)) = &wanted.by {
        from = format!("{table}_index AS i JOIN {table} AS r ON r.key = i.key");
        conditions.push("i.name = ? AND i.value = ?".to_owned());
        places.extend([(*name).to_owned(), value.clone()]);
    }
    let key = if wanted.by.is_some() { "i.key" } else { "r.key" };
    if let Some(after) = &wanted.after {
        conditions.push(format!("{key} > ?"));
        places.push(after.clone());
    }
    let condition = if conditions.is_empty() { "TRUE".to_owned() } else { conditions.join(" AND ") };
    let limit = i64::try_from(wanted.limit).unwrap_or(i64::MAX);
    let sql = format!("SELECT r.key, r.row FROM {from} WHERE {condition} ORDER BY {key} LIMIT {limit}");
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map(params_from_iter(places), |row| {
        Ok((row.get(0)?, row.get_ref(1)?.as_bytes()?.to_owned()))
    })?;
    rows.collect()
}

impl ReadStore for SqliteReadStore {
    fn checkpoint(&self, view: ViewId) -> BoxFuture<'_, Result<Position, StoreFailed>> {
        let query = "SELECT position FROM checkpoints WHERE view = ? AND version = ?";
        Box::pin(self.read(move |connection| {
            let position =
                connection.query_row(query, (view.name, view.version), |row| row.get(0)).optional()?;
            Ok(Position(position.unwrap_or(0)))
        }))
    }

    fn update(&self, view: ViewId, up_to: Position, work: Work) -> BoxFuture<'_, Result<(), CannotApply>> {
        let store = self.clone();
        Box::pin(async move {
            let done = tokio::task::spawn_blocking(move || store.update_now(view, up_to, work)).await;
            done.map_err(|e| StoreFailed(e.to_string()))?
        })
    }

    fn reset(&self, view: ViewId) -> BoxFuture<'_, Result<(), StoreFailed>> {
        let store = self.clone();
        Box::pin(async move {
            let done = tokio::task::spawn_blocking(move || store.reset_now(view)).await;
            done.map_err(|e| StoreFailed(e.to_string()))?.map_err(failed)
        })
    }

    fn get(&self, view: ViewId, key: String) -> BoxFuture<'_, Result<Option<Vec<u8>>, StoreFailed>> {
        Box::pin(self.read(move |connection| get(connection, &table(view), &key)))
    }

    fn select(&self, view: ViewId, wanted: Selection) -> BoxFuture<'_, Result<Vec<KeyedRow>, StoreFailed>> {
        Box::pin(self.read(move |connection| select(connection, &table(view), &wanted)))
    }
}
