//! A catch-up subscription to an event store. It reads pages and waits for a signal that there are new
//! events.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::stream;
use loquet_domain::ports::{BoxStream, EventStore, Position, ReadError, RecordedEvent, Subscribed};
use tokio::sync::watch;

const PAGE: usize = 512;

struct Subscription<S> {
    store: Arc<S>,
    head: watch::Receiver<Position>,
    at: Position,
    page: VecDeque<RecordedEvent>,
    announced: bool,
}

/// Delivers every event after `after`, then new ones as they come. `head` is the position of the last durable
/// event.
pub fn subscribe<S: EventStore + 'static>(
    store: Arc<S>,
    head: watch::Receiver<Position>,
    after: Position,
) -> BoxStream<'static, Result<Subscribed, ReadError>> {
    let start = Subscription { store, head, at: after, page: VecDeque::new(), announced: false };
    Box::pin(stream::unfold(Some(start), |subscription| async {
        let mut subscription = subscription?;
        match subscription.next().await {
            Ok(Some(next)) => Some((Ok(next), Some(subscription))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    }))
}

impl<S: EventStore> Subscription<S> {
    /// Returns the next events. Returns `None` once the store is closed.
    async fn next(&mut self) -> Result<Option<Subscribed>, ReadError> {
        loop {
            if let Some(event) = self.page.pop_front() {
                self.at = event.position;
                self.announced = false;
                return Ok(Some(Subscribed::Event(Box::new(event))));
            }
            let head = *self.head.borrow_and_update();
            if head > self.at {
                // An event that is committed but not yet published is left for the next round. When a
                // subscriber gets an event, it must be able to read it in its stream too.
                let page = self.store.read_all(self.at, PAGE).await?;
                self.page = page.into_iter().filter(|event| event.position <= head).collect();
            } else if !self.announced {
                self.announced = true;
                return Ok(Some(Subscribed::CaughtUp(self.at)));
            } else if self.head.changed().await.is_err() {
                return Ok(None);
            }
        }
    }
}
