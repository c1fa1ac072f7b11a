//! The contents of an order.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Moment;
use crate::company::{CompanyName, Registration};
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
        self.comparable() == delivered.comparable()
    }

    /// The order without the differences in spelling that do not matter: two spellings of an address are one address, and
    /// accents are one however they are composed (Unicode NFC).
    fn comparable(&self) -> Self {
        let mut order = self.clone();
        if let Erasable::Known(company) = &mut order.company {
            company.registered_office = folded(&company.registered_office);
            company.legal_name = company.legal_name.composed();
            company.trading_name = company.trading_name.as_ref().map(CompanyName::composed);
        }
        for line in &mut order.lines {
            if let Erasable::Known(address) = &mut line.delivery_address {
                *address = folded(address);
            }
        }
        order
    }
}

/// An address that is equal for every spelling of it.
fn folded(address: &Address) -> Address {
    let key = Uuid::from(address.key()).to_string();
    Address {
        street: key,
        number: String::new(),
        r#box: None,
        postal_code: String::new(),
        town: String::new(),
        ..address.clone()
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
