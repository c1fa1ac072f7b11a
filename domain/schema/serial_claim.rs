//! The stored form of the events of a serial number claim.

use crate::ids::{OrderId, TerminalId};
use crate::serial_claim::Event;

stored_events!(SerialClaim:
    "serial-claimed" => SerialClaimed {
        terminal as "terminal_id": TerminalId,
        order as "order_id": Option<OrderId>,
    },
    "serial-released" => SerialReleased {
        terminal as "terminal_id": TerminalId,
    },
    "serial-awaited" => SerialAwaited {
        order as "order_id": OrderId,
    },
);
