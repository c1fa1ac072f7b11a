//! The rules for every store of read models.

use std::path::Path;
use std::sync::Arc;

use futures_util::future::join_all;
use loquet_domain::ports::Position;
use loquet_projections::ports::{
    BuildState, Cursor, IndexEntry, Order, ReadStore, Rows, Selection, StoreFailed, StoredBuild, Work,
};
use loquet_projections::view::{Build, CannotApply, ViewId};
use loquet_sqlite::read_store::SqliteReadStore;

use crate::kills::{Acknowledged, Kills};
use crate::store::{Make, Store, suite};

type Port = dyn ReadStore;

macro_rules! adapter {
    ($name:ident, $make:expr $(, $killed:ident)?) => {
        suite!($name, $make, [
            a_first_build_serves_at_once_and_its_successor_when_it_is_told_to,
            a_generation_is_never_used_twice,
            rows_and_checkpoint_move_together_and_only_from_where_they_are,
            work_that_fails_leaves_nothing_behind,
            looking_leaves_nothing_behind,
            of_many_who_move_one_checkpoint_at_once_one_does,
            whoever_reads_meanwhile_never_sees_rows_and_checkpoint_apart,
            rows_come_in_the_order_of_their_keys_or_of_an_index_page_by_page,
            an_index_follows_its_rows,
            a_build_that_is_put_back_to_the_beginning_is_empty_and_goes_on,
            a_discarded_build_is_gone_and_one_that_serves_stays,
            a_view_that_the_program_no_longer_has_is_half_deleted_until_it_is_discarded,
            a_request_to_build_anew_is_taken_once,
            a_failure_is_seen_by_every_process_until_it_is_mended,
            builds_differ_where_their_rows_or_entries_do,
            a_stop_keeps_everything,
        ] $(, $killed: [
            killed_at_any_moment_rows_are_as_far_as_their_checkpoint,
        ])?);
    };
}

// The only adapter, because each node has its own read models. The second opening stands for the command line
// beside a server.
adapter!(sqlite, in_sqlite, killed);

const VIEW: ViewId = ViewId { name: "things", version: 1 };
const NEXT: ViewId = ViewId { name: "things", version: 2 };

fn in_sqlite(folder: &Path) -> Store<Port> {
    let path = folder.join("views.db");
    Store::opened_by(move || -> Arc<Port> { Arc::new(SqliteReadStore::open(&path).unwrap()) })
}

/// Puts a row that has no index entries.
fn put(key: &str, row: &str) -> Work {
    let (key, row) = (key.to_owned(), row.to_owned());
    Box::new(move |rows| Ok(rows.put(&key, row.as_bytes())?))
}

/// Puts a row with one index entry, instead of a row with another entry.
fn put_by(key: &str, row: &str, gone: &[IndexEntry], new: &[IndexEntry]) -> Work {
    let (key, row, gone, new) = (key.to_owned(), row.to_owned(), gone.to_vec(), new.to_vec());
    Box::new(move |rows| {
        rows.put(&key, row.as_bytes())?;
        gone.iter().try_for_each(|entry| rows.leave(entry, &key))?;
        Ok(enter(rows, &key, &new)?)
    })
}

fn enter(rows: &mut dyn Rows, key: &str, entries: &[IndexEntry]) -> Result<(), StoreFailed> {
    entries.iter().try_for_each(|entry| rows.enter(entry, key))
}

fn entry(value: &str) -> Vec<IndexEntry> {
    vec![("by", value.to_owned())]
}

async fn update(store: &Port, build: Build, from: u64, up_to: u64, work: Work) {
    store.update(build, Position(from), Position(up_to), work).await.unwrap();
}

async fn get(store: &Port, key: &str) -> Option<String> {
    let row = store.get(VIEW, key.to_owned()).await.unwrap();
    row.map(|row| String::from_utf8(row).unwrap())
}

async fn state(store: &Port, build: Build) -> Option<BuildState> {
    store.builds().await.unwrap().into_iter().find(|state| state.build == build)
}

async fn position(store: &Port, build: Build) -> u64 {
    state(store, build).await.unwrap().position.0
}

async fn keys(store: &Port, wanted: Selection) -> Vec<String> {
    let found = store.select(VIEW, wanted).await.unwrap();
    found.into_iter().map(|found| found.cursor.key).collect()
}

