//! Random ids.

use loquet_domain::ports::Identities;
use uuid::{Builder, Uuid};

/// UUIDv4 (RFC 9562), from a CSPRNG that the operating system seeds.
pub struct RandomIdentities;

impl Identities for RandomIdentities {
    #[expect(clippy::disallowed_methods, reason = "this is the port through which ids come")]
    fn fresh(&self) -> Uuid {
        Builder::from_random_bytes(rand::random()).into_uuid()
    }
}
