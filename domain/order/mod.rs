//! The order: what brings companies and accounts into being.

mod content;
mod identity;

pub use content::{Channel, Contact, Line, MAX_LINES, Order as Content};
pub use identity::{CATEGORY, stream};

use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::decider::Decider;
use crate::fact::Fact;
use crate::ids::{AccountId, CompanyId, SiteId};
use crate::policies::Policies;
use crate::values::erasable::Erasable;
use crate::values::person::Person;
use crate::values::serial_number::SerialNumber;

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

/// What support decided of an order that waited for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Resolution {
    /// Somebody else of the company is its contact: a temporary administrator, unless they have an account of it.
    ContactNamed {
        /// Their account.
        account_id: AccountId,
    },
    /// Nobody is added. It is all there is to say where serial numbers alone waited.
    NobodyAdded,
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
    /// Support decided what becomes of it. Why is sealed beside it.
    OrderResolved {
        /// What.
        resolution: Resolution,
        /// Under whose key why is sealed: the contact's of the decision or, with none, of the order; none where that
        /// person was erased, and then nothing is kept of it.
        about: Option<AccountId>,
    },
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
    /// Whether serial numbers of it are other companies' terminals.
    pub serials_refused: bool,
    /// What support decided.
    pub resolution: Option<Resolution>,
}

impl Received {
    /// The company that waits for support to name a contact; none where none is wanted.
    #[must_use]
    pub fn awaits_contact(&self) -> Option<CompanyId> {
        let waits = self.onboarded.filter(|done| done.outcome == Outcome::AwaitingSupport);
        waits.map(|done| done.company)
    }
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
    /// Note what support decided.
    Resolve(Resolution),
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
    /// It does not wait for support to decide that.
    #[error("the order does not wait for that")]
    NotAwaiting,
    /// Support decided something else of it.
    #[error("something else was decided of this order")]
    Resolved,
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
        (Order::Absent, Command::Onboard(_) | Command::Equip(_) | Command::Resolve(_)) => {
            Err(Refusal::NoSuchOrder)
        }
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
        (Order::Received(received), Command::Resolve(resolution)) => resolve(received, resolution),
    }
}

impl Decider for Order {
    const CATEGORY: &'static str = CATEGORY;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, _: &Policies, _: Moment, command: Command) -> Result<Vec<Event>, Refusal> {
        decide(self, command)
    }

    fn evolve(self, fact: &Fact<Event>) -> Self {
        evolve(self, fact)
    }
}

/// One decision an order. It is made of an order that waits, and again changes nothing.
fn resolve(received: &Received, resolution: Resolution) -> Result<Vec<Event>, Refusal> {
    if let Some(decided) = received.resolution {
        return if decided == resolution { Ok(Vec::new()) } else { Err(Refusal::Resolved) };
    }
    let contact = received.awaits_contact().is_some();
    let (waits, about) = match resolution {
        Resolution::ContactNamed { account_id } => (contact, Some(account_id)),
        Resolution::NobodyAdded => {
            let about = received.person.known().map(|_| received.account);
            (contact || received.serials_refused, about)
        }
    };
    if waits { Ok(vec![Event::OrderResolved { resolution, about }]) } else { Err(Refusal::NotAwaiting) }
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
                serials_refused: false,
                resolution: None,
            }))
        }
        (Order::Received(mut received), Event::OrderOnboarded { company, account, outcome }) => {
            received.onboarded = Some(Onboarded { company: *company, account: *account, outcome: *outcome });
            Order::Received(received)
        }
        (Order::Received(mut received), Event::OrderEquipped(equipped)) => {
            received.equipped = true;
            received.serials_refused = !equipped.refused.is_empty();
            Order::Received(received)
        }
        (Order::Received(mut received), Event::OrderResolved { resolution, .. }) => {
            received.resolution = Some(*resolution);
            Order::Received(received)
        }
        (order, _) => order,
    }
}

#[cfg(test)]
mod tests;
