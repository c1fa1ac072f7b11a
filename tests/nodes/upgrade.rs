//! Nodes of two versions side by side. The tables of the next version are made by hand, as a migration would make them.

use std::process::Stdio;
use std::time::Duration;

use loquet_tests::server::{Server, order};
use reqwest::Method;
use tokio::time::timeout;

use crate::cluster::{Cluster, PASSWORD};

/// What a migration does that only adds something: a column and an index to each table, a table, and the record of the
/// schema. Programs of the schema before can work with it.
const EXPANSION: &str = "
    DO $$
    DECLARE
        held record;
    BEGIN
        FOR held IN SELECT tablename FROM pg_tables WHERE schemaname = 'loquet' LOOP
            EXECUTE format('ALTER TABLE loquet.%I ADD COLUMN next_nullable text', held.tablename);
            EXECUTE format('ALTER TABLE loquet.%I ADD COLUMN next_number int NOT NULL DEFAULT 7', held.tablename);
            EXECUTE format('CREATE INDEX ON loquet.%I (next_number)', held.tablename);
        END LOOP;
    END $$;
    CREATE TABLE loquet.next_table (name text PRIMARY KEY);
    INSERT INTO loquet.schema_versions (part, version, oldest)
    SELECT part, max(version) + 1, max(version) FROM loquet.schema_versions GROUP BY part";

/// What a migration records that takes something away.
fn contraction(part: &str) -> String {
    format!(
        "INSERT INTO loquet.schema_versions (part, version, oldest)
         SELECT part, max(version) + 1, max(version) + 1 FROM loquet.schema_versions
         WHERE part = '{part}' GROUP BY part"
    )
}

/// The version of a part's tables.
fn schema(cluster: &Cluster, part: &str) -> u32 {
    let newest = format!("SELECT max(version) FROM loquet.schema_versions WHERE part = '{part}'");
    cluster.postgres.sql(&newest).parse().unwrap()
}

/// Everything that people and programs do at a node, with an order, a mail, a link, a lockout and a support case.
async fn works(node: &Server, n: u32) {
    let email = format!("p{n}@example.be");
    let account = node.active(n, &email, PASSWORD).await;
    let login = node.login(&email, PASSWORD).await.expect(201).json();
    let session = login["session_token"].as_str().unwrap();
    node.send(Method::GET, &format!("/v1/accounts/{account}"), Some(session), None).await.expect(200);
    for _ in 0..7 {
        node.login(&email, "Wrong1!!").await.expect(401);
        node.login("nobody@example.be", "Wrong1!!").await;
    }
    node.login(&email, PASSWORD).await.expect(423);
    let release = format!("/v1/accounts/{account}/release");
    node.service_post(&release, serde_json::json!({ "reason": "she called" })).await.expect(204);
    node.login(&email, PASSWORD).await.expect(201);
    // The answer under an idempotency key is stored, and repeated.
    let mut answers = Vec::new();
    for _ in 0..2 {
        let request = node.client.post(format!("{}/v1/orders", node.url)).bearer_auth(node.token());
        let placed = order(n + 1000, n, &email);
        let request = request.header("idempotency-key", format!("key {n}")).json(&placed);
        answers.push(request.send().await.unwrap().error_for_status().unwrap().text().await.unwrap());
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_go_on_and_start_beside_tables_to_which_the_next_version_added_something() {
    let name = "nodes_go_on_and_start_beside_tables_to_which_the_next_version_added_something";
    let Some(mut cluster) = Cluster::start(name, 2).await else { return };
    works(&cluster.nodes[0], 1).await;
    works(&cluster.nodes[1], 2).await;
    let before = (schema(&cluster, "main"), schema(&cluster, "keys"));
    cluster.postgres.sql(EXPANSION);
    assert_eq!((schema(&cluster, "main"), schema(&cluster, "keys")), (before.0 + 1, before.1 + 1));
    // The nodes that ran before still do everything, one that starts again too, and a fresh one.
    works(&cluster.nodes[0], 3).await;
    works(&cluster.nodes[1], 4).await;
    cluster.nodes[0].stop();
    cluster.nodes[0].restart().await;
    cluster.add(1).await;
    works(&cluster.nodes[0], 5).await;
    works(&cluster.nodes[2], 6).await;
    cluster.until_ready().await;
    let log = cluster.log();
    cluster.has_positions_in_order(&log);
    for node in &cluster.nodes {
        assert!(!node.errors().contains("ERROR"), "{}", node.errors());
    }
    // No node of the old version took anything away, or noted that it knows these tables.
    assert_eq!((schema(&cluster, "main"), schema(&cluster, "keys")), (before.0 + 1, before.1 + 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_does_not_start_on_tables_that_need_a_newer_program_and_says_which() {
    let name = "a_node_does_not_start_on_tables_that_need_a_newer_program_and_says_which";
    for part in ["main", "keys"] {
        let Some(mut cluster) = Cluster::start(name, 1).await else { return };
        cluster.nodes[0].active(1, "marie@example.be", PASSWORD).await;
        cluster.nodes[0].stop();
        let known = schema(&cluster, part);
        // A version that was skipped: its expansion, and the contraction of the one after it.
        cluster.postgres.sql(EXPANSION);
        cluster.postgres.sql(&contraction(part));
        let events = "SELECT count(*) FROM loquet.events";
        let before = cluster.postgres.sql(events);
        let newest = format!("schema {}", known + 2);
        let own = format!("This program knows schema {known}: start the newer Loquet");
        for arguments in [
            &["serve", "--dev", "--listen", "127.0.0.1:0"][..],
            &["events", "tail", "--after", "0"],
            &["token", "create", "--name", "shop", "--scope", "orders:write"],
        ] {
            let mut command = tokio::process::Command::from(cluster.nodes[0].command());
            let ran = command.args(arguments).stdin(Stdio::null()).kill_on_drop(true).output();
            let refused = timeout(Duration::from_mins(1), ran).await;
            let refused = refused.unwrap_or_else(|_| panic!("{part}, {arguments:?}: it runs")).unwrap();
            let said = String::from_utf8(refused.stderr).unwrap();
            assert!(!refused.status.success(), "{part}, {arguments:?}: it ran");
            assert!(said.contains(&newest) && said.contains(&own), "{part}, {arguments:?}: {said}");
        }
        assert_eq!(cluster.postgres.sql(events), before, "nothing was written");
    }
}
