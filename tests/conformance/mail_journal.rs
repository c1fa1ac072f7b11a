//! The rules for every mail journal: the checkpoints of reactions, the queue of mails, and the ledger for the
//! operator.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use chrono::TimeDelta;
use futures_util::future::join_all;
use loquet_domain::ids::AccountId;
use loquet_domain::ports::Position;
use loquet_memory::mail_journal::MemoryJournal;
use loquet_postgres::mail_journal::PostgresJournal;
use loquet_projections::mail::{Delivery, LedgerEntry, MailKind, MailLedger, MailState, Trouble, Verdict};
use loquet_projections::ports::{
    Acquired, ClaimedMail, Fence, Hold, Lease, MailOutcome, QueuedMail, UnnotedFate,
};
use loquet_sqlite::mail_journal::SqliteJournal;
use uuid::Uuid;

use crate::kills::{Acknowledged, Kills};
use crate::store::{self, Make, Store, second, suite};

/// A journal and its lease. Both are in one store.
pub(crate) trait Journal: MailLedger + Lease {}
impl<J: MailLedger + Lease> Journal for J {}

pub(crate) type Port = dyn Journal;

macro_rules! adapter {
    ($name:ident, $make:expr $(, $killed:ident)?) => {
        suite!($name, $make, [
            a_new_reaction_is_at_zero_and_each_has_a_checkpoint_of_its_own,
            a_checkpoint_and_its_mails_are_there_on_every_node_and_after_a_stop,
            a_mail_that_is_known_is_not_queued_again_whatever_became_of_it,
            mails_are_claimed_when_they_are_due_the_urgent_ones_first_and_no_more_than_asked_for,
            of_many_who_claim_at_once_nobody_gets_a_mail_of_another,
            what_was_claimed_is_due_again_once_it_is_reclaimed,
            each_outcome_leads_to_its_state,
            a_mail_that_is_tried_again_keeps_how_often_and_how_long_it_waited,
            a_fate_is_to_be_noted_until_the_log_knows_it,
            why_no_mail_goes_is_known_on_every_node_and_after_a_stop,
            making_a_change_twice_is_as_making_it_once,
            the_mails_to_an_account_and_about_an_event_are_found,
            an_operator_sees_every_mail_and_tries_again_by_hand,
            a_caller_who_is_gone_leaves_a_change_whole_or_not_made,
        ] $(, $killed: [
            killed_at_any_moment_a_checkpoint_has_its_mails_and_nothing_that_was_told_is_lost,
        ])?);
    };
}

adapter!(memory, in_memory);
adapter!(sqlite, in_sqlite, killed);
adapter!(postgres, in_postgres, killed);

pub(crate) fn in_memory(_: &Path) -> Store<Port> {
    let journal = MemoryJournal::default();
    Store::opened_by(move || -> Arc<Port> { Arc::new(journal.clone()) })
}

pub(crate) fn in_sqlite(folder: &Path) -> Store<Port> {
    let path = folder.join("reactions.db");
    Store::opened_by(move || -> Arc<Port> { Arc::new(SqliteJournal::open(&path).unwrap()) })
}

pub(crate) fn in_postgres(folder: &Path) -> Store<Port> {
    store::in_postgres(folder, |database| -> Arc<Port> { Arc::new(PostgresJournal::new(database)) })
}

pub(crate) fn mail_of(number: u64, kind: MailKind, recipient: u128) -> QueuedMail {
    QueuedMail {
        effect: Uuid::from_u128(number.into()),
        kind,
        recipient: AccountId(Uuid::from_u128(recipient)),
        position: Position(number),
    }
}

pub(crate) fn mail(number: u64) -> QueuedMail {
    mail_of(number, MailKind::Activation, 1)
}

fn effect(number: u64) -> Uuid {
    mail(number).effect
}

fn trouble(said: &str) -> Trouble {
    Verdict::parse(said).unwrap().into()
}

