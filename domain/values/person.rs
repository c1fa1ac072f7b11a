//! The person who owns an account. This is personal data, so it is stored encrypted.

use crate::values::email_address::EmailAddress;
use crate::values::latin::composed;
use crate::values::plain_text::{carries_link, is_text};

/// The maximum number of characters of a given or family name. The longest real names fit. Advertising hardly fits.
pub const MOST_LETTERS: usize = 64;

/// A given or family name: 1 to 64 printable characters, without a link and without outer white space.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonName(String);

/// Why a text is not accepted as a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Empty, too long, or with a character that cannot be displayed.
    #[error("a name has 1 to {MOST_LETTERS} printable characters")]
    Text,
    /// It contains text that a mail client would show as a link.
    #[error("a name must not contain a link")]
    Link,
}

impl PersonName {
    /// Reads a name as a person types it.
    ///
    /// # Errors
    /// [`InvalidName`] says which rule it breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let text = text.trim();
        if !is_text(text, MOST_LETTERS) {
            return Err(InvalidName::Text);
        }
        if carries_link(text) { Err(InvalidName::Link) } else { Ok(Self(text.to_owned())) }
    }

    /// The name with composed accents (Unicode NFC), to compare it with another.
    #[must_use]
    pub fn composed(&self) -> Self {
        Self(composed(&self.0))
    }

    /// A name from the log. It was checked by the rules of that time, so code that displays it must not rely on
    /// today's rules.
    #[must_use]
    pub fn stored(text: String) -> Self {
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
    /// The address that mails are sent to and that they log in with.
    pub email: EmailAddress,
    /// Given name.
    pub given_name: PersonName,
    /// Family name.
    pub family_name: PersonName,
}

impl Person {
    /// The person with composed accents (Unicode NFC), to compare them with another.
    #[must_use]
    pub fn composed(&self) -> Self {
        let (given_name, family_name) = (self.given_name.composed(), self.family_name.composed());
        Self { given_name, family_name, ..self.clone() }
    }
}
