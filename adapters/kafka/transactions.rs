//! Records and the position that counts them, in one transaction of Kafka.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use loquet_domain::ports::Position;
use loquet_public_events::{CloudEvent, Mode};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::future_producer::OwnedDeliveryResult;
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer};
use uuid::Uuid;

use crate::partitioner::partition_of;
use crate::position::{Extent, PublishedPosition};
use crate::settings::{Connection, Publishing, REQUEST};
use crate::topics::Checked;
use crate::trouble::{Heard, Trouble};

/// A public event as it is sent.
pub(crate) struct Record {
    /// Its position in the log.
    pub(crate) position: Position,
    /// Its type.
    pub(crate) name: &'static str,
    /// The topic.
    pub(crate) topic: String,
    key: String,
    headers: Option<OwnedHeaders>,
    /// `None` for a tombstone.
    value: Option<Vec<u8>>,
    /// Whether a tombstone follows, so that a compacted topic forgets the key.
    forgets: bool,
}

impl Record {
    /// Writes an event for a topic.
    pub(crate) fn of(event: CloudEvent, topic: &str, mode: Mode) -> Result<Self, serde_json::Error> {
        let header = |headers: OwnedHeaders, key: &str, value: &str| {
            headers.insert(Header { key, value: Some(value) })
        };
        let (headers, value) = match mode {
            Mode::Binary => {
                let headers = OwnedHeaders::new_with_capacity(8);
                let named = event.headers();
                let headers = named.iter().fold(headers, |held, (key, value)| header(held, key, value));
                (headers, event.data)
            }
            Mode::Structured => {
                let kind = loquet_public_events::cloud_event::STRUCTURED;
                (header(OwnedHeaders::new_with_capacity(1), "content-type", kind), event.structured()?)
            }
        };
        Ok(Self {
            position: event.position,
            name: event.name,
            topic: topic.to_owned(),
            key: event.subject.to_string(),
            headers: Some(headers),
            value: Some(value),
            forgets: event.forgets,
        })
    }
}

impl Record {
    /// The record that follows one that forgets: it has the same key, and no value.
    fn tombstone(&self) -> Self {
        let Self { position, name, topic, key, .. } = self;
        let (position, topic, key) = (*position, topic.clone(), key.clone());
        Self { position, name, topic, key, headers: None, value: None, forgets: false }
    }
}

/// The largest record that the client sends, in bytes. The topic's own limit is smaller, and names itself.
const LARGEST: &str = "100000000";

/// A transactional producer, and what it knows about its topics.
pub(crate) struct Transactions {
    producer: FutureProducer<Heard>,
    heard: Heard,
    positions_topic: String,
    transactional_id: String,
    who: String,
    fence: Option<u64>,
    compacted: BTreeSet<String>,
    log_id: Option<Uuid>,
    extents: BTreeMap<String, Vec<Extent>>,
}

impl Transactions {
    /// Makes a producer, and fences every other one with the same transactional id. Its positions carry the fence of the
    /// lease, if the publisher holds one.
    pub(crate) async fn take_over(
        connection: &Connection,
        publishing: &Publishing,
        checked: &Checked,
        (who, fence): (&str, Option<u64>),
        heard: Heard,
    ) -> Result<Self, Trouble> {
        let mut config = connection.client();
        config
            .set("transactional.id", &publishing.transactional_id)
            .set("transaction.timeout.ms", "60000")
            .set("compression.type", &publishing.compression)
            // A transaction is full or urgent when it is sent. Waiting for more records costs time alone.
            .set("linger.ms", "0")
            .set("queue.buffering.max.messages", "1000000")
            // A topic that was deleted is noticed after so many milliseconds.
            .set("topic.metadata.propagation.max.ms", "5000")
            .set("topic.metadata.refresh.interval.ms", "30000")
            .set("message.max.bytes", LARGEST);
        // A batch of small records must not be larger than the topic takes.
        if let Some(smallest) =
            checked.topics.values().filter_map(crate::topics::TopicState::largest_batch).min()
        {
            config.set("batch.size", smallest.clamp(1, 1_000_000).to_string());
        }
        let made = config.create_with_context(heard.clone());
        let producer: FutureProducer<Heard> =
            made.map_err(|error| Trouble::of("the settings of Kafka are not valid", &error, &heard))?;
        let this = Self {
            producer,
            heard,
            positions_topic: publishing.positions_topic.clone(),
            transactional_id: publishing.transactional_id.clone(),
            who: who.to_owned(),
            fence,
            compacted: checked
                .topics
                .iter()
                .filter(|(_, state)| state.is_compacted())
                .map(|(name, _)| name.clone())
                .collect(),
            log_id: None,
            extents: BTreeMap::new(),
        };
        this.blocking("can't begin to publish", |producer| producer.init_transactions(REQUEST * 2)).await?;
        Ok(this)
    }

