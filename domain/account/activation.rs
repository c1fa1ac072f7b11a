//! Limits how many activation mails can be requested for one account. Without a limit, people of a company could
//! flood any mailbox (fxa-auth-server #520).
//!
//! The supplier's requests are counted separately. So support can send the mail that a real person waits for,
//! whatever the company did. The mail sender limits the number of mails that one mailbox gets from all accounts
//! together.

use chrono::TimeDelta;

use crate::Moment;
use crate::fact::Actor;

/// Who requests an activation mail. Each kind of asker has its own limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// One of the company's people.
    Company,
    /// The supplier: its staff, its programs, or an order.
    Supplier,
}

impl Asker {
    /// The asker that this actor counts as.
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

/// The activation mails of an account in the last hour. They are kept until the account is active.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActivationMails {
    asked: Vec<(Moment, Asker)>,
    sent: Vec<Moment>,
}

impl ActivationMails {
    /// When mail servers accepted activation mails in the hour before `at`, oldest first.
    pub fn sent_at(&self, at: Moment) -> impl Iterator<Item = Moment> {
        self.sent.iter().copied().filter(move |sent| within_the_hour(*sent, at))
    }

    /// When this asker requested mails, oldest first.
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

/// The first moment at which fewer than `most` of the moments lie in the hour before. Returns `None` if that is `at`.
/// Moments after `at`, which a clock that was ahead recorded, do not count.
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
