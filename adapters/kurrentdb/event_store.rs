//! The port on EventStoreDB or KurrentDB.
//!
//! A position is the place of an event in the server's log, in bytes. So positions have gaps between them, and a read begins
//! only at the position of an event. The name of a stream has the prefix of the settings in front. The server counts
//! revisions from 0, and this program from 1.

use std::sync::Arc;
use std::time::Duration;

use eventstore::{BatchWriteResult, EventData, StreamPosition, StreamState};
use loquet_domain::ports::{
    AppendError, Appended, BoxFuture, BoxStream, EventStore, NewEvent, Position, ReadError, RecordedEvent,
    Revision, StreamId, Subscribed,
};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::connection::{FIRST_PAUSE, Link, longer};
use crate::follower::{self, Head};
use crate::reading::{Part, Reader};
use crate::settings::Connection;
use crate::trouble::{Failure, OpenError};
use crate::{diagnosis, encoding, wholeness};

/// The greatest revision and position that the server has.
const GREATEST: u64 = i64::MAX.unsigned_abs();
/// The size of a decoy in bytes: about that of a failed login with its metadata and sealed part.
const DECOY: usize = 640;

/// The event log in EventStoreDB or KurrentDB. A clone is the same log.
#[derive(Clone)]
pub struct KurrentStore {
    inner: Arc<Inner>,
}

struct Inner {
    reader: Reader,
    deadline: Duration,
    decoys: String,
    head: Arc<Head>,
    following: JoinHandle<()>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.following.abort();
    }
}

impl KurrentStore {
    /// Opens the log. Its tasks run on the present runtime.
    ///
    /// # Errors
    /// [`OpenError`] if the settings are wrong, the server can't be used, or it may remove events of the log.
    pub async fn open(connection: &Connection) -> Result<Self, OpenError> {
        let prefix = connection.stream_prefix.clone();
        let decoys = format!("{}$decoy", prefix.trim_end_matches('-'));
        let link = Arc::new(Link::new(connection, &decoys)?);
        let reader = Reader { link, prefix, deadline: connection.deadline };
        match wholeness::check(&reader).await {
            Err(OpenError::Unreachable(said)) => {
                return Err(OpenError::Unreachable(diagnosis::of(connection, &said).await));
            }
            checked => checked?,
        }
        let newest = newest(&reader, 1).await?;
        let head = newest.last().map_or(Position(0), |event| event.position);
        let head = Arc::new(Head::at(head));
        let following = tokio::spawn(follower::follow(reader.clone(), head.clone()));
        let inner = Arc::new(Inner { reader, deadline: connection.deadline, decoys, head, following });
        let store = Self { inner };
        store.keep_one_decoy().await?;
        Ok(store)
    }

    /// Ends subscriptions and the sessions on the server. Waits for the server at most as long as for an append.
    pub async fn close(&self) {
        self.inner.following.abort();
        self.inner.head.close();
        let closed = self.inner.reader.link.close();
        if tokio::time::timeout(self.inner.deadline, closed).await.is_err() {
            tracing::debug!("the event store did not end the sessions for appends in time");
        }
    }

    fn name(&self, stream: &StreamId) -> String {
        format!("{}{stream}", self.inner.reader.prefix)
    }

    /// Lets the server remove all decoys but the newest.
    async fn keep_one_decoy(&self) -> Result<(), OpenError> {
        let metadata = format!("$${}", self.inner.decoys);
        let set = match self.inner.reader.stream(&metadata, StreamPosition::End, 1).await {
            Ok(events) => !events.is_empty(),
            Err(Failure::NotFound) => false,
            Err(failure) => return Err(failure.into()),
        };
        if set {
            return Ok(());
        }
        let keep_one = serde_json::json!({ "$maxCount": 1 });
        let event = EventData::json("$metadata", &keep_one)
            .map_err(|error| OpenError::Unusable(error.to_string()))?;
        match self.write(&metadata, StreamState::Any, &[event]).await {
            Ok(_) => Ok(()),
            Err(Unwritten { failure, .. }) => Err(failure.into()),
        }
    }

