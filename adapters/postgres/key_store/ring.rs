//! Reads and writes what the key store holds beside the account keys.

use deadpool_postgres::{ClientWrapper, Transaction};
use loquet_crypto::key_ring::{Generation, Stored, StoredSecret};
use loquet_crypto::key_rotation::Record;
use tokio_postgres::{IsolationLevel, Row};

use crate::error::PostgresError;
use crate::statements::{all, run};

const CHANGES: &str = "SELECT ring FROM loquet.key_changes";
const GENERATIONS: &str = "SELECT generation, fingerprint FROM loquet.server_keys";
const SECRETS: &str = "SELECT name, wrapped, generation, ends_at FROM loquet.key_secrets";
/// Counts a change of the server key. Nobody else can change anything here until the transaction ends.
const CHANGE: &str = "UPDATE loquet.key_changes SET number = number + 1, ring = number + 1";
const ADD_SECRET: &str =
    "INSERT INTO loquet.key_secrets (name, wrapped, generation, ends_at) VALUES ($1, $2, $3, $4)";
const ADD_GENERATION: &str = "INSERT INTO loquet.server_keys (generation, fingerprint) VALUES ($1, $2)";

/// Reads everything but the account keys, as of one moment.
pub(super) async fn read(client: &mut ClientWrapper) -> Result<Stored, PostgresError> {
    let snapshot = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
    let transaction = snapshot.start().await?;
    let stored = stored(&transaction).await?;
    transaction.commit().await?;
    Ok(stored)
}

/// Reads everything but the account keys.
pub(super) async fn stored(transaction: &Transaction<'_>) -> Result<Stored, PostgresError> {
    let changes = run(transaction, CHANGES, &[]).await?;
    let generations = all(&run(transaction, GENERATIONS, &[]).await?, fingerprint)?;
    let secrets = all(&run(transaction, SECRETS, &[]).await?, secret)?;
    let changes = changes.first().map(|row| row.try_get(0)).transpose()?.unwrap_or_default();
    Ok(Stored { changes, generations: generations.into_iter().collect(), secrets })
}

/// Counts a change of the server key, before the change is made.
pub(super) async fn change(transaction: &Transaction<'_>) -> Result<(), PostgresError> {
    run(transaction, CHANGE, &[]).await.map(drop)
}

/// Writes how a rotation begins.
pub(super) async fn write(transaction: &Transaction<'_>, record: &Record) -> Result<(), PostgresError> {
    match record {
        Record::Generation(generation, fingerprint, secrets) => {
            run(transaction, ADD_GENERATION, &[&to_stored(*generation), fingerprint]).await?;
            run(transaction, "DELETE FROM loquet.key_secrets", &[]).await?;
            for StoredSecret { name, wrapped, generation, ends_at } in secrets {
                run(transaction, ADD_SECRET, &[name, wrapped, &to_stored(*generation), ends_at]).await?;
            }
        }
        Record::EndOfOldTokens => {
            run(transaction, "DELETE FROM loquet.key_secrets WHERE ends_at IS NOT NULL", &[]).await?;
        }
        Record::Nothing => {}
    }
    Ok(())
}

/// A generation as PostgreSQL stores it. A number that is too great for it is past all that are stored.
pub(super) fn to_stored(generation: Generation) -> i32 {
    i32::try_from(generation).unwrap_or(i32::MAX)
}

/// A generation that this program stored.
pub(super) fn generation(row: &Row, column: usize) -> Result<Generation, PostgresError> {
    let stored: i32 = row.try_get(column)?;
    Generation::try_from(stored)
        .map_err(|_| PostgresError::Unexpected(format!("generation {stored} of the server key")))
}

fn fingerprint(row: &Row) -> Result<(Generation, Vec<u8>), PostgresError> {
    Ok((generation(row, 0)?, row.try_get(1)?))
}

fn secret(row: &Row) -> Result<StoredSecret, PostgresError> {
    let generation = generation(row, 2)?;
    Ok(StoredSecret { name: row.try_get(0)?, wrapped: row.try_get(1)?, generation, ends_at: row.try_get(3)? })
}
