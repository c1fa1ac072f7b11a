//! The rules of terminals: a terminal is at exactly one site of its company at a time.

use std::collections::BTreeSet;

use super::{CATEGORY, Event, MovedTerminal, ReleaseCause, Terminal, Terminals, evolve};
use crate::Moment;
use crate::decider::Decider;
use crate::fact::Fact;
use crate::ids::{AccountId, CompanyId, OrderId, SiteId, TakeOverId, TerminalId};
use crate::policies::Policies;
use crate::values::serial_number::SerialNumber;
use crate::values::terminal_model::TerminalModel;

/// A terminal to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Its id.
    pub terminal: TerminalId,
    /// Its model.
    pub model: TerminalModel,
    /// Its serial number, if it is known.
    pub serial: Option<SerialNumber>,
    /// The site that it is delivered to.
    pub site: SiteId,
}

/// The assignment of a terminal to a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The terminal.
    pub terminal: TerminalId,
    /// The site. The caller has checked that it belongs to the company.
    pub to: SiteId,
}

/// A command to a company's terminals. The rules may refuse it.
#[derive(Clone, Debug)]
pub enum Command {
    /// Add the terminals of an order that are not there yet.
    Add {
        /// The order.
        order: OrderId,
        /// The terminals.
        units: Vec<Unit>,
    },
    /// Assign terminals to sites: all of them or none.
    Assign(Vec<Assignment>),
    /// Record the serial number of a terminal that was ordered without one.
    NoteSerial {
        /// The terminal.
        terminal: TerminalId,
        /// Its serial number. The number has been claimed for this terminal.
        serial: SerialNumber,
    },
    /// Release a terminal from the company: it was returned, replaced or sold on.
    Free {
        /// The terminal.
        terminal: TerminalId,
        /// Why.
        cause: ReleaseCause,
        /// The account whose key encrypts the reason, if one was given in words.
        about: Option<AccountId>,
    },
    /// Give the terminals at these sites to another company.
    Release {
        /// The take-over.
        takeover: TakeOverId,
        /// The company that gets them.
        to: CompanyId,
        /// The sites.
        sites: Vec<SiteId>,
    },
    /// Receive terminals from another company.
    Receive {
        /// The take-over.
        takeover: TakeOverId,
        /// The company that gives them.
        from: CompanyId,
        /// The sites that move.
        sites: Vec<SiteId>,
        /// The terminals at these sites.
        terminals: Vec<MovedTerminal>,
    },
}

/// Why a command is refused. A refused command changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The company has no such terminal.
    #[error("the company has no terminal {0}")]
    NoSuchTerminal(TerminalId),
    /// The site has moved to another company.
    #[error("site {0} has moved to another company")]
    SiteGone(SiteId),
    /// A list names the same terminal twice.
    #[error("terminal {0} is named twice")]
    Twice(TerminalId),
    /// A take-over moved the terminal to another company.
    #[error("terminal {0} has moved to another company")]
    TerminalGone(TerminalId),
    /// The terminal has a different serial number.
    #[error("the terminal has a different serial number")]
    OtherSerial,
}

/// Decides a command.
///
/// # Errors
/// The rule that refuses, as a [`Refusal`].
pub fn decide(state: &Terminals, command: Command) -> Result<Vec<Event>, Refusal> {
    match command {
        Command::Add { order, units } => add(state, &order, units),
        Command::Assign(assignments) => assign(state, &assignments),
        Command::NoteSerial { terminal, serial } => match &held(state, terminal)?.serial {
            None => Ok(vec![Event::TerminalSerialNoted { terminal, serial }]),
            Some(known) if *known == serial => Ok(Vec::new()),
            Some(_) => Err(Refusal::OtherSerial),
        },
        Command::Free { terminal, cause, about } => free(state, terminal, cause, about),
        Command::Release { takeover, .. } | Command::Receive { takeover, .. }
            if state.moved.contains_key(&takeover) =>
        {
            Ok(Vec::new())
        }
        Command::Release { takeover, to, sites } => {
            let leaving: BTreeSet<SiteId> = sites.iter().copied().collect();
            let mut terminals: Vec<TerminalId> = state
                .held
                .iter()
                .filter(|(_, terminal)| leaving.contains(&terminal.site))
                .map(|(id, _)| id)
                .collect();
            terminals.sort_unstable();
            Ok(vec![Event::TerminalsReleased { takeover, to, sites, terminals }])
        }
        Command::Receive { takeover, from, sites, terminals } => {
            Ok(vec![Event::TerminalsReceived { takeover, from, sites, terminals }])
        }
    }
}

impl Decider for Terminals {
    const CATEGORY: &'static str = CATEGORY;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, _: &Policies, _: Moment, command: Command) -> Result<Vec<Event>, Refusal> {
        decide(self, command)
    }

    fn evolve(self, fact: &Fact<Event>) -> Self {
        evolve(self, fact)
    }
}

/// Adds an order's terminals. A second delivery of the order adds nothing, because its terminals are identified by
/// the order and the line. Adds nothing at a site that a take-over has moved away. Adds no terminal that was released.
fn add(state: &Terminals, order: &OrderId, units: Vec<Unit>) -> Result<Vec<Event>, Refusal> {
    let mut seen = BTreeSet::new();
    let new = units.into_iter().filter(|unit| {
        let id = unit.terminal;
        !state.knows(id) && seen.insert(id)
    });
    let added = |unit: Unit| {
        stands(state, unit.site)?;
        let Unit { terminal, model, serial, site } = unit;
        Ok(Event::TerminalAdded { terminal, model, serial, site, order: order.clone() })
    };
    new.map(added).collect()
}

fn assign(state: &Terminals, assignments: &[Assignment]) -> Result<Vec<Event>, Refusal> {
    let mut seen = BTreeSet::new();
    let mut events = Vec::new();
    for Assignment { terminal, to } in assignments {
        let from = held(state, *terminal)?.site;
        if !seen.insert(*terminal) {
            return Err(Refusal::Twice(*terminal));
        }
        stands(state, *to)?;
        if from != *to {
            events.push(Event::TerminalAssigned { terminal: *terminal, from, to: *to });
        }
    }
    Ok(events)
}

/// A terminal is released once. Asked again, nothing changes.
fn free(
    state: &Terminals,
    terminal: TerminalId,
    cause: ReleaseCause,
    about: Option<AccountId>,
) -> Result<Vec<Event>, Refusal> {
    if state.freed.contains(terminal) {
        return Ok(Vec::new());
    }
    if state.has_left(terminal) {
        return Err(Refusal::TerminalGone(terminal));
    }
    let Terminal { site, serial, .. } = held(state, terminal)?.clone();
    Ok(vec![Event::TerminalFreed { terminal, site, serial, cause, about }])
}

fn stands(state: &Terminals, site: SiteId) -> Result<(), Refusal> {
    if state.gone.contains(&site) { Err(Refusal::SiteGone(site)) } else { Ok(()) }
}

fn held(state: &Terminals, terminal: TerminalId) -> Result<&Terminal, Refusal> {
    state.held.get(terminal).ok_or(Refusal::NoSuchTerminal(terminal))
}
