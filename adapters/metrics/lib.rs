//! Metrics for operators: counters, durations and gauges, in the format of Prometheus.
//!
//! Handles are cheap to clone. Every part that measures something gets one. Some gauges are set only when
//! somebody reads the metrics: for example how far the views are, and how many mails wait.
#![forbid(unsafe_code)]

mod process;
mod text_format;

use std::sync::Arc;
use std::time::Instant;

use loquet_domain::ports::{
    AppendError, Appended, BoxFuture, BoxStream, EventStore, Look, NewEvent, Position, ReadError,
    RecordedEvent, Revision, StreamId, Subscribed,
};
use loquet_projections::ports::Hold;
use process::ProcessCollector;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
pub use prometheus_client::metrics::gauge::Gauge;
pub use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::histogram::exponential_buckets;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use tracing::Instrument;

/// A label.
macro_rules! label {
    ($(#[$doc:meta])* $name:ident { $($field:ident),+ }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
        #[expect(missing_docs, reason = "the names say it")]
        pub struct $name { $(pub $field: String),+ }
    };
}
label!(
    /// The result of a login.
    Outcome { outcome }
);
label!(
    /// The name of the event.
    EventType { r#type }
);
label!(
    /// The reason.
    Reason { reason }
);
label!(
    /// The view or reaction.
    OfView { view }
);
label!(
    /// The state of the mail.
    OfState { state }
);
label!(
    /// The part of the metrics that is collected when somebody reads them.
    OfPart { part }
);
label!(
    /// The other system.
    OfService { service }
);
label!(
    /// The file.
    OfFile { file }
);
label!(
    /// The limit.
    OfLimit { limit }
);
/// The labels of a request.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Request {
    pub method: &'static str,
    pub route: String,
    pub status: u16,
}
label!(
    /// The route.
    OfRoute { route }
);

/// Buckets from 100 microseconds to about 26 seconds, in seconds.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.0001, 4.0, 10))
}

/// Measures password hashing.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the help texts say it")]
pub struct HashMetrics {
    pub waiting: Gauge,
    pub seconds: Histogram,
    pub refused: Counter,
}

/// Measures appends to the log.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct LogMetrics {
    pub append_seconds: Histogram,
    pub batch: Histogram,
    pub conflicts: Counter,
    pub failures: Family<Reason, Counter>,
    pub events: Family<EventType, Counter>,
}

/// Measures HTTP requests.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct HttpMetrics {
    pub requests: Family<Request, Counter>,
    pub seconds: Family<OfRoute, Histogram>,
    pub limited: Family<OfLimit, Counter>,
    pub logins: Family<Outcome, Counter>,
    pub event_streams: Gauge,
}

/// Counts something by its outcome.
pub type Outcomes = Family<Outcome, Counter>;

/// Measures the publication of events.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the help texts say it")]
pub struct PublishMetrics {
    pub events: Counter,
    pub transactions: Counter,
}

/// The gauges that are set when somebody reads the metrics.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the names say it")]
pub struct AskedMetrics {
    pub position: Gauge,
    pub view_position: Family<OfView, Gauge>,
    pub view_lag: Family<OfView, Gauge>,
    pub view_stopped: Family<OfView, Gauge>,
    pub view_building_stopped: Family<OfView, Gauge>,
    pub mails: Family<OfState, Gauge>,
    pub mails_failing: Family<OfState, Gauge>,
    pub oldest_mail: Gauge,
    pub mails_held: Family<OfState, Gauge>,
    pub memory: Gauge,
    /// The bytes that are free where the data directory is.
    pub disk_free: Gauge,
    /// The size of the disk where the data directory is, in bytes.
    pub disk_size: Gauge,
    /// When the last backup ended well, in seconds since 1970. 0: never here.
    pub last_backup: Gauge,
    /// When the read models were last compared with the log, in seconds since 1970. 0: never here.
    pub verified: Gauge,
    /// How many read models differed from the log then.
    pub views_differing: Gauge,
    pub wal: Family<OfFile, Gauge>,
    pub wal_held: Family<OfFile, Gauge>,
    pub failed: Family<OfPart, Gauge>,
    pub service_failing: Family<OfService, Gauge>,
}

