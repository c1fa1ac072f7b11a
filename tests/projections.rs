//! Views and reactions: a view equals a replay, stops at what it can't apply, and sends nothing.
#![cfg(test)]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loquet_domain::Moment;
use loquet_domain::account::{Account, Admission, Authority, Role};
use loquet_domain::app::NewColleague;
use loquet_domain::ids::{AccountId, CompanyId};
use loquet_domain::ports::{BoxFuture, EventCodec, EventStore, NewEvent, Position, Revision, StreamId};
use loquet_domain::values::email_address::EmailHash;
use loquet_domain::values::language::Language;
use loquet_memory::event_store::MemoryStore;
use loquet_memory::mail_journal::MemoryJournal;
use loquet_projections::erased_view::ErasedView;
use loquet_projections::index::Entry;
use loquet_projections::leader::{Leader, Term};
use loquet_projections::mail::{
    Accent, Accents, Delivery, Letterhead, Letters, MailHelp, MailKind, MailStatus, Mailboxes, Message,
    Sender, Sending, Verdict,
};
use loquet_projections::mail::{MailLedger, MailState};
use loquet_projections::ports::{
    Acquired, BuildState, ClaimedMail, Clock, Fence, Fenced, Hold, Lease, MailOutcome, Mailer, QueuedMail,
    ReactionJournal, ReadStore, Selection, SendError, StoreFailed, UnnotedFate, WriteFailed,
};
use loquet_projections::reactions::{Answer, Mails, Reaction, ReactionRunner};
use loquet_projections::runner::{Builder, Follower, NotThere, Runner, Status, verify};
use loquet_projections::table::{Row, RowQuery, Table, find, select, select_where};
use loquet_projections::view::{CannotApply, EventEnvelope, View, ViewId};
use loquet_projections::views;
use loquet_projections::views::accounts::{AccountRow, Status as Standing, live_accounts};
use loquet_projections::views::sessions::SessionsRow;
use loquet_sqlite::event_store::FileError;
use loquet_sqlite::mail_journal::SqliteJournal;
use loquet_sqlite::read_store::SqliteReadStore;
use loquet_tests::kit::{Node, PASSWORD, context, minute};
use loquet_tests::watched_store::WatchedStore;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use uuid::Uuid;

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

    #[track_caller]
    fn rows(&self, file: &str) -> Arc<dyn ReadStore> {
        Arc::new(SqliteReadStore::open(&self.folder.path().join(file)).unwrap())
    }

    /// Runs views in the background; they stop with the runtime.
    fn project(
        &self,
        rows: &Arc<dyn ReadStore>,
        views: Vec<Arc<dyn ErasedView>>,
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
    Selection { limit, ..Selection::default() }
}

/// The build of a view that serves.
async fn state_of(rows: &dyn ReadStore, view: ViewId) -> BuildState {
    let states = rows.builds().await.unwrap();
    states.into_iter().find(|state| state.serving && state.build.view.name == view.name).unwrap()
}

/// Every row of every view, as text.
async fn dump(rows: &dyn ReadStore) -> Vec<(String, String)> {
    let mut dumped = Vec::new();
    for view in views::all() {
        for found in rows.select(view.id(), all_of(10_000)).await.unwrap() {
            let key = format!("{}/{}", view.id().name, found.cursor.key);
            dumped.push((key, String::from_utf8(found.row).unwrap()));
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
                node.successor(account).await;
                node.app.delete_account(&context(at), Authority::Supplier, account, "left").await.unwrap();
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
            let live = world.rows("live.db");
            let (_, first) = world.project(&live, views::all());
            let (before, after) = acts.split_at(restart_at.min(acts.len()));
            perform(&world, before, 0).await;
            first.abort();
            let _ = first.await;
            let (status, second) = world.project(&live, views::all());
            perform(&world, after, 1000).await;
            let replayed = world.rows("replayed.db");
            let (replay, third) = world.project(&replayed, views::all());
            for view in views::all() {
                let head = world.head().await;
                status.reach(view.id(), head, PATIENCE).await.unwrap();
                replay.reach(view.id(), head, PATIENCE).await.unwrap();
            }
            assert_eq!(dump(live.as_ref()).await, dump(replayed.as_ref()).await);
            let all = RowQuery::<AccountRow> { limit: 100, ..RowQuery::default() };
            for (_, row) in select(live.as_ref(), all).await.unwrap() {
                let account = world.node.app.account(row.account_id).await.unwrap();
                assert_eq!(account.profile().unwrap().role, row.role);
                assert_eq!(account.active().is_some(), row.status == views::accounts::Status::Active);
                let key = row.account_id.to_string();
                let sessions = find::<SessionsRow>(live.as_ref(), key).await.unwrap();
                let held = account.active().map_or(0, |active| active.sessions_at(minute(30)).count());
                assert_eq!(sessions.map_or(0, |row| row.sessions.len()), held);
            }
            second.abort();
            third.abort();
        });
    }
}

/// A view that can't apply one event until it is mended.
struct Fragile {
    broken: Arc<AtomicBool>,
    at: Position,
}

const FRAGILE: ViewId = ViewId { name: "fragile", version: 1 };

/// A row that says something.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
struct Said(String);

impl Row for Said {
    const VIEW: ViewId = FRAGILE;
    fn indexes(&self) -> Vec<Entry<Self>> {
        Vec::new()
    }
}

impl View for Fragile {
    type Row = Said;
    fn id(&self) -> ViewId {
        FRAGILE
    }
    fn apply(&self, rows: &mut Table<'_, Said>, noted: &EventEnvelope) -> Result<(), CannotApply> {
        if noted.position == self.at && self.broken.load(Ordering::SeqCst) {
            return Err(CannotApply::Contradiction("I don't like the third".to_owned()));
        }
        rows.put(&noted.position.0.to_string(), Said("seen".to_owned()))
    }
}

/// Law 9: it stops, alone and visibly, never passes the event over, and goes on when it is mended.
#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_cannot_apply_an_event_stops_alone_is_shown_and_goes_on_when_mended() {
    let world = World::new();
    let broken = Arc::new(AtomicBool::new(true));
    let mut all = views::all();
    all.push(Arc::new(Fragile { broken: broken.clone(), at: Position(3) }));
    let rows = world.rows("views.db");
    let (status, _runner) = world.project(&rows, all);
    world.node.active(1, "marie@example.be").await;
    let head = world.head().await;
    status.reach(AccountRow::VIEW, head, PATIENCE).await.unwrap();
    let stopped = status.reach(FRAGILE, head, PATIENCE).await;
    assert!(
        matches!(&stopped, Err(NotThere::Stopped(why)) if why.contains("event 3: I don't like")),
        "{stopped:?}"
    );
    assert_eq!(status.all()[&Follower::View(FRAGILE.name)].position, Position(2));
    let state = state_of(rows.as_ref(), FRAGILE).await;
    assert_eq!(state.position, Position(2));
    assert!(state.failure.is_some_and(|why| why.contains("event 3")), "whoever looks from outside sees it");
    broken.store(false, Ordering::SeqCst);
    let mended = async {
        while status.all()[&Follower::View(FRAGILE.name)].failure.is_some()
            || status.all()[&Follower::View(FRAGILE.name)].position < head
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, mended).await.unwrap();
    assert_eq!(state_of(rows.as_ref(), FRAGILE).await.failure, None);
    let held = rows.select(FRAGILE, all_of(100)).await.unwrap().len();
    assert_eq!(u64::try_from(held).unwrap(), head.0);
}

/// Law 9 for whoever has much to catch up with: what is held in memory on the way is written together with
/// its checkpoint, equals what was applied event by event, and an event in the middle that can't be applied
/// stops its view right there.
#[tokio::test(flavor = "multi_thread")]
async fn views_that_go_ahead_in_memory_end_up_where_views_that_write_each_event_do() {
    let world = World::new();
    let live = world.rows("live.db");
    let (status, _runner) = world.project(&live, views::all());
    for n in 0..8 {
        world.node.active(n, &format!("p{n}@example.be")).await;
    }
    for n in 0..1500_i64 {
        let password = if n % 5 == 0 { "Wrong1!!" } else { PASSWORD };
        world.node.log_in(n, &format!("p{}@example.be", n % 8), password).await;
    }
    let (head, middle) = (world.head().await, Position(900));
    let broken = Arc::new(AtomicBool::new(true));
    let mut all = views::all();
    all.push(Arc::new(Fragile { broken: broken.clone(), at: middle }));
    let replayed = world.rows("replayed.db");
    let (replay, _other) = world.project(&replayed, all);
    for view in views::all() {
        status.reach(view.id(), head, PATIENCE).await.unwrap();
        assert_eq!(replay.reach(view.id(), head, PATIENCE).await.unwrap(), head);
    }
    assert_eq!(dump(live.as_ref()).await, dump(replayed.as_ref()).await);
    let stopped = replay.reach(FRAGILE, head, PATIENCE).await;
    assert!(matches!(&stopped, Err(NotThere::Stopped(why)) if why.contains("event 900")), "{stopped:?}");
    assert_eq!(state_of(replayed.as_ref(), FRAGILE).await.position, Position(899));
    assert_eq!(replayed.select(FRAGILE, all_of(5000)).await.unwrap().len(), 899);
    broken.store(false, Ordering::SeqCst);
    until(async || state_of(replayed.as_ref(), FRAGILE).await.position == head).await;
    let held = replayed.select(FRAGILE, all_of(5000)).await.unwrap().len();
    assert_eq!(u64::try_from(held).unwrap(), head.0);
}

