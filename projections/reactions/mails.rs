//! Decides which mails follow from which events.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use loquet_domain::account::{Admission, DeviceOrigin, Event, Origin, Role, Rows};
use loquet_domain::fact::Actor;
use loquet_domain::ids::{AccountId, CompanyId};
use loquet_domain::order::{self, Equipped};
use loquet_domain::policies::lockout::LockEnd;
use loquet_domain::ports::BoxFuture;
use loquet_domain::schema::DomainEvent;
use loquet_domain::takeover;

use super::{Answer, CannotAct, Reaction};
use crate::mail::{MailKind, effect_of};
use crate::ports::{QueuedMail, ReadStore};
use crate::runner::Status;
use crate::table::{Row, RowQuery, find, select};
use crate::view::EventEnvelope;
use crate::views::accounts::{AccountRow, Status as AccountStatus};
use crate::views::companies::CompanyRow;
use crate::views::takeovers::TakeOverRow;

/// How long to wait until the accounts view has applied an event whose company's administrators get a mail.
const PATIENCE: Duration = Duration::from_secs(30);
/// The maximum number of accounts of a company that are searched for administrators.
const MOST_COLLEAGUES: usize = 10_000;
/// The maximum number of administrators of a company who get a mail.
const MOST_TOLD: usize = 100;

/// Queues mails. The mail sender sends them.
pub struct Mails {
    /// The read models, to find the administrators.
    pub rows: Arc<dyn ReadStore>,
    /// The progress of the read models.
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

    fn react<'a>(&'a self, envelope: &'a EventEnvelope) -> BoxFuture<'a, Answer> {
        Box::pin(async move { self.mails_after(envelope).await.into() })
    }
}

impl Mails {
    async fn mails_after(&self, envelope: &EventEnvelope) -> Result<Vec<QueuedMail>, CannotAct> {
        match (&envelope.fact.event, envelope.stream.account()) {
            (DomainEvent::Account(event), Some(account)) => self.of_account(envelope, event, account).await,
            (DomainEvent::Order(order::Event::OrderEquipped(equipped)), _) => {
                self.of_order(envelope, equipped).await
            }
            (DomainEvent::TakeOver(event), _) => self.of_take_over(envelope, event).await,
            _ => Ok(Vec::new()),
        }
    }

    async fn of_account(
        &self,
        envelope: &EventEnvelope,
        event: &Event,
        account: AccountId,
    ) -> Result<Vec<QueuedMail>, CannotAct> {
        let to_owner = |kind| queued(envelope, kind, account);
        Ok(match event {
            Event::AccountCreated { role: Role::TemporaryAdministrator, company, .. } => {
                let mut mails = vec![to_owner(MailKind::Activation)];
                let told = self.administrators(envelope, *company).await?;
                mails.extend(told.into_iter().map(|to| queued(envelope, MailKind::AwaitingConversion, to)));
                mails
            }
            Event::AccountCreated {
                role: Role::Administrator,
                origin: Origin::Colleague { .. },
                company,
                ..
            } => {
                let mut mails = vec![to_owner(MailKind::Activation)];
                mails.extend(self.of_administrator(envelope, *company, account).await?);
                mails
            }
            Event::AccountConverted { to } => {
                let mut mails = vec![to_owner(MailKind::Admitted)];
                if *to == Admission::Administrator {
                    mails.extend(self.of_new_administrator(envelope, account).await?);
                }
                mails
            }
            Event::RoleChanged { to: Admission::Administrator } => {
                self.of_new_administrator(envelope, account).await?
            }
            Event::AccountDeleted { .. } if envelope.fact.context.actor != own(account) => {
                // Whoever never chose a password has not said that the mailbox is theirs. Otherwise a company could
                // fill a stranger's mailbox: it creates an account for the address and deletes it, again and again.
                let row = self.row::<AccountRow>(envelope, account.to_string()).await?;
                let used = row.is_some_and(|row| row.activated_at.is_some());
                used.then(|| to_owner(MailKind::AccountDeleted)).into_iter().collect()
            }
            Event::AccountCreated { .. } | Event::ActivationRequested { .. } => {
                vec![to_owner(MailKind::Activation)]
            }
            Event::PasswordResetRequested { .. } => match envelope.fact.context.actor {
                // An anonymous caller asks for the owner's own account. Support asks for somebody else's.
                Actor::Staff { .. } | Actor::Service { .. } => {
                    vec![to_owner(MailKind::PasswordResetBySupport)]
                }
                _ => vec![to_owner(MailKind::PasswordReset)],
            },
            Event::LockoutReleased { .. } => vec![to_owner(MailKind::LockoutReleased)],
            Event::PasswordReset { .. } | Event::PasswordChanged { .. } => {
                vec![to_owner(MailKind::PasswordChanged)]
            }
            Event::AccountLocked { rows: Rows::Device(_), .. } => vec![to_owner(MailKind::DeviceLocked)],
            Event::DeviceTrusted { by: DeviceOrigin::Login, .. } => vec![to_owner(MailKind::NewDevice)],
            Event::AccountLocked { until: LockEnd::At(_), .. } => vec![to_owner(MailKind::LockedOut)],
            Event::AccountLocked { until: LockEnd::AtReset, .. } => {
                vec![to_owner(MailKind::LockedUntilReset)]
            }
            Event::SecondStepEnabled { .. } => vec![to_owner(MailKind::SecondStepOn)],
            Event::SecondStepDisabled => vec![to_owner(MailKind::SecondStepOff)],
            Event::SecondStepReset { .. } => vec![to_owner(MailKind::SecondStepReset)],
            _ => Vec::new(),
        })
    }

