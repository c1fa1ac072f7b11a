//! Rotates the server key while a server runs: makes a new one and wraps everything again with it.
//!
//! Each step is durable before the next one begins. So a rotation that was killed continues when it is
//! started again.
//!
//! 1. The new key is written above the old one in the key file.
//! 2. The key store records the new generation, and keeps what must survive the old key.
//! 3. The account keys are wrapped again, some hundreds in each transaction.
//! 4. When none is left, the old generation is deleted from the store.
//! 5. The old key is deleted from the key file.

use std::fs::File;
use std::path::{Path, PathBuf};

use chrono::TimeDelta;
use loquet_crypto::sealing::{open, seal};
use loquet_crypto::server_key::{KeyFile, ServerKey};
use loquet_crypto::tokens::{Signing, TokenKeys};
use loquet_domain::Moment;
use rusqlite::{Connection, TransactionBehavior};
use zeroize::Zeroizing;

use super::ring::{COMMANDS, EMAIL, Generation, Ring, generations, wrap};
use super::{KEYS, KeyStoreError};
use crate::database::{FileError, lock_beside};

/// The number of keys that one transaction wraps.
const BATCH: usize = 500;
/// How long links and sessions signed with the old key stay valid: the longest time that any of them may
/// last.
const GRACE: TimeDelta = TimeDelta::days(366);

/// Why the server key is rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A planned rotation. Links and sessions signed with the old key stay valid until they expire.
    Routine,
    /// Somebody else knows the old key. Links and sessions that it signed end at once.
    Compromise,
}

/// A running rotation.
pub struct Rotation {
    connection: Connection,
    path: PathBuf,
    file: KeyFile,
    cause: Cause,
    report: RotationReport,
    old: Vec<(Generation, Zeroizing<[u8; 32]>)>,
    newest: Generation,
    /// The last account whose key was looked at.
    at: Vec<u8>,
    /// A lock against a second rotation. Two at once would each write a key to the file, and one would be
    /// lost.
    alone: File,
}

/// What a rotation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RotationReport {
    /// The number of the new server key, starting at one.
    pub generation: u32,
    /// Whether it continues an interrupted rotation.
    pub resumed: bool,
}

impl Rotation {
    /// Begins a rotation, or continues one that was interrupted.
    ///
    /// # Errors
    /// [`KeyStoreError`]. Nothing is lost, and the next call continues.
    pub fn begin(path: &Path, file: KeyFile, now: Moment, cause: Cause) -> Result<Self, KeyStoreError> {
        let alone = lock_beside(path, ".rotation").map_err(|error| match error {
            FileError::InUse(_) => KeyStoreError::UnderWay,
            other => other.into(),
        })?;
        Self::begin_alone(alone, path, &file, now, cause)
    }

    fn begin_alone(
        alone: File,
        path: &Path,
        file: &KeyFile,
        now: Moment,
        cause: Cause,
    ) -> Result<Self, KeyStoreError> {
        // The file is read again under the lock, because another rotation may have changed it before.
        let file = file.reload()?;
        let mut connection = KEYS.open(path)?;
        let prints = generations(&connection).map_err(KeyStoreError::sqlite)?;
        let is_known = |key: &ServerKey| {
            let print = key.fingerprint();
            prints.values().any(|known| **known == print)
        };
        // A key that is in the file but unknown to the store comes from a rotation that was killed at that
        // moment.
        let unheard = file.older.iter().find(|older| is_known(older)).filter(|_| !is_known(&file.newest));
        let current = unheard.map_or_else(|| file.clone(), KeyFile::from);
        let ring = Ring::load(&connection, current, &path.display().to_string())?;
        let resumed = prints.len() > 1 || !file.older.is_empty();
        let file = if resumed { file } else { file.put_above(ServerKey::random())? };
        if !is_known(&file.newest) {
            announce(&mut connection, &file, &ring, now, cause)?;
        } else if cause == Cause::Compromise {
            let forget = "DELETE FROM secrets WHERE ends_at IS NOT NULL";
            connection.execute(forget, []).map_err(KeyStoreError::sqlite)?;
        }
        let known = generations(&connection).map_err(KeyStoreError::sqlite)?;
        let newest = known.last_key_value().map_or(1, |(generation, _)| *generation);
        let old = file.older.iter().filter_map(|key| {
            let print = key.fingerprint();
            let generation = known.iter().find(|(_, known)| **known == print)?.0;
            Some((*generation, key.wrapping()))
        });
        let old = old.collect();
        let report = RotationReport { generation: newest, resumed };
        let path = path.to_owned();
        Ok(Self { connection, path, file, cause, report, old, newest, at: Vec::new(), alone })
    }

    /// Returns what this rotation does.
    #[must_use]
    pub fn report(&self) -> RotationReport {
        self.report
    }

    /// Returns how many keys must still be wrapped again.
    ///
    /// # Errors
    /// SQLite's error.
    pub fn left(&self) -> Result<u64, KeyStoreError> {
        let count = "SELECT count(*) FROM keys WHERE generation < ?";
        self.connection.query_row(count, [self.newest], |row| row.get(0)).map_err(KeyStoreError::sqlite)
    }

