//! Changes to a company's terminals.

use crate::company;
use crate::fact::Context;
use crate::ids::{CompanyId, TerminalId};
use crate::ports::{Folded, Position};
use crate::serial_claim;
use crate::terminals::{self, Assignment, Command, Terminals};
use crate::values::serial_number::SerialNumber;

use super::{App, Failure, Unavailable};

impl App {
    /// The present state of a company's terminals in the log.
    ///
    /// # Errors
    /// [`Unavailable`] if it can't be read.
    pub async fn terminals(&self, company: CompanyId) -> Result<Folded<Terminals>, Unavailable> {
        self.terminals.load(&terminals::stream(company)).await
    }

    /// Assigns terminals to sites of their company: all of them or none.
    ///
    /// # Errors
    /// [`company::Refusal::NoSuchSite`], [`terminals::Refusal::NoSuchTerminal`] or [`terminals::Refusal::Twice`] for
    /// the first assignment that is not possible.
    pub async fn assign(
        &self,
        context: &Context,
        company: CompanyId,
        assignments: Vec<Assignment>,
    ) -> Result<Position, Failure> {
        let sites = &self.company(company).await?.state.sites;
        if let Some(foreign) = assignments.iter().find(|wanted| !sites.contains(wanted.to)) {
            return Err(company::Refusal::NoSuchSite(foreign.to).into());
        }
        self.change_terminals(context, company, Command::Assign(assignments)).await
    }

    /// Records the serial number of a terminal that was ordered without one.
    ///
    /// # Errors
    /// [`Failure::SerialTaken`] if another terminal has the number. [`terminals::Refusal::OtherSerial`] if this
    /// terminal has another number.
    pub async fn note_serial(
        &self,
        context: &Context,
        company: CompanyId,
        terminal: TerminalId,
        serial: SerialNumber,
    ) -> Result<Position, Failure> {
        let noted = self.claim_and_note(context, company, terminal, serial.clone()).await;
        // If two numbers are given to one terminal at once, both are claimed and one is recorded. The other becomes
        // free again. A number that was claimed right before a crash becomes free when it is asked for again.
        if let Err(Failure::Terminals(terminals::Refusal::OtherSerial)) = noted {
            self.release_serial(context, &serial, terminal).await?;
        }
        noted
    }

    async fn claim_and_note(
        &self,
        context: &Context,
        company: CompanyId,
        terminal: TerminalId,
        serial: SerialNumber,
    ) -> Result<Position, Failure> {
        let terminals = self.terminals(company).await?.state;
        // Checked before the number is claimed, so that a refusal leaves it free for others.
        terminals::decide(&terminals, Command::NoteSerial { terminal, serial: serial.clone() })?;
        let (holder, _) = self.claim_serial(context, &serial, terminal, None).await?;
        if holder != terminal {
            return Err(Failure::SerialTaken);
        }
        self.change_terminals(context, company, Command::NoteSerial { terminal, serial }).await
    }

    /// Frees a claimed number of a terminal that has another. A terminal keeps its recorded number for ever.
    async fn release_serial(
        &self,
        context: &Context,
        serial: &SerialNumber,
        terminal: TerminalId,
    ) -> Result<(), Unavailable> {
        // The older stream first: after a crash in between, the number is still claimed in the newer one.
        let streams = serial_claim::older_stream(serial).into_iter().chain([serial_claim::stream(serial)]);
        for stream in streams {
            self.serials.transact(&stream, context, serial_claim::Command::Release { terminal }).await?;
        }
        Ok(())
    }

    pub(super) async fn change_terminals(
        &self,
        context: &Context,
        company: CompanyId,
        command: Command,
    ) -> Result<Position, Failure> {
        Ok(self.terminals.transact(&terminals::stream(company), context, command).await?.position)
    }
}
