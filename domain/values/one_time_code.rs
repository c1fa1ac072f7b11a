//! Secrets of the second step. They cannot be printed.

use std::fmt;

/// The secret of an authenticator app: 20 random bytes (RFC 4226, section 4, R6).
#[derive(Clone, PartialEq, Eq)]
pub struct TotpSecret(Vec<u8>);

impl TotpSecret {
    /// Makes a secret of these bytes.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes, for code that makes or checks codes and for the encrypted part of an event.
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

/// The hash of a recovery code. A fast hash is enough, because a recovery code has many random bits.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecoveryHash(String);

impl RecoveryHash {
    /// Makes a hash from its text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The hash, for the encrypted part of an event.
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

/// What somebody types for the second step. It cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub enum OneTimeCode {
    /// A six-digit code of an app.
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
