//! The events of a company and its sites.
//!
//! [`crate::schema`] freezes how each event is stored. A variant may be renamed here. Its stored name must never
//! change.

use serde::{Deserialize, Serialize};

use super::{CompanyName, Registration, SiteName};
use crate::ids::{CompanyId, OrderId, SiteId, TakeOverId};
use crate::values::address::Address;
use crate::values::enterprise_number::{Country, EnterpriseNumber};
use crate::values::erasable::Erasable;

/// The purpose of a company's address that is not a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AddressKind {
    /// The legal address.
    RegisteredOffice,
    /// The address for invoices.
    Invoicing,
    /// The address for letters.
    Correspondence,
}

/// A site that moves from one company to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MovedSite {
    /// Its id.
    pub site: SiteId,
    /// Its name.
    pub name: SiteName,
    /// Its address.
    pub address: Address,
    /// Whether its name follows its address, because nobody chose a name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub follows_address: bool,
}

/// A site that came to an address where the company had a site already. The two became one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergedSite {
    /// The site that came. It exists no more.
    pub site: SiteId,
    /// The site that was there. It has the terminals of both.
    pub into: SiteId,
}

impl MergedSite {
    /// The site that stands for `site` after these sites were merged: another one, or `site` itself.
    #[must_use]
    pub fn now(merged: &[Self], site: SiteId) -> SiteId {
        merged.iter().find(|merged| merged.site == site).map_or(site, |merged| merged.into)
    }
}

/// Something that happened to a company. Its names, numbers and addresses are encrypted with the company's key, because
/// those of a sole trader are a person's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The company became a customer.
    CompanyRegistered {
        /// The order that registered it. The order's contact becomes its administrator.
        order: OrderId,
        /// The country of its register.
        country: Country,
        /// The company's details.
        registration: Erasable<Registration>,
    },
    /// The company was renamed.
    CompanyRenamed {
        /// The name in the register.
        legal_name: Erasable<CompanyName>,
        /// The trading name, if it differs from the legal name.
        trading_name: Erasable<Option<CompanyName>>,
    },
    /// Support gave the company another enterprise number. Orders with its former numbers are still its own.
    CompanyNumberChanged {
        /// The country of the register.
        country: Country,
        /// The new number.
        number: Erasable<EnterpriseNumber>,
    },
    /// The number from which this stream's id follows belongs to another company by now: it changed its number to this
    /// one. Orders with this number are that company's.
    CompanyRedirected {
        /// The company.
        to: CompanyId,
    },
    /// An address of the company changed. This is not the address of a site.
    CompanyAddressChanged {
        /// The kind of address.
        kind: AddressKind,
        /// Whether the company no longer has an address of this kind.
        removed: bool,
        /// The new address. `None` if the company no longer has an address of this kind.
        address: Erasable<Option<Address>>,
    },
    /// A site was opened, because a terminal was ordered to an address where the company had none.
    SiteOpened {
        /// The site.
        site: SiteId,
        /// Its name: its street and town, and more if another site of the company has that name.
        name: Erasable<SiteName>,
        /// Its address.
        address: Erasable<Address>,
        /// The order that opened it.
        order: OrderId,
    },
    /// A site was renamed.
    SiteNamed {
        /// The site.
        site: SiteId,
        /// Its new name.
        name: Erasable<SiteName>,
    },
    /// A site's address changed: it moved, or the address was wrong.
    SiteAddressChanged {
        /// The site.
        site: SiteId,
        /// Its new address.
        address: Erasable<Address>,
        /// Its new name, which follows the address. `None` if the name stays, because somebody chose it.
        name: Erasable<Option<SiteName>>,
    },
    /// Sites were promised to a take-over. They cannot move elsewhere while it is open.
    SitesPromised {
        /// The take-over.
        takeover: TakeOverId,
        /// The company that gets them.
        to: CompanyId,
        /// The sites.
        sites: Vec<SiteId>,
    },
    /// Sites that were promised to a take-over stay, because it was cancelled.
    SitesKept {
        /// The take-over.
        takeover: TakeOverId,
    },
    /// Sites left for another company. They are still shown here until the take-over is completed.
    SitesReleased {
        /// The take-over.
        takeover: TakeOverId,
        /// The company that gets them.
        to: CompanyId,
        /// The sites.
        sites: Vec<SiteId>,
    },
    /// Sites came from another company. They are shown here once the take-over is completed.
    SitesReceived {
        /// The take-over.
        takeover: TakeOverId,
        /// The company that gave them.
        from: CompanyId,
        /// The ids of the sites.
        ids: Vec<SiteId>,
        /// The sites, as they were at the company that gave them.
        sites: Erasable<Vec<MovedSite>>,
        /// Those of them that came to an address where the company had a site already.
        merged: Vec<MergedSite>,
    },
    /// The company was erased: its key is deleted. The names and addresses of a sole trader cannot be read any more.
    CompanyErased {
        /// Its sites. Their keys are deleted too: they encrypt the layouts of receipts.
        sites: Vec<SiteId>,
        /// The take-overs in which it took part. Their keys are deleted too: they encrypt the reasons of support.
        takeovers: Vec<TakeOverId>,
    },
}
