//! The rules of the second step, as sentences.

use super::naive::{Row, Then, Wrong};
use super::tests::{Numbers, Story, at, names, numbers, opening};
use super::*;
use crate::account::diagnosis::{self, Administrators, LoginBlocker, Remedy, answer, login_blockers};
use crate::ids::{DeviceId, EventId, SessionId};
use crate::policies::lockout::Lockout;
use crate::values::one_time_code::{RecoveryHash, TotpSecret};
use proptest::prelude::*;
use uuid::Uuid;

/// The session in which the second step is turned on.
const HERE: SessionId = SessionId(Uuid::from_u128(76));

fn hashes() -> Vec<RecoveryHash> {
    (1..=10).map(|n| RecoveryHash::new(format!("hash {n}"))).collect()
}

fn recovery(n: u32) -> SecondProof {
    SecondProof::Recovery { hash: RecoveryHash::new(format!("hash {n}")) }
}

impl Story {
    fn right_password(&self) -> Proof {
        let credential = self.account.active().unwrap().credential.id;
        Proof { credential, verdict: Verdict::Match { rehashed: None }, from: None }
    }

    fn secret(&self) -> EventId {
        self.account.active().unwrap().second_step.as_ref().unwrap().id
    }

    /// A code of the present secret: of this time step, or of none.
    pub(super) fn code(&self, step: impl Into<Option<u64>>) -> SecondProof {
        SecondProof::Code { secret: self.secret(), step: step.into() }
    }

    /// An account in use, with the second step on since step 100.
    pub(super) fn with_second_step() -> Self {
        let mut story = Self::active(Role::User);
        let proposal = story.propose(0);
        let proof = SecondProof::Code { secret: proposal, step: Some(100) };
        story
            .tell(1, Command::ConfirmSecondStep { proof, from: None, session: HERE, recovery: hashes() })
            .unwrap();
        story
    }

    fn propose(&mut self, minute: i64) -> EventId {
        let secret = TotpSecret::new(vec![7; 20]);
        let proof = self.right_password();
        self.tell(minute, Command::ProposeSecondStep { proof, secret }).unwrap();
        self.link()
    }

    fn log_in(&mut self, minute: i64, second: Option<SecondProof>) -> Result<Vec<Event>, Refusal> {
        let session = SessionId(Uuid::from_u128(77));
        let proof = self.right_password();
        self.tell(minute, Command::LogIn(Attempt { proof, opening: opening(session), second }))
    }

    pub(super) fn answer(
        &mut self,
        minute: i64,
        challenge: EventId,
        proof: SecondProof,
    ) -> Result<Vec<Event>, Refusal> {
        let session = SessionId(Uuid::from_u128(78));
        self.tell(minute, Command::AnswerChallenge(Answer { challenge, proof, opening: opening(session) }))
    }

    #[track_caller]
    pub(super) fn challenge(&mut self, minute: i64) -> EventId {
        assert_eq!(names(&self.log_in(minute, None).unwrap()), ["second-step-asked"]);
        self.link()
    }
}

#[test]
fn a_second_step_is_on_once_a_code_shows_that_the_secret_arrived() {
    let mut story = Story::active(Role::User);
    let proposal = story.propose(0);
    let confirm = |step| Command::ConfirmSecondStep {
        proof: SecondProof::Code { secret: proposal, step },
        from: None,
        session: HERE,
        recovery: hashes(),
    };
    assert_eq!(names(&story.tell(1, confirm(None)).unwrap()), ["second-step-failed"]);
    assert!(story.account.active().unwrap().second_step.is_none());
    assert_eq!(story.clone().tell(15, confirm(Some(5))), Err(Refusal::NoProposal), "after 15 minutes");
    assert_eq!(names(&story.tell(14, confirm(Some(5))).unwrap()), ["second-step-enabled"]);
    assert_eq!(story.tell(14, confirm(Some(6))), Err(Refusal::NoProposal));
    let again =
        Command::ProposeSecondStep { proof: story.right_password(), secret: TotpSecret::new(vec![8; 20]) };
    assert_eq!(story.tell(15, again), Err(Refusal::SecondStepOn));
}

