//! The proof as the HTTP interface shows it to auditors.

use anyhow::Context as _;
use loquet_domain::ports::BoxFuture;
use loquet_http_ports::log_proof::{Comparison, LogProof, ProofState, ProofUnreadable, SignedCheckpoint};
use loquet_proof::checkpoint::Checkpoint;

use super::ProofFiles;
use crate::cli::DataDirectory;
use crate::self_check::Checked;

/// The proof in a data directory.
pub(crate) struct ShownProof {
    pub(crate) directory: DataDirectory,
}

impl ShownProof {
    fn read(directory: &DataDirectory, most: usize, up_to: u64) -> anyhow::Result<ProofState> {
        let files = ProofFiles::of(directory);
        let key = files.verifier()?;
        let mut kept = files.kept()?;
        kept.retain(|kept| kept.position <= up_to);
        let newest = kept.iter().rev().take(most).map(|kept| {
            let checkpoint = Checkpoint::open(&kept.note, &key).context("a checkpoint can't be read")?;
            Ok(SignedCheckpoint {
                at: kept.at,
                position: kept.position,
                size: checkpoint.size,
                root: checkpoint.root.to_string(),
                note: kept.note.clone(),
            })
        });
        let comparison = Checked::last(directory).filter(|checked| checked.position.0 <= up_to);
        let comparison = comparison.map(|checked| Comparison {
            at: checked.at,
            position: checked.position.0,
            differing: checked.differing.into_keys().collect(),
        });
        Ok(ProofState {
            public_key: key.to_string(),
            count: u64::try_from(kept.len())?,
            newest: newest.collect::<anyhow::Result<_>>()?,
            comparison,
        })
    }
}

impl LogProof for ShownProof {
    fn state(&self, most: usize, up_to: u64) -> BoxFuture<'_, Result<ProofState, ProofUnreadable>> {
        let directory = self.directory.clone();
        Box::pin(async move {
            let read = tokio::task::spawn_blocking(move || Self::read(&directory, most, up_to)).await;
            let read = read.map_err(anyhow::Error::from).and_then(|read| read);
            read.map_err(|error| ProofUnreadable(format!("{error:#}")))
        })
    }
}
