//! Checks the topics, and creates those that are missing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use loquet_public_events::Topic;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;
use rdkafka::producer::{FutureProducer, Producer};

use crate::settings::{Connection, MissingTopics, Publishing, REQUEST};
use crate::trouble::{Heard, TopicFault, Trouble};

/// What is known about a topic.
#[derive(Clone, Debug, Default)]
pub struct TopicState {
    /// The number of partitions.
    pub partitions: usize,
    /// The number of copies of the partition that has the fewest.
    pub replication: usize,
    /// The settings of the topic, by name. Empty if they may not be read.
    pub settings: HashMap<String, String>,
}

impl TopicState {
    fn number(&self, name: &str) -> Option<i64> {
        self.settings.get(name)?.parse().ok()
    }

    /// Whether only the newest record of a key is kept.
    #[must_use]
    pub fn is_compacted(&self) -> bool {
        self.settings.get("cleanup.policy").is_some_and(|policy| policy.contains("compact"))
    }

    /// Whether no record is ever deleted because of its age, or of the size of the topic, or by compaction.
    #[must_use]
    pub fn keeps_everything(&self) -> bool {
        !self.is_compacted()
            && self.number("retention.ms") == Some(-1)
            && self.number("retention.bytes") == Some(-1)
    }

    /// The largest batch that the topic takes, in bytes. `None` if unknown.
    #[must_use]
    pub fn largest_batch(&self) -> Option<i64> {
        self.number("max.message.bytes")
    }
}

/// The topics of a publisher, after they were checked.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// Each topic.
    pub topics: BTreeMap<String, TopicState>,
    /// What an operator should know. Publishing works even so.
    pub warnings: Vec<TopicFault>,
    /// Topics that were created.
    pub created: Vec<String>,
}

/// Checks the topics of a publisher. Creates missing ones if the settings say so.
///
/// # Errors
/// [`Trouble::Topics`] lists everything that keeps events from being published. Other troubles say why Kafka can't be
/// asked.
pub async fn check(connection: &Connection, publishing: &Publishing) -> Result<Checked, Trouble> {
    // A replay has one topic of events.
    let events: BTreeSet<&str> = Topic::ALL.iter().map(|topic| publishing.name(*topic)).collect();
    let events = events.into_iter().map(|name| (name, Kind::Events));
    let all: Vec<_> = events.chain([(publishing.positions_topic.as_str(), Kind::Compacted)]).collect();
    let (topics, created) = make(connection, &all, publishing.missing).await?;
    let mut checked = Checked { topics, created, ..Checked::default() };
    let faults: Vec<TopicFault> =
        all.iter().flat_map(|(name, _)| judge(name, publishing, &mut checked)).collect();
    if faults.is_empty() { Ok(checked) } else { Err(Trouble::Topics(faults)) }
}

/// Checks the topics of a publisher as [`check`] does, and creates none.
///
/// # Errors
/// The same as [`check`].
pub async fn look(connection: &Connection, publishing: &Publishing) -> Result<Checked, Trouble> {
    check(connection, &Publishing { missing: MissingTopics::Refuse, ..publishing.clone() }).await
}

/// How a topic that does not exist is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Every record is kept.
    Events,
    /// Records are kept as long as the cluster's default says.
    Queue,
    /// One partition, in which the newest record of each key is kept.
    Compacted,
}

/// Looks topics up, and creates missing ones if the settings say so. Returns all topics, and the names of those that
/// were created.
pub(crate) async fn make(
    connection: &Connection,
    topics: &[(&str, Kind)],
    missing: MissingTopics,
) -> Result<(BTreeMap<String, TopicState>, Vec<String>), Trouble> {
    let heard = Heard::default();
    let wrong = |error| Trouble::of("the settings of Kafka are not valid", &error, &heard);
    let client = connection.client().create_with_context(heard.clone()).map_err(wrong)?;
    let asks = connection.client().create_with_context(heard.clone()).map_err(wrong)?;
    let admin = Admin { client, asks, heard: heard.clone() };
    let names: Vec<&str> = topics.iter().map(|(name, _)| *name).collect();
    let found = admin.describe(&names).await?;
    let absent: Vec<_> = topics.iter().copied().filter(|(name, _)| !found.contains_key(*name)).collect();
    if absent.is_empty() {
        return Ok((found, Vec::new()));
    }
    let MissingTopics::Create { partitions, replication } = missing else {
        let what = "does not exist. Create it, or set kafka.topics to create.";
        return Err(Trouble::Topics(absent.iter().map(|(topic, _)| fault(topic, what)).collect()));
    };
    admin.create(&absent, partitions, replication).await?;
    let created = absent.into_iter().map(|(name, _)| name.to_owned()).collect();
    Ok((admin.wait_for(&names).await?, created))
}

