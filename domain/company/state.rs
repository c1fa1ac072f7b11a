//! What of a company's history matters to the next decision.

use std::collections::{BTreeMap, BTreeSet};

use super::{AddressKind, CompanyName, SiteName};
use crate::address::Address;
use crate::address_key::AddressKey;
use crate::enterprise_number::EnterpriseNumber;
use crate::ids::{OrderId, SiteId, TakeOverId};
use crate::shared_map::SharedMap;

/// A company that may be registered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Company {
    /// Who it is; none while it is no customer.
    pub registered: Option<Box<Registered>>,
    /// Its sites.
    pub sites: SharedMap<SiteId, Site>,
    /// Which of them is at an address; the first that was there.
    pub(super) at: SharedMap<AddressKey, SiteId>,
    /// The take-overs whose sites have come or gone.
    pub(super) moved: BTreeSet<TakeOverId>,
}

/// A customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The order that registered it.
    pub by: OrderId,
    /// Its number and the register that gave it.
    pub number: EnterpriseNumber,
    /// The name in the register.
    pub legal_name: CompanyName,
    /// The name over the door, where it is another.
    pub trading_name: Option<CompanyName>,
    /// Its addresses; the registered office is always there.
    pub addresses: BTreeMap<AddressKind, Address>,
}

/// A place where a company uses terminals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// What it is called.
    pub name: SiteName,
    /// Where it is.
    pub address: Address,
}

impl Company {
    /// The order that registered it; none while it is no customer.
    #[must_use]
    pub fn registered_by(&self) -> Option<&OrderId> {
        self.registered.as_ref().map(|registered| &registered.by)
    }

    /// The site at an address, however it is written.
    #[must_use]
    pub fn site_at(&self, address: &Address) -> Option<SiteId> {
        self.at.get(address.key()).copied()
    }

    /// The site to which what this order brings to an address goes, once it is opened.
    #[must_use]
    pub fn site_for(&self, order: &OrderId, address: &Address) -> Option<SiteId> {
        // One that this very order opened may have moved since: asked again, the order opens no other.
        let opened = SiteId::of_order(order, address.key());
        self.site_at(address).or_else(|| self.sites.contains(opened).then_some(opened))
    }

    /// Whether its part in a take-over is done.
    #[must_use]
    pub fn has_moved(&self, takeover: TakeOverId) -> bool {
        self.moved.contains(&takeover)
    }

    pub(super) fn place(&mut self, id: SiteId, site: Site) {
        let key = site.address.key();
        if !self.at.contains(key) {
            self.at.insert(key, id);
        }
        self.sites.insert(id, site);
    }

    /// Takes a site away from its address; another that came to be there keeps it.
    pub(super) fn unplace(&mut self, id: SiteId) -> Option<Site> {
        let site = self.sites.remove(id)?;
        let key = site.address.key();
        if self.at.get(key) == Some(&id) {
            self.at.remove(key);
            let other = self.sites.iter().filter(|(_, other)| other.address.key() == key).map(|(id, _)| id);
            if let Some(other) = other.min() {
                self.at.insert(key, other);
            }
        }
        Some(site)
    }
}
