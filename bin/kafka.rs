//! Kafka: its settings, and what runs with it. A build without the feature `kafka` has `without_kafka.rs` instead.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use loquet_crypto::random_ids::RandomIdentities;
use loquet_domain::app::App;
use loquet_domain::ports::{BoxFuture, EventCodec, EventStore, Identities, Position};
use loquet_domain::values::plain_text::visible;
use loquet_http::read_order;
use loquet_http_ports::dead_letters::{DeadLetter, DeadLetters as ShowDeadLetters, DeadLettersUnreadable};
use loquet_kafka::publisher::current_position;
use loquet_kafka::{
    CheckpointTopic, Connection, DeadLetters, Identity, Mechanism, MissingTopics, OrderIntake, Orders,
    Protection, Publisher, Publishing, Sasl, Tls, Trouble, topics,
};
use loquet_metrics::Metrics;
use loquet_projections::causes::Causes;
use loquet_projections::leader::Leadership;
use loquet_projections::ports::Clock;
use loquet_projections::runner::Status;
use loquet_public_events::{Contract, Mode};
use tokio::sync::{Mutex, OnceCell, watch};
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::config::secret_files::{password, text_file};

/// The port of a broker that is given without one.
const USUAL_PORT: u16 = 9092;
/// The longest name of a topic, in characters. Kafka allows letters, digits, `.`, `_` and `-`.
const LONGEST_TOPIC: usize = 249;
/// How long a stop waits for Kafka.
const STOP: Duration = Duration::from_secs(5);
/// How long a page waits for Kafka.
const SHOW: Duration = Duration::from_secs(3);
/// The settings that have no effect without TLS.
const OF_TLS: [&str; 4] =
    ["kafka.ca_file", "kafka.certificate_file", "kafka.key_file", "kafka.key_password_file"];

/// The settings that name topics.
const TOPICS: [&str; 6] = [
    "kafka.accounts_topic",
    "kafka.companies_topic",
    "kafka.positions_topic",
    "kafka.orders_topic",
    "kafka.dead_letters_topic",
    "proof.topic",
];

/// How Kafka is used.
#[derive(Clone, Debug)]
pub(crate) struct KafkaSettings {
    pub(crate) connection: Connection,
    pub(crate) publishing: Publishing,
    /// `None` if no orders are taken from Kafka.
    pub(crate) orders: Option<Orders>,
}

/// Reads the settings of Kafka. Returns `None` if Kafka is not used, or if a setting is wrong; the configuration then
/// holds the faults.
pub(crate) fn settings(config: &mut Config) -> Option<KafkaSettings> {
    let brokers = config.text("kafka.brokers")?.to_owned();
    let brokers = read_brokers(&brokers).map_err(|why| config.fault("kafka.brokers", why)).ok();
    let protection = protection(config);
    let sasl = sasl(config, protection.as_ref(), brokers.as_deref());
    check_topics(config);
    let node = config.text("node")?.to_owned();
    let publishing = publishing(config)?;
    let connection = Connection {
        brokers: joined(&brokers?),
        protection: protection?,
        sasl: sasl?,
        client_id: format!("loquet-{node}"),
    };
    if let Err(why) = connection.check() {
        config.fault(
            if config.text("kafka.security") == Some("tls") { "kafka.key_file" } else { "kafka.brokers" },
            why,
        );
        return None;
    }
    Some(KafkaSettings { connection, publishing, orders: orders(config) })
}

fn joined(brokers: &[(String, u16)]) -> String {
    let written = brokers.iter().map(|(host, port)| match host.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) => format!("[{address}]:{port}"),
        _ => format!("{host}:{port}"),
    });
    written.collect::<Vec<_>>().join(",")
}

/// Reads `host:port, host:port`. A host without a port has the usual one.
fn read_brokers(text: &str) -> Result<Vec<(String, u16)>, String> {
    let given = text.split(',').map(str::trim).filter(|broker| !broker.is_empty());
    let brokers: Vec<_> = given.map(read_broker).collect::<Result<_, _>>()?;
    if brokers.is_empty() { Err("it names no broker".to_owned()) } else { Ok(brokers) }
}

fn read_broker(text: &str) -> Result<(String, u16), String> {
    if text.contains("://") {
        return Err(format!("'{text}': a broker is given as host:port, without a scheme"));
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or_else(|| format!("'{text}': a ']' is missing"))?;
            (host, port.strip_prefix(':'))
        }
        None => match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        None => USUAL_PORT,
        Some(port) => match port.parse() {
            Ok(port) if port > 0 => port,
            _ => return Err(format!("'{text}': '{port}' is not a port between 1 and 65535")),
        },
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let is_host = !host.is_empty() && (host.parse::<IpAddr>().is_ok() || host.chars().all(is_name));
    if is_host {
        Ok((host.to_owned(), port))
    } else {
        Err(format!("'{text}': '{host}' is not the name of a host"))
    }
}

