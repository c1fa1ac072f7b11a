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

/// A terminal, and the order that brought its serial number. The order is `None` if the number was recorded later.
pub type Holder = (TerminalId, Option<OrderId>);

/// The terminal that has a serial number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SerialClaim {
    /// The terminal that has it now.
    pub held: Option<Holder>,
    /// The terminals that had it before, the first one first.
    pub former: Vec<Holder>,
    /// The orders that named the number while another company's terminal had it, the first one first.
    pub awaited: Vec<OrderId>,
}

impl SerialClaim {
    /// The terminal for which an order claimed the number, now or before.
    #[must_use]
    pub fn claimed_by(&self, order: &OrderId) -> Option<TerminalId> {
        let mut holders = self.held.iter().chain(&self.former);
        holders.find(|(_, by)| by.as_ref() == Some(order)).map(|(terminal, _)| *terminal)
    }

    /// All terminals that have or had the number, the newest first.
    pub fn terminals(&self) -> impl Iterator<Item = TerminalId> {
        self.held.iter().chain(self.former.iter().rev()).map(|(terminal, _)| *terminal)
    }

    /// The id of the next terminal that an order brings with this number.
    fn next_terminal(&self, serial: &SerialNumber) -> TerminalId {
        let (mut times, mut terminal) = (0, TerminalId::of_serial(serial, 0));
        while self.former.iter().any(|(former, _)| *former == terminal) {
            times += 1;
            terminal = TerminalId::of_serial(serial, times);
        }
        terminal
    }
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
    /// The number is free again: the terminal has another number, or it was released from its company.
    SerialReleased {
        /// The terminal that had it.
        terminal: TerminalId,
    },
    /// An order named the number, but another company's terminal has it. The order gets it when it becomes free.
    SerialAwaited {
        /// The order.
        order: OrderId,
    },
}

/// The commands of a claim.
#[derive(Clone, Debug)]
pub enum Command {
    /// Claim the number for a terminal that was ordered without one, if it is free.
    Claim {
        /// The terminal.
        terminal: TerminalId,
    },
    /// Claim the number for an order, if it is free. An order claims a number once: if its terminal was released
    /// since, the order does not get the number again.
    ClaimForOrder {
        /// The number of this stream.
        serial: SerialNumber,
        /// The order.
        order: OrderId,
    },
    /// Claim the number as an older version did in another stream, if it is free and was not released since.
    Adopt {
        /// Who has the number in the other stream.
        holder: Holder,
    },
    /// Record that an order waits for the number, if a terminal has it.
    Await {
        /// The order.
        order: OrderId,
    },
    /// Free the number: the terminal has another, or it was released from its company.
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
        (Command::Claim { terminal }, None) => vec![Event::SerialClaimed { terminal, order: None }],
        (Command::ClaimForOrder { serial, order }, None) if claim.claimed_by(&order).is_none() => {
            vec![Event::SerialClaimed { terminal: claim.next_terminal(&serial), order: Some(order) }]
        }
        (Command::Adopt { holder: (terminal, order) }, None)
            if claim.former.iter().all(|(former, _)| *former != terminal) =>
        {
            vec![Event::SerialClaimed { terminal, order }]
        }
        (Command::Await { order }, Some(_)) if !claim.awaited.contains(&order) => {
            vec![Event::SerialAwaited { order }]
        }
        (Command::Release { terminal }, Some((holder, _))) if *holder == terminal => {
            vec![Event::SerialReleased { terminal }]
        }
        _ => Vec::new(),
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
pub fn evolve(mut claim: SerialClaim, fact: &Fact<Event>) -> SerialClaim {
    match &fact.event {
        Event::SerialClaimed { terminal, order } => {
            claim.awaited.retain(|waiting| Some(waiting) != order.as_ref());
            claim.held.get_or_insert_with(|| (*terminal, order.clone()));
        }
        Event::SerialReleased { terminal } => {
            claim.former.extend(claim.held.take_if(|(holder, _)| holder == terminal));
        }
        Event::SerialAwaited { order } => claim.awaited.push(order.clone()),
    }
    claim
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(n: u32) -> OrderId {
        OrderId::parse(&format!("SO-{n}")).unwrap()
    }

    fn tell(claim: &mut SerialClaim, command: Command) -> Vec<Event> {
        let events = decide(claim, command);
        for event in &events {
            *claim = evolve(claim.clone(), &Fact::told(event.clone()));
        }
        events
    }

    fn ordered(claim: &mut SerialClaim, n: u32) -> Option<TerminalId> {
        let serial = SerialNumber::parse("S-1").unwrap();
        tell(claim, Command::ClaimForOrder { serial, order: order(n) });
        claim.claimed_by(&order(n))
    }

    #[test]
    fn a_number_that_is_taken_is_free_for_another_order_after_its_release() {
        let mut claim = SerialClaim::default();
        let first = ordered(&mut claim, 1).unwrap();
        assert_eq!(ordered(&mut claim, 2), None);
        assert_eq!(tell(&mut claim, Command::Release { terminal: first }).len(), 1);
        assert!(tell(&mut claim, Command::Release { terminal: first }).is_empty());
        let second = ordered(&mut claim, 2).unwrap();
        assert_ne!(second, first, "another company's terminal has an id of its own");
        assert!(
            tell(&mut claim, Command::Release { terminal: first }).is_empty(),
            "it is no longer the first's"
        );
        assert_eq!(claim.terminals().collect::<Vec<_>>(), [second, first]);
    }

    #[test]
    fn an_order_that_is_continued_after_its_terminal_was_released_claims_nothing_again() {
        let mut claim = SerialClaim::default();
        let first = ordered(&mut claim, 1).unwrap();
        tell(&mut claim, Command::Release { terminal: first });
        assert_eq!(ordered(&mut claim, 1), Some(first));
        assert_eq!(claim.held, None);
    }

    #[test]
    fn a_claim_of_an_older_version_is_adopted_once_and_not_after_its_release() {
        let mut claim = SerialClaim::default();
        let terminal = TerminalId::of_order(&order(1), 0, 0);
        let adopt = Command::Adopt { holder: (terminal, Some(order(1))) };
        assert_eq!(tell(&mut claim, adopt.clone()).len(), 1);
        assert!(tell(&mut claim, adopt.clone()).is_empty());
        assert_eq!(ordered(&mut claim, 1), Some(terminal));
        tell(&mut claim, Command::Release { terminal });
        assert!(tell(&mut claim, adopt).is_empty());
    }

    #[test]
    fn an_order_waits_once_and_only_while_a_terminal_has_the_number() {
        let mut claim = SerialClaim::default();
        assert!(
            tell(&mut claim, Command::Await { order: order(2) }).is_empty(),
            "it can have the number now"
        );
        let first = ordered(&mut claim, 1).unwrap();
        assert_eq!(tell(&mut claim, Command::Await { order: order(2) }).len(), 1);
        assert!(tell(&mut claim, Command::Await { order: order(2) }).is_empty());
        tell(&mut claim, Command::Release { terminal: first });
        assert_eq!(claim.awaited, [order(2)]);
        assert!(ordered(&mut claim, 2).is_some());
        assert!(claim.awaited.is_empty());
    }
}