fn fault(topic: &str, what: impl Into<String>) -> TopicFault {
    TopicFault { topic: topic.to_owned(), what: what.into() }
}

/// What is wrong with a topic. Adds warnings about it.
fn judge(name: &str, publishing: &Publishing, checked: &mut Checked) -> Vec<TopicFault> {
    let Some(state) = checked.topics.get(name).cloned() else { return Vec::new() };
    let mut faults = Vec::new();
    let mut warn = |what: String| checked.warnings.push(fault(name, what));
    if state.settings.is_empty() {
        warn("can't be checked: the user may not read its settings. Allow DescribeConfigs on it.".to_owned());
    }
    if name == publishing.positions_topic {
        if state.partitions != 1 {
            faults.push(fault(
                name,
                format!(
                    "has {} partitions. It needs exactly one: delete it and create it again.",
                    state.partitions
                ),
            ));
        }
        if !state.settings.is_empty() && !state.is_compacted() {
            faults.push(fault(name, "deletes old records, and with them the position of the publisher. Set its cleanup.policy to compact."));
        }
        if state.settings.get("cleanup.policy").is_some_and(|policy| policy.contains("delete"))
            && state.is_compacted()
        {
            faults.push(fault(name, "deletes old records, and with them the position of the publisher. Set its cleanup.policy to compact alone."));
        }
    } else if state.settings.get("message.timestamp.type").is_some_and(|kind| kind == "LogAppendTime") {
        warn(
            "replaces the time of records by the time of their arrival. The time of an event is in ce_time."
                .to_owned(),
        );
    }
    if let Some(in_sync) = state.number("min.insync.replicas") {
        let replication = i64::try_from(state.replication).unwrap_or(i64::MAX);
        if in_sync > replication {
            faults.push(fault(name, format!("has {replication} copies, but min.insync.replicas asks for {in_sync}. Nothing can be written: lower min.insync.replicas, or add copies.")));
        } else if replication < 3 || in_sync < 2 {
            warn(format!(
                "has too few copies ({replication}, with min.insync.replicas={in_sync}). A broker that is lost may lose events: use three copies and min.insync.replicas=2."
            ));
        }
    }
    if state.settings.get("unclean.leader.election.enable").is_some_and(|value| value == "true") {
        warn("may lose events when a broker fails: set unclean.leader.election.enable to false.".to_owned());
    }
    faults
}

/// How long brokers that refuse connections are asked again.
const PATIENCE: Duration = Duration::from_secs(3);

/// Asks for the partitions of a topic. Blocks. Gives up early if no broker can be reached.
fn metadata(client: &FutureProducer<Heard>, topic: &str, heard: &Heard) -> Result<Metadata, KafkaError> {
    let begun = Instant::now();
    loop {
        let asked = client.client().fetch_metadata(Some(topic), Duration::from_secs(1));
        let patience = if heard.down().is_some() { PATIENCE } else { REQUEST };
        match asked {
            Err(_) if begun.elapsed() < patience => {}
            asked => return asked,
        }
    }
}

struct Admin {
    client: AdminClient<Heard>,
    /// Asks for metadata. Unlike the admin client, it also hears what librdkafka says about its connections.
    asks: FutureProducer<Heard>,
    heard: Heard,
}

impl Admin {
    fn options() -> AdminOptions {
        AdminOptions::new().request_timeout(Some(REQUEST)).operation_timeout(Some(REQUEST))
    }

