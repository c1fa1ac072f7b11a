//! The publisher's position, in a compacted topic. It is written in the transaction of the records that it counts.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use loquet_domain::ports::Position;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::settings::{Connection, REQUEST};
use crate::trouble::{Heard, Trouble};

/// Records that are read from the end of the topic before the whole topic is read. Each transaction adds a record and
/// a marker.
const TAIL: i64 = 64;

/// What a publisher writes beside the records of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedPosition {
    /// All public events up to this position are in the topics.
    pub position: Position,
    /// The id of the event at this position. `None` at the start of the log.
    pub event_id: Option<Uuid>,
    /// The id of the first event of the log. It tells one log from another. `None` if the log was empty.
    #[serde(default)]
    pub log_id: Option<Uuid>,
    /// Who wrote it: the name of the node and a random id, or `operator`.
    pub publisher: String,
    /// The fence of the lease that the publisher held. `None` if it held none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence: Option<u64>,
    /// For each topic and partition, where it began and where it ended after the transaction.
    pub topics: BTreeMap<String, Vec<Extent>>,
}

/// A partition from its first record to its end. It is written as `[begin,end]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(i64, i64)", into = "(i64, i64)")]
pub struct Extent {
    /// The offset of the first record.
    pub begin: i64,
    /// The offset after the last record that was published.
    pub end: i64,
}

impl From<(i64, i64)> for Extent {
    fn from((begin, end): (i64, i64)) -> Self {
        Self { begin, end }
    }
}

impl From<Extent> for (i64, i64) {
    fn from(extent: Extent) -> Self {
        (extent.begin, extent.end)
    }
}

/// The name under which an operator writes a position.
pub const OPERATOR: &str = "operator";

/// Reads the newest position that was written under a transactional id. Waits up to `wait` for transactions of others
/// that are open in the topic, since records behind them can't be read. Blocks.
///
/// # Errors
/// [`Trouble`] if Kafka can't be read, or the record is not one of ours.
pub(crate) fn read(
    connection: &Connection,
    topic: &str,
    transactional_id: &str,
    wait: Duration,
    heard: &Heard,
) -> Result<Option<PublishedPosition>, Trouble> {
    let mut config = connection.client();
    config
        .set("group.id", "loquet-position")
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("fetch.wait.max.ms", "10");
    let failed = |error: KafkaError| Trouble::of("can't read the position of the publisher", &error, heard);
    let consumer: BaseConsumer<Heard> = config.create_with_context(heard.clone()).map_err(failed)?;
    let (low, high) = settled(connection, &consumer, topic, wait, heard)?;
    if high == low {
        return Ok(None);
    }
    let tail = (high - TAIL).max(low);
    let newest = newest(&consumer, topic, transactional_id, tail).map_err(failed)?;
    let newest = match newest {
        None if tail > low => self::newest(&consumer, topic, transactional_id, low).map_err(failed)?,
        newest => newest,
    };
    let unreadable = |why: serde_json::Error| Trouble::PositionUnreadable {
        topic: topic.to_owned(),
        why: why.to_string(),
    };
    newest.map(|value| serde_json::from_slice(&value).map_err(unreadable)).transpose()
}

/// The time after which Kafka ends a transaction that nobody ends.
pub(crate) const LONGEST_TRANSACTION: Duration = Duration::from_secs(70);

/// Where the topic begins and ends, once no transaction is open in it. A reader of committed records sees the topic only
/// up to the first open transaction. A replay that was killed leaves one open for a minute.
fn settled(
    connection: &Connection,
    committed: &BaseConsumer<Heard>,
    topic: &str,
    wait: Duration,
    heard: &Heard,
) -> Result<(i64, i64), Trouble> {
    let failed = |error: KafkaError| Trouble::of("can't read the position of the publisher", &error, heard);
    let mut config = connection.client();
    let all: BaseConsumer<Heard> = config
        .set("group.id", "loquet-position")
        .set("isolation.level", "read_uncommitted")
        .create_with_context(heard.clone())
        .map_err(failed)?;
    let (begun, (_, high)) = (Instant::now(), all.fetch_watermarks(topic, 0, REQUEST).map_err(failed)?);
    loop {
        let (low, readable) = committed.fetch_watermarks(topic, 0, REQUEST).map_err(failed)?;
        if readable >= high {
            return Ok((low, high));
        }
        if begun.elapsed() >= wait {
            return Err(Trouble::OpenTransaction { topic: topic.to_owned() });
        }
        drop(committed.poll(Duration::from_millis(100)));
    }
}

/// Where each partition of these topics begins and ends now. Blocks.
///
/// # Errors
/// [`Trouble`] if Kafka can't be read.
pub(crate) fn extents(
    connection: &Connection,
    topics: Vec<(String, usize)>,
    heard: &Heard,
) -> Result<BTreeMap<String, Vec<Extent>>, Trouble> {
    let failed = |error: KafkaError| Trouble::of("can't read where the topics end", &error, heard);
    let mut config = connection.client();
    let consumer: BaseConsumer<Heard> = config
        .set("group.id", "loquet-position")
        .set("isolation.level", "read_uncommitted")
        .create_with_context(heard.clone())
        .map_err(failed)?;
    let mut all = BTreeMap::new();
    for (topic, partitions) in topics {
        let mut extents = Vec::with_capacity(partitions);
        for partition in 0..i32::try_from(partitions).unwrap_or(i32::MAX) {
            let (begin, end) = consumer.fetch_watermarks(&topic, partition, REQUEST).map_err(failed)?;
            extents.push(Extent { begin, end });
        }
        all.insert(topic, extents);
    }
    Ok(all)
}

/// The value of the newest record with a key, from an offset to the end.
fn newest(
    consumer: &BaseConsumer<Heard>,
    topic: &str,
    key: &str,
    from: i64,
) -> Result<Option<Vec<u8>>, KafkaError> {
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(topic, 0, Offset::Offset(from))?;
    consumer.assign(&assignment)?;
    let (mut newest, begun) = (None, Instant::now());
    loop {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(record)) if record.key() == Some(key.as_bytes()) => {
                newest = record.payload().map(<[u8]>::to_vec);
            }
            Some(Ok(_)) => {}
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(newest),
            Some(Err(error)) => return Err(error),
            None if begun.elapsed() > REQUEST => {
                return Err(KafkaError::MessageConsumption(
                    rdkafka::error::RDKafkaErrorCode::OperationTimedOut,
                ));
            }
            None => {}
        }
    }
}
