//! Finishes erasures that a crash left between the event and the key, and those of what lies outside.

use std::sync::Arc;

use loquet_domain::account::Event;
use loquet_domain::app::App;
use loquet_domain::ports::{BoxFuture, EventStore, Revision};
use loquet_domain::schema::DomainEvent;

use super::Reaction;
use crate::ports::{Mailer, QueuedMail, ReactionJournal};
use crate::view::Noted;

/// Deletes the key of every account that was erased, and what the mailer keeps of mails to them or
/// about them; deleting again changes nothing.
pub struct Erasure {
    /// The use cases.
    pub app: Arc<App>,
    /// The log, for the events from which mails followed.
    pub store: Arc<dyn EventStore>,
    /// Which mails those were.
    pub journal: Arc<dyn ReactionJournal>,
    /// Who may have kept them.
    pub mailer: Arc<dyn Mailer>,
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
                self.forget_mails(noted).await?;
            }
            Ok(Vec::new())
        })
    }
}

impl Erasure {
    /// Every mail follows from an event of the account that it is to or about.
    async fn forget_mails(&self, noted: &Noted) -> Result<(), String> {
        let history = self.store.read_stream(&noted.stream, Revision::default()).await;
        let positions = history.map_err(|e| e.to_string())?.iter().map(|event| event.position).collect();
        let mails = self.journal.mails_from(positions).await.map_err(|e| e.to_string())?;
        self.mailer.forget(mails).await.map_err(|e| e.to_string())
    }
}
