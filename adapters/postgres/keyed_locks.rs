//! Locks that nodes share.
//!
//! The lock of a key is an advisory lock of a session. So it ends with the connection, however the node ends. A node that
//! hangs in the middle holds it until PostgreSQL closes the idle session.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Object;
use loquet_domain::ports::{BoxFuture, KeyedLock};
use loquet_projections::causes::Causes;
use sha2::{Digest, Sha256};

use crate::database::Database;
use crate::error::PostgresError;

/// The pause after a lock could not be asked for.
const RETRY: Duration = Duration::from_millis(100);

/// Locks that all nodes share, for the keys that need it. For all other keys, only callers on this node wait for one
/// another.
pub struct PostgresKeyedLocks {
    local: Arc<dyn KeyedLock>,
    database: Database,
    is_shared: fn(&str) -> bool,
}

impl PostgresKeyedLocks {
    /// Makes locks. `database` must have connections that nothing else uses, because a caller that waits for a lock has
    /// one. `is_shared` says for which keys callers on other nodes wait too.
    #[must_use]
    pub fn new(local: Arc<dyn KeyedLock>, database: Database, is_shared: fn(&str) -> bool) -> Self {
        Self { local, database, is_shared }
    }
}

/// Holds a lock until it is dropped.
struct Held {
    number: i64,
    client: Option<Object>,
    _local: Box<dyn Send>,
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(client) = self.client.take() else { return };
        let number = self.number;
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(give_back(client, number))),
            // The connection is closed, and with it the lock is free.
            Err(_) => drop(Object::take(client)),
        }
    }
}

async fn give_back(client: Object, number: i64) {
    if client.execute("SELECT pg_advisory_unlock($1)", &[&number]).await.is_err() {
        drop(Object::take(client));
    }
}

async fn lock(database: &Database, number: i64) -> Result<Object, PostgresError> {
    let client = database.client().await?;
    let asked = async {
        client.batch_execute("SET idle_session_timeout = '60s'").await?;
        client.execute("SELECT pg_advisory_lock($1)", &[&number]).await
    };
    match asked.await {
        Ok(_) => Ok(client),
        Err(error) => {
            drop(Object::take(client));
            Err(error.into())
        }
    }
}

/// The number of a key's lock. Two keys with one number wait for each other, which is harmless.
fn number_of(key: &str) -> i64 {
    let hash = Sha256::digest(key.as_bytes());
    hash.first_chunk().map_or(0, |first: &[u8; 8]| i64::from_be_bytes(*first))
}

impl KeyedLock for PostgresKeyedLocks {
    fn acquire(&self, key: String) -> BoxFuture<'_, Box<dyn Send>> {
        Box::pin(async move {
            let shared = (self.is_shared)(&key).then(|| number_of(&key));
            // One caller of this node at a time asks for the key, so the others need no connection.
            let local = self.local.acquire(key).await;
            let Some(number) = shared else { return local };
            loop {
                match lock(&self.database, number).await {
                    Ok(client) => {
                        let held: Box<dyn Send> =
                            Box::new(Held { number, client: Some(client), _local: local });
                        return held;
                    }
                    Err(error) => {
                        tracing::debug!(error = %Causes(&error), "a lock can't be had from PostgreSQL; trying again");
                        tokio::time::sleep(RETRY).await;
                    }
                }
            }
        })
    }
}
