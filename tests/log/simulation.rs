//! Races and faults, in process: several nodes on one log, replies that are lost, crashes between
//! any two steps.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use loquet_domain::account::diagnosis::{Answer, LoginBlocker};
use loquet_domain::account::{Account, Authority, Role};
use loquet_domain::app::{Credentials, Failure, Login, Owner, Unavailable};
use loquet_domain::order::Outcome;
use loquet_domain::policies::Policies;
use loquet_domain::policies::lockout::Lockout;
use loquet_domain::policies::password_policy::PasswordPolicy;
use loquet_domain::ports::{
    AnonymousGuesses, BoxFuture, CountError, EventStore, GuessesUnavailable, Position, Purpose,
    RecordedEvent, Tokens,
};
use loquet_domain::values::email_address::EmailHash;
use loquet_memory::anonymous_guesses::MemoryAnonymousGuesses;
use loquet_memory::event_store::{Fault, MemoryStore};
use loquet_projections::diagnosis::{Diagnosis, Sources, diagnose};
use loquet_sqlite::event_store::SqliteStore;
use loquet_tests::kit::{Node, PASSWORD, context, email_address, minute, password};

async fn log(store: &dyn EventStore) -> Vec<RecordedEvent> {
    store.read_all(Position(0), 1_000_000).await.unwrap()
}

async fn count(store: &dyn EventStore, name: &str) -> usize {
    log(store).await.iter().filter(|recorded| recorded.event.name == name).count()
}

fn node(store: &MemoryStore, folder: &Path) -> Arc<Node> {
    Arc::new(Node::new(Arc::new(store.clone()), folder))
}

