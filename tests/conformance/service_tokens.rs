//! The rules for every store of service tokens.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use loquet_domain::fact::StaffRole;
use loquet_http_ports::scope::{Scope, scopes_of};
use loquet_http_ports::service_tokens::{Grant, PREFIX, ServiceTokens, TokenEntry, id_of};
use loquet_postgres::service_tokens::PostgresServiceTokens;
use loquet_sqlite::service_tokens::SqliteServiceTokens;

use crate::kills::{Acknowledged, Kills};
use crate::store::{Make, Store, in_postgres, second, suite};

type Port = dyn ServiceTokens;

macro_rules! adapter {
    ($name:ident, $make:expr $(, $killed:ident)?) => {
        suite!($name, $make, [
            a_token_is_found_with_its_grant_on_every_node_and_after_a_stop,
            what_is_no_token_is_found_nowhere,
            a_token_holds_until_its_end_and_not_at_it,
            a_revoked_token_is_found_no_more_on_any_node,
            of_many_who_revoke_a_token_one_is_told_that_it_did,
            a_rotated_token_ends_and_its_successor_is_the_same_program,
            a_rotation_never_lengthens_a_token,
            what_has_ended_is_not_rotated,
            many_who_rotate_and_revoke_at_once_leave_every_successor_listed_and_the_old_one_ended,
            many_who_make_tokens_at_once_get_one_each,
            the_list_has_ended_tokens_too_and_begins_with_the_oldest,
            a_use_is_noted_to_the_minute_for_every_node_to_see,
        ] $(, $killed: [
            killed_at_any_moment_no_token_is_lost_and_a_rotation_is_whole,
        ])?);
    };
}

// There is none in memory: its tokens would be lost when the program that checks them ends.
adapter!(sqlite, in_sqlite, killed);
adapter!(postgres, on_postgres, killed);

fn in_sqlite(folder: &Path) -> Store<Port> {
    let path = folder.join("tokens.db");
    Store::opened_by(move || -> Arc<Port> { Arc::new(SqliteServiceTokens::open(&path).unwrap()) })
}

fn on_postgres(folder: &Path) -> Store<Port> {
    in_postgres::<Port>(folder, |database| Arc::new(PostgresServiceTokens::new(database)))
}

fn orders() -> Grant {
    Grant::Program([Scope::OrdersWrite, Scope::OrdersRead].into())
}

async fn entry(tokens: &Port, token: &str) -> TokenEntry {
    let all = tokens.list().await.unwrap();
    all.into_iter().find(|entry| entry.id == id_of(token)).unwrap()
}

async fn is_found(tokens: &Port, token: &str, at: i64) -> bool {
    tokens.find(token, second(at)).await.unwrap().is_some()
}

/// Waits until a change on one node is known on the others.
async fn known_to_all() {
    tokio::time::sleep(Duration::from_millis(2)).await;
}

async fn a_token_is_found_with_its_grant_on_every_node_and_after_a_stop(store: Store<Port>) {
    let [one, other] = store.two();
    let program = one.create("shop", &orders(), second(0), None).await.unwrap();
    let person = Grant::Staff(StaffRole::Support);
    let person = one.create("Sofie Maes", &person, second(0), Some(second(100))).await.unwrap();
    assert!(program.starts_with(PREFIX) && person.starts_with(PREFIX) && program != person);
    let check = async |tokens: &Port| {
        let service = tokens.find(&program, second(1)).await.unwrap().unwrap();
        assert_eq!((service.name.as_str(), service.grant()), ("shop", orders()));
        let service = tokens.find(&person, second(1)).await.unwrap().unwrap();
        assert_eq!((service.name.as_str(), service.role), ("Sofie Maes", Some(StaffRole::Support)));
        assert_eq!(service.scopes, scopes_of(StaffRole::Support));
        let held = entry(tokens, &person).await;
        assert_eq!((held.created_at, held.expires_at, held.revoked_at), (second(0), Some(second(100)), None));
        assert_eq!(*held.service, *service);
    };
    check(one.as_ref()).await;
    check(other.as_ref()).await;
    check(store.reopen([one, other]).as_ref()).await;
}

async fn what_is_no_token_is_found_nowhere(store: Store<Port>) {
    let tokens = store.open();
    let token = tokens.create("shop", &orders(), second(0), None).await.unwrap();
    let longer = format!("{token}A");
    for none in ["", PREFIX, "lqt_nonsense", &token[..token.len() - 1], &longer] {
        assert!(!is_found(tokens.as_ref(), none, 1).await, "{none}");
    }
    for none in ["", "nonsense", &token] {
        assert_eq!(tokens.revoke(none, second(1)).await, Ok(false));
        assert_eq!(tokens.rotate(none, second(1), second(2)).await, Ok(None));
    }
}

