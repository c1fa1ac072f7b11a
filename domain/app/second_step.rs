//! Turns the second step on and off and answers its challenge. Support can reset a lost second step.

use crate::Moment;
use crate::account::{self, Answer, Command, Event, Refusal, SecondProof};
use crate::fact::Context;
use crate::ids::{AccountId, EventId};
use crate::ports::Position;
use crate::values::erasable::Erasable;
use crate::values::one_time_code::{OneTimeCode, TotpSecret};
use crate::values::password::Password;

use super::log_in::{Judged, Login, PasswordPurpose};
use super::sessions::Owner;
use super::streams::Committed;
use super::{App, Failure, TransactError, Unavailable};

/// A secret that is shown once. A code must confirm it.
#[derive(Clone, Debug)]
pub struct Enrolment {
    /// The secret that the app makes its codes from.
    pub secret: TotpSecret,
    /// The first moment at which it can no longer be confirmed.
    pub expires_at: Moment,
    /// The position of its event.
    pub position: Position,
}

impl App {
    /// Answers the challenge that followed a right password.
    ///
    /// # Errors
    /// [`Unavailable`] if the system could not judge. Then nothing was counted.
    pub async fn answer_challenge(
        &self,
        context: &Context,
        challenge: &str,
        code: OneTimeCode,
    ) -> Result<Login, Unavailable> {
        let Some(claims) = self.ports.tokens.read_challenge(challenge) else {
            return Ok(Login::ChallengeVoid);
        };
        // A challenge that had expired before the clock was set back stays expired.
        let expired = self.clock.reached(claims.event.0, context.at) >= claims.expires_at;
        let event = if expired { EventId(uuid::Uuid::nil()) } else { claims.event };
        let stream = account::stream(claims.account);
        let _turn = self.ports.keyed_lock.acquire(stream.to_string()).await;
        let opening = self.opening(context);
        self.verdicts_can_be_written().await?;
        loop {
            let held = self.accounts.load(&stream).await?.state;
            let active = held.active();
            let proof = active.and_then(|active| self.look_at(claims.account, active, &code, context.at));
            let Some(proof) = proof else { return Ok(Login::ChallengeVoid) };
            let answer = Answer { challenge: event, proof, opening: opening.clone() };
            match self.accounts.transact(&stream, context, Command::AnswerChallenge(answer)).await {
                Ok(committed) => return Ok(self.login(claims.account, &committed)),
                Err(TransactError::Refused(Refusal::Locked { until })) => return Ok(Login::Locked { until }),
                Err(TransactError::Refused(Refusal::StaleProof)) => continue,
                Err(TransactError::Unavailable(unavailable)) => return Err(self.lost(unavailable)),
                // The challenge is void, or the second step was turned off, or the account is no longer in use. The
                // answer is the same for all three (law 11).
                Err(TransactError::Refused(_)) => return Ok(Login::ChallengeVoid),
            }
        }
    }

    /// Shows a secret for a second step to the account's owner. Their password is verified as at a login.
    ///
    /// # Errors
    /// [`Failure::WrongPassword`], [`Refusal::Locked`], [`Refusal::SecondStepOn`].
    pub async fn propose_second_step(
        &self,
        context: &Context,
        owner: Owner,
        current: Password,
    ) -> Result<Enrolment, Failure> {
        let secret = self.ports.codes.secret();
        let purpose = PasswordPurpose::Propose(secret.clone());
        let committed = self.judge_owner(context, owner, current, purpose).await?;
        let proposed = committed.facts.iter().find_map(|fact| match fact.event {
            Event::SecondStepProposed { expires_at, .. } => Some(expires_at),
            _ => None,
        });
        let expires_at = proposed.ok_or(Failure::WrongPassword)?;
        Ok(Enrolment { secret, expires_at, position: committed.position })
    }

