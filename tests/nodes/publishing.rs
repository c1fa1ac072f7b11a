//! Several nodes that publish to one broker. One of them does, and the others stand by.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use loquet_tests::kafka_broker::Broker;
use loquet_tests::postgres_server::PostgresServer;
use loquet_tests::published_events::{TOPICS, each_once_and_in_order, lacking, of_the_log};
use loquet_tests::server::Server;

use crate::cluster::{Cluster, signal};
use crate::faults::{active_accounts, any, check, kills, load};

/// What a node says about its publisher. `None` if the node does not answer.
async fn publisher(node: &Server) -> Option<String> {
    let ready = node.try_send(reqwest::Method::GET, "/readyz", Some(&node.token()), None).await.ok()?;
    Some(ready.json()["services"]["kafka"].as_str()?.to_owned())
}

/// Whether a node is the one that publishes.
pub(crate) async fn publishes(node: &Server) -> bool {
    publisher(node).await.is_some_and(|said| said == "ok")
}

/// Waits until the leader publishes, and every other node knows that.
pub(crate) async fn until_one_publishes(cluster: &Cluster) {
    cluster
        .until("the leader publishes, and the others stand by", async |cluster: &Cluster| {
            let said = join_all(cluster.nodes.iter().map(publisher)).await;
            let count = |state: &str| said.iter().flatten().filter(|said| said.starts_with(state)).count();
            let leads = cluster.leader().is_some_and(|leader| said[leader].as_deref() == Some("ok"));
            leads && count("ok") == 1 && count("standby") == cluster.nodes.len() - 1
        })
        .await;
}

/// Waits until every event that the log has now is published. Panics unless each is in its topic once, in order within
/// each key. Returns their number.
pub(crate) async fn published_once(cluster: &Cluster, broker: &Broker) -> usize {
    let events = of_the_log(&cluster.nodes[0]).await;
    let begun = Instant::now();
    loop {
        let records = broker.read(&TOPICS);
        if lacking(&records, &events).is_empty() || begun.elapsed() > Duration::from_mins(2) {
            each_once_and_in_order(&records, &events);
            return events.len();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_that_are_killed_again_and_again_publish_each_event_once() {
    let name = "nodes_that_are_killed_again_and_again_publish_each_event_once";
    let Some(broker) = Broker::start(name) else { return };
    let Some(postgres) = PostgresServer::start(name) else { return };
    let brokers = broker.brokers();
    let kafka = [("LOQUET_KAFKA_BROKERS", brokers.as_str()), ("LOQUET_KAFKA_PARTITIONS", "3")];
    let mut cluster = Cluster::over(postgres, &kafka);
    cluster.add(3).await;
    let accounts = active_accounts(&cluster).await;
    let (mut orders, mut told, mut newest) = (Vec::new(), Vec::new(), 2);
    for round in 0..kills(6) {
        let victim = match round % 2 {
            // Half of the time the node that started last: it takes over from the one that publishes.
            0 => newest,
            _ => usize::try_from(any(3)).unwrap(),
        };
        let kill = async {
            tokio::time::sleep(Duration::from_millis(any(500).into())).await;
            signal(&cluster.nodes[victim], "-KILL");
        };
        let (loaded, ()) = tokio::join!(load(&cluster, 1000 + round * 20, &accounts), kill);
        orders.extend(loaded.0);
        told.extend(loaded.1);
        cluster.nodes[victim].kill();
        cluster.nodes[victim].restart().await;
        newest = victim;
    }
    check(&cluster, &orders, &told).await;
    let events = published_once(&cluster, &broker).await;
    println!("{events} events, each once and in order");
}
