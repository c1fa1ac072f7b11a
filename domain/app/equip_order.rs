//! Carries out an order's lines: opens sites where the company has none yet, and adds the terminals.
//!
//! Each step is an append and idempotent. Sites are identified by their address; terminals by their serial number, or
//! by the order and the line. Two orders to one new address use the same stream, the company's.

use std::collections::BTreeSet;

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::company;
use crate::company::Company;
use crate::fact::Context;
use crate::ids::{CompanyId, OrderId, SiteId, TerminalId};
use crate::order::{self, Content, Equipped};
use crate::ports::{BoxFuture, Position};
use crate::serial_claim;
use crate::terminals::{self, Unit};
use crate::values::serial_number::SerialNumber;
use crate::values::terminal_model::TerminalModel;

use super::{App, Failure, SIDE_BY_SIDE, Unavailable};

/// The maximum number of terminals that one append adds.
const AT_ONCE: usize = 1_000;

/// How often an order is tried at once if take-overs interfere. After that it waits until it is called for again.
const TRIES: usize = 3;

impl App {
    /// Opens the sites of an order and adds its terminals. The caller has checked that this is not done yet. If a
    /// take-over moves a site away meanwhile, the rest of the order goes to a new site that opens at the same
    /// address.
    pub(super) async fn equip(
        &self,
        context: &Context,
        company: CompanyId,
        content: &Content,
    ) -> Result<Position, Failure> {
        let mut tries = 1;
        loop {
            match self.equip_once(context, company, content).await {
                Err(Failure::Terminals(terminals::Refusal::SiteGone(_))) if tries < TRIES => tries += 1,
                done => return done,
            }
        }
    }

    async fn equip_once(
        &self,
        context: &Context,
        company: CompanyId,
        content: &Content,
    ) -> Result<Position, Failure> {
        let addresses = content.lines.iter().map(|line| line.delivery_address.clone()).collect();
        let open = company::Command::OpenSites { order: content.id.clone(), addresses };
        let sites = self.change_company(context, company, open).await?.state;
        let (units, refused) = self.units(context, company, &sites, content).await?;
        let terminals = terminals::stream(company);
        for units in units.chunks(AT_ONCE) {
            let add = terminals::Command::Add { order: content.id.clone(), units: units.to_vec() };
            self.terminals.transact(&terminals, context, add).await?;
        }
        let opened: BTreeSet<SiteId> = content
            .lines
            .iter()
            .filter_map(|line| sites.opened_by(&content.id, &line.delivery_address))
            .collect();
        let done = Equipped { company, opened: opened.into_iter().collect(), added: units.len(), refused };
        let equip = order::Command::Equip(done);
        Ok(self.orders.transact(&order::stream(&content.id), context, equip).await?.position)
    }

    /// The terminals of an order, and the serial numbers that belong to other companies' terminals.
    async fn units(
        &self,
        context: &Context,
        company: CompanyId,
        sites: &Company,
        content: &Content,
    ) -> Result<(Vec<Unit>, Vec<SerialNumber>), Failure> {
        let (mut units, mut numbered) = (Vec::new(), Vec::new());
        for (n, line) in content.lines.iter().enumerate() {
            let Some(site) = sites.site_for(&content.id, &line.delivery_address) else { continue };
            let model = TerminalModel::ordered(&line.model);
            if line.serials.is_empty() {
                units.extend((0..line.quantity).map(|unit| {
                    let terminal = TerminalId::of_order(&content.id, n, unit);
                    Unit { terminal, model: model.clone(), serial: None, site }
                }));
            }
            numbered.extend(line.serials.iter().map(|serial| Unit {
                terminal: TerminalId::of_serial(serial),
                model: model.clone(),
                serial: Some(serial.clone()),
                site,
            }));
        }
        let mut claims: Vec<BoxFuture<'_, _>> = Vec::with_capacity(numbered.len());
        for serial in numbered.iter().filter_map(|unit| unit.serial.as_ref()) {
            let terminal = TerminalId::of_serial(serial);
            claims.push(Box::pin(self.claim_serial(context, serial, terminal, Some(&content.id))));
        }
        let claimed: Vec<_> = stream::iter(claims).buffered(SIDE_BY_SIDE).try_collect().await?;
        let own = self.terminals.load(&terminals::stream(company)).await?.state;
        let mut refused = Vec::new();
        for (unit, (holder, order)) in numbered.into_iter().zip(claimed) {
            if order.as_ref() == Some(&content.id) {
                units.push(Unit { terminal: holder, ..unit });
            } else if let Some(serial) = unit.serial.filter(|_| !own.held.contains(holder)) {
                refused.push(serial);
            }
        }
        Ok((units, refused))
    }

    /// Claims a serial number for a terminal. Returns the terminal that has the number, and the order that brought
    /// it.
    pub(super) async fn claim_serial(
        &self,
        context: &Context,
        serial: &SerialNumber,
        terminal: TerminalId,
        order: Option<&OrderId>,
    ) -> Result<(TerminalId, Option<OrderId>), Unavailable> {
        let older = self.older_claim(serial).await?;
        let (terminal, order) = older.unwrap_or((terminal, order.cloned()));
        let claim = serial_claim::Command::Claim { terminal, order: order.clone() };
        let claimed = self.serials.transact(&serial_claim::stream(serial), context, claim).await?;
        Ok(claimed.state.held.clone().unwrap_or((terminal, order)))
    }

    /// The claim that an older version made on this spelling of the number.
    async fn older_claim(
        &self,
        serial: &SerialNumber,
    ) -> Result<Option<(TerminalId, Option<OrderId>)>, Unavailable> {
        match serial_claim::older_stream(serial) {
            Some(older) => Ok(self.serials.load(&older).await?.state.held.clone()),
            None => Ok(None),
        }
    }

    /// Brings a claim that an older version made in a stream of its own spelling into the stream of all spellings. If
    /// older versions claimed two spellings of one number, the first claim stays.
    ///
    /// # Errors
    /// [`Unavailable`] if the log can't be read or written.
    pub async fn claim_as_before(&self, context: &Context, older: &SerialNumber) -> Result<(), Unavailable> {
        if let Some((terminal, order)) = self.older_claim(older).await? {
            self.claim_serial(context, older, terminal, order.as_ref()).await?;
        }
        Ok(())
    }
}
