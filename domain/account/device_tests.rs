//! The rules of trusted devices, as sentences, and proof that no sequence of guesses gets around them.

use std::collections::BTreeMap;

use proptest::prelude::*;
use uuid::Uuid;

use super::naive::{Row, Then, Wrong};
use super::tests::{Story, at, names, numbers, opening, wrong_guesses};
use super::*;
use crate::fact::Client;
use crate::ids::{DeviceId, EventId, SessionId};

const PHONE: DeviceId = DeviceId(Uuid::from_u128(1));
const SHOP: DeviceId = DeviceId(Uuid::from_u128(2));
const DAY: i64 = 24 * 60;

fn client(agent: &str) -> Client {
    Client { address: Some("192.0.2.1".to_owned()), agent: Some(agent.to_owned()) }
}

impl Story {
    fn proof(&self, verdict: Verdict, from: Option<DeviceId>) -> Proof {
        let credential = self.account.active().map_or(EventId(Uuid::nil()), |active| active.credential.id);
        Proof { credential, verdict, from }
    }

    /// A login with the right password and the code of this time step. It makes this device trusted.
    fn with_code(&self, step: u64, device: Option<NewDevice>) -> Command {
        let proof = self.proof(Verdict::Match { rehashed: None }, None);
        let opening = Opening { session: SessionId(Uuid::nil()), device };
        Command::LogIn(Attempt { proof, opening, second: Some(self.code(step)) })
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

    /// A complete login on a device that sends no token. The device gets this id if it is new.
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

    /// An anonymous caller locks out everything that is not trusted.
    #[track_caller]
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
    let first = Event::DeviceTrusted { device: PHONE, expires_at, by: DeviceOrigin::FirstLogin };
    assert_eq!(events[..1], [first]);
    let Event::DeviceTrusted { by, .. } = story.log_in_on(2, SHOP, "till").unwrap()[0] else { panic!() };
    assert_eq!(by, DeviceOrigin::Login);
    let session = story.account.active().unwrap().session(SessionId(SHOP.0), at(3)).unwrap();
    assert_eq!(session.device, Some(SHOP));
}

#[test]
fn a_client_that_keeps_nothing_is_known_by_address_and_agent() {
    let mut story = Story::of_two_devices();
    let other = DeviceId(Uuid::from_u128(3));
    let events = story.log_in_on(3, other, "till").unwrap();
    let succeeded =
        matches!(events[..], [Event::LoginSucceeded { cleared: Rows::Account, on: Some(SHOP), .. }]);
    assert!(succeeded, "{events:?}");
    assert_eq!(story.devices().len(), 2);
}

#[test]
fn whoever_hammers_a_name_keeps_its_owner_out_of_no_trusted_device() {
    let mut story = Story::of_two_devices();
    story.hammered(3);
    for from in [None, Some(DeviceId(Uuid::from_u128(9)))] {
        let refused = story.right_from(4, from);
        assert!(matches!(refused, Err(Refusal::Locked { .. })), "all others are locked out, {from:?}");
    }
    assert_eq!(names(&story.right_from(4, Some(PHONE)).unwrap()), ["login-succeeded"]);
}

#[test]
fn seven_wrong_guesses_in_ones_own_browser_lock_the_account_and_the_browser_for_15_minutes() {
    let mut story = Story::of_two_devices();
    for n in 1..7 {
        assert_eq!(story.wrong_from(3, Some(PHONE)).unwrap(), [wrong_guesses(n, Some((PHONE, n)))]);
    }
    let locked = Event::AccountLocked { failures: 7, until: at(18).into(), rows: Rows::Both(PHONE) };
    assert_eq!(story.wrong_from(3, Some(PHONE)).unwrap()[1..], [locked]);
    for minute in [3, 17] {
        let refused = Err(Refusal::Locked { until: at(18).into() });
        assert_eq!(story.right_from(minute, Some(PHONE)), refused, "not even the right password");
        assert_eq!(story.right_from(minute, None), refused, "nor elsewhere");
        assert!(
            story.clone().right_from(minute, Some(SHOP)).is_ok(),
            "their other browser did nothing wrong"
        );
    }
    assert_eq!(names(&story.right_from(18, Some(PHONE)).unwrap()), ["login-succeeded"]);
}

#[test]
fn a_locked_device_is_no_stranger_and_is_locked_whether_the_account_is_or_not() {
    let mut story = Story::of_two_devices();
    for _ in 0..6 {
        story.wrong_from(3, Some(PHONE)).unwrap();
    }
    story.right_from(4, Some(SHOP)).unwrap();
    let locked = Event::AccountLocked { failures: 7, until: at(20).into(), rows: Rows::Device(PHONE) };
    let failed = wrong_guesses(1, Some((PHONE, 7)));
    assert_eq!(story.wrong_from(5, Some(PHONE)).unwrap(), [failed, locked]);
    assert!(matches!(story.right_from(6, Some(PHONE)), Err(Refusal::Locked { .. })));
    assert!(story.clone().right_from(6, None).is_ok(), "the account is not locked");
    assert_eq!(story.account.active().unwrap().lockout.failures_at(at(6)), 1, "nothing more was judged");
    assert_eq!(story.wrong_from(20, Some(PHONE)).unwrap(), [wrong_guesses(2, Some((PHONE, 1)))]);
}

#[test]
fn guesses_of_strangers_and_of_the_owner_add_up_to_seven_and_the_owners_browser_goes_on() {
    let mut story = Story::of_two_devices();
    for n in 1..4 {
        assert_eq!(story.wrong_from(3, Some(PHONE)).unwrap(), [wrong_guesses(n, Some((PHONE, n)))]);
    }
    for _ in 0..3 {
        story.wrong_from(3, None).unwrap();
    }
    let locked = Event::AccountLocked { failures: 7, until: at(18).into(), rows: Rows::Account };
    assert_eq!(story.wrong_from(3, None).unwrap(), [wrong_guesses(7, None), locked]);
    // Guesses judged on the device during the lockout count, but do not lengthen the lockout.
    assert_eq!(story.wrong_from(10, Some(PHONE)).unwrap(), [wrong_guesses(8, Some((PHONE, 4)))]);
    assert_eq!(story.right_from(11, None), Err(Refusal::Locked { until: at(18).into() }));
    assert_eq!(story.wrong_from(18, None).unwrap(), [wrong_guesses(1, None)]);
}

#[test]
fn a_complete_login_from_anywhere_sets_the_accounts_count_to_zero() {
    let six = || {
        let mut story = Story::of_two_devices();
        (0..6).for_each(|_| drop(story.wrong_from(3, None).unwrap()));
        story
    };
    for from in [None, Some(PHONE)] {
        let mut story = six();
        story.right_from(4, from).unwrap();
        assert_eq!(story.wrong_from(5, None).unwrap(), [wrong_guesses(1, None)]);
    }
}

#[test]
fn a_complete_login_on_a_trusted_device_does_not_end_the_lockout_that_strangers_caused() {
    let mut story = Story::of_two_devices();
    story.hammered(3);
    story.right_from(4, Some(PHONE)).unwrap();
    let active = story.account.active().unwrap();
    assert_eq!(active.lockout.failures_at(at(4)), 0, "the count is zero");
    assert_eq!(
        story.right_from(5, None),
        Err(Refusal::Locked { until: at(18).into() }),
        "the 15 minutes go on"
    );
    // Guesses that count during the lockout neither lengthen it nor begin another.
    (0..6).for_each(|_| drop(story.wrong_from(6, Some(PHONE)).unwrap()));
    (0..6).for_each(|_| drop(story.wrong_from(6, Some(SHOP)).unwrap()));
    assert_eq!(story.right_from(17, None), Err(Refusal::Locked { until: at(18).into() }));
    assert_eq!(story.wrong_from(18, None).unwrap(), [wrong_guesses(1, None)]);
}

#[test]
fn whoever_takes_a_session_on_a_trusted_device_guesses_the_password_as_often_as_anybody() {
    let mut story = Story::of_two_devices();
    let change = |story: &Story, verdict| {
        let proof = story.proof(verdict, Some(PHONE));
        Command::ChangePassword(NewPassword { proof, hash: super::tests::hash("x") })
    };
    for _ in 0..7 {
        let wrong = change(&story, Verdict::Mismatch);
        story.tell(3, wrong).unwrap();
    }
    let right = change(&story, Verdict::Match { rehashed: None });
    assert!(matches!(story.tell(4, right), Err(Refusal::Locked { .. })));
}

#[test]
fn a_new_password_through_a_link_opens_the_account_and_every_device() {
    let mut story = Story::of_two_devices();
    (0..7).for_each(|_| drop(story.wrong_from(3, Some(PHONE)).unwrap()));
    story.tell(4, Command::RequestPasswordReset).unwrap();
    let reset = Reset { link: story.link(), hash: super::tests::hash("new") };
    story.tell(5, Command::ResetPassword(reset)).unwrap();
    for from in [Some(PHONE), Some(SHOP), None] {
        assert_eq!(names(&story.clone().right_from(6, from).unwrap()), ["login-succeeded"], "{from:?}");
    }
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
    assert_eq!(renewed, ["device-trusted", "login-succeeded"]);
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
        let id = DeviceId(Uuid::from_u128(100 + u128::try_from(n).unwrap()));
        story.log_in_on(n * DAY, id, &n.to_string()).unwrap();
    }
    let first = DeviceId(Uuid::from_u128(100));
    story.right_from(20 * DAY, Some(first)).unwrap();
    let events = story.log_in_on(21 * DAY, PHONE, "phone").unwrap();
    let second = DeviceId(Uuid::from_u128(101));
    assert!(events.contains(&Event::DeviceForgotten { device: second, reason: DeviceEnd::Displaced }));
    assert_eq!(story.devices().len(), MOST_DEVICES);
    assert!(story.account.active().unwrap().device(first, at(21 * DAY)).is_some());
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
    let trusted = Event::DeviceTrusted { device, expires_at, by: DeviceOrigin::ResetLink };
    assert_eq!(story.clone().tell(64, open()), Err(Refusal::LinkExpired));
    assert_eq!(story.tell(5, open()).unwrap(), [trusted]);
    assert_eq!(story.tell(6, open()), Ok(Vec::new()), "opened again, it is the same device");
    let hash = super::tests::hash("new");
    story.tell(7, Command::ResetPassword(Reset { link, hash })).unwrap();
    assert_eq!(story.tell(8, open()), Err(Refusal::LinkVoid));
    story.hammered(8);
    // More guesses do not keep out the owner, who has opened the link. From then on the device is one of the owner's.
    assert_eq!(names(&story.right_from(9, Some(device)).unwrap()), ["device-trusted", "login-succeeded"]);
    assert!(story.account.active().unwrap().device(device, at(100 * DAY)).is_some());
}

