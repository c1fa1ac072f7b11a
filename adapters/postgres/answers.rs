//! Answers to commands with an idempotency key, in PostgreSQL.
//!
//! A command that is being carried out has a row with a claim: which process holds it, and until when. The process renews the
//! claim until the command is done. Then the answer replaces the claim. If the process dies, the claim ends when its lease
//! does. If the command breaks off, its row is deleted in the background. So other nodes see that the key is free a moment
//! later than this one.
//!
//! The claim is no advisory lock, since such a lock ends with its session: when the server restarts, at a fail-over, and when
//! a proxy closes the connection. Then another node could carry the command out while the first one still does. A row
//! survives all of these, as events do.
//!
//! A process that was suspended for longer than a lease, or could not reach the server for so long, has lost its claim.
//! Another node may then carry the command out too. The first process notices it when it stores its answer, which is refused.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use loquet_crypto::keyed_hash::{CommandHashes, command_hashes};
use loquet_domain::Moment;
use loquet_domain::ports::BoxFuture;
use loquet_http_ports::answers::{Answers, CommandId, Known, UnderWay};
use loquet_projections::causes::Causes;
use loquet_projections::ports::StoreFailed;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::database::Database;
use crate::error::PostgresError;
use crate::statements::Values;

/// The shortest time that a claim lasts without being renewed.
const SHORTEST_LEASE: Duration = Duration::from_secs(30);
/// How long answers are kept.
const KEPT: TimeDelta = TimeDelta::hours(24);
/// How often a command is claimed again if its claim ended between two statements.
const TRIES: usize = 5;
/// The number of answers that this node stores before it deletes old ones.
const STRIDE: u64 = 64;

/// Claims a command that is new, or whose answer is too old, or whose claim has ended. A claim of this process has ended too
/// if the process has no record of it.
const CLAIM: &str = "
    INSERT INTO loquet.answers AS held (command, contents, begun_at, holder, claim, claimed_until)
    VALUES ($1, $2, $3, $4, $5, clock_timestamp() + $6::bigint * interval '1 millisecond')
    ON CONFLICT (command) DO UPDATE
    SET contents = excluded.contents, begun_at = excluded.begun_at, answer = NULL, holder = excluded.holder,
        claim = excluded.claim, claimed_until = excluded.claimed_until
    WHERE CASE WHEN held.answer IS NULL
        THEN held.claimed_until < clock_timestamp() OR held.holder = excluded.holder
        ELSE held.begun_at < $7
    END
    RETURNING true";
const KNOWN: &str = "SELECT contents, answer FROM loquet.answers WHERE command = $1";
const RENEW: &str = "
    UPDATE loquet.answers SET claimed_until = clock_timestamp() + $4::bigint * interval '1 millisecond'
    WHERE command = $1 AND holder = $2 AND claim = $3 AND answer IS NULL";
const RELEASE: &str =
    "DELETE FROM loquet.answers WHERE command = $1 AND holder = $2 AND claim = $3 AND answer IS NULL";
const END: &str = "
    UPDATE loquet.answers SET answer = $4, holder = NULL, claim = NULL, claimed_until = NULL
    WHERE command = $1 AND holder = $2 AND claim = $3 AND answer IS NULL";
const FORGET: &str = "
    DELETE FROM loquet.answers WHERE command IN (
        SELECT command FROM loquet.answers
        WHERE begun_at < $1 AND (claimed_until IS NULL OR claimed_until < clock_timestamp())
        LIMIT 1000 FOR UPDATE SKIP LOCKED
    )";

/// The answer was not stored. Another node may have carried the command out too.
#[derive(Debug, thiserror::Error)]
#[error(
    "the answer to a command was not stored, because this node could not reach PostgreSQL in time and lost its claim on the \
     command. Another node may have carried the command out too"
)]
struct ClaimLost;

/// The stored answers of all nodes. A clone is the same store.
#[derive(Clone)]
pub struct PostgresAnswers {
    inner: Arc<Inner>,
}

struct Inner {
    database: Database,
    key: Zeroizing<[u8; 32]>,
    lease: Duration,
    /// Identifies this process.
    holder: Uuid,
    /// The number of the next claim.
    next: AtomicI64,
    /// The commands that this process carries out now, by the hash of caller and key.
    claims: Mutex<HashMap<[u8; 32], Held>>,
    stored: AtomicU64,
}

/// A claim of this process.
#[derive(Clone, Copy)]
struct Held {
    contents: [u8; 32],
    number: i64,
    /// Whether the table may have a row with this claim.
    has_row: bool,
}

/// A claim on a command, which ends when this is dropped.
struct Claim {
    inner: Arc<Inner>,
    command: [u8; 32],
    number: i64,
    runtime: Handle,
    renewing: Option<AbortHandle>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(renewing) = &self.renewing {
            renewing.abort();
        }
        let held = self.inner.claims().remove(&self.command);
        if held.is_some_and(|held| held.has_row) {
            let (inner, command, number) = (self.inner.clone(), self.command, self.number);
            drop(self.runtime.spawn(async move { inner.release(command, number).await }));
        }
    }
}

impl PostgresAnswers {
    /// Uses the answers of a database, whose tables must have been prepared. `key` hashes commands. It is the same on
    /// every node. A claim that is not renewed lasts as long as four statements may take, and at least 30 seconds. So a
    /// process that can't reach the server has given up its command before the claim ends.
    #[must_use]
    pub fn new(database: Database, key: Zeroizing<[u8; 32]>) -> Self {
        let lease = SHORTEST_LEASE.max(database.statement_timeout() * 4);
        Self::with_lease(database, key, lease)
    }

