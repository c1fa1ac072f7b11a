//! Read models in a SQLite file of each node. All of them can be rebuilt from the log.

mod import;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use loquet_domain::ports::{BoxFuture, Position};
use loquet_projections::ports::{
    BuildState, Cursor, FoundRow, IndexEntry, Order, ReadStore, Rows, Selection, StoreFailed, StoredBuild,
    StoredView, Work,
};
use loquet_projections::view::{Build, CannotApply, ViewId};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params_from_iter};

use crate::database::{FileError, Kind, ReaderPool, SqliteFailed, copy_to, explain};

pub(crate) const VIEWS: Kind = Kind {
    what: "a Loquet read store",
    application_id: 0x4c71_7403,
    version: 2,
    // Existing builds keep their tables. They serve until the builds that this version needs are ready.
    upgrades: &["CREATE TABLE builds (
            view TEXT NOT NULL, version INTEGER NOT NULL, generation INTEGER NOT NULL,
            position INTEGER NOT NULL, serving INTEGER NOT NULL, failure TEXT,
            PRIMARY KEY (view, version, generation)
        ) STRICT, WITHOUT ROWID;
        INSERT INTO builds SELECT view, version, 0, position, 1, NULL FROM checkpoints;
        DROP TABLE checkpoints;"],
    holds_keys: false,
    remedy: "delete it and what is beside it (-wal, -shm): it is built again from the log",
    synchronous: "NORMAL",
    schema: "
        CREATE TABLE IF NOT EXISTS builds (
            view       TEXT    NOT NULL,
            version    INTEGER NOT NULL,
            generation INTEGER NOT NULL,  -- its rows are in view_<view>_<version>_<generation>
            position   INTEGER NOT NULL,  -- up to where it has seen the log
            serving    INTEGER NOT NULL,  -- 1: queries read it, one of each name; 0: it is being built; 2: it goes
            failure    TEXT,              -- what stopped it
            PRIMARY KEY (view, version, generation)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS generations (view TEXT PRIMARY KEY, last INTEGER NOT NULL)
            STRICT, WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS requests (view TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS erasures (
            one       INTEGER PRIMARY KEY CHECK (one = 1),  -- present while the files may have data that was erased
            rewritten INTEGER NOT NULL                      -- 1: only the write-ahead log may still have some
        ) STRICT;",
};

/// The number of prepared statements that are kept: a few for each view.
const STATEMENTS: usize = 100;
/// The number of rows that one transaction deletes from an old build.
const DISCARDED: usize = 2000;

/// Read models in one file. Each build of a view has a table of rows and a table of index entries.
#[derive(Clone)]
pub struct SqliteReadStore {
    writer: Arc<Mutex<Connection>>,
    readers: ReaderPool,
    /// For builds. Queries do not wait for them.
    builders: ReaderPool,
}

impl SqliteReadStore {
    /// Opens the file. Makes it if it does not exist.
    ///
    /// # Errors
    /// [`FileError`] names the file and what is wrong.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let writer = VIEWS.open(path)?;
        let unusable = |e: rusqlite::Error| FileError::Unusable { path: path.to_owned(), why: explain(&e) };
        // A build changes rows in all parts of its tables within one transaction. With this cache size, the
        // write-ahead log does not grow as much.
        writer.execute_batch("PRAGMA cache_size = -8192;").map_err(unusable)?;
        writer.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(Self {
            writer: Arc::new(Mutex::new(writer)),
            readers: ReaderPool::open(&VIEWS, path)?,
            builders: ReaderPool::open(&VIEWS, path)?,
        })
    }

    /// Opens the file for reading, while another process may write it. Every write fails.
    ///
    /// # Errors
    /// [`FileError`] names the file and what is wrong. A file with an older format is refused, and not
    /// upgraded.
    pub fn open_to_read(path: &Path) -> Result<Self, FileError> {
        let reader = Arc::new(Mutex::new(VIEWS.open_reader(path)?));
        Ok(Self {
            writer: reader,
            readers: ReaderPool::open(&VIEWS, path)?,
            builders: ReaderPool::open(&VIEWS, path)?,
        })
    }

    /// Copies the file into a new one. The copy shows the file at one moment, even if other processes write
    /// to it.
    ///
    /// # Errors
    /// [`FileError`] names the file and what is wrong.
    pub fn copy(path: &Path, to: &Path) -> Result<(), FileError> {
        copy_to(&VIEWS.open_reader(path)?, to)
    }

    fn writer(&self) -> MutexGuard<'_, Connection> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreFailed> {
        self.readers.read(read).await.map_err(StoreFailed::new)
    }

    /// Writes on a thread that may block, in one transaction.
    async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreFailed> {
        let store = self.clone();
        let written = tokio::task::spawn_blocking(move || {
            let mut connection = store.writer();
            let transaction = connection.transaction()?;
            let done = write(&transaction)?;
            transaction.commit()?;
            Ok::<_, rusqlite::Error>(done)
        });
        written.await.map_err(StoreFailed::new)?.map_err(failed)
    }

    fn update_now(
        &self,
        build: Build,
        from: Position,
        up_to: Position,
        work: Work,
    ) -> Result<(), CannotApply> {
        let mut connection = self.writer();
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        match checkpoint(&transaction, build).map_err(failed)? {
            Some(at) if at == from => {}
            Some(moved) => return Err(CannotApply::Moved(moved)),
            None => {
                let gone = format!("{} is not being built any more", table(build));
                return Err(StoreFailed::new(gone).into());
            }
        }
        work(&mut TableRows::of(&transaction, build))?;
        let checkpoint = "UPDATE builds SET position = ? WHERE view = ? AND version = ? AND generation = ?";
        let (view, version, generation) = key(build);
        transaction.execute(checkpoint, (up_to.0, view, version, generation)).map_err(failed)?;
        Ok(transaction.commit().map_err(failed)?)
    }
}

