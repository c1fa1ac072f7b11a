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
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::database::Database;
use crate::error::PostgresError;

/// The pause after a lock could not be asked for.
const RETRY: Duration = Duration::from_millis(100);

/// Locks that all nodes share, for the keys that need it. For all other keys, only callers on this node wait for one
/// another.
pub struct PostgresKeyedLocks {
    local: Arc<dyn KeyedLock>,
    database: Database,
    sharing: fn(&str) -> Sharing,
    /// How many callers may hold a lock while they take another one. Each lock needs a connection. If these callers had all
    /// connections, none of them would get the second lock.
    outer: Arc<Semaphore>,
}

/// Who waits for the lock of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Callers on the same node.
    Node,
    /// Callers on every node. The holder takes no other lock.
    Nodes,
    /// Callers on every node. The holder may take one of [`Sharing::Nodes`].
    Outer,
}

impl PostgresKeyedLocks {
    /// Makes locks. `database` must have connections that nothing else uses, because a caller that waits for a lock has
    /// one: at least twice as many as `outer`, which says how many callers may hold a lock of [`Sharing::Outer`] on this
    /// node. `sharing` says who waits for the lock of a key.
    #[must_use]
    pub fn new(
        local: Arc<dyn KeyedLock>,
        database: Database,
        outer: usize,
        sharing: fn(&str) -> Sharing,
    ) -> Self {
        Self { local, database, sharing, outer: Arc::new(Semaphore::new(outer)) }
    }
}

/// Holds a lock until it is dropped.
struct Held {
    number: i64,
    client: Option<Object>,
    _local: Box<dyn Send>,
    _outer: Option<OwnedSemaphorePermit>,
}

/// A connection on which a lock was asked for. If the caller goes away before the answer, the connection is closed.
/// Otherwise the server would give the lock to a connection of the pool, and nobody would give it back.
struct Asking(Option<Object>);

impl Drop for Asking {
    fn drop(&mut self) {
        if let Some(client) = self.0.take() {
            drop(Object::take(client));
        }
    }
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
    let mut asking = Asking(Some(database.client().await?));
    if let Some(client) = &asking.0 {
        client.batch_execute("SET idle_session_timeout = '60s'").await?;
        client.execute("SELECT pg_advisory_lock($1)", &[&number]).await?;
    }
    asking.0.take().ok_or_else(|| PostgresError::Unexpected("a connection is gone".to_owned()))
}

/// The number of a key's lock. Two keys with one number wait for each other, which is harmless.
fn number_of(key: &str) -> i64 {
    let hash = Sha256::digest(key.as_bytes());
    hash.first_chunk().map_or(0, |first: &[u8; 8]| i64::from_be_bytes(*first))
}

impl KeyedLock for PostgresKeyedLocks {
    fn acquire(&self, key: String) -> BoxFuture<'_, Box<dyn Send>> {
        Box::pin(async move {
            let sharing = (self.sharing)(&key);
            let number = number_of(&key);
            // One caller of this node at a time asks for the key, so the others need no connection.
            let local = self.local.acquire(key).await;
            let outer = match sharing {
                Sharing::Node => return local,
                Sharing::Nodes => None,
                // The semaphore is never closed.
                Sharing::Outer => self.outer.clone().acquire_owned().await.ok(),
            };
            loop {
                match lock(&self.database, number).await {
                    Ok(client) => {
                        let client = Some(client);
                        let held: Box<dyn Send> =
                            Box::new(Held { number, client, _local: local, _outer: outer });
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
