//! The first versions of a company's events. They stored in the open what is encrypted today. So the erasure of a company
//! does not reach them.

use serde::Deserialize;

use super::{StoredNumber, StoredRegistration};
use crate::company::{AddressKind, CompanyName, Event, MergedSite, MovedSite, SiteName};
use crate::ids::{CompanyId, OrderId, SiteId, TakeOverId};
use crate::values::address::Address;
use crate::values::erasable::Erasable::Known;

/// Declares the shapes, and how each becomes an event.
macro_rules! older {
    ($($shape:ident { $($(#[$attribute:meta])* $field:ident: $type:ty),* $(,)? } => $event:expr),* $(,)?) => {
        $(
            #[derive(Debug, Deserialize)]
            pub(super) struct $shape {
                $($(#[$attribute])* $field: $type),*
            }

            impl From<$shape> for Event {
                fn from(old: $shape) -> Self {
                    let $shape { $($field),* } = old;
                    $event
                }
            }
        )*
    };
}

older! {
    CompanyRegisteredV1 { order_id: OrderId, company: StoredRegistration } =>
        Event::CompanyRegistered {
            order: order_id,
            country: company.number.country,
            registration: Known(company.into()),
        },
    CompanyRenamedV1 { legal_name: CompanyName, trading_name: Option<CompanyName> } =>
        Event::CompanyRenamed { legal_name: Known(legal_name), trading_name: Known(trading_name) },
    CompanyNumberChangedV1 { #[serde(flatten)] number: StoredNumber } =>
        Event::CompanyNumberChanged { country: number.country, number: Known(number.into()) },
    CompanyAddressChangedV1 { kind: AddressKind, address: Option<Address> } =>
        Event::CompanyAddressChanged { kind, removed: address.is_none(), address: Known(address) },
    SiteOpenedV1 { site_id: SiteId, name: SiteName, address: Address, order_id: OrderId } =>
        Event::SiteOpened { site: site_id, name: Known(name), address: Known(address), order: order_id },
    SiteNamedV1 { site_id: SiteId, name: SiteName } => Event::SiteNamed { site: site_id, name: Known(name) },
    SiteAddressChangedV1 { site_id: SiteId, address: Address, name: Option<SiteName> } =>
        Event::SiteAddressChanged { site: site_id, address: Known(address), name: Known(name) },
    SitesReceivedV1 {
        takeover_id: TakeOverId,
        from_company_id: CompanyId,
        sites: Vec<MovedSite>,
        #[serde(default)]
        merged: Vec<MergedSite>,
    } => Event::SitesReceived {
        takeover: takeover_id,
        from: from_company_id,
        ids: sites.iter().map(|moved| moved.site).collect(),
        sites: Known(sites),
        merged,
    },
}
