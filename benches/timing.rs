//! Measures whether response times tell an anonymous caller which accounts exist. Sends logins and reset
//! requests of several kinds, in random order over one connection. Then computes how well each kind can be
//! told apart from another by the response time. Logins are tried at open addresses, at locked ones with and
//! without device cookies, while others log in, and at addresses that nobody has asked for since the program
//! started.
//!
//! For each kind, prints the median and the range of the middle 80 %. For each pair, prints two numbers:
//!
//! - The probability that an answer of the first kind takes longer than one of the second (the area under the
//!   curve, which is Mann and Whitney's U over all pairs), and the range in which it lies in 95 of 100 cases if
//!   nothing differs.
//! - The greatest distance between the two distributions (Kolmogorov and Smirnov's D), and the value that it
//!   stays below in 95 of 100 cases if nothing differs.
//!
//! `-- --program PATH` measures a program that was built elsewhere. `-- --tries N` changes the number of
//! logins of each kind.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a benchmark is started by hand, and prints what it measured")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use loquet_benches::client::{Connection, request};
use loquet_benches::history::PASSWORD;
use loquet_benches::program::{Program, executable};
use loquet_benches::story::{Story, activate, log_in};
use loquet_benches::{Outcome, argument, cores};
use rand::seq::SliceRandom;
use serde_json::{Value, json};

/// The default number of tries of each kind.
const LOGINS: usize = 480;
const RESETS: usize = 300;
/// The number of guesses at one address before the next address. The seventh would lock it.
const GUESSES: usize = 6;
/// The number of reset mails that one account gets in an hour.
const MAILS: usize = 5;
const WRONG: &str = "Croissant1!";
/// The number of addresses of each kind that are tried once after a start.
const FIRST_TOUCHES: usize = 150;
/// The number of device tokens in a request: as many as the server reads.
const COOKIES: u32 = 50;

/// The kinds of addresses that requests are about.
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
const TWO: [Kind; 2] = [Kind::Active, Kind::Unknown];

fn main() -> Outcome<()> {
    let tries = argument("--tries")?.unwrap_or(LOGINS);
    let folder = tempfile::tempdir()?;
    let executable = executable()?;
    let program = Program::start(&executable, folder.path())?;
    let mut connection = Connection::open(program.address)?;
    println!("{} cores, {} {}; milliseconds", cores(), std::env::consts::OS, std::env::consts::ARCH);

    let logins = Stage::new(&program, &mut connection, ("logins", 0), tries.div_ceil(GUESSES))?;
    let taken = logins.measure(&mut connection, &OF_LOGINS, GUESSES, 401, guess)?;
    print_pairs("refused logins (401)", &OF_LOGINS, &taken)?;

    logins.lock(&mut connection, &OF_LOGINS)?;
    let taken = logins.measure(&mut connection, &OF_LOGINS, GUESSES, 423, guess)?;
    print_pairs("logins at locked addresses (423)", &OF_LOGINS, &taken)?;
    let cookies = cookies(&program, &mut connection)?;
    let with_cookies = |email: &str| guess_with(email, &cookies);
    let taken = logins.measure(&mut connection, &OF_LOGINS, GUESSES, 423, with_cookies)?;
    print_pairs("the same with 50 cookies of devices", &OF_LOGINS, &taken)?;

    let busy = Stage::new(&program, &mut connection, ("busy", 1), tries.div_ceil(GUESSES))?;
    let taken = busy.beside_logins(&program, &mut connection)?;
    print_pairs("refused logins (401) beside others that succeed", &OF_LOGINS, &taken)?;

    let resets = Stage::new(&program, &mut connection, ("resets", 2), RESETS.min(tries).div_ceil(MAILS))?;
    let ask =
        |email: &str| request("POST", "/v1/password-resets", None, &json!({ "email": email }).to_string());
    let taken = resets.measure(&mut connection, &TWO, MAILS, 202, ask)?;
    print_pairs("reset requests (202)", &TWO, &taken)?;

    // Each address is tried once. Nothing about it is in the memory of a program that has just started.
    let fresh = Stage::new(&program, &mut connection, ("fresh", 3), FIRST_TOUCHES.min(tries))?;
    drop(connection);
    program.stop()?;
    let program = Program::start(&executable, folder.path())?;
    program.current()?;
    let mut connection = Connection::open(program.address)?;
    let taken = fresh.measure(&mut connection, &OF_LOGINS, 1, 401, guess)?;
    print_pairs("refused logins (401), each address for the first time since the start", &OF_LOGINS, &taken)
}

fn guess(email: &str) -> Vec<u8> {
    guess_with(email, "")
}