/// Returns the position that a build has read up to. Returns `None` if there is no such build.
fn checkpoint(connection: &Connection, build: Build) -> rusqlite::Result<Option<Position>> {
    let query = "SELECT position FROM builds
        WHERE view = ? AND version = ? AND generation = ? AND serving < 2";
    let mut select = connection.prepare_cached(query)?;
    select.query_row(key(build), |row| row.get(0).map(Position)).optional()
}

fn key(build: Build) -> (&'static str, u32, u32) {
    (build.view.name, build.view.version, build.generation)
}

/// Returns the name of the table with a build's rows.
fn table(build: Build) -> String {
    let Build { view: ViewId { name, version }, generation } = build;
    table_of(name, version, generation)
}

/// Generation zero comes from versions that had only one build for each version of a view.
fn table_of(name: &str, version: u32, generation: u32) -> String {
    match generation {
        0 => format!("view_{name}_{version}"),
        _ => format!("view_{name}_{version}_{generation}"),
    }
}

/// Returns the table of the serving build. Returns `None` before the first build has begun. Call it in the
/// transaction that reads the table, because the serving build can change at any time.
fn serving(connection: &Connection, view: ViewId) -> rusqlite::Result<Option<String>> {
    let query = "SELECT version, generation FROM builds WHERE view = ? AND serving = 1";
    let mut select = connection.prepare_cached(query)?;
    let found = select.query_row([view.name], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok(found.map(|(version, generation)| table(Build { view: ViewId { version, ..view }, generation })))
}

fn failed(error: rusqlite::Error) -> StoreFailed {
    StoreFailed::new(SqliteFailed::from(error))
}

fn begin(transaction: &Transaction<'_>, view: ViewId) -> rusqlite::Result<Build> {
    // Numbers are not used again: a task that works on an old build, or deletes it, may still have its number
    // in memory.
    let next = "INSERT INTO generations
        SELECT ?1, coalesce(max(generation), 0) + 1 FROM builds WHERE view = ?1
        ON CONFLICT (view) DO UPDATE SET last = max(last + 1, excluded.last) RETURNING last";
    let generation = transaction.query_row(next, [view.name], |row| row.get(0))?;
    let build = Build { view, generation };
    let table = table(build);
    transaction.execute_batch(&format!(
        "DROP TABLE IF EXISTS {table}; DROP TABLE IF EXISTS {table}_index;
         CREATE TABLE {table} (key TEXT PRIMARY KEY, row TEXT NOT NULL) STRICT, WITHOUT ROWID;
         CREATE TABLE {table}_index (
             name TEXT NOT NULL, value TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (name, value, key)
         ) STRICT, WITHOUT ROWID;"
    ))?;
    let first = "INSERT INTO builds SELECT ?1, ?2, ?3, 0,
        NOT EXISTS (SELECT 1 FROM builds WHERE view = ?1 AND serving = 1), NULL";
    transaction.execute(first, (view.name, view.version, generation))?;
    Ok(build)
}

fn builds(connection: &Connection) -> rusqlite::Result<Vec<BuildState>> {
    let query = "SELECT view, version, generation, position, serving, failure FROM builds
        WHERE serving < 2 ORDER BY 1, 2, 3";
    let mut select = connection.prepare_cached(query)?;
    let rows = select.query_map([], |row| {
        let build = stored_build(row)?;
        let (position, serving, failure) = (Position(row.get(3)?), row.get(4)?, row.get(5)?);
        Ok(BuildState { build, position, serving, failure })
    })?;
    rows.collect()
}

fn half_deleted(connection: &Connection) -> rusqlite::Result<Vec<StoredBuild>> {
    let query = "SELECT view, version, generation FROM builds WHERE serving = 2";
    let mut select = connection.prepare(query)?;
    select.query_map([], stored_build)?.collect()
}

/// Reads a build from its view, version and generation in the first three columns.
fn stored_build(row: &Row<'_>) -> rusqlite::Result<StoredBuild> {
    let view = StoredView { name: row.get(0)?, version: row.get(1)? };
    Ok(StoredBuild { view, generation: row.get(2)? })
}

/// Returns the keys whose rows or index entries differ between two builds.
fn differences(
    connection: &Connection,
    one: &str,
    other: &str,
    limit: usize,
) -> rusqlite::Result<Vec<String>> {
    let pairs = [(one, other), (other, one)];
    let rows = pairs
        .map(|(a, b)| format!("SELECT key FROM (SELECT key, row FROM {a} EXCEPT SELECT key, row FROM {b})"));
    let entries = pairs.map(|(a, b)| {
        let columns = "name, value, key";
        format!("SELECT key FROM (SELECT {columns} FROM {a}_index EXCEPT SELECT {columns} FROM {b}_index)")
    });
    let all = [rows, entries].concat().join(" UNION ");
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut select = connection.prepare(&format!("SELECT key FROM ({all}) ORDER BY key LIMIT {limit}"))?;
    select.query_map([], |row| row.get(0))?.collect()
}

/// The rows of one build, within a transaction.
struct TableRows<'a> {
    connection: &'a Connection,
    /// Whether the table has no rows, and will have none in this transaction.
    nothing_stored: bool,
    get: String,
    put: String,
    delete: String,
    enter: String,
    leave: String,
}

