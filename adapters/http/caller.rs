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

impl Caller {
    /// Identifies the caller, whichever of their tokens they use. A program that rotates its token stays the
    /// same caller. Another program with the same name is a different one.
    pub(crate) fn identity(&self) -> String {
        match self {
            Self::Service(service) => format!("service/{}", service.family),
            Self::Person(person) => format!("account/{}", person.account),
        }
    }

    /// The context of a command of this caller.
    pub(crate) fn context(&self, arrival: &Arrival) -> Context {
        arrival.by(match self {
            Self::Service(service) => service.actor(),
            Self::Person(person) => Actor::Account { account_id: person.account },
        })
    }

    /// The context of a command of this caller, with a reason.
    pub(crate) fn context_because(&self, arrival: &Arrival, reason: Option<String>) -> Context {
        Context { reason, ..self.context(arrival) }
    }

    /// Whether the caller is a member of the supplier's staff. Staff must give a reason for everything that
    /// they do to an account.
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
            _ => Err(Problem::forbidden()),
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
    /// Checks the reason that the caller gave. The supplier's staff must give one.
    pub(crate) fn reason_of(&mut self, caller: &Caller, pointer: &str, reason: Option<&str>) {
        match reason {
            None if caller.is_staff() => self.add(pointer, "reason-required"),
            Some(reason) if !loquet_domain::values::plain_text::is_text(reason, 500) => {
                self.add(pointer, "reason-invalid");
            }
            _ => {}
        }
    }
}
