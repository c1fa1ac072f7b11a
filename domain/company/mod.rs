//! The company: a merchant and its sites. Its first order registers it.

mod command;
mod decide;
mod event;
mod evolve;
mod identity;
mod names;
mod state;
#[cfg(test)]
mod tests;

pub use command::{Command, Description, SiteAtOffice};
pub use decide::{InUse, Refusal, decide};
pub use event::{AddressKind, Event, MergedSite, MovedSite};
pub use evolve::evolve;
pub use identity::{CATEGORY, stream};
pub use names::{CompanyName, InvalidCompanyName, InvalidSiteName, SiteName};
pub use state::{Company, Registered, Site};

use crate::values::address::Address;
use crate::values::enterprise_number::EnterpriseNumber;

/// The details with which a company is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Its number and the country of the register.
    pub number: EnterpriseNumber,
    /// The name in the register.
    pub legal_name: CompanyName,
    /// The trading name, if it differs from the legal name.
    pub trading_name: Option<CompanyName>,
    /// The registered office.
    pub registered_office: Address,
}
