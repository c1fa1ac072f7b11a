//! Orders from a topic: each has its effect exactly once, whatever is killed.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use loquet_crypto::random_ids::RandomIdentities;
use loquet_domain::ports::Identities;
use loquet_tests::kafka_broker::Broker;
use loquet_tests::server::{Server, order};
use serde_json::{Value, json};

use crate::world::{server_with, until};

const TOPIC: &str = "loquet.orders.v1";
const DEAD_LETTERS: &str = "loquet.orders.dead-letters.v1";
const TAKES_ORDERS: [(&str, &str); 1] = [("LOQUET_KAFKA_ORDERS_TOPIC", TOPIC)];

/// An order as it is written to the topic: under the number of its company.
fn record(n: u32, company: u32) -> (String, String) {
    let order = order(n, company, &format!("p{n}@example.be"));
    (order["company"]["enterprise_number"].as_str().unwrap().to_owned(), order.to_string())
}

async fn ready_for_orders(server: &Server) {
    until(server, "orders are taken", |ready| ready["services"]["orders"] == "ok").await;
}

/// The events of this type, from the whole log.
async fn events(server: &Server, name: &str) -> Vec<Value> {
    let (mut found, mut cursor) = (Vec::new(), "0".to_owned());
    loop {
        let page = server.service_get(&format!("/v1/events?type={name}&limit=200&cursor={cursor}")).await;
        let page = page.expect(200).json();
        found.extend(page["items"].as_array().unwrap().iter().cloned());
        cursor = page["next_cursor"].as_str().unwrap().to_owned();
        if page["position"] == cursor.parse::<u64>().unwrap() {
            return found;
        }
    }
}

