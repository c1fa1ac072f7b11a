//! Sessions: who a token speaks for, and ending them.

use crate::Moment;
use crate::account::{Command, GuessFrom, Profile, Refusal, SessionEnd};
use crate::fact::Context;
use crate::ids::{AccountId, DeviceId, SessionId};
use crate::ports::Position;

use super::streams::account_stream;
use super::{App, Failure, Unavailable};

/// A person with a session that works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticated {
    /// Who.
    pub account: AccountId,
    /// By which session.
    pub session: SessionId,
    /// Of what company, in what role.
    pub profile: Profile,
}

/// Who does something with their own account, and on which device: its wrong guesses count apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Whose account it is.
    pub account: AccountId,
    /// The device, where it showed its token.
    pub device: Option<DeviceId>,
}

impl Owner {
    pub(super) fn guesses_from(self) -> GuessFrom {
        self.device.map_or(GuessFrom::Elsewhere, GuessFrom::Session)
    }
}

impl App {
    /// Who a session token speaks for at `at`; none where it is forged, over or ended.
    ///
    /// # Errors
    /// [`Unavailable`] when the account can't be read.
    pub async fn authenticate(&self, at: Moment, token: &str) -> Result<Option<Authenticated>, Unavailable> {
        let Some(claims) = self.ports.tokens.read_session(token).filter(|claims| at < claims.expires_at)
        else {
            return Ok(None);
        };
        let account = self.accounts.load(&account_stream(claims.account)).await?.state;
        let Some(active) = account.active() else { return Ok(None) };
        let session = active.session(claims.session, at);
        if session.is_none_or(|session| self.unused_since(session.id, session.started_at, at).is_none()) {
            return Ok(None);
        }
        self.ports.activity.seen(claims.session, at);
        Ok(Some(Authenticated {
            account: claims.account,
            session: claims.session,
            profile: active.profile.clone(),
        }))
    }

    /// Since when a session that began at `started_at` has not been used; none where that is so long that it is over. It
    /// is compared, not scheduled (law 7).
    #[must_use]
    pub fn unused_since(&self, session: SessionId, started_at: Moment, at: Moment) -> Option<Moment> {
        let last = self.ports.activity.last_seen(session).map_or(started_at, |last| last.max(started_at));
        (at - last < self.policies.idle_session).then_some(last)
    }

    /// Ends one session. One that has ended already stays ended.
    ///
    /// # Errors
    /// [`Refusal::NoSuchSession`] where the account has no such session.
    pub async fn end_session(
        &self,
        context: &Context,
        account: AccountId,
        session: SessionId,
        reason: SessionEnd,
    ) -> Result<Position, Failure> {
        self.change_account(context, account, || Command::EndSession { session, reason }).await
    }

    /// Ends every session of an account.
    ///
    /// # Errors
    /// [`Refusal::NoSuchAccount`] and its like.
    pub async fn end_sessions(&self, context: &Context, account: AccountId) -> Result<Position, Failure> {
        match self.change_account(context, account, || Command::EndSessions).await {
            Err(Failure::Refused(Refusal::NotActive)) => Ok(Position::default()),
            other => other,
        }
    }
}
