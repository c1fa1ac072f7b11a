//! The rules of an account: DOMAIN's sections on accounts, activation, passwords and lockout.

use chrono::TimeDelta;

use crate::Moment;
use crate::account::command::{
    Answer, Attempt, Authority, Command, Creation, MailFate, NewPassword, Proof, Verdict,
};
use crate::account::event::{Admission, Event, Role, SessionEnd};
use crate::account::second_step::SecondProof;
use crate::account::state::{Account, Active, Link, Profile};
use crate::erasable::Erasable;
use crate::ids::{CompanyId, EventId, SessionId, TakeOverId};
use crate::lockout::{Failure, LockEnd};
use crate::one_time_code::{RecoveryHash, TotpSecret};
use crate::policies::Policies;

/// Why a command changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The account was created before.
    #[error("the account exists already")]
    AlreadyExists,
    /// There is no such account, or it was deleted.
    #[error("there is no such account")]
    NoSuchAccount,
    /// Its owner has not chosen a password yet.
    #[error("the account is not active yet")]
    NotActive,
    /// It is in use already.
    #[error("the account is active already")]
    AlreadyActive,
    /// The link was followed before, or a newer one has been sent.
    #[error("this link was used before, or a newer one was sent")]
    LinkVoid,
    /// The link's time is over.
    #[error("this link has expired")]
    LinkExpired,
    /// Too many wrong guesses.
    #[error("locked {until}")]
    Locked {
        /// The end of the lockout.
        until: LockEnd,
    },
    /// The password changed while it was being verified: verify again.
    #[error("the credential changed meanwhile")]
    StaleProof,
    /// Only a temporary administrator is converted.
    #[error("the account is no temporary administrator")]
    NotTemporary,
    /// It is converted first.
    #[error("the account is a temporary administrator")]
    AwaitingConversion,
    /// Nothing to release.
    #[error("the account is not locked")]
    NotLocked,
    /// That session is over.
    #[error("there is no such session")]
    NoSuchSession,
    /// The challenge was not given, is over, or is void.
    #[error("the challenge is over or void: log in again")]
    ChallengeVoid,
    /// The second step is on already.
    #[error("the second step is on already")]
    SecondStepOn,
    /// The second step is not on.
    #[error("the second step is not on")]
    NoSecondStep,
    /// No secret was shown, or too long ago.
    #[error("no secret was shown, or too long ago")]
    NoProposal,
}

