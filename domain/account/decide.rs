//! The rules of an account: the sections of DOMAIN on accounts, activation, passwords and lockout.

use chrono::TimeDelta;

use crate::Moment;
use crate::account::activation::Asker;
use crate::account::command::{
    Answer, Attempt, Command, Creation, MailFate, NewPassword, NewProfile, Opening, Proof, Request, Verdict,
};
use crate::account::event::{Admission, DeviceEnd, DeviceOrigin, Event, Role, Rows, SessionEnd};
use crate::account::evolve::evolve;
use crate::account::identity::CATEGORY;
use crate::account::judging::Guess;
use crate::account::link::{Link, later};
use crate::account::refusal::Refusal;
use crate::account::second_step::SecondProof;
use crate::account::state::{Account, Active, Profile};
use crate::decider::Decider;
use crate::fact::{Actor, Fact};
use crate::ids::{CompanyId, DeviceId, EventId, SessionId, TakeOverId};
use crate::policies::Policies;
use crate::stream::StreamId;
use crate::values::erasable::Erasable;
use crate::values::one_time_code::{RecoveryHash, TotpSecret};
use crate::values::person::Person;

/// Decides a command. Returns the events that follow, or the rule that refuses. The same state, policies, moment and
/// command always give the same answer (law 7).
///
/// ```
/// use loquet_domain::Moment;
/// use loquet_domain::account::{Account, Asker, Command, Event, Refusal, decide};
/// use loquet_domain::policies::Policies;
/// # use loquet_domain::account::{Creation, Origin, Role};
/// # use loquet_domain::values::email_address::{EmailAddress, EmailHash};
/// # use loquet_domain::ids::CompanyId;
/// # use loquet_domain::values::language::Language;
/// # use loquet_domain::values::person::{Person, PersonName};
/// # let person = Person {
/// #     email: EmailAddress::parse("marie@example.be")?,
/// #     given_name: PersonName::parse("Marie")?,
/// #     family_name: PersonName::parse("Dupont")?,
/// # };
/// # let creation = Creation {
/// #     company: CompanyId("00000000-0000-0000-0000-000000000001".parse()?),
/// #     role: Role::User,
/// #     language: Language::Fr,
/// #     email_hash: EmailHash("ab12".to_owned()),
/// #     origin: Origin::Colleague { account_id: None },
/// #     person,
/// # };
/// let (nobody, policies, at) = (Account::Absent, Policies::default(), Moment::UNIX_EPOCH);
///
/// let created = decide(&nobody, &policies, at, Command::Create(creation))?;
/// assert!(matches!(created[..], [Event::AccountCreated { .. }]));
///
/// let refused = decide(&nobody, &policies, at, Command::RequestActivation(Asker::Supplier));
/// assert_eq!(refused, Err(Refusal::NoSuchAccount));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The rule that refuses, as a [`Refusal`]. A wrong password is not a refusal: it is an event (law 3).
pub fn decide(
    account: &Account,
    policies: &Policies,
    at: Moment,
    command: Command,
) -> Result<Vec<Event>, Refusal> {
    match command {
        Command::Create(creation) => create(account, policies, at, creation),
        Command::RequestActivation(asker) => request_activation(account, policies, at, asker),
        Command::Activate(activation) => {
            let link = invited(account)?;
            follow(link, activation.link, link.holds_early(at))?;
            Ok(vec![Event::AccountActivated {
                link: activation.link,
                hash: Erasable::Known(activation.hash),
            }])
        }
        Command::Convert(to) => convert(live(account)?, to),
        Command::ChangeRole(to) => change_role(live(account)?, to),
        Command::ChangeProfile(new) => Ok(change_profile(&active(account)?.profile, new)),
        // The data of a deleted account is held until the person is erased.
        Command::ExportData => match account.profile() {
            Some(profile) if !profile.erased => Ok(vec![Event::DataExported]),
            _ => Err(Refusal::NoSuchAccount),
        },
        Command::Move { takeover, company } => Ok(follow_company(live(account)?, takeover, company)),
        Command::LogIn(attempt) => log_in(active(account)?, policies, at, attempt),
        Command::AnswerChallenge(answer) => answer_challenge(active(account)?, policies, at, answer),
        Command::ProposeSecondStep { proof, secret } => {
            propose_second_step(active(account)?, policies, at, proof, secret)
        }
        Command::ConfirmSecondStep { proof, from, session, recovery } => {
            let account = active(account)?;
            let guess = Guess::new(account, policies, at, from);
            let mut events = confirm_second_step(account, &guess, at, &proof, recovery)?;
            if let Some(Event::SecondStepEnabled { .. }) = events.first() {
                events.extend(all_sessions_but(account, session, at));
            }
            Ok(events)
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
            // Somebody who has the lost phone may have a session too.
            Ok(vec![Event::SecondStepReset { reason: Erasable::Known(reason) }, Event::SessionsEnded])
        }
        Command::RejectGuess(proof) => {
            let guess = Guess::new(active(account)?, policies, at, proof.from);
            guess.verdict(proof)?;
            Ok(guess.wrong_password())
        }
        Command::Release { reason } => release(active(account)?, at, reason),
        Command::RequestPasswordReset => Ok(request_reset(active(account)?, policies, at)),
        Command::SendPasswordReset => {
            active(account)?;
            Ok(vec![reset_requested(policies, at)])
        }
        Command::ResetPassword(reset) => {
            let link = active(account)?.reset.ok_or(Refusal::LinkVoid)?;
            follow(link, reset.link, link.holds(at))?;
            let reset = Event::PasswordReset { link: reset.link, hash: Erasable::Known(reset.hash) };
            Ok(vec![reset, Event::SessionsEnded])
        }
        Command::ChangePassword(change) => change_password(active(account)?, policies, at, change),
        Command::EndSession { session, reason } => {
            active(account)?.session(session, at).ok_or(Refusal::NoSuchSession)?;
            Ok(vec![Event::SessionEnded { session, reason }])
        }
        Command::EndSessions => {
            // A login that waits for a code must not become a session. A session or challenge that has expired must
            // not work again when a clock is set back. So both end with the sessions.
            let account = active(account)?;
            let any = !account.sessions.is_empty() || !account.challenges.is_empty();
            Ok(any.then_some(Event::SessionsEnded).into_iter().collect())
        }
        Command::TrustForReset { link, device } => {
            trust_for_reset(active(account)?, policies, at, link, device)
        }
        Command::ForgetDevices { device } => forget_devices(active(account)?, at, device),
        Command::NoteMail(fate) => note_mail(account, fate),
        Command::Delete { reason } => delete(account, at, reason),
        Command::Erase { reason } => erase(account, at, reason),
    }
}

