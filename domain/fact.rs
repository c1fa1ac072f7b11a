//! An event with its context: when it happened, who caused it, and why.

use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::ids::{AccountId, CorrelationId, EventId};

/// Who acted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Actor {
    /// Somebody who has not proved an identity yet: they log in, request a reset or follow a link.
    #[serde(rename = "stranger")]
    Anonymous,
    /// A person with a session.
    Account {
        /// The account of the session.
        account_id: AccountId,
    },
    /// A program with a service token.
    Service {
        /// The token's name, as the operator gave it.
        name: String,
    },
    /// One of the supplier's people, with a personal token. Their name is not the customer's personal data, so it is
    /// stored unencrypted: it stays known who did what after the customer's data was erased.
    Staff {
        /// Their name, as the operator gave it.
        name: String,
        /// The role in which they acted at that moment.
        role: StaffRole,
    },
    /// Loquet itself, continuing work that it began.
    System {
        /// The name of the reaction.
        reaction: String,
    },
    /// Somebody at the command line of the machine.
    Operator,
}

/// The role of one of the supplier's people. Its name is part of the storage format. Never change or remove one, or
/// events that contain it can no longer be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StaffRole {
    /// Helps customers where self-service ends.
    Support,
    /// Does what support does, and also deletes and erases accounts.
    Supervisor,
    /// Reads history, changes nothing.
    Auditor,
}

impl StaffRole {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Support, Self::Supervisor, Self::Auditor];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Support => "support",
            Self::Supervisor => "supervisor",
            Self::Auditor => "auditor",
        }
    }
}

impl std::fmt::Display for StaffRole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is not the name of a role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown role '{0}': the roles are support, supervisor and auditor")]
pub struct UnknownRole(String);

impl std::str::FromStr for StaffRole {
    type Err = UnknownRole;
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|role| role.name() == name).ok_or_else(|| UnknownRole(name.to_owned()))
    }
}

/// Where a request came from. This is personal data, so it is stored encrypted.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Client {
    /// The IP address of the connection.
    pub address: Option<String>,
    /// The `User-Agent` header, cut at 256 characters.
    pub agent: Option<String>,
}

/// The circumstances of a command: when, who, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// When the command was given.
    pub at: Moment,
    /// Who gave it.
    pub actor: Actor,
    /// The id that all events of one request share.
    pub correlation: CorrelationId,
    /// The event that caused this command, if one did.
    pub causation: Option<EventId>,
    /// Where it came from.
    pub client: Option<Client>,
    /// Why, in the words of the actor, if a reason was asked for. It is stored encrypted with each event of an
    /// account that follows.
    pub reason: Option<String>,
}

/// An event that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact<E> {
    /// Its id.
    pub id: EventId,
    /// The context of its command. The client may have been erased by now.
    pub context: Context,
    /// What happened.
    pub event: E,
}

impl<E> Fact<E> {
    /// The same fact with `f` applied to its event.
    pub fn map<F>(self, f: impl FnOnce(E) -> F) -> Fact<F> {
        Fact { id: self.id, context: self.context, event: f(self.event) }
    }
}

#[cfg(test)]
impl<E> Fact<E> {
    /// A fact for tests of rules that depend on the event alone.
    pub(crate) fn told(event: E) -> Self {
        let context = Context {
            at: Moment::UNIX_EPOCH,
            actor: Actor::Operator,
            correlation: CorrelationId(uuid::Uuid::nil()),
            causation: None,
            client: None,
            reason: None,
        };
        Self { id: EventId(uuid::Uuid::nil()), context, event }
    }
}
