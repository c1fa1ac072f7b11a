//! The log while transactions are long, sessions are ended, and the server crashes or stalls.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use loquet_domain::ids::EventId;
use loquet_domain::ports::{
    AppendError, EventStore, NewEvent, Position, RecordedEvent, Revision, StreamId, Subscribed,
};
use loquet_postgres::event_store::PostgresStore;
use loquet_postgres::{Connection, Database};
use loquet_tests::postgres_server::PostgresServer;
use uuid::Uuid;

fn event(n: u128) -> NewEvent {
    NewEvent {
        id: EventId(Uuid::from_u128(n)),
        name: "login-failed".to_owned(),
        version: 1,
        data: format!("{{\"n\":{n}}}").into_bytes(),
        metadata: b"{}".to_vec(),
        sealed: None,
    }
}

/// A node of its own, with a pool of its own and an impatient one.
fn node(server: &PostgresServer) -> PostgresStore {
    let connection = Connection { statement_timeout: Duration::from_secs(2), ..server.connection() };
    PostgresStore::open(Database::new(&connection).unwrap())
}

/// What callers were told about their appends.
#[derive(Default)]
struct Told {
    /// Acknowledged: the position of each event.
    written: BTreeMap<u128, Position>,
    /// Refused for certain.
    refused: BTreeSet<u128>,
}

/// Appends events one after the other to a stream of its own. An append whose fate is unknown is asked for again, as the
/// use cases do.
async fn write(store: &PostgresStore, writer: u128, until: &AtomicBool, told: &Mutex<Told>) {
    let stream = StreamId::new("test", &writer.to_string());
    let (mut revision, mut n) = (0, writer * 1_000_000);
    while !until.load(Ordering::SeqCst) {
        n += 1;
        loop {
            match store.append(&stream, Revision(revision), vec![event(n)]).await {
                Ok(appended) => {
                    assert_eq!(appended.revision, Revision(revision + 1));
                    told.lock().unwrap().written.insert(n, appended.position);
                    revision += 1;
                    break;
                }
                Err(AppendError::Unavailable(_)) => {
                    told.lock().unwrap().refused.insert(n);
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    break;
                }
                Err(AppendError::Unknown(_)) => tokio::time::sleep(Duration::from_millis(5)).await,
                Err(AppendError::Conflict { actual }) => {
                    panic!("{actual:?} at {revision}: nobody else writes here")
                }
            }
        }
    }
}

