//! Webhook endpoints and their deliveries, in PostgreSQL.
//!
//! The node that holds the lease on the reactions sends events. Its writes compare the fence in their own transaction, as
//! the writes to the mail journal do. Comparing the position alone would not be enough: a node that wakes up late could
//! remove a delivery that an operator had asked for again meanwhile.

use std::sync::Arc;

use deadpool_postgres::Transaction;
use loquet_domain::Moment;
use loquet_domain::ports::{BoxFuture, Position};
use loquet_projections::ports::{
    Delivery, DeliveryCounts, Endpoint, Fence, LogPoint, StoreFailed, Webhooks, WriteFailed,
};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::database::Database;
use crate::error::PostgresError;
use crate::mail_journal::lease;
use crate::numbers::{at_most, number};
use crate::statements::{Values, all, run};

/// The webhooks. All nodes share them.
#[derive(Clone)]
pub struct PostgresWebhooks {
    database: Database,
    /// The fence that each write shows. `None` for a caller who needs no lease, such as an operator.
    fence: Option<Fence>,
}

impl PostgresWebhooks {
    /// Makes a store. The tables must have been prepared. Connects to nothing yet.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database, fence: None }
    }

    /// Writes in one transaction. With a fence, writes nothing if its lease is over.
    async fn write<T>(
        &self,
        write: impl AsyncFnOnce(&Transaction<'_>) -> Result<T, PostgresError>,
    ) -> Result<T, StoreFailed> {
        let Some(fence) = self.fence else {
            let written = self.database.work(async |client| {
                let transaction = client.transaction().await?;
                let written = write(&transaction).await?;
                transaction.commit().await?;
                Ok(written)
            });
            return Ok(written.await?);
        };
        lease::under(&self.database, fence, write).await.map_err(|failed| match failed {
            WriteFailed::Fenced(fenced) => StoreFailed::new(fenced),
            WriteFailed::Store(failed) => failed,
        })
    }

    /// Runs one statement that writes. Returns the number of rows that it changed.
    async fn change(&self, statement: &str, values: Values<'_>) -> Result<u64, StoreFailed> {
        self.write(async |transaction| {
            let statement = transaction.prepare_cached(statement).await?;
            Ok(transaction.execute(&statement, values).await?)
        })
        .await
    }

    /// Changes the position of an endpoint, and then its deliveries. Returns whether the first statement changed a row. If
    /// not, nothing is changed. The first statement locks the endpoint's row, so of two callers the second one sees what
    /// the first one did.
    async fn move_endpoint(
        &self,
        (of_endpoint, its_values): (&str, Values<'_>),
        (of_deliveries, their_values): (&str, Values<'_>),
    ) -> Result<bool, StoreFailed> {
        self.write(async |transaction| {
            let update = transaction.prepare_cached(of_endpoint).await?;
            if transaction.execute(&update, its_values).await? == 0 {
                return Ok(false);
            }
            run(transaction, of_deliveries, their_values).await?;
            Ok(true)
        })
        .await
    }
}

fn endpoint(row: &Row) -> Result<Endpoint, PostgresError> {
    Ok(Endpoint {
        id: row.try_get(0)?,
        url: row.try_get(1)?,
        types: row.try_get(2)?,
        created_at: row.try_get(3)?,
        secret: number::<i32, _>(row.try_get(4)?)?,
        older_secret_until: row.try_get(5)?,
        position: Position(number::<i64, _>(row.try_get(6)?)?),
        event_id: row.try_get(7)?,
        stopped: row.try_get(8)?,
    })
}

/// Begins a query of deliveries, with the columns that [`delivery`] reads.
macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT endpoint, position, tries, due_at, why FROM loquet.webhook_deliveries ", $rest)
    };
}

fn delivery(row: &Row) -> Result<Delivery, PostgresError> {
    Ok(Delivery {
        endpoint: row.try_get(0)?,
        position: Position(number::<i64, _>(row.try_get(1)?)?),
        tries: number::<i32, _>(row.try_get(2)?)?,
        due_at: row.try_get(3)?,
        why: row.try_get(4)?,
    })
}

