//! Who an account belongs to. Personal data: it is stored sealed.

use crate::values::email_address::EmailAddress;
use crate::values::plain_text::{carries_link, is_text};

/// How many characters a person's given or family name has at most. The longest real names fit, and an advertising
/// sentence hardly does.
pub const MOST_LETTERS: usize = 64;

/// A person's given or family name: 1 to 64 printable characters without a link, outer white space gone.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonName(String);

/// Why a text is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Empty, too long, or with a character that can't be shown.
    #[error("a name has 1 to {MOST_LETTERS} printable characters")]
    Text,
    /// It holds a text that a mail client makes a link of.
    #[error("a name holds no link")]
    Link,
}

impl PersonName {
    /// Takes a name as a person types it.
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

    /// A name as the log has it. It was checked by the rules of its time, so code that shows it must not rely on
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
    /// Where mail reaches them, and what they log in with.
    pub email: EmailAddress,
    /// Given name.
    pub given_name: PersonName,
    /// Family name.
    pub family_name: PersonName,
}
