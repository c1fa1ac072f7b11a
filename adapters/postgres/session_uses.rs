//! When each session was last used, in PostgreSQL.
//!
//! Most uses need no write: a node remembers the latest stored use that it has read or written, and skips a use that follows
//! within 10 seconds. So a session that is in use on several nodes is written once in 10 seconds, and not once by each node.
//! A write does not wait for the disk (`synchronous_commit` is off for it). A crash of the server may lose about the last 10
//! seconds of uses.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::TimeDelta;
use loquet_domain::Moment;
use loquet_domain::ids::SessionId;
use loquet_domain::ports::{BoxFuture, SESSION_USE_GRAIN, SessionUses, SessionUsesUnavailable};
use loquet_projections::causes::Causes;
use quick_cache::sync::Cache;

use crate::database::Database;
use crate::error::PostgresError;

/// The number of sessions whose last use a node remembers. Each takes about 50 bytes.
const REMEMBERED: usize = 100_000;

const LAST_USE: &str = "SELECT used_at FROM loquet.session_uses WHERE session = $1";
const NOTE_USE: &str = "
    INSERT INTO loquet.session_uses AS held (session, used_at) VALUES ($1, $2)
    ON CONFLICT (session) DO UPDATE SET used_at = excluded.used_at WHERE held.used_at < excluded.used_at
    RETURNING set_config('synchronous_commit', 'off', true)";
/// The number of an advisory lock, so that one node at a time deletes old uses.
const LOCK: i64 = 0x6c6f_7175_6574_0005;
const FORGET: &str =
    "DELETE FROM loquet.session_uses WHERE used_at < $2 AND (SELECT pg_try_advisory_xact_lock($1))";

/// The last uses of sessions, for all nodes. A clone is the same store.
#[derive(Clone)]
pub struct PostgresSessionUses {
    database: Database,
    idle: TimeDelta,
    /// A stored use of each session. Another node may have stored a later one.
    stored: Arc<Cache<SessionId, Moment>>,
    /// When this node last deleted the uses of sessions that have ended.
    forgot_at: Arc<Mutex<Option<Moment>>>,
}

impl PostgresSessionUses {
    /// Remembers sessions that were used within the last `idle`. All other sessions have ended.
    #[must_use]
    pub fn new(database: Database, idle: TimeDelta) -> Self {
        Self { database, idle, stored: Arc::new(Cache::new(REMEMBERED)), forgot_at: Arc::default() }
    }

    async fn read(&self, session: SessionId) -> Result<Option<Moment>, PostgresError> {
        let row = self.database.row(LAST_USE, &[&session.0]).await?;
        let used_at = row.map(|row| row.try_get(0)).transpose()?;
        // A crash of the server may have lost a later use that this node knew. Then the next use is written.
        match used_at {
            Some(used_at) => self.stored.insert(session, used_at),
            None => drop(self.stored.remove(&session)),
        }
        Ok(used_at)
    }

    async fn write(&self, session: SessionId, at: Moment) -> Result<(), PostgresError> {
        self.database.row(NOTE_USE, &[&session.0, &at]).await?;
        self.stored.insert(session, at);
        Ok(())
    }

    /// Deletes the uses of sessions that have ended, in the background, and four times within the idle time.
    fn forget_at_times(&self, now: Moment) {
        let mut forgot_at = self.forgot_at.lock().unwrap_or_else(PoisonError::into_inner);
        if forgot_at.is_some_and(|last| now - last < self.idle / 4) {
            return;
        }
        *forgot_at = Some(now);
        drop(forgot_at);
        let uses = self.clone();
        drop(tokio::spawn(async move {
            if let Err(error) = uses.forget(now).await {
                tracing::warn!(error = %Causes(&error), "the uses of sessions that have ended were not deleted; they are deleted later");
            }
        }));
    }

    async fn forget(&self, now: Moment) -> Result<(), PostgresError> {
        let Some(ended) = now.checked_sub_signed(self.idle) else { return Ok(()) };
        self.database.change(FORGET, &[&LOCK, &ended]).await.map(drop)
    }
}

fn unavailable(error: &PostgresError) -> SessionUsesUnavailable {
    SessionUsesUnavailable(Causes(error).to_string())
}

impl SessionUses for PostgresSessionUses {
    fn last_use(&self, session: SessionId) -> BoxFuture<'_, Result<Option<Moment>, SessionUsesUnavailable>> {
        Box::pin(async move { self.read(session).await.map_err(|error| unavailable(&error)) })
    }

    fn note_use(&self, session: SessionId, at: Moment) -> BoxFuture<'_, Result<(), SessionUsesUnavailable>> {
        Box::pin(async move {
            if self.stored.get(&session).is_some_and(|stored| at - stored < SESSION_USE_GRAIN) {
                return Ok(());
            }
            self.write(session, at).await.map_err(|error| unavailable(&error))?;
            self.forget_at_times(at);
            Ok(())
        })
    }
}
