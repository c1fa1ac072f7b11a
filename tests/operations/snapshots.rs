//! Snapshots of the read models: questions about the past are answered from them, and they name nobody who was erased.

use std::path::{Path, PathBuf};
use std::time::Duration;

use loquet_tests::server::{Server, order};
use serde_json::{Value, json};

use crate::audit::{head, said};

const PASSWORD: &str = "Boulange7!";
const SOON: [(&str, &str); 2] =
    [("LOQUET_PROJECTIONS_SNAPSHOT_EVERY", "7"), ("LOQUET_PROJECTIONS_SNAPSHOTS", "4")];

/// The snapshots in a data directory, the oldest first.
fn snapshots(data: &Path) -> Vec<(u64, PathBuf)> {
    let files = std::fs::read_dir(data.join("snapshots")).into_iter().flatten().flatten();
    let mut all: Vec<_> = files
        .filter_map(|file| {
            let name = file.file_name().into_string().ok()?;
            Some((name.strip_suffix(".db")?.split_once('-')?.0.parse().ok()?, file.path()))
        })
        .collect();
    all.sort_unstable();
    all
}

/// Waits until the newest snapshot is less than seven events old.
pub(crate) async fn made(server: &Server) -> Vec<(u64, PathBuf)> {
    let head: u64 = head(server).parse().unwrap();
    for _ in 0..300 {
        let all = snapshots(&server.folder);
        if all.last().is_some_and(|(newest, _)| newest + 7 > head) {
            return all;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("no snapshots up to {head}: {}", server.errors())
}

/// A server that makes snapshots soon, with a history.
pub(crate) async fn server_with_snapshots() -> Server {
    let server = Server::with_variables(&SOON).await;
    server.active(1, "marie@example.be", PASSWORD).await;
    for _ in 0..7 {
        server.login("marie@example.be", "Wrong1!!").await;
    }
    server.service_post("/v1/orders", order(2, 2, "jan@example.be")).await.expect(201);
    server
}

fn companies(data: &Path, position: u64) -> String {
    said(data, &["company", "list", "--json", "--as-of", &position.to_string()])
}

#[tokio::test]
async fn the_past_is_answered_from_the_newest_snapshot_before_it_and_from_no_snapshot_of_another_log() {
    let mut server = server_with_snapshots().await;
    let all = made(&server).await;
    assert!((2..=4).contains(&all.len()), "no more than allowed are kept: {all:?}");
    let data = server.folder.clone();
    let there = |position: u64| {
        let listed = companies(&data, position);
        listed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>()
    };
    let (newest, path) = all.last().unwrap().clone();
    let (truly, end) = (there(newest), head(&server));
    server.stop();
    // A file that says something else shows that it is read.
    let rows = rusqlite::Connection::open(&path).unwrap();
    let query =
        "SELECT name FROM sqlite_master WHERE name LIKE 'view_companies_%' AND name NOT LIKE '%_index'";
    let table: String = rows.query_row(query, [], |row| row.get(0)).unwrap();
    let name = truly[0]["legal_name"].as_str().unwrap();
    let other = format!("UPDATE {table} SET row = replace(row, ?, 'Somebody Else')");
    assert!(rows.execute(&other, [name]).unwrap() > 0, "{truly:?}");
    drop(rows);
    assert!(companies(&data, newest).contains("Somebody Else"), "the snapshot is used");
    let end: u64 = end.parse().unwrap();
    assert!(companies(&data, end).contains("Somebody Else"), "and for what follows it");
    assert!(!companies(&data, newest - 1).contains("Somebody Else"), "and not for what was before it");
    // A log that was put back has other events at the same positions.
    let foreign = path.with_file_name(format!("{newest}-{}.db", uuid::Uuid::from_u128(7)));
    std::fs::rename(&path, &foreign).unwrap();
    assert_eq!(there(newest), truly);
    // A file that can't be read is as good as none.
    std::fs::rename(&foreign, &path).unwrap();
    std::fs::write(&path, "no database").unwrap();
    assert_eq!(there(newest), truly);
}

#[tokio::test]
async fn an_erasure_removes_every_snapshot_at_once_and_a_command_uses_none_that_is_older() {
    let mut server = server_with_snapshots().await;
    let all = made(&server).await;
    let (newest, path) = all.last().unwrap().clone();
    let kept = std::fs::read(&path).unwrap();
    let listed = server.service_get("/v1/accounts?email=marie@example.be").await.expect(200).json();
    let account = listed["items"][0]["account_id"].as_str().unwrap().to_owned();
    let at = newest.to_string();
    let found = |data: &Path| {
        said(data, &["find", "marie@example.be", "--json", "--as-of", &at]).contains(&account)
            || said(data, &["find", "dupont", "--json", "--as-of", &at]).contains(&account)
    };
    assert!(found(&server.folder));
    let erasure = format!("/v1/accounts/{account}/erasure");
    server.service_post(&erasure, json!({ "reason": "asked by letter" })).await.expect(204);
    // A command does not wait for the server to remove them.
    assert!(!found(&server.folder));
    let mut waited = 0;
    while !snapshots(&server.folder).is_empty() {
        waited += 1;
        assert!(waited < 300, "{:?}", snapshots(&server.folder));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // Nor is one used that somebody puts back.
    server.stop();
    std::fs::write(&path, &kept).unwrap();
    std::fs::remove_file(path.with_file_name("seen.json")).unwrap();
    assert!(!found(&server.folder));
    server.restart().await;
    waited = 0;
    while path.exists() {
        waited += 1;
        assert!(waited < 300, "the server removes it: {}", server.errors());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn without_the_setting_there_are_no_snapshots_and_the_past_is_answered_all_the_same() {
    let off = [("LOQUET_PROJECTIONS_SNAPSHOT_EVERY", "0")];
    let server = Server::with_variables(&off).await;
    server.service_post("/v1/orders", order(1, 1, "jan@example.be")).await.expect(201);
    // Whoever keeps snapshots has looked at the log, and made none.
    let mut waited = 0;
    while server.service_get("/readyz").await.json()["services"]["snapshots"] != "ok" {
        waited += 1;
        assert!(waited < 300, "{}", server.errors());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(snapshots(&server.folder), []);
    assert_eq!(companies(&server.folder, 8).lines().count(), 1);
}
