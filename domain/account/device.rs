//! A trusted device.

use crate::Moment;
use crate::fact::Client;
use crate::ids::DeviceId;
use crate::policies::lockout::Lockout;

/// The maximum number of trusted devices of one account. A further one replaces the one whose last login is oldest.
pub const MOST_DEVICES: usize = 20;

/// A trusted device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// When it became trusted.
    pub since: Moment,
    /// The first moment at which it is no longer trusted.
    pub expires_at: Moment,
    /// When a login from it was last completed. `None` if only a reset link was opened on it.
    pub last_login_at: Option<Moment>,
    /// The address and user agent that it had when it was last made trusted.
    pub client: Option<Client>,
    /// The wrong guesses from it, and the lockout that they caused. It holds for this device only.
    pub lockout: Lockout,
}

/// The device that a complete login makes trusted, if it came from a device without an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDevice {
    /// Its new id.
    pub id: DeviceId,
    /// The address and user agent of the login. A trusted device with the same two is treated as the same device.
    pub client: Client,
}
