//! Locks that nodes share.
//!
//! The lock of a key is an advisory lock of a session in PostgreSQL. It ends with the connection, so a node that is killed
//! frees it. A node that hangs keeps it until PostgreSQL closes the idle session, after a minute.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Object;
use loquet_domain::ports::{BoxFuture, KeyedLock};
use loquet_projections::causes::Causes;
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::database::Database;
use crate::error::PostgresError;

/// The pause before a lock is asked for again after an error.
const RETRY: Duration = Duration::from_millis(100);

/// Locks by key. For some keys, callers on all nodes wait for one another. For all others, callers on one node do.
pub struct PostgresKeyedLocks {
    local: Arc<dyn KeyedLock>,
    database: Database,
    sharing: fn(&str) -> Sharing,
    /// Limits how many callers hold a lock while they wait for another one. Each lock takes a connection. If such callers had
    /// all connections, none of them would get its second lock.
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
    /// Makes locks. At most `outer` callers on this node hold a lock of [`Sharing::Outer`] at once. A caller occupies a
    /// connection of `database` while it waits for a lock. So nothing else may use `database`, and it needs at least twice
    /// as many connections as `outer`. `sharing` says who waits for the lock of a key.
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

/// A connection that waits for a lock. It is closed if the caller is cancelled before the server answers. Otherwise it would
/// get the lock in the pool, where nobody gives it back.
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
            // Closing the connection frees the lock.
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
    asking.0.take().ok_or_else(|| PostgresError::Unexpected("a lock without a connection".to_owned()))
}

/// The number of a key's lock. If two keys had the same number, their callers would wait for each other, which does no
/// harm.
fn number_of(key: &str) -> i64 {
    let hash = Sha256::digest(key.as_bytes());
    hash.first_chunk().map_or(0, |first: &[u8; 8]| i64::from_be_bytes(*first))
}

impl KeyedLock for PostgresKeyedLocks {
    fn acquire(&self, key: String) -> BoxFuture<'_, Box<dyn Send>> {
        Box::pin(async move {
            let sharing = (self.sharing)(&key);
            let number = number_of(&key);
            // Only one caller of this node at a time asks the server for a key. The others wait without a connection.
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
                        tracing::debug!(error = %Causes(&error), "PostgreSQL gave no lock; trying again");
                        tokio::time::sleep(RETRY).await;
                    }
                }
            }
        })
    }
}