    /// The topics that exist among these.
    async fn describe(&self, names: &[&str]) -> Result<BTreeMap<String, TopicState>, Trouble> {
        let mut found = BTreeMap::new();
        for name in names {
            if let Some(state) = self.topic((*name).to_owned()).await? {
                found.insert((*name).to_owned(), state);
            }
        }
        let resources: Vec<_> = found.keys().map(|name| ResourceSpecifier::Topic(name)).collect();
        let described = match resources.is_empty() {
            true => Vec::new(),
            false => {
                let asked = self.client.describe_configs(&resources, &Self::options()).await;
                asked.map_err(|error| {
                    Trouble::of("can't read the settings of the topics", &error, &self.heard)
                })?
            }
        };
        let mut settings: BTreeMap<String, HashMap<String, String>> = BTreeMap::new();
        for resource in described.into_iter().flatten() {
            if let rdkafka::admin::OwnedResourceSpecifier::Topic(name) = &resource.specifier {
                let entries = resource.entries.iter();
                let entries = entries.filter_map(|entry| Some((entry.name.clone(), entry.value.clone()?)));
                settings.insert(name.clone(), entries.collect());
            }
        }
        for (name, state) in &mut found {
            state.settings = settings.remove(name).unwrap_or_default();
        }
        Ok(found)
    }

    /// The partitions of a topic. Returns `None` if it does not exist.
    async fn topic(&self, name: String) -> Result<Option<TopicState>, Trouble> {
        let (client, heard) = (self.asks.clone(), self.heard.clone());
        let asked = tokio::task::spawn_blocking(move || {
            let doing = format!("can't ask Kafka about the topic {name}");
            let metadata = metadata(&client, &name, &heard);
            let metadata = metadata.map_err(|error| Trouble::of(&doing, &error, &heard))?;
            let Some(topic) = metadata.topics().iter().find(|topic| topic.name() == name) else {
                return Ok(None);
            };
            match topic.error().map(RDKafkaErrorCode::from) {
                Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                    return Ok(None);
                }
                Some(code) => {
                    let error = KafkaError::MetadataFetch(code);
                    return Err(Trouble::of(&doing, &error, &Heard::default()));
                }
                None => {}
            }
            let partitions = topic.partitions();
            let replication =
                partitions.iter().map(|partition| partition.replicas().len()).min().unwrap_or(0);
            Ok(Some(TopicState { partitions: partitions.len(), replication, settings: HashMap::new() }))
        });
        asked.await.unwrap_or_else(|_| Err(Trouble::Kafka("asking Kafka about its topics failed".to_owned())))
    }

    async fn create(
        &self,
        topics: &[(&str, Kind)],
        partitions: i32,
        replication: Option<i32>,
    ) -> Result<(), Trouble> {
        // Kafka 2.4 and later take -1 for the cluster's default.
        let copies = || TopicReplication::Fixed(replication.unwrap_or(-1));
        let new = topics.iter().map(|(name, kind)| match kind {
            Kind::Events => NewTopic::new(name, partitions, copies())
                .set("cleanup.policy", "delete")
                .set("retention.ms", "-1")
                .set("retention.bytes", "-1"),
            Kind::Queue => NewTopic::new(name, partitions, copies()).set("cleanup.policy", "delete"),
            Kind::Compacted => NewTopic::new(name, 1, copies()).set("cleanup.policy", "compact"),
        });
        let topics: Vec<NewTopic<'_>> = new.collect();
        let made = self.client.create_topics(&topics, &Self::options()).await;
        let made = made.map_err(|error| Trouble::of("can't create the topics", &error, &self.heard))?;
        let refused = made.into_iter().filter_map(Result::err);
        let faults: Vec<TopicFault> = refused
            // Another node created it at the same time.
            .filter(|(_, code)| *code != RDKafkaErrorCode::TopicAlreadyExists)
            .map(|(topic, code)| {
                let error = KafkaError::AdminOp(code);
                fault(&topic, crate::trouble::in_words("can't be created", &error, &Heard::default()))
            })
            .collect();
        if faults.is_empty() { Ok(()) } else { Err(Trouble::Topics(faults)) }
    }

    /// Waits until topics that were just created are known.
    async fn wait_for(&self, names: &[&str]) -> Result<BTreeMap<String, TopicState>, Trouble> {
        let end = tokio::time::Instant::now() + REQUEST;
        loop {
            let found = self.describe(names).await?;
            if found.len() == names.len() && found.values().all(|state| state.partitions > 0) {
                return Ok(found);
            }
            if tokio::time::Instant::now() > end {
                let absent = names.iter().filter(|name| !found.contains_key(**name));
                let faults =
                    absent.map(|name| fault(name, "was created, but no broker knows it yet.")).collect();
                return Err(Trouble::Topics(faults));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