/// Takes the lease, as a process does at its start.
pub(crate) async fn lead(journal: &Port) -> Fence {
    match journal.acquire("test", second(0), second(1_000_000_000)).await.unwrap() {
        Acquired::Given(fence) => fence,
        Acquired::Taken { until } => panic!("it is taken until {until}"),
    }
}

/// Queues mails with these numbers at that second, as one reaction does.
pub(crate) async fn queue(journal: &Port, fence: Fence, numbers: std::ops::Range<u64>, at: i64) {
    let (up_to, mails) = (Position(numbers.end - 1), numbers.map(mail).collect());
    journal.advance(fence, "mails", up_to, mails, second(at)).await.unwrap();
}

async fn claimed(journal: &Port, fence: Fence, at: i64, limit: usize) -> Vec<u64> {
    let claimed = journal.claim_due(fence, second(at), limit).await.unwrap();
    claimed.into_iter().map(|claimed| claimed.mail.position.0).collect()
}

async fn conclude(journal: &Port, fence: Fence, number: u64, outcome: MailOutcome) {
    journal.conclude(fence, effect(number), outcome, second(50)).await.unwrap();
}

fn retry(at: i64) -> MailOutcome {
    MailOutcome::Retry {
        at: second(at),
        waited: TimeDelta::seconds(5),
        trouble: trouble("recipient 451 4.7.1"),
    }
}

fn dead() -> MailOutcome {
    MailOutcome::Dead { trouble: trouble("recipient 550 5.1.1") }
}

/// Returns everything that the journal says about itself.
pub(crate) async fn everything(journal: &Port) -> impl PartialEq + std::fmt::Debug + use<> {
    let list: Vec<LedgerEntry> = journal.list(None, None, 10_000).await.unwrap();
    let unnoted: Vec<UnnotedFate> = journal.unnoted(second(1_000_000), 10_000).await.unwrap();
    let (held, next) = (journal.held().await.unwrap(), journal.next_due().await.unwrap());
    (list, unnoted, held, next, journal.checkpoints().await.unwrap(), journal.counts().await.unwrap())
}

async fn a_new_reaction_is_at_zero_and_each_has_a_checkpoint_of_its_own(store: Store<Port>) {
    let [one, other] = store.two();
    let fence = lead(one.as_ref()).await;
    assert_eq!(one.checkpoint("mails").await, Ok(Position(0)));
    assert_eq!(one.checkpoints().await, Ok(Vec::new()));
    for (reaction, position) in [("onboarding", 5), ("mails", 7), ("mails", 3)] {
        one.advance(fence, reaction, Position(position), Vec::new(), second(0)).await.unwrap();
        assert_eq!(other.checkpoint(reaction).await, Ok(Position(position)));
    }
    // If an older log was restored, a checkpoint moves back.
    let expected = [("mails".to_owned(), Position(3)), ("onboarding".to_owned(), Position(5))];
    assert_eq!(other.checkpoints().await.unwrap(), expected);
    assert_eq!(other.checkpoint("erasure").await, Ok(Position(0)));
    assert_eq!(store.reopen([one, other]).checkpoints().await.unwrap(), expected);
}

async fn a_checkpoint_and_its_mails_are_there_on_every_node_and_after_a_stop(store: Store<Port>) {
    let [one, other] = store.two();
    let fence = lead(one.as_ref()).await;
    let mails = vec![mail_of(7, MailKind::PasswordReset, 3), mail_of(8, MailKind::SitesOpened, 4)];
    one.advance(fence, "mails", Position(8), mails.clone(), second(2)).await.unwrap();
    let check = async |journal: &Port| {
        assert_eq!(journal.checkpoint("mails").await, Ok(Position(8)));
        for mail in &mails {
            let entry = journal.entry(mail.effect).await.unwrap().unwrap();
            let times = (entry.queued_at, entry.due_at, entry.ended_at);
            assert_eq!(times, (second(2), second(2), None));
            let entry = (entry.mail, entry.state, entry.tries, entry.why);
            assert_eq!(entry, (mail.clone(), MailState::Pending, 0, None));
        }
    };
    check(one.as_ref()).await;
    check(other.as_ref()).await;
    check(store.reopen([one, other]).as_ref()).await;
}

