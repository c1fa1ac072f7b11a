//! The Merkle tree of RFC 6962, 2.1: its hashes and its proofs. The tree is read through [`Nodes`].

use sha2::{Digest, Sha256};

/// A hash of the tree (SHA-256).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hash(pub [u8; 32]);

impl std::fmt::Display for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&base16ct::lower::encode_string(&self.0))
    }
}

/// The hash of a leaf.
#[must_use]
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    Hash(Sha256::new().chain_update([0]).chain_update(leaf).finalize().into())
}

/// The hash of a node with two children.
#[must_use]
pub fn node_hash(left: Hash, right: Hash) -> Hash {
    Hash(Sha256::new().chain_update([1]).chain_update(left.0).chain_update(right.0).finalize().into())
}

/// The root of a tree without leaves.
#[must_use]
pub fn empty_root() -> Hash {
    Hash(Sha256::new().finalize().into())
}

/// Reads the complete nodes of a tree.
pub trait Nodes {
    /// The error of a read.
    type Error;

    /// The node over the leaves from `index << level` to `(index + 1) << level`, all of which exist. A node of level 0 is
    /// the hash of a leaf.
    ///
    /// # Errors
    /// An error if it can't be read.
    fn node(&self, level: u32, index: u64) -> Result<Hash, Self::Error>;
}

/// A proof has an index or sizes that do not fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError<E> {
    /// There is no such leaf, or no such smaller tree.
    #[error("a tree of {size} leaves has no leaf or smaller tree {of}")]
    OutOfRange {
        /// The index of the leaf, or the size of the smaller tree.
        of: u64,
        /// The size of the tree.
        size: u64,
    },
    /// The tree can't be read.
    #[error("the tree can't be read: {0}")]
    Read(E),
}

/// The root of the tree over the first `size` leaves.
///
/// # Errors
/// The error of [`Nodes`].
pub fn root<N: Nodes>(nodes: &N, size: u64) -> Result<Hash, N::Error> {
    match size {
        0 => Ok(empty_root()),
        _ => subtree(nodes, 0, size),
    }
}

/// The hash over the leaves from `begin` to `end`. `begin` is a multiple of the greatest power of two in the length.
fn subtree<N: Nodes>(nodes: &N, begin: u64, end: u64) -> Result<Hash, N::Error> {
    let length = end - begin;
    if length.is_power_of_two() {
        let level = length.trailing_zeros();
        return nodes.node(level, begin >> level);
    }
    let middle = begin + split(length);
    Ok(node_hash(subtree(nodes, begin, middle)?, subtree(nodes, middle, end)?))
}

/// The greatest power of two below a length of at least two.
fn split(length: u64) -> u64 {
    let below = length - 1;
    1 << (u64::BITS - 1 - below.leading_zeros())
}

/// The inclusion proof of a leaf in the tree over the first `size` leaves (RFC 6962, 2.1.1).
///
/// # Errors
/// [`ProofError`] if there is no such leaf, or if the tree can't be read.
pub fn inclusion<N: Nodes>(nodes: &N, index: u64, size: u64) -> Result<Vec<Hash>, ProofError<N::Error>> {
    if index >= size {
        return Err(ProofError::OutOfRange { of: index, size });
    }
    let (mut begin, mut end, mut proof) = (0, size, Vec::new());
    while end - begin > 1 {
        let middle = begin + split(end - begin);
        let other = if index < middle { (middle, end) } else { (begin, middle) };
        proof.push(subtree(nodes, other.0, other.1).map_err(ProofError::Read)?);
        (begin, end) = if index < middle { (begin, middle) } else { (middle, end) };
    }
    proof.reverse();
    Ok(proof)
}

