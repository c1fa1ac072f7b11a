//! The rules of the second step, as sentences.

use super::tests::{Numbers, Story, at, names, numbers, opening};
use super::*;
use crate::diagnosis::{self, Hindrance, answer, hindrances};
use crate::ids::{EventId, SessionId};
use crate::lockout::Lockout;
use crate::one_time_code::{RecoveryHash, TotpSecret};
use proptest::prelude::*;
use uuid::Uuid;

fn hashes() -> Vec<RecoveryHash> {
    (1..=10).map(|n| RecoveryHash::new(format!("hash {n}"))).collect()
}

fn recovery(n: u32) -> SecondProof {
    SecondProof::Recovery { hash: RecoveryHash::new(format!("hash {n}")) }
}

impl Story {
    fn right_password(&self) -> Proof {
        let credential = self.account.active().unwrap().credential.id;
        Proof { credential, verdict: Verdict::Match { rehashed: None }, from: GuessFrom::Elsewhere }
    }

    fn secret(&self) -> EventId {
        self.account.active().unwrap().second_step.as_ref().unwrap().id
    }

    /// A code of the secret that is on: of this step, or of none.
    pub(super) fn code(&self, step: impl Into<Option<u64>>) -> SecondProof {
        SecondProof::Code { secret: self.secret(), step: step.into() }
    }

    /// In use, with the second step on since step 100.
    pub(super) fn with_second_step() -> Self {
        let mut story = Self::active(Role::User);
        let proposal = story.propose(0);
        let proof = SecondProof::Code { secret: proposal, step: Some(100) };
        story
            .tell(1, Command::ConfirmSecondStep { proof, from: GuessFrom::Elsewhere, recovery: hashes() })
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
        from: GuessFrom::Elsewhere,
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
        story.tell(2, Command::ConfirmSecondStep { proof, from: GuessFrom::Elsewhere, recovery: hashes() }),
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
        let reset = Reset { link: self.link(), hash: crate::password::PasswordHash::new("r".to_owned()) };
        self.tell(minute, Command::ResetPassword(reset)).unwrap();
    }
}

/// Law 4, against whoever holds the mailbox.
#[test]
fn seven_codes_at_most_are_judged_however_many_resets_come_between() {
    let mut story = Story::with_second_step();
    let mut judged = 0;
    for minute in 2..17 {
        story.reset_password(minute);
        let challenge = story.challenge(minute);
        for _ in 0..8 {
            let (one, other) = (story.code(None), story.code(None));
            for tried in [story.answer(minute, challenge, one), story.log_in(minute, Some(other))] {
                judged += tried.map_or(0, |_| 1);
            }
        }
    }
    assert_eq!(judged, 7);
    let right = story.code(101);
    let locked = Err(Refusal::Locked { until: at(17).into() });
    assert_eq!(story.log_in(16, Some(right.clone())), locked, "not even the right one");
    story.reset_password(16);
    assert_eq!(story.log_in(16, Some(right.clone())), locked);
    assert_eq!(names(&story.log_in(17, Some(right)).unwrap()), ["code-accepted", "login-succeeded"]);
}

#[test]
fn a_reset_leaves_the_codes_counted_that_were_wrong_before_it() {
    let mut story = Story::with_second_step();
    let wrong = |story: &mut Story, minute| {
        let code = story.code(None);
        story.log_in(minute, Some(code)).map(|events| names(&events))
    };
    (0..4).for_each(|_| assert_eq!(wrong(&mut story, 2), Ok(vec!["second-step-failed"])));
    story.wrong(2).unwrap();
    story.reset_password(3);
    (0..2).for_each(|_| assert_eq!(wrong(&mut story, 3), Ok(vec!["second-step-failed"])));
    let seventh = wrong(&mut story, 3);
    assert_eq!(
        seventh,
        Ok(vec!["second-step-failed", "account-locked"]),
        "the seventh code, the third since"
    );
    story.reset_password(4);
    story.challenge(4);
    assert!(
        matches!(wrong(&mut story, 4), Err(Refusal::Locked { .. })),
        "the password opens, the code does not"
    );
}

/// Law 11: who does not know the password is told nothing by codes that nobody judges.
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
        .tell(4, Command::ConfirmSecondStep { proof, from: GuessFrom::Elsewhere, recovery: hashes() })
        .unwrap();
    again(other, 5, "another second step");
}

