//! Whether the clock tells a stranger which accounts there are: logins and reset requests of several kinds, in random
//! order over one connection, and how well one could tell each kind from another by the time that its answer took.
//!
//! For each kind: the median, and between what eight of ten lie. For each pair: the probability that an answer of the one takes longer than one of the other (the area
//! under the curve, which is Mann and Whitney's U over all pairs), with the range in which it lies 95 times of 100 where
//! nothing differs; and the greatest distance between their distributions (Kolmogorov and Smirnov's D), with what it
//! stays under 95 times of 100 then.
//!
//! `-- --program PATH` measures a program that was built elsewhere; `-- --tries N` takes so many of each kind of login.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr)] // a benchmark is started by hand, and prints what it measured

use std::time::{Duration, Instant};

use loquet_benches::client::{Connection, request};
use loquet_benches::program::{Program, executable};
use loquet_benches::story::{Story, activate};
use loquet_benches::{Outcome, argument, cores};
use rand::seq::SliceRandom;
use serde_json::{Value, json};

/// Of each kind, unless told otherwise.
const LOGINS: usize = 480;
const RESETS: usize = 300;
/// Guesses at one address before another's turn: the seventh would lock it.
const GUESSES: usize = 6;
/// Reset mails that one account is sent in an hour.
const MAILS: usize = 5;
const WRONG: &str = "Croissant1!";

/// What is asked, and what it is asked of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Active,
    Unknown,
    Unactivated,
    Deleted,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Unknown => "unknown",
            Self::Unactivated => "not activated",
            Self::Deleted => "deleted and erased",
        }
    }
}

const OF_LOGINS: [Kind; 4] = [Kind::Active, Kind::Unknown, Kind::Unactivated, Kind::Deleted];
const OF_RESETS: [Kind; 2] = [Kind::Active, Kind::Unknown];

fn main() -> Outcome<()> {
    let tries = argument("--tries")?.unwrap_or(LOGINS);
    let folder = tempfile::tempdir()?;
    let program = Program::start(&executable()?, folder.path())?;
    let mut connection = Connection::open(program.address)?;
    let logins = Stage::new(&program, &mut connection, "logins", tries.div_ceil(GUESSES))?;
    let resets = Stage::new(&program, &mut connection, "resets", RESETS.min(tries).div_ceil(MAILS))?;
    println!("{} cores, {} {}; milliseconds", cores(), std::env::consts::OS, std::env::consts::ARCH);
    let guess = |email: &str| {
        request("POST", "/v1/logins", None, &json!({ "email": email, "password": WRONG }).to_string())
    };
    let taken = logins.measure(&mut connection, &OF_LOGINS, GUESSES, 401, guess)?;
    print_pairs("logins", &OF_LOGINS, &taken)?;
    let ask =
        |email: &str| request("POST", "/v1/password-resets", None, &json!({ "email": email }).to_string());
    let taken = resets.measure(&mut connection, &OF_RESETS, MAILS, 202, ask)?;
    print_pairs("reset requests", &OF_RESETS, &taken)
}

/// Addresses of each kind.
struct Stage {
    addresses: usize,
    name: String,
}

impl Stage {
    /// Makes the accounts, so many of each kind.
    fn new(program: &Program, connection: &mut Connection, name: &str, addresses: usize) -> Outcome<Self> {
        let stage = Self { addresses, name: name.to_owned() };
        for at in 0..addresses {
            for kind in [Kind::Active, Kind::Unactivated, Kind::Deleted] {
                let story = stage.story(kind, at)?;
                let placed = connection.call(&story.order(&program.token))?.expect(201)?;
                match kind {
                    Kind::Active => drop(activate(connection, &story)?.expect(204)?),
                    Kind::Deleted => delete(program, &placed.body)?,
                    Kind::Unactivated | Kind::Unknown => {}
                }
            }
        }
        Ok(stage)
    }

    fn story(&self, kind: Kind, at: usize) -> Outcome<Story> {
        // Names as long as one another: nothing but what they are differs.
        let letter = match kind {
            Kind::Active => 'a',
            Kind::Unknown => 'b',
            Kind::Unactivated => 'c',
            Kind::Deleted => 'd',
        };
        let number = u32::try_from(at)? * 8 + u32::from(letter) - u32::from('a') + 1_000_000;
        let number = if self.name == "resets" { number + 4 } else { number };
        Ok(Story::new(&format!("{}{letter}", self.name), number))
    }

