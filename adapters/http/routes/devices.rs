//! Trusted devices: the cookie that they carry, and the owner's list.

use std::sync::Arc;

use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use loquet_domain::Moment;
use loquet_domain::account::Device;
use loquet_domain::ids::{AccountId, DeviceId};
use loquet_domain::policies::lockout::LockEnd;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::caller::{Arrival, Caller};
use crate::extractors::query::{AtLeast, Params};
use crate::responses::carry_out::carry_out;
use crate::responses::done::Done;
use crate::responses::page::Page;
use crate::responses::problem::{Problem, ProblemBody};
use crate::responses::tagged::Tagged;
use crate::routes::reasons::Why;
use crate::state::{Api, Shared};
use loquet_http_ports::scope::Scope;

/// A trusted device: it can log in during a lockout that others caused. Seven wrong logins in a row from the device
/// lock it, and they count on the account too.
#[derive(Serialize, ToSchema)]
#[schema(as = Device)]
pub(crate) struct DeviceBody {
    device_id: Uuid,
    trusted_since: DateTime<Utc>,
    /// When the trust ends, unless the owner logs in on the device before.
    expires_at: DateTime<Utc>,
    /// When a login on it was last completed. Absent if only a reset link was opened on it.
    last_login_at: Option<DateTime<Utc>>,
    /// The number of wrong logins in a row from this device that count now.
    failures: u32,
    /// The end of the device's lockout. Absent if it is not locked, or if only a new password or support unlocks it.
    locked_until: Option<DateTime<Utc>>,
    /// Whether only a new password or support unlocks it, because there were too many wrong logins across lockouts.
    locked_until_reset: bool,
    /// Whether the session of this request was opened on it.
    current: bool,
    client_address: Option<String>,
    client_agent: Option<String>,
}

fn body(device: Device, current: Option<DeviceId>, now: Moment) -> DeviceBody {
    let locked = device.lockout.locked_until(now);
    let client = device.client.unwrap_or_default();
    DeviceBody {
        device_id: device.id.0,
        trusted_since: device.since,
        expires_at: device.expires_at,
        last_login_at: device.last_login_at,
        failures: device.lockout.failures_at(now),
        locked_until: locked.and_then(LockEnd::moment),
        locked_until_reset: locked == Some(LockEnd::AtReset),
        current: current == Some(device.id),
        client_address: client.address,
        client_agent: client.agent,
    }
}

/// List the trusted devices of an account, the newest first.
#[utoipa::path(
    get, path = "/v1/accounts/{account_id}/devices", operation_id = "list_devices", tag = "logins",
    security(("session" = []), ("service" = [])), params(("account_id" = Uuid, Path), AtLeast),
    responses(
        (status = 200, description = "The devices", body = Page<DeviceBody>),
        (status = 404, description = "The account does not exist, or you may not see it", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn list(
    State(api): Shared,
    caller: Caller,
    Path(id): Path<Uuid>,
    Params(at_least): Params<AtLeast>,
) -> Result<Tagged<Page<DeviceBody>>, Problem> {
    let id = AccountId(id);
    caller.owns(Scope::AccountsRead, id)?;
    let now = (api.clock)();
    let position = api.log_at(at_least.position()).await?;
    let devices = api.app.devices(id, now).await.map_err(|failure| Problem::of(failure, now))?;
    let current = match &caller {
        Caller::Person(person) => api.app.device_of_session(id, person.session, now).await?,
        Caller::Service(_) => None,
    };
    let items = devices.into_iter().rev().map(|device| body(device, current, now)).collect();
    Ok(Tagged(Page { items, next_cursor: None, position: position.0 }))
}

/// Stop trusting a device.
///
/// A lockout of the account then locks it too.
#[utoipa::path(
    delete, path = "/v1/accounts/{account_id}/devices/{device_id}", operation_id = "forget_device", tag = "logins",
    security(("session" = []), ("service" = [])), params(("account_id" = Uuid, Path), ("device_id" = Uuid, Path), Why),
    responses(
        (status = 204, description = "The device is no longer trusted"),
        (status = 404, description = "There is no such device", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn forget(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Path((id, device)): Path<(Uuid, Uuid)>,
    Params(why): Params<Why>,
) -> Result<Done, Problem> {
    forget_those(api, &caller, &arrival, id, Some(DeviceId(device)), why).await
}

/// Stop trusting all devices of an account.
#[utoipa::path(
    delete, path = "/v1/accounts/{account_id}/devices", operation_id = "forget_all_devices", tag = "logins",
    security(("session" = []), ("service" = [])), params(("account_id" = Uuid, Path), Why),
    responses(
        (status = 204, description = "No device is trusted any more"),
        (status = 404, description = "There is no such account", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn forget_all(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Path(id): Path<Uuid>,
    Params(why): Params<Why>,
) -> Result<Done, Problem> {
    forget_those(api, &caller, &arrival, id, None, why).await
}

async fn forget_those(
    api: Arc<Api>,
    caller: &Caller,
    arrival: &Arrival,
    id: Uuid,
    device: Option<DeviceId>,
    why: Why,
) -> Result<Done, Problem> {
    let id = AccountId(id);
    caller.owns(Scope::AccountsWrite, id)?;
    let (at, context) = (arrival.at, caller.context(arrival, why.check(caller)?));
    carry_out(at, async move { api.app.forget_devices(&context, id, device).await }).await
}