/// Decides a command: the events that follow from it, or why none do. The same state, policies,
/// moment and command always give the same answer (law 7).
///
/// # Errors
/// The rule that refuses, as a [`Refusal`]. A wrong password is none: it is an event (law 3).
pub fn decide(
    account: &Account,
    policies: &Policies,
    at: Moment,
    command: Command,
) -> Result<Vec<Event>, Refusal> {
    match command {
        Command::Create(creation) => create(account, policies, at, creation),
        Command::RequestActivation => request_activation(account, policies, at),
        Command::Activate(activation) => {
            let link = invited(account)?;
            follow(link, activation.link, at)?;
            Ok(vec![Event::AccountActivated {
                link: activation.link,
                hash: Erasable::Known(activation.hash),
            }])
        }
        Command::Convert(to) => convert(live(account)?, to),
        Command::ChangeRole(to) => change_role(live(account)?, to),
        Command::Move { takeover, company } => Ok(follow_company(live(account)?, takeover, company)),
        Command::LogIn(attempt) => log_in(active(account)?, policies, at, attempt),
        Command::AnswerChallenge(answer) => answer_challenge(active(account)?, policies, at, answer),
        Command::ProposeSecondStep { proof, secret } => {
            propose_second_step(active(account)?, policies, at, proof, secret)
        }
        Command::ConfirmSecondStep { proof, recovery } => {
            confirm_second_step(active(account)?, policies, at, &proof, recovery)
        }
        Command::ReplaceRecoveryCodes { proof, second, recovery } => {
            let replaced = Event::RecoveryCodesReplaced { recovery: Erasable::Known(recovery) };
            with_both(active(account)?, policies, at, proof, &second, replaced)
        }
        Command::DisableSecondStep { proof, second } => {
            with_both(active(account)?, policies, at, proof, &second, Event::SecondStepDisabled)
        }
        Command::ResetSecondStep { reason } => {
            active(account)?.second_step.as_ref().ok_or(Refusal::NoSecondStep)?;
            // Whoever has the phone may have a session too.
            Ok(vec![Event::SecondStepReset { reason: Erasable::Known(reason) }, Event::SessionsEnded])
        }
        Command::RejectGuess { credential } => {
            let account = active(account)?;
            judge(account, at, Proof { credential, verdict: Verdict::Mismatch })?;
            Ok(wrong_guess(account, policies, at))
        }
        Command::Release { reason } => release(active(account)?, at, reason),
        Command::RequestPasswordReset => Ok(request_reset(active(account)?, policies, at)),
        Command::ResetPassword(reset) => {
            let link = active(account)?.reset.ok_or(Refusal::LinkVoid)?;
            follow(link, reset.link, at)?;
            let reset = Event::PasswordReset { link: reset.link, hash: Erasable::Known(reset.hash) };
            Ok(vec![reset, Event::SessionsEnded])
        }
        Command::ChangePassword(change) => change_password(active(account)?, policies, at, change),
        Command::EndSession { session, reason } => {
            active(account)?.session(session, at).ok_or(Refusal::NoSuchSession)?;
            Ok(vec![Event::SessionEnded { session, reason }])
        }
        Command::EndSessions => {
            let any = active(account)?.sessions_at(at).next().is_some();
            Ok(any.then_some(Event::SessionsEnded).into_iter().collect())
        }
        Command::NoteMail(fate) => note_mail(account, fate),
        Command::Delete { reason } => delete(account, at, reason),
        Command::Erase { reason } => erase(account, at, reason),
    }
}

/// As [`decide`], for somebody whose account it is not.
///
/// # Errors
/// [`Refusal::NoSuchAccount`] where it is, by now, another company's than theirs.
pub fn decide_for(
    authority: Authority,
    account: &Account,
    policies: &Policies,
    at: Moment,
    command: Command,
) -> Result<Vec<Event>, Refusal> {
    match authority {
        Authority::Administrator(company) if live(account)?.company != company => Err(Refusal::NoSuchAccount),
        _ => decide(account, policies, at, command),
    }
}

fn create(
    account: &Account,
    policies: &Policies,
    at: Moment,
    creation: Creation,
) -> Result<Vec<Event>, Refusal> {
    if *account != Account::Absent {
        return Err(Refusal::AlreadyExists);
    }
    Ok(vec![Event::AccountCreated {
        company: creation.company,
        role: creation.role,
        language: creation.language,
        email_hash: creation.email_hash,
        origin: creation.origin,
        activation_expires_at: later(at, policies.activation_link),
        person: Erasable::Known(creation.person),
    }])
}

fn request_activation(account: &Account, policies: &Policies, at: Moment) -> Result<Vec<Event>, Refusal> {
    invited(account)?;
    Ok(vec![Event::ActivationRequested { expires_at: later(at, policies.activation_link) }])
}

fn convert(profile: &Profile, to: Admission) -> Result<Vec<Event>, Refusal> {
    match profile.role {
        Role::TemporaryAdministrator => Ok(vec![Event::AccountConverted { to }]),
        Role::Administrator | Role::User => Err(Refusal::NotTemporary),
    }
}

fn change_role(profile: &Profile, to: Admission) -> Result<Vec<Event>, Refusal> {
    match profile.role {
        Role::TemporaryAdministrator => Err(Refusal::AwaitingConversion),
        role if role == to.into() => Ok(Vec::new()),
        Role::Administrator | Role::User => Ok(vec![Event::RoleChanged { to }]),
    }
}

