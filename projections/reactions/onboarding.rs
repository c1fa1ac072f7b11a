//! Finishes what a crash left between two steps: orders, take-overs, and the list of who administers what.

use std::sync::Arc;

use loquet_domain::account;
use loquet_domain::app::{App, Failure};
use loquet_domain::fact::{Actor, Context};
use loquet_domain::order;
use loquet_domain::ports::BoxFuture;
use loquet_domain::schema::DomainEvent;
use loquet_domain::takeover;

use super::Reaction;
use crate::ports::{Clock, QueuedMail};
use crate::view::Noted;

/// The context of what a reaction does because of an event.
fn because(noted: &Noted, reaction: &'static str, clock: &Clock) -> Context {
    Context {
        at: clock(),
        actor: Actor::System { reaction: reaction.to_owned() },
        correlation: noted.fact.context.correlation,
        causation: Some(noted.fact.id),
        client: None,
    }
}

/// Onboards what was received: registers the company, creates the account, opens sites, adds terminals. Most
/// orders are finished by whoever delivered them; then this does nothing. Its name is that of the second of
/// its kind: orders in logs from before there were sites are gone through once more.
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

    fn react<'a>(&'a self, noted: &'a Noted) -> BoxFuture<'a, Result<Vec<QueuedMail>, String>> {
        Box::pin(async move {
            if let DomainEvent::Order(order::Event::OrderReceived { content, .. }) = &noted.fact.event {
                let context = because(noted, self.name(), &self.clock);
                self.app.onboard(&context, &content.id).await.map_err(|e| e.to_string())?;
            }
            Ok(Vec::new())
        })
    }
}

/// Has the list of who administers and who is a member agree with the accounts, and finishes take-overs that
/// were begun.
pub struct Settling {
    /// The use cases.
    pub app: Arc<App>,
    /// The time.
    pub clock: Clock,
}

impl Settling {
    /// Its name.
    pub const NAME: &'static str = "settling";
}

impl Reaction for Settling {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn react<'a>(&'a self, noted: &'a Noted) -> BoxFuture<'a, Result<Vec<QueuedMail>, String>> {
        Box::pin(async move {
            let context = because(noted, self.name(), &self.clock);
            let settled = match (&noted.fact.event, noted.stream.account()) {
                (DomainEvent::Account(event), Some(account)) if changes_standing(event) => {
                    self.app.settle_access(&context, account).await
                }
                (DomainEvent::TakeOver(takeover::Event::TakeOverBegun { .. }), _) => {
                    match noted.stream.id().parse() {
                        Ok(id) => self.app.complete_take_over(&context, id).await.map(drop),
                        Err(_) => Ok(()),
                    }
                }
                _ => Ok(()),
            };
            settled.map_err(|failure: Failure| failure.to_string())?;
            Ok(Vec::new())
        })
    }
}

fn changes_standing(event: &account::Event) -> bool {
    use account::Event::*;
    matches!(
        event,
        AccountCreated { .. } | AccountConverted { .. } | RoleChanged { .. } | AccountDeleted { .. }
    )
}
