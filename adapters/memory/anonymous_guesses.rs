//! Wrong guesses at addresses that belong to no active account.

use std::future::ready;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use loquet_domain::policies::lockout::Lockout;
use loquet_domain::ports::{AnonymousGuesses, BoxFuture, CountError, GuessesUnavailable};
use loquet_domain::values::email_address::EmailHash;
use lru::LruCache;

use loquet_files::snapshot_file;

/// Counts guesses in memory. The number of addresses is bounded: when it is full, the least recently guessed
/// address is forgotten.
///
/// The counts belong to this node. An account's guesses are in the log, but these are not: otherwise anybody
/// could fill the log with made-up names. A clean stop saves the counts in a file. A kill loses them.
pub struct MemoryAnonymousGuesses {
    counts: Mutex<LruCache<EmailHash, Lockout>>,
}

impl MemoryAnonymousGuesses {
    /// Remembers at most `capacity` addresses, about 200 bytes each.
    #[must_use]
    pub fn new(capacity: NonZeroUsize) -> Self {
        Self { counts: Mutex::new(LruCache::new(capacity)) }
    }
}

impl MemoryAnonymousGuesses {
    /// Loads what [`MemoryAnonymousGuesses::save`] saved. If the file can't be read, the counts start at
    /// zero. These counts protect no account's password.
    pub fn load(&self, path: &Path) {
        let kept: Vec<(EmailHash, Lockout)> = snapshot_file::load(path);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for (email, lockout) in kept {
            counts.put(email, lockout);
        }
    }

    /// Saves the counts for the next start. The file holds only hashes of addresses.
    ///
    /// # Errors
    /// The file system's error.
    pub fn save(&self, path: &Path) -> std::io::Result<()> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        // Oldest first. So after loading, the oldest is still the first to be forgotten.
        let kept: Vec<_> = counts.iter().rev().collect();
        snapshot_file::save(path, &kept)
    }
}

impl MemoryAnonymousGuesses {
    fn get_now(&self, email: &EmailHash) -> Lockout {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.get(email).copied().unwrap_or_default()
    }

    fn replace_now(&self, email: &EmailHash, judged: Lockout, next: Lockout) -> Result<(), CountError> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let actual = counts.get(email).copied().unwrap_or_default();
        if actual != judged {
            return Err(CountError::Conflict { actual });
        }
        counts.put(email.clone(), next);
        Ok(())
    }
}

impl AnonymousGuesses for MemoryAnonymousGuesses {
    fn get<'a>(&'a self, email: &'a EmailHash) -> BoxFuture<'a, Result<Lockout, GuessesUnavailable>> {
        Box::pin(ready(Ok(self.get_now(email))))
    }

    fn replace<'a>(
        &'a self,
        email: &'a EmailHash,
        judged: Lockout,
        next: Lockout,
    ) -> BoxFuture<'a, Result<(), CountError>> {
        Box::pin(ready(self.replace_now(email, judged, next)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loquet_domain::Moment;

    #[test]
    fn a_clean_stop_keeps_the_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("strangers");
        let (before, after) =
            (MemoryAnonymousGuesses::new(NonZeroUsize::MIN), MemoryAnonymousGuesses::new(NonZeroUsize::MIN));
        let counted = Lockout::default().failed(Moment::MIN_UTC, 6, 0);
        before.replace_now(&EmailHash("ab".to_owned()), Lockout::default(), counted).unwrap();
        before.save(&path).unwrap();
        after.load(&path);
        assert_eq!(
            after.get_now(&EmailHash("ab".to_owned())),
            Lockout::default().failed(Moment::MIN_UTC, 6, 0)
        );
        std::fs::write(&path, "nonsense").unwrap();
        after.load(&path);
    }

    #[test]
    fn memory_is_bounded_and_the_least_recent_is_forgotten_first() {
        let anonymous = MemoryAnonymousGuesses::new(NonZeroUsize::MIN.saturating_add(1));
        let name = |n: usize| EmailHash(n.to_string());
        for n in 0..100 {
            let counted = Lockout::default().failed(Moment::MIN_UTC, 3, 0);
            anonymous.replace_now(&name(n), Lockout::default(), counted).unwrap();
        }
        assert_eq!(anonymous.counts.lock().map(|counts| counts.len()).ok(), Some(2));
        assert_eq!(anonymous.get_now(&name(99)), Lockout::default().failed(Moment::MIN_UTC, 3, 0));
        assert_eq!(anonymous.get_now(&name(0)), Lockout::default());
    }
}
