//! The e-mail address, which identifies an account.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An e-mail address in its one accepted spelling: no outer white space, lower case, ASCII.
///
/// With one spelling, `Marie@Example.be` and `marie@example.be ` share their seven guesses. Addresses outside ASCII
/// are refused, because Unicode look-alikes would be further spellings. An international domain can be written in its
/// ASCII form (`xn--…`, RFC 5890).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EmailAddress(String);

/// Why a text is not accepted as an e-mail address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEmail {
    /// Longer than RFC 5321, 4.5.3.1 allows.
    #[error("an e-mail address has at most 254 characters, 64 of them before the @")]
    TooLong,
    /// A letter outside ASCII.
    #[error("write the address in ASCII, and an international domain in its xn-- form")]
    NotAscii,
    /// Not of the form `local@domain.tld`, or with a character that RFC 5321 allows only in quotes.
    #[error("this is not an e-mail address of the form name@example.be")]
    Malformed,
}

impl EmailAddress {
    /// Reads an address as a person types it. Returns it in its one spelling.
    ///
    /// # Errors
    /// [`InvalidEmail`] says which rule it breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidEmail> {
        let text = text.trim();
        if !text.is_ascii() {
            return Err(InvalidEmail::NotAscii);
        }
        let (local, domain) = text.rsplit_once('@').ok_or(InvalidEmail::Malformed)?;
        if text.len() > 254 || local.len() > 64 {
            return Err(InvalidEmail::TooLong);
        }
        if !dot_separated(local, is_atext) || !is_domain(domain) {
            return Err(InvalidEmail::Malformed);
        }
        Ok(Self(text.to_ascii_lowercase()))
    }

    /// An address from the log. It is not checked again, because it was checked when it was stored: stricter rules
    /// must not make old events unreadable (law 8).
    pub(crate) fn stored(text: String) -> Self {
        Self(text)
    }

    /// The address in its one spelling.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address with most of its name hidden, for a person who knows it already: `m***@boulangerie.example`. It
    /// keeps the first character of the name and the whole domain.
    #[must_use]
    pub fn masked(&self) -> String {
        let (local, domain) = self.0.rsplit_once('@').unwrap_or_default();
        let first = local.chars().next().map(String::from).unwrap_or_default();
        format!("{first}***@{domain}")
    }
}

fn dot_separated(text: &str, allowed: fn(char) -> bool) -> bool {
    text.split('.').all(|part| !part.is_empty() && part.chars().all(allowed))
}

/// Whether a character is `atext` of RFC 5322, 3.2.3.
fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c)
}

/// Whether a text has at least two labels (RFC 1034, 3.5). The last label must not be a number, so IP addresses are
/// refused.
fn is_domain(domain: &str) -> bool {
    let label_fits = |label: &str| label.len() <= 63 && !label.starts_with('-') && !label.ends_with('-');
    let last_is_name =
        domain.rsplit('.').next().is_some_and(|tld| tld.chars().any(|c| c.is_ascii_alphabetic()));
    domain.contains('.')
        && dot_separated(domain, |c| c.is_ascii_alphanumeric() || c == '-')
        && domain.split('.').all(label_fits)
        && last_is_name
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Does not print the address: logs and errors must not contain personal data.
impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailAddress(…)")
    }
}

/// The keyed hash of an address (HMAC-SHA-256, hexadecimal). It finds an account without storing its address.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EmailHash(pub String);

impl fmt::Display for EmailHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spellings_of_one_address_are_one_address() {
        let plain = EmailAddress::parse("marie.dupont@boulangerie.be").unwrap();
        for spelling in [
            "  marie.dupont@boulangerie.be\n",
            "Marie.Dupont@BOULANGERIE.be",
            "\tMARIE.DUPONT@boulangerie.BE ",
        ] {
            assert_eq!(EmailAddress::parse(spelling), Ok(plain.clone()), "{spelling:?}");
        }
    }

    #[test]
    fn a_masked_address_tells_its_first_letter_and_its_domain() {
        let address = EmailAddress::parse("marie.dupont@boulangerie.be").unwrap();
        assert_eq!(address.masked(), "m***@boulangerie.be");
    }

    #[test]
    fn look_alikes_outside_ascii_are_refused_rather_than_counted_apart() {
        for spelling in [
            "ｍarie@boulangerie.be",
            "\u{212a}evin@example.be",
            "mari\u{e9}@example.be",
            "marie@ex\u{430}mple.be",
        ] {
            assert_eq!(EmailAddress::parse(spelling), Err(InvalidEmail::NotAscii), "{spelling:?}");
        }
    }

    #[test]
    fn what_no_mail_server_would_take_is_refused() {
        for text in [
            "",
            "@",
            "marie",
            "marie@",
            "@example.be",
            "marie@example",
            "a b@example.be",
            ".a@example.be",
            "a..b@example.be",
            "a@-example.be",
            "a@example..be",
            "a@127.0.0.1",
            "a@b@example.be",
            "a@example.be\r\nBcc: x@example.be",
            "<a@example.be>",
        ] {
            assert!(EmailAddress::parse(text).is_err(), "{text:?}");
        }
        assert_eq!(
            EmailAddress::parse(&format!("{}@example.be", "a".repeat(65))),
            Err(InvalidEmail::TooLong)
        );
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_is_idempotent(text in "\\PC{0,80}") {
            if let Ok(address) = EmailAddress::parse(&text) {
                prop_assert_eq!(EmailAddress::parse(address.as_str()), Ok(address));
            }
        }
    }
}
