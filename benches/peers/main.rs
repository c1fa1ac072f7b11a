//! Loquet beside other systems, in turns in one run: logins and attempts at a locked account beside Keycloak, durable appends
//! beside PostgreSQL and `UmaDB`, and bare `fdatasync` beside them.
//!
//! `benches/peers/install` installs what is started. What is not there is said, and left out.
//!
//! Keycloak has the same parameters of Argon2id and the same lockout as Loquet, a database in its own process, and no cluster.
//! It is warm: it did 1,000 logins before. A login there is a direct access grant, the cheapest that it has. PostgreSQL is
//! measured over the loopback interface by a client that writes what many callers want with one statement, and checks no
//! revisions. `UmaDB` is measured by its own client, in the feature `peers`, with a condition for each append: no later event of
//! the same stream.
//!
//! `-- --program PATH` measures a program that was built elsewhere.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a benchmark is started by hand, and prints what it measured")]

mod keycloak;
#[cfg(feature = "peers")]
mod umadb;

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use loquet_benches::append_load::{Log, appends_a_second};
use loquet_benches::bare_postgres::BarePostgres;
use loquet_benches::client::{Connection, answers_a_second, request};
use loquet_benches::history::PASSWORD;
use loquet_benches::program::{Program, executable, processor_seconds};
use loquet_benches::story::{Story, activate, log_in};
use loquet_benches::{Comparison, Outcome, print_conditions, print_head, print_row, rate_since};
use loquet_credentials::password_hasher::Cost;
use loquet_postgres::event_store::PostgresStore;
use loquet_sqlite::event_store::SqliteStore;
use loquet_tests::postgres_server::PostgresServer;
use tokio::runtime::Runtime;

use self::keycloak::Keycloak;

const ROUNDS: u32 = 5;
/// How long logins are measured at a time.
const LOGINS: Duration = Duration::from_secs(5);
/// How long appends are measured at a time.
const APPENDS: Duration = Duration::from_millis(800);
const PEOPLE: u32 = 100;
/// Java compiles what runs often. After so many logins nothing changes any more.
const WARM: f64 = 1000.0;
const CALLERS: [u64; 3] = [1, 64, 512];
/// How many times as much as its peers it should do.
const GOALS: (f64, f64) = (4.0, 2.0);
const WRONG: &str = "Guess1234!";

fn main() -> Outcome<()> {
    let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/peers").canonicalize();
    let peers = peers.unwrap_or_default();
    match distribution(&peers) {
        Some(distribution) => beside_keycloak(&distribution)?,
        None => println!("Keycloak: left out, it is not installed (benches/peers/install)"),
    }
    appends(&peers)
}

/// The folder of Keycloak's distribution.
fn distribution(peers: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(peers).ok()?.filter_map(Result::ok).map(|entry| entry.path());
    entries.filter(|path| path.join("bin/kc.sh").exists()).max()
}

/// One side of a comparison over HTTP.
struct Side {
    address: SocketAddr,
    process: u32,
    requests: Vec<Vec<u8>>,
    status: u16,
}

impl Side {
    /// Answers a second, and for each second of the server's processor time.
    fn measure(&self) -> Outcome<(f64, f64)> {
        let before = processor_seconds(self.process)?;
        let rate = answers_a_second(&[self.address], &self.requests, self.status, LOGINS)?;
        let used = processor_seconds(self.process)? - before;
        Ok((rate, rate * LOGINS.as_secs_f64() / used))
    }
}

fn compare(what: &str, ours: &Side, theirs: &Side) -> Outcome<()> {
    let (mut by_clock, mut by_processor) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (ours, theirs) = (ours.measure()?, theirs.measure()?);
        by_clock.push((ours.0, theirs.0));
        by_processor.push((ours.1, theirs.1));
    }
    print_head(what, "Loquet", "Keycloak");
    print_row("a second", &Comparison::of(&by_clock)?, Some(GOALS.0));
    print_row("a CPU second", &Comparison::of(&by_processor)?, None);
    Ok(())
}