/// Law 4, on one node and on three, the folds of each as stale as they may be.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn at_most_seven_of_500_guesses_at_once_are_judged_on_however_many_nodes() {
    for nodes in [1, 3] {
        let folder = tempfile::tempdir().unwrap();
        let store = MemoryStore::default();
        let nodes: Vec<_> = (0..nodes).map(|_| node(&store, folder.path())).collect();
        nodes[0].active(1, "marie@example.be").await;
        let guesses = (0..500).map(|n| {
            let node = nodes[n % nodes.len()].clone();
            tokio::spawn(async move { node.log_in(1, "marie@example.be", &format!("Wrong{n}!")).await })
        });
        let answers: Vec<Login> = join_all(guesses).await.into_iter().map(Result::unwrap).collect();
        let refused = answers.iter().filter(|answer| **answer == Login::Refused).count();
        let locked = answers.iter().filter(|answer| matches!(answer, Login::Locked { .. })).count();
        assert_eq!((refused, locked), (7, 493));
        assert_eq!(count(&store, "login-failed").await, 7);
        assert_eq!(count(&store, "account-locked").await, 1);
        let hashed: usize = nodes.iter().map(|node| node.verified()).sum();
        assert!(hashed <= 7 * nodes.len(), "{hashed} hashes on {} nodes", nodes.len());
        let right = nodes[0].log_in(1, "marie@example.be", PASSWORD).await;
        assert!(matches!(right, Login::Locked { .. }), "the right password as the eighth");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_right_logins_at_once_all_succeed_across_nodes() {
    let folder = tempfile::tempdir().unwrap();
    let store = MemoryStore::default();
    let nodes: Vec<_> = (0..2).map(|_| node(&store, folder.path())).collect();
    let account = nodes[0].active(1, "marie@example.be").await;
    let logins = (0..50).map(|n| {
        let node = nodes[n % 2].clone();
        tokio::spawn(async move { node.log_in(1, "marie@example.be", PASSWORD).await })
    });
    let answers = join_all(logins).await;
    assert!(answers.into_iter().all(|answer| matches!(answer.unwrap(), Login::Succeeded { .. })));
    let held = nodes[0].app.account(account).await.unwrap();
    assert_eq!(held.active().unwrap().sessions.len(), 50);
}

/// Law 11: what is unknown, not active or deleted is locked exactly as what is known is.
#[tokio::test(flavor = "multi_thread")]
async fn unknown_unactivated_and_deleted_addresses_are_locked_as_known_ones_are() {
    let folder = tempfile::tempdir().unwrap();
    let store = MemoryStore::default();
    let node = node(&store, folder.path());
    node.active(1, "known@example.be").await;
    node.app.place_order(&context(0), node.order(2, 2, "unactivated@example.be")).await.unwrap();
    let deleted = node.active(3, "deleted@example.be").await;
    node.successor(deleted).await;
    node.app.delete_account(&context(0), Authority::Supplier, deleted, "left").await.unwrap();
    for email in ["known@example.be", "unactivated@example.be", "deleted@example.be", "unknown@example.be"] {
        let before = (log(&store).await.len(), node.verified());
        let mut answers = Vec::new();
        for _ in 0..9 {
            answers.push(node.log_in(1, email, "Wrong1!!").await);
        }
        let until = minute(16).into();
        assert_eq!(answers[..7], vec![Login::Refused; 7], "{email}");
        assert_eq!(answers[7..], vec![Login::Locked { until }; 2], "{email}");
        assert_eq!(node.verified() - before.1, 7, "{email} costs as many hashes");
        assert_eq!(node.log_in(16, email, "Wrong1!!").await, Login::Refused, "{email} after 15 minutes");
        if email != "known@example.be" {
            assert_eq!(log(&store).await.len(), before.0, "strangers can't fill the log");
        }
    }
}

/// Law 11 on several nodes: an unknown address is locked after as many guesses as a known one, whichever nodes they come to.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_500_guesses_at_once_at_an_unknown_address_on_three_nodes_seven_are_judged_as_at_a_known_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = MemoryStore::default();
    let first = node(&store, folder.path());
    first.active(1, "known@example.be").await;
    let guesses = Arc::new(MemoryAnonymousGuesses::new(NonZeroUsize::new(1000).unwrap()));
    let beside = || Arc::new(first.beside_counting(Arc::new(store.clone()), guesses.clone()));
    let nodes: Vec<_> = (0..3).map(|_| beside()).collect();
    for email in ["known@example.be", "unknown@example.be"] {
        let guesses = (0..500).map(|n| {
            let node = nodes[n % nodes.len()].clone();
            tokio::spawn(async move { node.log_in(1, email, &format!("Wrong{n}!")).await })
        });
        let answers: Vec<Login> = join_all(guesses).await.into_iter().map(Result::unwrap).collect();
        let refused = answers.iter().filter(|answer| **answer == Login::Refused).count();
        let locked = answers.iter().filter(|answer| matches!(answer, Login::Locked { .. })).count();
        assert_eq!((refused, locked), (7, 493), "{email}");
    }
}

/// Guesses at unknown addresses that can't be counted for a while. They may still be read, as from a read-only replica.
struct Away {
    guesses: MemoryAnonymousGuesses,
    reads_fail: AtomicBool,
    writes_fail: AtomicBool,
}

impl Away {
    fn ask(fails: &AtomicBool) -> Result<(), GuessesUnavailable> {
        match fails.load(Ordering::SeqCst) {
            true => Err(GuessesUnavailable("away".to_owned())),
            false => Ok(()),
        }
    }
}

impl AnonymousGuesses for Away {
    fn get<'a>(&'a self, email: &'a EmailHash) -> BoxFuture<'a, Result<Lockout, GuessesUnavailable>> {
        Box::pin(async move {
            Self::ask(&self.reads_fail)?;
            self.guesses.get(email).await
        })
    }

    fn replace<'a>(
        &'a self,
        email: &'a EmailHash,
        judged: Lockout,
        next: Lockout,
    ) -> BoxFuture<'a, Result<(), CountError>> {
        Box::pin(async move {
            Self::ask(&self.writes_fail)?;
            self.guesses.replace(email, judged, next).await
        })
    }
}

