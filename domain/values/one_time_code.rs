//! Secrets of the second step: they do not print.

use std::fmt;

/// What an app makes its codes from: 20 random bytes (RFC 4226, section 4, R6).
#[derive(Clone, PartialEq, Eq)]
pub struct TotpSecret(Vec<u8>);

impl TotpSecret {
    /// Takes the bytes.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes, for whoever makes or checks codes, and for the sealed part of an event.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSecret(…)")
    }
}

/// The hash of a recovery code. The code has so many random bits that a fast hash is enough.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecoveryHash(String);

impl RecoveryHash {
    /// Takes a hash as text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The hash, for the sealed part of an event.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RecoveryHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryHash(…)")
    }
}

/// What somebody types for the second step; it does not print.
#[derive(Clone, PartialEq, Eq)]
pub enum OneTimeCode {
    /// Six digits of an app.
    Totp(String),
    /// A recovery code.
    Recovery(String),
}

impl fmt::Debug for OneTimeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Totp(_) => "Totp(…)",
            Self::Recovery(_) => "Recovery(…)",
        })
    }
}
