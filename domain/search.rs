//! How people search: by words, or the beginnings of words. Case and accents do not matter.

use crate::values::email_address::EmailAddress;
use crate::values::enterprise_number::{Country, EnterpriseNumber};
use crate::values::latin::{is_dash, narrow, words};
use crate::values::serial_number::SerialNumber;

/// The minimum number of letters of a word to search for.
const LEAST: usize = 3;
/// The minimum number of digits of a part of an enterprise number. Fewer are rather something else.
const LEAST_DIGITS: usize = 5;
/// A name is found by the first letters of its words, in these lengths. Longer ones separate more names. Shorter ones
/// find a name sooner.
const PREFIXES: [usize; 2] = [LEAST, 5];
/// The maximum number of characters and words in a search.
const MOST_CHARACTERS: usize = 200;
const MOST_WORDS: usize = 8;

/// The words to search for: lower-case letters and digits without accents, each word once.
#[must_use]
pub fn words_of(texts: &[&str]) -> Vec<String> {
    let mut all: Vec<String> = texts.iter().flat_map(|text| words(text)).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The words of names, by which they are found. A name with an apostrophe is also found without it: `O'Brien` as `obrien`.
fn words_of_names(texts: &[&str]) -> Vec<String> {
    let apostrophes = ['\'', '’', '‘', 'ʼ', '`', '´'];
    let mut all = words_of(texts);
    let parts = texts.iter().flat_map(|text| text.split(|c: char| c.is_whitespace() || is_dash(c)));
    let joined = parts.filter(|part| part.contains(apostrophes)).map(|part| words(part).concat());
    all.extend(joined.filter(|word| !word.is_empty()));
    all.sort_unstable();
    all.dedup();
    all
}

/// The words that are long enough to search for.
#[must_use]
pub fn findable_words_of(texts: &[&str]) -> Vec<String> {
    words_of_names(texts).into_iter().filter(|word| word.chars().count() >= LEAST).collect()
}

/// The beginnings by which the words of a name are found.
#[must_use]
pub fn beginnings_of(texts: &[&str]) -> Vec<String> {
    let words = words_of_names(texts);
    let mut all: Vec<String> = words
        .iter()
        .flat_map(|word| PREFIXES.iter().filter_map(|letters| beginning(word, *letters)))
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The parts by which a serial number is found: everything from one of its characters to its end. What begins one of
/// them is a part of the number.
#[must_use]
pub fn parts_of(serial: &SerialNumber) -> Vec<String> {
    let key = serial.key();
    let starts = 0..(key.len() + 1).saturating_sub(LEAST);
    starts.filter_map(|start| key.get(start..).map(str::to_owned)).collect()
}

/// The parts by which the digits of an enterprise number are found: everything from one of them to the end.
#[must_use]
pub fn parts_of_number(digits: &str) -> Vec<String> {
    let starts = 0..(digits.len() + 1).saturating_sub(LEAST_DIGITS);
    starts.filter_map(|start| digits.get(start..).map(str::to_owned)).collect()
}

/// The first letters of a word. Returns `None` if it is shorter.
fn beginning(word: &str, letters: usize) -> Option<String> {
    let taken: String = word.chars().take(letters).collect();
    (taken.chars().count() == letters).then_some(taken)
}

/// A search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// For a whole e-mail address.
    Email(EmailAddress),
    /// For words, which may also be a number.
    Words(Words),
}

/// Words to search for, the longest first. At least one is long enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    words: Vec<String>,
    /// The text as enterprise numbers, if it is one in any register, in any of the usual spellings.
    pub numbers: Vec<EnterpriseNumber>,
    /// Some digits of an enterprise number with the country of its register, if the text could be those.
    pub number_parts: Vec<(Country, String)>,
    /// The text as a serial number or a part of one, if it could be that.
    pub serial: Option<SerialNumber>,
}

/// Why a text can't be searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQuery {
    /// No word is long enough.
    #[error("at least one word of {LEAST} letters or digits, or a whole e-mail address")]
    TooShort,
    /// Too many characters or words.
    #[error("at most {MOST_CHARACTERS} characters in {MOST_WORDS} words")]
    TooLong,
}

