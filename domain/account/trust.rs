//! Trusted devices: a lockout that others cause does not hold for them (OWASP, "Slow Down Online Guessing Attacks
//! with Device Cookies").
//!
//! A complete login makes a device trusted for an account. Opening a reset link does too. A wrong guess from a
//! trusted device counts on the account, as every wrong guess does, and also on the device. A lockout of the account
//! does not hold for the device. Seven wrong guesses in a row from the device lock the device. A device that was
//! forgotten, or whose trust has expired, is not trusted. A trusted device authorises nothing.

use crate::Moment;
use crate::account::device::{Device, MOST_DEVICES, NewDevice};
use crate::account::event::{DeviceEnd, DeviceOrigin, Event};
use crate::account::link::later;
use crate::account::state::Active;
use crate::ids::DeviceId;
use crate::policies::Policies;
use crate::policies::lockout::{LockEnd, LockoutPolicy};

/// The maximum number of devices that logins make trusted in a day. So somebody who has the password can fill neither
/// the owner's list nor the owner's mailbox.
const MOST_A_DAY: usize = 10;

impl Active {
    /// The device with this id, if it is trusted at `at`. It may be locked.
    #[must_use]
    pub fn device(&self, id: DeviceId, at: Moment) -> Option<&Device> {
        self.devices_at(at).find(|device| device.id == id)
    }

    /// The devices that are trusted at `at`, in the order in which they were added.
    pub fn devices_at(&self, at: Moment) -> impl Iterator<Item = &Device> {
        self.devices.iter().filter(move |device| at < device.expires_at)
    }

    /// When the lockout ends that keeps a password from this device from being judged at `at`. Only its own row locks
    /// a trusted device. The account's row locks everybody else.
    #[must_use]
    pub fn locked_for(&self, from: Option<DeviceId>, at: Moment) -> Option<LockEnd> {
        let device = from.and_then(|id| self.device(id, at));
        device.map_or(self.lockout, |device| device.lockout).locked_until(at)
    }

    /// When the lockout ends that keeps a code from this device from being judged at `at`.
    ///
    /// The rule is the same as for a password, with one exception. A lockout of the account that wrong codes caused
    /// also holds for a device that has only opened a reset link. Otherwise each reset mail would give its reader
    /// seven more codes to guess.
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

    /// The trusted device that a complete login is on, with the event that makes it trusted. There is no event if the
    /// device is trusted already and less than half of its period of trust is over.
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

    /// Replaces a device that had only opened a reset link when a login is completed on it. Somebody else who opened
    /// the link, such as a mail scanner, has the same token. Their token does not work from then on.
    fn in_place_of(&self, opened: DeviceId, device: DeviceId, expires_at: Moment, at: Moment) -> Vec<Event> {
        let forgotten = Event::DeviceForgotten { device: opened, reason: DeviceEnd::Displaced };
        let trusted = Event::DeviceTrusted { device, expires_at, by: DeviceOrigin::Renewal };
        let displaced = self.displaced_devices(device, at).filter(|event| *event != forgotten);
        displaced.chain([forgotten.clone(), trusted]).collect()
    }

    /// Ends the trust in enough devices to make room for one more. Devices without a completed login go first.
    pub(super) fn displaced_devices(&self, new: DeviceId, at: Moment) -> impl Iterator<Item = Event> {
        let mut held: Vec<&Device> = self.devices_at(at).filter(|device| device.id != new).collect();
        held.sort_by_key(|device| (device.last_login_at, device.since));
        let surplus = (held.len() + 1).saturating_sub(MOST_DEVICES);
        let gone: Vec<DeviceId> = held.into_iter().take(surplus).map(|device| device.id).collect();
        gone.into_iter().map(|device| Event::DeviceForgotten { device, reason: DeviceEnd::Displaced })
    }
}
