//! The company: a merchant. Registered by its first order.

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::enterprise_number::EnterpriseNumber;
use crate::fact::Fact;
use crate::ids::OrderId;

/// What is known of a company when it is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Its number and the register that gave it.
    pub number: EnterpriseNumber,
    /// The name in the register.
    pub legal_name: CompanyName,
    /// The name over the door, where it is another.
    pub trading_name: Option<CompanyName>,
    /// The registered office.
    pub registered_office: Address,
}

/// A company's name: 1 to 200 printable characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CompanyName(String);

/// Why a text is no company name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a company's name has 1 to 200 printable characters")]
pub struct InvalidCompanyName;

impl CompanyName {
    /// Takes a name, outer white space dropped.
    ///
    /// # Errors
    /// [`InvalidCompanyName`] where it is empty, over 200 characters, or has control characters.
    pub fn parse(text: &str) -> Result<Self, InvalidCompanyName> {
        let text = text.trim();
        if crate::address::is_text(text, 200) { Ok(Self(text.to_owned())) } else { Err(InvalidCompanyName) }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What can happen to a company.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The company is a customer from here on.
    CompanyRegistered {
        /// The order that brought it, whose contact becomes its administrator.
        order: OrderId,
        /// What was known of it.
        registration: Registration,
    },
}

/// A company that may be registered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Company {
    /// The order that registered it; none while it is no customer.
    pub registered_by: Option<OrderId>,
}

/// What can be asked of a company.
#[derive(Clone, Debug)]
pub enum Command {
    /// Register it, unless it is a customer already.
    Register {
        /// By which order.
        order: OrderId,
        /// What is known of it.
        registration: Registration,
    },
}

/// Decides a command; a company is registered once, and a further order changes nothing about it.
#[must_use]
pub fn decide(company: &Company, command: Command) -> Vec<Event> {
    let Command::Register { order, registration } = command;
    match company.registered_by {
        None => vec![Event::CompanyRegistered { order, registration }],
        Some(_) => Vec::new(),
    }
}

/// The company after one more fact.
#[must_use]
pub fn evolve(_company: Company, fact: &Fact<Event>) -> Company {
    let Event::CompanyRegistered { order, .. } = &fact.event;
    Company { registered_by: Some(order.clone()) }
}
