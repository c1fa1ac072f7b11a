//! The order: what brings companies and accounts into being.

mod content;

pub use content::{Channel, Contact, Line, MAX_LINES, Order as Content};

use serde::{Deserialize, Serialize};

use crate::erasable::Erasable;
use crate::fact::Fact;
use crate::ids::{AccountId, CompanyId, SiteId};
use crate::person::Person;
use crate::serial_number::SerialNumber;

/// What an order led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The company is new; the contact became its administrator.
    FirstOrder,
    /// The company was known, the contact was not: a temporary administrator.
    TemporaryAdministrator,
    /// The contact has an account of this company already.
    KnownContact,
    /// The contact has an account of another company: one person, one login. Support decides.
    AwaitingSupport,
}

/// What can happen to an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The order was taken; its contact is sealed under the key of the account that holds the
    /// contact's address.
    OrderReceived {
        /// All of it but who the contact is.
        content: Box<Content>,
        /// Who holds the contact's address.
        account: AccountId,
        /// Who the contact is.
        person: Erasable<Person>,
    },
    /// Company and account exist, or support has been asked.
    OrderOnboarded {
        /// The company that ordered.
        company: CompanyId,
        /// The contact's account.
        account: AccountId,
        /// What became of it.
        outcome: Outcome,
    },
    /// The sites that it opens are open, and its terminals stand there.
    OrderEquipped(Equipped),
}

/// What an order's lines led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Equipped {
    /// The company whose they are.
    pub company: CompanyId,
    /// The sites that it opened.
    pub opened: Vec<SiteId>,
    /// How many terminals it added.
    pub added: usize,
    /// Serial numbers that belong to terminals of other companies: support looks into it.
    pub refused: Vec<SerialNumber>,
}

/// How far an order has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Never delivered.
    #[default]
    Absent,
    /// Taken.
    Received(Box<Received>),
}

/// An order that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// All of it but who the contact is.
    pub content: Content,
    /// Who holds the contact's address.
    pub account: AccountId,
    /// Who the contact is.
    pub person: Erasable<Person>,
    /// What became of it, once that is done.
    pub onboarded: Option<Onboarded>,
    /// Whether its sites are open and its terminals there.
    pub equipped: bool,
}

/// The end of an order's onboarding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Onboarded {
    /// The company that ordered.
    pub company: CompanyId,
    /// The contact's account.
    pub account: AccountId,
    /// What became of it.
    pub outcome: Outcome,
}

/// What can be asked of an order.
#[derive(Clone, Debug)]
pub enum Command {
    /// Take it.
    Receive {
        /// All of it but who the contact is.
        content: Box<Content>,
        /// Who holds the contact's address.
        account: AccountId,
        /// Who the contact is.
        person: Person,
    },
    /// Note what became of it.
    Onboard(Onboarded),
    /// Note what its lines led to.
    Equip(Equipped),
}

/// Why a command changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// An order of this number was delivered before, and it said something else.
    #[error("an order of this number was delivered before with other contents")]
    Differs,
    /// It was never taken.
    #[error("there is no such order")]
    NoSuchOrder,
}

/// Decides a command. The same order delivered twice changes nothing the second time.
///
/// # Errors
/// [`Refusal::Differs`] where the number was used for another order.
pub fn decide(order: &Order, command: Command) -> Result<Vec<Event>, Refusal> {
    match (order, command) {
        (Order::Absent, Command::Receive { content, account, person }) => {
            Ok(vec![Event::OrderReceived { content, account, person: Erasable::Known(person) }])
        }
        (Order::Received(received), Command::Receive { content, person, .. }) => {
            let same_person = received.person.known().is_none_or(|known| *known == person);
            if received.content == *content && same_person { Ok(Vec::new()) } else { Err(Refusal::Differs) }
        }
        (Order::Absent, Command::Onboard(_) | Command::Equip(_)) => Err(Refusal::NoSuchOrder),
        (Order::Received(received), Command::Onboard(done)) => match received.onboarded {
            Some(_) => Ok(Vec::new()),
            None => Ok(vec![Event::OrderOnboarded {
                company: done.company,
                account: done.account,
                outcome: done.outcome,
            }]),
        },
        (Order::Received(received), Command::Equip(done)) => {
            Ok((!received.equipped).then_some(Event::OrderEquipped(done)).into_iter().collect())
        }
    }
}

/// The order after one more fact.
#[must_use]
pub fn evolve(order: Order, fact: &Fact<Event>) -> Order {
    match (order, &fact.event) {
        (Order::Absent, Event::OrderReceived { content, account, person }) => {
            Order::Received(Box::new(Received {
                content: (**content).clone(),
                account: *account,
                person: person.clone(),
                onboarded: None,
                equipped: false,
            }))
        }
        (Order::Received(mut received), Event::OrderOnboarded { company, account, outcome }) => {
            received.onboarded = Some(Onboarded { company: *company, account: *account, outcome: *outcome });
            Order::Received(received)
        }
        (Order::Received(mut received), Event::OrderEquipped(_)) => {
            received.equipped = true;
            Order::Received(received)
        }
        (order, _) => order,
    }
}
