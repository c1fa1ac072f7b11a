//! The rules of an account, as sentences: given these events, when this command, then these events.

use chrono::TimeDelta;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::Moment;
use crate::account::diagnosis::{Answer, LoginBlocker, answer, login_blockers};
use crate::fact::{Actor, Client, Context, Fact, StaffRole};
use crate::ids::{AccountId, CompanyId, CorrelationId, DeviceId, EventId, SessionId};
use crate::policies::Policies;
use crate::policies::lockout::{LockEnd, Lockout, LockoutPolicy};
use crate::values::email_address::{EmailAddress, EmailHash};
use crate::values::erasable::Erasable;
use crate::values::language::Language;
use crate::values::password::PasswordHash;
use crate::values::person::{Person, PersonName};

pub(super) fn at(minute: i64) -> Moment {
    Moment::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::minutes(minute)
}

fn marie() -> Person {
    Person {
        email: EmailAddress::parse("marie@boulangerie.example").unwrap(),
        given_name: PersonName::parse("Marie").unwrap(),
        family_name: PersonName::parse("Dupont").unwrap(),
    }
}

fn creation(role: Role) -> Creation {
    Creation {
        company: CompanyId(Uuid::from_u128(7)),
        role,
        language: Language::Fr,
        email_hash: EmailHash("hash".to_owned()),
        origin: Origin::Colleague { account_id: None },
        person: marie(),
    }
}

pub(super) fn hash(name: &str) -> PasswordHash {
    PasswordHash::new(name.to_owned())
}

/// An account and its history. Each command is decided, and its events take effect.
#[derive(Clone, Debug, Default)]
pub(super) struct Story {
    pub(super) account: Account,
    pub(super) history: Vec<Fact<Event>>,
    sessions: u128,
    pub(super) policies: Policies,
}

impl Story {
    pub(super) fn tell(&mut self, minute: i64, command: Command) -> Result<Vec<Event>, Refusal> {
        self.tell_at(at(minute), command)
    }

    /// Gives a command as a caller of whom something is known.
    pub(super) fn tell_from(
        &mut self,
        minute: i64,
        client: Option<Client>,
        command: Command,
    ) -> Result<Vec<Event>, Refusal> {
        self.tell_all(at(minute), Actor::Anonymous, client, command)
    }

    fn tell_at(&mut self, at: Moment, command: Command) -> Result<Vec<Event>, Refusal> {
        self.tell_all(at, Actor::Anonymous, None, command)
    }

    fn tell_all(
        &mut self,
        at: Moment,
        actor: Actor,
        client: Option<Client>,
        command: Command,
    ) -> Result<Vec<Event>, Refusal> {
        let events = decide(&self.account, &self.policies, at, command)?;
        for event in &events {
            let fact = Fact {
                id: EventId(Uuid::from_u128(u128::try_from(self.history.len()).unwrap() + 1)),
                context: Context {
                    at,
                    actor: actor.clone(),
                    correlation: CorrelationId(Uuid::nil()),
                    causation: None,
                    client: client.clone(),
                    reason: None,
                },
                event: event.clone(),
            };
            self.account = evolve(self.account.clone(), &fact);
            self.history.push(fact);
        }
        Ok(events)
    }

    pub(super) fn link(&self) -> EventId {
        self.history.last().unwrap().id
    }

    fn invited(role: Role) -> Self {
        let mut story = Self::default();
        story.tell(0, Command::Create(creation(role))).unwrap();
        story
    }

    pub(super) fn active(role: Role) -> Self {
        let mut story = Self::invited(role);
        let activation = Activation { link: story.link(), hash: hash("first") };
        story.tell(0, Command::Activate(activation)).unwrap();
        story
    }

    pub(super) fn guess(&mut self, minute: i64, verdict: Verdict) -> Result<Vec<Event>, Refusal> {
        self.guess_at(at(minute), verdict)
    }

    fn guess_at(&mut self, at: Moment, verdict: Verdict) -> Result<Vec<Event>, Refusal> {
        self.guess_from(at, verdict, None)
    }

    pub(super) fn guess_from(
        &mut self,
        at: Moment,
        verdict: Verdict,
        from: Option<DeviceId>,
    ) -> Result<Vec<Event>, Refusal> {
        self.sessions += 1;
        let session = SessionId(Uuid::from_u128(self.sessions));
        let credential = self.account.active().map_or(EventId(Uuid::nil()), |active| active.credential.id);
        let proof = Proof { credential, verdict, from };
        self.tell_at(at, Command::LogIn(Attempt { proof, opening: opening(session), second: None }))
    }

