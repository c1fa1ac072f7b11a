//! The older shapes of the account's events, and how each is converted to the newest one.
//!
//! In the older versions a wrong guess from a trusted device counted on that device alone, and a login from it set
//! only that device's count to zero. They are read with that meaning.

use serde::Deserialize;

use super::rows::{CodeFailedOnDevice, LoginFailedOnDevice, RowsName};
use super::{AccountCreated, AccountLocked, LoginFailed, LoginSucceeded, SecondStepFailed};
use crate::Moment;
use crate::account::{Origin, Role};
use crate::ids::{CompanyId, DeviceId, SessionId};
use crate::values::email_address::EmailHash;
use crate::values::language::Language;

/// Version 1 had no language. It is read as French, the default.
#[derive(Debug, Deserialize)]
pub(super) struct AccountCreatedV1 {
    company_id: CompanyId,
    role: Role,
    email_hash: EmailHash,
    origin: Origin,
    activation_expires_at: Moment,
}

impl From<AccountCreatedV1> for AccountCreated {
    fn from(old: AccountCreatedV1) -> Self {
        Self {
            company: old.company_id,
            role: old.role,
            language: Language::default(),
            email_hash: old.email_hash,
            origin: old.origin,
            activation_expires_at: old.activation_expires_at,
        }
    }
}

/// Up to version 2 a login from a trusted device set only that device's count to zero. Version 1 had no device.
#[derive(Debug, Deserialize)]
pub(super) struct LoginSucceededV2 {
    session_id: SessionId,
    session_expires_at: Moment,
    device_id: Option<DeviceId>,
    on_device_id: Option<DeviceId>,
}

impl From<LoginSucceededV2> for LoginSucceeded {
    fn from(old: LoginSucceededV2) -> Self {
        let LoginSucceededV2 { session_id, session_expires_at, device_id, on_device_id } = old;
        let cleared = moved_alone(device_id);
        Self { session: session_id, session_expires_at, cleared, device_id, on: on_device_id }
    }
}

/// The rows that changed in the versions in which a guess from a device counted on the device alone.
fn moved_alone(device: Option<DeviceId>) -> RowsName {
    if device.is_some() { RowsName::Device } else { RowsName::Account }
}

/// Up to version 2 a guess from a trusted device counted on that device alone. Version 1 had no device.
///
/// Version 1 of a wrong code had this shape too.
#[derive(Debug, Deserialize)]
pub(super) struct LoginFailedV2 {
    failures: u32,
    device_id: Option<DeviceId>,
}

impl From<LoginFailedV2> for LoginFailed {
    fn from(old: LoginFailedV2) -> Self {
        let LoginFailedV2 { failures, device_id } = old;
        match device_id {
            None => Self { failures: Some(failures), device: None },
            Some(device_id) => {
                Self { failures: None, device: Some(LoginFailedOnDevice { device_id, failures }) }
            }
        }
    }
}

impl From<LoginFailedV2> for SecondStepFailed {
    fn from(old: LoginFailedV2) -> Self {
        // This version counted codes only among all guesses, so there were at most as many codes as guesses.
        Self { failures: Some(old.failures), codes: Some(old.failures), device: None }
    }
}

/// Up to version 3 a wrong code from a trusted device counted on that device. Its wrong codes also counted on the
/// account, until a login on the device was completed. Version 2 had no device.
#[derive(Debug, Deserialize)]
pub(super) struct SecondStepFailedV3 {
    failures: u32,
    codes: u32,
    #[serde(rename = "codes_locked_until")]
    _codes_locked_until: Option<Moment>,
    device_id: Option<DeviceId>,
}

impl From<SecondStepFailedV3> for SecondStepFailed {
    fn from(old: SecondStepFailedV3) -> Self {
        let SecondStepFailedV3 { failures, codes, device_id, .. } = old;
        match device_id {
            None => Self { failures: Some(failures), codes: (codes > 0).then_some(codes), device: None },
            // The device's codes are left out. They counted on the account without locking it, and a lockout would have
            // set them to zero by now.
            Some(device_id) => {
                let device = CodeFailedOnDevice { device_id, failures, codes: None };
                Self { failures: None, codes: None, device: Some(device) }
            }
        }
    }
}

/// In version 1 a lockout always ended by itself.
#[derive(Debug, Deserialize)]
pub(super) struct AccountLockedV1 {
    failures: u32,
    until: Moment,
}

impl From<AccountLockedV1> for AccountLocked {
    fn from(old: AccountLockedV1) -> Self {
        AccountLockedV3 { failures: old.failures, until: Some(old.until), device_id: None }.into()
    }
}

/// Up to version 3 a lockout was either the account's or a device's. Version 2 had no device.
#[derive(Debug, Deserialize)]
pub(super) struct AccountLockedV3 {
    failures: u32,
    until: Option<Moment>,
    device_id: Option<DeviceId>,
}

impl From<AccountLockedV3> for AccountLocked {
    fn from(old: AccountLockedV3) -> Self {
        let AccountLockedV3 { failures, until, device_id } = old;
        Self { failures, until, locked: moved_alone(device_id), device_id }
    }
}
