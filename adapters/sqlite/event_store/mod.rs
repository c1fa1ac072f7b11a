//! The embedded event log: one SQLite file that is only appended to.
//!
//! There is no index over streams: maintaining one would make appends ten times slower, because its pages are
//! spread over the whole file. Instead, each event holds the position of the previous event of its stream,
//! and the head of every stream is in memory. A stream is read backwards from its head. One thread writes the
//! appends of many callers in one transaction (group commit). Readers never wait for it. The file is locked
//! against a second process. An auditor can read it with any SQLite tool.

mod checkpoints;
mod heads;
mod reader;
mod soundness;
mod writer;

use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use loquet_domain::ports::{
    AppendError, Appended, BoxFuture, BoxStream, EventStore, Look, NewEvent, Position, ReadError,
    RecordedEvent, Revision, StreamId, Subscribed,
};
use tokio::sync::{mpsc, oneshot, watch};

pub use crate::database::FileError;
use crate::database::{Kind, lock_beside};
use heads::{Heads, Key};
use loquet_metrics::LogMetrics;
use reader::Readers;
use rusqlite::Connection;
use soundness::{Fault, check_events, check_newest};
use writer::{Request, Writer};

pub(crate) const LOG: Kind = Kind {
    what: "a Loquet event log",
    application_id: 0x4c71_7401,
    version: 1,
    upgrades: &[],
    holds_keys: false,
    remedy: "restore it from a backup",
    synchronous: "FULL",
    schema: "
        CREATE TABLE IF NOT EXISTS events (
            position INTEGER PRIMARY KEY,  -- from 1, without gaps
            stream   TEXT    NOT NULL,
            revision INTEGER NOT NULL,     -- from 1 within its stream
            previous INTEGER NOT NULL,     -- position of the stream's previous event, 0 for none
            event_id BLOB    NOT NULL,     -- UUID
            name     TEXT    NOT NULL,
            version  INTEGER NOT NULL,
            data     TEXT    NOT NULL,     -- JSON
            metadata TEXT    NOT NULL,     -- JSON
            subject  BLOB,                 -- the account whose key seals the next column
            sealed   BLOB                  -- XChaCha20-Poly1305: 24 bytes of nonce, then ciphertext
        ) STRICT;
        CREATE TABLE IF NOT EXISTS pulse (id INTEGER PRIMARY KEY, beats INTEGER NOT NULL) STRICT;
        INSERT OR IGNORE INTO pulse VALUES (1, 0);
        CREATE VIEW IF NOT EXISTS history AS
            SELECT position, stream, revision, json_extract(metadata, '$.at') AS at, name, version, data,
                   json_extract(metadata, '$.actor') AS actor, sealed IS NOT NULL AS has_sealed_part
            FROM events ORDER BY position;",
};

/// What is in the file of a log and does not belong there: rows that no reader returns, triggers, and tables and views that
/// were changed. The proof of the log covers the events alone.
///
/// # Errors
/// [`FileError`] if the file can't be read.
pub fn strange_parts(path: &Path) -> Result<Vec<String>, FileError> {
    let found = || {
        let ours = Connection::open_in_memory()?;
        ours.execute_batch(LOG.schema)?;
        let theirs = LOG.open_reader(path).map_err(|_| rusqlite::Error::InvalidQuery)?;
        let parts = |connection: &Connection| {
            let select = "SELECT type || ' ' || name, coalesce(sql, '') FROM sqlite_master
                WHERE name NOT LIKE 'sqlite_%' ORDER BY 1";
            let mut select = connection.prepare(select)?;
            let parts =
                select.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
            parts.collect::<rusqlite::Result<Vec<_>>>()
        };
        let (expected, there) = (parts(&ours)?, parts(&theirs)?);
        let strange = there.iter().filter(|part| !expected.contains(part));
        let mut strange: Vec<String> =
            strange.map(|(name, _)| format!("the {name} is not the one that Loquet made")).collect();
        let missing = expected.iter().filter(|(name, _)| !there.iter().any(|(other, _)| other == name));
        strange.extend(missing.map(|(name, _)| format!("the {name} is missing")));
        let before: i64 =
            theirs.query_row("SELECT count(*) FROM events WHERE position < 1", [], |row| row.get(0))?;
        if before > 0 {
            strange.push(format!("{before} rows stand before the first position"));
        }
        Ok(strange)
    };
    found().map_err(|error: rusqlite::Error| LOG.unusable(path, &error))
}

/// The suffix of the lock file beside the log.
const LOCK: &str = ".lock";
/// The number of appends that may wait for the writer. Further callers wait until there is room.
const QUEUE: usize = 4096;

/// The event log in one file.
#[derive(Clone)]
pub struct SqliteStore {
    inner: Arc<Inner>,
}

struct Inner {
    requests: Mutex<Option<mpsc::Sender<Request>>>,
    heads: Arc<Heads>,
    readers: Readers,
    head: watch::Receiver<Position>,
    writer: Mutex<Option<JoinHandle<()>>>,
    _lock: Option<File>,
}

