//! Proves what the log says: a Merkle tree over its events (RFC 6962, 2.1), and signed checkpoints of the tree (C2SP
//! signed-note and tlog-checkpoint). Whoever has a checkpoint can tell later whether the log still has the same events.
//!
//! The tree contains the encrypted parts of events as they are stored. So the erasure of a person, which deletes a key,
//! changes nothing in it.
#![forbid(unsafe_code)]

pub mod checkpoint;
pub mod inclusion;
pub mod leaf;
pub mod note;
pub mod tree;
pub mod tree_files;
pub mod verification;
pub mod witness;
