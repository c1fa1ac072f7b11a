//! The account keys in PostgreSQL. They can have a database of their own, so that a backup of the log does not bring back
//! erased data.
//!
//! Each account has a random key of 32 bytes. It is wrapped with the server key (XChaCha20-Poly1305, with the account id
//! as associated data). Erasing a person overwrites the row. What was sealed with the key can't be read from then on
//! (cryptographic erasure, NIST SP 800-88). PostgreSQL keeps the old version of the row until it vacuums the table, which
//! it does within minutes here, and it keeps the change in its write-ahead log, in the archive of that log, and in
//! backups. All that remains there is wrapped by the server key of its time. So it can't be read by anybody after the next
//! rotation of the server key, when the old server key is destroyed.
//!
//! # Several nodes
//!
//! Each erasure and each change of the server key gets a number. A node asks every two seconds what came after the number
//! that it knows ([`AccountKeys::refresh`]). It removes the erased keys from its memory, and it reads the server keys
//! anew. This is one statement, which reads one row if nothing has changed.
//!
//! The server key is not in the database. The operator copies its file to every node, and a rotation that begins expects
//! the new key there. A node whose file does not have the new key goes on with what it knows: it reads the keys that the
//! old server key wraps, and it verifies and signs links and sessions with the old key. It makes no key, so no account can
//! be created on it. It can't read keys that the new server key wraps, nor what other nodes have signed since, and they
//! accept what it signs (after a compromise, they do not). It says so in [`KeyVault::failure`], and looks into the file
//! every two seconds. When the file has the new key, it uses the new key. It does not start without the new key.

mod ring;
mod rotation;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use loquet_crypto::account_keys::{AccountKey, AccountKeys, Held, KeysUnavailable, Noticed};
use loquet_crypto::key_ring::{COMMANDS, Ring, RingError, Stored};
use loquet_crypto::sealing::random_key;
use loquet_crypto::server_key::{Fingerprint, KeyFile, ServerKeyError};
use loquet_crypto::tokens::HmacTokens;
use loquet_domain::ids::AccountId;
use loquet_domain::ports::{BoxFuture, CodecError, KeyVault};
use loquet_projections::causes::Causes;
use quick_cache::sync::Cache;
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use uuid::Uuid;
use zeroize::Zeroizing;

pub use rotation::{Cause, Rotation, RotationReport};

use crate::database::Database;
use crate::error::PostgresError;
use crate::statements::run;
use ring::{generation, to_stored};

const CACHED: usize = 100_000;
/// How often a key is looked for again, while other nodes make keys and rotate the server key.
const TRIES: usize = 10;

const HELD: &str = "SELECT wrapped, generation FROM loquet.account_keys WHERE account = $1";
const ALL_HELD: &str =
    "SELECT wrapped, generation, account FROM loquet.account_keys WHERE account = ANY($1::uuid[])";
/// Makes keys for accounts that have none and never had one. Makes none if there is a newer server key.
const MAKE: &str = "
    INSERT INTO loquet.account_keys (account, wrapped, generation)
    SELECT new.account, new.wrapped, $3 FROM unnest($1::uuid[], $2::bytea[]) AS new (account, wrapped)
    WHERE $3 = (SELECT max(generation) FROM loquet.server_keys)
    ON CONFLICT (account) DO NOTHING
    RETURNING account";
const IS_EMPTY: &str = "SELECT NOT EXISTS (SELECT FROM loquet.account_keys)";
const STILL_HELD: &str =
    "SELECT account FROM loquet.account_keys WHERE account = ANY($1::uuid[]) AND wrapped IS NOT NULL";
/// Numbers the erasure before it is made.
const FORGET: &str = "
    WITH change AS (UPDATE loquet.key_changes SET number = number + 1 RETURNING number)
    INSERT INTO loquet.account_keys AS held (account, erasure) SELECT $1, number FROM change
    ON CONFLICT (account) DO UPDATE SET wrapped = NULL, generation = NULL, erasure = excluded.erasure
    WHERE held.wrapped IS NOT NULL";
const NUMBER: &str = "SELECT number FROM loquet.key_changes";
const CHANGES: &str = "
    SELECT number, ring, ARRAY(SELECT account FROM loquet.account_keys WHERE erasure > $1) FROM loquet.key_changes";
const FIRST: &str = "
    INSERT INTO loquet.server_keys (generation, fingerprint)
    SELECT 1, $1 WHERE NOT EXISTS (SELECT FROM loquet.server_keys) ON CONFLICT DO NOTHING";