    /// The same, with claims that last as long as `lease`.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "it tells this process from others")]
    pub fn with_lease(database: Database, key: Zeroizing<[u8; 32]>, lease: Duration) -> Self {
        let holder = Uuid::from_bytes(rand::random());
        let (next, claims, stored) = (AtomicI64::default(), Mutex::default(), AtomicU64::default());
        Self { inner: Arc::new(Inner { database, key, lease, holder, next, claims, stored }) }
    }

    /// Claims a command in this process. Returns what is known if another task of this process carries it out.
    fn claim(&self, id: CommandId) -> Result<Claim, Known> {
        let mut claims = self.inner.claims();
        match claims.get(&id.command) {
            Some(held) if held.contents != id.contents => Err(Known::Differs),
            Some(_) => Err(Known::UnderWay),
            None => {
                let number = self.inner.next.fetch_add(1, Ordering::Relaxed);
                claims.insert(id.command, Held { contents: id.contents, number, has_row: true });
                let (inner, runtime) = (self.inner.clone(), Handle::current());
                Ok(Claim { inner, command: id.command, number, runtime, renewing: None })
            }
        }
    }

    async fn begin_now(&self, id: CommandId, now: Moment) -> Result<Known, PostgresError> {
        let mut claim = match self.claim(id) {
            Ok(claim) => claim,
            Err(known) => return Ok(known),
        };
        let Inner { database, holder, .. } = &*self.inner;
        let (command, contents) = (id.command.as_slice(), id.contents.as_slice());
        let (lease, oldest) = (self.inner.lease(), now - KEPT);
        for _ in 0..TRIES {
            let values: Values<'_> = &[&command, &contents, &now, holder, &claim.number, &lease, &oldest];
            if database.row(CLAIM, values).await?.is_some() {
                claim.renewing =
                    Some(tokio::spawn(self.inner.clone().renew(id.command, claim.number)).abort_handle());
                return Ok(Known::New(UnderWay::new(id, now, claim)));
            }
            if let Some(row) = database.row(KNOWN, &[&command]).await? {
                self.inner.has_no_row(&id.command);
                let answer: Option<Vec<u8>> = row.try_get(1)?;
                return Ok(match answer {
                    _ if row.try_get::<_, &[u8]>(0)? != contents => Known::Differs,
                    Some(answer) => Known::Answered(answer),
                    None => Known::UnderWay,
                });
            }
        }
        Ok(Known::UnderWay)
    }

    async fn end_now(&self, id: CommandId, begun_at: Moment, answer: Vec<u8>) -> Result<(), StoreFailed> {
        let held = self.inner.claims().get(&id.command).copied();
        let held = held.ok_or_else(|| StoreFailed::new(ClaimLost))?;
        let Inner { database, holder, .. } = &*self.inner;
        let ended = database.change(END, &[&id.command.as_slice(), holder, &held.number, &answer]).await?;
        self.inner.has_no_row(&id.command);
        if ended == 0 {
            return Err(StoreFailed::new(ClaimLost));
        }
        if self.inner.stored.fetch_add(1, Ordering::Relaxed).is_multiple_of(STRIDE) {
            drop(tokio::spawn(self.inner.clone().forget(begun_at - KEPT)));
        }
        Ok(())
    }
}

impl Inner {
    fn claims(&self) -> MutexGuard<'_, HashMap<[u8; 32], Held>> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lease in milliseconds.
    fn lease(&self) -> i64 {
        i64::try_from(self.lease.as_millis()).unwrap_or(i64::MAX)
    }

    /// Notes that the end of a claim has no row to delete.
    fn has_no_row(&self, command: &[u8; 32]) {
        if let Some(held) = self.claims().get_mut(command) {
            held.has_row = false;
        }
    }

    /// Renews a claim until this is aborted.
    async fn renew(self: Arc<Self>, command: [u8; 32], number: i64) {
        let (command, lease) = (command.as_slice(), self.lease());
        let mut pause = self.lease / 3;
        loop {
            tokio::time::sleep(pause).await;
            let renewed = self.database.change(RENEW, &[&command, &self.holder, &number, &lease]).await;
            pause = match renewed {
                Ok(0) => return,
                Ok(_) => self.lease / 3,
                Err(error) => {
                    tracing::warn!(error = %Causes(&error), "the claim on a command was not renewed; trying again");
                    self.lease / 10
                }
            };
        }
    }

    /// Deletes the row of a command that broke off. If that fails, its claim ends by itself.
    async fn release(&self, command: [u8; 32], number: i64) {
        let released = self.database.change(RELEASE, &[&command.as_slice(), &self.holder, &number]).await;
        if let Err(error) = released {
            tracing::debug!(error = %Causes(&error), "the claim on a command was not released; it ends by itself");
        }
    }

    /// Deletes answers that are too old. No caller waits for it.
    async fn forget(self: Arc<Self>, oldest: Moment) {
        if let Err(error) = self.database.change(FORGET, &[&oldest]).await {
            tracing::warn!(error = %Causes(&error), "old answers to commands were not deleted; they are deleted later");
        }
    }
}

impl Answers for PostgresAnswers {
    fn id(&self, caller: &str, key: &str, contents: &[&[u8]]) -> CommandId {
        let CommandHashes { command, contents } = command_hashes(&self.inner.key, caller, key, contents);
        CommandId { command, contents }
    }

    fn begin(&self, id: CommandId, now: Moment) -> BoxFuture<'_, Result<Known, StoreFailed>> {
        Box::pin(async move { Ok(self.begin_now(id, now).await?) })
    }

    fn end(&self, command: UnderWay, answer: Vec<u8>) -> BoxFuture<'_, Result<(), StoreFailed>> {
        Box::pin(async move {
            // Dropping the command ends its claim. So it is kept until the answer is stored.
            let command = command;
            self.end_now(command.id, command.begun_at, answer).await
        })
    }
}
