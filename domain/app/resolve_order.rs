//! Support decides about an order that waits for it.

use crate::account::{self, Command, Creation, Origin, Refusal, Role};
use crate::fact::Context;
use crate::ids::{AccountId, CompanyId, OrderId};
use crate::order::{self, Contact, Order, Received, Resolution};
use crate::ports::Position;

use super::{App, Failure, TransactError};

/// The decision of support.
#[derive(Clone, Debug)]
pub enum Decision {
    /// Another person of the company becomes its temporary administrator, or its administrator if the order registered
    /// the company and nobody administers it.
    NameContact(Contact),
    /// No account is added.
    AddNobody,
}

impl App {
    /// Carries out support's decision on an order and records it. Then the order no longer waits. The account is
    /// created first. So after a crash in between, the order still waits, and the same decision continues the work.
    ///
    /// # Errors
    /// [`order::Refusal::NotAwaiting`] if the order does not wait for this decision. [`order::Refusal::Resolved`] if
    /// it was decided differently before. [`Failure::EmailTaken`] if the new contact has an account of another
    /// company.
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

    /// The account of the contact that support names. It is created if the company does not have it.
    async fn name_contact(
        &self,
        context: &Context,
        received: &Received,
        contact: Contact,
    ) -> Result<AccountId, Failure> {
        let email_hash = self.ports.tokens.email_hash(&contact.person.email);
        if let Some(resolution) = received.resolution {
            let named = self
                .holder(&email_hash)
                .await?
                .map(|(account_id, _)| Resolution::ContactNamed { account_id });
            return match (named == Some(resolution), resolution) {
                (true, Resolution::ContactNamed { account_id }) => Ok(account_id),
                _ => Err(order::Refusal::Resolved.into()),
            };
        }
        // Checked before the address is claimed, so that a refusal leaves nothing behind.
        let company = received.awaits_contact().ok_or(order::Refusal::NotAwaiting)?;
        let order_id = received.content.id.clone();
        let account = self.claim(context, &email_hash, AccountId::of_order(&order_id, &email_hash)).await?;
        let role = self.role_of_named_contact(company, &order_id).await?;
        let creation = Creation {
            company,
            role,
            language: contact.language,
            email_hash,
            origin: Origin::Order { order_id },
            person: contact.person,
        };
        let stream = account::stream(account);
        match self.accounts.transact(&stream, context, Command::Create(creation)).await {
            Ok(_) => {}
            Err(TransactError::Refused(Refusal::AlreadyExists)) => {
                let held = self.account(account).await?;
                if held.profile().is_none_or(|profile| profile.company != company) {
                    return Err(Failure::EmailTaken);
                }
            }
            Err(other) => return Err(other.into()),
        }
        // A call that a crash interrupted may have created an administrator who is not in the list yet.
        self.settle_access(context, account).await?;
        Ok(account)
    }

    /// The role of a contact whom support names. The order that registered the company makes its contact the
    /// administrator. If nobody administers the company yet, the contact whom support names takes that place.
    async fn role_of_named_contact(&self, company: CompanyId, order: &OrderId) -> Result<Role, Failure> {
        let registered_it = self.company(company).await?.state.registered_by() == Some(order);
        let administered = !self.access(company).await?.state.administrators.is_empty();
        Ok(if registered_it && !administered { Role::Administrator } else { Role::TemporaryAdministrator })
    }
}
