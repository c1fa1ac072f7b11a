//! Views and reactions: a view equals a replay, stops at what it can't apply, and sends nothing.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // a test stops at the first thing amiss

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loquet_adapters::mail_journal::SqliteJournal;
use loquet_adapters::memory_store::MemoryStore;
use loquet_adapters::read_store::SqliteReadStore;
use loquet_domain::account::{Account, Admission};
use loquet_domain::app::NewColleague;
use loquet_domain::ids::CompanyId;
use loquet_domain::language::Language;
use loquet_domain::ports::{BoxFuture, EventStore, Position};
use loquet_projections::mail::{Letterhead, Letters, Message, Sender};
use loquet_projections::ports::{
    Clock, IndexEntry, Mailer, ReactionJournal, ReadStore, Selection, SendError,
};
use loquet_projections::reactions::{Mails, ReactionRunner};
use loquet_projections::runner::{NotThere, Runner, Status};
use loquet_projections::table::{Batch, Row, Table, find, select};
use loquet_projections::view::{CannotApply, Noted, View, ViewId};
use loquet_projections::views;
use loquet_projections::views::accounts::AccountRow;
use loquet_projections::views::lockouts::LockoutRow;
use loquet_projections::views::sessions::SessionsRow;
use loquet_tests::kit::{Node, PASSWORD, context, minute};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

const PATIENCE: Duration = Duration::from_secs(20);

struct World {
    folder: tempfile::TempDir,
    store: MemoryStore,
    node: Arc<Node>,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = MemoryStore::default();
        let node = Arc::new(Node::new(Arc::new(store.clone()), folder.path()));
        Self { folder, store, node }
    }

    fn rows(&self, file: &str, views: &[Arc<dyn View>]) -> Arc<dyn ReadStore> {
        let ids: Vec<_> = views.iter().map(|view| view.id()).collect();
        Arc::new(SqliteReadStore::open(&self.folder.path().join(file), &ids).unwrap())
    }

    /// Runs views in the background; they stop with the runtime.
    fn project(
        &self,
        rows: &Arc<dyn ReadStore>,
        views: Vec<Arc<dyn View>>,
    ) -> (Status, tokio::task::JoinHandle<()>) {
        let status = Status::default();
        let runner = Runner {
            store: Arc::new(self.store.clone()),
            codec: self.node.codec.clone(),
            rows: rows.clone(),
            views,
            status: status.clone(),
        };
        (status.clone(), tokio::spawn(runner.run()))
    }

    async fn head(&self) -> Position {
        self.store.head().await.unwrap()
    }
}

fn all_of(limit: usize) -> Selection {
    Selection { by: None, after: None, limit }
}

/// Every row of every view, as text.
async fn dump(rows: &dyn ReadStore) -> Vec<(String, String)> {
    let mut dumped = Vec::new();
    for view in views::all() {
        for (key, row) in rows.select(view.id(), all_of(10_000)).await.unwrap() {
            dumped.push((format!("{}/{key}", view.id().name), String::from_utf8(row).unwrap()));
        }
    }
    dumped
}

#[derive(Clone, Debug)]
enum Act {
    Order(u32, u32),
    Activate(u32),
    LogIn(u32, bool),
    LogInOften(u32),
    Delete(u32),
    Erase(u32),
    EndSessions(u32),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let who = 0_u32..4;
    let act = prop_oneof![
        3 => (who.clone(), 0_u32..3).prop_map(|(who, company)| Act::Order(who, company)),
        3 => who.clone().prop_map(Act::Activate),
        4 => (who.clone(), any::<bool>()).prop_map(|(who, right)| Act::LogIn(who, right)),
        1 => who.clone().prop_map(Act::LogInOften),
        1 => who.clone().prop_map(Act::Delete),
        1 => who.clone().prop_map(Act::Erase),
        1 => who.prop_map(Act::EndSessions),
    ];
    proptest::collection::vec(act, 1..25)
}

