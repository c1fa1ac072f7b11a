//! The rules for every event store.

use std::path::Path;
use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use futures_util::future::join_all;
use loquet_domain::ids::{AccountId, EventId};
use loquet_domain::ports::{
    AppendError, EventStore, NewEvent, OpenEvent, Position, RecordedEvent, Revision, Sealed, StreamId,
    Subscribed,
};
use loquet_kurrentdb::KurrentStore;
use loquet_memory::event_store::MemoryStore;
use loquet_postgres::event_store::PostgresStore;
use loquet_sqlite::event_store::SqliteStore;
use loquet_tests::kurrentdb_server::KurrentServer;
use tokio::runtime::Handle;
use uuid::Uuid;

use crate::kills::{Acknowledged, Kills};
use crate::store::{self, Make, suite};

type Port = dyn EventStore;
type Store = Arc<Port>;

fn stream(name: &str) -> StreamId {
    StreamId::new("test", name)
}

fn event(n: u128) -> NewEvent {
    NewEvent {
        id: EventId(Uuid::from_u128(n)),
        name: "login-failed".to_owned(),
        version: 1,
        data: format!("{{\"n\":{n},\"é\":\"ü\"}}").into_bytes(),
        metadata: b"{}".to_vec(),
        sealed: n
            .is_multiple_of(2)
            .then(|| Sealed { subject: AccountId(Uuid::from_u128(9)), bytes: vec![0, 255, 7] }),
    }
}

fn events(ids: std::ops::Range<u128>) -> Vec<NewEvent> {
    ids.map(event).collect()
}

fn ids(events: &[RecordedEvent]) -> Vec<u128> {
    events.iter().map(|recorded| recorded.event.id.0.as_u128()).collect()
}

fn positions(events: &[RecordedEvent]) -> Vec<u64> {
    events.iter().map(|recorded| recorded.position.0).collect()
}

/// A position is greater than each earlier one, and greater than zero. It need not be the next number: in some
/// stores it is a place in a file.
#[track_caller]
fn assert_increasing(events: &[RecordedEvent]) {
    let positions = positions(events);
    assert!(positions.first().is_none_or(|&first| first > 0), "{positions:?}");
    assert!(positions.is_sorted_by(|one, next| one < next), "{positions:?}");
}

async fn an_append_is_read_back_as_it_was(store: Store) {
    let appended = store.append(&stream("a"), Revision(0), events(1..4)).await.unwrap();
    let read = store.read_stream(&stream("a"), Revision(0)).await.unwrap();
    assert_eq!((appended.position, appended.revision), (read[2].position, Revision(3)));
    assert_eq!(read.iter().map(|e| e.event.clone()).collect::<Vec<_>>(), events(1..4));
    assert_eq!(read.iter().map(|e| e.revision.0).collect::<Vec<_>>(), [1, 2, 3]);
    assert_increasing(&read);
    assert!(read.iter().all(|e| e.stream == stream("a")));
    assert_eq!(store.read_all(Position(0), 100).await.unwrap(), read);
    assert_eq!(store.head().await.unwrap(), appended.position);
}

async fn an_append_at_another_revision_than_the_streams_is_a_conflict_and_writes_nothing(store: Store) {
    let appended = store.append(&stream("a"), Revision(0), events(1..3)).await.unwrap();
    for expected in [0, 1, 3, u64::MAX] {
        let conflict = store.append(&stream("a"), Revision(expected), vec![event(100)]).await;
        assert_eq!(conflict, Err(AppendError::Conflict { actual: Revision(2) }), "at {expected}");
    }
    let missing = store.append(&stream("b"), Revision(1), vec![event(101)]).await;
    assert_eq!(missing, Err(AppendError::Conflict { actual: Revision(0) }));
    assert_eq!(store.head().await.unwrap(), appended.position);
    assert_eq!(ids(&store.read_all(Position(0), 100).await.unwrap()), [1, 2]);
}