impl AskedMetrics {
    /// Whether mails can be sent, and if not, why.
    pub fn tell_whether_mails_go(&self, hold: Option<&Hold>) {
        let refused = hold.map(Hold::is_refusal);
        for (state, holds) in [("refused", refused == Some(true)), ("away", refused == Some(false))] {
            self.mails_held.get_or_create(&OfState { state: state.to_owned() }).set(i64::from(holds));
        }
    }
}

impl Default for HashMetrics {
    fn default() -> Self {
        Self { waiting: Gauge::default(), seconds: seconds(), refused: Counter::default() }
    }
}

impl Default for LogMetrics {
    fn default() -> Self {
        Self {
            append_seconds: seconds(),
            batch: Histogram::new(exponential_buckets(1.0, 2.0, 11)),
            conflicts: Counter::default(),
            failures: Family::default(),
            events: Family::default(),
        }
    }
}

impl Default for HttpMetrics {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            seconds: Family::new_with_constructor(seconds),
            limited: Family::default(),
            logins: Family::default(),
            event_streams: Gauge::default(),
        }
    }
}

/// All metrics.
pub struct Metrics {
    registry: Registry,
    /// Password hashing.
    pub hashing: HashMetrics,
    /// Appends to the log.
    pub log: LogMetrics,
    /// HTTP requests.
    pub http: HttpMetrics,
    /// Events that were published in Kafka.
    pub kafka: PublishMetrics,
    /// Orders that were taken from Kafka.
    pub orders: Outcomes,
    /// Deliveries to webhooks.
    pub webhooks: Outcomes,
    /// The gauges that are set when somebody reads the metrics.
    pub asked: AskedMetrics,
}

impl Metrics {
    /// Starts with every value at zero.
    #[must_use]
    pub fn new(version: &str, node: &str) -> Self {
        let (hashing, log, http) = (HashMetrics::default(), LogMetrics::default(), HttpMetrics::default());
        let (asked, kafka) = (AskedMetrics::default(), PublishMetrics::default());
        let (orders, webhooks) = (Outcomes::default(), Outcomes::default());
        begin_at_zero(&log, &http);
        asked.tell_whether_mails_go(None);
        let mut registry = Registry::default();
        registry.register_collector(Box::new(ProcessCollector));
        let r = registry.sub_registry_with_prefix("loquet");
        let info = vec![("version".to_owned(), version.to_owned()), ("node".to_owned(), node.to_owned())];
        r.register("build", "The version of the program and the name of the node", Info::new(info));
        r.register("logins", "Logins by outcome", http.logins.clone());
        r.register("events", "Events written, by type", log.events.clone());
        r.register(
            "append_conflicts",
            "Appends that were decided again because another append came first",
            log.conflicts.clone(),
        );
        r.register("append_failures", "Appends that failed, by reason", log.failures.clone());
        r.register("append_batch", "The number of requests in one transaction of the log", log.batch.clone());
        r.register(
            "hash_waiting",
            "Passwords that are being hashed or wait to be hashed",
            hashing.waiting.clone(),
        );
        r.register(
            "hash_refused",
            "Passwords that were refused because too many waited",
            hashing.refused.clone(),
        );
        r.register("http_requests", "Requests by method, route and status", http.requests.clone());
        r.register("rate_limited", "Requests that were refused by a limit", http.limited.clone());
        r.register("kafka_events", "Events that were published in Kafka", kafka.events.clone());
        r.register(
            "kafka_transactions",
            "Transactions that were committed in Kafka",
            kafka.transactions.clone(),
        );
        r.register("webhook_deliveries", "Deliveries to webhooks, by outcome", webhooks.clone());
        r.register("kafka_orders", "Orders that were read from Kafka, by outcome", orders.clone());
        r.register(
            "service_failing",
            "1 while the work with another system does not go on: kafka, orders, webhooks",
            asked.service_failing.clone(),
        );
        r.register("event_streams", "Programs that follow the events", http.event_streams.clone());
        r.register("log_position", "The position of the last event", asked.position.clone());
        r.register(
            "view_position",
            "The log position up to which a view, reaction or publisher has read",
            asked.view_position.clone(),
        );
        r.register(
            "view_lag",
            "The number of events that a view, reaction or publisher has not read yet",
            asked.view_lag.clone(),
        );
        r.register("view_stopped", "1 if a view or reaction has stopped", asked.view_stopped.clone());
        r.register(
            "view_building_stopped",
            "1 if the new version of a view can't be built",
            asked.view_building_stopped.clone(),
        );
        r.register("mails", "Mails that wait, are being sent, or were given up", asked.mails.clone());
        r.register(
            "mails_failing",
            "Mails that failed and wait, and mails whose result can't be written to the log",
            asked.mails_failing.clone(),
        );
        r.register(
            "mails_held",
            "1 while no mail can be sent, by reason: the mail server refuses mails from Loquet, or can't be reached",
            asked.mails_held.clone(),
        );
        r.register(
            "scrape_failed",
            "1 if a part of the metrics could not be collected, and shows its last value",
            asked.failed.clone(),
        );
        let timed = [
            ("append", "Time of an append until it is durable", log.append_seconds.clone()),
            ("hash", "Time to hash a password, including the wait", hashing.seconds.clone()),
        ];
        for (name, help, histogram) in timed {
            r.register_with_unit(name, help, Unit::Seconds, histogram);
        }
        r.register_with_unit("http_request", "Time of a request", Unit::Seconds, http.seconds.clone());
        let oldest = asked.oldest_mail.clone();
        r.register_with_unit("mail_oldest_pending", "Age of the oldest waiting mail", Unit::Seconds, oldest);
        r.register_with_unit("resident_memory", "Memory in use", Unit::Bytes, asked.memory.clone());
        of_the_disk(r, &asked);
        Self { registry, hashing, log, http, kafka, orders, webhooks, asked }
    }