async fn perform(world: &World, acts: &[Act], mut number: u32) {
    let node = &world.node;
    let email = |who: &u32| format!("person{who}@example.be");
    for (at, act) in acts.iter().enumerate() {
        let at = i64::try_from(at).unwrap();
        number += 1;
        let who = match act {
            Act::Order(who, _) | Act::Activate(who) | Act::LogIn(who, _) | Act::LogInOften(who) => who,
            Act::Delete(who) | Act::Erase(who) | Act::EndSessions(who) => who,
        };
        let holder = node.app.account_of(&loquet_tests::kit::email_address(&email(who))).await.unwrap();
        match (act, holder) {
            (Act::Order(who, company), _) => {
                node.app.place_order(&context(at), node.order(number, *company, &email(who))).await.unwrap();
            }
            (Act::LogIn(who, right), _) => {
                node.log_in(at, &email(who), if *right { PASSWORD } else { "Wrong1!!" }).await;
            }
            (Act::LogInOften(who), _) => {
                for _ in 0..8 {
                    node.log_in(at, &email(who), "Wrong1!!").await;
                }
            }
            (Act::Activate(_), Some(account)) => {
                if let Account::Invited(_) = node.app.account(account).await.unwrap() {
                    let token = node.activation_token(account).await;
                    node.app
                        .activate(&context(at), &token, loquet_tests::kit::password(PASSWORD))
                        .await
                        .unwrap();
                }
            }
            (Act::Delete(_), Some(account)) => {
                node.app.delete_account(&context(at), account, "left").await.unwrap();
            }
            (Act::Erase(_), Some(account)) => {
                node.app.erase_account(&context(at), account, "asked").await.unwrap();
            }
            (Act::EndSessions(_), Some(account)) => {
                node.app.end_sessions(&context(at), account).await.unwrap();
            }
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Law 9's other half: what was built while it happened, across a restart, equals what is built
    /// afterwards in one go; and both agree with the accounts themselves.
    #[test]
    fn a_view_equals_a_replay(acts in acts(), restart_at in 0_usize..25) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let world = World::new();
            let live = world.rows("live.db", &views::all());
            let (_, first) = world.project(&live, views::all());
            let (before, after) = acts.split_at(restart_at.min(acts.len()));
            perform(&world, before, 0).await;
            first.abort();
            let _ = first.await;
            let (status, second) = world.project(&live, views::all());
            perform(&world, after, 1000).await;
            let replayed = world.rows("replayed.db", &views::all());
            let (replay, third) = world.project(&replayed, views::all());
            for view in views::all() {
                let head = world.head().await;
                status.reach(view.id(), head, PATIENCE).await.unwrap();
                replay.reach(view.id(), head, PATIENCE).await.unwrap();
            }
            assert_eq!(dump(live.as_ref()).await, dump(replayed.as_ref()).await);
            for (_, row) in select::<AccountRow>(live.as_ref(), all_of(100)).await.unwrap() {
                let account = world.node.app.account(row.account_id).await.unwrap();
                assert_eq!(account.profile().unwrap().role, row.role);
                assert_eq!(account.active().is_some(), row.status == views::accounts::Status::Active);
                let key = row.account_id.to_string();
                let sessions = find::<SessionsRow>(live.as_ref(), key.clone()).await.unwrap();
                let held = account.active().map_or(0, |active| active.sessions_at(minute(30)).count());
                assert_eq!(sessions.map_or(0, |row| row.sessions.len()), held);
                let lockout = find::<LockoutRow>(live.as_ref(), key).await.unwrap();
                let until = account.active().and_then(|active| active.lockout.locked_until(minute(1)));
                let seen = lockout.and_then(|row| row.lockout.locked_until(minute(1)));
                assert_eq!(seen.is_some() && account.active().is_some(), until.is_some());
            }
            second.abort();
            third.abort();
        });
    }
}

/// A view that can't apply one event until it is mended.
struct Fragile {
    broken: Arc<AtomicBool>,
}

