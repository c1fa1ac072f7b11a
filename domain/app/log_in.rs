//! Logging in, and whatever else verifies a password.

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

/// What a person types to get in.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Who they say they are.
    pub email: EmailAddress,
    /// How they prove it.
    pub password: Password,
    /// The second step at once, for machines.
    pub second: Option<OneTimeCode>,
    /// The tokens of devices that came along: one counts that the account trusts.
    pub devices: Vec<String>,
}

/// A device that is trusted from here on, and how it says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenDevice {
    /// Of which account.
    pub account: AccountId,
    /// What it sends with the next login. It authorises nothing.
    pub token: String,
    /// The first moment at which it is not trusted any more.
    pub expires_at: Moment,
}

/// What a login came to. A wrong password is an answer, not an error (law 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// In.
    Succeeded {
        /// Who.
        account: AccountId,
        /// The session's token.
        session_token: String,
        /// When the session ends by itself.
        expires_at: Moment,
        /// Where its event stands.
        position: Position,
        /// What a device is given that was not trusted before, or whose time begins anew.
        device: Option<GivenDevice>,
    },
    /// The password was right, and the second step is yet to come.
    SecondStep {
        /// What answers for the password when it does.
        challenge: String,
        /// The first moment at which it no longer works.
        expires_at: Moment,
    },
    /// The code was wrong; it counts.
    WrongCode,
    /// The challenge is over or void, or never was one: log in again.
    ChallengeVoid,
    /// Wrong password, unknown address, not active or deleted: nobody can tell which (law 11).
    Refused,
    /// Right password of a temporary administrator who has not been admitted.
    AwaitingConversion,
    /// Nothing was verified, and nothing will be until then.
    Locked {
        /// The end of the lockout.
        until: LockEnd,
    },
}

/// For what a password is verified.
pub(super) enum PasswordPurpose {
    /// To get in.
    LogIn {
        /// What it opens if it is complete.
        opening: Opening,
        /// The second step, where it came at once.
        second: Option<OneTimeCode>,
    },
    /// To choose another; a wrong current password counts as a wrong login.
    ChangePassword {
        /// The other.
        new: Password,
    },
    /// To be shown a secret for a second step.
    Propose(TotpSecret),
    /// To be shown other recovery codes, whose hashes these are.
    ReplaceRecovery(OneTimeCode, Vec<RecoveryHash>),
    /// To turn the second step off.
    Disable(OneTimeCode),
}

/// What verifying a password under the account's lock led to.
pub(super) enum Judged {
    /// It was judged, and the verdict is durable.
    Verdict(Box<Committed<Account>>),
    /// The account is not one that anybody can guess at.
    Nobody,
    /// Locked: nothing was verified.
    Locked(LockEnd),
    /// Right, but the password wished for is one of the last ones: nothing was changed or counted.
    Reused(PasswordRule),
    /// Another rule refused.
    Refused(Refusal),
}

impl App {
    /// Judges a login.
    ///
    /// Guesses at one account are judged one after the other, so a flood costs at most the hashes
    /// that the lockout allows; across nodes the append's revision check does the same (law 4).
    ///
    /// # Errors
    /// [`Unavailable`] when the system could not judge; then nothing was counted.
    pub async fn log_in(&self, context: &Context, credentials: Credentials) -> Result<Login, Unavailable> {
        let hash = self.ports.tokens.email_hash(&credentials.email);
        self.guesses_can_be_counted(&hash).await?;
        // Every token is read before it is known whether anybody has the address, so that they take the same time.
        let shown = self.read_devices(context.at, &credentials.devices);
        let Some(account) = self.holder(&hash).await? else {
            // The same is done as for a known address: its account is looked up here, and once more in its turn.
            let nobody = StreamId::new("nobody", &hash.0);
            self.accounts.load(&nobody).await?;
            let turn = self.ports.keyed_lock.acquire(nobody.to_string()).await;
            self.accounts.load(&nobody).await?;
            drop(turn);
            return self.anonymous(context.at, hash, credentials.password).await;
        };
        let from = shown.of(account);
        let password = credentials.password.clone();
        let purpose = PasswordPurpose::LogIn { opening: self.opening(context), second: credentials.second };
        match self.judge(context, account, from, password, purpose).await? {
            Judged::Verdict(committed) => Ok(self.login(account, &committed)),
            Judged::Locked(until) => {
                // The same is done as for an address that nobody has.
                let _turn = self.ports.keyed_lock.acquire(anonymous_turn(&hash)).await;
                self.guesses_at(&hash).await?;
                Ok(Login::Locked { until })
            }
            Judged::Nobody | Judged::Refused(_) | Judged::Reused(_) => {
                self.anonymous(context.at, hash, credentials.password).await
            }
        }
    }