fn all() -> Selection {
    Selection { limit: 1000, ..Selection::default() }
}

async fn a_first_build_serves_at_once_and_its_successor_when_it_is_told_to(store: Store<Port>) {
    let [one, other] = store.two();
    assert_eq!(one.builds().await, Ok(Vec::new()));
    assert_eq!(get(other.as_ref(), "a").await, None, "there is no build");
    assert!(keys(other.as_ref(), all()).await.is_empty());
    let first = one.begin(VIEW).await.unwrap();
    assert_eq!(first.view, VIEW);
    let begun = state(other.as_ref(), first).await.unwrap();
    assert_eq!((begun.position, begun.serving, begun.failure), (Position(0), true, None));
    update(one.as_ref(), first, 0, 5, put("a", "first")).await;
    let second = one.begin(NEXT).await.unwrap();
    assert!(!state(other.as_ref(), second).await.unwrap().serving);
    update(one.as_ref(), second, 0, 9, put("a", "second")).await;
    assert_eq!(get(other.as_ref(), "a").await.as_deref(), Some("first"));
    one.serve(second).await.unwrap();
    one.serve(second).await.unwrap();
    assert_eq!(get(other.as_ref(), "a").await.as_deref(), Some("second"), "whichever version is asked for");
    let serving = other.builds().await.unwrap().into_iter().filter(|state| state.serving);
    assert_eq!(serving.map(|state| state.build).collect::<Vec<_>>(), [StoredBuild::from(second)]);
    assert_eq!((position(&*other, first).await, position(&*other, second).await), (5, 9));
}

async fn a_generation_is_never_used_twice(store: Store<Port>) {
    let [one, other] = store.two();
    let serving = one.begin(VIEW).await.unwrap();
    let mut last = serving.generation;
    for view in [VIEW, NEXT, VIEW, NEXT] {
        let build = one.begin(view).await.unwrap();
        assert!(build.generation > last);
        last = build.generation;
        one.discard(build.into()).await.unwrap();
    }
    let again = store.reopen([one, other]);
    assert!(again.begin(VIEW).await.unwrap().generation > last);
    let nodes = [again, store.open()];
    let beginning = (0..16).map(|task| {
        let store = nodes[task % 2].clone();
        tokio::spawn(async move { store.begin(VIEW).await.unwrap().generation })
    });
    let mut begun: Vec<u32> = join_all(beginning).await.into_iter().map(Result::unwrap).collect();
    begun.sort_unstable();
    begun.dedup();
    assert_eq!(begun.len(), 16, "many at once");
}

async fn rows_and_checkpoint_move_together_and_only_from_where_they_are(store: Store<Port>) {
    let [one, other] = store.two();
    let build = one.begin(VIEW).await.unwrap();
    update(one.as_ref(), build, 0, 3, put("a", "1")).await;
    for from in [0, 2, 4, 99] {
        let moved = other.update(build, Position(from), Position(from + 1), put("a", "2")).await;
        assert!(matches!(moved, Err(CannotApply::Moved(Position(3)))), "from {from}: {moved:?}");
    }
    assert_eq!((get(&*other, "a").await.as_deref(), position(&*other, build).await), (Some("1"), 3));
    let see: Work = Box::new(|rows| {
        assert_eq!(rows.get("a")?.as_deref(), Some("1".as_bytes()));
        assert_eq!(rows.get("b")?, None);
        rows.put("b", b"2")?;
        assert_eq!(rows.get("b")?.as_deref(), Some("2".as_bytes()), "work sees what it wrote");
        rows.delete("a")?;
        rows.delete("nothing")?;
        Ok(())
    });
    update(other.as_ref(), build, 3, 4, see).await;
    assert_eq!((get(&*one, "a").await, get(&*one, "b").await.as_deref()), (None, Some("2")));
    update(one.as_ref(), build, 4, 4, put("b", "3")).await;
    assert_eq!((get(&*other, "b").await.as_deref(), position(&*other, build).await), (Some("3"), 4));
    one.discard(build.into()).await.unwrap();
    let gone = one.begin(NEXT).await.unwrap();
    one.discard(gone.into()).await.unwrap();
    assert!(one.update(gone, Position(0), Position(1), put("a", "1")).await.is_err(), "it is gone");
}

