//! Tokens of programs: random, scoped, kept as hashes only.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use loquet_domain::Moment;
use rusqlite::{Connection, OptionalExtension};
use sha2::{Digest, Sha256};

use crate::sqlite::{FileError, Kind, explain};

const TOKENS: Kind = Kind {
    what: "a Loquet token store",
    application_id: 0x4c71_7405,
    version: 1,
    upgrades: &[],
    holds_keys: false,
    remedy: "restore it from a backup, or delete it and make new tokens",
    synchronous: "FULL",
    schema: "
        CREATE TABLE IF NOT EXISTS tokens (
            hash       BLOB    PRIMARY KEY,  -- SHA-256 of the token
            name       TEXT    NOT NULL,
            scopes     TEXT    NOT NULL,     -- separated by spaces
            created_at INTEGER NOT NULL,     -- microseconds since 1970
            expires_at INTEGER
        ) STRICT, WITHOUT ROWID;",
};

/// For how long a token that was found is not looked up again. What other processes do to it is noticed
/// after that.
const RECENT: TimeDelta = TimeDelta::seconds(1);
/// With what a service token begins, so that a leaked one can be searched for.
pub const PREFIX: &str = "lqt_";

/// What a program may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Deliver orders.
    OrdersWrite,
    /// See orders.
    OrdersRead,
    /// See accounts, their lockouts and sessions.
    AccountsRead,
    /// Create, convert, delete and erase accounts; have activation mails sent; end sessions.
    AccountsWrite,
    /// End lockouts.
    LockoutsRelease,
    /// Read the history of accounts.
    EventsRead,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 6] = [
        Self::OrdersWrite,
        Self::OrdersRead,
        Self::AccountsRead,
        Self::AccountsWrite,
        Self::LockoutsRelease,
        Self::EventsRead,
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OrdersWrite => "orders:write",
            Self::OrdersRead => "orders:read",
            Self::AccountsRead => "accounts:read",
            Self::AccountsWrite => "accounts:write",
            Self::LockoutsRelease => "lockouts:release",
            Self::EventsRead => "events:read",
        }
    }
}

/// A name that is no scope's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown scope '{0}': there are orders:write, orders:read, accounts:read, accounts:write, lockouts:release, events:read"
)]
pub struct UnknownScope(String);

impl FromStr for Scope {
    type Err = UnknownScope;
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|scope| scope.name() == name).ok_or_else(|| UnknownScope(name.to_owned()))
    }
}

/// A program that showed its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The name that the operator gave it.
    pub name: String,
    /// What it may do.
    pub scopes: BTreeSet<Scope>,
}

/// The tokens of programs. Other processes may add to them while this one runs.
#[derive(Clone)]
pub struct ServiceTokens {
    connection: Arc<Mutex<Connection>>,
    recent: Arc<RwLock<HashMap<[u8; 32], Recent>>>,
}

/// A token as it was read a moment ago.
struct Recent {
    service: Service,
    expires_at: Option<i64>,
    read_at: Moment,
}

impl Recent {
    fn holds(&self, at: Moment) -> bool {
        let fresh = self.read_at <= at && at - self.read_at < RECENT;
        fresh && self.expires_at.is_none_or(|expires_at| expires_at > at.timestamp_micros())
    }
}

impl ServiceTokens {
    /// Opens the file, making it if there is none.
    ///
    /// # Errors
    /// [`FileError`] names the file and what is wrong.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        Ok(Self { connection: Arc::new(Mutex::new(TOKENS.open(path)?)), recent: Arc::default() })
    }

    /// Makes a token; it is shown this once.
    ///
    /// # Errors
    /// What SQLite said.
    pub fn create(
        &self,
        name: &str,
        scopes: &BTreeSet<Scope>,
        now: Moment,
        expires_at: Option<Moment>,
    ) -> Result<String, String> {
        let secret: [u8; 32] = rand::random();
        let token = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret));
        let names: Vec<_> = scopes.iter().map(|scope| scope.name()).collect();
        let row = (
            hash(&token),
            name,
            names.join(" "),
            now.timestamp_micros(),
            expires_at.map(|moment| moment.timestamp_micros()),
        );
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        connection.execute("INSERT INTO tokens VALUES (?, ?, ?, ?, ?)", row).map_err(|e| explain(&e))?;
        Ok(token)
    }

    /// Whose token it is, if it is one and holds at `at`.
    ///
    /// # Errors
    /// What SQLite said.
    pub fn find(&self, token: &str, at: Moment) -> Result<Option<Service>, String> {
        let hash = hash(token);
        let recent = self.recent.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(recent) = recent.get(&hash).filter(|recent| recent.holds(at)) {
            return Ok(Some(recent.service.clone()));
        }
        drop(recent);
        let found = self.read(&hash, at)?;
        let mut recent = self.recent.write().unwrap_or_else(PoisonError::into_inner);
        match &found {
            Some((service, expires_at)) => {
                let (service, expires_at) = (service.clone(), *expires_at);
                recent.insert(hash, Recent { service, expires_at, read_at: at })
            }
            None => recent.remove(&hash),
        };
        Ok(found.map(|(service, _)| service))
    }

    /// The token's service, and when it ends.
    fn read(&self, hash: &[u8; 32], at: Moment) -> Result<Option<(Service, Option<i64>)>, String> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let query = "SELECT name, scopes, expires_at FROM tokens
            WHERE hash = ? AND (expires_at IS NULL OR expires_at > ?)";
        let found: Option<(String, String, Option<i64>)> = connection
            .prepare_cached(query)
            .and_then(|mut query| {
                let row = query.query_row((hash, at.timestamp_micros()), |row| row.try_into());
                row.optional()
            })
            .map_err(|e| explain(&e))?;
        // A scope that this version does not know grants nothing.
        let service = |name, scopes: String| Service {
            name,
            scopes: scopes.split(' ').filter_map(|scope| scope.parse().ok()).collect(),
        };
        Ok(found.map(|(name, scopes, expires_at)| (service(name, scopes), expires_at)))
    }
}

/// A token has 256 random bits, so its plain hash gives nothing away.
fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}