async fn the_same_append_again_changes_nothing_and_answers_the_same(store: Store) {
    store.append(&stream("a"), Revision(0), vec![event(1)]).await.unwrap();
    let first = store.append(&stream("a"), Revision(1), events(2..4)).await.unwrap();
    store.append(&stream("b"), Revision(0), vec![event(50)]).await.unwrap();
    let last = store.append(&stream("a"), Revision(3), vec![event(4)]).await.unwrap();
    assert_eq!(store.append(&stream("a"), Revision(1), events(2..4)).await, Ok(first));
    assert_eq!(store.append(&stream("a"), Revision(3), vec![event(4)]).await, Ok(last), "at the end");
    assert_eq!(store.head().await.unwrap(), last.position);
    let other = store.append(&stream("a"), Revision(1), vec![event(2), event(77)]).await;
    assert_eq!(
        other,
        Err(AppendError::Conflict { actual: Revision(4) }),
        "one other event is another append"
    );
    let longer = store.append(&stream("a"), Revision(1), events(2..6)).await;
    assert_eq!(longer, Err(AppendError::Conflict { actual: Revision(4) }));
    assert_eq!(ids(&store.read_all(Position(0), 100).await.unwrap()), [1, 2, 3, 50, 4]);
}

async fn reading_starts_after_where_it_is_told_to(store: Store) {
    store.append(&stream("a"), Revision(0), events(1..11)).await.unwrap();
    let revisions = |after| {
        let store = store.clone();
        async move {
            let read = store.read_stream(&stream("a"), Revision(after)).await.unwrap();
            read.iter().map(|e| e.revision.0).collect::<Vec<_>>()
        }
    };
    assert_eq!(revisions(8).await, [9, 10]);
    assert!(revisions(10).await.is_empty());
    assert!(revisions(u64::MAX).await.is_empty());
    assert!(store.read_stream(&stream("nobody"), Revision(0)).await.unwrap().is_empty());
    let all = store.read_all(Position(0), 100).await.unwrap();
    assert_eq!(store.read_all(all[3].position, 3).await.unwrap(), all[4..7]);
    assert_eq!(store.read_all(Position(0), 3).await.unwrap(), all[..3]);
    assert!(store.read_all(all[9].position, 3).await.unwrap().is_empty());
    assert!(store.read_all(all[3].position, 0).await.unwrap().is_empty());
}

async fn the_events_with_some_names_are_shown_and_the_others_are_passed(store: Store) {
    let named = |n, name: &str| NewEvent { name: name.to_owned(), ..event(n) };
    let names = ["login-failed", "account-locked", "login-succeeded", "login-failed", "password-reset"];
    let events = names.iter().zip(1..).map(|(name, n)| named(n, name)).collect();
    store.append(&stream("a"), Revision(0), events).await.unwrap();
    let all = store.read_all(Position(0), 100).await.unwrap();
    let looked = |after: Position, up_to: Position, names: &'static [&'static str]| {
        let (store, all) = (store.clone(), all.clone());
        async move {
            let seen = Arc::new(Mutex::new(Vec::new()));
            let (seeing, known) = (seen.clone(), all.clone());
            let look = move |event: &OpenEvent<'_>| {
                let recorded = known.iter().find(|recorded| recorded.position == event.position);
                assert_eq!(Some(*event), recorded.map(RecordedEvent::open));
                seeing.lock().unwrap().push(event.id.0.as_u128());
            };
            let passed = store.look_at_named(after, up_to, names, Box::new(look)).await.unwrap();
            let seen = seen.lock().unwrap().clone();
            (seen, passed)
        }
    };
    let (start, at) = (Position(0), |n: usize| all[n].position);
    assert_eq!(looked(start, at(4), &["login-failed", "password-reset"]).await, (vec![1, 4, 5], 5));
    assert_eq!(looked(start, at(2), &["login-failed"]).await, (vec![1], 3), "the last position counts");
    assert_eq!(looked(at(2), at(4), &["login-failed"]).await, (vec![4], 2), "the first does not");
    assert_eq!(looked(start, at(4), &["of-no-event"]).await, (vec![], 5));
    assert_eq!(looked(at(4), Position(at(4).0 + 9), &["login-failed"]).await, (vec![], 0));
}

