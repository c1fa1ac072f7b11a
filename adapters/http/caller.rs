//! Who asks, and what they may.

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

/// Whoever showed a token that holds.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    Service(Arc<Service>),
    Person(Box<Authenticated>),
}

/// From where a request came, and the moment at which it did.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) at: loquet_domain::Moment,
    /// From where, for the limits.
    pub(crate) address: Option<IpAddr>,
    pub(crate) correlation: CorrelationId,
    pub(crate) client: Client,
}

impl Arrival {
    /// The context of a command that somebody without a token makes.
    pub(crate) fn stranger(&self) -> Context {
        self.by(Actor::Stranger)
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
    /// Who it is, whichever of their tokens they show: a program that rotates its own is the same program,
    /// and another of the same name is not.
    pub(crate) fn identity(&self) -> String {
        match self {
            Self::Service(service) => format!("service/{}", service.family),
            Self::Person(person) => format!("account/{}", person.account),
        }
    }

    /// The context of a command that they make.
    pub(crate) fn context(&self, arrival: &Arrival) -> Context {
        arrival.by(match self {
            Self::Service(service) => service.actor(),
            Self::Person(person) => Actor::Account { account_id: person.account },
        })
    }

    /// The same, of one that is made for a reason.
    pub(crate) fn context_because(&self, arrival: &Arrival, reason: Option<String>) -> Context {
        Context { reason, ..self.context(arrival) }
    }

    /// Whether it is one of the supplier's people: whatever they do to an account, they say why.
    pub(crate) fn is_staff(&self) -> bool {
        matches!(self, Self::Service(service) if service.role.is_some())
    }

    /// Whether the caller may read what support notes about people, such as how it checked who asked. The supplier's
    /// people (auditors too) and programs with `support:read` may. A company's people never may.
    pub(crate) fn reads_proofs(&self) -> bool {
        self.service(Scope::SupportRead).is_ok()
    }

    /// Whether the caller may know of a take-over between these two companies. A caller who has no part in it is not
    /// told that it exists.
    pub(crate) fn has_part(&self, from: CompanyId, to: CompanyId) -> bool {
        match self {
            Self::Service(_) => true,
            Self::Person(person) => [from, to].contains(&person.profile.company),
        }
    }

    /// A program, or one of the supplier's people, with this scope, and nobody else.
    pub(crate) fn service(&self, scope: Scope) -> Result<&Service, Problem> {
        match self {
            Self::Service(service) if service.scopes.contains(&scope) => Ok(service),
            _ => Err(Problem::forbidden()),
        }
    }

    /// A person, and no program.
    pub(crate) fn person(&self) -> Result<&Authenticated, Problem> {
        match self {
            Self::Person(person) => Ok(person),
            Self::Service(_) => Err(Problem::forbidden()),
        }
    }

    /// An administrator of this account's company, or a program with this scope. Whoever may not even
    /// see the account is told that there is none. What is given goes along with the command: the account may be
    /// another company's by the time it is decided.
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

    /// The account's owner, an administrator of its company, or a program with this scope.
    pub(crate) fn sees(&self, scope: Scope, id: AccountId, account: &Profile) -> Result<(), Problem> {
        match self {
            Self::Person(person) if person.account == id => Ok(()),
            Self::Person(person) if person.profile.role != Role::Administrator => Err(Problem::not_found()),
            _ => self.administers(scope, account).map(drop),
        }
    }

    /// The account's owner, or a program with this scope.
    pub(crate) fn owns(&self, scope: Scope, id: AccountId) -> Result<(), Problem> {
        match self {
            Self::Person(person) if person.account == id => Ok(()),
            Self::Person(_) => Err(Problem::not_found()),
            Self::Service(_) => self.service(scope).map(drop),
        }
    }
}

impl Faults {
    /// A reason in a person's words, where one was given. Of the supplier's people it is asked.
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
