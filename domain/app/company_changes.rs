//! Changes to a company and its sites.

use crate::company::{self, Command, Company, Description, SiteName};
use crate::fact::Context;
use crate::ids::{CompanyId, SiteId};
use crate::ports::{Folded, Position};
use crate::values::address::Address;

use super::{App, Committed, Failure, Unavailable};

impl App {
    /// The company's present state in the log.
    ///
    /// # Errors
    /// [`Unavailable`] if it can't be read.
    pub async fn company(&self, company: CompanyId) -> Result<Folded<Company>, Unavailable> {
        self.companies.load(&company::stream(company)).await
    }

    /// Changes names and addresses of a company: all of them or none.
    ///
    /// # Errors
    /// [`company::Refusal::AddressInUse`] if the office's site moves along and another site is at the new address.
    pub async fn describe_company(
        &self,
        context: &Context,
        company: CompanyId,
        description: Description,
    ) -> Result<Position, Failure> {
        Ok(self.change_company(context, company, Command::Describe(description)).await?.position)
    }

    /// Renames a site.
    ///
    /// # Errors
    /// [`company::Refusal::NoSuchSite`] if the company has no such site. [`company::Refusal::SiteNameTaken`] if another
    /// site has a name that is alike.
    pub async fn name_site(
        &self,
        context: &Context,
        company: CompanyId,
        site: SiteId,
        name: SiteName,
    ) -> Result<Position, Failure> {
        Ok(self.change_company(context, company, Command::NameSite { site, name }).await?.position)
    }

    /// Changes a site's address and name: both or neither.
    ///
    /// # Errors
    /// The same as [`App::name_site`]. [`company::Refusal::AddressInUse`] if another site of the company is at that
    /// address.
    pub async fn change_site(
        &self,
        context: &Context,
        company: CompanyId,
        site: SiteId,
        address: Option<Address>,
        name: Option<SiteName>,
    ) -> Result<Position, Failure> {
        let change = Command::ChangeSite { site, address, name };
        Ok(self.change_company(context, company, change).await?.position)
    }

    pub(super) async fn change_company(
        &self,
        context: &Context,
        company: CompanyId,
        command: Command,
    ) -> Result<Committed<Company>, Failure> {
        Ok(self.companies.transact(&company::stream(company), context, command).await?)
    }
}
