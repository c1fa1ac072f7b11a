//! The rules of trusted devices, as sentences, and what no sequence of guesses gets past.

use std::collections::BTreeMap;

use proptest::prelude::*;
use uuid::Uuid;

use super::tests::{Story, at, names, opening};
use super::*;
use crate::fact::Client;
use crate::ids::{DeviceId, EventId, SessionId};
use crate::lockout::LockEnd;

const PHONE: DeviceId = DeviceId(Uuid::from_u128(1));
const SHOP: DeviceId = DeviceId(Uuid::from_u128(2));
const DAY: i64 = 24 * 60;

fn client(agent: &str) -> Client {
    Client { address: Some("192.0.2.1".to_owned()), agent: Some(agent.to_owned()) }
}

impl Story {
    fn proof(&self, verdict: Verdict, from: Option<DeviceId>) -> Proof {
        let credential = self.account.active().map_or(EventId(Uuid::nil()), |active| active.credential.id);
        Proof { credential, verdict, from: from.map_or(GuessFrom::Elsewhere, GuessFrom::Device) }
    }

    fn wrong_from(&mut self, minute: i64, from: Option<DeviceId>) -> Result<Vec<Event>, Refusal> {
        let proof = self.proof(Verdict::Mismatch, from);
        let opening = opening(SessionId(Uuid::nil()));
        self.tell(minute, Command::LogIn(Attempt { proof, opening, second: None }))
    }

    fn right_from(&mut self, minute: i64, from: Option<DeviceId>) -> Result<Vec<Event>, Refusal> {
        let proof = self.proof(Verdict::Match { rehashed: None }, from);
        let opening = opening(SessionId(Uuid::from_u128(90)));
        self.tell(minute, Command::LogIn(Attempt { proof, opening, second: None }))
    }

    /// A complete login on a device that says nothing of itself, and gets this if it is a new one.
    fn log_in_on(&mut self, minute: i64, id: DeviceId, agent: &str) -> Result<Vec<Event>, Refusal> {
        let proof = self.proof(Verdict::Match { rehashed: None }, None);
        let device = Some(NewDevice { id, client: client(agent) });
        let opening = Opening { session: SessionId(id.0), device };
        self.tell_from(minute, Some(client(agent)), Command::LogIn(Attempt { proof, opening, second: None }))
    }

    /// Marie has logged in on her phone and in her shop.
    fn of_two_devices() -> Self {
        let mut story = Self::active(Role::User);
        story.log_in_on(1, PHONE, "phone").unwrap();
        story.log_in_on(2, SHOP, "till").unwrap();
        story
    }

    fn devices(&self) -> &[Device] {
        &self.account.active().unwrap().devices
    }

    /// A stranger locks all that is not trusted.
    fn hammered(&mut self, minute: i64) {
        for _ in 0..7 {
            self.wrong_from(minute, None).unwrap();
        }
        assert!(matches!(self.right_from(minute, None), Err(Refusal::Locked { .. })));
    }
}

#[test]
fn a_complete_login_makes_its_device_trusted_and_says_whether_it_was_seen_before() {
    let mut story = Story::active(Role::User);
    let events = story.log_in_on(1, PHONE, "phone").unwrap();
    let expires_at = at(1 + 180 * DAY);
    let trusted = |device, expires_at, by, session| Event::DeviceTrusted { device, expires_at, by, session };
    let first = trusted(PHONE, expires_at, DeviceOrigin::FirstLogin, Some(SessionId(PHONE.0)));
    assert_eq!(events[1..], [first]);
    let Event::DeviceTrusted { by, .. } = story.log_in_on(2, SHOP, "till").unwrap()[1] else { panic!() };
    assert_eq!(by, DeviceOrigin::Login);
    let session = story.account.active().unwrap().session(SessionId(SHOP.0), at(3)).unwrap();
    assert_eq!(session.device, Some(SHOP));
}

#[test]
fn a_client_that_keeps_nothing_is_known_by_address_and_agent() {
    let mut story = Story::of_two_devices();
    let other = DeviceId(Uuid::from_u128(3));
    let events = story.log_in_on(3, other, "till").unwrap();
    let succeeded = matches!(events[..], [Event::LoginSucceeded { device: None, on: Some(SHOP), .. }]);
    assert!(succeeded, "{events:?}");
    assert_eq!(story.devices().len(), 2);
}