    /// Returns all metrics in the text format of Prometheus before OpenMetrics (version 0.0.4).
    #[must_use]
    pub fn older_text(&self) -> String {
        text_format::of_open_metrics(&self.text())
    }

    /// Returns all metrics as text (OpenMetrics 1.0).
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string can't fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// The disk of the data directory, its files and its backups.
fn of_the_disk(r: &mut Registry, asked: &AskedMetrics) {
    let logs = [
        ("write_ahead_log", "Size of the write-ahead log beside a file", asked.wal.clone()),
        (
            "write_ahead_log_held",
            "The part that can't be copied into its file, in most cases because a program reads an old state",
            asked.wal_held.clone(),
        ),
    ];
    for (name, help, family) in logs {
        r.register_with_unit(name, help, Unit::Bytes, family);
    }
    let disk = [
        ("disk_free", "The space that is free where the data directory is", asked.disk_free.clone()),
        ("disk_size", "The size of the disk where the data directory is", asked.disk_size.clone()),
    ];
    for (name, help, gauge) in disk {
        r.register_with_unit(name, help, Unit::Bytes, gauge);
    }
    r.register_with_unit(
        "last_backup_timestamp",
        "When `loquet backup` last ended well, since 1970. 0: never here",
        Unit::Seconds,
        asked.last_backup.clone(),
    );
    r.register_with_unit(
        "views_verified_timestamp",
        "When the read models were last compared with the log, since 1970. 0: never here",
        Unit::Seconds,
        asked.verified.clone(),
    );
    r.register(
        "views_differing",
        "Read models that differed from the log when they were last compared",
        asked.views_differing.clone(),
    );
}

/// Creates the series that alerts watch at the start. A series that first appears with its first failure
/// shows no increase.
fn begin_at_zero(log: &LogMetrics, http: &HttpMetrics) {
    for reason in ["unavailable", "unknown"] {
        drop(log.failures.get_or_create(&Reason { reason: reason.to_owned() }));
    }
    for limit in ["requests", "strangers", "all_strangers"] {
        drop(http.limited.get_or_create(&OfLimit { limit: limit.to_owned() }));
    }
    for outcome in ["succeeded", "refused", "locked", "awaiting_conversion", "unavailable"] {
        drop(http.logins.get_or_create(&Outcome { outcome: outcome.to_owned() }));
    }
    for r#type in ["account-locked", "lockout-released", "mail-sent", "mail-given-up"] {
        drop(log.events.get_or_create(&EventType { r#type: r#type.to_owned() }));
    }
}

/// An event store that measures its appends.
pub struct MeasuredStore {
    inner: Arc<dyn EventStore>,
    metrics: LogMetrics,
}

impl MeasuredStore {
    /// Measures the appends of `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn EventStore>, metrics: LogMetrics) -> Self {
        Self { inner, metrics }
    }
}

impl EventStore for MeasuredStore {
    fn append<'a>(
        &'a self,
        stream: &'a StreamId,
        expected: Revision,
        events: Vec<NewEvent>,
    ) -> BoxFuture<'a, Result<Appended, AppendError>> {
        let append = async move {
            let names: Vec<_> = events.iter().map(|event| event.name.clone()).collect();
            let begun = Instant::now();
            let appended = self.inner.append(stream, expected, events).await;
            self.metrics.append_seconds.observe(begun.elapsed().as_secs_f64());
            let failed = |reason: &str| {
                self.metrics.failures.get_or_create(&Reason { reason: reason.to_owned() }).inc();
            };
            match &appended {
                Ok(_) => names.into_iter().for_each(|r#type| {
                    self.metrics.events.get_or_create(&EventType { r#type }).inc();
                }),
                Err(AppendError::Conflict { .. }) => drop(self.metrics.conflicts.inc()),
                Err(AppendError::Unavailable(_)) => failed("unavailable"),
                Err(AppendError::Unknown(_)) => failed("unknown"),
            }
            appended
        };
        Box::pin(append.instrument(tracing::info_span!("append")))
    }

    fn read_stream<'a>(
        &'a self,
        stream: &'a StreamId,
        after: Revision,
    ) -> BoxFuture<'a, Result<Vec<RecordedEvent>, ReadError>> {
        self.inner.read_stream(stream, after)
    }

    fn read_all(
        &self,
        after: Position,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<RecordedEvent>, ReadError>> {
        self.inner.read_all(after, limit)
    }

    fn look_at_named(
        &self,
        after: Position,
        up_to: Position,
        names: &'static [&'static str],
        look: Look,
    ) -> BoxFuture<'_, Result<usize, ReadError>> {
        self.inner.look_at_named(after, up_to, names, look)
    }

    fn event_at(&self, position: Position) -> BoxFuture<'_, Result<Option<RecordedEvent>, ReadError>> {
        self.inner.event_at(position)
    }

    fn newest(&self, limit: usize) -> BoxFuture<'_, Result<Vec<RecordedEvent>, ReadError>> {
        self.inner.newest(limit)
    }

    fn subscribe(&self, after: Position) -> BoxStream<'static, Result<Subscribed, ReadError>> {
        self.inner.subscribe(after)
    }

    fn head(&self) -> BoxFuture<'_, Result<Position, ReadError>> {
        self.inner.head()
    }

    fn decoy(&self) -> BoxFuture<'_, Result<(), AppendError>> {
        self.inner.decoy()
    }
}

