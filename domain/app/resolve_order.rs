//! Support decides what becomes of an order that waits for it.

use crate::account::{self, Command, Creation, Origin, Refusal, Role};
use crate::fact::Context;
use crate::ids::{AccountId, OrderId};
use crate::order::{self, Contact, Order, Received, Resolution};
use crate::ports::Position;

use super::{App, Failure, TransactError};

/// What support decided.
#[derive(Clone, Debug)]
pub enum Decision {
    /// Somebody else of the company becomes its temporary administrator.
    NameContact(Contact),
    /// Nobody is added.
    AddNobody,
}

impl App {
    /// Carries out what support decided of an order, and notes it: then the order waits no longer. The account comes
    /// first: what a crash leaves in between is an order that still waits, and deciding the same again goes on.
    ///
    /// # Errors
    /// [`order::Refusal::NotAwaiting`] where it does not wait for that, [`order::Refusal::Resolved`] where something
    /// else was decided, [`Failure::EmailTaken`] where the new contact has an account of another company too.
    pub async fn resolve_order(
        &self,
        context: &Context,
        id: &OrderId,
        decision: Decision,
    ) -> Result<(Resolution, Position), Failure> {
        let stream = order::stream(id);
        let _turn = self.ports.keyed_lock.acquire(stream.to_string()).await;
        let Order::Received(received) = &*self.orders.load(&stream).await?.state else {
            return Err(order::Refusal::NoSuchOrder.into());
        };
        let resolution = match decision {
            Decision::AddNobody => Resolution::NobodyAdded,
            Decision::NameContact(contact) => {
                let account_id = self.name_contact(context, received, contact).await?;
                Resolution::ContactNamed { account_id }
            }
        };
        let resolve = order::Command::Resolve(resolution);
        let resolved = self.orders.transact(&stream, context, resolve).await?;
        Ok((resolution, resolved.position))
    }

    /// The account of the contact whom support names: made, unless the company has it.
    async fn name_contact(
        &self,
        context: &Context,
        received: &Received,
        contact: Contact,
    ) -> Result<AccountId, Failure> {
        let email_hash = self.ports.tokens.email_hash(&contact.person.email);
        if let Some(resolution) = received.resolution {
            let named =
                self.holder(&email_hash).await?.map(|account_id| Resolution::ContactNamed { account_id });
            return match (named == Some(resolution), resolution) {
                (true, Resolution::ContactNamed { account_id }) => Ok(account_id),
                _ => Err(order::Refusal::Resolved.into()),
            };
        }
        // Asked before the address is claimed: what is refused leaves nothing behind.
        let company = received.awaits_contact().ok_or(order::Refusal::NotAwaiting)?;
        let order_id = received.content.id.clone();
        let account = self.claim(context, &email_hash, AccountId::of_order(&order_id, &email_hash)).await?;
        let creation = Creation {
            company,
            role: Role::TemporaryAdministrator,
            language: contact.language,
            email_hash,
            origin: Origin::Order { order_id },
            person: contact.person,
        };
        let stream = account::stream(account);
        match self.accounts.transact(&stream, context, Command::Create(creation)).await {
            Ok(_) => Ok(account),
            Err(TransactError::Refused(Refusal::AlreadyExists)) => {
                let held = self.account(account).await?;
                let own = held.profile().is_some_and(|profile| profile.company == company);
                if own { Ok(account) } else { Err(Failure::EmailTaken) }
            }
            Err(other) => Err(other.into()),
        }
    }
}
