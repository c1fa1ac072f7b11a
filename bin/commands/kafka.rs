//! `loquet kafka status` and `set-position`.

use std::process::ExitCode;

use anyhow::Context;
use loquet_domain::ports::Position;
use loquet_kafka::set_position;
use serde_json::json;

use super::show::table;
use crate::cli::{DataDirectory, KafkaCommand, Output};
use crate::config::Config;
use crate::kafka::{self, KafkaSettings, Seen};
use crate::output::{columns, line, result};
use crate::system::System;

pub(crate) async fn run(
    directory: &DataDirectory,
    config: &mut Config,
    command: KafkaCommand,
) -> anyhow::Result<ExitCode> {
    let settings = of(config)?;
    match command {
        KafkaCommand::Status(how) => status(directory, &settings, Output::of(how.json)).await,
        KafkaCommand::SetPosition { position } => {
            let system = System::open_to_read(directory).await?;
            let KafkaSettings { connection, publishing, .. } = &settings;
            set_position(system.store.as_ref(), connection, publishing, Position(position)).await?;
            result(
                format_args!("events after position {position} are published next"),
                &json!({ "position": position }),
            );
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The settings of Kafka. Fails if Kafka is not configured.
pub(super) fn of(config: &mut Config) -> anyhow::Result<KafkaSettings> {
    let settings = kafka::settings(config);
    super::config::refuse_faults(config)?;
    settings.context("kafka.brokers is not set: Kafka is not used")
}

async fn status(
    directory: &DataDirectory,
    settings: &KafkaSettings,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let head = match System::open_to_read(directory).await {
        Ok(system) => Some(system.store.head().await?),
        Err(_) => None,
    };
    let Seen { topics, published, dead_letters, warnings, troubles } = kafka::look(settings).await;
    let lag = head.zip(published.as_ref()).map(|(head, (position, _))| head.0.saturating_sub(position.0));
    if output == Output::Json {
        let (position, publisher) = published.unzip();
        let topics = topics.iter().map(
            |(name, partitions, copies)| json!({ "topic": name, "partitions": partitions, "copies": copies }),
        );
        line(json!({
            "brokers": settings.connection.brokers, "topics": topics.collect::<Vec<_>>(), "position": position,
            "publisher": publisher, "lag": lag, "dead_letters": dead_letters, "warnings": warnings, "troubles": troubles,
        }));
    } else {
        let mut rows = table(&["TOPIC", "PARTITIONS", "COPIES"]);
        for (name, partitions, copies) in topics {
            rows.add_row([name, partitions.to_string(), copies.to_string()]);
        }
        columns(&rows);
        let lag = lag.map(|lag| format!(", {lag} events behind the log")).unwrap_or_default();
        line(match &published {
            Some((position, publisher)) => {
                format!("published up to position {position}{lag}, by {publisher}")
            }
            None if troubles.is_empty() => "nothing was published yet".to_owned(),
            None => "the position is unknown".to_owned(),
        });
        if let Some(dead) = dead_letters {
            line(format_args!("orders that could not be taken: {dead}"));
        }
        for warning in &warnings {
            line(format_args!("warning: {warning}"));
        }
        for trouble in &troubles {
            line(format_args!("trouble: {trouble}"));
        }
    }
    Ok(if troubles.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