/// Waits until so many orders were equipped, which is their last event. Returns these events.
async fn equipped(server: &Server, count: usize) -> Vec<Value> {
    let begun = Instant::now();
    loop {
        let found = events(server, "order-equipped").await;
        if found.len() >= count {
            return found;
        }
        let so_far = found.len();
        assert!(begun.elapsed() < Duration::from_mins(2), "{so_far} of {count}: {}", server.errors());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[track_caller]
fn dead_letters(server: &Server, broker: &Broker, arguments: &[&str]) -> String {
    let ran = server
        .command()
        .args(["orders", "dead-letters"])
        .args(arguments)
        .env("LOQUET_KAFKA_BROKERS", broker.brokers())
        .env("LOQUET_KAFKA_ORDERS_TOPIC", TOPIC)
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap()
}

#[tokio::test]
async fn an_order_from_a_topic_is_taken_and_one_that_cannot_be_is_a_dead_letter_that_can_be_retried() {
    let name = "an_order_from_a_topic_is_taken_and_one_that_cannot_be_is_a_dead_letter_that_can_be_retried";
    let Some(broker) = Broker::start(name) else { return };
    let server = server_with(&broker, &TAKES_ORDERS).await;
    ready_for_orders(&server).await;
    let mut wrong = order(7, 7, "p7@example.be");
    wrong["company"]["enterprise_number"] = json!("0123456700");
    wrong["contact"]["email"] = json!("no address");
    let mut other = order(1, 1, "p1@example.be");
    other["lines"][0]["quantity"] = json!(5);
    let structured = json!({ "specversion": "1.0", "id": "1", "source": "/shop", "type": "order", "data": order(2, 1, "p1@example.be") });
    broker.write(TOPIC, &[record(1, 1), record(1, 1), ("7".to_owned(), wrong.to_string())]);
    broker.write(
        TOPIC,
        &[("x".to_owned(), "no order at all".to_owned()), record(1, 1), (record(1, 1).0, other.to_string())],
    );
    broker.write_with(
        TOPIC,
        &[("1".to_owned(), structured.to_string())],
        "application/cloudevents+json; charset=utf-8",
    );
    let found = equipped(&server, 2).await;
    assert_eq!(found.len(), 2, "delivered three times, and once with other contents: {found:#?}");
    assert_eq!(found[0]["actor"], json!({ "kind": "service", "name": "kafka orders" }));
    until(&server, "all were read", |_| {
        dead_letters(&server, &broker, &["list", "--json"]).lines().count() == 3
    })
    .await;
    let letters = dead_letters(&server, &broker, &["list"]);
    for said in
        ["/company/enterprise_number", "/contact/email", "delivered before with other contents", TOPIC]
    {
        assert!(letters.contains(said), "{said}: {letters}");
    }
    let first: Value = dead_letters(&server, &broker, &["list", "--json"])
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .find(|letter| letter["original"].as_str().unwrap().contains("no address"))
        .unwrap();
    let id = first["id"].as_str().unwrap();
    assert!(id.starts_with("loquet.orders.v1/"), "{id}");
    let shown = dead_letters(&server, &broker, &["show", id]);
    assert!(shown.contains("0123456700") && shown.contains("/contact/email"), "{shown}");
    // The original stays as it was. Retried, it fails again, as a new dead letter.
    assert!(
        dead_letters(&server, &broker, &["retry", id]).contains("orders sent to loquet.orders.v1 again: 1")
    );
    until(&server, "it failed again", |_| {
        let letters = dead_letters(&server, &broker, &["list", "--json"]);
        letters.lines().count() == 3 && !letters.contains(&format!("\"{id}\""))
    })
    .await;
    let metrics = server.service_get("/metrics").await.text;
    for counted in ["{outcome=\"new\"} 2", "{outcome=\"delivered_before\"} 2", "{outcome=\"refused\"} 4"] {
        assert!(metrics.contains(&format!("loquet_kafka_orders_total{counted}")), "{counted}: {metrics}");
    }
    // Support sees them too, without their contents.
    let seen = server.service_get("/v1/dead-letters").await.expect(200);
    let listed = seen.json()["items"].as_array().unwrap().clone();
    assert!(listed.len() == 3 && listed.iter().all(|letter| letter["id"] != id), "{listed:?}");
    assert!(seen.text.contains("/contact/email") && !seen.text.contains("p7@example.be"), "{}", seen.text);
    // A dead letter holds the original, byte for byte.
    let records = broker.read(&[DEAD_LETTERS]);
    assert!(records.iter().any(|record| record.value.as_deref() == Some("no order at all")));
}

#[tokio::test]
async fn an_order_that_is_too_large_for_the_dead_letters_stops_no_other() {
    let name = "an_order_that_is_too_large_for_the_dead_letters_stops_no_other";
    let Some(broker) = Broker::start(name) else { return };
    broker.admin(&["create", TOPIC, "1", "max.message.bytes=5000000"]);
    broker.admin(&["create", DEAD_LETTERS, "1", "cleanup.policy=compact"]);
    let server = server_with(&broker, &TAKES_ORDERS).await;
    ready_for_orders(&server).await;
    broker.write(TOPIC, &[("1".to_owned(), "x".repeat(2_000_000)), record(1, 1)]);
    equipped(&server, 1).await;
    let letters = dead_letters(&server, &broker, &["list"]);
    assert!(letters.contains("the order has 2000000 bytes, too many for this topic"), "{letters}");
    assert!(
        dead_letters(&server, &broker, &["discard", "loquet.orders.v1/0/0", "--yes"])
            .contains("dead letters removed: 1")
    );
    assert_eq!(dead_letters(&server, &broker, &["list", "--json"]), "");
}

/// Panics unless each order has its effect once: one order, one equipment, and no terminal twice.
async fn each_effect_once(server: &Server, count: usize) {
    for name in ["order-received", "order-onboarded", "order-equipped"] {
        let found = events(server, name).await;
        let streams: BTreeSet<_> = found.iter().map(|event| event["stream"].as_str().unwrap()).collect();
        assert_eq!((found.len(), streams.len()), (count, count), "{name}");
    }
    let terminals = events(server, "terminal-added").await;
    let ids: BTreeSet<_> = terminals.iter().map(|event| event["data"]["terminal_id"].to_string()).collect();
    assert_eq!((terminals.len(), ids.len()), (2 * count, 2 * count));
    let accounts = events(server, "account-created").await;
    assert_eq!(accounts.len(), count);
}

/// The orders of a company are taken in the order in which they were written.
fn in_order_of_their_numbers(equipped: &[Value]) {
    let mut newest = std::collections::BTreeMap::new();
    for event in equipped {
        let number: u32 = event["stream"].as_str().unwrap().rsplit('-').next().unwrap().parse().unwrap();
        let company = event["data"]["company_id"].to_string();
        let before = newest.insert(company, number);
        assert!(before.is_none_or(|before| before < number), "{number} comes after {before:?}");
    }
}

#[tokio::test]
async fn an_intake_that_is_killed_again_and_again_gives_each_order_its_effect_exactly_once() {
    let name = "an_intake_that_is_killed_again_and_again_gives_each_order_its_effect_exactly_once";
    let Some(broker) = Broker::start(name) else { return };
    let mut server = server_with(&broker, &TAKES_ORDERS).await;
    ready_for_orders(&server).await;
    for round in 0..8 {
        let orders: Vec<_> = (0..40).map(|n| record(1000 + round * 40 + n, n % 20 + 1)).collect();
        broker.write(TOPIC, &orders);
        let pause = u64::from(RandomIdentities.fresh().as_fields().0) % 400;
        tokio::time::sleep(Duration::from_millis(pause)).await;
        server.kill();
        server.restart().await;
    }
    in_order_of_their_numbers(&equipped(&server, 320).await);
    each_effect_once(&server, 320).await;
}

/// Members come and go while orders are taken, and take partitions from each other.
#[tokio::test]
async fn rebalances_in_the_middle_of_orders_lose_and_double_nothing() {
    let name = "rebalances_in_the_middle_of_orders_lose_and_double_nothing";
    let Some(mut broker) = Broker::start(name) else { return };
    let server = server_with(&broker, &TAKES_ORDERS).await;
    ready_for_orders(&server).await;
    for round in 0..4 {
        let orders: Vec<_> = (0..50).map(|n| record(1000 + round * 50 + n, n % 20 + 1)).collect();
        broker.write(TOPIC, &orders);
        // Another member joins the group, takes partitions, commits nothing and leaves.
        broker.join(TOPIC, "loquet-orders", 1);
    }
    broker.kill();
    broker.run();
    in_order_of_their_numbers(&equipped(&server, 200).await);
    each_effect_once(&server, 200).await;
}
