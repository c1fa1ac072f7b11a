//! The claim's events as they are stored. They name no address: the stream's name is its keyed hash.

use serde::{Deserialize, Deserializer, Serialize};

use super::{Data, DomainEvent, Private, Stored};
use crate::email_claim::Event;
use crate::ids::AccountId;

pub(super) const NAMES: &[&str] = &["email-claimed", "email-released"];

#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Claim {
    account_id: AccountId,
}

pub(super) fn write(event: &Event) -> Stored {
    let (name, account) = match event {
        Event::EmailClaimed { account } => ("email-claimed", *account),
        Event::EmailReleased { account } => ("email-released", *account),
    };
    let data = Data::EmailClaim(Claim { account_id: account });
    Stored { name, version: 1, data, private: Private::default(), subject: None }
}

pub(super) fn read<'de, D: Deserializer<'de>>(
    name: &str,
    version: u16,
    data: D,
) -> Result<Option<DomainEvent>, D::Error> {
    let account = |data| Claim::deserialize(data).map(|claim| claim.account_id);
    let event = match (name, version) {
        ("email-claimed", 1) => Event::EmailClaimed { account: account(data)? },
        ("email-released", 1) => Event::EmailReleased { account: account(data)? },
        _ => return Ok(None),
    };
    Ok(Some(DomainEvent::EmailClaim(event)))
}
