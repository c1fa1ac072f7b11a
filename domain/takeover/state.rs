//! The state of a take-over: the part of its history that the next decision needs.

use std::collections::BTreeSet;

use super::{Event, Side};
use crate::Moment;
use crate::fact::Fact;
use crate::ids::{AccountId, CompanyId, SiteId};

/// A take-over. `None` if it was never opened.
pub type TakeOver = Option<Box<Opened>>;

/// The stage of a take-over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The companies are asked to agree.
    Open,
    /// Things are moving.
    Begun,
    /// Everything has moved.
    Completed,
    /// Cancelled: nothing moves.
    Cancelled,
}

/// A take-over that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The company that gives sites and accounts away.
    pub from: CompanyId,
    /// The company that gets them.
    pub to: CompanyId,
    /// The sites that move.
    pub sites: Vec<SiteId>,
    /// The accounts that move.
    pub accounts: Vec<AccountId>,
    /// Support's own reference number.
    pub reference: String,
    /// When it is expected to be completed.
    pub due_at: Moment,
    /// The companies that agreed.
    pub confirmed: BTreeSet<Side>,
    /// Its stage.
    pub stage: Stage,
}

impl Opened {
    /// The companies that have not agreed yet.
    pub fn waits_for(&self) -> impl Iterator<Item = Side> {
        let sides = [Side::Transferor, Side::Acquirer].into_iter();
        sides.filter(|side| self.stage == Stage::Open && !self.confirmed.contains(side))
    }
}

/// The take-over after one more event. Every event is accepted (law 8).
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
