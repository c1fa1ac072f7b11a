//! Reactions: what follows from events in the outside. Each has a checkpoint that no rebuild moves.

mod erasure;
mod mails;
mod onboarding;

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use loquet_domain::app::{Failure, Unavailable};
use loquet_domain::ports::{BoxFuture, CodecError, EventCodec, EventStore, Position, ReadError, Subscribed};

pub use erasure::Erasure;
pub use mails::Mails;
pub use onboarding::{Onboarding, Settling};

use crate::causes::Causes;
use crate::ports::{Clock, Fence, Fenced, QueuedMail, ReactionJournal, StoreFailed, WriteFailed};
use crate::runner::{Follower, NotThere, Status};
use crate::view::EventEnvelope;

/// How long a reaction that failed waits before it acts on the same event again.
const RETRY: Duration = Duration::from_secs(2);
/// How many events may fail, each tried again, before it must be what they have in common that is wrong.
const MOST_FAILING: usize = 100;
/// How often the position of events that asked for nothing is noted.
const NOTE_EVERY: Duration = Duration::from_secs(5);

/// The names of all of them, under which the journal keeps how far they are.
pub const NAMES: [&str; 4] = [Mails::NAME, Onboarding::NAME, Settling::NAME, Erasure::NAME];

/// The error that kept a reaction from acting.
pub type Cause = Box<dyn Error + Send + Sync>;

/// What a reaction answers to an event.
#[derive(Debug)]
#[must_use]
pub enum Answer {
    /// It has acted, or the event asks for nothing. These mails follow from the event.
    Done(Vec<QueuedMail>),
    /// It can't act on this event now. The runner shows why, goes on with the events that follow, and asks again about
    /// this one every two seconds. The checkpoint stays before the event.
    TryAgain(Cause),
    /// It can't act on this event, and would fail at every other for the same reason. The runner shows why, reads no
    /// further, and after two seconds begins again at the checkpoint.
    Stop(Cause),
}

impl<E: Into<Cause>> From<Result<Vec<QueuedMail>, E>> for Answer {
    /// A failure is tried again.
    fn from(acted: Result<Vec<QueuedMail>, E>) -> Self {
        match acted {
            Ok(mails) => Self::Done(mails),
            Err(cause) => Self::TryAgain(cause.into()),
        }
    }
}

/// Acts on events, each at least once; acting twice must do no more than acting once. In order, but for those
/// that failed at first.
pub trait Reaction: Send + Sync {
    /// Its name, under which its checkpoint is kept.
    fn name(&self) -> &'static str;

    /// Does what is to be done at every start, before it follows what comes: `head` is where the log ends then.
    ///
    /// # Errors
    /// The error that kept it from being done. The runner shows it and starts again.
    fn start(&self, _head: Position) -> BoxFuture<'_, Result<(), Cause>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Acts on an event.
    fn react<'a>(&'a self, event: &'a EventEnvelope) -> BoxFuture<'a, Answer>;
}

