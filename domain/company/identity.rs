//! The names of company streams, and the ids of companies and sites that are derived from an order.

use uuid::Uuid;

use crate::ids::{CompanyId, LOQUET, OrderId, SiteId};
use crate::stream::StreamId;
use crate::values::address_key::AddressKey;
use crate::values::enterprise_number::EnterpriseNumber;

/// The category of company streams: the first part of their names. Part of the storage format: never change it.
pub const CATEGORY: &str = "company";

/// The stream of a company and its sites.
#[must_use]
pub fn stream(company: CompanyId) -> StreamId {
    StreamId::new(CATEGORY, &company.to_string())
}

impl CompanyId {
    /// The id of the company that was first registered under this number. Two first orders at once get the same id,
    /// and so the same stream.
    #[must_use]
    pub fn registered_as(number: &EnterpriseNumber) -> Self {
        let name = format!("company/{}/{}", number.country(), number.digits());
        Self(Uuid::new_v5(&LOQUET, name.as_bytes()))
    }

    /// The id of the company that is registered under the number of this one after this one was erased.
    #[must_use]
    pub fn successor(self) -> Self {
        Self(Uuid::new_v5(&LOQUET, format!("company/{self}/again").as_bytes()))
    }
}

impl SiteId {
    /// The id of the site that this order opens at an address. `times` is the number of sites that the order opened
    /// there before and that a take-over moved to another company.
    #[must_use]
    pub fn of_order(order: &OrderId, address: AddressKey, times: u32) -> Self {
        let first = format!("order/{order}/site/{}", Uuid::from(address));
        let name = if times == 0 { first } else { format!("{first}/{times}") };
        Self(Uuid::new_v5(&LOQUET, name.as_bytes()))
    }
}
