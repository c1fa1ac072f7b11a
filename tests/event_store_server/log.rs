//! The events in memory: streams, positions, expected revisions and what a stream's metadata hides.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prost::bytes::Bytes;
use regex::Regex;
use tokio::sync::watch;
use uuid::Uuid;

use crate::clock;

/// The most bytes of one append. It is the default of the real server.
pub(crate) const MAX_APPEND: usize = 1024 * 1024;
/// The type of the event that ends a deleted stream.
const TOMBSTONE: &str = "$streamDeleted";
/// The revision of a tombstone.
pub(crate) const TOMBSTONE_REVISION: u64 = i64::MAX.unsigned_abs();
/// The real server writes its statistics into the same log. Here they come after this number of appends.
const APPENDS_BETWEEN_STATISTICS: u32 = 3;
const STATISTICS: &str = "$stats-127.0.0.1:2113";
/// What a record takes in the log besides its texts. A real record has about this much.
const RECORD: u64 = 82;

/// An event that a client wants to append.
#[derive(Clone, Debug)]
pub(crate) struct Proposed {
    pub(crate) id: Uuid,
    pub(crate) kind: String,
    pub(crate) content_type: String,
    pub(crate) data: Bytes,
    pub(crate) custom_metadata: Bytes,
}

/// An event in the log.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub(crate) stream: String,
    pub(crate) revision: u64,
    /// The place of its record in the log, in bytes.
    pub(crate) position: u64,
    /// When it was appended, since 1970.
    pub(crate) created: Duration,
    pub(crate) event: Proposed,
}

/// The revision that a client expects of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Any,
    Exists,
    NoStream,
    Revision(u64),
}

/// An append that happened, now or before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    /// The revision of its last event. `None` if the stream does not exist and nothing was appended.
    pub(crate) revision: Option<u64>,
    /// The position of its last event. `None` if nothing was appended.
    pub(crate) position: Option<u64>,
}

/// Why an append did not happen.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refused {
    WrongExpectedVersion { current: Option<u64> },
    StreamDeleted,
    TooLarge,
}

/// Why a stream can't be read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unreadable {
    NotFound,
    Deleted,
}

/// No event begins at the position.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InvalidPosition;

/// Which events of the whole log a client wants.
#[derive(Clone, Debug)]
pub(crate) enum Filter {
    Everything,
    StreamPrefixes(Vec<String>),
    StreamRegex(Regex),
    TypePrefixes(Vec<String>),
    TypeRegex(Regex),
}

impl Filter {
    pub(crate) fn lets_through(&self, recorded: &Recorded) -> bool {
        let begins = |text: &str, prefixes: &[String]| prefixes.iter().any(|prefix| text.starts_with(prefix));
        match self {
            Self::Everything => true,
            Self::StreamPrefixes(prefixes) => begins(&recorded.stream, prefixes),
            Self::StreamRegex(regex) => regex.is_match(&recorded.stream),
            Self::TypePrefixes(prefixes) => begins(&recorded.event.kind, prefixes),
            Self::TypeRegex(regex) => regex.is_match(&recorded.event.kind),
        }
    }
}

/// A page that a client reads of a stream.
pub(crate) struct Page {
    pub(crate) events: Vec<Arc<Recorded>>,
    /// The oldest revision that the stream's metadata leaves visible.
    pub(crate) first: u64,
    /// The newest revision.
    pub(crate) last: u64,
}

/// The log that all nodes of a cluster share.
pub(crate) struct Log {
    inner: Mutex<Inner>,
    grown: watch::Sender<usize>,
}

#[derive(Default)]
struct Inner {
    events: Vec<Arc<Recorded>>,
    streams: HashMap<String, Vec<usize>>,
    end: u64,
    appends: u32,
}

/// What the metadata of a stream hides.
#[derive(Default)]
struct Limits {
    max_count: Option<u64>,
    max_age: Option<Duration>,
    truncate_before: u64,
}