#[test]
fn a_newer_secret_voids_an_older_one() {
    let mut story = Story::active(Role::User);
    let older = story.propose(0);
    story.propose(1);
    let proof = SecondProof::Code { secret: older, step: Some(1) };
    assert_eq!(
        story.tell(2, Command::ConfirmSecondStep { proof, from: None, session: HERE, recovery: hashes() }),
        Err(Refusal::StaleProof)
    );
}

#[test]
fn a_right_password_alone_lets_nobody_in_and_sets_no_count_to_zero() {
    let mut story = Story::with_second_step();
    for minute in 2..8 {
        story.wrong(minute).unwrap();
        story.challenge(minute);
    }
    assert_eq!(names(&story.wrong(8).unwrap()), ["login-failed", "account-locked"], "the seventh");
}

#[test]
fn wrong_passwords_and_wrong_codes_count_towards_the_same_seven() {
    let mut story = Story::with_second_step();
    let challenge = story.challenge(2);
    for _ in 0..3 {
        story.wrong(3).unwrap();
        let wrong = story.code(None);
        story.answer(3, challenge, wrong).unwrap();
    }
    let wrong = story.code(None);
    assert_eq!(names(&story.answer(3, challenge, wrong).unwrap()), ["second-step-failed", "account-locked"]);
    let right = story.code(101);
    assert!(matches!(story.answer(4, challenge, right.clone()), Err(Refusal::Locked { .. })));
    story.tell(5, Command::Release { reason: "called".to_owned() }).unwrap();
    assert_eq!(story.answer(6, challenge, right), Err(Refusal::ChallengeVoid), "void after a lockout");
}

impl Story {
    fn reset_password(&mut self, minute: i64) {
        self.tell(minute, Command::RequestPasswordReset).unwrap();
        let reset =
            Reset { link: self.link(), hash: crate::values::password::PasswordHash::new("r".to_owned()) };
        self.tell(minute, Command::ResetPassword(reset)).unwrap();
    }
}

/// Law 4, against somebody who has the mailbox and the password, but not the phone.
#[test]
fn seven_codes_are_judged_and_one_more_for_each_reset_that_comes_between() {
    let mut story = Story::with_second_step();
    let mut judged = Vec::new();
    for minute in 2..6 {
        story.reset_password(minute);
        let challenge = story.challenge(minute);
        let mut of_this_round = 0;
        for _ in 0..8 {
            let (one, other) = (story.code(None), story.code(None));
            for tried in [story.answer(minute, challenge, one), story.log_in(minute, Some(other))] {
                of_this_round += tried.map_or(0, |_| 1);
            }
        }
        judged.push(of_this_round);
    }
    assert_eq!(judged, [7, 1, 1, 1]);
    let right = story.code(101);
    let locked = Err(Refusal::Locked { until: at(20).into() });
    assert_eq!(story.log_in(6, Some(right.clone())), locked, "not even the right one");
    story.reset_password(6);
    assert_eq!(names(&story.clone().log_in(6, Some(right)).unwrap()), ["code-accepted", "login-succeeded"]);
    let asked = story.tell(61, Command::RequestPasswordReset);
    assert_eq!(asked, Ok(Vec::new()), "five links an hour, followed or not: no more codes than that");
}

#[test]
fn a_reset_ends_the_lockout_for_codes_too_and_leaves_them_counted() {
    let mut story = Story::with_second_step();
    let wrong = |story: &mut Story, minute| {
        let code = story.code(None);
        story.log_in(minute, Some(code)).map(|events| names(&events))
    };
    (0..4).for_each(|_| assert_eq!(wrong(&mut story, 2), Ok(vec!["second-step-failed"])));
    story.wrong(2).unwrap();
    story.reset_password(3);
    (0..2).for_each(|_| assert_eq!(wrong(&mut story, 3), Ok(vec!["second-step-failed"])));
    let locks = Ok(vec!["second-step-failed", "account-locked"]);
    assert_eq!(wrong(&mut story, 3), locks, "the seventh code, the third since");
    story.reset_password(4);
    let right = story.code(101);
    assert_eq!(names(&story.clone().log_in(4, Some(right)).unwrap()), ["code-accepted", "login-succeeded"]);
    assert_eq!(wrong(&mut story, 4), locks, "the eighth");
    // Wrong passwords are counted up to seven again after a reset.
    story.reset_password(5);
    (0..6).for_each(|_| assert_eq!(names(&story.wrong(5).unwrap()), ["login-failed"]));
}

