//! A node that is cut off from the network while it holds the lease and publishes. Clients reach it all the time, which is
//! the harder case: whoever gets an answer there must not be told anything that the log does not say.

use std::time::{Duration, Instant};

use loquet_tests::kafka_broker::{Broker, Extra};
use loquet_tests::postgres_server::PostgresServer;
use loquet_tests::server::{free_port, order};
use reqwest::Method;

use crate::cluster::{Cluster, PASSWORD, try_login};
use crate::faults::{active_accounts, any, check, load, mails};
use crate::network::Namespace;
use crate::publishing::{published_once, publishes, until_one_publishes};
use crate::writes;

/// The node that is cut off. The other two reach the database on this machine.
const CUT_OFF: usize = 2;
const ITS_NAME: &str = "node-3";

/// A database that nodes in the namespace reach.
fn reachable(test: &str, namespace: &Namespace) -> Option<PostgresServer> {
    let address = namespace.address();
    PostgresServer::start_with(test, &format!("listen_addresses = '127.0.0.1, {address}'"))
}

/// How often the node that is cut off noticed that it is not the leader any more.
fn noticed(cluster: &Cluster) -> usize {
    cluster.nodes[CUT_OFF].errors().matches("another node runs the reactions now").count()
}

async fn until_noticed(cluster: &Cluster, before: usize) {
    cluster
        .until("the old leader knows that it is not the leader any more", async |cluster: &Cluster| {
            noticed(cluster) > before
        })
        .await;
}

async fn until_replaced(cluster: &Cluster) {
    cluster
        .until("another node leads", async |cluster: &Cluster| {
            cluster.leader().is_some_and(|leader| leader != CUT_OFF)
        })
        .await;
}

/// The others do what the old leader did. The old leader gives no verdict, and says that it is not ready.
async fn while_cut_off(cluster: &Cluster, email: &str, before: usize) {
    cluster.nodes[0].service_post("/v1/orders", order(500, 500, "cut@example.be")).await.expect(201);
    cluster.nodes[0].mail("cut@example.be", "Confirmez", 1).await;
    until_noticed(cluster, before).await;
    let node = &cluster.nodes[CUT_OFF];
    try_login(node, email, PASSWORD).await.unwrap().expect(503);
    node.send(Method::GET, "/readyz", None, None).await.expect(503);
    node.send(Method::GET, "/readyz/logins", None, None).await.expect(503);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_leader_that_is_cut_off_is_replaced_gives_no_verdicts_and_writes_nothing_when_it_is_back() {
    let name = "a_leader_that_is_cut_off_is_replaced_gives_no_verdicts_and_writes_nothing_when_it_is_back";
    let Some(mut namespace) = Namespace::make(name) else { return };
    let Some(postgres) = reachable(name, &namespace) else { return };
    let mut cluster = Cluster::over(postgres, &[]);
    cluster.add(2).await;
    cluster.add_within(&mut namespace, &[]).await;
    let accounts = active_accounts(&cluster).await;
    writes::watch(&cluster.postgres);
    let (mut orders, mut told, mut waits) = (Vec::new(), Vec::new(), Vec::new());
    for (round, is_long) in [(0_u32, false), (1, true)] {
        cluster.lead(CUT_OFF).await;
        let before = noticed(&cluster);
        let cut = async {
            tokio::time::sleep(Duration::from_millis(any(300).into())).await;
            namespace.cut();
            let begun = Instant::now();
            until_replaced(&cluster).await;
            waits.push(begun.elapsed());
            if is_long {
                while_cut_off(&cluster, &accounts[0].0, before).await;
            }
            // After a short cut, the old leader may not know yet that it is replaced.
            let at = writes::newest(&cluster.postgres);
            namespace.mend();
            cluster.until_ready().await;
            until_noticed(&cluster, before).await;
            if is_long {
                writes::no_reaction_of(&cluster.postgres, ITS_NAME, at);
            }
        };
        let (loaded, ()) = tokio::join!(load(&cluster, 1000 + round * 20, &accounts), cut);
        orders.extend(loaded.0);
        told.extend(loaded.1);
        let (loaded, after) = load(&cluster, 2000 + round * 20, &accounts).await;
        assert_eq!(loaded.len(), 12, "not every order was taken after the link was repaired");
        orders.extend(loaded);
        told.extend(after);
    }
    println!("another node led after {waits:?}");
    check(&cluster, &orders, &told).await;
    mails(&cluster, 2).await;
    let changes = writes::only_the_holder_wrote(&cluster.postgres);
    assert!(changes >= 2, "the lease changed hands {changes} times");
    let again = writes::each_mail_was_sent_as_often_as_claimed(&cluster.postgres, &cluster.sent_mails());
    println!("{changes} changes of the leader, {again} mails again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn events_of_a_publisher_that_is_cut_off_are_published_once_by_another_node() {
    let name = "events_of_a_publisher_that_is_cut_off_are_published_once_by_another_node";
    let Some(mut namespace) = Namespace::make(name) else { return };
    let broker_there = format!("{}:{}", namespace.address(), free_port());
    let listeners = vec![format!("NAMESPACE://{broker_there}")];
    let Some(broker) = Broker::start_with(name, &Extra { listeners, ..Extra::default() }) else { return };
    let Some(postgres) = reachable(name, &namespace) else { return };
    let brokers = broker.brokers();
    let kafka = [("LOQUET_KAFKA_BROKERS", brokers.as_str()), ("LOQUET_KAFKA_PARTITIONS", "3")];
    let mut cluster = Cluster::over(postgres, &kafka);
    cluster.add(2).await;
    cluster.add_within(&mut namespace, &[("LOQUET_KAFKA_BROKERS", &broker_there)]).await;
    let accounts = active_accounts(&cluster).await;
    writes::watch(&cluster.postgres);
    cluster.lead(CUT_OFF).await;
    until_one_publishes(&cluster).await;
    let before = noticed(&cluster);
    let cut = async {
        tokio::time::sleep(Duration::from_millis(any(500).into())).await;
        namespace.cut();
        let begun = Instant::now();
        until_replaced(&cluster).await;
        let led = begun.elapsed();
        cluster
            .until("another node publishes", async |cluster: &Cluster| {
                publishes(&cluster.nodes[0]).await || publishes(&cluster.nodes[1]).await
            })
            .await;
        println!("another node led after {led:?}, and published after {:?}", begun.elapsed());
    };
    let ((mut orders, mut told), ()) = tokio::join!(load(&cluster, 1000, &accounts), cut);
    until_noticed(&cluster, before).await;
    namespace.mend();
    cluster.until_ready().await;
    let (loaded, after) = load(&cluster, 2000, &accounts).await;
    orders.extend(loaded);
    told.extend(after);
    until_one_publishes(&cluster).await;
    check(&cluster, &orders, &told).await;
    let events = published_once(&cluster, &broker).await;
    println!("{events} events, each once and in order");
    writes::only_the_holder_wrote(&cluster.postgres);
    writes::each_mail_was_sent_as_often_as_claimed(&cluster.postgres, &cluster.sent_mails());
}
