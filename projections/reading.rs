//! Reads the log for the views in a task of its own. While one batch is applied, the next is read and decoded.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use loquet_domain::ports::{
    BoxStream, EventCodec, EventStore, Position, ReadError, RecordedEvent, Subscribed,
};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};

use crate::people::Unreadable;
use crate::view::{EventEnvelope, PassedOver, Sight};

/// The maximum number of events in a page. Threads are woken for each page, not for each event.
const PAGE: usize = 2048;
/// The maximum number of pages that wait to be applied.
const PAGES: usize = 8;
/// How many pages are decoded at the same time.
const DECODED_AT_ONCE: usize = 2;

/// Decoded events, in order, and what follows them.
pub(crate) struct Page {
    /// The position after which the events begin.
    pub(crate) after: Position,
    pub(crate) events: Vec<Arc<EventEnvelope>>,
    pub(crate) end: End,
}

impl Page {
    pub(crate) fn slice(&self) -> Slice<'_> {
        Slice { after: self.after, events: &self.events }
    }
}

/// All events between two positions. Some stores leave out positions, so the start of a slice can't be computed from
/// its first event.
#[derive(Clone, Copy)]
pub(crate) struct Slice<'a> {
    pub(crate) after: Position,
    pub(crate) events: &'a [Arc<EventEnvelope>],
}

impl<'a> Slice<'a> {
    /// The part of the slice up to a position.
    pub(crate) fn up_to(self, last: Position) -> Self {
        let fitting = self.events.partition_point(|event| event.position <= last);
        Self { events: self.events.get(..fitting).unwrap_or_default(), ..self }
    }

    /// The events that a view has not seen, which has seen the log up to `seen`.
    ///
    /// # Errors
    /// [`PassedOver`] if the next event for the view comes before this slice.
    pub(crate) fn news(self, seen: Position) -> Result<&'a [Arc<EventEnvelope>], PassedOver> {
        if seen < self.after {
            return Err(PassedOver { seen, after: self.after });
        }
        let known = self.events.partition_point(|event| event.position <= seen);
        Ok(self.events.get(known..).unwrap_or_default())
    }

    pub(crate) fn end(self) -> Position {
        self.events.last().map_or(self.after, |event| event.position)
    }
}

/// What follows a page.
pub(crate) enum End {
    /// More events.
    More,
    /// All stored events have been delivered.
    CaughtUp,
    /// An event can't be read, so nothing follows.
    Failed(Unreadable),
}

/// A reading of the log. Dropping this value ends it.
pub(crate) struct Reading {
    pages: mpsc::Receiver<Page>,
    _task: JoinSet<()>,
}

impl Reading {
    /// Starts to read after a position, for views with this sight.
    pub(crate) fn begin(
        store: &Arc<dyn EventStore>,
        codec: &Arc<dyn EventCodec>,
        after: Position,
        sight: Sight,
    ) -> Self {
        let (ahead, pages) = mpsc::channel(PAGES);
        let mut task = JoinSet::new();
        task.spawn(read(decoded(store.as_ref(), codec.clone(), after, sight), ahead));
        Self { pages, _task: task }
    }

    /// The next page. Returns `None` when the log is closed. A caller that stops waiting loses no page.
    pub(crate) async fn next(&mut self) -> Option<Page> {
        self.pages.recv().await
    }
}

/// Events as they are stored, and what follows them.
struct StoredPage {
    after: Position,
    events: Vec<RecordedEvent>,
    end: End,
}

/// A log that is read, and the position up to which it was.
struct Log {
    events: BoxStream<'static, Result<Subscribed, ReadError>>,
    at: Position,
}

/// The log after a position, page by page. Some pages are decoded at the same time.
fn decoded(
    store: &dyn EventStore,
    codec: Arc<dyn EventCodec>,
    after: Position,
    sight: Sight,
) -> BoxStream<'static, Result<Page, JoinError>> {
    let log = Log { events: store.subscribe(after), at: after };
    let stored = stream::unfold(Some(log), |log: Option<Log>| async move {
        let mut log = log?;
        let page = next_page(&mut log).await?;
        let failed = matches!(page.end, End::Failed(_));
        Some((page, (!failed).then_some(log)))
    });
    stored.map(move |page| tokio::spawn(decode(codec.clone(), page, sight))).buffered(DECODED_AT_ONCE).boxed()
}

async fn read(mut pages: BoxStream<'static, Result<Page, JoinError>>, ahead: mpsc::Sender<Page>) {
    while let Some(Ok(page)) = pages.next().await {
        let failed = matches!(page.end, End::Failed(_));
        // The views have ended, so nobody receives the page.
        if ahead.send(page).await.is_err() || failed {
            return;
        }
    }
}

/// Reads until the page is full, the log ends, or it can't be read. Returns `None` if the log is closed.
async fn next_page(log: &mut Log) -> Option<StoredPage> {
    let (after, mut events) = (log.at, Vec::new());
    while events.len() < PAGE {
        let end = match log.events.next().await? {
            Ok(Subscribed::Event(recorded)) => {
                log.at = recorded.position;
                events.push(*recorded);
                continue;
            }
            Ok(Subscribed::CaughtUp(_)) => End::CaughtUp,
            Err(error) => End::Failed(error.into()),
        };
        return Some(StoredPage { after, events, end });
    }
    Some(StoredPage { after, events, end: End::More })
}

async fn decode(codec: Arc<dyn EventCodec>, page: StoredPage, sight: Sight) -> Page {
    let StoredPage { after, events, end } = page;
    let (events, failure) = EventEnvelope::read_page(codec.as_ref(), events, sight).await;
    Page { after, events, end: failure.map_or(end, |error| End::Failed(error.into())) }
}