/// Law 11: while codes are not judged, a caller who does not know the password learns nothing from them.
#[test]
fn a_wrong_password_beside_a_code_is_a_wrong_password_while_no_code_is_judged() {
    let mut story = Story::with_second_step();
    for _ in 0..7 {
        let wrong = story.code(None);
        story.log_in(2, Some(wrong)).unwrap();
    }
    story.reset_password(3);
    let (proof, second) =
        (Proof { verdict: Verdict::Mismatch, ..story.right_password() }, Some(story.code(101)));
    let attempt = Attempt { proof, opening: opening(SessionId(Uuid::nil())), second };
    assert_eq!(names(&story.tell(3, Command::LogIn(attempt)).unwrap()), ["login-failed"]);
}

#[test]
fn wrong_codes_count_from_zero_after_a_login_a_release_a_lockouts_end_and_another_second_step() {
    let six = |mut story: Story| {
        for _ in 0..6 {
            let wrong = story.code(None);
            assert_eq!(names(&story.log_in(2, Some(wrong)).unwrap()), ["second-step-failed"]);
        }
        story
    };
    let again = |mut story: Story, minute: i64, why: &str| {
        story.reset_password(minute);
        for n in 1..8 {
            let wrong = story.code(None);
            let locks = names(&story.log_in(minute, Some(wrong)).unwrap()).contains(&"account-locked");
            assert_eq!(locks, n == 7, "code {n} after {why}");
        }
    };
    let guessed = six(Story::with_second_step());

    let mut login = guessed.clone();
    let right = login.code(101);
    login.log_in(3, Some(right)).unwrap();
    again(login, 4, "a login");

    let mut locked = guessed.clone();
    locked.wrong(3).unwrap();
    again(locked.clone(), 18, "a lockout's end");
    locked.tell(4, Command::Release { reason: "called".to_owned() }).unwrap();
    again(locked, 5, "a release");

    let mut other = guessed;
    other.tell(3, Command::ResetSecondStep { reason: "lost".to_owned() }).unwrap();
    let proposal = other.propose(4);
    let proof = SecondProof::Code { secret: proposal, step: Some(200) };
    other
        .tell(4, Command::ConfirmSecondStep { proof, from: None, session: HERE, recovery: hashes() })
        .unwrap();
    again(other, 5, "another second step");
}

#[test]
fn turning_the_second_step_on_ends_every_session_but_the_one_in_which_it_is_turned_on() {
    let mut story = Story::active(Role::User);
    story.right(0).unwrap();
    story.right(0).unwrap();
    let sessions: Vec<_> = story.account.active().unwrap().sessions.iter().map(|held| held.id).collect();
    let proof = SecondProof::Code { secret: story.propose(1), step: Some(100) };
    let confirm = Command::ConfirmSecondStep { proof, from: None, session: sessions[1], recovery: hashes() };
    assert_eq!(names(&story.tell(2, confirm).unwrap()), ["second-step-enabled", "session-ended"]);
    let left: Vec<_> = story.account.active().unwrap().sessions.iter().map(|held| held.id).collect();
    assert_eq!(left, sessions[1..]);
}

#[test]
fn a_code_is_accepted_once_and_one_from_before_it_never() {
    let mut story = Story::with_second_step();
    let code = |story: &Story, step: u64| Some(story.code(step));
    let confirming = code(&story, 100);
    assert_eq!(names(&story.log_in(2, confirming).unwrap()), ["second-step-failed"], "it turned the step on");
    let next = code(&story, 102);
    assert_eq!(names(&story.log_in(2, next.clone()).unwrap()), ["code-accepted", "login-succeeded"]);
    assert_eq!(names(&story.log_in(2, next).unwrap()), ["second-step-failed"]);
    let before = code(&story, 101);
    assert_eq!(names(&story.log_in(2, before).unwrap()), ["second-step-failed"]);
    let after = code(&story, 103);
    assert_eq!(names(&story.log_in(2, after).unwrap()), ["code-accepted", "login-succeeded"]);
}

