//! The events of a company's terminals. [`crate::schema`] freezes their stored names.

use serde::{Deserialize, Serialize};

use crate::ids::{CompanyId, OrderId, SiteId, TakeOverId, TerminalId};
use crate::values::serial_number::SerialNumber;
use crate::values::terminal_model::TerminalModel;

/// A terminal that moves from one company to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MovedTerminal {
    /// Its id.
    pub terminal: TerminalId,
    /// Its model.
    pub model: TerminalModel,
    /// Its serial number, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<SerialNumber>,
    /// Its site.
    pub site: SiteId,
}

/// Something that happened to a company's terminals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A terminal was ordered to a site.
    TerminalAdded {
        /// The terminal.
        terminal: TerminalId,
        /// Its model.
        model: TerminalModel,
        /// Its serial number, if it is known.
        serial: Option<SerialNumber>,
        /// The site.
        site: SiteId,
        /// The order.
        order: OrderId,
    },
    /// A terminal was assigned to another site.
    TerminalAssigned {
        /// The terminal.
        terminal: TerminalId,
        /// The site before.
        from: SiteId,
        /// The site now.
        to: SiteId,
    },
    /// The serial number of a terminal was recorded.
    TerminalSerialNoted {
        /// The terminal.
        terminal: TerminalId,
        /// Its serial number.
        serial: SerialNumber,
    },
    /// Sites left for another company, with all their terminals.
    TerminalsReleased {
        /// The take-over.
        takeover: TakeOverId,
        /// The company that gets them.
        to: CompanyId,
        /// The sites, also those without a terminal. No terminal can be assigned to them any more.
        sites: Vec<SiteId>,
        /// The terminals.
        terminals: Vec<TerminalId>,
    },
    /// Sites came from another company, with all their terminals.
    TerminalsReceived {
        /// The take-over.
        takeover: TakeOverId,
        /// The company that gave them.
        from: CompanyId,
        /// The sites.
        sites: Vec<SiteId>,
        /// The terminals.
        terminals: Vec<MovedTerminal>,
    },
}
