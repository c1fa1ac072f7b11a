//! The passwords that an account had before its present one, as hashes.

use crate::policies::password_policy::MOST_HISTORY;
use crate::values::erasable::Erasable;
use crate::values::password::PasswordHash;

/// The hashes of former passwords, newest first. As many are kept as any policy may ask for, so that one
/// that asks for more finds them; they are in the fold alone, and sealed in the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PasswordHistory(Vec<Erasable<PasswordHash>>);

impl PasswordHistory {
    /// After a password was replaced by another.
    #[must_use]
    pub fn after(self, replaced: Erasable<PasswordHash>) -> Self {
        // The present one is not among them, and is the first of those that a policy counts.
        Self(std::iter::once(replaced).chain(self.0).take(MOST_HISTORY - 1).collect())
    }

    /// The newest `count` that can still be read.
    pub fn newest(&self, count: usize) -> impl Iterator<Item = &PasswordHash> {
        self.0.iter().take(count).filter_map(Erasable::known)
    }
}
