//! The topics of the contract.

use std::fmt;

/// A topic of public events. The version in its name changes when the meaning of keys changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// Events of accounts. The key is the id of the account.
    Accounts,
    /// Events of companies, their sites, terminals, access rights, receipts and orders. The key is the id of the
    /// company. The key of a take-over's event is the id of the take-over.
    Companies,
}

impl Topic {
    /// All topics.
    pub const ALL: [Self; 2] = [Self::Accounts, Self::Companies];

    /// The topic's name in Kafka, unless the operator configures another.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Accounts => "loquet.accounts.v1",
            Self::Companies => "loquet.companies.v1",
        }
    }

    /// The word for the topic in settings: `accounts` or `companies`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Companies => "companies",
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