/// Law 8 and 9: an event that can't be read stops every view at it, not before it.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_read_stops_every_view_at_it() {
    use loquet_domain::ids::EventId;
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
    let rows = world.rows("views.db");
    let (status, _runner) = world.project(&rows, views::all());
    for view in views::all() {
        let stopped = status.reach(view.id(), world.head().await, PATIENCE).await;
        assert!(
            matches!(&stopped, Err(NotThere::Stopped(why)) if why.contains("account-teleported")),
            "{stopped:?}"
        );
        assert_eq!(state_of(rows.as_ref(), view.id()).await.position, good, "{:?}", view.id());
    }
}

/// Law 9: neither the rows of a failed transaction nor its checkpoint are kept.
#[tokio::test]
async fn rows_and_checkpoint_are_one_transaction() {
    let world = World::new();
    let rows = world.rows("views.db");
    let build = rows.begin(FRAGILE).await.unwrap();
    let failed = rows.update(
        build,
        Position(0),
        Position(7),
        Box::new(|rows| {
            rows.put("half", b"{}")?;
            rows.enter(&("index", "value".to_owned()), "half")?;
            Err(CannotApply::Contradiction("half-way".to_owned()))
        }),
    );
    assert!(failed.await.is_err());
    assert_eq!(state_of(rows.as_ref(), FRAGILE).await.position, Position(0));
    assert_eq!(rows.select(FRAGILE, all_of(10)).await.unwrap(), []);
    let put: loquet_projections::ports::Work = Box::new(|rows| Ok(rows.put("whole", b"{}")?));
    rows.update(build, Position(0), Position(7), put).await.unwrap();
    assert_eq!(state_of(rows.as_ref(), FRAGILE).await.position, Position(7));
    // Whoever believes it to be elsewhere has applied to rows that are no more: nothing is written.
    let put: loquet_projections::ports::Work = Box::new(|rows| Ok(rows.put("late", b"{}")?));
    let moved = rows.update(build, Position(3), Position(9), put).await;
    assert_eq!(moved, Err(CannotApply::Moved(Position(7))));
    assert_eq!(rows.select(FRAGILE, all_of(10)).await.unwrap().len(), 1);
}

/// A mail server that keeps what it took, and may refuse first.
#[derive(Default)]
struct Letterbox {
    taken: Mutex<Vec<Message>>,
    refusals: Mutex<Vec<SendError>>,
    /// Refuses everybody until so many recipients were refused.
    refuses_all: Mutex<Option<(SendError, usize)>>,
    refused: Mutex<BTreeSet<String>>,
}

impl Mailer for Letterbox {
    fn send(&self, message: Message) -> BoxFuture<'_, Result<(), SendError>> {
        Box::pin(async move {
            if let Some(refusal) = self.refusals.lock().unwrap().pop() {
                return Err(refusal);
            }
            if let Some((refusal, recipients)) = &*self.refuses_all.lock().unwrap() {
                let mut refused = self.refused.lock().unwrap();
                if refused.len() < *recipients {
                    refused.insert(message.to);
                    return Err(refusal.clone());
                }
            }
            self.taken.lock().unwrap().push(message);
            Ok(())
        })
    }
}

struct Post {
    letterbox: Arc<Letterbox>,
    queued: Arc<Notify>,
    held: tokio::sync::watch::Sender<Option<Hold>>,
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
    post_by(Sending::default(), world, journal, rows, status, letterbox)
}

#[track_caller]
fn post_by(
    sending: Sending,
    world: &World,
    journal: &Path,
    rows: &Arc<dyn ReadStore>,
    status: &Status,
    letterbox: Arc<Letterbox>,
) -> Post {
    post_over(sending, world, Arc::new(SqliteJournal::open(journal).unwrap()), rows, status, letterbox)
}

/// The lease on a journal, as a program that starts takes it.
async fn lead(journal: &SqliteJournal) -> Fence {
    match journal.acquire("test", minute(0), Moment::MAX_UTC).await.unwrap() {
        Acquired::Given(fence) => fence,
        Acquired::Taken { until } => panic!("taken until {until}"),
    }
}

