//! The keys derived from the server key, by generation: for wrapping account keys, for signing links and
//! sessions, and for hashing addresses.
//!
//! A rotation makes a new generation. Wrapped keys are wrapped again. Mailed links can't be mailed again, so
//! the keys that signed them are kept, wrapped, until everything they signed has ended. The key that hashes
//! addresses is part of stream names, so it is kept for ever.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use loquet_crypto::sealing::{open, seal};
use loquet_crypto::server_key::{Fingerprint, KeyFile, ServerKey};
use loquet_crypto::tokens::{Signing, TokenKeys};
use loquet_domain::Moment;
use rusqlite::{Connection, OptionalExtension};
use zeroize::Zeroizing;

use super::KeyStoreError;

/// A number that grows with each rotation.
pub(super) type Generation = u32;
/// The name under which the key that hashes addresses is stored once its server key is gone.
pub(super) const EMAIL: &str = "email";
/// The name under which the key that hashes commands is stored. It is not derived from a server key.
pub(super) const COMMANDS: &str = "commands";

/// The current keys.
pub(super) struct Ring {
    pub(super) newest: Generation,
    /// The value of [`changes_by_others`] when this was read.
    pub(super) changes: i64,
    pub(super) file: KeyFile,
    wrapping: BTreeMap<Generation, Zeroizing<[u8; 32]>>,
    /// The keys that sign links and sessions and hash addresses. All users of the keys share them.
    tokens: Arc<RwLock<TokenKeys>>,
}

/// Returns the fingerprint of the server key that a file of keys needs. Returns `None` if the file has no key
/// yet.
pub(crate) fn wrapped_by(keys: &Connection) -> rusqlite::Result<Option<Fingerprint>> {
    Ok(generations(keys)?.last_key_value().map(|(_, print)| Fingerprint::shown(print)))
}

/// Returns the generations that the file of keys knows, with their fingerprints.
pub(super) fn generations(connection: &Connection) -> rusqlite::Result<BTreeMap<Generation, Vec<u8>>> {
    let mut select = connection.prepare_cached("SELECT id, fingerprint FROM server")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// Returns a number that changes whenever another connection has written to the file. Generations alone are
/// not enough: a rotation that ends, or that removes what the old key signed, makes no new generation, but
/// must be noticed.
pub(super) fn changes_by_others(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))
}

impl Ring {
    /// Reads the ring from a file of keys that is not empty.
    pub(super) fn load(connection: &Connection, file: KeyFile, path: &str) -> Result<Self, KeyStoreError> {
        let wrong = || KeyStoreError::WrongServerKey(path.to_owned());
        let changes = changes_by_others(connection).map_err(KeyStoreError::sqlite)?;
        let known = generations(connection).map_err(KeyStoreError::sqlite)?;
        let newest = known.last_key_value().map(|(generation, _)| *generation).ok_or_else(wrong)?;
        let mut by_generation = BTreeMap::new();
        for key in file.keys() {
            let print = key.fingerprint();
            let generation = known.iter().find(|(_, known)| **known == print).map(|(id, _)| *id);
            by_generation.extend(generation.map(|generation| (generation, key)));
        }
        let current = *by_generation.get(&newest).ok_or_else(wrong)?;
        let wrapping = by_generation.iter().map(|(generation, key)| (*generation, key.wrapping())).collect();
        let tokens = TokenKeys::of(current);
        let tokens = Arc::new(RwLock::new(tokens));
        let ring = Self { newest, changes, wrapping, tokens, file: file.clone() };
        let tokens = TokenKeys {
            email: ring.email(connection)?.unwrap_or_else(|| TokenKeys::email_of(current)),
            current: Signing::of(current),
            older: ring.older(connection)?,
        };
        *ring.tokens.write().unwrap_or_else(PoisonError::into_inner) = tokens;
        Ok(ring)
    }

    /// Takes over what another ring holds. All users of this ring's tokens use those keys from now on.
    pub(super) fn become_like(&mut self, other: Self) {
        let theirs = other.tokens.read().unwrap_or_else(PoisonError::into_inner).clone();
        *self.tokens.write().unwrap_or_else(PoisonError::into_inner) = theirs;
        let tokens = self.tokens.clone();
        *self = Self { tokens, ..other };
    }

    pub(super) fn tokens(&self) -> Arc<RwLock<TokenKeys>> {
        self.tokens.clone()
    }

    pub(super) fn wrapping(&self, generation: Generation) -> Option<&Zeroizing<[u8; 32]>> {
        self.wrapping.get(&generation)
    }

    /// Returns a secret that was kept after its server key was gone.
    fn secret(
        &self,
        connection: &Connection,
        name: &str,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, KeyStoreError> {
        let query = "SELECT wrapped, generation FROM secrets WHERE name = ?";
        let row: Option<(Vec<u8>, Generation)> = connection
            .query_row(query, [name], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
            .map_err(KeyStoreError::sqlite)?;
        let altered = || KeyStoreError::Altered(name.to_owned());
        row.map(|(wrapped, generation)| {
            let key = self.wrapping(generation).ok_or_else(altered)?;
            open(key, &wrapped, name.as_bytes()).map(Zeroizing::new).ok_or_else(altered)
        })
        .transpose()
    }

    /// Returns the key that hashes addresses, if it was kept after its server key was gone.
    fn email(&self, connection: &Connection) -> Result<Option<Zeroizing<[u8; 32]>>, KeyStoreError> {
        self.kept_key(connection, EMAIL)
    }

    /// Returns the key that is stored under a name.
    pub(super) fn kept_key(
        &self,
        connection: &Connection,
        name: &str,
    ) -> Result<Option<Zeroizing<[u8; 32]>>, KeyStoreError> {
        let kept = self.secret(connection, name)?;
        let altered = |_| KeyStoreError::Altered(name.to_owned());
        kept.map(|key| key.as_slice().try_into().map(Zeroizing::new).map_err(altered)).transpose()
    }

    /// Returns the keys that still verify links and sessions of earlier generations, and until when. Newest
    /// first.
    fn older(&self, connection: &Connection) -> Result<Vec<(Signing, Moment)>, KeyStoreError> {
        let query = "SELECT name, ends_at FROM secrets WHERE ends_at IS NOT NULL ORDER BY ends_at DESC";
        let mut select = connection.prepare(query).map_err(KeyStoreError::sqlite)?;
        let rows = select
            .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))
            .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
            .map_err(KeyStoreError::sqlite)?;
        let mut older = Vec::new();
        for (name, ends_at) in rows {
            let kept = self.secret(connection, &name)?;
            let ends_at = Moment::from_timestamp_micros(ends_at).unwrap_or(Moment::MIN_UTC);
            older.extend(kept.and_then(|kept| Some((Signing::from_bytes(&kept)?, ends_at))));
        }
        Ok(older)
    }
}

/// Wraps a secret of the server.
pub(super) fn wrap(key: &ServerKey, name: &str, secret: &[u8]) -> Result<Vec<u8>, KeyStoreError> {
    seal(&key.wrapping(), secret, name.as_bytes()).ok_or_else(|| KeyStoreError::Altered(name.to_owned()))
}
