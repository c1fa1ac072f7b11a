//! The registration number of a company.

use std::fmt;

use serde::{Deserialize, Serialize};

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
    /// Belgian numbers have ten digits. The first is 0 or 1.
    #[error("a Belgian enterprise number has 10 digits, the first a 0 or a 1")]
    NotBelgian,
    /// The last two digits are 97 minus the first eight modulo 97.
    #[error("the check digits of this Belgian enterprise number are wrong")]
    CheckDigits,
    /// Dutch KvK numbers have eight digits.
    #[error("a Dutch KvK number has 8 digits")]
    NotDutch,
}

impl EnterpriseNumber {
    /// Reads a number as people write it. Spaces, dots and a leading country code are dropped.
    ///
    /// # Errors
    /// [`InvalidEnterpriseNumber`] says which rule the number breaks.
    pub fn parse(country: Country, text: &str) -> Result<Self, InvalidEnterpriseNumber> {
        let text = text.trim();
        let text = text.strip_prefix(&country.to_string()).unwrap_or(text);
        let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '.')).collect();
        let all_digits = digits.bytes().all(|b| b.is_ascii_digit());
        match country {
            Country::Netherlands if all_digits && digits.len() == 8 => {}
            Country::Netherlands => return Err(InvalidEnterpriseNumber::NotDutch),
            Country::Belgium => check_belgian(&digits, all_digits)?,
        }
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

fn check_belgian(digits: &str, all_digits: bool) -> Result<(), InvalidEnterpriseNumber> {
    if !all_digits || digits.len() != 10 || !digits.starts_with(['0', '1']) {
        return Err(InvalidEnterpriseNumber::NotBelgian);
    }
    let (body, check) = digits.split_at_checked(8).ok_or(InvalidEnterpriseNumber::NotBelgian)?;
    let number = |text: &str| text.parse::<u32>().map_err(|_| InvalidEnterpriseNumber::NotBelgian);
    if 97 - number(body)? % 97 == number(check)? { Ok(()) } else { Err(InvalidEnterpriseNumber::CheckDigits) }
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
    fn a_dutch_number_has_eight_digits() {
        assert!(EnterpriseNumber::parse(Country::Netherlands, "12345678").is_ok());
        assert_eq!(
            EnterpriseNumber::parse(Country::Netherlands, "1234567"),
            Err(InvalidEnterpriseNumber::NotDutch)
        );
        assert_eq!(
            EnterpriseNumber::parse(Country::Netherlands, "1234567é"),
            Err(InvalidEnterpriseNumber::NotDutch)
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
        fn parsing_never_panics(text in "\\PC{0,20}") {
            let _ = EnterpriseNumber::parse(Country::Belgium, &text);
            let _ = EnterpriseNumber::parse(Country::Netherlands, &text);
        }
    }
}