impl SqliteStore {
    /// Opens the log at `path` and locks it against other processes. Makes the file if it does not exist.
    ///
    /// # Errors
    /// [`FileError`] names the file, what is wrong, and how to fix it.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        Self::open_measured(path, &LogMetrics::default())
    }

    /// Opens the log like [`SqliteStore::open`]. Also measures how many requests each transaction takes.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn open_measured(path: &Path, metrics: &LogMetrics) -> Result<Self, FileError> {
        let lock = lock_beside(path, LOCK)?;
        let connection = LOG.open(path)?;
        let heads = Arc::new(Heads::open(&connection, path)?);
        check_newest(&connection, &heads).map_err(|fault| refused(path, &fault))?;
        let readers = Readers::open(path)?;
        let (published, head) = watch::channel(heads.last());
        let (requests, queue) = mpsc::channel(QUEUE);
        let writer =
            Writer::new(connection, path.to_owned(), heads.clone(), published, metrics.batch.clone())
                .map_err(|e| LOG.unusable(path, &e))?;
        let thread = std::thread::Builder::new()
            .name("log-writer".to_owned())
            .spawn(move || writer.run(queue))
            .map_err(|e| FileError::Unusable { path: path.to_owned(), why: e.to_string() })?;
        let inner = Inner {
            requests: Mutex::new(Some(requests)),
            heads,
            readers,
            head,
            writer: Mutex::new(Some(thread)),
            _lock: Some(lock),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Opens the log for reading, as it is now. Another process may be writing it. Appends are refused.
    ///
    /// # Errors
    /// [`FileError`] if there is no log, or if it can't be read.
    pub fn open_to_read(path: &Path) -> Result<Self, FileError> {
        let connection = LOG.open_reader(path)?;
        let heads = Arc::new(Heads::read(&connection, path)?);
        let readers = Readers::open(path)?;
        let (_, head) = watch::channel(heads.last());
        let inner =
            Inner { requests: Mutex::new(None), heads, readers, head, writer: Mutex::new(None), _lock: None };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Returns whether the log holds no events.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inner.heads.last() == Position::default()
    }

    /// Finishes the accepted appends, saves the heads for a quick start, and closes the file. Later appends
    /// are refused. Blocks.
    pub fn close(&self) {
        self.inner.requests.lock().unwrap_or_else(PoisonError::into_inner).take();
        let thread = self.inner.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            drop(thread.join());
        }
    }

    async fn request<T>(
        &self,
        make: impl FnOnce(oneshot::Sender<Result<T, AppendError>>) -> Request,
    ) -> Result<T, AppendError> {
        let requests = self.inner.requests.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let closed = || AppendError::Unavailable("the log is closed, or open to read only".to_owned());
        let requests = requests.ok_or_else(closed)?;
        let (reply, answer) = oneshot::channel();
        requests.send(make(reply)).await.map_err(|_| closed())?;
        answer.await.map_err(|_| AppendError::Unknown("the writer stopped".to_owned()))?
    }
}

/// Reads every event. A server may be writing to the log. It takes some seconds for a million events.
///
/// # Errors
/// [`FileError::Damaged`] says which event is not as it was written.
pub(crate) fn check_all(connection: &Connection, path: &Path) -> Result<(), FileError> {
    check_events(connection, Position::default()).map_err(|fault| refused(path, &fault))
}

fn refused(path: &Path, fault: &Fault) -> FileError {
    match fault {
        Fault::Sqlite(error) => LOG.unreadable(path, error),
        Fault::Altered { .. } => LOG.damaged(path, &fault.to_string()),
    }
}

/// Returns whether another process has the log open for writing.
#[must_use]
pub fn is_in_use(path: &Path) -> bool {
    matches!(lock_beside(path, LOCK), Err(FileError::InUse(_)))
}

impl EventStore for SqliteStore {
    fn append<'a>(
        &'a self,
        stream: &'a StreamId,
        expected: Revision,
        events: Vec<NewEvent>,
    ) -> BoxFuture<'a, Result<Appended, AppendError>> {
        // The hash is computed here, on many threads, and not on the writer's thread.
        let (stream, key) = (stream.clone(), Key::of(stream.as_str()));
        Box::pin(self.request(move |reply| Request::Append { stream, key, expected, events, reply }))
    }

    fn read_stream<'a>(
        &'a self,
        stream: &'a StreamId,
        after: Revision,
    ) -> BoxFuture<'a, Result<Vec<RecordedEvent>, ReadError>> {
        let head = self.inner.heads.get(stream).filter(|head| head.revision > after);
        match head {
            None => Box::pin(std::future::ready(Ok(Vec::new()))),
            Some(head) => self.inner.readers.stream(stream.clone(), head, after),
        }
    }

    fn read_all(
        &self,
        after: Position,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<RecordedEvent>, ReadError>> {
        self.inner.readers.all(after, limit)
    }

    fn look_at_named(
        &self,
        after: Position,
        up_to: Position,
        names: &'static [&'static str],
        look: Look,
    ) -> BoxFuture<'_, Result<usize, ReadError>> {
        self.inner.readers.look(after, up_to, names, look)
    }

    fn event_at(&self, position: Position) -> BoxFuture<'_, Result<Option<RecordedEvent>, ReadError>> {
        self.inner.readers.at(position)
    }

    fn newest(&self, limit: usize) -> BoxFuture<'_, Result<Vec<RecordedEvent>, ReadError>> {
        // Positions have no gaps here.
        let head = *self.inner.head.borrow();
        let older = head.0.saturating_sub(u64::try_from(limit).unwrap_or(u64::MAX));
        self.inner.readers.all(Position(older), limit)
    }

    fn subscribe(&self, after: Position) -> BoxStream<'static, Result<Subscribed, ReadError>> {
        loquet_subscription::subscribe(Arc::new(self.clone()), self.inner.head.clone(), after)
    }

    fn head(&self) -> BoxFuture<'_, Result<Position, ReadError>> {
        Box::pin(async move { Ok(*self.inner.head.borrow()) })
    }

    fn decoy(&self) -> BoxFuture<'_, Result<(), AppendError>> {
        Box::pin(self.request(Request::Decoy))
    }
}
