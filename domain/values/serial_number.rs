//! The serial number of a terminal.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

use crate::values::latin::{is_dash, narrow};

/// The maximum number of characters.
const MOST: usize = 64;

/// A serial number that the maker gave a terminal: 1 to 64 capital letters and digits, with or without hyphens.
///
/// Two numbers that differ only in hyphens are equal. Case and spaces are dropped when the number is read, so they do
/// not matter either.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SerialNumber(String);

/// The text is not a serial number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a serial number has 1 to 64 letters or digits, with or without spaces and hyphens")]
pub struct InvalidSerialNumber;

impl SerialNumber {
    /// Reads a serial number as it is printed or typed. Small letters become capitals, every kind of dash becomes a
    /// hyphen, and spaces are dropped. If the hyphens make it too long, they are dropped too.
    ///
    /// # Errors
    /// [`InvalidSerialNumber`] for anything except 1 to 64 ASCII letters or digits, spaces and hyphens.
    pub fn parse(text: &str) -> Result<Self, InvalidSerialNumber> {
        let mut written = String::with_capacity(text.len());
        for character in text.trim().chars().map(narrow) {
            match character {
                letter if letter.is_ascii_alphanumeric() => written.push(letter.to_ascii_uppercase()),
                dash if is_dash(dash) => written.push('-'),
                space if space.is_whitespace() => {}
                _ => return Err(InvalidSerialNumber),
            }
        }
        let serial = Self(written);
        match serial.letters().count() {
            1..=MOST if serial.0.len() <= MOST => Ok(serial),
            1..=MOST => Ok(Self(serial.key())),
            _ => Err(InvalidSerialNumber),
        }
    }

    /// The number as it was written, in capitals and without spaces.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number without hyphens. Equal numbers have equal keys. What is derived from a number, such as the name of a
    /// stream or an entry of an index, is derived from its key.
    #[must_use]
    pub fn key(&self) -> String {
        self.letters().collect()
    }

    fn letters(&self) -> impl Iterator<Item = char> + '_ {
        self.0.chars().filter(|c| *c != '-').map(|c| c.to_ascii_uppercase())
    }
}

impl PartialEq for SerialNumber {
    fn eq(&self, other: &Self) -> bool {
        self.letters().eq(other.letters())
    }
}

impl Eq for SerialNumber {}

impl Hash for SerialNumber {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.letters().for_each(|letter| letter.hash(state));
    }
}

impl Ord for SerialNumber {
    fn cmp(&self, other: &Self) -> Ordering {
        self.letters().cmp(other.letters())
    }
}

impl PartialOrd for SerialNumber {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> SerialNumber {
        SerialNumber::parse(text).unwrap()
    }

    #[test]
    fn a_serial_number_is_one_whatever_its_case_spaces_and_hyphens() {
        for text in [
            "ab-1850000001",
            "AB-1850000001",
            "AB 1850 000 001",
            " ab1850000001 ",
            "A-B-1850-000-001",
            "AB\u{a0}1850\u{202f}000\u{2009}001",
            "AB‐1850–000—001",
            "AB\u{2011}1850000001",
            "ＡＢ１８５００００００１",
            "\tab-1850000001\n",
        ] {
            assert_eq!(read(text), read("AB1850000001"), "{text:?}");
            assert_eq!(read(text).key(), "AB1850000001", "{text:?}");
        }
        assert_ne!(read("AB1850000001"), read("AB1850000010"));
    }

    #[test]
    fn it_is_shown_as_it_was_written_in_capitals() {
        assert_eq!(read("ab-1850 0001").to_string(), "AB-18500001");
    }

    #[test]
    fn what_is_no_serial_number_is_refused() {
        for text in ["", " ", "-", "--- -", "é1", "1_2", "1/2", "1.2", "１２³", "S\u{202e}1"] {
            assert_eq!(SerialNumber::parse(text), Err(InvalidSerialNumber), "{text:?}");
        }
        assert!(SerialNumber::parse(&"1".repeat(64)).is_ok());
        assert!(SerialNumber::parse(&"1".repeat(65)).is_err());
        let long = vec!["1"; 64].join("-");
        assert_eq!(read(&long).as_str(), "1".repeat(64), "hyphens make no number too long");
    }

    #[test]
    fn a_number_from_an_old_log_is_read_however_it_was_stored() {
        let stored: Vec<SerialNumber> = serde_json::from_str(r#"["ab-1", "AB1"]"#).unwrap();
        assert_eq!(stored[0], stored[1]);
        assert_eq!(serde_json::to_string(&stored).unwrap(), r#"["ab-1","AB1"]"#, "it is never rewritten");
    }

    proptest! {
        #[test]
        fn spaces_hyphens_and_case_tell_no_numbers_apart_and_letters_do(
            one in "[A-Z0-9]{1,12}", other in "[A-Z0-9]{1,12}", every in 1_usize..5, small: bool
        ) {
            let apart: Vec<String> = one.as_bytes().chunks(every)
                .map(|part| String::from_utf8_lossy(part).into_owned()).collect();
            let written = apart.join(if every % 2 == 0 { " " } else { "-" });
            let written = if small { written.to_lowercase() } else { written };
            prop_assert_eq!(read(&written), read(&one));
            prop_assert!(HashSet::from([read(&one)]).contains(&read(&written)));
            prop_assert_eq!(read(&written).cmp(&read(&one)), Ordering::Equal);
            prop_assert_eq!(read(&written) == read(&other), one == other);
        }

        #[test]
        fn reading_never_panics(text in "\\PC{0,80}") {
            let _ = SerialNumber::parse(&text);
        }
    }
}