#[cfg(test)]
mod tests {
    use loquet_domain::ids::EventId;

    use super::*;
    use loquet_memory::event_store::MemoryStore;

    #[tokio::test]
    async fn an_append_that_another_beat_is_counted_as_a_conflict_and_as_nothing_else() {
        let metrics = Metrics::new("test", "test");
        let store = MeasuredStore::new(Arc::new(MemoryStore::default()), metrics.log.clone());
        let event = || NewEvent {
            id: EventId(uuid::Uuid::nil()),
            name: "login-failed".to_owned(),
            version: 1,
            data: b"{}".to_vec(),
            metadata: b"{}".to_vec(),
            sealed: None,
        };
        let stream = StreamId::new("account", "a");
        store.append(&stream, Revision(0), vec![event()]).await.unwrap();
        assert_eq!(metrics.log.conflicts.get(), 0);
        let other = NewEvent { id: EventId(uuid::Uuid::max()), ..event() };
        store.append(&stream, Revision(0), vec![other]).await.unwrap_err();
        assert_eq!(metrics.log.conflicts.get(), 1);
        let text = metrics.text();
        assert!(text.contains("loquet_append_conflicts_total 1"), "{text}");
        assert!(text.contains("loquet_append_failures_total{reason=\"unavailable\"} 0"), "{text}");
    }
}
