//! The keys that follow from the server's, by generation: what wraps accounts' keys, what signs links
//! and sessions, what hashes addresses.
//!
//! A rotation makes a new generation. What was wrapped is wrapped anew; what was mailed can't be mailed
//! anew, so the keys that signed it are kept, wrapped, until everything they signed has ended. The key
//! that hashes addresses is part of stream names: it outlives every rotation.

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
/// Under which name the key that hashes addresses is kept once the server key it came from is gone.
pub(super) const EMAIL: &str = "email";
/// Under which name the key that hashes commands is kept. It comes from no server key.
pub(super) const COMMANDS: &str = "commands";

/// The keys as they are now.
pub(super) struct Ring {
    pub(super) newest: Generation,
    /// How often others had written to the file of keys when this was read.
    pub(super) changes: i64,
    pub(super) file: KeyFile,
    wrapping: BTreeMap<Generation, Zeroizing<[u8; 32]>>,
    /// What links, sessions and addresses are signed and hashed with; shared with whoever does.
    tokens: Arc<RwLock<TokenKeys>>,
}

/// The server key that a file of keys needs; none where it never met one.
pub(crate) fn wrapped_by(keys: &Connection) -> rusqlite::Result<Option<Fingerprint>> {
    Ok(generations(keys)?.last_key_value().map(|(_, print)| Fingerprint::shown(print)))
}

/// Which generations the file of keys knows, by fingerprint.
pub(super) fn generations(connection: &Connection) -> rusqlite::Result<BTreeMap<Generation, Vec<u8>>> {
    let mut select = connection.prepare_cached("SELECT id, fingerprint FROM server")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// A number that is another whenever somebody else has written to the file: a rotation that ends, or that
/// forgets what the old key signed, makes no new generation, and must be noticed all the same.
pub(super) fn changes_by_others(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))
}

impl Ring {
    /// The ring of a file of keys that is not empty.
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

    /// Takes over what another ring knows; whoever signs with this one signs with those keys from now on.
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

    /// A secret that outlived its server key.
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

    /// The key that hashes addresses, if it outlived the server key that it came from.
    fn email(&self, connection: &Connection) -> Result<Option<Zeroizing<[u8; 32]>>, KeyStoreError> {
        self.kept_key(connection, EMAIL)
    }

    /// A key that is kept under a name.
    pub(super) fn kept_key(
        &self,
        connection: &Connection,
        name: &str,
    ) -> Result<Option<Zeroizing<[u8; 32]>>, KeyStoreError> {
        let kept = self.secret(connection, name)?;
        let altered = |_| KeyStoreError::Altered(name.to_owned());
        kept.map(|key| key.as_slice().try_into().map(Zeroizing::new).map_err(altered)).transpose()
    }

    /// What still opens links and sessions of earlier generations, and until when; the newest first.
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

/// Wraps a secret of the server's.
pub(super) fn wrap(key: &ServerKey, name: &str, secret: &[u8]) -> Result<Vec<u8>, KeyStoreError> {
    seal(&key.wrapping(), secret, name.as_bytes()).ok_or_else(|| KeyStoreError::Altered(name.to_owned()))
}
