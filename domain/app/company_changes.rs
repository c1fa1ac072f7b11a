//! What is done with a company and its sites.

use crate::company::{self, Command, Company, Description, SiteName};
use crate::fact::Context;
use crate::ids::{CompanyId, SiteId};
use crate::ports::{Folded, Position};
use crate::values::address::Address;

use super::{App, Committed, Failure, Unavailable};

impl App {
    /// The company as the log has it now.
    ///
    /// # Errors
    /// [`Unavailable`] when it can't be read.
    pub async fn company(&self, company: CompanyId) -> Result<Folded<Company>, Unavailable> {
        self.companies.load(&company::stream(company)).await
    }

    /// Changes names and addresses of a company, all of them or none.
    ///
    /// # Errors
    /// [`company::Refusal::AddressInUse`] where the office moves with its site to where another site is.
    pub async fn describe_company(
        &self,
        context: &Context,
        company: CompanyId,
        description: Description,
    ) -> Result<Position, Failure> {
        Ok(self.change_company(context, company, Command::Describe(description)).await?.position)
    }

    /// Calls a site otherwise.
    ///
    /// # Errors
    /// [`company::Refusal::NoSuchSite`] where the company has none such.
    pub async fn name_site(
        &self,
        context: &Context,
        company: CompanyId,
        site: SiteId,
        name: SiteName,
    ) -> Result<Position, Failure> {
        Ok(self.change_company(context, company, Command::NameSite { site, name }).await?.position)
    }

    /// Gives a site another address.
    ///
    /// # Errors
    /// [`company::Refusal::AddressInUse`] where another site of the company is there.
    pub async fn move_site(
        &self,
        context: &Context,
        company: CompanyId,
        site: SiteId,
        address: Address,
    ) -> Result<Position, Failure> {
        Ok(self.change_company(context, company, Command::MoveSite { site, address }).await?.position)
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
