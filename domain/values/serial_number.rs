//! A terminal's serial number.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The number that a maker gave a terminal: 1 to 64 letters, digits or `-`, capitals.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SerialNumber(String);

/// Why a text is no serial number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a serial number has 1 to 64 characters out of letters, digits and '-'")]
pub struct InvalidSerialNumber;

impl SerialNumber {
    /// Takes a serial number as it is printed or typed; small letters become capitals.
    ///
    /// # Errors
    /// [`InvalidSerialNumber`] for anything but 1 to 64 ASCII letters, digits or `-`.
    pub fn parse(text: &str) -> Result<Self, InvalidSerialNumber> {
        let text = text.trim();
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let fits = (1..=64).contains(&text.len()) && text.chars().all(allowed);
        fits.then(|| Self(text.to_ascii_uppercase())).ok_or(InvalidSerialNumber)
    }

    /// The number.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