async fn a_mail_that_is_known_is_not_queued_again_whatever_became_of_it(store: Store<Port>) {
    let journal = store.open();
    let fence = lead(journal.as_ref()).await;
    queue(journal.as_ref(), fence, 1..6, 0).await;
    assert_eq!(claimed(journal.as_ref(), fence, 0, 4).await, [1, 2, 3, 4]);
    for (number, outcome) in [(1, MailOutcome::Sent), (2, MailOutcome::Void), (3, dead())] {
        conclude(journal.as_ref(), fence, number, outcome).await;
    }
    let before = journal.list(None, None, 100).await.unwrap();
    queue(journal.as_ref(), fence, 1..7, 9).await;
    let after = journal.list(None, None, 100).await.unwrap();
    assert_eq!(after[0].mail, mail(6), "the newest first");
    assert_eq!(after[1..], before);
}

async fn mails_are_claimed_when_they_are_due_the_urgent_ones_first_and_no_more_than_asked_for(
    store: Store<Port>,
) {
    let journal = store.open();
    let fence = lead(journal.as_ref()).await;
    assert_eq!(journal.next_due().await, Ok(None));
    queue(journal.as_ref(), fence, 1..4, 10).await;
    let urgent = vec![mail_of(4, MailKind::PasswordReset, 1), mail_of(5, MailKind::LockedOut, 1)];
    journal.advance(fence, "mails", Position(5), urgent, second(20)).await.unwrap();
    assert_eq!(journal.next_due().await, Ok(Some(second(10))));
    assert!(claimed(journal.as_ref(), fence, 9, 100).await.is_empty());
    assert!(claimed(journal.as_ref(), fence, 20, 0).await.is_empty());
    assert_eq!(claimed(journal.as_ref(), fence, 19, 1).await, [1]);
    assert_eq!(claimed(journal.as_ref(), fence, 20, 3).await, [4, 5, 2]);
    assert_eq!(journal.next_due().await, Ok(Some(second(10))));
    assert_eq!(claimed(journal.as_ref(), fence, 20, 100).await, [3]);
    assert_eq!(journal.next_due().await, Ok(None), "what is claimed is not due");
    let entry = journal.entry(effect(1)).await.unwrap().unwrap();
    assert_eq!((entry.state, entry.tries), (MailState::Sending, 1));
}

async fn of_many_who_claim_at_once_nobody_gets_a_mail_of_another(store: Store<Port>) {
    let nodes = store.two();
    let fence = lead(nodes[0].as_ref()).await;
    queue(nodes[0].as_ref(), fence, 1..101, 0).await;
    let claiming = (0..20).map(|task| {
        let journal = nodes[task % 2].clone();
        tokio::spawn(async move {
            let first = claimed(journal.as_ref(), fence, 0, 3).await;
            [first, claimed(journal.as_ref(), fence, 0, 2).await].concat()
        })
    });
    let mut all: Vec<u64> = join_all(claiming).await.into_iter().flat_map(Result::unwrap).collect();
    all.sort_unstable();
    assert_eq!(all, (1..101).collect::<Vec<_>>());
    let entries = nodes[1].list(None, None, 1000).await.unwrap();
    assert!(entries.iter().all(|entry| entry.tries == 1 && entry.state == MailState::Sending));
}