/// Builds the request of a wrong login, with further headers.
fn guess_with(email: &str, head: &str) -> Vec<u8> {
    let body = json!({ "email": email, "password": WRONG }).to_string();
    let length = body.len();
    let head = format!(
        "POST /v1/logins HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\n{head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    format!("{head}{body}").into_bytes()
}

/// Returns as many device tokens as the server reads, of accounts that nobody guesses at.
fn cookies(program: &Program, connection: &mut Connection) -> Outcome<String> {
    let mut pairs = Vec::new();
    for number in 0..COOKIES {
        let story = Story::new("cookies", 4_000_000 + number);
        connection.call(&story.order(&program.token))?.expect(201)?;
        activate(connection, &story)?.expect(204)?;
        let answer = log_in(connection, &story, PASSWORD)?.expect(201)?;
        let (account, token) = (answer.text("account_id")?, answer.text("device_token")?);
        pairs.push(format!("__Host-loquet-device-{account}={token}"));
    }
    Ok(format!("Cookie: {}\r\n", pairs.join("; ")))
}

/// The addresses of each kind.
struct Stage {
    addresses: usize,
    name: &'static str,
    /// Distinguishes its merchants from those of other stages.
    number: u32,
}

impl Stage {
    /// Makes this many accounts of each kind.
    fn new(
        program: &Program,
        connection: &mut Connection,
        (name, number): (&'static str, u32),
        addresses: usize,
    ) -> Outcome<Self> {
        let stage = Self { addresses, name, number };
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
        // All names have the same length, so that only their kinds differ.
        let letter = match kind {
            Kind::Active => 'a',
            Kind::Unknown => 'b',
            Kind::Unactivated => 'c',
            Kind::Deleted => 'd',
        };
        let kind = u32::from(letter) - u32::from('a');
        let number = 1_000_000 + self.number * 100_000 + u32::try_from(at)? * 4 + kind;
        Ok(Story::new(&format!("{}{letter}", self.name), number))
    }

    /// Locks every address.
    fn lock(&self, connection: &mut Connection, kinds: &[Kind]) -> Outcome<()> {
        for kind in kinds {
            for at in 0..self.addresses {
                let request = guess(&self.story(*kind, at)?.email());
                while connection.call(&request)?.status == 401 {}
            }
        }
        Ok(())
    }

    /// Tries each address while others log in with the right password, on two connections all the time.
    fn beside_logins(&self, program: &Program, connection: &mut Connection) -> Outcome<Vec<Vec<f64>>> {
        let story = Story::new("others", 5_000_000);
        connection.call(&story.order(&program.token))?.expect(201)?;
        activate(connection, &story)?.expect(204)?;
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let others = [(); 2].map(|()| scope.spawn(|| log_in_until(program, &story, &over)));
            let taken = self.measure(connection, &OF_LOGINS, GUESSES, 401, guess);
            over.store(true, Ordering::Relaxed);
            for other in others {
                other.join().map_err(|_| "a caller panicked")??;
            }
            taken
        })
    }

    /// Tries each address this many times, all kinds in random order. Returns the milliseconds of each kind's
    /// answers.
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
        #[expect(clippy::disallowed_methods, reason = "no order may favour a side")]
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

fn log_in_until(program: &Program, story: &Story, over: &AtomicBool) -> Outcome<()> {
    let mut connection = Connection::open(program.address)?;
    while !over.load(Ordering::Relaxed) {
        log_in(&mut connection, story, PASSWORD)?.expect(201)?;
    }
    Ok(())
}

fn milliseconds(took: Duration) -> f64 {
    took.as_secs_f64() * 1e3
}

/// Erases the person. This also deletes the account of a company's last administrator.
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
            let told = Told::background(one, other).ok_or("nothing was measured")?;
            println!("{:<20} {:<20} {told}", kind.name(), other_kind.name());
        }
    }
    Ok(())
}

/// How well two kinds can be told apart.
struct Told {
    /// The probability that an answer of the first kind takes longer than one of the second.
    auc: f64,
    /// The largest distance from one half, in 95 of 100 cases, if nothing differs.
    by_chance: f64,
    /// The greatest distance between the two distributions.
    distance: f64,
    /// The value that it stays below in 95 of 100 cases, if nothing differs.
    distance_by_chance: f64,
}

impl Told {
    fn background(one: &[f64], other: &[f64]) -> Option<Self> {
        let (m, n) = (count(one), count(other));
        let mut all: Vec<(f64, bool)> = one.iter().map(|took| (*took, true)).collect();
        all.extend(other.iter().map(|took| (*took, false)));
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        // Goes through the times from the shortest, equal ones together. Counts the pairs in which the first
        // took longer. A tie counts as a half.
        let (mut ones, mut others, mut longer, mut distance) = (0.0, 0.0, 0.0, 0.0_f64);
        for equal in all.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
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
