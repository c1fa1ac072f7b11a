//! The claim on a serial number: one stream a number, so that a terminal is one company's, whoever orders it
//! or has it noted at the same moment.

use std::convert::Infallible;

use crate::Moment;
use crate::decider::Decider;
use crate::fact::Fact;
use crate::ids::{OrderId, TerminalId};
use crate::policies::Policies;
use crate::stream::StreamId;
use crate::values::serial_number::SerialNumber;

/// What the names of these claims' streams begin with. Part of the storage format: never change it.
pub const CATEGORY: &str = "serial";

/// The stream of the claim on a serial number.
#[must_use]
pub fn stream(serial: &SerialNumber) -> StreamId {
    StreamId::new(CATEGORY, serial.as_str())
}

/// Which terminal has the number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SerialClaim {
    /// The terminal, and the order that brought the number, where one did.
    pub held: Option<(TerminalId, Option<OrderId>)>,
}

/// What can happen to a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The number is this terminal's.
    SerialClaimed {
        /// Whose.
        terminal: TerminalId,
        /// By which order; none where somebody noted it later.
        order: Option<OrderId>,
    },
    /// The number is free again: the terminal has another.
    SerialReleased {
        /// Whose it was.
        terminal: TerminalId,
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
    /// Free the number of a terminal that has another and so will never have this one.
    Release {
        /// Which terminal.
        terminal: TerminalId,
    },
}

/// Decides a command; a number that is taken stays with its terminal, without an event, and one that another
/// terminal has is not freed.
#[must_use]
pub fn decide(claim: &SerialClaim, command: Command) -> Vec<Event> {
    match (command, &claim.held) {
        (Command::Claim { terminal, order }, None) => vec![Event::SerialClaimed { terminal, order }],
        (Command::Release { terminal }, Some((holder, _))) if *holder == terminal => {
            vec![Event::SerialReleased { terminal }]
        }
        (Command::Claim { .. }, Some(_)) | (Command::Release { .. }, _) => Vec::new(),
    }
}

impl Decider for SerialClaim {
    const CATEGORY: &'static str = CATEGORY;
    type Command = Command;
    type Event = Event;
    type Refusal = Infallible;

    fn decide(&self, _: &Policies, _: Moment, command: Command) -> Result<Vec<Event>, Infallible> {
        Ok(decide(self, command))
    }

    fn evolve(self, fact: &Fact<Event>) -> Self {
        evolve(self, fact)
    }
}

/// The claim after one more fact.
#[must_use]
pub fn evolve(claim: SerialClaim, fact: &Fact<Event>) -> SerialClaim {
    match &fact.event {
        Event::SerialClaimed { terminal, order } => {
            SerialClaim { held: claim.held.or_else(|| Some((*terminal, order.clone()))) }
        }
        Event::SerialReleased { terminal } => {
            SerialClaim { held: claim.held.filter(|(holder, _)| holder != terminal) }
        }
    }
}