    /// Appends, and repeats an append that may succeed later. The ids and the expected revision stay the same, so nothing is
    /// written twice.
    async fn write(
        &self,
        stream: &str,
        expected: StreamState,
        events: &[EventData],
    ) -> Result<BatchWriteResult, Unwritten> {
        let link = &self.inner.reader.link;
        let until = Instant::now() + self.inner.deadline;
        let mut pause = FIRST_PAUSE;
        let mut perhaps = false;
        loop {
            let (wire, failure) = match timeout_at(until, link.session()).await {
                Ok(Ok(session)) => {
                    let wire = session.wire();
                    match timeout_at(until, session.append(stream, expected, events.to_vec())).await {
                        Ok(Ok(written)) => return Ok(written),
                        Ok(Err(failure)) => (wire, failure),
                        Err(_) => (wire, Failure::no_answer()),
                    }
                }
                Ok(Err(failed)) => failed,
                Err(_) => (link.wire(), Failure::NotTaken(Failure::no_answer().words())),
            };
            perhaps |= matches!(failure, Failure::Lost(_));
            if !failure.may_pass() {
                return Err(Unwritten { failure, perhaps });
            }
            if Instant::now() + pause >= until {
                if failure.needs_a_new_client() {
                    link.renew(&wire);
                }
                return Err(Unwritten { failure, perhaps });
            }
            tracing::debug!(why = failure.words(), "an append to the event store failed; trying again");
            link.mend(&wire, &failure).await;
            tokio::time::sleep(pause).await;
            pause = longer(pause);
        }
    }

    async fn append_now(
        &self,
        stream: &StreamId,
        expected: Revision,
        events: Vec<NewEvent>,
    ) -> Result<Appended, AppendError> {
        let name = self.name(stream);
        let count = u64::try_from(events.len()).unwrap_or(u64::MAX);
        let end = expected.0.saturating_add(count);
        if events.is_empty() || end > GREATEST {
            return self.compare(&name, expected).await;
        }
        let state = expected.0.checked_sub(1).map_or(StreamState::NoStream, StreamState::StreamRevision);
        let stored = events.iter().map(encoding::stored).collect::<Result<Vec<_>, _>>();
        let stored = stored.map_err(AppendError::Unavailable)?;
        let before = self.inner.head.position();
        let Unwritten { failure, perhaps } = match self.write(&name, state, &stored).await {
            Ok(written) => return self.appended(&name, end, before, &written).await,
            Err(unwritten) => unwritten,
        };
        match failure {
            Failure::WrongRevision => self.conflict(&name, expected, &events, perhaps).await,
            failure if perhaps => Err(AppendError::Unknown(failure.words())),
            failure => Err(AppendError::Unavailable(failure.words())),
        }
    }

    /// Compares the revision of a stream, for an append without events.
    async fn compare(&self, name: &str, expected: Revision) -> Result<Appended, AppendError> {
        let last = self.last(name).await.map_err(|failure| AppendError::Unavailable(failure.words()))?;
        match last {
            (actual, _) if actual != expected => Err(AppendError::Conflict { actual }),
            (revision, position) => Ok(Appended { position, revision }),
        }
    }

    /// Reads the server's answer to an append. After a repeat, the position must be that of the first time, but some versions of
    /// the server give another one or none. So a position that is not new is read from the stream.
    async fn appended(
        &self,
        name: &str,
        end: u64,
        before: Position,
        written: &BatchWriteResult,
    ) -> Result<Appended, AppendError> {
        let revision = written.current_revision().map_or(0, |revision| revision.saturating_add(1));
        if revision != end {
            return Err(AppendError::Unknown(format!(
                "the stream {name} is at revision {revision} after an append up to revision {end}. Check whether the stream was \
                 deleted. If it was, restore a backup"
            )));
        }
        let given = written.current_position().map(encoding::position).transpose();
        let given = given.map_err(AppendError::Unknown)?.filter(|position| *position > before);
        let position = match given {
            Some(position) => position,
            None => {
                let read = self.inner.reader.stream(name, StreamPosition::Position(end - 1), 1).await;
                let read = read.map_err(|failure| AppendError::Unknown(failure.words()))?;
                let event = read.first().ok_or_else(|| {
                    AppendError::Unknown(format!(
                        "revision {end} of the stream {name} was appended and can't be found"
                    ))
                })?;
                encoding::position(event.position).map_err(AppendError::Unknown)?
            }
        };
        self.inner.head.note(position);
        Ok(Appended { position, revision: Revision(end) })
    }

