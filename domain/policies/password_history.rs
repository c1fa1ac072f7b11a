//! The hashes of an account's earlier passwords.

use crate::policies::password_policy::MOST_HISTORY;
use crate::values::erasable::Erasable;
use crate::values::password::PasswordHash;

/// The hashes of earlier passwords, newest first. It keeps the highest number that any policy can ask for, so that a
/// stricter policy finds them later. They exist in memory only as part of the state; in the log they are encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PasswordHistory(Vec<Erasable<PasswordHash>>);

impl PasswordHistory {
    /// The history after `replaced` was replaced by another password.
    #[must_use]
    pub fn after(self, replaced: Erasable<PasswordHash>) -> Self {
        // The present password is not in the history. A policy counts it as the first.
        Self(std::iter::once(replaced).chain(self.0).take(MOST_HISTORY - 1).collect())
    }

    /// The newest `count` hashes that can still be read.
    pub fn newest(&self, count: usize) -> impl Iterator<Item = &PasswordHash> {
        self.0.iter().take(count).filter_map(Erasable::known)
    }
}
