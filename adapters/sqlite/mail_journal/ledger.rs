//! The mail ledger, stored in the journal's file.

use loquet_domain::Moment;
use loquet_domain::ids::AccountId;
use loquet_domain::ports::{BoxFuture, Position};
use loquet_projections::mail::{LedgerEntry, MailCounts, MailLedger, MailState};
use loquet_projections::ports::StoreFailed;
use rusqlite::{Connection, OptionalExtension, Row};
use uuid::Uuid;

use super::status::verdict;
use super::{MAIL, SqliteJournal, moment, queued};

pub(super) const ENTRY: &str = "state, tries, queued_at, due_at, ended_at, why, unnoted_why, verdict";

impl MailLedger for SqliteJournal {
    fn list(
        &self,
        state: Option<MailState>,
        recipient: Option<AccountId>,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<LedgerEntry>, StoreFailed>> {
        let state = state.map(MailState::name);
        let recipient = recipient.map(|account| *account.0.as_bytes());
        Box::pin(self.run(move |connection| {
            let query = format!(
                "SELECT {MAIL}, {ENTRY} FROM mails
                 WHERE (?1 IS NULL OR state = ?1) AND (?2 IS NULL OR recipient = ?2)
                 ORDER BY queued_at DESC, effect LIMIT ?3"
            );
            let mut select = connection.prepare(&query)?;
            select.query_map((state, recipient, limit), entry)?.collect()
        }))
    }

    fn entry(&self, mail: Uuid) -> BoxFuture<'_, Result<Option<LedgerEntry>, StoreFailed>> {
        Box::pin(self.run(move |connection| {
            let query = format!("SELECT {MAIL}, {ENTRY} FROM mails WHERE effect = ?");
            connection.query_row(&query, [mail.as_bytes()], entry).optional()
        }))
    }

    fn retry(&self, mail: Uuid, now: Moment) -> BoxFuture<'_, Result<bool, StoreFailed>> {
        Box::pin(self.run(move |connection| {
            let again = format!("{AGAIN} WHERE effect = ?2 AND state IN ('dead', 'pending')");
            Ok(connection.execute(&again, (now.timestamp_micros(), mail.as_bytes()))? == 1)
        }))
    }

    fn retry_all_dead(&self, now: Moment) -> BoxFuture<'_, Result<usize, StoreFailed>> {
        Box::pin(self.run(move |connection| {
            connection.execute(&format!("{AGAIN} WHERE state = 'dead'"), [now.timestamp_micros()])
        }))
    }

    fn checkpoints(&self) -> BoxFuture<'_, Result<Vec<(String, Position)>, StoreFailed>> {
        Box::pin(self.run(|connection| {
            let mut select = connection.prepare("SELECT reaction, position FROM checkpoints ORDER BY 1")?;
            select.query_map([], |row| Ok((row.get(0)?, Position(row.get(1)?))))?.collect()
        }))
    }

    fn counts(&self) -> BoxFuture<'_, Result<MailCounts, StoreFailed>> {
        Box::pin(self.run(|connection| counts(connection)))
    }
}

const AGAIN: &str =
    "UPDATE mails SET state = 'pending', due_at = ?1, since = ?1, tries = 0, waited = 0, ended_at = NULL";

fn counts(connection: &Connection) -> rusqlite::Result<MailCounts> {
    let mut counts = MailCounts::default();
    let mut select = connection.prepare_cached(
        "SELECT state, count(*) FROM mails WHERE state IN ('pending', 'sending', 'dead') GROUP BY state",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let count = row.get(1)?;
        match row.get_ref(0)?.as_str()? {
            "pending" => counts.pending = count,
            "sending" => counts.sending = count,
            _ => counts.dead = count,
        }
    }
    let vain = "SELECT count(*) FROM mails WHERE state = 'pending' AND tries > 0";
    counts.tried_in_vain = connection.prepare_cached(vain)?.query_row([], |row| row.get(0))?;
    let unnoted = "SELECT count(*) FROM mails WHERE noted = 0 AND unnoted_why IS NOT NULL";
    counts.unnoted = connection.prepare_cached(unnoted)?.query_row([], |row| row.get(0))?;
    let oldest = "SELECT min(since) FROM mails WHERE state = 'pending'";
    let oldest: Option<i64> = connection.prepare_cached(oldest)?.query_row([], |row| row.get(0))?;
    counts.oldest_pending = oldest.and_then(Moment::from_timestamp_micros);
    Ok(counts)
}

pub(super) fn entry(row: &Row<'_>) -> rusqlite::Result<LedgerEntry> {
    let state: String = row.get(4)?;
    let unknown = || rusqlite::Error::InvalidColumnType(4, state.clone(), rusqlite::types::Type::Text);
    let ended: Option<i64> = row.get(8)?;
    Ok(LedgerEntry {
        mail: queued(row)?,
        state: MailState::parse(&state).ok_or_else(unknown)?,
        tries: row.get(5)?,
        queued_at: moment(row, 6)?,
        due_at: moment(row, 7)?,
        ended_at: ended.and_then(Moment::from_timestamp_micros),
        why: row.get(9)?,
        unnoted: row.get(10)?,
        verdict: verdict(row, 11)?,
    })
}
