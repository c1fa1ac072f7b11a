//! A postal address.

use serde::{Deserialize, Serialize};

use crate::values::latin::plain;
use crate::values::plain_text::is_text;

/// An address. Each part is present and short enough to print.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Street, without the number.
    pub street: String,
    /// House number, letters included.
    pub number: String,
    /// Box, floor or suite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#box: Option<String>,
    /// Postal code: four digits in Belgium, `1234 AB` in the Netherlands. The country may stand before it: `B-1000`.
    pub postal_code: String,
    /// Town.
    pub town: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
}

/// A part of an address that is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{part}: {rule}")]
pub struct InvalidPart {
    /// The name of the field.
    pub part: &'static str,
    /// The rule that it breaks.
    pub rule: AddressRule,
}

/// A rule for a part of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressRule {
    /// Empty, longer than 100 characters, or with characters that cannot be printed.
    #[error("1 to 100 printable characters")]
    Text,
    /// Not a postal code of the address's country.
    #[error("not a postal code of that country")]
    PostalCode,
    /// Not a code of ISO 3166-1 alpha-2.
    #[error("an ISO 3166 code of two capital letters")]
    Country,
}

impl Address {
    /// Trims each part and checks it.
    ///
    /// # Errors
    /// All parts that are not valid.
    pub fn check(self) -> Result<Self, Vec<InvalidPart>> {
        let trim = |text: String| text.trim().to_owned();
        let address = Self {
            street: trim(self.street),
            number: trim(self.number),
            r#box: self.r#box.map(trim).filter(|text| !text.is_empty()),
            postal_code: trim(self.postal_code),
            town: trim(self.town),
            country: trim(self.country),
        };
        let texts = [
            ("street", Some(&address.street)),
            ("number", Some(&address.number)),
            ("box", address.r#box.as_ref()),
            ("town", Some(&address.town)),
        ];
        let broken = |part, rule| InvalidPart { part, rule };
        let mut faults: Vec<_> = texts
            .into_iter()
            .filter(|(_, text)| text.is_some_and(|text| !is_text(text, 100)))
            .map(|(part, _)| broken(part, AddressRule::Text))
            .collect();
        if !is_postal_code(&address.country, &address.postal_code) {
            faults.push(broken("postal_code", AddressRule::PostalCode));
        }
        if !is_country(&address.country) {
            faults.push(broken("country", AddressRule::Country));
        }
        if faults.is_empty() { Ok(address) } else { Err(faults) }
    }
}

/// A postal code without the country before it, spaces and case: `B-1000`, `BE 1000`, `1012 AB`.
pub(super) fn folded_code(country: &str, code: &str) -> String {
    let code: String = plain(code).into_iter().filter(|c| c.is_alphanumeric()).collect();
    let country = country.to_lowercase();
    let short = country.get(..1).unwrap_or_default();
    let number = [country.as_str(), short].into_iter().find_map(|prefix| code.strip_prefix(prefix));
    match number {
        // The codes of some countries begin with letters.
        Some(number)
            if PREFIXED.contains(&country.as_str()) && number.starts_with(|c: char| c.is_ascii_digit()) =>
        {
            number.to_owned()
        }
        _ => code,
    }
}

/// The countries before whose postal codes people write the country.
const PREFIXED: [&str; 7] = ["be", "nl", "lu", "fr", "de", "at", "ch"];

/// Whether a code has the form of the country's postal codes. The country may stand before it, as in `B-1000`.
fn is_postal_code(country: &str, code: &str) -> bool {
    if !is_text(code, 16) {
        return false;
    }
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let folded = folded_code(country, code);
    // Neither country has codes below 1000. The Netherlands give no code with these letters.
    let given = |number: &str| digits(number) && !number.starts_with('0');
    let ungiven = ["SA", "SD", "SS"];
    match (country, folded.split_at_checked(4)) {
        ("BE", Some((number, ""))) => given(number),
        ("NL", Some((number, letters))) => {
            given(number)
                && letters.len() == 2
                && letters.bytes().all(|b| b.is_ascii_alphabetic())
                && !ungiven.iter().any(|pair| pair.eq_ignore_ascii_case(letters))
        }
        ("BE" | "NL", _) => false,
        _ => true,
    }
}

/// The codes of ISO 3166-1 alpha-2 that are assigned, as of 2026, and `XK`, which many use for Kosovo.
const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS \
    BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ \
    FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT \
    JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP \
    MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE \
    RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV \
    TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW";

/// Whether a text is the code of a country.
fn is_country(code: &str) -> bool {
    COUNTRIES.split_ascii_whitespace().any(|country| country == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rue_neuve() -> Address {
        Address {
            street: " Rue Neuve ".into(),
            number: "12".into(),
            r#box: Some(" ".into()),
            postal_code: "1000".into(),
            town: "Bruxelles".into(),
            country: "BE".into(),
        }
    }

    #[test]
    fn parts_are_trimmed_and_an_empty_box_is_none() {
        let address = rue_neuve().check().map(|a| (a.street, a.r#box));
        assert_eq!(address, Ok(("Rue Neuve".to_owned(), None)));
    }

    #[test]
    fn every_broken_part_is_named_at_once() {
        let broken = Address {
            street: String::new(),
            postal_code: "10000".into(),
            town: "a\u{7}b".into(),
            ..rue_neuve()
        };
        let parts = broken.check().map_err(|faults| faults.into_iter().map(|f| f.part).collect::<Vec<_>>());
        assert_eq!(parts, Err(vec!["street", "town", "postal_code"]));
    }

    #[test]
    fn a_dutch_postal_code_has_four_digits_and_two_letters() {
        assert!(is_postal_code("NL", "1012 AB"));
        assert!(!is_postal_code("NL", "1012"));
        assert!(!is_postal_code("BE", "1012 AB"));
        assert!(is_postal_code("NL", "1012ab") && is_postal_code("NL", "NL-1012 AB"));
        assert!(!is_postal_code("NL", "1012 ABC") && !is_postal_code("NL", "BE-1012 AB"));
    }

    #[test]
    fn a_country_is_one_that_exists() {
        assert_eq!(COUNTRIES.split_ascii_whitespace().count(), 250);
        for (code, exists) in
            [("BE", true), ("NL", true), ("XX", false), ("be", false), ("B", false), ("", false)]
        {
            assert_eq!(is_country(code), exists, "{code}");
        }
    }

    #[test]
    fn a_postal_code_is_one_that_can_exist() {
        for (country, code) in [("BE", "0999"), ("NL", "0012 AB"), ("NL", "1012 SS"), ("NL", "1012sa")] {
            assert!(!is_postal_code(country, code), "{code}");
        }
    }

    #[test]
    fn the_country_may_stand_before_a_postal_code() {
        for code in ["1000", "B-1000", "b-1000", "BE-1000", "B 1000", "BE1000", "B–1000", "1000 "] {
            assert!(is_postal_code("BE", code), "{code}");
        }
        for code in ["", "B-100", "L-1000", "BE-10000", "B-", "N-1000", "1000 B"] {
            assert!(!is_postal_code("BE", code), "{code}");
        }
        assert!(is_postal_code("LU", "L-1234") && is_postal_code("FR", "F-59000"));
    }
}
