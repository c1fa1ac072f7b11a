//! The names of account streams, and the account ids that are derived from an order.

use uuid::Uuid;

use crate::ids::{AccountId, LOQUET, OrderId};
use crate::stream::StreamId;
use crate::values::email_address::EmailHash;

/// The category of account streams: the first part of their names. Part of the storage format: never change it.
pub const CATEGORY: &str = "account";

/// The stream of an account.
#[must_use]
pub fn stream(account: AccountId) -> StreamId {
    StreamId::new(CATEGORY, &account.to_string())
}

impl StreamId {
    /// The id of the account whose stream this is. Returns `None` for a stream of any other kind.
    #[must_use]
    pub fn account(&self) -> Option<AccountId> {
        of_stream(self.as_str())
    }
}

/// The id of the account with a stream of this name. Returns `None` for a stream of any other kind.
#[must_use]
pub fn of_stream(stream: &str) -> Option<AccountId> {
    stream.strip_prefix(CATEGORY)?.strip_prefix('-')?.parse().ok()
}

impl AccountId {
    /// The id of the account that this order creates for its contact. The contact's address is part of the id: two
    /// deliveries of one order number that name different contacts must never share an account.
    #[must_use]
    pub fn of_order(order: &OrderId, email: &EmailHash) -> Self {
        Self(Uuid::new_v5(&LOQUET, format!("order/{order}/account/{email}").as_bytes()))
    }
}
