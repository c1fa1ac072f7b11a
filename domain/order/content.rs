//! The contents of an order.

use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::company::Registration;
use crate::ids::OrderId;
use crate::values::address::Address;
use crate::values::email_address::EmailHash;
use crate::values::erasable::Erasable;
use crate::values::language::Language;
use crate::values::person::Person;
use crate::values::serial_number::SerialNumber;

/// The maximum number of lines in one order.
pub const MAX_LINES: usize = 1_000;

/// Where an order was placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// On the supplier's site.
    Online,
    /// By telephone, by mail or in a shop.
    Offline,
}

/// Terminals of one model for one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The model, by the supplier's name.
    pub model: String,
    /// The number of terminals.
    pub quantity: u32,
    /// Their serial numbers, if they are known: one for each terminal.
    pub serials: Vec<SerialNumber>,
    /// The address that they are delivered to.
    pub delivery_address: Erasable<Address>,
}

/// An order without its contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its number.
    pub id: OrderId,
    /// Where it was placed.
    pub channel: Channel,
    /// When it was placed.
    pub placed_at: Moment,
    /// The company that ordered.
    pub company: Erasable<Registration>,
    /// The language of its contact.
    pub language: Language,
    /// The keyed hash of the contact's e-mail address. Finds the contact.
    pub email_hash: EmailHash,
    /// The lines. They are kept because sites are opened for them.
    pub lines: Vec<Line>,
}

impl Order {
    /// Whether an order that is delivered again is this order, as far as this one can still be read.
    #[must_use]
    pub fn is_again(&self, delivered: &Self) -> bool {
        let mut delivered = delivered.clone();
        if self.company.known().is_none() {
            delivered.company = Erasable::Erased;
        }
        for (held, line) in self.lines.iter().zip(&mut delivered.lines) {
            if held.delivery_address.known().is_none() {
                line.delivery_address = Erasable::Erased;
            }
        }
        *self == delivered
    }
}

/// The person who placed the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// The name and the e-mail address.
    pub person: Person,
    /// The preferred language.
    pub language: Language,
}
