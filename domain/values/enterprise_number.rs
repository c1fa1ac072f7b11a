//! The registration number of a company.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::values::latin::{is_dash, narrow, plain};
use crate::values::plain_text::is_printable;

/// The countries whose company registers are known, by ISO 3166 code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Country {
    /// Belgium: KBO/BCE.
    #[serde(rename = "BE")]
    Belgium,
    /// The Netherlands: KvK.
    #[serde(rename = "NL")]
    Netherlands,
}

impl Country {
    /// Reads an ISO 3166-1 alpha-2 code, upper case.
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        match code {
            "BE" => Some(Self::Belgium),
            "NL" => Some(Self::Netherlands),
            _ => None,
        }
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Belgium => "BE",
            Self::Netherlands => "NL",
        })
    }
}

/// A valid registration number: it has the right length and the right check digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EnterpriseNumber {
    country: Country,
    digits: String,
}

/// Why a text is not an enterprise number of the country.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEnterpriseNumber {
    /// Belgian numbers have ten digits. The first is 0 or 1, and a 0 may be left out.
    #[error("a Belgian enterprise number has 10 digits, the first a 0 or a 1")]
    NotBelgian,
    /// The last two digits are 97 minus the first eight modulo 97.
    #[error("the check digits of this Belgian enterprise number are wrong")]
    CheckDigits,
    /// Dutch KvK numbers have eight digits.
    #[error("a Dutch KvK number has 8 digits")]
    NotDutch,
    /// The text is a Dutch VAT number, such as `NL123456789B01`.
    #[error("this is a Dutch VAT number, not a KvK number")]
    DutchVat,
    /// The prefix is that of another country.
    #[error("the number begins with the prefix of another country")]
    OtherCountry,
    /// There is something else than digits, separators and the usual words before the number.
    #[error("apart from a prefix such as BE or TVA, an enterprise number has only digits")]
    OtherCharacters,
}

/// What may stand before a number, without accents and punctuation: the names of the number and of its register in
/// French, Dutch, German and English, and the short words between them.
const WORDS: [&str; 77] = [
    "tva",
    "btw",
    "vat",
    "mwst",
    "ust",
    "tax",
    "taxe",
    "uid",
    "id",
    "idnr",
    "kbo",
    "bce",
    "cbe",
    "zdu",
    "kvk",
    "rpm",
    "rpr",
    "rjp",
    "ond",
    "nr",
    "n",
    "no",
    "num",
    "numero",
    "nummer",
    "number",
    "on",
    "ne",
    "rsin",
    "assujetti",
    "assujettie",
    "a",
    "plichtig",
    "plichtige",
    "pflichtig",
    "kamer",
    "koophandel",
    "dossier",
    "dossiernummer",
    "dossiernr",
    "ondernemingsnummer",
    "ondernemingsnr",
    "ondernemings",
    "onderneming",
    "entreprise",
    "enterprise",
    "entr",
    "company",
    "unternehmensnummer",
    "unternehmensnr",
    "unternehmen",
    "registration",
    "register",
    "registre",
    "handelsregister",
    "identification",
    "identificatie",
    "intracommunautaire",
    "intracom",
    "belgie",
    "belgique",
    "belgien",
    "belgium",
    "nederland",
    "netherlands",
    "pays",
    "bas",
    "btwnr",
    "de",
    "du",
    "d",
    "la",
    "le",
    "l",
    "van",
    "het",
    "der",
];

/// Registers, whose town may stand behind them, before a number or after it: `0403.170.701 RPM Bruxelles`.
const REGISTERS: [&str; 5] = ["rpm", "rpr", "rjp", "kvk", "kamervankoophandel"];
/// The most letters of such a town.
const LONGEST_TOWN: usize = 60;

/// The prefixes of VAT numbers of other European countries. `NO` is left out, because it also means number.
const OTHER_COUNTRIES: [&str; 33] = [
    "at", "bg", "ch", "cy", "cz", "de", "dk", "ee", "el", "es", "eu", "fi", "fr", "gb", "gr", "hr", "hu",
    "ie", "it", "li", "lt", "lu", "lv", "mt", "pl", "pt", "ro", "se", "si", "sk", "uk", "us", "xi",
];

