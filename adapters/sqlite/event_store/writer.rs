//! The thread that writes the log. It writes many callers' appends in one transaction. Each append has its
//! own revision check and its own reply.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use loquet_domain::ports::{AppendError, Appended, NewEvent, Position, Revision, StreamId};
use loquet_metrics::Histogram;
use rusqlite::{Connection, ErrorCode, Statement};
use tokio::sync::{mpsc, oneshot, watch};

use super::checkpoints::Checkpoints;
use super::heads::{Head, Heads, Key};
use super::reader::walk_back;
use crate::database::explain;

/// The most requests in one transaction.
const BATCH: usize = 1024;
/// A batch waits for more requests only if the previous batch had at least this many.
const MANY: usize = 16;
/// The longest time that a batch waits to grow as large as the previous one.
const GATHER: Duration = Duration::from_micros(150);

/// How long a batch waits for a write lock of another program. Everybody who wants to log in waits as long,
/// and is then told to try again. The time is shorter than the timeouts of browsers and proxies, and longer
/// than a checkpoint of another program takes.
const PATIENCE: Duration = Duration::from_secs(2);

/// The number of bytes that must be free before anything is written to a disk that was full. A login takes
/// far less.
const ROOM: u64 = 1024 * 1024;

type Reply<T> = oneshot::Sender<Result<T, AppendError>>;

pub(super) enum Request {
    Append { stream: StreamId, key: Key, expected: Revision, events: Vec<NewEvent>, reply: Reply<Appended> },
    Decoy(Reply<()>),
}

/// The reply that a caller gets once the transaction is durable.
enum Answer {
    Append(Reply<Appended>, Result<Appended, AppendError>),
    Decoy(Reply<()>),
}

/// The heads as they are after this transaction.
struct Batch {
    moved: HashMap<Key, Head>,
    last: Position,
    answers: Vec<Answer>,
}

/// Why a batch is not acknowledged.
enum Failure {
    /// It failed before its last frame was written, so it can never be in the log.
    Refused(rusqlite::Error),
    /// It failed in its commit. It may be complete on the disk, and would then be read after a crash.
    InDoubt(rusqlite::Error),
}

pub(super) struct Writer {
    connection: Connection,
    log: PathBuf,
    heads: std::sync::Arc<Heads>,
    published: watch::Sender<Position>,
    checkpoints: Checkpoints,
    /// Why the last batch failed. `None` if it did not. The failure was logged once, and is not logged again
    /// for each further batch.
    failing: Option<ErrorCode>,
    /// Whether a batch failed in its commit and no other has been committed since. See [`Writer::settle`].
    doubtful: bool,
    /// Measures how many requests a transaction takes.
    batch: Histogram,
}

impl Writer {
    pub(super) fn new(
        mut connection: Connection,
        log: PathBuf,
        heads: std::sync::Arc<Heads>,
        published: watch::Sender<Position>,
        batch: Histogram,
    ) -> rusqlite::Result<Self> {
        connection.busy_timeout(PATIENCE)?;
        let checkpoints = Checkpoints::after_commits_of(&mut connection)?;
        let (failing, doubtful) = (None, false);
        Ok(Self { connection, log, heads, published, checkpoints, failing, doubtful, batch })
    }

