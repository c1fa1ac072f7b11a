//! The bound on guesses, however many come at once and to whichever nodes.

use futures_util::future::join_all;
use loquet_tests::environment::now;
use loquet_tests::server::Server;
use reqwest::Method;
use serde_json::json;

use crate::cluster::{Cluster, PASSWORD, SHAPES};
use crate::history::{Told, explains};

/// Sends 500 wrong guesses at once, to all nodes by turns. Returns the number of each answer: 401, 423 and others.
async fn guess(cluster: &Cluster, email: &str, device: Option<&str>) -> (usize, usize, Vec<u16>) {
    let nodes = &cluster.nodes;
    let guesses = (0..500).map(|n| {
        let node = &nodes[n % nodes.len()];
        let body = json!({ "email": email, "password": format!("Wrong{n}!") });
        async move {
            let url = format!("{}/v1/logins", node.url);
            let mut request = node.client.post(url).json(&body);
            if let Some(device) = device {
                request = request.header("loquet-device", device);
            }
            request.send().await.unwrap().status().as_u16()
        }
    });
    let answers = join_all(guesses).await;
    let count = |status| answers.iter().filter(|answer| **answer == status).count();
    let others = answers.iter().copied().filter(|status| ![401, 423].contains(status)).collect();
    (count(401), count(423), others)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_500_guesses_at_once_over_three_nodes_seven_are_judged_at_whatever_address() {
    let name = "of_500_guesses_at_once_over_three_nodes_seven_are_judged_at_whatever_address";
    for shape in SHAPES {
        let Some(cluster) = Cluster::of(shape, name, 3).await else { return };
        println!("{shape:?}");
        guess_at_every_address(&cluster).await;
    }
}

async fn guess_at_every_address(cluster: &Cluster) {
    let first: &Server = &cluster.nodes[0];
    let known = first.active(1, "known@example.be", PASSWORD).await;
    first.active(2, "trusted@example.be", PASSWORD).await;
    let login = first.login("trusted@example.be", PASSWORD).await.expect(201);
    let device = login.json()["device_token"].as_str().unwrap().to_owned();
    for (email, device) in [
        ("known@example.be", None),
        ("unknown@example.be", None),
        ("trusted@example.be", None),
        // The trusted device has as many guesses of its own, although the account is locked by now.
        ("trusted@example.be", Some(device.as_str())),
    ] {
        let (refused, locked, others) = guess(cluster, email, device).await;
        println!(
            "{email}, {}: {refused} refused, {locked} locked, {} others",
            device.is_some(),
            others.len()
        );
        assert!(others.iter().all(|status| *status == 503), "{others:?}");
        // The answer to a guess that was judged may have been lost to a full queue.
        assert!(
            refused <= 7 && refused + others.len() >= 7,
            "{email}: {refused}, {locked} locked, {others:?}"
        );
        for node in &cluster.nodes {
            let body = json!({ "email": email, "password": PASSWORD });
            let mut request =
                node.client.request(Method::POST, format!("{}/v1/logins", node.url)).json(&body);
            if let Some(device) = device {
                request = request.header("loquet-device", device);
            }
            let right = request.send().await.unwrap().status().as_u16();
            assert_eq!(right, 423, "{email}: the right password as the eighth guess, on {}", node.url);
        }
    }
    let log = cluster.log();
    let told = Told {
        account: known.clone(),
        right: false,
        sent: now(),
        answered: now(),
        status: 401,
        body: json!({}),
    };
    explains(&log, &vec![told; 7], 7);
}
