//! The account's events as they are stored.

mod guesses;

use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use guesses::{CodeFailedV4, LockedV4, LoginFailedV3, LoginSucceededV3};

use super::{Private, Stored, hash, person, reason, recovery, secret};
use crate::Moment;
use crate::account::{Admission, DeviceEnd, DeviceOrigin, Event, Origin, Role, SessionEnd};
use crate::email_address::EmailHash;
use crate::erasable::Erasable;
use crate::ids::{CompanyId, DeviceId, EventId, SessionId, TakeOverId};
use crate::language::Language;
use crate::mail_kind::MailKind;

pub(super) const NAMES: &[&str] = &[
    "account-created",
    "activation-requested",
    "account-activated",
    "account-converted",
    "role-changed",
    "account-moved",
    "login-succeeded",
    "login-failed",
    "login-awaited-conversion",
    "second-step-asked",
    "second-step-failed",
    "device-trusted",
    "device-forgotten",
    "code-accepted",
    "recovery-code-used",
    "second-step-proposed",
    "second-step-enabled",
    "recovery-codes-replaced",
    "second-step-disabled",
    "second-step-reset",
    "account-locked",
    "lockout-released",
    "password-reset-requested",
    "password-reset",
    "password-changed",
    "password-rehashed",
    "session-ended",
    "sessions-ended",
    "mail-sent",
    "mail-given-up",
    "account-deleted",
    "account-erased",
];

#[derive(Debug, Serialize)]
#[serde(untagged)]
#[allow(missing_docs)]
pub enum Data {
    AccountCreated(AccountCreatedV2),
    Link(Expiring),
    Followed(Followed),
    Converted(Converted),
    Moved(Moved),
    LoginSucceeded(LoginSucceededV3),
    LoginFailed(LoginFailedV3),
    CodeFailed(CodeFailedV4),
    Asked(Asked),
    Trusted(Trusted),
    Forgotten(Forgotten),
    Code(Code),
    RecoveryCode(RecoveryCode),
    Enabled(Enabled),
    Locked(LockedV4),
    SessionEnded(SessionEnded),
    MailSent(MailSent),
    MailGivenUp(MailGivenUp),
    Nothing(Nothing),
}

/// Version 1 had no language: French, where nothing else is known.
#[derive(Debug, Deserialize)]
struct AccountCreatedV1 {
    company_id: CompanyId,
    role: Role,
    email_hash: EmailHash,
    origin: Origin,
    activation_expires_at: Moment,
}

#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct AccountCreatedV2 {
    company_id: CompanyId,
    role: Role,
    language: Language,
    email_hash: EmailHash,
    origin: Origin,
    activation_expires_at: Moment,
}

impl From<AccountCreatedV1> for AccountCreatedV2 {
    fn from(old: AccountCreatedV1) -> Self {
        Self {
            company_id: old.company_id,
            role: old.role,
            language: Language::default(),
            email_hash: old.email_hash,
            origin: old.origin,
            activation_expires_at: old.activation_expires_at,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Expiring {
    expires_at: Moment,
}

#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Followed {
    link: EventId,
}

#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Converted {
    to: Admission,
}

#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Moved {
    takeover_id: TakeOverId,
    company_id: CompanyId,
    role: Role,
}

/// Version 1 had no device.
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Asked {
    expires_at: Moment,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device_id: Option<DeviceId>,
}

#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Trusted {
    device_id: DeviceId,
    expires_at: Moment,
    by: DeviceOrigin,
}

#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Forgotten {
    device_id: DeviceId,
    reason: DeviceEnd,
}

