//! Takes orders from a topic. An order's offset is committed when its events are durable, or when it is in the topic of
//! dead letters. So an order may come twice, and changes nothing the second time. None is lost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use loquet_domain::Moment;
use loquet_domain::app::{App, Failure, NewOrder};
use loquet_domain::fact::{Actor, Context};
use loquet_domain::ids::CorrelationId;
use loquet_domain::ports::Identities;
use loquet_metrics::{Outcome, Outcomes};
use loquet_projections::causes::Causes;
use loquet_projections::ports::Clock;
use loquet_projections::runner::{ServiceState, Status};
use loquet_public_events::cloud_event::{STRUCTURED, data_of_structured};
use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Headers, OwnedMessage};
use rdkafka::{Message, Offset, TopicPartitionList};
use tokio::sync::watch;

use crate::dead_letters::{DeadLetters, Letter};
use crate::settings::{Connection, Orders};
use crate::trouble::{Heard, in_words};

/// The name under which the intake shows its state.
pub const NAME: &str = "orders";
/// The most orders that are taken before their offsets are committed.
const BATCH: usize = 64;
/// The pause after a failure.
const RETRY: Duration = Duration::from_secs(1);
/// Bytes of orders that wait in memory, in KiB. Further ones wait in Kafka.
const WAITING_KIB: &str = "8192";

/// Reads an order. The error names every fault.
pub type ReadOrder = Arc<dyn Fn(&[u8], Moment) -> Result<NewOrder, Vec<String>> + Send + Sync>;

/// Takes orders from a topic.
pub struct OrderIntake {
    /// The use cases.
    pub app: Arc<App>,
    /// The time.
    pub clock: Clock,
    /// Makes the ids under which the events of one order are found.
    pub identities: Arc<dyn Identities>,
    /// Reads an order.
    pub read: ReadOrder,
    /// How Kafka is reached.
    pub connection: Connection,
    /// The topics and the group.
    pub orders: Orders,
    /// Shows what keeps it from taking orders.
    pub status: Status,
    /// Counts orders.
    pub taken: Outcomes,
}

/// What became of an order.
enum Handled {
    /// Its events are durable.
    Taken,
    /// It can't be taken, ever. The text says why.
    Refused(String),
    /// The intake stops before it was tried.
    Stopped,
}

