//! In place of `kafka.rs`, in a build without the feature `kafka`.

use std::convert::Infallible;
use std::sync::Arc;

use loquet_domain::app::App;
use loquet_domain::ports::{EventCodec, EventStore, Position};
use loquet_http_ports::dead_letters::DeadLetters;
use loquet_metrics::Metrics;
use loquet_projections::leader::Leadership;
use loquet_projections::ports::Clock;
use loquet_projections::runner::Status;
use loquet_public_events::Contract;
use tokio::sync::watch;

use crate::config::Config;

/// There are no settings of Kafka in this build.
#[derive(Clone, Debug)]
pub(crate) enum KafkaSettings {}

/// Refuses the setting that turns Kafka on.
pub(crate) fn settings(config: &mut Config) -> Option<KafkaSettings> {
    if config.text("kafka.brokers").is_some() {
        let why =
            "this program was built without Kafka: build it with the feature kafka, or remove the setting";
        config.fault("kafka.brokers", why);
    }
    None
}

/// There is no topic of checkpoints in this build.
#[derive(Clone)]
pub(crate) enum Checkpoints {}

impl Checkpoints {
    pub(crate) fn new(kafka: &KafkaSettings, _: String) -> Self {
        match *kafka {}
    }

    #[expect(clippy::unused_async, reason = "a build with Kafka waits for it")]
    pub(crate) async fn send(&self, _: &str, _: &str) -> Result<(), Infallible> {
        match *self {}
    }
}

/// What Kafka would say.
pub(crate) struct Seen {
    pub(crate) published: Option<(Position, String)>,
    pub(crate) dead_letters: Option<usize>,
    pub(crate) warnings: Vec<String>,
    pub(crate) troubles: Vec<String>,
}

#[expect(clippy::unused_async, reason = "a build with Kafka waits for it")]
pub(crate) async fn look(settings: &KafkaSettings) -> Seen {
    match *settings {}
}

/// Nothing runs with Kafka in this build.
pub(crate) enum Running {}

impl Running {
    #[expect(clippy::unused_async, reason = "a build with Kafka waits for it")]
    pub(crate) async fn stop(self) {
        match self {}
    }
}

/// What the work with Kafka would need of the server.
#[expect(dead_code, reason = "a build with Kafka uses these")]
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

pub(crate) fn dead_letters(settings: &KafkaSettings) -> Option<Arc<dyn DeadLetters>> {
    match *settings {}
}

pub(crate) fn start(settings: &KafkaSettings, _: Server<'_>) -> Running {
    match *settings {}
}
