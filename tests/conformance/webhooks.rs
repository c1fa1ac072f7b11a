//! The rules for every store of webhooks.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use futures_util::future::join_all;
use loquet_domain::ports::Position;
use loquet_postgres::mail_journal::PostgresJournal;
use loquet_postgres::webhooks::PostgresWebhooks;
use loquet_projections::ports::{
    Acquired, DeliveryCounts, Endpoint, Fenced, Lease, LogPoint, StoreFailed, Webhooks,
};
use loquet_sqlite::webhooks::SqliteWebhooks;
use loquet_tests::postgres_server::PostgresServer;
use uuid::Uuid;

use crate::kills::{Acknowledged, Kills};
use crate::store::{self, Make, Store, second, suite};

type Port = dyn Webhooks;

macro_rules! adapter {
    ($name:ident, $make:expr $(, $killed:ident)?) => {
        suite!($name, $make, [
            an_endpoint_is_listed_as_it_was_added_on_every_node_and_after_a_stop,
            deliveries_are_due_until_they_are_delivered_or_dead,
            a_delivery_that_is_there_stays_as_it_is,
            a_position_is_moved_only_from_where_it_is,
            of_two_nodes_that_move_a_position_at_once_one_does,
            a_position_that_is_set_takes_later_deliveries_away_and_lets_a_stopped_endpoint_go_on,
            a_delivery_that_a_clock_ahead_made_due_far_away_is_due_now,
            endpoints_have_deliveries_of_their_own_and_a_removed_one_has_none,
            many_who_rotate_at_once_get_a_secret_each,
            a_stopped_endpoint_says_why_until_it_goes_on,
        ] $(, $killed: [
            killed_at_any_moment_every_event_before_the_position_waits_or_was_delivered,
        ])?);
    };
}

adapter!(sqlite, in_sqlite, killed);
adapter!(postgres, in_postgres, killed);

fn in_sqlite(folder: &Path) -> Store<Port> {
    let path = folder.join("webhooks.db");
    Store::opened_by(move || -> Arc<Port> { Arc::new(SqliteWebhooks::open(&path).unwrap()) })
}

fn in_postgres(folder: &Path) -> Store<Port> {
    store::in_postgres(folder, |database| -> Arc<Port> { Arc::new(PostgresWebhooks::new(database)) })
}

fn endpoint(n: u128) -> Endpoint {
    Endpoint {
        id: Uuid::from_u128(n),
        url: format!("https://example.com/{n}"),
        types: vec!["loquet.account.locked.v1".to_owned(), "loquet.site.opened.v1".to_owned()],
        created_at: second(i64::try_from(n).unwrap()),
        secret: 1,
        older_secret_until: None,
        position: Position(3),
        event_id: Some(Uuid::from_u128(33)),
        stopped: None,
    }
}

/// A position, with an event that has its number.
fn point(position: u64) -> LogPoint {
    LogPoint { position: Position(position), event_id: Some(Uuid::from_u128(position.into())) }
}

/// Where the only endpoint is.
async fn place(webhooks: &Port) -> LogPoint {
    let Endpoint { position, event_id, .. } = webhooks.list().await.unwrap().remove(0);
    LogPoint { position, event_id }
}

async fn due(webhooks: &Port, n: u128, at: i64) -> Vec<u64> {
    let due = webhooks.due(Uuid::from_u128(n), second(at), 100).await.unwrap();
    due.iter().map(|delivery| delivery.position.0).collect()
}

async fn counts(webhooks: &Port, n: u128) -> (u64, u64) {
    let DeliveryCounts { waiting, dead } = webhooks.counts(Uuid::from_u128(n)).await.unwrap();
    (waiting, dead)
}

async fn an_endpoint_is_listed_as_it_was_added_on_every_node_and_after_a_stop(store: Store<Port>) {
    let [one, other] = store.two();
    let every = Endpoint { types: Vec::new(), ..endpoint(2) };
    one.add(every.clone()).await.unwrap();
    other.add(endpoint(1)).await.unwrap();
    for webhooks in [&one, &other] {
        assert_eq!(webhooks.list().await, Ok(vec![endpoint(1), every.clone()]));
    }
    assert!(one.add(endpoint(1)).await.is_err(), "an id is used once");
    let webhooks = store.reopen([one, other]);
    assert_eq!(webhooks.list().await, Ok(vec![endpoint(1), every]));
}

