//! Takes an order: registers the company, creates the contact's account, and opens sites for the order's lines.
//!
//! Each step is an append to a stream whose name is derived from the order, and each step is idempotent. So an order
//! that is delivered again, or continued after a crash, goes on where it stopped.

use crate::account::{self, Command, Creation, Origin, Refusal, Role};
use crate::company;
use crate::fact::Context;
use crate::ids::{AccountId, CompanyId, OrderId};
use crate::order::{self, Contact, Content, Onboarded, Order, Outcome, Received};
use crate::ports::{Position, StreamId};
use crate::values::erasable::Erasable;
use crate::values::serial_number::SerialNumber;

use super::{App, Failure, TransactError, Unavailable};

/// An order as it is delivered.
#[derive(Clone, Debug)]
pub struct NewOrder {
    /// The order without its contact.
    pub content: Content,
    /// The person who placed it.
    pub contact: Contact,
}

/// An order that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedOrder {
    /// The result of the order's onboarding.
    pub onboarded: Onboarded,
    /// Whether this was the first delivery.
    pub new: bool,
    /// The position of its last event.
    pub position: Position,
    /// Its serial numbers that belong to other companies' terminals. The order waits for them.
    pub refused: Vec<SerialNumber>,
    /// Its serial numbers that terminals of the company had before. No terminal was added for them.
    pub present: Vec<SerialNumber>,
}

impl App {
    /// Takes an order. The same order delivered twice changes nothing the second time.
    ///
    /// # Errors
    /// [`order::Refusal::Differs`] if the number was used for an order with other contents.
    pub async fn place_order(&self, context: &Context, order: NewOrder) -> Result<PlacedOrder, Failure> {
        let stream = order::stream(&order.content.id);
        let _turn = self.ports.keyed_lock.acquire(stream.to_string()).await;
        let known = match &*self.orders.load(&stream).await?.state {
            Order::Absent => None,
            Order::Received(received) => Some(received.account),
        };
        let account = match known {
            Some(account) => account,
            None => {
                let candidate = AccountId::of_order(&order.content.id, &order.content.email_hash);
                self.claim(context, &order.content.email_hash, candidate).await?
            }
        };
        let id = order.content.id.clone();
        let company = match order.content.company.known() {
            Some(registration) => self.company_of_number(&registration.number).await?,
            None => return Err(order::Refusal::CompanyErased.into()),
        };
        let receive = order::Command::Receive {
            content: Box::new(order.content),
            company,
            account,
            person: order.contact.person,
        };
        let received = self.orders.transact(&stream, context, receive).await?;
        let onboarded = self.finish(context, &id).await?;
        Ok(PlacedOrder { new: !received.facts.is_empty(), ..onboarded })
    }

    /// Finishes an order that was taken: registers the company, creates the account, records the outcome, opens sites
    /// and adds terminals. Adds the terminals for which it waits, if their serial numbers are free now. Does nothing
    /// if the order is finished.
    ///
    /// # Errors
    /// [`order::Refusal::NoSuchOrder`] if it was never taken.
    pub async fn onboard(&self, context: &Context, id: &OrderId) -> Result<PlacedOrder, Failure> {
        // A delivery of the same order on this node goes first. Usually it leaves nothing to do.
        let _turn = self.ports.keyed_lock.acquire(order::stream(id).to_string()).await;
        self.finish(context, id).await
    }

    async fn finish(&self, context: &Context, id: &OrderId) -> Result<PlacedOrder, Failure> {
        let stream = order::stream(id);
        let folded = self.orders.load(&stream).await?;
        let Order::Received(received) = &*folded.state else {
            return Err(order::Refusal::NoSuchOrder.into());
        };
        let (onboarded, position) = match received.onboarded {
            Some(onboarded) => (onboarded, folded.position),
            None => self.admit(context, &stream, received).await?,
        };
        let position = match (received.equipped, received.awaits_serials()) {
            (false, _) => self.equip(context, onboarded.company, &received.content).await?,
            (true, true) => self.equip(context, onboarded.company, &received.still_wanted()).await?,
            (true, false) => position,
        };
        let (refused, present) = match &*self.orders.load(&stream).await?.state {
            Order::Received(received) => (received.refused.clone(), received.present.clone()),
            Order::Absent => (Vec::new(), Vec::new()),
        };
        Ok(PlacedOrder { onboarded, new: false, position, refused, present })
    }

    /// Registers the company and creates the contact's account, if this has not been done.
    async fn admit(
        &self,
        context: &Context,
        stream: &StreamId,
        received: &Received,
    ) -> Result<(Onboarded, Position), Failure> {
        let (company, registered_by) = self.register(context, received).await?;
        let outcome = self.admit_contact(context, company, registered_by.as_ref(), received).await?;
        if outcome == Outcome::FirstOrder {
            self.settle_access(context, received.account).await?;
        }
        let onboarded = Onboarded { company, account: received.account, outcome };
        let done = self.orders.transact(stream, context, order::Command::Onboard(onboarded)).await?;
        Ok((onboarded, done.position))
    }

    /// Registers the company if it is not a customer yet. Returns the company, and the order that registered it. The
    /// number may belong to a company that was registered under another one.
    async fn register(
        &self,
        context: &Context,
        received: &Received,
    ) -> Result<(CompanyId, Option<OrderId>), Failure> {
        let registration = received.content.company.known().ok_or(order::Refusal::CompanyErased)?;
        let mut company = received.company;
        loop {
            let register = company::Command::Register {
                order: received.content.id.clone(),
                registration: registration.clone(),
            };
            let committed = self.change_company(context, company, register).await?;
            match committed.state.elsewhere(company) {
                Some(other) => company = other,
                None => return Ok((company, committed.state.registered_by().cloned())),
            }
        }
    }

    /// Creates the contact's account, if no account has the address.
    async fn admit_contact(
        &self,
        context: &Context,
        company: CompanyId,
        registered_by: Option<&OrderId>,
        received: &Received,
    ) -> Result<Outcome, Failure> {
        let id = &received.content.id;
        let first = registered_by == Some(id);
        let (role, outcome) = match first {
            true => (Role::Administrator, Outcome::FirstOrder),
            false => (Role::TemporaryAdministrator, Outcome::TemporaryAdministrator),
        };
        let stream = account::stream(received.account);
        let Erasable::Known(person) = &received.person else {
            return Ok(self.known_contact(company, id, outcome, &stream).await?);
        };
        let creation = Creation {
            company,
            role,
            language: received.content.language,
            email_hash: received.content.email_hash.clone(),
            origin: Origin::Order { order_id: id.clone() },
            person: person.clone(),
        };
        match self.accounts.transact(&stream, context, Command::Create(creation)).await {
            Ok(_) => Ok(outcome),
            Err(TransactError::Refused(Refusal::AlreadyExists)) => {
                Ok(self.known_contact(company, id, outcome, &stream).await?)
            }
            Err(other) => Err(other.into()),
        }
    }

    /// The outcome of an order whose contact has an account. This very order may have created the account before a
    /// crash.
    async fn known_contact(
        &self,
        company: CompanyId,
        order: &OrderId,
        made: Outcome,
        stream: &StreamId,
    ) -> Result<Outcome, Unavailable> {
        let account = self.accounts.load(stream).await?.state;
        let own = Origin::Order { order_id: order.clone() };
        Ok(match account.profile() {
            Some(profile) if profile.company != company => Outcome::AwaitingSupport,
            Some(profile) if profile.origin == own => made,
            Some(_) => Outcome::KnownContact,
            None => Outcome::AwaitingSupport,
        })
    }
}
