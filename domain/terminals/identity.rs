//! The names of the streams of companies' terminals, and the ids of terminals that follow from an order.

use uuid::Uuid;

use crate::ids::{CompanyId, LOQUET, OrderId, TerminalId};
use crate::stream::StreamId;
use crate::values::serial_number::SerialNumber;

/// What the names of the streams of companies' terminals begin with. Part of the storage format: never change it.
pub const CATEGORY: &str = "terminals";

/// The stream of a company's terminals.
#[must_use]
pub fn stream(company: CompanyId) -> StreamId {
    StreamId::new(CATEGORY, &company.to_string())
}

impl TerminalId {
    /// The terminal with this serial number, whoever ordered it.
    #[must_use]
    pub fn of_serial(serial: &SerialNumber) -> Self {
        Self(Uuid::new_v5(&LOQUET, format!("terminal/{serial}").as_bytes()))
    }

    /// A terminal whose serial number was not known when it was ordered: the `unit`th of an order's `line`,
    /// both counted from zero.
    #[must_use]
    pub fn of_order(order: &OrderId, line: usize, unit: u32) -> Self {
        Self(Uuid::new_v5(&LOQUET, format!("order/{order}/line/{line}/terminal/{unit}").as_bytes()))
    }
}
