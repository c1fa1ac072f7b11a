//! The claim on an e-mail address, which makes logins unique. Each address has its own stream, named by the address's
//! keyed hash.
//!
//! The account whose `EmailClaimed` is appended first holds the address. After a crash a claim may exist without its
//! account. That blocks nobody: the next caller who wants the address gets the claimed account id and creates the
//! account under it.

use std::convert::Infallible;

use crate::decider::Decider;
use crate::policies::Policies;
use chrono::TimeDelta;

use crate::Moment;
use crate::fact::Fact;
use crate::ids::AccountId;
use crate::stream::StreamId;
use crate::values::email_address::EmailHash;

/// The maximum number of former holders that are kept. The newest are kept.
const MOST_FORMER: usize = 100;

/// The category of these streams: the first part of their names. Part of the storage format: never change it.
pub const CATEGORY: &str = "email";

/// The stream of the claim on an address.
#[must_use]
pub fn stream(address: &EmailHash) -> StreamId {
    StreamId::new(CATEGORY, &address.0)
}

/// The account that holds an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EmailClaim {
    /// The holder.
    pub holder: Option<AccountId>,
    /// The accounts that gave the address up in the hour before the last change, and when. Mails to them went to the
    /// same mailbox.
    former: Vec<(AccountId, Moment)>,
}

impl EmailClaim {
    /// The accounts that held the address at any time in the hour before `at`.
    pub fn holders_within_the_hour(&self, at: Moment) -> impl Iterator<Item = AccountId> {
        let former = self.former.iter().filter(move |(_, left)| at - *left < TimeDelta::hours(1));
        former.map(|(account, _)| *account).chain(self.holder)
    }
}

/// Something that happened to a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The address belongs to this account from now on.
    EmailClaimed {
        /// The account.
        account: AccountId,
    },
    /// The account was deleted, so the address is free.
    EmailReleased {
        /// The account that held it.
        account: AccountId,
    },
}

/// The commands of a claim.
#[derive(Clone, Copy, Debug)]
pub enum Command {
    /// Claim the address, if it is free.
    Claim {
        /// The account.
        account: AccountId,
    },
    /// Free the address, because its account was deleted.
    Release {
        /// The deleted account.
        account: AccountId,
    },
}

/// Decides a command. An address that is held stays with its holder, and there is no event.
#[must_use]
pub fn decide(claim: &EmailClaim, command: Command) -> Vec<Event> {
    match command {
        Command::Claim { account } if claim.holder.is_none() => {
            vec![Event::EmailClaimed { account }]
        }
        Command::Release { account } if claim.holder == Some(account) => {
            vec![Event::EmailReleased { account }]
        }
        Command::Claim { .. } | Command::Release { .. } => Vec::new(),
    }
}

impl Decider for EmailClaim {
    const CATEGORY: &'static str = CATEGORY;
    type Command = Command;
    type Event = Event;
    type Refusal = Infallible;

    fn decide(&self, _: &Policies, _: Moment, command: Command) -> Result<Vec<Event>, Infallible> {
        Ok(decide(self, command))
    }

    fn evolve(self, fact: &Fact<Event>) -> Self {
        evolve(self, fact)
    }
}

/// The claim after one more event.
#[must_use]
pub fn evolve(mut claim: EmailClaim, fact: &Fact<Event>) -> EmailClaim {
    let at = fact.context.at;
    claim.former.retain(|(_, left)| at - *left < TimeDelta::hours(1));
    match fact.event {
        Event::EmailClaimed { account } => claim.holder = Some(account),
        Event::EmailReleased { account } => {
            claim.holder = None;
            let surplus = (claim.former.len() + 1).saturating_sub(MOST_FORMER);
            claim.former.drain(..surplus);
            claim.former.push((account, at));
        }
    }
    claim
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const MARIE: AccountId = AccountId(Uuid::from_u128(1));
    const JAN: AccountId = AccountId(Uuid::from_u128(2));

    #[test]
    fn an_address_belongs_to_whoever_claims_it_first() {
        let free = EmailClaim::default();
        assert_eq!(
            decide(&free, Command::Claim { account: MARIE }),
            [Event::EmailClaimed { account: MARIE }]
        );
        let held = EmailClaim { holder: Some(MARIE), ..free };
        assert_eq!(decide(&held, Command::Claim { account: JAN }), []);
        assert_eq!(decide(&held, Command::Claim { account: MARIE }), []);
    }

    #[test]
    fn who_held_an_address_is_known_for_an_hour_and_of_many_the_newest() {
        let at = |minute| Moment::UNIX_EPOCH + TimeDelta::minutes(minute);
        let told = |claim, minute, event| {
            let fact = Fact::told(event);
            evolve(claim, &Fact { context: crate::fact::Context { at: at(minute), ..fact.context }, ..fact })
        };
        let claim = told(EmailClaim::default(), 0, Event::EmailClaimed { account: MARIE });
        let claim = told(claim, 10, Event::EmailReleased { account: MARIE });
        let claim = told(claim, 20, Event::EmailClaimed { account: JAN });
        let holders = |minute| claim.holders_within_the_hour(at(minute)).collect::<Vec<_>>();
        assert_eq!((holders(20), holders(69)), (vec![MARIE, JAN], vec![MARIE, JAN]));
        assert_eq!(holders(70), [JAN]);
        let mut many = EmailClaim::default();
        for n in 0..500 {
            many = told(many, 1, Event::EmailReleased { account: AccountId(Uuid::from_u128(n)) });
        }
        let known: Vec<_> = many.holders_within_the_hour(at(1)).collect();
        assert_eq!((known.len(), known.last()), (MOST_FORMER, Some(&AccountId(Uuid::from_u128(499)))));
    }

    #[test]
    fn only_its_holder_lets_an_address_go() {
        let held = EmailClaim { holder: Some(MARIE), ..EmailClaim::default() };
        assert_eq!(decide(&held, Command::Release { account: JAN }), []);
        assert_eq!(
            decide(&held, Command::Release { account: MARIE }),
            [Event::EmailReleased { account: MARIE }]
        );
    }
}
