//! Reactions: actions on the outside world that follow from events. A rebuild does not move their checkpoints.

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

/// The pause before a reaction that failed handles the same event again.
const RETRY: Duration = Duration::from_secs(2);
/// The maximum number of failing events that are tried again one by one. With more, the cause must be something that
/// they have in common.
const MOST_FAILING: usize = 100;
/// How often the checkpoint is saved while events ask for nothing.
const NOTE_EVERY: Duration = Duration::from_secs(5);

/// The names of all reactions. The journal keeps their checkpoints under these names.
pub const NAMES: [&str; 4] = [Mails::NAME, Onboarding::NAME, Settling::NAME, Erasure::NAME];

/// The error that kept a reaction from acting.
pub type Cause = Box<dyn Error + Send + Sync>;

/// A reaction's answer to an event.
#[derive(Debug)]
#[must_use]
pub enum Answer {
    /// It has acted, or the event asks for nothing. These mails follow from the event.
    Done(Vec<QueuedMail>),
    /// It can't act on this event now. The runner shows why and goes on with later events. It asks again about this
    /// event every two seconds. The checkpoint stays before the event.
    TryAgain(Cause),
    /// It can't act on this event, and would fail at every other for the same reason. The runner shows why and stops
    /// reading. After two seconds it starts again at the checkpoint.
    Stop(Cause),
}

impl<E: Into<Cause>> From<Result<Vec<QueuedMail>, E>> for Answer {
    /// A failed event is tried again.
    fn from(acted: Result<Vec<QueuedMail>, E>) -> Self {
        match acted {
            Ok(mails) => Self::Done(mails),
            Err(cause) => Self::TryAgain(cause.into()),
        }
    }
}

/// Acts on events, each at least once. Acting twice on an event must have the same effect as acting once. Events come
/// in order, except those that failed at first.
pub trait Reaction: Send + Sync {
    /// Its name. Its checkpoint is stored under it.
    fn name(&self) -> &'static str;

    /// Does the work that each start needs before new events. `head` is the end of the log at that time.
    ///
    /// # Errors
    /// The error that kept it from doing the work. The runner shows it and starts again.
    fn start(&self, _head: Position) -> BoxFuture<'_, Result<(), Cause>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Acts on an event.
    fn react<'a>(&'a self, event: &'a EventEnvelope) -> BoxFuture<'a, Answer>;
}

/// Why a reaction can't act now.
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
    #[error("the {0} can't be found yet")]
    NotKnown(&'static str),
}

impl From<Unavailable> for CannotAct {
    fn from(unavailable: Unavailable) -> Self {
        Self::UseCase(unavailable.into())
    }
}

/// Why a reaction stopped following the log. It starts again at its checkpoint.
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
    /// Decodes its events.
    pub codec: Arc<dyn EventCodec>,
    /// The journal that keeps the checkpoint.
    pub journal: Arc<dyn ReactionJournal>,
    /// The lease under which it runs.
    pub fence: Fence,
    /// Its progress, for readiness.
    pub status: Status,
    /// The reaction.
    pub reaction: Arc<dyn Reaction>,
    /// The time.
    pub clock: Clock,
    /// Notified when mails were queued.
    pub queued: Arc<tokio::sync::Notify>,
}

/// The progress of a reaction.
#[derive(Default)]
struct Way {
    /// The position up to which it has read the log.
    seen: Position,
    /// The checkpoint.
    noted: Position,
    /// The events that it could not act on yet.
    failing: BTreeMap<Position, Failing>,
}

/// An event that a reaction could not act on yet.
struct Failing {
    event: EventEnvelope,
    why: String,
    /// The position of the event before it.
    after: Position,
}

impl Way {
    /// The position up to which it has acted on all events. The checkpoint goes no further, so that nothing is lost
    /// at a stop.
    fn acted_on(&self) -> Position {
        self.failing.values().next().map_or(self.seen, |first| first.after)
    }
}

impl ReactionRunner {
    /// Runs as long as the log does. Reports failures and tries again. Nothing is skipped, and one failing event does
    /// not stop the others.
    ///
    /// # Errors
    /// [`Fenced`] when the journal says that the lease is over. The next holder continues at the checkpoint.
    pub async fn run(self) -> Result<(), Fenced> {
        let _shown = self.status.show_while(Follower::Reaction(self.reaction.name()));
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
                            // The unencrypted part has everything that a reaction needs to choose its events, so no
                            // key is needed.
                            let event = EventEnvelope::read_open(self.codec.as_ref(), *recorded)?;
                            self.act(&mut way, event).await?;
                        }
                        Subscribed::CaughtUp(_) => {
                            // The positions of events that asked for nothing are saved only now and then. Acting on
                            // these events again is harmless. A sync to disk for each event would show anonymous
                            // callers which events there were.
                            if way.acted_on() > way.noted && last_noted.elapsed() > NOTE_EVERY {
                                last_noted = Instant::now();
                                self.note(&mut way, Vec::new()).await?;
                            }
                            self.show(&way);
                        }
                    },
                },
                _ = retry.tick(), if !way.failing.is_empty() => {
                    let again: Vec<EventEnvelope> = way.failing.values().map(|failing| failing.event.clone()).collect();
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
            // The log was restored to an earlier state. The reaction has acted on the events that the log has, but
            // not on the next ones.
            tracing::warn!(
                reaction = name,
                position = noted.0,
                head = head.0,
                "a reaction is ahead of the log; its checkpoint is set back"
            );
            noted = head;
            self.journal.advance(self.fence, name, head, Vec::new(), (self.clock)()).await?;
        }
        // The earlier failure stays visible until the reaction succeeds again.
        self.status.change(Follower::Reaction(name), |progress| progress.position = noted);
        Ok(noted)
    }

    async fn act(&self, way: &mut Way, event: EventEnvelope) -> Result<(), Interrupted> {
        let position = event.position;
        let after = way.failing.get(&position).map_or(way.seen, |failing| failing.after);
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
                let known = way.failing.insert(position, Failing { event, why: why.clone(), after });
                if way.failing.len() > MOST_FAILING {
                    return Err(failed.into());
                }
                if known.is_none_or(|before| before.why != why) {
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
        let failure = way.failing.values().next().map(|failing| failing.why.clone());
        self.status.set(Follower::Reaction(self.reaction.name()), 0, way.acted_on(), failure);
    }
}
