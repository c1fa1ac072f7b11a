//! An event together with what is written beside it: when, by whom, because of what.

use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::ids::{AccountId, CorrelationId, EventId};

/// Who acted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Actor {
    /// Somebody who has proved nothing yet: a login, a reset asked for, a link followed.
    Stranger,
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
    /// Loquet itself, finishing what it began.
    System {
        /// Which reaction.
        reaction: String,
    },
    /// Somebody at the command line of the machine.
    Operator,
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
        };
        Self { id: EventId(uuid::Uuid::nil()), context, event }
    }
}
