//! The rules for every lease, and for the writes that a journal accepts only from the holder.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use loquet_domain::Moment;
use loquet_domain::ports::Position;
use loquet_postgres::mail_journal::PostgresJournal;
use loquet_postgres::{Connection, Database};
use loquet_projections::mail::MailLedger;
use loquet_projections::ports::{
    Acquired, Fence, Fenced, Hold, Lease, MailOutcome, ReactionJournal, WriteFailed,
};
use loquet_tests::postgres_server::PostgresServer;

use crate::kills::{Acknowledged, Kills};
pub(crate) use crate::mail_journal::Port;
use crate::mail_journal::{everything, in_memory, in_postgres, in_sqlite, mail, queue};
use crate::store::{Make, Store, second, suite};

/// How long a take-over may wait for what is being written.
const PATIENCE: Duration = Duration::from_secs(5);

macro_rules! adapter {
    ($name:ident, $make:expr $(, $killed:ident)?) => {
        suite!($name, $make, [
            a_lease_that_was_never_given_is_free_and_one_that_is_held_is_not,
            a_lease_is_free_from_its_end_on_and_not_before,
            every_fence_is_greater_than_all_before,
            a_renewed_lease_ends_later,
            a_holder_that_is_late_can_renew_as_long_as_nobody_else_has_it,
            a_lease_that_was_given_back_is_free_at_once,
            only_its_holder_gives_a_lease_back,
            a_holder_that_starts_again_does_not_wait_for_itself_and_its_old_fence_is_over,
            of_many_who_ask_at_once_one_gets_it,
            a_stop_keeps_the_lease_and_goes_on_counting,
            nothing_is_written_under_a_fence_that_is_over_or_was_never_given,
            nothing_is_written_under_a_lease_that_was_given_back,
            what_a_late_holder_writes_while_another_takes_over_is_before_it_or_not_at_all,
            a_late_holder_that_writes_without_a_pause_holds_up_no_take_over,
        ] $(, $killed: [
            killed_at_any_moment_no_fence_is_given_twice,
        ])?);
    };
}

adapter!(memory, in_memory);
adapter!(sqlite, in_sqlite, killed);
adapter!(postgres, in_postgres, killed);

async fn acquire(lease: &Port, holder: &str, now: i64, until: i64) -> Acquired {
    lease.acquire(holder, second(now), second(until)).await.unwrap()
}

async fn given(lease: &Port, holder: &str, now: i64, until: i64) -> Fence {
    match acquire(lease, holder, now, until).await {
        Acquired::Given(fence) => fence,
        Acquired::Taken { until } => panic!("it is taken until {until}"),
    }
}

fn taken(until: i64) -> Acquired {
    Acquired::Taken { until: second(until) }
}

fn over(shown: Fence, newest: Fence) -> Result<(), WriteFailed> {
    Err(WriteFailed::Fenced(Fenced { shown, newest }))
}

async fn a_lease_that_was_never_given_is_free_and_one_that_is_held_is_not(store: Store<Port>) {
    let [one, other] = store.two();
    let fence = given(one.as_ref(), "one", 0, 10).await;
    assert!(fence > Fence(0));
    assert_eq!(acquire(other.as_ref(), "other", 1, 100).await, taken(10));
    assert_eq!(acquire(one.as_ref(), "other", 1, 100).await, taken(10), "on its node too");
    one.renew(fence, second(20)).await.unwrap();
    assert_eq!(acquire(other.as_ref(), "other", 1, 100).await, taken(20), "asking changed nothing");
}

async fn a_lease_is_free_from_its_end_on_and_not_before(store: Store<Port>) {
    let [one, other] = store.two();
    one.acquire("one", second(0), second(10)).await.unwrap();
    let almost = second(10) - chrono::TimeDelta::microseconds(1);
    assert_eq!(other.acquire("other", almost, second(20)).await, Ok(taken(10)));
    given(other.as_ref(), "other", 10, 20).await;
    assert_eq!(acquire(one.as_ref(), "one", 11, 30).await, taken(20));
    // A lease without an end, for a store that belongs to one process.
    given(one.as_ref(), "one", 20, 30).await;
    assert!(matches!(one.acquire("one", second(20), Moment::MAX_UTC).await, Ok(Acquired::Given(_))));
    assert!(matches!(
        other.acquire("other", second(1 << 32), Moment::MAX_UTC).await,
        Ok(Acquired::Taken { .. })
    ));
}

