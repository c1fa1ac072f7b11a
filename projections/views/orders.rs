//! Orders, and those that wait for support.

use loquet_domain::Moment;
use loquet_domain::ids::{AccountId, CompanyId, OrderId};
use loquet_domain::order::{Channel, Event, Outcome, Resolution};
use loquet_domain::ports::Position;
use loquet_domain::schema::DomainEvent;
use loquet_domain::values::serial_number::SerialNumber;
use serde::{Deserialize, Serialize};

use crate::index::{Entry, Index};
use crate::table::{Row, Table, sortable};
use crate::view::{CannotApply, EventEnvelope, View, ViewId};

/// An order. The event at `person_at` in the log holds its contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct OrderRow {
    pub order_id: OrderId,
    pub channel: Channel,
    pub placed_at: Moment,
    pub received_at: Moment,
    pub company_id: CompanyId,
    pub account_id: AccountId,
    pub outcome: Option<Outcome>,
    pub person_at: Position,
    /// Its serial numbers that belong to terminals of other companies. Support checks them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused_serials: Vec<SerialNumber>,
    /// Support's decision, and its position in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<(Resolution, Position)>,
}

impl OrderRow {
    /// All orders: `<received>`.
    pub const BY_RECEIPT: Index<Self> = Index::new("received");
    /// The orders in a stage: `<status>/<received>`.
    pub const BY_STATUS: Index<Self> = Index::new("status");
    /// The orders of a company: `<company>/<received>`.
    pub const BY_COMPANY: Index<Self> = Index::new("company");
    /// The orders whose contact has an account, at first or by support's decision: `<account>/<received>`.
    pub const BY_ACCOUNT: Index<Self> = Index::new("account");
    /// The orders of a company in a stage: `<company>/<status>/<received>`.
    pub const BY_COMPANY_AND_STATUS: Index<Self> = Index::new("company_status");
}

impl Row for OrderRow {
    const VIEW: ViewId = ViewId { name: "orders", version: 4 };

    fn indexes(&self) -> Vec<Entry<Self>> {
        let status = match self.outcome {
            _ if self.resolved.is_some() => "resolved",
            None => "received",
            Some(_) if !self.refused_serials.is_empty() => "awaiting_support",
            Some(Outcome::AwaitingSupport) => "awaiting_support",
            Some(_) => "onboarded",
        };
        let received = sortable(self.received_at);
        let named = match self.resolved {
            Some((Resolution::ContactNamed { account_id }, _)) => Some(account_id),
            Some((Resolution::NobodyAdded, _)) | None => None,
        };
        let accounts =
            std::iter::once(self.account_id).chain(named.filter(|named| *named != self.account_id));
        let mut entries: Vec<_> =
            accounts.map(|account| Self::BY_ACCOUNT.entry(format!("{account}/{received}"))).collect();
        entries.extend([
            Self::BY_STATUS.entry(format!("{status}/{received}")),
            Self::BY_COMPANY.entry(format!("{}/{received}", self.company_id)),
            Self::BY_COMPANY_AND_STATUS.entry(format!("{}/{status}/{received}", self.company_id)),
            Self::BY_RECEIPT.entry(received),
        ]);
        entries
    }
}

/// The view of orders.
pub struct Orders;

impl View for Orders {
    type Row = OrderRow;

    fn apply(&self, rows: &mut Table<'_, OrderRow>, envelope: &EventEnvelope) -> Result<(), CannotApply> {
        let DomainEvent::Order(event) = &envelope.fact.event else {
            return Ok(());
        };
        let key = envelope.stream.id();
        match event {
            Event::OrderReceived { content, company, account, .. } => {
                let row = OrderRow {
                    order_id: content.id.clone(),
                    channel: content.channel,
                    placed_at: content.placed_at,
                    received_at: envelope.fact.context.at,
                    company_id: *company,
                    account_id: *account,
                    outcome: None,
                    person_at: envelope.position,
                    refused_serials: Vec::new(),
                    resolved: None,
                };
                rows.put(key, row)
            }
            Event::OrderOnboarded { company, outcome, .. } => rows.change(key, |row| {
                // A company that changed its number has another id than the one that follows from the number.
                row.company_id = *company;
                row.outcome = Some(*outcome);
            }),
            Event::OrderResolved { resolution, .. } => {
                rows.change(key, |row| row.resolved = Some((*resolution, envelope.position)))
            }
            Event::OrderEquipped(equipped) => {
                if rows.get(key)?.is_some_and(|row| row.refused_serials == equipped.refused) {
                    return Ok(());
                }
                rows.change(key, |row| row.refused_serials = equipped.refused.clone())
            }
        }
    }
}