    /// Looks at a stream that is not at the expected revision. If it has the same events there, an earlier attempt succeeded.
    async fn conflict(
        &self,
        name: &str,
        expected: Revision,
        events: &[NewEvent],
        perhaps: bool,
    ) -> Result<Appended, AppendError> {
        let unread = |failure: Failure| match perhaps {
            true => AppendError::Unknown(failure.words()),
            false => AppendError::Unavailable(failure.words()),
        };
        let held = self.inner.reader.stream(name, StreamPosition::Position(expected.0), events.len()).await;
        let held = match held {
            Ok(held) => held,
            Err(Failure::NotFound) => Vec::new(),
            Err(failure) => return Err(unread(failure)),
        };
        let same =
            held.len() == events.len() && held.iter().zip(events).all(|(held, new)| held.id == new.id.0);
        if let Some(last) = held.last().filter(|_| same) {
            let position = encoding::position(last.position).map_err(AppendError::Unknown)?;
            self.inner.head.note(position);
            return Ok(Appended { position, revision: Revision(last.revision.saturating_add(1)) });
        }
        let (actual, _) = self.last(name).await.map_err(unread)?;
        Err(AppendError::Conflict { actual })
    }

    /// The revision of a stream, and the position of its last event.
    async fn last(&self, name: &str) -> Result<(Revision, Position), Failure> {
        let newest = match self.inner.reader.stream(name, StreamPosition::End, 1).await {
            Ok(newest) => newest,
            Err(Failure::NotFound) => Vec::new(),
            Err(failure) => return Err(failure),
        };
        let Some(last) = newest.first() else {
            return Ok((Revision(0), Position(0)));
        };
        let position = encoding::position(last.position).map_err(Failure::Refused)?;
        Ok((Revision(last.revision.saturating_add(1)), position))
    }

    async fn read_stream_now(
        &self,
        stream: &StreamId,
        after: Revision,
    ) -> Result<Vec<RecordedEvent>, ReadError> {
        if after.0 > GREATEST {
            return Ok(Vec::new());
        }
        let name = self.name(stream);
        let from = StreamPosition::Position(after.0);
        let read = match self.inner.reader.stream(&name, from, usize::MAX).await {
            Ok(read) => read,
            Err(Failure::NotFound) => return Ok(Vec::new()),
            Err(failure) => return Err(failure.into()),
        };
        let events = self.recorded(&read)?;
        for (expected, event) in (after.0.saturating_add(1)..).zip(&events) {
            if event.revision.0 != expected {
                return Err(ReadError(format!(
                    "revision {expected} of the stream {name} is gone. Remove $maxAge, $maxCount and $tb from the metadata of the \
                     stream, and restore a backup"
                )));
            }
        }
        Ok(events)
    }

    async fn read_all_now(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        if limit == 0 || after.0 > GREATEST {
            return Ok(Vec::new());
        }
        // The server also returns the event at the position.
        let count = limit.saturating_add(usize::from(after > Position(0)));
        let reader = &self.inner.reader;
        let read = reader.all(Part::From(after), count, Some(reader.ours())).await?;
        let mut events = self.recorded(&read)?;
        events.retain(|event| event.position > after);
        events.truncate(limit);
        if !events.is_sorted_by(|one, next| one.position < next.position) {
            return Err(ReadError(
                "the server returned events in another order than that of their positions".to_owned(),
            ));
        }
        Ok(events)
    }