fn protection(config: &mut Config) -> Option<Protection> {
    if config.text("kafka.security") != Some("tls") {
        for key in OF_TLS {
            if config.text(key).is_some() {
                config.fault(
                    key,
                    "it has no effect while kafka.security is plaintext: set kafka.security to tls",
                );
            }
        }
        return Some(Protection::Plaintext);
    }
    let given = |config: &Config, key| config.text(key).is_some();
    let (has_certificate, has_key) =
        (given(config, "kafka.certificate_file"), given(config, "kafka.key_file"));
    if has_certificate != has_key {
        let (is, is_not) = match has_certificate {
            true => ("kafka.certificate_file", "kafka.key_file"),
            false => ("kafka.key_file", "kafka.certificate_file"),
        };
        config.fault(is, format!("it requires {is_not}"));
    }
    let mut read = |key| match given(config, key) {
        // A file that can't be read is a fault, and no absent setting.
        true => text_file(config, key).map(Some),
        false => Some(None),
    };
    let authorities = read("kafka.ca_file");
    let certificate = read("kafka.certificate_file");
    let key = read("kafka.key_file");
    let key_password = read("kafka.key_password_file");
    let trimmed = |text: String| text.trim_end_matches(['\r', '\n']).to_owned();
    let key_password = key_password?.map(trimmed);
    let identity = certificate?.zip(key?);
    let identity = identity.map(|(certificate, key)| Identity { certificate, key, key_password });
    Some(Protection::Tls(Tls { authorities: authorities?, identity }))
}

/// Returns how Loquet logs in. The outer `None` is a fault.
#[expect(clippy::option_option, reason = "a fault is no absent login")]
fn sasl(
    config: &mut Config,
    protection: Option<&Protection>,
    brokers: Option<&[(String, u16)]>,
) -> Option<Option<Sasl>> {
    let user = config.text("kafka.user").map(ToOwned::to_owned);
    let password = password(config, "kafka.password", "kafka.password_file");
    let mechanism = match config.text("kafka.sasl") {
        Some("plain") => Mechanism::Plain,
        Some("scram-sha-256") => Mechanism::ScramSha256,
        Some("scram-sha-512") => Mechanism::ScramSha512,
        _ => {
            for key in ["kafka.user", "kafka.password", "kafka.password_file"] {
                if config.text(key).is_some() {
                    config.fault(key, "it has no effect while kafka.sasl is none: set kafka.sasl");
                }
            }
            return Some(None);
        }
    };
    let (Some(user), Some(password)) = (user, password) else {
        config.fault("kafka.sasl", "it requires kafka.user, and kafka.password_file (or kafka.password)");
        return None;
    };
    let is_near = |(host, _): &(String, u16)| {
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    };
    let in_the_clear = mechanism == Mechanism::Plain && protection == Some(&Protection::Plaintext);
    if in_the_clear && !brokers?.iter().all(is_near) {
        let why = "plain would send the password unencrypted to another machine: set kafka.security to tls, or use scram-sha-512";
        config.fault("kafka.sasl", why);
        return None;
    }
    Some(Some(Sasl { mechanism, user, password }))
}

/// Checks the names of topics. Each is the name of one topic only.
fn check_topics(config: &mut Config) {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let mut seen: Vec<(&str, String)> = Vec::new();
    for key in TOPICS {
        let Some(name) = config.text(key).map(ToOwned::to_owned) else { continue };
        let fits =
            name.len() <= LONGEST_TOPIC && name.chars().all(allowed) && !matches!(name.as_str(), "." | "..");
        if !fits {
            let why = format!(
                "'{name}': the name of a topic has 1 to {LONGEST_TOPIC} letters, digits, '.', '_' or '-'"
            );
            config.fault(key, why);
        } else if let Some((other, _)) = seen.iter().find(|(_, held)| *held == name) {
            config.fault(key, format!("it is the same topic as {other}: each needs its own"));
        }
        seen.push((key, name));
    }
}

fn missing_topics(config: &Config) -> Option<MissingTopics> {
    Some(match config.text("kafka.topics")? {
        "create" => MissingTopics::Create {
            partitions: config.parsed("kafka.partitions")?,
            replication: config.parsed("kafka.replication"),
        },
        _ => MissingTopics::Refuse,
    })
}

fn orders(config: &Config) -> Option<Orders> {
    Some(Orders {
        topic: config.text("kafka.orders_topic")?.to_owned(),
        group: config.text("kafka.orders_group")?.to_owned(),
        dead_letters: config.text("kafka.dead_letters_topic")?.to_owned(),
        missing: missing_topics(config)?,
    })
}

