//! Turns what is in the log into messages of the protocol, and the other way round.

use std::collections::HashMap;

use prost::Message;
use prost::bytes::Bytes;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};

use crate::log::{Expected, MAX_APPEND, Proposed, Recorded, Refused};
use crate::protocol::rpc;
use crate::protocol::shared::{self, StreamIdentifier};
use crate::protocol::streams::ReadResp;
use crate::protocol::streams::read_resp::read_event::{self, RecordedEvent};
use crate::protocol::streams::read_resp::{Content, ReadEvent};

/// In which form a client wants ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ids {
    Text,
    Halves,
}

pub(crate) fn response(content: Content) -> ReadResp {
    ReadResp { content: Some(content) }
}

/// The name in an identifier.
pub(crate) fn stream_name(identifier: Option<StreamIdentifier>) -> Result<String, Status> {
    let name = identifier.and_then(|identifier| String::from_utf8(identifier.stream_name.to_vec()).ok());
    name.filter(|name| !name.is_empty()).ok_or_else(|| Status::invalid_argument("a stream's name is missing"))
}

pub(crate) fn stream_identifier(name: &str) -> StreamIdentifier {
    StreamIdentifier { stream_name: Bytes::copy_from_slice(name.as_bytes()) }
}

pub(crate) fn id(id: Option<&shared::Uuid>) -> Option<uuid::Uuid> {
    match id?.value.as_ref()? {
        shared::uuid::Value::String(text) => text.parse().ok(),
        shared::uuid::Value::Structured(halves) => Some(uuid::Uuid::from_u64_pair(
            u64::from_be_bytes(halves.most_significant_bits.to_be_bytes()),
            u64::from_be_bytes(halves.least_significant_bits.to_be_bytes()),
        )),
    }
}

fn id_message(id: uuid::Uuid, ids: Ids) -> shared::Uuid {
    let value = match ids {
        Ids::Text => shared::uuid::Value::String(id.to_string()),
        Ids::Halves => {
            let (most, least) = id.as_u64_pair();
            shared::uuid::Value::Structured(shared::uuid::Structured {
                most_significant_bits: i64::from_be_bytes(most.to_be_bytes()),
                least_significant_bits: i64::from_be_bytes(least.to_be_bytes()),
            })
        }
    };
    shared::Uuid { value: Some(value) }
}

/// An event that a client proposes. The real server refuses one without type and content type.
pub(crate) fn proposed(
    of: Option<&shared::Uuid>,
    metadata: &HashMap<String, String>,
    custom_metadata: Bytes,
    data: Bytes,
) -> Result<Proposed, Status> {
    let text = |name: &str| {
        let missing = || Status::invalid_argument(format!("Required Metadata Property '{name}' is missing"));
        metadata.get(name).cloned().ok_or_else(missing)
    };
    let id = id(of).ok_or_else(|| Status::invalid_argument("an event's id is missing"))?;
    Ok(Proposed { id, kind: text("type")?, content_type: text("content-type")?, data, custom_metadata })
}

/// An event as a client reads it.
pub(crate) fn read_event(recorded: &Recorded, ids: Ids) -> Content {
    let event = &recorded.event;
    // In steps of 100 nanoseconds, as the real server counts.
    let created = recorded.created.as_nanos() / 100;
    let metadata = [
        ("type", event.kind.clone()),
        ("content-type", event.content_type.clone()),
        ("created", created.to_string()),
    ];
    Content::Event(ReadEvent {
        event: Some(RecordedEvent {
            id: Some(id_message(event.id, ids)),
            stream_identifier: Some(stream_identifier(&recorded.stream)),
            stream_revision: recorded.revision,
            prepare_position: recorded.position,
            commit_position: recorded.position,
            metadata: metadata.map(|(name, value)| (name.to_owned(), value)).into(),
            custom_metadata: event.custom_metadata.clone(),
            data: event.data.clone(),
        }),
        link: None,
        position: Some(read_event::Position::CommitPosition(recorded.position)),
    })
}

pub(crate) fn stream_deleted(stream: &str) -> Status {
    let mut metadata = MetadataMap::new();
    metadata.insert("exception", MetadataValue::from_static("stream-deleted"));
    if let Ok(stream) = stream.parse() {
        metadata.insert("stream-name", stream);
    }
    let message = format!("Event stream '{stream}' is deleted.");
    Status::with_metadata(Code::FailedPrecondition, message, metadata)
}

