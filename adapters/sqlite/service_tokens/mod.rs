//! Service tokens in a SQLite file of their own.

use std::collections::HashMap;
use std::future::ready;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use loquet_domain::Moment;
use loquet_domain::ports::BoxFuture;
use loquet_http_ports::service_tokens::{
    Grant, PREFIX, Service, ServiceTokens, TokenEntry, TokenFamily, hash_of, id_of_hash,
};
use loquet_projections::ports::StoreFailed;
use rusqlite::{Connection, Row, Transaction, TransactionBehavior};

use crate::database::{FileError, Kind, SqliteFailed, explain};

#[cfg(test)]
mod tests;

pub(crate) const TOKENS: Kind = Kind {
    what: "a Loquet token store",
    application_id: 0x4c71_7405,
    version: 5,
    upgrades: &[
        "ALTER TABLE tokens ADD COLUMN last_used_at INTEGER;
         ALTER TABLE tokens ADD COLUMN revoked_at INTEGER;",
        "ALTER TABLE tokens ADD COLUMN family BLOB NOT NULL DEFAULT x'';
         UPDATE tokens SET family = hash;",
        // Deleting and erasing used to be part of accounts:write. Tokens from then keep these rights.
        "ALTER TABLE tokens ADD COLUMN role TEXT;
         UPDATE tokens SET scopes = scopes || ' accounts:delete'
             WHERE ' ' || scopes || ' ' LIKE '% accounts:write %';",
        "ALTER TABLE tokens ADD COLUMN created_by TEXT;
         ALTER TABLE tokens ADD COLUMN revoked_by TEXT;",
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
            role       TEXT,                 -- of a person's token: what it may do follows from this alone
            created_by TEXT,                 -- the system's user who made it, if known
            revoked_by TEXT
        ) STRICT, WITHOUT ROWID;",
};

/// The service tokens. Other processes may change them while this one runs.
#[derive(Clone)]
pub struct SqliteServiceTokens {
    inner: Arc<Mutex<Inner>>,
    uses: Arc<Uses>,
    operator: Option<Arc<str>>,
}

/// Uses of tokens that must be recorded. They are written over a separate connection, so that looking up a
/// token never waits for a write.
struct Uses {
    connection: Mutex<Connection>,
    pending: Mutex<HashMap<[u8; 32], Moment>>,
}

struct Inner {
    connection: Connection,
    /// All tokens, as of a version of the file. They are kept in memory because there are few, and every
    /// request looks one up.
    known: HashMap<[u8; 32], TokenEntry>,
    version: Option<i64>,
    /// When the file was last asked for its version.
    asked: Option<Instant>,
}

/// How long the tokens in memory are used before the file is asked again whether another process has changed it. A token
/// that another process revokes may still be used for this long. To ask takes locks on the file, at each request.
const FRESH: Duration = Duration::from_millis(1);

/// How accurate the last use is. Recording each use would cost more than the use itself.
const NOTED: TimeDelta = TimeDelta::minutes(1);

