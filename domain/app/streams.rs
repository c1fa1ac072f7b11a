//! Load, decide, append, retry: the loop of every use case.

use std::convert::Infallible;
use std::sync::Arc;

use crate::decider::Decider;
use crate::fact::{Actor, Context, Fact};
use crate::ids::EventId;
use crate::policies::Policies;
use crate::ports::{
    AppendError, Appended, CodecError, EventCodec, EventStore, Folded, Identities, NewEvent, Position,
    RecordedEvent, StateCache, StreamId,
};
use crate::schema::AggregateEvent;

use super::{Failure, Unavailable};

/// How often an append with an unknown result is tried, including the first time.
const TRIES: usize = 3;

/// An aggregate whose events are stored in the log.
pub trait Aggregate: Decider<Event: AggregateEvent> {}
impl<A: Decider<Event: AggregateEvent>> Aggregate for A {}

/// Why nothing was appended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransactError<R> {
    /// A rule of the aggregate refuses the command.
    #[error(transparent)]
    Refused(R),
    /// The system could not do it.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl<R> From<TransactError<R>> for Failure
where
    Self: From<R>,
{
    fn from(error: TransactError<R>) -> Self {
        match error {
            TransactError::Refused(refusal) => refusal.into(),
            TransactError::Unavailable(unavailable) => unavailable.into(),
        }
    }
}

impl From<TransactError<Infallible>> for Unavailable {
    fn from(error: TransactError<Infallible>) -> Self {
        match error {
            TransactError::Refused(never) => match never {},
            TransactError::Unavailable(unavailable) => unavailable,
        }
    }
}

/// The result of a transaction on an aggregate.
pub(super) type Transacted<A> = Result<Committed<A>, TransactError<<A as Decider>::Refusal>>;

/// The log, and what is needed to write to it.
#[derive(Clone)]
pub(super) struct Log {
    pub(super) store: Arc<dyn EventStore>,
    pub(super) codec: Arc<dyn EventCodec>,
    pub(super) identities: Arc<dyn Identities>,
}

/// The streams of one kind of aggregate.
pub struct Streams<A> {
    log: Log,
    policies: Arc<Policies>,
    cache: Arc<dyn StateCache<A>>,
}

/// The result of a decision. It is durable.
#[derive(Clone, Debug)]
pub struct Committed<A: Aggregate> {
    /// The aggregate's state after it.
    pub state: Arc<A>,
    /// The events that were decided. Empty if nothing had to change.
    pub facts: Vec<Fact<A::Event>>,
    /// The position of the stream's last event.
    pub position: Position,
}

impl<A: Aggregate> Streams<A> {
    pub(super) fn new(log: Log, policies: Arc<Policies>, cache: Arc<dyn StateCache<A>>) -> Self {
        Self { log, policies, cache }
    }

    /// Loads the aggregate's present state. It reads only the events that the cache does not have.
    pub(super) async fn load(&self, stream: &StreamId) -> Result<Folded<A>, Unavailable> {
        let mut folded = self.cache.get(stream).unwrap_or_default();
        let news = self.log.store.read_stream(stream, folded.revision).await?;
        if news.is_empty() {
            return Ok(folded);
        }
        for recorded in &news {
            let fact = self.decode(recorded).await?;
            folded = folded.after(&fact, recorded);
        }
        self.cache.put(stream, &folded);
        Ok(folded)
    }

    /// Decides a command and appends its events at the revision that was decided on. If another append came first, it
    /// decides again with the new events (law 2).
    pub(super) async fn transact(
        &self,
        stream: &StreamId,
        context: &Context,
        command: impl Into<A::Command>,
    ) -> Transacted<A> {
        self.transact_as(stream, context, || EventId(self.log.identities.fresh()), command).await
    }

    /// The same as [`Streams::transact`]. The caller gives the ids of the events.
    pub(super) async fn transact_as(
        &self,
        stream: &StreamId,
        context: &Context,
        mut id: impl FnMut() -> EventId,
        command: impl Into<A::Command>,
    ) -> Transacted<A> {
        let command = command.into();
        loop {
            let folded = self.load(stream).await?;
            let decided = folded.state.decide(&self.policies, context.at, command.clone());
            let events = decided.map_err(TransactError::Refused)?;
            let mut context = context.clone();
            if context.actor == Actor::Anonymous
                && let Some(actor) = A::proven_actor(stream, &events)
            {
                context.actor = actor;
            }
            let facts = events.into_iter().map(|event| Fact { id: id(), context: context.clone(), event });
            match self.append(stream, folded, facts.collect()).await? {
                Some(committed) => return Ok(committed),
                None => continue,
            }
        }
    }

    /// Appends at the revision of the state. Returns `None` if another append came first.
    async fn append(
        &self,
        stream: &StreamId,
        folded: Folded<A>,
        facts: Vec<Fact<A::Event>>,
    ) -> Result<Option<Committed<A>>, Unavailable> {
        if facts.is_empty() {
            return Ok(Some(Committed { state: folded.state, facts, position: folded.position }));
        }
        let wrapped = facts.iter().cloned().map(|fact| fact.map(AggregateEvent::wrap)).collect();
        let encoded = self.log.codec.encode(stream, wrapped).await.map_err(Unavailable::from)?;
        let appended = match self.append_surely(stream, &folded, encoded).await {
            Err(AppendError::Conflict { .. }) => return Ok(None),
            other => other?,
        };
        let state = facts.iter().fold(Arc::unwrap_or_clone(folded.state), A::evolve);
        let folded =
            Folded { state: Arc::new(state), revision: appended.revision, position: appended.position };
        self.cache.put(stream, &folded);
        Ok(Some(Committed { state: folded.state, facts, position: appended.position }))
    }

    /// Repeats an append with an unknown result, with the same ids and revision (law 2).
    async fn append_surely(
        &self,
        stream: &StreamId,
        folded: &Folded<A>,
        events: Vec<NewEvent>,
    ) -> Result<Appended, AppendError> {
        let mut unknown = None;
        for _ in 0..TRIES {
            match self.log.store.append(stream, folded.revision, events.clone()).await {
                Err(AppendError::Unknown(why)) => unknown = Some(AppendError::Unknown(why)),
                // The store not writing now does not tell whether it wrote before.
                Err(AppendError::Unavailable(why)) => {
                    return Err(unknown.unwrap_or(AppendError::Unavailable(why)));
                }
                known => return known,
            }
        }
        Err(unknown.unwrap_or(AppendError::Unknown("not tried".to_owned())))
    }

    pub(super) fn forget(&self, stream: &StreamId) {
        self.cache.remove(stream);
    }

    pub(super) fn forget_all(&self) {
        self.cache.clear();
    }

    async fn decode(&self, recorded: &RecordedEvent) -> Result<Fact<A::Event>, Unavailable> {
        let fact = self.log.codec.decode(recorded).await?;
        let Fact { id, context, event } = fact;
        let event = AggregateEvent::unwrap(event).ok_or_else(|| CodecError::Unreadable {
            id,
            place: format!("{}@{}", recorded.stream, recorded.revision.0),
            why: format!("{} does not belong into this stream", recorded.event.name),
        })?;
        Ok(Fact { id, context, event })
    }
}

impl<A: Aggregate> Folded<A> {
    fn after(self, fact: &Fact<A::Event>, recorded: &RecordedEvent) -> Self {
        let state = Arc::new(Arc::unwrap_or_clone(self.state).evolve(fact));
        Self { state, revision: recorded.revision, position: recorded.position }
    }
}
