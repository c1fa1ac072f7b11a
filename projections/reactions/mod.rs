//! Reactions: what follows from events in the outside. Each has a checkpoint that no rebuild moves.

mod erasure;
mod mails;
mod onboarding;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use loquet_domain::ports::{BoxFuture, EventCodec, EventStore, Position, Subscribed};

pub use erasure::Erasure;
pub use mails::Mails;
pub use onboarding::{Onboarding, Settling};

use crate::ports::{Clock, QueuedMail, ReactionJournal};
use crate::runner::{Follower, Status};
use crate::view::Noted;

/// How long a reaction that failed waits before it acts on the same event again.
const RETRY: Duration = Duration::from_secs(2);
/// How often the position of events that asked for nothing is noted.
const NOTE_EVERY: Duration = Duration::from_secs(5);

/// The names of all of them, under which the journal keeps how far they are.
pub const NAMES: [&str; 4] = [Mails::NAME, Onboarding::NAME, Settling::NAME, Erasure::NAME];

/// Acts on events, each at least once and in order; acting twice must do no more than acting once.
pub trait Reaction: Send + Sync {
    /// Its name, under which its checkpoint is kept.
    fn name(&self) -> &'static str;

    /// Does what is to be done at every start, before it follows what comes: `head` is where the log ends then.
    fn start(&self, _head: Position) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Acts on an event, and says which mails follow from it.
    fn react<'a>(&'a self, event: &'a Noted) -> BoxFuture<'a, Result<Vec<QueuedMail>, String>>;
}

/// Runs one reaction over the log.
pub struct ReactionRunner {
    /// The log.
    pub store: Arc<dyn EventStore>,
    /// Reads its events.
    pub codec: Arc<dyn EventCodec>,
    /// Where the checkpoint is kept.
    pub journal: Arc<dyn ReactionJournal>,
    /// Where readiness sees how far it is.
    pub status: Status,
    /// What acts.
    pub reaction: Arc<dyn Reaction>,
    /// The time.
    pub clock: Clock,
    /// Rung when mails were queued.
    pub queued: Arc<tokio::sync::Notify>,
}

impl ReactionRunner {
    /// Runs for as long as the log does. What fails is reported and tried again; nothing is skipped.
    pub async fn run(self) {
        while let Err(why) = self.start().await {
            self.wait_after(why).await;
        }
        while let Err(why) = self.follow().await {
            self.wait_after(why).await;
        }
    }

    async fn wait_after(&self, why: String) {
        let name = self.reaction.name();
        tracing::error!(reaction = name, %why, "a reaction failed; trying again");
        self.status.change(Follower::Reaction(name), |progress| progress.failure = Some(why));
        tokio::time::sleep(RETRY).await;
    }

    async fn start(&self) -> Result<(), String> {
        let head = self.store.head().await.map_err(|e| e.to_string())?;
        self.reaction.start(head).await
    }

    async fn follow(&self) -> Result<(), String> {
        let name = self.reaction.name();
        let mut noted = self.journal.checkpoint(name).await.map_err(|e| e.to_string())?;
        let head = self.store.head().await.map_err(|e| e.to_string())?;
        if noted > head {
            // The log was put back to an earlier state. What it holds was acted on; what comes was not.
            tracing::warn!(reaction = name, position = %noted, %head, "a reaction is ahead of the log; put back to it");
            noted = head;
            self.journal.advance(name, head, Vec::new(), (self.clock)()).await.map_err(|e| e.to_string())?;
        }
        let mut seen = noted;
        self.status.set(Follower::Reaction(name), 0, noted, None);
        let mut last_noted = Instant::now();
        let mut log = self.store.subscribe(noted);
        while let Some(next) = log.next().await {
            match next.map_err(|e| e.to_string())? {
                // Positions that asked for nothing are noted now and then: acting on them again is
                // harmless, and a sync for each event would tell strangers which events there were.
                Subscribed::CaughtUp(_) if seen > noted && last_noted.elapsed() > NOTE_EVERY => {
                    (noted, last_noted) = (seen, Instant::now());
                    self.journal
                        .advance(name, seen, Vec::new(), (self.clock)())
                        .await
                        .map_err(|e| e.to_string())?;
                }
                Subscribed::CaughtUp(_) => {}
                Subscribed::Event(recorded) => {
                    let event =
                        Noted::read(self.codec.as_ref(), *recorded).await.map_err(|e| e.to_string())?;
                    let position = event.position;
                    let mails =
                        self.reaction.react(&event).await.map_err(|e| format!("event {position}: {e}"))?;
                    seen = position;
                    self.status.set(Follower::Reaction(name), 0, position, None);
                    if !mails.is_empty() {
                        noted = position;
                        self.journal
                            .advance(name, position, mails, (self.clock)())
                            .await
                            .map_err(|e| e.to_string())?;
                        self.queued.notify_one();
                    }
                }
            }
        }
        Ok(())
    }
}
