//! How each event changes a company. Every event is accepted (law 8).

use std::collections::BTreeMap;

use super::state::Promise;
use super::{AddressKind, Company, Event, MovedSite, Registered, Site};
use crate::fact::Fact;
use crate::ids::SiteId;

/// The company after one more event.
#[must_use]
pub fn evolve(mut company: Company, fact: &Fact<Event>) -> Company {
    match &fact.event {
        Event::CompanyRegistered { order, registration, .. } => {
            let Some(registration) = registration.known() else { return company };
            let office = (AddressKind::RegisteredOffice, registration.registered_office.clone());
            company.registered = Some(Box::new(Registered {
                by: order.clone(),
                number: registration.number.clone(),
                legal_name: registration.legal_name.clone(),
                trading_name: registration.trading_name.clone(),
                addresses: BTreeMap::from([office]),
            }));
        }
        Event::CompanyNumberChanged { number, .. } => {
            if let (Some(registered), Some(number)) = (&mut company.registered, number.known()) {
                registered.number = number.clone();
            }
        }
        Event::CompanyRedirected { to } => company.redirect = Some(*to),
        Event::CompanyRenamed { legal_name, trading_name } => {
            if let (Some(registered), Some(legal_name), Some(trading_name)) =
                (&mut company.registered, legal_name.known(), trading_name.known())
            {
                registered.legal_name = legal_name.clone();
                registered.trading_name.clone_from(trading_name);
            }
        }
        Event::CompanyAddressChanged { kind, address, .. } => {
            if let (Some(registered), Some(address)) = (&mut company.registered, address.known()) {
                match address {
                    Some(address) => registered.addresses.insert(*kind, address.clone()),
                    None => registered.addresses.remove(kind),
                };
            }
        }
        Event::SiteOpened { site, name, address, order } => {
            if let (Some(name), Some(address)) = (name.known(), address.known()) {
                let key = company.place(*site, name.clone(), address.clone(), false);
                company.opened.insert(SiteId::of_order(order, key, 0), *site);
            }
        }
        Event::SiteNamed { site, name } => company.sites.change(*site, |held| {
            if let Some(name) = name.known() {
                held.name = name.clone();
            }
            held.named = true;
        }),
        Event::SiteAddressChanged { site, address, name } => {
            if let (Some(address), Some(name)) = (address.known(), name.known())
                && let Some(held) = company.unplace(*site)
            {
                let name = name.clone().unwrap_or(held.name);
                company.place(*site, name, address.clone(), held.named);
            }
        }
        Event::SitesPromised { takeover, to, sites } => {
            company.promised.insert(*takeover, Promise { to: *to, sites: sites.clone() });
        }
        Event::SitesKept { takeover } => {
            company.promised.remove(takeover);
        }
        Event::SitesReleased { takeover, sites, .. } => {
            company.promised.remove(takeover);
            company.gone.extend(sites);
            let gone = sites.iter().filter_map(|site| {
                let Site { name, address, named, .. } = company.unplace(*site)?;
                Some(MovedSite { site: *site, name, address, follows_address: !named })
            });
            let gone = gone.collect();
            company.moved.insert(*takeover, gone);
        }
        Event::SitesReceived { takeover, sites, merged, .. } => {
            company.moved.insert(*takeover, Vec::new());
            company.gone.extend(merged.iter().map(|merged| merged.site));
            company.merged.insert(*takeover, merged.clone());
            let own = |moved: &&MovedSite| !merged.iter().any(|merged| merged.site == moved.site);
            for moved in sites.known().into_iter().flatten().filter(own) {
                company.gone.remove(&moved.site);
                let MovedSite { site, name, address, follows_address } = moved.clone();
                company.place(site, name, address, !follows_address);
            }
        }
        Event::CompanyErased { .. } => {
            let Company { redirect, .. } = company;
            company = Company { redirect, erased: true, ..Company::default() };
        }
    }
    company
}