impl EnterpriseNumber {
    /// Reads a number as people write it: with or without a country code and words such as `TVA` or `KBO` before it,
    /// with dots, spaces, hyphens or slashes, in any case. A Belgian number may lack its leading zero.
    ///
    /// # Errors
    /// [`InvalidEnterpriseNumber`] says which rule the number breaks.
    pub fn parse(country: Country, text: &str) -> Result<Self, InvalidEnterpriseNumber> {
        let text: String = text.chars().map(narrow).filter(|c| c.is_control() || is_printable(*c)).collect();
        let begin = text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len());
        let (before, number) = text.split_at_checked(begin).unwrap_or((&text, ""));
        check_prefix(country, &letters(before))?;
        let end = number.find(char::is_alphabetic).unwrap_or(number.len());
        let (number, after) = number.split_at_checked(end).unwrap_or((number, ""));
        let digits: String = number.chars().filter(|c| !separates(*c)).collect();
        if country == Country::Netherlands && digits.len() == 9 && is_vat_ending(after) {
            return Err(InvalidEnterpriseNumber::DutchVat);
        }
        check_ending(country, after)?;
        if country == Country::Netherlands && letters(before).ends_with("rsin") {
            return Err(InvalidEnterpriseNumber::NotDutch);
        }
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(InvalidEnterpriseNumber::OtherCharacters);
        }
        let digits = match country {
            Country::Netherlands if digits.len() == 8 => digits,
            Country::Netherlands => return Err(InvalidEnterpriseNumber::NotDutch),
            Country::Belgium => belgian(digits)?,
        };
        Ok(Self { country, digits })
    }

    /// A number from the log. It is not checked again, because it was checked when it was stored.
    pub(crate) fn stored(country: Country, digits: String) -> Self {
        Self { country, digits }
    }

    /// The country of the register.
    #[must_use]
    pub fn country(&self) -> Country {
        self.country
    }

    /// The number's digits.
    #[must_use]
    pub fn digits(&self) -> &str {
        &self.digits
    }
}

/// The letters of a text, joined: `T.V.A. BE` and `TVA-BE` are the same.
fn letters(text: &str) -> String {
    plain(text).into_iter().filter(|c| c.is_alphabetic()).collect()
}

fn separates(c: char) -> bool {
    c.is_whitespace() || is_dash(c) || matches!(c, '.' | '/' | ',' | ';' | '_' | ':' | '·' | '(' | ')')
}

/// Whether the letters before a number are known words, and at last no country code or that of the country. `de` means
/// "of", but right before a number it is the code of Germany. Some codes are followed by letters of the number: `ATU12345678`.
fn check_prefix(country: Country, prefix: &str) -> Result<(), InvalidEnterpriseNumber> {
    let own = code(country);
    let ends_with = |code: &str| prefix.strip_suffix(code).is_some_and(are_words);
    let begins_foreign = |code: &str| {
        (1..=2).any(|letters| {
            let end = prefix.len().checked_sub(letters).and_then(|end| prefix.get(..end));
            end.and_then(|end| end.strip_suffix(code)).is_some_and(are_words)
        })
    };
    if other_codes(country).any(|code| ends_with(&code)) {
        return Err(InvalidEnterpriseNumber::OtherCountry);
    }
    if ends_with(&own) || are_words(prefix) || names_register(prefix) {
        return Ok(());
    }
    // `Be` before other letters may be the beginning of any word.
    let is_foreign = other_codes(country).any(|code| begins_foreign(&code)) && !prefix.contains(&own);
    Err(match is_foreign {
        true => InvalidEnterpriseNumber::OtherCountry,
        false => InvalidEnterpriseNumber::OtherCharacters,
    })
}

/// Whether what stands after a number says nothing else: known words such as `(TVA)`, the code of the country, or the register
/// with a town, such as `RPR Gent`.
fn check_ending(country: Country, text: &str) -> Result<(), InvalidEnterpriseNumber> {
    let letters = letters(text);
    if text.chars().any(|c| c.is_ascii_digit()) {
        return Err(InvalidEnterpriseNumber::OtherCharacters);
    }
    if other_codes(country).any(|code| code == letters) {
        return Err(InvalidEnterpriseNumber::OtherCountry);
    }
    let own = code(country);
    let is_own = letters
        .strip_suffix(own.as_str())
        .or_else(|| letters.strip_prefix(own.as_str()))
        .is_some_and(are_words);
    match is_own || are_words(&letters) || names_register(&letters) {
        // One letter is more likely a mistake of typing.
        true if letters.len() != 1 => Ok(()),
        _ => Err(InvalidEnterpriseNumber::OtherCharacters),
    }
}

/// The code of a country, in small letters.
fn code(country: Country) -> String {
    country.to_string().to_lowercase()
}

/// The codes of all other countries, in small letters.
fn other_codes(country: Country) -> impl Iterator<Item = String> {
    let known = [Country::Belgium, Country::Netherlands].into_iter().filter(move |other| *other != country);
    known.map(code).chain(OTHER_COUNTRIES.map(str::to_owned))
}