impl<'a> TableRows<'a> {
    fn of(connection: &'a Connection, build: Build) -> Self {
        let table = table(build);
        Self {
            connection,
            nothing_stored: false,
            get: get_from(&table),
            put: format!(
                "INSERT INTO {table} VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET row = excluded.row"
            ),
            delete: format!("DELETE FROM {table} WHERE key = ?"),
            enter: format!("INSERT OR IGNORE INTO {table}_index VALUES (?, ?, ?)"),
            leave: format!("DELETE FROM {table}_index WHERE name = ? AND value = ? AND key = ?"),
        }
    }

    /// The rows of a build for work that only reads.
    fn to_read(connection: &'a Connection, build: Build) -> rusqlite::Result<Self> {
        let rows = Self::of(connection, build);
        let any = connection.prepare_cached(&format!("SELECT 1 FROM {} LIMIT 1", table(build)))?.exists([])?;
        Ok(Self { nothing_stored: !any, ..rows })
    }

    fn execute(&self, sql: &str, values: impl rusqlite::Params) -> Result<(), StoreFailed> {
        self.connection.prepare_cached(sql).and_then(|mut s| s.execute(values)).map(drop).map_err(failed)
    }
}

impl Rows for TableRows<'_> {
    fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, StoreFailed> {
        match self.nothing_stored {
            true => Ok(None),
            false => get(self.connection, &self.get, key).map_err(failed),
        }
    }

    fn put(&mut self, key: &str, row: &[u8]) -> Result<(), StoreFailed> {
        let row = std::str::from_utf8(row).map_err(StoreFailed::new)?;
        self.execute(&self.put, (key, row))
    }

    fn delete(&mut self, key: &str) -> Result<(), StoreFailed> {
        self.execute(&self.delete, [key])
    }

    fn enter(&mut self, (name, value): &IndexEntry, key: &str) -> Result<(), StoreFailed> {
        self.execute(&self.enter, (name, value, key))
    }

    fn leave(&mut self, (name, value): &IndexEntry, key: &str) -> Result<(), StoreFailed> {
        self.execute(&self.leave, (name, value, key))
    }

    fn note_erasure(&mut self) -> Result<(), StoreFailed> {
        self.execute("INSERT OR REPLACE INTO erasures VALUES (1, 0)", [])
    }
}