fn publishing(config: &Config) -> Option<Publishing> {
    let text = |key| config.text(key).map(ToOwned::to_owned);
    let missing = missing_topics(config)?;
    Some(Publishing {
        accounts_topic: text("kafka.accounts_topic")?,
        companies_topic: text("kafka.companies_topic")?,
        positions_topic: text("kafka.positions_topic")?,
        transactional_id: text("kafka.transactional_id")?,
        missing,
        compression: text("kafka.compression")?,
        mode: if config.text("kafka.format") == Some("structured") { Mode::Structured } else { Mode::Binary },
        batch: config.parsed("kafka.batch")?,
        interval: config.duration("kafka.interval")?,
    })
}

/// The topic of checkpoints. It is opened when the first one is written.
#[derive(Clone)]
pub(crate) struct Checkpoints {
    connection: Connection,
    topic: String,
    missing: MissingTopics,
    open: Arc<OnceCell<CheckpointTopic>>,
}

impl Checkpoints {
    pub(crate) fn new(kafka: &KafkaSettings, topic: String) -> Self {
        let (connection, missing) = (kafka.connection.clone(), kafka.publishing.missing);
        Self { connection, topic, missing, open: Arc::default() }
    }

    /// Writes a checkpoint of the log with this name.
    pub(crate) async fn send(&self, origin: &str, checkpoint: &str) -> Result<(), Trouble> {
        let open = || CheckpointTopic::open(&self.connection, &self.topic, self.missing);
        self.open.get_or_try_init(open).await?.send(origin, checkpoint).await
    }
}

/// What Kafka says about itself and about the publisher.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The topics, each with the number of its partitions and of their copies.
    pub(crate) topics: Vec<(String, usize, usize)>,
    /// Up to where events are published, and who published last. `None` if nothing was published yet.
    pub(crate) published: Option<(Position, String)>,
    /// How many orders could not be taken. `None` if no orders are taken from Kafka.
    pub(crate) dead_letters: Option<usize>,
    /// What an operator should know. Publishing works even so.
    pub(crate) warnings: Vec<String>,
    /// What keeps events from being published.
    pub(crate) troubles: Vec<String>,
}

/// Asks Kafka. Changes nothing.
pub(crate) async fn look(settings: &KafkaSettings) -> Seen {
    let KafkaSettings { connection, publishing, .. } = settings;
    let checked = match topics::look(connection, publishing).await {
        Ok(checked) => checked,
        Err(trouble) => return Seen { troubles: vec![Causes(&trouble).to_string()], ..Seen::default() },
    };
    let states = checked.topics.iter();
    let topics = states.map(|(name, state)| (name.clone(), state.partitions, state.replication)).collect();
    let warnings = checked.warnings.iter().map(ToString::to_string).collect();
    let mut seen = Seen { topics, warnings, ..Seen::default() };
    match current_position(connection, publishing).await {
        Ok(known) => seen.published = known.map(|known| (known.position, known.publisher)),
        Err(trouble) => seen.troubles.push(Causes(&trouble).to_string()),
    }
    if let Some(orders) = &settings.orders {
        match count_dead_letters(connection, orders).await {
            Ok(count) => seen.dead_letters = Some(count),
            Err(trouble) => seen.troubles.push(Causes(&trouble).to_string()),
        }
    }
    seen
}

async fn count_dead_letters(connection: &Connection, orders: &Orders) -> Result<usize, Trouble> {
    let orders = Orders { missing: MissingTopics::Refuse, ..orders.clone() };
    Ok(DeadLetters::open(connection, &orders).await?.list().await?.len())
}

/// The orders that could not be taken, as the HTTP interface shows them.
struct ShownDeadLetters(Arc<DeadLettersInTurn>);

/// Reads them one at a time. A read blocks a thread, for longer than a page waits if Kafka is down. However often somebody
/// asks, no more than one thread waits.
struct DeadLettersInTurn {
    connection: Connection,
    orders: Orders,
    turn: Mutex<OnceCell<DeadLetters>>,
}

/// The orders that could not be taken. `None` if no orders are taken from Kafka.
pub(crate) fn dead_letters(settings: &KafkaSettings) -> Option<Arc<dyn ShowDeadLetters>> {
    let orders = Orders { missing: MissingTopics::Refuse, ..settings.orders.clone()? };
    let (connection, turn) = (settings.connection.clone(), Mutex::default());
    Some(Arc::new(ShownDeadLetters(Arc::new(DeadLettersInTurn { connection, orders, turn }))))
}