    pub(super) fn wrong(&mut self, minute: i64) -> Result<Vec<Event>, Refusal> {
        self.guess(minute, Verdict::Mismatch)
    }

    pub(super) fn right(&mut self, minute: i64) -> Result<Vec<Event>, Refusal> {
        self.guess(minute, Verdict::Match { rehashed: None })
    }
}

pub(super) fn opening(session: SessionId) -> Opening {
    Opening { session, device: None }
}

/// A wrong password, with the account's count after it and the count of the device that it came from.
pub(super) fn wrong_guesses(account: u32, device: Option<(DeviceId, u32)>) -> Event {
    let device = device.map(|(device, count)| DeviceCount { device, count });
    Event::LoginFailed { failures: Counts { account: Some(account), device } }
}

pub(super) fn names(events: &[Event]) -> Vec<&'static str> {
    let wrap = |event: &Event| crate::schema::write(&crate::schema::DomainEvent::Account(event.clone())).name;
    events.iter().map(wrap).collect()
}

#[test]
fn an_account_is_created_once() {
    let mut story = Story::invited(Role::User);
    assert_eq!(story.tell(1, Command::Create(creation(Role::User))), Err(Refusal::AlreadyExists));
}

#[test]
fn the_activation_link_works_once_for_90_days_and_only_the_newest_does() {
    let mut story = Story::invited(Role::User);
    let first = story.link();
    let day = 24 * 60;
    let follow = |link| Command::Activate(Activation { link, hash: hash("x") });
    assert_eq!(story.clone().tell(90 * day, follow(first)), Err(Refusal::LinkExpired));
    assert_eq!(names(&story.clone().tell(90 * day - 1, follow(first)).unwrap()), ["account-activated"]);
    story.tell(5, Command::RequestActivation(Asker::Company)).unwrap();
    assert_eq!(story.tell(6, follow(first)), Err(Refusal::LinkVoid));
    let second = story.link();
    story.tell(7, follow(second)).unwrap();
    assert_eq!(story.tell(8, follow(second)), Err(Refusal::AlreadyActive));
    assert_eq!(story.tell(8, Command::RequestActivation(Asker::Company)), Err(Refusal::AlreadyActive));
}

#[test]
fn seven_wrong_logins_in_a_row_lock_for_15_minutes() {
    let mut story = Story::active(Role::User);
    for n in 1..7 {
        assert_eq!(names(&story.wrong(n).unwrap()), ["login-failed"]);
    }
    assert_eq!(
        story.wrong(7).unwrap(),
        [
            wrong_guesses(7, None),
            Event::AccountLocked { failures: 7, until: at(22).into(), rows: Rows::Account }
        ]
    );
    assert_eq!(story.right(21), Err(Refusal::Locked { until: at(22).into() }), "not even the right password");
    assert_eq!(names(&story.right(22).unwrap()), ["login-succeeded"]);
}

#[test]
fn trying_during_a_lockout_does_not_lengthen_it_and_the_count_starts_from_zero_after_it() {
    let mut story = Story::active(Role::User);
    (0..7).for_each(|_| drop(story.wrong(0)));
    (0..15).for_each(|minute| assert_eq!(story.wrong(minute), Err(Refusal::Locked { until: at(15).into() })));
    assert_eq!(story.wrong(15).unwrap(), [wrong_guesses(1, None)]);
}

#[test]
fn six_wrong_one_right_six_wrong_do_not_lock_and_twenty_right_do_not_either() {
    let mut story = Story::active(Role::User);
    for _ in 0..2 {
        (0..6).for_each(|_| assert_eq!(names(&story.wrong(0).unwrap()), ["login-failed"]));
        assert_eq!(names(&story.right(0).unwrap()), ["login-succeeded"]);
    }
    (0..20).for_each(|_| assert_eq!(names(&story.right(0).unwrap()), ["login-succeeded"]));
}

#[test]
fn a_temporary_administrator_with_the_right_password_waits_and_keeps_their_count() {
    let mut story = Story::active(Role::TemporaryAdministrator);
    (0..6).for_each(|_| drop(story.wrong(0)));
    assert_eq!(story.right(1).unwrap(), [Event::LoginAwaitedConversion]);
    assert_eq!(names(&story.wrong(2).unwrap()), ["login-failed", "account-locked"]);
    story.tell(3, Command::Convert(Admission::Administrator)).unwrap();
    assert_eq!(names(&story.right(17).unwrap()), ["login-succeeded"]);
    assert_eq!(story.tell(18, Command::Convert(Admission::User)), Err(Refusal::NotTemporary));
}

