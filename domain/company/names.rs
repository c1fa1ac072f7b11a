//! The names of companies and sites.

use serde::{Deserialize, Serialize};

use crate::address::{Address, is_text};

/// A company's name: 1 to 200 printable characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CompanyName(String);

/// Why a text is no company name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a company's name has 1 to 200 printable characters")]
pub struct InvalidCompanyName;

impl CompanyName {
    /// Takes a name, outer white space dropped.
    ///
    /// # Errors
    /// [`InvalidCompanyName`] where it is empty, over 200 characters, or has control characters.
    pub fn parse(text: &str) -> Result<Self, InvalidCompanyName> {
        let text = text.trim();
        if is_text(text, 200) { Ok(Self(text.to_owned())) } else { Err(InvalidCompanyName) }
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
#[error("a site's name has 1 to 100 printable characters")]
pub struct InvalidSiteName;

impl SiteName {
    /// Takes a name, outer white space dropped.
    ///
    /// # Errors
    /// [`InvalidSiteName`] where it is empty, over 100 characters, or has control characters.
    pub fn parse(text: &str) -> Result<Self, InvalidSiteName> {
        let text = text.trim();
        if is_text(text, 100) { Ok(Self(text.to_owned())) } else { Err(InvalidSiteName) }
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
