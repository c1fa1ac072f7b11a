//! Companies by id.

use loquet_domain::Moment;
use loquet_domain::company::Event;
use loquet_domain::enterprise_number::Country;
use loquet_domain::ids::CompanyId;
use loquet_domain::schema::DomainEvent;
use serde::{Deserialize, Serialize};

use crate::ports::{IndexEntry, Rows};
use crate::table::{Row, Table};
use crate::view::{CannotApply, Noted, View, ViewId};

/// A company.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the names say it
pub struct CompanyRow {
    pub company_id: CompanyId,
    pub country: Country,
    pub enterprise_number: String,
    pub legal_name: String,
    pub trading_name: Option<String>,
    pub registered_at: Moment,
}

impl CompanyRow {
    /// The name by which its people know it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.trading_name.as_deref().unwrap_or(&self.legal_name)
    }
}

impl Row for CompanyRow {
    const VIEW: ViewId = ViewId { name: "companies", version: 1 };

    fn indexes(&self) -> Vec<IndexEntry> {
        vec![("enterprise_number", format!("{}/{}", self.country, self.enterprise_number))]
    }
}

/// The view.
pub struct Companies;

impl View for Companies {
    fn id(&self) -> ViewId {
        CompanyRow::VIEW
    }

    fn apply(&self, rows: &mut dyn Rows, noted: &Noted) -> Result<(), CannotApply> {
        let DomainEvent::Company(Event::CompanyRegistered { registration, .. }) = &noted.fact.event else {
            return Ok(());
        };
        let id = noted.stream.id();
        let company_id =
            id.parse().map_err(|_| CannotApply::Contradiction(format!("{id} is no company id")))?;
        let row = CompanyRow {
            company_id,
            country: registration.number.country(),
            enterprise_number: registration.number.digits().to_owned(),
            legal_name: registration.legal_name.as_str().to_owned(),
            trading_name: registration.trading_name.as_ref().map(|name| name.as_str().to_owned()),
            registered_at: noted.fact.context.at,
        };
        Table::new(rows).put(id, &row)
    }
}
