//! Trusted devices: whoever hammers a name from elsewhere keeps its owner out of none of them (OWASP, "Slow Down Online
//! Guessing Attacks with Device Cookies").
//!
//! A complete login, and the opening of a reset link, make a device trusted for an account. Wrong guesses from it count
//! on it and lock it alone; all others count on the account together. Each count has the rule of seven and fifteen to
//! itself. A device that is locked, forgotten or out of time counts as none. It authorises nothing.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::account::event::Event;
use crate::account::state::Active;
use crate::fact::Client;
use crate::ids::DeviceId;
use crate::lockout::{LockEnd, Lockout};
use crate::policies::Policies;

use super::decide::later;

/// How many devices of one account are trusted at most; a further one displaces the one that longest opened nothing.
pub const MOST_DEVICES: usize = 20;

/// How many are made trusted in a day at most: whoever has the password fills neither the list nor the mailbox.
const MOST_A_DAY: usize = 10;

/// What made a device trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceOrigin {
    /// The account's first complete login.
    FirstLogin,
    /// A complete login from a device that was not.
    Login,
    /// A complete login from a device that was; its time begins anew.
    Renewal,
    /// A reset link that was opened on it.
    ResetLink,
}

/// Why a device is trusted no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceEnd {
    /// Its owner, or the supplier's staff, said so.
    Revoked,
    /// A further one exceeded the number that an account may have.
    Displaced,
}

/// A device that is trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Which.
    pub id: DeviceId,
    /// Since when.
    pub since: Moment,
    /// The first moment at which it is not any more.
    pub expires_at: Moment,
    /// When a login from it was last completed; none where only a reset link was opened on it.
    pub last_login_at: Option<Moment>,
    /// What was known of it when it was last made trusted.
    pub client: Option<Client>,
    /// Wrong guesses from it and the lock they led to.
    pub lockout: Lockout,
}

/// What a complete login gives a device that has none, if it gives any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDevice {
    /// The id that it gets.
    pub id: DeviceId,
    /// From where the login came: a device whose address and agent are the same is taken for the same.
    pub client: Client,
}

/// From where a guess comes, as it says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GuessFrom {
    /// From nowhere that is trusted.
    #[default]
    Elsewhere,
    /// From a device that showed its token. Locked, it counts as none.
    Device(DeviceId),
    /// Out of a session that was opened on this device. Locked, nothing is verified there: whoever took the session has
    /// no second count to guess on.
    Session(DeviceId),
}

impl GuessFrom {
    /// The device that it names.
    #[must_use]
    pub fn device(self) -> Option<DeviceId> {
        match self {
            Self::Elsewhere => None,
            Self::Device(device) | Self::Session(device) => Some(device),
        }
    }
}

/// On what a wrong guess counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted<'a> {
    /// On the account, with all that comes from devices that are not trusted.
    Account,
    /// On this device. Wrong codes count on the second step as well until a login from it was completed: opening one
    /// reset link after another gives no codes to guess.
    Device(&'a Device),
}

impl Counted<'_> {
    pub(super) fn device(self) -> Option<DeviceId> {
        match self {
            Self::Account => None,
            Self::Device(device) => Some(device.id),
        }
    }

    /// Whether wrong codes count on the second step, whatever else they count on.
    pub(super) fn codes_count_apart(self) -> bool {
        match self {
            Self::Account => true,
            Self::Device(device) => device.last_login_at.is_none(),
        }
    }
}

impl Active {
    /// The device, if it is trusted at `at`, locked or not.
    #[must_use]
    pub fn device(&self, id: DeviceId, at: Moment) -> Option<&Device> {
        self.devices_at(at).find(|device| device.id == id)
    }

    /// Devices that are trusted at `at`, in the order of their coming.
    pub fn devices_at(&self, at: Moment) -> impl Iterator<Item = &Device> {
        self.devices.iter().filter(move |device| at < device.expires_at)
    }

    /// On what a wrong guess from a device counts at `at`.
    pub(super) fn counted(&self, from: GuessFrom, at: Moment) -> Counted<'_> {
        let device = from.device().and_then(|id| self.device(id, at));
        let counts = device.filter(|device| {
            matches!(from, GuessFrom::Session(_)) || device.lockout.locked_until(at).is_none()
        });
        counts.map_or(Counted::Account, Counted::Device)
    }

    /// Wrong guesses that count with those from a device.
    pub(super) fn lockout_of(&self, counted: Counted<'_>) -> Lockout {
        match counted {
            Counted::Account => self.lockout,
            Counted::Device(device) => device.lockout,
        }
    }

    /// Until when no password from there is judged, if that is so at `at`.
    #[must_use]
    pub fn locked_for(&self, from: GuessFrom, at: Moment) -> Option<LockEnd> {
        self.lockout_of(self.counted(from, at)).locked_until(at)
    }

    /// The device that a complete login is on, if that is trusted, and what makes it so from here on: nothing for one that
    /// is, unless more than half of its time is over.
    pub(super) fn trust(
        &self,
        policies: &Policies,
        at: Moment,
        (from, new): (Option<DeviceId>, Option<NewDevice>),
    ) -> (Option<DeviceId>, Vec<Event>) {
        let Some(lasts) = policies.trusted_devices else { return (None, Vec::new()) };
        let same = |new: &NewDevice| {
            let here = |device: &&Device| device.client.as_ref() == Some(&new.client);
            self.devices_at(at).find(here)
        };
        let shown = from.and_then(|id| self.device(id, at));
        let (device, by) = match (shown.or_else(|| new.as_ref().and_then(same)), new) {
            (Some(device), _) if device.expires_at - at > lasts / 2 => return (Some(device.id), Vec::new()),
            (Some(device), _) => (device.id, DeviceOrigin::Renewal),
            (None, None) => return (None, Vec::new()),
            (None, Some(new)) if !self.has_logged_in => (new.id, DeviceOrigin::FirstLogin),
            (None, Some(_)) if self.came_lately(at) >= MOST_A_DAY => return (None, Vec::new()),
            (None, Some(new)) => (new.id, DeviceOrigin::Login),
        };
        let trusted = Event::DeviceTrusted { device, expires_at: later(at, lasts), by };
        (Some(device), self.displaced_devices(device, at).chain([trusted]).collect())
    }

    /// How many devices were made trusted in the last day.
    fn came_lately(&self, at: Moment) -> usize {
        self.devices.iter().filter(|device| at - device.since < TimeDelta::days(1)).count()
    }

    /// The devices that make room for one more. One from which no login was completed goes first.
    pub(super) fn displaced_devices(&self, new: DeviceId, at: Moment) -> impl Iterator<Item = Event> {
        let mut held: Vec<&Device> = self.devices_at(at).filter(|device| device.id != new).collect();
        held.sort_by_key(|device| (device.last_login_at, device.since));
        let surplus = (held.len() + 1).saturating_sub(MOST_DEVICES);
        let gone: Vec<DeviceId> = held.into_iter().take(surplus).map(|device| device.id).collect();
        gone.into_iter().map(|device| Event::DeviceForgotten { device, reason: DeviceEnd::Displaced })
    }
}
