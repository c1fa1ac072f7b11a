//! The command line of `loquet audit`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Subcommand)]
pub(crate) enum AuditCommand {
    /// Print the public key that checks the checkpoints of this log. Keep it apart from the data.
    Key,
    /// Print the last signed checkpoint of this log. Keep it apart from the data: whoever has it can tell later whether the
    /// log still has the same events.
    Checkpoint,
    /// Compare the whole log with its signed checkpoints. Names each event that was altered, removed, inserted or moved.
    Verify(VerifyLog),
    /// Print a proof that an event is in the log (C2SP tlog-proof). It can be checked without the log.
    Prove {
        /// The position of the event, or its id.
        event: String,
    },
    /// Check a proof that an event is in the log, and print the event. Nothing but the public key is trusted.
    CheckProof(CheckProof),
    /// Print a proof that the log at one checkpoint begins with the log at an earlier one (RFC 6962, 2.1.2).
    Consistency {
        /// The number of events of the earlier checkpoint.
        from: u64,
        /// The number of events of the later checkpoint.
        to: u64,
    },
}

#[derive(Args)]
pub(crate) struct VerifyLog {
    /// The public key, as `audit key` printed it, or a file with it. By default, the file in the data directory is used, which
    /// somebody who changed the log may have changed too.
    #[arg(long, value_name = "KEY")]
    pub(crate) public_key: Option<String>,
    /// A file with checkpoints that was kept apart from the data: a signed note, or JSON Lines as in `proof/checkpoints.jsonl`.
    /// By default, the checkpoints in the data directory are used.
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoints: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct CheckProof {
    /// The file with the proof.
    pub(crate) file: PathBuf,
    /// The public key, as `audit key` printed it, or a file with it.
    #[arg(long, value_name = "KEY")]
    pub(crate) public_key: String,
}
