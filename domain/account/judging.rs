//! The one guard in front of every verdict on a password or a code, and what a wrong one leads to (law 4).

use crate::Moment;
use crate::account::command::{Proof, Verdict};
use crate::account::event::Event;
use crate::account::second_step::SecondProof;
use crate::account::state::Active;
use crate::ids::DeviceId;
use crate::lockout::{Failure, LockEnd};
use crate::policies::Policies;

use super::decide::Refusal;
use super::device::{Counted, GuessFrom};

/// A guess at an account, and what it counts on.
pub(super) struct Guess<'a> {
    account: &'a Active,
    policies: &'a Policies,
    at: Moment,
    counted: Counted<'a>,
}

impl<'a> Guess<'a> {
    pub(super) fn new(account: &'a Active, policies: &'a Policies, at: Moment, from: GuessFrom) -> Self {
        let from = policies.trusted_devices.map_or(GuessFrom::Elsewhere, |_| from);
        Self { account, policies, at, counted: account.counted(from, at) }
    }

    /// The trusted device that it comes from.
    pub(super) fn device(&self) -> Option<DeviceId> {
        self.counted.device()
    }

    /// The verdict on a password, if one may be given.
    pub(super) fn verdict(&self, proof: Proof) -> Result<Verdict, Refusal> {
        self.unlocked()?;
        if proof.credential != self.account.credential.id {
            return Err(Refusal::StaleProof);
        }
        Ok(proof.verdict)
    }

    pub(super) fn unlocked(&self) -> Result<(), Refusal> {
        refuse(self.account.lockout_of(self.counted).locked_until(self.at))
    }

    /// The verdict on a code of the second step that is on: what it used, or nothing where it was wrong. It stands behind
    /// the password's, so that codes which nobody judges tell a stranger nothing.
    pub(super) fn code(&self, proof: &SecondProof) -> Result<Option<Event>, Refusal> {
        let second = self.account.second_step.as_ref().ok_or(Refusal::NoSecondStep)?;
        refuse(self.account.codes_locked_for(self.counted, self.at))?;
        second.accept(proof)
    }

    pub(super) fn wrong_password(&self) -> Vec<Event> {
        let lockout = self.account.lockout_of(self.counted);
        let Failure { failures, locks_until } = lockout.judge_failure(&self.policies.lockout, self.at);
        let device = self.device();
        let locked = locks_until.map(|until| Event::AccountLocked { failures, until, device });
        std::iter::once(Event::LoginFailed { failures, device }).chain(locked).collect()
    }

    /// A wrong code is one more wrong guess. Those of the second step that is on are counted apart as well, and as
    /// many lock whatever password was reset meanwhile.
    pub(super) fn wrong_code(&self) -> Vec<Event> {
        let (policy, at, device) = (&self.policies.lockout, self.at, self.device());
        let Failure { failures, locks_until } =
            self.account.lockout_of(self.counted).judge_failure(policy, at);
        let apart = self.account.second_step.as_ref().filter(|_| self.counted.codes_count_apart());
        let apart = apart.map(|_| self.account.wrong_codes_at(at).judge_row(policy, at));
        let codes = apart.map_or(0, |codes| codes.failures);
        let codes_lock_until = apart.and_then(|codes| codes.locks_until);
        let codes_locked_until = codes_lock_until.and_then(LockEnd::moment);
        let locked = locks_until.max(codes_lock_until);
        let locked =
            locked.map(|until| Event::AccountLocked { failures: failures.max(codes), until, device });
        let failed = Event::SecondStepFailed { failures, codes, codes_locked_until, device };
        std::iter::once(failed).chain(locked).collect()
    }
}

fn refuse(until: Option<LockEnd>) -> Result<(), Refusal> {
    until.map_or(Ok(()), |until| Err(Refusal::Locked { until }))
}
