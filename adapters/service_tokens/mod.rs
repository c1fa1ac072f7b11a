//! Tokens of programs and of the supplier's people: random, kept as hashes only. A program's names its scopes, a
//! person's names their role, from which the scopes follow.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use loquet_domain::Moment;
use loquet_domain::fact::{Actor, StaffRole};
use rusqlite::{Connection, Row, TransactionBehavior};
use sha2::{Digest, Sha256};

use crate::sqlite::{FileError, Kind, explain};

mod scope;
#[cfg(test)]
mod tests;

pub use scope::{Scope, UnknownScope, scopes_of};

pub(crate) const TOKENS: Kind = Kind {
    what: "a Loquet token store",
    application_id: 0x4c71_7405,
    version: 4,
    upgrades: &[
        "ALTER TABLE tokens ADD COLUMN last_used_at INTEGER;
         ALTER TABLE tokens ADD COLUMN revoked_at INTEGER;",
        "ALTER TABLE tokens ADD COLUMN family BLOB NOT NULL DEFAULT x'';
         UPDATE tokens SET family = hash;",
        // Deleting and erasing were part of accounts:write: what was made with it goes on as it was.
        "ALTER TABLE tokens ADD COLUMN role TEXT;
         UPDATE tokens SET scopes = scopes || ' accounts:delete'
             WHERE ' ' || scopes || ' ' LIKE '% accounts:write %';",
    ],
    holds_keys: false,
    remedy: "restore it from a backup, or delete it and make new tokens",
    synchronous: "FULL",
    schema: "
        CREATE TABLE IF NOT EXISTS tokens (
            hash       BLOB    PRIMARY KEY,  -- SHA-256 of the token
            name       TEXT    NOT NULL,
            scopes     TEXT    NOT NULL,     -- separated by spaces; of a program's token
            created_at INTEGER NOT NULL,     -- microseconds since 1970
            expires_at INTEGER,
            last_used_at INTEGER,            -- to the minute
            revoked_at INTEGER,
            family     BLOB    NOT NULL,     -- hash of the first token that this one was rotated from
            role       TEXT                  -- of a person's token: what it may do follows from this alone
        ) STRICT, WITHOUT ROWID;",
};

/// With what a service token begins, so that a leaked one can be searched for.
pub const PREFIX: &str = "lqt_";

/// To whom a token is given, and with it what it may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grant {
    /// A program, which may do this.
    Program(BTreeSet<Scope>),
    /// One of the supplier's people, who may do what this role may at any time.
    Staff(StaffRole),
}

/// A program, or one of the supplier's people, that showed a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The name that the operator gave it.
    pub name: String,
    /// What it may do.
    pub scopes: BTreeSet<Scope>,
    /// Of a person, as what they act.
    pub role: Option<StaffRole>,
    /// Whose token it is: a name may be given twice.
    pub family: TokenFamily,
}

impl Service {
    /// As what its acts are noted.
    #[must_use]
    pub fn actor(&self) -> Actor {
        match self.role {
            Some(role) => Actor::Staff { name: self.name.clone(), role },
            None => Actor::Service { name: self.name.clone() },
        }
    }

    fn grant(&self) -> Grant {
        self.role.map_or_else(|| Grant::Program(self.scopes.clone()), Grant::Staff)
    }
}

/// A token and those that it was rotated to, and no other of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenFamily([u8; 32]);

impl std::fmt::Display for TokenFamily {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A token as an operator sees it: all but the token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct TokenEntry {
    /// The beginning of its hash: tells tokens apart and gives nothing away.
    pub id: String,
    pub service: Arc<Service>,
    pub created_at: Moment,
    pub expires_at: Option<Moment>,
    /// To the minute.
    pub last_used_at: Option<Moment>,
    pub revoked_at: Option<Moment>,
}

impl TokenEntry {
    /// Whether it holds at `at`.
    #[must_use]
    pub fn holds(&self, at: Moment) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|ends| at < ends)
    }
}

/// The tokens. Other processes may change them while this one runs.
#[derive(Clone)]
pub struct ServiceTokens {
    inner: Arc<Mutex<Inner>>,
    uses: Arc<Uses>,
}

