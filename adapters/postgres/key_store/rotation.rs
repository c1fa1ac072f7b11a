//! Rotates the server key while nodes run. The steps are those of [`loquet_crypto::key_rotation`].
//!
//! With several nodes, the operator writes the new key first ([`loquet_crypto::key_rotation::prepare`]), copies the file
//! to every node, and then rotates on one of them. [The key store](super) says what a node does whose file does not have
//! the new key. A rotation deletes the old key from the file of its own node. The operator then copies this file to the
//! other nodes.

use deadpool_postgres::{ClientWrapper, Object};
use loquet_crypto::key_ring::{Generation, RingError};
use loquet_crypto::key_rotation::{Beginning, CannotBegin, Rewrapping};
pub use loquet_crypto::key_rotation::{Cause, RotationReport};
use loquet_crypto::server_key::KeyFile;
use loquet_domain::Moment;
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use super::ring::{change, generation, read, stored, to_stored, write};
use super::{KeyStoreError, is};
use crate::database::Database;
use crate::error::PostgresError;
use crate::numbers::{limited, number};
use crate::statements::{all, run};

/// The number of keys that one transaction wraps.
const BATCH: usize = 500;
/// Only one rotation runs at a time, on whatever node. The number is this program's own.
const LOCK: i64 = 0x6c6f_7175_6574_0006;
/// The server may notice a little late that an earlier rotation was killed.
const PATIENCE: &str = "SET LOCAL lock_timeout = '2s'";

const LEFT: &str = "SELECT count(*) FROM loquet.account_keys WHERE generation < $1";
const OLD_KEYS: &str = "
    SELECT account, wrapped, generation FROM loquet.account_keys
    WHERE generation < $1 AND ($2::uuid IS NULL OR account > $2)
    ORDER BY account LIMIT $3::bigint FOR UPDATE";
const REWRAP: &str = "
    UPDATE loquet.account_keys AS held SET wrapped = new.wrapped, generation = $3
    FROM unnest($1::uuid[], $2::bytea[]) AS new (account, wrapped) WHERE held.account = new.account";
const STRIKE: &str = "DELETE FROM loquet.server_keys WHERE generation < $1";

/// A running rotation. If it is dropped before its end, the next one continues it.
pub struct Rotation {
    /// A connection that is in no pool. It holds the lock against a second rotation, and every step runs on it. So no
    /// step runs after the lock was lost with the connection.
    alone: ClientWrapper,
    file: KeyFile,
    cause: Cause,
    report: RotationReport,
    rewrapping: Rewrapping,
    /// The last account whose key was looked at.
    at: Option<Uuid>,
}

impl Rotation {
    /// Begins a rotation, or continues one that was interrupted.
    ///
    /// # Errors
    /// [`KeyStoreError`]. Nothing is lost, and the next call continues.
    pub async fn begin(
        database: &Database,
        file: &KeyFile,
        now: Moment,
        cause: Cause,
    ) -> Result<Self, KeyStoreError> {
        let mut alone = Object::take(database.client().await?);
        lock(&mut alone).await?;
        Self::begin_alone(alone, file, now, cause).await
    }

    async fn begin_alone(
        mut alone: ClientWrapper,
        file: &KeyFile,
        now: Moment,
        cause: Cause,
    ) -> Result<Self, KeyStoreError> {
        let held = read(&mut alone).await?;
        let beginning = Beginning::of(file, &held).map_err(|error| match error {
            CannotBegin::Ring(error) => KeyStoreError::from(error),
            CannotBegin::File(error) => KeyStoreError::from(error),
        })?;
        let transaction = alone.transaction().await.map_err(PostgresError::from)?;
        change(&transaction).await?;
        let record = beginning.record(&stored(&transaction).await?, now, cause)?;
        write(&transaction, &record).await?;
        let stored = stored(&transaction).await?;
        transaction.commit().await.map_err(PostgresError::from)?;
        let Beginning { file, resumed, .. } = beginning;
        let rewrapping = Rewrapping::of(&file, &stored);
        let report = RotationReport { generation: rewrapping.newest(), resumed };
        Ok(Self { alone, file, cause, report, rewrapping, at: None })
    }

