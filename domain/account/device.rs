//! What is known of a trusted device.

use crate::Moment;
use crate::fact::Client;
use crate::ids::DeviceId;
use crate::policies::lockout::Lockout;

/// How many devices of one account are trusted at most. A further one displaces the one with the oldest login.
pub const MOST_DEVICES: usize = 20;

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
    /// Wrong guesses from it, and the lockout that they led to. It holds for this device.
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
