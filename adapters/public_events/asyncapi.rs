//! The description of the topics: AsyncAPI 3.0.

use serde_json::{Map, Value, json};

use crate::catalog::types;
use crate::cloud_event::{JSON, SPEC_VERSION};
use crate::public_event::EventType;
use crate::topic::Topic;

/// The description of all topics and their events.
///
/// `version` is the version of the program.
#[must_use]
pub fn document(version: &str) -> Value {
    let per_topic = |of: fn(Topic) -> Value| -> Map<String, Value> {
        Topic::ALL.into_iter().map(|topic| (topic.word().to_owned(), of(topic))).collect()
    };
    let messages: Map<String, Value> = types().map(|known| (known.name.to_owned(), message(known))).collect();
    let schemas: Map<String, Value> =
        types().map(|known| (known.name.to_owned(), Value::from(known.schema()))).collect();
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Loquet events",
            "version": version,
            "description": "The public events of Loquet, as CloudEvents 1.0 in Kafka topics. Each event is published \
                exactly once to a consumer that reads with isolation.level=read_committed. Events with the same key \
                keep their order. New fields and new types of event may appear at any time: ignore those that you do \
                not know. A change that would break consumers is published as a new type with the next version in its \
                name.",
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "defaultContentType": JSON,
        "channels": per_topic(channel),
        "operations": per_topic(operation),
        "components": {
            "messages": messages,
            "schemas": schemas,
            "messageTraits": { "cloudEvent": { "headers": headers() } },
        },
    })
}

fn channel(topic: Topic) -> Value {
    let messages: Map<String, Value> = types()
        .filter(|known| known.topic == topic)
        .map(|known| {
            (known.name.to_owned(), json!({ "$ref": format!("#/components/messages/{}", known.name) }))
        })
        .collect();
    let description = match topic {
        Topic::Accounts => "Events of accounts. The key is the id of the account.",
        Topic::Companies => {
            "Events of companies, their sites, terminals, access rights, receipts and orders. The key is the id of \
             the company. The key of a take-over's event is the id of the take-over."
        }
    };
    json!({
        "address": topic.name(),
        "description": description,
        "messages": messages,
        "bindings": { "kafka": { "topic": topic.name(), "bindingVersion": "0.5.0" } },
    })
}

fn operation(topic: Topic) -> Value {
    json!({
        "action": "send",
        "channel": { "$ref": format!("#/channels/{}", topic.word()) },
        "summary": format!("Loquet publishes the events of {}.", topic.word()),
    })
}

fn message(known: &EventType) -> Value {
    let schema = known.schema();
    let summary = schema.get("description").cloned().unwrap_or_default();
    json!({
        "name": known.name,
        "summary": summary,
        "contentType": JSON,
        "traits": [{ "$ref": "#/components/messageTraits/cloudEvent" }],
        "bindings": { "kafka": { "key": { "type": "string", "format": "uuid" }, "bindingVersion": "0.5.0" } },
        "payload": { "$ref": format!("#/components/schemas/{}", known.name) },
    })
}

/// The headers of a record in binary mode.
fn headers() -> Value {
    let text = |description: &str| json!({ "type": "string", "description": description });
    json!({
        "type": "object",
        "required": [
            "content-type", "ce_specversion", "ce_id", "ce_source", "ce_type", "ce_subject", "ce_time", "ce_sequence",
        ],
        "properties": {
            "content-type": { "type": "string", "const": JSON, "description": "The media type of the value." },
            "ce_specversion": {
                "type": "string", "const": SPEC_VERSION, "description": "The version of CloudEvents.",
            },
            "ce_id": {
                "type": "string", "format": "uuid",
                "description": "The id of the event. An event that you receive twice has the same id.",
            },
            "ce_source": text("The installation that published the event, as a URI reference."),
            "ce_type": text("The type of event, with its version: the name of this message."),
            "ce_subject": text("The id of the account, company or take-over. It is also the key of the record."),
            "ce_time": {
                "type": "string", "format": "date-time", "description": "When it happened (RFC 3339, UTC).",
            },
            "ce_sequence": {
                "type": "string", "pattern": "^[0-9]{20}$",
                "description": "The position of the event in Loquet's log. Later events have a greater text.",
            },
        },
    })
}
