//! What would have happened under another lockout policy: the history of guesses is judged again, by the same rule.
//!
//! The history has every guess that was judged, and no guess that a lockout refused. So a policy that locks later is not
//! asked about guesses that nobody knows. A wrong guess that the policy would have refused changes nothing. A login that it
//! would have refused is counted, and the count of wrong guesses goes on, because its owner would have had to wait.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::Moment;
use crate::account::event::{Counts, Event, Rows};
use crate::ids::{AccountId, DeviceId};
use crate::policies::lockout::{Lockout, LockoutPolicy, Wrong};

/// A policy to be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// When guesses lead to a lockout, and how long it lasts.
    pub lockout: LockoutPolicy,
    /// Whether a lockout that others cause does not hold for trusted devices.
    pub trusts_devices: bool,
}

/// What a policy would have done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The lockouts that it would have begun.
    pub lockouts: u64,
    /// The accounts that it would have locked out at least once.
    pub accounts: BTreeSet<AccountId>,
    /// The wrong guesses that it would have judged.
    pub guesses_judged: u64,
    /// The wrong guesses that it would have refused, though they were judged.
    pub guesses_stopped: u64,
    /// The logins that it would have refused, though they were completed.
    pub logins_refused: u64,
    /// The accounts whose logins it would have refused.
    pub owners_kept_out: BTreeSet<AccountId>,
}

/// What really happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The lockouts that began.
    pub lockouts: u64,
    /// The accounts that were locked out at least once.
    pub accounts: BTreeSet<AccountId>,
    /// The wrong guesses that were judged.
    pub guesses_judged: u64,
    /// The logins that were completed.
    pub logins: u64,
}

/// The rows of wrong guesses of an account under a policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Guesses {
    account: Lockout,
    devices: BTreeMap<DeviceId, Lockout>,
}

/// Judges a history under several policies at once. Tell it the events of accounts in their order.
#[derive(Debug)]
pub struct WhatIf {
    trials: Vec<Trial>,
    outcomes: Vec<Outcome>,
    history: History,
    /// The rows of each account with wrong guesses, one for each policy.
    guesses: HashMap<AccountId, Vec<Guesses>>,
}

/// The stored names of the events that matter. Others need not be told.
pub const NAMES: [&str; 9] = [
    "login-failed",
    "second-step-failed",
    "login-succeeded",
    "account-locked",
    "lockout-released",
    "password-reset",
    "second-step-enabled",
    "second-step-disabled",
    "second-step-reset",
];

impl WhatIf {
    /// Begins without history.
    #[must_use]
    pub fn new(trials: Vec<Trial>) -> Self {
        let outcomes = vec![Outcome::default(); trials.len()];
        Self { trials, outcomes, history: History::default(), guesses: HashMap::new() }
    }

    /// Tells the next event. If it `counts`, it is part of the outcome. Events before the period of the question do not
    /// count, but they say how many wrong guesses there were when it began.
    pub fn tell(&mut self, account: AccountId, at: Moment, event: &Event, counts: bool) {
        match event {
            Event::LoginFailed { failures } => {
                self.failed(account, at, failures.device.map(|of| of.device), Wrong::Password, counts);
            }
            Event::SecondStepFailed { failures, codes } => {
                // A code to turn the second step on is a guess like a password.
                let wrong = if *codes == Counts::default() { Wrong::Password } else { Wrong::Code };
                self.failed(account, at, failures.device.map(|of| of.device), wrong, counts);
            }
            Event::LoginSucceeded { cleared, on, .. } => self.logged_in(account, at, (*cleared, *on), counts),
            Event::AccountLocked { .. } if counts => {
                self.history.lockouts += 1;
                self.history.accounts.insert(account);
            }
            Event::LockoutReleased { .. } => {
                self.guesses.remove(&account);
            }
            Event::PasswordReset { .. } => self.each(account, |row| row.after_reset(at)),
            Event::SecondStepEnabled { .. } | Event::SecondStepDisabled | Event::SecondStepReset { .. } => {
                self.each(account, Lockout::without_codes);
            }
            _ => {}
        }
    }