    /// What is wrong. A producer that was fenced may say only that it can't go on.
    fn trouble(&self, doing: &str, error: &KafkaError) -> Trouble {
        let fatal = self.producer.client().fatal_error();
        let ended = fatal.map(|(code, _)| KafkaError::Global(code));
        match ended.map(|ended| Trouble::of(doing, &ended, &self.heard)) {
            Some(fenced @ Trouble::Fenced(_)) => fenced,
            _ => Trouble::of(doing, error, &self.heard),
        }
    }

    /// Runs a call that blocks.
    async fn blocking<T: Send + 'static>(
        &self,
        doing: &'static str,
        call: impl FnOnce(&FutureProducer<Heard>) -> Result<T, KafkaError> + Send + 'static,
    ) -> Result<T, Trouble> {
        let producer = self.producer.clone();
        let called = tokio::task::spawn_blocking(move || call(&producer)).await;
        let called = called.map_err(|_| Trouble::Kafka(format!("{doing}: the call ended unexpectedly")))?;
        called.map_err(|error| self.trouble(doing, &error))
    }

    /// Takes these as what was published so far, of the log that begins with this event.
    pub(crate) fn begin_from(&mut self, log_id: Option<Uuid>, extents: BTreeMap<String, Vec<Extent>>) {
        (self.log_id, self.extents) = (log_id, extents);
    }

    /// Publishes records, and the position after them, in one transaction: all of it or nothing.
    pub(crate) async fn publish(
        &mut self,
        records: Vec<Record>,
        position: Position,
        event_id: Option<Uuid>,
    ) -> Result<(), Trouble> {
        let begun = self.producer.begin_transaction();
        begun.map_err(|error| self.trouble("can't begin a transaction", &error))?;
        let sent = self.send_all(records, position, event_id).await;
        let extents = match sent {
            Ok(extents) => extents,
            Err(trouble) => {
                // The producer is dropped afterwards. So it does not matter whether this succeeds.
                drop(self.blocking("can't abort", |producer| producer.abort_transaction(REQUEST)).await);
                return Err(trouble);
            }
        };
        self.blocking("can't commit", |producer| producer.commit_transaction(REQUEST * 2)).await?;
        self.extents = extents;
        self.heard.forget();
        Ok(())
    }

    /// Sends records and the position after them, and waits until the brokers have them. Returns where each partition ends
    /// then.
    async fn send_all(
        &self,
        records: Vec<Record>,
        position: Position,
        event_id: Option<Uuid>,
    ) -> Result<BTreeMap<String, Vec<Extent>>, Trouble> {
        let mut records = self.with_tombstones(records);
        let mut on_their_way = Vec::with_capacity(records.len());
        for record in &mut records {
            let headers = record.headers.take();
            let sent = FutureRecord::<str, [u8]>::to(&record.topic).key(&record.key);
            let sent = FutureRecord {
                partition: Some(self.partition_of(record)),
                payload: record.value.as_deref(),
                headers,
                ..sent
            };
            on_their_way.push(self.send(sent).await.map_err(|error| self.refused(record, &error))?);
        }
        let topics = self.ends_after(&records, join_all(on_their_way).await)?;
        self.send_position(PublishedPosition {
            position,
            event_id,
            log_id: self.log_id,
            publisher: self.who.clone(),
            fence: self.fence,
            topics,
        })
        .await
    }

    /// Adds a tombstone behind each record that forgets, where the topic is compacted.
    fn with_tombstones(&self, records: Vec<Record>) -> Vec<Record> {
        let with_tombstone = |record: Record| {
            let forgets = record.forgets && self.compacted.contains(&record.topic);
            let tombstone = forgets.then(|| record.tombstone());
            std::iter::once(record).chain(tombstone)
        };
        records.into_iter().flat_map(with_tombstone).collect()
    }

    /// Where each partition ends, after these deliveries.
    ///
    /// # Errors
    /// Why the first record was not delivered.
    fn ends_after<Canceled>(
        &self,
        records: &[Record],
        deliveries: Vec<Result<OwnedDeliveryResult, Canceled>>,
    ) -> Result<BTreeMap<String, Vec<Extent>>, Trouble> {
        let (mut extents, mut failed) = (self.extents.clone(), None);
        for (record, delivered) in records.iter().zip(deliveries) {
            match delivered {
                Ok(Ok(delivered)) => {
                    note_end(&mut extents, &record.topic, delivered.partition, delivered.offset)?;
                }
                Ok(Err((error, _))) if is_purge(&error) => {}
                Ok(Err((error, _))) => {
                    failed.get_or_insert_with(|| self.refused(record, &error));
                }
                Err(_) => return Err(Trouble::Kafka("the producer ended unexpectedly".to_owned())),
            }
        }
        failed.map_or(Ok(extents), Err)
    }

    async fn send_position(
        &self,
        noted: PublishedPosition,
    ) -> Result<BTreeMap<String, Vec<Extent>>, Trouble> {
        let value = serde_json::to_vec(&noted).map_err(|error| Trouble::Kafka(error.to_string()))?;
        let record = FutureRecord::to(&self.positions_topic).key(&self.transactional_id).payload(&value);
        let failed = |error: &KafkaError| self.trouble("can't write the position of the publisher", error);
        let on_its_way = self.send(record).await.map_err(|error| failed(&error))?;
        match on_its_way.await {
            Ok(Ok(_)) => Ok(noted.topics),
            Ok(Err((error, _))) => Err(failed(&error)),
            Err(_) => Err(Trouble::Kafka("the producer ended unexpectedly".to_owned())),
        }
    }

    /// The partition of a record, among those that the topic had when it was checked.
    fn partition_of(&self, record: &Record) -> i32 {
        partition_of(record.key.as_bytes(), self.extents.get(&record.topic).map_or(1, Vec::len))
    }

    /// Hands a record to the client. Waits while its queue is full.
    async fn send<V: rdkafka::message::ToBytes + ?Sized>(
        &self,
        mut record: FutureRecord<'_, impl rdkafka::message::ToBytes + ?Sized, V>,
    ) -> Result<DeliveryFuture, KafkaError> {
        loop {
            match self.producer.send_result(record) {
                Ok(on_its_way) => return Ok(on_its_way),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    record = back;
                    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                }
                Err((error, _)) => return Err(error),
            }
        }
    }

    /// Tells a record that Kafka refuses from a Kafka that is away.
    fn refused(&self, record: &Record, error: &KafkaError) -> Trouble {
        match error.rdkafka_error_code() {
            Some(
                RDKafkaErrorCode::MessageSizeTooLarge
                | RDKafkaErrorCode::InvalidRecord
                | RDKafkaErrorCode::InvalidMessage,
            ) => Trouble::Refused {
                position: record.position,
                name: record.name,
                bytes: record.value.as_ref().map_or(0, Vec::len),
                topic: record.topic.clone(),
                why: crate::trouble::in_words("it is refused", error, &Heard::default()),
            },
            _ => self.trouble(&format!("can't write to the topic {}", record.topic), error),
        }
    }
}

/// Whether a record was dropped because another one failed.
fn is_purge(error: &KafkaError) -> bool {
    matches!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight))
}

/// Notes where a record was written. An offset before the known end means that the topic was created again.
fn note_end(
    extents: &mut BTreeMap<String, Vec<Extent>>,
    topic: &str,
    partition: i32,
    offset: i64,
) -> Result<(), Trouble> {
    let held = extents.get_mut(topic).and_then(|held| held.get_mut(usize::try_from(partition).ok()?));
    let Some(extent) = held else { return Ok(()) };
    if offset < extent.end {
        let why = "was deleted and created again while events were published.";
        return Err(Trouble::Topics(vec![crate::trouble::TopicFault {
            topic: topic.to_owned(),
            what: why.to_owned(),
        }]));
    }
    extent.end = offset + 1;
    Ok(())
}
