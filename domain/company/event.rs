//! What can happen to a company and its sites.
//!
//! How each of these is written down is frozen in [`crate::schema`]: a variant may be renamed here, its
//! stored name never.

use serde::{Deserialize, Serialize};

use super::{CompanyName, Registration, SiteName};
use crate::ids::{CompanyId, OrderId, SiteId, TakeOverId};
use crate::values::address::Address;

/// For what a company uses an address besides its sites.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AddressKind {
    /// Where the law finds it.
    RegisteredOffice,
    /// Where invoices go.
    Invoicing,
    /// Where letters go.
    Correspondence,
}

/// A site as it goes from one company to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MovedSite {
    /// Which.
    pub site: SiteId,
    /// What it is called.
    pub name: SiteName,
    /// Where it is.
    pub address: Address,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The company is a customer from here on.
    CompanyRegistered {
        /// The order that brought it, whose contact becomes its administrator.
        order: OrderId,
        /// What was known of it.
        registration: Registration,
    },
    /// It is called otherwise.
    CompanyRenamed {
        /// The name in the register.
        legal_name: CompanyName,
        /// The name over the door, where it is another.
        trading_name: Option<CompanyName>,
    },
    /// An address of the company, not of a site, changed.
    CompanyAddressChanged {
        /// Which.
        kind: AddressKind,
        /// The new one; none where it has no address for that any more.
        address: Option<Address>,
    },
    /// A terminal was ordered to where the company had no site yet.
    SiteOpened {
        /// Which.
        site: SiteId,
        /// What it is called: its street and town.
        name: SiteName,
        /// Where it is.
        address: Address,
        /// By which order.
        order: OrderId,
    },
    /// A site is called otherwise.
    SiteNamed {
        /// Which.
        site: SiteId,
        /// What it is called now.
        name: SiteName,
    },
    /// A site moved, or its address was written wrongly.
    SiteAddressChanged {
        /// Which.
        site: SiteId,
        /// Where it is now.
        address: Address,
    },
    /// Sites are promised to a take-over: they go nowhere else while it is open.
    SitesPromised {
        /// To which take-over.
        takeover: TakeOverId,
        /// To whom they are to go.
        to: CompanyId,
        /// Which.
        sites: Vec<SiteId>,
    },
    /// The sites that were promised to a take-over stay.
    SitesKept {
        /// Which take-over does not happen.
        takeover: TakeOverId,
    },
    /// Sites go to another company; until the take-over is completed they are shown here.
    SitesReleased {
        /// By which take-over.
        takeover: TakeOverId,
        /// To whom.
        to: CompanyId,
        /// Which.
        sites: Vec<SiteId>,
    },
    /// Sites come from another company; they are shown here once the take-over is completed.
    SitesReceived {
        /// By which take-over.
        takeover: TakeOverId,
        /// From whom.
        from: CompanyId,
        /// Which.
        sites: Vec<MovedSite>,
    },
}