/// Law 11: a known address needs no count of unknown ones, and must not show that.
#[tokio::test]
async fn while_guesses_at_unknown_addresses_cannot_be_counted_every_login_is_refused_alike() {
    let folder = tempfile::tempdir().unwrap();
    let store = MemoryStore::default();
    let first = node(&store, folder.path());
    first.active(1, "known@example.be").await;
    let guesses = MemoryAnonymousGuesses::new(NonZeroUsize::new(1000).unwrap());
    let (reads_fail, writes_fail) = (AtomicBool::new(false), AtomicBool::new(false));
    let away = Arc::new(Away { guesses, reads_fail, writes_fail });
    let node = first.beside_counting(Arc::new(store.clone()), away.clone());
    let log_in = async |email| {
        let (email, password) = (email_address(email), password(PASSWORD));
        let credentials = Credentials { email, password, second: None, devices: Vec::new() };
        node.app.log_in(&context(1), credentials).await
    };
    assert!(matches!(log_in("known@example.be").await, Ok(Login::Succeeded { .. })));
    let unavailable = Err(Unavailable::Guesses(GuessesUnavailable("away".to_owned())));
    for reads_too in [true, false] {
        away.reads_fail.store(reads_too, Ordering::SeqCst);
        away.writes_fail.store(true, Ordering::SeqCst);
        // Where only the writes fail, the first guess has been judged before its count is refused.
        assert_eq!(log_in("first@example.be").await, unavailable);
        let before = (log(&store).await.len(), node.verified());
        for email in ["unknown@example.be", "known@example.be", "other@example.be", "known@example.be"] {
            assert_eq!(log_in(email).await, unavailable, "{email}, reads fail too: {reads_too}");
        }
        assert_eq!((log(&store).await.len(), node.verified()), before, "and costs as little");
        away.reads_fail.store(false, Ordering::SeqCst);
        away.writes_fail.store(false, Ordering::SeqCst);
        assert!(matches!(log_in("known@example.be").await, Ok(Login::Succeeded { .. })));
        assert_eq!(log_in("unknown@example.be").await, Ok(Login::Refused));
    }
}

async fn diagnosis(node: &Node, store: &MemoryStore, email: &str, at: i64) -> Diagnosis {
    let store: Arc<dyn EventStore> = Arc::new(store.clone());
    let sources = Sources { app: &node.app, store: store.as_ref(), codec: node.codec.as_ref(), mails: None };
    diagnose(sources, &email_address(email), minute(at)).await.unwrap()
}

#[tokio::test]
async fn the_diagnosis_knows_the_lockout_of_an_address_without_an_account_where_it_was_guessed_at() {
    let folder = tempfile::tempdir().unwrap();
    let store = MemoryStore::default();
    let (here, elsewhere) = (node(&store, folder.path()), node(&store, folder.path()));
    here.app.place_order(&context(0), here.order(2, 2, "unactivated@example.be")).await.unwrap();
    let until = minute(16).into();
    for (email, reason) in
        [("unknown@example.be", "NoSuchAccount"), ("unactivated@example.be", "NotActivated")]
    {
        for _ in 0..7 {
            here.log_in(1, email, "Wrong1!!").await;
        }
        let told = diagnosis(&here, &store, email, 15).await;
        assert_eq!(Login::Locked { until }, here.log_in(15, email, "Wrong1!!").await);
        assert_eq!(told.answer, Answer::Locked { until }, "{email}");
        let reasons: Vec<_> = told.reasons.iter().map(|reason| reason.blocker).collect();
        assert!(format!("{:?}", reasons[0]).starts_with(reason), "what mends it stands first: {reasons:?}");
        assert_eq!(reasons[1..], [LoginBlocker::AnonymousLocked { until }], "{email}");
        for (node, at) in [(&here, 16), (&elsewhere, 15)] {
            let told = diagnosis(node, &store, email, at).await;
            assert_eq!((told.answer, told.reasons.len()), (Answer::Refused, 1), "{email} at {at}");
        }
    }
}