#[track_caller]
fn post_over<J: ReactionJournal + Lease + 'static>(
    sending: Sending,
    world: &World,
    journal: Arc<J>,
    rows: &Arc<dyn ReadStore>,
    status: &Status,
    letterbox: Arc<Letterbox>,
) -> Post {
    // Time runs a thousand times faster here, so that a retry is soon due.
    let start = std::time::Instant::now();
    let clock: Clock = Arc::new(move || {
        minute(1) + chrono::TimeDelta::microseconds(i64::try_from(start.elapsed().as_nanos()).unwrap())
    });
    let queued = Arc::new(Notify::new());
    let held = tokio::sync::watch::Sender::new(None);
    let head = Letterhead {
        brand: "MyCCV".to_owned(),
        public_url: "https://portal.example".to_owned(),
        time_zone: "Europe/Brussels".parse().unwrap(),
        accents: Accents {
            light: Accent { colour: "#003366".to_owned(), text: "#ffffff".to_owned() },
            dark: Accent { colour: "#99c2ff".to_owned(), text: "#121614".to_owned() },
        },
    };
    let letters = Arc::new(Letters::new(head).unwrap());
    let (store, node) = (Arc::new(world.store.clone()), world.node.clone());
    let leader =
        Leader { lease: journal.clone(), holder: "test".to_owned(), lasts: None, clock: clock.clone() };
    let begin = {
        let (rows, status, letterbox) = (rows.clone(), status.clone(), letterbox.clone());
        let (queued, held) = (queued.clone(), held.clone());
        move |fence| {
            let reaction = ReactionRunner {
                store: store.clone(),
                codec: node.codec.clone(),
                journal: journal.clone(),
                fence,
                status: status.clone(),
                reaction: Arc::new(Mails { rows: rows.clone(), status: status.clone() }),
                clock: clock.clone(),
                queued: queued.clone(),
            };
            let sender = Sender {
                store: store.clone(),
                codec: node.codec.clone(),
                app: node.app.clone(),
                journal: journal.clone(),
                fence,
                mailer: letterbox.clone(),
                letters: letters.clone(),
                sending,
                clock: clock.clone(),
                queued: queued.clone(),
                mailboxes: Arc::new(Mailboxes::default()),
                held: held.clone(),
            };
            let (stop_sender, stopped) = tokio::sync::watch::channel(false);
            let (mut reactions, mut sending) = (JoinSet::new(), JoinSet::new());
            reactions.spawn(reaction.run());
            sending.spawn(sender.run(stopped));
            Term { reactions, sender: sending, stop_sender }
        }
    };
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let leading = async move { leader.run(begin, stopped).await.unwrap() };
    let tasks = vec![tokio::spawn(leading)];
    Post { letterbox, queued, held, _stop: stop, tasks }
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
        let rows = world.rows(file);
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
    let rows = world.rows("views.db");
    let (status, _runner) = world.project(&rows, views::all());
    world.node.active(1, "marie@example.be").await;
    let invited = NewColleague {
        company: CompanyId::registered_as(&loquet_tests::kit::number_of(&world.node.order(
            1,
            1,
            "x@example.be",
        ))),
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
            "an@example.be: Marie Dupont is waiting for your approval on MyCCV",
            "jan@example.be: Confirmez votre compte MyCCV",
            "marie@example.be: Marie Dupont attend votre accord sur MyCCV",
            "marie@example.be: Trop de tentatives de connexion erronées à votre compte MyCCV",
        ],
        "the link that was used up is mailed to nobody"
    );
    let mails = post.letterbox.taken.lock().unwrap();
    let locked = mails.iter().find(|mail| mail.subject.contains("erronées")).unwrap();
    assert!(locked.text.contains("(CET)"), "{}", locked.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_is_refused_for_now_is_tried_again_and_one_that_is_refused_for_good_is_not() {
    let world = World::new();
    let rows = world.rows("views.db");
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

/// What became of mails, as the log tells it, oldest first.
async fn fates(world: &World) -> Vec<(String, Option<String>)> {
    use loquet_domain::account::Event;
    use loquet_domain::schema::DomainEvent;
    let mut fates = Vec::new();
    for recorded in world.store.read_all(Position(0), 10_000).await.unwrap() {
        match world.node.codec.decode_open(&recorded).unwrap().event {
            DomainEvent::Account(Event::MailSent { kind, .. }) => fates.push((kind.name().to_owned(), None)),
            DomainEvent::Account(Event::MailGivenUp { kind, why, .. }) => {
                fates.push((kind.name().to_owned(), Some(why)));
            }
            _ => {}
        }
    }
    fates
}

async fn until<F: Future<Output = bool>>(mut holds: impl FnMut() -> F) {
    let there = async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, there).await.unwrap();
}

/// Support sees in the log what was sent and what was not, each once, whatever crashed in between.
#[tokio::test(flavor = "multi_thread")]
async fn what_became_of_a_mail_is_an_event_once() {
    let world = World::new();
    let rows = world.rows("views.db");
    let (status, _runner) = world.project(&rows, views::all());
    let letterbox = Arc::new(Letterbox::default());
    let path = world.folder.path().join("reactions.db");
    letterbox.refusals.lock().unwrap().push(SendError::Permanent("the mail server said 550".into()));
    let first = post(&world, &path, &rows, &status, letterbox.clone());
    world.node.app.place_order(&context(0), world.node.order(1, 1, "one@example.be")).await.unwrap();
    let given_up = ("activation".to_owned(), Some("the mail server said 550".to_owned()));
    until(async || fates(&world).await == [given_up.clone()]).await;
    world.node.app.place_order(&context(0), world.node.order(2, 2, "two@example.be")).await.unwrap();
    let expected = [given_up, ("activation".to_owned(), None)];
    until(async || fates(&world).await == expected).await;
    first.stop();
    // A crash between the event and our writing down that the log has it.
    let journal = rusqlite::Connection::open(&path).unwrap();
    journal.execute("UPDATE mails SET noted = 0", []).unwrap();
    let second = post(&world, &path, &rows, &status, letterbox.clone());
    let noted = "SELECT count(*) FROM mails WHERE noted = 0";
    until(async || journal.query_row(noted, [], |row| row.get::<_, i64>(0)).unwrap() == 0).await;
    assert_eq!(fates(&world).await, expected);
    second.stop();
}

/// A missing key is one account's trouble: its mails wait for the key and are shown, the others' go.
#[tokio::test(flavor = "multi_thread")]
async fn mails_of_an_account_whose_key_is_missing_hold_up_no_other_and_go_once_it_is_back() {
    let mut world = World::new();
    let rows = world.rows("views.db");
    let (status, _runner) = world.project(&rows, views::all());
    let path = world.folder.path().join("reactions.db");
    let first = post(&world, &path, &rows, &status, Arc::default());
    let ordered = async |world: &World, n: u32| {
        let order = world.node.order(n, n, &format!("p{n}@example.be"));
        world.node.app.place_order(&context(0), order).await.unwrap().onboarded.account
    };
    let told = ordered(&world, 1).await;
    until(async || fates(&world).await.len() == 1).await;
    first.stop();
    let unwritten = ordered(&world, 2).await;
    // It ended once more, which the log was not told, and everything is to be acted on again.
    let file = rusqlite::Connection::open(&path).unwrap();
    file.execute_batch("UPDATE mails SET noted = 0, ended_at = ended_at + 1; DELETE FROM checkpoints;")
        .unwrap();
    let keys = rusqlite::Connection::open(world.folder.path().join("keys.db")).unwrap();
    keys.execute_batch("CREATE TABLE lost AS SELECT * FROM keys").unwrap();
    for account in [told, unwritten] {
        assert_eq!(keys.execute("DELETE FROM keys WHERE account = ?", [account.0.as_bytes()]).unwrap(), 1);
    }
    world.node = Arc::new(Node::new(Arc::new(world.store.clone()), world.folder.path()));
    let post = post(&world, &path, &rows, &status, Arc::default());
    ordered(&world, 3).await;
    assert_eq!(post.subjects(1).await, ["p3@example.be: Confirmez votre compte MyCCV"]);
    let journal = SqliteJournal::open(&path).unwrap();
    let of = async |account| journal.list(None, Some(account), 10).await.unwrap().remove(0);
    until(async || of(unwritten).await.why.is_some_and(|why| why.contains("is missing: restore keys.db")))
        .await;
    until(async || of(told).await.unnoted.is_some_and(|why| why.contains("is missing: restore keys.db")))
        .await;
    until(async || {
        let counts = journal.counts().await.unwrap();
        (counts.tried_in_vain, counts.unnoted, counts.dead) == (1, 1, 0)
    })
    .await;
    keys.execute_batch("INSERT OR IGNORE INTO keys SELECT * FROM lost").unwrap();
    assert_eq!(post.subjects(2).await.len(), 2);
    until(async || {
        post.queued.notify_one();
        let counts = journal.counts().await.unwrap();
        (counts.tried_in_vain, counts.unnoted) == (0, 0)
    })
    .await;
    until(async || fates(&world).await.len() == 4).await;
    post.stop();
}

/// A journal whose answers get lost: the next one to each of these questions.
struct Forgetful {
    journal: SqliteJournal,
    claim: AtomicBool,
    next_due: AtomicBool,
}

impl Forgetful {
    fn loses(which: &AtomicBool) -> Result<(), StoreFailed> {
        match which.swap(false, Ordering::SeqCst) {
            true => Err(StoreFailed::new("the answer is lost")),
            false => Ok(()),
        }
    }
}

impl Lease for Forgetful {
    fn acquire<'a>(
        &'a self,
        holder: &'a str,
        now: Moment,
        until: Moment,
    ) -> BoxFuture<'a, Result<Acquired, StoreFailed>> {
        self.journal.acquire(holder, now, until)
    }
    fn renew(&self, fence: Fence, until: Moment) -> BoxFuture<'_, Result<(), WriteFailed>> {
        self.journal.renew(fence, until)
    }
    fn release(&self, fence: Fence) -> BoxFuture<'_, Result<(), StoreFailed>> {
        self.journal.release(fence)
    }
}

impl ReactionJournal for Forgetful {
    fn checkpoint(&self, reaction: &'static str) -> BoxFuture<'_, Result<Position, StoreFailed>> {
        self.journal.checkpoint(reaction)
    }
    fn advance(
        &self,
        fence: Fence,
        reaction: &'static str,
        up_to: Position,
        mails: Vec<QueuedMail>,
        now: Moment,
    ) -> BoxFuture<'_, Result<(), WriteFailed>> {
        self.journal.advance(fence, reaction, up_to, mails, now)
    }
    fn claim_due(
        &self,
        fence: Fence,
        now: Moment,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<ClaimedMail>, WriteFailed>> {
        Box::pin(async move {
            let claimed = self.journal.claim_due(fence, now, limit).await?;
            if !claimed.is_empty() {
                Self::loses(&self.claim)?;
            }
            Ok(claimed)
        })
    }
    fn reclaim(&self, fence: Fence) -> BoxFuture<'_, Result<(), WriteFailed>> {
        self.journal.reclaim(fence)
    }
    fn conclude(
        &self,
        fence: Fence,
        effect: Uuid,
        outcome: MailOutcome,
        now: Moment,
    ) -> BoxFuture<'_, Result<(), WriteFailed>> {
        self.journal.conclude(fence, effect, outcome, now)
    }
    fn next_due(&self) -> BoxFuture<'_, Result<Option<Moment>, StoreFailed>> {
        Box::pin(async move {
            if self.journal.counts().await?.sending > 0 {
                Self::loses(&self.next_due)?;
            }
            self.journal.next_due().await
        })
    }
    fn unnoted(&self, now: Moment, limit: usize) -> BoxFuture<'_, Result<Vec<UnnotedFate>, StoreFailed>> {
        self.journal.unnoted(now, limit)
    }
    fn not_noted(
        &self,
        fence: Fence,
        effect: Uuid,
        why: String,
        again: Moment,
    ) -> BoxFuture<'_, Result<(), WriteFailed>> {
        self.journal.not_noted(fence, effect, why, again)
    }
    fn noted(&self, fence: Fence, effect: Uuid) -> BoxFuture<'_, Result<(), WriteFailed>> {
        self.journal.noted(fence, effect)
    }
    fn hold(&self, fence: Fence, hold: Option<Hold>) -> BoxFuture<'_, Result<(), WriteFailed>> {
        self.journal.hold(fence, hold)
    }
    fn held(&self) -> BoxFuture<'_, Result<Option<Hold>, StoreFailed>> {
        self.journal.held()
    }
    fn mails_of(
        &self,
        account: AccountId,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<MailStatus>, StoreFailed>> {
        self.journal.mails_of(account, limit)
    }
    fn mails_about(
        &self,
        account: AccountId,
        positions: Vec<Position>,
    ) -> BoxFuture<'_, Result<Vec<Uuid>, StoreFailed>> {
        self.journal.mails_about(account, positions)
    }
}

