//! The mails as an operator looks at them: what became of each, and trying again by hand.

use loquet_domain::Moment;
use loquet_domain::ids::AccountId;
use loquet_domain::ports::Position;
use loquet_projections::mail::Verdict;
use loquet_projections::ports::{QueuedMail, StoreFailed};
use rusqlite::{Connection, OptionalExtension, Row};
use serde::Serialize;
use uuid::Uuid;

use super::status::verdict;
use super::{MAIL, SqliteJournal, moment, queued};

/// In which state a mail is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MailState {
    /// It is due, or will be again.
    Pending,
    /// It is being handed over.
    Sending,
    /// The mail server took it.
    Sent,
    /// It says nothing true any more, and was not sent.
    Void,
    /// It was given up: refused for good, or tried for too long.
    Dead,
}

impl MailState {
    const ALL: [Self; 5] = [Self::Pending, Self::Sending, Self::Sent, Self::Void, Self::Dead];

    /// Its name, in the file and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Void => "void",
            Self::Dead => "dead",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A mail and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct LedgerEntry {
    pub mail: QueuedMail,
    pub state: MailState,
    pub tries: u32,
    pub queued_at: Moment,
    /// When it is tried next, while it is pending.
    pub due_at: Moment,
    pub ended_at: Option<Moment>,
    /// What the mail server said last, in words that name nobody.
    pub why: Option<String>,
    /// The same as stage and codes.
    pub verdict: Option<Verdict>,
    /// Why the log did not take in what became of it.
    pub unnoted: Option<String>,
}

/// How many mails are in the states that an operator watches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct MailCounts {
    pub pending: u64,
    pub sending: u64,
    pub dead: u64,
    /// Of the pending ones, those that were tried in vain.
    pub tried_in_vain: u64,
    /// How many have ended, and the log did not take that in.
    pub unnoted: u64,
    /// The moment since which the oldest of the pending ones waits.
    pub oldest_pending: Option<Moment>,
}

const ENTRY: &str = "state, tries, queued_at, due_at, ended_at, why, unnoted_why, verdict";

impl SqliteJournal {
    /// Mails, newest first: those in a state, those to an account, or all; at most `limit`.
    ///
    /// # Errors
    /// What SQLite said.
    pub async fn list(
        &self,
        state: Option<MailState>,
        recipient: Option<AccountId>,
        limit: u32,
    ) -> Result<Vec<LedgerEntry>, StoreFailed> {
        let state = state.map(MailState::name);
        let recipient = recipient.map(|account| *account.0.as_bytes());
        self.run(move |connection| {
            let query = format!(
                "SELECT {MAIL}, {ENTRY} FROM mails
                 WHERE (?1 IS NULL OR state = ?1) AND (?2 IS NULL OR recipient = ?2)
                 ORDER BY queued_at DESC, effect LIMIT ?3"
            );
            let mut select = connection.prepare(&query)?;
            select.query_map((state, recipient, limit), entry)?.collect()
        })
        .await
    }

    /// One mail.
    ///
    /// # Errors
    /// What SQLite said.
    pub async fn entry(&self, mail: Uuid) -> Result<Option<LedgerEntry>, StoreFailed> {
        self.run(move |connection| {
            let query = format!("SELECT {MAIL}, {ENTRY} FROM mails WHERE effect = ?");
            connection.query_row(&query, [mail.as_bytes()], entry).optional()
        })
        .await
    }

    /// Puts a mail that was given up, or that waits for its next try, back at the head of the queue: it is
    /// due now and is tried for as long as a new one. No, where there is no such mail to try.
    ///
    /// # Errors
    /// What SQLite said.
    pub async fn retry(&self, mail: Uuid, now: Moment) -> Result<bool, StoreFailed> {
        self.run(move |connection| {
            let again = format!("{AGAIN} WHERE effect = ?2 AND state IN ('dead', 'pending')");
            Ok(connection.execute(&again, (now.timestamp_micros(), mail.as_bytes()))? == 1)
        })
        .await
    }

    /// Puts every mail that was given up back into the queue; says how many.
    ///
    /// # Errors
    /// What SQLite said.
    pub async fn retry_all_dead(&self, now: Moment) -> Result<usize, StoreFailed> {
        self.run(move |connection| {
            connection.execute(&format!("{AGAIN} WHERE state = 'dead'"), [now.timestamp_micros()])
        })
        .await
    }

    /// Up to where each reaction has noted that it acted.
    ///
    /// # Errors
    /// What SQLite said.
    pub async fn checkpoints(&self) -> Result<Vec<(String, Position)>, StoreFailed> {
        self.run(|connection| {
            let mut select = connection.prepare("SELECT reaction, position FROM checkpoints ORDER BY 1")?;
            select.query_map([], |row| Ok((row.get(0)?, Position(row.get(1)?))))?.collect()
        })
        .await
    }

    /// How many mails wait, are being handed over, or were given up.
    ///
    /// # Errors
    /// What SQLite said.
    pub async fn counts(&self) -> Result<MailCounts, StoreFailed> {
        self.run(|connection| counts(connection)).await
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

fn entry(row: &Row<'_>) -> rusqlite::Result<LedgerEntry> {
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
