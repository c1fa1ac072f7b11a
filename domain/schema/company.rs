//! The company's events as they are stored.

use serde::{Deserialize, Deserializer, Serialize};

use super::{Data, DomainEvent, Private, Stored};
use crate::address::Address;
use crate::company::{CompanyName, Event, Registration};
use crate::enterprise_number::{Country, EnterpriseNumber};
use crate::ids::OrderId;

pub(super) const NAMES: &[&str] = &["company-registered"];

#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct CompanyRegistered {
    order_id: OrderId,
    company: StoredRegistration,
}

#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct StoredRegistration {
    country: Country,
    enterprise_number: String,
    legal_name: CompanyName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trading_name: Option<CompanyName>,
    registered_office: Address,
}

impl From<Registration> for StoredRegistration {
    fn from(registration: Registration) -> Self {
        Self {
            country: registration.number.country(),
            enterprise_number: registration.number.digits().to_owned(),
            legal_name: registration.legal_name,
            trading_name: registration.trading_name,
            registered_office: registration.registered_office,
        }
    }
}

impl From<StoredRegistration> for Registration {
    fn from(stored: StoredRegistration) -> Self {
        Self {
            number: EnterpriseNumber::stored(stored.country, stored.enterprise_number),
            legal_name: stored.legal_name,
            trading_name: stored.trading_name,
            registered_office: stored.registered_office,
        }
    }
}

pub(super) fn write(event: &Event) -> Stored {
    let Event::CompanyRegistered { order, registration } = event.clone();
    let data = CompanyRegistered { order_id: order, company: registration.into() };
    Stored {
        name: "company-registered",
        version: 1,
        data: Data::Company(Box::new(data)),
        private: Private::default(),
        subject: None,
    }
}

pub(super) fn read<'de, D: Deserializer<'de>>(
    version: u16,
    data: D,
) -> Result<Option<DomainEvent>, D::Error> {
    if version != 1 {
        return Ok(None);
    }
    let stored = CompanyRegistered::deserialize(data)?;
    let event = Event::CompanyRegistered { order: stored.order_id, registration: stored.company.into() };
    Ok(Some(DomainEvent::Company(event)))
}
