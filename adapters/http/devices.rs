//! Trusted devices: the cookie that they carry, and the owner's list.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use chrono::{DateTime, Utc};
use loquet_domain::Moment;
use loquet_domain::account::Device;
use loquet_domain::app::GivenDevice;
use loquet_domain::ids::{AccountId, DeviceId};
use loquet_domain::lockout::LockEnd;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::answers::{AtLeast, Done, Page};
use super::caller::{Arrival, Caller, carry_out};
use super::conditional::Tagged;
use super::problem::{Problem, ProblemBody};
use super::query::Params;
use super::{Api, Shared};
use crate::service_tokens::Scope;

/// The header in which a client without cookies carries what it was given.
pub(crate) const HEADER: &str = "loquet-device";
/// The cookie's name before the account's id: a browser that two people share has one for each. `__Host-` has the
/// browser take it from this host alone, over TLS, for every path (RFC 6265bis, 4.1.3.2).
const COOKIE: &str = "__Host-loquet-device-";
/// How many tokens one request may bring.
const MOST: usize = 50;

/// The tokens of devices that came with a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Devices(pub(crate) Vec<String>);

impl FromRequestParts<Arc<Api>> for Devices {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Api>) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

impl Devices {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let text = |value: &HeaderValue| value.to_str().map(str::to_owned).ok();
        let sent = headers.get_all(HEADER).iter().filter_map(text);
        let cookies: Vec<String> = headers.get_all(header::COOKIE).iter().filter_map(text).collect();
        let cookies = cookies.iter().flat_map(|line| line.split(';')).filter_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            name.starts_with(COOKIE).then(|| value.to_owned())
        });
        Self(sent.chain(cookies).take(MOST).collect())
    }
}

/// Has a browser keep what it was given.
pub(crate) fn keep(mut response: Response, given: Option<&GivenDevice>, now: Moment) -> Response {
    let cookie = given.and_then(|given| {
        let seconds = (given.expires_at - now).num_seconds().max(0);
        let (account, token) = (given.account, &given.token);
        let text =
            format!("{COOKIE}{account}={token}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=Lax");
        HeaderValue::from_str(&text).ok()
    });
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

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
    security(("session" = []), ("service" = [])), params(("account_id" = Uuid, Path), ("device_id" = Uuid, Path)),
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
) -> Result<Done, Problem> {
    forget_those(api, &caller, &arrival, id, Some(DeviceId(device))).await
}

/// Stop trusting all devices of an account.
#[utoipa::path(
    delete, path = "/v1/accounts/{account_id}/devices", operation_id = "forget_all_devices", tag = "logins",
    security(("session" = []), ("service" = [])), params(("account_id" = Uuid, Path)),
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
) -> Result<Done, Problem> {
    forget_those(api, &caller, &arrival, id, None).await
}

async fn forget_those(
    api: Arc<Api>,
    caller: &Caller,
    arrival: &Arrival,
    id: Uuid,
    device: Option<DeviceId>,
) -> Result<Done, Problem> {
    let id = AccountId(id);
    caller.owns(Scope::AccountsWrite, id)?;
    let (at, context) = (arrival.at, caller.context(arrival));
    carry_out(at, async move { api.app.forget_devices(&context, id, device).await }).await
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_by_header_and_by_cookies_of_their_name_and_no_more_than_so_many() {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, HeaderValue::from_static("sent"));
        let cookies = "theme=dark; __Host-loquet-device-1=one;__Host-loquet-device-2=two; loquet-device=no";
        headers.insert(header::COOKIE, HeaderValue::from_static(cookies));
        assert_eq!(Devices::of(&headers).0, ["sent", "one", "two"]);
        for n in 0..60 {
            headers.append(HEADER, HeaderValue::from(n));
        }
        assert_eq!(Devices::of(&headers).0.len(), MOST);
    }
}
