//! Carries out an order's lines: opens sites where the company has none yet, and adds the terminals.
//!
//! Each step is an append and idempotent. Sites are identified by their address; terminals by their serial number, or
//! by the order and the line. Two orders to one new address use the same stream, the company's.

use std::collections::BTreeSet;

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::company;
use crate::company::Company;
use crate::fact::{Actor, Context};
use crate::ids::{CompanyId, OrderId, SiteId, TerminalId};
use crate::order::{self, Content, Equipped};
use crate::ports::{BoxFuture, Position};
use crate::serial_claim;
use crate::terminals::{self, Unit};
use crate::values::address::Address;
use crate::values::serial_number::SerialNumber;
use crate::values::terminal_model::TerminalModel;

use super::{App, Failure, SIDE_BY_SIDE, Unavailable};

/// The maximum number of terminals that one append adds.
const AT_ONCE: usize = 1_000;

/// The name under which orders that waited are continued.
const SETTLING: &str = "settling";

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
        let Lines { wanted, refused, present } = self.wanted(context, company, content).await?;
        let known = self.terminals(company).await?.state;
        // An address gets a site only if a terminal comes to it.
        let new = wanted.iter().filter(|wanted| !known.knows(wanted.terminal));
        let addresses: Vec<Address> = new.map(|wanted| wanted.address.clone()).collect();
        let sites = match addresses.is_empty() {
            true => self.company(company).await?.state,
            false => {
                let open = company::Command::OpenSites { order: content.id.clone(), addresses };
                self.change_company(context, company, open).await?.state
            }
        };
        let units = wanted.iter().filter_map(|wanted| wanted.unit(&sites, &content.id));
        let units: Vec<Unit> = units.filter(|unit| !known.knows(unit.terminal)).collect();
        let terminals = terminals::stream(company);
        for units in units.chunks(AT_ONCE) {
            let add = terminals::Command::Add { order: content.id.clone(), units: units.to_vec() };
            self.terminals.transact(&terminals, context, add).await?;
        }
        let opened: BTreeSet<SiteId> =
            wanted.iter().filter_map(|wanted| sites.opened_by(&content.id, wanted.address)).collect();
        let done =
            Equipped { company, opened: opened.into_iter().collect(), added: wanted.len(), refused, present };
        let equip = order::Command::Equip(done);
        Ok(self.orders.transact(&order::stream(&content.id), context, equip).await?.position)
    }

    /// The terminals that an order brings, and the serial numbers that belong to other companies' terminals.
    async fn wanted<'a>(
        &self,
        context: &Context,
        company: CompanyId,
        content: &'a Content,
    ) -> Result<Lines<'a>, Failure> {
        let (mut wanted, mut numbered) = (Vec::new(), Vec::new());
        for (n, line) in content.lines.iter().enumerate() {
            let model = TerminalModel::ordered(&line.model);
            // The company was erased since: nothing is delivered to it.
            let Some(address) = line.delivery_address.known() else { continue };
            if line.serials.is_empty() {
                wanted.extend((0..line.quantity).map(|unit| {
                    let terminal = TerminalId::of_order(&content.id, n, unit);
                    Wanted { terminal, model: model.clone(), serial: None, address }
                }));
            }
            numbered.extend(line.serials.iter().map(|serial| (serial.clone(), model.clone(), address)));
        }
        let mut claims: Vec<BoxFuture<'_, _>> = Vec::with_capacity(numbered.len());
        for (serial, ..) in &numbered {
            claims.push(Box::pin(self.claim_for_order(context, company, serial, &content.id)));
        }
        let claimed: Vec<Claimed> = stream::iter(claims).buffered(SIDE_BY_SIDE).try_collect().await?;
        let (mut refused, mut present) = (Vec::new(), Vec::new());
        for ((serial, model, address), claimed) in numbered.into_iter().zip(claimed) {
            match claimed {
                Claimed::ByOrder(terminal) => {
                    wanted.push(Wanted { terminal, model, serial: Some(serial), address });
                }
                Claimed::ByCompany => present.push(serial),
                Claimed::Elsewhere => refused.push(serial),
            }
        }
        Ok(Lines { wanted, refused, present })
    }

    /// Claims a serial number for an order. If another company's terminal has the number, the order waits for it.
    async fn claim_for_order(
        &self,
        context: &Context,
        company: CompanyId,
        serial: &SerialNumber,
        order: &OrderId,
    ) -> Result<Claimed, Unavailable> {
        let stream = serial_claim::stream(serial);
        self.claim_as_before(context, serial).await?;
        loop {
            let claim = serial_claim::Command::ClaimForOrder { serial: serial.clone(), order: order.clone() };
            let claim = self.serials.transact(&stream, context, claim).await?.state;
            if let Some(terminal) = claim.claimed_by(order) {
                return Ok(Claimed::ByOrder(terminal));
            }
            if let Some((holder, _)) = claim.held
                && self.terminals(company).await?.state.held.contains(holder)
            {
                return Ok(Claimed::ByCompany);
            }
            let wait = serial_claim::Command::Await { order: order.clone() };
            if self.serials.transact(&stream, context, wait).await?.state.held.is_some() {
                return Ok(Claimed::Elsewhere);
            }
            // The number became free in this moment.
        }
    }

    /// Brings a claim that an older version made in a stream of its own spelling into the stream of all spellings. If
    /// older versions claimed two spellings of one number, the first claim stays.
    ///
    /// # Errors
    /// [`Unavailable`] if the log can't be read or written.
    pub async fn claim_as_before(
        &self,
        context: &Context,
        spelled: &SerialNumber,
    ) -> Result<(), Unavailable> {
        let Some(older) = serial_claim::older_stream(spelled) else { return Ok(()) };
        if let Some(holder) = self.serials.load(&older).await?.state.held.clone() {
            let adopt = serial_claim::Command::Adopt { holder };
            self.serials.transact(&serial_claim::stream(spelled), context, adopt).await?;
        }
        Ok(())
    }

    /// Continues the orders that wait for a serial number. The first of them gets it, if it is free.
    ///
    /// # Errors
    /// [`Failure::Unavailable`] if that can't be done now.
    pub async fn continue_waiting(&self, context: &Context, serial: &SerialNumber) -> Result<(), Failure> {
        let waiting = self.serials.load(&serial_claim::stream(serial)).await?.state;
        if waiting.held.is_some() {
            return Ok(());
        }
        // Whoever made the number free did not order, and is nobody whom the other company should see.
        let actor = Actor::System { reaction: SETTLING.to_owned() };
        let context = &Context { actor, client: None, reason: None, ..context.clone() };
        for order in &waiting.awaited {
            self.onboard(context, order).await?;
        }
        Ok(())
    }
}

/// Who has a serial number that an order names.
enum Claimed {
    /// The order: its terminal has or had the number.
    ByOrder(TerminalId),
    /// A terminal that the company has from another order.
    ByCompany,
    /// Another company's terminal.
    Elsewhere,
}

/// What the lines of an order bring.
struct Lines<'a> {
    wanted: Vec<Wanted<'a>>,
    /// The serial numbers that belong to other companies' terminals.
    refused: Vec<SerialNumber>,
    /// The serial numbers that terminals of the company had before.
    present: Vec<SerialNumber>,
}

/// A terminal that an order brings.
struct Wanted<'a> {
    terminal: TerminalId,
    model: TerminalModel,
    serial: Option<SerialNumber>,
    address: &'a Address,
}

impl Wanted<'_> {
    /// The terminal at its site. Returns `None` if there is no site at its address.
    fn unit(&self, sites: &Company, order: &OrderId) -> Option<Unit> {
        let site = sites.site_for(order, self.address)?;
        let Self { terminal, model, serial, .. } = self;
        Some(Unit { terminal: *terminal, model: model.clone(), serial: serial.clone(), site })
    }
}
