//! Stored answers to commands with an idempotency key, in a SQLite file. If a client sends a command again,
//! it gets the same answer and the command is not carried out again (IETF
//! draft-ietf-httpapi-idempotency-key-header).
//!
//! Answers are kept for 24 hours. A command is identified by a keyed hash of the caller, the key and the
//! content. An answer holds ids and positions. It never holds a person's data, a password or a token.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::TimeDelta;
use loquet_domain::Moment;
use loquet_domain::ports::BoxFuture;
use loquet_http_ports::answers::{Answers, CommandId, Known, UnderWay};
use loquet_projections::ports::StoreFailed;
use rusqlite::{Connection, OptionalExtension};
use zeroize::Zeroizing;

use crate::database::{FileError, Kind, work_on};
use loquet_crypto::keyed_hash::{CommandHashes, command_hashes};

pub(crate) const ANSWERS: Kind = Kind {
    what: "a Loquet store of answers",
    application_id: 0x4c71_7406,
    version: 2,
    // Version 1 identified answers by hashes under a key that is no longer used.
    upgrades: &["DROP TABLE answers;"],
    holds_keys: false,
    remedy: "delete it and what is beside it (-wal, -shm): commands that are repeated are then done again",
    synchronous: "FULL",
    schema: "
        CREATE TABLE IF NOT EXISTS answers (
            command  BLOB PRIMARY KEY,    -- keyed hash of the caller and the key
            contents BLOB NOT NULL,       -- keyed hash of method, address and body
            begun_at INTEGER NOT NULL,    -- microseconds since 1970
            answer   BLOB NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS answers_begun ON answers (begun_at);",
};

/// How long storing an answer waits for a write lock of another program. The caller waits as long.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);
/// How long answers are kept.
const KEPT: TimeDelta = TimeDelta::hours(24);

/// The commands that are being carried out: the hash of caller and key, and the hash of the content.
type Claims = Arc<Mutex<HashMap<[u8; 32], [u8; 32]>>>;

/// A claim on a command. It is only in memory, so it ends with the process that carries the command out. A
/// row in a file would not.
struct Claim {
    command: [u8; 32],
    claims: Claims,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.command);
    }
}

/// The stored answers.
#[derive(Clone)]
pub struct SqliteAnswers {
    connection: Arc<Mutex<Connection>>,
    claims: Claims,
    key: Arc<Zeroizing<[u8; 32]>>,
}

impl SqliteAnswers {
    /// Opens the file. Makes it if it does not exist. `key` hashes commands; if it is not the key of the
    /// stored answers, all of them are deleted.
    ///
    /// # Errors
    /// [`FileError`] names the file and what is wrong.
    pub fn open(path: &Path, key: Zeroizing<[u8; 32]>) -> Result<Self, FileError> {
        let connection = ANSWERS.open(path)?;
        connection.busy_timeout(PATIENCE).map_err(|e| ANSWERS.unusable(path, &e))?;
        let connection = Arc::new(Mutex::new(connection));
        Ok(Self { connection, claims: Claims::default(), key: Arc::new(key) })
    }

    fn claim(&self, id: CommandId, begun_at: Moment) -> Result<UnderWay, Known> {
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        match claims.get(&id.command) {
            Some(contents) if *contents != id.contents => Err(Known::Differs),
            Some(_) => Err(Known::UnderWay),
            None => {
                claims.insert(id.command, id.contents);
                let claim = Claim { command: id.command, claims: self.claims.clone() };
                Ok(UnderWay::new(id, begun_at, claim))
            }
        }
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreFailed> {
        work_on(&self.connection, work).await.map_err(StoreFailed::new)
    }
}

impl Answers for SqliteAnswers {
    fn id(&self, caller: &str, key: &str, contents: &[&[u8]]) -> CommandId {
        let CommandHashes { command, contents } = command_hashes(&self.key, caller, key, contents);
        CommandId { command, contents }
    }

    fn begin(&self, id: CommandId, now: Moment) -> BoxFuture<'_, Result<Known, StoreFailed>> {
        Box::pin(async move {
            // The command is claimed before it is looked up. If another call ends it in between, the lookup
            // finds the answer.
            let claim = match self.claim(id, now) {
                Ok(claim) => claim,
                Err(known) => return Ok(known),
            };
            let held: Option<([u8; 32], Vec<u8>)> = self
                .run(move |connection| {
                    let query = "SELECT contents, answer FROM answers WHERE command = ? AND begun_at >= ?";
                    let oldest = (now - KEPT).timestamp_micros();
                    let mut select = connection.prepare_cached(query)?;
                    select.query_row((id.command, oldest), |row| Ok((row.get(0)?, row.get(1)?))).optional()
                })
                .await?;
            Ok(match held {
                Some((contents, _)) if contents != id.contents => Known::Differs,
                Some((_, answer)) => Known::Answered(answer),
                None => Known::New(claim),
            })
        })
    }

