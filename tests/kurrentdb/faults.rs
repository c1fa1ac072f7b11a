//! Another leader, connections that break, answers that are lost, stalls, deliveries twice and out of order.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use loquet_domain::ports::{AppendError, EventStore, Position, Revision, Subscribed};
use loquet_event_store_server::{AppendFault, Delivery, Denied, Options};
use loquet_kurrentdb::KurrentStore;
use loquet_tests::kurrentdb_server::KurrentServer;

use crate::world::{event, hasty, ids, open, stream};

fn three_nodes() -> Options {
    Options { ports: vec![0; 3], ..Options::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_whose_answer_is_lost_is_asked_for_again_and_written_once() {
    let test = "kurrentdb_lost_reply";
    let Some(mut server) = KurrentServer::start(test, Options::default()) else { return };
    let store = open(&server.connection()).await;
    for (n, fault) in (0..).zip([
        AppendFault::LostReply,
        AppendFault::LostRequest,
        AppendFault::TimedOutLate,
        AppendFault::TooBusy,
    ]) {
        server.ours().faults().inject([fault]);
        let appended = store.append(&stream("a"), Revision(n), vec![event(u128::from(n) + 1)]).await.unwrap();
        let last = store.newest(1).await.unwrap();
        assert_eq!((appended.position, appended.revision), (last[0].position, Revision(n + 1)), "{fault:?}");
        assert_eq!(store.head().await, Ok(appended.position));
    }
    assert_eq!(ids(&store).await, [1, 2, 3, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_has_the_position_of_the_first_time_even_if_the_server_names_none() {
    let Some(mut server) = KurrentServer::start("kurrentdb_position", Options::default()) else { return };
    let store = open(&server.connection()).await;
    let first = store.append(&stream("a"), Revision(0), vec![event(1), event(2)]).await.unwrap();
    store.append(&stream("b"), Revision(0), vec![event(3)]).await.unwrap();
    server.ours().faults().inject([AppendFault::NoPosition]);
    assert_eq!(store.append(&stream("a"), Revision(0), vec![event(1), event(2)]).await, Ok(first));
    server.ours().faults().inject([AppendFault::NoPosition]);
    let fresh = store.append(&stream("a"), Revision(2), vec![event(4)]).await.unwrap();
    assert_eq!(fresh.position, store.newest(1).await.unwrap()[0].position);
    assert_eq!(store.head().await, Ok(fresh.position));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_answer_until_the_deadline_an_append_is_unknown_and_a_repeat_tells() {
    let Some(mut server) = KurrentServer::start("kurrentdb_silence", Options::default()) else { return };
    let store = open(&hasty(&server)).await;
    server.ours().faults().inject([AppendFault::Silence]);
    let begun = Instant::now();
    let unknown = store.append(&stream("a"), Revision(0), vec![event(1)]).await;
    assert!(matches!(unknown, Err(AppendError::Unknown(_))), "{unknown:?}");
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    let repeat = store.append(&stream("a"), Revision(0), vec![event(1)]).await.unwrap();
    assert_eq!(repeat.position, store.newest(1).await.unwrap()[0].position);
    assert_eq!(ids(&store).await, [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_after_a_lost_answer_is_a_conflict_only_if_the_events_are_others() {
    let Some(mut server) = KurrentServer::start("kurrentdb_conflict", Options::default()) else { return };
    let (mine, theirs) = (open(&server.connection()).await, open(&server.connection()).await);
    theirs.append(&stream("a"), Revision(0), vec![event(1)]).await.unwrap();
    server.ours().faults().inject([AppendFault::LostRequest]);
    let lost = mine.append(&stream("a"), Revision(0), vec![event(2)]).await;
    assert_eq!(lost, Err(AppendError::Conflict { actual: Revision(1) }));
    let partly = mine.append(&stream("a"), Revision(0), vec![event(1), event(2)]).await;
    assert_eq!(partly, Err(AppendError::Conflict { actual: Revision(1) }));
    assert_eq!(ids(&mine).await, [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_of_one_caller_disturbs_no_other() {
    let server = KurrentServer::fresh();
    let store = open(&server.connection()).await;
    store.append(&stream("taken"), Revision(0), vec![event(1)]).await.unwrap();
    let callers = (0..100_u128).map(|n| {
        let store = store.clone();
        async move {
            let conflict = store.append(&stream("taken"), Revision(0), vec![event(1000 + n)]).await;
            assert_eq!(conflict, Err(AppendError::Conflict { actual: Revision(1) }));
            store.append(&stream(&n.to_string()), Revision(0), vec![event(2000 + n)]).await.unwrap();
        }
    });
    futures_util::future::join_all(callers).await;
    assert_eq!(ids(&store).await.len(), 101);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_what_is_missing_and_nothing_was_written() {
    let Some(mut server) = KurrentServer::start("kurrentdb_denied", Options::default()) else { return };
    let store = open(&server.connection()).await;
    server.ours().faults().deny(Denied::Appends);
    let denied = store.append(&stream("a"), Revision(0), vec![event(1)]).await.unwrap_err();
    assert!(matches!(&denied, AppendError::Unavailable(why) if why.contains("denies access")), "{denied}");
    assert!(matches!(store.decoy().await, Err(AppendError::Unavailable(_))));
    server.ours().faults().deny(Denied::WholeLog);
    let unread = store.read_all(Position(0), 10).await.unwrap_err();
    assert!(unread.0.contains("read $all"), "{unread}");
    let unopened = KurrentStore::open(&server.connection()).await.map(drop).unwrap_err();
    assert!(unopened.to_string().contains("read $all"), "{unopened}");
    server.ours().faults().deny(Denied::Nothing);
    let mut large = event(1);
    large.data = format!("\"{}\"", "x".repeat(2 * 1024 * 1024)).into_bytes();
    let refused = store.append(&stream("a"), Revision(0), vec![large]).await.unwrap_err();
    assert!(matches!(&refused, AppendError::Unavailable(why) if why.contains("MaxAppendSize")), "{refused}");
    let mut no_json = event(1);
    no_json.data = b" {}".to_vec();
    let refused = store.append(&stream("a"), Revision(0), vec![no_json]).await;
    assert!(matches!(refused, Err(AppendError::Unavailable(_))));
    assert!(ids(&store).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn appends_and_reads_go_to_the_new_leader() {
    let Some(mut server) = KurrentServer::start("kurrentdb_leader", three_nodes()) else { return };
    let store = open(&server.connection()).await;
    for (n, leader) in (0..).zip([0, 2, 1, 2, 0]) {
        server.ours().elect(leader);
        let appended = store.append(&stream("a"), Revision(n), vec![event(u128::from(n) + 1)]).await.unwrap();
        assert_eq!(appended.revision, Revision(n + 1));
        let next = (leader + 1) % 3;
        server.ours().elect(next);
        let read = store.read_stream(&stream("a"), Revision(0)).await.unwrap();
        assert_eq!(read.len(), usize::try_from(n + 1).unwrap());
    }
    assert_eq!(ids(&store).await, [1, 2, 3, 4, 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_gone_is_left() {
    let Some(mut server) = KurrentServer::start("kurrentdb_gone", three_nodes()) else { return };
    let store = open(&server.connection()).await;
    store.append(&stream("a"), Revision(0), vec![event(1)]).await.unwrap();
    server.ours().elect(1);
    server.ours().stop_node(0);
    store.append(&stream("a"), Revision(1), vec![event(2)]).await.unwrap();
    server.ours().start_node(0).unwrap();
    server.ours().elect(0);
    server.ours().stop_node(1);
    let read = store.read_stream(&stream("a"), Revision(0)).await.unwrap();
    assert_eq!(read.len(), 2);
    store.append(&stream("a"), Revision(2), vec![event(3)]).await.unwrap();
    assert_eq!(ids(&store).await, [1, 2, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_nothing_is_written_and_the_log_goes_on_when_it_is_back() {
    let Some(mut server) = KurrentServer::start("kurrentdb_away", Options::default()) else { return };
    let store = open(&hasty(&server)).await;
    store.append(&stream("a"), Revision(0), vec![event(1)]).await.unwrap();
    server.ours().stop_node(0);
    store.append(&stream("a"), Revision(1), vec![event(2)]).await.unwrap_err();
    // By now the broken connection is known, so nothing can have been written.
    let away = store.append(&stream("a"), Revision(1), vec![event(2)]).await.unwrap_err();
    assert!(matches!(&away, AppendError::Unavailable(_)), "{away:?}");
    assert!(store.read_stream(&stream("a"), Revision(0)).await.is_err());
    assert!(KurrentStore::open(&hasty(&server)).await.is_err());
    server.ours().start_node(0).unwrap();
    let begun = Instant::now();
    while store.append(&stream("a"), Revision(1), vec![event(2)]).await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(10), "it never goes on");
    }
    assert_eq!(ids(&store).await, [1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stall_ends_at_the_deadline_and_leaves_the_log_whole() {
    let Some(mut server) = KurrentServer::start("kurrentdb_stall", Options::default()) else { return };
    let store = open(&hasty(&server)).await;
    server.ours().faults().stall();
    let begun = Instant::now();
    let stalled = store.append(&stream("a"), Revision(0), vec![event(1)]).await;
    assert!(matches!(stalled, Err(AppendError::Unknown(_) | AppendError::Unavailable(_))), "{stalled:?}");
    assert!(store.read_stream(&stream("a"), Revision(0)).await.is_err());
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    server.ours().faults().go_on();
    let begun = Instant::now();
    while store.append(&stream("a"), Revision(0), vec![event(1)]).await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(10), "it never goes on");
    }
    assert_eq!(ids(&store).await, [1]);
}

/// Another node appends while deliveries come twice and out of order, connections break, and the leader changes.
#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_gives_each_event_once_and_in_order_whatever_is_delivered() {
    let Some(mut server) = KurrentServer::start("kurrentdb_delivery", three_nodes()) else { return };
    let (reader, writer) = (open(&server.connection()).await, open(&server.connection()).await);
    server.ours().faults().deliver(Delivery::TwiceAndOutOfOrder);
    let mut subscription = reader.subscribe(Position(0));
    let writing = tokio::spawn(async move {
        for n in 0..300_u64 {
            writer.append(&stream("a"), Revision(n), vec![event(u128::from(n) + 1)]).await.unwrap();
        }
    });
    let (mut seen, mut at) = (0_u64, Position(0));
    while seen < 300 {
        match subscription.next().await.unwrap().unwrap() {
            Subscribed::Event(event) => {
                seen += 1;
                assert_eq!(event.revision, Revision(seen));
                assert!(event.position > at);
                at = event.position;
            }
            Subscribed::CaughtUp(position) => assert_eq!(position, at),
        }
        match seen {
            50 | 150 => server.ours().cut_connections(),
            100 => server.ours().elect(1),
            200 => server.ours().elect(2),
            _ => {}
        }
    }
    writing.await.unwrap();
    assert_eq!(reader.head().await, Ok(at));
}

/// Waits until the end of the log is known to be at a position, without any request but this one.
async fn knows(store: &KurrentStore, end: Position) {
    let begun = Instant::now();
    while store.head().await != Ok(end) {
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?} is not {end}", store.head().await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A subscription that is open and silent: at a former leader that was cut off from the others, and at the leader.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_silent_subscription_does_not_tell_is_known_within_seconds() {
    for elects in [true, false] {
        let Some(mut server) = KurrentServer::start("kurrentdb_silent", three_nodes()) else { return };
        let (reader, writer) = (open(&server.connection()).await, open(&server.connection()).await);
        let first = writer.append(&stream("a"), Revision(0), vec![event(1)]).await.unwrap();
        knows(&reader, first.position).await;
        let mut subscription = reader.subscribe(first.position);
        assert!(matches!(subscription.next().await, Some(Ok(Subscribed::CaughtUp(_)))));
        // Its subscription is open at the leader, and the leader has confirmed it.
        tokio::time::sleep(Duration::from_secs(2)).await;
        server.ours().mute(0);
        if elects {
            server.ours().elect(1);
        }
        for n in 1..4 {
            let next =
                writer.append(&stream("a"), Revision(n), vec![event(u128::from(n) + 1)]).await.unwrap();
            knows(&reader, next.position).await;
            let Some(Ok(Subscribed::Event(event))) = subscription.next().await else { panic!() };
            assert_eq!(event.position, next.position);
            let Some(Ok(Subscribed::CaughtUp(_))) = subscription.next().await else { panic!() };
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_of_the_log_that_no_leader_confirms_is_not_given_as_the_present_one() {
    let Some(mut server) = KurrentServer::start("kurrentdb_leaderless", three_nodes()) else { return };
    let store = open(&hasty(&server)).await;
    let appended = store.append(&stream("a"), Revision(0), vec![event(1)]).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(store.head().await, Ok(appended.position));
    // The node to which the store is connected runs, and names a leader that can't be reached.
    server.ours().mute(0);
    server.ours().elect(1);
    server.ours().stop_node(1);
    server.ours().stop_node(2);
    let begun = Instant::now();
    while store.head().await.is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(6), "an old end is given as the present one");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server.ours().start_node(1).unwrap();
    knows(&store, appended.position).await;
}

/// For each session, a task asks the server to end it.
#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_server_does_not_keep_the_tasks_that_end_sessions() {
    let Some(mut server) = KurrentServer::start("kurrentdb_farewell", Options::default()) else { return };
    let store = open(&hasty(&server)).await;
    let append_to_40_streams = async |revision| {
        let appends = (0..40_u128).map(|n| {
            let store = store.clone();
            async move {
                let event = event(u128::from(revision) * 100 + n);
                store.append(&stream(&n.to_string()), Revision(revision), vec![event]).await
            }
        });
        futures_util::future::join_all(appends).await
    };
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    assert!(append_to_40_streams(0).await.iter().all(Result::is_ok));
    server.ours().faults().stall();
    assert!(append_to_40_streams(1).await.iter().all(Result::is_err));
    // Meanwhile the store tries again, which adds a few other tasks.
    let (begun, mut most) = (Instant::now(), tasks());
    while tasks() + 30 > most {
        assert!(begun.elapsed() < Duration::from_secs(12), "{most} tasks were there, and {} are", tasks());
        tokio::time::sleep(Duration::from_millis(100)).await;
        most = most.max(tasks());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_ends_subscriptions_and_refuses_appends() {
    let server = KurrentServer::fresh();
    let store = open(&server.connection()).await;
    store.append(&stream("a"), Revision(0), vec![event(1)]).await.unwrap();
    let subscription = store.subscribe(Position(0));
    store.close().await;
    assert!(matches!(
        store.append(&stream("a"), Revision(1), vec![event(2)]).await,
        Err(AppendError::Unavailable(_))
    ));
    let seen: Vec<_> = subscription.collect().await;
    assert_eq!(seen.len(), 2, "the event, and that it caught up");
}
