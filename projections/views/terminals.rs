//! Terminals by id, serial number, site and company.

use chrono::serde::ts_microseconds;
use loquet_domain::Moment;
use loquet_domain::company::MergedSite;
use loquet_domain::ids::{CompanyId, OrderId, SiteId, TerminalId};
use loquet_domain::schema::DomainEvent;
use loquet_domain::search::parts_of;
use loquet_domain::takeover;
use loquet_domain::terminals::Event;
use loquet_domain::values::serial_number::SerialNumber;
use loquet_domain::values::terminal_model::TerminalModel;
use serde::{Deserialize, Serialize};

use crate::index::{Entry, Index};
use crate::table::{Row, Table, sortable};
use crate::view::{CannotApply, EventEnvelope, View, ViewId};

/// A terminal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct TerminalRow {
    pub terminal_id: TerminalId,
    pub company_id: CompanyId,
    pub site_id: SiteId,
    pub model: TerminalModel,
    pub serial: Option<SerialNumber>,
    #[serde(with = "ts_microseconds")]
    pub added_at: Moment,
    pub order_id: OrderId,
}

impl TerminalRow {
    /// All terminals: `<added>`.
    pub const BY_ADDITION: Index<Self> = Index::new("created");
    /// The terminals of a company: `<company>/<added>`.
    pub const BY_COMPANY: Index<Self> = Index::new("company");
    /// The terminals at a site: `<site>/<added>`.
    pub const BY_SITE: Index<Self> = Index::new("site");
    /// The terminal with a serial number: `<serial number without hyphens>/`.
    pub const BY_SERIAL: Index<Self> = Index::new("serial");
    /// The terminals with a part in their serial number. A value begins in the middle of the number and ends with it.
    pub const BY_SERIAL_PART: Index<Self> = Index::new("serial_part");
}

impl Row for TerminalRow {
    const VIEW: ViewId = ViewId { name: "terminals", version: 2 };

    fn indexes(&self) -> Vec<Entry<Self>> {
        let added = sortable(self.added_at);
        let mut entries = vec![
            Self::BY_COMPANY.entry(format!("{}/{added}", self.company_id)),
            Self::BY_SITE.entry(format!("{}/{added}", self.site_id)),
            Self::BY_ADDITION.entry(added),
        ];
        if let Some(serial) = &self.serial {
            entries.push(Self::BY_SERIAL.entry(format!("{}/", serial.key())));
            entries.extend(parts_of(serial).into_iter().map(|part| Self::BY_SERIAL_PART.entry(part)));
        }
        entries
    }
}

/// The view of terminals.
pub struct Terminals;

impl View for Terminals {
    type Row = TerminalRow;

    fn apply(&self, rows: &mut Table<'_, TerminalRow>, envelope: &EventEnvelope) -> Result<(), CannotApply> {
        match (&envelope.fact.event, envelope.stream.id().parse()) {
            (
                DomainEvent::Terminals(Event::TerminalAdded { terminal, model, serial, site, order }),
                Ok(company),
            ) => rows.put(
                &terminal.to_string(),
                TerminalRow {
                    terminal_id: *terminal,
                    company_id: company,
                    site_id: *site,
                    model: model.clone(),
                    serial: serial.clone(),
                    added_at: envelope.fact.context.at,
                    order_id: order.clone(),
                },
            ),
            (DomainEvent::Terminals(Event::TerminalAssigned { terminal, to, .. }), _) => {
                rows.change(&terminal.to_string(), |row| row.site_id = *to)
            }
            (DomainEvent::Terminals(Event::TerminalSerialNoted { terminal, serial }), _) => {
                rows.change(&terminal.to_string(), |row| row.serial = Some(serial.clone()))
            }
            (DomainEvent::Terminals(Event::TerminalFreed { terminal, .. }), _) => {
                rows.delete(&terminal.to_string())
            }
            // This one event shows everything that a take-over moves at the new company.
            (DomainEvent::TakeOver(takeover::Event::TakeOverCompleted { to, terminals, merged, .. }), _) => {
                let move_to = |row: &mut TerminalRow| {
                    row.company_id = *to;
                    row.site_id = MergedSite::now(merged, row.site_id);
                };
                for terminal in terminals {
                    // A terminal that the new company has released by now has no row.
                    if rows.get(&terminal.to_string())?.is_some() {
                        rows.change(&terminal.to_string(), move_to)?;
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
