//! The rules of a take-over.

use super::{CATEGORY, Cancellation, EXPECTED, Event, Opened, Side, Stage, TakeOver, evolve};
use crate::Moment;
use crate::decider::Decider;
use crate::fact::Fact;
use crate::ids::{AccountId, CompanyId, SiteId, TerminalId};
use crate::policies::Policies;

/// A wish that the rules may refuse.
#[derive(Clone, Debug)]
pub enum Command {
    /// Open it.
    Open {
        /// The company that gives.
        from: CompanyId,
        /// The company that takes.
        to: CompanyId,
        /// The sites that go along.
        sites: Vec<SiteId>,
        /// The accounts that go along.
        accounts: Vec<AccountId>,
        /// Support's own number for it.
        reference: String,
    },
    /// Note that a company agreed.
    Confirm {
        /// Which.
        side: Side,
    },
    /// Complete it: from here on things move.
    Begin {
        /// The accounts that go.
        accounts: Vec<AccountId>,
    },
    /// Note that everything has moved.
    Finish {
        /// The terminals that moved.
        terminals: Vec<TerminalId>,
    },
    /// Give it up.
    Cancel {
        /// Why.
        reason: Cancellation,
    },
}

/// Why a command changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It was never opened.
    #[error("there is no such take-over")]
    NoSuchTakeOver,
    /// A company does not take itself over.
    #[error("a company can't take itself over")]
    SameCompany,
    /// An open take-over goes the other way.
    #[error("the companies would take each other over")]
    Circular,
    /// Neither sites nor accounts go along.
    #[error("nothing goes along")]
    Nothing,
    /// A company has yet to agree.
    #[error("the {0:?} has yet to agree")]
    NotConfirmed(Side),
    /// It is completed, or about to be.
    #[error("the take-over is completed")]
    Completed,
    /// It was cancelled.
    #[error("the take-over was cancelled")]
    Cancelled,
    /// It was opened before, otherwise.
    #[error("the take-over was opened before")]
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
        (Stage::Begun, Command::Finish { terminals }) => Ok(vec![Event::TakeOverCompleted {
            from: opened.from,
            to: opened.to,
            sites: opened.sites.clone(),
            terminals,
            accounts: opened.accounts.clone(),
        }]),
        // Asked again after a crash, it goes on.
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