#[tokio::test]
async fn the_evidence_of_a_lockout_begins_behind_the_end_of_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let store = MemoryStore::default();
    let node = node(&store, folder.path());
    let email = "marie@example.be";
    node.active(1, email).await;
    let evidence = async |at: i64| {
        let told = diagnosis(&node, &store, email, at).await;
        let shown = told.reasons.first().map(|reason| (reason.blocker, reason.evidence.clone()));
        let (blocker, evidence) = shown.unwrap();
        (blocker, evidence.len(), evidence.last().unwrap().at)
    };
    for at in [1, 20, 40] {
        for guess in 1..=7 {
            node.log_in(at, email, "Wrong1!!").await;
            let events = if guess == 7 { 8 } else { guess };
            let (blocker, told, first) = evidence(at).await;
            assert_eq!((told, first), (events, minute(at)), "guess {guess} at {at}: {blocker:?}");
        }
    }
}

/// Law 2: an append whose fate is unknown is made again with the same ids, and counts once.
#[tokio::test]
async fn a_reply_that_is_lost_is_asked_for_again_and_nothing_happens_twice() {
    let folder = tempfile::tempdir().unwrap();
    let store = MemoryStore::default();
    let node = node(&store, folder.path());
    node.active(1, "marie@example.be").await;
    for fault in [Fault::LostReply, Fault::LostRequest] {
        let before = count(&store, "login-failed").await;
        store.inject([fault, fault]);
        assert_eq!(node.log_in(1, "marie@example.be", "Wrong1!!").await, Login::Refused);
        assert_eq!(count(&store, "login-failed").await, before + 1, "{fault:?}");
    }
}

/// Law 1: what could not be written is not answered as if it had been, and counts nothing.
#[tokio::test]
async fn a_login_that_cannot_be_written_is_no_login() {
    let folder = tempfile::tempdir().unwrap();
    let store = MemoryStore::default();
    let node = node(&store, folder.path());
    node.active(1, "marie@example.be").await;
    let events = log(&store).await.len();
    for (email, text) in
        [("marie@example.be", PASSWORD), ("marie@example.be", "Wrong1!!"), ("unknown@example.be", "Wrong1!!")]
    {
        store.inject([Fault::Unavailable]);
        let credentials = loquet_domain::app::Credentials {
            email: email_address(email),
            password: password(text),
            second: None,
            devices: Vec::new(),
        };
        assert!(node.app.log_in(&context(1), credentials).await.is_err());
    }
    assert_eq!(log(&store).await.len(), events);
}

/// Law 1, against whoever guesses while the disk is full: a verdict that can't be written down does not count, so none is made,
/// and what is answered does not depend on the password.
#[tokio::test]
async fn while_no_verdict_can_be_written_nothing_is_verified_and_no_password_is_told_from_another() {
    let folder = tempfile::tempdir().unwrap();
    let store = MemoryStore::default();
    let password_policy = PasswordPolicy::default().with_history(4).unwrap();
    let policies = Policies { password: password_policy, ..Policies::default() };
    let node = Node::with(policies, Arc::new(store.clone()), folder.path());
    let account = node.active(1, "marie@example.be").await;
    let Login::Succeeded { session_token, .. } = node.log_in(1, "marie@example.be", PASSWORD).await else {
        panic!("not in")
    };
    let session = node.tokens.read_session(&session_token).unwrap().session;
    let owner = Owner { account, session, device: None };
    store.inject(std::iter::repeat_n(Fault::Unavailable, 1000));
    let mut answers = Vec::new();
    for text in [PASSWORD, "Wrong1!!"].repeat(20) {
        for email in ["marie@example.be", "unknown@example.be"] {
            let (email, password) = (email_address(email), password(text));
            let credentials = Credentials { email, password, second: None, devices: Vec::new() };
            answers.push(node.app.log_in(&context(1), credentials).await.err().map(Failure::from));
        }
        // The new password was used before: whoever learns that knows that the current one was right.
        let changed = node.app.change_password(&context(1), owner, password(text), password(PASSWORD)).await;
        answers.push(changed.err());
    }
    let unavailable = |answer: &Option<Failure>| matches!(answer, Some(Failure::Unavailable(_)));
    assert!(answers.iter().all(unavailable), "{answers:?}");
    let verified = node.verified() - 1;
    assert_eq!(verified, 1, "the first, which found out that the log does not write");
    store.heal();
    assert!(matches!(node.log_in(2, "marie@example.be", PASSWORD).await, Login::Succeeded { .. }));
}

