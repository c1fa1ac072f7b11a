//! The lease for the reactions, in the journal's file. Each write compares its fence within its own
//! transaction.

use loquet_domain::Moment;
use loquet_domain::ports::BoxFuture;
use loquet_projections::ports::{Acquired, Fence, Fenced, Lease, StoreFailed, WriteFailed};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::{SqliteJournal, moment};

/// Returns why nothing may be written under this fence. Returns `None` if its lease is valid.
pub(super) fn is_over(connection: &Connection, shown: Fence) -> rusqlite::Result<Option<Fenced>> {
    let query = "SELECT fence, holder IS NOT NULL FROM lease";
    let mut select = connection.prepare_cached(query)?;
    let found = select.query_row([], |row| Ok((Fence(row.get(0)?), row.get(1)?))).optional()?;
    let (newest, is_held) = found.unwrap_or((Fence(0), false));
    Ok((newest != shown || !is_held).then_some(Fenced { shown, newest }))
}

fn acquire(
    connection: &mut Connection,
    holder: &str,
    now: Moment,
    until: Moment,
) -> rusqlite::Result<Acquired> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let take = "INSERT INTO lease (id, fence, holder, ends_at) VALUES (1, 1, ?1, ?3)
        ON CONFLICT (id) DO UPDATE SET fence = fence + 1, holder = excluded.holder, ends_at = excluded.ends_at
            WHERE lease.holder IS NULL OR lease.holder = excluded.holder OR lease.ends_at <= ?2
        RETURNING fence";
    let values = (holder, now.timestamp_micros(), until.timestamp_micros());
    let given = transaction.query_row(take, values, |row| row.get(0)).optional()?;
    let acquired = match given {
        Some(fence) => Acquired::Given(Fence(fence)),
        None => transaction.query_row("SELECT ends_at FROM lease", [], |row| {
            Ok(Acquired::Taken { until: moment(row, 0)? })
        })?,
    };
    transaction.commit()?;
    Ok(acquired)
}

impl Lease for SqliteJournal {
    fn acquire<'a>(
        &'a self,
        holder: &'a str,
        now: Moment,
        until: Moment,
    ) -> BoxFuture<'a, Result<Acquired, StoreFailed>> {
        let holder = holder.to_owned();
        Box::pin(self.run(move |connection| acquire(connection, &holder, now, until)))
    }

    fn renew(&self, fence: Fence, until: Moment) -> BoxFuture<'_, Result<(), WriteFailed>> {
        let renew = "UPDATE lease SET ends_at = ?";
        Box::pin(self.write(fence, move |transaction| {
            transaction.execute(renew, [until.timestamp_micros()]).map(drop)
        }))
    }

    fn release(&self, fence: Fence) -> BoxFuture<'_, Result<(), StoreFailed>> {
        let release = "UPDATE lease SET holder = NULL WHERE fence = ?";
        Box::pin(self.run(move |connection| connection.execute(release, [fence.0]).map(drop)))
    }
}