impl SqliteServiceTokens {
    /// Opens the file. Makes it if it does not exist.
    ///
    /// # Errors
    /// [`FileError`] names the file and what is wrong.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let inner =
            Inner { connection: TOKENS.open(path)?, known: HashMap::new(), version: None, asked: None };
        let connection = TOKENS.open_further(path)?;
        let uses = Uses { connection: Mutex::new(connection), pending: Mutex::default() };
        Ok(Self { inner: Arc::new(Mutex::new(inner)), uses: Arc::new(uses), operator: None })
    }

    /// The same tokens. Changes are noted as those of this user of the system.
    #[must_use]
    pub fn used_by(self, operator: Option<String>) -> Self {
        Self { operator: operator.map(Into::into), ..self }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn create_now(
        &self,
        name: &str,
        grant: &Grant,
        now: Moment,
        expires_at: Option<Moment>,
    ) -> Result<String, StoreFailed> {
        let by = self.operator.as_deref();
        self.change(|transaction| insert(transaction, name, grant, (now, by), expires_at, None))
    }

    fn list_now(&self) -> Result<Vec<TokenEntry>, StoreFailed> {
        let mut inner = self.lock();
        inner.asked = None;
        inner.refresh().map_err(failed)?;
        let mut entries: Vec<_> = inner.known.values().cloned().collect();
        entries.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        Ok(entries)
    }

    fn rotate_now(&self, id: &str, now: Moment, old_ends: Moment) -> Result<Option<String>, StoreFailed> {
        self.change(|transaction| {
            let Some((hash, entry)) = held(transaction, id, now)? else { return Ok(None) };
            let ends = entry.expires_at.map_or(old_ends, |ends| ends.min(old_ends));
            let service = &*entry.service;
            let (grant, family) = (service.grant(), Some(service.family));
            let made = (now, self.operator.as_deref());
            let token = insert(transaction, &service.name, &grant, made, entry.expires_at, family)?;
            let end = "UPDATE tokens SET expires_at = ? WHERE hash = ?";
            transaction.execute(end, (ends.timestamp_micros(), hash))?;
            Ok(Some(token))
        })
    }

    fn revoke_now(&self, id: &str, now: Moment) -> Result<bool, StoreFailed> {
        self.change(|transaction| {
            let Some((hash, _)) = held(transaction, id, now)? else { return Ok(false) };
            let end = "UPDATE tokens SET revoked_at = ?, revoked_by = ? WHERE hash = ?";
            let row = (now.timestamp_micros(), self.operator.as_deref(), hash);
            Ok(transaction.execute(end, row)? == 1)
        })
    }

    /// Reads and changes in one transaction, so that no other process can come in between.
    fn change<T>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreFailed> {
        let mut inner = self.lock();
        (inner.version, inner.asked) = (None, None);
        let changed = inner.connection.transaction_with_behavior(TransactionBehavior::Immediate).and_then(
            |transaction| {
                let done = change(&transaction)?;
                transaction.commit()?;
                Ok(done)
            },
        );
        changed.map_err(failed)
    }

    fn find_now(&self, token: &str, at: Moment) -> Result<Option<Arc<Service>>, StoreFailed> {
        let hash = hash_of(token);
        let mut inner = self.lock();
        inner.refresh().map_err(failed)?;
        if !inner.known.contains_key(&hash) {
            // Another process may just have made it.
            inner.asked = None;
            inner.refresh().map_err(failed)?;
        }
        let Some(entry) = inner.known.get_mut(&hash).filter(|entry| entry.holds(at)) else { return Ok(None) };
        let service = entry.service.clone();
        if entry.last_used_at.is_none_or(|last| at - last >= NOTED) {
            entry.last_used_at = Some(at);
            self.note_use(hash, at);
        }
        Ok(Some(service))
    }

    /// Records a use together with others, while the caller already gets its answer. If recording fails, the
    /// next use after a minute is recorded.
    fn note_use(&self, hash: [u8; 32], at: Moment) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let mut pending = self.uses.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = pending.is_empty();
        pending.insert(hash, at);
        if is_first {
            let uses = self.uses.clone();
            drop(runtime.spawn_blocking(move || {
                if let Err(error) = uses.write() {
                    tracing::warn!(error = %explain(&error), "the use of some tokens was not recorded");
                }
            }));
        }
    }
}

impl ServiceTokens for SqliteServiceTokens {
    fn create<'a>(
        &'a self,
        name: &'a str,
        grant: &'a Grant,
        now: Moment,
        expires_at: Option<Moment>,
    ) -> BoxFuture<'a, Result<String, StoreFailed>> {
        Box::pin(ready(self.create_now(name, grant, now, expires_at)))
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<TokenEntry>, StoreFailed>> {
        Box::pin(ready(self.list_now()))
    }

    fn rotate<'a>(
        &'a self,
        id: &'a str,
        now: Moment,
        old_ends: Moment,
    ) -> BoxFuture<'a, Result<Option<String>, StoreFailed>> {
        Box::pin(ready(self.rotate_now(id, now, old_ends)))
    }

    fn revoke<'a>(&'a self, id: &'a str, now: Moment) -> BoxFuture<'a, Result<bool, StoreFailed>> {
        Box::pin(ready(self.revoke_now(id, now)))
    }

    /// The tokens are in memory, and checking whether the file has changed takes microseconds. So this runs
    /// on the current thread.
    fn find<'a>(
        &'a self,
        token: &'a str,
        at: Moment,
    ) -> BoxFuture<'a, Result<Option<Arc<Service>>, StoreFailed>> {
        Box::pin(ready(self.find_now(token, at)))
    }
}

