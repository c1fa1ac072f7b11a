//! The rules for every store of guesses at unknown addresses.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use loquet_domain::policies::lockout::{LockEnd, Lockout, LockoutPolicy, Wrong};
use loquet_domain::ports::{AnonymousGuesses, CountError};
use loquet_domain::values::email_address::EmailHash;
use loquet_memory::anonymous_guesses::MemoryAnonymousGuesses;
use loquet_postgres::anonymous_guesses::PostgresAnonymousGuesses;

use crate::store::{Store, in_postgres, second, suite};

type Port = dyn AnonymousGuesses;

macro_rules! adapter {
    ($name:ident, $make:expr) => {
        suite!(
            $name,
            $make,
            [
                an_address_that_was_never_guessed_at_has_no_guesses,
                what_one_node_counts_the_other_sees_at_once,
                a_count_from_another_state_than_the_one_that_is_there_is_a_conflict_and_writes_nothing,
                of_many_who_count_at_once_on_two_nodes_each_is_counted_once,
                at_most_seven_of_many_guesses_at_once_are_judged,
                addresses_do_not_count_for_one_another,
                all_that_is_known_of_an_address_is_kept,
                a_flood_of_made_up_addresses_is_taken_and_the_last_ones_are_known,
                what_is_guessed_at_stays_and_the_address_whose_last_guess_is_oldest_is_forgotten,
                a_clean_stop_keeps_the_counts,
            ]
        );
    };
}

// The two nodes in memory are two handles of one memory.
adapter!(memory, in_memory);
adapter!(postgres, on_postgres);

/// The number of addresses that a store of this suite remembers.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(1000).unwrap();

fn in_memory(folder: &Path) -> Store<Port> {
    let file = folder.join("strangers.json");
    let new = || Arc::new(MemoryAnonymousGuesses::new(CAPACITY));
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
    in_postgres::<Port>(folder, |database| Arc::new(PostgresAnonymousGuesses::new(database, CAPACITY)))
}

fn email(n: usize) -> EmailHash {
    EmailHash(format!("{n:032x}"))
}

/// Returns the state after one more wrong guess.
fn after(lockout: Lockout, policy: &LockoutPolicy) -> Lockout {
    let judged = lockout.judge(policy, Wrong::Password, second(0));
    let counted = lockout.failed(second(0), judged.failures, judged.codes);
    judged.locks_until.map_or(counted, |until| counted.locked(until))
}

/// A policy that never locks within a test.
fn patient() -> LockoutPolicy {
    LockoutPolicy::new(100, chrono::TimeDelta::minutes(15)).unwrap()
}

/// Counts one guess as a login does. Returns whether it was judged. A guess during a lockout is not judged.
async fn guess(guesses: &Port, email: &EmailHash, policy: &LockoutPolicy) -> bool {
    let mut judged = guesses.get(email).await.unwrap();
    loop {
        // Two callers may have read the same state before either of them writes.
        tokio::task::yield_now().await;
        if judged.locked_until(second(0)).is_some() {
            return false;
        }
        match guesses.replace(email, judged, after(judged, policy)).await {
            Ok(()) => return true,
            Err(CountError::Conflict { actual }) => judged = actual,
            Err(CountError::Unavailable(why)) => panic!("{why}"),
        }
    }
}

async fn an_address_that_was_never_guessed_at_has_no_guesses(store: Store<Port>) {
    let guesses = store.open();
    assert_eq!(guesses.get(&email(1)).await, Ok(Lockout::default()));
    assert_eq!(guesses.get(&email(1)).await, Ok(Lockout::default()), "asking counts nothing");
}

async fn what_one_node_counts_the_other_sees_at_once(store: Store<Port>) {
    let nodes = store.two();
    let mut expected = Lockout::default();
    for n in 0..6 {
        let next = after(expected, &LockoutPolicy::default());
        nodes[n % 2].replace(&email(1), expected, next).await.unwrap();
        for guesses in &nodes {
            assert_eq!(guesses.get(&email(1)).await, Ok(next));
        }
        expected = next;
    }
}