/// Writes the whole file anew, and empties the write-ahead log. `secure_delete` overwrites deleted rows with zeros, but a
/// page that was split before may have a copy in its unused part.
fn scrub(connection: &Connection) -> rusqlite::Result<()> {
    let noted = connection.query_row("SELECT rewritten FROM erasures", [], |row| row.get(0)).optional()?;
    if noted == Some(false) {
        connection.execute_batch("VACUUM; UPDATE erasures SET rewritten = 1;")?;
    }
    let busy: i64 = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy == 0 {
        connection.execute_batch("DELETE FROM erasures;")?;
    }
    Ok(())
}

fn get_from(table: &str) -> String {
    format!("SELECT row FROM {table} WHERE key = ?")
}

fn get(connection: &Connection, query: &str, key: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    let mut select = connection.prepare_cached(query)?;
    select.query_row([key], |row| Ok(row.get_ref(0)?.as_bytes()?.to_owned())).optional()
}

fn select(connection: &Connection, table: &str, wanted: &Selection) -> rusqlite::Result<Vec<FoundRow>> {
    let (direction, beyond) = match wanted.order {
        Order::Ascending => ("ASC", ">"),
        Order::Descending => ("DESC", "<"),
    };
    let limit = i64::try_from(wanted.limit).unwrap_or(i64::MAX);
    let after = wanted.after.clone();
    let mut places: Vec<String> = Vec::new();
    let sql = match &wanted.by {
        Some((name, prefix)) => {
            // All keys with this prefix lie between the prefix and the prefix followed by the last character
            // of Unicode.
            places.extend([(*name).to_owned(), prefix.clone(), format!("{prefix}\u{10ffff}")]);
            let behind = after.map_or_else(String::new, |after| {
                places.extend([after.value, after.key]);
                format!("AND (i.value, i.key) {beyond} (?, ?)")
            });
            format!(
                "SELECT i.value, i.key, r.row FROM {table}_index AS i JOIN {table} AS r ON r.key = i.key
                 WHERE i.name = ? AND i.value >= ? AND i.value < ? {behind}
                 ORDER BY i.value {direction}, i.key {direction} LIMIT {limit}"
            )
        }
        None => {
            let behind = after.map_or_else(String::new, |after| {
                places.push(after.key);
                format!("WHERE key {beyond} ?")
            });
            format!("SELECT '', key, row FROM {table} {behind} ORDER BY key {direction} LIMIT {limit}")
        }
    };
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(places), |row| {
        let cursor = Cursor { value: row.get(0)?, key: row.get(1)? };
        Ok(FoundRow { cursor, row: row.get_ref(2)?.as_bytes()?.to_owned() })
    })?;
    rows.collect()
}

