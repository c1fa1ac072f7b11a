//! The rules for every store of answers to commands with an idempotency key.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use loquet_domain::Moment;
use loquet_http_ports::answers::{Answers, CommandId, Known, UnderWay};
use loquet_postgres::answers::PostgresAnswers;
use loquet_postgres::{Connection, Database};
use loquet_sqlite::answers::SqliteAnswers;
use loquet_tests::postgres_server::PostgresServer;
use zeroize::Zeroizing;

use crate::kills::{Acknowledged, Kills};
use crate::store::{Make, Store, in_postgres, second, suite};

type Port = dyn Answers;

macro_rules! adapter {
    ($name:ident, $make:expr $(, $killed:ident)?) => {
        suite!($name, $make, [
            a_command_is_known_by_who_asks_with_which_key_for_what,
            a_command_is_new_once_and_then_under_way_until_it_is_answered,
            an_answer_is_given_again_on_every_node_and_after_a_stop,
            a_command_that_breaks_off_can_be_asked_for_anew,
            an_answer_is_kept_for_24_hours_from_the_beginning_of_its_command,
            of_many_who_begin_one_command_one_carries_it_out,
            many_commands_at_once_get_each_its_own_answer,
        ] $(, $killed: [
            killed_at_any_moment_no_answer_is_lost_and_no_command_stays_under_way,
        ])?);
    };
}

// SQLite has its claims in memory, so its two nodes are two handles of one opened store.
adapter!(sqlite, in_sqlite, killed);
adapter!(postgres, on_postgres, killed);

/// How long a claim lasts in PostgreSQL that is not renewed.
const LEASE: Duration = Duration::from_secs(2);
/// The longest time until a claim ends on every node, after it was dropped or its process has died.
const PATIENCE: Duration = Duration::from_secs(30);

fn in_sqlite(folder: &Path) -> Store<Port> {
    let path = folder.join("answers.db");
    let opened: Arc<Mutex<Option<SqliteAnswers>>> = Arc::default();
    let stopping = opened.clone();
    let open = move || -> Arc<Port> {
        let mut opened = opened.lock().unwrap();
        let open = || SqliteAnswers::open(&path, Zeroizing::new([7; 32])).unwrap();
        Arc::new(opened.get_or_insert_with(open).clone())
    };
    Store::opened_by(open).stopped_by(move || drop(stopping.lock().unwrap().take()))
}

fn on_postgres(folder: &Path) -> Store<Port> {
    in_postgres::<Port>(folder, |database| Arc::new(postgres(database)))
}

fn postgres(database: Database) -> PostgresAnswers {
    PostgresAnswers::with_lease(database, Zeroizing::new([7; 32]), LEASE)
}

fn at(hour: i64) -> Moment {
    second(hour * 3600)
}

fn id(answers: &Port, key: &str, contents: &str) -> CommandId {
    answers.id("shop", key, &[b"POST /v1/orders", contents.as_bytes()])
}

