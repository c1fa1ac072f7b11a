//! How fast mails are handed over, and when the queue waits for the mail server.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use loquet_domain::Moment;
use loquet_domain::ids::AccountId;
use tokio::time::Instant;

use super::judge::Judgement;
use super::verdict::{Answer, Trouble};
use crate::ports::Hold;

/// The longest pause before a mail server that can't be reached, or is busy, is tried again.
const LONGEST_ABSENCE: TimeDelta = TimeDelta::seconds(30);
/// The longest pause before a mail server that refuses us is tried again. A client that tries too often stays
/// blocked.
const LONGEST_REFUSAL: TimeDelta = TimeDelta::minutes(5);
/// The first pause before a mail is tried again that the server may have taken. Usually the server had crashed.
const PERHAPS_TAKEN: TimeDelta = TimeDelta::seconds(20);
/// The pause after the second time. It is long, since each try may deliver a copy.
const PERHAPS_TAKEN_AGAIN: TimeDelta = TimeDelta::minutes(10);
/// The longest such pause.
const LONGEST_PERHAPS_TAKEN: TimeDelta = TimeDelta::hours(6);
/// After this many recipients in a row who are refused for a reason that may be about us, it is about us.
const SEVERAL: usize = 3;
/// After this many recipients in a row who are refused for good without a reason, it is about us, not about their
/// addresses.
const MANY: usize = 5;

/// How handing a mail over ended, for the mails after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Server {
    /// The server said something about that mail, so the server is there.
    Answered,
    /// Every mail would get the same reply.
    Away(Trouble),
    /// The server was not asked, or its answer may be about us or about the mail.
    NotKnown,
}

/// When the next mail may be handed over.
pub(super) struct Pace {
    step: Duration,
    pub(super) next: Instant,
    /// How often in a row the mail server was away.
    absences: u32,
    /// Since when, and why.
    hold: Option<Hold>,
}

impl Pace {
    /// Allows this many mails a second. If the queue was held when this program last ran, one mail is tried first.
    pub(super) fn new(per_second: u32, hold: Option<Hold>) -> Self {
        let step = Duration::from_secs(1) / per_second.max(1);
        Self { step, next: Instant::now(), absences: u32::from(hold.is_some()), hold }
    }

    /// How many mails may be handed over now. It is one while the server is away, to see whether it is back.
    pub(super) fn allowed(&self, at_once: usize) -> usize {
        let due = Instant::now() >= self.next;
        if self.absences > 0 { usize::from(due) } else { at_once * usize::from(due) }
    }

    pub(super) fn took(&mut self, mails: usize) {
        let mails = u32::try_from(mails).unwrap_or(u32::MAX);
        self.next = self.next.max(Instant::now()) + self.step.saturating_mul(mails);
    }

    pub(super) fn learn(&mut self, server: Server, now: Moment) {
        match server {
            Server::Answered => self.release(),
            Server::Away(trouble) => {
                self.absences = self.absences.saturating_add(1);
                let pause = doubling(TimeDelta::seconds(1), self.absences, longest_of_all(&trouble));
                self.next = self.next.max(Instant::now() + pause.to_std().unwrap_or_default());
                let since = self.hold.as_ref().map_or(now, |hold| hold.since);
                self.hold = Some(Hold { since, trouble });
            }
            Server::NotKnown => {}
        }
    }

    /// The server is there, or no mail waits for it.
    pub(super) fn release(&mut self) {
        (self.absences, self.hold) = (0, None);
    }

    pub(super) fn hold(&self) -> Option<&Hold> {
        self.hold.as_ref()
    }
}

/// The longest pause of a mail that waits for the server.
pub(super) fn longest(trouble: &Trouble) -> TimeDelta {
    match trouble.verdict.map(|verdict| verdict.answer) {
        Some(Answer::Reply { code: 500.., .. }) => LONGEST_REFUSAL,
        _ => LONGEST_ABSENCE,
    }
}

/// The longest pause of the queue. It is short if the reply may be about one mail: another mail soon shows.
fn longest_of_all(trouble: &Trouble) -> TimeDelta {
    match trouble.verdict.map(|verdict| verdict.judgement()) {
        Some(Judgement::AboutUs) => longest(trouble),
        _ => LONGEST_ABSENCE,
    }
}

/// `first`, doubled each further time, at most `longest`.
pub(super) fn doubling(first: TimeDelta, times: u32, longest: TimeDelta) -> TimeDelta {
    let doubled = 1_i32 << times.saturating_sub(1).min(16);
    first.checked_mul(doubled).map_or(longest, |pause| pause.min(longest))
}