async fn a_count_from_another_state_than_the_one_that_is_there_is_a_conflict_and_writes_nothing(
    store: Store<Port>,
) {
    let [one, other] = store.two();
    let (none, first) = (Lockout::default(), after(Lockout::default(), &patient()));
    let second = after(first, &patient());
    assert_eq!(one.replace(&email(1), first, second).await, Err(CountError::Conflict { actual: none }));
    assert_eq!(one.get(&email(1)).await, Ok(none));
    one.replace(&email(1), none, first).await.unwrap();
    let conflict = Err(CountError::Conflict { actual: first });
    assert_eq!(other.replace(&email(1), none, first).await, conflict, "the same guess is not counted again");
    assert_eq!(other.replace(&email(1), second, first).await, conflict);
    assert_eq!(one.get(&email(1)).await, Ok(first));
    other.replace(&email(1), first, second).await.unwrap();
    assert_eq!(one.get(&email(1)).await, Ok(second));
}

async fn of_many_who_count_at_once_on_two_nodes_each_is_counted_once(store: Store<Port>) {
    let nodes = store.two();
    let tasks = (0..90).map(|task| {
        let guesses = nodes[task % 2].clone();
        tokio::spawn(async move { guess(guesses.as_ref(), &email(task % 3), &patient()).await })
    });
    join_all(tasks).await.into_iter().for_each(|judged| assert!(judged.unwrap()));
    for n in 0..3 {
        let counted = nodes[0].get(&email(n)).await.unwrap();
        assert_eq!((counted.failures_at(second(0)), counted.failures_across()), (30, 30));
    }
}

async fn at_most_seven_of_many_guesses_at_once_are_judged(store: Store<Port>) {
    let nodes = store.two();
    let tasks = (0..100).map(|task| {
        let guesses = nodes[task % 2].clone();
        tokio::spawn(async move { guess(guesses.as_ref(), &email(1), &LockoutPolicy::default()).await })
    });
    let judged = join_all(tasks).await.into_iter().filter(|judged| *judged.as_ref().unwrap()).count();
    assert_eq!(judged, 7);
}

async fn addresses_do_not_count_for_one_another(store: Store<Port>) {
    let guesses = store.open();
    for n in 1..6 {
        for _ in 0..n {
            assert!(guess(guesses.as_ref(), &email(n), &patient()).await);
        }
    }
    for n in 0..6 {
        let counted = guesses.get(&email(n)).await.unwrap().failures_at(second(0));
        assert_eq!(usize::try_from(counted).unwrap(), n);
    }
}

async fn all_that_is_known_of_an_address_is_kept(store: Store<Port>) {
    let [one, other] = store.two();
    let counted = Lockout::default().failed(second(0), 3, 2).failed(second(1), 4, 5);
    let micros = second(7) + chrono::TimeDelta::microseconds(123_456);
    let states = [counted, counted.locked(LockEnd::At(micros)), counted.locked(LockEnd::AtReset)];
    for (n, state) in states.into_iter().enumerate() {
        one.replace(&email(n), Lockout::default(), state).await.unwrap();
        assert_eq!(other.get(&email(n)).await, Ok(state));
    }
    let again = store.reopen([one, other]);
    for (n, state) in states.into_iter().enumerate() {
        assert_eq!(again.get(&email(n)).await, Ok(state));
    }
}

async fn a_flood_of_made_up_addresses_is_taken_and_the_last_ones_are_known(store: Store<Port>) {
    let guesses = store.open();
    for n in 0..5000 {
        assert!(guess(guesses.as_ref(), &email(n), &patient()).await);
    }
    for n in 4900..5000 {
        assert_eq!(guesses.get(&email(n)).await.unwrap().failures_across(), 1, "address {n}");
    }
}

async fn what_is_guessed_at_stays_and_the_address_whose_last_guess_is_oldest_is_forgotten(
    store: Store<Port>,
) {
    let guesses = store.open();
    let mut kept = 0;
    for n in 2..3000 {
        assert!(guess(guesses.as_ref(), &email(n), &patient()).await);
        if n % 50 == 0 {
            assert!(guess(guesses.as_ref(), &email(1), &patient()).await);
            kept += 1;
        }
    }
    assert_eq!(guesses.get(&email(1)).await.unwrap().failures_across(), kept);
    // An adapter may forget in the background, and a few addresses late.
    while guesses.get(&email(1500)).await != Ok(Lockout::default()) {
        tokio::task::yield_now().await;
    }
}

async fn a_clean_stop_keeps_the_counts(store: Store<Port>) {
    let [one, other] = store.two();
    for _ in 0..6 {
        assert!(guess(one.as_ref(), &email(1), &LockoutPolicy::default()).await);
    }
    let again = store.reopen([one, other]);
    assert!(guess(again.as_ref(), &email(1), &LockoutPolicy::default()).await);
    assert!(!guess(again.as_ref(), &email(1), &LockoutPolicy::default()).await, "the seventh has locked it");
}
