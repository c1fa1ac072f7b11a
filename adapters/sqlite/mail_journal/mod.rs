//! The checkpoints of the reactions and the mails to send, in a SQLite file of their own.
//!
//! This is not a read model, so rebuilding read models never touches it (law 5). It holds no personal data:
//! the text of a mail is built from the log when the mail is sent.

mod lease;
mod ledger;
mod status;

use std::path::Path;
use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use loquet_domain::Moment;
use loquet_domain::ids::AccountId;
use loquet_domain::ports::{BoxFuture, Position};
use loquet_projections::mail::{MailKind, MailStatus, Trouble, Urgency};
use loquet_projections::ports::{
    ClaimedMail, Fence, Hold, MailOutcome, QueuedMail, ReactionJournal, StoreFailed, UnnotedFate, WriteFailed,
};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior};
use uuid::Uuid;

use crate::database::{FileError, Kind, work_on};

pub(crate) const JOURNAL: Kind = Kind {
    what: "a Loquet reaction journal",
    application_id: 0x4c71_7404,
    version: 4,
    upgrades: &[
        "ALTER TABLE mails ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
         ALTER TABLE mails ADD COLUMN noted INTEGER NOT NULL DEFAULT 1;
         UPDATE mails SET since = queued_at;",
        "ALTER TABLE mails ADD COLUMN urgency INTEGER NOT NULL DEFAULT 1;
         ALTER TABLE mails ADD COLUMN note_at INTEGER NOT NULL DEFAULT 0;
         ALTER TABLE mails ADD COLUMN unnoted_why TEXT;
         UPDATE mails SET note_at = coalesce(ended_at, 0),
             urgency = kind NOT IN ('password-reset', 'password-changed', 'locked-out');
         DROP INDEX IF EXISTS mails_unnoted;",
        "ALTER TABLE mails ADD COLUMN waited INTEGER NOT NULL DEFAULT 0;
         ALTER TABLE mails ADD COLUMN tried_at INTEGER;
         ALTER TABLE mails ADD COLUMN verdict TEXT;",
    ],
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
            why       TEXT,
            since     INTEGER NOT NULL,  -- from when on it is tried: queued, or put back by hand
            noted     INTEGER NOT NULL,  -- whether the log knows how it ended
            urgency   INTEGER NOT NULL,  -- 0: before all others; 1: in its turn
            note_at   INTEGER NOT NULL,  -- when the log is told how it ended
            unnoted_why TEXT,            -- why the log did not take that in
            waited    INTEGER NOT NULL,  -- microseconds of its own pauses: after give_up_after it is given up
            tried_at  INTEGER,           -- when it was last claimed
            verdict   TEXT               -- what the mail server said last: 'recipient 550 5.1.1'
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS held (
            id      INTEGER PRIMARY KEY CHECK (id = 1),
            since   INTEGER NOT NULL,
            why     TEXT    NOT NULL,
            verdict TEXT
        ) STRICT;
        -- No version of its own: the version before finds its tables as they were, and leaves this one alone.
        CREATE TABLE IF NOT EXISTS lease (
            id      INTEGER PRIMARY KEY CHECK (id = 1),
            fence   INTEGER NOT NULL,    -- grows each time the lease is given
            holder  TEXT,                -- none once it was given back
            ends_at INTEGER NOT NULL     -- microseconds since 1970
        ) STRICT;
        CREATE INDEX IF NOT EXISTS mails_due ON mails (due_at) WHERE state = 'pending';
        CREATE INDEX IF NOT EXISTS mails_urgent ON mails (urgency, due_at, position) WHERE state = 'pending';
        CREATE INDEX IF NOT EXISTS mails_open ON mails (state) WHERE state IN ('pending', 'sending', 'dead');
        CREATE INDEX IF NOT EXISTS mails_to_note ON mails (note_at) WHERE noted = 0;
        CREATE INDEX IF NOT EXISTS mails_recipient ON mails (recipient);
        CREATE INDEX IF NOT EXISTS mails_position ON mails (position);
        CREATE INDEX IF NOT EXISTS mails_queued ON mails (queued_at);",
};

/// The journal.
#[derive(Clone)]
pub struct SqliteJournal {
    connection: Arc<Mutex<Connection>>,
}

impl SqliteJournal {
    /// Opens the file. Makes it if it does not exist.
    ///
    /// # Errors
    /// [`FileError`] names the file and what is wrong.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        Ok(Self { connection: Arc::new(Mutex::new(JOURNAL.open(path)?)) })
    }

    /// Opens the file for reading, while another process may write it. Every write fails.
    ///
    /// # Errors
    /// [`FileError`] names the file and what is wrong. A file with an older format is refused, and not
    /// upgraded.
    pub fn open_to_read(path: &Path) -> Result<Self, FileError> {
        Ok(Self { connection: Arc::new(Mutex::new(JOURNAL.open_reader(path)?)) })
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreFailed> {
        work_on(&self.connection, work).await.map_err(StoreFailed::new)
    }

    /// Writes under the lease, in one transaction. Writes nothing if the lease of this fence has ended.
    async fn write<T: Send + 'static>(
        &self,
        fence: Fence,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, WriteFailed> {
        let written = self.run(move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            if let Some(fenced) = lease::is_over(&transaction, fence)? {
                return Ok(Err(fenced));
            }
            let done = work(&transaction)?;
            transaction.commit()?;
            Ok(Ok(done))
        });
        Ok(written.await??)
    }
}