/// A crash after any append of an order, then the order again: the same end, and nothing twice.
#[tokio::test]
async fn an_order_interrupted_between_any_two_steps_is_finished_when_it_comes_again() {
    for broken in 0..9 {
        for finish_by_reaction in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let store = MemoryStore::default();
            let node = node(&store, folder.path());
            let order = node.order(1, 1, "marie@example.be");
            // The appends are claim, order, company, account, administrator, outcome, site, terminal and the end.
            store.inject(std::iter::repeat_n(Fault::Nothing, broken).chain([Fault::Unavailable]));
            let interrupted = node.app.place_order(&context(0), order.clone()).await;
            assert!(interrupted.is_err(), "there is no step {broken}");
            let taken = count(&store, "order-received").await == 1;
            if finish_by_reaction && taken {
                node.app.onboard(&context(1), &order.content.id).await.unwrap();
            }
            let placed = node.app.place_order(&context(2), order.clone()).await.unwrap();
            assert_eq!(placed.onboarded.outcome, Outcome::FirstOrder);
            let again = node.app.place_order(&context(3), order).await.unwrap();
            assert!(!again.new);
            let names: Vec<_> = log(&store).await.into_iter().map(|recorded| recorded.event.name).collect();
            let mut sorted = names.clone();
            sorted.sort();
            assert_eq!(
                sorted,
                [
                    "account-created",
                    "administrator-admitted",
                    "company-registered",
                    "email-claimed",
                    "order-equipped",
                    "order-onboarded",
                    "order-received",
                    "site-opened",
                    "terminal-added"
                ],
                "broken at {broken}: {names:?}"
            );
        }
    }
}