impl Query {
    /// Reads a search as it was typed.
    ///
    /// # Errors
    /// [`InvalidQuery`] says what is wrong.
    pub fn parse(text: &str) -> Result<Self, InvalidQuery> {
        if text.chars().count() > MOST_CHARACTERS {
            return Err(InvalidQuery::TooLong);
        }
        if let Ok(email) = EmailAddress::parse(text) {
            return Ok(Self::Email(email));
        }
        let mut words = words_of(&[text]);
        words.sort_by_key(|word| std::cmp::Reverse(word.chars().count()));
        let numbers = [Country::Belgium, Country::Netherlands];
        let numbers: Vec<_> =
            numbers.into_iter().filter_map(|country| EnterpriseNumber::parse(country, text).ok()).collect();
        let number_parts = number_parts(text);
        // A serial number without any digit is searched for in words.
        let serial = SerialNumber::parse(text).ok().filter(|serial| {
            let key = serial.key();
            key.len() >= LEAST && key.contains(|c: char| c.is_ascii_digit())
        });
        // A number is searched for as a whole, even if its parts are short.
        let is_number = !numbers.is_empty() || serial.is_some();
        match words.first() {
            _ if words.len() > MOST_WORDS => Err(InvalidQuery::TooLong),
            Some(longest) if longest.chars().count() >= LEAST || is_number => {
                Ok(Self::Words(Words { words, numbers, number_parts, serial }))
            }
            _ => Err(InvalidQuery::TooShort),
        }
    }
}

/// The text as some digits of an enterprise number. With a prefix such as `KvK`, only that register is meant.
fn number_parts(text: &str) -> Vec<(Country, String)> {
    let separates = |c: char| c.is_whitespace() || matches!(c, '.' | '/' | ':') || is_dash(c);
    let plain: String = text.chars().map(narrow).filter(|c| !separates(*c)).collect();
    let plain = plain.to_ascii_uppercase();
    let prefix = NUMBER_PREFIXES.iter().find(|(prefix, _)| plain.starts_with(prefix));
    let (digits, of) = match prefix {
        Some((prefix, country)) => (plain.get(prefix.len()..).unwrap_or_default(), Some(*country)),
        None => (plain.as_str(), None),
    };
    if !(LEAST_DIGITS..=9).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Vec::new();
    }
    let countries = [Country::Belgium, Country::Netherlands].into_iter();
    let meant = countries.filter(|country| of.is_none_or(|of| of == *country));
    meant.map(|country| (country, digits.to_owned())).collect()
}

/// What people write before an enterprise number, and the country whose register they mean. The longest come first.
const NUMBER_PREFIXES: [(&str, Country); 6] = [
    ("TVABE", Country::Belgium),
    ("BTWBE", Country::Belgium),
    ("KVK", Country::Netherlands),
    ("KBO", Country::Belgium),
    ("BCE", Country::Belgium),
    ("BE", Country::Belgium),
];

impl Words {
    /// The words that are long enough to search for, the longest first.
    pub fn looked_for(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(String::as_str).filter(|word| word.chars().count() >= LEAST)
    }

    /// For each of these words, the longest beginning by which names are found.
    pub fn beginnings(&self) -> impl Iterator<Item = String> {
        self.looked_for()
            .filter_map(|word| PREFIXES.iter().rev().find_map(|letters| beginning(word, *letters)))
    }

    /// Whether there is only one word. Then everything found by it matches.
    #[must_use]
    pub fn is_one(&self) -> bool {
        self.words.len() == 1
    }

    /// Whether each word is a word of these texts, or the beginning of one.
    #[must_use]
    pub fn fit(&self, texts: &[&str]) -> bool {
        let there = words_of_names(texts);
        self.words.iter().all(|word| is_in(word, &there))
    }

    /// Whether the words fit these texts, or these and the others together. At least one word that is long enough to
    /// search for is in the first texts.
    #[must_use]
    pub fn fit_with(&self, texts: &[&str], others: &[&str]) -> bool {
        let (there, others) = (words_of_names(texts), words_of_names(others));
        self.looked_for().any(|word| is_in(word, &there))
            && self.words.iter().all(|word| is_in(word, &there) || is_in(word, &others))
    }
}

