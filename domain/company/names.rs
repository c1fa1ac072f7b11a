//! The names of companies and sites.

use serde::{Deserialize, Serialize};

use crate::values::address::Address;
use crate::values::plain_text::{is_text, names_scheme};

/// A company's name: 1 to 200 printable characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CompanyName(String);

/// Why a text is no company name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCompanyName {
    /// Empty, too long, or with what can't be shown.
    #[error("a company's name has 1 to 200 printable characters")]
    Text,
    /// It names the scheme of a link. A domain is no fault: some are called so.
    #[error("a company's name names no scheme such as https://")]
    Link,
}

impl CompanyName {
    /// Takes a name, outer white space dropped.
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

/// A site's name: 1 to 100 printable characters; longer only where it is a street and a town.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SiteName(String);

/// Why a text is no site name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSiteName {
    /// Empty, too long, or with what can't be shown.
    #[error("a site's name has 1 to 100 printable characters")]
    Text,
    /// It names the scheme of a link. A domain is no fault: some are called so.
    #[error("a site's name names no scheme such as https://")]
    Link,
}

impl SiteName {
    /// Takes a name, outer white space dropped.
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

    /// What a new site is called: its street and town.
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
