//! Trusted devices: a lockout that others cause does not hold for them (OWASP, "Slow Down Online Guessing Attacks with
//! Device Cookies").
//!
//! A complete login makes a device trusted for an account, and so does opening a reset link. A wrong guess from it
//! counts on the account, as every wrong guess does, and on the device too. A lockout of the account does not hold
//! for the device. Seven wrong guesses in a row from the device lock the device. A device that was forgotten, or
//! whose time is over, is not trusted. A device authorises nothing.

use crate::Moment;
use crate::account::device::{Device, MOST_DEVICES, NewDevice};
use crate::account::event::{DeviceEnd, DeviceOrigin, Event};
use crate::account::link::later;
use crate::account::state::Active;
use crate::ids::DeviceId;
use crate::policies::Policies;
use crate::policies::lockout::{LockEnd, LockoutPolicy};

/// How many devices logins make trusted in a day at most. So somebody who has the password can fill neither the
/// owner's list nor the owner's mailbox.
const MOST_A_DAY: usize = 10;

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

    /// The end of the lockout that keeps a password from being judged at `at`, if it comes from this device. A trusted
    /// device is held back by its own row alone. Everybody else is held back by the account's.
    #[must_use]
    pub fn locked_for(&self, from: Option<DeviceId>, at: Moment) -> Option<LockEnd> {
        let device = from.and_then(|id| self.device(id, at));
        device.map_or(self.lockout, |device| device.lockout).locked_until(at)
    }

    /// The end of the lockout that keeps a code from being judged at `at`, if it comes from this device.
    ///
    /// It is as for a password, but a device that has only opened a reset link is held back by a lockout of the account
    /// too, if wrong codes led to it. Otherwise each reset mail would give whoever reads it seven more codes to guess.
    #[must_use]
    pub fn codes_locked_for(
        &self,
        from: Option<DeviceId>,
        policy: &LockoutPolicy,
        at: Moment,
    ) -> Option<LockEnd> {
        let device = from.and_then(|id| self.device(id, at));
        let opened_a_link_only = device.is_some_and(|device| device.last_login_at.is_none());
        let codes = self.lockout.codes_locked_until(policy, at).filter(|_| opened_a_link_only);
        self.locked_for(from, at).max(codes)
    }

    /// The device that a complete login is on, if that is trusted, and what makes it so from here on: nothing for one that
    /// is, unless more than half of its time is over.
    pub(super) fn trust(
        &self,
        policies: &Policies,
        at: Moment,
        from: Option<DeviceId>,
        new: Option<NewDevice>,
    ) -> (Option<DeviceId>, Vec<Event>) {
        let Some(lasts) = policies.trusted_devices else { return (None, Vec::new()) };
        let same = |new: &NewDevice| {
            let here = |device: &&Device| device.client.as_ref() == Some(&new.client);
            self.devices_at(at).filter(|device| device.last_login_at.is_some()).find(here)
        };
        let shown = from.and_then(|id| self.device(id, at));
        if let (Some(opened), Some(new)) = (shown.filter(|device| device.last_login_at.is_none()), &new) {
            return (Some(new.id), self.in_place_of(opened.id, new.id, later(at, lasts), at));
        }
        let (device, by) = match (shown.or_else(|| new.as_ref().and_then(same)), new) {
            (Some(device), _) if device.expires_at - at > lasts / 2 => return (Some(device.id), Vec::new()),
            (Some(device), _) => (device.id, DeviceOrigin::Renewal),
            (None, None) => return (None, Vec::new()),
            (None, Some(new)) if !self.has_logged_in => (new.id, DeviceOrigin::FirstLogin),
            (None, Some(_)) if self.devices_added_at(at).count() >= MOST_A_DAY => return (None, Vec::new()),
            (None, Some(new)) => (new.id, DeviceOrigin::Login),
        };
        let trusted = Event::DeviceTrusted { device, expires_at: later(at, lasts), by };
        (Some(device), self.displaced_devices(device, at).chain([trusted]).collect())
    }

    /// A login on a device that had only opened a reset link makes another one trusted in its place. Whoever else opened the
    /// link, such as a mail scanner, has the same token: theirs is none from then on.
    fn in_place_of(&self, opened: DeviceId, device: DeviceId, expires_at: Moment, at: Moment) -> Vec<Event> {
        let forgotten = Event::DeviceForgotten { device: opened, reason: DeviceEnd::Displaced };
        let trusted = Event::DeviceTrusted { device, expires_at, by: DeviceOrigin::Renewal };
        let displaced = self.displaced_devices(device, at).filter(|event| *event != forgotten);
        displaced.chain([forgotten.clone(), trusted]).collect()
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
