//! Runs statements, and waits no longer for an answer than a statement may take.

use std::time::Duration;

use deadpool_postgres::{Object, Transaction};
use futures_util::TryStreamExt;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::database::Database;
use crate::error::PostgresError;

/// The values of a statement's parameters.
pub(crate) type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

/// The time that an answer may take to travel, beyond the time that the server may spend on it.
const TRAVEL: Duration = Duration::from_secs(1);

impl Database {
    /// Works on a connection. The server ends a statement that takes too long, but a server that is stalled ends nothing.
    /// So this waits no longer than that either. A connection without an answer is not used again: the next one may lead
    /// to another server.
    pub(crate) async fn work<T>(
        &self,
        work: impl AsyncFnOnce(&mut Object) -> Result<T, PostgresError>,
    ) -> Result<T, PostgresError> {
        let mut client = self.client().await?;
        let worked = tokio::time::timeout(self.statement_timeout() + TRAVEL, work(&mut client)).await;
        worked.unwrap_or_else(|_| {
            drop(Object::take(client));
            Err(PostgresError::NoAnswer)
        })
    }

    /// Runs a statement that returns rows.
    pub(crate) async fn rows(&self, statement: &str, values: Values<'_>) -> Result<Vec<Row>, PostgresError> {
        self.work(async |client| {
            let statement = client.prepare_cached(statement).await?;
            Ok(client.query(&statement, values).await?)
        })
        .await
    }

    /// Runs a statement that returns rows, and reads each one as it arrives, while the server goes on.
    pub(crate) async fn read<T>(
        &self,
        statement: &str,
        values: Values<'_>,
        read: fn(&Row) -> Result<T, PostgresError>,
    ) -> Result<Vec<T>, PostgresError> {
        self.work(async |client| {
            let statement = client.prepare_cached(statement).await?;
            let rows = client.query_raw(&statement, values.iter().copied()).await?;
            let mut rows = std::pin::pin!(rows);
            let mut found = Vec::new();
            while let Some(row) = rows.try_next().await? {
                found.push(read(&row)?);
            }
            Ok(found)
        })
        .await
    }

    /// Runs a statement that returns at most one row.
    pub(crate) async fn row(
        &self,
        statement: &str,
        values: Values<'_>,
    ) -> Result<Option<Row>, PostgresError> {
        Ok(self.rows(statement, values).await?.into_iter().next())
    }

    /// Runs a statement that changes something. Returns the number of rows that it changed.
    pub(crate) async fn change(&self, statement: &str, values: Values<'_>) -> Result<u64, PostgresError> {
        self.work(async |client| {
            let statement = client.prepare_cached(statement).await?;
            Ok(client.execute(&statement, values).await?)
        })
        .await
    }
}

/// Runs a statement in a transaction. Returns its rows.
pub(crate) async fn run(
    transaction: &Transaction<'_>,
    statement: &str,
    values: Values<'_>,
) -> Result<Vec<Row>, PostgresError> {
    let statement = transaction.prepare_cached(statement).await?;
    Ok(transaction.query(&statement, values).await?)
}

/// Reads all rows with the same function.
pub(crate) fn all<T>(
    rows: &[Row],
    read: fn(&Row) -> Result<T, PostgresError>,
) -> Result<Vec<T>, PostgresError> {
    rows.iter().map(read).collect()
}
