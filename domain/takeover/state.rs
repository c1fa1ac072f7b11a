//! What of a take-over's history matters to the next decision.

use std::collections::BTreeSet;

use super::{Event, Side};
use crate::Moment;
use crate::fact::Fact;
use crate::ids::{AccountId, CompanyId, SiteId};

/// A take-over, if it was opened.
pub type TakeOver = Option<Box<Opened>>;

/// How far a take-over is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Both companies are asked.
    Open,
    /// Things are moving.
    Begun,
    /// Everything has moved.
    Completed,
    /// Nothing will move.
    Cancelled,
}

/// A take-over that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The company that gives.
    pub from: CompanyId,
    /// The company that takes.
    pub to: CompanyId,
    /// The sites that go along.
    pub sites: Vec<SiteId>,
    /// The accounts that go along.
    pub accounts: Vec<AccountId>,
    /// Support's own number for it.
    pub reference: String,
    /// When it is expected to be over.
    pub due_at: Moment,
    /// Who agreed.
    pub confirmed: BTreeSet<Side>,
    /// How far it is.
    pub stage: Stage,
}

impl Opened {
    /// Who has yet to agree.
    pub fn waits_for(&self) -> impl Iterator<Item = Side> {
        let sides = [Side::Transferor, Side::Acquirer].into_iter();
        sides.filter(|side| self.stage == Stage::Open && !self.confirmed.contains(side))
    }
}

/// The take-over after one more fact. Total (law 8).
#[must_use]
pub fn evolve(takeover: TakeOver, fact: &Fact<Event>) -> TakeOver {
    let Some(mut opened) = takeover else {
        return match &fact.event {
            Event::TakeOverOpened { from, to, sites, accounts, reference, due_at } => {
                Some(Box::new(Opened {
                    from: *from,
                    to: *to,
                    sites: sites.clone(),
                    accounts: accounts.clone(),
                    reference: reference.clone(),
                    due_at: *due_at,
                    confirmed: BTreeSet::new(),
                    stage: Stage::Open,
                }))
            }
            _ => None,
        };
    };
    match &fact.event {
        Event::TakeOverOpened { .. } => {}
        Event::TakeOverConfirmed { side } => {
            opened.confirmed.insert(*side);
        }
        Event::TakeOverBegun { accounts } => {
            opened.accounts = accounts.clone();
            opened.stage = Stage::Begun;
        }
        Event::TakeOverCompleted { .. } => opened.stage = Stage::Completed,
        Event::TakeOverCancelled { .. } => opened.stage = Stage::Cancelled,
    }
    Some(opened)
}
