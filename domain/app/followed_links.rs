//! Follows a mailed link: a person chooses a first password, or a new one.

use crate::Moment;
use crate::account::{self, Activation, Command, Refusal, Reset};
use crate::fact::Context;
use crate::ids::AccountId;
use crate::ports::{LinkClaims, Position, Purpose};
use crate::values::password::{Password, PasswordHash};

use super::{App, Failure, TransactError};

/// Why a link does not work. The remedy is always the same: request a new link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkRefused {
    /// Not a token that this server made for this purpose: it is forged, truncated or altered.
    #[error("this link is not valid")]
    Invalid,
    /// The link has expired.
    #[error("this link has expired")]
    Expired,
    /// It was used, or a newer one was sent.
    #[error("this link was used before, or a newer one was sent")]
    Used,
}

impl App {
    /// Activates an account with its activation link, and sets its password.
    ///
    /// # Errors
    /// [`Failure::Link`] if the link is not valid. [`Failure::WeakPassword`] with all rules that the password breaks;
    /// the link still works then.
    pub async fn activate(
        &self,
        context: &Context,
        token: &str,
        password: Password,
    ) -> Result<Position, Failure> {
        let activate = |link, hash| Command::Activate(Activation { link, hash });
        let (account, activated) =
            self.follow(context, Purpose::Activation, token, password, activate).await?;
        Ok(activated.max(self.settle_access(context, account).await?))
    }

    /// Sets a new password with the reset link. Ends all sessions and the lockout.
    ///
    /// # Errors
    /// The same as [`App::activate`].
    pub async fn reset_password(
        &self,
        context: &Context,
        token: &str,
        password: Password,
    ) -> Result<Position, Failure> {
        let reset = |link, hash| Command::ResetPassword(Reset { link, hash });
        Ok(self.follow(context, Purpose::PasswordReset, token, password, reset).await?.1)
    }

    /// Checks whether a link is valid at `at`, for the page that it leads to.
    ///
    /// # Errors
    /// [`Failure::Link`] if it is not.
    pub async fn check_link(&self, at: Moment, purpose: Purpose, token: &str) -> Result<(), Failure> {
        let claims = self.claims_of(at, purpose, token)?;
        let account = self.accounts.load(&account::stream(claims.account)).await?.state;
        let (newest, holds) = match (&*account, purpose) {
            (crate::account::Account::Invited(invited), Purpose::Activation) => {
                (invited.activation.event, invited.activation.holds_early(at))
            }
            (crate::account::Account::Active(active), Purpose::PasswordReset) => match active.reset {
                Some(reset) => (reset.event, reset.holds(at)),
                None => return Err(LinkRefused::Used.into()),
            },
            _ => return Err(LinkRefused::Used.into()),
        };
        match (newest == claims.event, holds) {
            (true, true) => Ok(()),
            (true, false) => Err(LinkRefused::Expired.into()),
            (false, _) => Err(LinkRefused::Used.into()),
        }
    }

    /// Checks the link before it hashes the password, so that a forged token costs no hash.
    async fn follow(
        &self,
        context: &Context,
        purpose: Purpose,
        token: &str,
        password: Password,
        command: impl Fn(crate::ids::EventId, PasswordHash) -> Command,
    ) -> Result<(AccountId, Position), Failure> {
        let claims = self.claims_of(context.at, purpose, token)?;
        let stream = account::stream(claims.account);
        let _turn = self.ports.keyed_lock.acquire(stream.to_string()).await;
        self.check_link(context.at, purpose, token).await?;
        let held = self.account(claims.account).await?;
        let mut broken = self.rules_broken(&held, &password).await?;
        broken.extend(self.reuse(held.active(), &password).await?);
        if !broken.is_empty() {
            return Err(Failure::WeakPassword(broken));
        }
        let hash = self.ports.hasher.hash(password).await.map_err(super::Unavailable::from)?;
        let command = command(claims.event, hash);
        let committed = self.accounts.transact(&stream, context, command).await.map_err(as_link)?;
        Ok((claims.account, committed.position))
    }

    fn claims_of(&self, at: Moment, purpose: Purpose, token: &str) -> Result<LinkClaims, LinkRefused> {
        let claims = self.ports.tokens.read_link(purpose, token).ok_or(LinkRefused::Invalid)?;
        if at >= claims.expires_at { Err(LinkRefused::Expired) } else { Ok(claims) }
    }
}

/// The answer to a person whose link is refused.
pub(super) fn as_link(error: TransactError<Refusal>) -> Failure {
    match error {
        TransactError::Refused(Refusal::LinkExpired) => LinkRefused::Expired.into(),
        TransactError::Refused(
            Refusal::LinkVoid | Refusal::AlreadyActive | Refusal::NotActive | Refusal::NoSuchAccount,
        ) => LinkRefused::Used.into(),
        other => other.into(),
    }
}
