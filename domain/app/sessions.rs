//! Sessions: finds the account of a session token, and ends sessions.

use crate::Moment;
use crate::account::{self, Command, Profile, Refusal, Session, SessionEnd};
use crate::fact::Context;
use crate::ids::{AccountId, DeviceId, SessionId};
use crate::ports::Position;

use super::{App, Failure, Unavailable};

/// A person with a valid session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticated {
    /// The account.
    pub account: AccountId,
    /// The session.
    pub session: SessionId,
    /// The account's details, such as its company and role.
    pub profile: Profile,
}

/// A person who acts on their own account, with the session and the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The account.
    pub account: AccountId,
    /// The session.
    pub session: SessionId,
    /// The device, if its token came with the request.
    pub device: Option<DeviceId>,
}

impl App {
    /// The account of a session token at `at`. Returns `None` if the token is forged or the session has ended or
    /// expired.
    ///
    /// # Errors
    /// [`Unavailable`] if the account can't be read.
    pub async fn authenticate(&self, at: Moment, token: &str) -> Result<Option<Authenticated>, Unavailable> {
        let Some(claims) = self.ports.tokens.read_session(token).filter(|claims| at < claims.expires_at)
        else {
            return Ok(None);
        };
        let account = self.accounts.load(&account::stream(claims.account)).await?.state;
        let Some(active) = account.active() else { return Ok(None) };
        let Some(session) = active.session(claims.session, at) else { return Ok(None) };
        if self.last_use(session, at).await?.is_none() {
            return Ok(None);
        }
        let reached = self.clock.reached(claims.session.0, at);
        self.ports.session_uses.note_use(claims.session, reached).await?;
        Ok(Some(Authenticated {
            account: claims.account,
            session: claims.session,
            profile: active.profile.clone(),
        }))
    }

    /// When a session was last used. Returns `None` if the session has expired, or has not been used for too long. A
    /// clock that was set back does not change this. Expiry is compared, not scheduled (law 7).
    ///
    /// # Errors
    /// [`Unavailable`] if the times of use can't be read.
    pub async fn last_use(&self, session: &Session, at: Moment) -> Result<Option<Moment>, Unavailable> {
        let used = self.ports.session_uses.last_use(session.id).await?;
        let last = used.map_or(session.started_at, |used| used.max(session.started_at));
        let reached = self.clock.reached(session.id.0, at);
        let works = reached - last < self.policies.idle_session && reached < session.expires_at;
        Ok(works.then_some(last))
    }

    /// Ends one session. A session that has ended already stays ended.
    ///
    /// # Errors
    /// [`Refusal::NoSuchSession`] if the account has no such session.
    pub async fn end_session(
        &self,
        context: &Context,
        account: AccountId,
        session: SessionId,
        reason: SessionEnd,
    ) -> Result<Position, Failure> {
        self.change_account(context, account, Command::EndSession { session, reason }).await
    }

    /// Ends every session of an account. Does nothing for an account that is not active yet.
    ///
    /// # Errors
    /// [`Refusal::NoSuchAccount`] if the account does not exist.
    pub async fn end_sessions(&self, context: &Context, account: AccountId) -> Result<Position, Failure> {
        match self.change_account(context, account, Command::EndSessions).await {
            Err(Failure::Refused(Refusal::NotActive)) => Ok(Position::default()),
            other => other,
        }
    }
}
