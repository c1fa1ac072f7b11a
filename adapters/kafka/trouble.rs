//! What can go wrong with Kafka, in words that say what to do.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use loquet_domain::ports::{Position, ReadError};
use loquet_public_events::ContractError;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// Something about a topic that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicFault {
    /// The topic.
    pub topic: String,
    /// What is wrong, and what to do.
    pub what: String,
}

impl fmt::Display for TopicFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "The topic {} {}", self.topic, self.what)
    }
}

/// Why events are not published now.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Trouble {
    /// Kafka can't be reached, or refuses this client.
    #[error("{0}")]
    Kafka(String),
    /// Topics are missing or set wrongly.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))]
    Topics(Vec<TopicFault>),
    /// Another publisher with the same transactional id has taken over.
    #[error("another publisher took over: {0}")]
    Fenced(String),
    /// Another node has the lease on the work that one node at a time does, or nobody has it.
    #[error("this node no longer holds the lease")]
    LeaseOver,
    /// The log can't be read.
    #[error("the log can't be read: {0}")]
    Log(#[from] ReadError),
    /// An event can't be read.
    #[error(
        "the event at position {position} can't be published: {source}. Publishing goes on with it when it can be read"
    )]
    Event {
        /// Its position.
        position: Position,
        /// Why.
        source: ContractError,
    },
    /// Kafka refuses a record.
    #[error(
        "Kafka refuses the event at position {position} ({name}, {bytes} bytes) in the topic {topic}: {why}. Publishing goes on with it when that is mended"
    )]
    Refused {
        /// The event's position.
        position: Position,
        /// The type of event.
        name: &'static str,
        /// The size of its data.
        bytes: usize,
        /// The topic.
        topic: String,
        /// Why.
        why: String,
    },
    /// The topics hold records, but the position of the publisher is unknown.
    #[error(
        "the topic {topic} holds records, but {positions} does not say up to which position of the log. Someone deleted the topic of positions or the record in it, or another system publishes here. Look up the ce_sequence of the last record, and run: loquet kafka set-position POSITION"
    )]
    PositionLost {
        /// The topic that holds records.
        topic: String,
        /// The topic of positions.
        positions: String,
    },
    /// A transaction in the topic of positions stays open.
    #[error(
        "another transaction in {topic} is open, and the position behind it can't be read. A replay that was killed leaves one open for a minute. If this stays, give this installation a kafka.positions_topic of its own"
    )]
    OpenTransaction {
        /// The topic of positions.
        topic: String,
    },
    /// A record in the topic of positions is not one of ours.
    #[error(
        "the record of the position in {topic} can't be read: {why}. Run: loquet kafka set-position POSITION"
    )]
    PositionUnreadable {
        /// The topic of positions.
        topic: String,
        /// Why.
        why: String,
    },
    /// The log ends before the position.
    #[error(
        "events up to position {position} were published, but the log ends at {head}. The log was put back to an older backup. Restore the newer log. If it is lost, run: loquet kafka set-position {head}. Then tell the consumers that the events after {head} never happened"
    )]
    AheadOfLog {
        /// The position of the publisher.
        position: Position,
        /// The end of the log.
        head: Position,
    },
    /// An operator chose a position that the log does not have.
    #[error("the log ends at position {head}: choose a position from 0 to {head}, not {position}")]
    NoSuchPosition {
        /// The position that was chosen.
        position: Position,
        /// The end of the log.
        head: Position,
    },
    /// The log has another event at the position.
    #[error(
        "at position {position} the log has another event than the one that was published. The log was put back to an older backup and went on from there, or it is another log. Restore the right log, or use other topics and another kafka.transactional_id for this one"
    )]
    AnotherLog {
        /// The position of the publisher.
        position: Position,
    },
    /// Records are gone from a topic.
    #[error(
        "partition {partition} of {topic} ends at offset {end}, but records up to offset {expected} were published. The topic was deleted and created again, or it was truncated. To publish the history again, run: loquet kafka set-position 0. To leave the gap, run: loquet kafka set-position {position}"
    )]
    Truncated {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// Where it ends.
        end: i64,
        /// Where it ended when we wrote there last.
        expected: i64,
        /// The position of the publisher.
        position: Position,
    },
    /// The first records of a topic are gone, although the topic keeps everything.
    #[error(
        "the records of partition {partition} of {topic} before offset {begin} were deleted, although the topic has no limit of time or size. To publish the history again, run: loquet kafka set-position 0. To leave the gap, run: loquet kafka set-position {position}"
    )]
    BeginningDeleted {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// Where it begins.
        begin: i64,
        /// The position of the publisher.
        position: Position,
    },
    /// A topic has another name than before, or is new.
    #[error(
        "nothing was published in {topic} yet, but events up to position {position} were published elsewhere. Is its name right? To publish the whole history, run: loquet kafka set-position 0. To begin with newer events, run: loquet kafka set-position {position}"
    )]
    NewTopic {
        /// The topic.
        topic: String,
        /// The position of the publisher.
        position: Position,
    },
    /// The number of partitions changed. Keys are in other partitions now.
    #[error(
        "{topic} had {before} partitions and has {now}. Events of one account or company would be in two partitions, and their order lost. Let the consumers read to the end of the topic. Then run: loquet kafka set-position {position}"
    )]
    PartitionsChanged {
        /// The topic.
        topic: String,
        /// The number before.
        before: usize,
        /// The number now.
        now: usize,
        /// The position of the publisher.
        position: Position,
    },
}

