//! The stored form of the events of a company.

use serde::{Deserialize, Serialize};

use super::Spread;
use crate::company::{AddressKind, CompanyName, Event, MergedSite, MovedSite, Registration, SiteName};
use crate::ids::{CompanyId, OrderId, SiteId, TakeOverId};
use crate::values::address::Address;
use crate::values::enterprise_number::{Country, EnterpriseNumber};

stored_events!(Company:
    "company-registered" => CompanyRegistered {
        order as "order_id": OrderId,
        registration as "company": StoredRegistration,
    },
    "company-renamed" => CompanyRenamed {
        legal_name as "legal_name": CompanyName,
        trading_name as "trading_name": Option<CompanyName>,
    },
    "company-number-changed" => CompanyNumberChanged {
        number as { country: Country, enterprise_number: String },
    },
    "company-redirected" => CompanyRedirected { to as "company_id": CompanyId },
    "company-address-changed" => CompanyAddressChanged {
        kind as "kind": AddressKind,
        address as "address": Option<Address>,
    },
    "site-opened" => SiteOpened {
        site as "site_id": SiteId,
        name as "name": SiteName,
        address as "address": Address,
        order as "order_id": OrderId,
    },
    "site-named" => SiteNamed { site as "site_id": SiteId, name as "name": SiteName },
    "site-address-changed" => SiteAddressChanged {
        site as "site_id": SiteId,
        address as "address": Address,
        name as #[serde(default, skip_serializing_if = "Option::is_none")] "name": Option<SiteName>,
    },
    "sites-promised" => SitesPromised {
        takeover as "takeover_id": TakeOverId,
        to as "to_company_id": CompanyId,
        sites as "site_ids": Vec<SiteId>,
    },
    "sites-kept" => SitesKept { takeover as "takeover_id": TakeOverId },
    "sites-released" => SitesReleased {
        takeover as "takeover_id": TakeOverId,
        to as "to_company_id": CompanyId,
        sites as "site_ids": Vec<SiteId>,
    },
    "sites-received" => SitesReceived {
        takeover as "takeover_id": TakeOverId,
        from as "from_company_id": CompanyId,
        sites as "sites": Vec<MovedSite>,
        merged as #[serde(default, skip_serializing_if = "Vec::is_empty")] "merged": Vec<MergedSite>,
    },
);

impl Spread<(Country, String)> for (EnterpriseNumber,) {
    fn spread(self) -> (Country, String) {
        (self.0.country(), self.0.digits().to_owned())
    }

    fn gather((country, digits): (Country, String)) -> Self {
        (EnterpriseNumber::stored(country, digits),)
    }
}

#[derive(Debug, Serialize, Deserialize)]
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
