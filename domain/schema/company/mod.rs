//! The stored form of the events of a company. The company's key encrypts its names, numbers and addresses. The first
//! versions of these events stored them in the open.

mod older;
mod sealed;

use serde::{Deserialize, Serialize};

use crate::company::{AddressKind, CompanyName, Event, MergedSite, Registration};
use crate::ids::{CompanyId, OrderId, SiteId, TakeOverId};
use crate::values::address::Address;
use crate::values::enterprise_number::{Country, EnterpriseNumber};
use older::{
    CompanyAddressChangedV1, CompanyNumberChangedV1, CompanyRegisteredV1, CompanyRenamedV1,
    SiteAddressChangedV1, SiteNamedV1, SiteOpenedV1, SitesReceivedV1,
};

stored_events!(Company:
    "company-registered" 2 => CompanyRegistered { order as "order_id": OrderId, country as "country": Country }
        sealed { registration } opened { 1 => CompanyRegisteredV1 },
    "company-renamed" 2 => CompanyRenamed {}
        sealed { legal_name, trading_name } opened { 1 => CompanyRenamedV1 },
    "company-number-changed" 2 => CompanyNumberChanged { country as "country": Country }
        sealed { number } opened { 1 => CompanyNumberChangedV1 },
    "company-redirected" => CompanyRedirected { to as "company_id": CompanyId },
    "company-address-changed" 2 => CompanyAddressChanged { kind as "kind": AddressKind, removed as "removed": bool }
        sealed { address } opened { 1 => CompanyAddressChangedV1 },
    "site-opened" 2 => SiteOpened { site as "site_id": SiteId, order as "order_id": OrderId }
        sealed { name, address } opened { 1 => SiteOpenedV1 },
    "site-named" 2 => SiteNamed { site as "site_id": SiteId }
        sealed { name } opened { 1 => SiteNamedV1 },
    "site-address-changed" 2 => SiteAddressChanged { site as "site_id": SiteId }
        sealed { address, name } opened { 1 => SiteAddressChangedV1 },
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
    "sites-received" 2 => SitesReceived {
        takeover as "takeover_id": TakeOverId,
        from as "from_company_id": CompanyId,
        ids as "site_ids": Vec<SiteId>,
        merged as #[serde(default, skip_serializing_if = "Vec::is_empty")] "merged": Vec<MergedSite>,
    } sealed { sites } opened { 1 => SitesReceivedV1 },
    "company-erased" => CompanyErased {
        sites as "site_ids": Vec<SiteId>,
        takeovers as "takeover_ids": Vec<TakeOverId>,
    },
);

/// A number in a register.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredNumber {
    country: Country,
    enterprise_number: String,
}

impl From<EnterpriseNumber> for StoredNumber {
    fn from(number: EnterpriseNumber) -> Self {
        Self { country: number.country(), enterprise_number: number.digits().to_owned() }
    }
}

impl From<StoredNumber> for EnterpriseNumber {
    fn from(stored: StoredNumber) -> Self {
        Self::stored(stored.country, stored.enterprise_number)
    }
}

/// The details of a company.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredRegistration {
    #[serde(flatten)]
    number: StoredNumber,
    legal_name: CompanyName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trading_name: Option<CompanyName>,
    registered_office: Address,
}

impl From<Registration> for StoredRegistration {
    fn from(registration: Registration) -> Self {
        Self {
            number: registration.number.into(),
            legal_name: registration.legal_name,
            trading_name: registration.trading_name,
            registered_office: registration.registered_office,
        }
    }
}

impl From<StoredRegistration> for Registration {
    fn from(stored: StoredRegistration) -> Self {
        Self {
            number: stored.number.into(),
            legal_name: stored.legal_name,
            trading_name: stored.trading_name,
            registered_office: stored.registered_office,
        }
    }
}
