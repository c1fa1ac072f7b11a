//! The rules of terminals: each stands at exactly one site of its company at a time.

use std::collections::BTreeSet;

use super::{CATEGORY, Event, MovedTerminal, Terminal, Terminals, evolve};
use crate::Moment;
use crate::decider::Decider;
use crate::fact::Fact;
use crate::ids::{CompanyId, OrderId, SiteId, TakeOverId, TerminalId};
use crate::policies::Policies;
use crate::values::serial_number::SerialNumber;
use crate::values::terminal_model::TerminalModel;

/// A terminal that was ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Which.
    pub terminal: TerminalId,
    /// Its model.
    pub model: TerminalModel,
    /// Its number, where it is known.
    pub serial: Option<SerialNumber>,
    /// To which site.
    pub site: SiteId,
}

/// Where a terminal is to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Which.
    pub terminal: TerminalId,
    /// At which site of the company; whoever asks knows that it is one.
    pub to: SiteId,
}

/// A wish that the rules may refuse.
#[derive(Clone, Debug)]
pub enum Command {
    /// Add what was ordered and is not there yet.
    Add {
        /// By which order.
        order: OrderId,
        /// What.
        units: Vec<Unit>,
    },
    /// Assign terminals to sites, all of them or none.
    Assign(Vec<Assignment>),
    /// Note the number of a terminal that was ordered without.
    NoteSerial {
        /// Which.
        terminal: TerminalId,
        /// Its number, claimed for it.
        serial: SerialNumber,
    },
    /// Let the terminals at these sites go to another company.
    Release {
        /// By which take-over.
        takeover: TakeOverId,
        /// To whom.
        to: CompanyId,
        /// At which sites.
        sites: Vec<SiteId>,
    },
    /// Take terminals from another company.
    Receive {
        /// By which take-over.
        takeover: TakeOverId,
        /// From whom.
        from: CompanyId,
        /// The sites that come.
        sites: Vec<SiteId>,
        /// The terminals there.
        terminals: Vec<MovedTerminal>,
    },
}

/// Why a command changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The company has no such terminal.
    #[error("the company has no terminal {0}")]
    NoSuchTerminal(TerminalId),
    /// The site went to another company meanwhile.
    #[error("site {0} went to another company")]
    SiteGone(SiteId),
    /// The same terminal twice in one list.
    #[error("terminal {0} is named twice")]
    Twice(TerminalId),
    /// It has a number, and it is another.
    #[error("the terminal has another serial number")]
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

/// Delivering an order again adds nothing: its terminals are known by the order and the line. Nothing is added at a
/// site that a take-over carried away meanwhile.
fn add(state: &Terminals, order: &OrderId, units: Vec<Unit>) -> Result<Vec<Event>, Refusal> {
    let mut seen = BTreeSet::new();
    let gone: BTreeSet<TerminalId> = state.moved.values().flatten().map(|moved| moved.terminal).collect();
    let new = units.into_iter().filter(|unit| {
        let id = unit.terminal;
        !state.held.contains(id) && seen.insert(id) && !gone.contains(&id)
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

fn stands(state: &Terminals, site: SiteId) -> Result<(), Refusal> {
    if state.gone.contains(&site) { Err(Refusal::SiteGone(site)) } else { Ok(()) }
}

fn held(state: &Terminals, terminal: TerminalId) -> Result<&Terminal, Refusal> {
    state.held.get(terminal).ok_or(Refusal::NoSuchTerminal(terminal))
}
