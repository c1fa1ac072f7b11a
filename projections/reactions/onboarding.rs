//! Finishes what a crash interrupted: orders, take-overs, and the list of administrators and members.

use std::sync::Arc;

use loquet_domain::access;
use loquet_domain::account;
use loquet_domain::app::{App, Failure};
use loquet_domain::company;
use loquet_domain::fact::{Actor, Context};
use loquet_domain::order;
use loquet_domain::ports::BoxFuture;
use loquet_domain::schema::DomainEvent;
use loquet_domain::serial_claim;
use loquet_domain::takeover;
use loquet_domain::terminals;
use loquet_domain::values::serial_number::SerialNumber;

use super::{Answer, Reaction};
use crate::ports::Clock;
use crate::view::EventEnvelope;

/// The context of a command that a reaction gives because of an event.
fn because(envelope: &EventEnvelope, reaction: &'static str, clock: &Clock) -> Context {
    Context {
        at: clock(),
        actor: Actor::System { reaction: reaction.to_owned() },
        correlation: envelope.fact.context.correlation,
        causation: Some(envelope.fact.id),
        client: None,
        reason: None,
    }
}

/// Finishes orders: registers the company, creates the account, opens sites and adds terminals. Most orders are
/// finished by the request that delivered them; then this does nothing. Its name has a 2, so that it handles all
/// orders again in logs from before sites existed.
pub struct Onboarding {
    /// The use cases.
    pub app: Arc<App>,
    /// The time.
    pub clock: Clock,
}

impl Onboarding {
    /// Its name.
    pub const NAME: &'static str = "onboarding-2";
}

impl Reaction for Onboarding {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn react<'a>(&'a self, envelope: &'a EventEnvelope) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            let DomainEvent::Order(order::Event::OrderReceived { content, .. }) = &envelope.fact.event else {
                return Answer::Done(Vec::new());
            };
            let context = because(envelope, self.name(), &self.clock);
            self.app.onboard(&context, &content.id).await.map(|_| Vec::new()).into()
        })
    }
}

/// Makes the lists of administrators and members agree with the accounts, finishes take-overs that were begun or
/// cancelled, and finishes the release of terminals. Brings the claims on serial numbers that older versions made in a
/// stream for each spelling into the stream of all spellings. Its name has a 3, so that it reads old logs again.
pub struct Settling {
    /// The use cases.
    pub app: Arc<App>,
    /// The time.
    pub clock: Clock,
}

impl Settling {
    /// Its name.
    pub const NAME: &'static str = "settling-3";
}

impl Reaction for Settling {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn react<'a>(&'a self, envelope: &'a EventEnvelope) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            let context = because(envelope, self.name(), &self.clock);
            self.settle(envelope, &context).await.map(|()| Vec::new()).into()
        })
    }
}

impl Settling {
    async fn settle(&self, envelope: &EventEnvelope, context: &Context) -> Result<(), Failure> {
        let (takeover, from) = match &envelope.fact.event {
            DomainEvent::Account(event) => {
                let Some(account) = envelope.stream.account() else { return Ok(()) };
                if let account::Event::AccountMoved { takeover, .. } = event {
                    let from = self
                        .app
                        .take_over(*takeover)
                        .await?
                        .state
                        .as_ref()
                        .as_ref()
                        .map(|opened| opened.from);
                    if let Some(from) = from {
                        self.app.settle_left(context, from, account).await?;
                    }
                }
                if changes_standing(event) {
                    self.app.settle_access(context, account).await?;
                }
                return Ok(());
            }
            DomainEvent::Terminals(terminals::Event::TerminalFreed { terminal, .. }) => {
                let Ok(company) = envelope.stream.id().parse() else { return Ok(()) };
                return self.app.finish_release(context, company, *terminal).await;
            }
            DomainEvent::SerialClaim(serial_claim::Event::SerialReleased { .. }) => {
                let Ok(serial) = SerialNumber::parse(envelope.stream.id()) else { return Ok(()) };
                return self.app.continue_waiting(context, &serial).await;
            }
            DomainEvent::Company(company::Event::SitesPromised { takeover, .. })
            | DomainEvent::Access(access::Event::AccountsLeaving { takeover, .. }) => {
                (*takeover, envelope.stream.id().parse().ok())
            }
            DomainEvent::TakeOver(
                takeover::Event::TakeOverBegun { .. } | takeover::Event::TakeOverCancelled { .. },
            ) => {
                let Ok(takeover) = envelope.stream.id().parse() else { return Ok(()) };
                (
                    takeover,
                    self.app.take_over(takeover).await?.state.as_ref().as_ref().map(|opened| opened.from),
                )
            }
            DomainEvent::SerialClaim(serial_claim::Event::SerialClaimed { .. }) => {
                if let Some(older) = serial_claim::spelled_in_older(&envelope.stream) {
                    self.app.claim_as_before(context, &older).await?;
                }
                return Ok(());
            }
            _ => return Ok(()),
        };
        match from {
            Some(from) => self.app.resume_take_over(context, takeover, from).await,
            None => Ok(()),
        }
    }
}

fn changes_standing(event: &account::Event) -> bool {
    use account::Event::*;
    matches!(
        event,
        AccountCreated { .. }
            | AccountActivated { .. }
            | AccountConverted { .. }
            | RoleChanged { .. }
            | AccountMoved { .. }
            | AccountDeleted { .. }
    )
}
