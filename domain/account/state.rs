//! The state of an account: the part of its history that the next decision needs.

use chrono::TimeDelta;

use crate::Moment;
use crate::account::activation::{ActivationMails, Asker, again_at};
use crate::account::device::Device;
use crate::account::event::{Origin, Role};
use crate::account::link::Link;
use crate::account::second_step::{Proposal, SecondStep};
use crate::ids::{CompanyId, DeviceId, EventId, SessionId};
use crate::policies::Policies;
use crate::policies::lockout::Lockout;
use crate::policies::password_history::PasswordHistory;
use crate::values::email_address::EmailHash;
use crate::values::erasable::Erasable;
use crate::values::language::Language;
use crate::values::password::PasswordHash;
use crate::values::person::Person;

/// The maximum number of open challenges of one account. A further challenge voids the oldest.
const MOST_CHALLENGES: usize = 100;

/// An account in one of its stages. Only an active account has a password to guess. The contents are boxed, because a
/// node keeps about a hundred thousand accounts in memory and each enum value is as large as its largest variant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Account {
    /// Never created.
    #[default]
    Absent,
    /// Created. Nobody has chosen a password yet.
    Invited(Box<Invited>),
    /// In use: it has a password.
    Active(Box<Active>),
    /// Deleted for ever.
    Deleted(Box<Profile>),
}

/// The details that an account has in every stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The company that it belongs to.
    pub company: CompanyId,
    /// Its role.
    pub role: Role,
    /// The language of its mails.
    pub language: Language,
    /// The keyed hash of its e-mail address. Finds the account by address.
    pub email_hash: EmailHash,
    /// How it was created.
    pub origin: Origin,
    /// The person who owns it.
    pub person: Erasable<Person>,
    /// Whether the person's data was erased.
    pub erased: bool,
    /// The activation mails of the last hour.
    pub activations: ActivationMails,
}

/// An account that was created and is not active yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invited {
    /// The account's details.
    pub profile: Profile,
    /// The newest activation link. Older links do not work.
    pub activation: Link,
}

/// The password's hash, and the event that set it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The event that set the password. A proof names this event, so a proof of an older password is void.
    pub id: EventId,
    /// The hash.
    pub hash: Erasable<PasswordHash>,
}

/// A login that gave the right password and has not given a code yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The event that opened the challenge, and when the challenge expires.
    pub link: Link,
    /// The trusted device that the password came from.
    pub from: Option<DeviceId>,
}

/// A session: a login that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// When it started.
    pub started_at: Moment,
    /// The first moment at which it no longer works.
    pub expires_at: Moment,
    /// The trusted device that it is on. `None` if its device is not trusted.
    pub device: Option<DeviceId>,
}

/// An account in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Active {
    /// The account's details.
    pub profile: Profile,
    /// The present password.
    pub credential: Credential,
    /// The hashes of earlier passwords.
    pub former: PasswordHistory,
    /// The wrong guesses from all devices, and the lockout that they caused. It holds for everybody except trusted
    /// devices.
    pub lockout: Lockout,
    /// Whether a login was ever completed.
    pub has_logged_in: bool,
    /// The trusted devices, oldest first. Each also counts its own wrong guesses.
    pub devices: Vec<Device>,
    /// When logins made a new device trusted, within the last day, oldest first.
    pub devices_added: Vec<Moment>,
    /// When the newest wrong guess was judged.
    pub last_failure_at: Option<Moment>,
    /// When the account's lockout began.
    pub locked_since: Option<Moment>,
    /// The newest reset link, if it has not been followed.
    pub reset: Option<Link>,
    /// When reset mails were requested, within the last hour, oldest first.
    pub resets_asked: Vec<Moment>,
    /// The sessions that have not been ended, oldest first.
    pub sessions: Vec<Session>,
    /// The second step, if it is on.
    pub second_step: Option<Box<SecondStep>>,
    /// A secret that was shown and has not been confirmed.
    pub proposal: Option<Box<Proposal>>,
    /// Logins that wait for a code, oldest first.
    pub challenges: Vec<Challenge>,
    /// When a code was last asked for. `None` if a login was completed since.
    pub code_asked_at: Option<Moment>,
}