pub(crate) fn too_large() -> Status {
    let mut metadata = MetadataMap::new();
    metadata.insert("exception", MetadataValue::from_static("maximum-append-size-exceeded"));
    metadata.insert("maximum-append-size", MAX_APPEND.into());
    let message = format!("Maximum Append Size of {MAX_APPEND} Exceeded.");
    Status::with_metadata(Code::InvalidArgument, message, metadata)
}

/// The refusal of an append with `Append`, `Delete` or `Tombstone`.
pub(crate) fn refusal(what: &str, stream: &str, expected: Expected, refused: Refused) -> Status {
    match refused {
        Refused::StreamDeleted => stream_deleted(stream),
        Refused::TooLarge => too_large(),
        Refused::WrongExpectedVersion { current } => {
            let number = |revision: Option<u64>| revision.map_or("-1".to_owned(), |n| n.to_string());
            let expected = match expected {
                Expected::Any => "-2".to_owned(),
                Expected::Exists => "-4".to_owned(),
                Expected::NoStream => "-1".to_owned(),
                Expected::Revision(revision) => revision.to_string(),
            };
            let current = number(current);
            let mut metadata = MetadataMap::new();
            metadata.insert("exception", MetadataValue::from_static("wrong-expected-version"));
            for (name, value) in
                [("stream-name", stream), ("expected-version", &expected), ("actual-version", &current)]
            {
                if let Ok(value) = value.parse() {
                    metadata.insert(name, value);
                }
            }
            let message = format!(
                "{what} failed due to WrongExpectedVersion. Stream: {stream}, Expected version: {expected}, Actual version: {current}"
            );
            Status::with_metadata(Code::FailedPrecondition, message, metadata)
        }
    }
}

/// The refusal of an append within a batch. Its details are messages, as the real server packs them.
pub(crate) fn batch_refusal(stream: &str, expected: Expected, refused: Refused) -> rpc::Status {
    match refused {
        Refused::StreamDeleted => {
            let details = shared::StreamDeleted { stream_identifier: Some(stream_identifier(stream)) };
            batch_status(rpc::Code::NotFound, "StreamDeleted", &details)
        }
        Refused::TooLarge => {
            let max_append_size = u32::try_from(MAX_APPEND).unwrap_or(u32::MAX);
            let details = shared::MaximumAppendSizeExceeded { max_append_size };
            batch_status(rpc::Code::InvalidArgument, "MaximumAppendSizeExceeded", &details)
        }
        Refused::WrongExpectedVersion { current } => {
            use shared::wrong_expected_version as wrong;
            let current = match current {
                Some(revision) => wrong::CurrentStreamRevisionOption::CurrentStreamRevision(revision),
                None => wrong::CurrentStreamRevisionOption::CurrentNoStream(()),
            };
            let expected = match expected {
                Expected::Any => wrong::ExpectedStreamPositionOption::ExpectedAny(()),
                Expected::Exists => wrong::ExpectedStreamPositionOption::ExpectedStreamExists(()),
                Expected::NoStream => wrong::ExpectedStreamPositionOption::ExpectedNoStream(()),
                Expected::Revision(at) => wrong::ExpectedStreamPositionOption::ExpectedStreamPosition(at),
            };
            let details = shared::WrongExpectedVersion {
                current_stream_revision_option: Some(current),
                expected_stream_position_option: Some(expected),
            };
            batch_status(rpc::Code::AlreadyExists, "WrongExpectedVersion", &details)
        }
    }
}

/// A status within a batch. Its details are a message, which has the same name as the status, or none.
pub(crate) fn batch_status(code: rpc::Code, message: &str, details: &impl Message) -> rpc::Status {
    let name = match code {
        rpc::Code::Ok => "google.protobuf.Empty".to_owned(),
        _ => format!("event_store.client.{message}"),
    };
    let type_url = format!("type.googleapis.com/{name}");
    let details = prost_types::Any { type_url, value: details.encode_to_vec() };
    rpc::Status { code: code.into(), message: message.to_owned(), details: Some(details) }
}
