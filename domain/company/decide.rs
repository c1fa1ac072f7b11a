//! The rules of a company and its sites.

use std::collections::BTreeSet;

use super::command::{Command, Description, SiteAtOffice};
use super::{AddressKind, CATEGORY, Company, Event, MergedSite, MovedSite, Registered, SiteName, evolve};
use crate::Moment;
use crate::decider::Decider;
use crate::fact::Fact;
use crate::ids::{CompanyId, OrderId, SiteId, TakeOverId};
use crate::policies::Policies;
use crate::values::address::Address;
use crate::values::erasable::Erasable;

/// Why a command is refused. A refused command changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The company has no order yet.
    #[error("there is no such company")]
    NoSuchCompany,
    /// It has no such site.
    #[error("the company has no site {0}")]
    NoSuchSite(SiteId),
    /// Another site of the company is at that address.
    #[error("site {0} is at that address already")]
    AddressInUse(SiteId),
    /// Another site of the company has a name that people would confuse with this one.
    #[error("site {0} has this name already")]
    SiteNameTaken(SiteId),
    /// Another company has or had this enterprise number.
    #[error("company {0} has this enterprise number")]
    NumberTaken(CompanyId),
    /// The site is promised to another take-over that is open.
    #[error("site {0} is promised to another take-over")]
    SitePromised(SiteId),
    /// The company can't be erased yet: it is still in use.
    #[error("the company is in use: {0}")]
    InUse(InUse),
}

/// What a company still has that keeps it from being erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InUse {
    /// Terminals. They are released first.
    #[error("it has terminals")]
    Terminals,
    /// People who have an account. They are deleted or erased first.
    #[error("it has accounts")]
    Accounts,
    /// A take-over that is open. It is completed or cancelled first.
    #[error("a take-over is open")]
    TakeOver,
}

/// Decides a command. A company is registered once. A further order changes only its sites.
///
/// # Errors
/// The rule that refuses, as a [`Refusal`].
pub fn decide(company: &Company, command: Command) -> Result<Vec<Event>, Refusal> {
    if company.erased {
        return after_erasure(&command);
    }
    if let Command::Register { order, registration } = command {
        let new = company.registered.is_none() && company.redirect.is_none();
        let country = registration.number.country();
        let registered =
            Event::CompanyRegistered { order, country, registration: Erasable::Known(registration) };
        return Ok(new.then_some(registered).into_iter().collect());
    }
    if let Command::Redirect { to } = command {
        return redirect(company, to);
    }
    let registered = company.registered.as_deref().ok_or(Refusal::NoSuchCompany)?;
    match command {
        Command::Register { .. } | Command::Redirect { .. } => Ok(Vec::new()),
        Command::OpenSites { order, addresses } => Ok(open_sites(company, &order, addresses)),
        Command::Describe(description) => describe(company, registered, description),
        Command::NameSite { site, name } => name_site(company, site, name),
        Command::MoveSite { site, address } => move_site(company, site, address),
        Command::ChangeSite { site, address, name } => {
            let moved = address.map(|address| move_site(company, site, address)).transpose()?;
            let named = name.map(|name| name_site(company, site, name)).transpose()?;
            Ok([moved, named].into_iter().flatten().flatten().collect())
        }
        Command::PromiseSites { takeover, .. }
        | Command::ReleaseSites { takeover, .. }
        | Command::ReceiveSites { takeover, .. }
            if company.moved.contains_key(&takeover) =>
        {
            Ok(Vec::new())
        }
        Command::PromiseSites { takeover, to, sites } => promise_sites(company, takeover, to, sites),
        Command::KeepSites { takeover } => {
            let promised = company.promised.contains_key(&takeover);
            Ok(promised.then_some(Event::SitesKept { takeover }).into_iter().collect())
        }
        Command::ReleaseSites { takeover, to, sites } => {
            own(company, &sites)?;
            Ok(vec![Event::SitesReleased { takeover, to, sites }])
        }
        Command::ReceiveSites { takeover, from, sites } => Ok(receive_sites(company, takeover, from, sites)),
        Command::Erase => erase(company),
    }
}