    /// The mails that follow when an account that exists becomes an administrator.
    async fn of_new_administrator(
        &self,
        envelope: &EventEnvelope,
        account: AccountId,
    ) -> Result<Vec<QueuedMail>, CannotAct> {
        match self.row::<AccountRow>(envelope, account.to_string()).await? {
            Some(row) => self.of_administrator(envelope, row.company_id, account).await,
            None => Err(CannotAct::NotKnown("account")),
        }
    }

    /// If the supplier makes somebody an administrator of a company, the company's other administrators get a mail,
    /// so that this does not happen without their knowledge. If one of the company's administrators does it, nobody
    /// gets a mail. The history shows it.
    async fn of_administrator(
        &self,
        envelope: &EventEnvelope,
        company: CompanyId,
        account: AccountId,
    ) -> Result<Vec<QueuedMail>, CannotAct> {
        match envelope.fact.context.actor {
            Actor::Staff { .. } | Actor::Service { .. } | Actor::Operator => {}
            Actor::Account { .. } | Actor::Anonymous | Actor::System { .. } => return Ok(Vec::new()),
        }
        let told = self.administrators(envelope, company).await?;
        let others = told.into_iter().filter(|to| *to != account);
        Ok(others.map(|to| queued(envelope, MailKind::AdministratorBySupport, to)).collect())
    }

    /// One mail for each order, however many sites it opened. No mail for the order that registered the company: its
    /// contact gets an activation mail.
    async fn of_order(
        &self,
        envelope: &EventEnvelope,
        equipped: &Equipped,
    ) -> Result<Vec<QueuedMail>, CannotAct> {
        if equipped.opened.is_empty() {
            return Ok(Vec::new());
        }
        let company = self.row::<CompanyRow>(envelope, equipped.company.to_string()).await?;
        if company.is_none_or(|company| company.order_id.as_str() == envelope.stream.id()) {
            return Ok(Vec::new());
        }
        let told = self.administrators(envelope, equipped.company).await?;
        Ok(told.into_iter().map(|to| queued(envelope, MailKind::SitesOpened, to)).collect())
    }

    /// Administrators of both companies get a mail. At the end, the people who moved get one too.
    async fn of_take_over(
        &self,
        envelope: &EventEnvelope,
        event: &takeover::Event,
    ) -> Result<Vec<QueuedMail>, CannotAct> {
        let kind = match event {
            takeover::Event::TakeOverOpened { .. } => MailKind::TakeOverOpened,
            takeover::Event::TakeOverCompleted { .. } => MailKind::TakeOverCompleted,
            takeover::Event::TakeOverCancelled { .. } => MailKind::TakeOverCancelled,
            takeover::Event::TakeOverConfirmed { .. } | takeover::Event::TakeOverBegun { .. } => {
                return Ok(Vec::new());
            }
        };
        let Some(row) = self.row::<TakeOverRow>(envelope, envelope.stream.id().to_owned()).await? else {
            return Err(CannotAct::NotKnown("take-over"));
        };
        let mut told = BTreeSet::new();
        for company in [row.from_company_id, row.to_company_id] {
            told.extend(self.administrators(envelope, company).await?);
        }
        if kind == MailKind::TakeOverCompleted {
            told.extend(row.account_ids);
        }
        Ok(told.into_iter().map(|to| queued(envelope, kind, to)).collect())
    }

    /// A row of a view that has applied at least this event.
    async fn row<R: Row>(&self, envelope: &EventEnvelope, key: String) -> Result<Option<R>, CannotAct> {
        self.status.reach(R::VIEW, envelope.position, PATIENCE).await?;
        Ok(find::<R>(self.rows.as_ref(), key).await?)
    }
}

/// An account's owner, as the actor of an event.
fn own(account: AccountId) -> Actor {
    Actor::Account { account_id: account }
}

fn queued(envelope: &EventEnvelope, kind: MailKind, recipient: AccountId) -> QueuedMail {
    let effect = effect_of(envelope.fact.id, kind, recipient);
    QueuedMail { effect, kind, recipient, position: envelope.position }
}

impl Mails {
    /// The company's administrators after this event or later, including those who have not activated their account
    /// yet: they can admit somebody once they have.
    async fn administrators(
        &self,
        envelope: &EventEnvelope,
        company: CompanyId,
    ) -> Result<Vec<AccountId>, CannotAct> {
        self.status.reach(AccountRow::VIEW, envelope.position, PATIENCE).await?;
        let by = Some(AccountRow::BY_COMPANY.under(company));
        let wanted = RowQuery { by, limit: MOST_COLLEAGUES, ..RowQuery::default() };
        let rows = select(self.rows.as_ref(), wanted).await?;
        let mailed = |row: &AccountRow| {
            matches!(row.status, AccountStatus::Active | AccountStatus::AwaitingActivation)
        };
        let administrators =
            rows.into_iter().filter(|(_, row)| row.role == Role::Administrator && mailed(row));
        Ok(administrators.map(|(_, row)| row.account_id).take(MOST_TOLD).collect())
    }
}
