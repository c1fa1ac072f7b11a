//! Accounts by id, e-mail, company and status.

use chrono::serde::{ts_microseconds, ts_microseconds_option};
use loquet_domain::Moment;
use loquet_domain::account::{Event, Role};
use loquet_domain::ids::{AccountId, CompanyId};
use loquet_domain::ports::Position;
use loquet_domain::schema::DomainEvent;
use loquet_domain::values::email_address::EmailHash;
use loquet_domain::values::language::Language;
use serde::{Deserialize, Serialize};

use crate::index::{Entry, Index};
use crate::ports::{ReadStore, StoreFailed};
use crate::table::{Row, RowQuery, Table, select_where, sortable};
use crate::view::{CannotApply, EventEnvelope, View, ViewId};

/// The stage of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Created. Nobody has chosen a password yet.
    AwaitingActivation,
    /// In use.
    Active,
    /// Deleted.
    Deleted,
    /// Deleted, and the person's data was erased.
    Erased,
}

impl Status {
    /// All stages.
    pub const ALL: [Self; 4] = [Self::AwaitingActivation, Self::Active, Self::Deleted, Self::Erased];

    /// Its name in the API.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::AwaitingActivation => "awaiting_activation",
            Self::Active => "active",
            Self::Deleted => "deleted",
            Self::Erased => "erased",
        }
    }
}

/// An account. The event at `person_at` in the log holds its owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct AccountRow {
    pub account_id: AccountId,
    pub company_id: CompanyId,
    pub role: Role,
    pub language: Language,
    pub status: Status,
    pub email_hash: EmailHash,
    pub person_at: Position,
    #[serde(with = "ts_microseconds")]
    pub created_at: Moment,
    #[serde(with = "ts_microseconds_option")]
    pub activated_at: Option<Moment>,
    #[serde(with = "ts_microseconds_option")]
    pub last_login_at: Option<Moment>,
    #[serde(with = "ts_microseconds_option")]
    pub deleted_at: Option<Moment>,
}

impl AccountRow {
    /// All accounts: `<created>`.
    pub const BY_CREATION: Index<Self> = Index::new("created");
    /// The accounts of a company: `<company>/<created>`.
    pub const BY_COMPANY: Index<Self> = Index::new("company");
    /// The accounts in a stage: `<status>/<created>`.
    pub const BY_STATUS: Index<Self> = Index::new("status");
    /// The accounts of a company in a stage: `<company>/<status>/<created>`.
    pub const BY_COMPANY_AND_STATUS: Index<Self> = Index::new("company_status");
    /// The live account with an e-mail address: `<hash of the address>/<created>`.
    pub const BY_EMAIL: Index<Self> = Index::new("email");
    /// The live accounts of temporary administrators, who wait for a conversion: `<created>`.
    pub const AWAITING_CONVERSION: Index<Self> = Index::new("awaiting_conversion");
}

impl AccountRow {
    /// Whether it is the live account of a temporary administrator.
    #[must_use]
    pub fn awaits_conversion(&self) -> bool {
        self.role == Role::TemporaryAdministrator
            && matches!(self.status, Status::AwaitingActivation | Status::Active)
    }
}

impl Row for AccountRow {
    const VIEW: ViewId = ViewId { name: "accounts", version: 5 };

    /// Each value ends with the time of creation, so that results come in that order.
    fn indexes(&self) -> Vec<Entry<Self>> {
        let (company, status, created) = (self.company_id, self.status.word(), sortable(self.created_at));
        let mut entries = vec![
            Self::BY_CREATION.entry(created.as_str()),
            Self::BY_COMPANY.entry(format!("{company}/{created}")),
            Self::BY_STATUS.entry(format!("{status}/{created}")),
            Self::BY_COMPANY_AND_STATUS.entry(format!("{company}/{status}/{created}")),
        ];
        if matches!(self.status, Status::AwaitingActivation | Status::Active) {
            entries.push(Self::BY_EMAIL.entry(format!("{}/{created}", self.email_hash)));
        }
        if self.awaits_conversion() {
            entries.push(Self::AWAITING_CONVERSION.entry(created.as_str()));
        }
        entries
    }
}

/// The accounts of a company that are not deleted, oldest first.
///
/// # Errors
/// [`StoreFailed`] if the store can't be used.
pub async fn live_accounts(store: &dyn ReadStore, company: CompanyId) -> Result<Vec<AccountId>, StoreFailed> {
    let by = Some(AccountRow::BY_COMPANY.under(company));
    let all = RowQuery { by, limit: usize::MAX, ..RowQuery::default() };
    let live = |row: &AccountRow| matches!(row.status, Status::Active | Status::AwaitingActivation);
    let rows = select_where(store, all, live).await?;
    Ok(rows.into_iter().map(|(_, row)| row.account_id).collect())
}

/// The view of accounts.
pub struct Accounts;

impl View for Accounts {
    type Row = AccountRow;

    fn apply(&self, rows: &mut Table<'_, AccountRow>, envelope: &EventEnvelope) -> Result<(), CannotApply> {
        let (DomainEvent::Account(event), Some(account)) = (&envelope.fact.event, envelope.stream.account())
        else {
            return Ok(());
        };
        let key = envelope.stream.id();
        let at = envelope.fact.context.at;
        match event {
            Event::AccountCreated { company, role, language, email_hash, .. } => rows.put(
                key,
                AccountRow {
                    account_id: account,
                    company_id: *company,
                    role: *role,
                    language: *language,
                    status: Status::AwaitingActivation,
                    email_hash: email_hash.clone(),
                    person_at: envelope.position,
                    created_at: at,
                    activated_at: None,
                    last_login_at: None,
                    deleted_at: None,
                },
            ),
            Event::AccountActivated { .. } => rows.change(key, |row| {
                row.status = Status::Active;
                row.activated_at = Some(at);
            }),
            Event::AccountConverted { to } | Event::RoleChanged { to } => {
                rows.change(key, |row| row.role = (*to).into())
            }
            Event::AccountMoved { company, role, .. } => rows.change(key, |row| {
                row.company_id = *company;
                row.role = *role;
            }),
            Event::ProfileChanged { language, .. } => rows.change(key, |row| {
                row.language = *language;
                row.person_at = envelope.position;
            }),
            Event::LoginSucceeded { .. } => rows.change(key, |row| row.last_login_at = Some(at)),
            Event::AccountDeleted { .. } => rows.change(key, |row| {
                row.status = Status::Deleted;
                row.deleted_at = Some(at);
            }),
            Event::AccountErased => rows.change(key, |row| row.status = Status::Erased),
            _ => Ok(()),
        }
    }
}