const ADD_COMMANDS_KEY: &str = "
    INSERT INTO loquet.key_secrets (name, wrapped, generation)
    SELECT $1, $2, $3 WHERE $3 = (SELECT max(generation) FROM loquet.server_keys) ON CONFLICT DO NOTHING";

/// The key store can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyStoreError {
    /// The server can't be used.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// The server key does not fit, or an entry was altered.
    #[error(transparent)]
    Ring(#[from] RingError),
    /// The server key's file can't be used.
    #[error(transparent)]
    ServerKey(#[from] ServerKeyError),
    /// The server key was rotated on another node, and this node does not have the new one.
    #[error(
        "the server key was rotated, and the file on this node does not have the new key: copy the file here from the node that rotated it"
    )]
    NotDistributed,
    /// Another rotation is running. Two at once would lose a key.
    #[error("another rotation of the server key is running: wait until it ends")]
    UnderWay,
}

/// The account keys. A clone is the same store.
#[derive(Clone)]
pub struct PostgresKeyStore {
    inner: Arc<Inner>,
}

struct Inner {
    database: Database,
    ring: RwLock<Ring>,
    /// The number of the last change that this node has noticed. One caller at a time looks for changes.
    noticed: tokio::sync::Mutex<i64>,
    cache: Cache<AccountId, AccountKey>,
    /// How often keys were removed from the cache. A key that was read before the last time may have been erased since.
    removals: Mutex<u64>,
    /// Why the last check for changes failed. `None` if it succeeded.
    failure: Mutex<Option<String>>,
}

/// A stored key, as far as this node can read it.
enum Found {
    Held(Held),
    /// The account never had a key.
    Nothing,
    /// A server key wraps it that this node does not know.
    Unknown,
}

impl PostgresKeyStore {
    /// Opens the keys of a database, whose tables must have been prepared. The first node that does so records its server
    /// key.
    ///
    /// # Errors
    /// [`RingError::WrongServerKey`] if another server key wrapped them. [`KeyStoreError::NotDistributed`] if a newer one
    /// did.
    pub async fn open(database: Database, server: impl Into<KeyFile>) -> Result<Self, KeyStoreError> {
        let server = server.into();
        database.change(FIRST, &[&server.newest.fingerprint()]).await?;
        Self::open_to_read(database, server).await
    }

    /// Opens the keys without recording the server key in a store that is empty.
    ///
    /// # Errors
    /// As [`PostgresKeyStore::open`].
    pub async fn open_to_read(database: Database, server: impl Into<KeyFile>) -> Result<Self, KeyStoreError> {
        // Nothing is cached yet, so earlier erasures need not be noticed.
        let row = database.row(NUMBER, &[]).await?;
        let noticed = row.map(|row| row.try_get(0)).transpose().map_err(PostgresError::from)?;
        let (server, stored) = (server.into(), stored(&database).await?);
        let is_older = server.keys().any(|key| stored.generation_of(key).is_some());
        let ring = Ring::of(server, &stored).map_err(|error| match error {
            RingError::WrongServerKey if is_older => KeyStoreError::NotDistributed,
            other => other.into(),
        })?;
        let (noticed, ring) = (tokio::sync::Mutex::new(noticed.unwrap_or_default()), RwLock::new(ring));
        let (cache, removals, failure) = (Cache::new(CACHED), Mutex::default(), Mutex::default());
        Ok(Self { inner: Arc::new(Inner { database, ring, noticed, cache, removals, failure }) })
    }
}

async fn stored(database: &Database) -> Result<Stored, PostgresError> {
    database.work(async |client| ring::read(client).await).await
}

