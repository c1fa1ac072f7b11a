//! The stored form of the events of an order.

use serde::{Deserialize, Deserializer, Serialize};

use super::company::StoredRegistration;
use super::{Private, Stored, opened};
use crate::Moment;
use crate::company::Registration;
use crate::ids::{AccountId, CompanyId, OrderId, SiteId};
use crate::order::{Channel, Content, Equipped, Event, Line, Outcome, Resolution};
use crate::values::address::Address;
use crate::values::email_address::EmailHash;
use crate::values::erasable::Erasable;
use crate::values::language::Language;
use crate::values::person::Person;
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

/// The newest shape. The company's data and the addresses are encrypted with the key of the company.
#[derive(Debug, Serialize, Deserialize)]
pub struct OrderReceived {
    company_id: CompanyId,
    #[serde(flatten)]
    head: Head,
    lines: Vec<StoredLine>,
}

/// Version 1 stored the company's data and the addresses in the open.
#[derive(Debug, Deserialize)]
struct OrderReceivedV1 {
    company: StoredRegistration,
    #[serde(flatten)]
    head: Head,
    lines: Vec<LineV1>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Head {
    order_id: OrderId,
    channel: Channel,
    placed_at: Moment,
    contact_account_id: AccountId,
    contact_email_hash: EmailHash,
    contact_language: Language,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredLine {
    model: String,
    quantity: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    serials: Vec<SerialNumber>,
}

#[derive(Debug, Deserialize)]
struct LineV1 {
    #[serde(flatten)]
    line: StoredLine,
    delivery_address: Address,
}

impl StoredLine {
    fn to(self, delivery_address: Erasable<Address>) -> Line {
        let Self { model, quantity, serials } = self;
        Line { model, quantity, serials, delivery_address }
    }
}

impl Head {
    fn event(
        self,
        company: CompanyId,
        registration: Erasable<Registration>,
        lines: Vec<Line>,
        person: Erasable<Person>,
    ) -> Event {
        let content = Content {
            id: self.order_id,
            channel: self.channel,
            placed_at: self.placed_at,
            company: registration,
            language: self.contact_language,
            email_hash: self.contact_email_hash,
            lines,
        };
        let account = self.contact_account_id;
        Event::OrderReceived { content: Box::new(content), company, account, person }
    }
}

impl OrderReceived {
    fn event(self, private: &Erasable<Private>) -> Event {
        let addresses = private.known().and_then(|private| private.delivery_addresses.clone());
        let mut addresses = addresses.into_iter().flatten();
        let lines = self.lines.into_iter().map(|line| line.to(addresses.next().into())).collect();
        self.head.event(self.company_id, opened(private), lines, opened(private))
    }
}

impl OrderReceivedV1 {
    fn event(self, private: &Erasable<Private>) -> Event {
        let registration: Registration = self.company.into();
        let company = CompanyId::registered_as(&registration.number);
        let lines = self.lines.into_iter().map(|held| held.line.to(Erasable::Known(held.delivery_address)));
        self.head.event(company, Erasable::Known(registration), lines.collect(), opened(private))
    }
}

/// The part of an order that the key of the company encrypts. Nothing, if it was erased.
fn of_company(registration: Erasable<Registration>, lines: &[Line]) -> Private {
    let addresses: Option<Vec<Address>> =
        lines.iter().map(|line| line.delivery_address.known().cloned()).collect();
    Private { delivery_addresses: addresses, ..Private::default().sealing(registration) }
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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    present_serials: Vec<SerialNumber>,
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
        of_company: None,
    };
    match event.clone() {
        Event::OrderReceived { content, company, account, person } => {
            let private = of_company(content.company, &content.lines);
            let line = |Line { model, quantity, serials, .. }| StoredLine { model, quantity, serials };
            let head = Head {
                order_id: content.id,
                channel: content.channel,
                placed_at: content.placed_at,
                contact_account_id: account,
                contact_email_hash: content.email_hash,
                contact_language: content.language,
            };
            let lines = content.lines.into_iter().map(line).collect();
            let data = Data::Received(Box::new(OrderReceived { company_id: company, head, lines }));
            let received = stored("order-received", data, Private::default().sealing(person), Some(account));
            Stored { version: 2, of_company: Some((company, private)), ..received }
        }
        Event::OrderOnboarded { company, account, outcome } => {
            let data = Data::Onboarded(OrderOnboarded { company_id: company, account_id: account, outcome });
            stored("order-onboarded", data, Private::default(), Some(account))
        }
        Event::OrderEquipped(Equipped { company, opened, added, refused, present }) => {
            let data = Data::Equipped(OrderEquipped {
                company_id: company,
                opened_site_ids: opened,
                added_terminals: added,
                refused_serials: refused,
                present_serials: present,
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
        ("order-received", 1) => OrderReceivedV1::deserialize(data)?.event(&private),
        ("order-received", 2) => OrderReceived::deserialize(data)?.event(&private),
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
                present: stored.present_serials,
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
