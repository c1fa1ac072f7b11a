//! Signed checkpoints of the log, in a topic. Whoever reads it can tell later whether the log still has the same events.

use rdkafka::producer::{FutureProducer, FutureRecord};

use crate::settings::{Connection, MissingTopics, REQUEST};
use crate::topics::{self, Kind};
use crate::trouble::{Heard, Trouble};

/// The topic of checkpoints.
pub struct CheckpointTopic {
    producer: FutureProducer<Heard>,
    topic: String,
    heard: Heard,
}

impl CheckpointTopic {
    /// Opens the topic. Creates it if the settings say so; it then keeps every record.
    ///
    /// # Errors
    /// [`Trouble`] if the topic is missing, or Kafka can't be used.
    pub async fn open(connection: &Connection, topic: &str, missing: MissingTopics) -> Result<Self, Trouble> {
        topics::make(connection, &[(topic, Kind::Events)], missing).await?;
        let heard = Heard::default();
        let mut client = connection.client();
        client.set("enable.idempotence", "true").set("partitioner", "murmur2_random");
        let made = client.create_with_context(heard.clone());
        let producer =
            made.map_err(|error| Trouble::of("the settings of Kafka are not valid", &error, &heard))?;
        Ok(Self { producer, topic: topic.to_owned(), heard })
    }

    /// Writes a checkpoint. The key is the name of the log, so that its checkpoints are in one partition, in their order.
    ///
    /// # Errors
    /// [`Trouble`] if Kafka did not accept it.
    pub async fn send(&self, origin: &str, checkpoint: &str) -> Result<(), Trouble> {
        let record = FutureRecord::to(&self.topic).key(origin).payload(checkpoint);
        let sent = self.producer.send(record, REQUEST).await;
        sent.map(drop).map_err(|(error, _)| {
            Trouble::of("a checkpoint can't be written to its topic", &error, &self.heard)
        })
    }
}
