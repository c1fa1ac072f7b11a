//! What one node does, every other node knows.

use futures_util::future::join_all;
use loquet_tests::server::{order, token_in};
use reqwest::Method;
use serde_json::{Value, json};

use crate::cluster::{Cluster, PASSWORD, SHAPES};

#[tokio::test(flavor = "multi_thread")]
async fn a_session_a_lockout_and_a_permission_are_the_same_on_every_node() {
    let name = "a_session_a_lockout_and_a_permission_are_the_same_on_every_node";
    for shape in SHAPES {
        let Some(cluster) = Cluster::of(shape, name, 2).await else { return };
        begin_and_end_on_other_nodes(&cluster).await;
    }
}

async fn begin_and_end_on_other_nodes(cluster: &Cluster) {
    let [one, other] = &cluster.nodes[..] else { panic!() };
    let account = one.active(1, "marie@example.be", PASSWORD).await;
    let login = one.login("marie@example.be", PASSWORD).await.expect(201).json();
    let session = login["session_token"].as_str().unwrap();
    let own = format!("/v1/accounts/{account}");
    other.send(Method::GET, &own, Some(session), None).await.expect(200);
    // The session ends on one node, and so on the other, at once.
    other.send(Method::DELETE, "/v1/sessions/current", Some(session), None).await.expect(204);
    one.send(Method::GET, &own, Some(session), None).await.expect(401);
    // So does a lockout begin.
    for n in 0..7 {
        cluster.nodes[n % 2].login("marie@example.be", "Wrong1!!").await.expect(401);
    }
    let [here, there] = [one, other].map(|node| node.login("marie@example.be", PASSWORD));
    let (here, there) = (here.await.expect(423).json(), there.await.expect(423).json());
    assert_eq!(here["locked_until"], there["locked_until"]);
    // Support ends it on one node. The person gets in on the other.
    let release = format!("/v1/accounts/{account}/release");
    one.service_post(&release, json!({ "reason": "she called" })).await.expect(204);
    other.login("marie@example.be", PASSWORD).await.expect(201);
}

/// Law 10 across nodes: who changes nodes reads what they wrote.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_changes_nodes_reads_its_own_writes() {
    for shape in SHAPES {
        let name = "a_caller_who_changes_nodes_reads_its_own_writes";
        let Some(cluster) = Cluster::of(shape, name, 3).await else { return };
        write_here_and_read_there(&cluster).await;
    }
}