async fn deliveries_are_due_until_they_are_delivered_or_dead(store: Store<Port>) {
    let [one, other] = store.two();
    let id = Uuid::from_u128(1);
    one.add(endpoint(1)).await.unwrap();
    let events = vec![Position(4), Position(6), Position(7)];
    one.advance(id, Position(3), point(9), events, second(10)).await.unwrap();
    assert_eq!(other.list().await.unwrap()[0].position, Position(9));
    assert_eq!(due(other.as_ref(), 1, 9).await, Vec::<u64>::new(), "not yet");
    assert_eq!(due(other.as_ref(), 1, 10).await, [4, 6, 7]);
    assert_eq!(other.due(id, second(10), 2).await.unwrap().len(), 2, "no more than asked for");
    one.delivered(id, Position(4)).await.unwrap();
    one.failed(id, Position(6), "it answered 500".to_owned(), Some(second(15))).await.unwrap();
    one.failed(id, Position(7), "it answered 503".to_owned(), None).await.unwrap();
    let webhooks = store.reopen([one, other]);
    assert_eq!(due(webhooks.as_ref(), 1, 14).await, Vec::<u64>::new());
    assert_eq!(due(webhooks.as_ref(), 1, 15).await, [6]);
    assert_eq!(counts(webhooks.as_ref(), 1).await, (1, 1));
    let failing = webhooks.failing(id, 100).await.unwrap();
    let failing: Vec<_> =
        failing.into_iter().map(|d| (d.position.0, d.tries, d.due_at, d.why.unwrap())).collect();
    let expected =
        [(6, 1, Some(second(15)), "it answered 500".to_owned()), (7, 1, None, "it answered 503".to_owned())];
    assert_eq!(failing, expected);
    assert_eq!(webhooks.retry(id, second(12)).await, Ok(2));
    assert_eq!(due(webhooks.as_ref(), 1, 12).await, [6, 7]);
    let again = webhooks.due(id, second(12), 9).await.unwrap();
    assert_eq!((again[0].tries, again[1].tries), (0, 0), "each begins anew");
    assert_eq!(webhooks.retry(id, second(21)).await, Ok(0));
}

async fn a_delivery_that_is_there_stays_as_it_is(store: Store<Port>) {
    let webhooks = store.open();
    let id = Uuid::from_u128(1);
    webhooks.add(endpoint(1)).await.unwrap();
    webhooks.advance(id, Position(3), point(5), vec![Position(4)], second(1)).await.unwrap();
    webhooks.failed(id, Position(4), "away".to_owned(), Some(second(100))).await.unwrap();
    webhooks.advance(id, Position(5), point(6), vec![Position(4), Position(6)], second(2)).await.unwrap();
    assert_eq!(due(webhooks.as_ref(), 1, 2).await, [6]);
    assert_eq!(place(webhooks.as_ref()).await, point(6));
}

async fn a_position_is_moved_only_from_where_it_is(store: Store<Port>) {
    let [one, other] = store.two();
    let id = Uuid::from_u128(1);
    one.add(endpoint(1)).await.unwrap();
    // Both have read position 3. The other one is slow.
    assert_eq!(one.advance(id, Position(3), point(9), vec![Position(4)], second(1)).await, Ok(true));
    assert_eq!(other.advance(id, Position(3), point(8), vec![Position(5)], second(1)).await, Ok(false));
    assert_eq!(other.set_position(id, Some(Position(3)), point(2)).await, Ok(false));
    assert_eq!((place(one.as_ref()).await, due(one.as_ref(), 1, 1).await), (point(9), vec![4]));
    // An operator skips events while a node reads them, and later goes back.
    assert_eq!(other.set_position(id, None, point(20)).await, Ok(true));
    assert_eq!(one.advance(id, Position(9), point(12), vec![Position(11)], second(1)).await, Ok(false));
    assert_eq!(place(one.as_ref()).await, point(20));
    assert_eq!(other.set_position(id, None, point(6)).await, Ok(true));
    assert_eq!(one.advance(id, Position(20), point(21), vec![Position(21)], second(1)).await, Ok(false));
    assert_eq!(one.set_position(id, Some(Position(6)), point(5)).await, Ok(true));
    let webhooks = store.reopen([one, other]);
    assert_eq!((place(webhooks.as_ref()).await, due(webhooks.as_ref(), 1, 1).await), (point(5), vec![4]));
}

