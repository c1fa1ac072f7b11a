//! What reaches other services on the command line: the contract of events, webhooks, and Kafka.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::output::Json;
use super::words;

#[derive(Args)]
pub(crate) struct Schema {
    /// A type of event, such as loquet.account.locked.v1. Without it, the command prints one JSON object with the
    /// schema of every type.
    #[arg(conflicts_with = "to", hide_possible_values = true, value_parser = super::words::event_types())]
    pub(crate) r#type: Option<String>,
    /// The directory.
    #[arg(long)]
    pub(crate) to: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(crate) enum WebhookCommand {
    /// Add a webhook, and print its secret once. The webhook commands work while the server runs.
    Add(AddWebhook),
    /// List all webhooks: position, waiting deliveries and dead letters.
    List(Json),
    /// Give a webhook a new secret, and print it once. For 24 hours, deliveries are signed with the old one too.
    Rotate(RotateWebhook),
    /// List the deliveries of a webhook that failed: those that are tried again, and dead letters.
    Failing {
        /// The id of the webhook.
        #[arg(value_parser = words::id::<uuid::Uuid>)]
        id: uuid::Uuid,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Send every delivery of a webhook again that failed, dead letters too, without waiting. If the webhook was stopped,
    /// it goes on.
    Retry {
        /// The id of the webhook.
        #[arg(value_parser = words::id::<uuid::Uuid>)]
        id: uuid::Uuid,
    },
    /// Set the position of a webhook: events after it are sent next. Deliveries of later events are removed first. If the
    /// webhook was stopped, it goes on.
    SetPosition {
        /// The id of the webhook.
        #[arg(value_parser = words::id::<uuid::Uuid>)]
        id: uuid::Uuid,
        /// The position. 0 sends the whole history again.
        position: u64,
        /// Set it without a question. Without this flag, the command asks at a terminal, and fails elsewhere.
        #[arg(long)]
        yes: bool,
    },
    /// Remove a webhook, with its deliveries.
    Remove {
        /// The id of the webhook.
        #[arg(value_parser = words::id::<uuid::Uuid>)]
        id: uuid::Uuid,
        /// Remove it without a question. Without this flag, the command asks at a terminal, and fails elsewhere.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Args)]
pub(crate) struct AddWebhook {
    /// The URL to which events are sent. It begins with https://, unless it leads to one of `webhooks.allowed_networks`.
    pub(crate) url: String,
    /// A type of event, such as loquet.account.locked.v1. Repeatable. Without it, events of all types are sent.
    /// `loquet schema` prints all types.
    #[arg(long = "type", hide_possible_values = true, value_parser = super::words::event_types())]
    pub(crate) types: Vec<String>,
    /// Send the events after this position of the log. 0 sends the whole history. Without it, only new events are sent.
    #[arg(long)]
    pub(crate) after: Option<u64>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct RotateWebhook {
    /// The id of the webhook.
    #[arg(value_parser = words::id::<uuid::Uuid>)]
    pub(crate) id: uuid::Uuid,
    /// The number of hours for which deliveries are signed with the old secret too.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u16).range(0..=720))]
    pub(crate) keep_hours: u16,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(feature = "kafka")]
#[derive(Subcommand)]
pub(crate) enum DeadLettersCommand {
    /// List the orders that could not be taken, with the reason of each.
    List(Json),
    /// Show one of these orders: the original record, and the reason.
    Show {
        /// The id of the dead letter, as `dead-letters list` prints it.
        id: String,
    },
    /// Send the originals to the topic of orders again, and remove the dead letters.
    Retry {
        /// The ids of the dead letters.
        #[arg(required_unless_present = "all")]
        ids: Vec<String>,
        /// Retry every dead letter.
        #[arg(long, conflicts_with = "ids")]
        all: bool,
    },
    /// Remove dead letters without trying the orders again. Their personal data is removed with them.
    Discard {
        /// The ids of the dead letters.
        #[arg(required = true)]
        ids: Vec<String>,
        /// Remove them without a question. Without this flag, the command asks at a terminal, and fails elsewhere.
        #[arg(long)]
        yes: bool,
    },
}

#[cfg(feature = "kafka")]
#[derive(Subcommand)]
pub(crate) enum KafkaCommand {
    /// Check the connection to Kafka and the topics, and show how far events are published.
    Status(Json),
    /// Set the position of the publisher: events after it are published next. A server that publishes goes on from
    /// there. Consumers get events again if the position goes back, and miss events if it goes forward.
    SetPosition {
        /// The position. 0 publishes the whole history again.
        position: u64,
    },
}

#[cfg(feature = "kafka")]
#[derive(Args)]
pub(crate) struct Publish {
    /// The topic whose events are published again: accounts, companies, or the configured name.
    #[arg(long)]
    pub(crate) topic: String,
    /// The position of the first event.
    #[arg(long, default_value_t = 1)]
    pub(crate) from: u64,
    /// The topic into which the events go. It is created if it does not exist.
    #[arg(long)]
    pub(crate) to_topic: String,
    /// Print the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
