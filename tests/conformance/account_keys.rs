//! The rules for every store of account keys.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use futures_util::future::join_all;
use loquet_crypto::account_keys::{AccountKeys, Held};
use loquet_crypto::memory_keys::MemoryKeys;
use loquet_crypto::server_key::ServerKey;
use loquet_domain::ids::AccountId;
use loquet_domain::ports::{CodecError, Tokens};
use loquet_domain::values::email_address::EmailAddress;
use loquet_postgres::key_store::PostgresKeyStore;
use loquet_sqlite::key_store::KeyStore;
use uuid::Uuid;

use crate::kills::Kills;
use crate::store::{Make, Store, in_postgres, suite};

type Port = dyn AccountKeys;

macro_rules! adapter {
    ($name:ident, $make:expr $(, $killed:ident)?) => {
        suite!($name, $make, [
            a_key_is_the_same_at_every_call_on_every_node_and_after_a_stop,
            an_account_that_never_had_a_key_is_an_error_and_not_an_erased_one,
            of_many_who_want_the_key_of_one_account_all_get_the_same,
            keys_that_are_made_together_change_none_that_is_there,
            many_who_make_the_same_keys_together_leave_one_for_each_account,
            an_erased_key_is_returned_by_no_call_and_no_other_is_made,
            an_erasure_wins_against_everybody_who_wants_the_key_meanwhile,
            those_still_held_are_those_that_were_made_and_not_erased,
            keys_that_are_fetched_together_are_those_that_each_call_returns,
            a_store_that_ever_held_a_key_is_not_empty,
            the_key_for_commands_is_one_for_all_nodes_and_after_a_stop,
            what_one_node_signs_another_reads,
        ] $(, $killed: [
            killed_at_any_moment_no_key_that_was_returned_is_lost_and_no_erased_one_comes_back,
        ])?);
    };
}

adapter!(memory, in_memory);
adapter!(sqlite, in_sqlite, killed);
adapter!(postgres, on_postgres, killed);

fn in_memory(_: &Path) -> Store<Port> {
    let keys = MemoryKeys::new(&ServerKey::random());
    Store::opened_by(move || -> Arc<Port> { Arc::new(keys.clone()) })
}

fn in_sqlite(folder: &Path) -> Store<Port> {
    let (server, keys) = (folder.join("server.key"), folder.join("keys.db"));
    Store::opened_by(move || -> Arc<Port> {
        let key = ServerKey::load(&server).or_else(|_| ServerKey::create(&server)).unwrap();
        Arc::new(KeyStore::open(&keys, &key).unwrap())
    })
}

fn on_postgres(folder: &Path) -> Store<Port> {
    let server = folder.join("server.key");
    in_postgres::<Port>(folder, move |database| {
        let key = ServerKey::load(&server).or_else(|_| ServerKey::create(&server)).unwrap();
        let open = PostgresKeyStore::open(database, &key);
        let opened = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(open));
        Arc::new(opened.unwrap())
    })
}

fn account(n: usize) -> AccountId {
    AccountId(Uuid::from_u128(u128::try_from(n).unwrap() + 1))
}

#[track_caller]
fn key(held: Result<Held, CodecError>) -> [u8; 32] {
    match held.unwrap() {
        Held::Key(key) => **key,
        Held::Erased => panic!("it is erased"),
    }
}

fn is_erased(held: &Result<Held, CodecError>) -> bool {
    matches!(held, Ok(Held::Erased))
}

/// Erases the key of an account. Tries again as long as the store says that it could not.
async fn erase(keys: &Port, account: AccountId) {
    while keys.forget(account).await.is_err() {
        tokio::task::yield_now().await;
    }
}

async fn a_key_is_the_same_at_every_call_on_every_node_and_after_a_stop(store: Store<Port>) {
    let [one, other] = store.two();
    let made = key(one.held_or_made(account(1)).await);
    assert_eq!(key(one.held_or_made(account(1)).await), made);
    assert_eq!(key(one.held(account(1)).await), made);
    assert_eq!(key(other.held(account(1)).await), made);
    assert_eq!(key(other.held_or_made(account(1)).await), made);
    assert_ne!(key(other.held_or_made(account(2)).await), made, "each account has its own");
    let again = store.reopen([one, other]);
    assert_eq!(key(again.held(account(1)).await), made);
}

async fn an_account_that_never_had_a_key_is_an_error_and_not_an_erased_one(store: Store<Port>) {
    let keys = store.open();
    assert!(matches!(keys.held(account(1)).await, Err(CodecError::Keys(_))));
    assert!(keys.is_empty().await.unwrap(), "asking makes none");
    key(keys.held_or_made(account(1)).await);
}

