//! The claim on a serial number. Each number has its own stream, so only one terminal can have it, even if two
//! companies name it at the same time.

use std::convert::Infallible;

use crate::Moment;
use crate::decider::Decider;
use crate::fact::Fact;
use crate::ids::{OrderId, TerminalId};
use crate::policies::Policies;
use crate::stream::StreamId;
use crate::values::serial_number::SerialNumber;

/// The category of these streams: the first part of their names. Part of the storage format: never change it.
pub const CATEGORY: &str = "serial";

/// The stream of the claim on a serial number. All spellings of a number have one stream.
#[must_use]
pub fn stream(serial: &SerialNumber) -> StreamId {
    StreamId::new(CATEGORY, &serial.key())
}

/// The stream in which an older version claimed this spelling of a number: its name had the hyphens. Returns `None` if
/// the spelling has none.
#[must_use]
pub fn older_stream(serial: &SerialNumber) -> Option<StreamId> {
    let older = StreamId::new(CATEGORY, serial.as_str());
    (older != stream(serial)).then_some(older)
}

/// The number of a claim, if an older version made it in a stream whose name has hyphens.
#[must_use]
pub fn spelled_in_older(stream: &StreamId) -> Option<SerialNumber> {
    let serial = SerialNumber::parse(stream.id()).ok().filter(|_| stream.category() == CATEGORY)?;
    (older_stream(&serial).as_ref() == Some(stream)).then_some(serial)
}

/// The terminal that has a serial number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SerialClaim {
    /// The terminal, and the order that brought the number. The order is `None` if the number was recorded later.
    pub held: Option<(TerminalId, Option<OrderId>)>,
}

/// Something that happened to a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The number belongs to this terminal now.
    SerialClaimed {
        /// The terminal.
        terminal: TerminalId,
        /// The order. `None` if the number was recorded later.
        order: Option<OrderId>,
    },
    /// The number is free again, because the terminal has another.
    SerialReleased {
        /// The terminal that had it.
        terminal: TerminalId,
    },
}

/// The commands of a claim.
#[derive(Clone, Debug)]
pub enum Command {
    /// Claim the number, if it is free.
    Claim {
        /// The terminal.
        terminal: TerminalId,
        /// The order.
        order: Option<OrderId>,
    },
    /// Free the number, because the terminal has another and will never have this one.
    Release {
        /// The terminal.
        terminal: TerminalId,
    },
}

/// Decides a command. A number that is taken stays with its terminal, and there is no event. A number of another
/// terminal is not freed.
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

/// The claim after one more event.
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
