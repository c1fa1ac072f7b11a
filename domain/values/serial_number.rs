//! The serial number of a terminal.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A serial number that the maker gave a terminal: 1 to 64 capital letters, digits or `-`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SerialNumber(String);

/// The text is not a serial number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a serial number has 1 to 64 letters, digits or '-'")]
pub struct InvalidSerialNumber;

impl SerialNumber {
    /// Reads a serial number as it is printed or typed. Small letters become capitals.
    ///
    /// # Errors
    /// [`InvalidSerialNumber`] for anything except 1 to 64 ASCII letters, digits or `-`.
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