impl Decider for Account {
    const CATEGORY: &'static str = CATEGORY;
    type Command = Request;
    type Event = Event;
    type Refusal = Refusal;

    /// Decides as [`decide`] does. Refuses if the account no longer belongs to the company that the request names.
    fn decide(&self, policies: &Policies, at: Moment, request: Request) -> Result<Vec<Event>, Refusal> {
        let Request { command, within } = request;
        if let Some(company) = within
            && live(self)?.company != company
        {
            return Err(Refusal::NoSuchAccount);
        }
        decide(self, policies, at, command)
    }

    /// Whoever completes a login is the account's owner.
    fn proven_actor(stream: &StreamId, events: &[Event]) -> Option<Actor> {
        let completed = events.iter().any(|event| matches!(event, Event::LoginSucceeded { .. }));
        let account = completed.then(|| stream.account()).flatten();
        account.map(|account_id| Actor::Account { account_id })
    }

    fn evolve(self, fact: &Fact<Event>) -> Self {
        evolve(self, fact)
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

/// Limits activation mails, so that nobody can flood a mailbox. Sends nothing when the limit of one hour is reached;
/// the newest link still works.
fn request_activation(
    account: &Account,
    policies: &Policies,
    at: Moment,
    asker: Asker,
) -> Result<Vec<Event>, Refusal> {
    invited(account)?;
    if let Some(again_at) = live(account)?.activation_mail_again_at(policies, at, asker) {
        return Err(Refusal::EnoughActivationMails { again_at });
    }
    Ok(vec![Event::ActivationRequested { expires_at: later(at, policies.activation_link) }])
}

fn convert(profile: &Profile, to: Admission) -> Result<Vec<Event>, Refusal> {
    match profile.role {
        Role::TemporaryAdministrator => Ok(vec![Event::AccountConverted { to }]),
        Role::Administrator | Role::User => Err(Refusal::NotTemporary),
        Role::Support | Role::Supervisor | Role::Auditor => Err(Refusal::OfStaff),
    }
}

fn change_role(profile: &Profile, to: Admission) -> Result<Vec<Event>, Refusal> {
    match profile.role {
        Role::TemporaryAdministrator => Err(Refusal::AwaitingConversion),
        role if role == to.into() => Ok(Vec::new()),
        Role::Administrator | Role::User => Ok(vec![Event::RoleChanged { to }]),
        Role::Support | Role::Supervisor | Role::Auditor => Err(Refusal::OfStaff),
    }
}

/// Changes what the owner names, and nothing else. What stays as it is makes no event.
fn change_profile(profile: &Profile, new: NewProfile) -> Vec<Event> {
    let Some(present) = profile.person.known() else { return Vec::new() };
    let person = Person {
        email: present.email.clone(),
        given_name: new.given_name.unwrap_or_else(|| present.given_name.clone()),
        family_name: new.family_name.unwrap_or_else(|| present.family_name.clone()),
    };
    let language = new.language.unwrap_or(profile.language);
    let changes = person != *present || language != profile.language;
    let changed = Event::ProfileChanged { language, person: Erasable::Known(person) };
    changes.then_some(changed).into_iter().collect()
}

/// Moves the account. A take-over makes nobody an administrator of the new company. The person keeps their rights at
/// the sites that moved with them through a group.
fn follow_company(profile: &Profile, takeover: TakeOverId, company: CompanyId) -> Vec<Event> {
    let role = match profile.role {
        Role::Administrator | Role::User => Role::User,
        // Staff belong to no company that could be taken over.
        role => role,
    };
    let moves = profile.company != company;
    moves.then_some(Event::AccountMoved { takeover, company, role }).into_iter().collect()
}

/// Seven wrong guesses in a row lock the account. While it is locked nothing is judged, not even the right password.
/// A complete login sets the count to zero. A right password that does not complete a login does not.
fn log_in(
    account: &Active,
    policies: &Policies,
    at: Moment,
    attempt: Attempt,
) -> Result<Vec<Event>, Refusal> {
    let guess = Guess::new(account, policies, at, attempt.proof.from);
    match guess.verdict(attempt.proof)? {
        Verdict::Mismatch => Ok(guess.wrong_password()),
        Verdict::Match { .. } if account.profile.role == Role::TemporaryAdministrator => {
            Ok(vec![Event::LoginAwaitedConversion])
        }
        Verdict::Match { rehashed } => {
            let admit = |used| admit(account, policies, at, attempt.opening.clone(), guess.device(), used);
            let mut events = match (&account.second_step, attempt.second) {
                (None, _) => admit(None),
                // A right password alone completes no login, so it does not set the count to zero.
                (Some(_), None) => {
                    let expires_at = later(at, policies.challenge);
                    vec![Event::SecondStepAsked { expires_at, device: guess.device() }]
                }
                (Some(_), Some(proof)) => match guess.code(&proof)? {
                    None => return Ok(guess.wrong_code()),
                    used => admit(used),
                },
            };
            events.extend(rehashed.map(|hash| Event::PasswordRehashed { hash: Erasable::Known(hash) }));
            Ok(events)
        }
    }
}

/// The events of a complete login: the code that it used, the session that it opens, and the device that becomes
/// trusted.
fn admit(
    account: &Active,
    policies: &Policies,
    at: Moment,
    opening: Opening,
    from: Option<DeviceId>,
    used: Option<Event>,
) -> Vec<Event> {
    let session_expires_at = later(at, policies.session);
    let session = opening.session;
    let (on, trusted) = account.trust(policies, at, from, opening.device);
    let succeeded = Event::LoginSucceeded { session, session_expires_at, cleared: Rows::of(from), on };
    displaced(account, policies, at).into_iter().chain(used).chain(trusted).chain([succeeded]).collect()
}

/// Answers a challenge. A challenge authorises nothing else. It lasts a few minutes and belongs to one account. It
/// ends with a complete login, a lockout, a new password, a new second step or the end of all sessions.
fn answer_challenge(
    account: &Active,
    policies: &Policies,
    at: Moment,
    answer: Answer,
) -> Result<Vec<Event>, Refusal> {
    // For a void challenge the answer says only whether the account is locked.
    let challenge = account.challenge(answer.challenge, at);
    let from = challenge.and_then(|challenge| challenge.from);
    let guess = Guess::new(account, policies, at, from);
    guess.unlocked()?;
    challenge.ok_or(Refusal::ChallengeVoid)?;
    Ok(match guess.code(&answer.proof)? {
        None => guess.wrong_code(),
        used => admit(account, policies, at, answer.opening, guess.device(), used),
    })
}

/// Asks for the password, so that somebody who finds an open session cannot set up a second step of their own.
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
    let guess = Guess::new(account, policies, at, proof.from);
    match guess.verdict(proof)? {
        Verdict::Mismatch => Ok(guess.wrong_password()),
        Verdict::Match { .. } => Ok(vec![Event::SecondStepProposed {
            expires_at: later(at, policies.enrolment),
            secret: Erasable::Known(secret),
        }]),
    }
}

/// A wrong code counts here too. Otherwise somebody could try all codes for a secret that they did not see.
fn confirm_second_step(
    account: &Active,
    guess: &Guess<'_>,
    at: Moment,
    proof: &SecondProof,
    recovery: Vec<RecoveryHash>,
) -> Result<Vec<Event>, Refusal> {
    guess.unlocked()?;
    let proposal = account.proposal.as_ref().filter(|shown| at < shown.link.expires_at);
    let proposal = proposal.ok_or(Refusal::NoProposal)?.link.event;
    match proof {
        SecondProof::Code { secret, .. } if *secret != proposal => Err(Refusal::StaleProof),
        SecondProof::Code { step: Some(step), .. } => {
            let recovery = Erasable::Known(recovery);
            Ok(vec![Event::SecondStepEnabled { proposal, step: *step, recovery }])
        }
        SecondProof::Code { step: None, .. } | SecondProof::Recovery { .. } => Ok(guess.wrong_code()),
    }
}

/// Ends every session except `kept`: the others were opened with the password alone.
fn all_sessions_but(account: &Active, kept: SessionId, at: Moment) -> impl Iterator<Item = Event> {
    let others = account.sessions_at(at).map(|session| session.id).filter(move |session| *session != kept);
    others.map(|session| Event::SessionEnded { session, reason: SessionEnd::SecondStepEnabled })
}

/// Verifies a password and a code. A wrong password or code counts as it does at a login.
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
    let guess = Guess::new(account, policies, at, proof.from);
    match guess.verdict(proof)? {
        Verdict::Mismatch => Ok(guess.wrong_password()),
        Verdict::Match { .. } => Ok(match guess.code(second)? {
            None => guess.wrong_code(),
            Some(used) => vec![used, done],
        }),
    }
}

