//! The publisher and the broker are killed, stalled and doubled. A consumer that reads committed records sees every
//! event once, and in order.

use std::time::Duration;

use loquet_crypto::random_ids::RandomIdentities;
use loquet_domain::ports::Identities;
use loquet_tests::environment::variable;
use loquet_tests::kafka_broker::Broker;
use loquet_tests::server::{Server, order};

use crate::world::{
    TOPICS, each_event_is_published_once, each_once_and_in_order, published, published_log, server, until,
};

/// How often the publisher is killed. `LOQUET_TEST_KILLS` asks for more.
const KILLS: u32 = 12;

/// A moment that no run chooses alike.
fn any(most: u64) -> u64 {
    u64::from(RandomIdentities.fresh().as_fields().0) % most
}

/// Places orders, one after the other, until told to stop. Answers may be lost: the order is then placed again.
async fn place_orders(server: &Server, from: u32, count: u32) {
    for n in from..from + count {
        let email = format!("p{n}@example.be");
        // The process may be dead or not up yet. What matters is what its log says in the end.
        drop(
            server
                .try_send(
                    reqwest::Method::POST,
                    "/v1/orders",
                    Some(&server.token()),
                    Some(&order(n, n % 50 + 1, &email)),
                )
                .await,
        );
    }
}

async fn log_in(server: &Server, email: &str, count: u32) {
    for _ in 0..count {
        let body = serde_json::json!({ "email": email, "password": "Bonjour2026!" });
        drop(server.try_send(reqwest::Method::POST, "/v1/logins", None, Some(&body)).await);
    }
}

#[tokio::test]
async fn a_publisher_that_is_killed_again_and_again_leaves_every_event_in_the_topics_exactly_once() {
    let name = "a_publisher_that_is_killed_again_and_again_leaves_every_event_in_the_topics_exactly_once";
    let Some(broker) = Broker::start(name) else { return };
    let mut server = server(&broker).await;
    server.active(1, "marie@boulangerie.example", "Bonjour2026!").await;
    let kills: u32 =
        variable("LOQUET_TEST_KILLS").map_or(KILLS, |kills| kills.into_string().unwrap().parse().unwrap());
    for round in 0..kills {
        // Every third time, the kill comes while the publisher takes over.
        if round % 3 > 0 {
            until(&server, "events are published", |ready| ready["services"]["kafka"] == "ok").await;
        }
        let load = async {
            tokio::join!(
                place_orders(&server, 100 + round * 20, 20),
                log_in(&server, "marie@boulangerie.example", 10)
            )
        };
        let pause = tokio::time::sleep(Duration::from_millis(any(400)));
        tokio::select! {
            _ = load => {}
            () = pause => {}
        }
        server.kill();
        server.restart().await;
    }
    let events = published_log(&server).await;
    let records = broker.read(&TOPICS);
    each_once_and_in_order(&records, &events);
    println!("{kills} kills, {} events, each once and in order", events.len());
}

#[tokio::test]
async fn a_broker_that_is_killed_in_the_middle_loses_and_doubles_nothing_and_keeps_nobody_out() {
    let name = "a_broker_that_is_killed_in_the_middle_loses_and_doubles_nothing_and_keeps_nobody_out";
    let Some(mut broker) = Broker::start(name) else { return };
    let server = server(&broker).await;
    server.active(1, "marie@boulangerie.example", "Bonjour2026!").await;
    for round in 0..3 {
        let load = place_orders(&server, 100 + round * 30, 30);
        let kill = async {
            tokio::time::sleep(Duration::from_millis(any(300))).await;
            broker.kill();
        };
        tokio::join!(load, kill);
        // While the broker is away, people log in, and everybody who asks is told.
        server.login("marie@boulangerie.example", "Bonjour2026!").await.expect(201);
        // The first failure may be that the broker closed a connection. Each further try finds nobody at its port.
        let away = until(&server, "it is seen that the broker is away", |ready| {
            let said = ready["services"]["kafka"].as_str().unwrap_or_default();
            said.contains("127.0.0.1") && said.contains("Connection refused")
        });
        let away = away.await;
        assert_eq!(away["ready"], true, "{away:#}");
        let metrics = server.service_get("/metrics").await.text;
        assert!(metrics.contains("loquet_service_failing{service=\"kafka\"} 1"), "{metrics}");
        broker.run();
        published(&server).await;
    }
    each_event_is_published_once(&broker, &server).await;
}

#[tokio::test]
async fn a_broker_that_stalls_loses_and_doubles_nothing() {
    let Some(broker) = Broker::start("a_broker_that_stalls_loses_and_doubles_nothing") else { return };
    let server = server(&broker).await;
    for round in 0..3 {
        let load = place_orders(&server, 100 + round * 30, 30);
        let stall = async {
            tokio::time::sleep(Duration::from_millis(any(200))).await;
            broker.stall();
            tokio::time::sleep(Duration::from_secs(3)).await;
            broker.go_on();
        };
        tokio::join!(load, stall);
    }
    each_event_is_published_once(&broker, &server).await;
}

/// Two servers on copies of one log, as after a fail-over in which the old server did not die. The second takes over.
/// The first says so, and does not fight.
#[tokio::test]
async fn of_two_publishers_the_second_takes_over_and_the_first_says_so_and_does_not_fight() {
    let name = "of_two_publishers_the_second_takes_over_and_the_first_says_so_and_does_not_fight";
    let Some(broker) = Broker::start(name) else { return };
    let mut first = server(&broker).await;
    place_orders(&first, 100, 10).await;
    published(&first).await;
    first.stop();
    let copy = tempfile::tempdir().unwrap();
    let folder = copy.path().join("var");
    std::fs::create_dir(&folder).unwrap();
    for entry in std::fs::read_dir(&first.folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
        }
    }
    first.restart().await;
    published(&first).await;
    let brokers = broker.brokers();
    let second = Server::over(folder, &["--kafka-brokers", &brokers, "--node", "node-2"]).await;
    published(&second).await;
    // The first notices when it has something to publish.
    place_orders(&first, 500, 1).await;
    let standby = until(&first, "the first stands by", |ready| {
        ready["services"]["kafka"].as_str().is_some_and(|said| said.starts_with("standby"))
    });
    let standby = standby.await;
    assert!(standby["services"]["kafka"].as_str().unwrap().contains("node-2/"), "{standby:#}");
    assert_eq!(standby["ready"], true);
    let order_of_the_second = order(600, 7, "p600@example.be");
    second.service_post("/v1/orders", order_of_the_second).await.expect(201);
    published(&second).await;
    let taken_over = second.service_get("/readyz").await.json();
    assert_eq!(taken_over["services"]["kafka"], "ok", "the first fought: {taken_over:#}");
    each_event_is_published_once(&broker, &second).await;
}