    fn end(&self, command: UnderWay, answer: Vec<u8>) -> BoxFuture<'_, Result<(), StoreFailed>> {
        Box::pin(self.run(move |connection| {
            let UnderWay { id, begun_at, .. } = &command;
            let transaction = connection.transaction()?;
            let stale = "DELETE FROM answers WHERE begun_at < ?";
            transaction.prepare_cached(stale)?.execute([(*begun_at - KEPT).timestamp_micros()])?;
            let keep = "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)";
            let row = (id.command, id.contents, begun_at.timestamp_micros(), answer);
            transaction.prepare_cached(keep)?.execute(row)?;
            transaction.commit()
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> Moment {
        Moment::from_timestamp(1_800_000_000 + hour * 3600, 0).unwrap()
    }

    fn open(folder: &tempfile::TempDir) -> SqliteAnswers {
        SqliteAnswers::open(&folder.path().join("answers.db"), Zeroizing::new([7; 32])).unwrap()
    }

    async fn begin(store: &SqliteAnswers, contents: &str, hour: i64) -> Known {
        store.begin(store.id("shop", "k-1", &[contents.as_bytes()]), at(hour)).await.unwrap()
    }

    #[tokio::test]
    async fn a_command_whose_carrying_out_broke_off_can_be_asked_for_anew() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        let Known::New(first) = begin(&store, "a", 0).await else { panic!("it is new") };
        assert!(matches!(begin(&store, "a", 0).await, Known::UnderWay));
        assert!(matches!(begin(&store, "b", 0).await, Known::Differs));
        let carried_out = tokio::spawn(async move {
            let _first = first;
            panic!("a handler that panics");
        });
        assert!(carried_out.await.is_err());
        let Known::New(second) = begin(&store, "a", 0).await else { panic!("it was not done") };
        // If the answer could not be stored, the claim ends too.
        let break_it = "ALTER TABLE answers RENAME TO elsewhere";
        store.connection.lock().unwrap().execute(break_it, []).unwrap();
        assert!(store.end(second, b"done".to_vec()).await.is_err());
        let mend_it = "ALTER TABLE elsewhere RENAME TO answers";
        store.connection.lock().unwrap().execute(mend_it, []).unwrap();
        assert!(matches!(begin(&store, "a", 0).await, Known::New(_)));
    }

    #[tokio::test]
    async fn an_answer_is_given_again_for_a_day_by_whichever_process() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        let Known::New(command) = begin(&store, "a", 0).await else { panic!("it is new") };
        store.end(command, b"done".to_vec()).await.unwrap();
        drop(store);
        let store = open(&folder);
        assert!(matches!(begin(&store, "a", 24).await, Known::Answered(answer) if answer == b"done"));
        assert!(matches!(begin(&store, "b", 24).await, Known::Differs));
        let Known::New(command) = begin(&store, "a", 25).await else { panic!("a day is over") };
        store.end(command, b"again".to_vec()).await.unwrap();
        assert!(matches!(begin(&store, "a", 25).await, Known::Answered(answer) if answer == b"again"));
    }

    #[tokio::test]
    async fn a_file_of_an_older_version_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let older = Connection::open(folder.path().join("answers.db")).unwrap();
        let version_1 = "CREATE TABLE answers (command BLOB PRIMARY KEY, contents BLOB NOT NULL,
            begun_at INTEGER NOT NULL, answer BLOB) STRICT, WITHOUT ROWID;
            CREATE INDEX answers_begun ON answers (begun_at); PRAGMA user_version = 1;";
        let id = ANSWERS.application_id;
        older.execute_batch(&format!("PRAGMA application_id = {id}; {version_1}")).unwrap();
        older.execute("INSERT INTO answers VALUES (x'00', x'00', 0, NULL)", []).unwrap();
        drop(older);
        let store = open(&folder);
        let Known::New(command) = begin(&store, "a", 0).await else { panic!("it is new") };
        store.end(command, b"done".to_vec()).await.unwrap();
        assert!(matches!(begin(&store, "a", 0).await, Known::Answered(_)));
    }
}
