//! The checkpoints of the reactions, the mails to send, and the lease, in PostgreSQL.
//!
//! Every write compares its fence with the lease in its own transaction. During that, it holds a lock that all writes share.
//! A node that takes the lease needs this lock exclusively. So the lease changes hands before such a transaction or after
//! it, and never in its middle.

pub(crate) mod lease;
mod ledger;
mod status;

use chrono::TimeDelta;
use deadpool_postgres::Transaction;
use loquet_domain::Moment;
use loquet_domain::ids::AccountId;
use loquet_domain::ports::{BoxFuture, Position};
use loquet_projections::mail::{MailKind, MailStatus, Trouble, Urgency};
use loquet_projections::ports::{
    ClaimedMail, Fence, Hold, MailOutcome, QueuedMail, ReactionJournal, StoreFailed, UnnotedFate, WriteFailed,
};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::database::Database;
use crate::error::PostgresError;
use crate::numbers::{at_most, limited, number};
use crate::statements::{Values, all, run};

/// The journal. A clone is the same journal.
#[derive(Clone)]
pub struct PostgresJournal {
    database: Database,
}

impl PostgresJournal {
    /// Makes a journal. The tables must have been prepared. Connects to nothing yet.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Runs one statement under the lease. Writes nothing if the lease of this fence is over.
    async fn write(
        &self,
        fence: Fence,
        statement: &str,
        values: Values<'_>,
    ) -> Result<Vec<Row>, WriteFailed> {
        self.under(fence, async |transaction| run(transaction, statement, values).await).await
    }

    /// Writes under the lease, in one transaction. Writes nothing if the lease of this fence is over.
    async fn under<T>(
        &self,
        fence: Fence,
        write: impl AsyncFnOnce(&Transaction<'_>) -> Result<T, PostgresError>,
    ) -> Result<T, WriteFailed> {
        lease::under(&self.database, fence, write).await
    }
}

/// Queues mails and moves the checkpoint.
async fn advance(
    transaction: &Transaction<'_>,
    reaction: &str,
    up_to: Position,
    mails: &[QueuedMail],
    now: Moment,
) -> Result<(), PostgresError> {
    if !mails.is_empty() {
        let queue = "
            INSERT INTO loquet.mails (effect, kind, recipient, position, urgency, queued_at, since, due_at)
            SELECT effect, kind, recipient, position, urgency, $6, $6, $6
            FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::bigint[], $5::smallint[])
                AS queued (effect, kind, recipient, position, urgency)
            ON CONFLICT (effect) DO NOTHING";
        let effects: Vec<Uuid> = mails.iter().map(|mail| mail.effect).collect();
        let kinds: Vec<&str> = mails.iter().map(|mail| mail.kind.name()).collect();
        let recipients: Vec<Uuid> = mails.iter().map(|mail| mail.recipient.0).collect();
        let positions: Vec<i64> = mails.iter().map(|mail| at_most(mail.position.0)).collect();
        let urgencies: Vec<i16> = mails.iter().map(|mail| Urgency::of(mail.kind).number().into()).collect();
        run(transaction, queue, &[&effects, &kinds, &recipients, &positions, &urgencies, &now]).await?;
    }
    let checkpoint = "
        INSERT INTO loquet.reaction_checkpoints (reaction, position) VALUES ($1, $2::bigint)
        ON CONFLICT (reaction) DO UPDATE SET position = excluded.position";
    run(transaction, checkpoint, &[&reaction, &at_most(up_to.0)]).await.map(drop)
}

/// Begins a query of mails, in which a mail is called `mail`. [`queued`] reads the first columns.
macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT mail.effect, mail.kind, mail.recipient, mail.position, ", $rest)
    };
}

fn queued(row: &Row) -> Result<QueuedMail, PostgresError> {
    let kind: &str = row.try_get(1)?;
    let unknown = || PostgresError::Unexpected(format!("a mail of the kind {kind}"));
    Ok(QueuedMail {
        effect: row.try_get(0)?,
        kind: MailKind::parse(kind).ok_or_else(unknown)?,
        recipient: AccountId(row.try_get(2)?),
        position: position(row, 3)?,
    })
}

fn position(row: &Row, column: usize) -> Result<Position, PostgresError> {
    Ok(Position(number::<i64, _>(row.try_get(column)?)?))
}

fn tries(row: &Row, column: usize) -> Result<u32, PostgresError> {
    number::<i32, _>(row.try_get(column)?)
}

/// If two callers claim mails at once, they get different ones: each skips those that the other has locked.
const CLAIM: &str = concat!(
    "WITH due AS (
        SELECT effect FROM loquet.mails WHERE state = 'pending' AND due_at <= $1
        ORDER BY urgency, due_at, position LIMIT $2::bigint FOR UPDATE SKIP LOCKED
    ), claimed AS (
        UPDATE loquet.mails AS mail SET state = 'sending', tries = tries + 1, tried_at = $1
        FROM due WHERE mail.effect = due.effect RETURNING mail.*
    ) ",
    select!("tries, waited_microseconds FROM claimed AS mail ORDER BY urgency, due_at, position")
);

fn claimed(row: &Row) -> Result<ClaimedMail, PostgresError> {
    let waited = TimeDelta::microseconds(row.try_get(5)?);
    Ok(ClaimedMail { mail: queued(row)?, tries: tries(row, 4)?, waited })
}

fn unnoted(row: &Row) -> Result<UnnotedFate, PostgresError> {
    Ok(UnnotedFate { mail: queued(row)?, at: row.try_get(4)?, given_up: row.try_get(5)? })
}