#[test]
fn a_proof_of_an_older_password_is_void() {
    let mut story = Story::active(Role::User);
    let older = story.account.active().unwrap().credential.id;
    story.tell(1, Command::RequestPasswordReset).unwrap();
    let reset = Reset { link: story.link(), hash: hash("second") };
    story.tell(2, Command::ResetPassword(reset)).unwrap();
    let proof = Proof { credential: older, verdict: Verdict::Match { rehashed: None }, from: None };
    let attempt = Attempt { proof, opening: opening(SessionId(Uuid::nil())), second: None };
    assert_eq!(story.tell(3, Command::LogIn(attempt)), Err(Refusal::StaleProof));
}

#[test]
fn a_reset_ends_the_sessions_the_count_and_the_lockout() {
    let mut story = Story::active(Role::User);
    story.right(0).unwrap();
    (0..7).for_each(|_| drop(story.wrong(1)));
    story.tell(2, Command::RequestPasswordReset).unwrap();
    let reset = Reset { link: story.link(), hash: hash("second") };
    let events = story.tell(3, Command::ResetPassword(reset)).unwrap();
    assert_eq!(names(&events), ["password-reset", "sessions-ended"]);
    let active = story.account.active().unwrap();
    assert_eq!((active.lockout.failures_at(at(3)), active.lockout.locked_until(at(3))), (0, None));
    assert!(active.sessions.is_empty());
}

#[test]
fn a_reset_link_works_once_for_an_hour_and_a_newer_link_or_a_change_voids_it() {
    let mut story = Story::active(Role::User);
    story.tell(0, Command::RequestPasswordReset).unwrap();
    let first = story.link();
    let follow = |link| Command::ResetPassword(Reset { link, hash: hash("x") });
    assert_eq!(story.clone().tell(60, follow(first)), Err(Refusal::LinkExpired));
    assert!(story.clone().tell(59, follow(first)).is_ok());
    let mut changed = story.clone();
    let credential = changed.account.active().unwrap().credential.id;
    let proof = Proof { credential, verdict: Verdict::Match { rehashed: None }, from: None };
    changed.tell(1, Command::ChangePassword(NewPassword { proof, hash: hash("y") })).unwrap();
    assert_eq!(changed.tell(2, follow(first)), Err(Refusal::LinkVoid));
    story.tell(1, Command::RequestPasswordReset).unwrap();
    assert_eq!(story.tell(2, follow(first)), Err(Refusal::LinkVoid));
    let second = story.link();
    story.tell(3, follow(second)).unwrap();
    assert_eq!(story.tell(4, follow(second)), Err(Refusal::LinkVoid));
}

#[test]
fn five_reset_mails_an_hour_are_enough_and_the_newest_link_goes_on_working() {
    let mut story = Story::active(Role::User);
    for minute in 0..5 {
        assert_eq!(story.tell(minute, Command::RequestPasswordReset).unwrap().len(), 1);
    }
    let newest = story.link();
    assert_eq!(story.tell(59, Command::RequestPasswordReset), Ok(Vec::new()));
    let mut owner = story.clone();
    owner.tell(59, Command::ResetPassword(Reset { link: newest, hash: hash("x") })).unwrap();
    let asked = owner.tell(59, Command::RequestPasswordReset);
    assert_eq!(
        asked,
        Ok(Vec::new()),
        "a link that was followed counts as well: each lets another code be tried"
    );
    let credential = owner.account.active().unwrap().credential.id;
    let proof = Proof { credential, verdict: Verdict::Match { rehashed: None }, from: None };
    owner.tell(59, Command::ChangePassword(NewPassword { proof, hash: hash("y") })).unwrap();
    assert_eq!(owner.tell(59, Command::RequestPasswordReset).unwrap().len(), 1, "who is in may ask again");
    assert_eq!(story.tell(60, Command::RequestPasswordReset).unwrap().len(), 1, "the first was an hour ago");
    assert_eq!(story.tell(60, Command::RequestPasswordReset), Ok(Vec::new()));
}

