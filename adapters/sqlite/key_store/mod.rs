//! The account keys, in a separate file, so that a backup of the log does not bring back erased data.
//!
//! Each account has a random key of 32 bytes. It is wrapped with the server key (XChaCha20-Poly1305, with the
//! account id as associated data). Erasing a person overwrites the row. What was sealed with the key can't be
//! read from then on (cryptographic erasure, NIST SP 800-88).

mod ring;
mod rotation;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use loquet_crypto::account_keys::{AccountKey, AccountKeys, Held, KeysUnavailable, Noticed};
use loquet_crypto::key_ring::{COMMANDS, Generation, Ring, RingError};
use loquet_crypto::sealing::random_key;
use loquet_crypto::server_key::{Fingerprint, KeyFile, ServerKeyError};
use loquet_crypto::tokens::HmacTokens;
use loquet_domain::ids::AccountId;
use loquet_domain::ports::{BoxFuture, CodecError, KeyVault};
use quick_cache::sync::Cache;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use zeroize::Zeroizing;

pub(crate) use ring::wrapped_by;
pub use rotation::{Cause, Rotation, RotationReport};

use crate::database::{FileError, Kind, explain};
use ring::{changes_by_others, generations, stored};

pub(crate) const KEYS: Kind = Kind {
    what: "a Loquet key store",
    application_id: 0x4c71_7402,
    version: 2,
    upgrades: &["ALTER TABLE keys ADD COLUMN generation INTEGER NOT NULL DEFAULT 1;"],
    holds_keys: true,
    remedy: "restore it from a backup",
    synchronous: "FULL",
    schema: "
        CREATE TABLE IF NOT EXISTS keys (
            account    BLOB PRIMARY KEY,
            wrapped    BLOB,              -- none once it was erased
            generation INTEGER NOT NULL   -- of the server key that wraps it
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS server (id INTEGER PRIMARY KEY, fingerprint BLOB NOT NULL) STRICT;
        CREATE TABLE IF NOT EXISTS secrets (
            name       TEXT PRIMARY KEY,  -- what does not follow from the server key, or from an earlier one
            wrapped    BLOB NOT NULL,
            generation INTEGER NOT NULL,
            ends_at    INTEGER            -- microseconds since 1970; none for what is needed for ever
        ) STRICT, WITHOUT ROWID;",
};
const CACHED: usize = 40_000;
/// How long a write waits for another program's write lock.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long an erasure waits for programs that read the file before it is tried again later. During each try,
/// everybody who needs a key that is not in memory waits as long.
const PATIENCE_WITH_READERS: Duration = Duration::from_millis(250);

/// The key store can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyStoreError {
    /// The file can't be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The keys were wrapped with another server key.
    #[error("the server key is not the one that {0} was made with: restore the right one")]
    WrongServerKey(String),
    /// The server key's file can't be used.
    #[error(transparent)]
    ServerKey(#[from] ServerKeyError),
    /// An entry has changed since it was written.
    #[error("the entry '{0}' in keys.db was altered: restore keys.db from a backup")]
    Altered(String),
    /// Another rotation is running. Two at once would lose a key.
    #[error("another rotation of the server key is running: wait until it ends")]
    UnderWay,
    /// SQLite reported an error.
    #[error("the key store can't be used: {0}")]
    Sqlite(String),
}

impl KeyStoreError {
    fn sqlite(error: rusqlite::Error) -> Self {
        Self::Sqlite(explain(&error))
    }

    fn ring(error: RingError, path: &str) -> Self {
        match error {
            RingError::WrongServerKey => Self::WrongServerKey(path.to_owned()),
            RingError::Altered(name) => Self::Altered(name),
        }
    }
}

/// The account keys.
#[derive(Clone)]
pub struct KeyStore {
    connection: Arc<Mutex<Connection>>,
    ring: Arc<RwLock<Ring>>,
    cache: Arc<Cache<AccountId, AccountKey>>,
    /// Why the last check for changes by other processes failed. `None` if it succeeded.
    failure: Arc<Mutex<Option<String>>>,
    /// Whether an erased key may still be in the write-ahead log.
    kept_in_log: Arc<AtomicBool>,
    path: Arc<str>,
}

impl KeyStore {
    /// Opens the keys at `path`. Makes the file if it does not exist.
    ///
    /// # Errors
    /// [`KeyStoreError::WrongServerKey`] if another server key wrapped them.
    pub fn open(path: &Path, server: impl Into<KeyFile>) -> Result<Self, KeyStoreError> {
        let (connection, server) = (KEYS.open(path)?, server.into());
        if generations(&connection).map_err(KeyStoreError::sqlite)?.is_empty() {
            let note = "INSERT OR IGNORE INTO server VALUES (1, ?)";
            connection.execute(note, [server.newest.fingerprint()]).map_err(KeyStoreError::sqlite)?;
        }
        Self::with(connection, path, server)
    }

    /// Opens the keys for reading. Another process may be writing them.
    ///
    /// # Errors
    /// As [`KeyStore::open`].
    pub fn open_to_read(path: &Path, server: impl Into<KeyFile>) -> Result<Self, KeyStoreError> {
        Self::with(KEYS.open_reader(path)?, path, server.into())
    }

    fn with(connection: Connection, path: &Path, server: KeyFile) -> Result<Self, KeyStoreError> {
        connection.busy_timeout(PATIENCE).map_err(KeyStoreError::sqlite)?;
        let path: Arc<str> = path.display().to_string().into();
        let stored = stored(&connection).map_err(KeyStoreError::sqlite)?;
        let ring = Ring::of(server, &stored).map_err(|error| KeyStoreError::ring(error, &path))?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            ring: Arc::new(RwLock::new(ring)),
            cache: Arc::new(Cache::new(CACHED)),
            failure: Arc::default(),
            kept_in_log: Arc::default(),
            path,
        })
    }

    /// Blocks.
    fn commands_key_now(&self) -> Result<Zeroizing<[u8; 32]>, KeyStoreError> {
        let connection = self.lock();
        loop {
            self.refresh_with(&connection)?;
            let (ring, stored) = (self.ring(), stored(&connection).map_err(KeyStoreError::sqlite)?);
            let kept = ring.kept_key(&stored, COMMANDS);
            if let Some(key) = kept.map_err(|error| KeyStoreError::ring(error, &self.path))? {
                return Ok(key);
            }
            let wrapped = ring
                .wrap(&random_key(), COMMANDS.as_bytes())
                .ok_or_else(|| KeyStoreError::Altered(COMMANDS.to_owned()))?;
            // A rotation may have finished with the secrets meanwhile. It would not wrap this one.
            let insert = "INSERT OR IGNORE INTO secrets
                SELECT ?1, ?2, ?3, NULL WHERE ?3 = (SELECT max(id) FROM server)";
            connection.execute(insert, (COMMANDS, wrapped, ring.newest())).map_err(KeyStoreError::sqlite)?;
        }
    }

    /// Blocks.
    fn refresh_now(&self) -> Result<Noticed, KeyStoreError> {
        let connection = self.lock();
        self.refresh_with(&connection)
    }

    fn refresh_with(&self, connection: &Connection) -> Result<Noticed, KeyStoreError> {
        let noticed = self.notice(connection);
        let failure = noticed.as_ref().err().map(ToString::to_string);
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
        noticed
    }

    fn notice(&self, connection: &Connection) -> Result<Noticed, KeyStoreError> {
        // The number is read before the keys. A change in between then counts as new at the next check.
        let changes = changes_by_others(connection).map_err(KeyStoreError::sqlite)?;
        let (held, file) = {
            let ring = self.ring();
            ((ring.newest(), ring.changes()), ring.file().clone())
        };
        if changes == held.1 {
            return Ok(Noticed::Nothing);
        }
        // Another process may have erased keys. Those that still exist are read again.
        self.cache.clear();
        let load = || {
            let stored = stored(connection).map_err(KeyStoreError::sqlite)?;
            Ring::of(file.reload()?, &stored).map_err(|error| KeyStoreError::ring(error, &self.path))
        };
        // The two files can't be read at one moment. If a rotation begins in between, the second try reads
        // both as they are after it.
        let fresh = load().or_else(|_| load())?;
        let noticed = if fresh.newest() == held.0 { Noticed::Nothing } else { Noticed::Rotation };
        self.ring.write().unwrap_or_else(PoisonError::into_inner).become_like(fresh);
        Ok(noticed)
    }

    fn ring(&self) -> RwLockReadGuard<'_, Ring> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks for a new generation, if this process does not know this one.
    fn look_for(&self, connection: &Connection, generation: Generation) -> Result<(), CodecError> {
        let is_known = self.ring().knows(generation);
        match is_known {
            true => Ok(()),
            false => self.refresh_with(connection).map(drop).map_err(|e| CodecError::Keys(e.to_string())),
        }
    }

    /// Blocks.
    fn is_empty_now(&self) -> Result<bool, CodecError> {
        let query = "SELECT NOT EXISTS (SELECT 1 FROM keys)";
        self.lock().query_row(query, [], |row| row.get(0)).map_err(failed)
    }

    fn make_together(&self, accounts: Vec<AccountId>) -> Result<(), CodecError> {
        let connection = self.lock();
        let transaction =
            Transaction::new_unchecked(&connection, TransactionBehavior::Immediate).map_err(failed)?;
        let mut made = Vec::with_capacity(accounts.len());
        for account in accounts {
            let key: AccountKey = Arc::new(random_key());
            // A running rotation may prevent this key from being made now. It is then made when it is needed.
            if self.row(&transaction, account)?.is_none() && self.insert(&transaction, account, &key)? {
                made.push((account, key));
            }
        }
        transaction.commit().map_err(failed)?;
        made.into_iter().for_each(|(account, key)| self.cache.insert(account, key));
        Ok(())
    }

    fn load(&self, account: AccountId) -> Result<Held, CodecError> {
        // The cache is filled while the lock is held, so that it can't undo an erasure that happens
        // meanwhile.
        let connection = self.lock();
        let missing =
            || CodecError::Keys(format!("the key of account {account} is missing: restore keys.db"));
        self.row(&connection, account)?.ok_or_else(missing)
    }

    /// Blocks.
    fn fetch_now(&self, accounts: &[AccountId]) -> Result<(), CodecError> {
        let connection = self.lock();
        // One transaction, or each statement would lock and unlock the write-ahead log.
        let _transaction = connection.unchecked_transaction().map_err(failed)?;
        for account in accounts.iter().filter(|account| self.cache.get(*account).is_none()) {
            // Who needs a key that can't be read now reads it again, and is told why.
            drop(self.row(&connection, *account));
        }
        Ok(())
    }

    fn load_or_make(&self, account: AccountId) -> Result<Held, CodecError> {
        let connection = self.lock();
        let key: AccountKey = Arc::new(random_key());
        loop {
            if let Some(held) = self.row(&connection, account)? {
                return Ok(held);
            }
            if self.insert(&connection, account, &key)? {
                break;
            }
            // Another process made the key, or rotated the server key. In the second case the key must be
            // wrapped again.
            self.refresh_with(&connection).map_err(|e| CodecError::Keys(e.to_string()))?;
        }
        self.cache.insert(account, key.clone());
        Ok(Held::Key(key))
    }

    /// Stores a new key. Does not store it if the account has one already, or if its generation is no longer
    /// the newest, because a rotation that has finished with the account keys would not wrap it.
    fn insert(
        &self,
        connection: &Connection,
        account: AccountId,
        key: &AccountKey,
    ) -> Result<bool, CodecError> {
        let (generation, wrapped) = {
            let ring = self.ring();
            (ring.newest(), ring.wrap(key, account.0.as_bytes()))
        };
        let wrapped = wrapped.ok_or_else(|| CodecError::Keys("a key could not be wrapped".to_owned()))?;
        let insert = "INSERT OR IGNORE INTO keys SELECT ?1, ?2, ?3 WHERE ?3 = (SELECT max(id) FROM server)";
        let inserted = connection
            .prepare_cached(insert)
            .and_then(|mut insert| insert.execute((account.0.as_bytes(), wrapped, generation)));
        Ok(inserted.map_err(failed)? == 1)
    }

    /// Returns what is stored for an account. Returns `None` if the account never had a key.
    fn row(&self, connection: &Connection, account: AccountId) -> Result<Option<Held>, CodecError> {
        let query = "SELECT wrapped, generation FROM keys WHERE account = ?";
        let row: Option<(Option<Vec<u8>>, Generation)> = connection
            .prepare_cached(query)
            .and_then(|mut select| {
                select.query_row([account.0.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?))).optional()
            })
            .map_err(failed)?;
        let held = row.map(|(wrapped, generation)| match wrapped {
            Some(wrapped) => self.unwrap(connection, account, &wrapped, generation),
            None => Ok(Held::Erased),
        });
        held.transpose()
    }

    fn unwrap(
        &self,
        connection: &Connection,
        account: AccountId,
        wrapped: &[u8],
        generation: Generation,
    ) -> Result<Held, CodecError> {
        self.look_for(connection, generation)?;
        let key = self.ring().unwrap(wrapped, generation, account.0.as_bytes());
        let key = key.ok_or_else(|| CodecError::Keys(format!("the key of account {account} was altered")))?;
        let key = Arc::new(key);
        self.cache.insert(account, key.clone());
        Ok(Held::Key(key))
    }

    fn erase(&self, account: AccountId) -> Result<(), CodecError> {
        let connection = self.lock();
        let forget =
            "INSERT INTO keys VALUES (?, NULL, ?) ON CONFLICT (account) DO UPDATE SET wrapped = NULL";
        connection.execute(forget, (account.0.as_bytes(), self.ring().newest())).map_err(failed)?;
        self.cache.remove(&account);
        self.kept_in_log.store(true, Ordering::SeqCst);
        self.empty_log(&connection)
    }

    /// Removes an erased key from the write-ahead log, which still has the old page. In the file itself,
    /// `secure_delete` overwrites the row with zeros.
    fn empty_log(&self, connection: &Connection) -> Result<(), CodecError> {
        connection.busy_timeout(PATIENCE_WITH_READERS).map_err(failed)?;
        let busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        connection.busy_timeout(PATIENCE).map_err(failed)?;
        let busy = busy.map_err(failed)?;
        let kept =
            "the erased key is still in the write-ahead log of keys.db: another program reads that file";
        if busy != 0 {
            return Err(CodecError::Keys(kept.to_owned()));
        }
        self.kept_in_log.store(false, Ordering::SeqCst);
        Ok(())
    }

    fn those_held(&self, accounts: Vec<AccountId>) -> Result<Vec<AccountId>, CodecError> {
        let connection = self.lock();
        if self.kept_in_log.load(Ordering::SeqCst) {
            self.empty_log(&connection)?;
        }
        let mut held = Vec::new();
        for account in accounts {
            let query = "SELECT 1 FROM keys WHERE account = ? AND wrapped IS NOT NULL";
            let mut select = connection.prepare_cached(query).map_err(failed)?;
            if select.exists([account.0.as_bytes()]).map_err(failed)? {
                held.push(account);
            }
        }
        Ok(held)
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn blocking_or_unavailable<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, KeyStoreError> + Send + 'static,
    ) -> Result<T, KeysUnavailable> {
        let keys = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&keys)).await;
        let done = done.map_err(|error| KeysUnavailable(error.into()))?;
        done.map_err(|error| KeysUnavailable(error.into()))
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, CodecError> + Send + 'static,
    ) -> Result<T, CodecError> {
        let keys = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&keys)).await;
        done.map_err(|e| CodecError::Keys(e.to_string()))?
    }
}