async fn every_fence_is_greater_than_all_before(store: Store<Port>) {
    let nodes = store.two();
    let mut last = Fence(0);
    for n in 0..20_i64 {
        let node = usize::try_from(n % 2).unwrap();
        let fence = given(nodes[node].as_ref(), ["one", "other"][node], 10 * n, 10 * n + 10).await;
        assert!(fence > last);
        last = fence;
        if n % 3 == 0 {
            nodes[node].release(fence).await.unwrap();
        }
    }
}

async fn a_renewed_lease_ends_later(store: Store<Port>) {
    let [one, other] = store.two();
    let fence = given(one.as_ref(), "one", 0, 10).await;
    one.renew(fence, second(20)).await.unwrap();
    one.renew(fence, second(20)).await.unwrap();
    assert_eq!(acquire(other.as_ref(), "other", 19, 100).await, taken(20));
    given(other.as_ref(), "other", 20, 30).await;
}

async fn a_holder_that_is_late_can_renew_as_long_as_nobody_else_has_it(store: Store<Port>) {
    let [one, other] = store.two();
    let first = given(one.as_ref(), "one", 0, 10).await;
    // It was paused until now. The journal is still its own.
    queue(one.as_ref(), first, 1..2, 50).await;
    one.renew(first, second(60)).await.unwrap();
    assert_eq!(acquire(other.as_ref(), "other", 55, 100).await, taken(60));
    let second_fence = given(other.as_ref(), "other", 60, 70).await;
    assert_eq!(one.renew(first, second(80)).await, over(first, second_fence));
    assert_eq!(acquire(one.as_ref(), "one", 65, 100).await, taken(70), "a late renewal takes nothing away");
}

async fn a_lease_that_was_given_back_is_free_at_once(store: Store<Port>) {
    let [one, other] = store.two();
    let first = given(one.as_ref(), "one", 0, 1000).await;
    one.release(first).await.unwrap();
    one.release(first).await.unwrap();
    assert_eq!(one.renew(first, second(2000)).await, over(first, first));
    assert!(given(other.as_ref(), "other", 1, 1000).await > first);
}

async fn only_its_holder_gives_a_lease_back(store: Store<Port>) {
    let [one, other] = store.two();
    let first = given(one.as_ref(), "one", 0, 10).await;
    let second_fence = given(other.as_ref(), "other", 10, 100).await;
    one.release(first).await.unwrap();
    one.release(Fence(second_fence.0 + 1)).await.unwrap();
    one.release(Fence(0)).await.unwrap();
    assert_eq!(acquire(one.as_ref(), "one", 11, 200).await, taken(100));
    other.renew(second_fence, second(110)).await.unwrap();
}

async fn a_holder_that_starts_again_does_not_wait_for_itself_and_its_old_fence_is_over(store: Store<Port>) {
    let [one, other] = store.two();
    let before = given(one.as_ref(), "one", 0, 1000).await;
    let again = store.reopen([one, other]);
    let after = given(again.as_ref(), "one", 1, 1000).await;
    assert!(after > before);
    assert_eq!(again.renew(before, second(2000)).await, over(before, after));
    assert_eq!(acquire(again.as_ref(), "other", 2, 2000).await, taken(1000));
}

async fn of_many_who_ask_at_once_one_gets_it(store: Store<Port>) {
    let nodes = store.two();
    let mut fences = BTreeSet::new();
    for round in 0..20_i64 {
        let asking = (0..16).map(|task| {
            let lease = nodes[task % 2].clone();
            let holder = format!("node {task}");
            tokio::spawn(async move { acquire(lease.as_ref(), &holder, round * 10, round * 10 + 10).await })
        });
        let answers: Vec<Acquired> = join_all(asking).await.into_iter().map(Result::unwrap).collect();
        let given = answers.iter().filter_map(|answer| match answer {
            Acquired::Given(fence) => Some(*fence),
            Acquired::Taken { until } => {
                assert_eq!(*until, second(round * 10 + 10));
                None
            }
        });
        let given: Vec<Fence> = given.collect();
        assert_eq!(given.len(), 1, "round {round}");
        assert!(fences.last() < given.first());
        fences.extend(given);
    }
}