impl Trouble {
    /// A failure of Kafka in words. `doing` says what was tried.
    pub(crate) fn of(doing: &str, error: &KafkaError, heard: &Heard) -> Self {
        let code = error.rdkafka_error_code();
        match code {
            Some(
                RDKafkaErrorCode::Fenced
                | RDKafkaErrorCode::ProducerFenced
                | RDKafkaErrorCode::InvalidProducerEpoch,
            ) => Self::Fenced("its transactional id is in use elsewhere".to_owned()),
            _ => Self::Kafka(in_words(doing, error, heard)),
        }
    }
}

/// A failure as a sentence: what was tried, why it failed, and what to do where that is known.
pub(crate) fn in_words(doing: &str, error: &KafkaError, heard: &Heard) -> String {
    use RDKafkaErrorCode as Code;
    let heard = heard.last();
    let advice = match error.rdkafka_error_code() {
        Some(
            Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::MessageTimedOut
            | Code::Resolve,
        )
        | None => advice_on(heard.as_deref().unwrap_or_default()),
        Some(Code::Authentication | Code::SaslAuthenticationFailed | Code::SSL) => {
            advice_on(heard.as_deref().unwrap_or_default())
        }
        Some(Code::TopicAuthorizationFailed) => {
            "The user may not use this topic: allow Describe, DescribeConfigs and Write, on the topic of positions also Read"
        }
        Some(Code::TransactionalIdAuthorizationFailed) => {
            "The user may not use this transactional id: allow Describe and Write on kafka.transactional_id"
        }
        Some(Code::GroupAuthorizationFailed) => {
            "The user may not use this group: allow Read on kafka.orders_group"
        }
        Some(Code::ClusterAuthorizationFailed) => {
            "The user may not do this in the cluster: create the topics yourself, or allow Create"
        }
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition) => {
            "The topic does not exist: create it, or set kafka.topics to create"
        }
        Some(Code::NotEnoughReplicas | Code::NotEnoughReplicasAfterAppend) => {
            "Fewer brokers have a copy of the topic than min.insync.replicas asks for: start the others"
        }
        Some(Code::InvalidTopic) => "The name of a topic has 1 to 249 letters, digits, '.', '_' or '-'",
        Some(Code::MessageSizeTooLarge) => "Raise max.message.bytes of the topic",
        Some(Code::InvalidReplicationFactor) => {
            "The cluster has fewer brokers than copies are asked for: lower kafka.replication"
        }
        Some(Code::PolicyViolation) => "A policy of the cluster forbids this: create the topics as it asks",
        Some(Code::InvalidTransactionTimeout) => {
            "The cluster allows only shorter transactions: raise transaction.max.timeout.ms to 60000"
        }
        Some(_) => "",
    };
    let reason = heard.unwrap_or_else(|| reason_of(error));
    let sentence = format!("{doing}: {reason}");
    match advice.is_empty() {
        true => sentence,
        false => format!("{sentence}. {advice}"),
    }
}

fn reason_of(error: &KafkaError) -> String {
    match error {
        KafkaError::Transaction(error) => error.string(),
        error => match error.rdkafka_error_code() {
            Some(code) => code.to_string(),
            None => error.to_string(),
        },
    }
}

/// What librdkafka says when the broker closed a connection, whatever the reason.
const CLOSED: [&str; 3] = ["disconnected", "connection reset", "broken pipe"];
/// How long a reason counts for more than a connection that was closed after it.
const FRESH: Duration = Duration::from_secs(10);

