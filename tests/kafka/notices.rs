//! What an operator does to topics, to the log and to the position. Each is noticed, told with its remedy, and never
//! papered over.

use loquet_tests::kafka_broker::Broker;
use loquet_tests::server::{Server, order};
use serde_json::Value;

use crate::world::{
    TOPICS, each_event_is_published_once, each_once_and_in_order, of_the_log, published, server, until,
};

/// The topic of positions.
const POSITIONS: &str = "loquet.positions.v1";

async fn orders(server: &Server, from: u32, count: u32) {
    for n in from..from + count {
        server.service_post("/v1/orders", order(n, n, &format!("p{n}@example.be"))).await.expect(201);
    }
}

/// Waits until the publisher says this. Returns what it says.
async fn says(server: &Server, words: &str) -> String {
    let ready = until(server, words, |ready| {
        ready["services"]["kafka"].as_str().is_some_and(|said| said.contains(words))
    });
    let ready = ready.await;
    assert_eq!(ready["ready"], true, "logins do not depend on Kafka: {ready:#}");
    ready["services"]["kafka"].as_str().unwrap().to_owned()
}

/// Runs `loquet kafka …` beside the server.
#[track_caller]
fn kafka(server: &Server, broker: &Broker, arguments: &[&str]) -> (bool, String) {
    let ran = server
        .command()
        .arg("kafka")
        .args(arguments)
        .args(["--kafka-brokers", &broker.brokers(), "--kafka-partitions", "3"])
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    (ran.status.success(), said)
}

#[tokio::test]
async fn a_topic_that_was_created_again_stops_the_publisher_until_an_operator_decides() {
    let name = "a_topic_that_was_created_again_stops_the_publisher_until_an_operator_decides";
    let Some(broker) = Broker::start(name) else { return };
    let mut server = server(&broker).await;
    orders(&server, 1, 5).await;
    published(&server).await;
    server.stop();
    broker.admin(&["delete", TOPICS[1]]);
    broker.admin(&["create", TOPICS[1], "3"]);
    server.restart().await;
    let said = says(&server, "was deleted and created again").await;
    assert!(said.contains("loquet kafka set-position 0"), "{said}");
    orders(&server, 20, 2).await;
    says(&server, "was deleted and created again").await;
    assert_eq!(broker.read(&[TOPICS[1]]).len(), 0, "nothing is published before an operator decides");
    let (well, told) = kafka(&server, &broker, &["set-position", "0"]);
    assert!(well, "{told}");
    published(&server).await;
    // The topic that was created again has everything. The other one has its first events twice, as announced.
    let events = of_the_log(&server).await;
    let of_companies = |event: &&Value| !event["type"].as_str().unwrap().starts_with("loquet.account.");
    let of_companies: Vec<Value> = events.iter().filter(of_companies).cloned().collect();
    each_once_and_in_order(&broker.read(&[TOPICS[1]]), &of_companies);
    assert!(broker.read(&[TOPICS[0]]).len() > events.len() - of_companies.len());
}

#[tokio::test]
async fn a_topic_that_is_deleted_while_events_are_published_is_told_of() {
    let Some(broker) = Broker::start("a_topic_that_is_deleted_while_events_are_published_is_told_of") else {
        return;
    };
    let server = server(&broker).await;
    orders(&server, 1, 2).await;
    published(&server).await;
    broker.admin(&["delete", TOPICS[0]]);
    broker.admin(&["delete", TOPICS[1]]);
    orders(&server, 20, 2).await;
    // It may be created again by the next session. That it begins anew is not papered over.
    let said = says(&server, "created again").await;
    assert!(said.contains("loquet."), "{said}");
}

#[tokio::test]
async fn records_that_an_operator_deletes_and_partitions_that_are_added_stop_the_publisher() {
    let name = "records_that_an_operator_deletes_and_partitions_that_are_added_stop_the_publisher";
    let Some(broker) = Broker::start(name) else { return };
    let mut server = server(&broker).await;
    orders(&server, 1, 20).await;
    published(&server).await;
    server.stop();
    let records = broker.read(&[TOPICS[1]]);
    let written = records.iter().max_by_key(|record| record.offset).unwrap();
    broker.admin(&["delete-records", TOPICS[1], &written.partition.to_string(), "1"]);
    server.restart().await;
    let said = says(&server, "were deleted, although the topic has no limit").await;
    let position = said.rsplit("set-position ").next().unwrap().to_owned();
    let (well, told) = kafka(&server, &broker, &["set-position", &position]);
    assert!(well, "{told}");
    published(&server).await;
    server.stop();
    broker.admin(&["partitions", TOPICS[0], "4"]);
    server.restart().await;
    let said = says(&server, "had 3 partitions and has 4").await;
    let position = said.rsplit("set-position ").next().unwrap().to_owned();
    assert!(kafka(&server, &broker, &["set-position", &position]).0);
    orders(&server, 40, 2).await;
    published(&server).await;
}

