//! The state of a company's terminals: the part of their history that the next decision needs.

use std::collections::{BTreeMap, BTreeSet};

use super::MovedTerminal;
use crate::ids::{SiteId, TakeOverId, TerminalId};
use crate::persistent_map::PersistentMap;
use crate::values::serial_number::SerialNumber;
use crate::values::terminal_model::TerminalModel;

/// A company's terminals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terminals {
    /// The terminals by id.
    pub held: PersistentMap<TerminalId, Terminal>,
    /// Sites that moved to another company. No terminal can be assigned to them any more.
    pub(super) gone: BTreeSet<SiteId>,
    /// The terminals that were released from this company. None of them is added again.
    pub(super) freed: PersistentMap<TerminalId, Option<SerialNumber>>,
    /// The terminals that take-overs moved to other companies.
    pub(super) left: PersistentMap<TerminalId, ()>,
    /// The completed moves of terminals to and from this company, by take-over.
    pub(super) moved: BTreeMap<TakeOverId, Vec<MovedTerminal>>,
}

/// A terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terminal {
    /// Its model.
    pub model: TerminalModel,
    /// Its serial number, if it is known.
    pub serial: Option<SerialNumber>,
    /// The site where it is.
    pub site: SiteId,
}

impl Terminals {
    /// The terminals at a site.
    pub fn at(&self, site: SiteId) -> impl Iterator<Item = (TerminalId, &Terminal)> {
        self.held.iter().filter(move |(_, terminal)| terminal.site == site)
    }

    /// The serial number of a terminal that was released from this company. `Some(None)`: it had none. `None`: no such
    /// terminal was released.
    #[must_use]
    pub fn freed(&self, terminal: TerminalId) -> Option<Option<&SerialNumber>> {
        self.freed.get(terminal).map(Option::as_ref)
    }

    /// Whether the company has the terminal, or had it before.
    #[must_use]
    pub fn knows(&self, terminal: TerminalId) -> bool {
        self.held.contains(terminal) || self.freed.contains(terminal) || self.has_left(terminal)
    }

    /// Whether the terminal left with a take-over.
    #[must_use]
    pub fn has_left(&self, terminal: TerminalId) -> bool {
        self.left.contains(terminal)
    }

    /// The terminals that left with a take-over, as they were then.
    #[must_use]
    pub fn moved_by(&self, takeover: TakeOverId) -> Option<&[MovedTerminal]> {
        self.moved.get(&takeover).map(Vec::as_slice)
    }
}
