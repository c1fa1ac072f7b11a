//! A server that publishes to a broker, and what must be in the topics.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use loquet_tests::kafka_broker::{Broker, Record};
use loquet_tests::server::Server;
use serde_json::Value;

pub(crate) const TOPICS: [&str; 2] = ["loquet.accounts.v1", "loquet.companies.v1"];

/// A development server that publishes to a broker. Its topics have three partitions.
pub(crate) async fn server(broker: &Broker) -> Server {
    server_with(broker, &[]).await
}

pub(crate) async fn server_with(broker: &Broker, variables: &[(&str, &str)]) -> Server {
    let brokers = broker.brokers();
    let mut all = vec![("LOQUET_KAFKA_BROKERS", brokers.as_str()), ("LOQUET_KAFKA_PARTITIONS", "3")];
    all.extend(variables);
    Server::with_variables(&all).await
}

/// Panics unless the topics hold every public event that the log has now exactly once, in order within each key.
pub(crate) async fn each_event_is_published_once(broker: &Broker, server: &Server) {
    let events = published_log(server).await;
    each_once_and_in_order(&broker.read(&TOPICS), &events);
}

/// The events that the log has now, after they were published. Events that are added meanwhile are not among them.
pub(crate) async fn published_log(server: &Server) -> Vec<Value> {
    let events = of_the_log(server).await;
    published(server).await;
    events
}

/// All events of the log in the public format, in their order. They come from another reader of the log than the
/// publisher.
pub(crate) async fn of_the_log(server: &Server) -> Vec<Value> {
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

/// Waits until everything is published, as the server says, and no reaction has anything left to add.
pub(crate) async fn published(server: &Server) {
    until(server, "everything is published", |ready| {
        let mut followers = ready["views"].as_object().unwrap().values();
        ready["services"]["kafka"] == "ok" && followers.all(|follower| follower["lag"] == 0)
    })
    .await;
}

/// Waits until the server's readiness is as asked for. Returns it.
pub(crate) async fn until(server: &Server, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let ready = server.service_get("/readyz").await.json();
        if is_so(&ready) {
            return ready;
        }
        assert!(begun.elapsed() < Duration::from_mins(2), "{what}: {ready:#}\n{}", server.errors());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Panics unless the records are of these events, of each exactly once, in order within each key. Records of later
/// events are not looked at.
#[track_caller]
pub(crate) fn each_once_and_in_order(records: &[Record], events: &[Value]) {
    let newest = events.last().map_or("", |event| event["sequence"].as_str().unwrap());
    let records: Vec<&Record> =
        records.iter().filter(|record| record.header("ce_sequence") <= newest).collect();
    let ids: Vec<&str> = records.iter().map(|record| record.header("ce_id")).collect();
    let distinct: BTreeSet<&str> = ids.iter().copied().collect();
    let wanted: BTreeSet<&str> = events.iter().map(|event| event["id"].as_str().unwrap()).collect();
    let is_lacking = |event: &&Value| !distinct.contains(event["id"].as_str().unwrap());
    let named = |event: &Value| format!("{} {}", event["sequence"], event["type"]);
    let lacking: Vec<String> = events.iter().filter(is_lacking).map(named).collect();
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
