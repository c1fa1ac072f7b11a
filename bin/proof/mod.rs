//! Keeps the proof of the log: the Merkle tree over its events, in files of the data directory, and signed checkpoints of it.
//!
//! The tree follows behind the log. An append does not wait for it. Each data directory has a key and a name of its own. A
//! backup contains neither, so a log that was restored begins a new tree, and contradicts none of its old checkpoints.

mod elsewhere;
mod log_signer;
mod on_demand;
mod shown;

use std::convert::Infallible;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use loquet_domain::Moment;
use loquet_domain::ports::EventStore;
use loquet_files::{create_private, remove_if_there};
use loquet_projections::causes::Causes;
use loquet_projections::ports::{Clock, Mailer};
use loquet_projections::runner::{ServiceState, Status};
use loquet_proof::checkpoint::{self, Checkpoint, KeptCheckpoint};
use loquet_proof::note::{SignerKey, VerifierKey};
use loquet_proof::tree::empty_root;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use self::elsewhere::Couriers;
use self::log_signer::LogSigner;
pub(crate) use self::on_demand::{begin, sign_now};
pub(crate) use self::shown::ShownProof;
use crate::cli::DataDirectory;
use crate::output::place_of;
use crate::settings::{Settings, read_secret};

/// The name under which the proof shows its state.
const NAME: &str = "proof";
/// How often the tree looks for new events.
const LOOK: Duration = Duration::from_millis(500);

/// The files of the proof in a data directory.
pub(crate) struct ProofFiles {
    pub(crate) folder: PathBuf,
}

impl ProofFiles {
    pub(crate) fn of(directory: &DataDirectory) -> Self {
        Self { folder: directory.file("proof") }
    }

    /// The private key that signs checkpoints.
    fn key(&self) -> PathBuf {
        self.folder.join("signing.key")
    }

    /// The public key that checks them.
    pub(crate) fn public_key(&self) -> PathBuf {
        self.folder.join("public.key")
    }

    /// All checkpoints, as JSON Lines.
    pub(crate) fn checkpoints(&self) -> PathBuf {
        self.folder.join("checkpoints.jsonl")
    }

    /// The checkpoints that witnesses signed too, as JSON Lines.
    pub(crate) fn cosigned(&self) -> PathBuf {
        self.folder.join("cosigned.jsonl")
    }

    /// The public key, as it stands in its file.
    pub(crate) fn verifier(&self) -> anyhow::Result<VerifierKey> {
        let path = self.public_key();
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("can't read {}: has a server run on this data?", place_of(&path)))?;
        VerifierKey::parse(&text).with_context(|| format!("{} can't be used", place_of(&path)))
    }

    pub(crate) fn kept(&self) -> anyhow::Result<Vec<KeptCheckpoint>> {
        read_checkpoints(&self.checkpoints())
    }

    /// Reads the private key.
    pub(crate) fn signer(&self) -> anyhow::Result<SignerKey> {
        let path = self.key();
        let text = read_secret(&path)?;
        SignerKey::parse(&text).with_context(|| format!("{} can't be used", place_of(&path)))
    }

    /// Reads the private key. Makes one for a log that has no checkpoint yet.
    fn signer_or_new(&self, host: &str, at: Moment) -> anyhow::Result<SignerKey> {
        let path = self.key();
        if path.exists() {
            let key = self.signer()?;
            let public = key.verifier().to_string();
            if std::fs::read_to_string(self.public_key()).is_ok_and(|text| text.trim() == public) {
                return Ok(key);
            }
            replace(&self.public_key(), &public)?;
            return Ok(key);
        }
        ensure!(
            !self.checkpoints().exists(),
            "{} is missing, and {} has checkpoints that it signed: restore it from your copy, or move {} away to begin a new proof",
            place_of(&path),
            place_of(&self.checkpoints()),
            place_of(&self.folder)
        );
        let key = SignerKey::fresh(host)?;
        std::fs::DirBuilder::new().recursive(true).create(&self.folder)?;
        replace(&self.public_key(), &key.verifier().to_string())?;
        // The first line of the file is a checkpoint of no events. So a key without checkpoints means that somebody removed
        // them.
        let origin = key.verifier().name().to_owned();
        let note = Checkpoint { origin, size: 0, root: empty_root() }.signed(&key);
        checkpoint::add(&self.checkpoints(), &KeptCheckpoint { at, position: 0, note })?;
        replace(&path, &key.text())?;
        tracing::info!(log = key.verifier().name(), "the proof of this log begins, with a new key");
        Ok(key)
    }
}

