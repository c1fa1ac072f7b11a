//! The claim on a serial number: one stream a number, so that a terminal is one company's, whoever orders it
//! or has it noted at the same moment.

use crate::fact::Fact;
use crate::ids::{OrderId, TerminalId};

/// Which terminal has the number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SerialClaim {
    /// The terminal, and the order that brought the number, where one did.
    pub held: Option<(TerminalId, Option<OrderId>)>,
}

/// What can happen to a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The number is this terminal's for ever.
    SerialClaimed {
        /// Whose.
        terminal: TerminalId,
        /// By which order; none where somebody noted it later.
        order: Option<OrderId>,
    },
}

/// What can be asked of a claim.
#[derive(Clone, Debug)]
pub enum Command {
    /// Claim a free number, or learn whose it is.
    Claim {
        /// For which terminal.
        terminal: TerminalId,
        /// By which order.
        order: Option<OrderId>,
    },
}

/// Decides a command; a number that is taken stays with its terminal, without an event.
#[must_use]
pub fn decide(claim: &SerialClaim, command: Command) -> Vec<Event> {
    let Command::Claim { terminal, order } = command;
    match claim.held {
        None => vec![Event::SerialClaimed { terminal, order }],
        Some(_) => Vec::new(),
    }
}

/// The claim after one more fact.
#[must_use]
pub fn evolve(claim: SerialClaim, fact: &Fact<Event>) -> SerialClaim {
    let Event::SerialClaimed { terminal, order } = &fact.event;
    SerialClaim { held: claim.held.or_else(|| Some((*terminal, order.clone()))) }
}