async fn of_two_nodes_that_move_a_position_at_once_one_does(store: Store<Port>) {
    let nodes = store.two();
    let id = Uuid::from_u128(1);
    nodes[0].add(Endpoint { position: Position(0), ..endpoint(1) }).await.unwrap();
    for round in 0..20_u64 {
        let (from, odd) = (Position(round * 10), round * 10 + 1);
        let moved = (0..6_u64).map(|n| {
            let to = LogPoint { position: Position(from.0 + 10), event_id: Some(Uuid::from_u128(n.into())) };
            nodes[usize::try_from(n % 2).unwrap()].advance(id, from, to, vec![Position(odd + n)], second(1))
        });
        let moved: Vec<bool> = join_all(moved).await.into_iter().map(Result::unwrap).collect();
        let winners: Vec<u64> = (0..6).zip(moved).filter(|(_, has)| *has).map(|(n, _)| n).collect();
        let [winner] = winners[..] else { panic!("{winners:?} moved it") };
        let here =
            LogPoint { position: Position(from.0 + 10), event_id: Some(Uuid::from_u128(winner.into())) };
        assert_eq!(place(nodes[0].as_ref()).await, here);
        assert_eq!(due(nodes[1].as_ref(), 1, 1).await.last(), Some(&(odd + winner)));
    }
    assert_eq!(counts(nodes[0].as_ref(), 1).await, (20, 0));
}

/// The lease is in the same database, so each write compares its fence in its own transaction.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_postgres_a_node_that_has_lost_the_lease_changes_no_webhook() {
    let Some(server) = PostgresServer::start("a_node_that_has_lost_the_lease") else { return };
    let operator = PostgresWebhooks::new(server.database());
    let journal = PostgresJournal::new(server.database());
    let id = Uuid::from_u128(1);
    operator.add(endpoint(1)).await.unwrap();
    let lead = async |holder| match journal.acquire(holder, second(0), second(0)).await.unwrap() {
        Acquired::Given(fence) => (fence, operator.under(fence)),
        Acquired::Taken { until } => panic!("taken until {until}"),
    };
    let (shown, old) = lead("one").await;
    assert_eq!(
        old.advance(id, Position(3), point(6), vec![Position(4), Position(5)], second(1)).await,
        Ok(true)
    );
    let (newest, new) = lead("other").await;
    let fenced = StoreFailed::new(Fenced { shown, newest });
    assert_eq!(
        old.advance(id, Position(6), point(7), vec![Position(7)], second(1)).await,
        Err(fenced.clone())
    );
    assert_eq!(old.set_position(id, Some(Position(6)), point(0)).await, Err(fenced.clone()));
    assert_eq!(old.delivered(id, Position(4)).await, Err(fenced.clone()));
    assert_eq!(old.failed(id, Position(4), "away".to_owned(), None).await, Err(fenced.clone()));
    assert_eq!(old.stop(id, Some("it answered 410 Gone".to_owned())).await, Err(fenced.clone()));
    assert_eq!(old.remove(id).await, Err(fenced));
    assert_eq!(place(&operator).await, point(6));
    assert_eq!((due(&operator, 1, 1).await, counts(&operator, 1).await), (vec![4, 5], (2, 0)));
    assert_eq!(operator.list().await.unwrap()[0].stopped, None);
    // The new holder goes on, and so does an operator, who needs no lease.
    new.delivered(id, Position(4)).await.unwrap();
    assert_eq!(new.advance(id, Position(6), point(7), vec![Position(7)], second(1)).await, Ok(true));
    assert_eq!(operator.set_position(id, None, point(5)).await, Ok(true));
    assert_eq!(due(new.as_ref(), 1, 1).await, [5]);
}

async fn a_position_that_is_set_takes_later_deliveries_away_and_lets_a_stopped_endpoint_go_on(
    store: Store<Port>,
) {
    let [one, other] = store.two();
    let id = Uuid::from_u128(1);
    one.add(endpoint(1)).await.unwrap();
    one.advance(id, Position(3), point(9), vec![Position(4), Position(8)], second(1)).await.unwrap();
    one.failed(id, Position(8), "away".to_owned(), None).await.unwrap();
    one.stop(id, Some("another log".to_owned())).await.unwrap();
    assert_eq!(other.set_position(id, None, point(5)).await, Ok(true));
    let held = one.list().await.unwrap().remove(0);
    assert_eq!((held.position, held.event_id, held.stopped), (Position(5), point(5).event_id, None));
    assert_eq!((due(one.as_ref(), 1, 2).await, counts(one.as_ref(), 1).await), (vec![4], (1, 0)));
    assert_eq!(one.set_position(Uuid::from_u128(2), None, point(0)).await, Ok(false));
}

async fn a_delivery_that_a_clock_ahead_made_due_far_away_is_due_now(store: Store<Port>) {
    let webhooks = store.open();
    webhooks.add(endpoint(1)).await.unwrap();
    let (id, day) = (Uuid::from_u128(1), 86_400);
    let events = vec![Position(4)];
    webhooks.advance(id, Position(3), point(5), events, second(10 * day)).await.unwrap();
    assert_eq!(due(webhooks.as_ref(), 1, 0).await, [4]);
    webhooks.failed(id, Position(4), "away".to_owned(), Some(second(day))).await.unwrap();
    assert_eq!(due(webhooks.as_ref(), 1, 0).await, Vec::<u64>::new(), "a day is the longest pause");
}

