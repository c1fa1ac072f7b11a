//! Changes to a company and its sites.

use crate::company::{self, Command, Company, Description, SiteName};
use crate::fact::Context;
use crate::ids::{CompanyId, SiteId};
use crate::ports::{Folded, Position};
use crate::values::address::Address;
use crate::values::enterprise_number::EnterpriseNumber;

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
    /// [`company::Refusal::NumberTaken`] if another company has the new enterprise number, or had it.
    pub async fn describe_company(
        &self,
        context: &Context,
        company: CompanyId,
        description: Description,
    ) -> Result<Position, Failure> {
        if let Some(number) = &description.number {
            // Checked before the number is claimed, so that a refusal leaves nothing behind.
            let held = self.company(company).await?.state;
            company::decide(&held, Command::Describe(description.clone()))?;
            self.claim_number(context, company, number).await?;
        }
        Ok(self.change_company(context, company, Command::Describe(description)).await?.position)
    }

    /// The company that has an enterprise number, or will have it once it is registered.
    pub(super) async fn company_of_number(
        &self,
        number: &EnterpriseNumber,
    ) -> Result<CompanyId, Unavailable> {
        let mut company = CompanyId::registered_as(number);
        while let Some(other) = self.company(company).await?.state.elsewhere(company) {
            company = other;
        }
        Ok(company)
    }

    /// The stream that says to which company an enterprise number belongs.
    async fn stream_of_number(&self, number: &EnterpriseNumber) -> Result<CompanyId, Unavailable> {
        let mut stream = CompanyId::registered_as(number);
        while self.company(stream).await?.state.erased {
            stream = stream.successor();
        }
        Ok(stream)
    }

    /// Claims an enterprise number for a company: orders with the number are its own from now on. After a crash, the next
    /// attempt finds the claim.
    async fn claim_number(
        &self,
        context: &Context,
        company: CompanyId,
        number: &EnterpriseNumber,
    ) -> Result<(), Failure> {
        let held = self.company(company).await?.state;
        let registered = held.registered.as_deref().ok_or(company::Refusal::NoSuchCompany)?;
        let id = self.stream_of_number(number).await?;
        if registered.number != *number && id != company {
            self.change_company(context, id, Command::Redirect { to: company }).await?;
        }
        Ok(())
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