async fn work_that_fails_leaves_nothing_behind(store: Store<Port>) {
    let store = store.open();
    let build = store.begin(VIEW).await.unwrap();
    update(store.as_ref(), build, 0, 1, put_by("a", "1", &[], &entry("x"))).await;
    let failing: Work = Box::new(|rows| {
        rows.put("a", b"2")?;
        rows.put("b", b"2")?;
        entry("x").iter().try_for_each(|gone| rows.leave(gone, "a"))?;
        enter(rows, "a", &entry("y"))?;
        enter(rows, "b", &entry("y"))?;
        Err(StoreFailed::new("not this one").into())
    });
    let failed = store.update(build, Position(1), Position(2), failing).await;
    assert!(failed.is_err_and(|why| why.to_string().contains("not this one")));
    assert_eq!((get(&*store, "a").await.as_deref(), get(&*store, "b").await), (Some("1"), None));
    assert_eq!(position(store.as_ref(), build).await, 1);
    let by = |value: &str| Selection { by: Some(("by", value.to_owned())), ..all() };
    assert_eq!(keys(store.as_ref(), by("")).await, ["a"]);
    assert!(keys(store.as_ref(), by("y")).await.is_empty());
}

async fn looking_leaves_nothing_behind(store: Store<Port>) {
    let store = store.open();
    let build = store.begin(VIEW).await.unwrap();
    let (told, seen) = std::sync::mpsc::channel();
    for (row, expected) in [(None, None), (Some("1"), Some(b"1".to_vec()))] {
        if let Some(row) = row {
            update(store.as_ref(), build, 0, 1, put("a", row)).await;
        }
        let told = told.clone();
        let look: Work = Box::new(move |rows| {
            told.send((rows.get("a")?, rows.get("b")?)).unwrap();
            Ok(())
        });
        store.look(build, look).await.unwrap();
        assert_eq!(seen.recv().unwrap(), (expected, None));
    }
    let writes: [Work; 3] = [
        Box::new(|rows| Ok(rows.put("a", b"2")?)),
        Box::new(|rows| Ok(rows.delete("a")?)),
        Box::new(|rows| Ok(enter(rows, "a", &entry("x"))?)),
    ];
    for write in writes {
        assert!(store.look(build, write).await.is_err());
    }
    assert_eq!((get(&*store, "a").await.as_deref(), get(&*store, "b").await), (Some("1"), None));
    assert_eq!(position(store.as_ref(), build).await, 1);
}

async fn of_many_who_move_one_checkpoint_at_once_one_does(store: Store<Port>) {
    let nodes = store.two();
    let build = nodes[0].begin(VIEW).await.unwrap();
    for round in 0..20_u64 {
        let moving = (0..8_usize).map(|task| {
            let store = nodes[task % 2].clone();
            tokio::spawn(async move {
                let work = put(&round.to_string(), &task.to_string());
                match store.update(build, Position(round), Position(round + 1), work).await {
                    Ok(()) => Some(task),
                    Err(CannotApply::Moved(to)) => {
                        assert_eq!(to, Position(round + 1));
                        None
                    }
                    Err(other) => panic!("{other}"),
                }
            })
        });
        let moved: Vec<usize> = join_all(moving).await.into_iter().filter_map(Result::unwrap).collect();
        assert_eq!(moved.len(), 1);
        let row = get(nodes[1].as_ref(), &round.to_string()).await;
        assert_eq!(row, Some(moved[0].to_string()), "the row is the winner's");
    }
}

async fn whoever_reads_meanwhile_never_sees_rows_and_checkpoint_apart(store: Store<Port>) {
    const LAST: u64 = 1000;
    let [one, other] = store.two();
    let build = one.begin(VIEW).await.unwrap();
    let writing = tokio::spawn(async move {
        for n in 0..LAST {
            update(one.as_ref(), build, n, n + 1, put(&(n + 1).to_string(), "x")).await;
        }
    });
    loop {
        let seen = position(other.as_ref(), build).await;
        let has = async |n: u64| get(other.as_ref(), &n.to_string()).await.is_some();
        assert!(seen == 0 || has(seen).await, "the checkpoint is at {seen} and its row is not there");
        if has(seen + 1).await {
            assert!(
                position(other.as_ref(), build).await > seen,
                "a row is ahead of the checkpoint at {seen}"
            );
        }
        if seen == LAST {
            break;
        }
    }
    writing.await.unwrap();
}

