//! Wrong guesses at addresses that are no active account.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use loquet_domain::email_address::EmailHash;
use loquet_domain::lockout::Lockout;
use loquet_domain::ports::Strangers;
use lru::LruCache;

/// Counts in memory, bounded: the address least recently guessed at is forgotten when it is full.
///
/// They are this node's and do not outlive it, unlike an account's, which are in the log: writing
/// them down would let anybody fill the log with names that they made up.
pub struct RecentStrangers {
    counts: Mutex<LruCache<EmailHash, Lockout>>,
}

impl RecentStrangers {
    /// Remembers at most `capacity` addresses, about 200 bytes each.
    #[must_use]
    pub fn new(capacity: NonZeroUsize) -> Self {
        Self { counts: Mutex::new(LruCache::new(capacity)) }
    }
}

impl Strangers for RecentStrangers {
    fn get(&self, email: &EmailHash) -> Lockout {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.get(email).copied().unwrap_or_default()
    }

    fn put(&self, email: EmailHash, lockout: Lockout) {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).put(email, lockout);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_the_least_recent_is_forgotten_first() {
        let strangers = RecentStrangers::new(NonZeroUsize::MIN.saturating_add(1));
        let name = |n: usize| EmailHash(n.to_string());
        for n in 0..100 {
            strangers.put(name(n), Lockout::default().failed(3));
        }
        assert_eq!(strangers.counts.lock().map(|counts| counts.len()).ok(), Some(2));
        assert_eq!(strangers.get(&name(99)), Lockout::default().failed(3));
        assert_eq!(strangers.get(&name(0)), Lockout::default());
    }
}
