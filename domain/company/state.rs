//! What of a company's history matters to the next decision.

use std::collections::{BTreeMap, BTreeSet};

use super::{AddressKind, CompanyName, MovedSite, SiteName};
use crate::ids::{CompanyId, OrderId, SiteId, TakeOverId};
use crate::persistent_map::PersistentMap;
use crate::values::address::Address;
use crate::values::address_key::AddressKey;
use crate::values::enterprise_number::EnterpriseNumber;

/// A company that may be registered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Company {
    /// Who it is; none while it is no customer.
    pub registered: Option<Box<Registered>>,
    /// Its sites.
    pub sites: PersistentMap<SiteId, Site>,
    /// Which of them is at an address; the first that was there.
    pub(super) at: PersistentMap<AddressKey, SiteId>,
    /// What is promised to take-overs that are open.
    pub(super) promised: BTreeMap<TakeOverId, Promise>,
    /// The take-overs whose sites have come, and those whose sites have gone, with the sites as they were then.
    pub(super) moved: BTreeMap<TakeOverId, Vec<MovedSite>>,
    /// Sites that went to another company: their ids are given to no site that is opened here.
    pub(super) gone: BTreeSet<SiteId>,
}

/// What is promised to a take-over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Promise {
    pub(super) to: CompanyId,
    pub(super) sites: Vec<SiteId>,
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
    /// The names that it is registered under; none while it is no customer.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let registered = self.registered.as_deref();
        let names = registered.map(|held| [Some(&held.legal_name), held.trading_name.as_ref()]);
        names.into_iter().flatten().flatten().map(CompanyName::as_str).collect()
    }

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
        self.site_at(address).or_else(|| self.opened_by(order, address))
    }

    /// The site that this very order opened at an address, wherever it is since: asked again, the order opens no other.
    #[must_use]
    pub fn opened_by(&self, order: &OrderId, address: &Address) -> Option<SiteId> {
        let opened = self.next_site(order, address.key());
        self.sites.contains(opened).then_some(opened)
    }

    /// The id of the site that an order opens at an address. Where it opened one that went to another company
    /// before the order was done, it opens another.
    pub(super) fn next_site(&self, order: &OrderId, address: AddressKey) -> SiteId {
        let (mut times, mut site) = (0, SiteId::of_order(order, address, 0));
        while self.gone.contains(&site) {
            times += 1;
            site = SiteId::of_order(order, address, times);
        }
        site
    }

    /// The sites that went with a take-over, as they were then.
    #[must_use]
    pub fn moved_by(&self, takeover: TakeOverId) -> Option<&[MovedSite]> {
        self.moved.get(&takeover).map(Vec::as_slice)
    }

    /// Whether anything is promised to a take-over by this company.
    #[must_use]
    pub fn is_taken_over_by(&self, company: CompanyId) -> bool {
        self.promised.values().any(|promise| promise.to == company)
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
