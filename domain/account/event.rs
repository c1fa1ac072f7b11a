//! What can happen to an account.
//!
//! How each of these is written down is frozen in [`crate::schema`]: a variant may be
//! renamed here, its stored name never.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Moment;
use crate::ids::{AccountId, CompanyId, DeviceId, EventId, OrderId, SessionId, TakeOverId};
use crate::policies::lockout::LockEnd;
use crate::values::email_address::EmailHash;
use crate::values::erasable::Erasable;
use crate::values::language::Language;
use crate::values::mail_kind::MailKind;
use crate::values::one_time_code::{RecoveryHash, TotpSecret};
use crate::values::password::PasswordHash;
use crate::values::person::Person;

/// What an account may do, before its groups are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Full access to its company.
    Administrator,
    /// Created by an order, not yet admitted by an administrator or by support.
    TemporaryAdministrator,
    /// What its groups grant.
    User,
}

/// As what a temporary administrator is admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Admission {
    /// Full access.
    Administrator,
    /// What groups grant.
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

/// How an account came into being.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Origin {
    /// An order named its e-mail address.
    Order {
        /// Which order.
        order_id: OrderId,
    },
    /// Somebody of the company, or the supplier's staff, created it.
    Colleague {
        /// The colleague; none where a service token did it.
        account_id: Option<AccountId>,
    },
}

/// Why a session ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionEnd {
    /// Its owner logged out.
    LoggedOut,
    /// Its owner ended it from elsewhere, or the supplier's staff did.
    Revoked,
    /// A further login exceeded the number of sessions an account may have.
    Displaced,
    /// The owner turned the second step on in another session. A thief who had only the password is logged out.
    SecondStepEnabled,
}

/// What made a device trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceOrigin {
    /// The account's first complete login.
    FirstLogin,
    /// A complete login from a device that was not.
    Login,
    /// A complete login from a device that was; its time begins anew.
    Renewal,
    /// A reset link that was opened on it.
    ResetLink,
}

/// Why a device is trusted no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceEnd {
    /// Its owner, or the supplier's staff, said so.
    Revoked,
    /// A further one exceeded the number that an account may have.
    Displaced,
}

/// Which counts of wrong guesses an event changes: the account's, that of a trusted device, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// The account's row.
    Account,
    /// The row of this device alone. Only old versions of events have it, from before every guess counted on the
    /// account.
    Device(DeviceId),
    /// The account's row and that of this device.
    Both(DeviceId),
}

impl Rows {
    /// The account's row, and the device's if there is one.
    #[must_use]
    pub fn of(device: Option<DeviceId>) -> Self {
        device.map_or(Self::Account, Self::Both)
    }

    /// The device whose row it moves.
    #[must_use]
    pub fn device(self) -> Option<DeviceId> {
        match self {
            Self::Account => None,
            Self::Device(device) | Self::Both(device) => Some(device),
        }
    }

    /// Whether it moves the account's row.
    #[must_use]
    pub fn has_account(self) -> bool {
        !matches!(self, Self::Device(_))
    }
}