async fn a_token_holds_until_its_end_and_not_at_it(store: Store<Port>) {
    let tokens = store.open();
    let token = tokens.create("shop", &orders(), second(0), Some(second(100))).await.unwrap();
    assert!(is_found(tokens.as_ref(), &token, 99).await);
    assert!(!is_found(tokens.as_ref(), &token, 100).await);
    assert_eq!(tokens.revoke(&id_of(&token), second(100)).await, Ok(false), "it has ended");
}

async fn a_revoked_token_is_found_no_more_on_any_node(store: Store<Port>) {
    let [one, other] = store.two();
    let token = one.create("shop", &orders(), second(0), None).await.unwrap();
    let kept = one.create("shop", &orders(), second(0), None).await.unwrap();
    assert!(is_found(one.as_ref(), &token, 1).await && is_found(other.as_ref(), &token, 1).await);
    assert_eq!(other.revoke(&id_of(&token), second(2)).await, Ok(true));
    known_to_all().await;
    for tokens in [&one, &other] {
        assert!(!is_found(tokens.as_ref(), &token, 2).await);
        assert!(is_found(tokens.as_ref(), &kept, 2).await, "another one of its name goes on");
        assert_eq!(tokens.revoke(&id_of(&token), second(3)).await, Ok(false));
        assert_eq!(entry(tokens.as_ref(), &token).await.revoked_at, Some(second(2)));
    }
    assert!(!is_found(store.reopen([one, other]).as_ref(), &token, 2).await);
}

async fn of_many_who_revoke_a_token_one_is_told_that_it_did(store: Store<Port>) {
    let nodes = store.two();
    for _ in 0..10 {
        let token = nodes[0].create("shop", &orders(), second(0), None).await.unwrap();
        let revoking = (0..8).map(|task| {
            let (tokens, id) = (nodes[task % 2].clone(), id_of(&token));
            tokio::spawn(async move { tokens.revoke(&id, second(1)).await.unwrap() })
        });
        let told = join_all(revoking).await.into_iter().filter(|told| *told.as_ref().unwrap()).count();
        assert_eq!(told, 1);
    }
}

async fn a_rotated_token_ends_and_its_successor_is_the_same_program(store: Store<Port>) {
    let [one, other] = store.two();
    let old = one.create("audit", &orders(), second(0), Some(second(100))).await.unwrap();
    let namesake = one.create("audit", &orders(), second(0), None).await.unwrap();
    let new = other.rotate(&id_of(&old), second(1), second(10)).await.unwrap().unwrap();
    known_to_all().await;
    for tokens in [&one, &other] {
        for (token, at, holds) in
            [(&old, 9, true), (&old, 10, false), (&new, 10, true), (&new, 99, true), (&new, 100, false)]
        {
            assert_eq!(is_found(tokens.as_ref(), token, at).await, holds, "second {at}");
        }
        let [old, new, namesake] = [&old, &new, &namesake].map(|token| tokens.find(token, second(1)));
        let [old, new, namesake] =
            [old.await, new.await, namesake.await].map(|found| found.unwrap().unwrap());
        assert_eq!((&old.name, old.grant(), old.family), (&new.name, new.grant(), new.family));
        assert_ne!(old.family, namesake.family);
    }
}

async fn a_rotation_never_lengthens_a_token(store: Store<Port>) {
    let tokens = store.open();
    let old = tokens.create("audit", &orders(), second(0), Some(second(5))).await.unwrap();
    tokens.rotate(&id_of(&old), second(1), second(10)).await.unwrap().unwrap();
    assert!(is_found(tokens.as_ref(), &old, 4).await && !is_found(tokens.as_ref(), &old, 5).await);
}

async fn what_has_ended_is_not_rotated(store: Store<Port>) {
    let tokens = store.open();
    let ended = tokens.create("audit", &orders(), second(0), Some(second(5))).await.unwrap();
    let revoked = tokens.create("audit", &orders(), second(0), None).await.unwrap();
    tokens.revoke(&id_of(&revoked), second(1)).await.unwrap();
    for token in [ended, revoked] {
        assert_eq!(tokens.rotate(&id_of(&token), second(5), second(6)).await, Ok(None));
    }
    assert_eq!(tokens.list().await.unwrap().len(), 2, "nothing was made");
}

