//! `loquet webhook add`, `list`, `rotate`, `failing`, `retry` and `remove`.

use anyhow::{Context, bail};
use chrono::TimeDelta;
use loquet_crypto::random_ids::RandomIdentities;
use loquet_domain::ports::{Identities, Position};
use loquet_projections::ports::{Delivery, Endpoint, LogPoint, Webhooks};
use loquet_webhooks::event_id_at;
use loquet_webhooks::signature::written;
use serde_json::json;
use uuid::Uuid;

use super::show::{moment, moment_or_dash, table};
use crate::adapters;
use crate::cli::{AddWebhook, DataDirectory, Output, RotateWebhook, WebhookCommand};
use crate::clock;
use crate::config::Config;
use crate::output::{Reader, agreed, columns, line, result, secret};
use crate::settings;
use crate::system::System;

/// The most deliveries that are listed.
const MOST_LISTED: u32 = 1000;

pub(crate) async fn run(
    directory: &DataDirectory,
    config: &Config,
    command: WebhookCommand,
) -> anyhow::Result<()> {
    let webhooks = adapters::webhooks(directory).await?;
    let webhooks = webhooks.as_ref();
    match command {
        WebhookCommand::Add(what) => add(directory, config, webhooks, what).await,
        WebhookCommand::List(how) => list(directory, webhooks, Output::of(how.json)).await,
        WebhookCommand::Rotate(which) => rotate(directory, webhooks, which).await,
        WebhookCommand::Failing { id, json } => failing(webhooks, id, Output::of(json)).await,
        WebhookCommand::Retry { id } => {
            let count = webhooks.retry(known(webhooks, id).await?.id, clock::now()).await?;
            webhooks.stop(id, None).await?;
            result(
                format_args!("the webhook goes on; deliveries that are sent again now: {count}"),
                &json!({ "webhook_id": id, "retried": count }),
            );
            Ok(())
        }
        WebhookCommand::SetPosition { id, position, yes } => {
            let store = System::open_to_read(directory).await?.store;
            let head = store.head().await?;
            let position = Position(position);
            if position > head {
                bail!("the log ends at position {head}: choose a position from 0 to {head}");
            }
            let event_id = event_id_at(store.as_ref(), position).await?;
            agreed(
                format_args!(
                    "This removes the deliveries of webhook {id} that wait and are after position {position}."
                ),
                yes,
            )?;
            let to = LogPoint { position, event_id };
            webhooks.set_position(known(webhooks, id).await?.id, None, to).await?;
            result(
                format_args!("events after position {position} are sent next"),
                &json!({ "webhook_id": id, "position": position }),
            );
            Ok(())
        }
        WebhookCommand::Remove { id, yes } => {
            agreed(format_args!("This removes webhook {id} with its deliveries."), yes)?;
            if !webhooks.remove(id).await? {
                bail!("there is no webhook {id}");
            }
            result(format_args!("{id} is removed"), &json!({ "webhook_id": id, "removed": true }));
            Ok(())
        }
    }
}

async fn add(
    directory: &DataDirectory,
    config: &Config,
    webhooks: &dyn Webhooks,
    what: AddWebhook,
) -> anyhow::Result<()> {
    let guard = settings::guard(config).context("the configuration is not valid")?;
    let url = guard.check(&what.url)?;
    let system = System::open_to_read(directory).await?;
    let head = system.store.head().await?;
    let position = what.after.map_or(head, Position);
    if position > head {
        bail!("the log ends at position {head}");
    }
    let endpoint = Endpoint {
        id: RandomIdentities.fresh(),
        url: url.to_string(),
        types: what.types,
        created_at: clock::now(),
        secret: 1,
        older_secret_until: None,
        position,
        event_id: event_id_at(system.store.as_ref(), position).await?,
        stopped: None,
    };
    let (id, shown) = (endpoint.id, written(&system.keys.tokens().webhook_secret(endpoint.id, 1)));
    webhooks.add(endpoint).await?;
    hand_over(id, &shown, what.json);
    Ok(())
}

/// Prints a secret. It is shown this once only.
fn hand_over(id: Uuid, shown: &str, json: bool) {
    let lost =
        || format!("the secret of webhook {id} was lost: `loquet webhook rotate {id}` makes another one");
    match json {
        true => secret(json!({ "webhook_id": id, "secret": shown }), lost),
        false => {
            secret(format_args!("webhook  {id}\nsecret   {shown}\nThe secret is not shown again."), lost);
        }
    }
}

async fn known(webhooks: &dyn Webhooks, id: Uuid) -> anyhow::Result<Endpoint> {
    let found = webhooks.list().await?.into_iter().find(|endpoint| endpoint.id == id);
    found.with_context(|| format!("there is no webhook {id}"))
}

async fn rotate(
    directory: &DataDirectory,
    webhooks: &dyn Webhooks,
    which: RotateWebhook,
) -> anyhow::Result<()> {
    let until = clock::now() + TimeDelta::hours(which.keep_hours.into());
    let Some(number) = webhooks.rotate(which.id, until).await? else {
        bail!("there is no webhook {}", which.id);
    };
    let system = System::open_to_read(directory).await?;
    hand_over(which.id, &written(&system.keys.tokens().webhook_secret(which.id, number)), which.json);
    Ok(())
}

async fn list(directory: &DataDirectory, webhooks: &dyn Webhooks, output: Output) -> anyhow::Result<()> {
    let head = System::open_to_read(directory).await?.store.head().await?;
    let mut rows = table(&["WEBHOOK", "URL", "TYPES", "CREATED", "LAG", "WAITING", "DEAD", "STOPPED BY"]);
    for endpoint in webhooks.list().await? {
        let counts = webhooks.counts(endpoint.id).await?;
        let lag = head.0.saturating_sub(endpoint.position.0);
        if output == Output::Json {
            let shown = json!({
                "webhook_id": endpoint.id, "url": endpoint.url, "types": endpoint.types,
                "created_at": endpoint.created_at, "position": endpoint.position, "lag": lag,
                "waiting": counts.waiting, "dead": counts.dead, "stopped": endpoint.stopped,
            });
            if line(shown) == Reader::Gone {
                break;
            }
            continue;
        }
        let types = if endpoint.types.is_empty() { "all".to_owned() } else { endpoint.types.join(" ") };
        rows.add_row([
            endpoint.id.to_string(),
            endpoint.url,
            types,
            moment(endpoint.created_at),
            lag.to_string(),
            counts.waiting.to_string(),
            counts.dead.to_string(),
            endpoint.stopped.unwrap_or_default(),
        ]);
    }
    if output == Output::Text {
        columns(&rows);
    }
    Ok(())
}

async fn failing(webhooks: &dyn Webhooks, id: Uuid, output: Output) -> anyhow::Result<()> {
    let id = known(webhooks, id).await?.id;
    let mut rows = table(&["EVENT AT", "TRIES", "NEXT TRY", "WHY"]);
    for Delivery { position, tries, due_at, why, .. } in webhooks.failing(id, MOST_LISTED).await? {
        if output == Output::Json {
            let shown = json!({
                "position": position, "tries": tries, "due_at": due_at, "dead": due_at.is_none(), "why": why,
            });
            if line(shown) == Reader::Gone {
                break;
            }
            continue;
        }
        rows.add_row([
            position.to_string(),
            tries.to_string(),
            moment_or_dash(due_at),
            why.unwrap_or_default(),
        ]);
    }
    if output == Output::Text {
        columns(&rows);
    }
    Ok(())
}
