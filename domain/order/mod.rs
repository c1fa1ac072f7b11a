//! The order: it creates companies and accounts.

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

/// The result of an order for its contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The company is new, and the contact became its administrator.
    FirstOrder,
    /// The company was a customer, but the contact had no account. The contact became a temporary administrator.
    TemporaryAdministrator,
    /// The contact already has an account of this company.
    KnownContact,
    /// The contact has an account of another company, and a person can have only one login. Support decides.
    AwaitingSupport,
}

/// Support's decision about an order that waited for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Resolution {
    /// Support named another person of the company. That person becomes its administrator if the order registered the
    /// company and nobody administers it, or else a temporary administrator, unless they have an account of it.
    ContactNamed {
        /// The person's account.
        account_id: AccountId,
    },
    /// No account is added. It is the only decision for an order that waits only because of serial numbers.
    NobodyAdded,
}

/// Something that happened to an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The order was taken. The contact's data is encrypted with the key of the account that holds the contact's
    /// address. The company's data and the addresses are encrypted with the company's key.
    OrderReceived {
        /// The order without its contact.
        content: Box<Content>,
        /// The company that has the enterprise number.
        company: CompanyId,
        /// The account that holds the contact's address.
        account: AccountId,
        /// The contact.
        person: Erasable<Person>,
    },
    /// The company and the account exist, or support has been asked to decide.
    OrderOnboarded {
        /// The company that ordered.
        company: CompanyId,
        /// The contact's account.
        account: AccountId,
        /// The result for the contact.
        outcome: Outcome,
    },
    /// The order's sites are open and its terminals are added. It happens again when a serial number for which the
    /// order waited has become free.
    OrderEquipped(Equipped),
    /// Support decided about the order. The reason is stored encrypted.
    OrderResolved {
        /// The decision.
        resolution: Resolution,
        /// The account whose key encrypts the reason: that of the contact whom support named, or else that of the
        /// order's contact. `None` if that person's data was erased; then the reason is not stored.
        about: Option<AccountId>,
    },
}

/// The result of an order's lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Equipped {
    /// The company that the sites and terminals belong to.
    pub company: CompanyId,
    /// The sites that it opened.
    pub opened: Vec<SiteId>,
    /// How many terminals it added.
    pub added: usize,
    /// Serial numbers that belong to terminals of other companies. Support checks them.
    pub refused: Vec<SerialNumber>,
    /// Serial numbers that terminals of this company had before, from other orders. No terminal was added for them.
    pub present: Vec<SerialNumber>,
}

/// The stage of an order.
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
    /// The order without its contact.
    pub content: Content,
    /// The company that had the enterprise number when the order was taken.
    pub company: CompanyId,
    /// The account that holds the contact's address.
    pub account: AccountId,
    /// The contact.
    pub person: Erasable<Person>,
    /// The result of its onboarding, once that is done.
    pub onboarded: Option<Onboarded>,
    /// Whether its sites are open and its terminals added.
    pub equipped: bool,
    /// Its serial numbers that belong to other companies' terminals.
    pub refused: Vec<SerialNumber>,
    /// Its serial numbers that terminals of the company had before.
    pub present: Vec<SerialNumber>,
    /// Support's decision.
    pub resolution: Option<Resolution>,
}

impl Received {
    /// Whether the order waits for serial numbers that belong to other companies' terminals.
    #[must_use]
    pub fn awaits_serials(&self) -> bool {
        !self.refused.is_empty() && self.resolution != Some(Resolution::NobodyAdded)
    }

    /// The order with nothing but the serial numbers for which it waits. The lines keep their places.
    #[must_use]
    pub fn still_wanted(&self) -> Content {
        let mut content = self.content.clone();
        for line in &mut content.lines {
            line.serials.retain(|serial| self.refused.contains(serial));
            if line.serials.is_empty() {
                line.quantity = 0;
            }
        }
        content
    }

    /// The company for which support must name a contact. Returns `None` if the order does not wait for that.
    #[must_use]
    pub fn awaits_contact(&self) -> Option<CompanyId> {
        let waits = self.onboarded.filter(|done| done.outcome == Outcome::AwaitingSupport);
        waits.map(|done| done.company)
    }
}

