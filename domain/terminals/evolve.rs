//! How each event changes the terminals. Every event is accepted (law 8).

use super::{Event, MovedTerminal, Terminal, Terminals};
use crate::fact::Fact;

/// The terminals after one more event.
#[must_use]
pub fn evolve(mut state: Terminals, fact: &Fact<Event>) -> Terminals {
    match &fact.event {
        Event::TerminalAdded { terminal, model, serial, site, .. } => {
            let added = Terminal { model: model.clone(), serial: serial.clone(), site: *site };
            state.held.insert(*terminal, added);
        }
        Event::TerminalAssigned { terminal, to, .. } => {
            state.held.change(*terminal, |held| held.site = *to);
        }
        Event::TerminalSerialNoted { terminal, serial } => {
            state.held.change(*terminal, |held| held.serial = Some(serial.clone()));
        }
        Event::TerminalFreed { terminal, serial, .. } => {
            state.held.remove(*terminal);
            state.freed.insert(*terminal, serial.clone());
        }
        Event::TerminalsReleased { takeover, sites, terminals, .. } => {
            state.gone.extend(sites);
            let gone = terminals.iter().filter_map(|terminal| {
                let held = state.held.remove(*terminal)?;
                let Terminal { model, serial, site } = held;
                Some(MovedTerminal { terminal: *terminal, model, serial, site })
            });
            let gone: Vec<MovedTerminal> = gone.collect();
            for moved in &gone {
                state.left.insert(moved.terminal, ());
            }
            state.moved.insert(*takeover, gone);
        }
        Event::TerminalsReceived { takeover, sites, terminals, .. } => {
            state.gone.retain(|site| !sites.contains(site));
            state.moved.insert(*takeover, Vec::new());
            for MovedTerminal { terminal, model, serial, site } in terminals {
                let came = Terminal { model: model.clone(), serial: serial.clone(), site: *site };
                state.left.remove(*terminal);
                state.held.insert(*terminal, came);
            }
        }
    }
    state
}