/// Whether it is one of the words, or the beginning of one.
fn is_in(word: &str, there: &[String]) -> bool {
    there.iter().any(|known| known.starts_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn sought(text: &str) -> Words {
        match Query::parse(text) {
            Ok(Query::Words(words)) => words,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn a_word_is_found_in_whatever_case_and_accents_by_its_beginning_and_nowhere_else() {
        let name = ["Désirée", "D'Hondt-Lœuwers"];
        for text in [
            "desiree",
            "DÉSIRÉE",
            "De\u{301}sire\u{301}e",
            "dés",
            "hondt",
            "loeuw desi",
            "d hondt",
            "dhondt",
            "d’hondt",
        ] {
            assert!(sought(text).fit(&name), "{text}");
        }
        for text in ["desireee", "siree", "hondt marie", "ondt"] {
            assert!(!sought(text).fit(&name), "{text}");
        }
    }

    #[test]
    fn words_of_two_letters_are_too_few_but_help_to_tell_longer_ones_apart() {
        for text in ["", "  ", "li", "de la", "é!", "a.b.c", "d-h"] {
            assert_eq!(Query::parse(text), Err(InvalidQuery::TooShort), "{text}");
        }
        assert!(sought("de smet").fit(&["Jan", "De Smet"]));
        assert!(!sought("de smet").fit(&["Jan", "Smet"]));
        assert_eq!(Query::parse(&"a".repeat(201)), Err(InvalidQuery::TooLong));
        assert_eq!(Query::parse("aaa bbb ccc ddd eee fff ggg hhh iii"), Err(InvalidQuery::TooLong));
    }

    #[test]
    fn a_number_is_read_with_its_dots_and_an_address_whole() {
        for text in ["0123.456.749", "BE 0123 456 749", "be0123456749", " 0123456749 "] {
            let numbers = sought(text).numbers;
            assert_eq!(numbers.first().map(EnterpriseNumber::digits), Some("0123456749"), "{text}");
        }
        assert_eq!(sought("nl 12345678").numbers.len(), 1);
        assert_eq!(sought("0123456748").numbers, [], "its check digits do not fit");
        assert_eq!(sought("s-10").serial.map(|serial| serial.to_string()), Some("S-10".to_owned()));
        assert!(matches!(Query::parse("Marie@Example.BE"), Ok(Query::Email(_))));
    }

    #[test]
    fn words_of_a_person_and_of_a_company_go_together() {
        let (person, company) = (["Marie", "Dupont"], ["Boulangerie de Gand SRL"]);
        for text in ["dupont boulangerie", "gand marie", "de dupont", "marie dupont", "boulang mar"] {
            assert!(sought(text).fit_with(&person, &company), "{text}");
        }
        for text in ["boulangerie gand", "dupont boucherie", "de boulangerie"] {
            assert!(!sought(text).fit_with(&person, &company), "{text}");
        }
    }

    #[test]
    fn a_serial_number_is_found_by_any_part_of_it() {
        let parts = parts_of(&SerialNumber::parse("ab-1850 001").unwrap());
        assert_eq!(parts, ["AB1850001", "B1850001", "1850001", "850001", "50001", "0001", "001"]);
        for text in ["1850", "ab-185", "1 850-001", "B1", "0001", "001", "ab1850001"] {
            let sought = Query::parse(text).ok().and_then(|query| match query {
                Query::Words(words) => words.serial,
                Query::Email(_) => None,
            });
            let found = sought.is_some_and(|part| parts.iter().any(|known| known.starts_with(&part.key())));
            assert_eq!(found, text != "B1", "{text}");
        }
        assert_eq!(parts_of(&SerialNumber::parse("12").unwrap()), [""; 0]);
    }

    #[test]
    fn a_number_is_found_without_its_leading_zero_and_by_its_beginning() {
        for text in ["123456749", "123.456.749", "BE 123456749", "be123.456.749"] {
            assert_eq!(
                sought(text).numbers.first().map(EnterpriseNumber::digits),
                Some("0123456749"),
                "{text}"
            );
        }
        let parts = sought("0123.456").number_parts;
        assert!(parts.contains(&(Country::Belgium, "0123456".to_owned())));
        let known = parts_of_number("0123456749");
        assert_eq!(known, ["0123456749", "123456749", "23456749", "3456749", "456749", "56749"]);
        for text in ["0123.456", "123 456", "BE 123.456", "234.567", "56749", "456.749", "0123 456 74"] {
            let parts = sought(text).number_parts;
            let fits = |part: &str| known.iter().any(|known| known.starts_with(part));
            assert!(parts.iter().any(|(_, part)| fits(part)), "{text}");
        }
        for text in ["BE0123", "BE 01.234", "be 0123-4", "TVA BE 0123 4", "0123/456", "KBO 01234"] {
            let parts = sought(text).number_parts;
            assert!(
                parts.iter().all(|(country, _)| text.contains('/') || *country == Country::Belgium),
                "{text}"
            );
            assert!(text == "BE0123" || parts.iter().any(|(_, digits)| digits.starts_with("0123")), "{text}");
        }
        assert_eq!(sought("KvK 12345").number_parts, [(Country::Netherlands, "12345".to_owned())]);
        assert_eq!(sought("1050").number_parts, [], "this is rather a postal code");
    }

    proptest! {
        /// Typing the beginning of a word of a name searches under a beginning by which that name is found.
        #[test]
        fn whatever_fits_a_name_is_looked_for_where_the_name_is_found(
            given in "[A-Za-zéèçößłøđễẦņ' -]{1,12}", family in "[A-Za-zéèçöß\u{301}\u{323}' -]{1,12}", letters in 3_usize..8,
        ) {
            let name = [given.as_str(), family.as_str()];
            let found_by = beginnings_of(&name);
            for word in words_of(&name) {
                let typed: String = word.chars().take(letters).collect();
                if typed.chars().count() < LEAST {
                    continue;
                }
                let sought = sought(&typed);
                prop_assert!(sought.fit(&name));
                for beginning in sought.beginnings() {
                    prop_assert!(found_by.contains(&beginning), "{typed} in {name:?}");
                }
            }
        }

        #[test]
        fn nothing_that_is_typed_panics(text in ".{0,250}") {
            drop(Query::parse(&text));
        }
    }
}