/// The result of an order's onboarding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Onboarded {
    /// The company that ordered.
    pub company: CompanyId,
    /// The contact's account.
    pub account: AccountId,
    /// The result for the contact.
    pub outcome: Outcome,
}

/// The commands of an order.
#[derive(Clone, Debug)]
pub enum Command {
    /// Take the order.
    Receive {
        /// The order without its contact.
        content: Box<Content>,
        /// The company that has the enterprise number.
        company: CompanyId,
        /// The account that holds the contact's address.
        account: AccountId,
        /// The contact.
        person: Person,
    },
    /// Record the result of its onboarding.
    Onboard(Onboarded),
    /// Record the result of its lines.
    Equip(Equipped),
    /// Record support's decision.
    Resolve(Resolution),
}

/// Why a command is refused. A refused command changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// An order of this number was delivered before with other contents.
    #[error("an order of this number was delivered before with other contents")]
    Differs,
    /// The order was never taken.
    #[error("there is no such order")]
    NoSuchOrder,
    /// The order does not wait for this decision.
    #[error("the order does not wait for this decision")]
    NotAwaiting,
    /// Support made another decision about it before.
    #[error("support made another decision about this order before")]
    Resolved,
    /// The company that ordered was erased before the order was carried out.
    #[error("the company of this order was erased")]
    CompanyErased,
}

/// Decides a command. The same order delivered twice changes nothing the second time.
///
/// # Errors
/// [`Refusal::Differs`] if the number was used for an order with other contents. The other refusals say what does not
/// fit.
pub fn decide(order: &Order, command: Command) -> Result<Vec<Event>, Refusal> {
    match (order, command) {
        (Order::Absent, Command::Receive { content, company, account, person }) => {
            Ok(vec![Event::OrderReceived { content, company, account, person: Erasable::Known(person) }])
        }
        (Order::Received(received), Command::Receive { content, person, .. }) => {
            let same_person =
                received.person.known().is_none_or(|known| known.composed() == person.composed());
            if received.content.is_again(&content) && same_person {
                Ok(Vec::new())
            } else {
                Err(Refusal::Differs)
            }
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
            let fewer = received.awaits_serials() && done.refused.len() < received.refused.len();
            Ok((!received.equipped || fewer).then_some(Event::OrderEquipped(done)).into_iter().collect())
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

/// An order gets one decision, and only if it waits for one. The same decision again changes nothing.
fn resolve(received: &Received, resolution: Resolution) -> Result<Vec<Event>, Refusal> {
    if let Some(decided) = received.resolution {
        return if decided == resolution { Ok(Vec::new()) } else { Err(Refusal::Resolved) };
    }
    let contact = received.awaits_contact().is_some();
    let (waits, about) = match resolution {
        Resolution::ContactNamed { account_id } => (contact, Some(account_id)),
        Resolution::NobodyAdded => {
            let about = received.person.known().map(|_| received.account);
            (contact || !received.refused.is_empty(), about)
        }
    };
    if waits { Ok(vec![Event::OrderResolved { resolution, about }]) } else { Err(Refusal::NotAwaiting) }
}

/// The order after one more event.
#[must_use]
pub fn evolve(order: Order, fact: &Fact<Event>) -> Order {
    match (order, &fact.event) {
        (Order::Absent, Event::OrderReceived { content, company, account, person }) => {
            Order::Received(Box::new(Received {
                content: (**content).clone(),
                company: *company,
                account: *account,
                person: person.clone(),
                onboarded: None,
                equipped: false,
                refused: Vec::new(),
                present: Vec::new(),
                resolution: None,
            }))
        }
        (Order::Received(mut received), Event::OrderOnboarded { company, account, outcome }) => {
            received.onboarded = Some(Onboarded { company: *company, account: *account, outcome: *outcome });
            Order::Received(received)
        }
        (Order::Received(mut received), Event::OrderEquipped(equipped)) => {
            received.equipped = true;
            received.refused.clone_from(&equipped.refused);
            received.present.extend(equipped.present.iter().cloned());
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
