//! The accounts' keys, in a file of their own: a backup of the log does not bring the erased back.
//!
//! Each account has a random key of 32 bytes, wrapped by the server's (XChaCha20-Poly1305, the
//! account id as associated data). Erasing a person overwrites the row; what was sealed under the
//! key is noise from then on (cryptographic erasure, NIST SP 800-88).

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::Mac;
use loquet_domain::ids::AccountId;
use loquet_domain::ports::{BoxFuture, CodecError, KeyVault};
use quick_cache::sync::Cache;
use rusqlite::{Connection, OptionalExtension};
use zeroize::Zeroizing;

use crate::hmac_tokens::mac;
use crate::server_key::ServerKey;
use crate::sqlite::{FileError, Kind, explain};

const KEYS: Kind = Kind {
    what: "a Loquet key store",
    application_id: 0x4c71_7402,
    version: 1,
    upgrades: &[],
    holds_keys: true,
    remedy: "restore it from a backup",
    synchronous: "FULL",
    schema: "
        CREATE TABLE IF NOT EXISTS keys (account BLOB PRIMARY KEY, wrapped BLOB) STRICT, WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS server (id INTEGER PRIMARY KEY, fingerprint BLOB NOT NULL) STRICT;",
};
const NONCE: usize = 24;
const CACHED: usize = 100_000;

/// The key store can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyStoreError {
    /// The file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The keys were wrapped by another server key.
    #[error("the server key is not the one that {0} was made with: restore the right one")]
    WrongServerKey(String),
}

/// A key that seals and opens, erased from memory when the last holder lets go.
type AccountKey = Arc<Zeroizing<[u8; 32]>>;

/// What is known of an account's key.
#[derive(Clone)]
pub(crate) enum Held {
    Key(AccountKey),
    Erased,
}

/// The keys of all accounts.
#[derive(Clone)]
pub struct KeyStore {
    connection: Arc<Mutex<Connection>>,
    wrapping: Arc<Zeroizing<[u8; 32]>>,
    cache: Arc<Cache<AccountId, AccountKey>>,
}

impl KeyStore {
    /// Opens the keys at `path`, making the file if there is none.
    ///
    /// # Errors
    /// [`KeyStoreError::WrongServerKey`] where another server key wrapped them.
    pub fn open(path: &Path, server: &ServerKey) -> Result<Self, KeyStoreError> {
        Self::with(KEYS.open(path)?, path, server)
    }

    /// Opens the keys to read them, beside a process that writes them.
    ///
    /// # Errors
    /// As [`KeyStore::open`].
    pub fn open_to_read(path: &Path, server: &ServerKey) -> Result<Self, KeyStoreError> {
        Self::with(KEYS.open_reader(path)?, path, server)
    }

