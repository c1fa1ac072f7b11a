//! Rotates the server key while a server runs: makes a new one and wraps everything again with it. The steps are those
//! of [`loquet_crypto::key_rotation`].

use std::fs::File;
use std::path::{Path, PathBuf};

use loquet_crypto::key_ring::{Generation, Stored, StoredSecret};
use loquet_crypto::key_rotation::{Beginning, CannotBegin, Record, Rewrapping};
pub use loquet_crypto::key_rotation::{Cause, RotationReport};
use loquet_crypto::server_key::KeyFile;
use loquet_domain::Moment;
use rusqlite::{Connection, TransactionBehavior};

use super::ring::stored;
use super::{KEYS, KeyStoreError};
use crate::database::{FileError, lock_beside};

/// The number of keys that one transaction wraps.
const BATCH: usize = 500;
/// A running rotation.
pub struct Rotation {
    connection: Connection,
    path: PathBuf,
    file: KeyFile,
    cause: Cause,
    report: RotationReport,
    rewrapping: Rewrapping,
    /// The last account whose key was looked at.
    at: Vec<u8>,
    /// A lock against a second rotation. Two at once would each write a key to the file, and one would be
    /// lost.
    alone: File,
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
        let mut connection = KEYS.open(path)?;
        let shown = path.display().to_string();
        let stored = stored(&connection).map_err(KeyStoreError::sqlite)?;
        // The file is read again under the lock, because another rotation may have changed it before.
        let beginning = Beginning::of(file, &stored).map_err(|error| match error {
            CannotBegin::Ring(error) => KeyStoreError::ring(error, &shown),
            CannotBegin::File(error) => error.into(),
        })?;
        let stored = record(&mut connection, &beginning, now, cause, &shown)?;
        let Beginning { file, resumed, .. } = beginning;
        let rewrapping = Rewrapping::of(&file, &stored);
        let report = RotationReport { generation: rewrapping.newest(), resumed };
        let path = path.to_owned();
        Ok(Self { connection, path, file, cause, report, rewrapping, at: Vec::new(), alone })
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
        self.connection
            .query_row(count, [self.rewrapping.newest()], |row| row.get(0))
            .map_err(KeyStoreError::sqlite)
    }

    /// Wraps some more keys again. Returns how many; zero means that all are done.
    ///
    /// # Errors
    /// [`KeyStoreError::Altered`] names a key that can't be unwrapped.
    pub fn step(&mut self) -> Result<usize, KeyStoreError> {
        let (rewrapping, newest) = (&self.rewrapping, self.rewrapping.newest());
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(KeyStoreError::sqlite)?;
        let rows = old_rows(&transaction, newest, &self.at).map_err(KeyStoreError::sqlite)?;
        for (account, wrapped, generation) in &rows {
            let altered = || KeyStoreError::Altered(base16ct::lower::encode_string(account));
            let rewrapped = match wrapped {
                None => None,
                Some(wrapped) => Some(rewrapping.rewrap(wrapped, *generation, account).ok_or_else(altered)?),
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
        self.connection.execute(strike, [self.rewrapping.newest()]).map_err(KeyStoreError::sqlite)?;
        let empty = "PRAGMA wal_checkpoint(TRUNCATE)";
        self.connection.query_row(empty, [], |_| Ok(())).map_err(KeyStoreError::sqlite)?;
        let file = self.file.without_older()?;
        match self.report.must_be_followed(self.cause) {
            true => Self::begin_alone(self.alone, &self.path, &file, now, self.cause).map(Some),
            false => Ok(None),
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

/// Records how a rotation begins, in one transaction. Returns what is stored then.
fn record(
    connection: &mut Connection,
    beginning: &Beginning,
    now: Moment,
    cause: Cause,
    path: &str,
) -> Result<Stored, KeyStoreError> {
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(KeyStoreError::sqlite)?;
    let held = stored(&transaction).map_err(KeyStoreError::sqlite)?;
    let record = beginning.record(&held, now, cause).map_err(|error| KeyStoreError::ring(error, path))?;
    let written = write(&transaction, record).and_then(|()| stored(&transaction));
    let written = written.map_err(KeyStoreError::sqlite)?;
    transaction.commit().map_err(KeyStoreError::sqlite)?;
    Ok(written)
}

fn write(connection: &Connection, record: Record) -> rusqlite::Result<()> {
    match record {
        Record::Generation(generation, fingerprint, secrets) => {
            connection.execute("DELETE FROM secrets", [])?;
            for StoredSecret { name, wrapped, generation, ends_at } in secrets {
                let ends_at = ends_at.map(|ends_at| ends_at.timestamp_micros());
                let insert = "INSERT INTO secrets VALUES (?, ?, ?, ?)";
                connection.execute(insert, (name, wrapped, generation, ends_at))?;
            }
            connection.execute("INSERT INTO server VALUES (?, ?)", (generation, fingerprint))?;
        }
        Record::EndOfOldTokens => {
            connection.execute("DELETE FROM secrets WHERE ends_at IS NOT NULL", [])?;
        }
        Record::Nothing => {}
    }
    Ok(())
}