/// The broker shows no record behind an open transaction. A position that was read before it would be too old.
#[tokio::test]
async fn a_transaction_that_another_left_open_is_waited_for_and_nothing_is_published_twice() {
    let name = "a_transaction_that_another_left_open_is_waited_for_and_nothing_is_published_twice";
    let Some(broker) = Broker::start(name) else { return };
    let mut server = server(&broker).await;
    orders(&server, 1, 2).await;
    published(&server).await;
    broker.hold_transaction(POSITIONS);
    orders(&server, 20, 3).await;
    published(&server).await;
    server.stop();
    server.restart().await;
    orders(&server, 40, 1).await;
    each_event_is_published_once(&broker, &server).await;
}

#[tokio::test]
async fn partitions_that_are_added_while_events_are_published_move_no_key_and_are_told_of() {
    let name = "partitions_that_are_added_while_events_are_published_move_no_key_and_are_told_of";
    let Some(broker) = Broker::start(name) else { return };
    let server = server(&broker).await;
    orders(&server, 1, 20).await;
    published(&server).await;
    broker.admin(&["partitions", TOPICS[1], "5"]);
    let mut n = 100;
    let said = loop {
        // The same companies as before, so the same keys.
        for company in 1..=20 {
            n += 1;
            let order = order(n, company, &format!("p{company}@example.be"));
            server.service_post("/v1/orders", order).await.expect(201);
        }
        let ready = server.service_get("/readyz").await.json();
        let said = ready["services"]["kafka"].as_str().unwrap().to_owned();
        if said != "ok" {
            break said;
        }
        assert!(n < 20_000, "it is not noticed");
    };
    assert!(said.contains("had 3 partitions and has 5"), "{said}");
    let mut partitions = std::collections::BTreeMap::new();
    for record in broker.read(&TOPICS) {
        let first = *partitions.entry(record.key.clone()).or_insert(record.partition);
        assert_eq!(first, record.partition, "{:?} moved", record.key);
    }
}

#[tokio::test]
async fn a_position_that_was_lost_or_is_not_ours_stops_the_publisher() {
    let Some(broker) = Broker::start("a_position_that_was_lost_or_is_not_ours_stops_the_publisher") else {
        return;
    };
    let mut server = server(&broker).await;
    orders(&server, 1, 3).await;
    published(&server).await;
    let head = server.service_get("/readyz").await.json()["position"].to_string();
    server.stop();
    broker.admin(&["delete", POSITIONS]);
    server.restart().await;
    let said = says(&server, "does not say up to which position").await;
    assert!(said.contains(POSITIONS) && said.contains("loquet kafka set-position"), "{said}");
    broker.write(POSITIONS, &[("loquet-publisher".to_owned(), "{\"position\":\"?\"}".to_owned())]);
    says(&server, "can't be read").await;
    assert!(kafka(&server, &broker, &["set-position", &head]).0);
    each_event_is_published_once(&broker, &server).await;
    let (well, told) = kafka(&server, &broker, &["set-position", "1000000"]);
    assert!(!well && told.contains("the log ends at"), "{told}");
}

#[tokio::test]
async fn a_topic_with_another_name_is_not_taken_for_the_one_before() {
    let Some(broker) = Broker::start("a_topic_with_another_name_is_not_taken_for_the_one_before") else {
        return;
    };
    let mut server = server(&broker).await;
    orders(&server, 1, 2).await;
    published(&server).await;
    let brokers = broker.brokers();
    server.restart_with(&["--kafka-brokers", &brokers, "--kafka-accounts-topic", "people"]).await;
    let said = says(&server, "nothing was published in people yet").await;
    assert!(said.contains("set-position 0"), "{said}");
}

