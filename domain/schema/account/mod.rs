//! The stored form of the events of an account.

mod older;
mod rows;

use uuid::Uuid;

use older::{
    AccountCreatedV1, AccountLockedV1, AccountLockedV3, LoginFailedV2, LoginSucceededV2, SecondStepFailedV3,
};
use rows::{CodeFailedOnDevice, LoginFailedOnDevice, RowsName};

use crate::Moment;
use crate::account::{Admission, DeviceEnd, DeviceOrigin, Event, Origin, Role, SessionEnd};
use crate::ids::{CompanyId, DeviceId, EventId, SessionId, TakeOverId};
use crate::values::email_address::EmailHash;
use crate::values::language::Language;
use crate::values::mail_kind::MailKind;

stored_events!(Account:
    "account-created" 2 => AccountCreated {
        company as "company_id": CompanyId,
        role as "role": Role,
        language as "language": Language,
        email_hash as "email_hash": EmailHash,
        origin as "origin": Origin,
        activation_expires_at as "activation_expires_at": Moment,
    } sealed { person } before { 1 => AccountCreatedV1 },
    "activation-requested" => ActivationRequested { expires_at as "expires_at": Moment },
    "account-activated" => AccountActivated { link as "link": EventId } sealed { hash },
    "account-converted" => AccountConverted { to as "to": Admission },
    "role-changed" => RoleChanged { to as "to": Admission },
    "profile-changed" => ProfileChanged { language as "language": Language } sealed { person },
    "data-exported" => DataExported {},
    "account-moved" => AccountMoved {
        takeover as "takeover_id": TakeOverId,
        company as "company_id": CompanyId,
        role as "role": Role,
    },
    "login-succeeded" 3 => LoginSucceeded {
        session as "session_id": SessionId,
        session_expires_at as "session_expires_at": Moment,
        cleared as {
            /// The rows whose count is zero again.
            cleared: RowsName,
            #[serde(skip_serializing_if = "Option::is_none")]
            device_id: Option<DeviceId>,
        },
        on as
            #[serde(skip_serializing_if = "Option::is_none")]
            "on_device_id": Option<DeviceId>,
    } before { 1 | 2 => LoginSucceededV2 },
    "login-failed" 3 => LoginFailed {
        failures as {
            /// Wrong guesses in a row on the account.
            #[serde(skip_serializing_if = "Option::is_none")]
            failures: Option<u32>,
            #[serde(skip_serializing_if = "Option::is_none")]
            device: Option<LoginFailedOnDevice>,
        },
    } before { 1 | 2 => LoginFailedV2 },
    "login-awaited-conversion" => LoginAwaitedConversion {},
    "second-step-asked" 2 => SecondStepAsked {
        expires_at as "expires_at": Moment,
        device as
            #[serde(skip_serializing_if = "Option::is_none")]
            "device_id": Option<DeviceId>,
    } before { 1 => SecondStepAsked },
    "second-step-failed" 4 => SecondStepFailed {
        failures and codes as {
            /// Wrong guesses in a row on the account.
            #[serde(skip_serializing_if = "Option::is_none")]
            failures: Option<u32>,
            /// Wrong codes on the account. A new password does not set them to zero. Absent if the second step is not
            /// on.
            #[serde(skip_serializing_if = "Option::is_none")]
            codes: Option<u32>,
            #[serde(skip_serializing_if = "Option::is_none")]
            device: Option<CodeFailedOnDevice>,
        },
    } before { 1 => LoginFailedV2, 2 | 3 => SecondStepFailedV3 },
    "device-trusted" => DeviceTrusted {
        device as "device_id": DeviceId,
        expires_at as "expires_at": Moment,
        by as "by": DeviceOrigin,
    },
    "device-forgotten" => DeviceForgotten { device as "device_id": DeviceId, reason as "reason": DeviceEnd },
    "code-accepted" => CodeAccepted { step as "step": u64 },
    "recovery-code-used" => RecoveryCodeUsed { number as "number": u32 },
    "second-step-proposed" => SecondStepProposed { expires_at as "expires_at": Moment } sealed { secret },
    "second-step-enabled" => SecondStepEnabled {
        proposal as "proposal": EventId,
        step as "step": u64,
    } sealed { recovery },
    "recovery-codes-replaced" => RecoveryCodesReplaced {} sealed { recovery },
    "second-step-disabled" => SecondStepDisabled {},
    "second-step-reset" => SecondStepReset {} sealed { reason },
    "account-locked" 4 => AccountLocked {
        failures as "failures": u32,
        until as
            /// `None`: only a password reset or support ends the lockout.
            "until": Option<Moment>,
        rows as {
            /// The rows that caused the lockout, and so who is locked out: everybody except trusted devices, a
            /// device, or both.
            locked: RowsName,
            #[serde(skip_serializing_if = "Option::is_none")]
            device_id: Option<DeviceId>,
        },
    } before { 1 => AccountLockedV1, 2 | 3 => AccountLockedV3 },
    "lockout-released" => LockoutReleased {} sealed { reason },
    "password-reset-requested" => PasswordResetRequested { expires_at as "expires_at": Moment },
    "password-reset" => PasswordReset { link as "link": EventId } sealed { hash },
    "password-changed" => PasswordChanged {} sealed { hash },
    "password-rehashed" => PasswordRehashed {} sealed { hash },
    "session-ended" => SessionEnded { session as "session_id": SessionId, reason as "reason": SessionEnd },
    "sessions-ended" => SessionsEnded {},
    "mail-sent" => MailSent {
        mail as "mail_id": Uuid,
        kind as "kind": MailKind,
        about as "about": EventId,
    },
    "mail-given-up" => MailGivenUp {
        mail as "mail_id": Uuid,
        kind as "kind": MailKind,
        about as "about": EventId,
        why as "why": String,
    },
    "account-deleted" => AccountDeleted {} sealed { reason },
    "account-erased" => AccountErased {},
);
