//! Accounts: what can be read of them, and what can be done with them.

pub(crate) mod admission;
pub(crate) mod ending;
pub(crate) mod finding;
pub(crate) mod history;
pub(crate) mod password;
pub(crate) mod second_step;

use loquet_domain::account::Profile;
use loquet_domain::ids::AccountId;
use loquet_domain::ports::Position;
use loquet_projections::table::{Row, find};
use loquet_projections::view::ViewId;

use crate::extractors::query::AtLeast;
use crate::responses::problem::Problem;
use crate::state::{Api, READERS_PATIENCE};

impl Api {
    /// Waits until a view has reached the position of the query (law 10).
    pub(crate) async fn reach(&self, view: ViewId, at_least: &AtLeast) -> Result<Position, Problem> {
        self.within_reach(at_least.position(), self.store.head().await?).await?;
        match self.status.reach(view, at_least.position(), READERS_PATIENCE).await {
            Ok(position) => Ok(position),
            Err(why) => Err(self.not_there(at_least.position(), why).await),
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
