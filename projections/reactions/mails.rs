//! Which mails follow from which events.

use std::sync::Arc;
use std::time::Duration;

use loquet_domain::account::{Event, Role};
use loquet_domain::ids::{AccountId, CompanyId};
use loquet_domain::ports::BoxFuture;
use loquet_domain::schema::DomainEvent;

use super::Reaction;
use crate::mail::{MailKind, effect_of};
use crate::ports::{QueuedMail, ReadStore, Selection};
use crate::runner::Status;
use crate::table::{Row, select};
use crate::view::Noted;
use crate::views::accounts::{AccountRow, Status as AccountStatus};

/// How long the accounts view may take to reach an event whose company's administrators are mailed.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many accounts of a company are looked through for its administrators.
const MOST_COLLEAGUES: usize = 10_000;
/// How many administrators of one company are told that somebody waits.
const MOST_TOLD: usize = 100;

/// Queues mails; the sender sends them.
pub struct Mails {
    /// Who the administrators are.
    pub rows: Arc<dyn ReadStore>,
    /// How far that is known.
    pub status: Status,
}

impl Mails {
    /// Its name.
    pub const NAME: &'static str = "mails";
}

impl Reaction for Mails {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn react<'a>(&'a self, noted: &'a Noted) -> BoxFuture<'a, Result<Vec<QueuedMail>, String>> {
        Box::pin(async move {
            let (DomainEvent::Account(event), Some(account)) = (&noted.fact.event, noted.stream.account())
            else {
                return Ok(Vec::new());
            };
            let to_owner = |kind| queued(noted, kind, account);
            Ok(match event {
                Event::AccountCreated { role: Role::TemporaryAdministrator, company, .. } => {
                    let mut mails = vec![to_owner(MailKind::Activation)];
                    let told = self.administrators(noted, *company).await?;
                    mails.extend(told.into_iter().map(|to| queued(noted, MailKind::AwaitingConversion, to)));
                    mails
                }
                Event::AccountCreated { .. } | Event::ActivationRequested { .. } => {
                    vec![to_owner(MailKind::Activation)]
                }
                Event::PasswordResetRequested { .. } => vec![to_owner(MailKind::PasswordReset)],
                Event::PasswordReset { .. } | Event::PasswordChanged { .. } => {
                    vec![to_owner(MailKind::PasswordChanged)]
                }
                Event::AccountLocked { .. } => vec![to_owner(MailKind::LockedOut)],
                _ => Vec::new(),
            })
        })
    }
}

fn queued(noted: &Noted, kind: MailKind, recipient: AccountId) -> QueuedMail {
    let effect = effect_of(noted.fact.id, kind, recipient);
    QueuedMail { effect, kind, recipient, position: noted.position }
}

impl Mails {
    /// The company's administrators as of the event at the latest, those who have yet to activate among
    /// them: they are the ones who can admit somebody.
    async fn administrators(&self, noted: &Noted, company: CompanyId) -> Result<Vec<AccountId>, String> {
        self.status.reach(AccountRow::VIEW, noted.position, PATIENCE).await.map_err(|e| e.to_string())?;
        let by = Some(("company", format!("{company}/")));
        let wanted = Selection { by, limit: MOST_COLLEAGUES, ..Selection::default() };
        let rows = select::<AccountRow>(self.rows.as_ref(), wanted).await.map_err(|e| e.to_string())?;
        let mailed = |row: &AccountRow| {
            matches!(row.status, AccountStatus::Active | AccountStatus::AwaitingActivation)
        };
        let administrators =
            rows.into_iter().filter(|(_, row)| row.role == Role::Administrator && mailed(row));
        Ok(administrators.map(|(_, row)| row.account_id).take(MOST_TOLD).collect())
    }
}
