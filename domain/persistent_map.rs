//! A persistent map: copies share the parts that are the same.
//!
//! A state is copied for every decision, and a company may have ten thousand terminals. A copy of this map costs a
//! few reference counts. A change copies one part of sixty-four.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

/// The number of parts of a large map.
const PARTS: usize = 64;
/// Up to this many entries a map has only one part. Most companies are small.
const SMALL: usize = 256;

/// A map whose keys are ids. The order of iteration depends on the keys alone.
#[derive(Clone, Debug)]
pub struct PersistentMap<K, V> {
    parts: Vec<Arc<BTreeMap<K, V>>>,
    len: usize,
}

impl<K, V> Default for PersistentMap<K, V> {
    fn default() -> Self {
        Self { parts: Vec::new(), len: 0 }
    }
}

impl<K: Copy + Ord + Into<Uuid>, V: Clone> PersistentMap<K, V> {
    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: K) -> Option<&V> {
        self.parts.get(self.part_of(key))?.get(&key)
    }

    /// Whether there is a value for a key.
    #[must_use]
    pub fn contains(&self, key: K) -> bool {
        self.get(key).is_some()
    }

    /// Sets the value of a key. Replaces an earlier one.
    pub fn insert(&mut self, key: K, value: V) {
        if self.parts.is_empty() {
            self.parts.push(Arc::default());
        }
        if self.len == SMALL && self.parts.len() == 1 {
            self.spread();
        }
        let part = self.part_of(key);
        if let Some(part) = self.parts.get_mut(part) {
            let new = Arc::make_mut(part).insert(key, value).is_none();
            self.len += usize::from(new);
        }
    }

    /// Removes the value of a key and returns it.
    pub fn remove(&mut self, key: K) -> Option<V> {
        let part = self.part_of(key);
        let removed = self.parts.get_mut(part).filter(|part| part.contains_key(&key))?;
        self.len -= 1;
        Arc::make_mut(removed).remove(&key)
    }

    /// Changes the value of a key, if there is one.
    pub fn change(&mut self, key: K, change: impl FnOnce(&mut V)) {
        let part = self.part_of(key);
        let found = self.parts.get_mut(part).filter(|part| part.contains_key(&key));
        if let Some(value) = found.and_then(|part| Arc::make_mut(part).get_mut(&key)) {
            change(value);
        }
    }

    /// All entries.
    pub fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.parts.iter().flat_map(|part| part.iter().map(|(key, value)| (*key, value)))
    }

    fn part_of(&self, key: K) -> usize {
        let [.., last] = *key.into().as_bytes();
        usize::from(last) % self.parts.len().max(1)
    }

    fn spread(&mut self) {
        let entries: Vec<(K, V)> = self.iter().map(|(key, value)| (key, value.clone())).collect();
        self.parts = vec![Arc::default(); PARTS];
        for (key, value) in entries {
            let part = self.part_of(key);
            if let Some(part) = self.parts.get_mut(part) {
                Arc::make_mut(part).insert(key, value);
            }
        }
    }
}

impl<K: Copy + Ord + Into<Uuid>, V: Clone + PartialEq> PartialEq for PersistentMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().all(|(key, value)| other.get(key) == Some(value))
    }
}

impl<K: Copy + Ord + Into<Uuid>, V: Clone + Eq> Eq for PersistentMap<K, V> {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_a_map_and_a_copy_stays_as_it_was(
            done in prop::collection::vec((0_u128..600, prop::option::of(0_u8..9)), 0..900)
        ) {
            let (mut shared, mut plain) = (PersistentMap::default(), BTreeMap::new());
            for (n, (key, value)) in done.iter().enumerate() {
                let (key, before, copy) = (Uuid::from_u128(*key), plain.clone(), shared.clone());
                match value {
                    Some(value) => {
                        shared.insert(key, *value);
                        plain.insert(key, *value);
                    }
                    None => prop_assert_eq!(shared.remove(key), plain.remove(&key)),
                }
                prop_assert_eq!(shared.len(), plain.len());
                prop_assert_eq!(shared.get(key), plain.get(&key));
                if n % 97 == 0 {
                    prop_assert_eq!(copy.iter().map(|(k, v)| (k, *v)).collect::<BTreeMap<_, _>>(), before);
                }
            }
            prop_assert_eq!(shared.iter().map(|(k, v)| (k, *v)).collect::<BTreeMap<_, _>>(), plain);
        }
    }
}
