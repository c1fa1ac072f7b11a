//! The stored form of events. This is part of the storage format.
//!
//! The data of an event are stored unchanged. The server's metadata are a JSON object with the event's own metadata in it,
//! unchanged. The object also has the fields for which the server has no place, and the ids by which the server's tools
//! connect events.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use eventstore::EventData;
use loquet_domain::ids::{AccountId, EventId};
use loquet_domain::ports::{NewEvent, Position, RecordedEvent, Revision, Sealed, StreamId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

/// The metadata of a stored event.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    #[serde(rename = "$correlationId", default, skip_serializing_if = "Option::is_none")]
    correlation_id: Option<String>,
    #[serde(rename = "$causationId", default, skip_serializing_if = "Option::is_none")]
    causation_id: Option<String>,
    version: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
    #[serde(borrow)]
    metadata: &'a RawValue,
}

/// The fields of an event's own metadata that the server's tools use.
#[derive(Default, Deserialize)]
struct Ids {
    #[serde(default)]
    correlation_id: Option<String>,
    #[serde(default)]
    causation_id: Option<String>,
}

/// Returns the bytes as JSON. Returns `None` if they are not JSON, or have spaces around it, which would be lost.
fn json(bytes: &[u8]) -> Option<&RawValue> {
    let raw: &RawValue = serde_json::from_slice(bytes).ok()?;
    (raw.get().len() == bytes.len()).then_some(raw)
}

/// Makes the stored form of an event. An error says what can't be stored.
pub(crate) fn stored(event: &NewEvent) -> Result<EventData, String> {
    let not_json = |what: &str| format!("the {what} of event {} is not JSON alone", event.id);
    let data = json(&event.data).ok_or_else(|| not_json("data"))?;
    let metadata = json(&event.metadata).ok_or_else(|| not_json("metadata"))?;
    let ids: Ids = serde_json::from_slice(&event.metadata).unwrap_or_default();
    let beside = Stored {
        correlation_id: ids.correlation_id,
        causation_id: ids.causation_id,
        version: event.version,
        subject: event.sealed.as_ref().map(|sealed| sealed.subject.0),
        sealed: event.sealed.as_ref().map(|sealed| STANDARD.encode(&sealed.bytes)),
        metadata,
    };
    let beside = serde_json::to_vec(&beside).map_err(|error| error.to_string())?;
    let stored = EventData::json(&event.name, &data).map_err(|error| error.to_string())?;
    Ok(stored.id(event.id.0).metadata(beside.into()))
}

/// Reads a position. Its halves differ only for events of explicit transactions, which this program never writes.
pub(crate) fn position(position: eventstore::Position) -> Result<Position, String> {
    if position.commit != position.prepare {
        return Err(format!(
            "the position {position} has two different halves, so another program wrote its event in an explicit transaction"
        ));
    }
    Ok(Position(position.commit))
}

/// Reads an event. An error says why this program can't have written it.
pub(crate) fn recorded(prefix: &str, event: &eventstore::RecordedEvent) -> Result<RecordedEvent, String> {
    let name = event.stream_id();
    let unreadable =
        |why: String| format!("event {} of the stream {name} can't be read: {why}", event.revision);
    let ours = name
        .strip_prefix(prefix)
        .ok_or_else(|| unreadable("the name of the stream does not begin with the prefix".to_owned()))?;
    let beside: Stored<'_> = serde_json::from_slice(&event.custom_metadata)
        .map_err(|error| unreadable(format!("another program wrote it ({error})")))?;
    let sealed = match (beside.subject, beside.sealed) {
        (None, None) => None,
        (Some(subject), Some(sealed)) => {
            let bytes = STANDARD.decode(sealed).map_err(|error| unreadable(error.to_string()))?;
            Some(Sealed { subject: AccountId(subject), bytes })
        }
        _ => return Err(unreadable("half of its sealed part is missing".to_owned())),
    };
    Ok(RecordedEvent {
        position: position(event.position).map_err(unreadable)?,
        stream: StreamId::stored(ours.to_owned()),
        revision: Revision(event.revision.saturating_add(1)),
        event: NewEvent {
            id: EventId(event.id),
            name: event.event_type.clone(),
            version: beside.version,
            data: event.data.to_vec(),
            metadata: beside.metadata.get().as_bytes().to_vec(),
            sealed,
        },
    })
}