/// Reads a file of checkpoints.
pub(crate) fn read_checkpoints(path: &Path) -> anyhow::Result<Vec<KeptCheckpoint>> {
    checkpoint::read_all(path).with_context(|| format!("can't read {}", place_of(path)))
}

/// Writes a file that only its owner can read.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let unfinished = path.with_extension("new");
    remove_if_there(&unfinished)?;
    let mut file = create_private(&unfinished)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    std::fs::rename(unfinished, path)
}

/// The host of a URL, for the name of a log.
fn host_of(public_url: &str) -> String {
    let rest = public_url.split_once("://").map_or(public_url, |(_, rest)| rest);
    rest.split(['/', '+', ' ']).next().unwrap_or_default().to_owned()
}

/// The tree and the checkpoints of a running server.
pub(crate) struct Proof {
    signer: LogSigner,
    status: Status,
    every: Duration,
    /// What sends checkpoints to places outside the data directory.
    couriers: Couriers,
}

impl Proof {
    /// Opens the tree, and compares the log with its last checkpoint.
    ///
    /// # Errors
    /// An error if the log contradicts the checkpoint, or if the files can't be used.
    pub(crate) async fn open(
        directory: &DataDirectory,
        settings: &Settings,
        store: &Arc<dyn EventStore>,
        clock: &Clock,
        status: &Status,
        mailer: &Arc<dyn Mailer>,
    ) -> anyhow::Result<Self> {
        let files = ProofFiles::of(directory);
        let key = files.signer_or_new(&host_of(&settings.public_url), clock())?;
        let couriers = &settings.proof;
        let couriers = Couriers::start(couriers, mailer, &files, &key.verifier(), status);
        let signer = LogSigner::open(files, key, store, clock).await?;
        Ok(Self { signer, status: status.clone(), every: settings.proof.every, couriers })
    }

    /// Follows the log and signs checkpoints in a task of its own.
    pub(crate) fn start(self) -> Following {
        let (stop, stopped) = oneshot::channel();
        Following { stop, task: tokio::spawn(self.keep(stopped)) }
    }

    async fn keep(mut self, mut stop: oneshot::Receiver<Infallible>) {
        let mut last = Instant::now();
        let mut is_stopping = false;
        loop {
            let is_wished = self.signer.files.takes_wish();
            let due = is_stopping || is_wished || last.elapsed() >= self.every || !self.signer.has_signed();
            match self.signer.step(due).await {
                Ok(signed) => {
                    if due {
                        last = Instant::now();
                    }
                    signed.iter().for_each(|kept| self.couriers.tell(kept));
                    self.status.tell(NAME, ServiceState::Working);
                }
                Err(error) => {
                    let why = Causes(error.as_ref()).to_string();
                    if self.status.tell(NAME, ServiceState::Failing(why.clone())) {
                        tracing::error!(%why, "the proof of the log can't be continued; trying again");
                    }
                }
            }
            if is_stopping {
                return self.couriers.stop().await;
            }
            tokio::select! {
                _ = &mut stop => is_stopping = true,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }
}

/// The task that follows the log.
pub(crate) struct Following {
    stop: oneshot::Sender<Infallible>,
    task: JoinHandle<()>,
}

impl Following {
    /// Signs a last checkpoint, and ends the task.
    pub(crate) async fn stop(self) {
        drop(self.stop);
        drop(self.task.await);
    }
}
