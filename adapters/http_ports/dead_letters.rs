//! Orders that came as messages and could not be taken.

use loquet_domain::Moment;
use loquet_domain::ports::BoxFuture;

/// An order that could not be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Where the order is: topic, partition and offset, such as `loquet.orders.v1/3/1042`.
    pub id: String,
    /// When it was found that it can't be taken.
    pub since: Moment,
    /// Why it can't be taken, in English.
    pub reason: String,
}

/// The dead letters can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the orders that could not be taken can't be read: {0}")]
pub struct DeadLettersUnreadable(pub String);

/// What keeps the dead letters.
pub trait DeadLetters: Send + Sync {
    /// All dead letters, the oldest first.
    ///
    /// # Errors
    /// [`DeadLettersUnreadable`] says why.
    fn list(&self) -> BoxFuture<'_, Result<Vec<DeadLetter>, DeadLettersUnreadable>>;
}