    async fn event_at_now(&self, position: Position) -> Result<Option<RecordedEvent>, ReadError> {
        if position == Position(0) || position.0 > GREATEST {
            return Ok(None);
        }
        let read = match self.inner.reader.all(Part::From(position), 1, None).await {
            Ok(read) => read,
            Err(Failure::NoSuchPosition) => return Ok(None),
            Err(failure) => return Err(failure.into()),
        };
        let ours = read.iter().find(|event| {
            event.position.commit == position.0 && event.stream_id().starts_with(&self.inner.reader.prefix)
        });
        ours.map(|event| encoding::recorded(&self.inner.reader.prefix, event)).transpose().map_err(ReadError)
    }

    fn recorded(&self, read: &[eventstore::RecordedEvent]) -> Result<Vec<RecordedEvent>, ReadError> {
        recorded(&self.inner.reader, read)
    }

    async fn head_now(&self) -> Result<Position, ReadError> {
        if !self.inner.head.is_current() {
            let newest = newest(&self.inner.reader, 1).await?;
            newest.iter().for_each(|event| self.inner.head.note(event.position));
        }
        Ok(self.inner.head.position())
    }

    async fn decoy_now(&self) -> Result<(), AppendError> {
        let event = EventData::json("decoy", &"d".repeat(DECOY))
            .map_err(|error| AppendError::Unavailable(error.to_string()))?;
        match self.write(&self.inner.decoys, StreamState::Any, &[event]).await {
            Ok(_) => Ok(()),
            Err(Unwritten { failure, perhaps: true }) => Err(AppendError::Unknown(failure.words())),
            Err(Unwritten { failure, .. }) => Err(AppendError::Unavailable(failure.words())),
        }
    }
}

/// An append that failed.
struct Unwritten {
    failure: Failure,
    /// Whether an attempt may have written the events.
    perhaps: bool,
}

fn recorded(reader: &Reader, read: &[eventstore::RecordedEvent]) -> Result<Vec<RecordedEvent>, ReadError> {
    read.iter()
        .map(|event| encoding::recorded(&reader.prefix, event))
        .collect::<Result<_, _>>()
        .map_err(ReadError)
}

async fn newest(reader: &Reader, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let read = reader.all(Part::Newest, limit, Some(reader.ours())).await?;
    let mut events = recorded(reader, &read)?;
    events.reverse();
    Ok(events)
}

impl EventStore for KurrentStore {
    fn append<'a>(
        &'a self,
        stream: &'a StreamId,
        expected: Revision,
        events: Vec<NewEvent>,
    ) -> BoxFuture<'a, Result<Appended, AppendError>> {
        Box::pin(self.append_now(stream, expected, events))
    }

    fn read_stream<'a>(
        &'a self,
        stream: &'a StreamId,
        after: Revision,
    ) -> BoxFuture<'a, Result<Vec<RecordedEvent>, ReadError>> {
        Box::pin(self.read_stream_now(stream, after))
    }

    fn read_all(
        &self,
        after: Position,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<RecordedEvent>, ReadError>> {
        Box::pin(self.read_all_now(after, limit))
    }

    fn event_at(&self, position: Position) -> BoxFuture<'_, Result<Option<RecordedEvent>, ReadError>> {
        Box::pin(self.event_at_now(position))
    }

    fn newest(&self, limit: usize) -> BoxFuture<'_, Result<Vec<RecordedEvent>, ReadError>> {
        Box::pin(newest(&self.inner.reader, limit))
    }

    fn subscribe(&self, after: Position) -> BoxStream<'static, Result<Subscribed, ReadError>> {
        loquet_subscription::subscribe(Arc::new(self.clone()), self.inner.head.watch(), after)
    }

    fn head(&self) -> BoxFuture<'_, Result<Position, ReadError>> {
        Box::pin(self.head_now())
    }

    fn decoy(&self) -> BoxFuture<'_, Result<(), AppendError>> {
        Box::pin(self.decoy_now())
    }
}