fn advance(
    transaction: &Transaction<'_>,
    reaction: &str,
    up_to: Position,
    mails: &[QueuedMail],
    now: Moment,
) -> rusqlite::Result<()> {
    let queue = "INSERT OR IGNORE INTO mails
        (effect, kind, recipient, position, state, tries, due_at, queued_at, since, noted, urgency, note_at, waited)
        VALUES (?, ?, ?, ?, 'pending', 0, ?5, ?5, ?5, 1, ?6, 0, 0)";
    for mail in mails {
        transaction.prepare_cached(queue)?.execute((
            mail.effect.as_bytes(),
            mail.kind.name(),
            mail.recipient.0.as_bytes(),
            mail.position.0,
            now.timestamp_micros(),
            Urgency::of(mail.kind).number(),
        ))?;
    }
    let checkpoint = "INSERT INTO checkpoints VALUES (?, ?)
        ON CONFLICT (reaction) DO UPDATE SET position = excluded.position";
    transaction.execute(checkpoint, (reaction, up_to.0)).map(drop)
}

/// The columns that [`queued`] reads.
const MAIL: &str = "effect, kind, recipient, position";

fn queued(row: &Row<'_>) -> rusqlite::Result<QueuedMail> {
    let kind: String = row.get(1)?;
    let unknown = || rusqlite::Error::InvalidColumnType(1, kind.clone(), rusqlite::types::Type::Text);
    Ok(QueuedMail {
        effect: Uuid::from_bytes(row.get(0)?),
        kind: MailKind::parse(&kind).ok_or_else(unknown)?,
        recipient: AccountId(Uuid::from_bytes(row.get(2)?)),
        position: Position(row.get(3)?),
    })
}

/// Reads a stored moment. It is out of range only in a file that somebody has changed.
fn moment(row: &Row<'_>, column: usize) -> rusqlite::Result<Moment> {
    let micros: i64 = row.get(column)?;
    Moment::from_timestamp_micros(micros).ok_or(rusqlite::Error::IntegralValueOutOfRange(column, micros))
}

fn claim(transaction: &Transaction<'_>, now: Moment, limit: usize) -> rusqlite::Result<Vec<ClaimedMail>> {
    let mut claimed = Vec::new();
    for urgency in Urgency::ALL {
        let left = limit.saturating_sub(claimed.len());
        claimed.extend(due(transaction, urgency, now, left)?);
    }
    for ClaimedMail { mail, .. } in &claimed {
        let claim = "UPDATE mails SET state = 'sending', tries = tries + 1, tried_at = ? WHERE effect = ?";
        transaction.prepare_cached(claim)?.execute((now.timestamp_micros(), mail.effect.as_bytes()))?;
    }
    Ok(claimed)
}