#[test]
fn a_recovery_code_works_once() {
    let mut story = Story::with_second_step();
    assert_eq!(
        names(&story.log_in(2, Some(recovery(3))).unwrap()),
        ["recovery-code-used", "login-succeeded"]
    );
    assert_eq!(names(&story.log_in(3, Some(recovery(3))).unwrap()), ["second-step-failed"]);
    assert_eq!(
        names(&story.log_in(3, Some(recovery(4))).unwrap()),
        ["recovery-code-used", "login-succeeded"]
    );
    assert_eq!(story.account.active().unwrap().second_step.as_ref().unwrap().recovery.len(), 8);
    let (proof, second) = (story.right_password(), story.code(200));
    let replace =
        Command::ReplaceRecoveryCodes { proof, second, recovery: vec![RecoveryHash::new("new".to_owned())] };
    assert_eq!(names(&story.tell(4, replace).unwrap()), ["code-accepted", "recovery-codes-replaced"]);
    assert_eq!(
        names(&story.log_in(5, Some(recovery(5))).unwrap()),
        ["second-step-failed"],
        "those before are void"
    );
}

#[test]
fn a_challenge_holds_five_minutes_and_is_void_after_a_reset_a_change_or_another_second_step() {
    let fresh = Story::with_second_step();
    let mut late = fresh.clone();
    let challenge = late.challenge(10);
    let right = late.code(101);
    assert_eq!(late.clone().answer(15, challenge, right.clone()), Err(Refusal::ChallengeVoid));
    assert_eq!(names(&late.answer(14, challenge, right).unwrap()), ["code-accepted", "login-succeeded"]);

    let mut changed = fresh.clone();
    let challenge = changed.challenge(10);
    let change = NewPassword {
        proof: changed.right_password(),
        hash: crate::values::password::PasswordHash::new("x".to_owned()),
    };
    changed.tell(11, Command::ChangePassword(change)).unwrap();
    let right = changed.code(101);
    assert_eq!(changed.answer(11, challenge, right), Err(Refusal::ChallengeVoid));

    let mut reset = fresh;
    let challenge = reset.challenge(10);
    let right = reset.code(101);
    reset.tell(11, Command::ResetSecondStep { reason: "stolen".to_owned() }).unwrap();
    assert_eq!(reset.answer(11, challenge, right), Err(Refusal::ChallengeVoid));
    assert_eq!(names(&reset.log_in(12, None).unwrap()), ["login-succeeded"], "the password is enough again");
}

#[test]
fn a_challenge_is_void_after_a_login_and_once_all_sessions_are_ended() {
    let mut story = Story::with_second_step();
    let (used, other) = (story.challenge(10), story.challenge(10));
    let code = story.code(101);
    assert_eq!(names(&story.answer(10, used, code).unwrap()), ["code-accepted", "login-succeeded"]);
    for left in [used, other] {
        let next = story.code(102);
        assert_eq!(story.answer(11, left, next), Err(Refusal::ChallengeVoid));
    }
    // The second time no session is open. A login that waits for a code ends all the same.
    for minute in [12, 13] {
        let asked = story.challenge(minute);
        assert_eq!(names(&story.tell(minute, Command::EndSessions).unwrap()), ["sessions-ended"]);
        let next = story.code(102);
        assert_eq!(story.answer(minute, asked, next), Err(Refusal::ChallengeVoid));
    }
    assert_eq!(story.tell(13, Command::EndSessions), Ok(Vec::new()));
    // An expired challenge ends too, because a clock may be set back.
    let asked = story.challenge(14);
    assert_eq!(names(&story.tell(19, Command::EndSessions).unwrap()), ["sessions-ended"]);
    let next = story.code(102);
    assert_eq!(story.answer(18, asked, next), Err(Refusal::ChallengeVoid));
}

#[test]
fn support_takes_the_second_step_away_and_every_session_with_it() {
    let mut story = Story::with_second_step();
    let code = story.code(101);
    story.log_in(2, Some(code)).unwrap();
    let reset = Command::ResetSecondStep { reason: "stolen".to_owned() };
    assert_eq!(names(&story.tell(3, reset).unwrap()), ["second-step-reset", "sessions-ended"]);
    assert_eq!(story.account.active().unwrap().sessions_at(at(3)).count(), 0);
}

