//! Inclusion proofs as text that is checked without the log (C2SP tlog-proof, <https://c2sp.org/tlog-proof>).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::checkpoint::Checkpoint;
use crate::note::{NoteError, VerifierKey};
use crate::tree::{Hash, is_included, leaf_hash};

/// The first line of a proof.
const HEAD: &str = "c2sp.org/tlog-proof@v1";

/// A proof that an event is in the log. The extra data is the event's leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InclusionProof {
    /// The leaf: the bytes of the event.
    pub leaf: Vec<u8>,
    /// Its index in the tree. The first is 0.
    pub index: u64,
    /// The hashes beside its way to the root.
    pub hashes: Vec<Hash>,
    /// The signed checkpoint of the tree.
    pub checkpoint: String,
}

/// Why a proof proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoProof {
    /// The text is not a proof.
    #[error("this is no proof of inclusion (c2sp.org/tlog-proof): {0}")]
    Malformed(&'static str),
    /// Its checkpoint was not signed by the key.
    #[error(transparent)]
    Checkpoint(#[from] NoteError),
    /// The event is not in the tree of the checkpoint.
    #[error("the event is not in the log that was signed: it was altered, or the proof is of another log")]
    NotIncluded,
}

impl std::fmt::Display for InclusionProof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{HEAD}\nextra {}\nindex {}", STANDARD.encode(&self.leaf), self.index)?;
        self.hashes.iter().try_for_each(|hash| writeln!(f, "{}", STANDARD.encode(hash.0)))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

impl InclusionProof {
    /// Reads a proof.
    ///
    /// # Errors
    /// [`NoProof::Malformed`] says why the text is none.
    pub fn parse(text: &str) -> Result<Self, NoProof> {
        let no = NoProof::Malformed;
        let (head, checkpoint) = text.split_once("\n\n").ok_or(no("it has no checkpoint"))?;
        let mut lines = head.lines();
        if lines.next() != Some(HEAD) {
            return Err(no("it does not begin with c2sp.org/tlog-proof@v1"));
        }
        let leaf = lines.next().and_then(|line| line.strip_prefix("extra ")).ok_or(no("it has no event"))?;
        let leaf = STANDARD.decode(leaf).map_err(|_| no("its event is not base64"))?;
        let index = lines.next().and_then(|line| line.strip_prefix("index "));
        let index = index.and_then(|index| index.parse().ok()).ok_or(no("it has no index"))?;
        let hash = |line: &str| {
            let bytes = STANDARD.decode(line).ok()?;
            bytes.try_into().ok().map(Hash)
        };
        let hashes = lines.map(hash).collect::<Option<_>>().ok_or(no("a hash has not 32 bytes in base64"))?;
        Ok(Self { leaf, index, hashes, checkpoint: checkpoint.to_owned() })
    }

    /// Checks the proof with the public key of the log alone. Returns the checkpoint.
    ///
    /// # Errors
    /// [`NoProof`] says why it proves nothing.
    pub fn check(&self, key: &VerifierKey) -> Result<Checkpoint, NoProof> {
        let checkpoint = Checkpoint::open(&self.checkpoint, key)?;
        let leaf = leaf_hash(&self.leaf);
        match is_included(leaf, self.index, checkpoint.size, &self.hashes, checkpoint.root) {
            true => Ok(checkpoint),
            false => Err(NoProof::NotIncluded),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leaf::leaf;
    use crate::note::SignerKey;
    use crate::tree::tests::{Leaves, event};
    use crate::tree::{inclusion, root};

    #[test]
    fn a_proof_is_read_as_it_is_written_and_an_altered_one_proves_nothing() {
        let key = SignerKey::new("portal.example/1234", &[7; 32]).unwrap();
        let leaves = Leaves((1..=21).map(|position| leaf_hash(&leaf(&event(position)))).collect());
        let root = root(&leaves, 21).unwrap();
        let checkpoint = Checkpoint { origin: "portal.example/1234".to_owned(), size: 21, root };
        let proof = InclusionProof {
            leaf: leaf(&event(8)),
            index: 7,
            hashes: inclusion(&leaves, 7, 21).unwrap(),
            checkpoint: checkpoint.signed(&key),
        };
        assert_eq!(InclusionProof::parse(&proof.to_string()), Ok(proof.clone()));
        assert_eq!(proof.check(&key.verifier()), Ok(checkpoint));
        let other = InclusionProof { leaf: leaf(&event(9)), ..proof.clone() };
        assert_eq!(other.check(&key.verifier()), Err(NoProof::NotIncluded));
        let forged = InclusionProof { checkpoint: proof.checkpoint.replace("\n21\n", "\n22\n"), ..proof };
        assert!(matches!(forged.check(&key.verifier()), Err(NoProof::Checkpoint(NoteError::Forged(_)))));
        for broken in
            ["", "c2sp.org/tlog-proof@v1\nindex 7\n\n", "c2sp.org/tlog-proof@v1\nextra AA==\nindex x\n\n"]
        {
            assert!(InclusionProof::parse(broken).is_err(), "{broken}");
        }
    }
}