#[tokio::test]
async fn a_log_that_was_put_back_to_an_older_backup_stops_the_publisher() {
    let Some(broker) = Broker::start("a_log_that_was_put_back_to_an_older_backup_stops_the_publisher") else {
        return;
    };
    let mut server = server(&broker).await;
    orders(&server, 1, 3).await;
    published(&server).await;
    server.stop();
    let backup = tempfile::tempdir().unwrap();
    for file in ["log.db", "keys.db", "views.db", "reactions.db"] {
        std::fs::copy(server.folder.join(file), backup.path().join(file)).unwrap();
    }
    server.restart().await;
    orders(&server, 20, 3).await;
    published(&server).await;
    server.stop();
    for file in ["log.db", "keys.db", "views.db", "reactions.db"] {
        for rest in ["", "-wal", "-shm"] {
            drop(std::fs::remove_file(server.folder.join(format!("{file}{rest}"))));
        }
        std::fs::copy(backup.path().join(file), server.folder.join(file)).unwrap();
    }
    // Otherwise the server would notice that the log contradicts its last checkpoint.
    std::fs::remove_dir_all(server.folder.join("proof")).unwrap();
    server.restart().await;
    let said = says(&server, "the log ends at").await;
    assert!(said.contains("put back to an older backup"), "{said}");
    // The log goes on from there. It is another log now, and the publisher still says so.
    orders(&server, 40, 10).await;
    let said = says(&server, "the log has another event").await;
    assert!(said.contains("another kafka.transactional_id"), "{said}");
}

#[tokio::test]
async fn topics_that_are_missing_or_set_wrongly_are_listed_with_what_to_do() {
    let name = "topics_that_are_missing_or_set_wrongly_are_listed_with_what_to_do";
    let Some(broker) = Broker::start(name) else { return };
    let mut server = crate::world::server_with(&broker, &[("LOQUET_KAFKA_TOPICS", "check")]).await;
    let said = says(&server, "does not exist").await;
    for topic in TOPICS.iter().chain(&[POSITIONS]) {
        assert!(said.contains(topic), "{said}");
    }
    server.stop();
    broker.admin(&["create", TOPICS[0], "3", "min.insync.replicas=2"]);
    broker.admin(&["create", TOPICS[1], "3"]);
    broker.admin(&["create", POSITIONS, "2"]);
    server.restart().await;
    let said = says(&server, "Nothing can be written").await;
    for wrong in [
        "min.insync.replicas asks for 2",
        "has 2 partitions. It needs exactly one",
        "cleanup.policy to compact",
    ] {
        assert!(said.contains(wrong), "{wrong}: {said}");
    }
    let (well, told) = kafka(&server, &broker, &["status"]);
    assert!(!well && told.contains("trouble: The topic"), "{told}");
    broker.admin(&["set", TOPICS[0], "min.insync.replicas=1"]);
    broker.admin(&["delete", POSITIONS]);
    broker.admin(&["create", POSITIONS, "1", "cleanup.policy=compact"]);
    // It goes on by itself.
    orders(&server, 1, 1).await;
    published(&server).await;
    let (well, told) = kafka(&server, &broker, &["status", "--json"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert!(well && told["lag"] == 0 && told["troubles"] == serde_json::json!([]), "{told:#}");
    assert!(told["warnings"].to_string().contains("use three copies"), "{told:#}");
}

/// Law 9: an event that can't be sent stops the publisher, is named, and goes on after a fix.
#[tokio::test]
async fn a_record_that_kafka_refuses_is_named_and_publishing_goes_on_with_it_after_a_fix() {
    let name = "a_record_that_kafka_refuses_is_named_and_publishing_goes_on_with_it_after_a_fix";
    let Some(broker) = Broker::start(name) else { return };
    broker.admin(&["create", TOPICS[1], "3", "max.message.bytes=3000"]);
    // Compressed, even the large event below would be small.
    let server = crate::world::server_with(&broker, &[("LOQUET_KAFKA_COMPRESSION", "none")]).await;
    let mut large = order(1, 1, "p1@example.be");
    large["lines"][0]["quantity"] = 300.into();
    server.service_post("/v1/orders", large).await.expect(201);
    published(&server).await;
    // Refused serial numbers make one event large: they belong to another company.
    let serials: Vec<String> = (0..200).map(|n| format!("SERIAL-NUMBER-THAT-IS-TAKEN-{n:08}")).collect();
    for company in [2, 3] {
        let mut taken = order(company, company, &format!("p{company}@example.be"));
        taken["lines"][0]["quantity"] = 200.into();
        taken["lines"][0]["serials"] = serials.clone().into();
        server.service_post("/v1/orders", taken).await.expect(201);
    }
    let said = says(&server, "Kafka refuses the event at position").await;
    assert!(said.contains("loquet.order.equipped.v1") && said.contains("Raise max.message.bytes"), "{said}");
    // Whatever came before it is published.
    let refused: u64 = said.split("at position ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    until(&server, "the events before it are published", |ready| {
        ready["views"]["publisher kafka"]["position"] == refused - 1
    })
    .await;
    broker.admin(&["set", TOPICS[1], "max.message.bytes=1000000"]);
    each_event_is_published_once(&broker, &server).await;
}