async fn rows_come_in_the_order_of_their_keys_or_of_an_index_page_by_page(store: Store<Port>) {
    let [one, other] = store.two();
    let build = one.begin(VIEW).await.unwrap();
    let rows = [("d", "ab"), ("a", "b"), ("c", "ab"), ("b", "é"), ("e", "a"), ("é", "abc")];
    for (at, (key, value)) in (0..).zip(rows) {
        update(one.as_ref(), build, at, at + 1, put_by(key, value, &[], &entry(value))).await;
    }
    let by = |value: &str| Some(("by", value.to_owned()));
    for (by, expected) in [
        (None, vec!["a", "b", "c", "d", "e", "é"]),
        (by(""), vec!["e", "c", "d", "é", "a", "b"]),
        (by("ab"), vec!["c", "d", "é"]),
        (by("abc"), vec!["é"]),
        (by("c"), vec![]),
        (by("é"), vec!["b"]),
        (Some(("another", String::new())), vec![]),
    ] {
        for order in [Order::Ascending, Order::Descending] {
            let mut expected = expected.clone();
            if order == Order::Descending {
                expected.reverse();
            }
            for limit in [1, 2, 3, 100] {
                let (mut seen, mut after) = (Vec::new(), None::<Cursor>);
                loop {
                    let wanted = Selection { by: by.clone(), order, after: after.clone(), limit };
                    let page = other.select(VIEW, wanted).await.unwrap();
                    assert!(page.len() <= limit);
                    let Some(last) = page.last() else { break };
                    after = Some(last.cursor.clone());
                    assert!(seen.len() < rows.len(), "{by:?} {order:?} {limit} does not end: {seen:?}");
                    for found in page {
                        let value = rows.iter().find(|(key, _)| *key == found.cursor.key).unwrap().1;
                        assert_eq!(found.row, value.as_bytes());
                        assert_eq!(found.cursor.value, if by.is_some() { value } else { "" });
                        seen.push(found.cursor.key);
                    }
                }
                assert_eq!(seen, expected, "{by:?} {order:?} {limit}");
            }
        }
    }
    assert!(keys(other.as_ref(), Selection::default()).await.is_empty(), "a limit of none");
}

async fn an_index_follows_its_rows(store: Store<Port>) {
    let store = store.open();
    let build = store.begin(VIEW).await.unwrap();
    let by = |value: &str| Selection { by: Some(("by", value.to_owned())), ..all() };
    let two = [entry("x"), entry("y")].concat();
    update(store.as_ref(), build, 0, 1, put_by("a", "1", &[], &two)).await;
    update(store.as_ref(), build, 1, 2, put_by("a", "2", &entry("x"), &entry("z"))).await;
    let found = store.select(VIEW, by("")).await.unwrap();
    let found: Vec<_> =
        found.iter().map(|found| (found.cursor.value.as_str(), found.row.as_slice())).collect();
    assert_eq!(found, [("y", b"2".as_slice()), ("z", b"2".as_slice())]);
    let delete: Work = Box::new(|rows| {
        rows.delete("a")?;
        Ok([entry("y"), entry("z")].concat().iter().try_for_each(|entry| rows.leave(entry, "a"))?)
    });
    update(store.as_ref(), build, 2, 3, delete).await;
    assert!(keys(store.as_ref(), by("")).await.is_empty());
}

