//! `loquet orders dead-letters`: orders from Kafka that could not be taken.

use std::process::ExitCode;

use anyhow::{Context, bail};
use loquet_domain::values::plain_text::visible;
use loquet_kafka::{DeadLetters, Letter};
use serde_json::{Value, json};

use super::show::{fields, table};
use crate::cli::{DeadLettersCommand, Output};
use crate::config::Config;
use crate::output::{Reader, agreed, columns, line, result};

pub(crate) async fn run(config: &mut Config, command: DeadLettersCommand) -> anyhow::Result<ExitCode> {
    let settings = super::kafka::of(config)?;
    let orders = settings.orders.context("kafka.orders_topic is not set: no orders are taken from Kafka")?;
    let dead_letters = DeadLetters::open(&settings.connection, &orders).await?;
    let letters = dead_letters.list().await?;
    match command {
        DeadLettersCommand::List(how) => list(&letters, Output::of(how.json)),
        DeadLettersCommand::Show { id } => fields(&as_json(find(&letters, &id)?)),
        DeadLettersCommand::Retry { ids, all } => {
            let chosen = match all {
                true => letters.iter().collect(),
                false => ids.iter().map(|id| find(&letters, id)).collect::<anyhow::Result<Vec<_>>>()?,
            };
            for letter in &chosen {
                dead_letters.retry(letter).await?;
            }
            result(
                format_args!("orders sent to {} again: {}", orders.topic, chosen.len()),
                &json!({ "topic": orders.topic, "retried": chosen.len() }),
            );
        }
        DeadLettersCommand::Discard { ids, yes } => {
            agreed(format_args!("This removes these orders for good: {}.", ids.join(", ")), yes)?;
            let chosen = ids.iter().map(|id| find(&letters, id)).collect::<anyhow::Result<Vec<_>>>()?;
            for letter in &chosen {
                dead_letters.discard(letter).await?;
            }
            result(
                format_args!("dead letters removed: {}", chosen.len()),
                &json!({ "discarded": chosen.len() }),
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn find<'a>(letters: &'a [Letter], id: &str) -> anyhow::Result<&'a Letter> {
    match letters.iter().find(|letter| letter.id == id) {
        Some(letter) => Ok(letter),
        None => bail!("there is no dead letter '{id}': `loquet orders dead-letters list` shows all"),
    }
}

fn list(letters: &[Letter], output: Output) {
    let mut rows = table(&["ID", "SINCE", "REASON"]);
    for letter in letters {
        if output == Output::Json {
            if line(as_json(letter)) == Reader::Gone {
                return;
            }
            continue;
        }
        rows.add_row([letter.id.clone(), letter.at.clone(), visible(&letter.reason).into_owned()]);
    }
    if output == Output::Text {
        columns(&rows);
    }
}

fn as_json(letter: &Letter) -> Value {
    let text = |bytes: &[u8]| visible(&String::from_utf8_lossy(bytes)).into_owned();
    let headers: Vec<String> =
        letter.headers.iter().map(|(name, value)| format!("{}: {}", visible(name), text(value))).collect();
    json!({
        "id": letter.id,
        "reason": visible(&letter.reason),
        "since": letter.at,
        "key": letter.key.as_deref().map(text),
        "headers": headers,
        "original": letter.value.as_deref().map(text),
    })
}