    /// Tries each address so many times, all kinds in random order; gives the milliseconds of each kind's answers.
    fn measure(
        &self,
        connection: &mut Connection,
        kinds: &[Kind],
        each: usize,
        status: u16,
        asked: impl Fn(&str) -> Vec<u8>,
    ) -> Outcome<Vec<Vec<f64>>> {
        let mut turns = Vec::new();
        for (of, kind) in kinds.iter().enumerate() {
            for at in 0..self.addresses {
                let request = asked(&self.story(*kind, at)?.email());
                turns.extend(std::iter::repeat_n((of, request), each));
            }
        }
        turns.shuffle(&mut rand::rng());
        let mut taken = vec![Vec::new(); kinds.len()];
        for (of, request) in turns {
            let begun = Instant::now();
            let answer = connection.call(&request)?;
            let took = begun.elapsed();
            answer.expect(status)?;
            taken.get_mut(of).ok_or("no such kind")?.push(milliseconds(took));
        }
        Ok(taken)
    }
}

fn milliseconds(took: Duration) -> f64 {
    took.as_secs_f64() * 1e3
}

/// Erases the person, which deletes the account of a company's last administrator too.
fn delete(program: &Program, placed: &str) -> Outcome<()> {
    let placed: Value = serde_json::from_str(placed)?;
    let account = placed.get("account_id").and_then(Value::as_str).ok_or("no account")?;
    let reason = json!({ "reason": "benchmark" }).to_string();
    program.call("POST", &format!("/v1/accounts/{account}/erasure"), &reason)?.expect(204)?;
    Ok(())
}

fn print_pairs(what: &str, kinds: &[Kind], taken: &[Vec<f64>]) -> Outcome<()> {
    println!("\n{what}: {} of each kind, in random order", taken.first().map_or(0, Vec::len));
    for (kind, measured) in kinds.iter().zip(taken) {
        let at = |percent| percentile(measured, percent).ok_or("nothing was measured");
        let (tenth, half, ninetieth) = (at(10)?, at(50)?, at(90)?);
        println!("{:<20} {half:.2} ({tenth:.2} to {ninetieth:.2})", kind.name());
    }
    println!("{:<20} {:<20} {:<24} D", "", "against", "AUC");
    for (n, (kind, one)) in kinds.iter().zip(taken).enumerate() {
        for (other_kind, other) in kinds.iter().zip(taken).skip(n + 1) {
            let told = Told::apart(one, other).ok_or("nothing was measured")?;
            println!("{:<20} {:<20} {told}", kind.name(), other_kind.name());
        }
    }
    Ok(())
}

/// How well two kinds can be told apart.
struct Told {
    /// The probability that an answer of the first takes longer than one of the second.
    auc: f64,
    /// How far from a half it lies at most, 95 times of 100, where nothing differs.
    by_chance: f64,
    /// The greatest distance between the two distributions.
    distance: f64,
    /// What it stays under 95 times of 100, where nothing differs.
    distance_by_chance: f64,
}

impl Told {
    fn apart(one: &[f64], other: &[f64]) -> Option<Self> {
        let (m, n) = (count(one), count(other));
        let mut all: Vec<(f64, bool)> = one.iter().map(|took| (*took, true)).collect();
        all.extend(other.iter().map(|took| (*took, false)));
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        // Walked through from the shortest, equal ones together: pairs in which the first took longer, a tie half.
        let (mut ones, mut others, mut longer, mut distance) = (0.0, 0.0, 0.0, 0.0_f64);
        for equal in all.chunk_by(|a, b| a.0 == b.0) {
            let of_one = f64::from(u32::try_from(equal.iter().filter(|(_, first)| *first).count()).ok()?);
            let of_other = f64::from(u32::try_from(equal.len()).ok()?) - of_one;
            longer += of_one * (others + of_other / 2.0);
            ones += of_one;
            others += of_other;
            distance = distance.max((ones / m - others / n).abs());
        }
        Some(Self {
            auc: longer / (m * n),
            by_chance: 1.96 * ((m + n + 1.0) / (12.0 * m * n)).sqrt(),
            distance,
            distance_by_chance: 1.36 * ((m + n) / (m * n)).sqrt(),
        })
    }
}

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { auc, by_chance, distance, distance_by_chance } = self;
        let auc = format!("{auc:.3} ({:.3} to {:.3})", 0.5 - by_chance, 0.5 + by_chance);
        write!(f, "{auc:<24} {distance:.3} (under {distance_by_chance:.3})")
    }
}

fn count(measured: &[f64]) -> f64 {
    f64::from(u32::try_from(measured.len()).unwrap_or(u32::MAX))
}

fn percentile(measured: &[f64], percent: usize) -> Option<f64> {
    let mut sorted = measured.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().saturating_sub(1) * percent / 100).copied()
}
