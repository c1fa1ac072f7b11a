//! Trusted devices: the tokens that they get and send, and the owner's list of them.

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

/// The maximum number of device tokens that are read from one request.
const MOST_LOOKED_AT: usize = 50;

/// The devices of any account whose valid tokens came with a request.
pub(super) struct ShownDevices(Vec<DeviceClaims>);

impl ShownDevices {
    /// The device of an account.
    pub(super) fn of(&self, account: AccountId) -> Option<DeviceId> {
        self.0.iter().find(|claims| claims.account == account).map(|claims| claims.device)
    }
}

impl App {
    /// Reads the devices whose tokens came with a request. The decision on the guess checks whether their accounts
    /// still trust them.
    pub(super) fn read_devices(&self, at: Moment, tokens: &[String]) -> ShownDevices {
        let looked_at = if self.policies.trusted_devices.is_some() { MOST_LOOKED_AT } else { 0 };
        let claims = tokens.iter().take(looked_at).filter_map(|token| self.ports.tokens.read_device(token));
        ShownDevices(claims.filter(|claims| at < claims.expires_at).collect())
    }

    /// The owner of an account, in a session, on the device whose token came with the request.
    #[must_use]
    pub fn owner(&self, at: Moment, account: AccountId, session: SessionId, devices: &[String]) -> Owner {
        Owner { account, session, device: self.read_devices(at, devices).of(account) }
    }

    /// The trusted device on which a session was opened.
    ///
    /// # Errors
    /// [`Unavailable`] if the account can't be read.
    pub async fn device_of_session(
        &self,
        account: AccountId,
        session: SessionId,
        at: Moment,
    ) -> Result<Option<DeviceId>, Unavailable> {
        let held = self.account(account).await?;
        Ok(held.active().and_then(|active| active.session(session, at)?.device))
    }

    /// What a complete login creates. A device becomes trusted only if the client's address or user agent is known.
    pub(super) fn opening(&self, context: &Context) -> Opening {
        let fresh = || self.ports.identities.fresh();
        let known =
            context.client.clone().filter(|client| client.address.is_some() || client.agent.is_some());
        let device = known.map(|client| NewDevice { id: DeviceId(fresh()), client });
        Opening { session: SessionId(fresh()), device }
    }

    /// The token that a login or a link gives to the device that it came from.
    pub(super) fn given(&self, account: AccountId, committed: &Committed<Account>) -> Option<GivenDevice> {
        let of = |event: &Event| match event {
            Event::DeviceTrusted { device, expires_at, .. } => Some((*device, *expires_at)),
            // The account trusts this device, but no token came: the device has lost it, or keeps none.
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

    /// Records that a valid reset link was opened, and trusts the device for the login that follows. So an attacker
    /// who locks the account cannot keep its owner out. Returns `None` if the account trusts the device already.
    ///
    /// # Errors
    /// [`Failure::Link`] if the link is not valid.
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
        // A device that the account trusts needs no further token. If it is locked, the new password unlocks it.
        if shown.zip(held.active()).is_some_and(|(id, active)| active.device(id, at).is_some()) {
            return Ok(None);
        }
        let device = DeviceId(claims.event.effect("device"));
        let trust = Command::TrustForReset { link: claims.event, device };
        let committed = match self.accounts.transact(&account::stream(account), context, trust).await {
            // If the store does not write now, the person may still choose a password.
            Err(TransactError::Unavailable(_)) => return Ok(None),
            Err(refused) => return Err(as_link(refused)),
            Ok(committed) => committed,
        };
        let given = self.given(account, &committed);
        // The link was opened before, on this device or on another. One link trusts one device.
        let again = || {
            let expires_at = committed.state.active()?.device(device, at)?.expires_at;
            Some(self.shown(account, device, expires_at))
        };
        Ok(given.or_else(again))
    }

    /// The devices that an account trusts at `at`, in the order in which they were added.
    ///
    /// # Errors
    /// [`Refusal::NoSuchAccount`] if there is no such account in use. [`Unavailable`] if it can't be read.
    pub async fn devices(&self, account: AccountId, at: Moment) -> Result<Vec<Device>, Failure> {
        let held = self.account(account).await?;
        let active = held.active().ok_or(Refusal::NoSuchAccount)?;
        Ok(active.devices_at(at).cloned().collect())
    }

    /// Stops trusting a device, or every device if none is named.
    ///
    /// # Errors
    /// [`Refusal::NoSuchDevice`] if the account does not trust it.
    pub async fn forget_devices(
        &self,
        context: &Context,
        account: AccountId,
        device: Option<DeviceId>,
    ) -> Result<Position, Failure> {
        self.change_account(context, account, Command::ForgetDevices { device }).await
    }
}
