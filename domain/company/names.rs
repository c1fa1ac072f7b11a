//! The names of companies and sites.

use serde::{Deserialize, Serialize};

use crate::values::address::Address;
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

    /// Names for a site at this address, the shortest first. A later one is for a company that uses the earlier ones.
    pub fn choices(address: &Address) -> impl Iterator<Item = Self> {
        let Address { street, number, postal_code, town, .. } = address;
        let exact = format!("{street} {number}, {postal_code} {town}");
        let numbered = (2..=u32::MAX).map({
            let exact = exact.clone();
            move |n| format!("{exact} ({n})")
        });
        let longer = [format!("{street} {number}, {town}"), exact];
        [Self::of(address).0].into_iter().chain(longer).chain(numbered).map(Self)
    }

    /// The name of a new site: its street and town.
    #[must_use]
    pub fn of(address: &Address) -> Self {
        Self(format!("{}, {}", address.street, address.town))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