fn failed(error: rusqlite::Error) -> StoreFailed {
    StoreFailed::new(SqliteFailed::from(error))
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

/// Makes a token and stores its hash, with when it is made and by whom.
fn insert(
    connection: &Connection,
    name: &str,
    grant: &Grant,
    (now, by): (Moment, Option<&str>),
    expires_at: Option<Moment>,
    family: Option<TokenFamily>,
) -> rusqlite::Result<String> {
    #[expect(clippy::disallowed_methods, reason = "a token's secret")]
    let secret: [u8; 32] = rand::random();
    let token = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret));
    let (scopes, role) = grant.to_stored();
    let expires_at = expires_at.map(|moment| moment.timestamp_micros());
    let hash = hash_of(&token);
    let family = family.map_or(hash, |family| family.0);
    let row = (hash, name, scopes, now.timestamp_micros(), expires_at, family, role, by);
    connection.execute("INSERT INTO tokens VALUES (?, ?, ?, ?, ?, NULL, NULL, ?, ?, ?, NULL)", row)?;
    Ok(token)
}

/// Reads every token, by its hash.
fn all(connection: &Connection) -> rusqlite::Result<HashMap<[u8; 32], TokenEntry>> {
    let mut select = connection.prepare_cached(
        "SELECT hash, name, scopes, created_at, expires_at, last_used_at, revoked_at, family, role,
            created_by, revoked_by FROM tokens",
    )?;
    select.query_map([], entry)?.collect()
}

/// Returns the token with this id, if it is valid.
fn held(connection: &Connection, id: &str, now: Moment) -> rusqlite::Result<Option<([u8; 32], TokenEntry)>> {
    Ok(all(connection)?.into_iter().find(|(_, entry)| entry.id == id && entry.holds(now)))
}

impl Inner {
    /// Reads the tokens again if another process has written to the file.
    fn refresh(&mut self) -> rusqlite::Result<()> {
        let now = Instant::now();
        if self.asked.is_some_and(|asked| now - asked < FRESH) {
            return Ok(());
        }
        let version = self
            .connection
            .prepare_cached("PRAGMA data_version")?
            .query_row([], |row| row.get::<_, i64>(0))?;
        if self.version != Some(version) {
            self.known = all(&self.connection)?;
            self.version = Some(version);
        }
        self.asked = Some(now);
        Ok(())
    }
}

fn entry(row: &Row<'_>) -> rusqlite::Result<([u8; 32], TokenEntry)> {
    let hash: [u8; 32] = row.get(0)?;
    let moment = |column| {
        let micros: Option<i64> = row.get(column)?;
        Ok::<_, rusqlite::Error>(micros.and_then(Moment::from_timestamp_micros))
    };
    let (scopes, role) = (row.get_ref(2)?.as_str()?, row.get::<_, Option<String>>(8)?);
    let service = Service::of_stored(row.get(1)?, scopes, role.as_deref(), TokenFamily(row.get(7)?));
    let entry = TokenEntry {
        id: id_of_hash(&hash),
        service: Arc::new(service),
        created_at: moment(3)?.unwrap_or(Moment::MIN_UTC),
        expires_at: moment(4)?,
        last_used_at: moment(5)?,
        revoked_at: moment(6)?,
        created_by: row.get(9)?,
        revoked_by: row.get(10)?,
    };
    Ok((hash, entry))
}