/// What was claimed in the queue and then not known to be is sent without waiting for the next start.
#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_fails_right_after_a_claim_keeps_no_mail() {
    for (claim, next_due) in [(true, false), (false, true)] {
        let world = World::new();
        let rows = world.rows("views.db");
        let (status, _runner) = world.project(&rows, views::all());
        let journal = SqliteJournal::open(&world.folder.path().join("reactions.db")).unwrap();
        let forgetful = Arc::new(Forgetful { journal, claim: claim.into(), next_due: next_due.into() });
        let post = post_over(Sending::default(), &world, forgetful.clone(), &rows, &status, Arc::default());
        for n in 0..3 {
            let order = world.node.order(n, n, &format!("p{n}@example.be"));
            world.node.app.place_order(&context(0), order).await.unwrap();
        }
        assert_eq!(post.subjects(3).await.len(), 3);
        until(async || forgetful.journal.counts().await.unwrap().sending == 0).await;
        assert!(!forgetful.claim.load(Ordering::SeqCst) && !forgetful.next_due.load(Ordering::SeqCst));
        post.stop();
    }
}

/// Whoever stands at the door does not wait behind an import of orders.
#[tokio::test(flavor = "multi_thread")]
async fn a_reset_asked_for_behind_many_activations_goes_before_them() {
    let world = World::new();
    let rows = world.rows("views.db");
    let (status, _runner) = world.project(&rows, views::all());
    world.node.active(100, "marie@example.be").await;
    let path = world.folder.path().join("reactions.db");
    let nothing_goes = Sending { at_once: 0, ..Sending::default() };
    let first = post_by(nothing_goes, &world, &path, &rows, &status, Arc::default());
    for n in 0..40 {
        let order = world.node.order(n, n, &format!("p{n}@example.be"));
        world.node.app.place_order(&context(0), order).await.unwrap();
    }
    let marie = loquet_tests::kit::email_address("marie@example.be");
    world.node.app.request_password_reset(&context(0), &marie).await.unwrap();
    let journal = SqliteJournal::open(&path).unwrap();
    let waits = async |kind| journal.list(None, None, 100).await.unwrap().iter().any(|e| e.mail.kind == kind);
    until(async || waits(MailKind::PasswordReset).await).await;
    first.stop();
    // All are due, those that came first before the others.
    let file = rusqlite::Connection::open(&path).unwrap();
    file.execute("UPDATE mails SET due_at = position", []).unwrap();
    let post = post(&world, &path, &rows, &status, Arc::default());
    let sent = post.subjects(8).await;
    let place = sent.iter().position(|subject| subject.starts_with("marie@example.be"));
    assert!(place.is_some_and(|place| place < 4), "four are handed over at once: {sent:?}");
    post.stop();
}

/// A mail to somebody with a long history costs no more than one to somebody new.
#[tokio::test(flavor = "multi_thread")]
async fn noting_what_became_of_a_mail_reads_no_history_from_before_it() {
    let mut world = World::new();
    let counted = Arc::new(WatchedStore::new(&world.store));
    world.node = Arc::new(Node::new(counted.clone(), world.folder.path()));
    let rows = world.rows("views.db");
    let (status, _runner) = world.project(&rows, views::all());
    world.node.active(1, "marie@example.be").await;
    for minute in 0..300 {
        world.node.log_in(minute, "marie@example.be", PASSWORD).await;
    }
    let marie = loquet_tests::kit::email_address("marie@example.be");
    world.node.app.request_password_reset(&context(1), &marie).await.unwrap();
    let before = counted.read();
    let post = post(&world, &world.folder.path().join("reactions.db"), &rows, &status, Arc::default());
    until(async || fates(&world).await.iter().any(|(kind, _)| kind == "password-reset")).await;
    let read = counted.read() - before;
    assert!(read < 50, "{read} events were read out of streams for one mail");
    post.stop();
}

/// What acts under a lease in the test below.
type Acting = Arc<Mutex<Vec<&'static str>>>;

/// Says that its node acts, for as long as its term lasts.
struct Acts(Acting, &'static str);

impl Acts {
    fn begin(acting: &Acting, node: &'static str) -> Self {
        acting.lock().unwrap().push(node);
        Self(acting.clone(), node)
    }
}

impl Drop for Acts {
    fn drop(&mut self) {
        self.0.lock().unwrap().retain(|node| *node != self.1);
    }
}

/// The other node takes over when the leader gives the lease back, and when the leader falls silent; a leader that wakes up
/// after it was replaced writes nothing, is told, and ends its term.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_nodes_one_runs_the_reactions_and_the_other_takes_over_when_it_stops_or_falls_silent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("reactions.db");
    let journals = [SqliteJournal::open(&path).unwrap(), SqliteJournal::open(&path).unwrap()].map(Arc::new);
    let acting = Acting::default();
    let fences = Arc::new(Mutex::new(Vec::new()));
    // The time is the test's own: nothing ends until it says so.
    let seconds = Arc::new(AtomicI64::new(0));
    let clock: Clock = {
        let seconds = seconds.clone();
        Arc::new(move || minute(0) + chrono::TimeDelta::seconds(seconds.load(Ordering::SeqCst)))
    };
    let lead = |node: usize, lasts: chrono::TimeDelta| {
        let name = ["one", "other"][node];
        let (lease, holder) = (journals[node].clone(), name.to_owned());
        let leader = Leader { lease, holder, lasts: Some(lasts), clock: clock.clone() };
        let (acting, fences) = (acting.clone(), fences.clone());
        let begin = move |fence| {
            fences.lock().unwrap().push((name, fence));
            let acts = Acts::begin(&acting, name);
            let (mut reactions, mut sender) = (JoinSet::new(), JoinSet::new());
            reactions.spawn(async move {
                let _acts = acts;
                std::future::pending().await
            });
            let (stop_sender, mut stopped) = tokio::sync::watch::channel(false);
            sender.spawn(async move {
                let _ = stopped.wait_for(|stop| *stop).await;
                Ok(())
            });
            Term { reactions, sender, stop_sender }
        };
        let (stop, stopped) = tokio::sync::watch::channel(false);
        (stop, tokio::spawn(leader.run(begin, stopped)))
    };
    let acts = |node: &[&str]| *acting.lock().unwrap() == node;
    // Renewed once in five minutes: it falls silent.
    let (_silent, silent) = lead(0, chrono::TimeDelta::minutes(15));
    until(async || acts(&["one"])).await;
    let (stop, other) = lead(1, chrono::TimeDelta::seconds(1));
    seconds.store(899, Ordering::SeqCst);
    until(async || {
        matches!(journals[1].acquire("third", clock(), clock()).await, Ok(Acquired::Taken { .. }))
    })
    .await;
    assert!(acts(&["one"]), "its lease has not ended");
    seconds.store(900, Ordering::SeqCst);
    until(async || acting.lock().unwrap().contains(&"other")).await;
    let [(_, first), (_, second)] = fences.lock().unwrap()[..] else { panic!("two terms") };
    assert!(first < second);
    let late = journals[0].advance(first, "mails", Position(7), Vec::new(), clock()).await;
    assert_eq!(late, Err(WriteFailed::Fenced(Fenced { shown: first, newest: second })));
    silent.abort();
    until(async || acts(&["other"])).await;
    let (_next, next) = lead(0, chrono::TimeDelta::seconds(1));
    stop.send_replace(true);
    other.await.unwrap().unwrap();
    until(async || acts(&["one"])).await;
    // Somebody takes it away by force: under its name, as a process that started again would.
    let Ok(Acquired::Given(_)) =
        journals[1].acquire("one", clock(), clock() + chrono::TimeDelta::hours(1)).await
    else {
        panic!("a process that starts again waits for itself")
    };
    until(async || acts(&[])).await;
    next.abort();
}

/// A lease in a store that answers late, and can't be reached after the lease was given.
struct LateThenAway {
    lease: MemoryJournal,
    late: Duration,
    /// Called when the lease is given.
    given: Box<dyn Fn() + Send + Sync>,
}

