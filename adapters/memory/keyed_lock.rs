//! One caller at a time for each key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use loquet_domain::ports::{BoxFuture, KeyedLock};
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

type Turns = Arc<Mutex<HashMap<String, Arc<Turn<()>>>>>;

/// Locks by key. The lock of a key exists only while somebody holds it or waits for it.
#[derive(Default)]
pub struct KeyedLocks {
    turns: Turns,
}

struct Passing {
    key: String,
    guard: Option<OwnedMutexGuard<()>>,
    turns: Turns,
}

impl KeyedLock for KeyedLocks {
    fn acquire(&self, key: String) -> BoxFuture<'_, Box<dyn Send>> {
        let turn = self.lock().entry(key.clone()).or_default().clone();
        let turns = self.turns.clone();
        Box::pin(async move {
            let guard = Some(turn.lock_owned().await);
            let passing: Box<dyn Send> = Box::new(Passing { key, guard, turns });
            passing
        })
    }
}

impl KeyedLocks {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Turn<()>>>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        self.guard.take();
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        // Each waiter holds a reference. If only the map's reference is left, nobody waits, and the entry is
        // removed.
        if turns.get(&self.key).is_some_and(|turn| Arc::strong_count(turn) == 1) {
            turns.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test(flavor = "multi_thread")]
    async fn one_at_a_time_passes_for_a_key_and_nothing_is_kept_behind() {
        let keyed_lock = Arc::new(KeyedLocks::default());
        let inside = Arc::new(AtomicUsize::new(0));
        let callers: Vec<_> = (0..200)
            .map(|_| {
                let (keyed_lock, inside) = (keyed_lock.clone(), inside.clone());
                tokio::spawn(async move {
                    let _turn = keyed_lock.acquire("marie".to_owned()).await;
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    tokio::task::yield_now().await;
                    inside.fetch_sub(1, Ordering::SeqCst);
                })
            })
            .collect();
        for caller in callers {
            assert!(caller.await.is_ok());
        }
        assert!(keyed_lock.lock().is_empty());
    }

    #[tokio::test]
    async fn keys_do_not_wait_for_one_another() {
        let keyed_lock = KeyedLocks::default();
        let _marie = keyed_lock.acquire("marie".to_owned()).await;
        let _jan = keyed_lock.acquire("jan".to_owned()).await;
    }
}
