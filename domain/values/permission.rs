//! What a group can permit: the portal's menus.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One of the portal's menus. Its name is part of the storage format: never change one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// See what was paid.
    ViewTransactions,
    /// See what is owed.
    ViewInvoices,
    /// Create users and say what they may do, never more than oneself may.
    ManageUsers,
    /// Assign terminals to sites.
    ManageTerminals,
    /// Say what receipts look like.
    ManageReceipts,
    /// Activate the terminal app.
    ActivateTerminalApp,
    /// Name sites; on every site, change the company's names and addresses.
    ManageCompany,
}

impl Permission {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::ViewTransactions,
        Self::ViewInvoices,
        Self::ManageUsers,
        Self::ManageTerminals,
        Self::ManageReceipts,
        Self::ActivateTerminalApp,
        Self::ManageCompany,
    ];

    /// Its name in the log and in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ViewTransactions => "view_transactions",
            Self::ViewInvoices => "view_invoices",
            Self::ManageUsers => "manage_users",
            Self::ManageTerminals => "manage_terminals",
            Self::ManageReceipts => "manage_receipts",
            Self::ActivateTerminalApp => "activate_terminal_app",
            Self::ManageCompany => "manage_company",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|permission| permission.name() == name)
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_stored_under_its_name() {
        for permission in Permission::ALL {
            assert_eq!(serde_json::json!(permission), permission.name());
            assert_eq!(Permission::parse(permission.name()), Some(permission));
        }
    }
}
