//! One caller. It sends one request after another, as visitors of a portal and the programs behind it do.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use loquet_benches::client::{Answer, Connection, request};
use loquet_benches::history::PASSWORD;
use loquet_benches::{Outcome, pause};

use crate::merchants::{Merchant, Run};
use crate::record::{Kind, Record, Verdict};

/// How long a caller waits before it connects again.
const PAUSE: Duration = Duration::from_millis(200);
/// The number of failed connections in a row after which a caller gives up.
const FAILURES: u32 = 50;

pub(crate) struct Visitor {
    address: SocketAddr,
    token: String,
    merchants: Arc<Vec<Merchant>>,
    run: Run,
    orders: u32,
    turn: usize,
}

impl Visitor {
    pub(crate) fn new(
        address: SocketAddr,
        token: String,
        merchants: Arc<Vec<Merchant>>,
        number: u32,
    ) -> Self {
        let turn = usize::try_from(number).unwrap_or(0);
        Self { address, token, merchants, run: Run::new(), orders: 0, turn }
    }

    /// Sends requests until it is told to stop: one after another, or one after each such time from a moment on. The time that
    /// a request of the latter waited for the answer before counts as its own.
    pub(crate) fn visit(mut self, record: &Record, stop: &AtomicBool, pace: Option<(Duration, Instant)>) {
        let mut connection = None;
        let mut failures = 0;
        let mut due = pace.map(|(_, first)| first);
        while !stop.load(Ordering::Relaxed) && failures < FAILURES {
            let kind = some_kind();
            let request = self.request(kind);
            let begun = due.unwrap_or_else(Instant::now);
            pause(begun.saturating_duration_since(Instant::now()));
            due = pace.map(|(pace, _)| begun + pace);
            match ask(&mut connection, self.address, &request) {
                Ok(answer) => {
                    failures = 0;
                    let said = format!("{} {}", answer.status, answer.body);
                    record.note(kind, verdict(kind, answer.status), begun.elapsed(), &said);
                }
                Err(error) => {
                    failures += 1;
                    record.note(kind, Verdict::Failed, begun.elapsed(), &error.to_string());
                    pause(PAUSE);
                }
            }
        }
    }

    fn request(&mut self, kind: Kind) -> Vec<u8> {
        // The stride is odd, so that callers sometimes meet at the same account, as people do.
        self.turn = self.turn.wrapping_add(17);
        let turn = self.turn % self.merchants.len().max(1);
        let Some(Merchant { story, account }) = self.merchants.get(turn) else { return Vec::new() };
        let log_in = |password| request("POST", "/v1/logins", None, &story.credentials(password));
        let query = |path: String| request("GET", &path, Some(&self.token), "");
        match kind {
            Kind::LogIn => log_in(PASSWORD),
            Kind::Guess => log_in("Guess1234!"),
            Kind::Reset => {
                let body = serde_json::json!({ "email": story.email() }).to_string();
                request("POST", "/v1/password-resets", None, &body)
            }
            Kind::Lockout => query(format!("/v1/accounts/{account}/lockout")),
            Kind::Account => query(format!("/v1/accounts/{account}")),
            Kind::Order => {
                self.orders += 1;
                self.run.story(self.orders).order(&self.token)
            }
        }
    }
}

/// How many of a hundred requests are of each kind.
#[expect(clippy::disallowed_methods, reason = "a load is not repeated")]
fn some_kind() -> Kind {
    match rand::random::<u32>() % 100 {
        0..35 => Kind::LogIn,
        35..45 => Kind::Guess,
        45..48 => Kind::Reset,
        48..53 => Kind::Order,
        53..80 => Kind::Lockout,
        _ => Kind::Account,
    }
}

/// Sends a request over the open connection. Opens a connection if there is none.
fn ask(connection: &mut Option<Connection>, address: SocketAddr, request: &[u8]) -> Outcome<Answer> {
    let mut open = match connection.take() {
        Some(open) => open,
        None => Connection::open(address)?,
    };
    let answer = open.call(request)?;
    *connection = Some(open);
    Ok(answer)
}

fn verdict(kind: Kind, status: u16) -> Verdict {
    match (kind, status) {
        (Kind::LogIn | Kind::Order, 201)
        | (Kind::Guess, 401)
        | (Kind::Reset, 202)
        | (Kind::Lockout | Kind::Account, 200) => Verdict::Expected,
        (Kind::LogIn | Kind::Guess, 423) => Verdict::Locked,
        (_, 429 | 503) => Verdict::Limited,
        _ => Verdict::Failed,
    }
}