/// A mail scanner opens the link too and gets the same token.
#[test]
fn once_its_owner_has_logged_in_who_else_opened_the_link_is_a_stranger() {
    let mut story = Story::of_two_devices();
    story.tell(4, Command::RequestPasswordReset).unwrap();
    let link = story.link();
    let opened = DeviceId(link.effect("device"));
    story.tell(5, Command::TrustForReset { link, device: opened }).unwrap();
    let own = DeviceId(Uuid::from_u128(3));
    let proof = story.proof(Verdict::Match { rehashed: None }, Some(opened));
    let device = Some(NewDevice { id: own, client: client("tablet") });
    let opening = Opening { session: SessionId(own.0), device };
    let events = story.tell(6, Command::LogIn(Attempt { proof, opening, second: None })).unwrap();
    assert_eq!(names(&events), ["device-forgotten", "device-trusted", "login-succeeded"]);
    let Event::LoginSucceeded { on, .. } = events[2] else { panic!("{events:?}") };
    assert_eq!(on, Some(own));
    story.hammered(7);
    assert!(matches!(story.right_from(8, Some(opened)), Err(Refusal::Locked { .. })));
    assert_eq!(names(&story.right_from(8, Some(own)).unwrap()), ["login-succeeded"]);
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
    assert_eq!(story.wrong_from(5, Some(PHONE)).unwrap(), [wrong_guesses(1, Some((PHONE, 1)))]);
    let mut open = Story::of_two_devices();
    assert_eq!(open.tell(3, release), Err(Refusal::NotLocked));
}

