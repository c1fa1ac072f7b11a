//! Orders that can't be taken, in a topic of their own: the original with the reason.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use loquet_domain::Moment;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Headers, OwnedHeaders, OwnedMessage, ToBytes};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Message, Offset, TopicPartitionList};

use crate::settings::{Connection, Orders, REQUEST};
use crate::topics::{self, Kind};
use crate::trouble::{Heard, Trouble};

/// The names of the headers that a dead letter has besides those of the original.
const REASON: &str = "loquet-reason";
const AT: &str = "loquet-at";
const KEY: &str = "loquet-original-key";
/// A record without a value would remove the dead letter. So it has this header, and an empty value.
const NO_VALUE: &str = "loquet-original-has-no-value";

/// An order that can't be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Where the order is: topic, partition and offset, such as `loquet.orders.v1/3/1042`.
    pub id: String,
    /// Why it can't be taken.
    pub reason: String,
    /// When that was found.
    pub at: String,
    /// The key of the order.
    pub key: Option<Vec<u8>>,
    /// Its headers.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Its value. `None` if it had none.
    pub value: Option<Vec<u8>>,
}

impl Letter {
    pub(crate) fn of(message: &OwnedMessage, reason: String, at: Moment) -> Self {
        let headers = message.headers().into_iter().flat_map(Headers::iter);
        let headers =
            headers.map(|header| (header.key.to_owned(), header.value.unwrap_or_default().to_vec()));
        Self {
            id: format!("{}/{}/{}", message.topic(), message.partition(), message.offset()),
            reason,
            at: at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            key: message.key().map(<[u8]>::to_vec),
            headers: headers.collect(),
            value: message.payload().map(<[u8]>::to_vec),
        }
    }

    /// Reads a dead letter as it stands in its topic.
    fn read(message: &impl Message) -> Option<Self> {
        let id = String::from_utf8(message.key()?.to_vec()).ok()?;
        let mut letter = Self {
            id,
            reason: String::new(),
            at: String::new(),
            key: None,
            headers: Vec::new(),
            value: Some(message.payload()?.to_vec()),
        };
        for header in message.headers().into_iter().flat_map(Headers::iter) {
            let value = header.value.unwrap_or_default().to_vec();
            let text = || String::from_utf8_lossy(&value).into_owned();
            match header.key {
                REASON => letter.reason = text(),
                AT => letter.at = text(),
                KEY => letter.key = Some(value),
                NO_VALUE => letter.value = None,
                other => letter.headers.push((other.to_owned(), value)),
            }
        }
        Some(letter)
    }

    fn original_headers(&self) -> OwnedHeaders {
        self.headers
            .iter()
            .fold(OwnedHeaders::new(), |held, (key, value)| held.insert(Header { key, value: Some(value) }))
    }
}

/// The topic of dead letters.
pub struct DeadLetters {
    producer: FutureProducer<Heard>,
    connection: Connection,
    orders: Orders,
    heard: Heard,
}

impl DeadLetters {
    /// Opens the topic. Creates it, and the topic of orders, if the settings say so.
    ///
    /// # Errors
    /// [`Trouble`] if a topic is missing, or Kafka can't be used.
    pub async fn open(connection: &Connection, orders: &Orders) -> Result<Self, Trouble> {
        let topics = [(orders.topic.as_str(), Kind::Queue), (orders.dead_letters.as_str(), Kind::Compacted)];
        topics::make(connection, &topics, orders.missing).await?;
        let heard = Heard::default();
        let made = connection
            .client()
            .set("enable.idempotence", "true")
            // The partition that the Java client would choose.
            .set("partitioner", "murmur2_random")
            // The topic's own limit is smaller, and names itself.
            .set("message.max.bytes", "100000000")
            .create_with_context(heard.clone());
        let producer =
            made.map_err(|error| Trouble::of("the settings of Kafka are not valid", &error, &heard))?;
        Ok(Self { producer, connection: connection.clone(), orders: orders.clone(), heard })
    }

    /// Writes a dead letter. The same order again replaces it. If the order is too large for the topic, the letter says so
    /// and has no value: the original is still in the topic of orders.
    pub(crate) async fn write(&self, letter: &Letter) -> Result<(), Trouble> {
        match self.try_write(letter).await {
            Err(Sending::TooLarge) => {
                let bytes = letter.value.as_ref().map_or(0, Vec::len);
                let reason =
                    format!("{}; the order has {bytes} bytes, too many for this topic", letter.reason);
                let short = Letter { reason, value: None, headers: Vec::new(), ..letter.clone() };
                Ok(self.try_write(&short).await?)
            }
            written => Ok(written?),
        }
    }