#[test]
fn what_support_sends_neither_stops_at_the_five_reset_mails_of_an_hour_nor_uses_them_up() {
    let sofie = Actor::Staff { name: "Sofie Maes".to_owned(), role: StaffRole::Support };
    let mut story = Story::active(Role::User);
    for minute in 0..8 {
        let sent = story.tell_all(at(minute), sofie.clone(), None, Command::SendPasswordReset).unwrap();
        assert!(matches!(sent[..], [Event::PasswordResetRequested { .. }]), "{sent:?}");
    }
    let before = story.link();
    for minute in 10..15 {
        assert_eq!(story.tell(minute, Command::RequestPasswordReset).unwrap().len(), 1, "{minute}");
    }
    assert_eq!(story.tell(16, Command::RequestPasswordReset), Ok(Vec::new()), "the owner's five are used up");
    assert_eq!(story.tell_all(at(17), sofie, None, Command::SendPasswordReset).unwrap().len(), 1);
    let newest = story.link();
    let follow = |link| Command::ResetPassword(Reset { link, hash: hash("x") });
    assert_eq!(story.tell(18, follow(before)), Err(Refusal::LinkVoid), "a newer link voids older ones");
    story.tell(18, follow(newest)).unwrap();
    let mut invited = Story::invited(Role::User);
    assert_eq!(invited.tell(1, Command::SendPasswordReset), Err(Refusal::NotActive));
}

#[test]
fn resets_asked_for_under_a_clock_that_was_ahead_keep_nobody_from_asking_once_it_is_right() {
    let mut story = Story::active(Role::User);
    let years_ahead = 5_000_000;
    for minute in 0..5 {
        assert_eq!(story.tell(years_ahead + minute, Command::RequestPasswordReset).unwrap().len(), 1);
    }
    for minute in 0..5 {
        assert_eq!(story.tell(minute, Command::RequestPasswordReset).unwrap().len(), 1);
    }
    assert_eq!(story.tell(5, Command::RequestPasswordReset), Ok(Vec::new()), "the limit holds all the same");
}

#[test]
fn a_link_that_a_clock_ahead_has_made_works_no_longer_than_any_other() {
    let mut story = Story::active(Role::User);
    let day = 24 * 60;
    story.tell(30 * day, Command::RequestPasswordReset).unwrap();
    let follow = Command::ResetPassword(Reset { link: story.link(), hash: hash("x") });
    for minute in [0, 29 * day, 30 * day - 6, 30 * day + 60] {
        assert_eq!(story.clone().tell(minute, follow.clone()), Err(Refusal::LinkExpired), "at {minute}");
    }
    for minute in [30 * day - 5, 30 * day, 30 * day + 59] {
        assert!(
            story.clone().tell(minute, follow.clone()).is_ok(),
            "at {minute}: two nodes' clocks differ a little"
        );
    }
}

#[test]
fn only_an_active_account_is_sent_a_reset_link() {
    assert_eq!(Story::invited(Role::User).tell(1, Command::RequestPasswordReset), Err(Refusal::NotActive));
    assert_eq!(Story::default().tell(1, Command::RequestPasswordReset), Err(Refusal::NoSuchAccount));
}

#[test]
fn a_wrong_current_password_counts_as_a_wrong_login() {
    let mut story = Story::active(Role::User);
    let credential = story.account.active().unwrap().credential.id;
    let proof = Proof { credential, verdict: Verdict::Mismatch, from: None };
    let change = Command::ChangePassword(NewPassword { proof, hash: hash("x") });
    (0..6).for_each(|_| assert_eq!(names(&story.tell(0, change.clone()).unwrap()), ["login-failed"]));
    assert_eq!(names(&story.tell(0, change.clone()).unwrap()), ["login-failed", "account-locked"]);
    assert_eq!(story.tell(1, change), Err(Refusal::Locked { until: at(15).into() }));
}

#[test]
fn support_ends_a_lockout_early_and_the_count_with_it() {
    let mut story = Story::active(Role::User);
    let release = || Command::Release { reason: "called".to_owned() };
    assert_eq!(story.tell(0, release()), Err(Refusal::NotLocked));
    (0..7).for_each(|_| drop(story.wrong(0)));
    story.tell(1, release()).unwrap();
    assert_eq!(story.wrong(2).unwrap(), [wrong_guesses(1, None)]);
}

