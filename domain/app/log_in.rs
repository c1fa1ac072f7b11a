//! Logging in, and everything else that verifies a password.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::account::{
    self, Account, Active, Attempt, Command, Event, NewPassword, Opening, Proof, Refusal, SecondProof,
    Verdict,
};
use crate::fact::Context;
use crate::ids::{AccountId, DeviceId, EventId};
use crate::policies::lockout::{Failure, LockEnd, Lockout, Wrong};
use crate::policies::password_policy::PasswordRule;
use crate::ports::{
    ChallengeClaims, CountError, GuessesUnavailable, Position, Revision, SessionClaims, StreamId,
};
use crate::schema::DomainEvent;
use crate::values::email_address::{EmailAddress, EmailHash};
use crate::values::erasable::Erasable;
use crate::values::one_time_code::{OneTimeCode, RecoveryHash, TotpSecret};
use crate::values::password::{Password, PasswordHash};
use crate::{Moment, email_claim};

use super::streams::Committed;
use super::{App, TransactError, Unavailable};

/// What a person types to log in.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The e-mail address.
    pub email: EmailAddress,
    /// The password.
    pub password: Password,
    /// A code, sent together with the password. Programs use this.
    pub second: Option<OneTimeCode>,
    /// The tokens of devices that came with the request. A token counts if the account trusts its device.
    pub devices: Vec<String>,
}

/// A device that is trusted from now on, and the token that it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenDevice {
    /// The account that trusts it.
    pub account: AccountId,
    /// The token that it sends with the next login. The token authorises nothing.
    pub token: String,
    /// The first moment at which it is no longer trusted.
    pub expires_at: Moment,
}

/// The result of a login. A wrong password is a result, not an error (law 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// The login succeeded.
    Succeeded {
        /// The account.
        account: AccountId,
        /// The session's token.
        session_token: String,
        /// When the session expires.
        expires_at: Moment,
        /// The position of the login's event.
        position: Position,
        /// The token for a device that was not trusted before, or whose trust is renewed.
        device: Option<GivenDevice>,
    },
    /// The password is right, and a code is asked for.
    SecondStep {
        /// The token of the challenge. The answer with the code must contain it.
        challenge: String,
        /// The first moment at which the challenge no longer works.
        expires_at: Moment,
    },
    /// The code is wrong. It counts as a wrong guess.
    WrongCode,
    /// The challenge has expired, is void or never existed. The caller must log in again.
    ChallengeVoid,
    /// The password is wrong, the address is unknown, or the account is not active or deleted. The caller cannot tell
    /// which (law 11).
    Refused,
    /// The password is right, but the temporary administrator has not been admitted.
    AwaitingConversion,
    /// The account is locked: nothing was verified.
    Locked {
        /// When the lockout ends.
        until: LockEnd,
    },
}

/// Why a password is verified.
pub(super) enum PasswordPurpose {
    /// To log in.
    LogIn {
        /// What the login creates if it is complete.
        opening: Opening,
        /// The code, if it came together with the password.
        second: Option<OneTimeCode>,
    },
    /// To choose a new password. A wrong current password counts as a wrong login.
    ChangePassword {
        /// The new password.
        new: Password,
    },
    /// To show a secret for a second step.
    Propose(TotpSecret),
    /// To show new recovery codes. These are their hashes.
    ReplaceRecovery(OneTimeCode, Vec<RecoveryHash>),
    /// To turn the second step off.
    Disable(OneTimeCode),
}

/// The result of verifying a password under the account's lock.
pub(super) enum Judged {
    /// The password was judged, and the verdict is durable.
    Verdict(Box<Committed<Account>>),
    /// No account in use has this address, so there is no password to judge.
    Nobody,
    /// The account is locked: nothing was verified.
    Locked(LockEnd),
    /// The password is right, but the new password is one of the last ones. Nothing was changed or counted.
    Reused(PasswordRule),
    /// Another rule refuses the command.
    Refused(Refusal),
}

