//! Limits how many activation mails are asked for, for one account. Otherwise a company's people could flood any
//! mailbox (fxa-auth-server #520).
//!
//! The supplier's requests have a count of their own. So support can send the mail that a real person waits for,
//! whatever the company did. The number that one mailbox gets from all accounts together is limited where mails are
//! sent.

use chrono::TimeDelta;

use crate::Moment;
use crate::fact::Actor;

/// Who asks for an activation mail. Each of the two has a number of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// One of the company's people.
    Company,
    /// The supplier: its staff, its programs, an order.
    Supplier,
}

impl Asker {
    /// The asker that an actor counts as.
    #[must_use]
    pub fn of(actor: &Actor) -> Self {
        match actor {
            Actor::Account { .. } => Self::Company,
            Actor::Anonymous
            | Actor::Service { .. }
            | Actor::Staff { .. }
            | Actor::System { .. }
            | Actor::Operator => Self::Supplier,
        }
    }
}

/// The activation mails of one account in the last hour, until it is active.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActivationMails {
    asked: Vec<(Moment, Asker)>,
    sent: Vec<Moment>,
}

impl ActivationMails {
    /// When mail servers took the mails of the hour before `at`, oldest first.
    pub fn sent_at(&self, at: Moment) -> impl Iterator<Item = Moment> {
        self.sent.iter().copied().filter(move |sent| within_the_hour(*sent, at))
    }

    /// When an asker asked for mails, oldest first.
    pub(super) fn asked_by(&self, asker: Asker) -> impl Iterator<Item = Moment> {
        self.asked.iter().filter(move |(_, by)| *by == asker).map(|(asked, _)| *asked)
    }

    pub(super) fn note_asked(&mut self, at: Moment, asker: Asker) {
        self.asked.retain(|(asked, _)| within_the_hour(*asked, at));
        self.asked.push((at, asker));
    }

    pub(super) fn note_sent(&mut self, at: Moment) {
        self.sent.retain(|sent| within_the_hour(*sent, at));
        self.sent.push(at);
    }
}

/// The first moment at which fewer than `most` moments lie in the hour before. Returns `None` if that is `at`.
/// Moments after `at`, which a clock that was ahead has noted, are not counted.
#[must_use]
pub fn again_at(moments: impl Iterator<Item = Moment>, most: usize, at: Moment) -> Option<Moment> {
    let mut counted: Vec<Moment> = moments.filter(|moment| within_the_hour(*moment, at)).collect();
    counted.sort_unstable();
    let surplus = counted.len().checked_sub(most.max(1))?;
    counted.get(surplus).map(|oldest| *oldest + TimeDelta::hours(1))
}

fn within_the_hour(moment: Moment, at: Moment) -> bool {
    moment <= at && at - moment < TimeDelta::hours(1)
}