async fn what_was_claimed_is_due_again_once_it_is_reclaimed(store: Store<Port>) {
    let [one, other] = store.two();
    let fence = lead(one.as_ref()).await;
    queue(one.as_ref(), fence, 1..4, 0).await;
    assert_eq!(claimed(one.as_ref(), fence, 5, 2).await, [1, 2]);
    conclude(one.as_ref(), fence, 1, MailOutcome::Sent).await;
    let again = store.reopen([one, other]);
    assert_eq!(again.counts().await.unwrap().sending, 1, "a stop does not end a claim");
    let fence = lead(again.as_ref()).await;
    again.reclaim(fence).await.unwrap();
    let due = again.claim_due(fence, second(6), 10).await.unwrap();
    let tries: Vec<_> = due.into_iter().map(|claimed| (claimed.mail.position.0, claimed.tries)).collect();
    assert_eq!(tries, [(2, 2), (3, 1)], "the try of before counts");
}

async fn each_outcome_leads_to_its_state(store: Store<Port>) {
    let [one, other] = store.two();
    let fence = lead(one.as_ref()).await;
    queue(one.as_ref(), fence, 1..6, 0).await;
    claimed(one.as_ref(), fence, 10, 4).await;
    let outcomes = [MailOutcome::Sent, MailOutcome::Void, retry(99), dead()];
    for (number, outcome) in (1..).zip(outcomes) {
        conclude(one.as_ref(), fence, number, outcome).await;
    }
    let check = async |journal: &Port| {
        let ended = Some(second(50));
        for (number, state, ends, verdict) in [
            (1, MailState::Sent, ended, None),
            (2, MailState::Void, ended, None),
            (3, MailState::Pending, None, Some("recipient 451 4.7.1")),
            (4, MailState::Dead, ended, Some("recipient 550 5.1.1")),
            (5, MailState::Pending, None, None),
        ] {
            let entry = journal.entry(effect(number)).await.unwrap().unwrap();
            assert_eq!((entry.state, entry.ended_at), (state, ends), "mail {number}");
            assert_eq!(entry.verdict.map(|said| said.stored()).as_deref(), verdict, "mail {number}");
            assert_eq!(entry.why, verdict.map(|said| trouble(said).why), "mail {number}");
        }
        assert_eq!(journal.entry(effect(3)).await.unwrap().unwrap().due_at, second(99));
        let counts = journal.counts().await.unwrap();
        assert_eq!((counts.pending, counts.sending, counts.dead, counts.tried_in_vain), (2, 0, 1, 1));
        assert_eq!(counts.oldest_pending, Some(second(0)));
    };
    check(one.as_ref()).await;
    check(other.as_ref()).await;
    check(store.reopen([one, other]).as_ref()).await;
}

async fn a_mail_that_is_tried_again_keeps_how_often_and_how_long_it_waited(store: Store<Port>) {
    let journal = store.open();
    let fence = lead(journal.as_ref()).await;
    queue(journal.as_ref(), fence, 1..2, 0).await;
    for tries in 1..4_u32 {
        let waited = TimeDelta::seconds(i64::from(tries) - 1);
        let expected = ClaimedMail { mail: mail(1), tries, waited };
        let at = second(i64::from(tries) * 10);
        assert_eq!(journal.claim_due(fence, at, 10).await, Ok(vec![expected]));
        let waited = waited + TimeDelta::seconds(1);
        let trouble = trouble("recipient 451 4.7.1");
        let outcome = MailOutcome::Retry { at: at + TimeDelta::seconds(10), waited, trouble };
        journal.conclude(fence, effect(1), outcome, at).await.unwrap();
        assert!(claimed(journal.as_ref(), fence, i64::from(tries) * 10 + 9, 10).await.is_empty());
    }
}

