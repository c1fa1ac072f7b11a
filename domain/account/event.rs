//! The events of an account.
//!
//! [`crate::schema`] freezes how each event is stored. A variant may be renamed here. Its stored name must never
//! change.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Moment;
use crate::fact::StaffRole;
use crate::ids::{AccountId, CompanyId, DeviceId, EventId, OrderId, SessionId, TakeOverId};
use crate::policies::lockout::LockEnd;
use crate::values::email_address::EmailHash;
use crate::values::erasable::Erasable;
use crate::values::language::Language;
use crate::values::mail_kind::MailKind;
use crate::values::one_time_code::{RecoveryHash, TotpSecret};
use crate::values::password::PasswordHash;
use crate::values::person::Person;

/// The role of an account. For a user, groups grant the permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Full access to its company.
    Administrator,
    /// Created by an order. An administrator or support has not admitted it yet, so it cannot log in.
    TemporaryAdministrator,
    /// Has the permissions that its groups grant.
    User,
    /// Belongs to the supplier's support. It has no company.
    Support,
    /// Belongs to the supplier's support, and also deletes and erases accounts. It has no company.
    Supervisor,
    /// Reads history for the supplier, and changes nothing. It has no company.
    Auditor,
}

impl Role {
    /// The role among the supplier's staff. `None` for the people of a company.
    #[must_use]
    pub fn of_staff(self) -> Option<StaffRole> {
        match self {
            Self::Administrator | Self::TemporaryAdministrator | Self::User => None,
            Self::Support => Some(StaffRole::Support),
            Self::Supervisor => Some(StaffRole::Supervisor),
            Self::Auditor => Some(StaffRole::Auditor),
        }
    }
}

impl From<StaffRole> for Role {
    fn from(role: StaffRole) -> Self {
        match role {
            StaffRole::Support => Self::Support,
            StaffRole::Supervisor => Self::Supervisor,
            StaffRole::Auditor => Self::Auditor,
        }
    }
}

/// The role that a temporary administrator gets when admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Admission {
    /// Full access to the company.
    Administrator,
    /// The permissions that groups grant.
    User,
}

impl From<Admission> for Role {
    fn from(admission: Admission) -> Self {
        match admission {
            Admission::Administrator => Self::Administrator,
            Admission::User => Self::User,
        }
    }
}

/// How an account was created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Origin {
    /// An order named its e-mail address.
    Order {
        /// Which order.
        order_id: OrderId,
    },
    /// Somebody of the company or of the supplier's staff created it.
    Colleague {
        /// The account of the person who created it. `None` if it was created with a service token or a staff token.
        account_id: Option<AccountId>,
    },
}

/// Why a session ended before its expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionEnd {
    /// Its owner logged out.
    LoggedOut,
    /// Its owner ended it from another session, or the supplier's staff ended it.
    Revoked,
    /// The account reached its maximum number of sessions, and a new login ended the oldest.
    Displaced,
    /// The owner turned the second step on in another session. A thief who had only the password is logged out.
    SecondStepEnabled,
}

/// Why a device became trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceOrigin {
    /// The account's first complete login.
    FirstLogin,
    /// A complete login from a device that was not trusted.
    Login,
    /// A complete login from a device that was trusted. Its period of trust starts again.
    Renewal,
    /// A reset link was opened on it.
    ResetLink,
}

/// Why a device is no longer trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceEnd {
    /// Its owner or the supplier's staff ended the trust.
    Revoked,
    /// The account reached its maximum number of devices, and a new device replaced it.
    Displaced,
}

/// The rows of wrong guesses that an event changes: the account's, a trusted device's, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// The account's row.
    Account,
    /// The row of this device alone. It occurs only in old versions of events, from the time when not every guess
    /// counted on the account.
    Device(DeviceId),
    /// The account's row and that of this device.
    Both(DeviceId),
}

impl Rows {
    /// The account's row, and the device's row if there is a device.
    #[must_use]
    pub fn of(device: Option<DeviceId>) -> Self {
        device.map_or(Self::Account, Self::Both)
    }