async fn a_build_that_is_put_back_to_the_beginning_is_empty_and_goes_on(store: Store<Port>) {
    let store = store.open();
    let build = store.begin(VIEW).await.unwrap();
    let untouched = store.begin(NEXT).await.unwrap();
    update(store.as_ref(), build, 0, 7, put_by("a", "1", &[], &entry("x"))).await;
    update(store.as_ref(), untouched, 0, 7, put("a", "1")).await;
    store.note_failure(build, Some("it stopped".to_owned())).await.unwrap();
    store.reset(build).await.unwrap();
    store.reset(build).await.unwrap();
    let state = state(store.as_ref(), build).await.unwrap();
    assert_eq!((state.position, state.serving, state.failure), (Position(0), true, None));
    assert!(keys(store.as_ref(), all()).await.is_empty());
    assert!(keys(store.as_ref(), Selection { by: Some(("by", String::new())), ..all() }).await.is_empty());
    assert_eq!(position(store.as_ref(), untouched).await, 7);
    update(store.as_ref(), build, 0, 1, put_by("a", "2", &[], &entry("y"))).await;
    let found = store.select(VIEW, Selection { by: Some(("by", String::new())), ..all() }).await.unwrap();
    let values: Vec<&str> = found.iter().map(|found| found.cursor.value.as_str()).collect();
    assert_eq!(values, ["y"], "an entry of before leads nowhere");
}

async fn a_discarded_build_is_gone_and_one_that_serves_stays(store: Store<Port>) {
    let [one, other] = store.two();
    let serving = one.begin(VIEW).await.unwrap();
    update(one.as_ref(), serving, 0, 1, put("a", "1")).await;
    let build = one.begin(NEXT).await.unwrap();
    let many: Work = Box::new(|rows| {
        for key in (0..5000).map(|n| n.to_string()) {
            rows.put(&key, b"x")?;
            enter(rows, &key, &entry(&key))?;
        }
        Ok(())
    });
    update(one.as_ref(), build, 0, 1, many).await;
    one.discard(serving.into()).await.unwrap();
    one.discard(build.into()).await.unwrap();
    one.discard(build.into()).await.unwrap();
    let builds = other.builds().await.unwrap();
    assert_eq!(builds.into_iter().map(|state| state.build).collect::<Vec<_>>(), [StoredBuild::from(serving)]);
    assert_eq!(other.half_deleted().await, Ok(Vec::new()));
    assert_eq!(get(other.as_ref(), "a").await.as_deref(), Some("1"));
}

async fn a_view_that_the_program_no_longer_has_is_half_deleted_until_it_is_discarded(store: Store<Port>) {
    let [one, other] = store.two();
    let kept = one.begin(ViewId { name: "kept", version: 1 }).await.unwrap();
    let builds = [one.begin(VIEW).await.unwrap(), one.begin(NEXT).await.unwrap()];
    update(one.as_ref(), builds[0], 0, 1, put("a", "1")).await;
    one.retire(VIEW.name.to_owned()).await.unwrap();
    one.retire("nothing".to_owned()).await.unwrap();
    let again = store.reopen([one, other]);
    let left = again.builds().await.unwrap().into_iter().map(|state| state.build);
    assert_eq!(left.collect::<Vec<_>>(), [StoredBuild::from(kept)]);
    assert_eq!(get(again.as_ref(), "a").await, None, "queries read it no more");
    let half_deleted = again.half_deleted().await.unwrap();
    assert!(builds.iter().all(|build| half_deleted.iter().any(|half| half == build)));
    assert_eq!(half_deleted.len(), 2);
    for half in half_deleted {
        again.discard(half).await.unwrap();
    }
    assert_eq!(again.half_deleted().await, Ok(Vec::new()));
}

async fn a_request_to_build_anew_is_taken_once(store: Store<Port>) {
    let [server, operator] = store.two();
    assert_eq!(server.take_requests().await, Ok(Vec::new()));
    for name in ["things", "others", "things"] {
        operator.request_rebuild(name.to_owned()).await.unwrap();
    }
    let mut taken = server.take_requests().await.unwrap();
    taken.sort();
    assert_eq!(taken, ["others", "things"]);
    assert_eq!(server.take_requests().await, Ok(Vec::new()));
    operator.request_rebuild("things".to_owned()).await.unwrap();
    let again = store.reopen([server, operator]);
    assert_eq!(again.take_requests().await.unwrap(), ["things"], "a stop loses none");
}

async fn a_failure_is_seen_by_every_process_until_it_is_mended(store: Store<Port>) {
    let [one, other] = store.two();
    let build = one.begin(VIEW).await.unwrap();
    let sound = one.begin(NEXT).await.unwrap();
    for failure in [Some("event 7 is odd".to_owned()), Some("event 8 is odd".to_owned()), None] {
        one.note_failure(build, failure.clone()).await.unwrap();
        assert_eq!(state(other.as_ref(), build).await.unwrap().failure, failure);
        assert_eq!(state(other.as_ref(), sound).await.unwrap().failure, None);
    }
}