    async fn try_write(&self, letter: &Letter) -> Result<(), Sending> {
        let mut headers = letter.original_headers();
        headers = headers.insert(Header { key: REASON, value: Some(&letter.reason) });
        headers = headers.insert(Header { key: AT, value: Some(&letter.at) });
        if let Some(key) = &letter.key {
            headers = headers.insert(Header { key: KEY, value: Some(key) });
        }
        if letter.value.is_none() {
            headers = headers.insert(Header { key: NO_VALUE, value: Some("true") });
        }
        let value = letter.value.as_deref().unwrap_or_default();
        let record = FutureRecord::to(&self.orders.dead_letters).key(&letter.id).payload(value);
        self.send(record.headers(headers), "can't write to the topic of dead letters").await
    }

    /// All dead letters that were not retried, in the order of their ids.
    ///
    /// # Errors
    /// [`Trouble`] if the topic can't be read.
    pub async fn list(&self) -> Result<Vec<Letter>, Trouble> {
        let (connection, orders, heard) = (self.connection.clone(), self.orders.clone(), self.heard.clone());
        let read = tokio::task::spawn_blocking(move || {
            let doing = format!("can't read the topic {}", orders.dead_letters);
            read_all(&connection, &orders.dead_letters, &heard)
                .map_err(|error| Trouble::of(&doing, &error, &heard))
        });
        let letters = read
            .await
            .unwrap_or_else(|_| Err(Trouble::Kafka("reading the dead letters failed".to_owned())))?;
        Ok(letters.into_values().collect())
    }

    /// Sends the original to the topic of orders again, and removes the dead letter.
    ///
    /// # Errors
    /// [`Trouble`] if it can't be written. If only the removal fails, the dead letter stays, and the order is taken.
    pub async fn retry(&self, letter: &Letter) -> Result<(), Trouble> {
        let headers = letter.original_headers();
        let record = FutureRecord::<[u8], [u8]>::to(&self.orders.topic).headers(headers);
        let record = match &letter.value {
            Some(value) => record.payload(value),
            None => record,
        };
        let record = match &letter.key {
            Some(key) => record.key(key),
            None => record,
        };
        self.send(record, "can't write to the topic of orders").await?;
        self.discard(letter).await
    }

    /// Removes a dead letter without trying the order again.
    ///
    /// # Errors
    /// [`Trouble`] if it can't be written.
    pub async fn discard(&self, letter: &Letter) -> Result<(), Trouble> {
        let tombstone = FutureRecord::<str, [u8]>::to(&self.orders.dead_letters).key(&letter.id);
        Ok(self.send(tombstone, "can't write to the topic of dead letters").await?)
    }

    async fn send<K: ToBytes + ?Sized, V: ToBytes + ?Sized>(
        &self,
        record: FutureRecord<'_, K, V>,
        doing: &str,
    ) -> Result<(), Sending> {
        let sent = self.producer.send(record, REQUEST).await;
        sent.map(drop).map_err(|(error, _)| match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::MessageSizeTooLarge) => Sending::TooLarge,
            _ => Sending::Trouble(Trouble::of(doing, &error, &self.heard)),
        })
    }
}

/// Why a record could not be sent.
enum Sending {
    TooLarge,
    Trouble(Trouble),
}

impl From<Sending> for Trouble {
    fn from(why: Sending) -> Self {
        match why {
            Sending::TooLarge => Self::Kafka(
                "a record is too large for its topic: raise max.message.bytes of the topic".to_owned(),
            ),
            Sending::Trouble(trouble) => trouble,
        }
    }
}

/// Reads a topic from its beginning to its present end. A record without a value removes the one before.
fn read_all(
    connection: &Connection,
    topic: &str,
    heard: &Heard,
) -> Result<BTreeMap<String, Letter>, KafkaError> {
    let mut config = connection.client();
    config
        .set("group.id", "loquet-dead-letters")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true");
    let consumer: Arc<BaseConsumer<Heard>> = Arc::new(config.create_with_context(heard.clone())?);
    let metadata = consumer.fetch_metadata(Some(topic), REQUEST)?;
    let mut assignment = TopicPartitionList::new();
    for partition in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
        assignment.add_partition_offset(topic, partition.id(), Offset::Beginning)?;
    }
    let mut open = assignment.count();
    consumer.assign(&assignment)?;
    let (mut letters, begun) = (BTreeMap::new(), Instant::now());
    while open > 0 {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                let id = String::from_utf8_lossy(message.key().unwrap_or_default()).into_owned();
                match Letter::read(&message) {
                    Some(letter) => drop(letters.insert(id, letter)),
                    None => drop(letters.remove(&id)),
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
            Some(Err(error)) => return Err(error),
            None if begun.elapsed() > REQUEST => {
                return Err(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut));
            }
            None => {}
        }
    }
    Ok(letters)
}