/// Nobody becomes administrator of a company by being taken over: what they could do at the sites that moved
/// with them, they keep through a group.
fn follow_company(profile: &Profile, takeover: TakeOverId, company: CompanyId) -> Vec<Event> {
    let role = match profile.role {
        Role::Administrator | Role::User => Role::User,
        Role::TemporaryAdministrator => Role::TemporaryAdministrator,
    };
    let moves = profile.company != company;
    moves.then_some(Event::AccountMoved { takeover, company, role }).into_iter().collect()
}

/// Seven wrong guesses in a row lock. While locked nothing is judged, not even the right password;
/// a complete login sets the count to zero, a right password that lets nobody in does not.
fn log_in(
    account: &Active,
    policies: &Policies,
    at: Moment,
    attempt: Attempt,
) -> Result<Vec<Event>, Refusal> {
    match judge(account, at, attempt.proof)? {
        Verdict::Mismatch => Ok(wrong_guess(account, policies, at)),
        Verdict::Match { .. } if account.profile.role == Role::TemporaryAdministrator => {
            Ok(vec![Event::LoginAwaitedConversion])
        }
        Verdict::Match { rehashed } => {
            let mut events = match (&account.second_step, attempt.second) {
                (None, _) => admit(account, policies, at, attempt.session, None),
                // A right password alone lets nobody in and sets no count to zero.
                (Some(_), None) => {
                    vec![Event::SecondStepAsked { expires_at: later(at, policies.challenge) }]
                }
                (Some(_), Some(proof)) => match judge_code(account, at, &proof)? {
                    None => return Ok(wrong_code(account, policies, at)),
                    used => admit(account, policies, at, attempt.session, used),
                },
            };
            events.extend(rehashed.map(|hash| Event::PasswordRehashed { hash: Erasable::Known(hash) }));
            Ok(events)
        }
    }
}

/// A complete login: what of the second step it used, and the session that it opens.
fn admit(
    account: &Active,
    policies: &Policies,
    at: Moment,
    session: SessionId,
    used: Option<Event>,
) -> Vec<Event> {
    let session_expires_at = later(at, policies.session);
    let succeeded = Event::LoginSucceeded { session, session_expires_at };
    displaced(account, policies, at).into_iter().chain(used).chain([succeeded]).collect()
}

/// A challenge authorises nothing but this: it holds for a few minutes, for one account, and not after a complete
/// login, a lockout, a new password, another second step or the end of all sessions.
fn answer_challenge(
    account: &Active,
    policies: &Policies,
    at: Moment,
    answer: Answer,
) -> Result<Vec<Event>, Refusal> {
    unlocked(account, at)?;
    account.challenge(answer.challenge, at).ok_or(Refusal::ChallengeVoid)?;
    Ok(match judge_code(account, at, &answer.proof)? {
        None => wrong_code(account, policies, at),
        used => admit(account, policies, at, answer.session, used),
    })
}

/// The password is asked for, so that a session left open gives nobody a second step of theirs.
fn propose_second_step(
    account: &Active,
    policies: &Policies,
    at: Moment,
    proof: Proof,
    secret: TotpSecret,
) -> Result<Vec<Event>, Refusal> {
    if account.second_step.is_some() {
        return Err(Refusal::SecondStepOn);
    }
    match judge(account, at, proof)? {
        Verdict::Mismatch => Ok(wrong_guess(account, policies, at)),
        Verdict::Match { .. } => Ok(vec![Event::SecondStepProposed {
            expires_at: later(at, policies.enrolment),
            secret: Erasable::Known(secret),
        }]),
    }
}

