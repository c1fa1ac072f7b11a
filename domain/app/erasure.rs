//! Forgets: deletes the keys of persons and companies that are erased (GDPR, article 17).

use crate::company::{self, Command, InUse, Refusal};
use crate::fact::Context;
use crate::ids::{AccountId, CompanyId, SiteId};
use crate::ports::{Position, Revision};
use crate::{account, receipt, schema};

use super::{App, Failure, Unavailable};

impl App {
    /// Erases a company: deletes the keys that encrypt its names, its addresses, those of its sites, and the layouts of
    /// its receipts. Called again after a crash, it finishes the rest. An order with the company's number registers a new
    /// company.
    ///
    /// # Errors
    /// [`Refusal::NoSuchCompany`] if it never was a customer. [`Refusal::InUse`] while it has terminals, administrators
    /// or a take-over by another company that is open. The caller checks for users and for take-overs of others.
    pub async fn erase_company(&self, context: &Context, company: CompanyId) -> Result<Position, Failure> {
        if !self.company(company).await?.state.erased {
            self.unused(company).await?;
        }
        let erased = self.change_company(context, company, Command::Erase).await?;
        let stream = company::stream(company);
        for recorded in
            self.ports.store.read_stream(&stream, Revision::default()).await.map_err(Unavailable::from)?
        {
            if schema::ends_a_subject(&recorded.event.name) {
                let fact = self.ports.codec.decode_open(&recorded).map_err(Unavailable::from)?;
                for key in schema::ended_keys(&fact.event, &stream) {
                    self.forget(key).await?;
                }
            }
        }
        Ok(erased.position)
    }

    async fn unused(&self, company: CompanyId) -> Result<(), Failure> {
        if self.terminals(company).await?.state.held.iter().next().is_some() {
            return Err(Refusal::InUse(InUse::Terminals).into());
        }
        if !self.access(company).await?.state.administrators.is_empty() {
            return Err(Refusal::InUse(InUse::Accounts).into());
        }
        Ok(())
    }

    /// Deletes the key of an account, a company, a site or a take-over, and every state in memory that may hold what it
    /// encrypts.
    ///
    /// # Errors
    /// [`Unavailable`] if the key can't be deleted for good.
    pub async fn forget(&self, key: AccountId) -> Result<(), Unavailable> {
        let forgotten = self.ports.keys.forget(key).await;
        self.accounts.forget(&account::stream(key));
        self.companies.forget(&company::stream(CompanyId(key.0)));
        self.receipts.forget(&receipt::stream(SiteId(key.0)));
        self.logos.forget_all();
        self.orders.forget_all();
        Ok(forgotten?)
    }
}