/// A reset gives the owner, who has proved the mailbox, one code to enter. It gives somebody who has the mailbox and
/// the password, but not the phone, that one code and no more.
#[test]
fn each_reset_after_seven_wrong_codes_gives_one_code_more_on_whichever_device_the_link_was_opened() {
    let mut story = Story::with_second_step();
    let mut judged = Vec::new();
    for round in 0..4 {
        let minute = 2 + round;
        story.tell(minute, Command::RequestPasswordReset).unwrap();
        let link = story.link();
        let device = DeviceId(link.effect("device"));
        story.tell(minute, Command::TrustForReset { link, device }).unwrap();
        story.tell(minute, Command::ResetPassword(Reset { link, hash: super::tests::hash("x") })).unwrap();
        let mut of_this_round = 0;
        for from in [Some(device), None].into_iter().cycle().take(20) {
            let proof = story.proof(Verdict::Match { rehashed: None }, from);
            let opening = opening(SessionId(Uuid::nil()));
            let attempt = Command::LogIn(Attempt { proof, opening, second: Some(story.code(None)) });
            of_this_round += usize::from(story.tell(minute, attempt).is_ok());
        }
        judged.push(of_this_round);
    }
    assert_eq!(judged, [7, 1, 1, 1]);
    // The owner, who has the phone, uses that one code to log in.
    story.tell(6, Command::RequestPasswordReset).unwrap();
    let (link, hash) = (story.link(), super::tests::hash("x"));
    story.tell(6, Command::ResetPassword(Reset { link, hash })).unwrap();
    let attempt = story.with_code(200, None);
    assert_eq!(names(&story.tell(6, attempt).unwrap()), ["code-accepted", "login-succeeded"]);
}

