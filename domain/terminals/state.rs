//! What of a terminals' history matters to the next decision.

use std::collections::{BTreeMap, BTreeSet};

use super::MovedTerminal;
use crate::ids::{SiteId, TakeOverId, TerminalId};
use crate::persistent_map::PersistentMap;
use crate::values::serial_number::SerialNumber;
use crate::values::terminal_model::TerminalModel;

/// A company's terminals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terminals {
    /// Each of them.
    pub held: PersistentMap<TerminalId, Terminal>,
    /// Sites that went to another company: nothing is assigned there any more.
    pub(super) gone: BTreeSet<SiteId>,
    /// The take-overs whose terminals have come, and those whose terminals have gone, with the terminals.
    pub(super) moved: BTreeMap<TakeOverId, Vec<MovedTerminal>>,
}

/// A terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terminal {
    /// Its model.
    pub model: TerminalModel,
    /// Its number, where it is known.
    pub serial: Option<SerialNumber>,
    /// At which site it stands: one at a time.
    pub site: SiteId,
}

impl Terminals {
    /// The terminals at a site.
    pub fn at(&self, site: SiteId) -> impl Iterator<Item = (TerminalId, &Terminal)> {
        self.held.iter().filter(move |(_, terminal)| terminal.site == site)
    }

    /// The terminals that went with a take-over, as they were then.
    #[must_use]
    pub fn moved_by(&self, takeover: TakeOverId) -> Option<&[MovedTerminal]> {
        self.moved.get(&takeover).map(Vec::as_slice)
    }
}
