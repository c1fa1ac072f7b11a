//! The caller of a request, and what the caller may do.

use std::net::IpAddr;
use std::sync::Arc;

use loquet_domain::account::{Authority, Profile, Role};
use loquet_domain::app::Authenticated;
use loquet_domain::fact::{Actor, Client, Context};
use loquet_domain::ids::{AccountId, CompanyId, CorrelationId};

use crate::responses::faults::Faults;
use crate::responses::problem::Problem;
use loquet_http_ports::scope::Scope;
use loquet_http_ports::service_tokens::Service;

/// A caller with a valid token.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    Service(Arc<Service>),
    Person(Box<Authenticated>),
}

/// The origin of a request, and the time at which it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) at: loquet_domain::Moment,
    /// The client's address, for the limits.
    pub(crate) address: Option<IpAddr>,
    pub(crate) correlation: CorrelationId,
    pub(crate) client: Client,
}

impl Arrival {
    /// The context of a command of an anonymous caller.
    pub(crate) fn anonymous(&self) -> Context {
        self.by(Actor::Anonymous)
    }

    /// The context of a command of a person who acts for themselves, and so gives no reason.
    pub(crate) fn of(&self, person: &Authenticated) -> Context {
        self.by(Actor::Account { account_id: person.account })
    }

    fn by(&self, actor: Actor) -> Context {
        Context {
            at: self.at,
            actor,
            correlation: self.correlation,
            causation: None,
            client: Some(self.client.clone()),
            reason: None,
        }
    }
}

/// Why a caller acts. Only [`Faults::because`] and [`Faults::because_stated`] make one, and both ask the supplier's
/// staff for a reason. Every command of a caller needs one, so no route can forget to ask.
#[derive(Clone, Debug)]
pub(crate) struct Because(Option<String>);

impl Because {
    /// The reason as text. It is empty if a caller who need not give a reason gave none.
    pub(crate) fn text(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }

    /// The reason, with a second text behind it.
    pub(crate) fn and(self, more: &str) -> Self {
        Self(Some(format!("{} — {}", self.text().trim(), more.trim())))
    }
}

impl Caller {
    /// Identifies the caller, whichever of their tokens they use. A program that rotates its token stays the
    /// same caller. Another program with the same name is a different one.
    pub(crate) fn identity(&self) -> String {
        match self {
            Self::Service(service) => format!("service/{}", service.family),
            Self::Person(person) => format!("account/{}", person.account),
        }
    }

    /// The context of a command of this caller. The reason goes into the metadata of its events.
    pub(crate) fn context(&self, arrival: &Arrival, because: Because) -> Context {
        let context = match self {
            Self::Service(service) => arrival.by(service.actor()),
            Self::Person(person) => arrival.of(person),
        };
        Context { reason: because.0, ..context }
    }

    /// Whether the caller is a member of the supplier's staff. Staff must give a reason for everything that
    /// they do.
    pub(crate) fn is_staff(&self) -> bool {
        matches!(self, Self::Service(service) if service.role.is_some())
    }

    /// Whether the caller may read support's notes about people, such as how support checked a person's
    /// identity. The supplier's staff (auditors too) and programs with `support:read` may. A company's users
    /// may not.
    pub(crate) fn reads_proofs(&self) -> bool {
        self.service(Scope::SupportRead).is_ok()
    }

    /// Whether the caller may see a take-over between these two companies. Other callers are not told that it
    /// exists.
    pub(crate) fn has_part(&self, from: CompanyId, to: CompanyId) -> bool {
        match self {
            Self::Service(_) => true,
            Self::Person(person) => [from, to].contains(&person.profile.company),
        }
    }

    /// Lets through only a program or a member of the supplier's staff with this scope.
    pub(crate) fn service(&self, scope: Scope) -> Result<&Service, Problem> {
        match self {
            Self::Service(service) if service.scopes.contains(&scope) => Ok(service),
            Self::Service(_) => Err(Problem::scope_missing(scope)),
            Self::Person(_) => Err(Problem::forbidden()),
        }
    }

    /// Lets through only a person. Refuses programs.
    pub(crate) fn person(&self) -> Result<&Authenticated, Problem> {
        match self {
            Self::Person(person) => Ok(person),
            Self::Service(_) => Err(Problem::forbidden()),
        }
    }

    /// Lets through an administrator of this account's company, or a program with this scope. A caller who
    /// may not see the account gets 404. The command must carry the returned authority, because the account
    /// may belong to another company by the time the command is decided.
    pub(crate) fn administers(&self, scope: Scope, account: &Profile) -> Result<Authority, Problem> {
        match self {
            Self::Service(_) => self.service(scope).map(|_| Authority::Supplier),
            Self::Person(person) if person.profile.company != account.company => Err(Problem::not_found()),
            Self::Person(person) if person.profile.role == Role::Administrator => {
                Ok(Authority::Administrator(person.profile.company))
            }
            Self::Person(_) => Err(Problem::forbidden()),
        }
    }

    /// Lets through the account's owner, an administrator of its company, or a program with this scope.
    pub(crate) fn sees(&self, scope: Scope, id: AccountId, account: &Profile) -> Result<(), Problem> {
        match self {
            Self::Person(person) if person.account == id => Ok(()),
            Self::Person(person) if person.profile.role != Role::Administrator => Err(Problem::not_found()),
            _ => self.administers(scope, account).map(drop),
        }
    }

    /// Lets through the account's owner, or a program with this scope.
    pub(crate) fn owns(&self, scope: Scope, id: AccountId) -> Result<(), Problem> {
        match self {
            Self::Person(person) if person.account == id => Ok(()),
            Self::Person(_) => Err(Problem::not_found()),
            Self::Service(_) => self.service(scope).map(drop),
        }
    }
}

impl Faults {
    /// Checks the reason that the caller gave: plain text, at most 500 characters. The supplier's staff must give one.
    pub(crate) fn because(&mut self, caller: &Caller, pointer: &str, reason: Option<String>) -> Because {
        match caller.is_staff() {
            true => self.because_stated(pointer, reason),
            false => self.checked(pointer, reason),
        }
    }

    /// Checks the reason of a command for which every caller must give one.
    pub(crate) fn because_stated(&mut self, pointer: &str, reason: Option<String>) -> Because {
        if reason.is_none() {
            self.add(pointer, "reason-required");
        }
        self.checked(pointer, reason)
    }

    /// Checks how support made sure who somebody is.
    pub(crate) fn proof_stated(&mut self, pointer: &str, proof: Option<String>) -> Because {
        if proof.is_none() {
            self.add(pointer, "proof-required");
        }
        self.checked(pointer, proof)
    }

    /// Checks the reason of a request for which nobody must give one, since it changes nothing.
    pub(crate) fn because_offered(&mut self, pointer: &str, reason: Option<String>) -> Because {
        self.checked(pointer, reason)
    }

    fn checked(&mut self, pointer: &str, reason: Option<String>) -> Because {
        if reason.as_deref().is_some_and(|text| !loquet_domain::values::plain_text::is_text(text, 500)) {
            self.add(pointer, "reason-invalid");
        }
        Because(reason)
    }
}
