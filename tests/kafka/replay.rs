//! The history again, for a new consumer.

use std::time::Duration;

use loquet_crypto::random_ids::RandomIdentities;
use loquet_domain::ports::Identities;
use loquet_tests::kafka_broker::{Broker, Record};
use loquet_tests::server::{Server, order};
use serde_json::Value;

use crate::world::{
    TOPICS, each_event_is_published_once, each_once_and_in_order, published, published_log, server,
};

fn publish(server: &Server, broker: &Broker, arguments: &[&str]) -> std::process::Command {
    let mut command = server.command();
    command.arg("publish").args(arguments).args([
        "--kafka-brokers",
        &broker.brokers(),
        "--kafka-partitions",
        "3",
    ]);
    command
}

/// Runs the command to its end. Returns whether it went well, and what it said.
fn run(mut command: std::process::Command) -> (bool, String) {
    let ran = command.output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    (ran.status.success(), said)
}

fn of_topic(events: &[Value], accounts: bool) -> Vec<Value> {
    let is_of_account = |event: &&Value| event["type"].as_str().unwrap().starts_with("loquet.account.");
    events.iter().filter(|event| is_of_account(event) == accounts).cloned().collect()
}

#[tokio::test]
async fn a_replay_that_is_killed_again_and_again_gives_a_new_consumer_the_history_once() {
    let name = "a_replay_that_is_killed_again_and_again_gives_a_new_consumer_the_history_once";
    let Some(broker) = Broker::start(name) else { return };
    let server = server(&broker).await;
    for n in 1..60 {
        server
            .service_post("/v1/orders", order(n, n % 20 + 1, &format!("p{n}@example.be")))
            .await
            .expect(201);
    }
    published(&server).await;
    // Small transactions, so that a kill finds some done and some not.
    let arguments = ["--topic", "companies", "--to-topic", "for-invoicing", "--kafka-batch", "5"];
    for _ in 0..10 {
        let mut child = publish(&server, &broker, &arguments).spawn().unwrap();
        let pause = 200 + u64::from(RandomIdentities.fresh().as_fields().0) % 1500;
        tokio::time::sleep(Duration::from_millis(pause)).await;
        drop(child.kill());
        child.wait().unwrap();
    }
    let events = of_topic(&published_log(&server).await, false);
    let (well, said) = run(publish(&server, &broker, &arguments));
    assert!(well && said.contains("events published in for-invoicing"), "{said}");
    let records = broker.read(&["for-invoicing"]);
    each_once_and_in_order(&records, &events);
    // A record of the replay is the same as that of the live topic.
    let live = broker.read(&[TOPICS[1]]);
    let same = |record: &Record| {
        let twin = live.iter().find(|twin| twin.header("ce_id") == record.header("ce_id")).unwrap();
        (twin.headers == record.headers) && (twin.value == record.value) && (twin.key == record.key)
    };
    assert!(records.iter().all(same));
    // Once more: there is nothing left to do. With more history, the rest follows.
    let (well, said) = run(publish(&server, &broker, &arguments));
    assert!(well && said.starts_with("0 events published"), "{said}");
    server.service_post("/v1/orders", order(99, 99, "p99@example.be")).await.expect(201);
    let events = of_topic(&published_log(&server).await, false);
    assert!(run(publish(&server, &broker, &arguments)).0);
    each_once_and_in_order(&broker.read(&["for-invoicing"]), &events);
}

#[tokio::test]
async fn a_replay_begins_where_it_is_told_and_only_in_a_topic_of_its_own() {
    let Some(broker) = Broker::start("a_replay_begins_where_it_is_told_and_only_in_a_topic_of_its_own")
    else {
        return;
    };
    let server = server(&broker).await;
    for n in 1..5 {
        server.service_post("/v1/orders", order(n, n, &format!("p{n}@example.be"))).await.expect(201);
    }
    let events = of_topic(&published_log(&server).await, true);
    let third: u64 = events[2]["sequence"].as_str().unwrap().parse().unwrap();
    let from = third.to_string();
    let arguments = ["--topic", "loquet.accounts.v1", "--from", &from, "--to-topic", "newer"];
    let (well, said) = run(publish(&server, &broker, &arguments));
    assert!(well, "{said}");
    each_once_and_in_order(&broker.read(&["newer"]), &events[2..]);
    for (arguments, why) in [
        (["--topic", "accounts", "--to-topic", TOPICS[0]], "is a topic of the publisher"),
        (["--topic", "accounts", "--to-topic", "newer"], "holds records that this replay did not write"),
        (["--topic", "orders", "--to-topic", "newest"], "the topics are accounts and companies"),
        (["--topic", "accounts", "--to-topic", "no topic"], "The name of a topic has 1 to 249 letters"),
    ] {
        let (well, said) = run(publish(&server, &broker, &arguments));
        assert!(!well && said.contains(why), "{why}: {said}");
    }
    each_event_is_published_once(&broker, &server).await;
}
