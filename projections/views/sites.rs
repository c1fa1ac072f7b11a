//! Sites by id, company and name.

use chrono::serde::ts_microseconds;
use loquet_domain::Moment;
use loquet_domain::company::{Event, MergedSite, SiteName};
use loquet_domain::ids::{CompanyId, OrderId, SiteId};
use loquet_domain::schema::DomainEvent;
use loquet_domain::search::findable_words_of;
use loquet_domain::takeover;
use loquet_domain::values::address::Address;
use loquet_domain::values::places::names_of;
use serde::{Deserialize, Serialize};

use crate::collation::sortable_name;
use crate::index::{Entry, Index};
use crate::table::{FoundByWords, Row, Table, sortable};
use crate::view::{CannotApply, EventEnvelope, Sight, View, ViewId};

/// A site. The erasure of its company deletes the row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct SiteRow {
    pub site_id: SiteId,
    pub company_id: CompanyId,
    /// `None` if the company's key is missing. Then the site is in no list.
    pub place: Option<SitePlace>,
    #[serde(with = "ts_microseconds")]
    pub opened_at: Moment,
    pub order_id: OrderId,
}

/// What the company's key encrypts in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct SitePlace {
    pub name: SiteName,
    pub address: Address,
}

impl SiteRow {
    /// All sites: `<opened>`.
    pub const BY_OPENING: Index<Self> = Index::new("created");
    /// The sites of a company: `<company>/<opened>`.
    pub const BY_COMPANY: Index<Self> = Index::new("company");
    /// The sites of a company by name: `<company>/<sort key of the name>`, in the order of [`crate::collation`].
    pub const BY_COMPANY_AND_NAME: Index<Self> = Index::new("company_name");
}

impl FoundByWords for SiteRow {
    /// The words of [`texts`](SitePlace::texts).
    const BY_WORD: Index<Self> = Index::new("word");
}

impl Row for SiteRow {
    const VIEW: ViewId = ViewId { name: "sites", version: 5 };

    fn indexes(&self) -> Vec<Entry<Self>> {
        let Some(place) = &self.place else { return Vec::new() };
        let (company, opened) = (self.company_id, sortable(self.opened_at));
        let mut entries = vec![
            Self::BY_COMPANY.entry(format!("{company}/{opened}")),
            Self::BY_COMPANY_AND_NAME.entry(format!("{company}/{}", sortable_name(place.name.as_str()))),
            Self::BY_OPENING.entry(opened),
        ];
        entries.extend(findable_words_of(&place.texts()).into_iter().map(|word| Self::BY_WORD.entry(word)));
        entries
    }
}

impl SitePlace {
    /// The texts that a search looks in. A town has its names in all languages.
    #[must_use]
    pub fn texts(&self) -> Vec<&str> {
        let Address { street, number, postal_code, town, country, .. } = &self.address;
        let own = [self.name.as_str(), street, number, postal_code, town];
        own.into_iter().chain(names_of(country, town).iter().copied()).collect()
    }
}

fn place(name: Option<&SiteName>, address: Option<&Address>) -> Option<SitePlace> {
    Some(SitePlace { name: name?.clone(), address: address?.clone() })
}

/// The view of sites.
pub struct Sites;

impl View for Sites {
    type Row = SiteRow;

    fn sight(&self) -> Sight {
        Sight::Companies
    }

    fn apply(&self, rows: &mut Table<'_, SiteRow>, envelope: &EventEnvelope) -> Result<(), CannotApply> {
        match (&envelope.fact.event, envelope.stream.id().parse()) {
            (DomainEvent::Company(Event::SiteOpened { site, name, address, order }), Ok(company_id)) => rows
                .put(
                    &site.to_string(),
                    SiteRow {
                        site_id: *site,
                        company_id,
                        place: place(name.known(), address.known()),
                        opened_at: envelope.fact.context.at,
                        order_id: order.clone(),
                    },
                ),
            (DomainEvent::Company(Event::SiteNamed { site, name }), _) => {
                rows.change(&site.to_string(), |row| {
                    if let (Some(place), Some(name)) = (&mut row.place, name.known()) {
                        place.name.clone_from(name);
                    }
                })
            }
            (DomainEvent::Company(Event::SiteAddressChanged { site, address, name }), _) => {
                rows.change(&site.to_string(), |row| {
                    if let (Some(place), Some(address), Some(name)) =
                        (&mut row.place, address.known(), name.known())
                    {
                        place.address.clone_from(address);
                        if let Some(name) = name {
                            place.name.clone_from(name);
                        }
                    }
                })
            }
            // The other company may be erased by now. Then only this event says where the sites are.
            (DomainEvent::Company(Event::SitesReceived { sites, .. }), _) => {
                sites.known().into_iter().flatten().try_for_each(|moved| {
                    let place = place(Some(&moved.name), Some(&moved.address));
                    rows.change(&moved.site.to_string(), |row| row.place = place)
                })
            }
            (DomainEvent::Company(Event::CompanyErased { sites, .. }), _) => {
                sites.iter().try_for_each(|site| rows.erase(&site.to_string()))
            }
            // This one event shows everything that a take-over moves at the new company.
            (DomainEvent::TakeOver(takeover::Event::TakeOverCompleted { to, sites, merged, .. }), _) => {
                sites.iter().try_for_each(|site| match MergedSite::now(merged, *site) == *site {
                    true => rows.change(&site.to_string(), |row| row.company_id = *to),
                    false => rows.delete(&site.to_string()),
                })
            }
            _ => Ok(()),
        }
    }
}
