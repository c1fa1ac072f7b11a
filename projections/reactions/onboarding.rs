//! Finishes orders that a crash left between two steps.

use std::sync::Arc;

use loquet_domain::app::App;
use loquet_domain::fact::{Actor, Context};
use loquet_domain::order::Event;
use loquet_domain::ports::BoxFuture;
use loquet_domain::schema::DomainEvent;

use super::Reaction;
use crate::ports::{Clock, QueuedMail};
use crate::view::Noted;

/// Onboards what was received. Most orders are finished by whoever delivered them; then this does
/// nothing.
pub struct Onboarding {
    /// The use cases.
    pub app: Arc<App>,
    /// The time.
    pub clock: Clock,
}

impl Reaction for Onboarding {
    fn name(&self) -> &'static str {
        "onboarding"
    }

    fn react<'a>(&'a self, noted: &'a Noted) -> BoxFuture<'a, Result<Vec<QueuedMail>, String>> {
        Box::pin(async move {
            let DomainEvent::Order(Event::OrderReceived { content, .. }) = &noted.fact.event else {
                return Ok(Vec::new());
            };
            let context = Context {
                at: (self.clock)(),
                actor: Actor::System { reaction: self.name().to_owned() },
                correlation: noted.fact.context.correlation,
                causation: Some(noted.fact.id),
                client: None,
            };
            self.app.onboard(&context, &content.id).await.map_err(|e| e.to_string())?;
            Ok(Vec::new())
        })
    }
}
