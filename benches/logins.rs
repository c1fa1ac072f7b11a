//! Complete logins a second on all cores, compared with bare Argon2id with the same parameters on all cores.
//!
//! A login is complete: the address claim, the account's lock and state, the hash, the decision, the sealed
//! event, its durable append, and the session token. The difference to 1.0 is the cost of everything besides
//! the hash.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a benchmark is started by hand, and prints what it measured")]

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use loquet_benches::people::logins_a_second;
use loquet_benches::{Comparison, Outcome, cores, print_conditions, print_head, print_row, rate_since};
use loquet_credentials::password_hasher::Cost;
use loquet_instructions::engine::open;
use loquet_instructions::people::{PASSWORD, open_accounts};
use tokio::runtime::Runtime;

const ROUNDS: u32 = 5;
const WINDOW: Duration = Duration::from_secs(4);
const GOAL: f64 = 0.95;
const ACCOUNTS: usize = 200;
const CALLERS: usize = 64;

fn main() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let runtime = Runtime::new()?;
    let (app, store) = open(folder.path(), Cost::default())?;
    let addresses = Arc::new(runtime.block_on(open_accounts(&app, ACCOUNTS))?);
    let mut bare = Bare::new(Cost::default())?;
    bare.hashes_a_second(Duration::from_millis(200))?;

    println!("complete logins a second, {CALLERS} callers over {ACCOUNTS} accounts");
    print_conditions(ROUNDS, WINDOW);
    let compared = Comparison::in_turns(
        ROUNDS,
        || logins_a_second(&runtime, &app, &addresses, CALLERS, WINDOW),
        || bare.hashes_a_second(WINDOW),
    )?;
    print_head("", "logins/s", "bare Argon2id/s");
    print_row("all cores", &compared, Some(GOAL));
    store.close();
    Ok(())
}

/// Runs only Argon2id: one thread for each core, each with its own memory that it reuses.
struct Bare {
    argon2: Argon2<'static>,
    memories: Vec<Vec<Block>>,
}

impl Bare {
    fn new(cost: Cost) -> Outcome<Self> {
        let params =
            Params::new(cost.memory_kib, cost.passes, cost.lanes, None).map_err(|e| e.to_string())?;
        let memories = (0..cores()).map(|_| vec![Block::default(); params.block_count()]).collect();
        Ok(Self { argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params), memories })
    }

    fn hashes_a_second(&mut self, window: Duration) -> Outcome<f64> {
        let start = Instant::now();
        let argon2 = &self.argon2;
        let hashes = thread::scope(|scope| {
            let hashing: Vec<_> = self
                .memories
                .iter_mut()
                .map(|memory| scope.spawn(move || hash_until(argon2, memory, start + window)))
                .collect();
            let hashed = hashing.into_iter().map(|thread| thread.join().map_err(|_| "a thread panicked")?);
            hashed.sum::<Outcome<u32>>()
        })?;
        Ok(rate_since(start, hashes))
    }
}

fn hash_until(argon2: &Argon2<'_>, memory: &mut [Block], end: Instant) -> Outcome<u32> {
    let mut hashes = 0;
    let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
    while Instant::now() < end {
        argon2
            .hash_password_into_with_memory(
                PASSWORD.as_bytes(),
                b"sixteen bytes...",
                &mut output,
                &mut *memory,
            )
            .map_err(|e| e.to_string())?;
        hashes += 1;
    }
    Ok(hashes)
}
