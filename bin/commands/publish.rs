//! `loquet publish`: the history again, for a new consumer.

use std::sync::Arc;

use anyhow::{Context, bail};
use loquet_domain::ports::Position;
use loquet_kafka::Replay;
use loquet_public_events::Topic;
use serde_json::json;

use super::show::progress;
use crate::cli::{DataDirectory, Publish};
use crate::config::Config;
use crate::kafka::KafkaSettings;
use crate::output::outcome;
use crate::settings;
use crate::system::System;

pub(crate) async fn run(
    directory: &DataDirectory,
    config: &mut Config,
    publish: Publish,
) -> anyhow::Result<()> {
    let contract = settings::contract(config);
    let KafkaSettings { connection, publishing, .. } = super::kafka::of(config)?;
    let contract = contract.context("the configuration is not valid")?;
    let names = publishing.clone();
    let known = Topic::ALL.into_iter().find(|topic| {
        [topic.word(), topic.name(), publishing.name(*topic)].contains(&publish.topic.as_str())
    });
    let Some(topic) = known else {
        bail!("there is no topic '{}': the topics are accounts and companies", publish.topic)
    };
    let system = System::open_to_read(directory).await?;
    let head = system.store.head().await?;
    let bar = progress(head.0, &publish.to_topic)?;
    let replay = Replay {
        store: system.store.clone(),
        codec: system.codec.clone(),
        contract: Arc::new(contract),
        connection,
        publishing,
        topic,
        to_topic: publish.to_topic.clone(),
        from: Position(publish.from),
    };
    let replayed = replay.run(|position, _| bar.set_position(position.0)).await?;
    bar.finish_and_clear();
    let (events, position) = (replayed.events, replayed.position);
    if publish.json {
        outcome(json!({ "topic": publish.to_topic, "events": events, "position": position }));
    } else {
        outcome(format_args!(
            "{events} events published in {}, which has all up to position {position}. Newer ones are in {}, with a \
             ce_sequence above {:020}",
            publish.to_topic,
            names.name(topic),
            position.0
        ));
    }
    Ok(())
}
