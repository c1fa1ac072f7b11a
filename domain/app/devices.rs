//! Trusted devices: what is given to them, what they show, and the owner's list.

use crate::Moment;
use crate::account::{self, Account, Command, Device, Event, NewDevice, Opening, Refusal, Rows};
use crate::fact::Context;
use crate::ids::{AccountId, DeviceId, SessionId};
use crate::ports::{DeviceClaims, Position, Purpose};

use super::followed_links::as_link;
use super::log_in::GivenDevice;
use super::sessions::Owner;
use super::streams::Committed;
use super::{App, Failure, TransactError, Unavailable};

/// How many tokens of devices one request may bring that are looked at.
const MOST_LOOKED_AT: usize = 50;

/// The devices whose valid tokens came with a request, of any account.
pub(super) struct ShownDevices(Vec<DeviceClaims>);

impl ShownDevices {
    /// The device of an account.
    pub(super) fn of(&self, account: AccountId) -> Option<DeviceId> {
        self.0.iter().find(|claims| claims.account == account).map(|claims| claims.device)
    }
}

impl App {
    /// Returns the devices whose tokens came with a request. Whether their accounts still trust them is decided with
    /// the guess.
    pub(super) fn read_devices(&self, at: Moment, tokens: &[String]) -> ShownDevices {
        let looked_at = if self.policies.trusted_devices.is_some() { MOST_LOOKED_AT } else { 0 };
        let claims = tokens.iter().take(looked_at).filter_map(|token| self.ports.tokens.read_device(token));
        ShownDevices(claims.filter(|claims| at < claims.expires_at).collect())
    }

    /// The owner of an account, in a session, on the device whose tokens came along.
    #[must_use]
    pub fn owner(&self, at: Moment, account: AccountId, session: SessionId, devices: &[String]) -> Owner {
        Owner { account, session, device: self.read_devices(at, devices).of(account) }
    }

    /// The trusted device on which a session was opened.
    ///
    /// # Errors
    /// [`Unavailable`] when the account can't be read.
    pub async fn device_of_session(
        &self,
        account: AccountId,
        session: SessionId,
        at: Moment,
    ) -> Result<Option<DeviceId>, Unavailable> {
        let held = self.account(account).await?;
        Ok(held.active().and_then(|active| active.session(session, at)?.device))
    }

    /// What a login opens if it is complete. Where nothing is known of the client there is nothing to trust.
    pub(super) fn opening(&self, context: &Context) -> Opening {
        let fresh = || self.ports.identities.fresh();
        let known =
            context.client.clone().filter(|client| client.address.is_some() || client.agent.is_some());
        let device = known.map(|client| NewDevice { id: DeviceId(fresh()), client });
        Opening { session: SessionId(fresh()), device }
    }

    /// What a login, or a link, gave to the device that it came from.
    pub(super) fn given(&self, account: AccountId, committed: &Committed<Account>) -> Option<GivenDevice> {
        let of = |event: &Event| match event {
            Event::DeviceTrusted { device, expires_at, .. } => Some((*device, *expires_at)),
            // Known, though it showed no token: it has lost it, or keeps none.
            Event::LoginSucceeded { cleared: Rows::Account, on: Some(device), .. } => {
                let held = committed.state.active()?.devices.iter().find(|held| held.id == *device)?;
                Some((*device, held.expires_at))
            }
            _ => None,
        };
        let (device, expires_at) = committed.facts.iter().rev().find_map(|fact| of(&fact.event))?;
        Some(self.shown(account, device, expires_at))
    }

    fn shown(&self, account: AccountId, device: DeviceId, expires_at: Moment) -> GivenDevice {
        let token = self.ports.tokens.device(&DeviceClaims { account, device, expires_at });
        GivenDevice { account, token, expires_at }
    }

    /// Notes that a reset link that holds was opened, and trusts the device for the login that follows: whoever hammers
    /// the address meanwhile keeps its owner out no longer. Gives nothing where the device has something already.
    ///
    /// # Errors
    /// [`Failure::Link`] for a link that does not hold.
    pub async fn open_reset_link(
        &self,
        context: &Context,
        token: &str,
        devices: &[String],
    ) -> Result<Option<GivenDevice>, Failure> {
        self.check_link(context.at, Purpose::PasswordReset, token).await?;
        let Some(claims) = self.ports.tokens.read_link(Purpose::PasswordReset, token) else {
            return Ok(None);
        };
        let (account, at) = (claims.account, context.at);
        let held = self.account(account).await?;
        let shown = self.read_devices(at, devices).of(account);
        // A device that the account trusts needs no other. If it is locked, the new password unlocks it.
        if shown.zip(held.active()).is_some_and(|(id, active)| active.device(id, at).is_some()) {
            return Ok(None);
        }
        let device = DeviceId(claims.event.effect("device"));
        let trust = Command::TrustForReset { link: claims.event, device };
        let committed = match self.accounts.transact(&account::stream(account), context, trust).await {
            // What can't be noted now keeps nobody from choosing a password.
            Err(TransactError::Unavailable(_)) => return Ok(None),
            Err(refused) => return Err(as_link(refused)),
            Ok(committed) => committed,
        };
        let given = self.given(account, &committed);
        // Opened before, on this device or on another: one link, one device.
        let again = || {
            let expires_at = committed.state.active()?.device(device, at)?.expires_at;
            Some(self.shown(account, device, expires_at))
        };
        Ok(given.or_else(again))
    }

    /// The devices that an account trusts at `at`, in the order of their coming.
    ///
    /// # Errors
    /// [`Refusal::NoSuchAccount`] where there is none in use, [`Unavailable`] when it can't be read.
    pub async fn devices(&self, account: AccountId, at: Moment) -> Result<Vec<Device>, Failure> {
        let held = self.account(account).await?;
        let active = held.active().ok_or(Refusal::NoSuchAccount)?;
        Ok(active.devices_at(at).cloned().collect())
    }

    /// Trusts a device no more; every device where none is named.
    ///
    /// # Errors
    /// [`Refusal::NoSuchDevice`] where the account does not trust it.
    pub async fn forget_devices(
        &self,
        context: &Context,
        account: AccountId,
        device: Option<DeviceId>,
    ) -> Result<Position, Failure> {
        self.change_account(context, account, Command::ForgetDevices { device }).await
    }
}