/// Whether letters name a register, with or without a town.
fn names_register(letters: &str) -> bool {
    let town = REGISTERS.iter().find_map(|name| letters.strip_prefix(name));
    town.is_some_and(|town| town.len() <= LONGEST_TOWN)
}

/// Whether a text consists of known words.
fn are_words(text: &str) -> bool {
    // `known[n]` says whether the first n letters are words.
    let mut known = vec![true];
    for end in 1..=text.len() {
        let ends = |word: &&str| {
            let begin = end.checked_sub(word.len());
            begin.is_some_and(|begin| text.get(begin..end) == Some(*word) && known.get(begin) == Some(&true))
        };
        let is = WORDS.iter().any(ends);
        known.push(is);
    }
    known.last() == Some(&true)
}

/// Whether this is the ending of a Dutch VAT number, such as `B01`.
fn is_vat_ending(text: &str) -> bool {
    let ending: String = text.chars().filter(|c| !separates(*c)).collect();
    let digits = ending.strip_prefix(['B', 'b']);
    digits.is_some_and(|digits| digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// The ten digits of a Belgian number. With nine digits, the leading zero was left out.
fn belgian(digits: String) -> Result<String, InvalidEnterpriseNumber> {
    let digits = match digits.len() {
        9 if !digits.starts_with('0') => format!("0{digits}"),
        _ => digits,
    };
    if digits.len() != 10 || !digits.starts_with(['0', '1']) {
        return Err(InvalidEnterpriseNumber::NotBelgian);
    }
    let (body, check) = digits.split_at_checked(8).ok_or(InvalidEnterpriseNumber::NotBelgian)?;
    let number = |text: &str| text.parse::<u32>().map_err(|_| InvalidEnterpriseNumber::NotBelgian);
    match 97 - number(body)? % 97 == number(check)? {
        true => Ok(digits),
        false => Err(InvalidEnterpriseNumber::CheckDigits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_belgian_number_is_read_as_people_write_it() {
        for text in ["0123456749", "0123.456.749", "BE 0123 456 749", " 0123456749 "] {
            let number = EnterpriseNumber::parse(Country::Belgium, text);
            assert_eq!(number.map(|n| n.digits), Ok("0123456749".to_owned()), "{text:?}");
        }
    }

    #[test]
    fn a_belgian_number_is_read_in_every_common_writing() {
        for text in [
            "0403.170.701",
            "403170701",
            "403.170.701",
            "BE 0403.170.701",
            "be0403170701",
            "Be 403.170.701",
            "BE0403.170.701",
            "BE-0403-170-701",
            "BE 0403/170/701",
            "TVA BE 403.170.701",
            "T.V.A. BE 0403.170.701",
            "TVABE0403170701",
            "tva: be 0403 170 701",
            "BTW-nr. BE 0403.170.701",
            "BTW BE0403.170.701",
            "BTWBE 0403170701",
            "VAT No. BE0403170701",
            "MwSt.-Nr. BE 0403.170.701",
            "USt-IdNr. BE 0403.170.701",
            "N° TVA BE 0403.170.701",
            "N° TVA : 0403.170.701",
            "Nº de TVA 0403.170.701",
            "№ 0403.170.701",
            "Numéro d'entreprise 0403.170.701",
            "N° d’entreprise : BE 0403.170.701",
            "Ondernemingsnummer: 0403.170.701",
            "ondernemingsnr. 0403.170.701",
            "Unternehmensnummer 0403.170.701",
            "RPM 0403.170.701",
            "RPR 0403.170.701",
            "KBO 0403.170.701",
            "BCE/KBO 0403.170.701",
            "KBO-nr. BE0403170701",
            "0403.170.701 RPM Bruxelles",
            "BE 0403.170.701 RPR Antwerpen, afdeling Mechelen",
            "0403.170.701 (BE)",
            "0403170701 BE",
            "BE 0403.170.701 (TVA)",
            "0403.170.701;",
            "RPM Bruxelles 0403.170.701",
            "RPR Gent, afdeling Brugge 0403.170.701",
            "ON 0403.170.701",
            "O.N. 0403.170.701",
            "N.E. 0403.170.701",
            "Assujetti à la TVA BE 0403.170.701",
            "BTW-plichtig BE 0403.170.701",
            "BE\u{a0}0403\u{202f}170\u{2009}701",
            "0403–170–701",
            "0403‑170‑701",
            "BE ０４０３．１７０．７０１",
            "\u{feff}0403170701\u{200b}",
            "\t0403170701\r\n",
        ] {
            let number = EnterpriseNumber::parse(Country::Belgium, text);
            assert_eq!(number.map(|n| n.digits), Ok("0403170701".to_owned()), "{text:?}");
        }
        let newer = EnterpriseNumber::parse(Country::Belgium, "BE 1000.000.021");
        assert_eq!(newer.map(|n| n.digits), Ok("1000000021".to_owned()), "newer numbers begin with 1");
    }

    #[test]
    fn a_refusal_says_what_is_wrong() {
        use InvalidEnterpriseNumber::*;
        for (country, text, why) in [
            (Country::Belgium, "0403.170.702", CheckDigits),
            (Country::Belgium, "be 403170702", CheckDigits),
            (Country::Belgium, "", NotBelgian),
            (Country::Belgium, "TVA", NotBelgian),
            (Country::Belgium, "0403.170.70", NotBelgian),
            (Country::Belgium, "0403.170.7011", NotBelgian),
            (Country::Belgium, "2403.170.701", NotBelgian),
            (Country::Belgium, "0403.17O.701", OtherCharacters),
            (Country::Belgium, "0403.170.701x", OtherCharacters),
            (Country::Belgium, "Dupont 0403.170.701", OtherCharacters),
            (Country::Belgium, "0403+170+701", OtherCharacters),
            (Country::Belgium, "NL 0403.170.701", OtherCountry),
            (Country::Belgium, "TVA FR 403170701", OtherCountry),
            (Country::Belgium, "DE 403170701", OtherCountry),
            (Country::Belgium, "USt-IdNr. DE 403170701", OtherCountry),
            (Country::Belgium, "lu12345678", OtherCountry),
            (Country::Belgium, "ATU12345678", OtherCountry),
            (Country::Belgium, "CHE-123.456.789", OtherCountry),
            (Country::Belgium, "ESX1234567X", OtherCountry),
            (Country::Belgium, "0403.170.701 FR", OtherCountry),
            (Country::Belgium, "0403.170.701 Dupont", OtherCharacters),
            (Country::Netherlands, "BE 12345678", OtherCountry),
            (Country::Netherlands, "RSIN 123456789", NotDutch),
            (Country::Netherlands, "RSIN 12345678", NotDutch),
            (Country::Netherlands, "NL123456789B01", DutchVat),
            (Country::Netherlands, "NL 1234.56.789.B01", DutchVat),
            (Country::Netherlands, "123456789", NotDutch),
            (Country::Netherlands, "KvK 1234567", NotDutch),
            (Country::Netherlands, "1234567é", OtherCharacters),
        ] {
            assert_eq!(EnterpriseNumber::parse(country, text), Err(why), "{text:?}");
        }
    }

    #[test]
    fn a_dutch_number_has_eight_digits() {
        for text in [
            "12345678",
            "1234 5678",
            "KvK 12345678",
            "kvk-nummer: 12.34.56.78",
            "NL 12345678",
            "Handelsregister nr. 12345678",
            "12345678 (KvK)",
            "KvK Amsterdam 12345678",
            "Kamer van Koophandel 12345678",
            "Kamer van Koophandel Den Haag: 12345678",
            "dossiernummer 12345678",
        ] {
            let number = EnterpriseNumber::parse(Country::Netherlands, text);
            assert_eq!(number.map(|n| n.digits), Ok("12345678".to_owned()), "{text:?}");
        }
        assert!(EnterpriseNumber::parse(Country::Netherlands, "12345678").is_ok());
        assert_eq!(
            EnterpriseNumber::parse(Country::Netherlands, "1234567"),
            Err(InvalidEnterpriseNumber::NotDutch)
        );
        assert_eq!(
            EnterpriseNumber::parse(Country::Netherlands, "1234567é"),
            Err(InvalidEnterpriseNumber::OtherCharacters)
        );
    }

    proptest! {
        #[test]
        fn exactly_one_pair_of_check_digits_fits(body in 0_u32..20_000_000) {
            let fitting = (0..100_u32)
                .filter(|check| EnterpriseNumber::parse(Country::Belgium, &format!("{body:08}{check:02}")).is_ok())
                .collect::<Vec<_>>();
            prop_assert_eq!(fitting, vec![97 - body % 97]);
        }

        #[test]
        fn one_wrong_digit_is_noticed(body in 0_u32..20_000_000, at in 0_usize..10, other in 0_u8..10) {
            let right = format!("{body:08}{:02}", 97 - body % 97);
            let mut wrong = right.clone();
            wrong.replace_range(at..=at, &other.to_string());
            let read = EnterpriseNumber::parse(Country::Belgium, &wrong);
            prop_assert_eq!(read.is_ok(), wrong == right, "{}", wrong);
        }

        #[test]
        fn parsing_never_panics(text in "\\PC{0,20}") {
            let _ = EnterpriseNumber::parse(Country::Belgium, &text);
            let _ = EnterpriseNumber::parse(Country::Netherlands, &text);
        }
    }
}