async fn the_event_at_a_position_is_the_one_that_was_appended_there(store: Store) {
    store.append(&stream("a"), Revision(0), events(1..4)).await.unwrap();
    let last = store.append(&stream("b"), Revision(0), vec![event(4)]).await.unwrap();
    for recorded in store.read_all(Position(0), 100).await.unwrap() {
        assert_eq!(store.event_at(recorded.position).await, Ok(Some(recorded)));
    }
    assert_eq!(store.event_at(Position(0)).await, Ok(None));
    assert_eq!(store.event_at(Position(last.position.0 + 1)).await, Ok(None));
}

async fn the_newest_events_come_with_the_oldest_of_them_first(store: Store) {
    assert_eq!(store.newest(3).await, Ok(Vec::new()));
    store.append(&stream("a"), Revision(0), events(1..4)).await.unwrap();
    store.append(&stream("b"), Revision(0), events(4..6)).await.unwrap();
    let all = store.read_all(Position(0), 100).await.unwrap();
    assert_eq!(store.newest(0).await, Ok(Vec::new()));
    assert_eq!(store.newest(3).await.unwrap(), all[2..]);
    assert_eq!(store.newest(100).await.unwrap(), all);
}

/// Sixteen callers race for the same revisions of four streams. Each revision has one winner, the log has every
/// event that was acknowledged and no other, and each stream is in the order of the log.
async fn concurrent_writers_leave_order_without_gaps(store: Store) {
    let writers = (0..16_u128).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut won = Vec::new();
            for n in 0..50 {
                let name = stream(&(n % 4).to_string());
                let held = store.read_stream(&name, Revision(0)).await.unwrap().len();
                let id = 1 + writer * 1000 + n;
                let expected = Revision(u64::try_from(held).unwrap());
                match store.append(&name, expected, vec![event(id)]).await {
                    Ok(appended) => {
                        assert_eq!(appended.revision.0, expected.0 + 1);
                        won.push((appended.position.0, id));
                    }
                    Err(AppendError::Conflict { actual }) => assert!(actual > expected),
                    Err(other) => panic!("{other}"),
                }
            }
            won
        })
    });
    let mut won: Vec<_> = join_all(writers).await.into_iter().flat_map(Result::unwrap).collect();
    won.sort_unstable();
    let log = store.read_all(Position(0), 10_000).await.unwrap();
    assert_increasing(&log);
    assert_eq!(positions(&log).into_iter().zip(ids(&log)).collect::<Vec<_>>(), won);
    for name in (0..4).map(|n| stream(&n.to_string())) {
        let of_log: Vec<_> = log.iter().filter(|e| e.stream == name).cloned().collect();
        assert_eq!(store.read_stream(&name, Revision(0)).await.unwrap(), of_log);
        let revisions = of_log.iter().map(|e| e.revision.0);
        assert!(revisions.eq(1..=u64::try_from(of_log.len()).unwrap()));
    }
}

async fn a_subscription_catches_up_says_so_and_goes_live_without_loss_or_repetition(store: Store) {
    store.append(&stream("a"), Revision(0), events(1..1501)).await.unwrap();
    let half = store.read_all(Position(0), 500).await.unwrap();
    let mut subscription = store.subscribe(half[499].position);
    let writer = {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 1500..1900_u64 {
                store.append(&stream("a"), Revision(n), vec![event(u128::from(n) + 1)]).await.unwrap();
            }
        })
    };
    let (mut seen, mut at, mut caught_up) = (500, half[499].position, 0);
    while seen < 1900 || caught_up == 0 {
        match subscription.next().await.unwrap().unwrap() {
            Subscribed::Event(event) => {
                seen += 1;
                assert_eq!(event.event.id, EventId(Uuid::from_u128(seen)));
                assert!(event.position > at);
                at = event.position;
            }
            Subscribed::CaughtUp(position) => {
                assert_eq!(position, at);
                caught_up += 1;
            }
        }
    }
    writer.await.unwrap();
    let last = store.append(&stream("b"), Revision(0), vec![event(5000)]).await.unwrap();
    let next = loop {
        match subscription.next().await.unwrap().unwrap() {
            Subscribed::Event(event) => break event,
            Subscribed::CaughtUp(_) => {}
        }
    };
    assert_eq!((next.position, next.event.id), (last.position, EventId(Uuid::from_u128(5000))));
}