impl Lease for LateThenAway {
    fn acquire<'a>(
        &'a self,
        holder: &'a str,
        now: Moment,
        until: Moment,
    ) -> BoxFuture<'a, Result<Acquired, StoreFailed>> {
        Box::pin(async move {
            let acquired = self.lease.acquire(holder, now, until).await;
            tokio::time::sleep(self.late).await;
            (self.given)();
            acquired
        })
    }

    fn renew(&self, _: Fence, _: Moment) -> BoxFuture<'_, Result<(), WriteFailed>> {
        Box::pin(async { Err(StoreFailed::new("the store can't be reached").into()) })
    }

    fn release(&self, _: Fence) -> BoxFuture<'_, Result<(), StoreFailed>> {
        Box::pin(async { Err(StoreFailed::new("the store can't be reached")) })
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_not_renewed_ends_on_time_though_its_answer_was_late_and_the_clock_was_put_back() {
    let is_back = Arc::new(AtomicBool::new(false));
    let clock: Clock = {
        let is_back = is_back.clone();
        Arc::new(move || if is_back.load(Ordering::SeqCst) { minute(0) } else { minute(60) })
    };
    let lease = LateThenAway {
        lease: MemoryJournal::default(),
        late: Duration::from_secs(20),
        given: Box::new(move || is_back.store(true, Ordering::SeqCst)),
    };
    let lasts = Some(chrono::TimeDelta::seconds(30));
    let leader = Leader { lease: Arc::new(lease), holder: "one".to_owned(), lasts, clock };
    let asked_at = tokio::time::Instant::now();
    let (ended, mut ends) = tokio::sync::mpsc::unbounded_channel();
    let begin = move |_| {
        let ended = ended.clone();
        let (mut reactions, mut sender) = (JoinSet::new(), JoinSet::new());
        reactions.spawn(std::future::pending());
        let (stop_sender, mut stopped) = tokio::sync::watch::channel(false);
        sender.spawn(async move {
            let _ = stopped.wait_for(|stop| *stop).await;
            ended.send(tokio::time::Instant::now()).unwrap();
            Ok(())
        });
        Term { reactions, sender, stop_sender }
    };
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let leading = tokio::spawn(leader.run(begin, stopped));
    let ended_at = tokio::time::timeout(Duration::from_mins(5), ends.recv()).await;
    let lasted = ended_at.expect("its term ends").unwrap() - asked_at;
    assert_eq!(lasted.as_secs(), 30, "{lasted:?}");
    leading.abort();
}

/// Acts on every event but one, until that is mended.
struct Choosy {
    broken: AtomicBool,
    at: Position,
    tried: std::sync::atomic::AtomicUsize,
    acted: Mutex<Vec<Position>>,
}

impl Reaction for Choosy {
    fn name(&self) -> &'static str {
        "choosy"
    }
    fn react<'a>(&'a self, noted: &'a EventEnvelope) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            if noted.position == self.at {
                self.tried.fetch_add(1, Ordering::SeqCst);
                if self.broken.load(Ordering::SeqCst) {
                    return Answer::TryAgain("not this one".into());
                }
            }
            self.acted.lock().unwrap().push(noted.position);
            Answer::Done(Vec::new())
        })
    }
}

/// What can't be acted on is shown all the while, is tried again, holds up nothing, and is never forgotten.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_a_reaction_cannot_act_on_holds_up_no_other_and_is_shown_until_it_is_mended() {
    let world = World::new();
    world.node.active(1, "marie@example.be").await;
    let head = world.head().await;
    let at = Position(2);
    let choosy = Arc::new(Choosy { broken: true.into(), at, tried: 0.into(), acted: Mutex::default() });
    let status = Status::default();
    let journal = SqliteJournal::open(&world.folder.path().join("reactions.db")).unwrap();
    let runner = ReactionRunner {
        store: Arc::new(world.store.clone()),
        codec: world.node.codec.clone(),
        fence: lead(&journal).await,
        journal: Arc::new(journal),
        status: status.clone(),
        reaction: choosy.clone(),
        clock: Arc::new(|| minute(1)),
        queued: Arc::default(),
    };
    let _running = tokio::spawn(runner.run());
    let progress = || status.all().get(&Follower::Reaction("choosy")).cloned().unwrap_or_default();
    until(async || choosy.acted.lock().unwrap().last() == Some(&head)).await;
    until(async || progress().failure.is_some()).await;
    until(async || {
        let why = progress().failure;
        assert_eq!(why.as_deref(), Some("event 2: not this one"), "shown all the while it is tried again");
        choosy.tried.load(Ordering::SeqCst) >= 3
    })
    .await;
    assert_eq!(progress().position, Position(1), "its checkpoint waits, so that a stop forgets nothing");
    choosy.broken.store(false, Ordering::SeqCst);
    until(async || progress().failure.is_none() && progress().position == head).await;
    let mut acted = choosy.acted.lock().unwrap().clone();
    acted.sort_unstable();
    assert_eq!(acted, (1..=head.0).map(Position).collect::<Vec<_>>());
}

/// Acts on events until one at which nothing can be acted on, until that is mended.
struct Halting {
    broken: AtomicBool,
    at: Position,
    acted: Mutex<Vec<Position>>,
}

impl Reaction for Halting {
    fn name(&self) -> &'static str {
        "halting"
    }
    fn react<'a>(&'a self, noted: &'a EventEnvelope) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            if noted.position == self.at && self.broken.load(Ordering::SeqCst) {
                return Answer::Stop("nothing goes".into());
            }
            self.acted.lock().unwrap().push(noted.position);
            Answer::Done(Vec::new())
        })
    }
}

/// Nothing that follows is acted on before the reason is gone, and then nothing is left out.
#[tokio::test(flavor = "multi_thread")]
async fn a_reaction_that_says_stop_acts_on_nothing_further_is_shown_and_begins_again_at_its_checkpoint() {
    let world = World::new();
    world.node.active(1, "marie@example.be").await;
    let head = world.head().await;
    let halting = Arc::new(Halting { broken: true.into(), at: Position(2), acted: Mutex::default() });
    let status = Status::default();
    let journal = SqliteJournal::open(&world.folder.path().join("reactions.db")).unwrap();
    let runner = ReactionRunner {
        store: Arc::new(world.store.clone()),
        codec: world.node.codec.clone(),
        fence: lead(&journal).await,
        journal: Arc::new(journal),
        status: status.clone(),
        reaction: halting.clone(),
        clock: Arc::new(|| minute(1)),
        queued: Arc::default(),
    };
    let _running = tokio::spawn(runner.run());
    let progress = || status.all().get(&Follower::Reaction("halting")).cloned().unwrap_or_default();
    until(async || halting.acted.lock().unwrap().len() >= 2).await;
    assert!(halting.acted.lock().unwrap().iter().all(|acted| *acted == Position(1)), "it began again");
    until(async || progress().failure.as_deref() == Some("event 2: nothing goes")).await;
    halting.broken.store(false, Ordering::SeqCst);
    until(async || progress().failure.is_none() && progress().position == head).await;
    let acted = halting.acted.lock().unwrap().clone();
    let since = acted.iter().rposition(|acted| *acted == Position(1)).unwrap();
    assert_eq!(acted[since..], (1..=head.0).map(Position).collect::<Vec<_>>());
}

/// A mail server that is away costs nothing but time; one that comes back is used at once.
#[tokio::test(flavor = "multi_thread")]
async fn while_the_mail_server_is_away_one_mail_at_a_time_looks_whether_it_is_back() {
    let world = World::new();
    let rows = world.rows("views.db");
    let (status, _runner) = world.project(&rows, views::all());
    let letterbox = Arc::new(Letterbox::default());
    let away = || SendError::Away("the mail server could not be reached".into());
    letterbox.refusals.lock().unwrap().extend((0..3).map(|_| away()));
    let path = world.folder.path().join("reactions.db");
    for n in 0..12 {
        let order = world.node.order(n, n, &format!("p{n}@example.be"));
        world.node.app.place_order(&context(0), order).await.unwrap();
    }
    let post = post(&world, &path, &rows, &status, letterbox.clone());
    assert_eq!(post.subjects(12).await.len(), 12);
    let journal = SqliteJournal::open(&path).unwrap();
    let tried: u32 = journal.list(None, None, 100).await.unwrap().iter().map(|entry| entry.tries).sum();
    assert!(tried <= 12 + 3, "{tried} tries for 12 mails and a server that was away 3 times");
    post.stop();
}

#[track_caller]
fn said(verdict: &str) -> SendError {
    Verdict::parse(verdict).unwrap().into()
}

/// Every reason for which no mail went, one after another; `None` where mails went again.
#[track_caller]
fn holds(post: &Post) -> Arc<Mutex<Vec<Option<String>>>> {
    let (mut held, holds) = (post.held.subscribe(), Arc::new(Mutex::new(Vec::new())));
    let seen = holds.clone();
    tokio::spawn(async move {
        while held.changed().await.is_ok() {
            let why = held.borrow_and_update().as_ref().map(|hold| hold.trouble.why.clone());
            seen.lock().unwrap().push(why);
        }
    });
    holds
}

