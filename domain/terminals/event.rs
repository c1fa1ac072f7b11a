//! The events of a company's terminals. [`crate::schema`] freezes their stored names.

use serde::{Deserialize, Serialize};

use crate::ids::{AccountId, CompanyId, OrderId, SiteId, TakeOverId, TerminalId};
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

/// Why a terminal is released from its company. The names are part of the storage format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseCause {
    /// The company sent it back to the supplier.
    Returned,
    /// Another terminal took its place.
    Replaced,
    /// The company sold it on.
    SoldOn,
}

impl ReleaseCause {
    /// Every cause.
    pub const ALL: [Self; 3] = [Self::Returned, Self::Replaced, Self::SoldOn];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Returned => "returned",
            Self::Replaced => "replaced",
            Self::SoldOn => "sold_on",
        }
    }
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
    /// A terminal was released from the company. It belongs to nobody, and its serial number becomes free. If somebody
    /// orders the number again, that is a new terminal with a new id.
    TerminalFreed {
        /// The terminal.
        terminal: TerminalId,
        /// The site where it was.
        site: SiteId,
        /// Its serial number, if it is known.
        serial: Option<SerialNumber>,
        /// Why.
        cause: ReleaseCause,
        /// The account whose key encrypts the reason that was given in words. `None` if no reason was given.
        about: Option<AccountId>,
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
