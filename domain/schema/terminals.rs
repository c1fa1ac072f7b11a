//! The stored form of the events of a company's terminals.

use crate::ids::{AccountId, CompanyId, OrderId, SiteId, TakeOverId, TerminalId};
use crate::terminals::{Event, MovedTerminal, ReleaseCause};
use crate::values::serial_number::SerialNumber;
use crate::values::terminal_model::TerminalModel;

stored_events!(Terminals:
    "terminal-added" => TerminalAdded {
        terminal as "terminal_id": TerminalId,
        model as "model": TerminalModel,
        serial as "serial": Option<SerialNumber>,
        site as "site_id": SiteId,
        order as "order_id": OrderId,
    },
    "terminal-assigned" => TerminalAssigned {
        terminal as "terminal_id": TerminalId,
        from as "from_site_id": SiteId,
        to as "to_site_id": SiteId,
    },
    "terminal-serial-noted" => TerminalSerialNoted {
        terminal as "terminal_id": TerminalId,
        serial as "serial": SerialNumber,
    },
    "terminal-freed" => TerminalFreed {
        terminal as "terminal_id": TerminalId,
        site as "site_id": SiteId,
        serial as "serial": Option<SerialNumber>,
        cause as "cause": ReleaseCause,
        about as "about": Option<AccountId>,
    } subject { about },
    "terminals-released" => TerminalsReleased {
        takeover as "takeover_id": TakeOverId,
        to as "to_company_id": CompanyId,
        sites as "site_ids": Vec<SiteId>,
        terminals as "terminal_ids": Vec<TerminalId>,
    },
    "terminals-received" => TerminalsReceived {
        takeover as "takeover_id": TakeOverId,
        from as "from_company_id": CompanyId,
        sites as "site_ids": Vec<SiteId>,
        terminals as "terminals": Vec<MovedTerminal>,
    },
);