async fn of_many_who_want_the_key_of_one_account_all_get_the_same(store: Store<Port>) {
    let nodes = store.two();
    for n in 0..20 {
        let wanting = (0..16).map(|task| {
            let keys = nodes[task % 2].clone();
            tokio::spawn(async move { key(keys.held_or_made(account(n)).await) })
        });
        let got: BTreeSet<_> = join_all(wanting).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(got.len(), 1, "account {n}");
        assert_eq!(key(nodes[0].held(account(n)).await), *got.first().unwrap());
    }
}

async fn keys_that_are_made_together_change_none_that_is_there(store: Store<Port>) {
    let [one, other] = store.two();
    let before = key(one.held_or_made(account(1)).await);
    one.forget(account(2)).await.unwrap();
    one.make((0..200).map(account).collect()).await.unwrap();
    one.make(Vec::new()).await.unwrap();
    let mut made = BTreeMap::new();
    for n in (0..200).filter(|n| *n != 2) {
        made.insert(n, key(one.held(account(n)).await));
        assert_eq!(key(other.held(account(n)).await), made[&n]);
    }
    assert_eq!(made[&1], before);
    assert_eq!(made.values().collect::<BTreeSet<_>>().len(), made.len(), "each has its own");
    assert!(is_erased(&other.held(account(2)).await));
    let again = store.reopen([one, other]);
    for (n, made) in made {
        assert_eq!(key(again.held(account(n)).await), made);
    }
}

async fn many_who_make_the_same_keys_together_leave_one_for_each_account(store: Store<Port>) {
    let nodes = store.two();
    let making = (0..12).map(|task| {
        let keys = nodes[task % 2].clone();
        tokio::spawn(async move {
            keys.make((task..task + 20).map(account).collect()).await.unwrap();
            let mut held = Vec::new();
            for n in task..task + 20 {
                held.push((n, key(keys.held(account(n)).await)));
            }
            held
        })
    });
    let mut known = BTreeMap::new();
    for (n, held) in join_all(making).await.into_iter().flat_map(Result::unwrap) {
        assert_eq!(*known.entry(n).or_insert(held), held, "account {n} has two keys");
    }
}

async fn an_erased_key_is_returned_by_no_call_and_no_other_is_made(store: Store<Port>) {
    let [one, other] = store.two();
    key(one.held_or_made(account(1)).await);
    key(other.held(account(1)).await);
    one.forget(account(1)).await.unwrap();
    one.forget(account(1)).await.unwrap();
    one.forget(account(2)).await.unwrap();
    // Another node may have the key in memory until its next refresh.
    other.refresh().await.unwrap();
    let nodes = [one, other];
    for keys in &nodes {
        for n in [1, 2] {
            assert!(is_erased(&keys.held(account(n)).await), "account {n}");
            assert!(is_erased(&keys.held_or_made(account(n)).await), "account {n}");
        }
        keys.make(vec![account(1), account(2)]).await.unwrap();
        assert!(is_erased(&keys.held(account(1)).await));
    }
    let again = store.reopen(nodes);
    assert!(is_erased(&again.held_or_made(account(1)).await));
    assert!(is_erased(&again.held_or_made(account(2)).await), "one that never had a key");
}

async fn an_erasure_wins_against_everybody_who_wants_the_key_meanwhile(store: Store<Port>) {
    let nodes = store.two();
    for n in 0..20 {
        let tasks = (0..8).map(|task| {
            let keys = nodes[task % 2].clone();
            tokio::spawn(async move {
                match task {
                    0 => erase(keys.as_ref(), account(n)).await,
                    1..4 => keys.make(vec![account(n)]).await.unwrap(),
                    _ => drop(keys.held_or_made(account(n)).await.unwrap()),
                }
                // The node that erased the key does not return it any more, even while other nodes still ask.
                assert!(task != 0 || is_erased(&keys.held_or_made(account(n)).await));
            })
        });
        join_all(tasks).await.into_iter().for_each(Result::unwrap);
        for keys in &nodes {
            keys.refresh().await.unwrap();
            assert!(is_erased(&keys.held_or_made(account(n)).await), "account {n}");
        }
    }
}

async fn those_still_held_are_those_that_were_made_and_not_erased(store: Store<Port>) {
    let [one, other] = store.two();
    one.make((0..6).map(account).collect()).await.unwrap();
    erase(one.as_ref(), account(1)).await;
    erase(one.as_ref(), account(3)).await;
    erase(one.as_ref(), account(7)).await;
    for keys in [&one, &other] {
        let held = keys.still_held((0..10).map(account).collect()).await.unwrap();
        let expected: BTreeSet<_> = [0, 2, 4, 5].map(account).into();
        assert_eq!(held.into_iter().collect::<BTreeSet<_>>(), expected);
        assert_eq!(keys.still_held(Vec::new()).await, Ok(Vec::new()));
    }
}

