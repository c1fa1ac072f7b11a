//! The rules of the profiles `nist` and `pci`, and which former passwords are kept, as sentences.

use super::tests::{Story, at, hash, names};
use super::*;
use crate::policies::lockout::{LockEnd, LockoutPolicy};
use crate::policies::password_policy::MOST_HISTORY;
use crate::values::erasable::Erasable;
use chrono::TimeDelta;

fn capped(cap: u32) -> Story {
    let mut story = Story::active(Role::User);
    story.policies.lockout = LockoutPolicy::default().with_cap(cap).unwrap();
    story
}

/// Makes wrong guesses and waits for the end of each lockout, up to the lockout that does not end by itself. Returns
/// the number of guesses and the minute of the last.
#[track_caller]
fn guess_to_the_cap(story: &mut Story) -> (usize, i64) {
    let mut minute = 0;
    for guesses in 1..=1000 {
        let events = story.wrong(minute).unwrap();
        match events.last() {
            Some(Event::AccountLocked { until: LockEnd::AtReset, .. }) => return (guesses, minute),
            Some(Event::AccountLocked { .. }) => minute += 15,
            _ => {}
        }
    }
    panic!("a thousand wrong logins did not lock for good")
}

#[test]
fn nist_a_hundred_wrong_logins_across_lockouts_lock_until_a_reset() {
    let mut story = capped(100);
    let (guesses, minute) = guess_to_the_cap(&mut story);
    assert_eq!(guesses, 100);
    let year = minute + 366 * 24 * 60;
    let locked = Err(Refusal::Locked { until: LockEnd::AtReset });
    assert_eq!(story.right(year), locked, "no time opens it, not even for the right password");
    assert_eq!(story.wrong(year), locked);
    story.tell(year, Command::RequestPasswordReset).unwrap();
    let reset = Reset { link: story.link(), hash: hash("new") };
    story.tell(year, Command::ResetPassword(reset)).unwrap();
    assert_eq!(names(&story.right(year).unwrap()), ["login-succeeded"]);
    assert_eq!(guess_to_the_cap(&mut story.clone()).0, 100, "and the count across lockouts is zero again");
}

#[test]
fn the_cap_is_lifted_by_support_and_a_complete_login_sets_its_count_to_zero() {
    let mut story = capped(20);
    let (guesses, minute) = guess_to_the_cap(&mut story);
    assert_eq!(guesses, 20);
    let release = Command::Release { reason: "called from the number on file".to_owned() };
    assert_eq!(names(&story.tell(minute, release).unwrap()), ["lockout-released"]);
    assert_eq!(story.account.active().unwrap().lockout.failures_across(), 0);
    (0..6).for_each(|_| drop(story.wrong(minute).unwrap()));
    story.right(minute).unwrap();
    assert_eq!(guess_to_the_cap(&mut story).0, 20);
}

#[test]
fn a_right_password_that_lets_nobody_in_does_not_set_the_count_of_the_cap_to_zero() {
    let mut story = Story::active(Role::TemporaryAdministrator);
    story.policies.lockout = LockoutPolicy::default().with_cap(10).unwrap();
    (0..6).for_each(|_| drop(story.wrong(0).unwrap()));
    assert_eq!(names(&story.right(0).unwrap()), ["login-awaited-conversion"]);
    assert_eq!(story.account.active().unwrap().lockout.failures_across(), 6);
}

#[test]
fn without_a_cap_no_number_of_wrong_logins_locks_for_good() {
    let mut story = Story::active(Role::User);
    for lockout in 0..50 {
        (0..7).for_each(|_| drop(story.wrong(lockout * 15).unwrap()));
    }
    assert_eq!(names(&story.right(50 * 15).unwrap()), ["login-succeeded"]);
}

#[test]
fn a_cap_that_is_set_later_counts_what_is_in_the_log_already() {
    let mut story = Story::active(Role::User);
    for lockout in 0..20 {
        (0..7).for_each(|_| drop(story.wrong(lockout * 15).unwrap()));
    }
    story.policies.lockout = LockoutPolicy::default().with_cap(100).unwrap();
    let locked = Event::AccountLocked { failures: 1, until: LockEnd::AtReset, rows: Rows::Account };
    assert_eq!(story.wrong(20 * 15).unwrap().last(), Some(&locked));
}

#[test]
fn pci_ten_wrong_logins_lock_for_thirty_minutes() {
    let mut story = Story::active(Role::User);
    story.policies.lockout = LockoutPolicy::new(10, TimeDelta::minutes(30)).unwrap();
    (1..10).for_each(|_| assert_eq!(names(&story.wrong(0).unwrap()), ["login-failed"]));
    assert_eq!(names(&story.wrong(0).unwrap()), ["login-failed", "account-locked"]);
    assert_eq!(story.right(29), Err(Refusal::Locked { until: at(30).into() }));
    assert_eq!(names(&story.right(30).unwrap()), ["login-succeeded"]);
}

fn change(story: &mut Story, to: &str) {
    let proof = Proof {
        credential: story.account.active().unwrap().credential.id,
        verdict: Verdict::Match { rehashed: None },
        from: None,
    };
    story.tell(1, Command::ChangePassword(NewPassword { proof, hash: hash(to) })).unwrap();
}

fn last(story: &Story, count: usize) -> Vec<String> {
    let active = story.account.active().unwrap();
    active.last_passwords(count).map(|hash| hash.expose().to_owned()).collect()
}

#[test]
fn the_last_passwords_are_remembered_newest_first_the_present_one_counted() {
    let mut story = Story::active(Role::User);
    assert_eq!(last(&story, 4), ["first"]);
    change(&mut story, "second");
    story.tell(2, Command::RequestPasswordReset).unwrap();
    let reset = Reset { link: story.link(), hash: hash("third") };
    story.tell(2, Command::ResetPassword(reset)).unwrap();
    assert_eq!(last(&story, 4), ["third", "second", "first"]);
    assert_eq!(last(&story, 2), ["third", "second"]);
    assert_eq!(last(&story, 0), [""; 0]);
}

#[test]
fn a_password_rehashed_is_the_same_password_and_fills_no_place() {
    let mut story = Story::active(Role::User);
    change(&mut story, "second");
    story.guess(2, Verdict::Match { rehashed: Some(hash("second, newer")) }).unwrap();
    assert_eq!(last(&story, 4), ["second, newer", "first"]);
}

#[test]
fn no_more_passwords_are_remembered_than_any_policy_may_ask_for() {
    let mut story = Story::active(Role::User);
    (0..30).for_each(|n| change(&mut story, &n.to_string()));
    assert_eq!(last(&story, usize::MAX).len(), MOST_HISTORY);
    assert_eq!(last(&story, 1), ["29"]);
}

#[test]
fn of_an_erased_person_no_former_password_is_left() {
    let mut story = Story::active(Role::User);
    change(&mut story, "second");
    change(&mut story, "third");
    // The log as it reads after the key was deleted.
    let erased = story.history.iter().cloned().map(|mut fact| {
        match &mut fact.event {
            Event::AccountActivated { hash, .. } | Event::PasswordChanged { hash } => {
                *hash = Erasable::Erased;
            }
            _ => {}
        }
        fact
    });
    let account = erased.fold(Account::default(), |account, fact| evolve(account, &fact));
    assert!(account.active().is_some_and(|active| active.last_passwords(MOST_HISTORY).next().is_none()));
    story.tell(3, Command::Erase { reason: "asked".to_owned() }).unwrap();
    assert!(!format!("{:?}", story.account).contains("PasswordHash"), "nor in the fold of who was there");
}