    /// Verifies a password in the account's turn and appends the verdict. A guess that loses the
    /// race is decided again from the same proof; it is hashed again only if the credential changed.
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
                // while the log can't be written, since wrong passwords do not count then.
                self.ports.store.decoy().await?;
                // Locked meanwhile, on another node: then nothing is said of the password.
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

    /// Notes that a verdict could not be written down.
    pub(super) fn lost(&self, unavailable: Unavailable) -> Unavailable {
        if matches!(unavailable, Unavailable::Append(_)) {
            self.verdict_lost.store(true, Ordering::Relaxed);
        }
        unavailable
    }

    /// The rule that the new password breaks that somebody wishes for who knows the present one.
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

    /// What follows from the proof. A new password is hashed only once the current one has proved
    /// right, so that a flood of wrong ones costs no more here than at the login.
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

    /// What a code proves of the second step that is on; none where none is.
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

    /// An address that nobody can get in with is treated as one that somebody can, to the eye and to
    /// the clock: the same lockout, one hash, one wait for the disk.
    async fn anonymous(&self, at: Moment, hash: EmailHash, password: Password) -> Result<Login, Unavailable> {
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
                // A guess on another node was faster: this one is decided again, as at a known address.
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
    /// A known address does not need them. If only logins at unknown addresses failed, everybody could tell the two apart
    /// (law 11). So after a failure, each login asks for them first, until they are there again.
    async fn guesses_can_be_counted(&self, hash: &EmailHash) -> Result<(), Unavailable> {
        if self.guesses_lost.load(Ordering::Relaxed) {
            self.guesses_at(hash).await?;
            self.guesses_lost.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    fn guesses_failed(&self, why: GuessesUnavailable) -> Unavailable {
        self.guesses_lost.store(true, Ordering::Relaxed);
        why.into()
    }

    /// Measures how long one hash takes here and now. It gives the shortest of five: the first one pays for its memory, and
    /// others may have waited for a core.
    ///
    /// # Errors
    /// [`Unavailable`] when passwords can't be hashed.
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

    /// What is known of guesses at an address, which counts while no account in use has it.
    ///
    /// # Errors
    /// [`Unavailable`] when they can't be read.
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

    /// The account that an e-mail address belongs to, whatever its stage; none where it is free.
    ///
    /// # Errors
    /// [`Unavailable`] when the log can't be read.
    pub async fn account_of(&self, email: &EmailAddress) -> Result<Option<AccountId>, Unavailable> {
        self.holder(&self.ports.tokens.email_hash(email)).await
    }

    /// The account that last let an address go: it was deleted. None where nobody ever had it.
    ///
    /// # Errors
    /// [`Unavailable`] when the log can't be read.
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

    /// The account that holds an address, whatever its stage.
    ///
    /// A claim counts only where its account says the same address: whatever went wrong with a claim,
    /// nobody gets into an account by an address that is not its own.
    pub(super) async fn holder(&self, hash: &EmailHash) -> Result<Option<AccountId>, Unavailable> {
        let Some(holder) = self.claims.load(&email_claim::stream(hash)).await?.state.holder else {
            return Ok(None);
        };
        let account = self.accounts.load(&account::stream(holder)).await?.state;
        let own = account.profile().is_some_and(|profile| profile.email_hash == *hash);
        Ok(own.then_some(holder))
    }

    /// Claims an address for `candidate`, or for whoever holds it already: gives the holder. An
    /// address whose account was deleted is taken over.
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
                // The id that the order would give was used and its account deleted meanwhile.
                candidate = AccountId(self.ports.identities.fresh());
            }
        }
    }

    /// Lets go of a deleted account's address.
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

/// The credential to verify against; or why nothing is verified.
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

/// Guesses at an address that nobody can get in with are judged one after the other too.
fn anonymous_turn(hash: &EmailHash) -> String {
    format!("stranger-{hash}")
}

/// A proof that proves nothing, of a second step that is not on: the rules say so.
fn nothing(active: &Active) -> SecondProof {
    SecondProof::Code { secret: active.credential.id, step: None }
}