async fn a_stop_keeps_the_lease_and_goes_on_counting(store: Store<Port>) {
    let [one, other] = store.two();
    let before = given(one.as_ref(), "one", 0, 10).await;
    let again = store.reopen([one, other]);
    assert_eq!(acquire(again.as_ref(), "other", 5, 100).await, taken(10));
    again.renew(before, second(20)).await.unwrap();
    again.release(before).await.unwrap();
    let again = store.reopen([again]);
    assert!(given(again.as_ref(), "other", 5, 100).await > before);
}

/// Calls every method of the journal that changes something, under one fence.
async fn write_everything(journal: &Port, fence: Fence) -> Vec<Result<(), WriteFailed>> {
    let effect = mail(1).effect;
    let hold = Hold { since: second(3), trouble: "somebody else's".into() };
    vec![
        journal.advance(fence, "mails", Position(99), vec![mail(98), mail(99)], second(9)).await,
        journal.claim_due(fence, second(9), 10).await.map(drop),
        journal.reclaim(fence).await,
        journal.conclude(fence, effect, MailOutcome::Sent, second(9)).await,
        journal.not_noted(fence, mail(2).effect, "not now".to_owned(), second(99)).await,
        journal.noted(fence, mail(2).effect).await,
        journal.hold(fence, Some(hold)).await,
        journal.hold(fence, None).await,
        journal.renew(fence, second(1_000_000)).await,
    ]
}

/// A journal with a mail in each state that a write could change.
async fn busy(journal: &Port, fence: Fence) {
    queue(journal, fence, 1..5, 0).await;
    for claimed in journal.claim_due(fence, second(0), 3).await.unwrap().into_iter().skip(1) {
        journal.conclude(fence, claimed.mail.effect, MailOutcome::Sent, second(1)).await.unwrap();
    }
    let hold = Hold { since: second(1), trouble: "ours".into() };
    journal.hold(fence, Some(hold)).await.unwrap();
}

async fn nothing_is_written_under_a_fence_that_is_over_or_was_never_given(store: Store<Port>) {
    let [one, other] = store.two();
    let none = Fence(0);
    for refused in write_everything(one.as_ref(), Fence(1)).await {
        assert_eq!(refused, over(Fence(1), none), "no lease was ever given");
    }
    let first = given(one.as_ref(), "one", 0, 10).await;
    busy(one.as_ref(), first).await;
    let newest = given(other.as_ref(), "other", 10, 20).await;
    let before = everything(other.as_ref()).await;
    for shown in [first, none, Fence(newest.0 + 1), Fence(u64::MAX)] {
        for refused in write_everything(one.as_ref(), shown).await {
            assert_eq!(refused, over(shown, newest));
        }
        assert_eq!(everything(other.as_ref()).await, before, "under fence {shown}");
    }
    assert_eq!(acquire(one.as_ref(), "one", 19, 100).await, taken(20));
    for written in write_everything(other.as_ref(), newest).await {
        assert_eq!(written, Ok(()));
    }
    assert_ne!(everything(other.as_ref()).await, before);
}

async fn nothing_is_written_under_a_lease_that_was_given_back(store: Store<Port>) {
    let journal = store.open();
    let fence = given(journal.as_ref(), "one", 0, 10).await;
    busy(journal.as_ref(), fence).await;
    journal.release(fence).await.unwrap();
    let before = everything(journal.as_ref()).await;
    for refused in write_everything(journal.as_ref(), fence).await {
        assert_eq!(refused, over(fence, fence));
    }
    assert_eq!(everything(journal.as_ref()).await, before);
}