impl Log {
    pub(crate) fn new() -> Self {
        let mut inner = Inner { end: 291, ..Inner::default() };
        inner.write("$users", vec![system_event("$User", "{\"data\":\"admin\"}")]);
        inner.write(&format!("$${STATISTICS}"), vec![system_event("$metadata", "{\"$maxAge\":86400}")]);
        let grown = watch::Sender::new(inner.events.len());
        Self { inner: Mutex::new(inner), grown }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells when the log has grown.
    pub(crate) fn grown(&self) -> watch::Receiver<usize> {
        self.grown.subscribe()
    }

    pub(crate) fn append(
        &self,
        stream: &str,
        expected: Expected,
        events: Vec<Proposed>,
    ) -> Result<Written, Refused> {
        let mut inner = self.inner();
        let written = inner.append(stream, expected, events);
        self.grown.send_replace(inner.events.len());
        written
    }

    /// Hides the events of a stream until somebody appends to it again, as the server's soft delete does.
    pub(crate) fn delete(&self, stream: &str, expected: Expected) -> Result<Written, Refused> {
        let mut inner = self.inner();
        inner.check(stream, expected)?;
        let metadata = format!("{{\"$tb\":{TOMBSTONE_REVISION}}}");
        let written = inner.write(&format!("$${stream}"), vec![system_event("$metadata", &metadata)]);
        self.grown.send_replace(inner.events.len());
        Ok(written)
    }

    /// Deletes a stream for good.
    pub(crate) fn tombstone(&self, stream: &str, expected: Expected) -> Result<Written, Refused> {
        let mut inner = self.inner();
        inner.check(stream, expected)?;
        let written = inner.write(stream, vec![system_event(TOMBSTONE, "")]);
        self.grown.send_replace(inner.events.len());
        Ok(written)
    }

    /// At most `count` events of a stream from a revision, which is included. `None` is its begin.
    pub(crate) fn stream_forwards(
        &self,
        stream: &str,
        from: Option<u64>,
        count: usize,
    ) -> Result<Page, Unreadable> {
        let inner = self.inner();
        let (visible, first, last) = inner.visible(stream)?;
        let from = from.unwrap_or(0);
        let events = visible.into_iter().filter(|event| event.revision >= from).take(count).collect();
        Ok(Page { events, first, last })
    }

    /// At most `count` events of a stream back from a revision, which is included. `None` is its end.
    pub(crate) fn stream_backwards(
        &self,
        stream: &str,
        from: Option<u64>,
        count: usize,
    ) -> Result<Page, Unreadable> {
        let inner = self.inner();
        let (visible, first, last) = inner.visible(stream)?;
        let from = from.unwrap_or(u64::MAX);
        let events = visible.into_iter().rev().filter(|event| event.revision <= from).take(count).collect();
        Ok(Page { events, first, last })
    }

    /// At most `count` events of the whole log from a position, which is included.
    pub(crate) fn all_forwards(
        &self,
        from: u64,
        filter: &Filter,
        count: usize,
    ) -> Result<Vec<Arc<Recorded>>, InvalidPosition> {
        let inner = self.inner();
        let start = inner.place(from)?;
        let events = inner.events.iter().skip(start);
        Ok(events.filter(|event| filter.lets_through(event)).take(count).cloned().collect())
    }

    /// At most `count` events of the whole log back from a position, which is not included. `None` is the end.
    pub(crate) fn all_backwards(
        &self,
        from: Option<u64>,
        filter: &Filter,
        count: usize,
    ) -> Result<Vec<Arc<Recorded>>, InvalidPosition> {
        let inner = self.inner();
        let end = from.map_or(Ok(inner.events.len()), |from| inner.place(from))?;
        let events = inner.events.iter().take(end).rev();
        Ok(events.filter(|event| filter.lets_through(event)).take(count).cloned().collect())
    }

    /// The number of events before the first one after this position. A subscription begins there.
    pub(crate) fn count_until(&self, position: u64) -> usize {
        self.inner().events.partition_point(|event| event.position <= position)
    }

    /// The number of events.
    pub(crate) fn count(&self) -> usize {
        self.inner().events.len()
    }

    /// At most `count` events after the first `done` of the log.
    pub(crate) fn after(&self, done: usize, count: usize) -> Vec<Arc<Recorded>> {
        self.inner().events.iter().skip(done).take(count).cloned().collect()
    }
}

impl Inner {
    /// The number of events before a position.
    fn place(&self, position: u64) -> Result<usize, InvalidPosition> {
        if position == 0 {
            return Ok(0);
        }
        match self.events.binary_search_by_key(&position, |event| event.position) {
            Ok(place) => Ok(place),
            Err(place) if position >= self.end => Ok(place),
            Err(_) => Err(InvalidPosition),
        }
    }

    fn last_revision(&self, stream: &str) -> Option<u64> {
        let place = self.streams.get(stream)?.last()?;
        self.events.get(*place).map(|event| event.revision)
    }

    fn check(&self, stream: &str, expected: Expected) -> Result<(), Refused> {
        let current = self.last_revision(stream);
        if current == Some(TOMBSTONE_REVISION) {
            return Err(Refused::StreamDeleted);
        }
        let as_expected = match expected {
            Expected::Any => true,
            Expected::Exists => current.is_some(),
            Expected::NoStream => current.is_none() || self.is_soft_deleted(stream),
            Expected::Revision(revision) => current == Some(revision),
        };
        as_expected.then_some(()).ok_or(Refused::WrongExpectedVersion { current })
    }