/// A blocked account, a refused sender: the queue waits for as long as it takes, and then each mail has its
/// whole time before it.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_mail_server_says_of_us_holds_all_mails_and_uses_up_none_of_their_time() {
    let world = World::new();
    let rows = world.rows("views.db");
    let (status, _runner) = world.project(&rows, views::all());
    let letterbox = Arc::new(Letterbox::default());
    // The last is said first. Two refusals of us take three seconds here: fifty minutes in the time of this test.
    let refusals = ["recipient 451 4.7.1", "sender 553 5.7.1", "sender 553 5.7.1"];
    letterbox.refusals.lock().unwrap().extend(refusals.map(said));
    let path = world.folder.path().join("reactions.db");
    let placed = world.node.app.place_order(&context(0), world.node.order(1, 1, "one@example.be")).await;
    let twenty_minutes = Sending { give_up_after: chrono::TimeDelta::minutes(20), ..Sending::default() };
    let post = post_by(twenty_minutes, &world, &path, &rows, &status, letterbox.clone());
    let holds = holds(&post);
    let journal = SqliteJournal::open(&path).unwrap();
    until(async || journal.held().await.unwrap().is_some()).await;
    let account = placed.unwrap().onboarded.account;
    until(async || {
        let mail = journal.mails_of(account, 10).await.unwrap().remove(0);
        let is_held = matches!(mail.delivery, Delivery::Held { .. });
        assert!(!is_held || mail.what_helps() == [MailHelp::TellOperator]);
        is_held
    })
    .await;
    assert_eq!(post.subjects(1).await.len(), 1);
    until(async || journal.held().await.unwrap().is_none()).await;
    until(async || {
        let mail = journal.mails_of(account, 10).await.unwrap().remove(0);
        matches!(mail.delivery, Delivery::Sent { .. }) && mail.tries == 4
    })
    .await;
    let why = "the mail server said 553 5.7.1 at MAIL FROM: it does not take our sender's address";
    until(async || *holds.lock().unwrap() == [Some(why.to_owned()), None]).await;
    post.stop();
}

/// What may be our fault or a recipient's: several in a row show that it is ours. One recipient never does.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_may_be_about_us_holds_the_queue_only_when_several_recipients_in_a_row_get_it() {
    let table = [
        ("recipient 550 5.7.1", 5, 3, (true, 0)),
        ("recipient 550 5.7.1", 2, 2, (false, 0)),
        ("recipient 550 5.7.1", 1, 6, (false, 0)),
        ("end broken", 5, 3, (true, 0)),
        ("recipient 550", 7, 5, (true, 4)),
        ("recipient 550", 4, 4, (false, 4)),
        ("recipient 550 5.1.1", 7, 7, (false, 7)),
        ("end 554", 7, 5, (true, 4)),
    ];
    for (verdict, mails, refusals, (holds_the_queue, dead)) in table {
        let world = World::new();
        let rows = world.rows("views.db");
        let (status, _runner) = world.project(&rows, views::all());
        let letterbox = Arc::new(Letterbox::default());
        match mails {
            1 => letterbox.refusals.lock().unwrap().extend((0..refusals).map(|_| said(verdict))),
            _ => *letterbox.refuses_all.lock().unwrap() = Some((said(verdict), refusals)),
        }
        for n in 0..mails {
            let order = world.node.order(n, n, &format!("p{n}@example.be"));
            world.node.app.place_order(&context(0), order).await.unwrap();
        }
        let path = world.folder.path().join("reactions.db");
        let post = post(&world, &path, &rows, &status, letterbox.clone());
        let holds = holds(&post);
        let journal = SqliteJournal::open(&path).unwrap();
        let taken = usize::try_from(mails - dead).unwrap();
        assert_eq!(post.subjects(taken).await.len(), taken, "{verdict}, {mails} mails");
        until(async || {
            let all = journal.list(None, None, 100).await.unwrap();
            all.len() == usize::try_from(mails).unwrap() && all.iter().all(|entry| entry.ended_at.is_some())
        })
        .await;
        let counts = journal.counts().await.unwrap();
        let held = holds.lock().unwrap().iter().any(Option::is_some);
        assert_eq!((held, counts.dead), (holds_the_queue, u64::from(dead)), "{verdict}, {mails} mails");
        post.stop();
    }
}

/// Where the final answer was lost twice, each try may be a copy: the next one is far off.
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_the_server_may_have_taken_twice_is_tried_again_after_ten_minutes_and_not_sooner() {
    let world = World::new();
    let rows = world.rows("views.db");
    let (status, _runner) = world.project(&rows, views::all());
    let letterbox = Arc::new(Letterbox::default());
    letterbox.refusals.lock().unwrap().extend((0..2).map(|_| said("end too-long")));
    let path = world.folder.path().join("reactions.db");
    let placed = world.node.app.place_order(&context(0), world.node.order(1, 1, "one@example.be")).await;
    let account = placed.unwrap().onboarded.account;
    let post = post(&world, &path, &rows, &status, letterbox.clone());
    let journal = SqliteJournal::open(&path).unwrap();
    until(async || {
        post.queued.notify_one();
        let Some(mail) = journal.mails_of(account, 1).await.unwrap().pop() else { return false };
        match (mail.delivery, mail.tries) {
            (Delivery::Deferred { until }, 2) => {
                assert!(until - mail.tried_at.unwrap() >= chrono::TimeDelta::minutes(10), "{mail:?}");
                true
            }
            _ => false,
        }
    })
    .await;
    assert_eq!(post.subjects(1).await.len(), 1);
    post.stop();
}

/// Nothing is tried for ever, and what was given up can be tried again by hand.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_for_too_long_is_a_dead_letter_and_can_be_tried_again_by_hand() {
    let world = World::new();
    let rows = world.rows("views.db");
    let (status, _runner) = world.project(&rows, views::all());
    let letterbox = Arc::new(Letterbox::default());
    letterbox.refusals.lock().unwrap().extend((0..200).map(|_| SendError::Transient("busy".into())));
    let path = world.folder.path().join("reactions.db");
    world.node.app.place_order(&context(0), world.node.order(1, 1, "one@example.be")).await.unwrap();
    let an_hour = Sending { give_up_after: chrono::TimeDelta::hours(1), ..Sending::default() };
    let post = post_by(an_hour, &world, &path, &rows, &status, letterbox.clone());
    let journal = SqliteJournal::open(&path).unwrap();
    // After 5 seconds, then twice as long each time, in the fast time of this test.
    until(async || {
        post.queued.notify_one();
        journal.counts().await.unwrap().dead == 1
    })
    .await;
    let dead = journal.list(Some(MailState::Dead), None, 10).await.unwrap().remove(0);
    assert!(dead.why.is_some_and(|why| why.starts_with("busy (") && why.ends_with(" tries)")));
    assert!((8..=10).contains(&dead.tries), "{} tries", dead.tries);
    letterbox.refusals.lock().unwrap().clear();
    let now = dead.ended_at.unwrap();
    assert!(journal.retry(dead.mail.effect, now).await.unwrap());
    assert_eq!(post.subjects(1).await.len(), 1);
    until(async || journal.counts().await.unwrap().dead == 0).await;
    assert!(!journal.retry(dead.mail.effect, now).await.unwrap(), "what was sent is not sent again");
    post.stop();
}

/// Counts logins, as two versions of one view would.
struct Counting(u32);

impl View for Counting {
    type Row = Said;
    fn id(&self) -> ViewId {
        ViewId { name: "counting", version: self.0 }
    }
    fn apply(&self, rows: &mut Table<'_, Said>, noted: &EventEnvelope) -> Result<(), CannotApply> {
        rows.put(&format!("{:020}", noted.position.0), Said(format!("version {}", self.0)))
    }
}

/// While the new version is built the old one serves, and stays up to date where its code is still there.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_of_a_view_is_built_beside_the_old_one_and_then_takes_its_place() {
    let world = World::new();
    let (old, new): (Arc<dyn ErasedView>, Arc<dyn ErasedView>) =
        (Arc::new(Counting(1)), Arc::new(Counting(2)));
    let rows = world.rows("views.db");
    let newest = async || {
        let head = world.head().await;
        let found = rows.get(new.id(), format!("{:020}", head.0)).await.unwrap();
        String::from_utf8(found.unwrap()).unwrap()
    };
    world.node.active(1, "marie@example.be").await;
    let (status, first) = world.project(&rows, vec![old.clone()]);
    status.reach(old.id(), world.head().await, PATIENCE).await.unwrap();
    first.abort();
    let _ = first.await;
    assert_eq!(newest().await, "\"version 1\"", "a query by the new code reads what serves");
    let (status, second) = world.project(&rows, vec![old.clone(), new.clone()]);
    until(async || {
        // Whatever serves at any moment, it has what happened last.
        world.node.log_in(1, "marie@example.be", PASSWORD).await;
        status.reach(new.id(), world.head().await, PATIENCE).await.unwrap();
        newest().await == "\"version 2\""
    })
    .await;
    until(async || rows.builds().await.unwrap().len() == 1).await;
    second.abort();
    let _ = second.await;
    // A start without the old version's code goes on with the new one.
    let (status, _third) = world.project(&rows, vec![new.clone()]);
    world.node.log_in(2, "marie@example.be", PASSWORD).await;
    status.reach(new.id(), world.head().await, PATIENCE).await.unwrap();
    assert_eq!(newest().await, "\"version 2\"");
    assert_eq!(rows.builds().await.unwrap().len(), 1);
}