impl DeadLettersInTurn {
    async fn read(self: Arc<Self>) -> Result<Vec<DeadLetter>, Trouble> {
        let late = || Trouble::Kafka("Kafka still does not answer".to_owned());
        let held = tokio::time::timeout(SHOW, self.turn.lock()).await.map_err(|_| late())?;
        let open = || DeadLetters::open(&self.connection, &self.orders);
        let letters = held.get_or_try_init(open).await?.list().await?;
        let shown = letters.into_iter().map(|letter| DeadLetter {
            // Another program may have written it without a moment.
            since: letter.at.parse().unwrap_or_default(),
            id: letter.id,
            reason: visible(&letter.reason).into_owned(),
        });
        let mut shown: Vec<_> = shown.collect();
        shown.sort_by(|one, other| (one.since, &one.id).cmp(&(other.since, &other.id)));
        Ok(shown)
    }
}

impl ShowDeadLetters for ShownDeadLetters {
    fn list(&self) -> BoxFuture<'_, Result<Vec<DeadLetter>, DeadLettersUnreadable>> {
        // The task outlives a caller who waits no longer: it keeps its turn as long as the thread is blocked.
        let reading = tokio::spawn(self.0.clone().read());
        Box::pin(async move {
            match tokio::time::timeout(SHOW, reading).await {
                Ok(Ok(read)) => read.map_err(|trouble| DeadLettersUnreadable(Causes(&trouble).to_string())),
                Ok(Err(ended)) => Err(DeadLettersUnreadable(ended.to_string())),
                Err(_) => {
                    Err(DeadLettersUnreadable(format!("Kafka did not answer within {} s", SHOW.as_secs())))
                }
            }
        })
    }
}

/// What runs with Kafka, until it is told to stop.
pub(crate) struct Running {
    tasks: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
}

impl Running {
    /// Lets transactions and orders that are under way end. If Kafka does not answer in time, the next start settles
    /// what became of them.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        for mut task in self.tasks {
            if tokio::time::timeout(STOP, &mut task).await.is_err() {
                task.abort();
            }
        }
    }
}

/// What the work with Kafka needs of the server.
pub(crate) struct Server<'a> {
    pub(crate) store: &'a Arc<dyn EventStore>,
    pub(crate) codec: Arc<dyn EventCodec>,
    pub(crate) app: &'a Arc<App>,
    pub(crate) contract: &'a Arc<Contract>,
    pub(crate) status: &'a Status,
    pub(crate) metrics: &'a Metrics,
    pub(crate) clock: &'a Clock,
    pub(crate) node: &'a str,
    pub(crate) leadership: watch::Receiver<Leadership>,
}

/// Starts to publish the events of the log, and to take orders.
pub(crate) fn start(settings: &KafkaSettings, server: Server<'_>) -> Running {
    let Server { store, codec, app, contract, status, metrics, clock, node, leadership } = server;
    let (stop, stopped) = watch::channel(false);
    let identities: Arc<dyn Identities> = Arc::new(RandomIdentities);
    let publisher = Publisher {
        store: store.clone(),
        codec,
        contract: contract.clone(),
        connection: settings.connection.clone(),
        publishing: settings.publishing.clone(),
        status: status.clone(),
        published: metrics.kafka.clone(),
        who: format!("{node}/{}", identities.fresh()),
        leadership,
    };
    let mut tasks = vec![tokio::spawn(publisher.run(stopped.clone()))];
    if let Some(orders) = &settings.orders {
        let app = app.clone();
        let intake = OrderIntake {
            app: app.clone(),
            clock: clock.clone(),
            identities,
            read: Arc::new(move |json, now| read_order(json, app.tokens(), now)),
            connection: settings.connection.clone(),
            orders: orders.clone(),
            status: status.clone(),
            taken: metrics.orders.clone(),
        };
        tasks.push(tokio::spawn(intake.run(stopped)));
    }
    Running { tasks, stop }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_are_hosts_with_ports() {
        let read = |text| read_brokers(text).map(|brokers| joined(&brokers));
        for (text, means) in [
            ("kafka-1", "kafka-1:9092"),
            (" kafka-1:9093 , 10.0.0.1:1,", "kafka-1:9093,10.0.0.1:1"),
            ("[::1]:9092", "[::1]:9092"),
            ("[::1]", "[::1]:9092"),
        ] {
            assert_eq!(read(text), Ok(means.to_owned()));
        }
        for (text, why) in [
            ("", "no broker"),
            (" , ", "no broker"),
            ("kafka:0", "'0' is not a port"),
            ("kafka:70000", "'70000' is not a port"),
            ("kafka:x", "'x' is not a port"),
            ("http://kafka:9092", "without a scheme"),
            ("[::1:9092", "']' is missing"),
            (":9092", "'' is not the name of a host"),
            ("ka fka:9092", "'ka fka' is not the name of a host"),
        ] {
            let said = read(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }
}