#[test]
fn whoever_hammers_a_name_keeps_its_owner_out_of_no_trusted_device() {
    let mut story = Story::of_two_devices();
    story.hammered(3);
    assert_eq!(names(&story.right_from(4, Some(PHONE)).unwrap()), ["login-succeeded"]);
    assert!(matches!(story.right_from(4, None), Err(Refusal::Locked { .. })), "all others stay locked");
    assert!(
        matches!(story.right_from(4, Some(DeviceId(Uuid::from_u128(9)))), Err(Refusal::Locked { .. })),
        "a device that the account never trusted counts as none"
    );
}

#[test]
fn wrong_guesses_from_a_trusted_device_count_on_it_and_lock_it_alone() {
    let mut story = Story::of_two_devices();
    for n in 1..7 {
        let failed = Event::LoginFailed { failures: n, device: Some(PHONE) };
        assert_eq!(story.wrong_from(3, Some(PHONE)).unwrap(), [failed]);
    }
    let locked = Event::AccountLocked { failures: 7, until: at(18).into(), device: Some(PHONE) };
    assert_eq!(story.wrong_from(3, Some(PHONE)).unwrap()[1], locked);
    assert!(story.clone().right_from(4, Some(SHOP)).is_ok());
    assert!(story.clone().right_from(4, None).is_ok(), "the account is not locked");
    // Locked, it counts as none: what it guesses counts on the account.
    let failed = Event::LoginFailed { failures: 1, device: None };
    assert_eq!(story.wrong_from(4, Some(PHONE)).unwrap(), [failed]);
    // Its lock ends as any does.
    let failed = Event::LoginFailed { failures: 1, device: Some(PHONE) };
    assert_eq!(story.wrong_from(18, Some(PHONE)).unwrap(), [failed]);
}

#[test]
fn whoever_takes_a_session_on_a_trusted_device_guesses_the_password_on_its_count_alone() {
    let mut story = Story::of_two_devices();
    let change = |story: &Story, verdict| {
        let proof = Proof { from: GuessFrom::Session(PHONE), ..story.proof(verdict, None) };
        Command::ChangePassword(NewPassword { proof, hash: super::tests::hash("x") })
    };
    for _ in 0..7 {
        let wrong = change(&story, Verdict::Mismatch);
        story.tell(3, wrong).unwrap();
    }
    let right = change(&story, Verdict::Match { rehashed: None });
    assert!(matches!(story.tell(4, right), Err(Refusal::Locked { .. })));
    assert!(story.right_from(4, None).is_ok(), "and nobody is locked out elsewhere");
}

#[test]
fn a_login_from_a_trusted_device_sets_its_own_count_to_zero_and_no_other() {
    let mut story = Story::of_two_devices();
    for _ in 0..6 {
        story.wrong_from(3, None).unwrap();
        story.wrong_from(3, Some(PHONE)).unwrap();
        story.wrong_from(3, Some(SHOP)).unwrap();
    }
    story.right_from(4, Some(PHONE)).unwrap();
    assert_eq!(story.wrong_from(5, Some(PHONE)).unwrap().len(), 1);
    assert_eq!(names(&story.wrong_from(5, Some(SHOP)).unwrap()), ["login-failed", "account-locked"]);
    assert_eq!(names(&story.wrong_from(5, None).unwrap()), ["login-failed", "account-locked"]);
}

#[test]
fn a_device_is_trusted_for_so_long_after_a_login_and_forgotten_when_its_owner_says_so() {
    let mut story = Story::of_two_devices();
    story.hammered(3);
    assert_eq!(
        names(&story.clone().right_from(89 * DAY, Some(PHONE)).unwrap()),
        ["login-succeeded"],
        "not half of its time is over"
    );
    let renewed = names(&story.clone().right_from(100 * DAY, Some(PHONE)).unwrap());
    assert_eq!(renewed, ["login-succeeded", "device-trusted"]);
    assert!(story.account.active().unwrap().device(PHONE, at(1 + 180 * DAY)).is_none());
    story.tell(4, Command::ForgetDevices { device: Some(PHONE) }).unwrap();
    assert!(matches!(story.right_from(5, Some(PHONE)), Err(Refusal::Locked { .. })));
    let again = Command::ForgetDevices { device: Some(PHONE) };
    assert_eq!(story.tell(5, again), Err(Refusal::NoSuchDevice));
    assert!(story.clone().right_from(5, Some(SHOP)).is_ok());
    story.tell(6, Command::ForgetDevices { device: None }).unwrap();
    assert!(story.devices().is_empty());
}

