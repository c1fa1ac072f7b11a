//! The stored form of the events of an address claim. They do not contain the address. The stream's name is its keyed
//! hash.

use crate::email_claim::Event;
use crate::ids::AccountId;

stored_events!(EmailClaim:
    "email-claimed" => EmailClaimed { account as "account_id": AccountId },
    "email-released" => EmailReleased { account as "account_id": AccountId },
);
