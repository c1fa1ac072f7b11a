//! What must be in the topics: each public event of the log once, in order within each key.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::kafka_broker::Record;
use crate::server::Server;

pub const TOPICS: [&str; 2] = ["loquet.accounts.v1", "loquet.companies.v1"];

/// All events of the log in the public format, in their order. They come from another reader of the log than the
/// publisher.
pub async fn of_the_log(server: &Server) -> Vec<Value> {
    let (mut events, mut cursor) = (Vec::new(), "0".to_owned());
    loop {
        let page = server.service_get(&format!("/v1/events?format=public&limit=200&cursor={cursor}")).await;
        let page = page.expect(200).json();
        let items = page["items"].as_array().unwrap();
        events.extend(items.iter().cloned());
        let next = page["next_cursor"].as_str().unwrap().to_owned();
        if page["position"] == next.parse::<u64>().unwrap() {
            return events;
        }
        cursor = next;
    }
}

/// The events of which no record is there.
pub fn lacking<'a>(records: &[Record], events: &'a [Value]) -> Vec<&'a Value> {
    let there: BTreeSet<&str> = records.iter().map(|record| record.header("ce_id")).collect();
    events.iter().filter(|event| !there.contains(event["id"].as_str().unwrap())).collect()
}

/// Panics unless the records are of these events, of each exactly once, in order within each key. Records of later
/// events are not looked at.
#[track_caller]
pub fn each_once_and_in_order(records: &[Record], events: &[Value]) {
    let named = |event: &Value| format!("{} {}", event["sequence"], event["type"]);
    let lacking: Vec<String> = lacking(records, events).into_iter().map(named).collect();
    let newest = events.last().map_or("", |event| event["sequence"].as_str().unwrap());
    let records: Vec<&Record> =
        records.iter().filter(|record| record.header("ce_sequence") <= newest).collect();
    let ids: Vec<&str> = records.iter().map(|record| record.header("ce_id")).collect();
    let distinct: BTreeSet<&str> = ids.iter().copied().collect();
    let wanted: BTreeSet<&str> = events.iter().map(|event| event["id"].as_str().unwrap()).collect();
    assert!(
        lacking.is_empty(),
        "{} of {} events are not in the topics: {lacking:#?}; the newest is {:?}",
        lacking.len(),
        wanted.len(),
        events.last().map(named)
    );
    let strange: Vec<_> = distinct.difference(&wanted).collect();
    assert!(strange.is_empty(), "{} records are of no event: {strange:?}", strange.len());
    assert_eq!(ids.len(), distinct.len(), "records are in the topics twice");
    let mut newest: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for record in records {
        let sequence = record.header("ce_sequence");
        let key = (record.topic.as_str(), record.key.as_deref().unwrap());
        if let Some(before) = newest.insert(key, sequence) {
            assert!(before < sequence, "{key:?}: {sequence} comes after {before}");
        }
    }
}
