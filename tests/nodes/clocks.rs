//! Nodes whose clocks differ.

use chrono::{DateTime, TimeDelta, Utc};
use loquet_tests::environment::now;
use loquet_tests::skip;
use reqwest::Method;

use crate::cluster::{Cluster, PASSWORD};

/// The clock of one node is an hour ahead, then an hour behind. The time of the database counts on every node, so nothing
/// is unlocked early, no session is over, and no lease stays with a node that is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_an_hour_off_on_one_node_changes_nothing() {
    let name = "a_clock_that_is_an_hour_off_on_one_node_changes_nothing";
    let Some(library) = skip::unless_faketime(name) else { return };
    for offset in ["+1h", "-1h"] {
        let Some(mut cluster) = Cluster::start(name, 1).await else { return };
        let mut wrong = cluster.another();
        for (name, value) in
            [("LD_PRELOAD", library), ("FAKETIME", offset), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")]
        {
            wrong.variables.push((name.to_owned(), value.to_owned()));
        }
        wrong.restart().await;
        cluster.nodes.push(wrong);
        let [right, wrong] = &cluster.nodes[..] else { panic!() };
        assert!(wrong.errors().contains("the clock of this machine differs"), "{}", wrong.errors());
        let account = wrong.active(1, "marie@example.be", PASSWORD).await;
        for n in 0..7 {
            cluster.nodes[n % 2].login("marie@example.be", "Wrong1!!").await.expect(401);
        }
        for node in [right, wrong] {
            let locked = node.login("marie@example.be", PASSWORD).await.expect(423).json();
            let until: DateTime<Utc> = locked["locked_until"].as_str().unwrap().parse().unwrap();
            let left = until - now();
            assert!(left > TimeDelta::minutes(13) && left <= TimeDelta::minutes(15), "{offset}: {left}");
        }
        let release = format!("/v1/accounts/{account}/release");
        right.service_post(&release, serde_json::json!({ "reason": "she called" })).await.expect(204);
        for (here, there) in [(right, wrong), (wrong, right)] {
            let login = here.login("marie@example.be", PASSWORD).await.expect(201).json();
            let session = login["session_token"].as_str().unwrap();
            let own = format!("/v1/accounts/{account}");
            there.send(Method::GET, &own, Some(session), None).await.expect(200);
        }
        for event in cluster.log() {
            let at: DateTime<Utc> = event["at"].as_str().unwrap().parse().unwrap();
            assert!((now() - at).abs() < TimeDelta::minutes(5), "{offset}: {event}");
        }
        // Whichever node leads is killed. The other one sends the next mail.
        let leader = cluster.leader().unwrap();
        cluster.nodes[leader].kill();
        let left = &cluster.nodes[1 - leader];
        let placed = loquet_tests::server::order(9, 9, "paul@example.be");
        left.service_post("/v1/orders", placed).await.expect(201);
        left.mail("paul@example.be", "Confirmez", 1).await;
    }
}
