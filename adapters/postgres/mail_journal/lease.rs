//! The lease on the reactions, and the comparison of fences.

use deadpool_postgres::{Object, Transaction};
use futures_util::future::join;
use loquet_domain::Moment;
use loquet_domain::ports::BoxFuture;
use loquet_projections::ports::{Acquired, Fence, Fenced, Lease, StoreFailed, WriteFailed};
use tokio_postgres::Row;

use super::PostgresJournal;
use crate::database::Database;
use crate::error::PostgresError;
use crate::numbers::{at_most, number};
use crate::statements::{Values, run};

/// The number of an advisory lock. Writes under a fence share it, and taking the lease needs it exclusively.
///
/// A lock on the lease's row (`FOR SHARE`) would not be enough. Transactions that share a row's lock get it ahead of one that
/// waits to change the row. So a node that writes without a pause could prevent a take-over, and its own renewals. PostgreSQL
/// gives an advisory lock in the order in which it was asked for.
const LOCK: i64 = 0x6c6f_7175_6574_0003;

/// Writes under the lease, in one transaction. Writes nothing if the lease of this fence is over.
pub(crate) async fn under<T>(
    database: &Database,
    fence: Fence,
    write: impl AsyncFnOnce(&Transaction<'_>) -> Result<T, PostgresError>,
) -> Result<T, WriteFailed> {
    let written = database.work(async |client| {
        let transaction = client.transaction().await?;
        if let Some(fenced) = is_over(&transaction, fence).await? {
            return Ok(Err(fenced));
        }
        let written = write(&transaction).await?;
        transaction.commit().await?;
        Ok(Ok(written))
    });
    Ok(written.await.map_err(StoreFailed::from)??)
}

/// Returns why nothing may be written under this fence. Returns `None` if its lease is valid. Then no other node gets
/// the lease until the transaction ends.
async fn is_over(transaction: &Transaction<'_>, shown: Fence) -> Result<Option<Fenced>, PostgresError> {
    let lock = "SELECT pg_advisory_xact_lock_shared($1)";
    let query = "SELECT fence, holder IS NOT NULL FROM loquet.reaction_lease";
    let (lock, query) = (transaction.prepare_cached(lock).await?, transaction.prepare_cached(query).await?);
    // Both are sent at once, and the server runs them in this order. So the second one sees a take-over that the first one
    // may have waited for.
    let values: Values<'_> = &[&LOCK];
    let (locked, found) = join(transaction.execute(&lock, values), transaction.query_opt(&query, &[])).await;
    locked?;
    let (newest, is_held) = match found? {
        Some(row) => (fence(&row)?, row.try_get(1)?),
        None => (Fence(0), false),
    };
    Ok((newest != shown || !is_held).then_some(Fenced { shown, newest }))
}

fn fence(row: &Row) -> Result<Fence, PostgresError> {
    Ok(Fence(number::<i64, _>(row.try_get(0)?)?))
}

/// When the lease ends. Returns `None` if it is free for this holder at `now`.
async fn taken(client: &Object, holder: &str, now: Moment) -> Result<Option<Moment>, PostgresError> {
    let query = "SELECT ends_at FROM loquet.reaction_lease WHERE holder <> $1 AND ends_at > $2";
    let query = client.prepare_cached(query).await?;
    let row = client.query_opt(&query, &[&holder, &now]).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

/// Takes the lease if it is free. Waits for writes under the former fence.
async fn take(
    client: &mut Object,
    holder: &str,
    now: Moment,
    until: Moment,
) -> Result<Option<Fence>, PostgresError> {
    let take = "
        INSERT INTO loquet.reaction_lease AS lease (fence, holder, ends_at) VALUES (1, $1, $3)
        ON CONFLICT (only_row) DO UPDATE
            SET fence = lease.fence + 1, holder = excluded.holder, ends_at = excluded.ends_at
            WHERE lease.holder IS NULL OR lease.holder = excluded.holder OR lease.ends_at <= $2
        RETURNING fence";
    let transaction = client.transaction().await?;
    run(&transaction, "SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;
    let taken = run(&transaction, take, &[&holder, &now, &until]).await?;
    transaction.commit().await?;
    taken.first().map(fence).transpose()
}

async fn acquire(
    client: &mut Object,
    holder: &str,
    now: Moment,
    until: Moment,
) -> Result<Acquired, PostgresError> {
    loop {
        // Nodes that wait for the lease ask often. So asking takes no lock and writes nothing.
        if let Some(until) = taken(client, holder, now).await? {
            return Ok(Acquired::Taken { until });
        }
        if let Some(fence) = take(client, holder, now, until).await? {
            return Ok(Acquired::Given(fence));
        }
        // Another node took it in between.
    }
}

/// Extends the lease. Returns the reason if it is over. Does not wait for writes under the fence.
async fn renew(client: &Object, shown: Fence, until: Moment) -> Result<Option<Fenced>, PostgresError> {
    let renew =
        "UPDATE loquet.reaction_lease SET ends_at = $1 WHERE fence = $2::bigint AND holder IS NOT NULL";
    let renew = client.prepare_cached(renew).await?;
    if client.execute(&renew, &[&until, &at_most(shown.0)]).await? == 1 {
        return Ok(None);
    }
    let query = "SELECT fence FROM loquet.reaction_lease";
    let query = client.prepare_cached(query).await?;
    let newest = client.query_opt(&query, &[]).await?.as_ref().map(fence).transpose()?.unwrap_or_default();
    Ok(Some(Fenced { shown, newest }))
}

impl PostgresJournal {
    /// Returns who holds the lease now, and when it ends. Asking changes nothing.
    ///
    /// # Errors
    /// [`PostgresError`] if the server can't be asked.
    pub async fn holder(&self) -> Result<Option<(String, Moment)>, PostgresError> {
        let query = "
            SELECT holder, ends_at FROM loquet.reaction_lease
            WHERE holder IS NOT NULL AND ends_at > clock_timestamp()";
        let row = self.database.row(query, &[]).await?;
        row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose()
    }
}

impl Lease for PostgresJournal {
    fn acquire<'a>(
        &'a self,
        holder: &'a str,
        now: Moment,
        until: Moment,
    ) -> BoxFuture<'a, Result<Acquired, StoreFailed>> {
        Box::pin(async move {
            let acquired = self.database.work(async |client| acquire(client, holder, now, until).await);
            Ok(acquired.await?)
        })
    }

    fn renew(&self, fence: Fence, until: Moment) -> BoxFuture<'_, Result<(), WriteFailed>> {
        Box::pin(async move {
            let renewed = self.database.work(async |client| renew(client, fence, until).await);
            match renewed.await.map_err(StoreFailed::from)? {
                Some(fenced) => Err(fenced.into()),
                None => Ok(()),
            }
        })
    }

    fn release(&self, fence: Fence) -> BoxFuture<'_, Result<(), StoreFailed>> {
        let release = "UPDATE loquet.reaction_lease SET holder = NULL WHERE fence = $1::bigint";
        Box::pin(async move { Ok(self.database.change(release, &[&at_most(fence.0)]).await.map(drop)?) })
    }
}