    /// Runs until every sender is gone: takes the waiting requests, commits them, replies, and begins again.
    /// While one commit waits for the disk, the next batch gathers.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Request>) {
        let mut previous = 1;
        while let Some(first) = queue.blocking_recv() {
            let batch = gather(first, &mut queue, previous);
            previous = batch.len();
            self.commit(batch);
        }
        self.heads.note(&self.log, &self.connection);
        self.checkpoints.at_the_end(&self.connection);
    }

    /// Never inlined, so that `benches/instructions` finds it and counts what it takes.
    #[inline(never)]
    fn commit(&mut self, requests: Vec<Request>) {
        self.batch.observe(f64::from(u32::try_from(requests.len()).unwrap_or(u32::MAX)));
        if let Err(error) = self.settle() {
            return refuse(requests.into_iter().map(Request::unanswered).collect(), &error);
        }
        let before = self.heads.last();
        let mut batch = Batch { moved: HashMap::new(), last: before, answers: Vec::new() };
        match self.write(&mut batch, requests) {
            Ok(()) => {
                self.acknowledge(batch);
                self.say_that_it_is_over();
                self.checkpoints.after_commit(&self.connection);
            }
            Err(Failure::Refused(error)) => {
                self.say_that_it_fails(&error);
                refuse(batch.answers, &error);
            }
            Err(Failure::InDoubt(error)) => {
                self.say_that_it_fails(&error);
                self.doubtful = true;
                match self.settle() {
                    Ok(()) if self.heads.last() == before => refuse(batch.answers, &error),
                    _ => doubt(batch.answers, &error),
                }
            }
        }
    }

    fn say_that_it_fails(&mut self, error: &rusqlite::Error) {
        let code = error.sqlite_error_code().unwrap_or(ErrorCode::Unknown);
        if self.failing.replace(code).is_none() {
            tracing::error!(error = %explain(error), "the log could not be written");
        }
    }

    fn say_that_it_is_over(&mut self) {
        if self.failing.take().is_some() {
            tracing::info!("the log can be written again");
        }
    }

    fn write(&self, batch: &mut Batch, requests: Vec<Request>) -> Result<(), Failure> {
        let mut failed = self.connection.execute_batch("BEGIN IMMEDIATE").err();
        for request in requests {
            match (failed.is_some(), request) {
                (true, request) => batch.answers.push(request.unanswered()),
                (false, Request::Decoy(reply)) => {
                    failed = beat(&self.connection).err();
                    batch.answers.push(Answer::Decoy(reply));
                }
                (false, Request::Append { stream, key, expected, events, reply }) => {
                    let outcome =
                        batch.append(&self.connection, &self.heads, &stream, key, expected, &events);
                    let answer = match outcome {
                        Ok(outcome) => outcome,
                        Err(error) => {
                            failed = Some(error);
                            Err(AppendError::Unknown(String::new()))
                        }
                    };
                    batch.answers.push(Answer::Append(reply, answer));
                }
            }
        }
        if let Some(error) = failed {
            return Err(Failure::Refused(error));
        }
        self.connection.execute_batch("COMMIT").map_err(|error| match error.sqlite_error_code() {
            // If the disk was full, at least the last frame is missing, and without it the others are never
            // read. A sync that finds no room gives another error.
            Some(ErrorCode::DiskFull) => Failure::Refused(error),
            _ => Failure::InDoubt(error),
        })
    }

    fn acknowledge(&self, batch: Batch) {
        self.heads.advance(batch.moved, batch.last);
        self.publish(batch.last);
        for answer in batch.answers {
            match answer {
                Answer::Append(reply, outcome) => drop(reply.send(outcome)),
                Answer::Decoy(reply) => drop(reply.send(Ok(()))),
            }
        }
    }

    fn publish(&self, last: Position) {
        if last > *self.published.borrow() {
            self.published.send_replace(last);
        }
    }

    /// Makes sure that nothing of a failed batch can come back. Writes nothing else until that is certain.
    ///
    /// A batch that failed before its commit has left no commit frame, so rolling back is enough. A batch
    /// that failed in its commit may have all its frames in the write-ahead log. A process that reads the log
    /// after a crash would then treat the batch as committed. So a transaction that changes only a counter is
    /// committed at once. If it fails, the callers of the batch are told that the result is unknown. The
    /// transaction works for these reasons:
    ///
    /// - SQLite rolls back to the last frame that was committed. The next transaction is written from there,
    ///   over the first frames of the one that failed, and is synced.
    /// - Each frame's checksum goes on from the checksum of the frame before. The remaining frames of the failed
    ///   batch do not go on from the new frames, so they are never read. If the write-ahead log begins anew with the
    ///   new transaction, its salts are new, and the old frames are not read either.
    ///
    /// No reader can prevent this, since a write needs no checkpoint. ARCHITECTURE.md, "The embedded log", says what
    /// holds when the power fails in between.
    fn settle(&mut self) -> rusqlite::Result<()> {
        if !self.connection.is_autocommit() {
            self.connection.execute_batch("ROLLBACK")?;
        }
        if self.failing == Some(ErrorCode::DiskFull) && !has_room(&self.log) {
            let full = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL);
            return Err(rusqlite::Error::SqliteFailure(full, None));
        }
        if !self.doubtful {
            return Ok(());
        }
        beat(&self.connection)?;
        // Another program may have rebuilt the index of the write-ahead log in the meantime, and found the batch.
        self.heads.catch_up(&self.connection)?;
        self.doubtful = false;
        self.publish(self.heads.last());
        self.say_that_it_is_over();
        Ok(())
    }
}