/// Why a reaction can't act for now.
#[derive(Debug, thiserror::Error)]
enum CannotAct {
    #[error(transparent)]
    UseCase(#[from] Failure),
    #[error(transparent)]
    View(#[from] NotThere),
    #[error(transparent)]
    Store(#[from] StoreFailed),
    #[error(transparent)]
    Log(#[from] ReadError),
    #[error(transparent)]
    Keys(#[from] CodecError),
    #[error("the log ends at {at}, before {head}")]
    LogEnds { at: Position, head: Position },
    #[error("the {0} is not known")]
    NotKnown(&'static str),
}

impl From<Unavailable> for CannotAct {
    fn from(unavailable: Unavailable) -> Self {
        Self::UseCase(unavailable.into())
    }
}

/// Why a reaction does not follow the log. It begins again at its checkpoint.
#[derive(Debug, thiserror::Error)]
enum Interrupted {
    #[error(transparent)]
    Log(#[from] ReadError),
    #[error(transparent)]
    Event(#[from] CodecError),
    #[error(transparent)]
    Journal(#[from] StoreFailed),
    #[error(transparent)]
    Start(Cause),
    #[error(transparent)]
    At(#[from] FailedAt),
    #[error(transparent)]
    Fenced(#[from] Fenced),
}

impl From<WriteFailed> for Interrupted {
    fn from(failed: WriteFailed) -> Self {
        match failed {
            WriteFailed::Fenced(fenced) => Self::Fenced(fenced),
            WriteFailed::Store(failed) => Self::Journal(failed),
        }
    }
}

/// A reaction can't act on an event.
#[derive(Debug, thiserror::Error)]
#[error("event {event}")]
struct FailedAt {
    event: Position,
    source: Cause,
}

/// Runs one reaction over the log.
pub struct ReactionRunner {
    /// The log.
    pub store: Arc<dyn EventStore>,
    /// Reads its events.
    pub codec: Arc<dyn EventCodec>,
    /// Where the checkpoint is kept.
    pub journal: Arc<dyn ReactionJournal>,
    /// The lease under which it runs.
    pub fence: Fence,
    /// Where readiness sees how far it is.
    pub status: Status,
    /// What acts.
    pub reaction: Arc<dyn Reaction>,
    /// The time.
    pub clock: Clock,
    /// Rung when mails were queued.
    pub queued: Arc<tokio::sync::Notify>,
}

/// How far a reaction has come.
#[derive(Default)]
struct Way {
    /// Up to where it has read the log.
    seen: Position,
    /// The checkpoint.
    noted: Position,
    /// What it could not act on yet, and why.
    failing: BTreeMap<Position, (EventEnvelope, String)>,
}

impl Way {
    /// Up to where everything was acted on: the checkpoint goes no further, so that a stop forgets nothing.
    fn acted_on(&self) -> Position {
        let before = |first: &Position| Position(first.0.saturating_sub(1));
        self.failing.keys().next().map_or(self.seen, before)
    }
}

impl ReactionRunner {
    /// Runs for as long as the log does. What fails is reported and tried again, and nothing is skipped; an
    /// event that can't be acted on holds up no other.
    ///
    /// # Errors
    /// [`Fenced`] once the journal says that the lease is over. Whoever holds it now goes on at the checkpoint.
    pub async fn run(self) -> Result<(), Fenced> {
        while let Err(why) = self.start().await {
            self.wait_after(why).await?;
        }
        while let Err(why) = self.follow().await {
            self.wait_after(why).await?;
        }
        Ok(())
    }

    async fn wait_after(&self, why: Interrupted) -> Result<(), Fenced> {
        if let Interrupted::Fenced(fenced) = why {
            return Err(fenced);
        }
        let (name, why) = (self.reaction.name(), Causes(&why).to_string());
        tracing::error!(reaction = name, %why, "a reaction failed; trying again");
        self.status.change(Follower::Reaction(name), |progress| progress.failure = Some(why));
        tokio::time::sleep(RETRY).await;
        Ok(())
    }

    async fn start(&self) -> Result<(), Interrupted> {
        let head = self.store.head().await?;
        self.reaction.start(head).await.map_err(Interrupted::Start)
    }

    async fn follow(&self) -> Result<(), Interrupted> {
        let noted = self.checkpoint().await?;
        let mut way = Way { seen: noted, noted, failing: BTreeMap::new() };
        let mut last_noted = Instant::now();
        let mut log = self.store.subscribe(noted);
        let mut retry = tokio::time::interval(RETRY);
        retry.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                next = log.next() => match next {
                    None => return Ok(()),
                    Some(next) => match next? {
                        Subscribed::Event(recorded) => {
                            // The open part says all that a reaction asks: no key is needed to read on.
                            let event = EventEnvelope::read_open(self.codec.as_ref(), *recorded)?;
                            self.act(&mut way, event).await?;
                        }
                        Subscribed::CaughtUp(_) => {
                            // Positions that asked for nothing are noted now and then: acting on them again
                            // is harmless, and a sync for each event would tell anonymous callers which there were.
                            if way.acted_on() > way.noted && last_noted.elapsed() > NOTE_EVERY {
                                last_noted = Instant::now();
                                self.note(&mut way, Vec::new()).await?;
                            }
                            self.show(&way);
                        }
                    },
                },
                _ = retry.tick(), if !way.failing.is_empty() => {
                    let again: Vec<EventEnvelope> = way.failing.values().map(|(event, _)| event.clone()).collect();
                    for event in again {
                        self.act(&mut way, event).await?;
                    }
                }
            }
        }
    }

    async fn checkpoint(&self) -> Result<Position, Interrupted> {
        let name = self.reaction.name();
        let mut noted = self.journal.checkpoint(name).await?;
        let head = self.store.head().await?;
        if noted > head {
            // The log was put back to an earlier state. What it holds was acted on; what comes was not.
            tracing::warn!(reaction = name, position = %noted, %head, "a reaction is ahead of the log; put back to it");
            noted = head;
            self.journal.advance(self.fence, name, head, Vec::new(), (self.clock)()).await?;
        }
        // What made it fail before is shown until it is seen not to any more.
        self.status.change(Follower::Reaction(name), |progress| progress.position = noted);
        Ok(noted)
    }

    async fn act(&self, way: &mut Way, event: EventEnvelope) -> Result<(), Interrupted> {
        let position = event.position;
        way.seen = way.seen.max(position);
        match self.reaction.react(&event).await {
            Answer::Done(mails) => {
                way.failing.remove(&position);
                if !mails.is_empty() {
                    self.note(way, mails).await?;
                    self.queued.notify_one();
                }
            }
            Answer::Stop(source) => return Err(FailedAt { event: position, source }.into()),
            Answer::TryAgain(source) => {
                let failed = FailedAt { event: position, source };
                let why = Causes(&failed).to_string();
                let known = way.failing.insert(position, (event, why.clone()));
                if way.failing.len() > MOST_FAILING {
                    return Err(failed.into());
                }
                if known.is_none_or(|(_, before)| before != why) {
                    tracing::error!(reaction = self.reaction.name(), %why, "a reaction failed; trying again");
                }
            }
        }
        self.show(way);
        Ok(())
    }

    async fn note(&self, way: &mut Way, mails: Vec<QueuedMail>) -> Result<(), Interrupted> {
        let (name, up_to) = (self.reaction.name(), way.acted_on());
        self.journal.advance(self.fence, name, up_to, mails, (self.clock)()).await?;
        way.noted = up_to;
        Ok(())
    }

    fn show(&self, way: &Way) {
        let failure = way.failing.values().next().map(|(_, why)| why.clone());
        self.status.set(Follower::Reaction(self.reaction.name()), 0, way.acted_on(), failure);
    }
}