const FRAGILE: ViewId = ViewId { name: "fragile", version: 1 };

#[derive(Clone, Serialize, Deserialize)]
struct Seen {}

impl Row for Seen {
    const VIEW: ViewId = FRAGILE;
    fn indexes(&self) -> Vec<IndexEntry> {
        Vec::new()
    }
}

impl View for Fragile {
    fn id(&self) -> ViewId {
        FRAGILE
    }
    fn apply(&self, rows: &mut Batch<'_>, noted: &Noted) -> Result<(), CannotApply> {
        if noted.position == Position(3) && self.broken.load(Ordering::SeqCst) {
            return Err(CannotApply::Contradiction("I don't like the third".to_owned()));
        }
        let mut table = Table::<Seen>::new(rows);
        table.put(&noted.position.0.to_string(), Seen {})
    }
}

/// Law 9: it stops, alone and visibly, never passes the event over, and goes on when it is mended.
#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_cannot_apply_an_event_stops_alone_is_shown_and_goes_on_when_mended() {
    let world = World::new();
    let broken = Arc::new(AtomicBool::new(true));
    let mut all = views::all();
    all.push(Arc::new(Fragile { broken: broken.clone() }));
    let rows = world.rows("views.db", &all);
    let (status, _runner) = world.project(&rows, all);
    world.node.active(1, "marie@example.be").await;
    let head = world.head().await;
    status.reach(AccountRow::VIEW, head, PATIENCE).await.unwrap();
    let stopped = status.reach(FRAGILE, head, PATIENCE).await;
    assert!(
        matches!(&stopped, Err(NotThere::Stopped(why)) if why.contains("event 3: I don't like")),
        "{stopped:?}"
    );
    assert_eq!(status.all()[&FRAGILE].position, Position(2));
    assert_eq!(rows.checkpoint(FRAGILE).await.unwrap(), Position(2));
    broken.store(false, Ordering::SeqCst);
    let mended = async {
        while status.all()[&FRAGILE].failure.is_some() || status.all()[&FRAGILE].position < head {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, mended).await.unwrap();
    let held = rows.select(FRAGILE, all_of(100)).await.unwrap().len();
    assert_eq!(u64::try_from(held).unwrap(), head.0);
}

/// Law 8 and 9: an event that can't be read stops every view at it, not before it.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_read_stops_every_view_at_it() {
    use loquet_domain::ids::EventId;
    use loquet_domain::ports::{NewEvent, Revision, StreamId};
    let world = World::new();
    world.node.active(1, "marie@example.be").await;
    let good = world.head().await;
    let newer = NewEvent {
        id: EventId(uuid::Uuid::from_u128(1)),
        name: "account-teleported".to_owned(),
        version: 1,
        data: b"{}".to_vec(),
        metadata: br#"{"at":"2026-11-23T09:30:00Z","actor":{"kind":"stranger"},"correlation_id":"00000000-0000-0000-0000-000000000000","node":"x"}"#.to_vec(),
        sealed: None,
    };
    world.store.append(&StreamId::new("account", "x"), Revision(0), vec![newer]).await.unwrap();
    let rows = world.rows("views.db", &views::all());
    let (status, _runner) = world.project(&rows, views::all());
    for view in views::all() {
        let stopped = status.reach(view.id(), world.head().await, PATIENCE).await;
        assert!(
            matches!(&stopped, Err(NotThere::Stopped(why)) if why.contains("account-teleported")),
            "{stopped:?}"
        );
        assert_eq!(rows.checkpoint(view.id()).await.unwrap(), good, "{:?}", view.id());
    }
}