/// The consistency proof between the trees over the first `older` and the first `size` leaves (RFC 6962, 2.1.2).
///
/// # Errors
/// [`ProofError`] if the first is empty or greater than the second, or if the tree can't be read.
pub fn consistency<N: Nodes>(nodes: &N, older: u64, size: u64) -> Result<Vec<Hash>, ProofError<N::Error>> {
    if older == 0 || older > size {
        return Err(ProofError::OutOfRange { of: older, size });
    }
    let (mut begin, mut end, mut is_whole, mut proof) = (0, size, true, Vec::new());
    while end != older {
        let middle = begin + split(end - begin);
        let other = if older <= middle { (middle, end) } else { (begin, middle) };
        proof.push(subtree(nodes, other.0, other.1).map_err(ProofError::Read)?);
        if older <= middle {
            end = middle;
        } else {
            (begin, is_whole) = (middle, false);
        }
    }
    if !is_whole {
        proof.push(subtree(nodes, begin, end).map_err(ProofError::Read)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Whether a proof shows that a leaf with this hash is in the tree with this root (RFC 9162, 2.1.3.2).
#[must_use]
pub fn is_included(leaf: Hash, index: u64, size: u64, proof: &[Hash], expected: Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut node, mut last, mut hash) = (index, size - 1, leaf);
    for other in proof {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(*other, hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(hash, *other);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && hash == expected
}

/// Whether a proof shows that the tree with the second root begins with the leaves of the first (RFC 9162, 2.1.4.2).
#[must_use]
pub fn is_consistent(older: u64, size: u64, proof: &[Hash], old_root: Hash, new_root: Hash) -> bool {
    if older == 0 || older > size {
        return false;
    }
    if older == size {
        return proof.is_empty() && old_root == new_root;
    }
    let mut hashes = proof.iter().copied();
    let first = if older.is_power_of_two() { Some(old_root) } else { hashes.next() };
    let Some(first) = first else { return false };
    let (mut node, mut last) = (older - 1, size - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let (mut old_hash, mut new_hash) = (first, first);
    for other in hashes {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            old_hash = node_hash(other, old_hash);
            new_hash = node_hash(other, new_hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            new_hash = node_hash(new_hash, other);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && old_hash == old_root && new_hash == new_root
}

/// A tree that grows by one leaf after the other, and knows only what its root needs: one hash for each bit of its size.
#[derive(Clone, Debug, Default)]
pub struct Growing {
    size: u64,
    /// The roots of the complete trees of which it consists, the greatest first.
    complete: Vec<Hash>,
}

impl Growing {
    /// Adds a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.complete.pop() {
                hash = node_hash(left, hash);
            }
        }
        self.complete.push(hash);
        self.size += 1;
    }

    /// The number of leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut hashes = self.complete.iter().rev().copied();
        let last = hashes.next().unwrap_or_else(empty_root);
        hashes.fold(last, |right, left| node_hash(left, right))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::convert::Infallible;

    use super::*;
    use loquet_domain::ids::{AccountId, EventId};
    use loquet_domain::ports::{NewEvent, Position, RecordedEvent, Revision, Sealed, StreamId};
    use proptest::prelude::*;
    use tlog_tiles::tlog;
    use uuid::Uuid;

    /// An event for tests.
    pub(crate) fn event(position: u64) -> RecordedEvent {
        let id = u128::from(position);
        RecordedEvent {
            position: Position(position),
            stream: StreamId::new("account", &Uuid::from_u128(id % 3).to_string()),
            revision: Revision(position.div_ceil(3)),
            event: NewEvent {
                id: EventId(Uuid::from_u128(id)),
                name: "login-failed".to_owned(),
                version: 4,
                data: format!("{{\"failures\":{position}}}").into_bytes(),
                metadata: b"{}".to_vec(),
                sealed: position
                    .is_multiple_of(2)
                    .then(|| Sealed { subject: AccountId(Uuid::from_u128(9)), bytes: vec![1, 2, 3] }),
            },
        }
    }

    /// All leaves in memory.
    pub(crate) struct Leaves(pub Vec<Hash>);

    impl Nodes for Leaves {
        type Error = Infallible;

        fn node(&self, level: u32, index: u64) -> Result<Hash, Infallible> {
            let at = |index: u64| self.0[usize::try_from(index).unwrap()];
            Ok(match level {
                0 => at(index),
                _ => {
                    let child = |index| self.node(level - 1, index).unwrap();
                    node_hash(child(2 * index), child(2 * index + 1))
                }
            })
        }
    }

    fn leaves(size: u64) -> Leaves {
        Leaves((0..size).map(|n| leaf_hash(&n.to_be_bytes())).collect())
    }

    /// The tree as an implementation by others reads it.
    impl tlog::HashReader for Leaves {
        fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog::Hash>, tlog::Error> {
            let hash = |index: &u64| {
                let (level, index) = tlog::split_stored_hash_index(*index);
                tlog::Hash(self.node(u32::from(level), index).unwrap().0)
            };
            Ok(indexes.iter().map(hash).collect())
        }
    }

    fn theirs(hash: Hash) -> tlog::Hash {
        tlog::Hash(hash.0)
    }

    proptest! {
        #[test]
        fn roots_and_inclusion_proofs_are_those_of_another_implementation(size in 1..600_u64, index: u64) {
            let (leaves, index) = (leaves(size), index % size);
            let root = root(&leaves, size).unwrap();
            prop_assert_eq!(theirs(root), tlog::tree_hash(size, &leaves).unwrap());
            let mut growing = Growing::default();
            leaves.0.iter().for_each(|leaf| growing.push(*leaf));
            prop_assert_eq!(growing.root(), root);
            let proof = inclusion(&leaves, index, size).unwrap();
            let leaf = leaf_hash(&index.to_be_bytes());
            prop_assert!(is_included(leaf, index, size, &proof, root));
            let given = proof.iter().copied().map(theirs).collect::<Vec<_>>();
            prop_assert!(tlog::check_record(&given, size, theirs(root), index, theirs(leaf)).is_ok());
            // Another leaf, place, size or hash is refused.
            prop_assert!(!is_included(leaf_hash(b"other"), index, size, &proof, root));
            prop_assert!(size == 1 || !is_included(leaf, (index + 1) % size, size, &proof, root));
            for changed in 0..proof.len() {
                let mut proof = proof.clone();
                proof[changed].0[7] ^= 1;
                prop_assert!(!is_included(leaf, index, size, &proof, root));
            }
        }

        #[test]
        fn consistency_proofs_are_those_of_another_implementation(size in 1..600_u64, older: u64) {
            let (leaves, older) = (leaves(size), older % size + 1);
            let (old_root, root) = (root(&leaves, older).unwrap(), root(&leaves, size).unwrap());
            let proof = consistency(&leaves, older, size).unwrap();
            prop_assert!(is_consistent(older, size, &proof, old_root, root));
            let given = proof.iter().copied().map(theirs).collect::<Vec<_>>();
            prop_assert!(tlog::check_tree(&given, size, theirs(root), older, theirs(old_root)).is_ok());
            prop_assert!(!is_consistent(older, size, &proof, leaf_hash(b"other"), root));
            prop_assert!(!is_consistent(older, size, &proof, old_root, leaf_hash(b"other")));
            for changed in 0..proof.len() {
                let mut proof = proof.clone();
                proof[changed].0[7] ^= 1;
                prop_assert!(!is_consistent(older, size, &proof, old_root, root));
            }
        }
    }

    #[test]
    fn a_proof_of_what_is_not_there_is_refused() {
        let leaves = leaves(5);
        assert!(inclusion(&leaves, 5, 5).is_err());
        assert!(consistency(&leaves, 0, 5).is_err());
        assert!(consistency(&leaves, 6, 5).is_err());
        let all = root(&leaves, 5).unwrap();
        assert!(!is_included(leaf_hash(b""), 5, 5, &[], all));
        assert!(!is_consistent(0, 5, &[], empty_root(), all));
        assert!(!is_consistent(6, 5, &[], all, all));
    }
}