#[test]
fn turning_it_off_takes_the_password_and_a_code() {
    let mut story = Story::with_second_step();
    let disable = |story: &Story, proof: Proof, second: SecondProof| {
        story.clone().tell(2, Command::DisableSecondStep { proof, second }).map(|events| names(&events))
    };
    let wrong = Proof { verdict: Verdict::Mismatch, ..story.right_password() };
    assert_eq!(disable(&story, wrong, story.code(101)), Ok(vec!["login-failed"]));
    assert_eq!(disable(&story, story.right_password(), story.code(None)), Ok(vec!["second-step-failed"]));
    let off = disable(&story, story.right_password(), recovery(1));
    assert_eq!(off, Ok(vec!["recovery-code-used", "second-step-disabled"]));
    let (proof, second) = (story.right_password(), story.code(101));
    story.tell(2, Command::DisableSecondStep { proof, second }).unwrap();
    assert_eq!(names(&story.log_in(3, None).unwrap()), ["login-succeeded"]);
    assert_eq!(
        story.tell(3, Command::ResetSecondStep { reason: "lost".to_owned() }),
        Err(Refusal::NoSecondStep)
    );
}

/// An action that somebody tries.
#[derive(Clone, Debug)]
enum Try {
    Wait(i64),
    Password { from: From, right: bool, second: Option<Typed> },
    Answer { challenge: usize, typed: Typed },
    Reset,
    Release,
}

/// Where it comes from: a device with a completed login, the device on which the newest reset link was opened, or
/// neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Elsewhere,
    Phone,
    Link,
}

/// A code of a time step, a wrong code, or a recovery code. Recovery code 0 was never shown.
#[derive(Clone, Debug)]
enum Typed {
    Code(Option<u64>),
    Recovery(u32),
}

fn typed() -> impl Strategy<Value = Typed> {
    prop_oneof![
        proptest::option::of(101_u64..106).prop_map(Typed::Code),
        (0_u32..11).prop_map(Typed::Recovery)
    ]
}

fn tries() -> impl Strategy<Value = Vec<Try>> {
    let from = prop_oneof![2 => Just(From::Elsewhere), 1 => Just(From::Phone), 1 => Just(From::Link)];
    let one = prop_oneof![
        (1_i64..20).prop_map(Try::Wait),
        (from, any::<bool>(), proptest::option::of(typed()))
            .prop_map(|(from, right, second)| Try::Password { from, right, second }),
        (0_usize..6, typed()).prop_map(|(challenge, typed)| Try::Answer { challenge, typed }),
        Just(Try::Reset),
        Just(Try::Release),
    ];
    proptest::collection::vec(one, 0..80)
}

/// A naive model of everything that a login does for an account with a second step.
struct Naive {
    numbers: Numbers,
    account: Row,
    phone: Row,
    link: Option<OpenedLink>,
    newest_step: u64,
    recovery: Vec<u32>,
    challenges: Vec<Given>,
}

/// The device on which the newest reset link was opened.
struct OpenedLink {
    device: DeviceId,
    row: Row,
    until: i64,
    logged_in: bool,
}

/// A challenge, when it expires, and where the password came from.
#[derive(Clone, Copy)]
struct Given {
    id: EventId,
    ends: i64,
    device: Option<DeviceId>,
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    In,
    Asked,
    Wrong,
    Locked,
    Void,
}

impl Naive {
    /// The n-th newest challenge, void ones included.
    fn challenge(&self, so_many: usize) -> Option<Given> {
        self.challenges.iter().rev().nth(so_many).copied()
    }

    fn void(&mut self, which: impl Fn(Option<DeviceId>) -> bool) {
        self.challenges
            .iter_mut()
            .filter(|given| which(given.device))
            .for_each(|given| given.ends = i64::MIN);
    }

    /// The device that a guess comes from, if it is trusted now.
    fn device(&self, from: From, now: i64) -> Option<DeviceId> {
        match from {
            From::Elsewhere => None,
            From::Phone => Some(PHONE),
            From::Link => self.link.as_ref().filter(|link| now < link.until).map(|link| link.device),
        }
    }

    fn row(&mut self, device: DeviceId) -> Option<&mut Row> {
        if device == PHONE {
            return Some(&mut self.phone);
        }
        self.link.as_mut().filter(|link| link.device == device).map(|link| &mut link.row)
    }

    fn locked(&mut self, device: Option<DeviceId>, now: i64) -> bool {
        self.account.is_locked(now);
        match device.and_then(|device| self.row(device)) {
            Some(row) => row.is_locked(now),
            None => self.account.is_locked(now),
        }
    }

