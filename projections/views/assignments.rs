//! The history of where each terminal was, by terminal and by site.

use chrono::serde::ts_microseconds;
use loquet_domain::Moment;
use loquet_domain::fact::Actor;
use loquet_domain::ids::{CompanyId, OrderId, SiteId, TakeOverId, TerminalId};
use loquet_domain::ports::Position;
use loquet_domain::schema::DomainEvent;
use loquet_domain::takeover;
use loquet_domain::terminals::{Event, ReleaseCause};
use serde::{Deserialize, Serialize};

use crate::index::{Entry, Index};
use crate::table::{Row, Table};
use crate::view::{CannotApply, EventEnvelope, View, ViewId};

/// Why a terminal came to a site or left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Cause {
    Ordered { order_id: OrderId, site_id: SiteId },
    Assigned { from_site_id: SiteId, to_site_id: SiteId },
    Released { site_id: SiteId, cause: ReleaseCause },
    TakenOver { takeover_id: TakeOverId, from_company_id: CompanyId, to_company_id: CompanyId },
}

/// One step in a terminal's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct AssignmentRow {
    pub terminal_id: TerminalId,
    /// The company that has the terminal after this step, or had it until then. Absent in rows of version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company_id: Option<CompanyId>,
    #[serde(with = "ts_microseconds")]
    pub at: Moment,
    pub position: Position,
    pub actor: Actor,
    pub cause: Cause,
}

impl AssignmentRow {
    fn key(&self) -> String {
        format!("{}/{:020}", self.terminal_id, self.position.0)
    }
}

impl AssignmentRow {
    /// The history of a terminal: the row's key, `<terminal>/<position>`.
    pub const BY_TERMINAL: Index<Self> = Index::new("terminal");
    /// The terminals that came to a site or left it: `<site>/<position>`.
    pub const BY_SITE: Index<Self> = Index::new("site");
}

impl Row for AssignmentRow {
    const VIEW: ViewId = ViewId { name: "assignments", version: 2 };

    fn indexes(&self) -> Vec<Entry<Self>> {
        let sites = match &self.cause {
            Cause::Ordered { site_id, .. } | Cause::Released { site_id, .. } => [Some(site_id), None],
            Cause::Assigned { from_site_id, to_site_id } => [Some(from_site_id), Some(to_site_id)],
            Cause::TakenOver { .. } => [None, None],
        };
        let sites = sites.into_iter().flatten();
        let at_site = sites.map(|site| Self::BY_SITE.entry(format!("{site}/{:020}", self.position.0)));
        at_site.chain([Self::BY_TERMINAL.entry(self.key())]).collect()
    }
}

/// The view of assignments.
pub struct Assignments;

impl View for Assignments {
    type Row = AssignmentRow;

    fn apply(
        &self,
        rows: &mut Table<'_, AssignmentRow>,
        envelope: &EventEnvelope,
    ) -> Result<(), CannotApply> {
        let of_stream = || envelope.stream.id().parse().ok();
        let mut note = |terminal: &TerminalId, company_id: Option<CompanyId>, cause: Cause| {
            let row = AssignmentRow {
                terminal_id: *terminal,
                company_id,
                at: envelope.fact.context.at,
                position: envelope.position,
                actor: envelope.fact.context.actor.clone(),
                cause,
            };
            rows.put(&row.key(), row)
        };
        match &envelope.fact.event {
            DomainEvent::Terminals(Event::TerminalAdded { terminal, site, order, .. }) => {
                note(terminal, of_stream(), Cause::Ordered { order_id: order.clone(), site_id: *site })
            }
            DomainEvent::Terminals(Event::TerminalAssigned { terminal, from, to }) => {
                note(terminal, of_stream(), Cause::Assigned { from_site_id: *from, to_site_id: *to })
            }
            DomainEvent::Terminals(Event::TerminalFreed { terminal, site, cause, .. }) => {
                note(terminal, of_stream(), Cause::Released { site_id: *site, cause: *cause })
            }
            DomainEvent::TakeOver(takeover::Event::TakeOverCompleted { from, to, terminals, .. }) => {
                let Ok(takeover_id) = envelope.stream.id().parse() else { return Ok(()) };
                let cause = Cause::TakenOver { takeover_id, from_company_id: *from, to_company_id: *to };
                terminals.iter().try_for_each(|terminal| note(terminal, Some(*to), cause.clone()))
            }
            _ => Ok(()),
        }
    }
}