/// Follows the log page by page, as a new reader does, and returns the ids in the order in which it saw them.
async fn follow(store: &PostgresStore, until: &AtomicBool) -> Vec<EventId> {
    let (mut seen, mut at) = (Vec::new(), Position(0));
    loop {
        let last = until.load(Ordering::SeqCst);
        match store.read_all(at, 50).await {
            Ok(page) => {
                seen.extend(page.iter().map(|recorded| recorded.event.id));
                at = page.last().map_or(at, |recorded| recorded.position);
                if last && page.is_empty() {
                    return seen;
                }
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

/// Follows the log by subscription, and subscribes again where it stopped when the subscription fails.
async fn subscribe(store: &PostgresStore, until: &AtomicBool) -> Vec<EventId> {
    let (mut seen, mut at) = (Vec::new(), Position(0));
    let mut log = store.subscribe(at);
    loop {
        let ended = until.load(Ordering::SeqCst);
        match tokio::time::timeout(Duration::from_secs(3), log.next()).await {
            Ok(Some(Ok(Subscribed::Event(recorded)))) => {
                assert!(recorded.position > at, "{:?} after {at:?}", recorded.position);
                at = recorded.position;
                seen.push(recorded.event.id);
            }
            Ok(Some(Ok(Subscribed::CaughtUp(_)))) => {}
            Ok(Some(Err(_)) | None) => {
                tokio::time::sleep(Duration::from_millis(20)).await;
                log = store.subscribe(at);
            }
            // Nothing came for a while, although nobody writes any more.
            Err(_) if ended => return seen,
            Err(_) => {}
        }
    }
}

/// Writes from two nodes and reads from a third while `disturb` runs. Then compares what everybody was told.
async fn disturbed(server: &PostgresServer, disturb: impl Future<Output = ()>) {
    let (one, other, third) = (node(server), node(server), node(server));
    let (ended, told) = (AtomicBool::new(false), Mutex::new(Told::default()));
    // Set when the last append was answered.
    let complete = Arc::new(AtomicBool::new(false));
    let reading = {
        let (third, complete) = (third.clone(), complete.clone());
        tokio::spawn(async move { tokio::join!(follow(&third, &complete), subscribe(&third, &complete)) })
    };
    let writers = (1..=12_u128).map(|writer| {
        let store = if writer % 2 == 0 { &one } else { &other };
        write(store, writer, &ended, &told)
    });
    let disturbing = async {
        disturb.await;
        ended.store(true, Ordering::SeqCst);
    };
    tokio::join!(join_all(writers), disturbing);
    complete.store(true, Ordering::SeqCst);
    let (followed, subscribed) = reading.await.unwrap();
    let log = third.read_all(Position(0), usize::MAX).await.unwrap();
    let told = told.into_inner().unwrap();
    holds(&log, &told);
    let ids: Vec<EventId> = log.iter().map(|recorded| recorded.event.id).collect();
    assert!(followed == ids, "a reader saw {} of {} events, or in another order", followed.len(), ids.len());
    assert!(subscribed == ids, "a subscriber saw {} of {} events", subscribed.len(), ids.len());
    println!("{} events, {} refused", log.len(), told.refused.len());
}

/// The log holds what was acknowledged, where that was said, and nothing that was refused. Positions have no gaps.
#[track_caller]
fn holds(log: &[RecordedEvent], told: &Told) {
    let positions: Vec<u64> = log.iter().map(|recorded| recorded.position.0).collect();
    assert!(positions.iter().copied().eq(1..=u64::try_from(log.len()).unwrap()), "positions have gaps");
    let held: BTreeMap<u128, Position> =
        log.iter().map(|recorded| (recorded.event.id.0.as_u128(), recorded.position)).collect();
    assert_eq!(held.len(), log.len(), "an event is there twice");
    for (id, position) in &told.written {
        assert_eq!(held.get(id), Some(position), "event {id} was acknowledged there");
    }
    for id in &told.refused {
        assert!(!held.contains_key(id), "event {id} was refused");
    }
    assert!(told.written.len() > 100, "only {} appends succeeded", told.written.len());
}

async fn pause(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_reader_ever_sees_a_gap_that_is_filled_later() {
    let Some(server) = PostgresServer::start("no_reader_ever_sees_a_gap_that_is_filled_later") else {
        return;
    };
    drop(server.database());
    let disturb = async {
        for round in 0..30 {
            // Somebody else's transaction with a number of its own stays open in the same database, or is given up.
            let end = if round % 2 == 0 { "COMMIT" } else { "ROLLBACK" };
            let long = format!("BEGIN; SELECT pg_current_xact_id(); SELECT pg_sleep(0.1); {end}");
            server.sql(&long);
            // Sessions of the nodes are ended, in whatever they are doing.
            server.sql(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                 WHERE application_name LIKE 'loquet%' AND random() < 0.3",
            );
            pause(20).await;
        }
    };
    disturbed(&server, disturb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_crashes_and_comes_back_loses_nothing_acknowledged() {
    let name = "a_server_that_crashes_and_comes_back_loses_nothing_acknowledged";
    let Some(server) = PostgresServer::start(name) else { return };
    drop(server.database());
    let disturb = async {
        for round in 0..4 {
            pause(250 + 70 * round).await;
            server.crash();
            pause(100).await;
            server.run();
        }
        pause(500).await;
    };
    disturbed(&server, disturb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_stalls_holds_callers_up_for_a_bounded_time_and_loses_nothing() {
    let name = "a_server_that_stalls_holds_callers_up_for_a_bounded_time_and_loses_nothing";
    let Some(server) = PostgresServer::start(name) else { return };
    drop(server.database());
    let disturb = async {
        pause(500).await;
        server.stall();
        // Longer than the time limit of a statement.
        pause(4_000).await;
        server.go_on();
        pause(1_000).await;
    };
    disturbed(&server, disturb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_that_hangs_while_it_holds_the_log_is_ended_and_the_others_go_on() {
    let name = "a_node_that_hangs_while_it_holds_the_log_is_ended_and_the_others_go_on";
    let Some(server) = PostgresServer::start(name) else { return };
    drop(server.database());
    // The session of a node that was suspended behind the lock, with the time limits of a node.
    let hanging = format!(
        "SET idle_in_transaction_session_timeout = '2s'; BEGIN; SELECT pg_advisory_xact_lock({});\n",
        0x6c6f_7175_6574_0002_i64
    );
    let mut psql = server.session();
    std::io::Write::write_all(psql.stdin.as_mut().unwrap(), hanging.as_bytes()).unwrap();
    let holders = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted";
    while server.sql(holders) == "0" {
        pause(20).await;
    }
    let node = PostgresStore::open(server.database());
    let stream = StreamId::new("test", "after");
    assert!(node.append(&stream, Revision(0), vec![event(1)]).await.is_ok());
    psql.kill().unwrap();
    psql.wait().unwrap();
}

#[tokio::test]
async fn a_database_that_takes_no_writes_says_so_and_is_read_all_the_same() {
    let name = "a_database_that_takes_no_writes_says_so_and_is_read_all_the_same";
    let Some(server) = PostgresServer::start(name) else { return };
    drop(server.database());
    let store = node(&server);
    let stream = StreamId::new("test", "a");
    store.append(&stream, Revision(0), vec![event(1)]).await.unwrap();
    server.sql("ALTER SYSTEM SET default_transaction_read_only = on");
    server.sql("SELECT pg_reload_conf()");
    pause(300).await;
    let store = node(&server);
    let refused = store.append(&stream, Revision(1), vec![event(2)]).await.unwrap_err();
    assert!(matches!(&refused, AppendError::Unavailable(why) if why.contains("read-only")), "{refused}");
    assert!(store.decoy().await.is_err(), "an unknown address would be told from a known one");
    assert_eq!(store.read_stream(&stream, Revision(0)).await.unwrap().len(), 1);
    server.sql("ALTER SYSTEM RESET ALL");
    server.sql("SELECT pg_reload_conf()");
    pause(300).await;
    assert!(node(&server).append(&stream, Revision(1), vec![event(2)]).await.is_ok());
}
