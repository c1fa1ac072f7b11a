//! Wrong guesses at addresses that belong to no active account, in PostgreSQL.
//!
//! A guess is one statement, which compares and writes. It is the same statement for an address that is stored and for one
//! that is not, and it changes both indexes in each case. So its duration does not tell which case it was. Its commit does
//! not wait for the disk (`synchronous_commit` is off for it), so a crash of the server may lose the newest counts.
//!
//! Each guess gives its row a greater number than all earlier rows have. After a node has added a sixteenth of the limit, it
//! deletes the rows with the smallest numbers in the background. So there may be a few more rows than the limit.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use loquet_domain::policies::lockout::Lockout;
use loquet_domain::ports::{AnonymousGuesses, BoxFuture, CountError, GuessesUnavailable};
use loquet_domain::values::email_address::EmailHash;
use loquet_projections::causes::Causes;

use crate::database::Database;
use crate::error::PostgresError;
use crate::statements::Values;

const GET: &str = "SELECT lockout FROM loquet.anonymous_guesses WHERE email = $1";
/// Adds the row of an address, or replaces it. Adds it only if the guess was judged on no earlier guesses (`$4`). Replaces it
/// only if its state is still the one that the guess was judged on (`$2`). Returns a row if it wrote.
const REPLACE: &str = "
    INSERT INTO loquet.anonymous_guesses AS held (email, lockout, number)
    SELECT $1, $3, nextval('loquet.guess_numbers')
    WHERE $4::boolean OR EXISTS (SELECT FROM loquet.anonymous_guesses WHERE email = $1)
    ON CONFLICT (email) DO UPDATE SET lockout = excluded.lockout, number = excluded.number WHERE held.lockout = $2
    RETURNING set_config('synchronous_commit', 'off', true)";
/// The number of an advisory lock, so that one node at a time deletes old guesses.
const LOCK: i64 = 0x6c6f_7175_6574_0004;
/// Deletes the rows whose numbers are smaller than those of the newest `$2` rows.
const FORGET: &str = "
    DELETE FROM loquet.anonymous_guesses
    WHERE number <= (
        SELECT number FROM loquet.anonymous_guesses ORDER BY number DESC OFFSET $2::bigint LIMIT 1
    )
    AND (SELECT pg_try_advisory_xact_lock($1))";

/// The guesses of all nodes at unknown addresses. A clone is the same store.
#[derive(Clone)]
pub struct PostgresAnonymousGuesses {
    database: Database,
    capacity: i64,
    /// The number of addresses that this node adds before it makes room again.
    stride: u64,
    added: Arc<AtomicU64>,
}

impl PostgresAnonymousGuesses {
    /// Remembers at most `capacity` addresses, about 300 bytes each, and at times a sixteenth more for each node.
    #[must_use]
    pub fn new(database: Database, capacity: NonZeroUsize) -> Self {
        let stride = u64::try_from(capacity.get() / 16).unwrap_or(u64::MAX).max(1);
        let capacity = i64::try_from(capacity.get()).unwrap_or(i64::MAX);
        Self { database, capacity, stride, added: Arc::default() }
    }

    /// The state of an address, as it is stored. `None` if it is not.
    async fn stored(&self, email: &EmailHash) -> Result<Option<String>, PostgresError> {
        let row = self.database.row(GET, &[&email.0]).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// Writes `next` if the stored state is still `judged`. Returns the stored state if it is another one.
    async fn compared(
        &self,
        email: &EmailHash,
        judged: Lockout,
        next: Lockout,
    ) -> Result<Result<(), Lockout>, PostgresError> {
        let (mut expected, next) = (text(judged)?, text(next)?);
        let adds = judged == Lockout::default();
        loop {
            let values: Values<'_> = &[&email.0, &expected, &next, &adds];
            if self.database.row(REPLACE, values).await?.is_some() {
                if adds {
                    self.make_room_at_times();
                }
                return Ok(Ok(()));
            }
            let stored = self.stored(email).await?;
            let actual = lockout(stored.as_deref())?;
            match stored {
                // Another version of this program wrote the same state as another text.
                Some(stored) if actual == judged && stored != expected => expected = stored,
                _ => return Ok(Err(actual)),
            }
        }
    }

    /// Deletes the oldest guesses from time to time, in the background.
    fn make_room_at_times(&self) {
        // The first address of a process counts too, since the process before it may have ended before it made room.
        if self.added.fetch_add(1, Ordering::Relaxed).is_multiple_of(self.stride) {
            let guesses = self.clone();
            drop(tokio::spawn(async move {
                let forgotten = guesses.database.change(FORGET, &[&LOCK, &guesses.capacity]).await;
                if let Err(error) = forgotten {
                    tracing::warn!(error = %Causes(&error), "the oldest guesses at unknown addresses were not deleted; they are deleted later");
                }
            }));
        }
    }
}

fn text(lockout: Lockout) -> Result<String, PostgresError> {
    serde_json::to_string(&lockout).map_err(|error| PostgresError::Unexpected(error.to_string()))
}

/// The state that a text stands for. The default, no guesses, stands for an address that is not stored.
fn lockout(stored: Option<&str>) -> Result<Lockout, PostgresError> {
    let unexpected = |_| PostgresError::Unexpected("guesses at an unknown address".to_owned());
    stored.map_or_else(|| Ok(Lockout::default()), |text| serde_json::from_str(text).map_err(unexpected))
}

fn unavailable(error: &PostgresError) -> GuessesUnavailable {
    GuessesUnavailable(Causes(error).to_string())
}

impl AnonymousGuesses for PostgresAnonymousGuesses {
    fn get<'a>(&'a self, email: &'a EmailHash) -> BoxFuture<'a, Result<Lockout, GuessesUnavailable>> {
        Box::pin(async move {
            let stored = self.stored(email).await;
            stored.and_then(|stored| lockout(stored.as_deref())).map_err(|error| unavailable(&error))
        })
    }

    fn replace<'a>(
        &'a self,
        email: &'a EmailHash,
        judged: Lockout,
        next: Lockout,
    ) -> BoxFuture<'a, Result<(), CountError>> {
        Box::pin(async move {
            let compared = self.compared(email, judged, next).await;
            let compared = compared.map_err(|error| unavailable(&error))?;
            compared.map_err(|actual| CountError::Conflict { actual })
        })
    }
}