#[test]
fn an_account_trusts_so_many_devices_and_lets_go_the_one_that_longest_opened_nothing() {
    let mut story = Story::active(Role::User);
    for n in 0..20 {
        story
            .log_in_on(n, DeviceId(Uuid::from_u128(100 + u128::try_from(n).unwrap())), &n.to_string())
            .unwrap();
    }
    let first = DeviceId(Uuid::from_u128(100));
    story.right_from(30, Some(first)).unwrap();
    let events = story.log_in_on(31, PHONE, "phone").unwrap();
    let second = DeviceId(Uuid::from_u128(101));
    assert!(events.contains(&Event::DeviceForgotten { device: second, reason: DeviceEnd::Displaced }));
    assert_eq!(story.devices().len(), MOST_DEVICES);
    assert!(story.account.active().unwrap().device(first, at(32)).is_some());
}

#[test]
fn opening_a_reset_link_makes_one_device_trusted_for_a_day_and_only_while_the_link_holds() {
    let mut story = Story::of_two_devices();
    story.hammered(3);
    story.tell(4, Command::RequestPasswordReset).unwrap();
    let link = story.link();
    let device = DeviceId(link.effect("device"));
    let open = || Command::TrustForReset { link, device };
    let expires_at = at(5 + DAY);
    let trusted = Event::DeviceTrusted { device, expires_at, by: DeviceOrigin::ResetLink, session: None };
    assert_eq!(story.clone().tell(64, open()), Err(Refusal::LinkExpired));
    assert_eq!(story.tell(5, open()).unwrap(), [trusted]);
    assert_eq!(story.tell(6, open()), Ok(Vec::new()), "opened again, it is the same device");
    let hash = super::tests::hash("new");
    story.tell(7, Command::ResetPassword(Reset { link, hash })).unwrap();
    assert_eq!(story.tell(8, open()), Err(Refusal::LinkVoid));
    story.hammered(8);
    // Whoever hammers on keeps out nobody who has opened the link; from then on the device is one of the owner's.
    assert_eq!(names(&story.right_from(9, Some(device)).unwrap()), ["login-succeeded", "device-trusted"]);
    assert!(story.account.active().unwrap().device(device, at(100 * DAY)).is_some());
}

#[test]
fn where_no_device_is_trusted_all_guesses_count_together() {
    let mut story = Story::of_two_devices();
    story.policies.trusted_devices = None;
    assert_eq!(story.log_in_on(3, DeviceId(Uuid::from_u128(3)), "new").unwrap().len(), 1);
    story.hammered(4);
    assert!(matches!(story.right_from(5, Some(PHONE)), Err(Refusal::Locked { .. })));
}

#[test]
fn a_release_by_support_opens_devices_too() {
    let mut story = Story::of_two_devices();
    for _ in 0..7 {
        story.wrong_from(3, Some(PHONE)).unwrap();
    }
    let release = Command::Release { reason: "on the phone".to_owned() };
    story.tell(4, release.clone()).unwrap();
    let failed = Event::LoginFailed { failures: 1, device: Some(PHONE) };
    assert_eq!(story.wrong_from(5, Some(PHONE)).unwrap(), [failed]);
    let mut open = Story::of_two_devices();
    assert_eq!(open.tell(3, release), Err(Refusal::NotLocked));
}