/// Takes the waiting requests. The callers of the previous batch were just answered and are about to come
/// again, so this waits a moment for as many: a sync for half of them would cost as much as one for all. It
/// never waits for a few callers, because waiting would keep a core from the hashes that those callers need.
fn gather(first: Request, queue: &mut mpsc::Receiver<Request>, previous: usize) -> Vec<Request> {
    let (begun, waits) = (Instant::now(), previous >= MANY);
    let mut batch = vec![first];
    while batch.len() < BATCH {
        match queue.try_recv() {
            Ok(next) => batch.push(next),
            Err(_) if waits && batch.len() < previous && begun.elapsed() < GATHER => std::thread::yield_now(),
            Err(_) => break,
        }
    }
    batch
}

impl Request {
    fn unanswered(self) -> Answer {
        match self {
            Self::Append { reply, .. } => Answer::Append(reply, Err(AppendError::Unknown(String::new()))),
            Self::Decoy(reply) => Answer::Decoy(reply),
        }
    }
}

impl Batch {
    fn append(
        &mut self,
        connection: &Connection,
        heads: &Heads,
        stream: &StreamId,
        key: Key,
        expected: Revision,
        events: &[NewEvent],
    ) -> rusqlite::Result<Result<Appended, AppendError>> {
        let none = Head { position: Position::default(), revision: Revision::default() };
        let mut head = self.moved.get(&key).copied().or_else(|| heads.by_key(key)).unwrap_or(none);
        if head.revision != expected {
            let repeated = repeated(connection, stream, head, expected, events)?;
            return Ok(repeated.ok_or(AppendError::Conflict { actual: head.revision }));
        }
        let mut statement =
            connection.prepare_cached("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")?;
        for event in events {
            let position = Position(self.last.0 + 1);
            let revision = Revision(head.revision.0 + 1);
            insert(&mut statement, position, stream, revision, head.position, event)?;
            head = Head { position, revision };
            self.last = position;
        }
        self.moved.insert(key, head);
        Ok(Ok(Appended { position: head.position, revision: head.revision }))
    }
}

fn insert(
    statement: &mut Statement<'_>,
    position: Position,
    stream: &StreamId,
    revision: Revision,
    previous: Position,
    event: &NewEvent,
) -> rusqlite::Result<()> {
    let text =
        |bytes| std::str::from_utf8(bytes).map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)));
    statement.execute((
        position.0,
        stream.as_str(),
        revision.0,
        previous.0,
        event.id.0.as_bytes(),
        &event.name,
        event.version,
        text(&event.data)?,
        text(&event.metadata)?,
        event.sealed.as_ref().map(|sealed| *sealed.subject.0.as_bytes()),
        event.sealed.as_ref().map(|sealed| &sealed.bytes),
    ))?;
    Ok(())
}

/// Returns the positions of these events, if they were appended at this revision before.
fn repeated(
    connection: &Connection,
    stream: &StreamId,
    head: Head,
    expected: Revision,
    events: &[NewEvent],
) -> rusqlite::Result<Option<Appended>> {
    let count = u64::try_from(events.len()).unwrap_or(u64::MAX);
    if events.is_empty() || head.revision.0 < expected.0.saturating_add(count) {
        return Ok(None);
    }
    let recorded = walk_back(connection, stream, head, expected)?;
    let same = recorded.iter().zip(events).all(|(held, new)| held.event.id == new.id);
    let last = events.len().checked_sub(1).and_then(|last| recorded.get(last)).filter(|_| same);
    Ok(last.map(|last| Appended { position: last.position, revision: last.revision }))
}

/// Writes what an append writes, in the same transaction, but appends no event.
fn beat(connection: &Connection) -> rusqlite::Result<()> {
    connection.prepare_cached("UPDATE pulse SET beats = beats + 1")?.execute([]).map(drop)
}

/// Returns whether a disk that was full has room for any batch again. Without this check, a small batch would
/// succeed before a large one. That would tell an anonymous caller whether an address is known (law 11).
fn has_room(log: &Path) -> bool {
    let folder = log.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    rustix::fs::statvfs(folder).map_or(true, |disk| disk.f_bavail.saturating_mul(disk.f_frsize) >= ROOM)
}

/// Tells the callers that their batch was not written, and never will be.
fn refuse(answers: Vec<Answer>, error: &rusqlite::Error) {
    tell(answers, &AppendError::Unavailable(explain(error)));
}

/// Tells the callers that their batch may or may not be in the log.
fn doubt(answers: Vec<Answer>, error: &rusqlite::Error) {
    tell(answers, &AppendError::Unknown(explain(error)));
}

fn tell(answers: Vec<Answer>, error: &AppendError) {
    for answer in answers {
        match answer {
            Answer::Append(reply, _) => drop(reply.send(Err(error.clone()))),
            Answer::Decoy(reply) => drop(reply.send(Err(error.clone()))),
        }
    }
}
