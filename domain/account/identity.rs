//! The names of accounts' streams, and the ids of accounts that follow from an order.

use uuid::Uuid;

use crate::ids::{AccountId, LOQUET, OrderId};
use crate::stream::StreamId;
use crate::values::email_address::EmailHash;

/// What the names of accounts' streams begin with. Part of the storage format: never change it.
pub const CATEGORY: &str = "account";

/// The stream of an account.
#[must_use]
pub fn stream(account: AccountId) -> StreamId {
    StreamId::new(CATEGORY, &account.to_string())
}

impl StreamId {
    /// Whose account it is, if it is an account's.
    #[must_use]
    pub fn account(&self) -> Option<AccountId> {
        (self.category() == CATEGORY).then(|| self.id().parse().ok()).flatten()
    }
}

impl AccountId {
    /// The account that this order's contact gets, if the order makes one. The address is part of it:
    /// two deliveries of one order number that name different contacts must never meet in one account.
    #[must_use]
    pub fn of_order(order: &OrderId, email: &EmailHash) -> Self {
        Self(Uuid::new_v5(&LOQUET, format!("order/{order}/account/{email}").as_bytes()))
    }
}