/// How many wrong guesses, or wrong codes, the rows count after an event. `None`: the row was not moved.
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
    /// How many.
    pub count: u32,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The account exists; its activation mail follows, whose link is this event's id.
    AccountCreated {
        /// Of which company.
        company: CompanyId,
        /// As what.
        role: Role,
        /// In which language mails and pages come.
        language: Language,
        /// What finds it by address.
        email_hash: EmailHash,
        /// How it came about.
        origin: Origin,
        /// When the first activation link ends.
        activation_expires_at: Moment,
        /// Whose it is.
        person: Erasable<Person>,
    },
    /// A new activation mail was asked for; older links are void.
    ActivationRequested {
        /// When the link ends.
        expires_at: Moment,
    },
    /// The person followed the link and chose a password.
    AccountActivated {
        /// The event whose link it was.
        link: EventId,
        /// What verifies the password.
        hash: Erasable<PasswordHash>,
    },
    /// A temporary administrator was admitted.
    AccountConverted {
        /// As what.
        to: Admission,
    },
    /// An administrator became a user, or a user an administrator.
    RoleChanged {
        /// What it is now.
        to: Admission,
    },
    /// A take-over brought the account to another company; its logins, links and sessions stay.
    AccountMoved {
        /// Which take-over.
        takeover: TakeOverId,
        /// To which company.
        company: CompanyId,
        /// What it is there: nobody becomes administrator of a company by being taken over.
        role: Role,
    },
    /// A complete login: the rows of wrong guesses are zero again.
    LoginSucceeded {
        /// The session that it opened.
        session: SessionId,
        /// When that ends by itself.
        session_expires_at: Moment,
        /// The rows that are zero again: the account's, and that of the trusted device that it came from.
        cleared: Rows,
        /// The trusted device that the session is on: the one that it came from, one that showed no token and has the
        /// same address and agent, or one that is trusted from this login on.
        on: Option<DeviceId>,
    },
    /// A wrong guess was judged.
    LoginFailed {
        /// Wrong guesses in a row, this one included.
        failures: Counts,
    },
    /// The password was right, but a temporary administrator is not let in.
    LoginAwaitedConversion,
    /// The password was right, and a second step is asked for. The challenge is this event's id. The count stays.
    SecondStepAsked {
        /// The first moment at which it can't be answered any more.
        expires_at: Moment,
        /// The trusted device that the password came from.
        device: Option<DeviceId>,
    },
    /// A wrong code was judged. It counts as a wrong password does, and among the wrong codes.
    SecondStepFailed {
        /// Wrong guesses in a row, this one included.
        failures: Counts,
        /// Wrong codes of the second step that is on, this one included. A new password does not set them to zero.
        codes: Counts,
    },
    /// A device is trusted by the account: the lockouts that others cause do not hold for it.
    DeviceTrusted {
        /// Which.
        device: DeviceId,
        /// The first moment at which it is not any more.
        expires_at: Moment,
        /// What made it so.
        by: DeviceOrigin,
    },
    /// A device is trusted no more.
    DeviceForgotten {
        /// Which.
        device: DeviceId,
        /// Why.
        reason: DeviceEnd,
    },
    /// A code was accepted; codes of this step and before are void.
    CodeAccepted {
        /// Of which step of 30 seconds since 1970.
        step: u64,
    },
    /// A recovery code was accepted, once and for all.
    RecoveryCodeUsed {
        /// Which of the ten.
        number: u32,
    },
    /// A secret was shown; a code turns the second step on.
    SecondStepProposed {
        /// The first moment at which it can't be confirmed any more.
        expires_at: Moment,
        /// What makes the codes.
        secret: Erasable<TotpSecret>,
    },
    /// The second step is on.
    SecondStepEnabled {
        /// The event that proposed the secret.
        proposal: EventId,
        /// The step of the code that confirmed it.
        step: u64,
        /// What the recovery codes hash to.
        recovery: Erasable<Vec<RecoveryHash>>,
    },
    /// Other recovery codes were shown; those before are void.
    RecoveryCodesReplaced {
        /// What they hash to.
        recovery: Erasable<Vec<RecoveryHash>>,
    },
    /// The owner turned the second step off.
    SecondStepDisabled,
    /// Support took a lost second step away.
    SecondStepReset {
        /// Why, and how it was made sure who asked.
        reason: Erasable<String>,
    },
    /// A lockout began: nothing is verified until it ends.
    AccountLocked {
        /// Wrong guesses in a row, or wrong codes, that led here.
        failures: u32,
        /// The end.
        until: LockEnd,
        /// Who is locked out. With the account's row, everybody but trusted devices; with a device's row, that device.
        rows: Rows,
    },
    /// Support ended a lockout early.
    LockoutReleased {
        /// Why, in support's words.
        reason: Erasable<String>,
    },
    /// A reset mail was asked for; older links are void. The link is this event's id.
    PasswordResetRequested {
        /// When the link ends.
        expires_at: Moment,
    },
    /// A new password was chosen through a reset link.
    PasswordReset {
        /// The event whose link it was.
        link: EventId,
        /// What verifies the new password.
        hash: Erasable<PasswordHash>,
    },
    /// The owner chose a new password, knowing the old one.
    PasswordChanged {
        /// What verifies the new password.
        hash: Erasable<PasswordHash>,
    },
    /// The same password, hashed under newer parameters at a login.
    PasswordRehashed {
        /// What verifies it now.
        hash: Erasable<PasswordHash>,
    },
    /// One session ended before its time.
    SessionEnded {
        /// Which.
        session: SessionId,
        /// Why.
        reason: SessionEnd,
    },
    /// Every session ended at once.
    SessionsEnded,
    /// The mail server took a mail to the owner.
    MailSent {
        /// Its identity: its Message-ID begins with it.
        mail: Uuid,
        /// Which mail.
        kind: MailKind,
        /// The event that it follows from.
        about: EventId,
    },
    /// A mail to the owner was refused for good, or tried for too long.
    MailGivenUp {
        /// Its identity.
        mail: Uuid,
        /// Which mail.
        kind: MailKind,
        /// The event that it follows from.
        about: EventId,
        /// What the mail server said last, in words that name nobody.
        why: String,
    },
    /// The account is gone; its address is free for another.
    AccountDeleted {
        /// Why, in the words of who did it.
        reason: Erasable<String>,
    },
    /// The person is forgotten: the key of everything sealed for this account is deleted.
    AccountErased,
}
