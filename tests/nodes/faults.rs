//! Nodes that are killed or hang, and a database that is away.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use loquet_crypto::random_ids::RandomIdentities;
use loquet_domain::ports::Identities;
use loquet_tests::environment::{now, variable};
use loquet_tests::server::order;
use reqwest::Method;

use crate::cluster::{Cluster, PASSWORD, SHAPES, signal, try_login};
use crate::history::{Told, explains};

/// A random number below `most`.
pub(crate) fn any(most: u32) -> u32 {
    RandomIdentities.fresh().as_fields().0 % most
}

/// How often a node is killed. `LOQUET_TEST_KILLS` says another number.
pub(crate) fn kills(usually: u32) -> u32 {
    variable("LOQUET_TEST_KILLS").and_then(|kills| kills.to_str()?.parse().ok()).unwrap_or(usually)
}

/// Orders and logins at all nodes at once. Returns the orders that were acknowledged, and what was told about logins.
pub(crate) async fn load(
    cluster: &Cluster,
    from: u32,
    accounts: &[(String, String)],
) -> (Vec<u32>, Vec<Told>) {
    let orders = (0..12_u32).map(|n| async move {
        let number = from + n;
        let node = &cluster.nodes[usize::try_from(n).unwrap() % cluster.nodes.len()];
        let body = order(number, 100 + number % 5, &format!("p{number}@example.be"));
        let answer =
            node.try_send(Method::POST, "/v1/orders", Some(&node.token()), Some(&body)).await.ok()?;
        (answer.status == 201).then_some(number)
    });
    let logins = (0..30_usize).map(|n| async move {
        let node = &cluster.nodes[n % cluster.nodes.len()];
        let (email, account) = &accounts[n % accounts.len()];
        let right = any(3) == 0;
        let sent = now();
        let answer = try_login(node, email, if right { PASSWORD } else { "Wrong1!!" }).await?;
        Some(Told::of(account, right, sent, now(), &answer))
    });
    let (orders, logins) = tokio::join!(join_all(orders), join_all(logins));
    (orders.into_iter().flatten().collect(), logins.into_iter().flatten().collect())
}

/// Everything that was acknowledged is in the log once, and every answer is explained by it.
pub(crate) async fn check(cluster: &Cluster, orders: &[u32], told: &[Told]) {
    cluster
        .until("every order is finished", async |cluster: &Cluster| {
            let log = cluster.log();
            let count = |name: &str| log.iter().filter(|event| event["type"] == name).count();
            count("order-received") == count("order-equipped")
        })
        .await;
    let log = cluster.log();
    cluster.has_positions_in_order(&log);
    for number in orders {
        let stream = format!("order-SO-{number}");
        let done =
            |event: &&serde_json::Value| event["stream"] == *stream && event["type"] == "order-onboarded";
        assert_eq!(log.iter().filter(done).count(), 1, "{stream} was acknowledged");
    }
    explains(&log, told, 7);
    let count = |status| told.iter().filter(|told| told.status == status).count();
    println!(
        "{} events, {} orders, {} logins, {} refused, {} locked out, {} without a verdict",
        log.len(),
        orders.len(),
        count(201),
        count(401),
        count(423),
        count(503) + count(500)
    );
    assert!(!orders.is_empty() && count(201) + count(401) + count(423) > 0, "the load never got through");
}

/// Law 5 across nodes: each mail goes once, or once more for each time that its sending was interrupted.
pub(crate) async fn mails(cluster: &Cluster, interruptions: usize) {
    let mut sent: BTreeMap<String, usize> = BTreeMap::new();
    for event in cluster.log().iter().filter(|event| event["type"] == "account-created") {
        let email = event["personal"]["email"].as_str().unwrap();
        cluster.nodes[0].mail(email, "Confirmez", 1).await;
        let mails = cluster.nodes[0].mails(email).await;
        let links = mails.iter().filter(|mail| mail["subject"].as_str().unwrap().contains("Confirmez"));
        sent.insert(email.to_owned(), links.count());
    }
    let again: usize = sent.values().map(|count| count - 1).sum();
    println!("{} mails, {again} of them again", sent.len());
    // Four mails are sent at once.
    assert!(again <= 4 * interruptions, "{again} mails were sent again: {sent:?}");
}

