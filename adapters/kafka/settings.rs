//! How Kafka is reached, and what the topics are called.

use std::time::Duration;

use loquet_public_events::{Mode, Topic};
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError;

/// How the connections to the brokers are protected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Protection {
    /// Not at all: for a broker on this machine, or in a network that encrypts by itself.
    #[default]
    Plaintext,
    /// TLS. The broker's certificate is checked, and its name.
    Tls(Tls),
}

/// The files of TLS, as PEM text.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// Certificate authorities to trust instead of the system's.
    pub authorities: Option<String>,
    /// This client's certificate and private key, for brokers that ask for one.
    pub identity: Option<Identity>,
}

/// A client certificate.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate with its chain, as PEM text.
    pub certificate: String,
    /// The private key, as PEM text.
    pub key: String,
    /// The password of the private key.
    pub key_password: Option<String>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls(…)")
    }
}

/// How the client proves who it is (SASL).
#[derive(Clone, PartialEq, Eq)]
pub struct Sasl {
    /// The mechanism.
    pub mechanism: Mechanism,
    /// The user name.
    pub user: String,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for Sasl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sasl({})", self.mechanism.name())
    }
}

/// A SASL mechanism with a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 4616. The broker sees the password.
    Plain,
    /// RFC 5802 with SHA-256.
    ScramSha256,
    /// RFC 5802 with SHA-512.
    ScramSha512,
}

impl Mechanism {
    /// Its registered name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// What happens to topics that do not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingTopics {
    /// They are created.
    Create {
        /// The number of partitions of each topic of events.
        partitions: i32,
        /// The number of copies. `None`: the cluster's default.
        replication: Option<i32>,
    },
    /// The publisher stops, and says which are missing.
    Refuse,
}

/// The connection to Kafka.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Brokers to begin with, such as `kafka-1:9092,kafka-2:9092`.
    pub brokers: String,
    /// The protection of connections.
    pub protection: Protection,
    /// The proof of identity. `None` if brokers ask for none, or for a client certificate alone.
    pub sasl: Option<Sasl>,
    /// The name under which brokers see this client.
    pub client_id: String,
}

/// What is published, and where.
#[derive(Clone, Debug)]
pub struct Publishing {
    /// The name of the topic of accounts.
    pub accounts_topic: String,
    /// The name of the topic of companies.
    pub companies_topic: String,
    /// The name of the compacted topic that holds the positions of publishers.
    pub positions_topic: String,
    /// The transactional id. Two publishers with the same id fence each other.
    pub transactional_id: String,
    /// What happens to topics that do not exist.
    pub missing: MissingTopics,
    /// The compression of records: `none`, `gzip`, `snappy`, `lz4` or `zstd`.
    pub compression: String,
    /// How events are written.
    pub mode: Mode,
    /// The most events in one transaction, about. Fewer than twice as many can be in one.
    pub batch: usize,
    /// The shortest time from the begin of a transaction to that of the next. The first event after a quiet time never
    /// waits.
    pub interval: Duration,
}

impl Publishing {
    /// The name of a topic.
    #[must_use]
    pub fn name(&self, topic: Topic) -> &str {
        match topic {
            Topic::Accounts => &self.accounts_topic,
            Topic::Companies => &self.companies_topic,
        }
    }
}

/// Where orders come from.
#[derive(Clone, Debug)]
pub struct Orders {
    /// The topic of orders.
    pub topic: String,
    /// The consumer group. Its members share the orders.
    pub group: String,
    /// The topic of orders that can't be taken.
    pub dead_letters: String,
    /// What happens to topics that do not exist.
    pub missing: MissingTopics,
}

/// The time limit of one request to a broker. A broker that does not answer within it counts as away.
pub(crate) const REQUEST: Duration = Duration::from_secs(15);

impl Connection {
    /// Checks what can be checked without a broker: that the certificates and the key can be read.
    ///
    /// # Errors
    /// Why they can't be used.
    pub fn check(&self) -> Result<(), String> {
        let made: Result<BaseConsumer, KafkaError> = self.client().set("group.id", "loquet-check").create();
        made.map(drop).map_err(|error| match error {
            KafkaError::ClientCreation(why) => why,
            other => other.to_string(),
        })
    }

    /// The configuration that every client of this connection has.
    #[must_use]
    pub fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", &self.client_id)
            .set("socket.nagle.disable", "true")
            .set("socket.keepalive.enable", "true")
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "2000")
            .set("broker.address.ttl", "2000")
            .set("allow.auto.create.topics", "false")
            .set("socket.connection.setup.timeout.ms", "10000")
            .set_log_level(RDKafkaLogLevel::Info);
        let protocol = match (&self.protection, &self.sasl) {
            (Protection::Plaintext, None) => "plaintext",
            (Protection::Plaintext, Some(_)) => "sasl_plaintext",
            (Protection::Tls(_), None) => "ssl",
            (Protection::Tls(_), Some(_)) => "sasl_ssl",
        };
        config.set("security.protocol", protocol);
        if let Protection::Tls(tls) = &self.protection {
            config.set("ssl.endpoint.identification.algorithm", "https");
            match &tls.authorities {
                Some(authorities) => config.set("ssl.ca.pem", authorities),
                None => config.set("ssl.ca.location", "probe"),
            };
            if let Some(identity) = &tls.identity {
                config.set("ssl.certificate.pem", &identity.certificate).set("ssl.key.pem", &identity.key);
                if let Some(password) = &identity.key_password {
                    config.set("ssl.key.password", password);
                }
            }
        }
        if let Some(sasl) = &self.sasl {
            config
                .set("sasl.mechanism", sasl.mechanism.name())
                .set("sasl.username", &sasl.user)
                .set("sasl.password", &sasl.password);
        }
        config
    }
}