impl Inner {
    fn ring(&self) -> RwLockReadGuard<'_, Ring> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn removals(&self) -> MutexGuard<'_, u64> {
        self.removals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Caches a key, unless keys were removed since `removals`. Otherwise a key that was read before its erasure would
    /// come back.
    fn remember(&self, account: AccountId, key: &AccountKey, removals: u64) {
        let now = self.removals();
        if *now == removals {
            self.cache.insert(account, key.clone());
        }
    }

    /// Removes erased keys from the cache.
    fn remove(&self, accounts: &[AccountId]) {
        let mut removals = self.removals();
        *removals += 1;
        for account in accounts {
            self.cache.remove(account);
        }
    }

    fn remove_all(&self) {
        let mut removals = self.removals();
        *removals += 1;
        self.cache.clear();
    }

    async fn refresh(&self) -> Result<Noticed, KeyStoreError> {
        let noticed = self.notice().await;
        let failure = noticed.as_ref().err().map(|error| Causes(error).to_string());
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
        noticed
    }

    async fn notice(&self) -> Result<Noticed, KeyStoreError> {
        let mut noticed = self.noticed.lock().await;
        let row = self.database.row(CHANGES, &[&*noticed]).await?;
        let row = row.ok_or_else(|| PostgresError::Unexpected("no number of changes".to_owned()))?;
        let (number, ring, erased) = changes(&row)?;
        if number < *noticed {
            // An older state of the database was restored.
            self.remove_all();
        } else if !erased.is_empty() {
            self.remove(&erased);
        }
        *noticed = number;
        let (changes, newest, file) = {
            let held = self.ring();
            (held.changes(), held.newest(), held.file().clone())
        };
        if ring == changes {
            return Ok(Noticed::Nothing);
        }
        // The database and the file can't be read at one moment. If a rotation begins in between, the second try reads
        // both as they are after it.
        let fresh = match self.fresh(&file).await {
            Ok(fresh) => fresh,
            Err(_) => self.fresh(&file).await?,
        };
        let is_new = fresh.newest() != newest;
        self.ring.write().unwrap_or_else(PoisonError::into_inner).become_like(fresh);
        Ok(if is_new { Noticed::Rotation } else { Noticed::Nothing })
    }

    async fn fresh(&self, file: &KeyFile) -> Result<Ring, KeyStoreError> {
        let stored = stored(&self.database).await?;
        Ring::of(file.reload()?, &stored).map_err(|error| match error {
            RingError::WrongServerKey => KeyStoreError::NotDistributed,
            altered @ RingError::Altered(_) => altered.into(),
        })
    }

    /// Reads the key of an account, and caches it.
    async fn find(&self, account: AccountId) -> Result<Found, CodecError> {
        let removals = *self.removals();
        let row = self.database.row(HELD, &[&account.0]).await.map_err(|error| failed(&error))?;
        let Some(row) = row else { return Ok(Found::Nothing) };
        self.found(account, &row, removals)
    }

    /// Reads the keys of these accounts in one query, and caches them.
    async fn fetch(&self, accounts: &[AccountId]) -> Result<(), CodecError> {
        let absent = accounts.iter().filter(|account| self.cache.get(*account).is_none());
        let absent: Vec<Uuid> = absent.map(|account| account.0).collect();
        if absent.is_empty() {
            return Ok(());
        }
        let removals = *self.removals();
        for row in self.database.rows(ALL_HELD, &[&absent]).await.map_err(|error| failed(&error))? {
            let account = AccountId(row.try_get(2).map_err(|error| failed(&error.into()))?);
            self.found(account, &row, removals)?;
        }
        Ok(())
    }

    /// Unwraps the key in a row, and caches it.
    fn found(&self, account: AccountId, row: &Row, removals: u64) -> Result<Found, CodecError> {
        let wrapped: Option<Vec<u8>> = row.try_get(0).map_err(|error| failed(&error.into()))?;
        let Some(wrapped) = wrapped else { return Ok(Found::Held(Held::Erased)) };
        let generation = generation(row, 1).map_err(|error| failed(&error))?;
        let key = {
            let ring = self.ring();
            if !ring.knows(generation) {
                return Ok(Found::Unknown);
            }
            ring.unwrap(&wrapped, generation, account.0.as_bytes())
        };
        let altered = || CodecError::Keys(format!("the key of account {account} was altered"));
        let key: AccountKey = Arc::new(key.ok_or_else(altered)?);
        self.remember(account, &key, removals);
        Ok(Found::Held(Held::Key(key)))
    }

    async fn load(&self, account: AccountId) -> Result<Held, CodecError> {
        for _ in 0..TRIES {
            match self.find(account).await? {
                Found::Held(held) => return Ok(held),
                Found::Nothing => {
                    let why = format!("the key of account {account} is missing: restore the account keys");
                    return Err(CodecError::Keys(why));
                }
                Found::Unknown => self.look_again().await?,
            }
        }
        Err(never_settled())
    }

    async fn load_or_make(&self, account: AccountId) -> Result<Held, CodecError> {
        for _ in 0..TRIES {
            match self.find(account).await? {
                Found::Held(held) => return Ok(held),
                Found::Nothing => {
                    if let Some((_, key)) = self.make(&[account]).await?.pop() {
                        return Ok(Held::Key(key));
                    }
                    // Another node made the key, or rotated the server key. In the second case the key must be
                    // wrapped again.
                    self.look_again().await?;
                }
                Found::Unknown => self.look_again().await?,
            }
        }
        Err(never_settled())
    }

    async fn look_again(&self) -> Result<(), CodecError> {
        self.refresh().await.map(drop).map_err(|error| CodecError::Keys(Causes(&error).to_string()))
    }

    /// Makes keys in one step, and caches them. Returns those that it made.
    async fn make(&self, accounts: &[AccountId]) -> Result<Vec<(AccountId, AccountKey)>, CodecError> {
        let removals = *self.removals();
        // In order, so that two nodes that make the same keys do not wait for each other.
        let mut ids: Vec<Uuid> = accounts.iter().map(|account| account.0).collect();
        ids.sort_unstable();
        ids.dedup();
        let keys: Vec<AccountKey> = ids.iter().map(|_| Arc::new(random_key())).collect();
        let (newest, wrapped) = {
            let ring = self.ring();
            let wrapped: Option<Vec<_>> =
                ids.iter().zip(&keys).map(|(id, key)| ring.wrap(key, id.as_bytes())).collect();
            (ring.newest(), wrapped)
        };
        let wrapped = wrapped.ok_or_else(|| CodecError::Keys("a key could not be wrapped".to_owned()))?;
        let made = match self.database.rows(MAKE, &[&ids, &wrapped, &to_stored(newest)]).await {
            // The generation was deleted while the statement ran. A rotation has ended.
            Err(error) if is(&error, &SqlState::FOREIGN_KEY_VIOLATION) => Vec::new(),
            made => made.map_err(|error| failed(&error))?,
        };
        let mut those_made = Vec::with_capacity(made.len());
        for row in made {
            let id: Uuid = row.try_get(0).map_err(|error| failed(&error.into()))?;
            if let Some(key) = ids.binary_search(&id).ok().and_then(|at| keys.get(at)) {
                self.remember(AccountId(id), key, removals);
                those_made.push((AccountId(id), key.clone()));
            }
        }
        Ok(those_made)
    }

    async fn commands_key(&self) -> Result<Zeroizing<[u8; 32]>, KeyStoreError> {
        loop {
            self.refresh().await?;
            let stored = stored(&self.database).await?;
            let (newest, kept, wrapped) = {
                let ring = self.ring();
                let kept = ring.kept_key(&stored, COMMANDS);
                (ring.newest(), kept, ring.wrap(&random_key(), COMMANDS.as_bytes()))
            };
            if let Some(key) = kept? {
                return Ok(key);
            }
            let wrapped = wrapped.ok_or_else(|| RingError::Altered(COMMANDS.to_owned()))?;
            let newest = to_stored(newest);
            self.database
                .work(async |client| {
                    let transaction = client.transaction().await?;
                    // Not while a rotation records what must survive: it would not wrap this key again.
                    ring::change(&transaction).await?;
                    run(&transaction, ADD_COMMANDS_KEY, &[&COMMANDS, &wrapped, &newest]).await?;
                    Ok(transaction.commit().await?)
                })
                .await?;
        }
    }

    async fn forget(&self, account: AccountId) -> Result<(), CodecError> {
        let forgotten = self.database.change(FORGET, &[&account.0]).await;
        // Even if it is not known whether the key was erased.
        self.remove(&[account]);
        forgotten.map(drop).map_err(|error| failed(&error))
    }

    async fn still_held(&self, accounts: Vec<AccountId>) -> Result<Vec<AccountId>, PostgresError> {
        let accounts: Vec<Uuid> = accounts.into_iter().map(|account| account.0).collect();
        let held = self.database.rows(STILL_HELD, &[&accounts]).await?;
        held.iter().map(|row| Ok(AccountId(row.try_get(0)?))).collect()
    }

    async fn is_empty(&self) -> Result<bool, PostgresError> {
        let row = self.database.row(IS_EMPTY, &[]).await?;
        Ok(row.is_some_and(|row| row.try_get(0).unwrap_or_default()))
    }
}

/// The number of the last change, the number of the last change of the server key, and the accounts whose keys were
/// erased since.
fn changes(row: &Row) -> Result<(i64, i64, Vec<AccountId>), PostgresError> {
    let erased: Vec<Uuid> = row.try_get(2)?;
    Ok((row.try_get(0)?, row.try_get(1)?, erased.into_iter().map(AccountId).collect()))
}

/// Whether the server refused a statement for this reason.
fn is(error: &PostgresError, state: &SqlState) -> bool {
    matches!(error, PostgresError::Statement(error) if error.code() == Some(state))
}

fn failed(error: &PostgresError) -> CodecError {
    CodecError::Keys(Causes(error).to_string())
}

fn never_settled() -> CodecError {
    CodecError::Keys("the server key changes all the time".to_owned())
}

impl AccountKeys for PostgresKeyStore {
    fn held(&self, account: AccountId) -> BoxFuture<'_, Result<Held, CodecError>> {
        Box::pin(async move {
            match self.inner.cache.get(&account) {
                Some(key) => Ok(Held::Key(key)),
                None => self.inner.load(account).await,
            }
        })
    }