    /// Wraps some more keys again. Returns how many; zero means that all are done.
    ///
    /// # Errors
    /// [`KeyStoreError::Altered`] names a key that can't be unwrapped.
    pub fn step(&mut self) -> Result<usize, KeyStoreError> {
        let (old, newest, new) = (&self.old, self.newest, self.file.newest.wrapping());
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(KeyStoreError::sqlite)?;
        let rows = old_rows(&transaction, newest, &self.at).map_err(KeyStoreError::sqlite)?;
        for (account, wrapped, generation) in &rows {
            let altered = || KeyStoreError::Altered(base16ct::lower::encode_string(account));
            let rewrapped = match wrapped {
                None => None,
                Some(wrapped) => {
                    let key = old.iter().find(|(old, _)| old == generation).map(|(_, key)| key);
                    let key = key.and_then(|key| open(key, wrapped, account)).map(Zeroizing::new);
                    Some(key.and_then(|key| seal(&new, &key, account)).ok_or_else(altered)?)
                }
            };
            transaction
                .prepare_cached("UPDATE keys SET wrapped = ?, generation = ? WHERE account = ?")
                .and_then(|mut update| update.execute((rewrapped, newest, account)))
                .map_err(KeyStoreError::sqlite)?;
        }
        transaction.commit().map_err(KeyStoreError::sqlite)?;
        self.at = rows.last().map(|(account, ..)| account.clone()).unwrap_or_default();
        Ok(rows.len())
    }

    /// Deletes the old key: first from the store, where it wraps no key any more, then from its file. May
    /// return a second rotation, which the caller must finish too: an interrupted rotation ends with the key
    /// that it had made, and an attacker who has read the file since knows that key as well.
    ///
    /// # Errors
    /// [`KeyStoreError`]. Starting the rotation again finishes it.
    pub fn finish(mut self, now: Moment) -> Result<Option<Self>, KeyStoreError> {
        while self.left()? > 0 {
            self.at.clear();
            self.step()?;
        }
        let strike = "DELETE FROM server WHERE id < ?1
            AND NOT EXISTS (SELECT 1 FROM keys WHERE generation < ?1)";
        self.connection.execute(strike, [self.newest]).map_err(KeyStoreError::sqlite)?;
        let empty = "PRAGMA wal_checkpoint(TRUNCATE)";
        self.connection.query_row(empty, [], |_| Ok(())).map_err(KeyStoreError::sqlite)?;
        let file = self.file.without_older()?;
        match self.cause {
            Cause::Compromise if self.report.resumed => {
                Self::begin_alone(self.alone, &self.path, &file, now, self.cause).map(Some)
            }
            _ => Ok(None),
        }
    }
}

/// Returns the next keys that an old generation wraps.
type OldRow = (Vec<u8>, Option<Vec<u8>>, Generation);

fn old_rows(connection: &Connection, newest: Generation, after: &[u8]) -> rusqlite::Result<Vec<OldRow>> {
    let query = "SELECT account, wrapped, generation FROM keys
        WHERE generation < ? AND account > ? ORDER BY account LIMIT ?";
    let mut select = connection.prepare_cached(query)?;
    let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
    let rows = select.query_map((newest, after, limit), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    rows.collect()
}

/// Records the new generation and what must survive the old one, in one transaction.
fn announce(
    connection: &mut Connection,
    file: &KeyFile,
    ring: &Ring,
    now: Moment,
    cause: Cause,
) -> Result<(), KeyStoreError> {
    let old = &ring.file.newest;
    let generation = ring.newest.saturating_add(1);
    let keys = ring.tokens().read().map_or_else(|_| TokenKeys::of(old), |keys| keys.clone());
    let mut kept: Vec<(String, Zeroizing<Vec<u8>>, Option<i64>)> =
        vec![(EMAIL.to_owned(), Zeroizing::new(keys.email.to_vec()), None)];
    if let Some(key) = ring.kept_key(connection, COMMANDS)? {
        kept.push((COMMANDS.to_owned(), Zeroizing::new(key.to_vec()), None));
    }
    if cause == Cause::Routine {
        let signing = std::iter::once((Signing::of(old), now + GRACE)).chain(keys.older);
        kept.extend(signing.filter(|(_, ends)| now < *ends).enumerate().map(|(n, (signing, ends))| {
            let name =
                format!("signing/{}", ring.newest.saturating_sub(u32::try_from(n).unwrap_or(u32::MAX)));
            (name, signing.to_bytes(), Some(ends.timestamp_micros()))
        }));
    }
    let mut rows = Vec::with_capacity(kept.len());
    for (name, secret, ends_at) in kept {
        let wrapped = wrap(&file.newest, &name, &secret)?;
        rows.push((name, wrapped, generation, ends_at));
    }
    let write = || {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute("DELETE FROM secrets", [])?;
        for row in rows {
            transaction.execute("INSERT INTO secrets VALUES (?, ?, ?, ?)", row)?;
        }
        let note = "INSERT INTO server VALUES (?, ?)";
        transaction.execute(note, (generation, file.newest.fingerprint()))?;
        transaction.commit()
    };
    write().map_err(KeyStoreError::sqlite)
}
