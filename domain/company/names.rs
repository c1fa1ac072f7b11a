//! The names of companies and sites.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::values::address::Address;
use crate::values::latin::{alike, composed};
use crate::values::plain_text::{is_text, names_scheme};

/// A company's name: 1 to 200 printable characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CompanyName(String);

/// Why a text is not accepted as a company's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCompanyName {
    /// Empty, too long, or with a character that cannot be displayed.
    #[error("a company's name has 1 to 200 printable characters")]
    Text,
    /// It contains a URL scheme. A domain is allowed, because some companies are named after theirs.
    #[error("a company's name must not contain a scheme such as https://")]
    Link,
}

impl CompanyName {
    /// Reads a name. Outer white space is dropped.
    ///
    /// # Errors
    /// [`InvalidCompanyName`] says which rule it breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidCompanyName> {
        let text = text.trim();
        if !is_text(text, 200) {
            return Err(InvalidCompanyName::Text);
        }
        if names_scheme(text) { Err(InvalidCompanyName::Link) } else { Ok(Self(text.to_owned())) }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name with composed accents (Unicode NFC), to compare it with another.
    #[must_use]
    pub fn composed(&self) -> Self {
        Self(composed(&self.0))
    }
}

/// A site's name: 1 to 100 printable characters. A name made of a street and a town may be longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SiteName(String);

/// Why a text is not accepted as a site's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSiteName {
    /// Empty, too long, or with a character that cannot be displayed.
    #[error("a site's name has 1 to 100 printable characters")]
    Text,
    /// It contains a URL scheme. A domain is allowed, because some sites are named after theirs.
    #[error("a site's name must not contain a scheme such as https://")]
    Link,
}

impl SiteName {
    /// Reads a name. Outer white space is dropped.
    ///
    /// # Errors
    /// [`InvalidSiteName`] says which rule it breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidSiteName> {
        let text = text.trim();
        if !is_text(text, 100) {
            return Err(InvalidSiteName::Text);
        }
        if names_scheme(text) { Err(InvalidSiteName::Link) } else { Ok(Self(text.to_owned())) }
    }

    /// The name of a new site: its street and town. If another site has a name that is alike, the number is added, then
    /// the box, then the postal code, and at last a number that counts.
    #[must_use]
    pub fn of(address: &Address, taken: &BTreeSet<String>) -> Self {
        let Address { street, number, r#box, postal_code, town, .. } = address;
        let place = match r#box {
            Some(r#box) => format!("{street} {number}/{box}"),
            None => format!("{street} {number}"),
        };
        let last = format!("{place}, {postal_code} {town}");
        let told_apart = [
            format!("{street}, {town}"),
            format!("{street} {number}, {town}"),
            format!("{place}, {town}"),
            last.clone(),
        ];
        let counted = (2..=taken.len() + 2).map(|n| format!("{last} ({n})"));
        let mut names = told_apart.into_iter().chain(counted).map(Self);
        names.find(|name| !taken.contains(&name.alike())).unwrap_or(Self(last))
    }

    /// This name with the street and number behind it, for a site that comes to a company which has another site with a
    /// name that is alike. If that is taken too, a number that counts is added.
    #[must_use]
    pub fn told_apart(&self, address: &Address, taken: &BTreeSet<String>) -> Self {
        let Address { street, number, .. } = address;
        let first = format!("{}, {street} {number}", self.0);
        let counted = (2..=taken.len() + 2).map(|n| format!("{first} ({n})"));
        let mut names = std::iter::once(first.clone()).chain(counted).map(Self);
        names.find(|name| !taken.contains(&name.alike())).unwrap_or(Self(first))
    }

    /// The name without the differences by which people do not tell two names apart.
    #[must_use]
    pub fn alike(&self) -> String {
        alike(&self.0)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