    /// The device whose row changes.
    #[must_use]
    pub fn device(self) -> Option<DeviceId> {
        match self {
            Self::Account => None,
            Self::Device(device) | Self::Both(device) => Some(device),
        }
    }

    /// Whether the account's row changes.
    #[must_use]
    pub fn has_account(self) -> bool {
        !matches!(self, Self::Device(_))
    }
}

/// The counts of wrong guesses, or of wrong codes, after an event. `None`: that row did not change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The account's row.
    pub account: Option<u32>,
    /// The row of the trusted device that the guess came from.
    pub device: Option<DeviceCount>,
}

/// The count of one trusted device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceCount {
    /// Which device.
    pub device: DeviceId,
    /// The count.
    pub count: u32,
}

/// Something that happened to an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The account was created. An activation mail follows; the id of its link is this event's id.
    AccountCreated {
        /// The company that it belongs to.
        company: CompanyId,
        /// Its role.
        role: Role,
        /// The language of its mails and pages.
        language: Language,
        /// The keyed hash of its e-mail address. Finds the account by address.
        email_hash: EmailHash,
        /// How it was created.
        origin: Origin,
        /// When the first activation link expires.
        activation_expires_at: Moment,
        /// The person who owns it.
        person: Erasable<Person>,
    },
    /// A new activation mail was requested. Older links no longer work.
    ActivationRequested {
        /// When the new link expires.
        expires_at: Moment,
    },
    /// The person followed the link and chose a password.
    AccountActivated {
        /// The event whose link was followed.
        link: EventId,
        /// The hash of the password.
        hash: Erasable<PasswordHash>,
    },
    /// A temporary administrator was admitted.
    AccountConverted {
        /// The role that it got.
        to: Admission,
    },
    /// An administrator became a user, or a user an administrator.
    RoleChanged {
        /// The new role.
        to: Admission,
    },
    /// The owner changed their name or the language of their mails and pages.
    ProfileChanged {
        /// The language of its mails and pages from now on.
        language: Language,
        /// The owner as they are called from now on. The e-mail address is the same as before.
        person: Erasable<Person>,
    },
    /// A copy of everything that is held on the owner was handed out.
    DataExported,
    /// A take-over moved the account to another company. Its password, links and sessions stay.
    AccountMoved {
        /// The take-over.
        takeover: TakeOverId,
        /// The company that it moved to.
        company: CompanyId,
        /// Its role at the new company. A take-over makes nobody an administrator.
        role: Role,
    },
    /// A login was completed. The counts of wrong guesses are zero again.
    LoginSucceeded {
        /// The session that it opened.
        session: SessionId,
        /// When the session expires.
        session_expires_at: Moment,
        /// The rows that are zero again: the account's row, and the row of the trusted device that the login came
        /// from.
        cleared: Rows,
        /// The trusted device that the session is on. It is one of three: the device whose token came with the login;
        /// a trusted device with the same address and user agent, if no token came; or the device that this login
        /// made trusted.
        on: Option<DeviceId>,
    },
    /// A wrong password was given.
    LoginFailed {
        /// Wrong guesses in a row, this one included.
        failures: Counts,
    },
    /// The password was right, but the account belongs to a temporary administrator, who cannot log in.
    LoginAwaitedConversion,
    /// The password was right, and a code is asked for. The challenge's id is this event's id. The count does not
    /// change.
    SecondStepAsked {
        /// The first moment at which the challenge can no longer be answered.
        expires_at: Moment,
        /// The trusted device that the password came from.
        device: Option<DeviceId>,
    },
    /// A wrong code was given. It counts as a wrong guess and as a wrong code.
    SecondStepFailed {
        /// Wrong guesses in a row, this one included.
        failures: Counts,
        /// Wrong codes of the present second step, this one included. A new password does not set them to zero.
        codes: Counts,
    },
    /// The account trusts a device. A lockout that others cause does not hold for this device.
    DeviceTrusted {
        /// The device.
        device: DeviceId,
        /// The first moment at which it is no longer trusted.
        expires_at: Moment,
        /// Why it became trusted.
        by: DeviceOrigin,
    },
    /// The account no longer trusts a device.
    DeviceForgotten {
        /// The device.
        device: DeviceId,
        /// Why.
        reason: DeviceEnd,
    },
    /// A code was accepted. Codes of this time step and of earlier ones no longer work.
    CodeAccepted {
        /// The time step of the code: the number of 30-second steps since 1970 (RFC 6238).
        step: u64,
    },
    /// A recovery code was accepted. It does not work again.
    RecoveryCodeUsed {
        /// The number of the code, out of ten.
        number: u32,
    },
    /// A secret was shown. A code made from it turns the second step on.
    SecondStepProposed {
        /// The first moment at which the secret can no longer be confirmed.
        expires_at: Moment,
        /// The secret that codes are made from.
        secret: Erasable<TotpSecret>,
    },
    /// The second step is on.
    SecondStepEnabled {
        /// The event that proposed the secret.
        proposal: EventId,
        /// The time step of the code that confirmed it.
        step: u64,
        /// The hashes of the recovery codes.
        recovery: Erasable<Vec<RecoveryHash>>,
    },
    /// New recovery codes were shown. The earlier ones no longer work.
    RecoveryCodesReplaced {
        /// The hashes of the recovery codes.
        recovery: Erasable<Vec<RecoveryHash>>,
    },
    /// The owner turned the second step off.
    SecondStepDisabled,
    /// Support turned the second step off, because the owner lost it.
    SecondStepReset {
        /// Why, and how support checked the identity of the person who asked.
        reason: Erasable<String>,
    },
    /// A lockout began. No password is verified until it ends.
    AccountLocked {
        /// The number of wrong guesses in a row, or of wrong codes, that caused it.
        failures: u32,
        /// When it ends.
        until: LockEnd,
        /// Whom it locks out. The account's row locks out everybody except trusted devices. A device's row locks out
        /// that device.
        rows: Rows,
    },
    /// Support ended a lockout early.
    LockoutReleased {
        /// Why, in support's words.
        reason: Erasable<String>,
    },
    /// A reset mail was requested. Older links no longer work. The id of the new link is this event's id.
    PasswordResetRequested {
        /// When the link expires.
        expires_at: Moment,
    },
    /// A new password was chosen through a reset link.
    PasswordReset {
        /// The event whose link was followed.
        link: EventId,
        /// The hash of the new password.
        hash: Erasable<PasswordHash>,
    },
    /// The owner chose a new password and knew the old one.
    PasswordChanged {
        /// The hash of the new password.
        hash: Erasable<PasswordHash>,
    },
    /// A login hashed the same password again, with newer parameters.
    PasswordRehashed {
        /// The new hash.
        hash: Erasable<PasswordHash>,
    },
    /// One session ended before its expiry.
    SessionEnded {
        /// The session.
        session: SessionId,
        /// Why.
        reason: SessionEnd,
    },
    /// Every session of the account ended.
    SessionsEnded,
    /// The mail server accepted a mail to the owner.
    MailSent {
        /// The id of the mail. Its Message-ID begins with this id.
        mail: Uuid,
        /// The kind of mail.
        kind: MailKind,
        /// The event that caused the mail.
        about: EventId,
    },
    /// A mail to the owner was given up: the mail server refused it for good, or it was tried for too long.
    MailGivenUp {
        /// The id of the mail.
        mail: Uuid,
        /// The kind of mail.
        kind: MailKind,
        /// The event that caused the mail.
        about: EventId,
        /// The last answer of the mail server, without personal data.
        why: String,
    },
    /// The account was deleted. Its e-mail address is free for another account.
    AccountDeleted {
        /// Why, in the words of the person who deleted it.
        reason: Erasable<String>,
    },
    /// The person's data was erased: the key that encrypts everything of this account is deleted.
    AccountErased,
}
