//! What can be asked of a company.

use super::{AddressKind, CompanyName, MovedSite, Registration, SiteName};
use crate::ids::{CompanyId, OrderId, SiteId, TakeOverId};
use crate::values::address::Address;

/// A wish that the rules may refuse.
#[derive(Clone, Debug)]
pub enum Command {
    /// Register it, unless it is a customer already.
    Register {
        /// By which order.
        order: OrderId,
        /// What is known of it.
        registration: Registration,
    },
    /// Open a site at each of these addresses where there is none yet.
    OpenSites {
        /// By which order.
        order: OrderId,
        /// Where its terminals go.
        addresses: Vec<Address>,
    },
    /// Change names and addresses, all of them or none.
    Describe(Description),
    /// Call a site otherwise.
    NameSite {
        /// Which.
        site: SiteId,
        /// What it is to be called.
        name: SiteName,
    },
    /// Give a site another address.
    MoveSite {
        /// Which.
        site: SiteId,
        /// Where it is.
        address: Address,
    },
    /// Promise sites to a take-over, all of them or none.
    PromiseSites {
        /// To which.
        takeover: TakeOverId,
        /// To whom they are to go.
        to: CompanyId,
        /// Which.
        sites: Vec<SiteId>,
    },
    /// Keep what was promised to a take-over that does not happen.
    KeepSites {
        /// Which.
        takeover: TakeOverId,
    },
    /// Let sites go to another company.
    ReleaseSites {
        /// By which take-over.
        takeover: TakeOverId,
        /// To whom.
        to: CompanyId,
        /// Which.
        sites: Vec<SiteId>,
    },
    /// Take sites from another company.
    ReceiveSites {
        /// By which take-over.
        takeover: TakeOverId,
        /// From whom.
        from: CompanyId,
        /// Which.
        sites: Vec<MovedSite>,
    },
}

/// What of a company is to be otherwise; what is not said stays.
#[derive(Clone, Debug, Default)]
pub struct Description {
    /// The name in the register.
    pub legal_name: Option<CompanyName>,
    /// The name over the door; `Some(None)` for none.
    pub trading_name: Option<Option<CompanyName>>,
    /// Addresses; `None` for no address of that kind.
    pub addresses: Vec<(AddressKind, Option<Address>)>,
    /// What becomes of a site at the registered office when that moves.
    pub site_at_office: SiteAtOffice,
}

/// What becomes of a site at the registered office when that moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SiteAtOffice {
    /// It moves along: shop and office are one.
    #[default]
    Moves,
    /// It stays where it is.
    Stays,
}
