//! A new server key, and everything wrapped anew with it, beside a running server.
//!
//! In this order, each step durable before the next, so that a rotation killed at any point goes on when
//! it is asked for again: the new key is written above the old one in its file; the key store notes the
//! new generation, and keeps what outlives the old key; accounts' keys are wrapped anew, some hundreds in a
//! transaction; when none is left the old generation is struck out, and last the old key from the file.

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

/// How many keys one transaction wraps anew.
const BATCH: usize = 500;
/// For how long links and sessions of the old key are taken: the longest that any may last.
const GRACE: TimeDelta = TimeDelta::days(366);

/// Why the server key is rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Because it is time: links and sessions of the old key hold until they end by themselves.
    Routine,
    /// The old key is known to somebody else: links and sessions that it signed end at once.
    Compromise,
}

/// A rotation under way.
pub struct Rotation {
    connection: Connection,
    path: PathBuf,
    file: KeyFile,
    cause: Cause,
    report: RotationReport,
    old: Vec<(Generation, Zeroizing<[u8; 32]>)>,
    newest: Generation,
    /// The account up to which keys were looked at.
    at: Vec<u8>,
    /// Two at once would each write a key of its own into the file, and one of the two would be lost.
    alone: File,
}

/// What a rotation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RotationReport {
    /// The number of the new server key, from one.
    pub generation: u32,
    /// Whether it went on with one that had been interrupted.
    pub resumed: bool,
}

impl Rotation {
    /// Begins a rotation, or goes on with one that was interrupted.
    ///
    /// # Errors
    /// [`KeyStoreError`]; nothing is lost, and asking again goes on.
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
        // Read again: what was read before the lock was had may be what another rotation has replaced.
        let file = file.reload()?;
        let mut connection = KEYS.open(path)?;
        let prints = generations(&connection).map_err(KeyStoreError::sqlite)?;
        let is_known = |key: &ServerKey| {
            let print = key.fingerprint();
            prints.values().any(|known| **known == print)
        };
        // A key in the file that the store has not heard of was written by a rotation killed just then.
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

    /// What it does.
    #[must_use]
    pub fn report(&self) -> RotationReport {
        self.report
    }

    /// How many keys are still to be wrapped anew.
    ///
    /// # Errors
    /// What SQLite said.
    pub fn left(&self) -> Result<u64, KeyStoreError> {
        let count = "SELECT count(*) FROM keys WHERE generation < ?";
        self.connection.query_row(count, [self.newest], |row| row.get(0)).map_err(KeyStoreError::sqlite)
    }

    /// Wraps some more keys anew; says how many, none once all are.
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

    /// Strikes the old key out: first from the store, where no key may be left that it wraps, then from its
    /// file. Gives the rotation that has to follow, which is to be finished too: one that was interrupted
    /// ends with the key that it had made then, and who has seen the file since knows that one as well.
    ///
    /// # Errors
    /// [`KeyStoreError`]; asking for a rotation again ends it.
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

/// The next keys that an old generation wraps.
type OldRow = (Vec<u8>, Option<Vec<u8>>, Generation);

fn old_rows(connection: &Connection, newest: Generation, after: &[u8]) -> rusqlite::Result<Vec<OldRow>> {
    let query = "SELECT account, wrapped, generation FROM keys
        WHERE generation < ? AND account > ? ORDER BY account LIMIT ?";
    let mut select = connection.prepare_cached(query)?;
    let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
    let rows = select.query_map((newest, after, limit), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    rows.collect()
}

/// Notes the new generation and what outlives the old one, all of it or nothing.
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
