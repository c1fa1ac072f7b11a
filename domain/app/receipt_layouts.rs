//! Saves the layout of a site's receipts.

use crate::company::{self, MergedSite};
use crate::fact::Context;
use crate::ids::{CompanyId, LogoId, SiteId};
use crate::logo::{self, Logo};
use crate::ports::{Folded, Position};
use crate::receipt::{self, Layout, Receipt};
use crate::values::terminal_model::Maker;

use super::{App, Failure, Unavailable};

/// Why no receipt layout can be set at a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptRefused {
    /// The site has only terminals that support serves.
    #[error("support changes the receipts of these terminals")]
    ContactSupport,
    /// The site has no terminal to print receipts.
    #[error("there is no terminal at this site")]
    NoTerminal,
}

impl App {
    /// The present layout of a site's receipts in the log.
    ///
    /// # Errors
    /// [`Unavailable`] if it can't be read.
    pub async fn receipt(&self, site: SiteId) -> Result<Folded<Receipt>, Unavailable> {
        self.receipts.load(&receipt::stream(site)).await
    }

    /// The logo of a layout.
    ///
    /// # Errors
    /// [`Unavailable`] if it can't be read.
    pub async fn logo(&self, receipt: &Receipt) -> Result<Option<Logo>, Unavailable> {
        match (receipt.layout.logo, &receipt.held) {
            (Some(logo), None) => Ok(self.logos.load(&logo::stream(logo)).await?.state.logo.clone()),
            (_, held) => Ok(held.clone()),
        }
    }

    /// Stores a logo of a site, if it is not stored yet. Returns the id by which layouts name it.
    async fn keep_logo(&self, context: &Context, site: SiteId, logo: Logo) -> Result<LogoId, Unavailable> {
        let id = LogoId::of_site(site, &logo);
        self.logos.transact(&logo::stream(id), context, logo::Command::Keep { site, logo }).await?;
        Ok(id)
    }

    /// Saves the layout of a site's receipts with this logo. The site's terminals fetch it when they next
    /// synchronise.
    ///
    /// # Errors
    /// [`ReceiptRefused`] if the site has no PAX terminal. [`company::Refusal::NoSuchSite`] if the company has no
    /// such site.
    pub async fn save_receipt(
        &self,
        context: &Context,
        company: CompanyId,
        site: SiteId,
        layout: Layout,
        logo: Option<Logo>,
    ) -> Result<(u64, Position), Failure> {
        if !self.company(company).await?.state.sites.contains(site) {
            return Err(company::Refusal::NoSuchSite(site).into());
        }
        self.prints_receipts(company, site).await?;
        let present = self.receipt(site).await?;
        let named = Layout { logo: present.state.layout.logo, ..layout.clone() };
        if present.state.version > 0
            && named == present.state.layout
            && self.logo(&present.state).await? == logo
        {
            return Ok((present.state.version, present.position));
        }
        let logo = match logo {
            Some(logo) => Some(self.keep_logo(context, site, logo).await?),
            None => None,
        };
        let save = receipt::Command::Save { company, layout: Box::new(Layout { logo, ..layout }) };
        let saved = self.receipts.transact(&receipt::stream(site), context, save).await?;
        Ok((saved.state.version, saved.position))
    }

    /// Brings the layout of a site that became one with another. The other site's own layout stays, if it has one.
    pub(super) async fn bring_layout(
        &self,
        context: &Context,
        company: CompanyId,
        merged: MergedSite,
    ) -> Result<(), Failure> {
        let (here, brought) = (self.receipt(merged.into).await?, self.receipt(merged.site).await?);
        if here.state.version > 0 || brought.state.version == 0 {
            return Ok(());
        }
        let logo = match self.logo(&brought.state).await? {
            Some(logo) => Some(self.keep_logo(context, merged.into, logo).await?),
            None => None,
        };
        let layout = Box::new(Layout { logo, ..brought.state.layout.clone() });
        let save = receipt::Command::Save { company, layout };
        self.receipts.transact(&receipt::stream(merged.into), context, save).await?;
        Ok(())
    }

    /// Checks that a site has a terminal whose receipts its owner may change.
    ///
    /// # Errors
    /// [`ReceiptRefused`] if it has none.
    pub async fn prints_receipts(&self, company: CompanyId, site: SiteId) -> Result<(), Failure> {
        let terminals = self.terminals(company).await?.state;
        let makers: Vec<Maker> = terminals.at(site).map(|(_, terminal)| terminal.model.maker()).collect();
        match makers.as_slice() {
            [] => Err(ReceiptRefused::NoTerminal.into()),
            makers if makers.contains(&Maker::Pax) => Ok(()),
            _ => Err(ReceiptRefused::ContactSupport.into()),
        }
    }
}