#[tokio::test]
async fn orders_make_administrators_temporary_administrators_or_work_for_support() {
    let folder = tempfile::tempdir().unwrap();
    let store = MemoryStore::default();
    let node = node(&store, folder.path());
    let at = context(0);
    let place = |order| node.app.place_order(&at, order);
    let role = |account| {
        let node = node.clone();
        async move { node.app.account(account).await.unwrap().profile().map(|profile| profile.role) }
    };
    let first = place(node.order(1, 1, "marie@example.be")).await.unwrap();
    assert_eq!(first.onboarded.outcome, Outcome::FirstOrder);
    assert_eq!(role(first.onboarded.account).await, Some(Role::Administrator));
    let second = place(node.order(2, 1, "jan@example.be")).await.unwrap();
    assert_eq!(second.onboarded.outcome, Outcome::TemporaryAdministrator);
    assert_eq!(role(second.onboarded.account).await, Some(Role::TemporaryAdministrator));
    let known = place(node.order(3, 1, "Marie@Example.be ")).await.unwrap();
    assert_eq!(known.onboarded.outcome, Outcome::KnownContact);
    assert_eq!(known.onboarded.account, first.onboarded.account);
    let foreign = place(node.order(4, 2, "marie@example.be")).await.unwrap();
    assert_eq!(foreign.onboarded.outcome, Outcome::AwaitingSupport);
    assert_eq!(count(&store, "account-created").await, 2);
    let changed = node.order(1, 1, "somebody.else@example.be");
    let refused = node.app.place_order(&context(0), changed).await;
    assert_eq!(refused, Err(Failure::Order(loquet_domain::order::Refusal::Differs)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn first_orders_of_one_company_and_of_one_person_at_once_make_one_of_each() {
    let folder = tempfile::tempdir().unwrap();
    let store = MemoryStore::default();
    let nodes: Vec<_> = (0..4).map(|_| node(&store, folder.path())).collect();
    let orders = (0..40_u32).map(|n| {
        let node = nodes[usize::try_from(n).unwrap() % 4].clone();
        let order = node.order(n, 1, &format!("contact{}@example.be", n % 4));
        tokio::spawn(async move { node.app.place_order(&context(0), order).await.unwrap().onboarded.outcome })
    });
    let outcomes: Vec<_> = join_all(orders).await.into_iter().map(Result::unwrap).collect();
    let of = |outcome| outcomes.iter().filter(|held| **held == outcome).count();
    assert_eq!(count(&store, "company-registered").await, 1);
    assert_eq!(count(&store, "account-created").await, 4);
    assert_eq!(count(&store, "email-claimed").await, 4);
    assert!(of(Outcome::FirstOrder) <= 1);
    assert_eq!(of(Outcome::FirstOrder) + of(Outcome::TemporaryAdministrator) + of(Outcome::KnownContact), 40);
}

/// An address whose claim was written just before a crash holds nobody up.
#[tokio::test]
async fn a_claim_whose_account_never_came_is_taken_over_and_a_deleted_accounts_address_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let store = MemoryStore::default();
    let node = node(&store, folder.path());
    store.inject([Fault::Nothing, Fault::Unavailable]);
    assert!(node.app.place_order(&context(0), node.order(1, 1, "marie@example.be")).await.is_err());
    assert_eq!(count(&store, "email-claimed").await, 1);
    let other = node.app.place_order(&context(1), node.order(2, 2, "marie@example.be")).await.unwrap();
    assert_eq!(other.onboarded.outcome, Outcome::FirstOrder);
    let first = node.app.place_order(&context(2), node.order(1, 1, "marie@example.be")).await.unwrap();
    assert_eq!(first.onboarded.outcome, Outcome::AwaitingSupport, "one person, one login");
    node.successor(other.onboarded.account).await;
    node.app.delete_account(&context(3), Authority::Supplier, other.onboarded.account, "left").await.unwrap();
    let again = node.app.place_order(&context(4), node.order(3, 3, "marie@example.be")).await.unwrap();
    assert_eq!(again.onboarded.outcome, Outcome::FirstOrder);
    assert_ne!(again.onboarded.account, other.onboarded.account, "an id is never given to another person");
}

/// Law 6: after erasure the log is whole and replayable, and the person is gone from it.
#[tokio::test]
async fn an_erased_person_is_gone_from_a_log_that_still_replays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let store = SqliteStore::open(&path).unwrap();
    let node = Arc::new(Node::new(Arc::new(store.clone()), folder.path()));
    let account = node.active(1, "marie@example.be").await;
    let other = node.active(2, "jan@example.be").await;
    node.log_in(1, "marie@example.be", PASSWORD).await;
    let events = log(&store).await.len();
    node.app.erase_account(&context(2), account, "asked for it").await.unwrap();
    node.app.erase_account(&context(3), account, "again").await.unwrap();
    assert_eq!(node.log_in(4, "marie@example.be", PASSWORD).await, Login::Refused);

    let restarted = Arc::new(Node::new(Arc::new(store.clone()), folder.path()));
    let Account::Deleted(profile) = restarted.app.account(account).await.unwrap() else {
        panic!("not deleted")
    };
    assert!(profile.erased && profile.person.known().is_none());
    assert!(restarted.app.account(other).await.unwrap().profile().unwrap().person.known().is_some());
    let whole = log(&store).await;
    assert!(whole.len() > events);
    for recorded in &whole {
        use loquet_domain::ports::EventCodec;
        let fact = restarted.codec.decode(recorded).await.unwrap();
        let of_marie = recorded.event.sealed.as_ref().is_some_and(|sealed| sealed.subject == account);
        if of_marie {
            let private = loquet_domain::schema::write(&fact.event).private;
            assert!(private.is_empty() && fact.context.client.is_none());
        }
    }
    store.close();
    drop((node, restarted));
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(16).any(|window| window == b"marie@example.be"));
    }
}

