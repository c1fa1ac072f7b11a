//! The stored form of the events of an order.

use serde::{Deserialize, Deserializer, Serialize};

use super::company::StoredRegistration;
use super::{Private, Stored, opened};
use crate::Moment;
use crate::ids::{AccountId, CompanyId, OrderId, SiteId};
use crate::order::{Channel, Content, Equipped, Event, Line, Outcome, Resolution};
use crate::values::email_address::EmailHash;
use crate::values::erasable::Erasable;
use crate::values::language::Language;
use crate::values::serial_number::SerialNumber;

pub(super) const NAMES: &[&str] = &["order-received", "order-onboarded", "order-equipped", "order-resolved"];

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Data {
    Received(Box<OrderReceived>),
    Onboarded(OrderOnboarded),
    Equipped(OrderEquipped),
    Resolved(OrderResolved),
}

#[derive(Debug, Serialize, Deserialize)]
pub struct OrderReceived {
    order_id: OrderId,
    channel: Channel,
    placed_at: Moment,
    company: StoredRegistration,
    contact_account_id: AccountId,
    contact_email_hash: EmailHash,
    contact_language: Language,
    lines: Vec<Line>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct OrderOnboarded {
    company_id: CompanyId,
    account_id: AccountId,
    outcome: Outcome,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct OrderEquipped {
    company_id: CompanyId,
    opened_site_ids: Vec<SiteId>,
    added_terminals: usize,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    refused_serials: Vec<SerialNumber>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct OrderResolved {
    resolution: Resolution,
    about: Option<AccountId>,
}

pub(super) fn write(event: &Event) -> Stored {
    let stored = |name, data, private, subject| Stored {
        name,
        version: 1,
        data: super::Data::Order(data),
        private,
        subject,
    };
    match event.clone() {
        Event::OrderReceived { content, account, person } => {
            let data = OrderReceived {
                order_id: content.id,
                channel: content.channel,
                placed_at: content.placed_at,
                company: content.company.into(),
                contact_account_id: account,
                contact_email_hash: content.email_hash,
                contact_language: content.language,
                lines: content.lines,
            };
            let data = Data::Received(Box::new(data));
            stored("order-received", data, Private::default().sealing(person), Some(account))
        }
        Event::OrderOnboarded { company, account, outcome } => {
            let data = Data::Onboarded(OrderOnboarded { company_id: company, account_id: account, outcome });
            stored("order-onboarded", data, Private::default(), Some(account))
        }
        Event::OrderEquipped(Equipped { company, opened, added, refused }) => {
            let data = Data::Equipped(OrderEquipped {
                company_id: company,
                opened_site_ids: opened,
                added_terminals: added,
                refused_serials: refused,
            });
            stored("order-equipped", data, Private::default(), None)
        }
        Event::OrderResolved { resolution, about } => {
            let data = Data::Resolved(OrderResolved { resolution, about });
            stored("order-resolved", data, Private::default(), about)
        }
    }
}

pub(super) fn read<'de, D: Deserializer<'de>>(
    name: &str,
    version: u16,
    data: D,
    private: Erasable<Private>,
) -> Result<Option<Event>, D::Error> {
    let event = match (name, version) {
        ("order-received", 1) => {
            let stored = OrderReceived::deserialize(data)?;
            let content = Content {
                id: stored.order_id,
                channel: stored.channel,
                placed_at: stored.placed_at,
                company: stored.company.into(),
                language: stored.contact_language,
                email_hash: stored.contact_email_hash,
                lines: stored.lines,
            };
            let account = stored.contact_account_id;
            Event::OrderReceived { content: Box::new(content), account, person: opened(&private) }
        }
        ("order-onboarded", 1) => {
            let stored = OrderOnboarded::deserialize(data)?;
            Event::OrderOnboarded {
                company: stored.company_id,
                account: stored.account_id,
                outcome: stored.outcome,
            }
        }
        ("order-equipped", 1) => {
            let stored = OrderEquipped::deserialize(data)?;
            Event::OrderEquipped(Equipped {
                company: stored.company_id,
                opened: stored.opened_site_ids,
                added: stored.added_terminals,
                refused: stored.refused_serials,
            })
        }
        ("order-resolved", 1) => {
            let stored = OrderResolved::deserialize(data)?;
            Event::OrderResolved { resolution: stored.resolution, about: stored.about }
        }
        _ => return Ok(None),
    };
    Ok(Some(event))
}