impl Profile {
    /// The first moment at which a further activation mail may be requested. Returns `None` if one may be requested
    /// now.
    #[must_use]
    pub fn activation_mail_again_at(&self, policies: &Policies, at: Moment, asker: Asker) -> Option<Moment> {
        again_at(self.activations.asked_by(asker), policies.activation_mails_per_hour, at)
    }
}

impl Account {
    /// The account's details. Returns `None` if it was never created.
    #[must_use]
    pub fn profile(&self) -> Option<&Profile> {
        match self {
            Self::Absent => None,
            Self::Invited(invited) => Some(&invited.profile),
            Self::Active(active) => Some(&active.profile),
            Self::Deleted(profile) => Some(profile),
        }
    }

    pub(super) fn profile_mut(&mut self) -> Option<&mut Profile> {
        match self {
            Self::Absent => None,
            Self::Invited(invited) => Some(&mut invited.profile),
            Self::Active(active) => Some(&mut active.profile),
            Self::Deleted(profile) => Some(profile),
        }
    }

    /// The account, if it is in use.
    #[must_use]
    pub fn active(&self) -> Option<&Active> {
        match self {
            Self::Active(active) => Some(active),
            _ => None,
        }
    }

    /// Whether the account holds its e-mail address: it was created and has not been deleted.
    #[must_use]
    pub fn is_live(&self) -> bool {
        matches!(self, Self::Invited(_) | Self::Active(_))
    }
}

impl Active {
    /// When reset mails were requested in the hour before `at`. Moments after `at`, which a clock that was ahead
    /// recorded, do not count. Otherwise the owner could not request a mail until that time.
    pub fn resets_asked_at(&self, at: Moment) -> impl Iterator<Item = &Moment> {
        self.resets_asked.iter().filter(move |asked| **asked <= at && at - **asked < TimeDelta::hours(1))
    }

    /// When logins made a new device trusted in the day before `at`. Moments after `at`, which a clock that was ahead
    /// recorded, do not count. Otherwise no new device could become trusted until that time.
    pub fn devices_added_at(&self, at: Moment) -> impl Iterator<Item = &Moment> {
        self.devices_added.iter().filter(move |added| **added <= at && at - **added < TimeDelta::days(1))
    }

    /// The hashes of the last `count` passwords, the present one first.
    pub fn last_passwords(&self, count: usize) -> impl Iterator<Item = &PasswordHash> {
        let present = self.credential.hash.known().into_iter().take(count);
        present.chain(self.former.newest(count.saturating_sub(1)))
    }

    /// The session with this id, if it works at `at`.
    #[must_use]
    pub fn session(&self, id: SessionId, at: Moment) -> Option<&Session> {
        self.sessions_at(at).find(|session| session.id == id)
    }

    /// Sets the wrong guesses to zero and ends the lockout that they caused.
    pub(super) fn forgive(&mut self) {
        self.lockout = Lockout::default();
        self.last_failure_at = None;
        self.locked_since = None;
    }

    /// The sessions that work at `at`, oldest first.
    pub fn sessions_at(&self, at: Moment) -> impl Iterator<Item = &Session> {
        self.sessions.iter().filter(move |session| at < session.expires_at)
    }

    /// The challenge with this id, if it can still be answered at `at`.
    pub(super) fn challenge(&self, id: EventId, at: Moment) -> Option<&Challenge> {
        self.challenges.iter().find(|held| held.link.event == id && held.link.holds(at))
    }

    pub(super) fn challenged(&mut self, challenge: Challenge, at: Moment) {
        self.challenges.retain(|held| at < held.link.expires_at);
        let surplus = (self.challenges.len() + 1).saturating_sub(MOST_CHALLENGES);
        self.challenges.drain(..surplus);
        self.challenges.push(challenge);
    }
}
