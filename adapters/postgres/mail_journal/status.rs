//! Whether mails can be sent, and what happened to the mails of an account, for support.

use loquet_domain::ids::AccountId;
use loquet_projections::mail::{MailStatus, Trouble};
use loquet_projections::ports::{Fence, Hold, WriteFailed};
use tokio_postgres::Row;

use super::PostgresJournal;
use super::ledger::{entries, entry, verdict};
use crate::error::PostgresError;
use crate::statements::all;

pub(super) async fn hold(
    journal: &PostgresJournal,
    fence: Fence,
    hold: Option<Hold>,
) -> Result<(), WriteFailed> {
    let Some(Hold { since, trouble }) = hold else {
        return journal.write(fence, "DELETE FROM loquet.mail_hold", &[]).await.map(drop);
    };
    let note = "
        INSERT INTO loquet.mail_hold (since, why, verdict) VALUES ($1, $2, $3)
        ON CONFLICT (only_row) DO UPDATE
            SET since = excluded.since, why = excluded.why, verdict = excluded.verdict";
    let verdict = trouble.stored_verdict();
    journal.write(fence, note, &[&since, &trouble.why, &verdict]).await.map(drop)
}

pub(super) async fn held(journal: &PostgresJournal) -> Result<Option<Hold>, PostgresError> {
    let row = journal.database.row("SELECT since, why, verdict FROM loquet.mail_hold", &[]).await?;
    row.map(|row| held_in(&row, 0)).transpose().map(Option::flatten)
}

/// Reads a hold from three columns. Returns `None` if they are empty.
fn held_in(row: &Row, first: usize) -> Result<Option<Hold>, PostgresError> {
    let Some(since) = row.try_get(first)? else { return Ok(None) };
    let trouble = Trouble { why: row.try_get(first + 1)?, verdict: verdict(row, first + 2)? };
    Ok(Some(Hold { since, trouble }))
}

pub(super) async fn mails_of(
    journal: &PostgresJournal,
    account: AccountId,
    limit: u32,
) -> Result<Vec<MailStatus>, PostgresError> {
    // One statement reads both, so that they are of the same moment.
    let query = entries!(
        ", mail.tried_at, hold.since, hold.why, hold.verdict
         FROM loquet.mails AS mail LEFT JOIN loquet.mail_hold AS hold ON true
         WHERE mail.recipient = $1 ORDER BY mail.queued_at DESC, mail.position DESC, mail.effect LIMIT $2::bigint"
    );
    let rows = journal.database.rows(query, &[&account.0, &i64::from(limit)]).await?;
    all(&rows, |row| {
        let hold = held_in(row, 13)?;
        Ok(MailStatus::of(entry(row)?, row.try_get(12)?, hold.as_ref()))
    })
}