fn beside_keycloak(distribution: &Path) -> Outcome<()> {
    let cost = Cost::default();
    let folder = tempfile::tempdir()?;
    let loquet = Program::start(&executable()?, folder.path())?;
    let mut connection = Connection::open(loquet.address)?;
    let stories: Vec<_> = (1..=PEOPLE).map(|number| Story::new("peers", number)).collect();
    for story in &stories {
        connection.call(&story.order(&loquet.token))?.expect(201)?;
        activate(&mut connection, story)?.expect(204)?;
    }
    let keycloak = Keycloak::start(distribution, PEOPLE, cost)?;
    let name = distribution.file_name().unwrap_or_default().display().to_string();
    println!(
        "Loquet beside {name}, Argon2id with {} KiB, {} passes and {} lane on both sides, {PEOPLE} people, 32 connections",
        cost.memory_kib, cost.passes, cost.lanes
    );
    print_conditions(ROUNDS, LOGINS);

    let ours =
        |requests, status| Side { address: loquet.address, process: loquet.process(), requests, status };
    let theirs =
        |requests, status| Side { address: keycloak.address, process: keycloak.process, requests, status };
    let login =
        |story: &Story, password: &str| request("POST", "/v1/logins", None, &story.credentials(password));
    // The last person is the one who is locked out.
    let own = stories.iter().skip(1).map(|story| login(story, PASSWORD)).collect();
    let other = (1..PEOPLE).map(|number| keycloak::login(number, PASSWORD)).collect();
    let (own, other) = (ours(own, 201), theirs(other, 200));
    let (mut logins, begun) = (0.0, Instant::now());
    while logins < WARM {
        logins += other.measure()?.0 * LOGINS.as_secs_f64();
    }
    println!("Keycloak did {logins:.0} logins in {:.0} s before", begun.elapsed().as_secs_f64());
    compare("logins", &own, &other)?;
    let refused = keycloak.count("LOGIN_ERROR")?;
    if refused > 0 {
        return Err(format!("Keycloak refused {refused} right logins").into());
    }

    let locked = stories.first().ok_or("nobody")?;
    // The first connection was idle for too long.
    let mut connection = Connection::open(loquet.address)?;
    while log_in(&mut connection, locked, WRONG)?.status != 423 {}
    let mut connection = Connection::open(keycloak.address)?;
    let guess = keycloak::login(0, WRONG);
    while keycloak.count("user_temporarily_disabled")? == 0 {
        connection.call(&guess)?;
    }
    let status = connection.call(&guess)?.status;
    let judged = keycloak.count("invalid_user_credentials")?;
    let (own, other) = (ours(vec![login(locked, WRONG)], 423), theirs(vec![guess], status));
    other.measure()?;
    compare("locked out", &own, &other)?;
    if keycloak.count("invalid_user_credentials")? > judged {
        return Err("Keycloak judged guesses at a locked account".into());
    }
    Ok(())
}

/// How often a second a few bytes of a file that does not grow are made durable.
fn syncs_a_second(folder: &Path) -> Outcome<f64> {
    let mut file = File::create(folder.join("synced"))?;
    file.write_all(&[0; 4096])?;
    file.sync_all()?;
    let (start, mut syncs) = (Instant::now(), 0);
    while start.elapsed() < APPENDS {
        std::os::unix::fs::FileExt::write_all_at(&file, &[1; 512], 0)?;
        file.sync_data()?;
        syncs += 1;
    }
    Ok(rate_since(start, syncs))
}

fn appends(peers: &Path) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let runtime = Runtime::new()?;
    let streams = Arc::new(AtomicU64::new(0));
    let embedded = SqliteStore::open(&folder.path().join("log.db"))?;
    println!("\ndurable appends a second of one event, at a revision");
    print_conditions(ROUNDS, APPENDS);
    println!("bare fdatasync of 512 bytes: {:.0} a second", syncs_a_second(folder.path())?);
    match PostgresServer::start("peers") {
        None => println!("PostgreSQL: left out, it is not installed (benches/peers/install)"),
        Some(server) => {
            let store = runtime.block_on(async { PostgresStore::open(server.database()) });
            runtime.block_on(async { loquet_domain::ports::EventStore::head(&store).await })?;
            let bare = runtime.block_on(BarePostgres::connect(&server))?;
            beside("PostgreSQL", &runtime, &streams, &embedded, &bare)?;
        }
    }
    #[cfg(feature = "peers")]
    match umadb::UmaDb::start(&runtime, &peers.join("bin/umadb"), folder.path())? {
        Some(uma) => beside("UmaDB", &runtime, &streams, &embedded, &uma.log)?,
        None => println!("UmaDB: left out, it is not installed (benches/peers/install)"),
    }
    #[cfg(not(feature = "peers"))]
    println!("UmaDB: left out, its client is in the feature `peers` ({} has the server)", peers.display());
    embedded.close();
    Ok(())
}

fn beside(
    name: &str,
    runtime: &Runtime,
    streams: &Arc<AtomicU64>,
    embedded: &SqliteStore,
    peer: &impl Log,
) -> Outcome<()> {
    appends_a_second(runtime, embedded, streams, 64, APPENDS / 5)?;
    appends_a_second(runtime, peer, streams, 64, APPENDS / 5)?;
    print_head("callers", "embedded log", name);
    for callers in CALLERS {
        let compared = Comparison::in_turns(
            ROUNDS,
            || appends_a_second(runtime, embedded, streams, callers, APPENDS),
            || appends_a_second(runtime, peer, streams, callers, APPENDS),
        )?;
        print_row(&callers.to_string(), &compared, Some(GOALS.1));
    }
    Ok(())
}
