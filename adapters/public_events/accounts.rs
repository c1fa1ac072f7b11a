//! The public events of accounts.

use chrono::{DateTime, Utc};
use loquet_domain::account::{self, Event};
use loquet_domain::policies::lockout::LockEnd;
use loquet_domain::values::erasable::Erasable;
use loquet_domain::values::language::Language as DomainLanguage;
use loquet_domain::values::person::Person;
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use crate::personal_fields::PersonalFields;
use crate::public_event::PublicEvent;

/// The role of an account at its company.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Full access to its company.
    Administrator,
    /// Created by an order. It cannot log in until somebody admits it.
    TemporaryAdministrator,
    /// Has the permissions that its groups grant.
    User,
}

/// The language of an account's mails and pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// French.
    Fr,
    /// Dutch.
    Nl,
    /// English.
    En,
}

/// Which secret was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoginStep {
    /// The password.
    Password,
    /// The code of the second step, or a recovery code.
    Code,
}

/// Who is locked out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Locked {
    /// Everybody, except browsers that the account trusts.
    Account,
    /// One browser that the account trusts.
    Device,
    /// Everybody, and one browser that the account trusts. Its other trusted browsers can still log in.
    AccountAndDevice,
}

public_events! { Accounts:
    /// An account was created. Its owner has not chosen a password yet.
    "loquet.account.created.v1" AccountCreated "account-created" {
        /// The account.
        account_id: Uuid,
        /// The company to which it belongs.
        company_id: Uuid,
        /// Its role.
        role: Role,
        /// The language of its mails and pages.
        language: Language,
    } personal {
        /// The owner's e-mail address.
        email: String,
        /// The owner's given name.
        given_name: String,
        /// The owner's family name.
        family_name: String,
    },
    /// The owner chose a first password. The account can log in, unless it waits to be admitted.
    "loquet.account.activated.v1" AccountActivated "account-activated" {
        /// The account.
        account_id: Uuid,
    },
    /// The role of an account changed. A temporary administrator was admitted, or an administrator became a user, or
    /// a user an administrator.
    "loquet.account.role-changed.v1" RoleChanged "account-converted" | "role-changed" {
        /// The account.
        account_id: Uuid,
        /// Its new role.
        role: Role,
    },
    /// The owner changed their name or the language of their mails and pages.
    "loquet.account.profile-changed.v1" ProfileChanged "profile-changed" {
        /// The account.
        account_id: Uuid,
        /// The language of its mails and pages from now on.
        language: Language,
    } personal {
        /// The owner's given name from now on.
        given_name: String,
        /// The owner's family name from now on.
        family_name: String,
    },
    /// A take-over moved an account to another company.
    "loquet.account.moved.v1" AccountMoved "account-moved" {
        /// The account.
        account_id: Uuid,
        /// The take-over.
        takeover_id: Uuid,
        /// The company to which it belongs now.
        company_id: Uuid,
        /// Its role there.
        role: Role,
    },
    /// A login was completed. The count of wrong logins is zero again.
    "loquet.account.login-succeeded.v1" LoginSucceeded "login-succeeded" {
        /// The account.
        account_id: Uuid,
    },
    /// A wrong password or a wrong code was given.
    "loquet.account.login-failed.v1" LoginFailed "login-failed" | "second-step-failed" {
        /// The account.
        account_id: Uuid,
        /// Which secret was wrong.
        step: LoginStep,
    } optional {
        /// Wrong logins in a row at the account, this one included. Absent if this one counted on a trusted browser
        /// alone, which happened only in old versions of Loquet.
        failures: u32,
    },
    /// A lockout began. Until it ends, no password is verified.
    "loquet.account.locked.v1" AccountLocked "account-locked" {
        /// The account.
        account_id: Uuid,
        /// Who is locked out.
        locked: Locked,
        /// The number of wrong logins in a row that caused the lockout.
        failures: u32,
    } optional {
        /// When the lockout ends. Absent if only a new password or support ends it.
        until: DateTime<Utc>,
    },
    /// Support ended a lockout early.
    "loquet.account.lockout-released.v1" LockoutReleased "lockout-released" {
        /// The account.
        account_id: Uuid,
    },
    /// The owner chose a new password through a mailed link. Every session and every lockout ended.
    "loquet.account.password-reset.v1" PasswordReset "password-reset" {
        /// The account.
        account_id: Uuid,
    },
    /// The owner, who knew the old password, chose a new one.
    "loquet.account.password-changed.v1" PasswordChanged "password-changed" {
        /// The account.
        account_id: Uuid,
    },
    /// The owner turned the second step on.
    "loquet.account.second-step-enabled.v1" SecondStepEnabled "second-step-enabled" {
        /// The account.
        account_id: Uuid,
    },
    /// The second step is off.
    "loquet.account.second-step-disabled.v1" SecondStepDisabled "second-step-disabled" | "second-step-reset" {
        /// The account.
        account_id: Uuid,
        /// Whether support turned it off, because the owner lost the phone.
        by_support: bool,
    },
    /// An account was deleted. Its owner can no longer log in.
    "loquet.account.deleted.v1" AccountDeleted "account-deleted" {
        /// The account.
        account_id: Uuid,
    },
    /// A person was erased. Forget everything that you hold on the owner of this account. You may keep the id.
    "loquet.account.erased.v1" AccountErased "account-erased" {
        /// The account.
        account_id: Uuid,
    },
}