async fn keys_that_are_fetched_together_are_those_that_each_call_returns(store: Store<Port>) {
    let [one, other] = store.two();
    one.make((0..6).map(account).collect()).await.unwrap();
    erase(one.as_ref(), account(1)).await;
    for keys in [&other, &one] {
        keys.fetch(Vec::new()).await;
        // Erased, unknown and repeated ones are among them.
        keys.fetch((0..10).chain(0..3).map(account).collect()).await;
        for n in [0, 2, 3, 4, 5] {
            assert_eq!(key(keys.held(account(n)).await), key(one.held(account(n)).await), "account {n}");
        }
        assert!(is_erased(&keys.held(account(1)).await));
        for n in 6..10 {
            assert!(keys.held(account(n)).await.is_err(), "account {n} never had a key");
        }
    }
    erase(one.as_ref(), account(2)).await;
    one.fetch(vec![account(2)]).await;
    assert!(is_erased(&one.held(account(2)).await));
    other.refresh().await.unwrap();
    other.fetch(vec![account(2)]).await;
    assert!(is_erased(&other.held(account(2)).await), "what was fetched before goes at the next refresh");
}

async fn a_store_that_ever_held_a_key_is_not_empty(store: Store<Port>) {
    let [one, other] = store.two();
    assert!(one.is_empty().await.unwrap());
    key(one.held_or_made(account(1)).await);
    assert!(!other.is_empty().await.unwrap());
    erase(one.as_ref(), account(1)).await;
    assert!(!other.is_empty().await.unwrap(), "an erased key counts");
    assert!(!store.reopen([one, other]).is_empty().await.unwrap());
}

async fn the_key_for_commands_is_one_for_all_nodes_and_after_a_stop(store: Store<Port>) {
    let nodes = store.two();
    let asking = (0..12).map(|task| {
        let keys = nodes[task % 2].clone();
        tokio::spawn(async move { keys.commands_key().await.unwrap().to_vec() })
    });
    let got: BTreeSet<_> = join_all(asking).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(got.len(), 1);
    assert_eq!(store.reopen(nodes).commands_key().await.unwrap().to_vec(), *got.first().unwrap());
}

async fn what_one_node_signs_another_reads(store: Store<Port>) {
    use loquet_domain::ids::SessionId;
    use loquet_domain::ports::SessionClaims;
    let [one, other] = store.two();
    let claims = SessionClaims {
        account: account(1),
        session: SessionId(Uuid::from_u128(7)),
        expires_at: crate::store::second(60),
    };
    let token = one.tokens().session(&claims);
    assert_eq!(other.tokens().read_session(&token), Some(claims));
    let email = EmailAddress::parse("marie@example.be").unwrap();
    let hash = one.tokens().email_hash(&email);
    assert_eq!(other.tokens().email_hash(&email), hash);
    assert!(one.failure().is_none());
    assert_eq!(store.reopen([one, other]).tokens().email_hash(&email), hash);
}

async fn killed_at_any_moment_no_key_that_was_returned_is_lost_and_no_erased_one_comes_back(
    kills: Kills,
    make: Make<Port>,
) {
    const A_ROUND: usize = 1_000_000;
    let work = async |store: Store<Port>, round: usize, done: &mut crate::kills::Acknowledged| {
        let keys = store.open();
        for n in (round * A_ROUND..).step_by(3) {
            done.add(&format!("key {n} {:?}", key(keys.held_or_made(account(n)).await)));
            keys.make(vec![account(n + 1), account(n + 2)]).await.unwrap();
            done.add(&format!("made {} {}", n + 1, n + 2));
            keys.forget(account(n + 1)).await.unwrap();
            done.add(&format!("erased {}", n + 1));
        }
    };
    let check = async |store: Store<Port>, lines: Vec<String>| {
        let keys = store.open();
        let erased: BTreeSet<&str> = lines.iter().filter_map(|line| line.strip_prefix("erased ")).collect();
        for line in lines.iter().rev().take(300) {
            let words: Vec<&str> = line.splitn(3, ' ').collect();
            let held = |n: &str| keys.held(account(n.parse().unwrap()));
            match words[0] {
                "key" => assert_eq!(format!("{:?}", key(held(words[1]).await)), words[2]),
                "made" => {
                    key(held(words[2]).await);
                    let first = held(words[1]).await;
                    assert!(is_erased(&first) || !erased.contains(words[1]));
                }
                _ => assert!(is_erased(&held(words[1]).await), "{line}"),
            }
        }
    };
    kills.at_any_moment(make, work, check).await;
}