impl App {
    /// Judges a login.
    ///
    /// Guesses at one account are judged one after the other. So a flood of guesses costs at most as many hashes as
    /// the lockout allows. On several nodes, the append's revision check has the same effect (law 4).
    ///
    /// # Errors
    /// [`Unavailable`] if the system could not judge. Then nothing was counted.
    pub async fn log_in(&self, context: &Context, credentials: Credentials) -> Result<Login, Unavailable> {
        let hash = self.ports.tokens.email_hash(&credentials.email);
        self.guesses_can_be_counted(&hash).await?;
        // Every token is read before the address is looked up, so that known and unknown addresses take the same
        // time.
        let shown = self.read_devices(context.at, &credentials.devices);
        let at = context.at;
        let Some((account, state)) = self.holder(&hash).await? else {
            // At a known address the account is looked up here. An unknown address does the same work.
            self.accounts.load(&StreamId::new("nobody", &hash.0)).await?;
            return self.anonymous(at, hash, credentials.password).await;
        };
        let from = shown.of(account);
        let Some(active) = state.active() else {
            return self.anonymous(at, hash, credentials.password).await;
        };
        // Nothing is decided, so this needs no turn: a guess that comes while another one is judged may have come first.
        if let Some(until) = active.locked_for(from, at) {
            // The same is done here as for an address that no account has.
            self.guesses_at(&hash).await?;
            return Ok(Login::Locked { until });
        }
        let password = credentials.password.clone();
        let purpose = PasswordPurpose::LogIn { opening: self.opening(context), second: credentials.second };
        match self.judge(context, account, from, password, purpose).await? {
            Judged::Verdict(committed) => Ok(self.login(account, &committed)),
            Judged::Locked(until) => {
                self.guesses_at(&hash).await?;
                Ok(Login::Locked { until })
            }
            Judged::Nobody | Judged::Refused(_) | Judged::Reused(_) => {
                self.anonymous(at, hash, credentials.password).await
            }
        }
    }

    /// Verifies a password under the account's lock and appends the verdict. If another append came first, the same
    /// proof is decided again. The password is hashed again only if the credential changed.
    pub(super) async fn judge(
        &self,
        context: &Context,
        account: AccountId,
        from: Option<DeviceId>,
        password: Password,
        purpose: PasswordPurpose,
    ) -> Result<Judged, Unavailable> {
        let stream = account::stream(account);
        let _turn = self.ports.keyed_lock.acquire(stream.to_string()).await;
        loop {
            let folded = self.accounts.load(&stream).await?;
            let (credential, hash) = match judgeable(&folded.state, context.at, from) {
                Ok(judgeable) => judgeable,
                Err(judged) => return Ok(judged),
            };
            self.verdicts_can_be_written().await?;
            let verdict = self.ports.hasher.verify(password.clone(), hash).await?.into();
            if let Some(rule) = self.would_reuse(&purpose, &verdict, &folded.state).await? {
                // This answer shows that the current password is right, and writes no event. It must not be given
                // while the log can't be written, because then wrong passwords do not count.
                self.ports.store.decoy().await?;
                // Another node locked the account in the meantime. Then the answer says nothing about the password.
                return match judgeable(&self.accounts.load(&stream).await?.state, context.at, from) {
                    Ok(_) => Ok(Judged::Reused(rule)),
                    Err(judged) => Ok(judged),
                };
            }
            let proof = Proof { credential, verdict, from };
            let command = match folded.state.active() {
                Some(active) => self.command(&purpose, proof, account, active, context.at).await?,
                None => return Ok(Judged::Nobody),
            };
            match self.accounts.transact(&stream, context, command).await {
                Ok(committed) => return Ok(Judged::Verdict(Box::new(committed))),
                Err(TransactError::Refused(Refusal::Locked { until })) => return Ok(Judged::Locked(until)),
                Err(TransactError::Refused(Refusal::StaleProof)) => continue,
                Err(TransactError::Refused(refusal)) => return Ok(Judged::Refused(refusal)),
                Err(TransactError::Unavailable(unavailable)) => return Err(self.lost(unavailable)),
            }
        }
    }

