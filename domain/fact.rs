//! An event together with what is written beside it: when, by whom, because of what.

use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::ids::{AccountId, CorrelationId, EventId};

/// Who acted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Actor {
    /// Somebody who has proved nothing yet: a login, a reset asked for, a link followed.
    #[serde(rename = "stranger")]
    Anonymous,
    /// A person with a session.
    Account {
        /// Whose session.
        account_id: AccountId,
    },
    /// A program with a service token.
    Service {
        /// The token's name, as the operator gave it.
        name: String,
    },
    /// One of the supplier's people, with a token of their own. Their name is not the customer's personal data and
    /// stands in the open: who did what stays known after the customer is forgotten.
    Staff {
        /// Their name, as the operator gave it.
        name: String,
        /// As what they acted, at that moment.
        role: StaffRole,
    },
    /// Loquet itself, finishing what it began.
    System {
        /// Which reaction.
        reaction: String,
    },
    /// Somebody at the command line of the machine.
    Operator,
}

/// As what one of the supplier's people acts. Its name is part of the storage format: none is ever changed or
/// taken away, or events that hold it could no longer be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StaffRole {
    /// Helps where self-service ends.
    Support,
    /// As support, and deletes and erases.
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

/// A name that is no role's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown role '{0}': there are support, supervisor, auditor")]
pub struct UnknownRole(String);

impl std::str::FromStr for StaffRole {
    type Err = UnknownRole;
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|role| role.name() == name).ok_or_else(|| UnknownRole(name.to_owned()))
    }
}

/// From where a request came. Personal data: it is stored sealed.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Client {
    /// The address of the connection.
    pub address: Option<String>,
    /// The `User-Agent` header, cut at 256 characters.
    pub agent: Option<String>,
}

/// What a command brings besides its own contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// The moment that the command was made.
    pub at: Moment,
    /// Who made it.
    pub actor: Actor,
    /// What the events of one request share.
    pub correlation: CorrelationId,
    /// The event that led to this command, where one did.
    pub causation: Option<EventId>,
    /// From where it came.
    pub client: Option<Client>,
    /// Why, in the words of whoever made it, where they were asked. It is stored sealed, with whatever event of an
    /// account follows.
    pub reason: Option<String>,
}

/// An event that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact<E> {
    /// Its identity.
    pub id: EventId,
    /// Everything that its command brought along; the client may be erased by now.
    pub context: Context,
    /// What happened.
    pub event: E,
}

impl<E> Fact<E> {
    /// The same fact with its event seen through `f`.
    pub fn map<F>(self, f: impl FnOnce(E) -> F) -> Fact<F> {
        Fact { id: self.id, context: self.context, event: f(self.event) }
    }
}

#[cfg(test)]
impl<E> Fact<E> {
    /// A fact for tests of rules that look at nothing beside the event.
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
