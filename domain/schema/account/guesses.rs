//! How logins, wrong guesses and lockouts are stored.
//!
//! In the older versions a wrong guess from a trusted device counted on that device alone, and a login from there set
//! that device's count to zero alone. They are read as what they meant.

use serde::{Deserialize, Deserializer, Serialize};

use crate::Moment;
use crate::account::{Counts, DeviceCount, Event, Rows};
use crate::ids::{DeviceId, SessionId};
use crate::lockout::LockEnd;

/// Until version 2 a login from a trusted device set that device's row to zero alone. Version 1 had no device.
#[derive(Debug, Deserialize)]
struct LoginSucceededV2 {
    session_id: SessionId,
    session_expires_at: Moment,
    device_id: Option<DeviceId>,
    on_device_id: Option<DeviceId>,
}

#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct LoginSucceededV3 {
    session_id: SessionId,
    session_expires_at: Moment,
    /// The rows of wrong guesses that are zero again.
    cleared: RowsName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device_id: Option<DeviceId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on_device_id: Option<DeviceId>,
}

impl From<LoginSucceededV2> for LoginSucceededV3 {
    fn from(old: LoginSucceededV2) -> Self {
        let LoginSucceededV2 { session_id, session_expires_at, device_id, on_device_id } = old;
        Self { session_id, session_expires_at, cleared: RowsName::alone(device_id), device_id, on_device_id }
    }
}

/// Which rows an event moves. The device stands beside it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub(super) enum RowsName {
    Account,
    Device,
    AccountAndDevice,
}

impl RowsName {
    /// As it was until every guess counted on the account.
    fn alone(device: Option<DeviceId>) -> Self {
        if device.is_some() { Self::Device } else { Self::Account }
    }

    fn of(rows: Rows) -> Self {
        match rows {
            Rows::Account => Self::Account,
            Rows::Device(_) => Self::Device,
            Rows::Both(_) => Self::AccountAndDevice,
        }
    }

    fn with(self, device: Option<DeviceId>) -> Rows {
        match (self, device) {
            (Self::Account, _) | (_, None) => Rows::Account,
            (Self::Device, Some(device)) => Rows::Device(device),
            (Self::AccountAndDevice, Some(device)) => Rows::Both(device),
        }
    }
}

/// Until version 2 a guess from a trusted device counted on that device alone. Version 1 had no device.
#[derive(Debug, Deserialize)]
struct LoginFailedV2 {
    failures: u32,
    device_id: Option<DeviceId>,
}

#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct LoginFailedV3 {
    /// Wrong guesses in a row on the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failures: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device: Option<LoginFailedOnDevice>,
}

#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub(super) struct LoginFailedOnDevice {
    device_id: DeviceId,
    failures: u32,
}

impl From<LoginFailedV2> for Counts {
    fn from(old: LoginFailedV2) -> Self {
        counted_alone(old.failures, old.device_id)
    }
}

/// A count as it was until every guess counted on the account.
fn counted_alone(count: u32, device: Option<DeviceId>) -> Counts {
    Counts {
        account: device.is_none().then_some(count),
        device: device.map(|device| DeviceCount { device, count }),
    }
}

/// Until version 3 a code from a trusted device counted on that device, and its codes on the account until a login on the
/// device was complete. Version 2 had no device. Version 1 was a [`LoginFailedV2`].
#[derive(Debug, Deserialize)]
struct CodeFailedV3 {
    failures: u32,
    codes: u32,
    #[serde(rename = "codes_locked_until")]
    _codes_locked_until: Option<Moment>,
    device_id: Option<DeviceId>,
}

#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct CodeFailedV4 {
    /// Wrong guesses in a row on the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failures: Option<u32>,
    /// Wrong codes on the account that no new password forgives. Absent while the second step is not on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    codes: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device: Option<CodeFailedOnDevice>,
}

#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub(super) struct CodeFailedOnDevice {
    device_id: DeviceId,
    failures: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    codes: Option<u32>,
}

impl From<CodeFailedV3> for Event {
    fn from(old: CodeFailedV3) -> Self {
        // The codes of a device counted on the account without a lockout of it, which would set them to zero by now.
        let counts = old.device_id.is_none() && old.codes > 0;
        let codes = Counts { account: counts.then_some(old.codes), device: None };
        Self::SecondStepFailed { failures: counted_alone(old.failures, old.device_id), codes }
    }
}

impl From<CodeFailedV4> for Event {
    fn from(stored: CodeFailedV4) -> Self {
        let CodeFailedV4 { failures, codes, device } = stored;
        let on = |count: Option<u32>| {
            device.as_ref().zip(count).map(|(on, count)| DeviceCount { device: on.device_id, count })
        };
        Self::SecondStepFailed {
            failures: Counts { account: failures, device: on(device.as_ref().map(|on| on.failures)) },
            codes: Counts { account: codes, device: on(device.as_ref().and_then(|on| on.codes)) },
        }
    }
}

