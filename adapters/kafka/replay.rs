//! Publishes the history again, into a topic of its own, for a new consumer.

use std::sync::Arc;

use loquet_domain::ports::{EventCodec, EventStore, Position};
use loquet_public_events::{Contract, Topic};

use crate::position::LONGEST_TRANSACTION;
use crate::publisher::{known_position, log_id, partitions, record, verify, watermarks};
use crate::settings::{Connection, Publishing};
use crate::topics;
use crate::transactions::Transactions;
use crate::trouble::{Heard, Trouble};

/// A replay of one topic into another.
pub struct Replay {
    /// The log.
    pub store: Arc<dyn EventStore>,
    /// Decodes its events.
    pub codec: Arc<dyn EventCodec>,
    /// What is public.
    pub contract: Arc<Contract>,
    /// How Kafka is reached.
    pub connection: Connection,
    /// How the live topics are published.
    pub publishing: Publishing,
    /// The topic whose events are replayed.
    pub topic: Topic,
    /// The topic into which they go.
    pub to_topic: String,
    /// The position of the first event.
    pub from: Position,
}

/// What a replay did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// The number of events that this run published.
    pub events: u64,
    /// All events up to this position are in the topic.
    pub position: Position,
}

/// Why a replay does not begin.
#[derive(Debug, thiserror::Error)]
pub enum ReplayRefused {
    /// The topic belongs to the publisher.
    #[error("{0} is a topic of the publisher: events would be in it twice. Choose another one")]
    Live(String),
    /// The topic holds records of something else.
    #[error(
        "{0} holds records that this replay did not write: choose an empty topic, or one that does not exist"
    )]
    NotEmpty(String),
    /// Something is wrong with Kafka or the log.
    #[error(transparent)]
    Trouble(#[from] Trouble),
}

impl Replay {
    /// Publishes every event from `from` to the present end of the log. A replay that was interrupted goes on where it
    /// stopped: the same topic, the same first position. Calls `progress` after each transaction with the position and
    /// the end.
    ///
    /// # Errors
    /// [`ReplayRefused`]. What was published until then stays, and the next run goes on behind it.
    pub async fn run(self, progress: impl Fn(Position, Position)) -> Result<Replayed, ReplayRefused> {
        let live = &self.publishing;
        if [&live.accounts_topic, &live.companies_topic, &live.positions_topic].contains(&&self.to_topic) {
            return Err(ReplayRefused::Live(self.to_topic));
        }
        let publishing = Publishing {
            accounts_topic: self.to_topic.clone(),
            companies_topic: self.to_topic.clone(),
            // What is replayed, from where and to where. So another replay into the same topic is refused, and not taken
            // for the rest of this one.
            transactional_id: format!(
                "{}-replay-of-{}-from-{}-to-{}",
                live.transactional_id,
                self.topic.word(),
                self.from,
                self.to_topic
            ),
            ..live.clone()
        };
        let heard = Heard::default();
        let checked = topics::check(&self.connection, &publishing).await?;
        let who = publishing.transactional_id.clone();
        let taken =
            Transactions::take_over(&self.connection, &publishing, &checked, (&who, None), heard.clone());
        let mut producer = taken.await?;
        let known = known_position(&self.connection, &publishing, LONGEST_TRANSACTION, &heard).await?;
        let now = watermarks(&self.connection, partitions(&publishing, &checked), &heard).await?;
        let verified = verify(self.store.as_ref(), known.as_ref(), &now, &checked, &publishing).await;
        let mut first = None;
        let (mut position, _) = match verified {
            Err(Trouble::PositionLost { topic, .. }) => return Err(ReplayRefused::NotEmpty(topic)),
            Ok((Position(0), _)) => {
                first = self.store.event_at(self.from).await.map_err(Trouble::from)?;
                (self.from, None)
            }
            verified => verified?,
        };
        producer.begin_from(log_id(self.store.as_ref()).await.map_err(Trouble::from)?, now);
        if known.is_none() {
            // A kill in the middle of the first records leaves places in the topic that no reader sees. This record says that
            // they are of this replay.
            producer.publish(Vec::new(), Position::default(), None).await?;
        }
        let head = self.store.head().await.map_err(Trouble::from)?;
        let mut events = 0;
        while position < head || first.is_some() {
            let mut page =
                self.store.read_all(position, publishing.batch.max(1)).await.map_err(Trouble::from)?;
            page.splice(..0, first.take());
            let Some(last) = page.last() else { break };
            let (next, event_id) = (last.position, last.event.id.0);
            let mut records = Vec::new();
            for event in &page {
                let wanted = loquet_public_events::type_of(&event.event.name);
                if wanted.is_some_and(|known| known.topic == self.topic) {
                    records.extend(record(self.codec.as_ref(), &self.contract, &publishing, event).await?);
                }
            }
            events += u64::try_from(records.len()).unwrap_or(0);
            producer.publish(records, next, Some(event_id)).await?;
            position = next;
            progress(position, head);
        }
        Ok(Replayed { events, position })
    }
}

/// Sets the position of the publisher, and takes the topics as they are now. A publisher that runs is fenced, and goes
/// on from the new position.
///
/// # Errors
/// [`Trouble`] if Kafka or the log can't be used, or the log has no event at the position.
pub async fn set_position(
    store: &dyn EventStore,
    connection: &Connection,
    publishing: &Publishing,
    position: Position,
) -> Result<(), Trouble> {
    let head = store.head().await?;
    if position > head {
        return Err(Trouble::NoSuchPosition { position, head });
    }
    let event_id = store.event_at(position).await?.map(|event| event.event.id.0);
    let heard = Heard::default();
    let checked = topics::check(connection, publishing).await?;
    let who = crate::position::OPERATOR;
    let mut producer =
        Transactions::take_over(connection, publishing, &checked, (who, None), heard.clone()).await?;
    let now = watermarks(connection, partitions(publishing, &checked), &heard).await?;
    producer.begin_from(log_id(store).await?, now);
    producer.publish(Vec::new(), position, event_id).await
}