#[tokio::test]
async fn a_sealed_part_that_was_altered_or_moved_stops_the_reader() {
    use loquet_domain::ports::EventCodec;
    let folder = tempfile::tempdir().unwrap();
    let store = MemoryStore::default();
    let node = node(&store, folder.path());
    node.active(1, "marie@example.be").await;
    let sealed: Vec<_> =
        log(&store).await.into_iter().filter(|recorded| recorded.event.sealed.is_some()).collect();
    let mut altered = sealed[0].clone();
    if let Some(part) = altered.event.sealed.as_mut() {
        part.bytes[30] ^= 1;
    }
    let mut moved = sealed[0].clone();
    moved.event.sealed = sealed[1].event.sealed.clone();
    for recorded in [altered, moved] {
        let error = node.codec.decode(&recorded).await.unwrap_err().to_string();
        assert!(error.contains("altered") && error.contains(recorded.stream.as_str()), "{error}");
    }
}

/// The id that an order gives was used by another and its account deleted, before the order came again.
#[tokio::test]
async fn an_order_whose_account_id_was_used_and_deleted_meanwhile_gets_another() {
    let folder = tempfile::tempdir().unwrap();
    let store = MemoryStore::default();
    let node = node(&store, folder.path());
    store.inject([Fault::Nothing, Fault::Unavailable]);
    assert!(node.app.place_order(&context(0), node.order(1, 1, "marie@example.be")).await.is_err());
    let other = node.app.place_order(&context(1), node.order(2, 2, "marie@example.be")).await.unwrap();
    node.successor(other.onboarded.account).await;
    node.app.delete_account(&context(2), Authority::Supplier, other.onboarded.account, "left").await.unwrap();
    let at = context(3);
    let again = node.app.place_order(&at, node.order(1, 1, "marie@example.be"));
    let again = tokio::time::timeout(std::time::Duration::from_secs(10), again).await.unwrap().unwrap();
    assert_eq!(again.onboarded.outcome, Outcome::FirstOrder);
    assert_ne!(again.onboarded.account, other.onboarded.account);
}

#[tokio::test]
async fn a_link_that_was_forged_costs_no_hash_and_a_weak_password_leaves_it_usable() {
    let folder = tempfile::tempdir().unwrap();
    let store = MemoryStore::default();
    let node = node(&store, folder.path());
    let account = node.app.place_order(&context(0), node.order(1, 1, "marie@example.be")).await.unwrap();
    let token = node.activation_token(account.onboarded.account).await;
    assert!(node.tokens.read_link(Purpose::PasswordReset, &token).is_none());
    let hashed = node.hashed();
    let forged = node.app.activate(&context(1), "AAAA", password(PASSWORD)).await;
    assert_eq!(forged, Err(Failure::Link(loquet_domain::app::LinkRefused::Invalid)));
    assert_eq!(node.hashed(), hashed, "a forged link costs no hash");
    let weak = node.app.activate(&context(1), &token, password("weak")).await;
    assert!(matches!(weak, Err(Failure::WeakPassword(rules)) if rules.len() == 4));
    assert_eq!(node.hashed(), hashed, "nor does a weak password");
    node.app.activate(&context(1), &token, password(PASSWORD)).await.unwrap();
    assert_eq!(node.hashed(), hashed + 1);
    let used = node.app.activate(&context(1), &token, password(PASSWORD)).await;
    assert_eq!(used, Err(Failure::Link(loquet_domain::app::LinkRefused::Used)));
    assert_eq!(node.hashed(), hashed + 1, "nor does a used one");
}

