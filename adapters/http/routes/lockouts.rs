//! All accounts that are locked out now.

use axum::extract::State;
use chrono::{DateTime, Utc};
use loquet_projections::ports::{Cursor, Order};
use loquet_projections::table::{Row, RowQuery, select_where, sortable};
use loquet_projections::views::lockouts::{Lock, LockoutRow};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::caller::Caller;
use crate::extractors::query::{AtLeast, Params};
use crate::responses::faults::Faults;
use crate::responses::page::Page;
use crate::responses::problem::Problem;
use crate::responses::tagged::Tagged;
use crate::state::Shared;
use loquet_http_ports::scope::Scope;

/// A lockout of an account.
#[derive(Serialize, ToSchema)]
#[schema(as = RunningLockout)]
pub(crate) struct LockBody {
    /// The trusted device that is locked out. Absent if the lockout holds for everybody without a trusted device.
    #[serde(skip_serializing_if = "Option::is_none")]
    device_id: Option<Uuid>,
    since: DateTime<Utc>,
    /// The end of the lockout. Absent if only a new password or support ends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<DateTime<Utc>>,
    /// The number of wrong guesses in a row that caused it.
    failures: u32,
}

impl From<Lock> for LockBody {
    fn from(lock: Lock) -> Self {
        let Lock { device_id, since, until, failures } = lock;
        Self { device_id: device_id.map(|device| device.0), since, until, failures }
    }
}

/// An account that is locked out.
#[derive(Serialize, ToSchema)]
pub(crate) struct LockedAccount {
    account_id: Uuid,
    /// The lockouts that hold now.
    lockouts: Vec<LockBody>,
}

/// Which page of the list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct LockoutFilter {
    /// `next_cursor` of the previous page.
    cursor: Option<String>,
    /// The maximum number of items: 1 to 200. Default: 50.
    limit: Option<u32>,
    /// Answer only when all events up to this log position are included.
    at_least: Option<u64>,
}

/// List the accounts that are locked out now.
///
/// The lockout that ends first comes first; lockouts that only a new password or support ends come last. Requires the
/// scope `accounts:read`.
#[utoipa::path(
    get, path = "/v1/lockouts", operation_id = "list_lockouts", tag = "support", params(LockoutFilter),
    security(("service" = [])),
    responses((status = 200, description = "A page of accounts with their lockouts", body = Page<LockedAccount>))
)]
pub(crate) async fn list(
    State(api): Shared,
    caller: Caller,
    Params(filter): Params<LockoutFilter>,
) -> Result<Tagged<Page<LockedAccount>>, Problem> {
    caller.service(Scope::AccountsRead)?;
    let mut faults = Faults::default();
    let size = faults.limit(filter.limit);
    let after = faults.cursor(filter.cursor.as_deref());
    faults.finish_query()?;
    let position = api.reach(LockoutRow::VIEW, &AtLeast { at_least: filter.at_least }).await?;
    let now = (api.clock)();
    // Lockouts that are over come before this place.
    let running = Cursor { value: sortable(now), key: String::new() };
    let wanted = RowQuery {
        by: Some(LockoutRow::BY_END.all()),
        order: Order::Ascending,
        after: Some(after.unwrap_or(running)),
        limit: size + 1,
    };
    let holds = |row: &LockoutRow| row.locks.iter().any(|lock| lock.holds(now));
    let rows = select_where(api.rows.as_ref(), wanted, holds).await?;
    let items = rows.into_iter().map(|(cursor, row)| {
        let lockouts = row.locks.into_iter().filter(|lock| lock.holds(now)).map(LockBody::from).collect();
        (cursor, LockedAccount { account_id: row.account_id.0, lockouts })
    });
    Ok(Tagged(Page::of(items.collect(), size, position)))
}
