//! Complete logins a second on all cores, compared with bare Argon2id with the same parameters on all cores.
//!
//! A login is complete: the address claim, the account's lock and state, the hash, the decision, the sealed
//! event, its durable append, and the session token. The difference to 1.0 is the cost of everything besides
//! the hash.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a benchmark is started by hand, and prints what it measured")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use loquet_benches::engine::{context, open};
use loquet_benches::{Comparison, Outcome, cores, print_conditions, print_head, print_row, rate_since};
use loquet_credentials::password_hasher::Cost;
use loquet_domain::account::Account;
use loquet_domain::app::{App, Credentials, Login};
use loquet_domain::ports::{LinkClaims, Purpose};
use loquet_domain::values::email_address::EmailAddress;
use loquet_domain::values::password::Password;
use loquet_http::OrderBody;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

const ROUNDS: u32 = 5;
const WINDOW: Duration = Duration::from_secs(4);
const GOAL: f64 = 0.95;
const ACCOUNTS: usize = 200;
const CALLERS: usize = 64;
const PASSWORD: &str = "Boulange7!";

fn main() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let runtime = Runtime::new()?;
    let (app, store) = open(folder.path())?;
    let addresses = Arc::new(runtime.block_on(open_accounts(&app))?);
    let mut bare = Bare::new(Cost::default())?;
    bare.hashes_a_second(Duration::from_millis(200))?;

    println!("complete logins a second, {CALLERS} callers over {ACCOUNTS} accounts");
    print_conditions(ROUNDS, WINDOW);
    let compared = Comparison::in_turns(
        ROUNDS,
        || logins_a_second(&runtime, &app, &addresses),
        || bare.hashes_a_second(WINDOW),
    )?;
    print_head("", "logins/s", "bare Argon2id/s");
    print_row("all cores", &compared, Some(GOAL));
    store.close();
    Ok(())
}

/// Creates accounts that can log in, by address. Each comes by an order and its link, as in production.
async fn open_accounts(app: &Arc<App>) -> Outcome<Vec<EmailAddress>> {
    let mut opening = JoinSet::new();
    for n in 0..ACCOUNTS {
        let app = app.clone();
        opening.spawn(async move { open_account(&app, n).await });
    }
    opening.join_all().await.into_iter().collect()
}

async fn open_account(app: &App, n: usize) -> Outcome<EmailAddress> {
    let email = format!("marie.dupont.{n}@boulangerie.example");
    let context = context();
    let order = OrderBody::read(order(n, &email).as_bytes(), app.tokens(), context.at);
    let placed = app.place_order(&context, order.map_err(|faults| faults.join("; "))?).await?;
    let account = placed.onboarded.account;
    let Account::Invited(invited) = app.account(account).await? else {
        return Err("a new account is not invited".into());
    };
    let link = invited.activation;
    let claims =
        LinkClaims { purpose: Purpose::Activation, account, event: link.event, expires_at: link.expires_at };
    app.activate(&context, &app.tokens().link(&claims), Password::new(PASSWORD.to_owned())).await?;
    Ok(EmailAddress::parse(&email)?)
}

/// A first order, for a separate company each.
fn order(n: usize, email: &str) -> String {
    let address =
        r#"{"street":"Rue Neuve","number":"12","postal_code":"1000","town":"Bruxelles","country":"BE"}"#;
    let number = format!("{n:08}{:02}", 97 - n % 97);
    format!(
        r#"{{"order_id":"SO-{n}","channel":"online","placed_at":"2026-11-20T09:30:00Z",
            "company":{{"country":"BE","enterprise_number":"{number}","legal_name":"Boulangerie {n}","registered_office":{address}}},
            "contact":{{"email":"{email}","given_name":"Marie","family_name":"Dupont","language":"fr"}},
            "lines":[{{"model":"PAX A920 Mobile","quantity":1,"delivery_address":{address}}}]}}"#
    )
}

/// Logs in with one account after another until the window ends. Every login that began is counted.
fn logins_a_second(runtime: &Runtime, app: &Arc<App>, addresses: &Arc<Vec<EmailAddress>>) -> Outcome<f64> {
    let next = Arc::new(AtomicUsize::new(0));
    let start = Instant::now();
    runtime.block_on(async {
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            let (app, addresses, next) = (app.clone(), addresses.clone(), next.clone());
            callers.spawn(async move {
                let mut logins = 0;
                while start.elapsed() < WINDOW {
                    let turn = next.fetch_add(1, Ordering::Relaxed) % addresses.len();
                    let email = addresses.get(turn).ok_or("no such account")?.clone();
                    log_in(&app, email).await?;
                    logins += 1;
                }
                Ok(logins)
            });
        }
        let logins = callers.join_all().await.into_iter().sum::<Outcome<u32>>()?;
        Ok(rate_since(start, logins))
    })
}

async fn log_in(app: &App, email: EmailAddress) -> Outcome<()> {
    let credentials = Credentials {
        email,
        password: Password::new(PASSWORD.to_owned()),
        second: None,
        devices: Vec::new(),
    };
    match app.log_in(&context(), credentials).await? {
        Login::Succeeded { .. } => Ok(()),
        other => Err(format!("the right password led to {other:?}").into()),
    }
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