#[test]
fn a_session_ends_by_itself_by_logging_out_and_when_there_are_too_many() {
    let mut story = Story::active(Role::User);
    story.right(0).unwrap();
    let session = SessionId(Uuid::from_u128(1));
    let holds =
        |story: &Story, minute| story.account.active().unwrap().session(session, at(minute)).is_some();
    assert!(holds(&story, 12 * 60 - 1));
    assert!(!holds(&story, 12 * 60));
    (0..99).for_each(|_| drop(story.right(1)));
    assert!(holds(&story, 1));
    assert_eq!(names(&story.right(1).unwrap()), ["session-ended", "login-succeeded"]);
    assert!(!holds(&story, 1));
    let end = Command::EndSession { session, reason: SessionEnd::LoggedOut };
    assert_eq!(story.tell(2, end), Err(Refusal::NoSuchSession));
}

#[test]
fn a_deleted_account_does_nothing_more_and_can_be_erased_once() {
    let mut story = Story::active(Role::User);
    story.right(0).unwrap();
    let delete = || Command::Delete { reason: "left".to_owned() };
    assert_eq!(names(&story.tell(1, delete()).unwrap()), ["sessions-ended", "account-deleted"]);
    assert_eq!(story.tell(2, delete()), Err(Refusal::NoSuchAccount));
    assert_eq!(story.right(2), Err(Refusal::NoSuchAccount));
    assert_eq!(story.tell(2, Command::RequestPasswordReset), Err(Refusal::NoSuchAccount));
    let erase = || Command::Erase { reason: "asked".to_owned() };
    assert_eq!(story.tell(3, erase()).unwrap(), [Event::AccountErased]);
    assert_eq!(story.tell(4, erase()).unwrap(), []);
    assert_eq!(story.account.profile().unwrap().person, Erasable::Erased);
}

#[test]
fn a_login_under_newer_parameters_rehashes() {
    let mut story = Story::active(Role::User);
    let events = story.guess(0, Verdict::Match { rehashed: Some(hash("newer")) }).unwrap();
    assert_eq!(names(&events), ["login-succeeded", "password-rehashed"]);
    assert_eq!(story.account.active().unwrap().credential.hash, Erasable::Known(hash("newer")));
}

/// The lockout rule without state machines: it walks the whole history each time.
#[derive(Clone, Debug)]
enum Step {
    Wrong,
    Right,
    Release,
    Reset,
    Wait(i64),
}

/// The numbers of a profile, and the policy that they make.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers {
    pub(super) attempts: u32,
    pub(super) minutes: i64,
    pub(super) cap: Option<u32>,
}

impl Numbers {
    pub(super) fn policy(self) -> LockoutPolicy {
        let policy = LockoutPolicy::new(self.attempts, TimeDelta::minutes(self.minutes)).unwrap();
        self.cap.map_or(policy, |cap| policy.with_cap(cap).unwrap())
    }
}

/// The numbers of each profile, and small ones. The caps are low enough for a history of some length to reach them.
pub(super) fn numbers() -> impl Strategy<Value = Numbers> {
    let default = Numbers { attempts: 7, minutes: 15, cap: None };
    let nist = (1_u32..30).prop_map(move |cap| Numbers { cap: Some(cap), ..default });
    let pci = Numbers { attempts: 10, minutes: 30, cap: None };
    let small = (1_u32..4, proptest::option::of(1_u32..6)).prop_map(move |(attempts, cap)| Numbers {
        attempts,
        cap,
        ..default
    });
    prop_oneof![Just(default), nist, Just(pci), small]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => Just(Step::Wrong),
        2 => Just(Step::Right),
        1 => Just(Step::Release),
        1 => Just(Step::Reset),
        4 => (0_i64..20 * 60).prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 0..120)
}

/// A naive model: the moments of all wrong guesses that were judged since the count was last cleared, and the guess
/// at which the present row began.
struct Naive {
    attempts: usize,
    duration: TimeDelta,
    cap: usize,
    judged: Vec<Moment>,
    row: usize,
}

impl Naive {
    fn of(numbers: Numbers) -> Self {
        Self {
            attempts: usize::try_from(numbers.attempts).unwrap(),
            duration: TimeDelta::minutes(numbers.minutes),
            cap: numbers.cap.map_or(usize::MAX, |cap| usize::try_from(cap).unwrap()),
            judged: Vec::new(),
            row: 0,
        }
    }

    fn locked_until(&self, now: Moment) -> Option<LockEnd> {
        if self.judged.len() >= self.cap {
            return Some(LockEnd::AtReset);
        }
        let last = self.judged.get(self.row + self.attempts - 1)?;
        let end = *last + self.duration;
        (now < end).then_some(LockEnd::At(end))
    }