/// The pause before a mail is tried again that the server may have taken, after so many tries.
pub(super) fn pause_of_perhaps_taken(tries: u32) -> TimeDelta {
    match tries {
        0 | 1 => PERHAPS_TAKEN,
        _ => doubling(PERHAPS_TAKEN_AGAIN, tries - 1, LONGEST_PERHAPS_TAKEN),
    }
}

/// Counts the recipients in a row who were refused for reasons that may be about us. A mail that is taken sets the
/// count to zero.
#[derive(Default)]
pub(super) struct RefusedInARow(BTreeSet<AccountId>);

impl RefusedInARow {
    /// Counts a recipient whose refusal may be about us. Returns whether it must be about us.
    pub(super) fn unclear(&mut self, recipient: AccountId) -> bool {
        self.count(recipient) >= SEVERAL
    }

    /// Counts a recipient who was refused for good without a reason. Returns whether it can't be due to their
    /// addresses.
    pub(super) fn unexplained(&mut self, recipient: AccountId) -> bool {
        self.count(recipient) >= MANY
    }

    pub(super) fn end(&mut self) {
        self.0.clear();
    }

    fn count(&mut self, recipient: AccountId) -> usize {
        if self.0.len() < MANY {
            self.0.insert(recipient);
        }
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::super::verdict::Verdict;
    use super::*;
    use uuid::Uuid;

    fn trouble(said: &str) -> Trouble {
        Verdict::parse(said).unwrap().into()
    }

    fn at(second: i64) -> Moment {
        Moment::from_timestamp(1_700_000_000 + second, 0).unwrap()
    }

    #[test]
    fn a_server_that_refuses_us_is_asked_less_often_than_one_that_is_away() {
        let longest_of = |said: &str| {
            let trouble = trouble(said);
            (longest_of_all(&trouble).num_seconds(), longest(&trouble).num_seconds())
        };
        assert_eq!(longest_of("connect unreachable"), (30, 30));
        assert_eq!(longest_of("greeting 421"), (30, 30));
        assert_eq!(longest_of("sender 553 5.7.1"), (300, 300));
        // It may be a rule of each of the three recipients: the next mail shows.
        assert_eq!(longest_of("recipient 550 5.7.1"), (30, 300));
    }

    /// In three days a mail whose answer is always lost goes out some fifteen times, not thousands.
    #[test]
    fn a_mail_that_may_have_been_taken_is_soon_tried_once_more_and_then_seldom() {
        let pauses: Vec<_> = (1..=8).map(|tries| pause_of_perhaps_taken(tries).num_seconds()).collect();
        assert_eq!(pauses, [20, 600, 1_200, 2_400, 4_800, 9_600, 19_200, 21_600]);
        assert_eq!(pause_of_perhaps_taken(u32::MAX), LONGEST_PERHAPS_TAKEN);
    }

    #[tokio::test(start_paused = true)]
    async fn while_the_queue_is_held_one_mail_at_a_time_may_go_and_since_when_it_is_held_stays() {
        let mut pace = Pace::new(1000, None);
        assert_eq!(pace.allowed(4), 4);
        pace.learn(Server::Away(trouble("connect unreachable")), at(0));
        assert_eq!(pace.allowed(4), 0);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(pace.allowed(4), 1);
        pace.learn(Server::NotKnown, at(1));
        pace.learn(Server::Away(trouble("sender 553")), at(2));
        let hold = pace.hold().unwrap();
        assert_eq!((hold.since, &hold.trouble), (at(0), &trouble("sender 553")));
        pace.learn(Server::Answered, at(3));
        assert_eq!(pace.hold(), None);
        let held_before = Hold { since: at(0), trouble: trouble("sender 553") };
        assert_eq!(Pace::new(1000, Some(held_before)).allowed(4), 1);
    }

    #[test]
    fn only_different_recipients_in_a_row_show_that_a_refusal_is_about_us() {
        let account = |n: u128| AccountId(Uuid::from_u128(n));
        let mut row = RefusedInARow::default();
        assert!((0..20).all(|_| !row.unclear(account(1))), "one recipient, however often");
        assert!(!row.unclear(account(2)));
        assert!(row.unclear(account(3)));
        row.end();
        assert!((1..5).all(|n| !row.unexplained(account(n))));
        assert!(row.unexplained(account(5)));
    }
}