/// What librdkafka says about a connection that failed, and what to do then. The first line that fits counts.
const ADVICE: [(&[&str], &str); 10] = [
    (
        &["resolve", "name or service not known", "temporary failure in name"],
        "The host name in kafka.brokers, or the one that the broker advertises, is unknown here: correct it",
    ),
    (
        &["connection refused"],
        "No broker listens there: check host and port in kafka.brokers, and that the broker runs",
    ),
    (
        &["supported mechanisms", "unsupported sasl", "mechanism handshake failed"],
        "The broker does not offer this login: check kafka.sasl",
    ),
    (
        &["authentication", "invalid credentials", "invalid username"],
        "The broker refuses the login: check kafka.user and the password",
    ),
    (
        &["certificate verify failed", "could not be verified"],
        "The broker's certificate is not trusted, or is for another name: set kafka.ca_file to the authority that issued \
         it, use its name in kafka.brokers, and check its dates",
    ),
    (
        &[
            "certificate required",
            "bad certificate",
            "unknown ca",
            "certificate unknown",
            "handshake failure",
        ],
        "The broker does not accept this client's certificate: check kafka.certificate_file and kafka.key_file",
    ),
    (
        &["wrong version number", "ssl handshake failed", "packet length too long", "unexpected eof"],
        "The broker does not speak TLS on this port: check the port, or set kafka.security to plaintext",
    ),
    (
        &["security.protocol", "ssl listener"],
        "The broker expects TLS or a login on this port: check the port, kafka.security and kafka.sasl",
    ),
    (
        &["ssl connection closed by peer"],
        "The broker closed the connection. It does not speak TLS on this port, it does not accept this client's certificate, or \
         it expects a login: check the port, kafka.security, kafka.certificate_file and kafka.sasl",
    ),
    (
        &CLOSED,
        "The broker closed the connection: check that it runs, and whether the port expects TLS or a login (kafka.security, kafka.sasl)",
    ),
];

/// What to do about a connection that failed, from what librdkafka says about it.
fn advice_on(said: &str) -> &'static str {
    let said = said.to_lowercase();
    let fits = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let found = ADVICE.iter().find(|(words, _)| fits(words)).map(|(_, advice)| *advice);
    found.unwrap_or(
        "The broker does not answer: check host, port and firewall, and whether the port expects TLS or a login",
    )
}

/// What librdkafka said last about its connections. It tells more than the code of an error.
#[derive(Clone, Default)]
pub(crate) struct Heard {
    last: Arc<Mutex<Option<(String, Instant)>>>,
    down: Arc<Mutex<Option<String>>>,
}

impl Heard {
    pub(crate) fn last(&self) -> Option<String> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().map(|(reason, _)| reason.clone())
    }

    /// Why no broker can be reached. Returns `None` if one can, as far as is known.
    pub(crate) fn down(&self) -> Option<String> {
        self.down.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets what was said, because a request succeeded.
    pub(crate) fn forget(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
        *self.down.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn hear(&self, code: Option<RDKafkaErrorCode>, reason: &str) {
        if code == Some(RDKafkaErrorCode::AllBrokersDown) {
            let known = self.last().unwrap_or_else(|| reason.to_owned());
            *self.down.lock().unwrap_or_else(PoisonError::into_inner) = Some(away(&known));
            return;
        }
        let reason = without_address(reason);
        // The broker refuses a client for a reason, and then closes the connection.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref().is_some_and(|(held, at)| {
            is_only_closed(&reason) && !is_only_closed(held) && at.elapsed() < FRESH
        }) {
            return;
        }
        *last = Some((reason.clone(), Instant::now()));
        drop(last);
        let mut down = self.down.lock().unwrap_or_else(PoisonError::into_inner);
        if down.is_some() {
            *down = Some(away(&reason));
        }
    }
}

/// Whether librdkafka says no more than that the connection was closed.
fn is_only_closed(reason: &str) -> bool {
    advice_on(reason) == advice_on("disconnected")
}

/// Why no broker can be reached, and what to do.
fn away(reason: &str) -> String {
    format!("no broker can be reached: {reason}. {}", advice_on(reason))
}

/// librdkafka begins with the address and ends with how often it tried. The first helps, the second does not.
fn without_address(reason: &str) -> String {
    let end = reason.find(" (after ").unwrap_or(reason.len());
    reason.get(..end).unwrap_or(reason).trim_end_matches('.').to_owned()
}

impl ClientContext for Heard {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = false;

    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, message, "librdkafka");
        // Some failed connections are in the client's log alone.
        if facility == "FAIL" {
            self.hear(None, message.rsplit("]: ").next().unwrap_or(message));
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.hear(error.rdkafka_error_code(), reason);
        tracing::debug!(%error, reason, "librdkafka");
    }
}

impl ConsumerContext for Heard {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_not_forgotten_when_the_connection_is_closed_after_it() {
        let heard = Heard::default();
        heard.hear(None, "Disconnected (after 2ms in state APIVERSION_QUERY)");
        assert_eq!(heard.last().as_deref(), Some("Disconnected"));
        heard.hear(None, "SASL authentication error: Authentication failed (after 5ms)");
        heard.hear(None, "Disconnected (after 2ms in state AUTH_REQ)");
        assert_eq!(heard.last().as_deref(), Some("SASL authentication error: Authentication failed"));
        heard.hear(None, "Connect to ipv4#127.0.0.1:1 failed: Connection refused");
        assert!(heard.last().is_some_and(|said| said.ends_with("Connection refused")));
        heard.forget();
        assert_eq!(heard.last(), None);
    }

    #[test]
    fn a_connection_over_tls_that_is_closed_has_three_explanations() {
        let advice = advice_on("Disconnected: SSL connection closed by peer");
        for word in ["does not speak TLS", "certificate", "kafka.sasl"] {
            assert!(advice.contains(word), "{advice}");
        }
    }
}