/// Law 9, while rows are written and the next events are applied at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_cannot_be_written_stops_its_view_there_though_later_events_were_applied_in_memory() {
    const EVENTS: u64 = 104_000;
    const BAD: u64 = 50_000;
    let world = World::new();
    world.node.active(1, "marie@example.be").await;
    happen(&world.store, EVENTS).await;
    let view: Arc<dyn ErasedView> = Arc::new(Counting(1));
    let rows = world.rows("views.db");
    let begin = async || {
        let store = Arc::new(world.store.clone());
        Builder::begin(store, world.node.codec.clone(), rows.clone(), vec![view.clone()]).await.unwrap()
    };
    let mut builder = begin().await;
    let generation = builder.builds().next().unwrap().generation;
    let file = rusqlite::Connection::open(world.folder.path().join("views.db")).unwrap();
    file.execute_batch(&format!(
        "CREATE TRIGGER bad BEFORE INSERT ON view_counting_1_{generation} WHEN NEW.key = '{BAD:020}'
         BEGIN SELECT RAISE(ABORT, 'not this row'); END;"
    ))
    .unwrap();
    let head = world.head().await;
    let stopped = builder.build(head, |_| ()).await.unwrap_err().to_string();
    assert!(stopped.contains(&format!("event {BAD}")) && stopped.contains("not this row"), "{stopped}");
    let states = rows.builds().await.unwrap();
    assert_eq!(states[0].position, Position(BAD - 1), "the checkpoint is before the event");
    let count = |generation: u32| {
        let count = format!("SELECT count(*) FROM view_counting_1_{generation}");
        file.query_row(&count, [], |row| row.get::<_, u64>(0)).unwrap()
    };
    assert_eq!(count(generation), BAD - 1, "what follows the event is not there");

    file.execute_batch("DROP TRIGGER bad").unwrap();
    let mut again = begin().await;
    let generation = again.builds().next().unwrap().generation;
    again.build(head, |_| ()).await.unwrap();
    assert_eq!(count(generation), head.0, "each event has its row");
}

/// Appends copies of the last event, in a stream of their own.
async fn happen(store: &MemoryStore, times: u64) {
    use loquet_domain::ids::EventId;
    let head = store.head().await.unwrap();
    let last = store.read_all(Position(head.0 - 1), 1).await.unwrap().remove(0);
    let stream = loquet_domain::account::stream(AccountId(uuid::Uuid::from_u128(7)));
    let held = u64::try_from(store.read_stream(&stream, Revision(0)).await.unwrap().len()).unwrap();
    for revision in held..held + times {
        let mut again = last.event.clone();
        again.id = EventId(uuid::Uuid::from_u128(u128::from(revision) + 1000));
        store.append(&stream, Revision(revision), vec![again]).await.unwrap();
    }
}

/// Some hundred events a second, for as long as it is polled.
async fn go_on_happening(store: MemoryStore) {
    loop {
        happen(&store, 1).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Law 9: while only the old version's rows serve, nobody here follows the log, and it goes on all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_version_whose_predecessor_is_no_longer_in_the_code_misses_nothing_of_what_happens_meanwhile() {
    let world = World::new();
    let rows = world.rows("views.db");
    world.node.active(1, "marie@example.be").await;
    let happening = tokio::spawn(go_on_happening(world.store.clone()));
    // Several times, since the log must go on just while the new version takes its place.
    for version in 1..=12 {
        let view: Arc<dyn ErasedView> = Arc::new(Counting(version));
        let (status, runner) = world.project(&rows, vec![view.clone()]);
        until(async || {
            let states = rows.builds().await.unwrap();
            states.iter().any(|state| state.serving && state.build.view == view.id())
        })
        .await;
        let head = world.head().await;
        assert!(status.reach(view.id(), head, PATIENCE).await.unwrap() >= head);
        runner.abort();
        let _ = runner.await;
        // One row an event. What was being written when it ended may take a moment to be.
        until(async || {
            let position = state_of(rows.as_ref(), view.id()).await.position;
            let held = rows.select(view.id(), all_of(1_000_000)).await.unwrap().len();
            u64::try_from(held).unwrap() == position.0
        })
        .await;
    }
    happening.abort();
}

/// A stop in the middle of deleting what served before leaves nothing that is in anybody's way.
#[tokio::test(flavor = "multi_thread")]
async fn a_building_that_was_being_deleted_when_the_program_ended_is_gone_at_the_next_start() {
    let world = World::new();
    let rows = world.rows("views.db");
    let first = rows.begin(FRAGILE).await.unwrap();
    let second = rows.begin(FRAGILE).await.unwrap();
    let file = rusqlite::Connection::open(world.folder.path().join("views.db")).unwrap();
    file.execute("UPDATE builds SET serving = 2 WHERE generation = ?", [second.generation]).unwrap();
    let broken = Arc::new(AtomicBool::new(false));
    let (_, _runner) = world.project(&rows, vec![Arc::new(Fragile { broken, at: Position(3) })]);
    let tables = "SELECT count(*) FROM sqlite_master WHERE name LIKE 'view_fragile%' AND type = 'table'";
    until(async || file.query_row(tables, [], |row| row.get::<_, i64>(0)).unwrap() == 2).await;
    assert_eq!(state_of(rows.as_ref(), FRAGILE).await.build, first);
    let third = rows.begin(FRAGILE).await.unwrap();
    assert!(third.generation > second.generation, "its number is that of something that was deleted");
}

/// What looks from outside while a server runs writes nothing, and leaves an older format to the server.
#[tokio::test]
async fn whoever_only_looks_writes_nothing() {
    let world = World::new();
    let (views, reactions) = (world.folder.path().join("views.db"), world.folder.path().join("reactions.db"));
    let rows = world.rows("views.db");
    let build = rows.begin(FRAGILE).await.unwrap();
    drop(SqliteJournal::open(&reactions).unwrap());
    let looking = SqliteReadStore::open_to_read(&views).unwrap();
    assert_eq!(looking.builds().await.unwrap().len(), 1);
    assert!(looking.request_rebuild("fragile".to_owned()).await.is_err());
    assert!(looking.discard(build.into()).await.is_err());
    let journal = SqliteJournal::open_to_read(&reactions).unwrap();
    assert_eq!(journal.list(None, None, 10).await.unwrap(), []);
    assert!(journal.retry_all_dead(minute(1)).await.is_err());
    for path in [&views, &reactions] {
        let file = rusqlite::Connection::open(path).unwrap();
        file.execute_batch("PRAGMA user_version = 1").unwrap();
    }
    assert!(matches!(SqliteReadStore::open_to_read(&views), Err(FileError::Older(_))));
    assert!(matches!(SqliteJournal::open_to_read(&reactions), Err(FileError::Older(_))));
}

/// Another version of a view, which can't apply one event until it is mended.
struct Successor {
    broken: Arc<AtomicBool>,
    name: &'static str,
}

impl View for Successor {
    type Row = Said;
    fn id(&self) -> ViewId {
        ViewId { name: self.name, version: 2 }
    }
    fn apply(&self, rows: &mut Table<'_, Said>, noted: &EventEnvelope) -> Result<(), CannotApply> {
        if noted.position == Position(3) && self.broken.load(Ordering::SeqCst) {
            return Err(CannotApply::Contradiction("I don't like the third".to_owned()));
        }
        rows.put(&format!("{:020}", noted.position.0), Said("version 2".to_owned()))
    }
}

/// A build that fails keeps none of the others from being finished, is shown, and is finished once what
/// stopped it is mended, without anybody asking.
#[tokio::test(flavor = "multi_thread")]
async fn a_building_that_fails_is_shown_is_tried_again_and_keeps_no_other_from_its_place() {
    let world = World::new();
    world.node.active(1, "marie@example.be").await;
    let head = world.head().await;
    let rows = world.rows("views.db");
    let broken = Arc::new(AtomicBool::new(true));
    let fine: Arc<dyn ErasedView> = Arc::new(Counting(2));
    let fails: Arc<dyn ErasedView> = Arc::new(Successor { broken: broken.clone(), name: FRAGILE.name });
    rows.begin(ViewId { name: "counting", version: 1 }).await.unwrap();
    rows.begin(FRAGILE).await.unwrap();
    let (status, _runner) = world.project(&rows, vec![fails.clone(), fine.clone()]);
    until(async || state_of(rows.as_ref(), fine.id()).await.build.view == fine.id()).await;
    let building = || status.all().get(&Follower::View(FRAGILE.name)).and_then(|view| view.building.clone());
    until(async || building().is_some_and(|building| building.failure.is_some())).await;
    let shown = building().unwrap();
    assert_eq!(shown.position, Position(2));
    let noted =
        rows.builds().await.unwrap().into_iter().find(|state| state.build.view == fails.id()).unwrap();
    assert!(!noted.serving && noted.failure == shown.failure, "{noted:?}");
    assert!(shown.failure.unwrap().contains("event 3: I don't like"));
    assert_eq!(state_of(rows.as_ref(), FRAGILE).await.build.view, FRAGILE, "the old one serves");
    broken.store(false, Ordering::SeqCst);
    until(async || state_of(rows.as_ref(), FRAGILE).await.build.view == fails.id()).await;
    assert_eq!(status.reach(fails.id(), head, PATIENCE).await, Ok(head));
    assert_eq!(building(), None);
    let held = rows.select(fails.id(), all_of(1000)).await.unwrap().len();
    assert_eq!(u64::try_from(held).unwrap(), head.0);
    until(async || rows.builds().await.unwrap().len() == 2).await;
}

/// Law 9 without the others waiting: a view that was stopped for long catches up by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_is_mended_catches_up_while_the_others_go_on() {
    let world = World::new();
    world.node.active(1, "marie@example.be").await;
    let (letting, shut) = tokio::sync::watch::channel(true);
    let (from, up_to) = (Position(2000), Position(5000));
    // Gives out nothing between the two until it is let.
    let gated = WatchedStore::new(&world.store).before_read(move |after| {
        let (mut shut, here) = (shut.clone(), (from..up_to).contains(after));
        Box::pin(async move {
            if here {
                shut.wait_for(|shut| !shut).await.unwrap();
            }
        })
    });
    let broken = Arc::new(AtomicBool::new(true));
    let rows = world.rows("views.db");
    let status = Status::default();
    let runner = Runner {
        store: Arc::new(gated),
        codec: world.node.codec.clone(),
        rows: rows.clone(),
        views: vec![Arc::new(Counting(1)), Arc::new(Fragile { broken: broken.clone(), at: Position(3) })],
        status: status.clone(),
    };
    let _running = tokio::spawn(runner.run());
    let counting = View::id(&Counting(1));
    status.reach(counting, world.head().await, PATIENCE).await.unwrap();
    happen(&world.store, 6000).await;
    status.reach(counting, world.head().await, PATIENCE).await.unwrap();
    let fragile = || status.all()[&Follower::View(FRAGILE.name)].clone();
    assert_eq!(fragile().position, Position(2));
    broken.store(false, Ordering::SeqCst);
    until(async || fragile().failure.is_none() && fragile().position >= from).await;
    world.node.log_in(1, "marie@example.be", PASSWORD).await;
    let head = world.head().await;
    assert_eq!(status.reach(counting, head, PATIENCE).await, Ok(head), "it does not wait for the other");
    assert!(fragile().position < up_to);
    letting.send_replace(false);
    assert_eq!(status.reach(FRAGILE, head, PATIENCE).await, Ok(head));
    let held = rows.select(FRAGILE, all_of(100_000)).await.unwrap().len();
    assert_eq!(u64::try_from(held).unwrap(), head.0);
}