#[test]
fn support_releases_the_second_step_alone_where_a_reset_opened_the_rest() {
    let mut story = Story::with_second_step();
    for _ in 0..7 {
        let wrong = story.code(None);
        story.log_in(2, Some(wrong)).unwrap();
    }
    story.reset_password(3);
    assert_eq!(story.account.active().unwrap().lockout.locked_until(at(3)), None);
    story.tell(4, Command::Release { reason: "called".to_owned() }).unwrap();
    let right = story.code(101);
    assert_eq!(names(&story.log_in(4, Some(right)).unwrap()), ["code-accepted", "login-succeeded"]);
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
        hash: crate::password::PasswordHash::new("x".to_owned()),
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
    // The second time no session is open: a login that is half done ends all the same.
    for minute in [12, 13] {
        let asked = story.challenge(minute);
        assert_eq!(names(&story.tell(minute, Command::EndSessions).unwrap()), ["sessions-ended"]);
        let next = story.code(102);
        assert_eq!(story.answer(minute, asked, next), Err(Refusal::ChallengeVoid));
    }
    assert_eq!(story.tell(13, Command::EndSessions), Ok(Vec::new()));
    // One that is out of time ends too: a clock may be put back.
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

/// Something that somebody tries.
#[derive(Clone, Debug)]
enum Try {
    Wait(i64),
    Password { right: bool, second: Option<Typed> },
    Answer { challenge: usize, typed: Typed },
    Reset,
    Release,
}

/// A code of a step, of none, or a recovery code; 0 is one that was never shown.
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
    let one = prop_oneof![
        (1_i64..20).prop_map(Try::Wait),
        (any::<bool>(), proptest::option::of(typed()))
            .prop_map(|(right, second)| Try::Password { right, second }),
        (0_usize..6, typed()).prop_map(|(challenge, typed)| Try::Answer { challenge, typed }),
        Just(Try::Reset),
        Just(Try::Release),
    ];
    proptest::collection::vec(one, 0..80)
}

/// The whole login surface of an account with a second step, told naively.
struct Naive {
    numbers: Numbers,
    judged_wrong: u32,
    across: u32,
    locked_until: Option<i64>,
    /// Those that no reset forgives.
    wrong_codes: u32,
    codes_held_until: Option<i64>,
    newest_step: u64,
    recovery: Vec<u32>,
    challenges: Vec<(EventId, i64)>,
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
    /// The so many-th newest challenge, void ones too, and when it ends.
    fn challenge(&self, so_many: usize) -> Option<(EventId, i64)> {
        self.challenges.iter().rev().nth(so_many).copied()
    }

    fn void(&mut self) {
        self.challenges.iter_mut().for_each(|(_, ends)| *ends = i64::MIN);
    }

    fn locked(&mut self, now: i64) -> bool {
        if self.locked_until.is_some_and(|until| now >= until) {
            (self.locked_until, self.judged_wrong) = (None, 0);
            (self.codes_held_until, self.wrong_codes) = (None, 0);
        }
        if self.codes_held_until.is_some_and(|until| now >= until) {
            (self.codes_held_until, self.wrong_codes) = (None, 0);
        }
        self.locked_until.is_some()
    }

    fn wrong(&mut self, now: i64) -> Outcome {
        self.judged_wrong += 1;
        self.across += 1;
        let for_good = self.numbers.cap.is_some_and(|cap| self.across >= cap);
        if for_good || self.judged_wrong == self.numbers.attempts {
            self.locked_until = Some(if for_good { i64::MAX } else { now + self.numbers.minutes });
            self.void();
        }
        Outcome::Wrong
    }

    fn second(&mut self, now: i64, typed: &Typed) -> Outcome {
        if self.codes_held_until.is_some() {
            return Outcome::Locked;
        }
        let right = match typed {
            Typed::Code(step) => step.is_some_and(|step| step > self.newest_step),
            Typed::Recovery(number) => self.recovery.contains(number),
        };
        if !right {
            self.wrong(now);
            self.wrong_codes += 1;
            if self.wrong_codes == self.numbers.attempts {
                let end = now + self.numbers.minutes;
                self.codes_held_until = Some(end);
                self.locked_until = self.locked_until.max(Some(end));
                self.void();
            }
            return Outcome::Wrong;
        }
        match typed {
            Typed::Code(step) => self.newest_step = step.unwrap(),
            Typed::Recovery(number) => self.recovery.retain(|left| left != number),
        }
        (self.judged_wrong, self.across, self.wrong_codes) = (0, 0, 0);
        self.void();
        Outcome::In
    }