/// An erased company is none any more. Whoever finishes something that was begun before finds nothing to do.
fn after_erasure(command: &Command) -> Result<Vec<Event>, Refusal> {
    match command {
        Command::Register { .. } | Command::KeepSites { .. } | Command::Erase => Ok(Vec::new()),
        _ => Err(Refusal::NoSuchCompany),
    }
}

/// The caller has checked that the company has no terminals and no accounts.
fn erase(company: &Company) -> Result<Vec<Event>, Refusal> {
    if !company.promised.is_empty() {
        return Err(Refusal::InUse(InUse::TakeOver));
    }
    let sites = company.sites.iter().map(|(site, _)| site).collect();
    Ok(vec![Event::CompanyErased { sites, takeovers: company.takeovers().into_iter().collect() }])
}

impl Decider for Company {
    const CATEGORY: &'static str = CATEGORY;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, _: &Policies, _: Moment, command: Command) -> Result<Vec<Event>, Refusal> {
        decide(self, command)
    }

    fn evolve(self, fact: &Fact<Event>) -> Self {
        evolve(self, fact)
    }
}

/// Opens a site at each address where the company has none yet. Two spellings of one address open one site. No site
/// gets a name that is like the name of another.
fn open_sites(company: &Company, order: &OrderId, addresses: Vec<Address>) -> Vec<Event> {
    let mut opened = BTreeSet::new();
    let new = addresses
        .into_iter()
        .filter(|address| company.site_for(order, address).is_none() && opened.insert(address.key()));
    let new: Vec<Address> = new.collect();
    let mut names = if new.is_empty() { BTreeSet::new() } else { company.site_names() };
    let open = |address: Address| {
        let name = SiteName::of(&address, &names);
        names.insert(name.alike());
        let site = company.next_site(order, address.key());
        let (name, address) = (Erasable::Known(name), Erasable::Known(address));
        Event::SiteOpened { site, name, address, order: order.clone() }
    };
    new.into_iter().map(open).collect()
}

/// A number belongs to one company. The stream whose id follows from the number says to which.
fn redirect(company: &Company, to: CompanyId) -> Result<Vec<Event>, Refusal> {
    match (&company.registered, company.redirect) {
        (None, Some(before)) if before == to => Ok(Vec::new()),
        (None, None) => Ok(vec![Event::CompanyRedirected { to }]),
        (None, Some(other)) => Err(Refusal::NumberTaken(other)),
        (Some(held), _) => Err(Refusal::NumberTaken(CompanyId::registered_as(&held.number))),
    }
}

fn describe(company: &Company, held: &Registered, wanted: Description) -> Result<Vec<Event>, Refusal> {
    let legal_name = wanted.legal_name.unwrap_or_else(|| held.legal_name.clone());
    let trading_name = wanted.trading_name.unwrap_or_else(|| held.trading_name.clone());
    let renamed = legal_name != held.legal_name || trading_name != held.trading_name;
    let numbered = wanted.number.filter(|number| *number != held.number);
    let mut events: Vec<Event> = numbered
        .map(|number| Event::CompanyNumberChanged {
            country: number.country(),
            number: Erasable::Known(number),
        })
        .into_iter()
        .collect();
    let (legal_name, trading_name) = (Erasable::Known(legal_name), Erasable::Known(trading_name));
    events.extend(renamed.then_some(Event::CompanyRenamed { legal_name, trading_name }));
    for (kind, address) in wanted.addresses {
        let old = held.addresses.get(&kind);
        // The registered office can be changed, but not removed.
        if old == address.as_ref() || kind == AddressKind::RegisteredOffice && address.is_none() {
            continue;
        }
        if let (AddressKind::RegisteredOffice, SiteAtOffice::Moves, Some(old), Some(new)) =
            (kind, wanted.site_at_office, old, &address)
            && let Some(site) = company.site_at(old)
        {
            events.extend(move_site(company, site, new.clone())?);
        }
        events.push(Event::CompanyAddressChanged {
            kind,
            removed: address.is_none(),
            address: Erasable::Known(address),
        });
    }
    Ok(events)
}

