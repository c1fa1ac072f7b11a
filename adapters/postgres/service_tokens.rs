//! Service tokens in PostgreSQL.
//!
//! A node keeps no token in memory. Each call is one statement. So a node sees at its next call what another node has
//! changed, and a caller waits for one round trip.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use loquet_domain::Moment;
use loquet_domain::ports::BoxFuture;
use loquet_http_ports::service_tokens::{
    Grant, PREFIX, Service, ServiceTokens, TokenEntry, TokenFamily, hash_of, id_of_hash,
};
use loquet_projections::causes::Causes;
use loquet_projections::ports::StoreFailed;
use tokio_postgres::Row;

use crate::database::Database;
use crate::error::PostgresError;
use crate::statements::all;

/// The accuracy of the time of last use. To record each use would cost more than the use itself.
const NOTED: TimeDelta = TimeDelta::minutes(1);

/// The columns in the order in which [`entry`] reads them.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT hash, name, scopes, role, family, created_at, expires_at, last_used_at, revoked_at, \
             created_by, revoked_by \
             FROM loquet.service_tokens ",
            $rest
        )
    };
}

const LIST: &str = select!("ORDER BY created_at, id");
const FIND: &str = select!("WHERE hash = $1");
const CREATE: &str = "
    INSERT INTO loquet.service_tokens (hash, name, scopes, role, family, created_at, expires_at, created_by)
    VALUES ($1, $2, $3, $4, $1, $5, $6, $7)";
/// Ends the token with an id, and adds its successor. It locks the row, so that the second of two callers sees what the first
/// one changed.
const ROTATE: &str = "
    WITH held AS (
        SELECT hash, expires_at FROM loquet.service_tokens
        WHERE id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR $2 < expires_at)
        LIMIT 1 FOR UPDATE
    ), ended AS (
        UPDATE loquet.service_tokens AS token SET expires_at = least(held.expires_at, $3)
        FROM held WHERE token.hash = held.hash
        RETURNING token.name, token.scopes, token.role, token.family, held.expires_at
    )
    INSERT INTO loquet.service_tokens (hash, name, scopes, role, family, created_at, expires_at, created_by)
    SELECT $4, name, scopes, role, family, $2, expires_at, $5 FROM ended";
const REVOKE: &str = "
    UPDATE loquet.service_tokens SET revoked_at = $2, revoked_by = $3
    WHERE id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR $2 < expires_at)";
const NOTE_USES: &str = "
    UPDATE loquet.service_tokens AS token SET last_used_at = used.at
    FROM unnest($1::bytea[], $2::timestamptz[]) AS used (hash, at)
    WHERE token.hash = used.hash AND (last_used_at IS NULL OR last_used_at < used.at)";

/// The service tokens of all nodes. A clone is the same store.
#[derive(Clone)]
pub struct PostgresServiceTokens {
    database: Database,
    uses: Arc<Mutex<Uses>>,
    operator: Option<Arc<str>>,
}

/// Uses of tokens that are not recorded yet. One task at a time records them, with those that come while it runs.
#[derive(Default)]
struct Uses {
    pending: HashMap<[u8; 32], Moment>,
    are_written: bool,
}

