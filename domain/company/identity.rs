//! The names of companies' streams, and the ids of companies and sites that follow from an order.

use uuid::Uuid;

use crate::ids::{CompanyId, LOQUET, OrderId, SiteId};
use crate::stream::StreamId;
use crate::values::address_key::AddressKey;
use crate::values::enterprise_number::EnterpriseNumber;

/// What the names of companies' streams begin with. Part of the storage format: never change it.
pub const CATEGORY: &str = "company";

/// The stream of a company and its sites.
#[must_use]
pub fn stream(company: CompanyId) -> StreamId {
    StreamId::new(CATEGORY, &company.to_string())
}

impl CompanyId {
    /// The company first registered under this number; two first orders at once meet in one stream.
    #[must_use]
    pub fn registered_as(number: &EnterpriseNumber) -> Self {
        let name = format!("company/{}/{}", number.country(), number.digits());
        Self(Uuid::new_v5(&LOQUET, name.as_bytes()))
    }
}

impl SiteId {
    /// The site that this order opens at an address, if the company has none there yet. `times` counts those
    /// that it opened there and that went to another company before the order was done.
    #[must_use]
    pub fn of_order(order: &OrderId, address: AddressKey, times: u32) -> Self {
        let first = format!("order/{order}/site/{}", Uuid::from(address));
        let name = if times == 0 { first } else { format!("{first}/{times}") };
        Self(Uuid::new_v5(&LOQUET, name.as_bytes()))
    }
}