#[test]
fn wrong_codes_of_others_do_not_keep_the_owner_out_of_a_device_of_theirs() {
    let mut story = Story::with_second_step();
    let attempt = story.with_code(200, Some(NewDevice { id: PHONE, client: client("phone") }));
    story.tell_from(2, Some(client("phone")), attempt).unwrap();
    for _ in 0..7 {
        let challenge = story.challenge(3);
        story.answer(3, challenge, story.code(None)).unwrap();
    }
    assert!(matches!(story.right_from(4, None), Err(Refusal::Locked { .. })));
    story.right_from(4, Some(PHONE)).unwrap();
    let challenge = story.link();
    let wrong = story.code(None);
    assert_eq!(
        names(&story.answer(4, challenge, wrong).unwrap()),
        ["second-step-failed"],
        "one of their own"
    );
    let answered = names(&story.answer(4, challenge, story.code(201)).unwrap());
    assert_eq!(answered, ["code-accepted", "login-succeeded"]);
}

#[test]
fn a_link_that_was_opened_lets_the_owner_enter_a_code_though_strangers_lock_the_account_meanwhile() {
    let mut story = Story::with_second_step();
    story.tell(2, Command::RequestPasswordReset).unwrap();
    let link = story.link();
    let device = DeviceId(link.effect("device"));
    story.tell(2, Command::TrustForReset { link, device }).unwrap();
    story.tell(2, Command::ResetPassword(Reset { link, hash: super::tests::hash("x") })).unwrap();
    story.hammered(3);
    let proof = story.proof(Verdict::Match { rehashed: None }, Some(device));
    let (opening, second) = (opening(SessionId(Uuid::nil())), Some(story.code(200)));
    let events = story.tell(4, Command::LogIn(Attempt { proof, opening, second })).unwrap();
    assert_eq!(names(&events), ["code-accepted", "device-trusted", "login-succeeded"]);
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

/// Something that happens to an account that trusts two devices.
#[derive(Clone, Debug)]
enum Step {
    Guess { from: usize, right: bool },
    Reset,
    Release,
    Wait(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => (0_usize..5, prop::bool::weighted(0.08)).prop_map(|(from, right)| Step::Guess { from, right }),
        1 => Just(Step::Reset),
        1 => Just(Step::Release),
        3 => (1_i64..10).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..200)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    /// Law 4 with devices, in every profile: every wrong guess counts on the account, and on the trusted device that
    /// it came from. Between two complete logins, lockout ends, resets and releases, at most seven guesses without a
    /// device are judged, and at most seven more from each device.
    #[test]
    fn the_rule_of_seven_holds_for_an_account_and_for_each_of_its_devices_over_any_history(
        numbers in numbers(),
        steps in steps(),
    ) {
        let mut story = Story::of_two_devices();
        story.policies.lockout = numbers.policy();
        story.policies.resets_per_hour = usize::MAX;
        let mut account = Row::default();
        let mut devices = BTreeMap::from([(PHONE, Row::default()), (SHOP, Row::default())]);
        // The wrong guesses judged since the row was last cleared or its lockout ended: from callers without a
        // device, and from each device.
        let mut judged: BTreeMap<Option<DeviceId>, u32> = BTreeMap::new();
        let mut now = 3;
        for step in steps {
            if account.until.is_some() && !account.is_locked(now) {
                judged.remove(&None);
            }
            for (id, row) in &mut devices {
                if row.until.is_some() && !row.is_locked(now) {
                    judged.remove(&Some(*id));
                }
            }
            let (from, right) = match step {
                Step::Wait(minutes) => {
                    now += minutes;
                    continue;
                }
                Step::Reset => {
                    story.tell(now, Command::RequestPasswordReset).unwrap();
                    let reset = Reset { link: story.link(), hash: super::tests::hash("r") };
                    story.tell(now, Command::ResetPassword(reset)).unwrap();
                    account.reset(now);
                    devices.values_mut().for_each(|row| row.reset(now));
                    judged.clear();
                    continue;
                }
                Step::Release => {
                    let locked = account.until.is_some() || devices.values().any(|row| row.until.is_some());
                    let released = story.tell(now, Command::Release { reason: "called".to_owned() });
                    prop_assert_eq!(released.is_ok(), locked);
                    if locked {
                        account.release();
                        devices.values_mut().for_each(Row::release);
                        judged.clear();
                    }
                    continue;
                }
                Step::Guess { from, right } => {
                    let unknown = DeviceId(Uuid::from_u128(77));
                    ([Some(PHONE), Some(SHOP), Some(unknown), None, None][from], right)
                }
            };
            let own = from.filter(|id| devices.contains_key(id));
            let locked = own.map_or(account.until, |id| devices[&id].until).is_some();
            let answer = if right { story.right_from(now, from) } else { story.wrong_from(now, from) };
            prop_assert_eq!(matches!(answer, Err(Refusal::Locked { .. })), locked, "{:?} at {}", from, now);
            if locked {
                continue;
            }
            let events = answer.unwrap();
            if right {
                account.log_in(now);
                judged.remove(&None);
                if let Some(id) = own {
                    devices.insert(id, Row::default());
                    judged.remove(&own);
                }
                continue;
            }
            *judged.entry(own).or_default() += 1;
            prop_assert!(judged[&own] <= numbers.attempts, "{:?} of {:?}", judged, own);
            let locks_account = account.wrong(now, numbers, Wrong::Password);
            let of_device = own.map(|id| {
                let row = devices.get_mut(&id).unwrap();
                let then = row.wrong(now, numbers, Wrong::Password);
                (id, row.failures, then)
            });
            let count = of_device.map(|(id, failures, _)| (id, failures));
            prop_assert_eq!(&events[0], &wrong_guesses(account.failures, count));
            let told: Vec<_> = events[1..].iter().map(|event| match event {
                Event::AccountLocked { rows, .. } => *rows,
                other => panic!("{other:?}"),
            }).collect();
            let locks = |id| told.iter().any(|rows| rows.device() == Some(id));
            prop_assert_eq!(told.iter().any(|rows| rows.has_account()), locks_account == Then::Locks);
            if let Some((id, _, then)) = of_device {
                prop_assert_eq!(locks(id), then == Then::Locks);
            }
        }
    }
}

#[test]
fn whoever_has_the_password_fills_neither_the_list_of_devices_nor_the_mailbox() {
    let mut story = Story::of_two_devices();
    let given = (0..60).filter(|n| {
        let id = DeviceId(Uuid::from_u128(200 + n));
        story.log_in_on(3, id, &n.to_string()).unwrap().len() > 1
    });
    assert_eq!(given.count(), 8, "ten in a day, the two among them");
    assert!(story.account.active().unwrap().device(PHONE, at(4)).is_some());
    let next = DeviceId(Uuid::from_u128(300));
    assert_eq!(story.log_in_on(2 + DAY, next, "next day").unwrap().len(), 2);
}

#[test]
fn a_login_is_the_first_once_whatever_devices_were_forgotten_since() {
    let mut story = Story::of_two_devices();
    story.tell(3, Command::ForgetDevices { device: None }).unwrap();
    let thief = DeviceId(Uuid::from_u128(3));
    let Event::DeviceTrusted { by, .. } = story.log_in_on(4, thief, "elsewhere").unwrap()[0] else {
        panic!()
    };
    assert_eq!(by, DeviceOrigin::Login, "the owner is told");
}

/// A mail scanner follows every link that it sees.
#[test]
fn opening_reset_links_uses_up_none_of_the_devices_that_logins_may_add_in_a_day() {
    let mut story = Story::of_two_devices();
    for minute in 3..23 {
        story.tell(minute * 20, Command::RequestPasswordReset).unwrap();
        let link = story.account.active().unwrap().reset.unwrap().event;
        let device = DeviceId(link.effect("device"));
        story.tell(minute * 20, Command::TrustForReset { link, device }).unwrap();
    }
    let events = story.log_in_on(500, DeviceId(Uuid::from_u128(3)), "new phone").unwrap();
    assert!(names(&events).contains(&"device-trusted"), "{events:?}");
    assert!(story.account.active().unwrap().device(PHONE, at(500)).is_some());
}

#[test]
fn a_clock_that_was_ahead_and_is_put_right_blocks_no_new_device() {
    let mut story = Story::active(Role::User);
    for n in 0..10 {
        let device = DeviceId(Uuid::from_u128(200 + n));
        story.log_in_on(400 * DAY, device, &n.to_string()).unwrap();
    }
    assert_eq!(story.log_in_on(400 * DAY, PHONE, "phone").unwrap().len(), 1, "ten a day");
    assert_eq!(names(&story.log_in_on(3, SHOP, "till").unwrap()), ["device-trusted", "login-succeeded"]);
}

#[test]
fn forgetting_devices_makes_no_room_for_more_than_ten_new_ones_a_day() {
    let mut story = Story::active(Role::User);
    let mut trusted = 0;
    for n in 0..30 {
        let events = story.log_in_on(3, DeviceId(Uuid::from_u128(200 + n)), &n.to_string()).unwrap();
        trusted += usize::from(names(&events).contains(&"device-trusted"));
        story.tell(3, Command::ForgetDevices { device: None }).unwrap();
    }
    assert_eq!(trusted, 10);
}