/// Reads from the serving build, in one transaction. Returns nothing before there is one.
fn read_serving<T: Default>(
    connection: &Connection,
    view: ViewId,
    read: impl FnOnce(&Connection, &str) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let transaction = connection.unchecked_transaction()?;
    match serving(&transaction, view)? {
        Some(table) => read(&transaction, &table),
        None => Ok(T::default()),
    }
}

/// Deletes some rows of a table. Returns how many.
fn discard_some(transaction: &Transaction<'_>, table: &str, key: &str) -> rusqlite::Result<usize> {
    let some = format!("DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} LIMIT {DISCARDED})");
    transaction.execute(&some, [])
}

impl ReadStore for SqliteReadStore {
    fn builds(&self) -> BoxFuture<'_, Result<Vec<BuildState>, StoreFailed>> {
        Box::pin(self.read(builds))
    }

    fn begin(&self, view: ViewId) -> BoxFuture<'_, Result<Build, StoreFailed>> {
        Box::pin(self.write(move |transaction| begin(transaction, view)))
    }

    fn serve(&self, build: Build) -> BoxFuture<'_, Result<(), StoreFailed>> {
        let swap =
            "UPDATE builds SET serving = (version = ?2 AND generation = ?3) WHERE view = ?1 AND serving < 2";
        Box::pin(self.write(move |transaction| transaction.execute(swap, key(build)).map(drop)))
    }

    fn retire(&self, view: String) -> BoxFuture<'_, Result<(), StoreFailed>> {
        let retire = "UPDATE builds SET serving = 2 WHERE view = ?";
        Box::pin(self.write(move |transaction| transaction.execute(retire, [view]).map(drop)))
    }

    fn half_deleted(&self) -> BoxFuture<'_, Result<Vec<StoredBuild>, StoreFailed>> {
        Box::pin(self.read(half_deleted))
    }

    fn discard(&self, build: StoredBuild) -> BoxFuture<'_, Result<(), StoreFailed>> {
        let StoredBuild { view: StoredView { name, version }, generation } = build;
        Box::pin(async move {
            let build = (name.clone(), version, generation);
            let mark = "UPDATE builds SET serving = 2
                WHERE view = ? AND version = ? AND generation = ? AND serving <> 1";
            if self.write(move |transaction| transaction.execute(mark, build)).await? == 0 {
                return Ok(());
            }
            // Freed pages are overwritten with zeros, which takes time. Other writes may happen in between.
            let rows = table_of(&name, version, generation);
            let index = format!("{rows}_index");
            for (table, key) in [(rows.clone(), "key"), (index.clone(), "name, value, key")] {
                let some = move |transaction: &Transaction<'_>| discard_some(transaction, &table, key);
                while self.write(some.clone()).await? > 0 {}
            }
            let forget = "DELETE FROM builds WHERE view = ? AND version = ? AND generation = ?";
            self.write(move |transaction| {
                transaction.execute_batch(&format!("DROP TABLE {rows}; DROP TABLE {index};"))?;
                transaction.execute(forget, (name, version, generation)).map(drop)
            })
            .await
        })
    }

    fn look(&self, build: Build, work: Work) -> BoxFuture<'_, Result<(), CannotApply>> {
        Box::pin(async move {
            let looked = self.builders.read_apart(move |connection| {
                // One transaction, or each statement would lock and unlock the write-ahead log.
                let transaction = connection.unchecked_transaction()?;
                let mut rows = TableRows::to_read(&transaction, build)?;
                Ok(work(&mut rows))
            });
            looked.await.map_err(StoreFailed::new)?
        })
    }

    fn update(
        &self,
        build: Build,
        from: Position,
        up_to: Position,
        work: Work,
    ) -> BoxFuture<'_, Result<(), CannotApply>> {
        let store = self.clone();
        Box::pin(async move {
            let done = tokio::task::spawn_blocking(move || store.update_now(build, from, up_to, work)).await;
            done.map_err(StoreFailed::new)?
        })
    }

    fn reset(&self, build: Build) -> BoxFuture<'_, Result<(), StoreFailed>> {
        Box::pin(self.write(move |transaction| {
            let table = table(build);
            transaction.execute_batch(&format!("DELETE FROM {table}; DELETE FROM {table}_index;"))?;
            let forget = "UPDATE builds SET position = 0, failure = NULL
                WHERE view = ? AND version = ? AND generation = ?";
            transaction.execute(forget, key(build)).map(drop)
        }))
    }

    fn note_failure(&self, build: Build, failure: Option<String>) -> BoxFuture<'_, Result<(), StoreFailed>> {
        let note = "UPDATE builds SET failure = ? WHERE view = ? AND version = ? AND generation = ?";
        Box::pin(self.write(move |transaction| {
            let (view, version, generation) = key(build);
            transaction.execute(note, (failure, view, version, generation)).map(drop)
        }))
    }

    fn scrub(&self) -> BoxFuture<'_, Result<(), StoreFailed>> {
        Box::pin(async move {
            let noted = |connection: &Connection| {
                connection.query_row("SELECT count(*) FROM erasures", [], |row| row.get(0))
            };
            let noted: i64 = self.read(noted).await?;
            if noted == 0 {
                return Ok(());
            }
            let store = self.clone();
            let scrubbed = tokio::task::spawn_blocking(move || scrub(&store.writer()));
            scrubbed.await.map_err(StoreFailed::new)?.map_err(failed)
        })
    }

    fn request_rebuild(&self, view: String) -> BoxFuture<'_, Result<(), StoreFailed>> {
        let request = "INSERT OR IGNORE INTO requests VALUES (?)";
        Box::pin(self.write(move |transaction| transaction.execute(request, [view]).map(drop)))
    }

    fn take_requests(&self) -> BoxFuture<'_, Result<Vec<String>, StoreFailed>> {
        Box::pin(async move {
            let asked = self.read(requests).await?;
            if !asked.is_empty() {
                let taken = asked.clone();
                let forget = "DELETE FROM requests WHERE view = ?";
                self.write(move |transaction| {
                    taken.iter().try_for_each(|view| transaction.execute(forget, [view]).map(drop))
                })
                .await?;
            }
            Ok(asked)
        })
    }

    fn get(&self, view: ViewId, key: String) -> BoxFuture<'_, Result<Option<Vec<u8>>, StoreFailed>> {
        Box::pin(self.read(move |connection| {
            read_serving(connection, view, |connection, table| get(connection, &get_from(table), &key))
        }))
    }

    fn select(&self, view: ViewId, wanted: Selection) -> BoxFuture<'_, Result<Vec<FoundRow>, StoreFailed>> {
        Box::pin(self.read(move |connection| {
            read_serving(connection, view, |connection, table| select(connection, table, &wanted))
        }))
    }

    fn differences(
        &self,
        one: Build,
        other: Build,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<String>, StoreFailed>> {
        Box::pin(self.read(move |connection| differences(connection, &table(one), &table(other), limit)))
    }
}

fn requests(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut select = connection.prepare_cached("SELECT view FROM requests")?;
    select.query_map([], |row| row.get(0))?.collect()
}

#[cfg(test)]
mod tests;
