//! The event log in memory, for tests and simulation. It is deterministic, and tests can inject faults.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use loquet_domain::ports::{
    AppendError, Appended, BoxFuture, BoxStream, EventStore, NewEvent, Position, ReadError, RecordedEvent,
    Revision, StreamId, Subscribed,
};
use tokio::sync::watch;

/// Whether and how the next append fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The append succeeds. This lets one append through before the next fault.
    Nothing,
    /// Nothing is written, and the caller is told so.
    Unavailable,
    /// Nothing is written, and the caller does not learn whether it was.
    LostRequest,
    /// The events are written, but the caller does not learn that.
    LostReply,
}

/// An event log that exists until the process ends.
#[derive(Clone)]
pub struct MemoryStore {
    log: Arc<Mutex<Log>>,
    head: Arc<watch::Sender<Position>>,
}

#[derive(Default)]
struct Log {
    events: Vec<RecordedEvent>,
    streams: HashMap<StreamId, Vec<usize>>,
    faults: VecDeque<Fault>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self { log: Arc::default(), head: Arc::new(watch::Sender::new(Position::default())) }
    }
}

impl MemoryStore {
    /// Makes the next appends fail in these ways, one fault for each append.
    pub fn inject(&self, faults: impl IntoIterator<Item = Fault>) {
        self.log().faults.extend(faults);
    }

    /// Removes the faults that are left.
    pub fn heal(&self) {
        self.log().faults.clear();
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append_now(
        &self,
        stream: &StreamId,
        expected: Revision,
        events: Vec<NewEvent>,
    ) -> Result<Appended, AppendError> {
        let mut log = self.log();
        let fault = log.faults.pop_front();
        match fault {
            Some(Fault::Unavailable) => {
                return Err(AppendError::Unavailable("injected".to_owned()));
            }
            Some(Fault::LostRequest) => return Err(AppendError::Unknown("injected".to_owned())),
            Some(Fault::LostReply | Fault::Nothing) | None => {}
        }
        let appended = log.append(stream, expected, events)?;
        self.head.send_if_modified(|head| {
            let moved = appended.position > *head;
            *head = appended.position.max(*head);
            moved
        });
        if fault == Some(Fault::LostReply) {
            Err(AppendError::Unknown("injected".to_owned()))
        } else {
            Ok(appended)
        }
    }
}

impl Log {
    fn append(
        &mut self,
        stream: &StreamId,
        expected: Revision,
        events: Vec<NewEvent>,
    ) -> Result<Appended, AppendError> {
        let held = self.streams.get(stream).map_or(0, Vec::len);
        let actual = Revision(u64::try_from(held).unwrap_or(u64::MAX));
        if actual != expected {
            return self.repeated(stream, expected, &events).ok_or(AppendError::Conflict { actual });
        }
        let mut last = Appended { position: Position::default(), revision: actual };
        for event in events {
            let position = Position(u64::try_from(self.events.len()).unwrap_or(u64::MAX).saturating_add(1));
            let revision = Revision(last.revision.0 + 1);
            self.streams.entry(stream.clone()).or_default().push(self.events.len());
            self.events.push(RecordedEvent { position, stream: stream.clone(), revision, event });
            last = Appended { position, revision };
        }
        Ok(last)
    }

    /// Returns the positions of these events, if they were appended at this revision before.
    fn repeated(&self, stream: &StreamId, expected: Revision, events: &[NewEvent]) -> Option<Appended> {
        let start = usize::try_from(expected.0).ok()?;
        let places = self.streams.get(stream)?.get(start..start.checked_add(events.len())?)?;
        let recorded = places.iter().map(|place| self.events.get(*place)).collect::<Option<Vec<_>>>()?;
        let same = recorded.iter().zip(events).all(|(held, new)| held.event.id == new.id);
        let last = recorded.last().filter(|_| same)?;
        Some(Appended { position: last.position, revision: last.revision })
    }
}

impl EventStore for MemoryStore {
    fn append<'a>(
        &'a self,
        stream: &'a StreamId,
        expected: Revision,
        events: Vec<NewEvent>,
    ) -> BoxFuture<'a, Result<Appended, AppendError>> {
        Box::pin(async move { self.append_now(stream, expected, events) })
    }

    fn read_stream<'a>(
        &'a self,
        stream: &'a StreamId,
        after: Revision,
    ) -> BoxFuture<'a, Result<Vec<RecordedEvent>, ReadError>> {
        Box::pin(async move {
            let log = self.log();
            let places = log.streams.get(stream).map(Vec::as_slice).unwrap_or_default();
            let skipped = usize::try_from(after.0).unwrap_or(usize::MAX);
            Ok(places.iter().skip(skipped).filter_map(|place| log.events.get(*place)).cloned().collect())
        })
    }

    fn read_all(
        &self,
        after: Position,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<RecordedEvent>, ReadError>> {
        Box::pin(async move {
            let skipped = usize::try_from(after.0).unwrap_or(usize::MAX);
            Ok(self.log().events.iter().skip(skipped).take(limit).cloned().collect())
        })
    }

    fn event_at(&self, position: Position) -> BoxFuture<'_, Result<Option<RecordedEvent>, ReadError>> {
        Box::pin(async move {
            let place = position.0.checked_sub(1).and_then(|place| usize::try_from(place).ok());
            Ok(place.and_then(|place| self.log().events.get(place).cloned()))
        })
    }

    fn newest(&self, limit: usize) -> BoxFuture<'_, Result<Vec<RecordedEvent>, ReadError>> {
        Box::pin(async move {
            let log = self.log();
            let older = log.events.len().saturating_sub(limit);
            Ok(log.events.iter().skip(older).cloned().collect())
        })
    }

    fn subscribe(&self, after: Position) -> BoxStream<'static, Result<Subscribed, ReadError>> {
        loquet_subscription::subscribe(Arc::new(self.clone()), self.head.subscribe(), after)
    }

    fn head(&self) -> BoxFuture<'_, Result<Position, ReadError>> {
        Box::pin(async move { Ok(*self.head.borrow()) })
    }

    fn decoy(&self) -> BoxFuture<'_, Result<(), AppendError>> {
        Box::pin(async move {
            match self.log().faults.pop_front() {
                Some(Fault::Unavailable) => Err(AppendError::Unavailable("injected".to_owned())),
                _ => Ok(()),
            }
        })
    }
}
