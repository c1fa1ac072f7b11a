//! The commands of a company.

use super::{AddressKind, CompanyName, MovedSite, Registration, SiteName};
use crate::ids::{CompanyId, OrderId, SiteId, TakeOverId};
use crate::values::address::Address;
use crate::values::enterprise_number::EnterpriseNumber;

/// A command to a company. The rules may refuse it.
#[derive(Clone, Debug)]
pub enum Command {
    /// Register the company, unless it is a customer already.
    Register {
        /// The order that registers it.
        order: OrderId,
        /// The company's details.
        registration: Registration,
    },
    /// Leave the number from which this stream's id follows to another company.
    Redirect {
        /// The company that has the number from now on.
        to: CompanyId,
    },
    /// Open a site at each of these addresses where the company has none yet.
    OpenSites {
        /// The order that opens them.
        order: OrderId,
        /// The addresses to which terminals are delivered.
        addresses: Vec<Address>,
    },
    /// Change names and addresses, all of them or none.
    Describe(Description),
    /// Rename a site.
    NameSite {
        /// The site.
        site: SiteId,
        /// Its new name.
        name: SiteName,
    },
    /// Change a site's address.
    MoveSite {
        /// The site.
        site: SiteId,
        /// Its new address.
        address: Address,
    },
    /// Change a site's address and name: both or neither.
    ChangeSite {
        /// The site.
        site: SiteId,
        /// Its new address. `None`: it stays where it is.
        address: Option<Address>,
        /// Its new name. `None`: it keeps its name.
        name: Option<SiteName>,
    },
    /// Promise sites to a take-over: all of them or none.
    PromiseSites {
        /// The take-over.
        takeover: TakeOverId,
        /// The company that gets them.
        to: CompanyId,
        /// The sites.
        sites: Vec<SiteId>,
    },
    /// Keep the sites that were promised to a take-over, because it was cancelled.
    KeepSites {
        /// The take-over.
        takeover: TakeOverId,
    },
    /// Give sites to another company.
    ReleaseSites {
        /// The take-over.
        takeover: TakeOverId,
        /// The company that gets them.
        to: CompanyId,
        /// The sites.
        sites: Vec<SiteId>,
    },
    /// Receive sites from another company.
    ReceiveSites {
        /// The take-over.
        takeover: TakeOverId,
        /// The company that gives them.
        from: CompanyId,
        /// The sites.
        sites: Vec<MovedSite>,
    },
    /// Erase the company. The caller has checked that nobody and no terminal belongs to it.
    Erase,
}

/// Changes to a company's names and addresses. Omitted fields keep their value.
#[derive(Clone, Debug, Default)]
pub struct Description {
    /// The name in the register.
    pub legal_name: Option<CompanyName>,
    /// The trading name. `Some(None)` removes it.
    pub trading_name: Option<Option<CompanyName>>,
    /// The enterprise number. The caller has redirected the number to this company.
    pub number: Option<EnterpriseNumber>,
    /// Addresses by kind. `None` removes an address.
    pub addresses: Vec<(AddressKind, Option<Address>)>,
    /// Whether a site at the registered office moves along with it.
    pub site_at_office: SiteAtOffice,
}

/// Whether a site at the registered office moves along with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SiteAtOffice {
    /// It moves along, because shop and office are in one place.
    #[default]
    Moves,
    /// It stays where it is.
    Stays,
}
