//! Finishes erasures that a crash interrupted: deletes the key, and the mailer's copies. Also erases persons again
//! whose keys came back with an older backup of the key store.

use std::sync::Arc;

use loquet_domain::app::App;
use loquet_domain::ids::AccountId;
use loquet_domain::ports::{BoxFuture, EventCodec, EventStore, KeyVault, Position, Revision};
use loquet_domain::schema::{ended_keys, ends_a_subject};

use super::{Answer, CannotAct, Cause, Reaction};
use crate::ports::{Mailer, ReactionJournal};
use crate::view::EventEnvelope;

/// The number of events read at once.
const PAGE: usize = 1000;

/// Deletes the keys of every erased account and company, and the mailer's copies of mails to or about them. Deleting again
/// changes nothing.
pub struct Erasure {
    /// The use cases.
    pub app: Arc<App>,
    /// The keys, to find those that should not exist.
    pub keys: Arc<dyn KeyVault>,
    /// The log, for the events that caused mails.
    pub store: Arc<dyn EventStore>,
    /// Reads which keys an event says are deleted.
    pub codec: Arc<dyn EventCodec>,
    /// The journal, for the mails of an account.
    pub journal: Arc<dyn ReactionJournal>,
    /// The mailer, which may have kept copies of mails.
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

    /// Reads the whole log, and no read model: if keys were restored from a backup, read models may have been too.
    /// The checkpoint only says what was done with the keys of that time.
    fn start(&self, head: Position) -> BoxFuture<'_, Result<(), Cause>> {
        Box::pin(async move { Ok(self.forget_all_up_to(head).await?) })
    }

    fn react<'a>(&'a self, envelope: &'a EventEnvelope) -> BoxFuture<'a, Answer> {
        Box::pin(async move { self.act_on(envelope).await.map(|()| Vec::new()).into() })
    }
}

impl Erasure {
    async fn act_on(&self, envelope: &EventEnvelope) -> Result<(), CannotAct> {
        for key in ended_keys(&envelope.fact.event, &envelope.stream) {
            self.app.forget(key).await?;
            self.forget_mails(key, envelope).await?;
        }
        Ok(())
    }

    async fn forget_all_up_to(&self, head: Position) -> Result<(), CannotAct> {
        let mut at = Position::default();
        while at < head {
            let page = self.store.read_all(at, PAGE).await?;
            at = page.last().ok_or(CannotAct::LogEnds { at, head })?.position;
            let mut erased = Vec::new();
            for recorded in page.iter().filter(|recorded| ends_a_subject(&recorded.event.name)) {
                erased.extend(ended_keys(&self.codec.decode_open(recorded)?.event, &recorded.stream));
            }
            self.forget_again(erased).await?;
        }
        Ok(())
    }

    async fn forget_again(&self, erased: Vec<AccountId>) -> Result<(), CannotAct> {
        if erased.is_empty() {
            return Ok(());
        }
        for key in self.keys.still_held(erased).await? {
            self.app.forget(key).await?;
            tracing::warn!(%key, "a key that was erased is back, from an older keys.db; it is deleted again");
        }
        Ok(())
    }

    /// Forgets the mails to the account, and the mails caused by events of the stream, which are about the person or the
    /// company.
    async fn forget_mails(&self, account: AccountId, envelope: &EventEnvelope) -> Result<(), CannotAct> {
        let history = self.store.read_stream(&envelope.stream, Revision::default()).await?;
        let positions = history.iter().map(|event| event.position).collect();
        let mails = self.journal.mails_about(account, positions).await?;
        Ok(self.mailer.forget(mails).await?)
    }
}