impl Role {
    /// The role in a company. `None` for the supplier's own staff, whose accounts are no customers' business.
    fn of(role: account::Role) -> Option<Self> {
        match role {
            account::Role::Administrator => Some(Self::Administrator),
            account::Role::TemporaryAdministrator => Some(Self::TemporaryAdministrator),
            account::Role::User => Some(Self::User),
            account::Role::Support | account::Role::Supervisor | account::Role::Auditor => None,
        }
    }
}

impl From<DomainLanguage> for Language {
    fn from(language: DomainLanguage) -> Self {
        match language {
            DomainLanguage::Fr => Self::Fr,
            DomainLanguage::Nl => Self::Nl,
            DomainLanguage::En => Self::En,
        }
    }
}

impl From<account::Rows> for Locked {
    fn from(rows: account::Rows) -> Self {
        match rows {
            account::Rows::Account => Self::Account,
            account::Rows::Device(_) => Self::Device,
            account::Rows::Both(_) => Self::AccountAndDevice,
        }
    }
}

/// The public event of an account's event. Returns `None` if the event is not public.
pub(crate) fn public(account_id: Uuid, event: &Event, personal: &PersonalFields) -> Option<PublicEvent> {
    use Event as E;
    Some(match event {
        E::AccountCreated { company, role, language, person, .. } => {
            let of = |name, read: fn(&Person) -> &str| personal.text(name, || known(person).map(read));
            PublicEvent::of(&AccountCreated {
                account_id,
                company_id: company.0,
                role: Role::of(*role)?,
                language: (*language).into(),
                email: of("email", |person| person.email.as_str()),
                given_name: of("given_name", |person| person.given_name.as_str()),
                family_name: of("family_name", |person| person.family_name.as_str()),
            })
        }
        E::AccountActivated { .. } => PublicEvent::of(&AccountActivated { account_id }),
        E::AccountConverted { to } | E::RoleChanged { to } => {
            let role = Role::of((*to).into())?;
            PublicEvent::of(&RoleChanged { account_id, role })
        }
        E::ProfileChanged { language, person } => {
            let of = |name, read: fn(&Person) -> &str| personal.text(name, || known(person).map(read));
            PublicEvent::of(&ProfileChanged {
                account_id,
                language: (*language).into(),
                given_name: of("given_name", |person| person.given_name.as_str()),
                family_name: of("family_name", |person| person.family_name.as_str()),
            })
        }
        E::AccountMoved { takeover, company, role } => PublicEvent::of(&AccountMoved {
            account_id,
            takeover_id: takeover.0,
            company_id: company.0,
            role: Role::of(*role)?,
        }),
        E::LoginSucceeded { .. } => PublicEvent::of(&LoginSucceeded { account_id }),
        E::LoginFailed { failures } => {
            let (step, failures) = (LoginStep::Password, failures.account);
            PublicEvent::of(&LoginFailed { account_id, step, failures })
        }
        E::SecondStepFailed { failures, .. } => {
            let (step, failures) = (LoginStep::Code, failures.account);
            PublicEvent::of(&LoginFailed { account_id, step, failures })
        }
        E::AccountLocked { failures, until, rows } => PublicEvent::of(&AccountLocked {
            account_id,
            locked: (*rows).into(),
            failures: *failures,
            until: match until {
                LockEnd::At(until) => Some(*until),
                LockEnd::AtReset => None,
            },
        }),
        E::LockoutReleased { .. } => PublicEvent::of(&LockoutReleased { account_id }),
        E::PasswordReset { .. } => PublicEvent::of(&PasswordReset { account_id }),
        E::PasswordChanged { .. } => PublicEvent::of(&PasswordChanged { account_id }),
        E::SecondStepEnabled { .. } => PublicEvent::of(&SecondStepEnabled { account_id }),
        E::SecondStepDisabled => PublicEvent::of(&SecondStepDisabled { account_id, by_support: false }),
        E::SecondStepReset { .. } => PublicEvent::of(&SecondStepDisabled { account_id, by_support: true }),
        E::AccountDeleted { .. } => PublicEvent::of(&AccountDeleted { account_id }),
        E::AccountErased => PublicEvent::of(&AccountErased { account_id }),
        // These say how an account came to its state. Other services do not need them.
        E::ActivationRequested { .. }
        | E::DataExported
        | E::LoginAwaitedConversion
        | E::SecondStepAsked { .. }
        | E::DeviceTrusted { .. }
        | E::DeviceForgotten { .. }
        | E::CodeAccepted { .. }
        | E::RecoveryCodeUsed { .. }
        | E::SecondStepProposed { .. }
        | E::RecoveryCodesReplaced { .. }
        | E::PasswordResetRequested { .. }
        | E::PasswordRehashed { .. }
        | E::SessionEnded { .. }
        | E::SessionsEnded
        | E::MailSent { .. }
        | E::MailGivenUp { .. } => return None,
    })
}

fn known(person: &Erasable<Person>) -> Option<&Person> {
    person.known()
}