pub(crate) async fn active_accounts(cluster: &Cluster) -> Vec<(String, String)> {
    let mut accounts = Vec::new();
    for n in 1..4 {
        let email = format!("a{n}@example.be");
        let account = cluster.nodes[0].active(n, &email, PASSWORD).await;
        accounts.push((email, account));
    }
    accounts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_that_are_killed_again_and_again_lose_nothing_and_every_answer_is_explained() {
    let name = "nodes_that_are_killed_again_and_again_lose_nothing_and_every_answer_is_explained";
    for shape in SHAPES {
        let Some(cluster) = Cluster::of(shape, name, 3).await else { return };
        kill_nodes_of(cluster).await;
    }
}

async fn kill_nodes_of(mut cluster: Cluster) {
    let accounts = active_accounts(&cluster).await;
    let (mut orders, mut told) = (Vec::new(), Vec::new());
    let kills = kills(9);
    for round in 0..kills {
        let victim = match round % 2 {
            // Half of the time the node that sends the mails.
            0 => cluster.leader().unwrap_or_default(),
            _ => usize::try_from(any(3)).unwrap(),
        };
        let kill = async {
            tokio::time::sleep(Duration::from_millis(any(300).into())).await;
            signal(&cluster.nodes[victim], "-KILL");
        };
        let (loaded, ()) = tokio::join!(load(&cluster, 1000 + round * 20, &accounts), kill);
        orders.extend(loaded.0);
        told.extend(loaded.1);
        cluster.nodes[victim].kill();
        cluster.nodes[victim].restart().await;
    }
    check(&cluster, &orders, &told).await;
    mails(&cluster, usize::try_from(kills).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_database_that_crashes_stalls_or_takes_no_writes_loses_nothing_and_nodes_recover_by_themselves() {
    let name =
        "a_database_that_crashes_stalls_or_takes_no_writes_loses_nothing_and_nodes_recover_by_themselves";
    let Some(cluster) = Cluster::start(name, 2).await else { return };
    let accounts = active_accounts(&cluster).await;
    let (mut orders, mut told) = (Vec::new(), Vec::new());
    for round in 0..4_u32 {
        let disturb = async {
            tokio::time::sleep(Duration::from_millis(any(200).into())).await;
            match round {
                0 => {
                    cluster.postgres.crash();
                    cluster.postgres.run();
                }
                1 => {
                    cluster.postgres.stall();
                    tokio::time::sleep(Duration::from_secs(5)).await;
                    cluster.postgres.go_on();
                }
                2 => {
                    let ends = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE 'loquet%'";
                    cluster.postgres.sql(ends);
                }
                _ => {
                    cluster.postgres.sql("ALTER SYSTEM SET default_transaction_read_only = on");
                    cluster.postgres.sql("SELECT pg_reload_conf()");
                    tokio::time::sleep(Duration::from_secs(2)).await;
                    cluster.postgres.sql("ALTER SYSTEM RESET ALL");
                    cluster.postgres.sql("SELECT pg_reload_conf()");
                }
            }
        };
        let (loaded, ()) = tokio::join!(load(&cluster, 1000 + round * 20, &accounts), disturb);
        orders.extend(loaded.0);
        told.extend(loaded.1);
        cluster.until_ready().await;
    }
    let (loaded, after) = load(&cluster, 2000, &accounts).await;
    assert_eq!(loaded.len(), 12, "not every order was taken after the database came back");
    orders.extend(loaded);
    told.extend(after);
    check(&cluster, &orders, &told).await;
    mails(&cluster, 8).await;
}

/// A node that is suspended while it holds the lease wakes up when another node has taken over. What it then writes is
/// refused, and no mail goes twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_hangs_is_replaced_within_seconds_and_does_nothing_more_when_it_wakes_up() {
    let name = "a_leader_that_hangs_is_replaced_within_seconds_and_does_nothing_more_when_it_wakes_up";
    let Some(cluster) = Cluster::start(name, 3).await else { return };
    active_accounts(&cluster).await;
    let mut waits = Vec::new();
    for round in 0..3_u32 {
        let leader = cluster.leader().unwrap();
        let other = &cluster.nodes[(leader + 1) % 3];
        let told = |cluster: &Cluster| {
            cluster.nodes[leader].errors().matches("another node runs the reactions now").count()
        };
        let before = told(&cluster);
        cluster
            .until("no mail is on its way", async |cluster: &Cluster| {
                cluster
                    .postgres
                    .sql("SELECT count(*) FROM loquet.mails WHERE state IN ('pending', 'sending')")
                    == "0"
            })
            .await;
        signal(&cluster.nodes[leader], "-STOP");
        let begun = Instant::now();
        let email = format!("h{round}@example.be");
        other.service_post("/v1/orders", order(500 + round, 500, &email)).await.expect(201);
        other.mail(&email, "Confirmez", 1).await;
        waits.push(begun.elapsed());
        signal(&cluster.nodes[leader], "-CONT");
        cluster
            .until("the old leader knows that it is not the leader any more", async |cluster: &Cluster| {
                told(cluster) > before
            })
            .await;
    }
    println!("a mail after the leader hung: {waits:?}");
    mails(&cluster, 0).await;
}