    fn append(
        &mut self,
        stream: &str,
        expected: Expected,
        events: Vec<Proposed>,
    ) -> Result<Written, Refused> {
        let size =
            events.iter().map(|event| event.data.len() + event.custom_metadata.len() + event.kind.len());
        if size.sum::<usize>() > MAX_APPEND {
            return Err(Refused::TooLarge);
        }
        if let Some(written) = self.repeated(stream, expected, &events) {
            return Ok(written);
        }
        self.check(stream, expected)?;
        let current = self.last_revision(stream);
        if events.is_empty() {
            return Ok(Written { revision: current, position: None });
        }
        // An append with "any" whose first event is there, but not all others, is not idempotent.
        let any = matches!(expected, Expected::Any | Expected::Exists);
        if any && events.first().is_some_and(|first| self.find(stream, first.id).is_some()) {
            return Err(Refused::WrongExpectedVersion { current });
        }
        let written = self.write(stream, events);
        self.appends += 1;
        if self.appends.is_multiple_of(APPENDS_BETWEEN_STATISTICS) {
            self.write(STATISTICS, vec![system_event("$statsCollected", "{\"proc-cpu\":0.5}")]);
        }
        Ok(written)
    }

    fn find(&self, stream: &str, id: Uuid) -> Option<&Arc<Recorded>> {
        let places = self.streams.get(stream)?;
        places.iter().filter_map(|place| self.events.get(*place)).find(|event| event.event.id == id)
    }

    fn at_revision(&self, stream: &str, revision: u64) -> Option<&Arc<Recorded>> {
        let place = self.streams.get(stream)?.get(usize::try_from(revision).ok()?)?;
        self.events.get(*place)
    }

    /// The append, if it happened before.
    fn repeated(&self, stream: &str, expected: Expected, events: &[Proposed]) -> Option<Written> {
        let next = match expected {
            Expected::Any | Expected::Exists => None,
            Expected::NoStream => Some(0),
            Expected::Revision(revision) => Some(revision.checked_add(1)?),
        };
        let mut last = None;
        for (offset, event) in (0..).zip(events) {
            let recorded = match next {
                Some(next) => self
                    .at_revision(stream, u64::saturating_add(next, offset))
                    .filter(|held| held.event.id == event.id),
                None => self.find(stream, event.id),
            };
            last = Some(recorded?);
        }
        last.map(|last| Written { revision: Some(last.revision), position: Some(last.position) })
    }

    fn write(&mut self, stream: &str, events: Vec<Proposed>) -> Written {
        let mut written = Written { revision: self.last_revision(stream), position: None };
        for event in events {
            let revision = match event.kind.as_str() {
                TOMBSTONE => TOMBSTONE_REVISION,
                _ => written.revision.map_or(0, |revision| revision + 1),
            };
            let texts = stream.len() + event.kind.len() + event.data.len() + event.custom_metadata.len();
            let position = self.end;
            self.end += RECORD + u64::try_from(texts).unwrap_or(u64::MAX);
            self.streams.entry(stream.to_owned()).or_default().push(self.events.len());
            let stream = stream.to_owned();
            let created = clock::since_1970();
            self.events.push(Arc::new(Recorded { stream, revision, position, created, event }));
            written = Written { revision: Some(revision), position: Some(position) };
        }
        written
    }

    fn limits(&self, stream: &str) -> Limits {
        let metadata = self.streams.get(&format!("$${stream}")).and_then(|places| places.last());
        let Some(metadata) = metadata.and_then(|place| self.events.get(*place)) else {
            return Limits::default();
        };
        let json: serde_json::Value = serde_json::from_slice(&metadata.event.data).unwrap_or_default();
        let number = |name: &str| json.get(name).and_then(serde_json::Value::as_u64);
        Limits {
            max_count: number("$maxCount"),
            max_age: number("$maxAge").map(Duration::from_secs),
            truncate_before: number("$tb").unwrap_or(0),
        }
    }

    fn is_soft_deleted(&self, stream: &str) -> bool {
        self.limits(stream).truncate_before == TOMBSTONE_REVISION
    }

    /// The events of a stream that its metadata does not hide, with its oldest and its newest revision.
    fn visible(&self, stream: &str) -> Result<(Vec<Arc<Recorded>>, u64, u64), Unreadable> {
        let last = self.last_revision(stream).ok_or(Unreadable::NotFound)?;
        if last == TOMBSTONE_REVISION {
            return Err(Unreadable::Deleted);
        }
        let limits = self.limits(stream);
        if limits.truncate_before == TOMBSTONE_REVISION {
            return Err(Unreadable::NotFound);
        }
        let oldest = limits.max_count.map_or(0, |count| (last + 1).saturating_sub(count));
        let oldest = oldest.max(limits.truncate_before);
        let now = clock::since_1970();
        let young =
            |event: &Recorded| limits.max_age.is_none_or(|age| now.saturating_sub(event.created) <= age);
        let places = self.streams.get(stream).map(Vec::as_slice).unwrap_or_default();
        let events = places.iter().filter_map(|place| self.events.get(*place));
        let visible = events.filter(|event| event.revision >= oldest && young(event)).cloned().collect();
        Ok((visible, oldest, last))
    }
}

fn system_event(kind: &str, data: &str) -> Proposed {
    Proposed {
        id: clock::fresh_id(),
        kind: kind.to_owned(),
        content_type: "application/json".to_owned(),
        data: Bytes::copy_from_slice(data.as_bytes()),
        custom_metadata: Bytes::new(),
    }
}