    /// Changes every row of an account.
    fn each(&mut self, account: AccountId, change: impl Fn(Lockout) -> Lockout) {
        for guesses in self.guesses.get_mut(&account).into_iter().flatten() {
            guesses.account = change(guesses.account);
            guesses.devices.values_mut().for_each(|row| *row = change(*row));
        }
    }

    fn failed(
        &mut self,
        account: AccountId,
        at: Moment,
        device: Option<DeviceId>,
        wrong: Wrong,
        counts: bool,
    ) {
        self.history.guesses_judged += u64::from(counts);
        let none = || vec![Guesses::default(); self.trials.len()];
        let all = self.guesses.entry(account).or_insert_with(none);
        for ((trial, outcome), guesses) in self.trials.iter().zip(&mut self.outcomes).zip(all) {
            let device = device.filter(|_| trial.trusts_devices);
            if guesses.refuses(device, at) {
                outcome.guesses_stopped += u64::from(counts);
                continue;
            }
            outcome.guesses_judged += u64::from(counts);
            let begun = guesses.judge(&trial.lockout, device, wrong, at);
            if begun > 0 && counts {
                outcome.lockouts += begun;
                outcome.accounts.insert(account);
            }
        }
    }

    /// `on` is the device that the login is on, which may have become trusted by it.
    fn logged_in(
        &mut self,
        account: AccountId,
        at: Moment,
        (cleared, on): (Rows, Option<DeviceId>),
        counts: bool,
    ) {
        self.history.logins += u64::from(counts);
        let Some(all) = self.guesses.get_mut(&account) else { return };
        for ((trial, outcome), guesses) in self.trials.iter().zip(&mut self.outcomes).zip(all.iter_mut()) {
            let device = cleared.device().filter(|_| trial.trusts_devices);
            if guesses.refuses(device, at) {
                if counts {
                    outcome.logins_refused += 1;
                    outcome.owners_kept_out.insert(account);
                }
                continue;
            }
            guesses.account = guesses.account.after_login(at);
            for device in [device, on].into_iter().flatten() {
                if let Some(row) = guesses.devices.get_mut(&device) {
                    *row = row.after_login(at);
                }
            }
            guesses.devices.retain(|_, row| *row != Lockout::default());
        }
        // Without wrong guesses there is nothing to remember.
        if all.iter().all(|guesses| *guesses == Guesses::default()) {
            self.guesses.remove(&account);
        }
    }

    /// What really happened, and what each policy would have done, in the order in which the policies were given.
    #[must_use]
    pub fn outcomes(self) -> (History, Vec<(Trial, Outcome)>) {
        (self.history, self.trials.into_iter().zip(self.outcomes).collect())
    }
}

impl Guesses {
    /// Whether a lockout refuses a guess from this trusted device, or from elsewhere.
    fn refuses(&self, device: Option<DeviceId>, at: Moment) -> bool {
        let row = match device {
            Some(device) => self.devices.get(&device).copied().unwrap_or_default(),
            None => self.account,
        };
        row.locked_until(at).is_some()
    }

