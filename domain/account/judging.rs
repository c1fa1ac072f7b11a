//! Guards every verdict on a password or a code, and decides what follows from a wrong one (law 4).

use crate::Moment;
use crate::account::command::{Proof, Verdict};
use crate::account::device::Device;
use crate::account::event::{Counts, DeviceCount, Event, Rows};
use crate::account::refusal::Refusal;
use crate::account::second_step::SecondProof;
use crate::account::state::Active;
use crate::ids::DeviceId;
use crate::policies::Policies;
use crate::policies::lockout::{Failure, LockEnd, Wrong};

/// A guess at an account.
pub(super) struct Guess<'a> {
    account: &'a Active,
    policies: &'a Policies,
    at: Moment,
    /// The trusted device that it comes from.
    device: Option<&'a Device>,
}

impl<'a> Guess<'a> {
    /// `from` is the device whose token came with the guess. A device that the account does not trust is ignored.
    pub(super) fn new(
        account: &'a Active,
        policies: &'a Policies,
        at: Moment,
        from: Option<DeviceId>,
    ) -> Self {
        let from = from.filter(|_| policies.trusted_devices.is_some());
        Self { account, policies, at, device: from.and_then(|id| account.device(id, at)) }
    }

    /// The trusted device that it comes from.
    pub(super) fn device(&self) -> Option<DeviceId> {
        self.device.map(|device| device.id)
    }

    /// The verdict on a password. Refuses while a lockout holds.
    pub(super) fn verdict(&self, proof: Proof) -> Result<Verdict, Refusal> {
        self.unlocked()?;
        if proof.credential != self.account.credential.id {
            return Err(Refusal::StaleProof);
        }
        Ok(proof.verdict)
    }

    /// Refuses while a lockout holds for the origin of the guess. A lockout of the account holds for all but trusted
    /// devices. A lockout of a trusted device holds for that device, whether the account is locked or not.
    pub(super) fn unlocked(&self) -> Result<(), Refusal> {
        refuse(self.account.locked_for(self.device(), self.at))
    }

    /// The verdict on a code. Returns the event that says which code was used, or `None` if the code is wrong.
    pub(super) fn code(&self, proof: &SecondProof) -> Result<Option<Event>, Refusal> {
        let second = self.account.second_step.as_ref().ok_or(Refusal::NoSecondStep)?;
        refuse(self.account.codes_locked_for(self.device(), &self.policies.lockout, self.at))?;
        second.accept(proof)
    }

    /// A wrong password counts on the account, and on the trusted device that it came from.
    pub(super) fn wrong_password(&self) -> Vec<Event> {
        let (account, device) = self.judge(Wrong::Password);
        let failed = Event::LoginFailed { failures: counts(account, device, |failure| failure.failures) };
        [failed].into_iter().chain(locked(account, device)).collect()
    }

    /// A wrong code counts as a wrong password does. If the second step is on, it also counts among the wrong codes,
    /// which no new password sets to zero.
    pub(super) fn wrong_code(&self) -> Vec<Event> {
        let on = self.account.second_step.is_some();
        let (account, device) = self.judge(if on { Wrong::Code } else { Wrong::Password });
        let failures = counts(account, device, |failure| failure.failures);
        let codes = if on { counts(account, device, |failure| failure.codes) } else { Counts::default() };
        let failed = Event::SecondStepFailed { failures, codes };
        [failed].into_iter().chain(locked(account, device)).collect()
    }

    fn judge(&self, wrong: Wrong) -> (Failure, Option<(DeviceId, Failure)>) {
        let policy = &self.policies.lockout;
        let device = self.device.map(|device| (device.id, device.lockout.judge(policy, wrong, self.at)));
        (self.account.lockout.judge(policy, wrong, self.at), device)
    }
}

fn counts(account: Failure, device: Option<(DeviceId, Failure)>, count: impl Fn(&Failure) -> u32) -> Counts {
    let device = device.map(|(device, failure)| DeviceCount { device, count: count(&failure) });
    Counts { account: Some(count(&account)), device }
}

/// The events of the lockouts that begin: of the account, of the device, or of both. Lockouts that end at the same
/// moment share one event.
fn locked(account: Failure, device: Option<(DeviceId, Failure)>) -> Vec<Event> {
    let begins = |failure: Failure, rows| {
        let failures = failure.failures.max(failure.codes);
        failure.locks_until.map(|until| Event::AccountLocked { failures, until, rows })
    };
    match device {
        Some((id, of_device)) if of_device.locks_until == account.locks_until => {
            begins(account, Rows::Both(id)).into_iter().collect()
        }
        _ => {
            let of_device = device.and_then(|(id, failure)| begins(failure, Rows::Device(id)));
            begins(account, Rows::Account).into_iter().chain(of_device).collect()
        }
    }
}

fn refuse(until: Option<LockEnd>) -> Result<(), Refusal> {
    until.map_or(Ok(()), |until| Err(Refusal::Locked { until }))
}