impl AccountKeys for KeyStore {
    fn held(&self, account: AccountId) -> BoxFuture<'_, Result<Held, CodecError>> {
        Box::pin(async move {
            match self.cache.get(&account) {
                Some(key) => Ok(Held::Key(key)),
                None => self.blocking(move |keys| keys.load(account)).await,
            }
        })
    }

    fn fetch(&self, accounts: Vec<AccountId>) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if !accounts.is_empty() {
                drop(self.blocking(move |keys| keys.fetch_now(&accounts)).await);
            }
        })
    }

    fn held_or_made(&self, account: AccountId) -> BoxFuture<'_, Result<Held, CodecError>> {
        Box::pin(async move {
            match self.cache.get(&account) {
                Some(key) => Ok(Held::Key(key)),
                None => self.blocking(move |keys| keys.load_or_make(account)).await,
            }
        })
    }

    fn make(&self, accounts: Vec<AccountId>) -> BoxFuture<'_, Result<(), CodecError>> {
        Box::pin(async move {
            match accounts.is_empty() {
                true => Ok(()),
                false => self.blocking(move |keys| keys.make_together(accounts)).await,
            }
        })
    }

    fn is_empty(&self) -> BoxFuture<'_, Result<bool, CodecError>> {
        Box::pin(self.blocking(Self::is_empty_now))
    }

    fn commands_key(&self) -> BoxFuture<'_, Result<Zeroizing<[u8; 32]>, KeysUnavailable>> {
        Box::pin(self.blocking_or_unavailable(Self::commands_key_now))
    }

    fn refresh(&self) -> BoxFuture<'_, Result<Noticed, KeysUnavailable>> {
        Box::pin(self.blocking_or_unavailable(Self::refresh_now))
    }

    fn server_key(&self) -> Option<(u32, Fingerprint)> {
        Some(self.ring().newest_key())
    }

    fn tokens(&self) -> HmacTokens {
        HmacTokens::sharing(self.ring().tokens())
    }
}

impl KeyVault for KeyStore {
    fn forget(&self, account: AccountId) -> BoxFuture<'_, Result<(), CodecError>> {
        Box::pin(self.blocking(move |keys| keys.erase(account)))
    }

    fn still_held(&self, accounts: Vec<AccountId>) -> BoxFuture<'_, Result<Vec<AccountId>, CodecError>> {
        Box::pin(self.blocking(move |keys| keys.those_held(accounts)))
    }

    fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn failed(error: rusqlite::Error) -> CodecError {
    CodecError::Keys(explain(&error))
}
