//! What of an account's history matters to the next decision.

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

/// How many challenges of one account are open at most; a further one voids the oldest.
const MOST_CHALLENGES: usize = 100;

/// An account in one of its stages. Only an active one has anything to guess. Boxed, since a hundred thousand
/// are kept in places as large as the largest stage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Account {
    /// Never created.
    #[default]
    Absent,
    /// Created; nobody has chosen a password yet.
    Invited(Box<Invited>),
    /// In use.
    Active(Box<Active>),
    /// Gone for ever.
    Deleted(Box<Profile>),
}

/// Who and what an account is, whatever its stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Of which company.
    pub company: CompanyId,
    /// As what.
    pub role: Role,
    /// In which language it is written to.
    pub language: Language,
    /// What finds it by address.
    pub email_hash: EmailHash,
    /// How it came about.
    pub origin: Origin,
    /// Whose it is.
    pub person: Erasable<Person>,
    /// Whether the person was erased.
    pub erased: bool,
    /// The activation mails of the last hour.
    pub activations: ActivationMails,
}

/// Created, not yet active.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invited {
    /// Who and what.
    pub profile: Profile,
    /// The newest activation link; older ones are void.
    pub activation: Link,
}

/// What verifies the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The event that set it: a proof names it, so that a proof of an older password is void.
    pub id: EventId,
    /// The hash.
    pub hash: Erasable<PasswordHash>,
}

/// A right password whose second step has yet to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The event that it is, and until when it can be answered.
    pub link: Link,
    /// The trusted device that the password came from.
    pub from: Option<DeviceId>,
}

/// A login that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// Which.
    pub id: SessionId,
    /// Since when.
    pub started_at: Moment,
    /// The first moment at which it no longer works.
    pub expires_at: Moment,
    /// The device that it is on, where that is trusted.
    pub device: Option<DeviceId>,
}

/// In use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Active {
    /// Who and what.
    pub profile: Profile,
    /// What verifies the password.
    pub credential: Credential,
    /// What verified the passwords before it.
    pub former: PasswordHistory,
    /// Wrong guesses from anywhere, and the lockout that they led to. It holds for all but trusted devices.
    pub lockout: Lockout,
    /// Whether a login was ever completed.
    pub has_logged_in: bool,
    /// Devices that are trusted, in the order of their coming. Each counts its own wrong guesses too.
    pub devices: Vec<Device>,
    /// When logins made devices trusted that were not, in the last day, oldest first.
    pub devices_added: Vec<Moment>,
    /// When the newest wrong guess was judged.
    pub last_failure_at: Option<Moment>,
    /// When the account's lockout began.
    pub locked_since: Option<Moment>,
    /// The newest reset link, not yet followed.
    pub reset: Option<Link>,
    /// When reset mails were asked for in the last hour, oldest first.
    pub resets_asked: Vec<Moment>,
    /// Logins that have not been ended, oldest first.
    pub sessions: Vec<Session>,
    /// The second step, where it is on.
    pub second_step: Option<Box<SecondStep>>,
    /// A second step that was shown and not confirmed.
    pub proposal: Option<Box<Proposal>>,
    /// Right passwords whose second step has yet to come, oldest first.
    pub challenges: Vec<Challenge>,
    /// When a code was last asked for, if no login was completed since.
    pub code_asked_at: Option<Moment>,
}

impl Profile {
    /// The first moment at which a further activation mail may be asked for. Returns `None` if that is now.
    #[must_use]
    pub fn activation_mail_again_at(&self, policies: &Policies, at: Moment, asker: Asker) -> Option<Moment> {
        again_at(self.activations.asked_by(asker), policies.activation_mails_per_hour, at)
    }
}

impl Account {
    /// Who and what it is, unless it was never created.
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

    /// The account while it is in use.
    #[must_use]
    pub fn active(&self) -> Option<&Active> {
        match self {
            Self::Active(active) => Some(active),
            _ => None,
        }
    }

    /// Whether it holds its e-mail address: it was created and not deleted.
    #[must_use]
    pub fn is_live(&self) -> bool {
        matches!(self, Self::Invited(_) | Self::Active(_))
    }
}

impl Active {
    /// When reset mails were asked for in the hour before `at`. What a clock that was ahead has noted for
    /// later is not before it: it would keep the owner from asking until that clock was right.
    pub fn resets_asked_at(&self, at: Moment) -> impl Iterator<Item = &Moment> {
        self.resets_asked.iter().filter(move |asked| **asked <= at && at - **asked < TimeDelta::hours(1))
    }

    /// When logins made devices trusted that were not, in the day before `at`. A clock that was ahead may have noted a
    /// moment after `at`: it does not count, or it would block new devices until then.
    pub fn devices_added_at(&self, at: Moment) -> impl Iterator<Item = &Moment> {
        self.devices_added.iter().filter(move |added| **added <= at && at - **added < TimeDelta::days(1))
    }

    /// The hashes of the last `count` passwords, the present one first.
    pub fn last_passwords(&self, count: usize) -> impl Iterator<Item = &PasswordHash> {
        let present = self.credential.hash.known().into_iter().take(count);
        present.chain(self.former.newest(count.saturating_sub(1)))
    }

    /// The session, if it works at `at`.
    #[must_use]
    pub fn session(&self, id: SessionId, at: Moment) -> Option<&Session> {
        self.sessions_at(at).find(|session| session.id == id)
    }

    /// The wrong guesses no longer count, nor does what they led to.
    pub(super) fn forgive(&mut self) {
        self.lockout = Lockout::default();
        self.last_failure_at = None;
        self.locked_since = None;
    }

    /// Sessions that work at `at`, oldest first.
    pub fn sessions_at(&self, at: Moment) -> impl Iterator<Item = &Session> {
        self.sessions.iter().filter(move |session| at < session.expires_at)
    }

    /// The challenge, if it can still be answered at `at`.
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