async fn many_who_rotate_and_revoke_at_once_leave_every_successor_listed_and_the_old_one_ended(
    store: Store<Port>,
) {
    let nodes = store.two();
    for _ in 0..10 {
        let before = nodes[0].list().await.unwrap().len();
        let old = nodes[0].create("shop", &orders(), second(0), None).await.unwrap();
        let tasks = (0..8).map(|task| {
            let (tokens, id) = (nodes[task % 2].clone(), id_of(&old));
            tokio::spawn(async move {
                if task == 5 {
                    assert_eq!(tokens.revoke(&id, second(1)).await, Ok(true));
                    assert_eq!(tokens.rotate(&id, second(1), second(9)).await, Ok(None));
                    return None;
                }
                tokens.rotate(&id, second(1), second(9)).await.unwrap()
            })
        });
        let new: Vec<String> = join_all(tasks).await.into_iter().filter_map(Result::unwrap).collect();
        known_to_all().await;
        for tokens in &nodes {
            assert!(!is_found(tokens.as_ref(), &old, 2).await);
            assert_eq!(tokens.list().await.unwrap().len(), before + 1 + new.len());
            for token in &new {
                assert!(is_found(tokens.as_ref(), token, 2).await);
            }
        }
    }
}

async fn many_who_make_tokens_at_once_get_one_each(store: Store<Port>) {
    let nodes = store.two();
    let making = (0..40).map(|task| {
        let tokens = nodes[task % 2].clone();
        tokio::spawn(async move { tokens.create("shop", &orders(), second(0), None).await.unwrap() })
    });
    let made: BTreeSet<String> = join_all(making).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(made.len(), 40);
    for tokens in &nodes {
        assert_eq!(tokens.list().await.unwrap().len(), 40);
        for token in &made {
            assert!(is_found(tokens.as_ref(), token, 1).await);
        }
    }
}

async fn the_list_has_ended_tokens_too_and_begins_with_the_oldest(store: Store<Port>) {
    let tokens = store.open();
    for (name, at) in [("b", 2), ("a", 1), ("c", 3)] {
        let token = tokens.create(name, &orders(), second(at), Some(second(4))).await.unwrap();
        assert!(at != 1 || tokens.revoke(&id_of(&token), second(2)).await.unwrap());
    }
    let names = tokens.list().await.unwrap().into_iter().map(|entry| entry.service.name.clone());
    assert_eq!(names.collect::<Vec<_>>(), ["a", "b", "c"]);
}

async fn a_use_is_noted_to_the_minute_for_every_node_to_see(store: Store<Port>) {
    let [one, other] = store.two();
    let token = one.create("shop", &orders(), second(0), None).await.unwrap();
    assert_eq!(entry(other.as_ref(), &token).await.last_used_at, None);
    one.find(&token, second(300)).await.unwrap();
    // The use is recorded in the background.
    while entry(other.as_ref(), &token).await.last_used_at.is_none() {
        tokio::task::yield_now().await;
    }
    let noted = entry(other.as_ref(), &token).await.last_used_at.unwrap();
    assert!(second(240) < noted && noted <= second(300), "{noted}");
}

async fn killed_at_any_moment_no_token_is_lost_and_a_rotation_is_whole(kills: Kills, make: Make<Port>) {
    let work = async |store: Store<Port>, _: usize, done: &mut Acknowledged| {
        let tokens = store.open();
        loop {
            let old = tokens.create("shop", &orders(), second(0), None).await.unwrap();
            done.add(&format!("holds {old}"));
            let new = tokens.rotate(&id_of(&old), second(1), second(9)).await.unwrap().unwrap();
            done.add(&format!("ended {old}"));
            done.add(&format!("made {new}"));
            tokens.revoke(&id_of(&new), second(2)).await.unwrap();
            done.add(&format!("ended {new}"));
        }
    };
    let check = async |store: Store<Port>, lines: Vec<String>| {
        let tokens = store.open();
        let list = tokens.list().await.unwrap();
        let mut families: BTreeMap<String, Vec<&TokenEntry>> = BTreeMap::new();
        for entry in &list {
            families.entry(entry.service.family.to_string()).or_default().push(entry);
        }
        for family in families.values() {
            let ends = family.iter().filter(|entry| entry.expires_at.is_some()).count();
            assert_eq!(ends, family.len() - 1, "half a rotation: {family:?}");
        }
        for line in lines.iter().rev().take(200) {
            let (word, token) = line.split_once(' ').unwrap();
            match word {
                "holds" => assert!(is_found(tokens.as_ref(), token, 8).await, "{line}"),
                "ended" => assert!(!is_found(tokens.as_ref(), token, 9).await, "{line}"),
                _ => assert!(list.iter().any(|entry| entry.id == id_of(token)), "{line} is lost"),
            }
        }
    };
    kills.at_any_moment(make, work, check).await;
}