    fn expects(&mut self, now: i64, tried: &Try) -> Option<Outcome> {
        let locked = self.locked(now);
        match tried {
            Try::Wait(_) => None,
            Try::Reset | Try::Release => {
                (self.judged_wrong, self.across, self.locked_until) = (0, 0, None);
                if matches!(tried, Try::Reset) {
                    self.void();
                } else {
                    (self.wrong_codes, self.codes_held_until) = (0, None);
                }
                None
            }
            _ if locked => Some(Outcome::Locked),
            Try::Password { right: false, .. } => Some(self.wrong(now)),
            Try::Password { second: None, .. } => Some(Outcome::Asked),
            Try::Password { second: Some(typed), .. } => Some(self.second(now, typed)),
            Try::Answer { challenge, typed } => {
                let open = self.challenge(*challenge).is_some_and(|(_, ends)| now < ends);
                Some(if open { self.second(now, typed) } else { Outcome::Void })
            }
        }
    }
}

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
            Try::Password { right, second } => {
                let second = second.as_ref().map(|typed| self.proof_of(typed));
                let verdict = if *right { Verdict::Match { rehashed: None } } else { Verdict::Mismatch };
                let proof = Proof { verdict, ..self.right_password() };
                let session = SessionId(Uuid::from_u128(77));
                self.tell(now, Command::LogIn(Attempt { proof, opening: opening(session), second }))
            }
            Try::Answer { challenge, typed } => {
                let nowhere = EventId(Uuid::from_u128(u128::MAX));
                let challenge = naive.challenge(*challenge).map_or(nowhere, |(id, _)| id);
                let proof = self.proof_of(typed);
                self.answer(now, challenge, proof)
            }
            Try::Reset => {
                self.tell(now, Command::RequestPasswordReset)?;
                let link = self.account.active().unwrap().reset.unwrap().event;
                let hash = crate::password::PasswordHash::new("r".to_owned());
                self.tell(now, Command::ResetPassword(Reset { link, hash }))
            }
            Try::Release => {
                let release = Command::Release { reason: "called".to_owned() };
                match self.tell(now, release) {
                    Err(Refusal::NotLocked) => Err(Refusal::NotLocked),
                    other => other,
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    /// In every profile: at most seven wrong passwords and codes are judged between two complete logins, lockout ends and releases;
    /// nothing but a right password and an unused code opens a session.
    #[test]
    fn the_whole_login_surface_agrees_with_a_naive_model(numbers in numbers(), tries in tries()) {
        let mut story = Story::with_second_step();
        story.policies.lockout = numbers.policy();
        let mut naive = Naive {
            numbers,
            judged_wrong: 0,
            across: 0,
            wrong_codes: 0,
            codes_held_until: None,
            locked_until: None,
            newest_step: 100,
            recovery: (1..=10).collect(),
            challenges: Vec::new(),
        };
        let mut now = 10;
        for tried in tries {
            if let Try::Wait(minutes) = tried {
                now += minutes;
                continue;
            }
            // Support's release of an account that is not locked is refused, and changes nothing.
            if matches!(tried, Try::Release) && !naive.locked(now) && naive.codes_held_until.is_none() {
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
            if matches!(happened.as_deref(), Ok(["second-step-asked"])) {
                naive.challenges.push((story.link(), now + 5));
            }
            // And the diagnosis says the same of a login now.
            let locked = naive.locked(now);
            let told = answer(&story.account, &Lockout::default(), at(now));
            prop_assert_eq!(matches!(told, diagnosis::Answer::Locked { .. }), locked);
            prop_assert!(locked || told == diagnosis::Answer::SecondStep);
            let first = hindrances(&story.account, &Lockout::default(), at(now)).first().copied();
            let held = naive.codes_held_until.filter(|_| !locked);
            let held = held.map(|until| Hindrance::SecondStepLocked { until: at(until).into() });
            prop_assert_eq!(held, first.filter(|it| matches!(it, Hindrance::SecondStepLocked { .. })));
        }
    }
}