    /// Turns the second step on with a code of the secret that was shown, and ends all other sessions. Returns the
    /// ten recovery codes, which are shown only once.
    ///
    /// # Errors
    /// [`Failure::WrongCode`], which counts as a wrong login; [`Refusal::NoProposal`], [`Refusal::Locked`].
    pub async fn confirm_second_step(
        &self,
        context: &Context,
        owner: Owner,
        code: &str,
    ) -> Result<(Vec<String>, Position), Failure> {
        let account = owner.account;
        let codes = self.ports.codes.recovery_codes();
        let recovery: Vec<_> = codes.iter().map(|c| self.ports.codes.recovery_hash(account, c)).collect();
        let stream = account::stream(account);
        let _turn = self.ports.keyed_lock.acquire(stream.to_string()).await;
        self.verdicts_can_be_written().await?;
        loop {
            let held = self.accounts.load(&stream).await?.state;
            let proposal = held.active().and_then(|active| active.proposal.as_ref());
            let proposal = proposal.ok_or(Refusal::NoProposal)?;
            let step = match &proposal.secret {
                Erasable::Known(secret) => self.ports.codes.step_of(secret, code, context.at),
                Erasable::Erased => None,
            };
            let proof = SecondProof::Code { secret: proposal.link.event, step };
            let (from, session) = (owner.device, owner.session);
            let recovery = recovery.clone();
            let confirm = Command::ConfirmSecondStep { proof, from, session, recovery };
            match self.accounts.transact(&stream, context, confirm).await {
                Err(TransactError::Refused(Refusal::StaleProof)) => continue,
                Err(TransactError::Refused(refusal)) => return Err(refusal.into()),
                Err(TransactError::Unavailable(unavailable)) => return Err(self.lost(unavailable).into()),
                Ok(committed) => {
                    let on = |event: &Event| matches!(event, Event::SecondStepEnabled { .. });
                    return did(&committed, on).map(|position| (codes, position));
                }
            }
        }
    }

    /// Shows new recovery codes. The earlier ones no longer work.
    ///
    /// # Errors
    /// [`Failure::WrongPassword`], [`Failure::WrongCode`], [`Refusal::NoSecondStep`], [`Refusal::Locked`].
    pub async fn replace_recovery_codes(
        &self,
        context: &Context,
        owner: Owner,
        current: Password,
        code: OneTimeCode,
    ) -> Result<(Vec<String>, Position), Failure> {
        let codes = self.ports.codes.recovery_codes();
        let recovery = codes.iter().map(|c| self.ports.codes.recovery_hash(owner.account, c)).collect();
        let purpose = PasswordPurpose::ReplaceRecovery(code, recovery);
        let committed = self.judge_owner(context, owner, current, purpose).await?;
        let replaced = |event: &Event| matches!(event, Event::RecoveryCodesReplaced { .. });
        did(&committed, replaced).map(|position| (codes, position))
    }

    /// Turns the second step off. This needs the password and a code.
    ///
    /// # Errors
    /// The same as [`App::replace_recovery_codes`].
    pub async fn disable_second_step(
        &self,
        context: &Context,
        owner: Owner,
        current: Password,
        code: OneTimeCode,
    ) -> Result<Position, Failure> {
        let committed = self.judge_owner(context, owner, current, PasswordPurpose::Disable(code)).await?;
        did(&committed, |event| matches!(event, Event::SecondStepDisabled))
    }

    /// Turns a lost second step off for support, after support checked the identity of the person who asks. Ends
    /// every session.
    ///
    /// # Errors
    /// [`Refusal::NoSecondStep`] if the account has none.
    pub async fn reset_second_step(
        &self,
        context: &Context,
        account: AccountId,
        reason: &str,
    ) -> Result<Position, Failure> {
        self.change_account(context, account, Command::ResetSecondStep { reason: reason.to_owned() }).await
    }

    /// Runs a command that needs the owner's password.
    pub(super) async fn judge_owner(
        &self,
        context: &Context,
        owner: Owner,
        current: Password,
        purpose: PasswordPurpose,
    ) -> Result<Box<Committed<account::Account>>, Failure> {
        match self.judge(context, owner.account, owner.device, current, purpose).await? {
            Judged::Verdict(committed) => Ok(committed),
            Judged::Locked(until) => Err(Refusal::Locked { until }.into()),
            Judged::Reused(rule) => Err(Failure::WeakPassword(vec![rule])),
            Judged::Refused(refusal) => Err(refusal.into()),
            Judged::Nobody => Err(Refusal::NotActive.into()),
        }
    }
}

/// The position of the event that says that it was done. Returns the error if the password or the code was wrong,
/// which has been counted.
fn did(committed: &Committed<account::Account>, done: impl Fn(&Event) -> bool) -> Result<Position, Failure> {
    let mut events = committed.facts.iter().map(|fact| &fact.event);
    if events.clone().any(done) {
        return Ok(committed.position);
    }
    let code = events.any(|event| matches!(event, Event::SecondStepFailed { .. }));
    Err(if code { Failure::WrongCode } else { Failure::WrongPassword })
}