#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Code {
    step: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct RecoveryCode {
    number: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Enabled {
    proposal: EventId,
    step: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct SessionEnded {
    session_id: SessionId,
    reason: SessionEnd,
}

#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct MailSent {
    mail_id: Uuid,
    kind: MailKind,
    about: EventId,
}

#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct MailGivenUp {
    mail_id: Uuid,
    kind: MailKind,
    about: EventId,
    why: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Nothing {}

const NOTHING: Data = Data::Nothing(Nothing {});

pub(super) fn write(event: &Event) -> Stored {
    let open = Private::default;
    let (name, version, data, private) = match event.clone() {
        Event::AccountCreated {
            company,
            role,
            language,
            email_hash,
            origin,
            activation_expires_at,
            person,
        } => {
            let data = AccountCreatedV2 {
                company_id: company,
                role,
                language,
                email_hash,
                origin,
                activation_expires_at,
            };
            ("account-created", 2, Data::AccountCreated(data), Private::of_person(&person))
        }
        Event::ActivationRequested { expires_at } => {
            ("activation-requested", 1, Data::Link(Expiring { expires_at }), open())
        }
        Event::AccountActivated { link, hash } => {
            ("account-activated", 1, Data::Followed(Followed { link }), Private::of_hash(&hash))
        }
        Event::AccountConverted { to } => ("account-converted", 1, Data::Converted(Converted { to }), open()),
        Event::RoleChanged { to } => ("role-changed", 1, Data::Converted(Converted { to }), open()),
        Event::AccountMoved { takeover, company, role } => {
            let data = Moved { takeover_id: takeover, company_id: company, role };
            ("account-moved", 1, Data::Moved(data), open())
        }
        Event::LoginSucceeded { session, session_expires_at, cleared, on } => {
            let data = LoginSucceededV3::of((session, session_expires_at), cleared, on);
            ("login-succeeded", 3, Data::LoginSucceeded(data), open())
        }
        Event::LoginFailed { failures } => ("login-failed", 3, Data::LoginFailed(failures.into()), open()),
        Event::SecondStepFailed { failures, codes } => {
            ("second-step-failed", 4, Data::CodeFailed(CodeFailedV4::of(failures, codes)), open())
        }
        Event::AccountLocked { failures, until, rows } => {
            ("account-locked", 4, Data::Locked(LockedV4::of(failures, until, rows)), open())
        }
        Event::LoginAwaitedConversion => ("login-awaited-conversion", 1, NOTHING, open()),
        Event::SecondStepAsked { expires_at, device } => {
            ("second-step-asked", 2, Data::Asked(Asked { expires_at, device_id: device }), open())
        }
        Event::DeviceTrusted { device, expires_at, by } => {
            ("device-trusted", 1, Data::Trusted(Trusted { device_id: device, expires_at, by }), open())
        }
        Event::DeviceForgotten { device, reason } => {
            ("device-forgotten", 1, Data::Forgotten(Forgotten { device_id: device, reason }), open())
        }
        Event::CodeAccepted { step } => ("code-accepted", 1, Data::Code(Code { step }), open()),
        Event::RecoveryCodeUsed { number } => {
            ("recovery-code-used", 1, Data::RecoveryCode(RecoveryCode { number }), open())
        }
        Event::SecondStepProposed { expires_at, secret } => {
            ("second-step-proposed", 1, Data::Link(Expiring { expires_at }), Private::of_secret(&secret))
        }
        Event::SecondStepEnabled { proposal, step, recovery } => {
            let data = Data::Enabled(Enabled { proposal, step });
            ("second-step-enabled", 1, data, Private::of_recovery(&recovery))
        }
        Event::RecoveryCodesReplaced { recovery } => {
            ("recovery-codes-replaced", 1, NOTHING, Private::of_recovery(&recovery))
        }
        Event::SecondStepDisabled => ("second-step-disabled", 1, NOTHING, open()),
        Event::SecondStepReset { reason } => ("second-step-reset", 1, NOTHING, Private::of_reason(&reason)),
        Event::LockoutReleased { reason } => ("lockout-released", 1, NOTHING, Private::of_reason(&reason)),
        Event::PasswordResetRequested { expires_at } => {
            ("password-reset-requested", 1, Data::Link(Expiring { expires_at }), open())
        }
        Event::PasswordReset { link, hash } => {
            ("password-reset", 1, Data::Followed(Followed { link }), Private::of_hash(&hash))
        }
        Event::PasswordChanged { hash } => ("password-changed", 1, NOTHING, Private::of_hash(&hash)),
        Event::PasswordRehashed { hash } => ("password-rehashed", 1, NOTHING, Private::of_hash(&hash)),
        Event::SessionEnded { session, reason } => {
            ("session-ended", 1, Data::SessionEnded(SessionEnded { session_id: session, reason }), open())
        }
        Event::SessionsEnded => ("sessions-ended", 1, NOTHING, open()),
        Event::MailSent { mail, kind, about } => {
            ("mail-sent", 1, Data::MailSent(MailSent { mail_id: mail, kind, about }), open())
        }
        Event::MailGivenUp { mail, kind, about, why } => {
            let data = MailGivenUp { mail_id: mail, kind, about, why };
            ("mail-given-up", 1, Data::MailGivenUp(data), open())
        }
        Event::AccountDeleted { reason } => ("account-deleted", 1, NOTHING, Private::of_reason(&reason)),
        Event::AccountErased => ("account-erased", 1, NOTHING, open()),
    };
    Stored { name, version, data: super::Data::Account(data), private, subject: None }
}

pub(super) fn read<'de, D: Deserializer<'de>>(
    name: &str,
    version: u16,
    data: D,
    private: Erasable<Private>,
) -> Result<Option<Event>, D::Error> {
    let event = match (name, version) {
        ("account-created", 1) => created(AccountCreatedV1::deserialize(data)?.into(), &private),
        ("account-created", 2) => created(AccountCreatedV2::deserialize(data)?, &private),
        ("activation-requested", 1) => {
            Event::ActivationRequested { expires_at: Expiring::deserialize(data)?.expires_at }
        }
        ("account-activated", 1) => {
            Event::AccountActivated { link: Followed::deserialize(data)?.link, hash: hash(&private) }
        }
        ("account-converted", 1) => Event::AccountConverted { to: Converted::deserialize(data)?.to },
        ("role-changed", 1) => Event::RoleChanged { to: Converted::deserialize(data)?.to },
        ("account-moved", 1) => {
            let Moved { takeover_id, company_id, role } = Moved::deserialize(data)?;
            Event::AccountMoved { takeover: takeover_id, company: company_id, role }
        }
        ("login-succeeded" | "login-failed" | "second-step-failed" | "account-locked", _) => {
            return Ok(guesses::read(name, version, data)?);
        }
        ("second-step-asked", 1 | 2) => {
            let Asked { expires_at, device_id } = Asked::deserialize(data)?;
            Event::SecondStepAsked { expires_at, device: device_id }
        }
        ("device-trusted", 1) => {
            let Trusted { device_id, expires_at, by } = Trusted::deserialize(data)?;
            Event::DeviceTrusted { device: device_id, expires_at, by }
        }
        ("device-forgotten", 1) => {
            let Forgotten { device_id, reason } = Forgotten::deserialize(data)?;
            Event::DeviceForgotten { device: device_id, reason }
        }
        ("code-accepted", 1) => Event::CodeAccepted { step: Code::deserialize(data)?.step },
        ("recovery-code-used", 1) => {
            Event::RecoveryCodeUsed { number: RecoveryCode::deserialize(data)?.number }
        }
        ("second-step-proposed", 1) => Event::SecondStepProposed {
            expires_at: Expiring::deserialize(data)?.expires_at,
            secret: secret(&private),
        },
        ("second-step-enabled", 1) => {
            let Enabled { proposal, step } = Enabled::deserialize(data)?;
            Event::SecondStepEnabled { proposal, step, recovery: recovery(&private) }
        }
        ("password-reset-requested", 1) => {
            Event::PasswordResetRequested { expires_at: Expiring::deserialize(data)?.expires_at }
        }
        ("password-reset", 1) => {
            Event::PasswordReset { link: Followed::deserialize(data)?.link, hash: hash(&private) }
        }
        ("session-ended", 1) => {
            let stored = SessionEnded::deserialize(data)?;
            Event::SessionEnded { session: stored.session_id, reason: stored.reason }
        }
        ("mail-sent", 1) => {
            let MailSent { mail_id, kind, about } = MailSent::deserialize(data)?;
            Event::MailSent { mail: mail_id, kind, about }
        }
        ("mail-given-up", 1) => {
            let MailGivenUp { mail_id, kind, about, why } = MailGivenUp::deserialize(data)?;
            Event::MailGivenUp { mail: mail_id, kind, about, why }
        }
        (name, 1) => {
            Nothing::deserialize(data)?;
            return Ok(bare(name, &private));
        }
        _ => return Ok(None),
    };
    Ok(Some(event))
}

/// The events whose open part is empty.
fn bare(name: &str, private: &Erasable<Private>) -> Option<Event> {
    match name {
        "login-awaited-conversion" => Some(Event::LoginAwaitedConversion),
        "recovery-codes-replaced" => Some(Event::RecoveryCodesReplaced { recovery: recovery(private) }),
        "second-step-disabled" => Some(Event::SecondStepDisabled),
        "second-step-reset" => Some(Event::SecondStepReset { reason: reason(private) }),
        "lockout-released" => Some(Event::LockoutReleased { reason: reason(private) }),
        "password-changed" => Some(Event::PasswordChanged { hash: hash(private) }),
        "password-rehashed" => Some(Event::PasswordRehashed { hash: hash(private) }),
        "sessions-ended" => Some(Event::SessionsEnded),
        "account-deleted" => Some(Event::AccountDeleted { reason: reason(private) }),
        "account-erased" => Some(Event::AccountErased),
        _ => None,
    }
}

fn created(data: AccountCreatedV2, private: &Erasable<Private>) -> Event {
    Event::AccountCreated {
        company: data.company_id,
        role: data.role,
        language: data.language,
        email_hash: data.email_hash,
        origin: data.origin,
        activation_expires_at: data.activation_expires_at,
        person: person(private),
    }
}