/// A wrong code counts here too: nobody tries them all on a secret that they did not see.
fn confirm_second_step(
    account: &Active,
    policies: &Policies,
    at: Moment,
    proof: &SecondProof,
    recovery: Vec<RecoveryHash>,
) -> Result<Vec<Event>, Refusal> {
    unlocked(account, at)?;
    let proposal = account.proposal.as_ref().filter(|shown| at < shown.link.expires_at);
    let proposal = proposal.ok_or(Refusal::NoProposal)?.link.event;
    match proof {
        SecondProof::Code { secret, .. } if *secret != proposal => Err(Refusal::StaleProof),
        SecondProof::Code { step: Some(step), .. } => {
            let recovery = Erasable::Known(recovery);
            Ok(vec![Event::SecondStepEnabled { proposal, step: *step, recovery }])
        }
        SecondProof::Code { step: None, .. } | SecondProof::Recovery { .. } => {
            Ok(wrong_code(account, policies, at))
        }
    }
}

/// What takes the password and a code: each wrong one counts as at a login.
fn with_both(
    account: &Active,
    policies: &Policies,
    at: Moment,
    proof: Proof,
    second: &SecondProof,
    done: Event,
) -> Result<Vec<Event>, Refusal> {
    if account.second_step.is_none() {
        return Err(Refusal::NoSecondStep);
    }
    match judge(account, at, proof)? {
        Verdict::Mismatch => Ok(wrong_guess(account, policies, at)),
        Verdict::Match { .. } => Ok(match judge_code(account, at, second)? {
            None => wrong_code(account, policies, at),
            Some(used) => vec![used, done],
        }),
    }
}

/// Verifies a password as a login does, so it counts as a login does.
fn change_password(
    account: &Active,
    policies: &Policies,
    at: Moment,
    change: NewPassword,
) -> Result<Vec<Event>, Refusal> {
    match judge(account, at, change.proof)? {
        Verdict::Mismatch => Ok(wrong_guess(account, policies, at)),
        Verdict::Match { .. } => {
            Ok(vec![Event::PasswordChanged { hash: Erasable::Known(change.hash) }, Event::SessionsEnded])
        }
    }
}

/// The one guard in front of every verdict on a password (law 4).
fn judge(account: &Active, at: Moment, proof: Proof) -> Result<Verdict, Refusal> {
    unlocked(account, at)?;
    if proof.credential != account.credential.id {
        return Err(Refusal::StaleProof);
    }
    Ok(proof.verdict)
}

fn unlocked(account: &Active, at: Moment) -> Result<(), Refusal> {
    account.lockout.locked_until(at).map_or(Ok(()), |until| Err(Refusal::Locked { until }))
}

/// The one guard in front of every verdict on a code of the second step that is on: what it used, or nothing
/// where it was wrong. It stands behind the password's, so that codes which nobody judges tell a stranger nothing.
fn judge_code(account: &Active, at: Moment, proof: &SecondProof) -> Result<Option<Event>, Refusal> {
    let second = account.second_step.as_ref().ok_or(Refusal::NoSecondStep)?;
    account.codes_locked_until(at).map_or(Ok(()), |until| Err(Refusal::Locked { until }))?;
    second.accept(proof)
}

fn wrong_guess(account: &Active, policies: &Policies, at: Moment) -> Vec<Event> {
    let Failure { failures, locks_until } = account.lockout.judge_failure(&policies.lockout, at);
    let locked = locks_until.map(|until| Event::AccountLocked { failures, until });
    std::iter::once(Event::LoginFailed { failures }).chain(locked).collect()
}

/// A wrong code is one more wrong guess. Those of the second step that is on are counted apart as well, and as
/// many lock whatever password was reset meanwhile (law 4).
fn wrong_code(account: &Active, policies: &Policies, at: Moment) -> Vec<Event> {
    let Failure { failures, locks_until } = account.lockout.judge_failure(&policies.lockout, at);
    let apart = account.second_step.as_ref().map(|_| account.wrong_codes_at(at));
    let apart = apart.map(|counted| counted.judge_row(&policies.lockout, at));
    let codes = apart.map_or(0, |codes| codes.failures);
    let codes_lock_until = apart.and_then(|codes| codes.locks_until);
    let codes_locked_until = codes_lock_until.and_then(LockEnd::moment);
    let locked = locks_until.max(codes_lock_until);
    let locked = locked.map(|until| Event::AccountLocked { failures: failures.max(codes), until });
    let failed = Event::SecondStepFailed { failures, codes, codes_locked_until };
    std::iter::once(failed).chain(locked).collect()
}

