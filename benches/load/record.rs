//! The results of the requests: how many there were, how long they took, and how many were refused or failed.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The kinds of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A login with the right password.
    LogIn,
    /// A login with a wrong password.
    Guess,
    /// A request for a reset mail.
    Reset,
    /// An order for a new customer.
    Order,
    /// A query whether an account is locked.
    Lockout,
    /// A query for an account.
    Account,
}

impl Kind {
    pub(crate) const ALL: [Self; 6] =
        [Self::LogIn, Self::Guess, Self::Reset, Self::Order, Self::Lockout, Self::Account];

    fn name(self) -> &'static str {
        match self {
            Self::LogIn => "login",
            Self::Guess => "wrong login",
            Self::Reset => "reset request",
            Self::Order => "order",
            Self::Lockout => "lockout query",
            Self::Account => "account query",
        }
    }
}

/// The kinds of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The answer that the kind of request expects.
    Expected,
    /// The account was locked.
    Locked,
    /// A limit refused the request, or the server was too busy.
    Limited,
    /// Any other answer, or none.
    Failed,
}

/// All results, by kind of request.
#[derive(Default)]
pub(crate) struct Record {
    kinds: [Mutex<OfKind>; Kind::ALL.len()],
}

#[derive(Default)]
struct OfKind {
    times: Times,
    locked: u64,
    limited: u64,
    failed: u64,
    /// The first unexpected answer.
    first: Option<String>,
}

impl Record {
    pub(crate) fn note(&self, kind: Kind, verdict: Verdict, took: Duration, said: &str) {
        let place = Kind::ALL.iter().position(|known| *known == kind);
        let Some(held) = place.and_then(|place| self.kinds.get(place)) else { return };
        let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
        held.times.note(took);
        match verdict {
            Verdict::Expected => {}
            Verdict::Locked => held.locked += 1,
            Verdict::Limited => held.limited += 1,
            Verdict::Failed => {
                held.failed += 1;
                held.first.get_or_insert_with(|| said.to_owned());
            }
        }
    }

    fn each(&self, mut look: impl FnMut(Kind, &OfKind)) {
        for (kind, held) in Kind::ALL.into_iter().zip(&self.kinds) {
            look(kind, &held.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Returns the number of answers.
    pub(crate) fn answers(&self) -> u64 {
        let mut answers = 0;
        self.each(|_, held| answers += held.times.count);
        answers
    }

    /// Returns the line that is shown during the run.
    pub(crate) fn summary(&self) -> String {
        let (mut all, mut limited, mut failed) = (Times::default(), 0, 0);
        self.each(|_, held| {
            all.add(&held.times);
            limited += held.limited;
            failed += held.failed;
        });
        format!("p50 {} p99 {}   {limited} limited, {failed} failed", shown(all.at(0.5)), shown(all.at(0.99)))
    }

    /// Returns the table that is shown at the end.
    pub(crate) fn print(&self, length: Duration) {
        print_cells(["", "answers", "a second", "p50", "p95", "p99", "max", "locked", "limited", "failed"]);
        self.each(|kind, held| {
            let times = &held.times;
            let count = u32::try_from(times.count).unwrap_or(u32::MAX);
            let rate = format!("{:.1}", f64::from(count) / length.as_secs_f64());
            let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|share| shown(times.at(share)));
            let counts = [times.count, held.locked, held.limited, held.failed].map(|count| count.to_string());
            let [answers, locked, limited, failed] = counts.each_ref().map(String::as_str);
            let max = shown(times.max);
            print_cells([kind.name(), answers, &rate, &p50, &p95, &p99, &max, locked, limited, failed]);
        });
        self.each(|kind, held| {
            if let Some(first) = &held.first {
                println!("the first failure of a {}: {first}", kind.name());
            }
        });
    }
}

/// Kinds of requests that take about as long, for tails: few requests of one kind say little of one in a thousand.
const GROUPS: [(&str, &[Kind]); 3] = [
    ("logins", &[Kind::LogIn, Kind::Guess]),
    ("orders", &[Kind::Order]),
    ("queries", &[Kind::Lockout, Kind::Account]),
];

impl Record {
    /// Prints the times of the slowest answers.
    pub(crate) fn print_tails(&self) {
        let head = ["answers", "p50", "p99", "p99.9", "max", "failed"].map(|cell| format!("{cell:>10}"));
        println!("{:<10}{}", "", head.join(""));
        for (name, kinds) in GROUPS {
            let (mut times, mut failed) = (Times::default(), 0);
            self.each(|kind, held| {
                if kinds.contains(&kind) {
                    times.add(&held.times);
                    failed += held.failed + held.limited;
                }
            });
            let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|share| shown(times.at(share)));
            let cells = [times.count.to_string(), p50, p99, p999, shown(times.max), failed.to_string()];
            println!("{name:<10}{}", cells.map(|cell| format!("{cell:>10}")).join(""));
        }
        self.each(|kind, held| {
            if let Some(first) = &held.first {
                println!("the first failure of a {}: {first}", kind.name());
            }
        });
    }
}

fn print_cells([kind, numbers @ ..]: [&str; 10]) {
    let numbers: Vec<_> = numbers.iter().map(|number| format!("{number:>9}")).collect();
    println!("{kind:<14} {}", numbers.join(" "));
}

/// Converts microseconds into milliseconds.
fn shown(micros: u64) -> String {
    let millis = f64::from(u32::try_from(micros).unwrap_or(u32::MAX)) / 1000.0;
    format!("{millis:.1} ms")
}

/// A histogram of times. Its error is at most one part in 32, and its memory is bounded.
#[derive(Clone)]
struct Times {
    shelves: Vec<u64>,
    count: u64,
    max: u64,
}

/// The number of shelves for each doubling of the time.
const FINE: u64 = 32;

impl Default for Times {
    fn default() -> Self {
        Self { shelves: vec![0; 1024], count: 0, max: 0 }
    }
}

impl Times {
    fn note(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let shelf = usize::try_from(shelf(micros)).unwrap_or(usize::MAX).min(self.shelves.len() - 1);
        self.shelves.iter_mut().skip(shelf).take(1).for_each(|count| *count += 1);
        self.count += 1;
        self.max = self.max.max(micros);
    }