/// Verifies the old password. A wrong one counts as it does at a login.
fn change_password(
    account: &Active,
    policies: &Policies,
    at: Moment,
    change: NewPassword,
) -> Result<Vec<Event>, Refusal> {
    let guess = Guess::new(account, policies, at, change.proof.from);
    match guess.verdict(change.proof)? {
        Verdict::Mismatch => Ok(guess.wrong_password()),
        Verdict::Match { .. } => {
            Ok(vec![Event::PasswordChanged { hash: Erasable::Known(change.hash) }, Event::SessionsEnded])
        }
    }
}

/// Trusts the device on which a reset link was opened, for one day. That is enough time to choose a password and log
/// in with it. One link makes one device trusted, however often it is opened.
fn trust_for_reset(
    account: &Active,
    policies: &Policies,
    at: Moment,
    link: EventId,
    device: DeviceId,
) -> Result<Vec<Event>, Refusal> {
    let reset = account.reset.ok_or(Refusal::LinkVoid)?;
    follow(reset, link, reset.holds(at))?;
    let new = account.devices.iter().all(|held| held.id != device);
    let lasts = policies.trusted_devices.filter(|_| new).map(|lasts| lasts.min(TimeDelta::days(1)));
    let trusted = lasts.map(|lasts| {
        let (expires_at, by) = (later(at, lasts), DeviceOrigin::ResetLink);
        let trusted = Event::DeviceTrusted { device, expires_at, by };
        account.displaced_devices(device, at).chain([trusted]).collect()
    });
    Ok(trusted.unwrap_or_default())
}

