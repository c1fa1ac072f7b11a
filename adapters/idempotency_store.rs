//! What was answered to a command that carried an idempotency key, so that asking again is answered again
//! and does nothing (IETF draft-ietf-httpapi-idempotency-key-header).
//!
//! Kept for a day. A command is known by a keyed hash of who asked, its key and its contents; an answer
//! names ids and positions, never a person, a password or a token.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::TimeDelta;
use hmac::Mac;
use loquet_domain::Moment;
use loquet_projections::ports::StoreFailed;
use rusqlite::{Connection, OptionalExtension};
use zeroize::Zeroizing;

use crate::hmac_tokens::mac;
use crate::server_key::ServerKey;
use crate::sqlite::{FileError, Kind, explain};

const ANSWERS: Kind = Kind {
    what: "a Loquet store of answers",
    application_id: 0x4c71_7406,
    version: 1,
    upgrades: &[],
    holds_keys: false,
    remedy: "delete it and what is beside it (-wal, -shm): commands that are repeated are then done again",
    synchronous: "FULL",
    schema: "
        CREATE TABLE IF NOT EXISTS answers (
            command  BLOB PRIMARY KEY,    -- keyed hash of the caller and the key
            contents BLOB NOT NULL,       -- keyed hash of method, address and body
            begun_at INTEGER NOT NULL,    -- microseconds since 1970
            answer   BLOB                 -- none while it is being carried out
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS answers_begun ON answers (begun_at);",
};

/// For how long answers are kept.
const KEPT: TimeDelta = TimeDelta::hours(24);

/// What a command is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandId {
    command: [u8; 32],
    contents: [u8; 32],
}

/// What is known of a command before it is carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// Nothing: whoever asks carries it out, and says what was answered.
    New,
    /// It was carried out, with this answer.
    Answered(Vec<u8>),
    /// It is being carried out.
    UnderWay,
    /// The key was used for another command.
    Differs,
}

/// The answers.
#[derive(Clone)]
pub struct IdempotencyStore {
    connection: Arc<Mutex<Connection>>,
    key: Arc<Zeroizing<[u8; 32]>>,
}

impl IdempotencyStore {
    /// Opens the file, making it if there is none. What was being carried out when the process before this
    /// one ended has no answer that anybody could give again: it may be done anew.
    ///
    /// # Errors
    /// [`FileError`] names the file and what is wrong.
    pub fn open(path: &Path, server: &ServerKey) -> Result<Self, FileError> {
        let connection = ANSWERS.open(path)?;
        let unfinished = connection.execute("DELETE FROM answers WHERE answer IS NULL", []);
        unfinished.map_err(|e| FileError::Unusable { path: path.to_owned(), why: explain(&e) })?;
        let key = Arc::new(server.derive("loquet/idempotency/1"));
        Ok(Self { connection: Arc::new(Mutex::new(connection)), key })
    }

    /// What a command is known by: who asks, with which key, for what.
    #[must_use]
    pub fn id(&self, caller: &str, key: &str, contents: &[&[u8]]) -> CommandId {
        let mut digest = mac(&self.key, b"contents");
        for part in contents {
            digest.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            digest.update(part);
        }
        let command = mac(&self.key, format!("command\0{caller}\0{key}").as_bytes());
        CommandId {
            command: command.finalize().into_bytes().into(),
            contents: digest.finalize().into_bytes().into(),
        }
    }

    /// Begins a command, durably, unless it is known.
    ///
    /// # Errors
    /// [`StoreFailed`] when SQLite does not answer.
    pub async fn begin(&self, id: CommandId, now: Moment) -> Result<Known, StoreFailed> {
        self.run(move |connection| {
            let transaction = connection.transaction()?;
            let stale = "DELETE FROM answers WHERE begun_at < ?";
            transaction.prepare_cached(stale)?.execute([(now - KEPT).timestamp_micros()])?;
            let query = "SELECT contents, answer FROM answers WHERE command = ?";
            let held: Option<([u8; 32], Option<Vec<u8>>)> = transaction
                .prepare_cached(query)?
                .query_row([id.command], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let known = match held {
                Some((contents, _)) if contents != id.contents => Known::Differs,
                Some((_, Some(answer))) => Known::Answered(answer),
                Some((_, None)) => Known::UnderWay,
                None => {
                    let begin = "INSERT INTO answers VALUES (?, ?, ?, NULL)";
                    transaction.prepare_cached(begin)?.execute((
                        id.command,
                        id.contents,
                        now.timestamp_micros(),
                    ))?;
                    Known::New
                }
            };
            transaction.commit()?;
            Ok(known)
        })
        .await
    }

    /// Keeps the answer to a command that was begun; without one, forgets that it was.
    ///
    /// # Errors
    /// [`StoreFailed`] when SQLite does not answer.
    pub async fn end(&self, id: CommandId, answer: Option<Vec<u8>>) -> Result<(), StoreFailed> {
        self.run(move |connection| match answer {
            Some(answer) => {
                let keep = "UPDATE answers SET answer = ? WHERE command = ?";
                connection.prepare_cached(keep)?.execute((answer, id.command)).map(drop)
            }
            None => {
                let forget = "DELETE FROM answers WHERE command = ? AND answer IS NULL";
                connection.prepare_cached(forget)?.execute([id.command]).map(drop)
            }
        })
        .await
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