    fn add(&mut self, other: &Self) {
        self.shelves.iter_mut().zip(&other.shelves).for_each(|(held, more)| *held += more);
        self.count += other.count;
        self.max = self.max.max(other.max);
    }

    /// Returns the time that this share of all answers took at most, in microseconds.
    fn at(&self, share: f64) -> u64 {
        let count = u32::try_from(self.count).unwrap_or(u32::MAX);
        let wanted = f64::from(count) * share;
        let mut seen = 0;
        let reached = self.shelves.iter().zip(0..).find(|(count, _)| {
            seen += **count;
            f64::from(u32::try_from(seen).unwrap_or(u32::MAX)) >= wanted
        });
        reached.map_or(0, |(_, shelf)| most_on(shelf).min(self.max))
    }
}

/// Returns the shelf for a time. The first 32 shelves hold one microsecond each, the next 32 two each, the
/// next 32 four each, and so on.
fn shelf(micros: u64) -> u64 {
    let doublings = (micros / FINE).checked_ilog2().map_or(0, |doublings| u64::from(doublings) + 1);
    match doublings {
        0 => micros,
        _ => doublings * FINE + (micros >> (doublings - 1)) - FINE,
    }
}

/// Returns the longest time that a shelf holds, in microseconds.
fn most_on(shelf: u64) -> u64 {
    match shelf / FINE {
        0 => shelf,
        doublings => ((shelf % FINE + FINE + 1) << (doublings - 1)) - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_lies_on_a_shelf_that_is_exact_to_one_part_in_32() {
        for micros in (0..5000).chain([65_535, 65_536, 1_000_000, 3_600_000_000]) {
            let most = most_on(shelf(micros));
            assert!(most >= micros && most - micros <= micros / 32, "{micros}: {most}");
        }
    }

    #[test]
    fn the_share_of_all_that_was_faster_is_counted() {
        let mut times = Times::default();
        (1..=100).for_each(|millis| times.note(Duration::from_millis(millis)));
        let near = |micros: u64, expected: u64| micros >= expected && micros - expected <= expected / 32;
        assert!(near(times.at(0.5), 50_000) && near(times.at(0.99), 99_000));
        assert_eq!((times.at(1.0), times.max, Times::default().at(0.5)), (100_000, 100_000, 0));
    }
}