fn forget_devices(account: &Active, at: Moment, device: Option<DeviceId>) -> Result<Vec<Event>, Refusal> {
    let gone: Vec<DeviceId> = account
        .devices_at(at)
        .map(|held| held.id)
        .filter(|held| device.is_none_or(|device| device == *held))
        .collect();
    if gone.is_empty() && device.is_some() {
        return Err(Refusal::NoSuchDevice);
    }
    let forgotten = |device| Event::DeviceForgotten { device, reason: DeviceEnd::Revoked };
    Ok(gone.into_iter().map(forgotten).collect())
}

/// Ends the oldest sessions, so that one more fits within the maximum.
fn displaced(account: &Active, policies: &Policies, at: Moment) -> Vec<Event> {
    let live = account.sessions_at(at).count();
    let surplus = (live + 1).saturating_sub(policies.sessions_per_account.max(1));
    let oldest = account.sessions_at(at).take(surplus);
    oldest.map(|s| Event::SessionEnded { session: s.id, reason: SessionEnd::Displaced }).collect()
}

/// Limits reset mails, so that nobody can flood a mailbox. Sends nothing when the limit of one hour is reached; the
/// newest link still works.
fn request_reset(account: &Active, policies: &Policies, at: Moment) -> Vec<Event> {
    let enough = account.resets_asked_at(at).count() >= policies.resets_per_hour;
    (!enough).then(|| reset_requested(policies, at)).into_iter().collect()
}

fn reset_requested(policies: &Policies, at: Moment) -> Event {
    Event::PasswordResetRequested { expires_at: later(at, policies.reset_link) }
}

/// Records the result of a mail, whatever has happened to the account since.
fn note_mail(account: &Account, fate: MailFate) -> Result<Vec<Event>, Refusal> {
    account.profile().ok_or(Refusal::NoSuchAccount)?;
    let MailFate { mail, kind, about, given_up } = fate;
    Ok(vec![match given_up {
        Some(why) => Event::MailGivenUp { mail, kind, about, why },
        None => Event::MailSent { mail, kind, about },
    }])
}

fn release(account: &Active, at: Moment, reason: String) -> Result<Vec<Event>, Refusal> {
    let device = account.devices_at(at).find_map(|device| device.lockout.locked_until(at));
    account.lockout.locked_until(at).or(device).ok_or(Refusal::NotLocked)?;
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

/// Only the newest link works. It works once, until it expires.
fn follow(newest: Link, followed: EventId, holds: bool) -> Result<(), Refusal> {
    if newest.event != followed {
        return Err(Refusal::LinkVoid);
    }
    if holds { Ok(()) } else { Err(Refusal::LinkExpired) }
}
