//! What administrators, support and the owner do with an existing account.

use std::sync::Arc;

use crate::account::{
    self, Account, Admission, Authority, Command, Event, MailFate, NewProfile, Request, Role,
};
use crate::decider::Decider;
use crate::fact::Context;
use crate::ids::{AccountId, EventId};
use crate::ports::{Position, Revision};
use crate::values::password::Password;

use super::log_in::PasswordPurpose;
use super::sessions::Owner;
use super::{App, Failure, Unavailable};

impl App {
    /// The account's present state in the log.
    ///
    /// # Errors
    /// [`Unavailable`] if it can't be read.
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

    /// Sends the activation mail again. Older links no longer work.
    ///
    /// # Errors
    /// [`account::Refusal::AlreadyActive`] if the account is active already.
    /// [`account::Refusal::EnoughActivationMails`] if the limit of one hour is reached.
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
    /// [`account::Refusal::NotLocked`] if there is no lockout.
    pub async fn release(
        &self,
        context: &Context,
        account: AccountId,
        reason: &str,
    ) -> Result<Position, Failure> {
        self.change_account(context, account, Command::Release { reason: reason.to_owned() }).await
    }

    /// Changes a password for its owner. The current password is verified as at a login: a wrong one counts, and a
    /// locked account verifies nothing.
    ///
    /// # Errors
    /// [`Failure::WrongPassword`], [`account::Refusal::Locked`], or [`Failure::WeakPassword`] with all rules that the
    /// new password breaks. Whether it was used before is said only if the current password is right and no other
    /// rule is broken.
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

    /// Changes an owner's name, or the language of their mails and pages. What is the same as before makes no event.
    ///
    /// # Errors
    /// [`account::Refusal::NotActive`] or [`account::Refusal::NoSuchAccount`] if nobody uses the account.
    pub async fn change_profile(
        &self,
        context: &Context,
        account: AccountId,
        new: NewProfile,
    ) -> Result<Position, Failure> {
        self.change_account(context, account, Command::ChangeProfile(new)).await
    }

    /// Records that a copy of everything that is held on an account's owner is handed out.
    ///
    /// # Errors
    /// [`account::Refusal::NoSuchAccount`] if the account never existed, or if the person was erased.
    pub async fn note_export(&self, context: &Context, account: AccountId) -> Result<Position, Failure> {
        self.change_account(context, account, Command::ExportData).await
    }

    /// Deletes an account and frees its address.
    ///
    /// # Errors
    /// [`account::Refusal::NoSuchAccount`] if it does not exist. [`crate::access::Refusal::LastAdministrator`] if it
    /// is the last administrator of its company.
    pub async fn delete_account(
        &self,
        context: &Context,
        authority: Authority,
        account: AccountId,
        reason: &str,
    ) -> Result<Position, Failure> {
        let delete = authority.asks(Command::Delete { reason: reason.to_owned() });
        let turn = self.in_turn(account).await?;
        // Checked before anything is written, so that a refusal leaves nothing behind.
        turn.held.decide(&self.policies, context.at, delete.clone())?;
        if turn.held.profile().is_some_and(|profile| profile.role == Role::Administrator) {
            self.step_down(context, turn.company, account).await?;
        }
        let deleted = self.change_account(context, account, delete).await?;
        let forgotten = self.forget_access(context, turn.company, account).await?;
        Ok(deleted.max(forgotten).max(self.free_address(context, account).await?))
    }

    /// Erases a person's data: deletes the account if it still exists, then the key that encrypts its data. Called
    /// again after a crash, it finishes the rest. Erasure is the person's right (GDPR, article 17), so a company's
    /// last administrator is erased too.
    ///
    /// # Errors
    /// [`account::Refusal::NoSuchAccount`] if the account never existed.
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

    /// Records the result of a mail to an account's owner. The event's id is derived from the mail's id and the
    /// moment of the result. So calling again after a crash changes nothing, and a mail that is tried again by hand
    /// may get another result. `since` is a revision of the account's stream: the result cannot be recorded up to
    /// there, so only later events are read.
    ///
    /// # Errors
    /// [`account::Refusal::NoSuchAccount`] if the account never existed.
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
