//! How far each reaction is, and the mails that are to be sent, in a SQLite file of their own.
//!
//! It is no read model: rebuilding those never touches it (law 5). It names no person: a mail is
//! written from the log when it is sent.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use loquet_domain::Moment;
use loquet_domain::ids::AccountId;
use loquet_domain::ports::{BoxFuture, Position};
use loquet_projections::mail::MailKind;
use loquet_projections::ports::{MailOutcome, QueuedMail, ReactionJournal, StoreFailed};
use rusqlite::{Connection, OptionalExtension, Row};
use uuid::Uuid;

use crate::sqlite::{FileError, Kind, explain};

const JOURNAL: Kind = Kind {
    what: "a Loquet reaction journal",
    application_id: 0x4c71_7404,
    version: 1,
    upgrades: &[],
    holds_keys: false,
    remedy: "restore it from a backup; without one, delete it, and links that are still newest are mailed again",
    synchronous: "FULL",
    schema: "
        CREATE TABLE IF NOT EXISTS checkpoints (reaction TEXT PRIMARY KEY, position INTEGER NOT NULL)
            STRICT, WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS mails (
            effect    BLOB    PRIMARY KEY,
            kind      TEXT    NOT NULL,
            recipient BLOB    NOT NULL,
            position  INTEGER NOT NULL,
            state     TEXT    NOT NULL,  -- pending, sending, sent, void, dead
            tries     INTEGER NOT NULL,
            due_at    INTEGER NOT NULL,  -- microseconds since 1970
            queued_at INTEGER NOT NULL,
            ended_at  INTEGER,
            why       TEXT
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS mails_due ON mails (due_at) WHERE state = 'pending';",
};

/// The journal.
#[derive(Clone)]
pub struct SqliteJournal {
    connection: Arc<Mutex<Connection>>,
}

impl SqliteJournal {
    /// Opens the file, making it if there is none.
    ///
    /// # Errors
    /// [`FileError`] names the file and what is wrong.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        Ok(Self { connection: Arc::new(Mutex::new(JOURNAL.open(path)?)) })
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreFailed> {
        let connection = self.connection.clone();
        let done = tokio::task::spawn_blocking(move || {
            work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner))
        });
        done.await.map_err(|e| StoreFailed(e.to_string()))?.map_err(|e| StoreFailed(explain(&e)))
    }
}

fn advance(
    connection: &mut Connection,
    reaction: &str,
    up_to: Position,
    mails: &[QueuedMail],
    now: Moment,
) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    let queue =
        "INSERT OR IGNORE INTO mails (effect, kind, recipient, position, state, tries, due_at, queued_at)
        VALUES (?, ?, ?, ?, 'pending', 0, ?5, ?5)";
    for mail in mails {
        transaction.prepare_cached(queue)?.execute((
            mail.effect.as_bytes(),
            mail.kind.name(),
            mail.recipient.0.as_bytes(),
            mail.position.0,
            now.timestamp_micros(),
        ))?;
    }
    let checkpoint = "INSERT INTO checkpoints VALUES (?, ?)
        ON CONFLICT (reaction) DO UPDATE SET position = excluded.position";
    transaction.execute(checkpoint, (reaction, up_to.0))?;
    transaction.commit()
}

fn claim(connection: &mut Connection, now: Moment, limit: usize) -> rusqlite::Result<Vec<(QueuedMail, u32)>> {
    let transaction = connection.transaction()?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let due: Vec<(QueuedMail, u32)> = transaction
        .prepare_cached(
            "SELECT effect, kind, recipient, position, tries FROM mails
             WHERE state = 'pending' AND due_at <= ? ORDER BY due_at, position LIMIT ?",
        )?
        .query_map((now.timestamp_micros(), limit), queued)?
        .collect::<rusqlite::Result<_>>()?;
    for (mail, _) in &due {
        let claim = "UPDATE mails SET state = 'sending', tries = tries + 1 WHERE effect = ?";
        transaction.prepare_cached(claim)?.execute([mail.effect.as_bytes()])?;
    }
    transaction.commit()?;
    Ok(due.into_iter().map(|(mail, tries)| (mail, tries + 1)).collect())
}

fn queued(row: &Row<'_>) -> rusqlite::Result<(QueuedMail, u32)> {
    let kind: String = row.get(1)?;
    let unknown = || rusqlite::Error::InvalidColumnType(1, kind.clone(), rusqlite::types::Type::Text);
    let mail = QueuedMail {
        effect: Uuid::from_bytes(row.get(0)?),
        kind: MailKind::parse(&kind).ok_or_else(unknown)?,
        recipient: AccountId(Uuid::from_bytes(row.get(2)?)),
        position: Position(row.get(3)?),
    };
    Ok((mail, row.get(4)?))
}

fn conclude(
    connection: &Connection,
    effect: Uuid,
    outcome: &MailOutcome,
    now: Moment,
) -> rusqlite::Result<()> {
    let now = now.timestamp_micros();
    let (state, due, ended, why) = match outcome {
        MailOutcome::Sent => ("sent", now, Some(now), None),
        MailOutcome::Void => ("void", now, Some(now), None),
        MailOutcome::Retry { at, why } => ("pending", at.timestamp_micros(), None, Some(why)),
        MailOutcome::Dead { why } => ("dead", now, Some(now), Some(why)),
    };
    let update = "UPDATE mails SET state = ?, due_at = ?, ended_at = ?, why = ? WHERE effect = ?";
    connection.execute(update, (state, due, ended, why, effect.as_bytes())).map(drop)
}

impl ReactionJournal for SqliteJournal {
    fn checkpoint(&self, reaction: &'static str) -> BoxFuture<'_, Result<Position, StoreFailed>> {
        Box::pin(self.run(move |connection| {
            let query = "SELECT position FROM checkpoints WHERE reaction = ?";
            let position = connection.query_row(query, [reaction], |row| row.get(0)).optional()?;
            Ok(Position(position.unwrap_or(0)))
        }))
    }

    fn advance(
        &self,
        reaction: &'static str,
        up_to: Position,
        mails: Vec<QueuedMail>,
        now: Moment,
    ) -> BoxFuture<'_, Result<(), StoreFailed>> {
        Box::pin(self.run(move |connection| advance(connection, reaction, up_to, &mails, now)))
    }

    fn claim_due(
        &self,
        now: Moment,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<(QueuedMail, u32)>, StoreFailed>> {
        Box::pin(self.run(move |connection| claim(connection, now, limit)))
    }

    fn reclaim(&self) -> BoxFuture<'_, Result<(), StoreFailed>> {
        let reclaim = "UPDATE mails SET state = 'pending' WHERE state = 'sending'";
        Box::pin(self.run(move |connection| connection.execute(reclaim, []).map(drop)))
    }

    fn conclude(
        &self,
        effect: Uuid,
        outcome: MailOutcome,
        now: Moment,
    ) -> BoxFuture<'_, Result<(), StoreFailed>> {
        Box::pin(self.run(move |connection| conclude(connection, effect, &outcome, now)))
    }

    fn next_due(&self) -> BoxFuture<'_, Result<Option<Moment>, StoreFailed>> {
        Box::pin(self.run(|connection| {
            let query = "SELECT min(due_at) FROM mails WHERE state = 'pending'";
            let due: Option<i64> = connection.query_row(query, [], |row| row.get(0))?;
            Ok(due.and_then(Moment::from_timestamp_micros))
        }))
    }
}