impl PostgresServiceTokens {
    /// Uses the tokens of a database, whose tables must have been prepared.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database, uses: Arc::default(), operator: None }
    }

    /// The same tokens. Changes are noted as those of this user of the system.
    #[must_use]
    pub fn used_by(self, operator: Option<String>) -> Self {
        Self { operator: operator.map(Into::into), ..self }
    }

    async fn create_now(
        &self,
        name: &str,
        grant: &Grant,
        now: Moment,
        expires_at: Option<Moment>,
    ) -> Result<String, PostgresError> {
        let (token, hash) = fresh();
        let (scopes, role) = grant.to_stored();
        let (hash, by) = (hash.as_slice(), self.operator.as_deref());
        self.database.change(CREATE, &[&hash, &name, &scopes, &role, &now, &expires_at, &by]).await?;
        Ok(token)
    }

    async fn list_now(&self) -> Result<Vec<TokenEntry>, PostgresError> {
        all(&self.database.rows(LIST, &[]).await?, entry)
    }

    async fn rotate_now(
        &self,
        id: &str,
        now: Moment,
        old_ends: Moment,
    ) -> Result<Option<String>, PostgresError> {
        let (token, hash) = fresh();
        let (hash, by) = (hash.as_slice(), self.operator.as_deref());
        let made = self.database.change(ROTATE, &[&id, &now, &old_ends, &hash, &by]).await?;
        Ok((made > 0).then_some(token))
    }

    async fn find_now(&self, token: &str, at: Moment) -> Result<Option<Arc<Service>>, PostgresError> {
        let hash = hash_of(token);
        let row = self.database.row(FIND, &[&hash.as_slice()]).await?;
        let entry = row.as_ref().map(entry).transpose()?;
        let Some(entry) = entry.filter(|entry| entry.holds(at)) else { return Ok(None) };
        if entry.last_used_at.is_none_or(|last| at - last >= NOTED) {
            self.note_use(hash, at);
        }
        Ok(Some(entry.service))
    }

    /// Records a use in the background. If that fails, the next use is recorded.
    fn note_use(&self, hash: [u8; 32], at: Moment) {
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        uses.pending.insert(hash, at);
        if !std::mem::replace(&mut uses.are_written, true) {
            let tokens = self.clone();
            drop(tokio::spawn(async move {
                while let Some(pending) = tokens.pending() {
                    if let Err(error) = tokens.write_uses(&pending).await {
                        tracing::warn!(error = %Causes(&error), "the time of last use of some service tokens was not recorded; their next use is");
                    }
                }
            }));
        }
    }

    /// Takes the uses that must be recorded. Returns `None` if there are none, and the task that records them ends.
    fn pending(&self) -> Option<HashMap<[u8; 32], Moment>> {
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        uses.are_written = !uses.pending.is_empty();
        uses.are_written.then(|| std::mem::take(&mut uses.pending))
    }

    async fn write_uses(&self, uses: &HashMap<[u8; 32], Moment>) -> Result<(), PostgresError> {
        let (hashes, moments): (Vec<&[u8]>, Vec<Moment>) =
            uses.iter().map(|(hash, at)| (hash.as_slice(), *at)).unzip();
        self.database.change(NOTE_USES, &[&hashes, &moments]).await.map(drop)
    }
}

/// A new token, and its hash.
fn fresh() -> (String, [u8; 32]) {
    #[expect(clippy::disallowed_methods, reason = "a token's secret")]
    let secret: [u8; 32] = rand::random();
    let token = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret));
    let hash = hash_of(&token);
    (token, hash)
}

fn hash_in(row: &Row, column: usize) -> Result<[u8; 32], PostgresError> {
    let bytes: &[u8] = row.try_get(column)?;
    bytes.try_into().map_err(|_| PostgresError::Unexpected("a hash of a service token".to_owned()))
}

fn entry(row: &Row) -> Result<TokenEntry, PostgresError> {
    let family = TokenFamily(hash_in(row, 4)?);
    let service = Service::of_stored(row.try_get(1)?, row.try_get(2)?, row.try_get(3)?, family);
    Ok(TokenEntry {
        id: id_of_hash(&hash_in(row, 0)?),
        service: Arc::new(service),
        created_at: row.try_get(5)?,
        expires_at: row.try_get(6)?,
        last_used_at: row.try_get(7)?,
        revoked_at: row.try_get(8)?,
        created_by: row.try_get(9)?,
        revoked_by: row.try_get(10)?,
    })
}

impl ServiceTokens for PostgresServiceTokens {
    fn create<'a>(
        &'a self,
        name: &'a str,
        grant: &'a Grant,
        now: Moment,
        expires_at: Option<Moment>,
    ) -> BoxFuture<'a, Result<String, StoreFailed>> {
        Box::pin(async move { Ok(self.create_now(name, grant, now, expires_at).await?) })
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<TokenEntry>, StoreFailed>> {
        Box::pin(async move { Ok(self.list_now().await?) })
    }

    fn rotate<'a>(
        &'a self,
        id: &'a str,
        now: Moment,
        old_ends: Moment,
    ) -> BoxFuture<'a, Result<Option<String>, StoreFailed>> {
        Box::pin(async move { Ok(self.rotate_now(id, now, old_ends).await?) })
    }

    fn revoke<'a>(&'a self, id: &'a str, now: Moment) -> BoxFuture<'a, Result<bool, StoreFailed>> {
        let by = self.operator.as_deref();
        Box::pin(async move { Ok(self.database.change(REVOKE, &[&id, &now, &by]).await? > 0) })
    }

    fn find<'a>(
        &'a self,
        token: &'a str,
        at: Moment,
    ) -> BoxFuture<'a, Result<Option<Arc<Service>>, StoreFailed>> {
        Box::pin(async move { Ok(self.find_now(token, at).await?) })
    }
}
