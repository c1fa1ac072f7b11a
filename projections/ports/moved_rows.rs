//! Rows that move from one engine to another, with everything that is beside the log.

use loquet_domain::ports::BoxFuture;
use serde_json::Value;
use strum::VariantArray;

use super::StoreFailed;

/// A table beside the log. Its rows have the same form in every engine: a JSON object with the field `key`, numbers for
/// moments (microseconds since 1970) and positions, and hexadecimal text for bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray)]
pub enum MovedTable {
    /// The server keys that wrap the accounts' keys: their numbers and fingerprints.
    ServerKeys,
    /// What does not follow from the server key, wrapped.
    Secrets,
    /// The accounts' keys, wrapped. An erased account has a row without a key.
    AccountKeys,
    /// How far each reaction has read the log.
    Checkpoints,
    /// The mails, with their fates.
    Mails,
    /// Why no mail goes.
    MailHold,
    /// The webhooks.
    Endpoints,
    /// The deliveries to webhooks.
    Deliveries,
    /// The tokens of programs and staff.
    ServiceTokens,
    /// The answers to commands with idempotency keys.
    Answers,
}

impl MovedTable {
    /// Every table, in the order in which they move.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// Its name, for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ServerKeys => "server keys",
            Self::Secrets => "secrets",
            Self::AccountKeys => "accounts' keys",
            Self::Checkpoints => "checkpoints of reactions",
            Self::Mails => "mails",
            Self::MailHold => "hold of the mails",
            Self::Endpoints => "webhooks",
            Self::Deliveries => "deliveries to webhooks",
            Self::ServiceTokens => "service tokens",
            Self::Answers => "answers to commands",
        }
    }
}

/// Stores whose rows can be moved. No server may run on them meanwhile.
pub trait MovableRows: Send + Sync {
    /// The rows of a table whose keys come after `after`, in the order of their keys. At most `limit`.
    fn rows<'a>(
        &'a self,
        table: MovedTable,
        after: &'a str,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<Value>, StoreFailed>>;

    /// Removes all rows of a table.
    fn clear(&self, table: MovedTable) -> BoxFuture<'_, Result<(), StoreFailed>>;

    /// Adds rows to a table: all of them or none.
    fn put<'a>(&'a self, table: MovedTable, rows: &'a [Value]) -> BoxFuture<'a, Result<(), StoreFailed>>;
}
