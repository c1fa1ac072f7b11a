//! Collects broken rules, so that an answer names all of them.

use loquet_domain::company::{CompanyName, InvalidCompanyName};
use loquet_domain::values::email_address::{EmailAddress, InvalidEmail};
use loquet_domain::values::enterprise_number::{Country, EnterpriseNumber, InvalidEnterpriseNumber};
use loquet_domain::values::language::Language;
use loquet_domain::values::person::{InvalidName, Person, PersonName};

use crate::responses::problem::{Fault, Problem};

/// Returns the JSON pointer of an item in a list of the request. If the item is not in the list, the pointer
/// names the list.
pub(crate) fn item<T: PartialEq>(list: &str, named: Option<&[T]>, item: T) -> String {
    match named.and_then(|named| named.iter().position(|other| *other == item)) {
        Some(place) => format!("{list}/{place}"),
        None => list.to_owned(),
    }
}

/// Collects broken rules while a body is converted into values.
#[derive(Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, pointer: impl Into<String>, rule: &'static str) {
        self.0.push(Fault { pointer: pointer.into(), rule, places: Vec::new() });
    }

    pub(crate) fn add_with(
        &mut self,
        pointer: &str,
        rule: &'static str,
        place: &'static str,
        text: impl ToString,
    ) {
        self.0.push(Fault { pointer: pointer.to_owned(), rule, places: vec![(place, text.to_string())] });
    }

    /// Returns the value, or records the rule that it breaks.
    pub(crate) fn check<T, E>(
        &mut self,
        pointer: &str,
        value: Result<T, E>,
        rule: impl FnOnce(&E) -> &'static str,
    ) -> Option<T> {
        value.map_err(|error| self.add(pointer, rule(&error))).ok()
    }

    pub(crate) fn email(&mut self, pointer: &str, text: &str) -> Option<EmailAddress> {
        self.check(pointer, EmailAddress::parse(text), |error| match error {
            InvalidEmail::TooLong => "email-too-long",
            InvalidEmail::NotAscii => "email-not-ascii",
            InvalidEmail::Malformed => "email-malformed",
        })
    }

    pub(crate) fn language(&mut self, pointer: &str, code: &str) -> Option<Language> {
        self.check(pointer, Language::parse(code).ok_or(()), |()| "language-unknown")
    }

    pub(crate) fn person(&mut self, under: &str, email: &str, given: &str, family: &str) -> Option<Person> {
        let email = self.email(&format!("{under}/email"), email);
        let mut name = |field: &str, text| self.person_name(&format!("{under}/{field}"), text);
        let (given_name, family_name) = (name("given_name", given), name("family_name", family));
        Some(Person { email: email?, given_name: given_name?, family_name: family_name? })
    }

    pub(crate) fn person_name(&mut self, pointer: &str, text: &str) -> Option<PersonName> {
        self.check(pointer, PersonName::parse(text), |fault| match fault {
            InvalidName::Text => "name-invalid",
            InvalidName::Link => "name-with-link",
        })
    }

    pub(crate) fn enterprise_number(
        &mut self,
        pointer: &str,
        country: Country,
        text: &str,
    ) -> Option<EnterpriseNumber> {
        self.check(pointer, EnterpriseNumber::parse(country, text), |error| match error {
            InvalidEnterpriseNumber::NotBelgian => "enterprise-number-belgian",
            InvalidEnterpriseNumber::CheckDigits => "enterprise-number-check",
            InvalidEnterpriseNumber::NotDutch => "enterprise-number-dutch",
            InvalidEnterpriseNumber::DutchVat => "enterprise-number-dutch-vat",
            InvalidEnterpriseNumber::OtherCountry => "enterprise-number-other-country",
            InvalidEnterpriseNumber::OtherCharacters => "enterprise-number-characters",
        })
    }

    pub(crate) fn company_name(&mut self, pointer: &str, text: &str) -> Option<CompanyName> {
        self.check(pointer, CompanyName::parse(text), |fault| match fault {
            InvalidCompanyName::Text => "company-name-invalid",
            InvalidCompanyName::Link => "name-with-scheme",
        })
    }

    /// Checks the token of a link: its length must be 1 to 1000 bytes.
    pub(crate) fn token(&mut self, token: &str) {
        if !(1..=1000).contains(&token.len()) {
            self.add("/token", "token-invalid");
        }
    }

    pub(crate) fn into_faults(self) -> Vec<Fault> {
        self.0
    }

    /// Returns the value, unless a rule was broken.
    pub(crate) fn finish<T>(self, value: Option<T>) -> Result<T, Problem> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(Problem::invalid(self.0)),
        }
    }
}
