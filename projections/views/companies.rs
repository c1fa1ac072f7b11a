//! Companies by id, number and name.

use std::collections::{BTreeMap, BTreeSet};

use chrono::serde::ts_microseconds;
use loquet_domain::Moment;
use loquet_domain::access;
use loquet_domain::company::{AddressKind, CompanyName, Event};
use loquet_domain::ids::{AccountId, CompanyId, OrderId};
use loquet_domain::schema::DomainEvent;
use loquet_domain::search::{findable_words_of, parts_of_number};
use loquet_domain::values::address::Address;
use loquet_domain::values::enterprise_number::Country;
use serde::{Deserialize, Serialize};

use crate::collation::sortable_name;
use crate::index::{Entry, Index};
use crate::table::{FoundByWords, Row, Table, sortable};
use crate::view::{CannotApply, EventEnvelope, Sight, View, ViewId};

/// A company. Its erasure deletes the row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct CompanyRow {
    pub company_id: CompanyId,
    /// `None` if the company's key is missing. Then the company is in no list.
    pub details: Option<CompanyDetails>,
    #[serde(with = "ts_microseconds")]
    pub registered_at: Moment,
    pub order_id: OrderId,
    #[serde(default)]
    pub administrators: BTreeSet<AccountId>,
}

/// What the company's key encrypts in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct CompanyDetails {
    pub country: Country,
    pub enterprise_number: String,
    pub legal_name: CompanyName,
    pub trading_name: Option<CompanyName>,
    pub addresses: BTreeMap<AddressKind, Address>,
}

impl CompanyRow {
    /// All companies: `<registered>`.
    pub const BY_REGISTRATION: Index<Self> = Index::new("created");
    /// By the legal or the trading name, in the order of [`crate::collation`].
    pub const BY_NAME: Index<Self> = Index::new("name");
    /// By enterprise number: `<country>/<digits>`.
    pub const BY_NUMBER: Index<Self> = Index::new("number");
    /// By the digits of an enterprise number from one of them on: `<country>/<digits>`.
    pub const BY_NUMBER_PART: Index<Self> = Index::new("number_part");
    /// The companies without an administrator: `<registered>`.
    pub const WITHOUT_ADMINISTRATOR: Index<Self> = Index::new("without_administrator");
}

impl FoundByWords for CompanyRow {
    const BY_WORD: Index<Self> = Index::new("word");
}

impl Row for CompanyRow {
    const VIEW: ViewId = ViewId { name: "companies", version: 6 };

    fn indexes(&self) -> Vec<Entry<Self>> {
        let Some(details) = &self.details else { return Vec::new() };
        let names = details.names();
        let mut entries: Vec<_> = names.iter().map(|name| Self::BY_NAME.entry(sortable_name(name))).collect();
        entries.extend(findable_words_of(&names).into_iter().map(|word| Self::BY_WORD.entry(word)));
        entries.push(Self::BY_NUMBER.entry(format!("{}/{}", details.country, details.enterprise_number)));
        let parts = parts_of_number(&details.enterprise_number);
        entries.extend(
            parts.iter().map(|part| Self::BY_NUMBER_PART.entry(format!("{}/{part}", details.country))),
        );
        entries.push(Self::BY_REGISTRATION.entry(sortable(self.registered_at)));
        if self.administrators.is_empty() {
            entries.push(Self::WITHOUT_ADMINISTRATOR.entry(sortable(self.registered_at)));
        }
        entries
    }
}

impl CompanyRow {
    /// The legal name, and the trading name if it differs. None if the company's key is missing.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.details.as_ref().map(CompanyDetails::names).unwrap_or_default()
    }

    /// The legal name.
    #[must_use]
    pub fn legal_name(&self) -> Option<&str> {
        self.details.as_ref().map(|details| details.legal_name.as_str())
    }

    /// The trading name, or the legal name if there is none.
    #[must_use]
    pub fn known_as(&self) -> Option<&str> {
        let details = self.details.as_ref()?;
        Some(details.trading_name.as_ref().unwrap_or(&details.legal_name).as_str())
    }
}

impl CompanyDetails {
    /// The legal name, and the trading name if it differs.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let trading = self.trading_name.as_ref().filter(|name| **name != self.legal_name);
        [Some(&self.legal_name), trading].into_iter().flatten().map(CompanyName::as_str).collect()
    }
}

/// The view of companies.
pub struct Companies;

impl View for Companies {
    type Row = CompanyRow;

    fn sight(&self) -> Sight {
        Sight::Companies
    }

    fn apply(&self, rows: &mut Table<'_, CompanyRow>, envelope: &EventEnvelope) -> Result<(), CannotApply> {
        let Ok(company_id) = envelope.stream.id().parse() else { return Ok(()) };
        let key = envelope.stream.id();
        let event = match &envelope.fact.event {
            DomainEvent::Company(event) => event,
            DomainEvent::Access(event) => return administered(rows, key, event),
            _ => return Ok(()),
        };
        match event {
            Event::CompanyRegistered { order, registration, .. } => {
                let details = registration.known().map(|registration| CompanyDetails {
                    country: registration.number.country(),
                    enterprise_number: registration.number.digits().to_owned(),
                    legal_name: registration.legal_name.clone(),
                    trading_name: registration.trading_name.clone(),
                    addresses: [(AddressKind::RegisteredOffice, registration.registered_office.clone())]
                        .into(),
                });
                let (registered_at, order_id) = (envelope.fact.context.at, order.clone());
                let administrators = BTreeSet::new();
                rows.put(key, CompanyRow { company_id, details, registered_at, order_id, administrators })
            }
            Event::CompanyErased { .. } => rows.erase(key),
            Event::CompanyNumberChanged { .. }
            | Event::CompanyRenamed { .. }
            | Event::CompanyAddressChanged { .. } => rows.change(key, |row| {
                if let Some(details) = &mut row.details {
                    details.follow(event);
                }
            }),
            _ => Ok(()),
        }
    }
}

impl CompanyDetails {
    fn follow(&mut self, event: &Event) {
        match event {
            Event::CompanyNumberChanged { number, .. } => {
                if let Some(number) = number.known() {
                    self.country = number.country();
                    number.digits().clone_into(&mut self.enterprise_number);
                }
            }
            Event::CompanyRenamed { legal_name, trading_name } => {
                if let (Some(legal_name), Some(trading_name)) = (legal_name.known(), trading_name.known()) {
                    self.legal_name.clone_from(legal_name);
                    self.trading_name.clone_from(trading_name);
                }
            }
            Event::CompanyAddressChanged { kind, address, .. } => match address.known() {
                Some(Some(address)) => drop(self.addresses.insert(*kind, address.clone())),
                Some(None) => drop(self.addresses.remove(kind)),
                None => {}
            },
            _ => {}
        }
    }
}

/// The company's administrators. The stream of this event has the company's id too.
fn administered(
    rows: &mut Table<'_, CompanyRow>,
    key: &str,
    event: &access::Event,
) -> Result<(), CannotApply> {
    if rows.get(key)?.is_none() {
        // The company was erased.
        return Ok(());
    }
    match event {
        access::Event::AdministratorAdmitted { account } => {
            rows.change(key, |row| row.administrators.extend([*account]))
        }
        access::Event::AdministratorRemoved { account } => {
            rows.change(key, |row| row.administrators.retain(|held| held != account))
        }
        access::Event::AccountsLeft { accounts, .. } => {
            rows.change(key, |row| row.administrators.retain(|held| !accounts.contains(held)))
        }
        _ => Ok(()),
    }
}