    fn forget_if_over(&mut self, now: Moment) {
        if self.judged.len() - self.row >= self.attempts && self.locked_until(now).is_none() {
            self.row = self.judged.len();
        }
    }

    fn forgive(&mut self) {
        self.judged.clear();
        self.row = 0;
    }
}

fn commands() -> impl Strategy<Value = Vec<(i64, Command)>> {
    let session = (0_u128..4).prop_map(|n| SessionId(Uuid::from_u128(n)));
    let link = (0_u128..8).prop_map(|n| EventId(Uuid::from_u128(n)));
    let verdict = prop_oneof![
        Just(Verdict::Mismatch),
        Just(Verdict::Match { rehashed: None }),
        Just(Verdict::Match { rehashed: Some(hash("newer")) })
    ];
    let device = || proptest::option::of((0_u128..3).prop_map(|n| DeviceId(Uuid::from_u128(n))));
    let proof = (link.clone(), verdict, device()).prop_map(|(credential, verdict, from)| Proof {
        credential,
        verdict,
        from,
    });
    let reason = || "because".to_owned();
    let command = prop_oneof![
        Just(Command::Create(creation(Role::TemporaryAdministrator))),
        Just(Command::Create(creation(Role::User))),
        Just(Command::RequestActivation(Asker::Company)),
        link.clone().prop_map(|link| Command::Activate(Activation { link, hash: hash("a") })),
        Just(Command::Convert(Admission::User)),
        (proof.clone(), session.clone(), device()).prop_map(|(proof, session, device)| {
            let device = device.map(|id| NewDevice { id, client: Client::default() });
            Command::LogIn(Attempt { proof, opening: Opening { session, device }, second: None })
        }),
        (link.clone(), device()).prop_map(|(link, device)| Command::TrustForReset {
            link,
            device: device.unwrap_or(DeviceId(Uuid::nil())),
        }),
        device().prop_map(|device| Command::ForgetDevices { device }),
        (0_u128..8, proof.clone()).prop_map(|(_, proof)| Command::ProposeSecondStep {
            proof,
            secret: crate::values::one_time_code::TotpSecret::new(vec![7; 20]),
        }),
        (link.clone(), proptest::option::of(0_u64..9)).prop_map(|(secret, step)| {
            Command::ConfirmSecondStep {
                proof: SecondProof::Code { secret, step },
                from: None,
                session: SessionId(Uuid::nil()),
                recovery: Vec::new(),
            }
        }),
        Just(Command::Release { reason: reason() }),
        Just(Command::RequestPasswordReset),
        Just(Command::SendPasswordReset),
        link.prop_map(|link| Command::ResetPassword(Reset { link, hash: hash("r") })),
        proof.prop_map(|proof| Command::ChangePassword(NewPassword { proof, hash: hash("c") })),
        session.prop_map(|session| Command::EndSession { session, reason: SessionEnd::Revoked }),
        Just(Command::EndSessions),
        Just(Command::Delete { reason: reason() }),
        Just(Command::Erase { reason: reason() }),
    ];
    proptest::collection::vec((-100_000_i64..100_000, command), 0..60)
}

/// What a diagnosis must say if a login with the right password ends with this event or refusal: the answer, and the
/// blockers that may come first.
#[track_caller]
fn diagnosed(logged_in: Result<&'static str, Refusal>) -> (Answer, &'static [Option<&'static str>]) {
    match logged_in {
        Ok("login-succeeded" | "password-rehashed") => {
            (Answer::Succeeded, &[None, Some("wrong guesses"), Some("device")])
        }
        Ok("second-step-asked") => (Answer::SecondStep, &[Some("second step"), Some("device")]),
        Ok("login-awaited-conversion") => {
            (Answer::AwaitingConversion, &[Some("awaiting conversion"), Some("device")])
        }
        Ok(other) => panic!("a right password led to {other}"),
        Err(Refusal::Locked { until: LockEnd::AtReset }) => {
            (Answer::Locked { until: LockEnd::AtReset }, &[Some("locked until reset")])
        }
        Err(Refusal::Locked { until }) => (Answer::Locked { until }, &[Some("locked")]),
        Err(_) => {
            let nobody = &[Some("no such account"), Some("deleted"), Some("erased"), Some("not activated")];
            (Answer::Refused, nobody)
        }
    }
}

fn kind(blocker: LoginBlocker) -> &'static str {
    match blocker {
        LoginBlocker::NoSuchAccount => "no such account",
        LoginBlocker::Deleted => "deleted",
        LoginBlocker::Erased => "erased",
        LoginBlocker::NotActivated { .. } => "not activated",
        LoginBlocker::Locked { until: LockEnd::At(_), .. } => "locked",
        LoginBlocker::Locked { until: LockEnd::AtReset, .. } => "locked until reset",
        LoginBlocker::AwaitingConversion => "awaiting conversion",
        LoginBlocker::AnonymousLocked { .. } => "guesses of strangers",
        LoginBlocker::DeviceLocked { .. } | LoginBlocker::DeviceWrongGuesses { .. } => "device",
        LoginBlocker::SecondStep { .. } => "second step",
        LoginBlocker::WrongGuesses { .. } => "wrong guesses",
    }
}

