//! Subscriptions: first what is there, then what comes.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::Stream;
use futures_util::stream;
use tokio::sync::watch;
use tonic::Status;

use crate::clock;
use crate::cluster::Cluster;
use crate::faults::Delivery;
use crate::log::{Filter, Recorded};
use crate::messages::{Ids, read_event, response};
use crate::protocol::streams::ReadResp;
use crate::protocol::streams::read_resp::{self, CaughtUp, Checkpoint, Content, SubscriptionConfirmation};

const PAGE: usize = 64;

/// What a subscription delivers.
pub(crate) enum Wanted {
    /// Events of the whole log. With a filter there are checkpoints, one after each so many events.
    All { filter: Filter, checkpoint_after: Option<usize> },
    /// Events of a stream from a revision on.
    Stream { name: String, from: u64 },
}

struct Subscription {
    cluster: Arc<Cluster>,
    node: usize,
    grown: watch::Receiver<usize>,
    wanted: Wanted,
    ids: Ids,
    /// The number of events of the log that are done.
    done: usize,
    since_checkpoint: usize,
    live: bool,
    last: Option<Arc<Recorded>>,
    ready: VecDeque<Content>,
}

/// Delivers from a node what is wanted after the first `done` events of the log.
pub(crate) fn subscribe(
    (cluster, node): (Arc<Cluster>, usize),
    wanted: Wanted,
    done: usize,
    ids: Ids,
) -> impl Stream<Item = Result<ReadResp, Status>> {
    let subscription_id = clock::fresh_id().to_string();
    let confirmation = Content::Confirmation(SubscriptionConfirmation { subscription_id });
    let start = Subscription {
        grown: cluster.log.grown(),
        cluster,
        node,
        wanted,
        ids,
        done,
        since_checkpoint: 0,
        live: false,
        last: None,
        ready: [confirmation].into(),
    };
    stream::unfold(start, |mut subscription| async {
        let next = subscription.next().await?;
        Some((Ok(response(next)), subscription))
    })
}

impl Subscription {
    async fn next(&mut self) -> Option<Content> {
        loop {
            self.cluster.faults.pass().await;
            if let Some(content) = self.ready.pop_front() {
                return Some(content);
            }
            if let Some(node) = self.cluster.nodes.get(self.node) {
                node.may_deliver().await;
            }
            self.grown.mark_unchanged();
            let page = self.cluster.log.after(self.done, PAGE);
            if !page.is_empty() {
                self.live = self.live && page.len() < PAGE;
                self.deliver(page);
            } else if !self.live {
                self.live = true;
                self.checkpoint();
                self.ready.push_back(Content::CaughtUp(self.caught_up()));
            } else {
                self.grown.changed().await.ok()?;
            }
        }
    }

    fn deliver(&mut self, page: Vec<Arc<Recorded>>) {
        let mut events = Vec::new();
        for recorded in page {
            self.done += 1;
            self.since_checkpoint += 1;
            let wanted = match &self.wanted {
                Wanted::All { filter, .. } => filter.lets_through(&recorded),
                Wanted::Stream { name, from } => recorded.stream == *name && recorded.revision >= *from,
            };
            self.last = Some(recorded.clone());
            if wanted {
                events.push(read_event(&recorded, self.ids));
            }
            let due = match &self.wanted {
                Wanted::All { checkpoint_after: Some(after), .. } => self.since_checkpoint >= *after,
                _ => false,
            };
            if due {
                self.ready.extend(self.in_delivery_order(std::mem::take(&mut events)));
                self.checkpoint();
            }
        }
        self.ready.extend(self.in_delivery_order(events));
    }

    fn in_delivery_order(&self, events: Vec<Content>) -> Vec<Content> {
        match self.cluster.faults.delivery() {
            Delivery::InOrder => events,
            Delivery::TwiceAndOutOfOrder => {
                let reversed = events.chunks(3).flat_map(|chunk| chunk.iter().rev());
                reversed.flat_map(|event| [event.clone(), event.clone()]).collect()
            }
        }
    }

    fn checkpoint(&mut self) {
        let Wanted::All { checkpoint_after: Some(_), .. } = self.wanted else {
            return;
        };
        self.since_checkpoint = 0;
        if let Some(last) = &self.last {
            self.ready.push_back(Content::Checkpoint(Checkpoint {
                commit_position: last.position,
                prepare_position: last.position,
                timestamp: Some(now()),
            }));
        }
    }

    fn caught_up(&self) -> CaughtUp {
        let last = self.last.as_ref();
        let at = |last: &Arc<Recorded>| read_resp::Position {
            commit_position: last.position,
            prepare_position: last.position,
        };
        match &self.wanted {
            Wanted::All { .. } => {
                CaughtUp { timestamp: Some(now()), stream_revision: None, position: last.map(at) }
            }
            Wanted::Stream { name, .. } => {
                let page = self.cluster.log.stream_backwards(name, None, 1).ok();
                let newest = page.and_then(|page| i64::try_from(page.last).ok());
                CaughtUp { timestamp: Some(now()), stream_revision: newest, position: None }
            }
        }
    }
}

fn now() -> prost_types::Timestamp {
    let now = clock::since_1970();
    prost_types::Timestamp {
        seconds: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(now.subsec_nanos()).unwrap_or(0),
    }
}
