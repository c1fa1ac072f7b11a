//! Reads the log for the views in a task of its own. While one batch is applied, the next is read and decoded.

use std::sync::Arc;

use futures_util::StreamExt;
use loquet_domain::ports::{EventCodec, EventStore, Position, Subscribed};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::people::Unreadable;
use crate::view::{EventEnvelope, PassedOver, Sight};

/// The number of events in a page.
const PAGE: usize = 512;
/// The maximum number of pages that wait to be applied.
const PAGES: usize = 32;

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
        let (store, codec) = (store.clone(), codec.clone());
        let mut task = JoinSet::new();
        task.spawn(async move { read(store.as_ref(), codec.as_ref(), after, sight, &ahead).await });
        Self { pages, _task: task }
    }

    /// The next page. Returns `None` when the log is closed. A caller that stops waiting loses no page.
    pub(crate) async fn next(&mut self) -> Option<Page> {
        self.pages.recv().await
    }
}

async fn read(
    store: &dyn EventStore,
    codec: &dyn EventCodec,
    after: Position,
    sight: Sight,
    ahead: &mpsc::Sender<Page>,
) {
    let mut log = store.subscribe(after);
    let mut after = after;
    let mut events: Vec<Arc<EventEnvelope>> = Vec::new();
    while let Some(next) = log.next().await {
        let end = match next {
            Ok(Subscribed::Event(recorded)) => match EventEnvelope::read(codec, *recorded, sight).await {
                Ok(envelope) => {
                    events.push(Arc::new(envelope));
                    End::More
                }
                Err(error) => End::Failed(error.into()),
            },
            Ok(Subscribed::CaughtUp(_)) => End::CaughtUp,
            Err(error) => End::Failed(error.into()),
        };
        if matches!(end, End::More) && events.len() < PAGE {
            continue;
        }
        let failed = matches!(end, End::Failed(_));
        let page = Page { after, events: std::mem::take(&mut events), end };
        after = page.slice().end();
        // The views have ended, so nobody receives the page.
        if ahead.send(page).await.is_err() || failed {
            return;
        }
    }
}