/// Version 1 always had an end.
#[derive(Debug, Deserialize)]
struct LockedV1 {
    failures: u32,
    until: Moment,
}

/// Until version 3 a lockout was the account's or a device's. Version 2 had no device.
#[derive(Debug, Deserialize)]
struct LockedV3 {
    failures: u32,
    until: Option<Moment>,
    device_id: Option<DeviceId>,
}

#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct LockedV4 {
    failures: u32,
    /// None where only a reset or support ends it.
    until: Option<Moment>,
    /// Whose rows led to it, and who is locked out: everybody except trusted devices, a device, or both.
    locked: RowsName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device_id: Option<DeviceId>,
}

impl From<LockedV1> for LockedV3 {
    fn from(old: LockedV1) -> Self {
        Self { failures: old.failures, until: Some(old.until), device_id: None }
    }
}

impl From<LockedV3> for LockedV4 {
    fn from(old: LockedV3) -> Self {
        let LockedV3 { failures, until, device_id } = old;
        Self { failures, until, locked: RowsName::alone(device_id), device_id }
    }
}

impl LoginSucceededV3 {
    pub(super) fn of(
        (session_id, session_expires_at): (SessionId, Moment),
        cleared: Rows,
        on_device_id: Option<DeviceId>,
    ) -> Self {
        let (device_id, cleared) = (cleared.device(), RowsName::of(cleared));
        Self { session_id, session_expires_at, cleared, device_id, on_device_id }
    }
}

impl From<Counts> for LoginFailedV3 {
    fn from(counts: Counts) -> Self {
        let on = |count: DeviceCount| LoginFailedOnDevice { device_id: count.device, failures: count.count };
        Self { failures: counts.account, device: counts.device.map(on) }
    }
}

impl CodeFailedV4 {
    pub(super) fn of(failures: Counts, codes: Counts) -> Self {
        let on = |count: DeviceCount| CodeFailedOnDevice {
            device_id: count.device,
            failures: count.count,
            codes: codes.device.map(|codes| codes.count),
        };
        Self { failures: failures.account, codes: codes.account, device: failures.device.map(on) }
    }
}

impl LockedV4 {
    pub(super) fn of(failures: u32, until: LockEnd, rows: Rows) -> Self {
        Self { failures, until: until.into(), locked: RowsName::of(rows), device_id: rows.device() }
    }
}

/// Reads one of any version ever written. `None`: no such version.
pub(super) fn read<'de, D: Deserializer<'de>>(
    name: &str,
    version: u16,
    data: D,
) -> Result<Option<Event>, D::Error> {
    Ok(Some(match (name, version) {
        ("login-succeeded", 1 | 2) => succeeded(LoginSucceededV2::deserialize(data)?.into()),
        ("login-succeeded", 3) => succeeded(LoginSucceededV3::deserialize(data)?),
        ("login-failed", 1 | 2) => Event::LoginFailed { failures: LoginFailedV2::deserialize(data)?.into() },
        ("login-failed", 3) => {
            let LoginFailedV3 { failures, device } = LoginFailedV3::deserialize(data)?;
            let device = device.map(|on| DeviceCount { device: on.device_id, count: on.failures });
            Event::LoginFailed { failures: Counts { account: failures, device } }
        }
        ("second-step-failed", 1) => {
            // It counted codes among all guesses alone: there were no more of them than of all.
            let failures = LoginFailedV2::deserialize(data)?.failures;
            let counts = counted_alone(failures, None);
            Event::SecondStepFailed { failures: counts, codes: counts }
        }
        ("second-step-failed", 2 | 3) => CodeFailedV3::deserialize(data)?.into(),
        ("second-step-failed", 4) => CodeFailedV4::deserialize(data)?.into(),
        ("account-locked", 1) => locked(LockedV3::from(LockedV1::deserialize(data)?).into()),
        ("account-locked", 2 | 3) => locked(LockedV3::deserialize(data)?.into()),
        ("account-locked", 4) => locked(LockedV4::deserialize(data)?),
        _ => return Ok(None),
    }))
}

fn locked(data: LockedV4) -> Event {
    let LockedV4 { failures, until, locked, device_id } = data;
    Event::AccountLocked { failures, until: until.into(), rows: locked.with(device_id) }
}

fn succeeded(data: LoginSucceededV3) -> Event {
    let LoginSucceededV3 { session_id, session_expires_at, cleared, device_id, on_device_id } = data;
    let (session, on) = (session_id, on_device_id);
    Event::LoginSucceeded { session, session_expires_at, cleared: cleared.with(device_id), on }
}
