//! The proof that the log is the one that was written, as auditors see it.

use loquet_domain::Moment;
use loquet_domain::ports::BoxFuture;

/// A checkpoint: a signed statement that the log had these events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// When it was signed.
    pub at: Moment,
    /// The position of the last event that it covers.
    pub position: u64,
    /// The number of events that it covers.
    pub size: u64,
    /// The root of the Merkle tree over them (RFC 6962), in hexadecimal digits. The note has it in Base64.
    pub root: String,
    /// The signed note (C2SP signed-note).
    pub note: String,
}

/// The last comparison of the read models with the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// When it ended.
    pub at: Moment,
    /// The position up to which they were compared.
    pub position: u64,
    /// The names of the read models that differed.
    pub differing: Vec<String>,
}

/// The state of the proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofState {
    /// The public key that checks the checkpoints (C2SP signed-note).
    pub public_key: String,
    /// The number of checkpoints.
    pub count: u64,
    /// The newest checkpoints, the newest first.
    pub newest: Vec<SignedCheckpoint>,
    /// `None`: the read models were not compared yet.
    pub comparison: Option<Comparison>,
}

/// The files of the proof can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the proof of the log can't be read: {0}")]
pub struct ProofUnreadable(pub String);

/// What keeps the proof.
pub trait LogProof: Send + Sync {
    /// Returns the state, with at most `most` checkpoints. What was signed or compared after the position `up_to` is left
    /// out.
    ///
    /// # Errors
    /// [`ProofUnreadable`] says why.
    fn state(&self, most: usize, up_to: u64) -> BoxFuture<'_, Result<ProofState, ProofUnreadable>>;
}
