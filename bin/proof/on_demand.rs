//! Has a checkpoint signed at once: by the server that runs on the data, or by this process if none runs.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::ensure;
use loquet_domain::ports::Position;
use loquet_files::{create_private, give_as_its_directory, remove_if_there};
use loquet_metrics::LogMetrics;
use loquet_proof::checkpoint::{KeptCheckpoint, newest};
use tokio::time::{Instant, sleep};

use super::ProofFiles;
use super::log_signer::LogSigner;
use crate::adapters::{self, Access};
use crate::cli::DataDirectory;
use crate::clock;

/// How long a server is waited for. It looks for wishes twice a second.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the file of checkpoints is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(100);

impl ProofFiles {
    /// The file that asks a server for a checkpoint.
    fn wish(&self) -> PathBuf {
        self.folder.join("sign-now")
    }

    /// Whether somebody wishes a checkpoint now. The wish is then taken.
    pub(super) fn takes_wish(&self) -> bool {
        std::fs::remove_file(self.wish()).is_ok()
    }

    /// Asks the server on this data for a checkpoint that covers every event up to `head`, and waits for it.
    ///
    /// # Errors
    /// The files can't be used, or the server signs none in time.
    pub(crate) async fn signed_by_server(&self, head: Position) -> anyhow::Result<()> {
        let asked = Instant::now();
        while !self.covers(head)? {
            match create_private(&self.wish()) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error.into()),
                _ => {}
            }
            if asked.elapsed() > PATIENCE {
                remove_if_there(&self.wish())?;
                ensure!(
                    self.covers(head)?,
                    "the server has signed no checkpoint in {} s",
                    PATIENCE.as_secs()
                );
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// The newest checkpoint.
    pub(crate) fn newest(&self) -> anyhow::Result<Option<KeptCheckpoint>> {
        Ok(newest(&self.checkpoints())?)
    }

    fn covers(&self, head: Position) -> anyhow::Result<bool> {
        Ok(self.newest()?.is_some_and(|newest| newest.position >= head.0))
    }
}

/// Begins the proof of a log that no server has had yet, and signs a checkpoint that covers every event up to `head`. `host` is a
/// part of the log's name.
///
/// # Errors
/// The same as [`sign_now`].
pub(crate) async fn begin(directory: &DataDirectory, host: &str, head: Position) -> anyhow::Result<()> {
    ProofFiles::of(directory).signer_or_new(host, clock::now())?;
    sign_now(directory, head).await
}

/// Has a checkpoint signed that covers every event up to `head`. Does nothing if there is one.
///
/// # Errors
/// No server has run on this data yet, the log contradicts its last checkpoint, or the files can't be used.
pub(crate) async fn sign_now(directory: &DataDirectory, head: Position) -> anyhow::Result<()> {
    let files = ProofFiles::of(directory);
    if files.covers(head)? {
        return Ok(());
    }
    let key = files.signer()?;
    // Whoever may write the log has it alone, and so has the tree.
    let opened = async {
        let occupied = adapters::occupy(directory)?;
        Ok((adapters::log(directory, Access::Write, &LogMetrics::default()).await?, occupied))
    };
    let (log, _occupied) = match opened.await {
        Err(error) if adapters::says_in_use(&error) => return files.signed_by_server(head).await,
        opened => opened?,
    };
    let (clock, _shared) = adapters::clock(directory).await?;
    let mut signer = LogSigner::open(files, key, &log.store, &clock).await?;
    // Each step reads a part of a long log.
    while signer.step(true).await?.is_some() {}
    (log.close)().await;
    Ok(give(&ProofFiles::of(directory).folder)?)
}

/// Gives the owner of the data directory what root has made.
fn give(folder: &Path) -> io::Result<()> {
    give_as_its_directory(&File::open(folder)?, folder)?;
    for file in std::fs::read_dir(folder)? {
        let path = file?.path();
        give_as_its_directory(&File::open(&path)?, &path)?;
    }
    Ok(())
}
