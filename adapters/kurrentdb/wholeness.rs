//! Refuses a log from which the server may remove events. Accounts are made from all events of their streams, so a missing
//! event would change them. The server removes events if the metadata of a stream says so.

use std::collections::BTreeMap;

use eventstore::{RecordedEvent, StreamPosition};
use loquet_domain::ports::Position;
use serde_json::Value;

use crate::reading::{Part, Reader};
use crate::trouble::{Failure, OpenError};

/// The entries of metadata that make the server hide and remove events.
const REMOVING: [&str; 3] = ["$maxAge", "$maxCount", "$tb"];
/// The types of events that can make the server remove a stream or a part of it.
const TYPES: [&str; 2] = ["$metadata", "$streamDeleted"];
/// The streams whose metadata apply to all streams.
const OF_ALL: [&str; 2] = ["$all", "$streams"];

/// Refuses a log from which the server may remove events. The server searches its whole log for the metadata of streams with
/// the prefix, which may take time.
pub(crate) async fn check(reader: &Reader) -> Result<(), OpenError> {
    for stream in OF_ALL {
        match reader.stream(&format!("$${stream}"), StreamPosition::End, 1).await {
            Ok(events) => events.iter().try_for_each(|event| check_metadata(stream, event))?,
            Err(Failure::NotFound) => {}
            Err(failure) => return Err(failure.into()),
        }
    }
    let mut newest: BTreeMap<String, RecordedEvent> = BTreeMap::new();
    let found = reader.all(Part::From(Position(0)), usize::MAX, Some(Reader::of_types(&TYPES))).await;
    for event in found? {
        let stream = event.stream_id();
        if stream.starts_with(&reader.prefix) && event.event_type == "$streamDeleted" {
            return Err(OpenError::Deleted { stream: stream.to_owned() });
        }
        if let Some(stream) = stream.strip_prefix("$$").filter(|name| name.starts_with(&reader.prefix)) {
            newest.insert(stream.to_owned(), event);
        }
    }
    newest.iter().try_for_each(|(stream, event)| check_metadata(stream, event))
}

/// Refuses metadata that remove events. A soft deletion sets `$tb` to the greatest number.
fn check_metadata(stream: &str, event: &RecordedEvent) -> Result<(), OpenError> {
    let metadata: Value = serde_json::from_slice(&event.data).unwrap_or_default();
    let Some(what) =
        REMOVING.into_iter().find(|name| metadata.get(name).is_some_and(|value| !value.is_null()))
    else {
        return Ok(());
    };
    let stream = stream.to_owned();
    match metadata.get("$tb").and_then(Value::as_i64) {
        Some(i64::MAX) => Err(OpenError::Deleted { stream }),
        _ => Err(OpenError::NotWhole { stream, what }),
    }
}