async fn write_here_and_read_there(cluster: &Cluster) {
    for n in 1..40 {
        let [writer, reader] = [n, n + 1].map(|n: u32| &cluster.nodes[usize::try_from(n).unwrap() % 3]);
        let email = format!("p{n}@example.be");
        let placed = writer.service_post("/v1/orders", order(n, n, &email)).await.expect(201);
        let account = placed.json()["account_id"].as_str().unwrap().to_owned();
        let path = format!("/v1/accounts/{account}?at_least={}", placed.position());
        let shown = reader.service_get(&path).await.expect(200).json();
        assert_eq!(shown["email"], email);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_sent_to_several_nodes_under_one_key_is_carried_out_once() {
    let name = "a_command_that_is_sent_to_several_nodes_under_one_key_is_carried_out_once";
    let Some(cluster) = Cluster::start(name, 3).await else { return };
    let account = cluster.nodes[0].active(1, "marie@example.be", PASSWORD).await;
    let shown = cluster.nodes[0].service_get(&format!("/v1/accounts/{account}")).await.expect(200).json();
    let body = json!({
        "email": "paul@example.be", "given_name": "Paul", "family_name": "Dupont",
        "language": "fr", "role": "user", "company_id": shown["company_id"],
    });
    // A token of its own for each node would be another caller.
    let token = cluster.nodes[0].token();
    let sent = (0..12).map(|n| {
        let node = &cluster.nodes[n % 3];
        let request = node.client.post(format!("{}/v1/accounts", node.url)).bearer_auth(&token);
        request.header("idempotency-key", "the same").json(&body).send()
    });
    let answers: Vec<_> = join_all(sent).await.into_iter().map(Result::unwrap).collect();
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status().as_u16()).collect();
    assert!(statuses.iter().all(|status| [201, 409].contains(status)), "{statuses:?}");
    let mut made = Vec::new();
    for answer in answers {
        if answer.status() == 201 {
            made.push(answer.text().await.unwrap());
        }
    }
    made.dedup();
    assert_eq!(made.len(), 1, "{made:?}");
    let created = cluster.log().into_iter().filter(|event| event["type"] == "account-created").count();
    assert_eq!(created, 2, "Marie's and Paul's");
}

/// A balancer must not send people to a node that does not know yet what they did.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_read_models_are_far_behind_is_not_ready_except_for_logins() {
    let name = "a_node_whose_read_models_are_far_behind_is_not_ready_except_for_logins";
    let Some(mut cluster) = Cluster::start(name, 1).await else { return };
    cluster.nodes[0].active(1, "marie@example.be", PASSWORD).await;
    let mut slow = cluster.another();
    slow.variables.push(("LOQUET_READINESS_MAX_LAG".to_owned(), "1".to_owned()));
    slow.restart().await;
    cluster.nodes.push(slow);
    cluster.until_ready().await;
    cluster.nodes[1].stop();
    for n in 2..20 {
        let placed = order(n, n, &format!("p{n}@example.be"));
        cluster.nodes[0].service_post("/v1/orders", placed).await.expect(201);
    }
    // Another program writes to the file of its views, so they stay behind.
    let views = rusqlite::Connection::open(cluster.nodes[1].folder.join("views.db")).unwrap();
    views.execute_batch("BEGIN IMMEDIATE").unwrap();
    cluster.nodes[1].restart().await;
    let slow = &cluster.nodes[1];
    for _ in 0..3 {
        slow.send(Method::GET, "/readyz", None, None).await.expect(503);
        slow.send(Method::GET, "/readyz/logins", None, None).await.expect(200);
        slow.login("marie@example.be", PASSWORD).await.expect(201);
    }
    let seen = slow.service_get("/readyz").await.json();
    let far_behind = |view: &Value| view["lag"].as_u64().is_some_and(|lag| lag > 1);
    assert!(seen["views"].as_object().unwrap().values().any(far_behind), "{seen:#}");
    views.execute_batch("ROLLBACK").unwrap();
    cluster.until_ready().await;
}

/// Each node has the same file of the server key. The operator rotates it once, beside the nodes.
#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_of_the_server_key_reaches_every_node_and_ends_nobodys_session() {
    let name = "a_rotation_of_the_server_key_reaches_every_node_and_ends_nobodys_session";
    let Some(cluster) = Cluster::start(name, 2).await else { return };
    let account = cluster.nodes[0].active(1, "marie@example.be", PASSWORD).await;
    let login = cluster.nodes[0].login("marie@example.be", PASSWORD).await.expect(201).json();
    let session = login["session_token"].as_str().unwrap();
    let before = std::fs::read(cluster.key_file()).unwrap();
    let rotated = cluster.nodes[1].command().args(["keys", "rotate"]).output().unwrap();
    assert!(rotated.status.success(), "{}", String::from_utf8_lossy(&rotated.stderr));
    assert_ne!(std::fs::read(cluster.key_file()).unwrap(), before);
    cluster
        .until("both nodes use the new key", async |cluster: &Cluster| {
            cluster.nodes.iter().all(|node| node.errors().contains("the server key was rotated"))
        })
        .await;
    for node in &cluster.nodes {
        node.login("marie@example.be", PASSWORD).await.expect(201);
        let own = format!("/v1/accounts/{account}");
        node.send(Method::GET, &own, Some(session), None).await.expect(200);
    }
    // What one node seals under the new key, the other opens.
    cluster.nodes[0].service_post("/v1/orders", order(7, 7, "paul@example.be")).await.expect(201);
    let link = token_in(&cluster.nodes[1].mail("paul@example.be", "Confirmez", 1).await);
    let body = json!({ "token": link, "password": PASSWORD });
    cluster.nodes[1].post("/v1/activations", body).await.expect(204);
}
