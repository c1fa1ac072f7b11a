//! What can happen to a company's terminals. Stored names are frozen in [`crate::schema`].

use serde::{Deserialize, Serialize};

use crate::ids::{CompanyId, OrderId, SiteId, TakeOverId, TerminalId};
use crate::values::serial_number::SerialNumber;
use crate::values::terminal_model::TerminalModel;

/// A terminal as it goes from one company to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MovedTerminal {
    /// Which.
    pub terminal: TerminalId,
    /// Its model.
    pub model: TerminalModel,
    /// Its number, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<SerialNumber>,
    /// At which site it stands.
    pub site: SiteId,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A terminal was ordered to a site.
    TerminalAdded {
        /// Which.
        terminal: TerminalId,
        /// Its model.
        model: TerminalModel,
        /// Its number, where it is known.
        serial: Option<SerialNumber>,
        /// To which site.
        site: SiteId,
        /// By which order.
        order: OrderId,
    },
    /// A terminal stands elsewhere.
    TerminalAssigned {
        /// Which.
        terminal: TerminalId,
        /// Where it stood.
        from: SiteId,
        /// Where it stands.
        to: SiteId,
    },
    /// The number of a terminal became known.
    TerminalSerialNoted {
        /// Which.
        terminal: TerminalId,
        /// Its number.
        serial: SerialNumber,
    },
    /// Sites go to another company and every terminal there with them.
    TerminalsReleased {
        /// By which take-over.
        takeover: TakeOverId,
        /// To whom.
        to: CompanyId,
        /// The sites, those without a terminal among them: nothing is assigned there any more.
        sites: Vec<SiteId>,
        /// The terminals.
        terminals: Vec<TerminalId>,
    },
    /// Sites come from another company and every terminal there with them.
    TerminalsReceived {
        /// By which take-over.
        takeover: TakeOverId,
        /// From whom.
        from: CompanyId,
        /// The sites.
        sites: Vec<SiteId>,
        /// The terminals.
        terminals: Vec<MovedTerminal>,
    },
}
