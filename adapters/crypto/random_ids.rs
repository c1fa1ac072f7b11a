//! Random identities.

use loquet_domain::ports::Identities;
use uuid::{Builder, Uuid};

/// UUIDv4 (RFC 9562) from the operating system's generator, by way of a CSPRNG.
pub struct RandomIdentities;

impl Identities for RandomIdentities {
    #[expect(clippy::disallowed_methods, reason = "this is the port through which ids come")]
    fn fresh(&self) -> Uuid {
        Builder::from_random_bytes(rand::random()).into_uuid()
    }
}
