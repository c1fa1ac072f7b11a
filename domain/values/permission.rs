//! The permissions that a group can grant. They follow the portal's menus.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A permission. Its name is part of the storage format: never change one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// See payments.
    ViewTransactions,
    /// See invoices.
    ViewInvoices,
    /// Create users and grant them permissions. Nobody can grant a permission that they lack.
    ManageUsers,
    /// Assign terminals to sites.
    ManageTerminals,
    /// Set the layout of receipts.
    ManageReceipts,
    /// Activate the terminal app.
    ActivateTerminalApp,
    /// Name sites. With this permission on every site: also change the company's names and addresses.
    ManageCompany,
}

impl Permission {
    /// All permissions.
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

    /// Reads a name. Returns `None` for an unknown one.
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
