//! A cache of aggregate states, each computed from its stream's events.

use loquet_domain::ports::{Folded, StateCache, StreamId};
use quick_cache::sync::Cache;

/// A bounded cache of aggregate states (S3-FIFO).
pub struct MemoryStateCache<S: Clone> {
    cache: Cache<StreamId, Folded<S>>,
}

impl<S: Clone + Send + Sync> MemoryStateCache<S> {
    /// Keeps at most `capacity` states.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { cache: Cache::new(capacity) }
    }
}

impl<S: Clone + Send + Sync> StateCache<S> for MemoryStateCache<S> {
    fn get(&self, stream: &StreamId) -> Option<Folded<S>> {
        self.cache.get(stream)
    }

    /// An older state never replaces a newer one.
    fn put(&self, stream: &StreamId, folded: &Folded<S>) {
        let newer = self.cache.peek(stream).is_some_and(|held| held.revision > folded.revision);
        if !newer {
            self.cache.insert(stream.clone(), folded.clone());
        }
    }

    fn remove(&self, stream: &StreamId) {
        self.cache.remove(stream);
    }

    fn clear(&self) {
        self.cache.clear();
    }
}