/// Uses that are to be noted. They have a connection of their own: whoever asks whose token it is never waits
/// for a write.
struct Uses {
    connection: Mutex<Connection>,
    pending: Mutex<HashMap<[u8; 32], Moment>>,
}

struct Inner {
    connection: Connection,
    /// All of them, as they were at that version of the file: there are few, and asking is part of
    /// every request.
    known: HashMap<[u8; 32], TokenEntry>,
    version: Option<i64>,
}

/// How exactly the last use is noted: writing it down at each use would cost more than the use.
const NOTED: TimeDelta = TimeDelta::minutes(1);

impl ServiceTokens {
    /// Opens the file, making it if there is none.
    ///
    /// # Errors
    /// [`FileError`] names the file and what is wrong.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let inner = Inner { connection: TOKENS.open(path)?, known: HashMap::new(), version: None };
        let connection = TOKENS.open_further(path)?;
        let uses = Uses { connection: Mutex::new(connection), pending: Mutex::default() };
        Ok(Self { inner: Arc::new(Mutex::new(inner)), uses: Arc::new(uses) })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a token; it is shown this once.
    ///
    /// # Errors
    /// What SQLite said.
    pub fn create(
        &self,
        name: &str,
        grant: &Grant,
        now: Moment,
        expires_at: Option<Moment>,
    ) -> Result<String, String> {
        let mut inner = self.lock();
        let token = inner.insert(name, grant, now, expires_at, None).map_err(|e| explain(&e))?;
        inner.version = None;
        Ok(token)
    }

    /// Every token, the oldest first; those that have ended among them.
    ///
    /// # Errors
    /// What SQLite said.
    pub fn list(&self) -> Result<Vec<TokenEntry>, String> {
        let mut inner = self.lock();
        inner.refresh().map_err(|e| explain(&e))?;
        let mut entries: Vec<_> = inner.known.values().cloned().collect();
        entries.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        Ok(entries)
    }

    /// Makes a token with the name and the scopes or the role of another, which ends at `old_ends` at the latest.
    /// None where there is no such token, or it has ended.
    ///
    /// # Errors
    /// What SQLite said.
    pub fn rotate(&self, id: &str, now: Moment, old_ends: Moment) -> Result<Option<String>, String> {
        let mut inner = self.lock();
        let mut rotate = || {
            inner.refresh()?;
            let found = inner.known.iter().find(|(_, entry)| entry.id == id && entry.holds(now));
            let Some((hash, entry)) = found.map(|(hash, entry)| (*hash, entry.clone())) else {
                return Ok(None);
            };
            let ends = entry.expires_at.map_or(old_ends, |ends| ends.min(old_ends));
            let service = &*entry.service;
            let (grant, family) = (service.grant(), Some(service.family));
            let token = inner.insert(&service.name, &grant, now, entry.expires_at, family)?;
            let end = "UPDATE tokens SET expires_at = ? WHERE hash = ?";
            inner.connection.execute(end, (ends.timestamp_micros(), hash))?;
            inner.version = None;
            Ok(Some(token))
        };
        rotate().map_err(|e: rusqlite::Error| explain(&e))
    }

    /// Ends a token at once. No, where there is no such token, or it has ended.
    ///
    /// # Errors
    /// What SQLite said.
    pub fn revoke(&self, id: &str, now: Moment) -> Result<bool, String> {
        let mut inner = self.lock();
        let mut revoke = || {
            inner.refresh()?;
            let found = inner.known.iter().find(|(_, entry)| entry.id == id && entry.holds(now));
            let Some(hash) = found.map(|(hash, _)| *hash) else { return Ok(false) };
            let end = "UPDATE tokens SET revoked_at = ? WHERE hash = ?";
            inner.connection.execute(end, (now.timestamp_micros(), hash))?;
            inner.version = None;
            Ok(true)
        };
        revoke().map_err(|e: rusqlite::Error| explain(&e))
    }

    /// Whose token it is, if it is one and holds at `at`. Another process's change is seen at once.
    ///
    /// # Errors
    /// What SQLite said.
    pub fn find(&self, token: &str, at: Moment) -> Result<Option<Arc<Service>>, String> {
        let hash = hash(token);
        let mut inner = self.lock();
        inner.refresh().map_err(|e| explain(&e))?;
        let Some(entry) = inner.known.get_mut(&hash).filter(|entry| entry.holds(at)) else { return Ok(None) };
        let service = entry.service.clone();
        if entry.last_used_at.is_none_or(|last| at - last >= NOTED) {
            entry.last_used_at = Some(at);
            self.note_use(hash, at);
        }
        Ok(Some(service))
    }