async fn endpoints_have_deliveries_of_their_own_and_a_removed_one_has_none(store: Store<Port>) {
    let [one, other] = store.two();
    for n in [1, 2] {
        one.add(endpoint(n)).await.unwrap();
        one.advance(Uuid::from_u128(n), Position(3), point(9), vec![Position(4)], second(1)).await.unwrap();
    }
    one.delivered(Uuid::from_u128(1), Position(4)).await.unwrap();
    assert_eq!((counts(one.as_ref(), 1).await, counts(one.as_ref(), 2).await), ((0, 0), (1, 0)));
    assert_eq!(other.remove(Uuid::from_u128(2)).await, Ok(true));
    assert_eq!(one.remove(Uuid::from_u128(2)).await, Ok(false));
    assert_eq!(one.list().await.unwrap().len(), 1);
    // Whoever still works on it changes nothing.
    let gone = Uuid::from_u128(2);
    assert_eq!(one.advance(gone, Position(9), point(10), vec![Position(5)], second(1)).await, Ok(false));
    one.failed(gone, Position(4), "away".to_owned(), None).await.unwrap();
    one.delivered(gone, Position(4)).await.unwrap();
    assert_eq!(one.rotate(gone, second(9)).await, Ok(None));
    assert_eq!(one.stop(gone, None).await, Ok(false));
    assert_eq!(counts(one.as_ref(), 2).await, (0, 0));
}

async fn many_who_rotate_at_once_get_a_secret_each(store: Store<Port>) {
    let nodes = store.two();
    nodes[0].add(endpoint(1)).await.unwrap();
    let rotations = (0..20).map(|n| nodes[n % 2].rotate(Uuid::from_u128(1), second(50)));
    let numbers: BTreeSet<u32> =
        join_all(rotations).await.into_iter().map(|rotated| rotated.unwrap().unwrap()).collect();
    assert_eq!(numbers, (2..=21).collect());
    let held = nodes[0].list().await.unwrap().remove(0);
    assert_eq!((held.secret, held.older_secret_until), (21, Some(second(50))));
}

async fn a_stopped_endpoint_says_why_until_it_goes_on(store: Store<Port>) {
    let [one, other] = store.two();
    one.add(endpoint(1)).await.unwrap();
    let why = Some("it answered 410 Gone".to_owned());
    assert_eq!(one.stop(Uuid::from_u128(1), why.clone()).await, Ok(true));
    assert_eq!(other.list().await.unwrap()[0].stopped, why);
    assert_eq!(other.stop(Uuid::from_u128(1), None).await, Ok(true));
    assert_eq!(store.reopen([one, other]).list().await.unwrap()[0].stopped, None);
}

async fn killed_at_any_moment_every_event_before_the_position_waits_or_was_delivered(
    kills: Kills,
    make: Make<Port>,
) {
    let id = Uuid::from_u128(1);
    let work = async |store: Store<Port>, round: usize, done: &mut Acknowledged| {
        let webhooks = store.open();
        if round == 0 {
            webhooks.add(Endpoint { position: Position(0), ..endpoint(1) }).await.unwrap();
        }
        let mut at = webhooks.list().await.unwrap()[0].position.0;
        loop {
            let events = vec![Position(at + 1), Position(at + 2)];
            webhooks.advance(id, Position(at), point(at + 2), events, second(1)).await.unwrap();
            done.add(&format!("position {}", at + 2));
            webhooks.delivered(id, Position(at + 1)).await.unwrap();
            done.add(&format!("delivered {}", at + 1));
            at += 2;
        }
    };
    let check = async |store: Store<Port>, lines: Vec<String>| {
        let webhooks = store.open();
        let position = webhooks.list().await.unwrap()[0].position.0;
        let waiting: BTreeSet<u64> =
            webhooks.due(id, second(2), u32::MAX).await.unwrap().iter().map(|d| d.position.0).collect();
        let said = |what: &str| -> BTreeSet<u64> {
            lines.iter().filter_map(|line| line.strip_prefix(what)?.trim().parse().ok()).collect()
        };
        let (reached, delivered) = (said("position"), said("delivered"));
        assert!(reached.last().is_none_or(|last| *last <= position), "a position was lost");
        assert!(waiting.is_disjoint(&delivered), "what was delivered waits again");
        // Of each pair, the second is never delivered here. The first may have been, without having been said.
        assert!((1..=position / 2).all(|pair| waiting.contains(&(pair * 2))), "an event was lost");
    };
    kills.at_any_moment(make, work, check).await;
}
