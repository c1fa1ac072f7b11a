//! Finishes erasures that a crash left between the event and the key, and those of what lies outside; and
//! erases again whom an older store of keys, put back, has brought along.

use std::sync::Arc;

use loquet_domain::account::Event;
use loquet_domain::app::App;
use loquet_domain::ids::AccountId;
use loquet_domain::ports::{BoxFuture, EventStore, KeyVault, Position, Revision};
use loquet_domain::schema::{DomainEvent, ends_a_subject};

use super::{Answer, CannotAct, Cause, Reaction};
use crate::ports::{Mailer, ReactionJournal};
use crate::view::EventEnvelope;

/// How many events are read at once.
const PAGE: usize = 1000;

/// Deletes the key of every account that was erased, and what the mailer keeps of mails to them or
/// about them; deleting again changes nothing.
pub struct Erasure {
    /// The use cases.
    pub app: Arc<App>,
    /// The keys, to see whose is there that should not be.
    pub keys: Arc<dyn KeyVault>,
    /// The log, for the events from which mails followed.
    pub store: Arc<dyn EventStore>,
    /// Which mails those were.
    pub journal: Arc<dyn ReactionJournal>,
    /// Who may have kept them.
    pub mailer: Arc<dyn Mailer>,
}

impl Erasure {
    /// Its name.
    pub const NAME: &'static str = "erasure";
}

impl Reaction for Erasure {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    /// Reads the whole log, and no read model: whoever puts keys back may have put read models back too. The
    /// checkpoint says what was done to the keys that were there then, and nothing of those that are there.
    fn start(&self, head: Position) -> BoxFuture<'_, Result<(), Cause>> {
        Box::pin(async move { Ok(self.forget_all_up_to(head).await?) })
    }

    fn react<'a>(&'a self, envelope: &'a EventEnvelope) -> BoxFuture<'a, Answer> {
        Box::pin(async move { self.act_on(envelope).await.map(|()| Vec::new()).into() })
    }
}

impl Erasure {
    async fn act_on(&self, envelope: &EventEnvelope) -> Result<(), CannotAct> {
        let erased = matches!(envelope.fact.event, DomainEvent::Account(Event::AccountErased));
        if let Some(account) = envelope.stream.account().filter(|_| erased) {
            self.app.forget(account).await?;
            self.forget_mails(account, envelope).await?;
        }
        Ok(())
    }

    async fn forget_all_up_to(&self, head: Position) -> Result<(), CannotAct> {
        let mut at = Position::default();
        while at < head {
            let page = self.store.read_all(at, PAGE).await?;
            at = page.last().ok_or(CannotAct::LogEnds { at, head })?.position;
            let erased = page.iter().filter(|recorded| ends_a_subject(&recorded.event.name));
            self.forget_again(erased.filter_map(|recorded| recorded.stream.account()).collect()).await?;
        }
        Ok(())
    }

    async fn forget_again(&self, erased: Vec<AccountId>) -> Result<(), CannotAct> {
        if erased.is_empty() {
            return Ok(());
        }
        for account in self.keys.still_held(erased).await? {
            self.app.forget(account).await?;
            tracing::warn!(%account, "an erased account's key was back, from an older keys.db; it is deleted again");
        }
        Ok(())
    }

    /// A mail is to the account, or follows from an event of the account that it is about.
    async fn forget_mails(&self, account: AccountId, envelope: &EventEnvelope) -> Result<(), CannotAct> {
        let history = self.store.read_stream(&envelope.stream, Revision::default()).await?;
        let positions = history.iter().map(|event| event.position).collect();
        let mails = self.journal.mails_about(account, positions).await?;
        Ok(self.mailer.forget(mails).await?)
    }
}