/// Law 9: neither the rows of a failed transaction nor its checkpoint are kept.
#[tokio::test]
async fn rows_and_checkpoint_are_one_transaction() {
    let world = World::new();
    let fragile: Arc<dyn View> = Arc::new(Fragile { broken: Arc::new(AtomicBool::new(false)) });
    let rows = world.rows("views.db", &[fragile]);
    let failed = rows.update(
        FRAGILE,
        Position(7),
        Box::new(|rows| {
            rows.put("half", b"{}", &[], &[("index", "value".to_owned())])?;
            Err(CannotApply::Contradiction("half-way".to_owned()))
        }),
    );
    assert!(failed.await.is_err());
    assert_eq!(rows.checkpoint(FRAGILE).await.unwrap(), Position(0));
    assert_eq!(rows.select(FRAGILE, all_of(10)).await.unwrap(), []);
    let put: loquet_projections::ports::Work = Box::new(|rows| Ok(rows.put("whole", b"{}", &[], &[])?));
    rows.update(FRAGILE, Position(7), put).await.unwrap();
    assert_eq!(rows.checkpoint(FRAGILE).await.unwrap(), Position(7));
}

/// A mail server that keeps what it took, and may refuse first.
#[derive(Default)]
struct Letterbox {
    taken: Mutex<Vec<Message>>,
    refusals: Mutex<Vec<SendError>>,
}

impl Mailer for Letterbox {
    fn send(&self, message: Message) -> BoxFuture<'_, Result<(), SendError>> {
        Box::pin(async move {
            if let Some(refusal) = self.refusals.lock().unwrap().pop() {
                return Err(refusal);
            }
            self.taken.lock().unwrap().push(message);
            Ok(())
        })
    }
}