    /// Counts a wrong guess on the account, and on the device.
    fn wrong(&mut self, device: Option<DeviceId>, now: i64, wrong: Wrong) -> Outcome {
        let numbers = self.numbers;
        if self.account.wrong(now, numbers, wrong) == Then::Locks {
            self.void(|of| of.is_none());
        }
        if let Some(id) = device
            && let Some(row) = self.row(id)
            && row.wrong(now, numbers, wrong) == Then::Locks
        {
            self.void(|of| of == Some(id));
        }
        Outcome::Wrong
    }

    fn second(&mut self, device: Option<DeviceId>, now: i64, typed: &Typed) -> Outcome {
        let only_a_link =
            self.link.as_ref().is_some_and(|link| device == Some(link.device) && !link.logged_in);
        if only_a_link && self.account.is_locked(now) && self.account.codes >= self.numbers.attempts {
            return Outcome::Locked;
        }
        let right = match typed {
            Typed::Code(step) => step.is_some_and(|step| step > self.newest_step),
            Typed::Recovery(number) => self.recovery.contains(number),
        };
        if !right {
            return self.wrong(device, now, Wrong::Code);
        }
        match typed {
            Typed::Code(step) => self.newest_step = step.unwrap(),
            Typed::Recovery(number) => self.recovery.retain(|left| left != number),
        }
        self.account.log_in(now);
        if let Some(row) = device.and_then(|device| self.row(device)) {
            row.log_in(now);
        }
        if let Some(link) = self.link.as_mut().filter(|link| Some(link.device) == device) {
            (link.logged_in, link.until) = (true, i64::MAX);
        }
        self.void(|_| true);
        Outcome::In
    }

    fn expects(&mut self, now: i64, tried: &Try) -> Option<Outcome> {
        match tried {
            Try::Wait(_) => None,
            Try::Reset => {
                self.account.reset(now);
                self.phone.reset(now);
                self.void(|_| true);
                None
            }
            Try::Release => {
                self.account.release();
                self.phone.release();
                self.link.iter_mut().for_each(|link| link.row.release());
                None
            }
            Try::Password { from, right, second } => {
                let device = self.device(*from, now);
                Some(match (self.locked(device, now), right, second) {
                    (true, ..) => Outcome::Locked,
                    (false, false, _) => self.wrong(device, now, Wrong::Password),
                    (false, true, None) => Outcome::Asked,
                    (false, true, Some(typed)) => self.second(device, now, typed),
                })
            }
            Try::Answer { challenge, typed } => {
                let given = self.challenge(*challenge).filter(|given| now < given.ends);
                let device = given.and_then(|given| given.device);
                let trusted = device.filter(|id| *id == PHONE || self.device(From::Link, now) == Some(*id));
                if self.locked(trusted, now) {
                    return Some(Outcome::Locked);
                }
                Some(match given {
                    Some(_) => self.second(trusted, now, typed),
                    None => Outcome::Void,
                })
            }
        }
    }

    fn anything_locked(&mut self, now: i64) -> bool {
        let link = self.link.as_mut().filter(|link| now < link.until);
        let link = link.is_some_and(|link| link.row.is_locked(now));
        self.account.is_locked(now) | self.phone.is_locked(now) | link
    }
}

const PHONE: DeviceId = DeviceId(Uuid::from_u128(1));

impl Story {
    fn proof_of(&self, typed: &Typed) -> SecondProof {
        match typed {
            Typed::Code(step) => self.code(*step),
            Typed::Recovery(number) => recovery(*number),
        }
    }

    fn attempt(&mut self, now: i64, tried: &Try, naive: &Naive) -> Result<Vec<Event>, Refusal> {
        match tried {
            Try::Wait(_) => Ok(Vec::new()),
            Try::Password { from, right, second } => {
                let second = second.as_ref().map(|typed| self.proof_of(typed));
                let verdict = if *right { Verdict::Match { rehashed: None } } else { Verdict::Mismatch };
                let from = naive.device(*from, now);
                let proof = Proof { verdict, from, ..self.right_password() };
                let session = SessionId(Uuid::from_u128(77));
                self.tell(now, Command::LogIn(Attempt { proof, opening: opening(session), second }))
            }
            Try::Answer { challenge, typed } => {
                let nowhere = EventId(Uuid::from_u128(u128::MAX));
                let challenge = naive.challenge(*challenge).map_or(nowhere, |given| given.id);
                let proof = self.proof_of(typed);
                self.answer(now, challenge, proof)
            }
            Try::Reset => {
                self.tell(now, Command::RequestPasswordReset)?;
                let link = self.account.active().unwrap().reset.unwrap().event;
                self.tell(now, Command::TrustForReset { link, device: DeviceId(link.effect("device")) })?;
                let hash = crate::values::password::PasswordHash::new("r".to_owned());
                self.tell(now, Command::ResetPassword(Reset { link, hash }))
            }
            Try::Release => self.tell(now, Command::Release { reason: "called".to_owned() }),
        }
    }