    /// Notes a use beside whoever waits for the answer, together with others. One that is lost is noted a
    /// minute later.
    fn note_use(&self, hash: [u8; 32], at: Moment) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let mut pending = self.uses.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = pending.is_empty();
        pending.insert(hash, at);
        if is_first {
            let uses = self.uses.clone();
            drop(runtime.spawn_blocking(move || {
                if let Err(error) = uses.write() {
                    tracing::warn!(error = %explain(&error), "the use of some tokens was not noted");
                }
            }));
        }
    }
}

impl Uses {
    fn write(&self) -> rusqlite::Result<()> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let pending = std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner));
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (hash, at) in pending {
            let note = "UPDATE tokens SET last_used_at = ? WHERE hash = ?";
            transaction.prepare_cached(note)?.execute((at.timestamp_micros(), hash))?;
        }
        transaction.commit()
    }
}

impl Inner {
    fn insert(
        &self,
        name: &str,
        grant: &Grant,
        now: Moment,
        expires_at: Option<Moment>,
        family: Option<TokenFamily>,
    ) -> rusqlite::Result<String> {
        let secret: [u8; 32] = rand::random();
        let token = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret));
        let (scopes, role) = match grant {
            Grant::Program(scopes) => (scopes.iter().map(|scope| scope.name()).collect(), None),
            Grant::Staff(role) => (Vec::new(), Some(role.name())),
        };
        let expires_at = expires_at.map(|moment| moment.timestamp_micros());
        let hash = hash(&token);
        let family = family.map_or(hash, |family| family.0);
        let row = (hash, name, scopes.join(" "), now.timestamp_micros(), expires_at, family, role);
        self.connection.execute("INSERT INTO tokens VALUES (?, ?, ?, ?, ?, NULL, NULL, ?, ?)", row)?;
        Ok(token)
    }

    /// Reads the tokens again if another process has written to the file.
    fn refresh(&mut self) -> rusqlite::Result<()> {
        let version = self
            .connection
            .prepare_cached("PRAGMA data_version")?
            .query_row([], |row| row.get::<_, i64>(0))?;
        if self.version == Some(version) {
            return Ok(());
        }
        let mut select = self.connection.prepare_cached(
            "SELECT hash, name, scopes, created_at, expires_at, last_used_at, revoked_at, family, role FROM tokens",
        )?;
        self.known = select.query_map([], entry)?.collect::<rusqlite::Result<_>>()?;
        self.version = Some(version);
        Ok(())
    }
}

fn entry(row: &Row<'_>) -> rusqlite::Result<([u8; 32], TokenEntry)> {
    let hash: [u8; 32] = row.get(0)?;
    let moment = |column| {
        let micros: Option<i64> = row.get(column)?;
        Ok::<_, rusqlite::Error>(micros.and_then(Moment::from_timestamp_micros))
    };
    // A scope or a role that this version does not know grants nothing.
    let role: Option<String> = row.get(8)?;
    let role = role.map(|role| role.parse::<StaffRole>().ok());
    let scopes = match role {
        None => row.get_ref(2)?.as_str()?.split(' ').filter_map(|scope| scope.parse().ok()).collect(),
        Some(role) => role.map(scopes_of).unwrap_or_default(),
    };
    let entry = TokenEntry {
        id: id(&hash),
        service: Arc::new(Service {
            name: row.get(1)?,
            scopes,
            role: role.flatten(),
            family: TokenFamily(row.get(7)?),
        }),
        created_at: moment(3)?.unwrap_or(Moment::MIN_UTC),
        expires_at: moment(4)?,
        last_used_at: moment(5)?,
        revoked_at: moment(6)?,
    };
    Ok((hash, entry))
}

/// The id under which a token is listed.
#[must_use]
pub fn id_of(token: &str) -> String {
    id(&hash(token))
}

fn id(hash: &[u8; 32]) -> String {
    hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// A token has 256 random bits, so its plain hash gives nothing away.
fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}