async fn a_decoy_is_durable_work_and_leaves_no_trace(store: Store) {
    let appended = store.append(&stream("a"), Revision(0), vec![event(1)]).await.unwrap();
    join_all((0..50).map(|_| store.decoy())).await.into_iter().for_each(|decoy| decoy.unwrap());
    assert_eq!(store.head().await.unwrap(), appended.position);
    assert_eq!(store.read_all(Position(0), 10).await.unwrap().len(), 1);
}

/// Only for stores that promise it: the positions are 1, 2, 3 and so on.
async fn positions_have_no_gaps(store: Store) {
    store.append(&stream("a"), Revision(0), events(1..4)).await.unwrap();
    store.append(&stream("a"), Revision(0), vec![event(100)]).await.unwrap_err();
    store.append(&stream("a"), Revision(0), events(1..4)).await.unwrap();
    store.append(&stream("b"), Revision(0), events(4..6)).await.unwrap();
    store.decoy().await.unwrap();
    let last = store.append(&stream("a"), Revision(3), vec![event(6)]).await.unwrap();
    assert_eq!(last.position, Position(6));
    assert_eq!(positions(&store.read_all(Position(0), 100).await.unwrap()), [1, 2, 3, 4, 5, 6]);
}

macro_rules! conformance {
    ($make:expr, $($rule:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $rule() {
                if store::cannot_be_made(module_path!(), stringify!($rule)) {
                    return;
                }
                let folder = tempfile::tempdir().unwrap();
                let make: Make<Port> = $make;
                let made = make(folder.path());
                super::$rule(made.open()).await;
            }
        )*
    };
}

/// The rules of the port. A store whose positions have no gaps adds `dense`.
macro_rules! adapter {
    ($name:ident, $make:expr $(, $dense:ident)?) => {
        mod $name {
            use super::*;
            conformance!(
                $make,
                an_append_is_read_back_as_it_was,
                an_append_at_another_revision_than_the_streams_is_a_conflict_and_writes_nothing,
                the_same_append_again_changes_nothing_and_answers_the_same,
                reading_starts_after_where_it_is_told_to,
                the_events_with_some_names_are_shown_and_the_others_are_passed,
                the_event_at_a_position_is_the_one_that_was_appended_there,
                the_newest_events_come_with_the_oldest_of_them_first,
                concurrent_writers_leave_order_without_gaps,
                a_subscription_catches_up_says_so_and_goes_live_without_loss_or_repetition,
                a_decoy_is_durable_work_and_leaves_no_trace,
            );
            $(adapter!($dense: $make);)?
        }
    };
    (dense: $make:expr) => {
        conformance!($make, positions_have_no_gaps);
    };
}

adapter!(memory, |_| store::Store::opened_by(|| -> Store { Arc::new(MemoryStore::default()) }), dense);
adapter!(sqlite, in_sqlite, dense);
adapter!(postgres, in_postgres, dense);
adapter!(kurrentdb, in_kurrentdb);

/// What a store that outlives its process keeps besides.
macro_rules! durable {
    ($name:ident, $make:expr) => {
        suite!($name, $make, [
            a_stop_keeps_the_log_and_the_revision_of_each_stream,
        ], killed: [
            killed_at_any_moment_no_acknowledged_event_is_lost_and_every_append_is_whole,
        ]);
    };
}