    /// Returns what this rotation does.
    #[must_use]
    pub fn report(&self) -> RotationReport {
        self.report
    }

    /// Returns how many keys must still be wrapped again.
    ///
    /// # Errors
    /// [`KeyStoreError`] if the server can't be asked.
    pub async fn left(&self) -> Result<u64, KeyStoreError> {
        let left = self.alone.query_one(LEFT, &[&self.newest()]).await.map_err(PostgresError::from)?;
        let left: i64 = left.try_get(0).map_err(PostgresError::from)?;
        Ok(number(left)?)
    }

    /// Wraps some more keys again. Returns how many; zero means that all are done.
    ///
    /// # Errors
    /// [`RingError::Altered`] names a key that can't be unwrapped.
    pub async fn step(&mut self) -> Result<usize, KeyStoreError> {
        let newest = self.newest();
        let transaction = self.alone.transaction().await.map_err(PostgresError::from)?;
        let rows = run(&transaction, OLD_KEYS, &[&newest, &self.at, &limited(BATCH)]).await?;
        let (mut accounts, mut rewrapped) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
        for OldKey { account, wrapped, generation } in all(&rows, old_key)? {
            let again = self.rewrapping.rewrap(&wrapped, generation, account.as_bytes());
            rewrapped.push(again.ok_or_else(|| RingError::Altered(account.to_string()))?);
            accounts.push(account);
        }
        run(&transaction, REWRAP, &[&accounts, &rewrapped, &newest]).await?;
        transaction.commit().await.map_err(PostgresError::from)?;
        self.at = accounts.last().copied();
        Ok(accounts.len())
    }

    /// Deletes the old key: first from the store, where it wraps no key any more, then from its file. May
    /// return a second rotation, which the caller must finish too: an interrupted rotation ends with the key
    /// that it had made, and an attacker who has read the file since knows that key as well.
    ///
    /// # Errors
    /// [`KeyStoreError`]. Starting the rotation again finishes it.
    pub async fn finish(mut self, now: Moment) -> Result<Option<Self>, KeyStoreError> {
        loop {
            while self.left().await? > 0 {
                self.at = None;
                self.step().await?;
            }
            match self.strike().await {
                Ok(()) => break,
                // A node that did not know of the new key has made one meanwhile.
                Err(error) if is(&error, &SqlState::FOREIGN_KEY_VIOLATION) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let file = self.file.without_older()?;
        match self.report.must_be_followed(self.cause) {
            true => Self::begin_alone(self.alone, &file, now, self.cause).await.map(Some),
            false => Ok(None),
        }
    }

    /// Deletes the old generations. The server refuses that as long as one of them wraps a key.
    async fn strike(&mut self) -> Result<(), PostgresError> {
        let newest = self.newest();
        let transaction = self.alone.transaction().await?;
        change(&transaction).await?;
        run(&transaction, STRIKE, &[&newest]).await?;
        Ok(transaction.commit().await?)
    }

    fn newest(&self) -> i32 {
        to_stored(self.rewrapping.newest())
    }
}

/// Takes the lock against a second rotation. The connection holds it until it is closed.
async fn lock(alone: &mut ClientWrapper) -> Result<(), KeyStoreError> {
    let transaction = alone.transaction().await.map_err(PostgresError::from)?;
    transaction.batch_execute(PATIENCE).await.map_err(PostgresError::from)?;
    match run(&transaction, "SELECT pg_advisory_lock($1)", &[&LOCK]).await {
        Ok(_) => Ok(transaction.commit().await.map_err(PostgresError::from)?),
        Err(error) if is(&error, &SqlState::LOCK_NOT_AVAILABLE) => Err(KeyStoreError::UnderWay),
        Err(error) => Err(error.into()),
    }
}

/// A key that an old generation wraps.
struct OldKey {
    account: Uuid,
    wrapped: Vec<u8>,
    generation: Generation,
}

fn old_key(row: &Row) -> Result<OldKey, PostgresError> {
    Ok(OldKey { account: row.try_get(0)?, wrapped: row.try_get(1)?, generation: generation(row, 2)? })
}