    fn with(connection: Connection, path: &Path, server: &ServerKey) -> Result<Self, KeyStoreError> {
        let unusable = |e: rusqlite::Error| FileError::Unusable { path: path.to_owned(), why: explain(&e) };
        // An erasure waits for whoever reads the file, and everybody waits for the erasure: not long.
        connection.busy_timeout(std::time::Duration::from_secs(2)).map_err(unusable)?;
        let fingerprint =
            mac(&server.derive("loquet/fingerprint/1"), b"keys").finalize().into_bytes().to_vec();
        if !connection.is_readonly("main").map_err(unusable)? {
            let note = "INSERT OR IGNORE INTO server VALUES (1, ?)";
            connection.execute(note, [&fingerprint]).map_err(unusable)?;
        }
        let noted: Option<Vec<u8>> = connection
            .query_row("SELECT fingerprint FROM server", [], |row| row.get(0))
            .optional()
            .map_err(unusable)?;
        if noted.is_some_and(|noted| noted != fingerprint) {
            return Err(KeyStoreError::WrongServerKey(path.display().to_string()));
        }
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            wrapping: Arc::new(server.derive("loquet/wrap/1")),
            cache: Arc::new(Cache::new(CACHED)),
        })
    }

    /// Whether there is not a single key, erased ones counted.
    ///
    /// # Errors
    /// What SQLite said.
    pub fn is_empty(&self) -> Result<bool, CodecError> {
        let query = "SELECT NOT EXISTS (SELECT 1 FROM keys)";
        self.lock().query_row(query, [], |row| row.get(0)).map_err(failed)
    }

    /// The account's key, as long as there is one.
    pub(crate) async fn held(&self, account: AccountId) -> Result<Held, CodecError> {
        match self.cache.get(&account) {
            Some(key) => Ok(Held::Key(key)),
            None => self.blocking(move |keys| keys.load(account)).await,
        }
    }

    /// The account's key, made and durable if there was none.
    pub(crate) async fn held_or_made(&self, account: AccountId) -> Result<Held, CodecError> {
        match self.cache.get(&account) {
            Some(key) => Ok(Held::Key(key)),
            None => self.blocking(move |keys| keys.load_or_make(account)).await,
        }
    }

    fn load(&self, account: AccountId) -> Result<Held, CodecError> {
        // The cache is filled under the lock: an erasure meanwhile must not be undone by it.
        let connection = self.lock();
        match self.row(&connection, account)? {
            Some(Some(wrapped)) => self.unwrap(account, &wrapped),
            Some(None) => Ok(Held::Erased),
            None => {
                Err(CodecError::Keys(format!("the key of account {account} is missing: restore keys.db")))
            }
        }
    }

    fn load_or_make(&self, account: AccountId) -> Result<Held, CodecError> {
        let connection = self.lock();
        if let Some(row) = self.row(&connection, account)? {
            return row.map_or(Ok(Held::Erased), |wrapped| self.unwrap(account, &wrapped));
        }
        let key: AccountKey = Arc::new(Zeroizing::new(rand::random()));
        let wrapped = seal(&self.wrapping, key.as_slice(), account.0.as_bytes())
            .ok_or_else(|| CodecError::Keys("a key could not be wrapped".to_owned()))?;
        let insert = "INSERT INTO keys VALUES (?, ?)";
        connection.execute(insert, (account.0.as_bytes(), wrapped)).map_err(failed)?;
        self.cache.insert(account, key.clone());
        Ok(Held::Key(key))
    }

    fn row(
        &self,
        connection: &Connection,
        account: AccountId,
    ) -> Result<Option<Option<Vec<u8>>>, CodecError> {
        let mut select =
            connection.prepare_cached("SELECT wrapped FROM keys WHERE account = ?").map_err(failed)?;
        select.query_row([account.0.as_bytes()], |row| row.get(0)).optional().map_err(failed)
    }

    fn unwrap(&self, account: AccountId, wrapped: &[u8]) -> Result<Held, CodecError> {
        let key = open(&self.wrapping, wrapped, account.0.as_bytes()).map(Zeroizing::new);
        let key = key.and_then(|key| <[u8; 32]>::try_from(key.as_slice()).ok());
        let key = key.ok_or_else(|| CodecError::Keys(format!("the key of account {account} was altered")))?;
        let key = Arc::new(Zeroizing::new(key));
        self.cache.insert(account, key.clone());
        Ok(Held::Key(key))
    }

    fn erase(&self, account: AccountId) -> Result<(), CodecError> {
        let connection = self.lock();
        let forget = "INSERT INTO keys VALUES (?, NULL) ON CONFLICT (account) DO UPDATE SET wrapped = NULL";
        connection.execute(forget, [account.0.as_bytes()]).map_err(failed)?;
        // `secure_delete` zeroes the row in its page; this takes the old page out of the write-ahead log.
        self.cache.remove(&account);
        let busy: i64 =
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).map_err(failed)?;
        let kept =
            "the erased key is still in the write-ahead log of keys.db: another program reads that file";
        if busy == 0 { Ok(()) } else { Err(CodecError::Keys(kept.to_owned())) }
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
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

impl KeyVault for KeyStore {
    fn forget(&self, account: AccountId) -> BoxFuture<'_, Result<(), CodecError>> {
        Box::pin(self.blocking(move |keys| keys.erase(account)))
    }
}

fn failed(error: rusqlite::Error) -> CodecError {
    CodecError::Keys(explain(&error))
}

/// Nonce and ciphertext of `message`, bound to `context`.
pub(crate) fn seal(key: &[u8; 32], message: &[u8], context: &[u8]) -> Option<Vec<u8>> {
    let nonce: [u8; NONCE] = rand::random();
    let payload = Payload { msg: message, aad: context };
    let sealed = XChaCha20Poly1305::new(key.into()).encrypt(&XNonce::from(nonce), payload).ok()?;
    Some([nonce.as_slice(), &sealed].concat())
}

/// What was sealed, if neither it nor its context was altered.
pub(crate) fn open(key: &[u8; 32], sealed: &[u8], context: &[u8]) -> Option<Vec<u8>> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE>()?;
    let payload = Payload { msg: sealed, aad: context };
    XChaCha20Poly1305::new(key.into()).decrypt(&XNonce::from(*nonce), payload).ok()
}