async fn a_fate_is_to_be_noted_until_the_log_knows_it(store: Store<Port>) {
    let [one, other] = store.two();
    let fence = lead(one.as_ref()).await;
    queue(one.as_ref(), fence, 1..6, 0).await;
    claimed(one.as_ref(), fence, 0, 5).await;
    for (number, outcome) in
        [(1, MailOutcome::Sent), (2, MailOutcome::Void), (3, retry(99)), (4, dead()), (5, MailOutcome::Sent)]
    {
        one.conclude(fence, effect(number), outcome, second(10 + i64::try_from(number).unwrap()))
            .await
            .unwrap();
    }
    let fate = |number: u64, given_up: Option<&str>| UnnotedFate {
        mail: mail(number),
        at: second(10 + i64::try_from(number).unwrap()),
        given_up: given_up.map(|said| trouble(said).why),
    };
    let (first, fourth, fifth) = (fate(1, None), fate(4, Some("recipient 550 5.1.1")), fate(5, None));
    let all = vec![first.clone(), fourth.clone(), fifth.clone()];
    assert_eq!(one.unnoted(second(20), 10).await, Ok(all.clone()));
    assert_eq!(other.unnoted(second(20), 2).await, Ok(all[..2].to_vec()));
    one.not_noted(fence, effect(1), "its key is missing".to_owned(), second(100)).await.unwrap();
    one.noted(fence, effect(5)).await.unwrap();
    let again = store.reopen([one, other]);
    assert_eq!(again.unnoted(second(99), 10).await, Ok(vec![fourth.clone()]));
    assert_eq!(again.unnoted(second(100), 10).await, Ok(vec![fourth, first]));
    let entry = again.entry(effect(1)).await.unwrap().unwrap();
    assert_eq!(
        (entry.unnoted.as_deref(), again.counts().await.unwrap().unnoted),
        (Some("its key is missing"), 1)
    );
    let fence = lead(again.as_ref()).await;
    again.noted(fence, effect(1)).await.unwrap();
    again.noted(fence, effect(4)).await.unwrap();
    assert_eq!(again.unnoted(second(1000), 10).await, Ok(Vec::new()));
    assert_eq!(again.counts().await.unwrap().unnoted, 0);
    assert_eq!(again.entry(effect(1)).await.unwrap().unwrap().unnoted, None);
}

async fn why_no_mail_goes_is_known_on_every_node_and_after_a_stop(store: Store<Port>) {
    let [one, other] = store.two();
    let fence = lead(one.as_ref()).await;
    queue(one.as_ref(), fence, 1..2, 0).await;
    let hold = |at, said: &str| Hold { since: second(at), trouble: trouble(said) };
    assert_eq!(other.held().await, Ok(None));
    for hold in [hold(1, "sender 553 5.7.1"), hold(2, "connect unreachable")] {
        one.hold(fence, Some(hold.clone())).await.unwrap();
        assert_eq!(other.held().await, Ok(Some(hold)));
    }
    let mails = other.mails_of(mail(1).recipient, 10).await.unwrap();
    assert_eq!(mails[0].delivery, Delivery::Held { since: second(2) });
    let again = store.reopen([one, other]);
    assert_eq!(again.held().await, Ok(Some(hold(2, "connect unreachable"))));
    again.hold(lead(again.as_ref()).await, None).await.unwrap();
    assert_eq!(again.held().await, Ok(None));
    assert_eq!(again.mails_of(mail(1).recipient, 10).await.unwrap()[0].delivery, Delivery::Waiting);
}

/// A caller may not learn whether a change was made, and then makes it again.
async fn making_a_change_twice_is_as_making_it_once(store: Store<Port>) {
    let journal = store.open();
    let fence = lead(journal.as_ref()).await;
    queue(journal.as_ref(), fence, 1..6, 0).await;
    claimed(journal.as_ref(), fence, 0, 4).await;
    let hold = Some(Hold { since: second(1), trouble: trouble("sender 553 5.7.1") });
    let outcomes = || [MailOutcome::Sent, MailOutcome::Void, retry(99), dead()];
    let mut seen = Vec::new();
    for _ in 0..2 {
        for (number, outcome) in (1..).zip(outcomes()) {
            conclude(journal.as_ref(), fence, number, outcome).await;
        }
        seen.push(everything(journal.as_ref()).await);
    }
    assert_eq!(seen[0], seen[1], "concluded twice");
    let mut seen = Vec::new();
    for _ in 0..2 {
        queue(journal.as_ref(), fence, 1..8, 7).await;
        journal.hold(fence, hold.clone()).await.unwrap();
        journal.not_noted(fence, effect(4), "not now".to_owned(), second(60)).await.unwrap();
        journal.noted(fence, effect(1)).await.unwrap();
        journal.reclaim(fence).await.unwrap();
        seen.push(everything(journal.as_ref()).await);
    }
    assert_eq!(seen[0], seen[1], "everything else twice");
}

