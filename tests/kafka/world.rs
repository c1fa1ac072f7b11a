//! A server that publishes to a broker, and what must be in the topics.

use std::time::{Duration, Instant};

use loquet_tests::kafka_broker::Broker;
pub(crate) use loquet_tests::published_events::{TOPICS, each_once_and_in_order, of_the_log};
use loquet_tests::server::Server;
use serde_json::Value;

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
