//! A log that decides about accounts has to stay whole. The server removes events where a stream's metadata says so.

use std::collections::BTreeMap;

use eventstore::{RecordedEvent, StreamPosition};
use loquet_domain::ports::Position;
use serde_json::Value;

use crate::reading::{Part, Reader};
use crate::trouble::{Failure, OpenError};

/// The entries of metadata by which the server hides events and removes them.
const REMOVING: [&str; 3] = ["$maxAge", "$maxCount", "$tb"];
/// The types of the events that can take a stream away.
const TYPES: [&str; 2] = ["$metadata", "$streamDeleted"];
/// The streams of the server whose metadata concern all streams.
const OF_ALL: [&str; 2] = ["$all", "$streams"];

/// Refuses a log from which the server may remove events. The server searches its whole log for metadata of our streams.
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

/// A stream that was deleted softly has all its events truncated.
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