durable!(sqlite_on_disk, in_sqlite);
durable!(postgres_on_disk, in_postgres);
durable!(kurrentdb_on_a_server, in_kurrentdb);

fn in_postgres(folder: &Path) -> store::Store<Port> {
    store::in_postgres(folder, |database| -> Store { Arc::new(PostgresStore::open(database)) })
}

/// Each opening is a node with a connection of its own.
fn in_kurrentdb(folder: &Path) -> store::Store<Port> {
    let server = KurrentServer::in_folder(folder);
    store::Store::opened_by(move || -> Store {
        let connection = server.connection();
        let open = KurrentStore::open(&connection);
        Arc::new(tokio::task::block_in_place(|| Handle::current().block_on(open)).unwrap())
    })
}

/// One process has the log, so its two nodes are two handles of one opening.
fn in_sqlite(folder: &Path) -> store::Store<Port> {
    let path = folder.join("log.db");
    let opened: Arc<Mutex<Option<SqliteStore>>> = Arc::default();
    let stopping = opened.clone();
    let open = move || -> Store {
        let mut opened = opened.lock().unwrap();
        Arc::new(opened.get_or_insert_with(|| SqliteStore::open(&path).unwrap()).clone())
    };
    store::Store::opened_by(open).stopped_by(move || {
        if let Some(store) = stopping.lock().unwrap().take() {
            store.close();
        }
    })
}

async fn a_stop_keeps_the_log_and_the_revision_of_each_stream(stored: store::Store<Port>) {
    let log = stored.open();
    log.append(&stream("a"), Revision(0), events(1..4)).await.unwrap();
    let last = log.append(&stream("b"), Revision(0), events(4..5)).await.unwrap();
    let before = log.read_all(Position(0), 100).await.unwrap();
    let again = stored.reopen([log]);
    assert_eq!(again.read_all(Position(0), 100).await.unwrap(), before);
    assert_eq!(again.head().await, Ok(last.position));
    let conflict = again.append(&stream("a"), Revision(2), vec![event(9)]).await;
    assert_eq!(conflict, Err(AppendError::Conflict { actual: Revision(3) }));
    let appended = again.append(&stream("a"), Revision(3), vec![event(9)]).await.unwrap();
    assert!(appended.position > last.position);
    assert_eq!(appended.revision, Revision(4));
}

async fn killed_at_any_moment_no_acknowledged_event_is_lost_and_every_append_is_whole(
    kills: Kills,
    make: Make<Port>,
) {
    let name = |n: u64| stream(&(n % 4).to_string());
    let pair = |n: u64| [2 * n, 2 * n + 1].map(u128::from);
    let work = async |stored: store::Store<Port>, _: usize, done: &mut Acknowledged| {
        let log = stored.open();
        let done_before = log.read_all(Position(0), 1_000_000).await.unwrap().len() / 2;
        for n in u64::try_from(done_before).unwrap() + 1.. {
            let held = log.read_stream(&name(n), Revision(0)).await.unwrap().len();
            let two = events(u128::from(2 * n)..u128::from(2 * n + 2));
            log.append(&name(n), Revision(u64::try_from(held).unwrap()), two).await.unwrap();
            done.add(&n.to_string());
        }
    };
    let check = async |stored: store::Store<Port>, lines: Vec<String>| {
        let log = stored.open();
        let all = log.read_all(Position(0), 1_000_000).await.unwrap();
        assert_increasing(&all);
        for (n, two) in (1..).zip(all.chunks(2)) {
            assert_eq!(ids(two), pair(n), "half an append");
            assert!(two.iter().all(|recorded| recorded.stream == name(n)));
        }
        let last = lines.last().map_or(0, |line| line.parse().unwrap());
        assert!(all.len() >= 2 * last, "of {last} acknowledged appends {} events are left", all.len());
        stored.stop([log]);
    };
    kills.at_any_moment(make, work, check).await;
}
