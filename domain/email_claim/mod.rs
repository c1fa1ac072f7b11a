//! The claim that makes a login unique: one stream an address, named by the address's keyed hash.
//!
//! Whoever appends `EmailClaimed` to it first holds the address. A claim whose account never came
//! (a crash between the two) holds nobody up: the next to want the address is given the claimed
//! account id and creates the account under it.

use crate::fact::Fact;
use crate::ids::AccountId;

/// Who holds the address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EmailClaim {
    /// The holder.
    pub holder: Option<AccountId>,
}

/// What can happen to a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The address belongs to this account from here on.
    EmailClaimed {
        /// The holder.
        account: AccountId,
    },
    /// The account was deleted: the address is free.
    EmailReleased {
        /// Who held it.
        account: AccountId,
    },
}

/// What can be asked of a claim.
#[derive(Clone, Copy, Debug)]
pub enum Command {
    /// Claim a free address, or learn who holds it.
    Claim {
        /// For whom.
        account: AccountId,
    },
    /// Let go of an address whose account is deleted.
    Release {
        /// The deleted account.
        account: AccountId,
    },
}

/// Decides a command; an address that is held already stays with its holder, without an event.
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

/// The claim after one more fact.
#[must_use]
pub fn evolve(_claim: EmailClaim, fact: &Fact<Event>) -> EmailClaim {
    match fact.event {
        Event::EmailClaimed { account } => EmailClaim { holder: Some(account) },
        Event::EmailReleased { .. } => EmailClaim { holder: None },
    }
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
        let held = EmailClaim { holder: Some(MARIE) };
        assert_eq!(decide(&held, Command::Claim { account: JAN }), []);
        assert_eq!(decide(&held, Command::Claim { account: MARIE }), []);
    }

    #[test]
    fn only_its_holder_lets_an_address_go() {
        let held = EmailClaim { holder: Some(MARIE) };
        assert_eq!(decide(&held, Command::Release { account: JAN }), []);
        assert_eq!(
            decide(&held, Command::Release { account: MARIE }),
            [Event::EmailReleased { account: MARIE }]
        );
    }
}