proptest! {
    #[test]
    fn the_lockout_of_every_profile_agrees_with_a_naive_model_over_any_history(
        numbers in numbers(),
        steps in steps(),
    ) {
        let mut story = Story::active(Role::User);
        story.policies.lockout = numbers.policy();
        story.policies.resets_per_hour = usize::MAX;
        let mut naive = Naive::of(numbers);
        let mut now = at(0);
        for step in steps {
            match step {
                Step::Wait(seconds) => now += TimeDelta::seconds(seconds),
                Step::Wrong | Step::Right => {
                    naive.forget_if_over(now);
                    let wrong = matches!(step, Step::Wrong);
                    let verdict = if wrong { Verdict::Mismatch } else { Verdict::Match { rehashed: None } };
                    let answer = story.guess_at(now, verdict);
                    if let Some(until) = naive.locked_until(now) {
                        prop_assert_eq!(answer, Err(Refusal::Locked { until }));
                    } else if wrong {
                        naive.judged.push(now);
                        prop_assert!(naive.judged.len() <= naive.cap);
                        let failures = u32::try_from(naive.judged.len() - naive.row).unwrap();
                        let events = answer.unwrap();
                        prop_assert_eq!(&events[0], &wrong_guesses(failures, None));
                        let locks = events.get(1).map(|event| matches!(event, Event::AccountLocked { .. }));
                        prop_assert_eq!(locks, naive.locked_until(now).map(|_| true));
                    } else {
                        naive.forgive();
                        prop_assert_eq!(names(&answer.unwrap()), ["login-succeeded"]);
                    }
                }
                Step::Release => {
                    let released = story.tell_at(now, Command::Release { reason: "called".to_owned() });
                    prop_assert_eq!(released.is_ok(), naive.locked_until(now).is_some());
                    if released.is_ok() {
                        naive.forgive();
                    }
                }
                Step::Reset => {
                    story.tell_at(now, Command::RequestPasswordReset).unwrap();
                    let reset = Reset { link: story.link(), hash: hash("r") };
                    story.tell_at(now, Command::ResetPassword(reset)).unwrap();
                    naive.forgive();
                }
            }
        }
    }

    /// In every state that commands lead to, the diagnosis agrees with the answer to a login at that moment.
    #[test]
    fn the_diagnosis_agrees_with_a_login_at_that_moment_in_every_profile(
        numbers in numbers(),
        commands in commands(),
        later in 0_i64..100_000,
    ) {
        let mut story = Story::default();
        story.policies.lockout = numbers.policy();
        for (minute, command) in commands {
            drop(story.tell(minute, command));
            let now = at(minute + later);
            let logged_in = story.clone().guess_at(now, Verdict::Match { rehashed: None });
            let logged_in = logged_in.map(|events| names(&events).last().copied().unwrap());
            let (expected, first) = diagnosed(logged_in);
            let nobody = Lockout::default();
            prop_assert_eq!(answer(&story.account, &nobody, &story.policies, None, now), expected);
            let found = login_blockers(&story.account, &nobody, &story.policies, now);
            let told = found.first().copied().map(kind);
            prop_assert!(first.contains(&told), "{told:?} for {expected:?}");
            // The same holds for a login from each device, whether the account trusts it or not.
            for device in (0..3).map(|n| DeviceId(Uuid::from_u128(n))) {
                let right = Verdict::Match { rehashed: None };
                let logged_in = story.clone().guess_from(now, right, Some(device));
                let logged_in = logged_in.map(|events| names(&events).last().copied().unwrap());
                let expected = diagnosed(logged_in).0;
                prop_assert_eq!(answer(&story.account, &nobody, &story.policies, Some(device), now), expected);
                let locked = matches!(expected, Answer::Locked { .. });
                let trusted = story.account.active().is_some_and(|active| active.device(device, now).is_some());
                let said = found.iter().any(|it| matches!(it, LoginBlocker::DeviceLocked { device: of, .. } if *of == device));
                prop_assert_eq!(said, trusted && locked);
            }
            // Guesses at an address without an account in use lock that address, and no other.
            let until = LockEnd::At(now + TimeDelta::minutes(1));
            let anonymous = Lockout::default().failed(now, 7, 0).locked(until);
            let (locked, more) = match story.account.active() {
                Some(_) => (expected, None),
                None => (Answer::Locked { until }, Some(LoginBlocker::AnonymousLocked { until })),
            };
            prop_assert_eq!(answer(&story.account, &anonymous, &story.policies, None, now), locked);
            let expected: Vec<_> = found.into_iter().chain(more).collect();
            prop_assert_eq!(login_blockers(&story.account, &anonymous, &story.policies, now), expected);
        }
    }

    #[test]
    fn no_password_is_set_without_a_link_or_a_proof_that_was_asked_for(commands in commands()) {
        let mut story = Story::default();
        for (minute, command) in commands {
            let before = story.clone();
            let proof = match &command {
                Command::LogIn(attempt) => Some(attempt.proof.clone()),
                Command::ChangePassword(change) => Some(change.proof.clone()),
                _ => None,
            };
            let Ok(events) = story.tell(minute, command) else { continue };
            for event in events {
                match event {
                    Event::PasswordReset { link, .. } => {
                        let asked = before.history.iter().find(|fact| fact.id == link).map(|fact| &fact.event);
                        let mailed = matches!(asked, Some(Event::PasswordResetRequested { .. }));
                        prop_assert!(mailed);
                    }
                    Event::AccountActivated { link, .. } => {
                        let asked = before.history.iter().find(|fact| fact.id == link).map(|fact| &fact.event);
                        let mailed = matches!(
                            asked,
                            Some(Event::AccountCreated { .. } | Event::ActivationRequested { .. })
                        );
                        prop_assert!(mailed);
                    }
                    Event::PasswordChanged { .. } | Event::PasswordRehashed { .. } => {
                        let proof = proof.clone().unwrap();
                        let active = before.account.active().unwrap();
                        prop_assert_eq!(proof.credential, active.credential.id);
                        prop_assert_ne!(proof.verdict, Verdict::Mismatch);
                        prop_assert_eq!(active.lockout.locked_until(at(minute)), None);
                    }
                    Event::LoginSucceeded { .. } => {
                        prop_assert_ne!(before.account.profile().unwrap().role, Role::TemporaryAdministrator);
                    }
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn deciding_twice_gives_the_same_events_and_a_replay_the_same_account(commands in commands()) {
        let mut story = Story::default();
        for (minute, command) in commands {
            let once = decide(&story.account, &Policies::default(), at(minute), command.clone());
            let twice = decide(&story.account, &Policies::default(), at(minute), command.clone());
            prop_assert_eq!(once, twice);
            let _ = story.tell(minute, command);
        }
        let replayed = story.history.iter().fold(Account::default(), evolve);
        prop_assert_eq!(replayed, story.account);
    }

    #[test]
    fn evolving_never_fails_whatever_the_order_of_events(commands in commands(), order in any::<u64>()) {
        let mut story = Story::default();
        for (minute, command) in commands {
            let _ = story.tell(minute, command);
        }
        let mut history = story.history;
        let length = history.len().max(1);
        history.rotate_left(usize::try_from(order).unwrap_or(0) % length);
        history.reverse();
        let _ = history.iter().fold(Account::default(), evolve);
    }

    #[test]
    fn no_moment_overflows(seconds in any::<i64>()) {
        let moment = Moment::from_timestamp(seconds, 0).unwrap_or(Moment::MAX_UTC);
        let mut story = Story::active(Role::User);
        for _ in 0..8 {
            let _ = story.guess_at(moment, Verdict::Mismatch);
        }
        prop_assert!(story.account.active().unwrap().lockout.failures_at(Moment::MIN_UTC) <= 7);
    }
}

#[test]
fn ids_that_follow_from_an_order_are_always_the_same() {
    let order = crate::ids::OrderId::parse("SO-2026-000123").unwrap();
    assert_eq!(
        AccountId::of_order(&order, &EmailHash("ab12".to_owned())).to_string(),
        "71f313ea-a3d3-5b52-be73-9b8d261363a0"
    );
}