#[track_caller]
fn new(known: Known) -> UnderWay {
    match known {
        Known::New(command) => command,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn answer(known: Known) -> Vec<u8> {
    match known {
        Known::Answered(answer) => answer,
        other => panic!("{other:?}"),
    }
}

async fn begin(answers: &Port, key: &str, contents: &str, hour: i64) -> Known {
    answers.begin(id(answers, key, contents), at(hour)).await.unwrap()
}

/// Begins a command whose claim has ended, or ends soon.
async fn begin_soon(answers: &Port, key: &str, contents: &str) -> UnderWay {
    let begun = Instant::now();
    loop {
        match begin(answers, key, contents, 0).await {
            Known::New(command) => return command,
            Known::Answered(answer) => panic!("{answer:?}"),
            still => assert!(begun.elapsed() < PATIENCE, "{still:?}"),
        }
        tokio::task::yield_now().await;
    }
}

async fn a_command_is_known_by_who_asks_with_which_key_for_what(store: Store<Port>) {
    let [one, other] = store.two();
    let known = one.id("shop", "k", &[b"ab", b"c"]);
    assert_eq!(known, other.id("shop", "k", &[b"ab", b"c"]));
    let differs = one.id("shop", "k", &[b"a", b"bc"]);
    assert_eq!(known.command, differs.command);
    assert_ne!(known.contents, differs.contents, "where one part ends is part of it");
    assert_ne!(known.command, one.id("shop", "l", &[b"ab", b"c"]).command);
    assert_ne!(known.command, one.id("crm", "k", &[b"ab", b"c"]).command);
    assert_eq!(known, store.reopen([one, other]).id("shop", "k", &[b"ab", b"c"]));
}

async fn a_command_is_new_once_and_then_under_way_until_it_is_answered(store: Store<Port>) {
    let nodes = store.two();
    let command = new(begin(nodes[0].as_ref(), "k", "a", 0).await);
    assert_eq!((command.id, command.begun_at), (id(nodes[0].as_ref(), "k", "a"), at(0)));
    for answers in &nodes {
        assert!(matches!(begin(answers.as_ref(), "k", "a", 0).await, Known::UnderWay));
        assert!(matches!(begin(answers.as_ref(), "k", "b", 0).await, Known::Differs));
    }
    drop(new(begin(nodes[1].as_ref(), "another", "a", 0).await));
    nodes[0].end(command, b"done".to_vec()).await.unwrap();
    for answers in &nodes {
        assert_eq!(answer(begin(answers.as_ref(), "k", "a", 1).await), b"done");
        assert!(matches!(begin(answers.as_ref(), "k", "b", 1).await, Known::Differs));
    }
}

async fn an_answer_is_given_again_on_every_node_and_after_a_stop(store: Store<Port>) {
    let [one, other] = store.two();
    let long: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    for (key, said) in [("empty", Vec::new()), ("long", long)] {
        let command = new(begin(one.as_ref(), key, "a", 0).await);
        one.end(command, said.clone()).await.unwrap();
        assert_eq!(answer(begin(other.as_ref(), key, "a", 0).await), said);
    }
    let again = store.reopen([one, other]);
    assert_eq!(answer(begin(again.as_ref(), "empty", "a", 0).await), b"");
    assert_eq!(answer(begin(again.as_ref(), "long", "a", 0).await).len(), 100_000);
}

async fn a_command_that_breaks_off_can_be_asked_for_anew(store: Store<Port>) {
    let nodes = store.two();
    let command = new(begin(nodes[0].as_ref(), "k", "a", 0).await);
    let carried_out = tokio::spawn(async move {
        let _command = command;
        panic!("a handler that panics");
    });
    assert!(carried_out.await.is_err());
    // The key is free for another command too, because nothing was done under it.
    drop(begin_soon(nodes[1].as_ref(), "k", "b").await);
    drop(begin_soon(nodes[0].as_ref(), "k", "a").await);
    // The node that broke off knows it at once.
    drop(new(begin(nodes[0].as_ref(), "k", "b", 0).await));
}

async fn an_answer_is_kept_for_24_hours_from_the_beginning_of_its_command(store: Store<Port>) {
    let answers = store.open();
    let command = new(begin(answers.as_ref(), "k", "a", 0).await);
    answers.end(command, b"first".to_vec()).await.unwrap();
    // When another command ends, answers that are too old are deleted. All others stay.
    let other = new(begin(answers.as_ref(), "other", "a", 24).await);
    answers.end(other, Vec::new()).await.unwrap();
    assert_eq!(answer(begin(answers.as_ref(), "k", "a", 24).await), b"first");
    let command = new(begin(answers.as_ref(), "k", "b", 25).await);
    answers.end(command, b"second".to_vec()).await.unwrap();
    assert_eq!(answer(begin(answers.as_ref(), "k", "b", 25).await), b"second");
}

async fn of_many_who_begin_one_command_one_carries_it_out(store: Store<Port>) {
    let nodes = store.two();
    for n in 0..20 {
        let carried_out = Arc::new(AtomicUsize::new(0));
        let asking = (0..16).map(|task| {
            let (answers, carried_out, key) = (nodes[task % 2].clone(), carried_out.clone(), n.to_string());
            tokio::spawn(async move {
                loop {
                    match begin(answers.as_ref(), &key, "a", 0).await {
                        Known::New(command) => {
                            carried_out.fetch_add(1, Ordering::SeqCst);
                            tokio::task::yield_now().await;
                            answers.end(command, key.clone().into_bytes()).await.unwrap();
                        }
                        Known::Answered(answer) => return answer,
                        Known::UnderWay => tokio::task::yield_now().await,
                        Known::Differs => panic!("it is the same"),
                    }
                }
            })
        });
        for answer in join_all(asking).await {
            assert_eq!(answer.unwrap(), n.to_string().into_bytes());
        }
        assert_eq!(carried_out.load(Ordering::SeqCst), 1);
    }
}

async fn many_commands_at_once_get_each_its_own_answer(store: Store<Port>) {
    let nodes = store.two();
    let asking = (0..100).map(|task: usize| {
        let (answers, key) = (nodes[task % 2].clone(), task.to_string());
        tokio::spawn(async move {
            let command = new(begin(answers.as_ref(), &key, "a", 0).await);
            answers.end(command, key.clone().into_bytes()).await.unwrap();
        })
    });
    join_all(asking).await.into_iter().for_each(Result::unwrap);
    for n in 0..100 {
        let known = begin(nodes[1].as_ref(), &n.to_string(), "a", 0).await;
        assert_eq!(answer(known), n.to_string().into_bytes());
    }
}

async fn killed_at_any_moment_no_answer_is_lost_and_no_command_stays_under_way(
    kills: Kills,
    make: Make<Port>,
) {
    let work = async |store: Store<Port>, round: usize, done: &mut Acknowledged| {
        let answers = store.open();
        for n in 0.. {
            let key = format!("{round}-{n}");
            done.add(&format!("begun {key}"));
            let command = new(begin(answers.as_ref(), &key, "a", 0).await);
            answers.end(command, key.clone().into_bytes()).await.unwrap();
            done.add(&format!("ended {key}"));
        }
    };
    let check = async |store: Store<Port>, lines: Vec<String>| {
        let answers = store.open();
        for line in lines.iter().rev().take(200) {
            let (word, key) = line.split_once(' ').unwrap();
            match begin(answers.as_ref(), key, "a", 1).await {
                Known::Answered(answer) => assert_eq!(answer, key.as_bytes()),
                Known::New(_) => assert_eq!(word, "begun", "{line} is lost"),
                Known::UnderWay if word == "begun" => drop(begin_soon(answers.as_ref(), key, "a").await),
                other => panic!("{line}: {other:?}"),
            }
        }
    };
    kills.at_any_moment(make, work, check).await;
}

/// When the only claim ends unless it is renewed, by the server's clock.
fn claimed_until(server: &PostgresServer) -> String {
    server.sql("SELECT claimed_until FROM loquet.answers")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_postgres_a_claim_is_renewed_as_long_as_it_is_held() {
    let Some(server) = PostgresServer::start("a_claim_is_renewed") else { return };
    let [one, other] = [(); 2].map(|()| postgres(server.database()));
    let command = new(begin(&one, "k", "a", 0).await);
    let first = claimed_until(&server);
    while server.sql(&format!("SELECT now() > '{first}'")) == "f" {
        assert!(matches!(begin(&other, "k", "a", 0).await, Known::UnderWay));
    }
    assert!(matches!(begin(&other, "k", "a", 0).await, Known::UnderWay), "the first lease is over");
    one.end(command, b"done".to_vec()).await.unwrap();
    assert_eq!(answer(begin(&other, "k", "a", 0).await), b"done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_postgres_a_claim_lasts_longer_than_a_command_can_wait_for_the_server() {
    let Some(server) = PostgresServer::start("a_claim_lasts_longer") else { return };
    drop(server.database());
    for (statement_timeout, at_least, at_most) in [(1, 28, 30), (20, 78, 80), (300, 1198, 1200)] {
        let statement_timeout = Duration::from_secs(statement_timeout);
        let connection = Connection { statement_timeout, ..server.connection() };
        let database = Database::new(&connection).unwrap();
        let answers = PostgresAnswers::new(database, Zeroizing::new([7; 32]));
        let key = format!("{statement_timeout:?}");
        let command = new(begin(&answers, &key, "a", 0).await);
        let left = server
            .sql("SELECT extract(epoch FROM claimed_until - clock_timestamp())::int FROM loquet.answers");
        let left: u64 = left.parse().unwrap();
        assert!((at_least..=at_most).contains(&left), "{statement_timeout:?}: {left} s");
        answers.end(command, Vec::new()).await.unwrap();
        server.sql("DELETE FROM loquet.answers");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_postgres_a_claim_survives_a_restart_of_the_server() {
    let Some(server) = PostgresServer::start("a_claim_survives_a_restart") else { return };
    // Longer than the restart takes.
    let lease = Duration::from_mins(5);
    let answers = |()| PostgresAnswers::with_lease(server.database(), Zeroizing::new([7; 32]), lease);
    let [one, other] = [(); 2].map(answers);
    let command = new(begin(&one, "k", "a", 0).await);
    server.crash();
    server.run();
    let known = loop {
        // The first try may get a connection that the crash has closed.
        if let Ok(known) = other.begin(id(&other, "k", "a"), at(0)).await {
            break known;
        }
    };
    assert!(matches!(known, Known::UnderWay), "{known:?}");
    one.end(command, b"done".to_vec()).await.unwrap();
    assert_eq!(answer(begin(&other, "k", "a", 0).await), b"done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_postgres_whose_claim_has_ended_stores_no_answer() {
    let Some(server) = PostgresServer::start("whose_claim_has_ended") else { return };
    let [one, other] = [(); 2].map(|()| postgres(server.database()));
    let lost = new(begin(&one, "k", "a", 0).await);
    server.sql("UPDATE loquet.answers SET claimed_until = now() - interval '1 second'");
    let taken = new(begin(&other, "k", "a", 0).await);
    assert!(matches!(begin(&one, "k", "a", 0).await, Known::UnderWay), "this process carries it out still");
    assert!(one.end(lost, b"first".to_vec()).await.is_err());
    assert!(matches!(begin(&one, "k", "a", 0).await, Known::UnderWay), "the other's claim is not released");
    other.end(taken, b"second".to_vec()).await.unwrap();
    assert_eq!(answer(begin(&one, "k", "a", 0).await), b"second");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_postgres_answers_that_are_too_old_are_deleted() {
    let Some(server) = PostgresServer::start("answers_that_are_too_old") else { return };
    let answers = postgres(server.database());
    for n in 0..65 {
        let hour = if n < 64 { 0 } else { 25 };
        let command = new(begin(&answers, &n.to_string(), "a", hour).await);
        answers.end(command, Vec::new()).await.unwrap();
    }
    // They are deleted in the background.
    while server.sql("SELECT count(*) FROM loquet.answers") != "1" {
        tokio::task::yield_now().await;
    }
}
