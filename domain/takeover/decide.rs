//! The rules of a take-over.

use super::{CATEGORY, Cancellation, EXPECTED, Event, Opened, Side, Stage, TakeOver, evolve};
use crate::Moment;
use crate::company::MergedSite;
use crate::decider::Decider;
use crate::fact::Fact;
use crate::ids::{AccountId, CompanyId, SiteId, TerminalId};
use crate::policies::Policies;

/// A command to a take-over. The rules may refuse it.
#[derive(Clone, Debug)]
pub enum Command {
    /// Open the take-over.
    Open {
        /// The company that gives sites and accounts away.
        from: CompanyId,
        /// The company that gets them.
        to: CompanyId,
        /// The sites that move.
        sites: Vec<SiteId>,
        /// The accounts that move.
        accounts: Vec<AccountId>,
        /// Support's own reference number.
        reference: String,
    },
    /// Record that a company agreed.
    Confirm {
        /// The company.
        side: Side,
    },
    /// Start the completion. From here on things move.
    Begin {
        /// The accounts that move.
        accounts: Vec<AccountId>,
    },
    /// Record that everything has moved.
    Finish {
        /// The terminals that moved.
        terminals: Vec<TerminalId>,
        /// The sites that became one with a site of the new company.
        merged: Vec<MergedSite>,
    },
    /// Cancel the take-over.
    Cancel {
        /// Why.
        reason: Cancellation,
    },
}

/// Why a command is refused. A refused command changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It was never opened.
    #[error("there is no such take-over")]
    NoSuchTakeOver,
    /// A company cannot take itself over.
    #[error("a company can't take itself over")]
    SameCompany,
    /// Another open take-over goes in the opposite direction.
    #[error("the companies would take each other over")]
    Circular,
    /// Neither sites nor accounts move.
    #[error("no site or account would move")]
    Nothing,
    /// A company has not agreed yet.
    #[error("the {0:?} has not agreed yet")]
    NotConfirmed(Side),
    /// The take-over is completed, or its completion has started.
    #[error("the take-over is completed")]
    Completed,
    /// It was cancelled.
    #[error("the take-over was cancelled")]
    Cancelled,
    /// The take-over was opened before with other details.
    #[error("the take-over was opened before with other details")]
    AlreadyOpened,
}

/// Decides a command.
///
/// # Errors
/// The rule that refuses, as a [`Refusal`].
pub fn decide(takeover: &TakeOver, at: Moment, command: Command) -> Result<Vec<Event>, Refusal> {
    match (takeover.as_deref(), command) {
        (None, Command::Open { from, to, sites, accounts, reference }) => {
            if from == to {
                return Err(Refusal::SameCompany);
            }
            if sites.is_empty() && accounts.is_empty() {
                return Err(Refusal::Nothing);
            }
            let due_at = at.checked_add_signed(EXPECTED).unwrap_or(Moment::MAX_UTC);
            Ok(vec![Event::TakeOverOpened { from, to, sites, accounts, reference, due_at }])
        }
        (Some(_), Command::Open { .. }) => Err(Refusal::AlreadyOpened),
        (None, _) => Err(Refusal::NoSuchTakeOver),
        (Some(opened), command) => decide_opened(opened, command),
    }
}

impl Decider for TakeOver {
    const CATEGORY: &'static str = CATEGORY;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, _: &Policies, at: Moment, command: Command) -> Result<Vec<Event>, Refusal> {
        decide(self, at, command)
    }

    fn evolve(self, fact: &Fact<Event>) -> Self {
        evolve(self, fact)
    }
}

fn decide_opened(opened: &Opened, command: Command) -> Result<Vec<Event>, Refusal> {
    match (opened.stage, command) {
        (Stage::Open, Command::Confirm { side }) => {
            let new = !opened.confirmed.contains(&side);
            Ok(new.then_some(Event::TakeOverConfirmed { side }).into_iter().collect())
        }
        (Stage::Open, Command::Begin { accounts }) => match opened.waits_for().next() {
            Some(side) => Err(Refusal::NotConfirmed(side)),
            None => Ok(vec![Event::TakeOverBegun { accounts }]),
        },
        (Stage::Open, Command::Cancel { reason }) => Ok(vec![Event::TakeOverCancelled { reason }]),
        (Stage::Begun, Command::Finish { terminals, merged }) => Ok(vec![Event::TakeOverCompleted {
            from: opened.from,
            to: opened.to,
            sites: opened.sites.clone(),
            terminals,
            accounts: opened.accounts.clone(),
            merged,
        }]),
        // Called again after a crash, it goes on.
        (Stage::Begun | Stage::Completed, Command::Begin { .. })
        | (Stage::Completed, Command::Finish { .. })
        | (Stage::Cancelled, Command::Cancel { .. }) => Ok(Vec::new()),
        (Stage::Begun | Stage::Completed, Command::Confirm { .. } | Command::Cancel { .. }) => {
            Err(Refusal::Completed)
        }
        (Stage::Cancelled, _) => Err(Refusal::Cancelled),
        (Stage::Open, Command::Finish { .. } | Command::Open { .. }) | (_, Command::Open { .. }) => {
            Err(Refusal::AlreadyOpened)
        }
    }
}