struct Post {
    letterbox: Arc<Letterbox>,
    queued: Arc<Notify>,
    _stop: tokio::sync::watch::Sender<bool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

fn post(
    world: &World,
    journal: &Path,
    rows: &Arc<dyn ReadStore>,
    status: &Status,
    letterbox: Arc<Letterbox>,
) -> Post {
    let journal: Arc<dyn ReactionJournal> = Arc::new(SqliteJournal::open(journal).unwrap());
    // Time runs a thousand times faster here, so that a retry is soon due.
    let start = std::time::Instant::now();
    let clock: Clock = Arc::new(move || {
        minute(1) + chrono::TimeDelta::microseconds(i64::try_from(start.elapsed().as_nanos()).unwrap())
    });
    let queued = Arc::new(Notify::new());
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let reaction = ReactionRunner {
        store: Arc::new(world.store.clone()),
        codec: world.node.codec.clone(),
        journal: journal.clone(),
        status: status.clone(),
        reaction: Arc::new(Mails { rows: rows.clone(), status: status.clone() }),
        clock: clock.clone(),
        queued: queued.clone(),
    };
    let head = Letterhead {
        brand: "MyCCV".to_owned(),
        public_url: "https://portal.example".to_owned(),
        time_zone: "Europe/Brussels".parse().unwrap(),
    };
    let sender = Sender {
        store: Arc::new(world.store.clone()),
        codec: world.node.codec.clone(),
        app: world.node.app.clone(),
        journal,
        mailer: letterbox.clone(),
        letters: Letters::new(head).unwrap(),
        clock,
        queued: queued.clone(),
    };
    let tasks = vec![tokio::spawn(reaction.run()), tokio::spawn(sender.run(stopped))];
    Post { letterbox, queued, _stop: stop, tasks }
}

impl Post {
    async fn subjects(&self, count: usize) -> Vec<String> {
        let enough = async {
            while self.letterbox.taken.lock().unwrap().len() < count {
                // The sender sleeps in real time until a retry is due; here it may look earlier.
                self.queued.notify_one();
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, enough).await.unwrap();
        self.letterbox
            .taken
            .lock()
            .unwrap()
            .iter()
            .map(|mail| format!("{}: {}", mail.to, mail.subject))
            .collect()
    }

    fn stop(self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

/// Law 5: views are rebuilt and nothing is sent; the reaction goes on from its own checkpoint.
#[tokio::test(flavor = "multi_thread")]
async fn rebuilding_every_view_sends_nothing_and_a_restart_sends_nothing_twice() {
    let world = World::new();
    let journal = world.folder.path().join("reactions.db");
    let letterbox = Arc::new(Letterbox::default());
    for (round, file) in ["one.db", "two.db", "three.db"].into_iter().enumerate() {
        let rows = world.rows(file, &views::all());
        let (status, runner) = world.project(&rows, views::all());
        let post = post(&world, &journal, &rows, &status, letterbox.clone());
        let number = u32::try_from(round).unwrap();
        world
            .node
            .app
            .place_order(&context(0), world.node.order(number, number, &format!("p{number}@example.be")))
            .await
            .unwrap();
        let subjects = post.subjects(round + 1).await;
        assert_eq!(subjects.len(), round + 1, "{subjects:?}");
        assert_eq!(subjects[round], format!("p{number}@example.be: Confirmez votre compte MyCCV"));
        post.stop();
        runner.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_companys_administrators_are_told_that_somebody_waits_and_locked_owners_when_it_ends() {
    let world = World::new();
    let rows = world.rows("views.db", &views::all());
    let (status, _runner) = world.project(&rows, views::all());
    world.node.active(1, "marie@example.be").await;
    let invited = NewColleague {
        company: CompanyId::registered_as(&world.node.order(1, 1, "x@example.be").content.company.number),
        role: Admission::Administrator,
        language: Language::En,
        person: world.node.order(1, 1, "an@example.be").contact.person,
        creator: None,
    };
    world.node.app.create_account(&context(0), invited).await.unwrap();
    world.node.app.place_order(&context(0), world.node.order(2, 1, "jan@example.be")).await.unwrap();
    for _ in 0..7 {
        world.node.log_in(0, "marie@example.be", "Wrong1!!").await;
    }
    let post = post(&world, &world.folder.path().join("reactions.db"), &rows, &status, Arc::default());
    let mut subjects = post.subjects(5).await;
    subjects.sort();
    assert_eq!(
        subjects,
        [
            "an@example.be: Confirm your MyCCV account",
            "an@example.be: Marie Dupont awaits your consent on MyCCV",
            "jan@example.be: Confirmez votre compte MyCCV",
            "marie@example.be: Marie Dupont attend votre accord sur MyCCV",
            "marie@example.be: Votre compte MyCCV est bloqué temporairement",
        ],
        "the link that was used up is mailed to nobody"
    );
    let mails = post.letterbox.taken.lock().unwrap();
    let locked = mails.iter().find(|mail| mail.subject.contains("bloqué")).unwrap();
    assert!(locked.text.contains("(CET)"), "{}", locked.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_is_refused_for_now_is_tried_again_and_one_that_is_refused_for_good_is_not() {
    let world = World::new();
    let rows = world.rows("views.db", &views::all());
    let (status, _runner) = world.project(&rows, views::all());
    let letterbox = Arc::new(Letterbox::default());
    letterbox
        .refusals
        .lock()
        .unwrap()
        .extend([SendError::Transient("busy".into()), SendError::Transient("away".into())]);
    let journal = world.folder.path().join("reactions.db");
    let post = post(&world, &journal, &rows, &status, letterbox.clone());
    world.node.app.place_order(&context(0), world.node.order(1, 1, "one@example.be")).await.unwrap();
    assert_eq!(post.subjects(1).await.len(), 1);
    letterbox.refusals.lock().unwrap().push(SendError::Permanent("no such mailbox".into()));
    world.node.app.place_order(&context(0), world.node.order(2, 2, "two@example.be")).await.unwrap();
    let dead = async {
        let journal = rusqlite::Connection::open(&journal).unwrap();
        let query = "SELECT why FROM mails WHERE state = 'dead'";
        loop {
            if let Ok(why) = journal.query_row(query, [], |row| row.get::<_, String>(0)) {
                return why;
            }
            tokio::task::yield_now().await;
        }
    };
    assert_eq!(tokio::time::timeout(PATIENCE, dead).await.unwrap(), "no such mailbox");
    assert_eq!(letterbox.taken.lock().unwrap().len(), 1);
}
