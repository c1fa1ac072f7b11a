//! The log as it was at an earlier position. Everything that reads it sees what the system knew then, by the same code that
//! serves now.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream;
use loquet_domain::Moment;
use loquet_domain::ports::{
    AppendError, Appended, BoxFuture, BoxStream, EventCodec, EventStore, NewEvent, Position, ReadError,
    RecordedEvent, Revision, StreamId, Subscribed,
};

use crate::people::Unreadable;

/// Events that are read at once.
const PAGE: usize = 500;
/// How many events after a moment are looked at. Commands are decided at the same time and written one after the other, and
/// the clocks of nodes differ a little, so the `at` of an event may be a little earlier than that of the event before.
const LATE: usize = 500;

/// The log up to a position. Nothing can be appended.
#[derive(Clone)]
pub struct AsOf {
    store: Arc<dyn EventStore>,
    position: Position,
}

impl AsOf {
    /// The log as it was at `position`.
    #[must_use]
    pub fn new(store: Arc<dyn EventStore>, position: Position) -> Self {
        Self { store, position }
    }

    fn until(&self, mut events: Vec<RecordedEvent>) -> Vec<RecordedEvent> {
        let there = events.partition_point(|event| event.position <= self.position);
        events.truncate(there);
        events
    }

    fn unchangeable() -> AppendError {
        AppendError::Unavailable("this is the past, which can't be changed".to_owned())
    }
}

impl EventStore for AsOf {
    fn append<'a>(
        &'a self,
        _: &'a StreamId,
        _: Revision,
        _: Vec<NewEvent>,
    ) -> BoxFuture<'a, Result<Appended, AppendError>> {
        Box::pin(std::future::ready(Err(Self::unchangeable())))
    }

    fn read_stream<'a>(
        &'a self,
        stream: &'a StreamId,
        after: Revision,
    ) -> BoxFuture<'a, Result<Vec<RecordedEvent>, ReadError>> {
        Box::pin(async move { Ok(self.until(self.store.read_stream(stream, after).await?)) })
    }

    fn read_all(
        &self,
        after: Position,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<RecordedEvent>, ReadError>> {
        Box::pin(async move {
            if after >= self.position {
                return Ok(Vec::new());
            }
            Ok(self.until(self.store.read_all(after, limit).await?))
        })
    }

    fn event_at(&self, position: Position) -> BoxFuture<'_, Result<Option<RecordedEvent>, ReadError>> {
        Box::pin(async move {
            if position > self.position {
                return Ok(None);
            }
            self.store.event_at(position).await
        })
    }

    fn newest(&self, limit: usize) -> BoxFuture<'_, Result<Vec<RecordedEvent>, ReadError>> {
        Box::pin(async move {
            let (mut newest, mut at) = (Vec::new(), Position::default());
            loop {
                let page = self.read_all(at, PAGE).await?;
                let Some(last) = page.last() else { return Ok(newest) };
                at = last.position;
                newest.extend(page);
                newest.drain(..newest.len().saturating_sub(limit));
            }
        })
    }

    fn subscribe(&self, after: Position) -> BoxStream<'static, Result<Subscribed, ReadError>> {
        let position = self.position;
        let until = self.store.subscribe(after).take_while(move |next| {
            let is_there = match next {
                Ok(Subscribed::Event(event)) => event.position <= position,
                Ok(Subscribed::CaughtUp(_)) => false,
                Err(_) => true,
            };
            std::future::ready(is_there)
        });
        // The end of the past is the end of what comes.
        Box::pin(until.chain(stream::once(async move { Ok(Subscribed::CaughtUp(position)) })))
    }

    fn head(&self) -> BoxFuture<'_, Result<Position, ReadError>> {
        Box::pin(async move { Ok(self.store.head().await?.min(self.position)) })
    }

    fn decoy(&self) -> BoxFuture<'_, Result<(), AppendError>> {
        Box::pin(std::future::ready(Err(Self::unchangeable())))
    }
}

/// The position of the log at a moment: that of the last event whose `at` is not after it. Zero if there is none.
///
/// # Errors
/// [`Unreadable`] if the log can't be read.
pub async fn position_at(
    store: &dyn EventStore,
    codec: &dyn EventCodec,
    moment: Moment,
) -> Result<Position, Unreadable> {
    let head = store.head().await?;
    // The halves are found by events that exist at positions in between. A store that counts in greater steps has few, and
    // is read from its beginning.
    let (mut low, mut high) = (0, head.0);
    while high - low > u64::try_from(PAGE).unwrap_or(u64::MAX) {
        let middle = low + (high - low) / 2;
        let Some(event) = store.event_at(Position(middle)).await? else { break };
        match codec.decode_open(&event)?.context.at <= moment {
            true => low = middle,
            false => high = middle,
        }
    }
    let (mut found, mut at, mut later) = (Position(low), Position(low), 0);
    while later < LATE {
        let page = store.read_all(at, PAGE).await?;
        let Some(last) = page.last() else { break };
        at = last.position;
        for event in &page {
            match codec.decode_open(event)?.context.at <= moment {
                true => (found, later) = (event.position, 0),
                false => later += 1,
            }
        }
    }
    Ok(found)
}