async fn builds_differ_where_their_rows_or_entries_do(store: Store<Port>) {
    let store = store.open();
    let [one, other] = [store.begin(VIEW).await.unwrap(), store.begin(VIEW).await.unwrap()];
    let rows = |rows: &'static [(&str, &str, &str)]| -> Work {
        Box::new(move |table| {
            for (key, row, value) in rows {
                table.put(key, row.as_bytes())?;
                enter(table, key, &entry(value))?;
            }
            Ok(())
        })
    };
    let first = [("same", "1", "x"), ("row", "1", "x"), ("index", "1", "x"), ("one", "1", "x")];
    let second = [("same", "1", "x"), ("row", "2", "x"), ("index", "1", "y"), ("other", "1", "x")];
    let (first, second): (&'static [_], &'static [_]) =
        (Box::leak(Box::new(first)), Box::leak(Box::new(second)));
    update(store.as_ref(), one, 0, 1, rows(first)).await;
    update(store.as_ref(), other, 0, 1, rows(second)).await;
    let differences = async |one, other, limit| store.differences(one, other, limit).await.unwrap();
    assert_eq!(differences(one, other, 10).await, ["index", "one", "other", "row"]);
    assert_eq!(differences(other, one, 10).await, ["index", "one", "other", "row"]);
    assert_eq!(differences(one, other, 2).await, ["index", "one"]);
    assert!(differences(one, one, 10).await.is_empty());
}

async fn a_stop_keeps_everything(store: Store<Port>) {
    let [one, other] = store.two();
    let build = one.begin(VIEW).await.unwrap();
    update(one.as_ref(), build, 0, 4, put_by("a", "ü", &[], &entry("x"))).await;
    one.note_failure(build, Some("it stopped".to_owned())).await.unwrap();
    let before = (one.builds().await.unwrap(), one.select(VIEW, all()).await.unwrap());
    let again = store.reopen([one, other]);
    assert_eq!((again.builds().await.unwrap(), again.select(VIEW, all()).await.unwrap()), before);
    assert_eq!(keys(&*again, Selection { by: Some(("by", "x".to_owned())), ..all() }).await, ["a"]);
}

async fn killed_at_any_moment_rows_are_as_far_as_their_checkpoint(kills: Kills, make: Make<Port>) {
    let row = |n: u64| put_by(&format!("{n:08}"), &n.to_string(), &[], &entry(&format!("{n:08}")));
    let work = async move |store: Store<Port>, _: usize, done: &mut Acknowledged| {
        let store = store.open();
        let serving = store.builds().await.unwrap().into_iter().find(|state| state.serving);
        let (build, from) = match serving {
            Some(state) => (state.build.of(VIEW.name).unwrap(), state.position.0),
            None => (store.begin(VIEW).await.unwrap(), 0),
        };
        for n in from.. {
            update(store.as_ref(), build, n, n + 1, row(n + 1)).await;
            done.add(&format!("row {}", n + 1));
            // Now and then, so that most kills fall on an update.
            if n.is_multiple_of(64) {
                let other = store.begin(VIEW).await.unwrap();
                update(store.as_ref(), other, 0, 1, row(1)).await;
                store.discard(other.into()).await.unwrap();
            }
        }
    };
    let check = async |store: Store<Port>, _: Vec<String>| {
        let store = store.open();
        let builds = store.builds().await.unwrap();
        let serving = builds.iter().filter(|state| state.serving).collect::<Vec<_>>();
        assert!(serving.len() <= 1);
        for state in serving {
            let expected: Vec<String> = (1..=state.position.0).map(|n| format!("{n:08}")).collect();
            let wanted = |by| Selection { by, limit: 10_000_000, ..Selection::default() };
            assert_eq!(keys(store.as_ref(), wanted(None)).await, expected);
            assert_eq!(keys(store.as_ref(), wanted(Some(("by", String::new())))).await, expected);
        }
        for half in store.half_deleted().await.unwrap() {
            store.discard(half).await.unwrap();
        }
        assert_eq!(store.half_deleted().await, Ok(Vec::new()));
    };
    kills.at_any_moment(make, work, check).await;
}