    /// An account with the second step on and a login completed on the phone.
    fn with_a_phone() -> Self {
        let mut story = Self::with_second_step();
        let client = crate::fact::Client { address: None, agent: Some("phone".to_owned()) };
        let device = Some(NewDevice { id: PHONE, client: client.clone() });
        let opening = Opening { session: SessionId(Uuid::from_u128(79)), device };
        let (proof, second) = (story.right_password(), Some(story.code(101)));
        story.tell_from(1, Some(client), Command::LogIn(Attempt { proof, opening, second })).unwrap();
        story
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    /// In every profile and from every device: no more wrong passwords and codes are judged than the rule allows,
    /// only a right password and an unused code open a session, and the diagnosis agrees with the answer to a login.
    #[test]
    fn the_whole_login_surface_agrees_with_a_naive_model(numbers in numbers(), tries in tries()) {
        let mut story = Story::with_a_phone();
        story.policies.lockout = numbers.policy();
        story.policies.resets_per_hour = usize::MAX;
        let mut naive = Naive {
            numbers,
            account: Row::default(),
            phone: Row::default(),
            link: None,
            newest_step: 101,
            recovery: (1..=10).collect(),
            challenges: Vec::new(),
        };
        let mut now = 10;
        for tried in tries {
            if let Try::Wait(minutes) = tried {
                now += minutes;
                continue;
            }
            // Support's release of an account that is not locked is refused and changes nothing.
            if matches!(tried, Try::Release) && !naive.anything_locked(now) {
                let refused = story.attempt(now, &tried, &naive);
                prop_assert_eq!(refused, Err(Refusal::NotLocked));
                continue;
            }
            let happened = story.attempt(now, &tried, &naive);
            let happened = happened.map(|events| names(&events));
            let outcome = match &happened {
                Ok(events) if events.last() == Some(&"login-succeeded") => Outcome::In,
                Ok(events) if events == &["second-step-asked"] => Outcome::Asked,
                Ok(_) => Outcome::Wrong,
                Err(Refusal::ChallengeVoid) => Outcome::Void,
                Err(_) => Outcome::Locked,
            };
            if let Some(expected) = naive.expects(now, &tried) {
                prop_assert_eq!(outcome, expected, "{:?} led to {:?}", tried, happened);
            }
            if let (Try::Password { from, .. }, Ok(["second-step-asked"])) = (&tried, happened.as_deref()) {
                let device = naive.device(*from, now);
                naive.challenges.push(Given { id: story.link(), ends: now + 5, device });
            }
            if matches!(tried, Try::Reset) {
                let newest = story.account.active().unwrap().devices.last().unwrap().id;
                let row = Row::default();
                naive.link = Some(OpenedLink { device: newest, row, until: now + 24 * 60, logged_in: false });
            }
            for from in [From::Elsewhere, From::Phone, From::Link] {
                let device = naive.device(from, now);
                let locked = naive.locked(device, now);
                let told = answer(&story.account, &Lockout::default(), &story.policies, device, at(now));
                prop_assert_eq!(matches!(told, diagnosis::Answer::Locked { .. }), locked, "from {:?}", from);
                prop_assert!(locked || told == diagnosis::Answer::SecondStep);
            }
            // Turning the second step off is the remedy for wrong codes, and for a code that nobody entered.
            let told = login_blockers(&story.account, &Lockout::default(), &story.policies, at(now));
            let remedies = told.iter().map(|it| it.remedy(Administrators::Present)).collect::<Vec<_>>();
            let asked = told.iter().any(|it| matches!(it, LoginBlocker::SecondStep { asked_at: Some(_), .. }));
            let trouble = naive.account.codes > 0 || asked;
            prop_assert_eq!(remedies.contains(&Remedy::ResetSecondStep), trouble);
        }
    }
}