async fn the_mails_to_an_account_and_about_an_event_are_found(store: Store<Port>) {
    let [one, other] = store.two();
    let fence = lead(one.as_ref()).await;
    let mails = [(1, 7), (2, 8), (3, 7), (4, 9), (5, 7)];
    for (number, recipient) in mails {
        let mail = mail_of(number, MailKind::Activation, recipient);
        let at = second(i64::try_from(number).unwrap());
        one.advance(fence, "mails", Position(number), vec![mail], at).await.unwrap();
    }
    let of = AccountId(Uuid::from_u128(7));
    let numbers = async |limit| {
        let mails = other.mails_of(of, limit).await.unwrap();
        mails.into_iter().map(|mail| mail.about.0).collect::<Vec<_>>()
    };
    assert_eq!(numbers(10).await, [5, 3, 1], "the newest first");
    assert_eq!(numbers(2).await, [5, 3]);
    assert!(other.mails_of(AccountId(Uuid::from_u128(1)), 10).await.unwrap().is_empty());
    let about = other.mails_about(of, vec![Position(2), Position(3), Position(99)]).await.unwrap();
    let expected: BTreeSet<Uuid> = [1, 2, 3, 5].map(effect).into();
    assert_eq!(about.into_iter().collect::<BTreeSet<_>>(), expected);
}

async fn an_operator_sees_every_mail_and_tries_again_by_hand(store: Store<Port>) {
    let [one, operator] = store.two();
    let fence = lead(one.as_ref()).await;
    queue(one.as_ref(), fence, 1..7, 0).await;
    claimed(one.as_ref(), fence, 0, 5).await;
    for (number, outcome) in [(1, MailOutcome::Sent), (2, dead()), (3, dead()), (4, retry(99))] {
        conclude(one.as_ref(), fence, number, outcome).await;
    }
    let numbers = async |state, recipient: Option<u128>, limit| {
        let recipient = recipient.map(|recipient| AccountId(Uuid::from_u128(recipient)));
        let list = operator.list(state, recipient, limit).await.unwrap();
        list.into_iter().map(|entry| entry.mail.position.0).collect::<BTreeSet<_>>()
    };
    assert_eq!(numbers(None, None, 100).await, (1..7).collect());
    assert_eq!(numbers(None, None, 4).await.len(), 4);
    assert_eq!(numbers(Some(MailState::Dead), None, 100).await, [2, 3].into());
    assert_eq!(numbers(Some(MailState::Sending), Some(1), 100).await, [5].into());
    assert_eq!(numbers(None, Some(2), 100).await, BTreeSet::new());
    assert_eq!(operator.entry(effect(99)).await, Ok(None));
    // This needs no lease.
    for (number, can) in [(1, false), (2, true), (4, true), (5, false), (6, true), (99, false)] {
        assert_eq!(operator.retry(effect(number), second(60)).await, Ok(can), "mail {number}");
    }
    assert_eq!(operator.retry_all_dead(second(60)).await, Ok(1));
    assert_eq!(operator.retry_all_dead(second(60)).await, Ok(0));
    let due = one.claim_due(fence, second(60), 100).await.unwrap();
    let due: BTreeMap<_, _> =
        due.into_iter().map(|due| (due.mail.position.0, (due.tries, due.waited))).collect();
    let anew = (1, TimeDelta::zero());
    assert_eq!(due, [(2, anew), (3, anew), (4, anew), (6, anew)].into(), "tried for as long as a new one");
}

