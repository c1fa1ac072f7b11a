//! Webhook endpoints and their deliveries.

use loquet_domain::Moment;
use loquet_domain::ports::{BoxFuture, Position};
use loquet_projections::ports::{Delivery, DeliveryCounts, Endpoint, StoreFailed, Webhooks};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::database::Database;
use crate::error::PostgresError;
use crate::numbers::{at_most, number};
use crate::statements::{Values, all, run};

/// The webhooks. All nodes share them.
#[derive(Clone)]
pub struct PostgresWebhooks {
    database: Database,
}

impl PostgresWebhooks {
    /// Makes a store. The tables must have been prepared. Connects to nothing yet.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Changes an endpoint. Then changes its deliveries in the same transaction. Returns whether there is such an endpoint:
    /// without one, nothing is changed. Both calls that do this lock the endpoint first, so one waits for the other.
    async fn change_both(
        &self,
        (of_endpoint, its_values): (&str, Values<'_>),
        (of_deliveries, their_values): (&str, Values<'_>),
    ) -> Result<bool, PostgresError> {
        self.database
            .work(async |client| {
                let transaction = client.transaction().await?;
                let update = transaction.prepare_cached(of_endpoint).await?;
                if transaction.execute(&update, its_values).await? == 0 {
                    return Ok(false);
                }
                run(&transaction, of_deliveries, their_values).await?;
                transaction.commit().await?;
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
            Ok(self.database.change(insert, values).await.map(drop)?)
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
        Box::pin(async move { Ok(self.database.change(delete, &[&endpoint]).await? == 1) })
    }

    fn rotate(&self, endpoint: Uuid, older_until: Moment) -> BoxFuture<'_, Result<Option<u32>, StoreFailed>> {
        let update = "
            UPDATE loquet.webhook_endpoints SET secret = secret + 1, older_secret_until = $2 WHERE id = $1
            RETURNING secret";
        Box::pin(async move {
            let row = self.database.row(update, &[&endpoint, &older_until]).await?;
            let secret = |row: Row| number::<i32, u32>(row.try_get(0)?);
            Ok(row.map(secret).transpose()?)
        })
    }

    fn stop(&self, endpoint: Uuid, why: Option<String>) -> BoxFuture<'_, Result<bool, StoreFailed>> {
        let update = "UPDATE loquet.webhook_endpoints SET stopped = $2 WHERE id = $1";
        Box::pin(async move { Ok(self.database.change(update, &[&endpoint, &why]).await? == 1) })
    }

    fn advance(
        &self,
        endpoint: Uuid,
        position: Position,
        event_id: Uuid,
        events: Vec<Position>,
        now: Moment,
    ) -> BoxFuture<'_, Result<(), StoreFailed>> {
        let update = "UPDATE loquet.webhook_endpoints SET position = $2::bigint, event_id = $3 WHERE id = $1";
        let insert = "
            INSERT INTO loquet.webhook_deliveries (endpoint, position, due_at)
            SELECT $1, event, $3 FROM unnest($2::bigint[]) AS event
            ON CONFLICT (endpoint, position) DO NOTHING";
        Box::pin(async move {
            let events: Vec<i64> = events.iter().map(|event| at_most(event.0)).collect();
            let position = at_most(position.0);
            let update: (_, Values<'_>) = (update, &[&endpoint, &position, &event_id]);
            Ok(self.change_both(update, (insert, &[&endpoint, &events, &now])).await.map(drop)?)
        })
    }

    fn set_position(
        &self,
        endpoint: Uuid,
        position: Position,
        event_id: Option<Uuid>,
    ) -> BoxFuture<'_, Result<bool, StoreFailed>> {
        let update = "
            UPDATE loquet.webhook_endpoints SET position = $2::bigint, event_id = $3, stopped = NULL WHERE id = $1";
        let delete = "DELETE FROM loquet.webhook_deliveries WHERE endpoint = $1 AND position > $2::bigint";
        Box::pin(async move {
            let position = at_most(position.0);
            let update: (_, Values<'_>) = (update, &[&endpoint, &position, &event_id]);
            Ok(self.change_both(update, (delete, &[&endpoint, &position])).await?)
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
        Box::pin(
            async move { Ok(self.database.change(delete, &[&endpoint, &at_most(event.0)]).await.map(drop)?) },
        )
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
            Ok(self.database.change(update, values).await.map(drop)?)
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
        Box::pin(async move { Ok(self.database.change(update, &[&endpoint, &now]).await?) })
    }
}