    /// Counts a wrong guess. Returns the number of lockouts that it begins. Those of the account and of the device that end at
    /// the same moment are one, as in the history.
    fn judge(&mut self, policy: &LockoutPolicy, device: Option<DeviceId>, wrong: Wrong, at: Moment) -> u64 {
        let one = |row: &mut Lockout| {
            let judged = row.judge(policy, wrong, at);
            *row = row.failed(at, judged.failures, judged.codes);
            if let Some(until) = judged.locks_until {
                *row = row.locked(until);
            }
            judged.locks_until
        };
        let of_account = one(&mut self.account);
        let of_device = device.and_then(|device| one(self.devices.entry(device).or_default()));
        match (of_account, of_device) {
            (None, None) => 0,
            (Some(account), Some(device)) if account != device => 2,
            _ => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::event::DeviceCount;
    use crate::ids::SessionId;
    use crate::policies::lockout::LockEnd;
    use chrono::TimeDelta;
    use uuid::Uuid;

    const MARIE: AccountId = AccountId(Uuid::from_u128(1));
    const DEVICE: DeviceId = DeviceId(Uuid::from_u128(2));

    fn minute(minute: i64) -> Moment {
        Moment::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    fn trial(attempts: u32, minutes: i64) -> Trial {
        Trial {
            lockout: LockoutPolicy::new(attempts, TimeDelta::minutes(minutes)).unwrap(),
            trusts_devices: true,
        }
    }

    fn wrong(count: u32, device: Option<DeviceId>) -> Event {
        let device = device.map(|device| DeviceCount { device, count });
        Event::LoginFailed { failures: Counts { account: Some(count), device } }
    }

    fn right(device: Option<DeviceId>) -> Event {
        Event::LoginSucceeded {
            session: SessionId(Uuid::nil()),
            session_expires_at: minute(1000),
            cleared: Rows::of(device),
            on: device,
        }
    }

    fn locked(until: Moment) -> Event {
        Event::AccountLocked { failures: 7, until: LockEnd::At(until), rows: Rows::Account }
    }

    /// Six wrong guesses and a login, then seven and a lockout.
    fn told(trials: Vec<Trial>) -> (History, Vec<(Trial, Outcome)>) {
        let mut asked = WhatIf::new(trials);
        for count in 1..=6 {
            asked.tell(MARIE, minute(count), &wrong(1, None), true);
        }
        asked.tell(MARIE, minute(7), &right(None), true);
        for count in 1..=7 {
            asked.tell(MARIE, minute(60 + count), &wrong(1, None), true);
        }
        asked.tell(MARIE, minute(67), &locked(minute(82)), true);
        asked.outcomes()
    }

    #[test]
    fn the_policy_that_was_in_force_would_have_done_what_it_did() {
        let (history, outcomes) = told(vec![trial(7, 15)]);
        let (_, same) = &outcomes[0];
        assert_eq!((same.lockouts, &same.accounts), (history.lockouts, &history.accounts));
        assert_eq!((same.guesses_judged, same.guesses_stopped), (13, 0));
        assert_eq!((same.logins_refused, history.logins), (0, 1));
    }

    #[test]
    fn a_stricter_policy_stops_guesses_and_keeps_an_owner_out_and_a_laxer_one_locks_nobody() {
        let (_, outcomes) = told(vec![trial(5, 30), trial(10, 15)]);
        let (_, strict) = &outcomes[0];
        // The fifth guess locks. The sixth and the login are refused. The second lockout begins with the fifth again.
        assert_eq!((strict.lockouts, strict.guesses_stopped, strict.logins_refused), (2, 3, 1));
        assert!(strict.owners_kept_out.contains(&MARIE));
        let (_, lax) = &outcomes[1];
        assert_eq!((lax.lockouts, lax.guesses_stopped, lax.guesses_judged), (0, 0, 13));
    }

    #[test]
    fn a_trusted_device_is_kept_out_only_where_devices_are_not_trusted() {
        let off = Trial { trusts_devices: false, ..trial(7, 15) };
        let mut asked = WhatIf::new(vec![trial(7, 15), off]);
        for _ in 0..7 {
            asked.tell(MARIE, minute(1), &wrong(1, None), true);
        }
        asked.tell(MARIE, minute(2), &right(Some(DEVICE)), true);
        let (_, outcomes) = asked.outcomes();
        assert_eq!(outcomes.iter().map(|(_, of)| of.logins_refused).collect::<Vec<_>>(), [0, 1]);
    }

    #[test]
    fn events_before_the_period_are_remembered_and_not_counted() {
        let mut asked = WhatIf::new(vec![trial(7, 15)]);
        for count in 1..=6 {
            asked.tell(MARIE, minute(count), &wrong(1, None), false);
        }
        asked.tell(MARIE, minute(7), &wrong(1, None), true);
        let (history, outcomes) = asked.outcomes();
        assert_eq!((outcomes[0].1.lockouts, outcomes[0].1.guesses_judged), (1, 1));
        assert_eq!(history.guesses_judged, 1);
    }
}
