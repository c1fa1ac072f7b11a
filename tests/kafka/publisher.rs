//! What the publisher promises.

use loquet_tests::kafka_broker::Broker;
use loquet_tests::server::order;
use serde_json::{Value, json};

use crate::world::{
    TOPICS, each_event_is_published_once, each_once_and_in_order, of_the_log, published, published_log,
    server, server_with,
};

#[tokio::test]
async fn every_public_event_is_in_the_topics_once_under_its_key_and_as_the_contract_says() {
    let Some(broker) =
        Broker::start("every_public_event_is_in_the_topics_once_under_its_key_and_as_the_contract_says")
    else {
        return;
    };
    let mut server = server(&broker).await;
    server.active(1, "marie@boulangerie.example", "Bonjour2026!").await;
    for password in ["wrong1", "wrong2", "Bonjour2026!"] {
        server.login("marie@boulangerie.example", password).await;
    }
    let events = published_log(&server).await;
    let records = broker.read(&TOPICS);
    each_once_and_in_order(&records, &events);
    let types: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    for expected in
        ["loquet.account.created.v1", "loquet.account.login-failed.v1", "loquet.account.login-succeeded.v1"]
    {
        assert!(types.contains(&expected), "{types:?}");
    }
    // What the HTTP interface offers is what is in the topics.
    for event in &events {
        let record = records.iter().find(|record| record.header("ce_id") == event["id"]).unwrap();
        for attribute in ["specversion", "source", "type", "subject", "time", "sequence"] {
            assert_eq!(record.header(&format!("ce_{attribute}")), event[attribute]);
        }
        assert_eq!(record.header("content-type"), event["datacontenttype"]);
        assert_eq!(record.key.as_deref(), event["subject"].as_str());
        let value: Value = serde_json::from_str(record.value.as_ref().unwrap()).unwrap();
        assert_eq!(value, event["data"]);
    }
    let text = format!("{records:?}");
    assert!(!text.contains("marie") && !text.contains("Boulangerie"), "personal data was published: {text}");
    // After a clean restart, nothing is published again.
    server.stop();
    server.restart().await;
    each_event_is_published_once(&broker, &server).await;
}

#[tokio::test]
async fn a_structured_event_has_everything_in_its_value() {
    let Some(broker) = Broker::start("a_structured_event_has_everything_in_its_value") else { return };
    let variables =
        [("LOQUET_KAFKA_FORMAT", "structured"), ("LOQUET_EVENTS_SOURCE", "https://portal.example/events")];
    let server = server_with(&broker, &variables).await;
    server.service_post("/v1/orders", order(1, 1, "marie@boulangerie.example")).await.expect(201);
    published(&server).await;
    let records = broker.read(&TOPICS);
    let mut values: Vec<Value> =
        records.iter().map(|record| serde_json::from_str(record.value.as_ref().unwrap()).unwrap()).collect();
    values.sort_by_key(|event| event["sequence"].to_string());
    assert_eq!(values, of_the_log(&server).await);
    for record in &records {
        assert_eq!(record.header("content-type"), "application/cloudevents+json");
        assert_eq!(record.headers.len(), 1);
    }
    assert_eq!(values[0]["source"], "https://portal.example/events");
}

/// An erasure is an event that tells consumers to forget. In a compacted topic, a tombstone follows, so that the broker
/// forgets too.
#[tokio::test]
async fn an_erasure_tells_consumers_to_forget_and_leaves_a_tombstone_in_a_compacted_topic() {
    let Some(broker) =
        Broker::start("an_erasure_tells_consumers_to_forget_and_leaves_a_tombstone_in_a_compacted_topic")
    else {
        return;
    };
    broker.admin(&["create", TOPICS[0], "3", "cleanup.policy=compact", "min.compaction.lag.ms=3600000"]);
    let variables = [("LOQUET_EVENTS_ACCOUNTS_PERSONAL_FIELDS", "email")];
    let server = server_with(&broker, &variables).await;
    let account = server.active(1, "marie@boulangerie.example", "Bonjour2026!").await;
    server.successor(&account).await;
    published(&server).await;
    let named = broker.read(&[TOPICS[0]]);
    assert!(named.iter().any(|record| record.value.as_ref().unwrap().contains("marie@boulangerie.example")));
    let path = format!("/v1/accounts/{account}/erasure");
    server.service_post(&path, json!({ "reason": "asked for by letter" })).await.expect(204);
    published(&server).await;
    let of_account: Vec<_> =
        broker.read(&[TOPICS[0]]).into_iter().filter(|r| r.key.as_deref() == Some(&account)).collect();
    let [.., forget, tombstone] = of_account.as_slice() else { panic!("{of_account:?}") };
    assert_eq!(forget.header("ce_type"), "loquet.account.erased.v1");
    assert_eq!(forget.value.as_deref(), Some(format!(r#"{{"account_id":"{account}"}}"#).as_str()));
    assert!(tombstone.value.is_none() && tombstone.headers.is_empty(), "{tombstone:?}");
}

/// Checkpoints of the log are outside the machine that has the log, in their order.
#[tokio::test]
async fn each_checkpoint_of_the_log_is_in_its_topic() {
    let Some(broker) = Broker::start("each_checkpoint_of_the_log_is_in_its_topic") else { return };
    let topic = "loquet.checkpoints.v1";
    let mut server = server_with(&broker, &[("LOQUET_PROOF_TOPIC", topic)]).await;
    for n in 1..=2 {
        server
            .service_post("/v1/orders", order(n, n, &format!("marie{n}@boulangerie.example")))
            .await
            .expect(201);
        published(&server).await;
        server.stop();
        server.restart().await;
    }
    let kept = std::fs::read_to_string(server.folder.join("proof/checkpoints.jsonl")).unwrap();
    // The first line says that there were no events.
    let kept: Vec<_> = kept.lines().skip(1).map(str::to_owned).collect();
    let records = broker.read(&[topic]);
    let sent: Vec<_> = records.iter().filter_map(|record| record.value.clone()).collect();
    assert!(sent.len() >= 2 && sent == kept[..sent.len()], "{sent:?} {kept:?}");
    let origin = kept[0].split_once(r#""note":""#).unwrap().1.split_once("\\n").unwrap().0;
    assert!(records.iter().all(|record| record.key.as_deref() == Some(origin)), "{records:?}");
}