fn due(
    connection: &Connection,
    urgency: Urgency,
    now: Moment,
    limit: usize,
) -> rusqlite::Result<Vec<ClaimedMail>> {
    let query = format!(
        "SELECT {MAIL}, tries + 1, waited FROM mails
         WHERE state = 'pending' AND urgency = ? AND due_at <= ? ORDER BY due_at, position LIMIT ?"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut select = connection.prepare_cached(&query)?;
    let due = select.query_map((urgency.number(), now.timestamp_micros(), limit), |row| {
        let waited = TimeDelta::microseconds(row.get(5)?);
        Ok(ClaimedMail { mail: queued(row)?, tries: row.get(4)?, waited })
    })?;
    due.collect()
}

fn unnoted(connection: &Connection, now: Moment, limit: usize) -> rusqlite::Result<Vec<UnnotedFate>> {
    let query = format!(
        "SELECT {MAIL}, ended_at, CASE state WHEN 'dead' THEN coalesce(why, '') END FROM mails
         WHERE noted = 0 AND ended_at IS NOT NULL AND note_at <= ? ORDER BY note_at LIMIT ?"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut select = connection.prepare_cached(&query)?;
    let ended = select.query_map((now.timestamp_micros(), limit), |row| {
        Ok(UnnotedFate { mail: queued(row)?, at: moment(row, 4)?, given_up: row.get(5)? })
    })?;
    ended.collect()
}

/// Returns the mails that follow from the events at these positions.
fn mails_about(
    connection: &Connection,
    account: AccountId,
    positions: &[Position],
) -> rusqlite::Result<Vec<Uuid>> {
    let mut to_them = connection.prepare_cached("SELECT effect FROM mails WHERE recipient = ?")?;
    let effects = to_them.query_map([account.0.as_bytes()], |row| Ok(Uuid::from_bytes(row.get(0)?)))?;
    let mut found = effects.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut select = connection.prepare_cached("SELECT effect FROM mails WHERE position = ?")?;
    for position in positions {
        let effects = select.query_map([position.0], |row| Ok(Uuid::from_bytes(row.get(0)?)))?;
        found.extend(effects.collect::<rusqlite::Result<Vec<_>>>()?);
    }
    Ok(found)
}

fn conclude(
    connection: &Connection,
    effect: Uuid,
    outcome: &MailOutcome,
    now: Moment,
) -> rusqlite::Result<()> {
    let concluded = outcome.conclusion(now);
    let update = "UPDATE mails SET state = ?, due_at = ?, ended_at = ?, why = ?, verdict = ?, noted = ?,
        waited = coalesce(?, waited), note_at = coalesce(?3, 0), unnoted_why = NULL WHERE effect = ?";
    let values = (
        concluded.state.name(),
        concluded.due_at.timestamp_micros(),
        concluded.ended_at.map(|ended| ended.timestamp_micros()),
        concluded.trouble.map(|trouble| trouble.why.as_str()),
        concluded.trouble.and_then(Trouble::stored_verdict),
        concluded.note_at.is_none(),
        concluded.waited.and_then(|waited| waited.num_microseconds()),
        effect.as_bytes(),
    );
    connection.execute(update, values).map(drop)
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
        fence: Fence,
        reaction: &'static str,
        up_to: Position,
        mails: Vec<QueuedMail>,
        now: Moment,
    ) -> BoxFuture<'_, Result<(), WriteFailed>> {
        Box::pin(self.write(fence, move |transaction| advance(transaction, reaction, up_to, &mails, now)))
    }

    fn claim_due(
        &self,
        fence: Fence,
        now: Moment,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<ClaimedMail>, WriteFailed>> {
        Box::pin(self.write(fence, move |transaction| claim(transaction, now, limit)))
    }

    fn reclaim(&self, fence: Fence) -> BoxFuture<'_, Result<(), WriteFailed>> {
        let reclaim = "UPDATE mails SET state = 'pending' WHERE state = 'sending'";
        Box::pin(self.write(fence, move |transaction| transaction.execute(reclaim, []).map(drop)))
    }

    fn conclude(
        &self,
        fence: Fence,
        effect: Uuid,
        outcome: MailOutcome,
        now: Moment,
    ) -> BoxFuture<'_, Result<(), WriteFailed>> {
        Box::pin(self.write(fence, move |transaction| conclude(transaction, effect, &outcome, now)))
    }

    fn next_due(&self) -> BoxFuture<'_, Result<Option<Moment>, StoreFailed>> {
        Box::pin(self.run(|connection| {
            let query = "SELECT min(due_at) FROM mails WHERE state = 'pending'";
            let due: Option<i64> = connection.query_row(query, [], |row| row.get(0))?;
            Ok(due.and_then(Moment::from_timestamp_micros))
        }))
    }

    fn unnoted(&self, now: Moment, limit: usize) -> BoxFuture<'_, Result<Vec<UnnotedFate>, StoreFailed>> {
        Box::pin(self.run(move |connection| unnoted(connection, now, limit)))
    }

    fn not_noted(
        &self,
        fence: Fence,
        effect: Uuid,
        why: String,
        again: Moment,
    ) -> BoxFuture<'_, Result<(), WriteFailed>> {
        let note = "UPDATE mails SET note_at = ?, unnoted_why = ? WHERE effect = ?";
        Box::pin(self.write(fence, move |transaction| {
            transaction.execute(note, (again.timestamp_micros(), why, effect.as_bytes())).map(drop)
        }))
    }

    fn noted(&self, fence: Fence, effect: Uuid) -> BoxFuture<'_, Result<(), WriteFailed>> {
        let note = "UPDATE mails SET noted = 1, unnoted_why = NULL WHERE effect = ?";
        Box::pin(
            self.write(fence, move |transaction| transaction.execute(note, [effect.as_bytes()]).map(drop)),
        )
    }

    fn hold(&self, fence: Fence, hold: Option<Hold>) -> BoxFuture<'_, Result<(), WriteFailed>> {
        Box::pin(self.write(fence, move |transaction| status::hold(transaction, hold.as_ref())))
    }

    fn held(&self) -> BoxFuture<'_, Result<Option<Hold>, StoreFailed>> {
        Box::pin(self.run(|connection| status::held(connection)))
    }

    fn mails_of(
        &self,
        account: AccountId,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<MailStatus>, StoreFailed>> {
        Box::pin(self.run(move |connection| status::mails_of(connection, account, limit)))
    }

    fn mails_about(
        &self,
        account: AccountId,
        positions: Vec<Position>,
    ) -> BoxFuture<'_, Result<Vec<Uuid>, StoreFailed>> {
        Box::pin(self.run(move |connection| mails_about(connection, account, &positions)))
    }
}