/// One order number, delivered at once with different contacts: one of them wins, and no other address
/// gets anybody into the winner's account.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_order_number_used_for_two_contacts_never_binds_two_addresses_to_one_account() {
    for round in 0..10_u32 {
        let folder = tempfile::tempdir().unwrap();
        let store = MemoryStore::default();
        let node = node(&store, folder.path());
        let contacts: Vec<_> = (0..8).map(|n| format!("contact{n}@example.be")).collect();
        let deliveries = contacts.iter().map(|email| {
            let (node, order) = (node.clone(), node.order(round, round, email));
            tokio::spawn(async move { node.app.place_order(&context(0), order).await })
        });
        let placed: Vec<_> = join_all(deliveries).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(placed.iter().filter(|placed| placed.is_ok()).count(), 1);
        let winner = placed.iter().position(Result::is_ok).unwrap();
        let account = placed[winner].as_ref().unwrap().onboarded.account;
        let token = node.activation_token(account).await;
        node.app.activate(&context(1), &token, password(PASSWORD)).await.unwrap();
        for (n, email) in contacts.iter().enumerate() {
            let login = node.log_in(2, email, PASSWORD).await;
            assert_eq!(matches!(login, Login::Succeeded { .. }), n == winner, "{email}");
            let holder = node.app.account_of(&email_address(email)).await.unwrap();
            assert_eq!(holder.is_some(), n == winner);
        }
        // A loser's own order makes an account of its own.
        let loser = &contacts[(winner + 1) % 8];
        let own =
            node.app.place_order(&context(3), node.order(100 + round, 100 + round, loser)).await.unwrap();
        assert_eq!(own.onboarded.outcome, Outcome::FirstOrder);
        assert_ne!(own.onboarded.account, account);
    }
}

/// A key that is lost is no key that was deleted: it must not be replaced by a new one in silence.
#[tokio::test]
async fn a_lost_key_is_an_error_and_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let store = MemoryStore::default();
    let account = node(&store, folder.path()).active(1, "marie@example.be").await;
    let keys = rusqlite::Connection::open(folder.path().join("keys.db")).unwrap();
    keys.execute("DELETE FROM keys", []).unwrap();
    let restarted = node(&store, folder.path());
    let events = log(&store).await.len();
    let read = restarted.app.account(account).await.unwrap_err().to_string();
    assert!(read.contains("is missing: restore keys.db"), "{read}");
    assert!(restarted.app.delete_account(&context(1), Authority::Supplier, account, "left").await.is_err());
    assert_eq!(log(&store).await.len(), events);
    let made: i64 = keys.query_row("SELECT count(*) FROM keys", [], |row| row.get(0)).unwrap();
    assert_eq!(made, 0);
}

/// An erasure is not answered while the key is still in a file.
#[tokio::test]
async fn an_erasure_that_another_reader_holds_up_is_no_success_and_can_be_asked_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = MemoryStore::default();
    let node = node(&store, folder.path());
    let account = node.active(1, "marie@example.be").await;
    let path = folder.path().join("keys.db");
    let reader = rusqlite::Connection::open(&path).unwrap();
    // The company has a key too.
    let of_account = "SELECT wrapped FROM keys WHERE account = ?";
    let wrapped: Vec<u8> = reader.query_row(of_account, [account.0.into_bytes()], |row| row.get(0)).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM keys;").unwrap();
    let held_up = node.app.erase_account(&context(1), account, "asked").await;
    assert!(held_up.is_err_and(|error| error.to_string().contains("another program reads that file")));
    reader.execute_batch("COMMIT").unwrap();
    node.app.erase_account(&context(2), account, "asked").await.unwrap();
    for name in ["keys.db", "keys.db-wal"] {
        let bytes = std::fs::read(folder.path().join(name)).unwrap_or_default();
        assert!(!bytes.windows(wrapped.len()).any(|window| window == wrapped), "the key is still in {name}");
    }
}

/// Compared, not scheduled: a session that is used goes on, one that is not ends by itself (law 7).
#[tokio::test]
async fn a_session_that_nobody_uses_for_two_hours_is_over_and_stays_so() {
    let (store, folder) = (MemoryStore::default(), tempfile::tempdir().unwrap());
    let node = node(&store, folder.path());
    node.active(1, "marie@example.be").await;
    let Login::Succeeded { session_token, .. } = node.log_in(0, "marie@example.be", PASSWORD).await else {
        panic!("not in")
    };
    let holds = async |at| node.app.authenticate(minute(at), &session_token).await.unwrap().is_some();
    assert!(holds(119).await);
    assert!(holds(238).await, "it was used in between");
    assert!(!holds(358).await);
    assert!(!holds(359).await, "asking does not wake it");
}