async fn what_a_late_holder_writes_while_another_takes_over_is_before_it_or_not_at_all(store: Store<Port>) {
    let nodes = store.two();
    let mut fence = given(nodes[0].as_ref(), "node 0", 0, 0).await;
    for round in 1..20_usize {
        let (late, next) = (nodes[(round + 1) % 2].clone(), nodes[round % 2].clone());
        let begun = Arc::new(tokio::sync::Notify::new());
        let writing = {
            let begun = begun.clone();
            let reaction = "mails";
            tokio::spawn(async move {
                for n in 1.. {
                    let position = Position(u64::try_from(round * 1_000_000 + n).unwrap());
                    match late.advance(fence, reaction, position, Vec::new(), second(0)).await {
                        Ok(()) => begun.notify_one(),
                        Err(WriteFailed::Fenced(_)) => return Position(position.0 - 1),
                        Err(WriteFailed::Store(error)) => panic!("{error}"),
                    }
                }
                unreachable!()
            })
        };
        begun.notified().await;
        // Its lease has ended, and it continues to write.
        fence = given(next.as_ref(), &format!("node {round}"), 1, 0).await;
        let at_take_over = next.checkpoint("mails").await.unwrap();
        let last_told = writing.await.unwrap();
        assert_eq!(next.checkpoint("mails").await, Ok(at_take_over), "it wrote after the take-over");
        assert_eq!(at_take_over, last_told, "and what it was told is written");
    }
}

/// The reactions and the sender write at the same time. So there may be no moment without an open transaction.
async fn a_late_holder_that_writes_without_a_pause_holds_up_no_take_over(store: Store<Port>) {
    let [late, next] = store.two();
    let fence = given(late.as_ref(), "late", 0, 0).await;
    queue(late.as_ref(), fence, 1..2, 0).await;
    let begun = Arc::new(tokio::sync::Barrier::new(7));
    let writing = [0; 6].map(|_| {
        let (late, begun) = (late.clone(), begun.clone());
        tokio::spawn(async move {
            late.noted(fence, mail(1).effect).await.unwrap();
            begun.wait().await;
            loop {
                match late.noted(fence, mail(1).effect).await {
                    Ok(()) => {}
                    Err(WriteFailed::Fenced(_)) => return,
                    Err(WriteFailed::Store(error)) => panic!("{error}"),
                }
            }
        })
    });
    begun.wait().await;
    let begun = Instant::now();
    given(next.as_ref(), "next", 1, 10).await;
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    for written in join_all(writing).await {
        written.unwrap();
    }
}

/// A leader whose store hangs must learn of it while it can still end its term.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stalls_holds_up_no_caller_and_a_write_ends_whole_or_not_at_all() {
    let Some(server) = PostgresServer::start("a_server_that_stalls_holds_up_no_caller") else { return };
    server.database();
    let connection = Connection { statement_timeout: Duration::from_secs(1), ..server.connection() };
    let journal = PostgresJournal::new(Database::new(&connection).unwrap());
    let fence = given(&journal, "one", 0, 10).await;
    for round in 0..3 {
        server.stall();
        let begun = Instant::now();
        let mails = vec![mail(2 * round), mail(2 * round + 1)];
        let written = journal.advance(fence, "mails", Position(round), mails, second(0)).await;
        let renewed = journal.renew(fence, second(20)).await;
        assert!(matches!(written, Err(WriteFailed::Store(_))), "{written:?}");
        assert!(matches!(renewed, Err(WriteFailed::Store(_))), "{renewed:?}");
        assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
        server.go_on();
        journal.renew(fence, second(10)).await.unwrap();
    }
    let there = journal.list(None, None, 100).await.unwrap().len();
    assert!(there.is_multiple_of(2), "half of the mails are there: {there}");
    let next = given(&journal, "other", 11, 20).await;
    assert_eq!(journal.reclaim(fence).await, over(fence, next));
}

async fn killed_at_any_moment_no_fence_is_given_twice(kills: Kills, make: Make<Port>) {
    let work = async |store: Store<Port>, _: usize, done: &mut Acknowledged| {
        let lease = store.open();
        loop {
            let fence = given(lease.as_ref(), "one", 0, 1000).await;
            done.add(&fence.to_string());
            if fence.0.is_multiple_of(3) {
                lease.release(fence).await.unwrap();
            }
        }
    };
    let check = async |store: Store<Port>, lines: Vec<String>| {
        let given: Vec<u64> = lines.iter().map(|line| line.parse().unwrap()).collect();
        assert!(given.windows(2).all(|two| two[0] < two[1]), "a fence was given twice");
        let lease = store.open();
        let newest = lease.renew(Fence(0), second(0)).await.unwrap_err();
        let WriteFailed::Fenced(Fenced { newest, .. }) = newest else { panic!("{newest}") };
        assert!(newest.0 >= *given.last().unwrap(), "fence {newest} after {:?}", given.last());
    };
    kills.at_any_moment(make, work, check).await;
}
