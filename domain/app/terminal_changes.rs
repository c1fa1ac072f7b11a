//! Changes to a company's terminals.

use crate::company;
use crate::fact::Actor;
use crate::fact::Context;
use crate::ids::{AccountId, CompanyId, TerminalId};
use crate::ports::{Folded, Position};
use crate::serial_claim;
use crate::terminals::{self, Assignment, Command, ReleaseCause, Terminals};
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
        // A terminal that was released meanwhile has no claim either.
        if let Err(Failure::Terminals(
            terminals::Refusal::OtherSerial | terminals::Refusal::NoSuchTerminal(_),
        )) = noted
            && !self.terminals(company).await?.state.has_left(terminal)
        {
            self.free_serial(context, &serial, terminal).await?;
        }
        noted
    }

    /// Releases a terminal from its company: it was returned, replaced or sold on. Its serial number becomes free, and
    /// the first order that waits for the number gets it. The reason in words is in the context.
    ///
    /// # Errors
    /// [`terminals::Refusal::NoSuchTerminal`] if the company never had the terminal.
    /// [`terminals::Refusal::TerminalGone`] if a take-over moved it to another company.
    pub async fn release_terminal(
        &self,
        context: &Context,
        company: CompanyId,
        terminal: TerminalId,
        cause: ReleaseCause,
    ) -> Result<Position, Failure> {
        let about = match context.reason {
            Some(_) => self.keeper_of_reason(context, company).await?,
            None => None,
        };
        let free = Command::Free { terminal, cause, about };
        let position = self.change_terminals(context, company, free).await?;
        // The release is durable. If the rest fails here, the code that follows the log does it.
        match self.finish_release(context, company, terminal).await {
            Ok(()) | Err(_) => Ok(position),
        }
    }

    /// Frees the serial number of a terminal that was released, and continues the orders that wait for the number.
    /// Does nothing if that is done. Called again by the code that follows the log, if the process stopped in between.
    ///
    /// # Errors
    /// [`Failure::Unavailable`] if that can't be done now.
    pub async fn finish_release(
        &self,
        context: &Context,
        company: CompanyId,
        terminal: TerminalId,
    ) -> Result<(), Failure> {
        // The reason belongs to the release alone.
        let context = &Context { reason: None, ..context.clone() };
        let terminals = self.terminals(company).await?.state;
        let Some(Some(serial)) = terminals.freed(terminal) else { return Ok(()) };
        self.free_serial(context, serial, terminal).await?;
        self.continue_waiting(context, serial).await
    }

    /// The account whose key encrypts the reason of a command: the person who gave the command, or else an
    /// administrator of the company. `None` if the company has no administrator.
    async fn keeper_of_reason(
        &self,
        context: &Context,
        company: CompanyId,
    ) -> Result<Option<AccountId>, Unavailable> {
        if let Actor::Account { account_id } = context.actor {
            return Ok(Some(account_id));
        }
        Ok(self.access(company).await?.state.administrators.first().copied())
    }

    /// The terminals that have or had a serial number, the newest first.
    ///
    /// # Errors
    /// [`Unavailable`] if it can't be read.
    pub async fn terminals_with_serial(&self, serial: &SerialNumber) -> Result<Vec<TerminalId>, Unavailable> {
        Ok(self.serials.load(&serial_claim::stream(serial)).await?.state.terminals().collect())
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
        self.claim_as_before(context, &serial).await?;
        let claim = serial_claim::Command::Claim { terminal };
        let claimed = self.serials.transact(&serial_claim::stream(&serial), context, claim).await?;
        if claimed.state.held.as_ref().is_none_or(|(holder, _)| *holder != terminal) {
            return Err(Failure::SerialTaken);
        }
        self.change_terminals(context, company, Command::NoteSerial { terminal, serial }).await
    }

    /// Frees a claimed number of a terminal that has another, or that was released.
    async fn free_serial(
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
