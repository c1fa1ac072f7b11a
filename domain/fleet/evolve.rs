//! What each event changes. Total (law 8).

use super::{Event, Fleet, MovedTerminal, Terminal};
use crate::fact::Fact;

/// The fleet after one more fact.
#[must_use]
pub fn evolve(mut fleet: Fleet, fact: &Fact<Event>) -> Fleet {
    match &fact.event {
        Event::TerminalAdded { terminal, model, serial, site, .. } => {
            let added = Terminal { model: model.clone(), serial: serial.clone(), site: *site };
            fleet.terminals.insert(*terminal, added);
        }
        Event::TerminalAssigned { terminal, to, .. } => {
            fleet.terminals.change(*terminal, |held| held.site = *to);
        }
        Event::TerminalSerialNoted { terminal, serial } => {
            fleet.terminals.change(*terminal, |held| held.serial = Some(serial.clone()));
        }
        Event::TerminalsReleased { takeover, sites, terminals, .. } => {
            fleet.gone.extend(sites);
            let gone = terminals.iter().filter_map(|terminal| {
                let held = fleet.terminals.remove(*terminal)?;
                let Terminal { model, serial, site } = held;
                Some(MovedTerminal { terminal: *terminal, model, serial, site })
            });
            let gone = gone.collect();
            fleet.moved.insert(*takeover, gone);
        }
        Event::TerminalsReceived { takeover, sites, terminals, .. } => {
            fleet.gone.retain(|site| !sites.contains(site));
            fleet.moved.insert(*takeover, Vec::new());
            for MovedTerminal { terminal, model, serial, site } in terminals {
                let came = Terminal { model: model.clone(), serial: serial.clone(), site: *site };
                fleet.terminals.insert(*terminal, came);
            }
        }
    }
    fleet
}
