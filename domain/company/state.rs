//! The state of a company: the part of its history that the next decision needs.

use std::collections::{BTreeMap, BTreeSet};

use super::{AddressKind, CompanyName, MergedSite, MovedSite, SiteName};
use crate::ids::{CompanyId, OrderId, SiteId, TakeOverId};
use crate::persistent_map::PersistentMap;
use crate::values::address::Address;
use crate::values::address_key::AddressKey;
use crate::values::enterprise_number::EnterpriseNumber;

/// A company that may be registered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Company {
    /// Its details. `None` if it is not a customer yet.
    pub registered: Option<Box<Registered>>,
    /// The company to which the number belongs from which this stream's id follows. `None`: to this one.
    pub redirect: Option<CompanyId>,
    /// Whether it was erased. Nothing happens to it any more.
    pub erased: bool,
    /// Its sites.
    pub sites: PersistentMap<SiteId, Site>,
    /// The site at each address: the first that was there.
    pub(super) at: PersistentMap<AddressKey, SiteId>,
    /// The newest site that each order opened at each address. The key is the id that the site would have if it were
    /// opened today. So a site is found although its own id follows from an older way to compare addresses.
    pub(super) opened: PersistentMap<SiteId, SiteId>,
    /// The sites that are promised to open take-overs.
    pub(super) promised: BTreeMap<TakeOverId, Promise>,
    /// The completed moves of sites to and from this company, by take-over, with the sites as they were then.
    pub(super) moved: BTreeMap<TakeOverId, Vec<MovedSite>>,
    /// The sites that came with a take-over to an address where a site was already.
    pub(super) merged: BTreeMap<TakeOverId, Vec<MergedSite>>,
    /// Sites that moved to another company or became one with another site. A site that is opened here never gets one of these ids again.
    pub(super) gone: BTreeSet<SiteId>,
}

/// The promise to one take-over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Promise {
    pub(super) to: CompanyId,
    pub(super) sites: Vec<SiteId>,
}

/// The details of a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The order that registered it.
    pub by: OrderId,
    /// Its number and the country of the register.
    pub number: EnterpriseNumber,
    /// The name in the register.
    pub legal_name: CompanyName,
    /// The trading name, if it differs from the legal name.
    pub trading_name: Option<CompanyName>,
    /// Its addresses. The registered office is always among them.
    pub addresses: BTreeMap<AddressKind, Address>,
}

/// A place where a company uses terminals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Its name.
    pub name: SiteName,
    /// Its address.
    pub address: Address,
    /// Whether somebody chose its name. Any other name follows the address.
    pub named: bool,
    /// The key of its address. Kept, because it takes longer to compute than to compare.
    pub(super) key: AddressKey,
}

impl Company {
    /// The company's legal and trading name. Empty if it is not a customer yet.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let registered = self.registered.as_deref();
        let names = registered.map(|held| [Some(&held.legal_name), held.trading_name.as_ref()]);
        names.into_iter().flatten().flatten().map(CompanyName::as_str).collect()
    }

    /// The company to which the number of this stream belongs instead: the number was left to that company, or this
    /// company, whose id is `own`, was erased.
    #[must_use]
    pub fn elsewhere(&self, own: CompanyId) -> Option<CompanyId> {
        self.redirect.or_else(|| self.erased.then(|| own.successor()))
    }

    /// The order that registered it. Returns `None` if it is not a customer yet.
    #[must_use]
    pub fn registered_by(&self) -> Option<&OrderId> {
        self.registered.as_ref().map(|registered| &registered.by)
    }

    /// The site at an address, in any spelling of the address.
    #[must_use]
    pub fn site_at(&self, address: &Address) -> Option<SiteId> {
        self.at.get(address.key()).copied()
    }

    /// The site for the terminals that this order delivers to an address. The site is open by then.
    #[must_use]
    pub fn site_for(&self, order: &OrderId, address: &Address) -> Option<SiteId> {
        self.site_at(address).or_else(|| self.opened_by(order, address))
    }

    /// The site that this order opened at an address, even if it has moved since. So the order opens no second site
    /// when it is delivered again.
    #[must_use]
    pub fn opened_by(&self, order: &OrderId, address: &Address) -> Option<SiteId> {
        let opened = self.opened.get(SiteId::of_order(order, address.key(), 0)).copied();
        opened.filter(|site| self.sites.contains(*site))
    }

    /// The id of the site that an order opens at an address. The id is a new one even if the order opened a site there
    /// before that a take-over moved to another company, or if an older way to compare addresses gave the id to a site
    /// at another address.
    pub(super) fn next_site(&self, order: &OrderId, address: AddressKey) -> SiteId {
        let (mut times, mut site) = (0, SiteId::of_order(order, address, 0));
        while self.gone.contains(&site) || self.sites.contains(site) {
            times += 1;
            site = SiteId::of_order(order, address, times);
        }
        site
    }

    /// The names of the sites, as [`SiteName::alike`] returns them.
    #[must_use]
    pub fn site_names(&self) -> BTreeSet<String> {
        self.sites.iter().map(|(_, site)| site.name.alike()).collect()
    }

    /// The sites that left with a take-over, as they were then.
    #[must_use]
    pub fn moved_by(&self, takeover: TakeOverId) -> Option<&[MovedSite]> {
        self.moved.get(&takeover).map(Vec::as_slice)
    }

    /// The take-overs in which it took part.
    #[must_use]
    pub fn takeovers(&self) -> BTreeSet<TakeOverId> {
        self.moved.keys().chain(self.promised.keys()).copied().collect()
    }

    /// The sites that came with a take-over and became one with a site that was here.
    #[must_use]
    pub fn merged_by(&self, takeover: TakeOverId) -> &[MergedSite] {
        self.merged.get(&takeover).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether sites are promised to a take-over by that company.
    #[must_use]
    pub fn is_taken_over_by(&self, company: CompanyId) -> bool {
        self.promised.values().any(|promise| promise.to == company)
    }

    /// The name of a site at this address, unless somebody chooses one. It is not like the names of the company's other
    /// sites.
    pub(super) fn name_at(&self, address: &Address, own: SiteId) -> SiteName {
        let others = self.sites.iter().filter(|(id, _)| *id != own);
        SiteName::of(address, &others.map(|(_, site)| site.name.alike()).collect())
    }

    /// Puts a site at its address. Returns the key of the address.
    pub(super) fn place(&mut self, id: SiteId, name: SiteName, address: Address, named: bool) -> AddressKey {
        let key = address.key();
        if !self.at.contains(key) {
            self.at.insert(key, id);
        }
        self.sites.insert(id, Site { name, address, named, key });
        key
    }

    /// Removes a site from its address. If another site is at the address by now, that site keeps it.
    pub(super) fn unplace(&mut self, id: SiteId) -> Option<Site> {
        let site = self.sites.remove(id)?;
        let key = site.key;
        if self.at.get(key) == Some(&id) {
            self.at.remove(key);
            let other = self.sites.iter().filter(|(_, other)| other.key == key).map(|(id, _)| id);
            if let Some(other) = other.min() {
                self.at.insert(key, other);
            }
        }
        Some(site)
    }
}
