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

    /// The terminals that left with a take-over, as they were then.
    #[must_use]
    pub fn moved_by(&self, takeover: TakeOverId) -> Option<&[MovedTerminal]> {
        self.moved.get(&takeover).map(Vec::as_slice)
    }
}