impl ReactionJournal for PostgresJournal {
    fn checkpoint(&self, reaction: &'static str) -> BoxFuture<'_, Result<Position, StoreFailed>> {
        let query = "SELECT position FROM loquet.reaction_checkpoints WHERE reaction = $1";
        Box::pin(async move {
            let row = self.database.row(query, &[&reaction]).await?;
            Ok(row.map(|row| position(&row, 0)).transpose()?.unwrap_or_default())
        })
    }

    fn advance(
        &self,
        fence: Fence,
        reaction: &'static str,
        up_to: Position,
        mails: Vec<QueuedMail>,
        now: Moment,
    ) -> BoxFuture<'_, Result<(), WriteFailed>> {
        Box::pin(async move {
            self.under(fence, async |transaction| advance(transaction, reaction, up_to, &mails, now).await)
                .await
        })
    }

    fn claim_due(
        &self,
        fence: Fence,
        now: Moment,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<ClaimedMail>, WriteFailed>> {
        Box::pin(async move {
            let rows = self.write(fence, CLAIM, &[&now, &limited(limit)]).await?;
            Ok(all(&rows, claimed).map_err(StoreFailed::from)?)
        })
    }

    fn reclaim(&self, fence: Fence) -> BoxFuture<'_, Result<(), WriteFailed>> {
        let reclaim = "UPDATE loquet.mails SET state = 'pending' WHERE state = 'sending'";
        Box::pin(async move { self.write(fence, reclaim, &[]).await.map(drop) })
    }

    fn conclude(
        &self,
        fence: Fence,
        effect: Uuid,
        outcome: MailOutcome,
        now: Moment,
    ) -> BoxFuture<'_, Result<(), WriteFailed>> {
        let update = "
            UPDATE loquet.mails SET state = $2, due_at = $3, ended_at = $4, note_at = $5,
                waited_microseconds = coalesce($6::bigint, waited_microseconds), why = $7, verdict = $8,
                not_noted_why = NULL
            WHERE effect = $1";
        Box::pin(async move {
            let concluded = outcome.conclusion(now);
            let waited = concluded.waited.and_then(|waited| waited.num_microseconds());
            let why = concluded.trouble.map(|trouble| trouble.why.as_str());
            let verdict = concluded.trouble.and_then(Trouble::stored_verdict);
            let (due_at, ended_at, note_at) = (concluded.due_at, concluded.ended_at, concluded.note_at);
            let state = concluded.state.name();
            let values: Values<'_> =
                &[&effect, &state, &due_at, &ended_at, &note_at, &waited, &why, &verdict];
            self.write(fence, update, values).await.map(drop)
        })
    }

    fn next_due(&self) -> BoxFuture<'_, Result<Option<Moment>, StoreFailed>> {
        let query = "SELECT due_at FROM loquet.mails WHERE state = 'pending' ORDER BY due_at LIMIT 1";
        Box::pin(async move {
            let row = self.database.row(query, &[]).await?;
            Ok(row.map(|row| row.try_get(0)).transpose().map_err(PostgresError::from)?)
        })
    }

    fn unnoted(&self, now: Moment, limit: usize) -> BoxFuture<'_, Result<Vec<UnnotedFate>, StoreFailed>> {
        let query = select!(
            "ended_at, CASE state WHEN 'dead' THEN coalesce(why, '') END FROM loquet.mails AS mail
             WHERE note_at <= $1 AND ended_at IS NOT NULL ORDER BY note_at, position LIMIT $2::bigint"
        );
        Box::pin(async move {
            let rows = self.database.rows(query, &[&now, &limited(limit)]).await?;
            Ok(all(&rows, unnoted)?)
        })
    }

    fn not_noted(
        &self,
        fence: Fence,
        effect: Uuid,
        why: String,
        again: Moment,
    ) -> BoxFuture<'_, Result<(), WriteFailed>> {
        let note = "
            UPDATE loquet.mails SET note_at = $2, not_noted_why = $3 WHERE effect = $1 AND note_at IS NOT NULL";
        Box::pin(async move { self.write(fence, note, &[&effect, &again, &why]).await.map(drop) })
    }

    fn noted(&self, fence: Fence, effect: Uuid) -> BoxFuture<'_, Result<(), WriteFailed>> {
        let note = "UPDATE loquet.mails SET note_at = NULL, not_noted_why = NULL WHERE effect = $1";
        Box::pin(async move { self.write(fence, note, &[&effect]).await.map(drop) })
    }

    fn hold(&self, fence: Fence, hold: Option<Hold>) -> BoxFuture<'_, Result<(), WriteFailed>> {
        Box::pin(async move { status::hold(self, fence, hold).await })
    }

    fn held(&self) -> BoxFuture<'_, Result<Option<Hold>, StoreFailed>> {
        Box::pin(async move { Ok(status::held(self).await?) })
    }

    fn mails_of(
        &self,
        account: AccountId,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<MailStatus>, StoreFailed>> {
        Box::pin(async move { Ok(status::mails_of(self, account, limit).await?) })
    }

    fn mails_about(
        &self,
        account: AccountId,
        positions: Vec<Position>,
    ) -> BoxFuture<'_, Result<Vec<Uuid>, StoreFailed>> {
        let query = "
            SELECT effect FROM loquet.mails WHERE recipient = $1
            UNION SELECT effect FROM loquet.mails WHERE position = ANY ($2::bigint[])";
        Box::pin(async move {
            let positions: Vec<i64> = positions.iter().map(|position| at_most(position.0)).collect();
            let rows = self.database.rows(query, &[&account.0, &positions]).await?;
            Ok(all(&rows, |row| Ok(row.try_get(0)?))?)
        })
    }
}
