//! How fast mails are sent, and when the queue waits for the mail server.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use loquet_domain::Moment;
use loquet_domain::ids::AccountId;
use tokio::time::Instant;

use super::judge::Judgement;
use super::verdict::{Answer, Trouble};
use crate::ports::Hold;

/// The longest pause before the next try if the mail server can't be reached or is busy.
const LONGEST_ABSENCE: TimeDelta = TimeDelta::seconds(30);
/// The longest pause before the next try if the mail server refuses us. A client that tries too often stays blocked.
const LONGEST_REFUSAL: TimeDelta = TimeDelta::minutes(5);
/// The first pause after a try in which the server may have accepted the mail. Usually the server had crashed.
const PERHAPS_TAKEN: TimeDelta = TimeDelta::seconds(20);
/// The pause after the second such try. It is long, because each try may deliver a copy.
const PERHAPS_TAKEN_AGAIN: TimeDelta = TimeDelta::minutes(10);
/// The longest such pause.
const LONGEST_PERHAPS_TAKEN: TimeDelta = TimeDelta::hours(6);
/// The number of recipients in a row with a reply that may be about us, after which it counts as being about us.
const SEVERAL: usize = 3;
/// The number of recipients in a row who are refused for good without a reason, after which the reply counts as being
/// about us and not about their addresses.
const MANY: usize = 5;

/// What a try to send a mail showed about the server, for the next mails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Server {
    /// The server said something about that mail, so it works.
    Answered,
    /// Every mail would get the same reply.
    Away(Trouble),
    /// The server was not asked, or its answer may be about us or about the mail.
    NotKnown,
}

/// When the next mail may be sent.
pub(super) struct Pace {
    step: Duration,
    pub(super) next: Instant,
    /// The number of times in a row that the mail server was away.
    absences: u32,
    /// Since when no mail is sent, and why.
    hold: Option<Hold>,
}

impl Pace {
    /// Allows this number of mails in a second. If the queue was held when this program last ran, one mail is tried
    /// first.
    pub(super) fn new(per_second: u32, hold: Option<Hold>) -> Self {
        let step = Duration::from_secs(1) / per_second.max(1);
        Self { step, next: Instant::now(), absences: u32::from(hold.is_some()), hold }
    }

    /// The number of mails that may be sent now. While the server is away it is one, to see whether the server is
    /// back.
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

    /// The server works again, or no mail waits for it.
    pub(super) fn release(&mut self) {
        (self.absences, self.hold) = (0, None);
    }

    pub(super) fn hold(&self) -> Option<&Hold> {
        self.hold.as_ref()
    }
}

/// The longest pause for a mail that waits for the server.
pub(super) fn longest(trouble: &Trouble) -> TimeDelta {
    match trouble.verdict.map(|verdict| verdict.answer) {
        Some(Answer::Reply { code: 500.., .. }) => LONGEST_REFUSAL,
        _ => LONGEST_ABSENCE,
    }
}

/// The longest pause for the queue. It is short if the reply may be about one mail, because another mail soon shows
/// which.
fn longest_of_all(trouble: &Trouble) -> TimeDelta {
    match trouble.verdict.map(|verdict| verdict.judgement()) {
        Some(Judgement::AboutUs) => longest(trouble),
        _ => LONGEST_ABSENCE,
    }
}

/// `first`, doubled for each further time, at most `longest`.
pub(super) fn doubling(first: TimeDelta, times: u32, longest: TimeDelta) -> TimeDelta {
    let doubled = 1_i32 << times.saturating_sub(1).min(16);
    first.checked_mul(doubled).map_or(longest, |pause| pause.min(longest))
}

/// The pause before the next try of a mail that the server may have accepted, after this number of tries.
pub(super) fn pause_of_perhaps_taken(tries: u32) -> TimeDelta {
    match tries {
        0 | 1 => PERHAPS_TAKEN,
        _ => doubling(PERHAPS_TAKEN_AGAIN, tries - 1, LONGEST_PERHAPS_TAKEN),
    }
}

/// The recipients in a row who were refused for reasons that may be about us. A mail that is accepted empties the
/// list.
#[derive(Default)]
pub(super) struct RefusedInARow(BTreeSet<AccountId>);

impl RefusedInARow {
    /// Adds a recipient whose refusal may be about us. Returns whether it now counts as being about us.
    pub(super) fn unclear(&mut self, recipient: AccountId) -> bool {
        self.count(recipient) >= SEVERAL
    }

    /// Adds a recipient who was refused for good without a reason. Returns whether it now counts as being about us,
    /// and not about the addresses.
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
        // It may be a rule of each of the three recipients. The next mail shows which.
        assert_eq!(longest_of("recipient 550 5.7.1"), (30, 300));
    }

    /// In three days a mail whose answer is always lost is sent about fifteen times, not thousands of times.
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
