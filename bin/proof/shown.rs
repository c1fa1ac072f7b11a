//! The proof as the HTTP interface shows it to auditors.

use anyhow::Context as _;
use loquet_domain::ports::BoxFuture;
use loquet_http_ports::log_proof::{Comparison, LogProof, ProofState, ProofUnreadable, SignedCheckpoint};
use loquet_proof::checkpoint::{self, Checkpoint, KeptCheckpoint};

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
        let path = files.checkpoints();
        let (mut count, mut newest) = (checkpoint::count(&path)?, Vec::new());
        for kept in checkpoint::newest_first(&path)?.into_iter().flatten() {
            let KeptCheckpoint { at, position, note } = kept.context("a checkpoint can't be read")?;
            if position > up_to {
                count = count.saturating_sub(1);
                continue;
            }
            if newest.len() >= most {
                break;
            }
            let Checkpoint { size, root, .. } =
                Checkpoint::open(&note, &key).context("a checkpoint can't be read")?;
            newest.push(SignedCheckpoint { at, position, size, root: root.to_string(), note });
        }
        let comparison = Checked::last(directory).filter(|checked| checked.position.0 <= up_to);
        let comparison = comparison.map(|checked| Comparison {
            at: checked.at,
            position: checked.position.0,
            differing: checked.differing.into_keys().collect(),
        });
        Ok(ProofState { public_key: key.to_string(), count, newest, comparison })
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
