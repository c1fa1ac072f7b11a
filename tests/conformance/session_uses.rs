//! The rules for every store of the last use of sessions.

use std::path::Path;
use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use futures_util::future::join_all;
use loquet_domain::Moment;
use loquet_domain::ids::SessionId;
use loquet_domain::ports::{SESSION_USE_GRAIN, SessionUses};
use loquet_memory::session_activity::SessionActivity;
use loquet_postgres::session_uses::PostgresSessionUses;
use loquet_tests::postgres_server::PostgresServer;
use uuid::Uuid;

use crate::store::{Store, in_postgres, second, suite};

type Port = dyn SessionUses;

macro_rules! adapter {
    ($name:ident, $make:expr) => {
        suite!(
            $name,
            $make,
            [
                a_session_that_was_never_used_has_no_use,
                a_use_is_known_on_every_node_to_within_ten_seconds_and_never_ahead,
                the_latest_use_wins_in_whatever_order_they_are_noted,
                of_many_uses_at_once_on_two_nodes_the_latest_wins,
                a_clean_stop_keeps_what_was_used_lately,
            ]
        );
    };
}

// The two nodes in memory are two handles of one memory.
adapter!(memory, in_memory);
adapter!(postgres, on_postgres);

fn in_memory(folder: &Path) -> Store<Port> {
    let file = folder.join("sessions.json");
    let new = || Arc::new(SessionActivity::new(TimeDelta::minutes(30)));
    let memory = Arc::new(Mutex::new(new()));
    let stopping = memory.clone();
    let open = move || -> Arc<Port> { memory.lock().unwrap().clone() };
    Store::opened_by(open).stopped_by(move || {
        let mut memory = stopping.lock().unwrap();
        memory.save(&file).unwrap();
        *memory = new();
        memory.load(&file);
    })
}

fn on_postgres(folder: &Path) -> Store<Port> {
    in_postgres::<Port>(folder, |database| {
        Arc::new(PostgresSessionUses::new(database, TimeDelta::minutes(30)))
    })
}

fn session(n: u128) -> SessionId {
    SessionId(Uuid::from_u128(n))
}

#[track_caller]
fn is_near(known: Option<Moment>, latest: Moment) {
    let known = known.unwrap();
    assert!(known <= latest && latest - known <= SESSION_USE_GRAIN, "{known} for {latest}");
}

async fn a_session_that_was_never_used_has_no_use(store: Store<Port>) {
    let uses = store.open();
    assert_eq!(uses.last_use(session(1)).await, Ok(None));
    uses.note_use(session(2), second(0)).await.unwrap();
    assert_eq!(uses.last_use(session(1)).await, Ok(None), "another one's use is not its own");
}

async fn a_use_is_known_on_every_node_to_within_ten_seconds_and_never_ahead(store: Store<Port>) {
    let nodes = store.two();
    for at in [0, 1, 9, 10, 19, 25, 400, 401] {
        nodes[0].note_use(session(1), second(at)).await.unwrap();
        nodes[0].note_use(session(1), second(at)).await.unwrap();
        for uses in &nodes {
            is_near(uses.last_use(session(1)).await.unwrap(), second(at));
        }
    }
    nodes[1].note_use(session(2), second(7)).await.unwrap();
    assert_eq!(nodes[0].last_use(session(2)).await, Ok(Some(second(7))), "a first use is not left out");
}

async fn the_latest_use_wins_in_whatever_order_they_are_noted(store: Store<Port>) {
    let nodes = store.two();
    for (n, order) in [(1, [100, 50, 0]), (2, [0, 100, 50]), (3, [50, 0, 100])] {
        for (task, at) in order.into_iter().enumerate() {
            nodes[task % 2].note_use(session(n), second(at)).await.unwrap();
        }
        is_near(nodes[0].last_use(session(n)).await.unwrap(), second(100));
    }
}

async fn of_many_uses_at_once_on_two_nodes_the_latest_wins(store: Store<Port>) {
    let nodes = store.two();
    let tasks = (0..200_i64).map(|task| {
        let uses = nodes[usize::try_from(task).unwrap() % 2].clone();
        tokio::spawn(async move {
            // Each moment occurs once, in no order.
            let at = task * 37 % 200 * 20;
            uses.note_use(session(u128::try_from(task % 5).unwrap()), second(at)).await.unwrap();
            at
        })
    });
    let mut latest = [0; 5];
    for (task, at) in join_all(tasks).await.into_iter().enumerate() {
        latest[task % 5] = latest[task % 5].max(at.unwrap());
    }
    for (n, latest) in latest.into_iter().enumerate() {
        for uses in &nodes {
            is_near(uses.last_use(session(u128::try_from(n).unwrap())).await.unwrap(), second(latest));
        }
    }
}

async fn a_clean_stop_keeps_what_was_used_lately(store: Store<Port>) {
    let [one, other] = store.two();
    one.note_use(session(1), second(1000)).await.unwrap();
    other.note_use(session(2), second(1100)).await.unwrap();
    let again = store.reopen([one, other]);
    is_near(again.last_use(session(1)).await.unwrap(), second(1000));
    is_near(again.last_use(session(2)).await.unwrap(), second(1100));
}

/// The row of a session, with the number of the transaction that wrote it. Empty if there is none.
fn row(server: &PostgresServer, n: u128) -> String {
    let id = session(n).0;
    server.sql(&format!("SELECT xmin, used_at FROM loquet.session_uses WHERE session = '{id}'"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_postgres_a_use_within_ten_seconds_of_a_known_one_is_not_written() {
    let Some(server) = PostgresServer::start("a_use_within_ten_seconds") else { return };
    let nodes = [(); 2].map(|()| PostgresSessionUses::new(server.database(), TimeDelta::minutes(30)));
    nodes[0].note_use(session(1), second(0)).await.unwrap();
    let written = row(&server, 1);
    nodes[0].note_use(session(1), second(9)).await.unwrap();
    assert_eq!(row(&server, 1), written);
    // The other node knows it as soon as it has read it.
    nodes[1].last_use(session(1)).await.unwrap();
    nodes[1].note_use(session(1), second(9)).await.unwrap();
    assert_eq!(row(&server, 1), written);
    nodes[1].note_use(session(1), second(10)).await.unwrap();
    assert_ne!(row(&server, 1), written);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_postgres_a_use_that_the_server_lost_is_written_again() {
    let Some(server) = PostgresServer::start("a_use_that_the_server_lost") else { return };
    let uses = PostgresSessionUses::new(server.database(), TimeDelta::minutes(30));
    uses.note_use(session(1), second(0)).await.unwrap();
    server.sql("DELETE FROM loquet.session_uses");
    assert_eq!(uses.last_use(session(1)).await, Ok(None));
    uses.note_use(session(1), second(1)).await.unwrap();
    assert_eq!(uses.last_use(session(1)).await, Ok(Some(second(1))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_postgres_the_uses_of_ended_sessions_are_deleted() {
    let Some(server) = PostgresServer::start("the_uses_of_ended_sessions") else { return };
    let uses = PostgresSessionUses::new(server.database(), TimeDelta::minutes(30));
    for (n, at) in [(1, 0), (2, 1000), (3, 1801)] {
        uses.note_use(session(n), second(at)).await.unwrap();
    }
    // They are deleted in the background.
    while !row(&server, 1).is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(!row(&server, 2).is_empty() && !row(&server, 3).is_empty());
}
