//! The names of the streams of terminals, and the ids of terminals that are derived from an order.

use uuid::Uuid;

use crate::ids::{CompanyId, LOQUET, OrderId, TerminalId};
use crate::stream::StreamId;
use crate::values::serial_number::SerialNumber;

/// The category of these streams: the first part of their names. Part of the storage format: never change it.
pub const CATEGORY: &str = "terminals";

/// The stream of a company's terminals.
#[must_use]
pub fn stream(company: CompanyId) -> StreamId {
    StreamId::new(CATEGORY, &company.to_string())
}

impl TerminalId {
    /// The id of the terminal with this serial number, in any spelling. It does not depend on the order. `times` is how
    /// often a terminal with this number was released before. So each company that has the terminal knows it under an id
    /// of its own.
    #[must_use]
    pub fn of_serial(serial: &SerialNumber, times: u32) -> Self {
        let first = format!("terminal/{}", serial.key());
        let name = if times == 0 { first } else { format!("{first}/{times}") };
        Self(Uuid::new_v5(&LOQUET, name.as_bytes()))
    }

    /// The id of a terminal that was ordered without a serial number: number `unit` of the order's `line`. Both count
    /// from zero.
    #[must_use]
    pub fn of_order(order: &OrderId, line: usize, unit: u32) -> Self {
        Self(Uuid::new_v5(&LOQUET, format!("order/{order}/line/{line}/terminal/{unit}").as_bytes()))
    }
}