/// Law 5 and 9: asked for while people log in, a rebuild sends nothing, loses nothing, and what serves
/// afterwards equals what a replay gives.
#[tokio::test(flavor = "multi_thread")]
async fn views_are_rebuilt_while_people_log_in_and_nothing_is_sent_or_missed() {
    let world = World::new();
    let rows = world.rows("views.db");
    let (status, _runner) = world.project(&rows, views::all());
    for n in 0..20 {
        world.node.active(n, &format!("p{n}@example.be")).await;
    }
    let post = post(&world, &world.folder.path().join("reactions.db"), &rows, &status, Arc::default());
    status.reach(AccountRow::VIEW, world.head().await, PATIENCE).await.unwrap();
    // One whose link is open: to mail it again would not be void.
    let open = async |n: u32| {
        let order = world.node.order(n, n, &format!("p{n}@example.be"));
        world.node.app.place_order(&context(0), order).await.unwrap();
    };
    open(50).await;
    assert_eq!(post.subjects(1).await.len(), 1);
    let before = rows.builds().await.unwrap();
    for view in views::all() {
        rows.request_rebuild(view.id().name.to_owned()).await.unwrap();
    }
    let logins = std::sync::atomic::AtomicI64::new(0);
    until(async || {
        let login = logins.fetch_add(1, Ordering::SeqCst);
        world.node.log_in(login, &format!("p{}@example.be", login % 20), PASSWORD).await;
        let path = status.reach(AccountRow::VIEW, world.head().await, PATIENCE).await;
        assert!(path.is_ok(), "queries are answered all the while");
        let now = rows.builds().await.unwrap();
        now.len() == before.len() && now.iter().all(|state| before.iter().all(|old| old.build != state.build))
    })
    .await;
    let replayed = world.rows("replayed.db");
    let (replay, _other) = world.project(&replayed, views::all());
    for view in views::all() {
        let head = world.head().await;
        status.reach(view.id(), head, PATIENCE).await.unwrap();
        replay.reach(view.id(), head, PATIENCE).await.unwrap();
    }
    assert_eq!(dump(rows.as_ref()).await, dump(replayed.as_ref()).await);
    // Whatever the rebuild had queued would have gone before this one.
    open(51).await;
    assert_eq!(
        post.subjects(2).await,
        ["p50", "p51"].map(|who| format!("{who}@example.be: Confirmez votre compte MyCCV"))
    );
    post.stop();
}

/// A command that proves law 9, and finds what breaks it.
#[tokio::test(flavor = "multi_thread")]
async fn verifying_finds_a_row_that_is_not_what_the_log_says() {
    let world = World::new();
    let live = world.rows("live.db");
    let (status, runner) = world.project(&live, views::all());
    world.node.active(1, "marie@example.be").await;
    let account =
        world.node.app.account_of(&loquet_tests::kit::email_address("marie@example.be")).await.unwrap();
    for view in views::all() {
        status.reach(view.id(), world.head().await, PATIENCE).await.unwrap();
    }
    runner.abort();
    let _ = runner.await;
    let judge = async |name: &str| {
        let copy = world.folder.path().join(name);
        SqliteReadStore::copy(&world.folder.path().join("live.db"), &copy).unwrap();
        let copy: Arc<dyn ReadStore> = Arc::new(SqliteReadStore::open(&copy).unwrap());
        let store = Arc::new(world.store.clone());
        let view: Arc<dyn ErasedView> = Arc::new(views::accounts::Accounts);
        verify(store, world.node.codec.clone(), copy, view, |_, _| {}).await.unwrap().unwrap()
    };
    let well = judge("well.db").await;
    assert_eq!(
        (well.view, well.position, well.differing.as_slice()),
        ("accounts", world.head().await, &[][..])
    );
    let file = rusqlite::Connection::open(world.folder.path().join("live.db")).unwrap();
    file.execute("UPDATE view_accounts_5_1 SET row = replace(row, 'active', 'erased')", []).unwrap();
    assert_eq!(judge("altered.db").await.differing, [account.unwrap().to_string()]);
}

/// Rows of a company's accounts, every hundredth of them live, as they stand in the view.
async fn accounts_of(store: &SqliteReadStore, company: CompanyId, count: u128) -> Vec<AccountId> {
    let row = move |n: u128| AccountRow {
        account_id: AccountId(Uuid::from_u128(n)),
        company_id: company,
        role: Role::User,
        language: Language::Fr,
        status: if n.is_multiple_of(100) { Standing::Active } else { Standing::Deleted },
        email_hash: EmailHash(format!("{n:x}")),
        person_at: Position(1),
        // All at one moment: the key alone tells them apart.
        created_at: minute(0),
        activated_at: None,
        last_login_at: None,
        deleted_at: None,
    };
    let build = store.begin(AccountRow::VIEW).await.unwrap();
    let work = move |rows: &mut dyn loquet_projections::ports::Rows| {
        for row in (1..=count).map(row) {
            let bytes = serde_json::to_vec(&row).unwrap();
            let key = row.account_id.to_string();
            rows.put(&key, &bytes)?;
            row.index_entries().iter().try_for_each(|entry| rows.enter(entry, &key))?;
        }
        Ok(())
    };
    store.update(build, Position(0), Position(1), Box::new(work)).await.unwrap();
    (1..=count).filter(|n| n.is_multiple_of(100)).map(|n| AccountId(Uuid::from_u128(n))).collect()
}

#[tokio::test]
async fn a_company_has_all_its_live_accounts_however_many_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteReadStore::open(&folder.path().join("views.db")).unwrap();
    let company = CompanyId(Uuid::from_u128(7));
    let expected = accounts_of(&store, company, 12_345).await;
    assert_eq!(live_accounts(&store, company).await.unwrap(), expected);
    assert_eq!(live_accounts(&store, CompanyId(Uuid::from_u128(8))).await.unwrap(), []);
}

#[tokio::test]
async fn rows_that_fit_come_in_full_pages_and_a_cursor_stands_on_one_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteReadStore::open(&folder.path().join("views.db")).unwrap();
    let company = CompanyId(Uuid::from_u128(7));
    let expected = accounts_of(&store, company, 5_000).await;
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let by = Some(AccountRow::BY_COMPANY.under(company));
        let wanted = RowQuery { by, after, limit: 7, ..RowQuery::default() };
        let live = |row: &AccountRow| row.status == Standing::Active;
        let page = select_where(&store, wanted, live).await.unwrap();
        found.extend(page.iter().map(|(_, row)| row.account_id));
        match page.last() {
            Some((cursor, row)) if page.len() == 7 => {
                assert_eq!(cursor.key, row.account_id.to_string());
                after = Some(cursor.clone());
            }
            _ => break,
        }
    }
    assert_eq!(found, expected);
}
