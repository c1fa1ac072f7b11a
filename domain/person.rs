//! Who an account belongs to. Personal data: it is stored sealed.

use crate::address::is_text;
use crate::email_address::EmailAddress;

/// A person's given or family name: 1 to 100 printable characters, outer white space gone.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonName(String);

/// Why a text is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to 100 printable characters")]
pub struct InvalidName;

impl PersonName {
    /// Takes a name as a person types it.
    ///
    /// # Errors
    /// [`InvalidName`] where it is empty, over 100 characters, or has control characters.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let text = text.trim();
        if is_text(text, 100) { Ok(Self(text.to_owned())) } else { Err(InvalidName) }
    }

    /// A name that was checked when it was written down.
    pub(crate) fn stored(text: String) -> Self {
        Self(text)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for PersonName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PersonName(…)")
    }
}

/// The person behind an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Where mail reaches them, and what they log in with.
    pub email: EmailAddress,
    /// Given name.
    pub given_name: PersonName,
    /// Family name.
    pub family_name: PersonName,
}
