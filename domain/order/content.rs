//! What an order says.

use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::company::Registration;
use crate::ids::OrderId;
use crate::values::address::Address;
use crate::values::email_address::EmailHash;
use crate::values::language::Language;
use crate::values::person::Person;

/// How many lines one order may have.
pub const MAX_LINES: usize = 1_000;

/// Where an order was placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// On the supplier's site.
    Online,
    /// By telephone, by mail or at the counter.
    Offline,
}

/// Terminals of one model for one address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The model, in the supplier's words.
    pub model: String,
    /// How many.
    pub quantity: u32,
    /// Their serial numbers, where they are known: as many as the quantity.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub serials: Vec<String>,
    /// Where they go.
    pub delivery_address: Address,
}

/// An order, without who its contact is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its number.
    pub id: OrderId,
    /// Where it was placed.
    pub channel: Channel,
    /// When.
    pub placed_at: Moment,
    /// Who ordered.
    pub company: Registration,
    /// In which language its contact is written to.
    pub language: Language,
    /// What finds its contact.
    pub email_hash: EmailHash,
    /// What was ordered. Kept for the sites that it opens.
    pub lines: Vec<Line>,
}

/// Who placed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Name and address.
    pub person: Person,
    /// Preferred language.
    pub language: Language,
}