/// A request may end, or a task may be stopped. A call may be dropped at any step.
async fn a_caller_who_is_gone_leaves_a_change_whole_or_not_made(store: Store<Port>) {
    let [one, other] = store.two();
    let fence = lead(one.as_ref()).await;
    for n in 1..40_u64 {
        let mails = vec![mail(2 * n), mail(2 * n + 1)];
        let mut advance = one.advance(fence, "mails", Position(n), mails, second(0));
        for _ in 0..n % 4 {
            assert!(futures_util::poll!(&mut advance).is_pending() || n % 4 > 0);
            if n % 4 == 3 {
                break;
            }
            tokio::task::yield_now().await;
            if other.checkpoint("mails").await.unwrap() == Position(n) {
                break;
            }
        }
        drop(advance);
        let seen = other.checkpoint("mails").await.unwrap();
        // The call may still end later. Everything that can be seen is complete.
        for number in 1..=seen.0 {
            let is_there = |number| other.entry(effect(number));
            let (mut first, second) =
                (is_there(2 * number).await.unwrap(), is_there(2 * number + 1).await.unwrap());
            if first.is_none() && second.is_some() {
                // The call may have ended between the two reads.
                first = is_there(2 * number).await.unwrap();
            }
            assert_eq!(first.is_some(), second.is_some(), "half of the mails of {number}");
            assert!(number < seen.0 || first.is_some(), "a checkpoint without its mails");
        }
    }
}

async fn killed_at_any_moment_a_checkpoint_has_its_mails_and_nothing_that_was_told_is_lost(
    kills: Kills,
    make: Make<Port>,
) {
    let work = async |store: Store<Port>, _: usize, done: &mut Acknowledged| {
        let journal = store.open();
        let fence = lead(journal.as_ref()).await;
        journal.reclaim(fence).await.unwrap();
        for n in journal.checkpoint("mails").await.unwrap().0 + 1.. {
            let mails = vec![mail(2 * n), mail(2 * n + 1)];
            journal.advance(fence, "mails", Position(n), mails, second(0)).await.unwrap();
            done.add(&format!("queued {n}"));
            for claimed in journal.claim_due(fence, second(1), 2).await.unwrap() {
                let number = claimed.mail.position.0;
                done.add(&format!("claimed {number} {}", claimed.tries));
                journal.conclude(fence, effect(number), MailOutcome::Sent, second(2)).await.unwrap();
                done.add(&format!("sent {number}"));
                journal.noted(fence, effect(number)).await.unwrap();
                done.add(&format!("noted {number}"));
            }
        }
    };
    let check = async |store: Store<Port>, lines: Vec<String>| {
        let journal = store.open();
        let up_to = journal.checkpoint("mails").await.unwrap().0;
        let entries = journal.list(None, None, 1_000_000).await.unwrap();
        let there: BTreeSet<u64> = entries.iter().map(|entry| entry.mail.position.0).collect();
        assert_eq!(there, (2..2 * up_to + 2).collect(), "the mails up to {up_to}, and no others");
        let unnoted = journal.unnoted(second(9), 1_000_000).await.unwrap();
        let unnoted: BTreeSet<u64> = unnoted.iter().map(|fate| fate.mail.position.0).collect();
        let entries: BTreeMap<u64, &LedgerEntry> =
            entries.iter().map(|entry| (entry.mail.position.0, entry)).collect();
        for line in &lines {
            let words: Vec<&str> = line.split(' ').collect();
            let number: u64 = words[1].parse().unwrap();
            let entry = entries.get(&number);
            match words[0] {
                "queued" => assert!(number <= up_to, "{line} is lost"),
                "claimed" => assert!(entry.unwrap().tries >= words[2].parse().unwrap(), "{line} is lost"),
                "sent" => assert_eq!(entry.unwrap().state, MailState::Sent, "{line} is lost"),
                _ => assert!(!unnoted.contains(&number), "{line} is lost"),
            }
        }
    };
    kills.at_any_moment(make, work, check).await;
}
