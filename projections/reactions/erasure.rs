//! Finishes erasures that a crash left between the event and the key.

use std::sync::Arc;

use loquet_domain::account::Event;
use loquet_domain::app::App;
use loquet_domain::ports::BoxFuture;
use loquet_domain::schema::DomainEvent;

use super::Reaction;
use crate::ports::QueuedMail;
use crate::view::Noted;

/// Deletes the key of every account that was erased; deleting it again changes nothing.
pub struct Erasure {
    /// The use cases.
    pub app: Arc<App>,
}

impl Reaction for Erasure {
    fn name(&self) -> &'static str {
        "erasure"
    }

    fn react<'a>(&'a self, noted: &'a Noted) -> BoxFuture<'a, Result<Vec<QueuedMail>, String>> {
        Box::pin(async move {
            let erased = matches!(noted.fact.event, DomainEvent::Account(Event::AccountErased));
            if let Some(account) = noted.stream.account().filter(|_| erased) {
                self.app.forget(account).await.map_err(|e| e.to_string())?;
            }
            Ok(Vec::new())
        })
    }
}