    fn fetch(&self, accounts: Vec<AccountId>) -> BoxFuture<'_, ()> {
        // Who needs a key that can't be read now reads it again, and is told why.
        Box::pin(async move { drop(self.inner.fetch(&accounts).await) })
    }

    fn held_or_made(&self, account: AccountId) -> BoxFuture<'_, Result<Held, CodecError>> {
        Box::pin(async move {
            match self.inner.cache.get(&account) {
                Some(key) => Ok(Held::Key(key)),
                None => self.inner.load_or_make(account).await,
            }
        })
    }

    fn make(&self, accounts: Vec<AccountId>) -> BoxFuture<'_, Result<(), CodecError>> {
        Box::pin(async move {
            match accounts.is_empty() {
                true => Ok(()),
                // A running rotation may prevent a key from being made now. It is then made when it is needed.
                false => self.inner.make(&accounts).await.map(drop),
            }
        })
    }

    fn is_empty(&self) -> BoxFuture<'_, Result<bool, CodecError>> {
        Box::pin(async move { self.inner.is_empty().await.map_err(|error| failed(&error)) })
    }

    fn commands_key(&self) -> BoxFuture<'_, Result<Zeroizing<[u8; 32]>, KeysUnavailable>> {
        Box::pin(
            async move { self.inner.commands_key().await.map_err(|error| KeysUnavailable(error.into())) },
        )
    }

    fn refresh(&self) -> BoxFuture<'_, Result<Noticed, KeysUnavailable>> {
        Box::pin(async move { self.inner.refresh().await.map_err(|error| KeysUnavailable(error.into())) })
    }

    fn server_key(&self) -> Option<(u32, Fingerprint)> {
        Some(self.inner.ring().newest_key())
    }

    fn tokens(&self) -> HmacTokens {
        HmacTokens::sharing(self.inner.ring().tokens())
    }
}

