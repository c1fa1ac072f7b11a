//! What administrators, support and the owner do with an account that exists.

use std::sync::Arc;

use crate::account::{self, Account, Admission, Authority, Command, Event, MailFate, Request, Role};
use crate::decider::Decider;
use crate::fact::Context;
use crate::ids::{AccountId, EventId};
use crate::ports::{Position, Revision};
use crate::values::password::Password;

use super::log_in::PasswordPurpose;
use super::sessions::Owner;
use super::{App, Failure, Unavailable};

impl App {
    /// The account as the log has it now.
    ///
    /// # Errors
    /// [`Unavailable`] when it can't be read.
    pub async fn account(&self, account: AccountId) -> Result<Account, Unavailable> {
        Ok(Arc::unwrap_or_clone(self.accounts.load(&account::stream(account)).await?.state))
    }

    /// Admits a temporary administrator.
    ///
    /// # Errors
    /// [`account::Refusal::NotTemporary`] for any other account.
    pub async fn convert(
        &self,
        context: &Context,
        authority: Authority,
        account: AccountId,
        to: Admission,
    ) -> Result<Position, Failure> {
        let converted = self.change_account(context, account, authority.asks(Command::Convert(to))).await?;
        Ok(converted.max(self.settle_access(context, account).await?))
    }

    /// Has the activation mail sent again; older links are void.
    ///
    /// # Errors
    /// [`account::Refusal::AlreadyActive`] where there is nothing to activate,
    /// [`account::Refusal::EnoughActivationMails`] beyond as many as one hour allows.
    pub async fn request_activation(
        &self,
        context: &Context,
        authority: Authority,
        account: AccountId,
    ) -> Result<Position, Failure> {
        let request = authority.asks(Command::RequestActivation(authority.asker()));
        self.change_account(context, account, request).await
    }

    /// Ends a lockout early.
    ///
    /// # Errors
    /// [`account::Refusal::NotLocked`] where there is none.
    pub async fn release(
        &self,
        context: &Context,
        account: AccountId,
        reason: &str,
    ) -> Result<Position, Failure> {
        self.change_account(context, account, Command::Release { reason: reason.to_owned() }).await
    }

    /// Changes a password by its owner. The current one is verified as a login verifies it: a wrong
    /// one counts, and a locked account verifies nothing.
    ///
    /// # Errors
    /// [`Failure::WrongPassword`], [`account::Refusal::Locked`], or [`Failure::WeakPassword`] with every rule
    /// that the new one breaks; that it was used before is told once the current one proved right and
    /// every other rule holds.
    pub async fn change_password(
        &self,
        context: &Context,
        owner: Owner,
        current: Password,
        new: Password,
    ) -> Result<Position, Failure> {
        let broken = self.rules_broken(&self.account(owner.account).await?, &new).await?;
        if !broken.is_empty() {
            return Err(Failure::WeakPassword(broken));
        }
        let committed =
            self.judge_owner(context, owner, current, PasswordPurpose::ChangePassword { new }).await?;
        let changed = committed.facts.iter().any(|fact| matches!(fact.event, Event::PasswordChanged { .. }));
        if changed { Ok(committed.position) } else { Err(Failure::WrongPassword) }
    }

    /// Deletes an account and frees its address.
    ///
    /// # Errors
    /// [`account::Refusal::NoSuchAccount`] where there is none, [`crate::access::Refusal::LastAdministrator`] where its company
    /// would have none left.
    pub async fn delete_account(
        &self,
        context: &Context,
        authority: Authority,
        account: AccountId,
        reason: &str,
    ) -> Result<Position, Failure> {
        let delete = authority.asks(Command::Delete { reason: reason.to_owned() });
        let turn = self.in_turn(account).await?;
        // Refused before anything is written.
        turn.held.decide(&self.policies, context.at, delete.clone())?;
        if turn.held.profile().is_some_and(|profile| profile.role == Role::Administrator) {
            self.step_down(context, turn.company, account).await?;
        }
        let deleted = self.change_account(context, account, delete).await?;
        let forgotten = self.forget_access(context, turn.company, account).await?;
        Ok(deleted.max(forgotten).max(self.free_address(context, account).await?))
    }

    /// Forgets a person: deletes the account if need be, then the key of everything sealed for it.
    /// Asked again, it finishes what a crash left undone. It is a duty towards the person, so it is done for a
    /// company's last administrator too.
    ///
    /// # Errors
    /// [`account::Refusal::NoSuchAccount`] where there never was one.
    pub async fn erase_account(
        &self,
        context: &Context,
        account: AccountId,
        reason: &str,
    ) -> Result<Position, Failure> {
        let turn = self.in_turn(account).await?;
        let erase = Command::Erase { reason: reason.to_owned() };
        let erased = self.change_account(context, account, erase).await?;
        let freed = self.free_address(context, account).await?;
        let left = self.forget_access(context, turn.company, account).await?;
        self.forget(account).await?;
        Ok(erased.max(freed).max(left))
    }

    /// Forgets what was sealed for an account: its key, and every fold in memory that may hold some of it.
    ///
    /// # Errors
    /// [`Unavailable`] while the key can't be deleted for good.
    pub async fn forget(&self, account: AccountId) -> Result<(), Unavailable> {
        let forgotten = self.ports.keys.forget(account).await;
        self.accounts.forget(&account::stream(account));
        self.orders.forget_all();
        Ok(forgotten?)
    }

    /// Notes what became of a mail to an account's owner, once: the event's id follows from the mail's and
    /// the moment at which it ended, so that asking again after a crash changes nothing, and trying again by
    /// hand may end otherwise. `since` is a revision of the account's stream up to which it can't be noted
    /// yet: only what came after is read.
    ///
    /// # Errors
    /// [`account::Refusal::NoSuchAccount`] where there never was one.
    pub async fn note_mail(
        &self,
        context: &Context,
        account: AccountId,
        fate: MailFate,
        since: Revision,
    ) -> Result<(), Failure> {
        let stream = account::stream(account);
        let id = EventId(fate.about.effect(&format!("fate/{}/{}", fate.mail, context.at.timestamp_micros())));
        let history = self.ports.store.read_stream(&stream, since).await;
        if history.map_err(Unavailable::from)?.iter().any(|recorded| recorded.event.id == id) {
            return Ok(());
        }
        self.accounts.transact_as(&stream, context, || id, Command::NoteMail(fate)).await?;
        Ok(())
    }

    pub(super) async fn change_account(
        &self,
        context: &Context,
        account: AccountId,
        request: impl Into<Request>,
    ) -> Result<Position, Failure> {
        Ok(self.accounts.transact(&account::stream(account), context, request).await?.position)
    }

    async fn free_address(&self, context: &Context, account: AccountId) -> Result<Position, Unavailable> {
        match self.account(account).await?.profile() {
            Some(profile) => self.release_claim(context, &profile.email_hash, account).await,
            None => Ok(Position::default()),
        }
    }
}
