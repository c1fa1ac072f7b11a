//! Reads the log ahead of the views, on a task of its own: while one batch is applied, the next is read
//! and decoded.

use std::sync::Arc;

use futures_util::StreamExt;
use loquet_domain::ports::{EventCodec, EventStore, Position, Subscribed};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::view::Noted;

/// How many events are handed over at once.
const PAGE: usize = 512;
/// How many pages may wait to be applied.
const PAGES: usize = 32;

/// Events, in order, decoded as far as views may see them; and what comes behind them.
pub(crate) struct Page {
    pub(crate) events: Vec<Arc<Noted>>,
    pub(crate) end: End,
}

/// What comes behind a page.
pub(crate) enum End {
    /// More events.
    More,
    /// Everything that was there has come.
    CaughtUp,
    /// Something that can't be read; nothing comes any more.
    Failed(String),
}

/// A reading of the log; it ends with this value.
pub(crate) struct Reading {
    pages: mpsc::Receiver<Page>,
    _task: JoinSet<()>,
}

impl Reading {
    /// Begins to read after a position.
    pub(crate) fn begin(store: &Arc<dyn EventStore>, codec: &Arc<dyn EventCodec>, after: Position) -> Self {
        let (ahead, pages) = mpsc::channel(PAGES);
        let (store, codec) = (store.clone(), codec.clone());
        let mut task = JoinSet::new();
        task.spawn(async move { read(store.as_ref(), codec.as_ref(), after, &ahead).await });
        Self { pages, _task: task }
    }

    /// What comes next; none once the log is closed. Whoever stops waiting loses nothing.
    pub(crate) async fn next(&mut self) -> Option<Page> {
        self.pages.recv().await
    }
}

async fn read(store: &dyn EventStore, codec: &dyn EventCodec, after: Position, ahead: &mpsc::Sender<Page>) {
    let mut log = store.subscribe(after);
    let mut events = Vec::new();
    while let Some(next) = log.next().await {
        let end = match next {
            Ok(Subscribed::Event(recorded)) => match Noted::read_open(codec, *recorded) {
                Ok(noted) => {
                    events.push(Arc::new(noted));
                    End::More
                }
                Err(error) => End::Failed(error.to_string()),
            },
            Ok(Subscribed::CaughtUp(_)) => End::CaughtUp,
            Err(error) => End::Failed(error.to_string()),
        };
        if matches!(end, End::More) && events.len() < PAGE {
            continue;
        }
        let failed = matches!(end, End::Failed(_));
        // Nobody takes it any more once the views have gone.
        if ahead.send(Page { events: std::mem::take(&mut events), end }).await.is_err() || failed {
            return;
        }
    }
}
