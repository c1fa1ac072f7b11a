//! `loquet kafka status` and `set-position`.

use std::process::ExitCode;

use anyhow::Context;
use loquet_domain::ports::Position;
use loquet_kafka::publisher::current_position;
use loquet_kafka::{Trouble, set_position, topics};
use loquet_projections::causes::Causes;
use serde_json::json;

use super::show::table;
use crate::cli::{DataDirectory, KafkaCommand, Output};
use crate::config::Config;
use crate::kafka::{self, KafkaSettings};
use crate::output::{line, outcome};
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
            outcome(format_args!("events after position {position} are published next"));
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
    let KafkaSettings { connection, publishing, .. } = settings;
    let head = match System::open_to_read(directory).await {
        Ok(system) => Some(system.store.head().await?),
        Err(_) => None,
    };
    let checked = topics::look(connection, publishing).await;
    let position = match &checked {
        Ok(_) => current_position(connection, publishing).await,
        Err(_) => Ok(None),
    };
    let troubles: Vec<String> = checked
        .as_ref()
        .err()
        .into_iter()
        .chain(position.as_ref().err())
        .map(|t: &Trouble| Causes(t).to_string())
        .collect();
    let known = position.ok().flatten();
    let lag = head.zip(known.as_ref()).map(|(head, known)| head.0.saturating_sub(known.position.0));
    let warnings: Vec<String> =
        checked.iter().flat_map(|checked| &checked.warnings).map(ToString::to_string).collect();
    if output == Output::Json {
        let topics: Vec<_> = checked
            .iter()
            .flat_map(|checked| &checked.topics)
            .map(|(name, state)| json!({ "topic": name, "partitions": state.partitions, "copies": state.replication }))
            .collect();
        line(json!({
            "brokers": connection.brokers, "topics": topics, "position": known.as_ref().map(|known| known.position),
            "publisher": known.as_ref().map(|known| &known.publisher), "lag": lag, "warnings": warnings,
            "troubles": troubles,
        }));
    } else {
        if let Ok(checked) = &checked {
            let mut rows = table(&["TOPIC", "PARTITIONS", "COPIES"]);
            for (name, state) in &checked.topics {
                rows.add_row([name.clone(), state.partitions.to_string(), state.replication.to_string()]);
            }
            line(&rows);
        }
        let lag = lag.map(|lag| format!(", {lag} events behind the log")).unwrap_or_default();
        line(match &known {
            Some(known) => {
                format!("published up to position {}{lag}, by {}", known.position, known.publisher)
            }
            None => "nothing was published yet".to_owned(),
        });
        for warning in &warnings {
            line(format_args!("warning: {warning}"));
        }
        for trouble in &troubles {
            line(format_args!("trouble: {trouble}"));
        }
    }
    Ok(if troubles.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