/// The oldest sessions, as many as must end for one more to fit.
fn displaced(account: &Active, policies: &Policies, at: Moment) -> Vec<Event> {
    let live = account.sessions_at(at).count();
    let surplus = (live + 1).saturating_sub(policies.sessions_per_account.max(1));
    let oldest = account.sessions_at(at).take(surplus);
    oldest.map(|s| Event::SessionEnded { session: s.id, reason: SessionEnd::Displaced }).collect()
}

/// Nobody's mailbox is flooded: beyond so many in an hour nothing is sent, and the newest link goes on
/// working.
fn request_reset(account: &Active, policies: &Policies, at: Moment) -> Vec<Event> {
    let enough = account.resets_asked_at(at).count() >= policies.resets_per_hour;
    let asked = Event::PasswordResetRequested { expires_at: later(at, policies.reset_link) };
    (!enough).then_some(asked).into_iter().collect()
}

/// What became of a mail is noted whatever became of the account since.
fn note_mail(account: &Account, fate: MailFate) -> Result<Vec<Event>, Refusal> {
    account.profile().ok_or(Refusal::NoSuchAccount)?;
    let MailFate { mail, kind, about, given_up } = fate;
    Ok(vec![match given_up {
        Some(why) => Event::MailGivenUp { mail, kind, about, why },
        None => Event::MailSent { mail, kind, about },
    }])
}

fn release(account: &Active, at: Moment, reason: String) -> Result<Vec<Event>, Refusal> {
    account.codes_locked_until(at).ok_or(Refusal::NotLocked)?;
    Ok(vec![Event::LockoutReleased { reason: Erasable::Known(reason) }])
}

fn delete(account: &Account, at: Moment, reason: String) -> Result<Vec<Event>, Refusal> {
    live(account)?;
    let sessions = account.active().is_some_and(|active| active.sessions_at(at).next().is_some());
    let ended = sessions.then_some(Event::SessionsEnded);
    Ok(ended.into_iter().chain([Event::AccountDeleted { reason: Erasable::Known(reason) }]).collect())
}

fn erase(account: &Account, at: Moment, reason: String) -> Result<Vec<Event>, Refusal> {
    let profile = account.profile().ok_or(Refusal::NoSuchAccount)?;
    if profile.erased {
        return Ok(Vec::new());
    }
    let mut events = if account.is_live() { delete(account, at, reason)? } else { Vec::new() };
    events.push(Event::AccountErased);
    Ok(events)
}

fn live(account: &Account) -> Result<&Profile, Refusal> {
    account.profile().filter(|_| account.is_live()).ok_or(Refusal::NoSuchAccount)
}

fn active(account: &Account) -> Result<&Active, Refusal> {
    live(account)?;
    account.active().ok_or(Refusal::NotActive)
}

fn invited(account: &Account) -> Result<Link, Refusal> {
    live(account)?;
    match account {
        Account::Invited(invited) => Ok(invited.activation),
        _ => Err(Refusal::AlreadyActive),
    }
}

/// A link works once, until it expires, and only the newest does.
fn follow(newest: Link, followed: EventId, at: Moment) -> Result<(), Refusal> {
    if newest.event != followed {
        return Err(Refusal::LinkVoid);
    }
    if at >= newest.expires_at {
        return Err(Refusal::LinkExpired);
    }
    Ok(())
}

fn later(at: Moment, duration: TimeDelta) -> Moment {
    at.checked_add_signed(duration).unwrap_or(Moment::MAX_UTC)
}