/// Two sites may not have names that people would confuse.
fn name_site(company: &Company, site: SiteId, name: SiteName) -> Result<Vec<Event>, Refusal> {
    let held = company.sites.get(site).ok_or(Refusal::NoSuchSite(site))?;
    if held.name == name && held.named {
        return Ok(Vec::new());
    }
    let alike = name.alike();
    match company.sites.iter().find(|(other, held)| *other != site && held.name.alike() == alike) {
        Some((other, _)) => Err(Refusal::SiteNameTaken(other)),
        None => Ok(vec![Event::SiteNamed { site, name: Erasable::Known(name) }]),
    }
}

/// Two sites may not have one address, because the next order could not tell them apart.
fn move_site(company: &Company, site: SiteId, address: Address) -> Result<Vec<Event>, Refusal> {
    let held = company.sites.get(site).ok_or(Refusal::NoSuchSite(site))?;
    match company.site_at(&address) {
        Some(other) if other != site => Err(Refusal::AddressInUse(other)),
        _ if held.address == address => Ok(Vec::new()),
        _ => {
            let follows = (!held.named).then(|| company.name_at(&address, site));
            let name = follows.filter(|name| *name != held.name);
            let (address, name) = (Erasable::Known(address), Erasable::Known(name));
            Ok(vec![Event::SiteAddressChanged { site, address, name }])
        }
    }
}

/// A site can be promised to one take-over at a time.
fn promise_sites(
    company: &Company,
    takeover: TakeOverId,
    to: CompanyId,
    sites: Vec<SiteId>,
) -> Result<Vec<Event>, Refusal> {
    if company.promised.contains_key(&takeover) {
        return Ok(Vec::new());
    }
    own(company, &sites)?;
    let promised: BTreeSet<SiteId> =
        company.promised.values().flat_map(|promise| promise.sites.iter().copied()).collect();
    match sites.iter().find(|site| promised.contains(site)) {
        Some(site) => Err(Refusal::SitePromised(*site)),
        None => Ok(vec![Event::SitesPromised { takeover, to, sites }]),
    }
}

/// Receives sites. A site at an address where the company has one becomes one with it: the next order could not tell
/// the two apart. Its name comes along if somebody chose it and nobody chose a name for the other. A site with a name
/// that is like another's gets one that people can tell apart.
fn receive_sites(
    company: &Company,
    takeover: TakeOverId,
    from: CompanyId,
    sites: Vec<MovedSite>,
) -> Vec<Event> {
    let (mut taken, mut merged, mut renamed) = (company.site_names(), Vec::new(), Vec::new());
    for moved in &sites {
        let here = company.site_at(&moved.address);
        if let Some(into) = here {
            merged.push(MergedSite { site: moved.site, into });
        }
        let is_new = !taken.contains(&moved.name.alike());
        match here.and_then(|into| Some((into, company.sites.get(into)?))) {
            Some((into, held)) if !held.named && !moved.follows_address && is_new => {
                taken.insert(moved.name.alike());
                renamed.push(Event::SiteNamed { site: into, name: Erasable::Known(moved.name.clone()) });
            }
            Some(_) => {}
            None if is_new => {
                taken.insert(moved.name.alike());
            }
            None => {
                let site = moved.site;
                let name = match moved.follows_address {
                    true => SiteName::of(&moved.address, &taken),
                    false => moved.name.told_apart(&moved.address, &taken),
                };
                taken.insert(name.alike());
                renamed.push(match moved.follows_address {
                    true => {
                        let address = Erasable::Known(moved.address.clone());
                        Event::SiteAddressChanged { site, address, name: Erasable::Known(Some(name)) }
                    }
                    false => Event::SiteNamed { site, name: Erasable::Known(name) },
                });
            }
        }
    }
    let ids = sites.iter().map(|moved| moved.site).collect();
    let received = Event::SitesReceived { takeover, from, ids, sites: Erasable::Known(sites), merged };
    std::iter::once(received).chain(renamed).collect()
}

fn own(company: &Company, sites: &[SiteId]) -> Result<(), Refusal> {
    match sites.iter().find(|site| !company.sites.contains(**site)) {
        Some(foreign) => Err(Refusal::NoSuchSite(*foreign)),
        None => Ok(()),
    }
}