/// Codes from a device that only opened a reset link count with all others, so that one reset after another gives none
/// to guess; from one on which a login was completed they count on it.
#[test]
fn codes_count_on_a_device_once_a_login_on_it_was_complete_and_no_reset_gives_more() {
    let mut story = Story::with_second_step();
    let mut judged = 0;
    for round in 0..5 {
        let minute = 2 + round;
        story.tell(minute, Command::RequestPasswordReset).unwrap();
        let link = story.link();
        let device = DeviceId(link.effect("device"));
        story.tell(minute, Command::TrustForReset { link, device }).unwrap();
        story.tell(minute, Command::ResetPassword(Reset { link, hash: super::tests::hash("x") })).unwrap();
        for _ in 0..8 {
            let proof = story.proof(Verdict::Match { rehashed: None }, Some(device));
            let opening = opening(SessionId(Uuid::nil()));
            let second = Some(story.code(None));
            let attempt = Command::LogIn(Attempt { proof, opening, second });
            judged += usize::from(story.tell(minute, attempt).is_ok());
        }
    }
    assert_eq!(judged, 7);
    // After that lockout, a login on the phone; then a stranger who knows the password guesses codes.
    let proof = story.proof(Verdict::Match { rehashed: None }, None);
    let device = Some(NewDevice { id: PHONE, client: client("phone") });
    let opening = Opening { session: SessionId(Uuid::nil()), device };
    let second = Some(story.code(200));
    let attempt = Command::LogIn(Attempt { proof, opening, second });
    story.tell_from(60, Some(client("phone")), attempt).unwrap();
    for _ in 0..7 {
        let challenge = story.challenge(61);
        story.answer(61, challenge, story.code(None)).unwrap();
    }
    assert!(matches!(story.right_from(62, None), Err(Refusal::Locked { .. })));
    story.right_from(62, Some(PHONE)).unwrap();
    let challenge = story.link();
    let answered = names(&story.answer(62, challenge, story.code(201)).unwrap());
    assert_eq!(answered, ["code-accepted", "login-succeeded"]);
}

#[test]
fn a_lockout_of_strangers_voids_no_challenge_of_a_trusted_device() {
    let mut story = Story::with_second_step();
    let proof = story.proof(Verdict::Match { rehashed: None }, None);
    let device = Some(NewDevice { id: PHONE, client: client("phone") });
    let opening = Opening { session: SessionId(Uuid::nil()), device };
    let second = Some(story.code(200));
    story.tell(3, Command::LogIn(Attempt { proof, opening, second })).unwrap();
    story.right_from(4, Some(PHONE)).unwrap();
    let challenge = story.link();
    story.hammered(4);
    assert!(story.answer(5, challenge, story.code(201)).is_ok());
}

/// From where, and whether right.
fn tries() -> impl Strategy<Value = Vec<(u8, bool, i64)>> {
    prop::collection::vec((0..5_u8, prop::bool::weighted(0.1), 0..6_i64), 1..200)
}

/// What one count is: how many, and until when nothing is judged.
#[derive(Default)]
struct Naive {
    failures: u32,
    until: Option<i64>,
}

impl Naive {
    fn is_locked(&mut self, minute: i64) -> bool {
        if self.until.is_some_and(|until| minute >= until) {
            *self = Self::default();
        }
        self.until.is_some()
    }
}

proptest! {
    /// Law 4 with devices: each count is judged seven times at most, and a device that is locked or unknown is counted
    /// with all that are not trusted.
    #[test]
    fn each_count_has_the_rule_of_seven_and_fifteen_to_itself(tries in tries()) {
        let mut story = Story::of_two_devices();
        let mut counts: BTreeMap<Option<DeviceId>, Naive> = BTreeMap::new();
        let mut minute = 3;
        for (from, right, later) in tries {
            minute += later;
            let from = match from {
                0 => Some(PHONE),
                1 => Some(SHOP),
                2 => Some(DeviceId(Uuid::from_u128(77))),
                _ => None,
            };
            let own = from.filter(|id| [PHONE, SHOP].contains(id));
            let own = own.filter(|id| !counts.entry(Some(*id)).or_default().is_locked(minute));
            let count = counts.entry(own).or_default();
            let locked = count.is_locked(minute);
            let answer = if right { story.right_from(minute, from) } else { story.wrong_from(minute, from) };
            prop_assert_eq!(matches!(answer, Err(Refusal::Locked { .. })), locked);
            if locked {
                continue;
            }
            let events = answer.unwrap();
            if right {
                let succeeded = matches!(events[0], Event::LoginSucceeded { device, .. } if device == own);
                prop_assert!(succeeded, "{:?}", events);
                *count = Naive::default();
            } else {
                count.failures += 1;
                let failed = Event::LoginFailed { failures: count.failures, device: own };
                prop_assert_eq!(&events[0], &failed);
                let until = LockEnd::At(at(minute + 15));
                let locks = Event::AccountLocked { failures: 7, until, device: own };
                prop_assert_eq!(events.get(1), (count.failures == 7).then_some(&locks));
                count.until = (count.failures == 7).then_some(minute + 15);
            }
        }
    }
}