impl OrderIntake {
    /// Takes orders until told to stop.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            let heard = Heard::default();
            match self.session(&mut stop, &heard).await {
                Ok(()) => return,
                Err(why) => self.tell(ServiceState::Failing(why)),
            }
            tokio::select! {
                () = tokio::time::sleep(RETRY) => {}
                () = told(&mut stop) => return,
            }
        }
    }

    fn tell(&self, state: ServiceState) {
        if !self.status.tell(NAME, state.clone()) {
            return;
        }
        match state {
            ServiceState::Failing(why) => {
                tracing::error!(%why, "no orders are taken from Kafka; trying again");
            }
            _ => tracing::info!(topic = %self.orders.topic, "orders are taken from Kafka"),
        }
    }

    async fn session(&self, stop: &mut watch::Receiver<bool>, heard: &Heard) -> Result<(), String> {
        let failed = |doing: &str, error: &KafkaError| in_words(doing, error, heard);
        let dead_letters =
            DeadLetters::open(&self.connection, &self.orders).await.map_err(|error| error.to_string())?;
        let mut config = self.connection.client();
        config
            .set("group.id", &self.orders.group)
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("queued.max.messages.kbytes", WAITING_KIB);
        let made = config.create_with_context(heard.clone());
        let consumer: StreamConsumer<Heard> =
            made.map_err(|error| failed("the settings of Kafka are not valid", &error))?;
        let consumer = Arc::new(consumer);
        consumer
            .subscribe(&[&self.orders.topic])
            .map_err(|error| failed("can't follow the orders", &error))?;
        let mut look = tokio::time::interval(Duration::from_secs(1));
        loop {
            let first = tokio::select! {
                first = consumer.recv() => first,
                () = told(stop) => return Ok(()),
                _ = look.tick() => {
                    match heard.down() {
                        Some(why) => self.tell(ServiceState::Failing(why)),
                        None => self.tell(ServiceState::Working),
                    }
                    continue;
                }
            };
            let doing = format!("can't read orders from {}", self.orders.topic);
            let mut batch = vec![first.map_err(|error| failed(&doing, &error))?.detach()];
            let mut failed_after = None;
            while batch.len() < BATCH
                && let Some(next) = consumer.recv().now_or_never()
            {
                match next {
                    Ok(next) => batch.push(next.detach()),
                    Err(error) => {
                        failed_after = Some(error);
                        break;
                    }
                }
            }
            heard.forget();
            if !self.take(batch, &consumer, &dead_letters, stop).await? {
                return Ok(());
            }
            if let Some(error) = failed_after {
                return Err(failed(&doing, &error));
            }
        }
    }

    /// Takes orders: those of one partition one after the other, those of several at once. Returns whether to go on.
    async fn take(
        &self,
        batch: Vec<OwnedMessage>,
        consumer: &Arc<StreamConsumer<Heard>>,
        dead_letters: &DeadLetters,
        stop: &watch::Receiver<bool>,
    ) -> Result<bool, String> {
        let mut partitions: BTreeMap<i32, Vec<OwnedMessage>> = BTreeMap::new();
        for message in batch {
            partitions.entry(message.partition()).or_default().push(message);
        }
        let taken = partitions.values().map(|messages| self.take_in_order(messages, stop.clone()));
        let (mut done, mut stopped, mut failed) = (TopicPartitionList::new(), false, None);
        for (messages, handled) in partitions.values().zip(join_all(taken).await) {
            let mut next = None;
            for (message, handled) in messages.iter().zip(handled) {
                match handled {
                    Handled::Taken => {}
                    Handled::Refused(why) => {
                        let now = (self.clock)();
                        let letter = Letter::of(message, why, now);
                        tracing::warn!(id = %letter.id, why = %letter.reason, "an order can't be taken: it is a dead letter");
                        if let Err(trouble) = dead_letters.write(&letter).await {
                            failed = Some(trouble.to_string());
                            break;
                        }
                    }
                    Handled::Stopped => {
                        stopped = true;
                        break;
                    }
                }
                next = Some((message.partition(), message.offset() + 1));
            }
            if let Some((partition, offset)) = next {
                done.add_partition_offset(&self.orders.topic, partition, Offset::Offset(offset))
                    .map_err(|error| error.to_string())?;
            }
        }
        if done.count() > 0 {
            self.commit(consumer.clone(), done).await?;
        }
        // The orders of other partitions are done, and their offsets are committed.
        if let Some(why) = failed {
            return Err(why);
        }
        if !stopped {
            self.tell(ServiceState::Working);
        }
        Ok(!stopped)
    }

    /// Commits offsets. If the group has given the partitions to another consumer, that one takes the orders again,
    /// which changes nothing.
    async fn commit(
        &self,
        consumer: Arc<StreamConsumer<Heard>>,
        done: TopicPartitionList,
    ) -> Result<(), String> {
        let committing = tokio::task::spawn_blocking(move || consumer.commit(&done, CommitMode::Sync));
        let committed = committing.await.map_err(|error| error.to_string())?;
        match committed {
            Err(error) if !is_rebalance(&error) => {
                Err(in_words("can't commit offsets", &error, &Heard::default()))
            }
            _ => Ok(()),
        }
    }

    async fn take_in_order(
        &self,
        messages: &[OwnedMessage],
        mut stop: watch::Receiver<bool>,
    ) -> Vec<Handled> {
        let mut handled = Vec::with_capacity(messages.len());
        for message in messages {
            handled.push(self.take_one(message, &mut stop).await);
            if matches!(handled.last(), Some(Handled::Stopped)) {
                break;
            }
        }
        handled
    }

    /// Takes an order. While the log can't be written, tries again: no later order of the partition goes before it.
    async fn take_one(&self, message: &OwnedMessage, stop: &mut watch::Receiver<bool>) -> Handled {
        loop {
            if *stop.borrow() {
                return Handled::Stopped;
            }
            let context = Context {
                at: (self.clock)(),
                actor: Actor::Service { name: "kafka orders".to_owned() },
                correlation: CorrelationId(self.identities.fresh()),
                causation: None,
                client: None,
                reason: None,
            };
            let read = content(message)
                .and_then(|json| (self.read)(json, context.at).map_err(|faults| faults.join("; ")));
            let order = match read {
                Ok(order) => order,
                Err(why) => {
                    self.count("refused");
                    return Handled::Refused(why);
                }
            };
            match self.app.place_order(&context, order).await {
                Ok(placed) => {
                    self.count(if placed.new { "new" } else { "delivered_before" });
                    return Handled::Taken;
                }
                Err(Failure::Unavailable(why)) => {
                    self.tell(ServiceState::Failing(format!("the order waits: {}", Causes(&why))));
                    tokio::select! {
                        () = tokio::time::sleep(RETRY) => {}
                        () = told(stop) => return Handled::Stopped,
                    }
                }
                Err(refused) => {
                    self.count("refused");
                    return Handled::Refused(Causes(&refused).to_string());
                }
            }
        }
    }

    fn count(&self, outcome: &str) {
        self.taken.get_or_create(&Outcome { outcome: outcome.to_owned() }).inc();
    }
}

async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stopping| *stopping).await;
}

fn is_rebalance(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::IllegalGeneration
                | RDKafkaErrorCode::RebalanceInProgress
                | RDKafkaErrorCode::UnknownMemberId
                | RDKafkaErrorCode::AssignmentLost
                | RDKafkaErrorCode::NoOffset
        )
    )
}

/// The order in a record: its value, or the data of a CloudEvent in structured mode.
fn content(message: &OwnedMessage) -> Result<&[u8], String> {
    let Some(value) = message.payload() else { return Err("the record has no value".to_owned()) };
    let is_structured = message.headers().is_some_and(|headers| {
        headers.iter().any(|header| {
            let kind = header.value.and_then(|value| std::str::from_utf8(value).ok()).unwrap_or_default();
            header.key.eq_ignore_ascii_case("content-type") && kind.trim_start().starts_with(STRUCTURED)
        })
    });
    match is_structured {
        true => data_of_structured(value).map_err(|why| format!("it is no CloudEvent: {why}")),
        false => Ok(value),
    }
}