impl KeyVault for PostgresKeyStore {
    fn forget(&self, account: AccountId) -> BoxFuture<'_, Result<(), CodecError>> {
        Box::pin(self.inner.forget(account))
    }

    fn still_held(&self, accounts: Vec<AccountId>) -> BoxFuture<'_, Result<Vec<AccountId>, CodecError>> {
        Box::pin(async move { self.inner.still_held(accounts).await.map_err(|error| failed(&error)) })
    }

    fn failure(&self) -> Option<String> {
        self.inner.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use loquet_crypto::server_key::ServerKey;

    use super::*;
    use crate::connection::{Connection, Protection};

    /// A store that no test connects to its server.
    fn store() -> Inner {
        let connection = Connection {
            url: "postgresql://nobody@nowhere.example/loquet".to_owned(),
            password: None,
            protection: Protection::Plaintext,
            connections: 1,
            statement_timeout: Duration::from_secs(1),
            name: "test".to_owned(),
        };
        let key = ServerKey::random();
        let stored = Stored { generations: [(1, key.fingerprint())].into(), ..Stored::default() };
        Inner {
            database: Database::new(&connection).unwrap(),
            ring: RwLock::new(Ring::of(KeyFile::from(&key), &stored).unwrap()),
            noticed: tokio::sync::Mutex::default(),
            cache: Cache::new(10),
            removals: Mutex::default(),
            failure: Mutex::default(),
        }
    }

    #[test]
    fn a_key_that_was_read_before_its_erasure_does_not_come_back_to_memory() {
        let (store, account) = (store(), AccountId(Uuid::from_u128(1)));
        let key: AccountKey = Arc::new(random_key());
        let before = *store.removals();
        store.remember(account, &key, before);
        assert!(store.cache.get(&account).is_some());
        store.remove(&[account]);
        store.remember(account, &key, before);
        assert!(store.cache.get(&account).is_none());
        let before = *store.removals();
        store.remove_all();
        store.remember(account, &key, before);
        assert!(store.cache.get(&account).is_none());
    }
}
