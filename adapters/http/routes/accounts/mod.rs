//! Accounts: what can be read of them, and what can be done with them.

pub(crate) mod admission;
pub(crate) mod ending;
pub(crate) mod finding;
pub(crate) mod history;
pub(crate) mod password;
pub(crate) mod personal_data;
pub(crate) mod profile;
pub(crate) mod second_step;

use std::time::Duration;

use loquet_domain::account::Profile;
use loquet_domain::ids::AccountId;
use loquet_domain::ports::Position;
use loquet_projections::runner::NotThere;
use loquet_projections::table::{Row, find};
use loquet_projections::view::ViewId;

use crate::extractors::query::AtLeast;
use crate::responses::problem::Problem;
use crate::state::{Api, READERS_PATIENCE};

/// How long a query without a position waits for the events that were in the log when it arrived.
const OWN_WRITES_PATIENCE: Duration = Duration::from_secs(2);
/// Such a query waits only for a view that is at most this many positions behind the log.
const MOST_BEHIND: u64 = 10_000;

impl Api {
    /// Waits until a view has reached the position of the query (law 10).
    pub(crate) async fn reach(&self, view: ViewId, at_least: &AtLeast) -> Result<Position, Problem> {
        let head = self.store.head().await?;
        if at_least.at_least.is_none() {
            return self.reach_own_writes(view, head).await;
        }
        self.within_reach(at_least.position(), head).await?;
        match self.status.reach(view, at_least.position(), READERS_PATIENCE).await {
            Ok(position) => Ok(position),
            Err(why) => Err(self.not_there(at_least.position(), why).await),
        }
    }

    /// Waits until a view includes all events that were in the log when the request arrived. So callers read what they
    /// wrote before, on whichever node they wrote it. The wait is short: if the view is far behind or has stopped, the
    /// answer is what there is, and its `position` says so.
    async fn reach_own_writes(&self, view: ViewId, head: Position) -> Result<Position, Problem> {
        let there = self.status.reach(view, Position(0), Duration::ZERO).await.unwrap_or_default();
        let near = head.0.saturating_sub(there.0) <= MOST_BEHIND.min(self.max_lag);
        let patience = if near { OWN_WRITES_PATIENCE } else { Duration::ZERO };
        match self.status.reach(view, head, patience).await {
            Ok(position) | Err(NotThere::Behind(position)) => Ok(position),
            Err(NotThere::Stopped(_)) => Ok(there),
        }
    }

    /// The row of a view with a key. Waits for a row that the view does not know yet: a caller who was just told an id
    /// may ask for it.
    pub(crate) async fn known<R: Row>(&self, key: String) -> Result<R, Problem> {
        if let Some(row) = find::<R>(self.rows.as_ref(), key.clone()).await? {
            return Ok(row);
        }
        let head = self.store.head().await?;
        self.reach(R::VIEW, &AtLeast { at_least: Some(head.0) }).await?;
        find::<R>(self.rows.as_ref(), key).await?.ok_or_else(Problem::not_found)
    }

    /// Who and what an account is, from the log itself.
    pub(crate) async fn profile(&self, account: AccountId) -> Result<Profile, Problem> {
        let account = self.app.account(account).await?;
        account.profile().cloned().ok_or_else(Problem::not_found)
    }
}
