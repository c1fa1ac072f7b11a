//! Companies by id, number and name.

use std::collections::{BTreeMap, BTreeSet};

use chrono::serde::ts_microseconds;
use loquet_domain::Moment;
use loquet_domain::access;
use loquet_domain::company::{AddressKind, CompanyName, Event};
use loquet_domain::ids::{AccountId, CompanyId, OrderId};
use loquet_domain::schema::DomainEvent;
use loquet_domain::search::findable_words_of;
use loquet_domain::values::address::Address;
use loquet_domain::values::enterprise_number::Country;
use serde::{Deserialize, Serialize};

use crate::collation::sortable_name;
use crate::index::{Entry, Index};
use crate::table::{FoundByWords, Row, Table, sortable};
use crate::view::{CannotApply, EventEnvelope, View, ViewId};

/// A company.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct CompanyRow {
    pub company_id: CompanyId,
    pub country: Country,
    pub enterprise_number: String,
    pub legal_name: CompanyName,
    pub trading_name: Option<CompanyName>,
    pub addresses: BTreeMap<AddressKind, Address>,
    #[serde(with = "ts_microseconds")]
    pub registered_at: Moment,
    pub order_id: OrderId,
    #[serde(default)]
    pub administrators: BTreeSet<AccountId>,
}

impl CompanyRow {
    /// All companies: `<registered>`.
    pub const BY_REGISTRATION: Index<Self> = Index::new("created");
    /// By the legal or the trading name, in the order of [`crate::collation`].
    pub const BY_NAME: Index<Self> = Index::new("name");
    /// By enterprise number: `<country>/<digits>`.
    pub const BY_NUMBER: Index<Self> = Index::new("number");
    /// The companies without an administrator: `<registered>`.
    pub const WITHOUT_ADMINISTRATOR: Index<Self> = Index::new("without_administrator");
}

impl FoundByWords for CompanyRow {
    const BY_WORD: Index<Self> = Index::new("word");
}

impl Row for CompanyRow {
    const VIEW: ViewId = ViewId { name: "companies", version: 4 };

    fn indexes(&self) -> Vec<Entry<Self>> {
        let names = self.names();
        let mut entries: Vec<_> = names.iter().map(|name| Self::BY_NAME.entry(sortable_name(name))).collect();
        entries.extend(findable_words_of(&names).into_iter().map(|word| Self::BY_WORD.entry(word)));
        entries.push(Self::BY_NUMBER.entry(format!("{}/{}", self.country, self.enterprise_number)));
        entries.push(Self::BY_REGISTRATION.entry(sortable(self.registered_at)));
        if self.administrators.is_empty() {
            entries.push(Self::WITHOUT_ADMINISTRATOR.entry(sortable(self.registered_at)));
        }
        entries
    }
}

impl CompanyRow {
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

    fn apply(&self, rows: &mut Table<'_, CompanyRow>, envelope: &EventEnvelope) -> Result<(), CannotApply> {
        let Ok(company_id) = envelope.stream.id().parse() else { return Ok(()) };
        let key = envelope.stream.id();
        let event = match &envelope.fact.event {
            DomainEvent::Company(event) => event,
            DomainEvent::Access(event) => return administered(rows, key, event),
            _ => return Ok(()),
        };
        match event {
            Event::CompanyRegistered { order, registration } => {
                let office = (AddressKind::RegisteredOffice, registration.registered_office.clone());
                rows.put(
                    key,
                    CompanyRow {
                        company_id,
                        country: registration.number.country(),
                        enterprise_number: registration.number.digits().to_owned(),
                        legal_name: registration.legal_name.clone(),
                        trading_name: registration.trading_name.clone(),
                        addresses: BTreeMap::from([office]),
                        registered_at: envelope.fact.context.at,
                        order_id: order.clone(),
                        administrators: BTreeSet::new(),
                    },
                )
            }
            Event::CompanyNumberChanged { number } => rows.change(key, |row| {
                row.country = number.country();
                row.enterprise_number = number.digits().to_owned();
            }),
            Event::CompanyRenamed { legal_name, trading_name } => rows.change(key, |row| {
                row.legal_name = legal_name.clone();
                row.trading_name = trading_name.clone();
            }),
            Event::CompanyAddressChanged { kind, address } => rows.change(key, |row| match address {
                Some(address) => drop(row.addresses.insert(*kind, address.clone())),
                None => drop(row.addresses.remove(kind)),
            }),
            _ => Ok(()),
        }
    }
}

/// The company's administrators. The stream of this event has the company's id too.
fn administered(
    rows: &mut Table<'_, CompanyRow>,
    key: &str,
    event: &access::Event,
) -> Result<(), CannotApply> {
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
