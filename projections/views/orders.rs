//! Orders, and those that wait for support.

use loquet_domain::Moment;
use loquet_domain::ids::{AccountId, CompanyId, OrderId};
use loquet_domain::order::{Channel, Event, Outcome, Resolution};
use loquet_domain::ports::Position;
use loquet_domain::schema::DomainEvent;
use loquet_domain::values::serial_number::SerialNumber;
use serde::{Deserialize, Serialize};

use crate::batch::Batch;
use crate::ports::IndexEntry;
use crate::table::{Row, Table, sortable};
use crate::view::{CannotApply, Noted, View, ViewId};

/// An order. Who placed it is at `person_at` in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the names say it
pub struct OrderRow {
    pub order_id: OrderId,
    pub channel: Channel,
    pub placed_at: Moment,
    pub received_at: Moment,
    pub company_id: CompanyId,
    pub account_id: AccountId,
    pub outcome: Option<Outcome>,
    pub person_at: Position,
    /// Serial numbers in it that are other companies' terminals': support looks into it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused_serials: Vec<SerialNumber>,
    /// What support decided, and where in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<(Resolution, Position)>,
}

impl Row for OrderRow {
    const VIEW: ViewId = ViewId { name: "orders", version: 3 };

    fn indexes(&self) -> Vec<IndexEntry> {
        let status = match self.outcome {
            _ if self.resolved.is_some() => "resolved",
            None => "received",
            Some(_) if !self.refused_serials.is_empty() => "awaiting_support",
            Some(Outcome::AwaitingSupport) => "awaiting_support",
            Some(_) => "onboarded",
        };
        let received = sortable(self.received_at);
        vec![
            ("status", format!("{status}/{received}")),
            ("company", format!("{}/{received}", self.company_id)),
            ("company_status", format!("{}/{status}/{received}", self.company_id)),
            ("received", received),
        ]
    }
}

/// The view.
pub struct Orders;

impl View for Orders {
    fn id(&self) -> ViewId {
        OrderRow::VIEW
    }

    fn apply(&self, rows: &mut Batch<'_>, noted: &Noted) -> Result<(), CannotApply> {
        let DomainEvent::Order(event) = &noted.fact.event else {
            return Ok(());
        };
        let mut table = Table::<OrderRow>::new(rows);
        let key = noted.stream.id();
        match event {
            Event::OrderReceived { content, account, .. } => {
                let row = OrderRow {
                    order_id: content.id.clone(),
                    channel: content.channel,
                    placed_at: content.placed_at,
                    received_at: noted.fact.context.at,
                    company_id: CompanyId::registered_as(&content.company.number),
                    account_id: *account,
                    outcome: None,
                    person_at: noted.position,
                    refused_serials: Vec::new(),
                    resolved: None,
                };
                table.put(key, row)
            }
            Event::OrderOnboarded { outcome, .. } => table.change(key, |row| row.outcome = Some(*outcome)),
            Event::OrderResolved { resolution, .. } => {
                table.change(key, |row| row.resolved = Some((*resolution, noted.position)))
            }
            Event::OrderEquipped(equipped) if equipped.refused.is_empty() => Ok(()),
            Event::OrderEquipped(equipped) => {
                table.change(key, |row| row.refused_serials = equipped.refused.clone())
            }
        }
    }
}