fn counts(row: &Row) -> Result<DeliveryCounts, PostgresError> {
    let (waiting, dead): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    Ok(DeliveryCounts { waiting: number(waiting)?, dead: number(dead)? })
}

impl Webhooks for PostgresWebhooks {
    fn under(&self, fence: Fence) -> Arc<dyn Webhooks> {
        Arc::new(Self { database: self.database.clone(), fence: Some(fence) })
    }

    fn add(&self, endpoint: Endpoint) -> BoxFuture<'_, Result<(), StoreFailed>> {
        let insert = "
            INSERT INTO loquet.webhook_endpoints
                (id, url, types, created_at, secret, older_secret_until, position, event_id, stopped)
            VALUES ($1, $2, $3, $4, $5::int, $6, $7::bigint, $8, $9)";
        Box::pin(async move {
            let Endpoint { id, url, types, created_at, older_secret_until, event_id, stopped, .. } = endpoint;
            let (secret, position) = (number::<u32, i32>(endpoint.secret)?, at_most(endpoint.position.0));
            let values: Values<'_> = &[
                &id,
                &url,
                &types,
                &created_at,
                &secret,
                &older_secret_until,
                &position,
                &event_id,
                &stopped,
            ];
            self.change(insert, values).await.map(drop)
        })
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Endpoint>, StoreFailed>> {
        let query = "
            SELECT id, url, types, created_at, secret, older_secret_until, position, event_id, stopped
            FROM loquet.webhook_endpoints ORDER BY created_at, id";
        Box::pin(async move {
            let rows = self.database.rows(query, &[]).await?;
            Ok(all(&rows, endpoint)?)
        })
    }

    fn remove(&self, endpoint: Uuid) -> BoxFuture<'_, Result<bool, StoreFailed>> {
        // Its deliveries go with it (ON DELETE CASCADE).
        let delete = "DELETE FROM loquet.webhook_endpoints WHERE id = $1";
        Box::pin(async move { Ok(self.change(delete, &[&endpoint]).await? == 1) })
    }

    fn rotate(&self, endpoint: Uuid, older_until: Moment) -> BoxFuture<'_, Result<Option<u32>, StoreFailed>> {
        let update = "
            UPDATE loquet.webhook_endpoints SET secret = secret + 1, older_secret_until = $2 WHERE id = $1
            RETURNING secret";
        Box::pin(async move {
            let rows =
                self.write(async |transaction| run(transaction, update, &[&endpoint, &older_until]).await);
            let rows = rows.await?;
            let secret = |row: &Row| number::<i32, u32>(row.try_get(0)?);
            Ok(rows.first().map(secret).transpose()?)
        })
    }

    fn stop(&self, endpoint: Uuid, why: Option<String>) -> BoxFuture<'_, Result<bool, StoreFailed>> {
        let update = "UPDATE loquet.webhook_endpoints SET stopped = $2 WHERE id = $1";
        Box::pin(async move { Ok(self.change(update, &[&endpoint, &why]).await? == 1) })
    }

    fn advance(
        &self,
        endpoint: Uuid,
        from: Position,
        to: LogPoint,
        events: Vec<Position>,
        now: Moment,
    ) -> BoxFuture<'_, Result<bool, StoreFailed>> {
        let update = "
            UPDATE loquet.webhook_endpoints SET position = $3::bigint, event_id = $4
            WHERE id = $1 AND position = $2::bigint";
        let insert = "
            INSERT INTO loquet.webhook_deliveries (endpoint, position, due_at)
            SELECT $1, event, $3 FROM unnest($2::bigint[]) AS event
            ON CONFLICT (endpoint, position) DO NOTHING";
        Box::pin(async move {
            let events: Vec<i64> = events.iter().map(|event| at_most(event.0)).collect();
            let (from, position) = (at_most(from.0), at_most(to.position.0));
            let update: (_, Values<'_>) = (update, &[&endpoint, &from, &position, &to.event_id]);
            self.move_endpoint(update, (insert, &[&endpoint, &events, &now])).await
        })
    }

    fn set_position(
        &self,
        endpoint: Uuid,
        from: Option<Position>,
        to: LogPoint,
    ) -> BoxFuture<'_, Result<bool, StoreFailed>> {
        let update = "
            UPDATE loquet.webhook_endpoints SET position = $3::bigint, event_id = $4, stopped = NULL
            WHERE id = $1 AND position = coalesce($2::bigint, position)";
        let delete = "DELETE FROM loquet.webhook_deliveries WHERE endpoint = $1 AND position > $2::bigint";
        Box::pin(async move {
            let (from, position) = (from.map(|from| at_most(from.0)), at_most(to.position.0));
            let update: (_, Values<'_>) = (update, &[&endpoint, &from, &position, &to.event_id]);
            self.move_endpoint(update, (delete, &[&endpoint, &position])).await
        })
    }

    fn due(
        &self,
        endpoint: Uuid,
        now: Moment,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<Delivery>, StoreFailed>> {
        let query = select!(
            "WHERE endpoint = $1 AND (due_at <= $2 OR due_at > $3) ORDER BY position LIMIT $4::bigint"
        );
        Box::pin(async move {
            let farthest = now.checked_add_signed(Delivery::FARTHEST).unwrap_or(Moment::MAX_UTC);
            let rows = self.database.rows(query, &[&endpoint, &now, &farthest, &i64::from(limit)]).await?;
            Ok(all(&rows, delivery)?)
        })
    }

    fn delivered(&self, endpoint: Uuid, event: Position) -> BoxFuture<'_, Result<(), StoreFailed>> {
        let delete = "DELETE FROM loquet.webhook_deliveries WHERE endpoint = $1 AND position = $2::bigint";
        Box::pin(async move { self.change(delete, &[&endpoint, &at_most(event.0)]).await.map(drop) })
    }

    fn failed(
        &self,
        endpoint: Uuid,
        event: Position,
        why: String,
        due_at: Option<Moment>,
    ) -> BoxFuture<'_, Result<(), StoreFailed>> {
        let update = "
            UPDATE loquet.webhook_deliveries SET tries = tries + 1, due_at = $3, why = $4
            WHERE endpoint = $1 AND position = $2::bigint";
        Box::pin(async move {
            let values: Values<'_> = &[&endpoint, &at_most(event.0), &due_at, &why];
            self.change(update, values).await.map(drop)
        })
    }

    fn counts(&self, endpoint: Uuid) -> BoxFuture<'_, Result<DeliveryCounts, StoreFailed>> {
        let query = "
            SELECT count(due_at), count(*) - count(due_at) FROM loquet.webhook_deliveries WHERE endpoint = $1";
        Box::pin(async move {
            let row = self.database.row(query, &[&endpoint]).await?;
            Ok(row.as_ref().map(counts).transpose()?.unwrap_or_default())
        })
    }

    fn failing(&self, endpoint: Uuid, limit: u32) -> BoxFuture<'_, Result<Vec<Delivery>, StoreFailed>> {
        let query = select!("WHERE endpoint = $1 AND tries > 0 ORDER BY position LIMIT $2::bigint");
        Box::pin(async move {
            let rows = self.database.rows(query, &[&endpoint, &i64::from(limit)]).await?;
            Ok(all(&rows, delivery)?)
        })
    }

    fn retry(&self, endpoint: Uuid, now: Moment) -> BoxFuture<'_, Result<u64, StoreFailed>> {
        let update = "
            UPDATE loquet.webhook_deliveries SET tries = 0, due_at = $2 WHERE endpoint = $1 AND tries > 0";
        Box::pin(async move { self.change(update, &[&endpoint, &now]).await })
    }
}
