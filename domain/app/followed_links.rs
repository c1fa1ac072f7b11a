//! Following a mailed link: choosing a first password, or another one.

use crate::Moment;
use crate::account::{self, Activation, Command, Refusal, Reset};
use crate::fact::Context;
use crate::ids::AccountId;
use crate::ports::{LinkClaims, Position, Purpose};
use crate::values::password::{Password, PasswordHash};

use super::{App, Failure, TransactError};

/// Why a link leads nowhere. The remedy is the same for all: ask for a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkRefused {
    /// Not a token of this server for this purpose: forged, truncated or altered.
    #[error("this link is not valid")]
    Invalid,
    /// Its time is over.
    #[error("this link has expired")]
    Expired,
    /// It was used, or a newer one was sent.
    #[error("this link was used before, or a newer one was sent")]
    Used,
}

impl App {
    /// Activates an account with the link that was mailed to its owner, and sets its password.
    ///
    /// # Errors
    /// [`Failure::Link`] for a link that does not hold, [`Failure::WeakPassword`] with every rule that
    /// the password breaks; the link can then be used again.
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

    /// Sets a new password with the link that was mailed to the account's owner; ends all sessions
    /// and the lockout.
    ///
    /// # Errors
    /// As [`App::activate`].
    pub async fn reset_password(
        &self,
        context: &Context,
        token: &str,
        password: Password,
    ) -> Result<Position, Failure> {
        let reset = |link, hash| Command::ResetPassword(Reset { link, hash });
        Ok(self.follow(context, Purpose::PasswordReset, token, password, reset).await?.1)
    }

    /// Whether a link would hold at `at`, for the page that it leads to.
    ///
    /// # Errors
    /// [`Failure::Link`] where it does not.
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

    /// The link is checked before the password is hashed: an anonymous caller's token costs no hash.
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

/// What the person with the link is told of a refusal.
pub(super) fn as_link(error: TransactError<Refusal>) -> Failure {
    match error {
        TransactError::Refused(Refusal::LinkExpired) => LinkRefused::Expired.into(),
        TransactError::Refused(
            Refusal::LinkVoid | Refusal::AlreadyActive | Refusal::NotActive | Refusal::NoSuchAccount,
        ) => LinkRefused::Used.into(),
        other => other.into(),
    }
}