    /// Refuses to verify anything while verdicts can't be written to the log.
    ///
    /// A guess whose verdict is lost does not count, so somebody who can measure time would have unlimited guesses.
    /// After a lost verdict, the log is tried before each verification, until it writes again.
    ///
    /// # Errors
    /// [`Unavailable`] while the log does not write.
    pub(super) async fn verdicts_can_be_written(&self) -> Result<(), Unavailable> {
        if self.verdict_lost.load(Ordering::Relaxed) {
            self.ports.store.decoy().await?;
            self.verdict_lost.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Remembers that a verdict could not be written to the log.
    pub(super) fn lost(&self, unavailable: Unavailable) -> Unavailable {
        if matches!(unavailable, Unavailable::Append(_)) {
            self.verdict_lost.store(true, Ordering::Relaxed);
        }
        unavailable
    }

    /// The rule that the new password breaks if it is one of the last ones. Only a caller who knows the present
    /// password gets this answer.
    async fn would_reuse(
        &self,
        purpose: &PasswordPurpose,
        verdict: &Verdict,
        account: &Account,
    ) -> Result<Option<PasswordRule>, Unavailable> {
        match (purpose, verdict) {
            (PasswordPurpose::ChangePassword { new }, Verdict::Match { .. }) => {
                self.reuse(account.active(), new).await
            }
            _ => Ok(None),
        }
    }

    /// The command that follows from the proof. A new password is hashed only after the current one proved right. So
    /// a flood of wrong passwords costs no more here than at a login.
    async fn command(
        &self,
        purpose: &PasswordPurpose,
        proof: Proof,
        account: AccountId,
        active: &Active,
        at: Moment,
    ) -> Result<Command, Unavailable> {
        let look = |code: &OneTimeCode| self.look_at(account, active, code, at);
        Ok(match (purpose, &proof.verdict) {
            (PasswordPurpose::LogIn { opening, second }, _) => {
                let second = second.as_ref().and_then(look);
                Command::LogIn(Attempt { proof, opening: opening.clone(), second })
            }
            (_, Verdict::Mismatch) => Command::RejectGuess(proof),
            (PasswordPurpose::ChangePassword { new }, Verdict::Match { .. }) => {
                let hash = self.ports.hasher.hash(new.clone()).await?;
                Command::ChangePassword(NewPassword { proof, hash })
            }
            (PasswordPurpose::Propose(secret), _) => {
                Command::ProposeSecondStep { proof, secret: secret.clone() }
            }
            (PasswordPurpose::ReplaceRecovery(code, recovery), _) => {
                let second = look(code).unwrap_or_else(|| nothing(active));
                Command::ReplaceRecoveryCodes { proof, second, recovery: recovery.clone() }
            }
            (PasswordPurpose::Disable(code), _) => {
                let second = look(code).unwrap_or_else(|| nothing(active));
                Command::DisableSecondStep { proof, second }
            }
        })
    }

    /// The result of checking a code against the present second step. Returns `None` if the account has no second
    /// step.
    pub(super) fn look_at(
        &self,
        account: AccountId,
        active: &Active,
        code: &OneTimeCode,
        at: Moment,
    ) -> Option<SecondProof> {
        let second = active.second_step.as_ref()?;
        Some(match code {
            OneTimeCode::Totp(code) => {
                let secret = second.secret.known();
                let step = secret.and_then(|secret| self.ports.codes.step_of(secret, code, at));
                SecondProof::Code { secret: second.id, step }
            }
            OneTimeCode::Recovery(code) => {
                SecondProof::Recovery { hash: self.ports.codes.recovery_hash(account, code) }
            }
        })
    }

    /// Judges a guess at an address with no account in use. It is treated as a known address is, so that neither the
    /// answer nor the time tells them apart: the same lockout, one hash, one wait for the disk. While the address is locked
    /// out, the guess needs no turn.
    async fn anonymous(&self, at: Moment, hash: EmailHash, password: Password) -> Result<Login, Unavailable> {
        if let Some(until) = self.guesses_at(&hash).await?.locked_until(at) {
            return Ok(Login::Locked { until });
        }
        let _turn = self.ports.keyed_lock.acquire(anonymous_turn(&hash)).await;
        let mut judged = self.guesses_at(&hash).await?;
        if let Some(until) = judged.locked_until(at) {
            return Ok(Login::Locked { until });
        }
        self.verdicts_can_be_written().await?;
        self.ports.hasher.verify_decoy(password).await?;
        self.ports.store.decoy().await.map_err(|why| self.lost(why.into()))?;
        loop {
            let Failure { failures, codes, locks_until } =
                judged.judge(&self.policies.lockout, Wrong::Password, at);
            let counted = judged.failed(at, failures, codes);
            let next = locks_until.map_or(counted, |until| counted.locked(until));
            match self.ports.guesses.replace(&hash, judged, next).await {
                Ok(()) => return Ok(Login::Refused),
                // A guess on another node came first. This guess is decided again, as at a known address.
                Err(CountError::Conflict { actual }) => judged = actual,
                Err(CountError::Unavailable(why)) => return Err(self.guesses_failed(why)),
            }
            if let Some(until) = judged.locked_until(at) {
                return Ok(Login::Locked { until });
            }
        }
    }

    /// The guesses at an address that no active account has.
    async fn guesses_at(&self, hash: &EmailHash) -> Result<Lockout, Unavailable> {
        self.ports.guesses.get(hash).await.map_err(|why| self.guesses_failed(why))
    }

    /// Refuses every login while the guesses at unknown addresses can't be counted.
    ///
    /// A login at a known address does not need them. But if only logins at unknown addresses failed, everybody could
    /// tell the two apart (law 11). So after a failure each login first writes the guesses at its address as they
    /// are, until they can be written again. A read would not do: a store may answer reads and refuse writes.
    async fn guesses_can_be_counted(&self, hash: &EmailHash) -> Result<(), Unavailable> {
        if self.guesses_lost.load(Ordering::Relaxed) {
            let as_they_are = self.guesses_at(hash).await?;
            match self.ports.guesses.replace(hash, as_they_are, as_they_are).await {
                // After a conflict, another login has just written them.
                Ok(()) | Err(CountError::Conflict { .. }) => {
                    self.guesses_lost.store(false, Ordering::Relaxed);
                }
                Err(CountError::Unavailable(why)) => return Err(self.guesses_failed(why)),
            }
        }
        Ok(())
    }

    fn guesses_failed(&self, why: GuessesUnavailable) -> Unavailable {
        self.guesses_lost.store(true, Ordering::Relaxed);
        why.into()
    }

    /// Measures how long one hash takes on this machine. Returns the shortest of five times: the first hash allocates
    /// its memory, and others may have waited for a core.
    ///
    /// # Errors
    /// [`Unavailable`] if passwords can't be hashed.
    pub async fn time_a_hash(
        &self,
        now: impl Fn() -> std::time::Duration,
    ) -> Result<std::time::Duration, Unavailable> {
        let mut shortest = std::time::Duration::MAX;
        for _ in 0..5 {
            let begun = now();
            self.ports.hasher.verify_decoy(Password::new("none".to_owned())).await?;
            shortest = shortest.min(now().saturating_sub(begun));
        }
        Ok(shortest)
    }

    /// The wrong guesses at an address. They count while no account in use has it.
    ///
    /// # Errors
    /// [`Unavailable`] if they can't be read.
    pub async fn anonymous_guesses_at(&self, email: &EmailAddress) -> Result<Lockout, Unavailable> {
        Ok(self.ports.guesses.get(&self.ports.tokens.email_hash(email)).await?)
    }

    pub(super) fn login(&self, account: AccountId, committed: &Committed<Account>) -> Login {
        let verdict = committed.facts.iter().find_map(|fact| match fact.event {
            Event::LoginSucceeded { session, session_expires_at: expires_at, .. } => {
                self.clock.begins(session.0, fact.context.at);
                let claims = SessionClaims { account, session, expires_at };
                let session_token = self.ports.tokens.session(&claims);
                let (position, device) = (committed.position, self.given(account, committed));
                Some(Login::Succeeded { account, session_token, expires_at, position, device })
            }
            Event::LoginAwaitedConversion => Some(Login::AwaitingConversion),
            Event::SecondStepFailed { .. } => Some(Login::WrongCode),
            Event::SecondStepAsked { expires_at, .. } => {
                self.clock.begins(fact.id.0, fact.context.at);
                let claims = ChallengeClaims { account, event: fact.id, expires_at };
                Some(Login::SecondStep { challenge: self.ports.tokens.challenge(&claims), expires_at })
            }
            _ => None,
        });
        verdict.unwrap_or(Login::Refused)
    }

    /// The account that holds an e-mail address, in any stage. Returns `None` if the address is free.
    ///
    /// # Errors
    /// [`Unavailable`] if the log can't be read.
    pub async fn account_of(&self, email: &EmailAddress) -> Result<Option<AccountId>, Unavailable> {
        Ok(self.holder(&self.ports.tokens.email_hash(email)).await?.map(|(holder, _)| holder))
    }

    /// The deleted account that last held an address. Returns `None` if no deleted account held it.
    ///
    /// # Errors
    /// [`Unavailable`] if the log can't be read.
    pub async fn former_account_of(&self, email: &EmailAddress) -> Result<Option<AccountId>, Unavailable> {
        let stream = email_claim::stream(&self.ports.tokens.email_hash(email));
        let history = self.ports.store.read_stream(&stream, Revision::default()).await?;
        let mut former = None;
        for recorded in &history {
            let fact = self.ports.codec.decode_open(recorded)?;
            if let DomainEvent::EmailClaim(email_claim::Event::EmailReleased { account }) = fact.event {
                former = Some(account);
            }
        }
        Ok(former)
    }

    /// The account that holds an address, in any stage.
    ///
    /// A claim counts only if its account has the same address. So even with a wrong claim nobody gets into an
    /// account through another address.
    pub(super) async fn holder(
        &self,
        hash: &EmailHash,
    ) -> Result<Option<(AccountId, Arc<Account>)>, Unavailable> {
        let Some(holder) = self.claims.load(&email_claim::stream(hash)).await?.state.holder else {
            return Ok(None);
        };
        let account = self.accounts.load(&account::stream(holder)).await?.state;
        let own = account.profile().is_some_and(|profile| profile.email_hash == *hash);
        Ok(own.then_some((holder, account)))
    }

    /// Claims an address for `candidate` and returns the account that holds it. That is another account if it holds
    /// the address already. The address of a deleted account is free.
    pub(super) async fn claim(
        &self,
        context: &Context,
        hash: &EmailHash,
        candidate: AccountId,
    ) -> Result<AccountId, Unavailable> {
        let stream = email_claim::stream(hash);
        let mut candidate = candidate;
        loop {
            let claim = email_claim::Command::Claim { account: candidate };
            let committed = self.claims.transact(&stream, context, claim).await?;
            let Some(holder) = committed.state.holder else {
                continue;
            };
            let account = self.accounts.load(&account::stream(holder)).await?.state;
            let foreign = account.profile().is_some_and(|profile| profile.email_hash != *hash);
            if !foreign && !matches!(*account, Account::Deleted(_)) {
                return Ok(holder);
            }
            self.release_claim(context, hash, holder).await?;
            if holder == candidate {
                // The id that the order gives was used before, and its account was deleted.
                candidate = AccountId(self.ports.identities.fresh());
            }
        }
    }

    /// Frees a deleted account's address.
    pub(super) async fn release_claim(
        &self,
        context: &Context,
        hash: &EmailHash,
        account: AccountId,
    ) -> Result<Position, Unavailable> {
        let release = email_claim::Command::Release { account };
        let stream = email_claim::stream(hash);
        Ok(self.claims.transact(&stream, context, release).await?.position)
    }
}

/// The credential to verify against. Refuses if nothing may be verified.
fn judgeable(
    account: &Account,
    at: Moment,
    from: Option<DeviceId>,
) -> Result<(EventId, PasswordHash), Judged> {
    let active = account.active().ok_or(Judged::Nobody)?;
    if let Some(until) = active.locked_for(from, at) {
        return Err(Judged::Locked(until));
    }
    match &active.credential.hash {
        Erasable::Known(hash) => Ok((active.credential.id, hash.clone())),
        Erasable::Erased => Err(Judged::Nobody),
    }
}

/// The key of the lock under which guesses at an address without an account in use are judged one after the other.
fn anonymous_turn(hash: &EmailHash) -> String {
    format!("stranger-{hash}")
}

/// A wrong proof for an account without a second step. The rules then refuse it.
fn nothing(active: &Active) -> SecondProof {
    SecondProof::Code { secret: active.credential.id, step: None }
}
