//! The mail ledger: the view of the mail journal for operators.

use loquet_domain::Moment;
use loquet_domain::ids::AccountId;
use loquet_domain::ports::{BoxFuture, Position};
use loquet_projections::mail::{LedgerEntry, MailCounts, MailLedger, MailState, Verdict};
use loquet_projections::ports::StoreFailed;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{PostgresJournal, position, queued, tries};
use crate::error::PostgresError;
use crate::numbers::number;
use crate::statements::all;

/// Begins a query of mails, in which a mail is called `mail`. [`entry`] reads the first columns.
macro_rules! entries {
    ($rest:literal) => {
        concat!(
            "SELECT mail.effect, mail.kind, mail.recipient, mail.position, mail.state, mail.tries, mail.queued_at, \
             mail.due_at, mail.ended_at, mail.why, mail.not_noted_why, mail.verdict",
            $rest
        )
    };
}
pub(super) use entries;

pub(super) fn entry(row: &Row) -> Result<LedgerEntry, PostgresError> {
    let state: &str = row.try_get(4)?;
    let unknown = || PostgresError::Unexpected(format!("a mail in the state {state}"));
    Ok(LedgerEntry {
        mail: queued(row)?,
        state: MailState::parse(state).ok_or_else(unknown)?,
        tries: tries(row, 5)?,
        queued_at: row.try_get(6)?,
        due_at: row.try_get(7)?,
        ended_at: row.try_get(8)?,
        why: row.try_get(9)?,
        unnoted: row.try_get(10)?,
        verdict: verdict(row, 11)?,
    })
}

/// Reads a verdict from a column. Returns `None` if the column is empty, or if this version does not know the verdict.
pub(super) fn verdict(row: &Row, column: usize) -> Result<Option<Verdict>, PostgresError> {
    Ok(row.try_get::<_, Option<&str>>(column)?.and_then(Verdict::parse))
}

/// Begins a statement that puts mails back into the queue at `$1`.
macro_rules! again {
    ($which:literal) => {
        concat!(
            "UPDATE loquet.mails SET state = 'pending', due_at = $1, since = $1, tries = 0, waited_microseconds = 0, \
             ended_at = NULL ",
            $which
        )
    };
}

/// Counts the mails. It is one statement, so that all numbers are of the same moment.
const COUNTS: &str = "
    SELECT count(*) FILTER (WHERE state = 'pending'), count(*) FILTER (WHERE state = 'sending'),
        count(*) FILTER (WHERE state = 'dead'), count(*) FILTER (WHERE state = 'pending' AND tries > 0),
        (SELECT count(*) FROM loquet.mails WHERE note_at IS NOT NULL AND not_noted_why IS NOT NULL),
        min(since) FILTER (WHERE state = 'pending')
    FROM loquet.mails WHERE state IN ('pending', 'sending', 'dead')";

fn counts(row: &Row) -> Result<MailCounts, PostgresError> {
    let count = |column: usize| number::<i64, u64>(row.try_get(column)?);
    Ok(MailCounts {
        pending: count(0)?,
        sending: count(1)?,
        dead: count(2)?,
        tried_in_vain: count(3)?,
        unnoted: count(4)?,
        oldest_pending: row.try_get(5)?,
    })
}

impl MailLedger for PostgresJournal {
    fn list(
        &self,
        state: Option<MailState>,
        recipient: Option<AccountId>,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<LedgerEntry>, StoreFailed>> {
        let query = entries!(
            " FROM loquet.mails AS mail
             WHERE ($1::text IS NULL OR mail.state = $1) AND ($2::uuid IS NULL OR mail.recipient = $2)
             ORDER BY mail.queued_at DESC, mail.position DESC, mail.effect LIMIT $3::bigint"
        );
        Box::pin(async move {
            let (state, recipient) = (state.map(MailState::name), recipient.map(|account| account.0));
            let rows = self.database.rows(query, &[&state, &recipient, &i64::from(limit)]).await?;
            Ok(all(&rows, entry)?)
        })
    }

    fn entry(&self, mail: Uuid) -> BoxFuture<'_, Result<Option<LedgerEntry>, StoreFailed>> {
        let query = entries!(" FROM loquet.mails AS mail WHERE mail.effect = $1");
        Box::pin(async move {
            let row = self.database.row(query, &[&mail]).await?;
            Ok(row.as_ref().map(entry).transpose()?)
        })
    }

    fn retry(&self, mail: Uuid, now: Moment) -> BoxFuture<'_, Result<bool, StoreFailed>> {
        let again = again!("WHERE effect = $2 AND state IN ('dead', 'pending')");
        Box::pin(async move { Ok(self.database.change(again, &[&now, &mail]).await? == 1) })
    }

    fn retry_all_dead(&self, now: Moment) -> BoxFuture<'_, Result<usize, StoreFailed>> {
        let again = again!("WHERE state = 'dead'");
        Box::pin(async move {
            let changed = self.database.change(again, &[&now]).await?;
            Ok(usize::try_from(changed).unwrap_or(usize::MAX))
        })
    }

    fn checkpoints(&self) -> BoxFuture<'_, Result<Vec<(String, Position)>, StoreFailed>> {
        let query = "SELECT reaction, position FROM loquet.reaction_checkpoints ORDER BY reaction";
        Box::pin(async move {
            let rows = self.database.rows(query, &[]).await?;
            Ok(all(&rows, |row| Ok((row.try_get(0)?, position(row, 1)?)))?)
        })
    }

    fn counts(&self) -> BoxFuture<'_, Result<MailCounts, StoreFailed>> {
        Box::pin(async move {
            let row = self.database.row(COUNTS, &[]).await?;
            Ok(row.as_ref().map(counts).transpose()?.unwrap_or_default())
        })
    }
}
