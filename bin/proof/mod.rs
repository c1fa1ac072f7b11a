//! Keeps the proof of the log: the Merkle tree over its events, in files of the data directory, and signed checkpoints of it.
//!
//! The tree follows behind the log. An append does not wait for it. Each data directory has a key and a name of its own. A
//! backup contains neither, so a log that was restored begins a new tree, and contradicts none of its old checkpoints.

mod elsewhere;
mod shown;

use std::convert::Infallible;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use loquet_domain::Moment;
use loquet_domain::ports::{EventStore, Position};
use loquet_files::{create_private, remove_if_there};
use loquet_projections::causes::Causes;
use loquet_projections::ports::{Clock, Mailer};
use loquet_projections::runner::{ServiceState, Status};
use loquet_proof::checkpoint::{self, Checkpoint, KeptCheckpoint};
use loquet_proof::leaf::hash_of;
use loquet_proof::note::{SignerKey, VerifierKey};
use loquet_proof::tree::{Hash, empty_root, root};
use loquet_proof::tree_files::{TreeReader, TreeWriter};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use self::elsewhere::Couriers;
pub(crate) use self::shown::ShownProof;
use crate::cli::DataDirectory;
use crate::output::place_of;
use crate::settings::{Settings, read_secret};

/// The name under which the proof shows its state.
const NAME: &str = "proof";
/// Events that are read at once.
const PAGE: usize = 1000;
/// Pages that are read before a checkpoint may be signed.
const PAGES: usize = 100;
/// How often the tree looks for new events.
const LOOK: Duration = Duration::from_millis(500);
/// The most events that are compared with the tree at a start.
const COMPARED_AT_START: usize = 2000;

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
    files: ProofFiles,
    key: SignerKey,
    store: Arc<dyn EventStore>,
    clock: Clock,
    status: Status,
    every: Duration,
    /// What sends checkpoints to places outside the data directory.
    couriers: Couriers,
    tree: TreeWriter,
    /// The position of the tree's last event.
    position: Position,
    /// The size of the last checkpoint, and the position of its last event.
    signed: (u64, Position),
    /// Whether a write failed, so that the tree must be opened again.
    is_broken: bool,
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
        let kept = files.kept()?;
        let last = last_of(&files, &kept, &key.verifier())?;
        let (size, position) = last
            .as_ref()
            .map_or((0, Position::default()), |(checkpoint, position)| (checkpoint.size, *position));
        let tree = match TreeWriter::open(&files.folder, size) {
            Ok(tree) if tree_root(&files, size)? == last.as_ref().map(|(checkpoint, _)| checkpoint.root) => {
                tree
            }
            // The tree follows from the log, and the log is compared with the checkpoint below.
            _ => built_again(&files, store.as_ref(), size, position).await?,
        };
        if let Some((checkpoint, position)) = &last {
            let before = kept.iter().rev().nth(1).map_or(0, |kept| kept.position);
            compare(&files, store.as_ref(), checkpoint, *position, Position(before)).await?;
        }
        let settings = &settings.proof;
        let couriers = Couriers::start(settings, mailer, &files, &key.verifier(), status);
        Ok(Self {
            every: settings.every,
            couriers,
            files,
            key,
            store: store.clone(),
            clock: clock.clone(),
            status: status.clone(),
            tree,
            position,
            signed: (size, position),
            is_broken: false,
        })
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
            let due = is_stopping || last.elapsed() >= self.every || self.signed.0 == 0;
            match self.step(due).await {
                Ok(()) => {
                    if due {
                        last = Instant::now();
                    }
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

    async fn step(&mut self, is_due: bool) -> anyhow::Result<()> {
        if self.is_broken {
            // What was written without a checkpoint is removed, and read again.
            self.tree = TreeWriter::open(&self.files.folder, self.signed.0)?;
            self.position = self.signed.1;
            self.is_broken = false;
        }
        // A first tree over a long log takes a while. It is signed in parts, so that a stop loses little.
        for _ in 0..PAGES {
            let page = self.store.read_all(self.position, PAGE).await?;
            let Some(last) = page.last() else { break };
            let leaves: Vec<Hash> = page.iter().map(hash_of).collect();
            self.is_broken = true;
            let written = tokio::task::block_in_place(|| self.tree.append(&leaves));
            written.context("the tree can't be written")?;
            self.is_broken = false;
            self.position = last.position;
        }
        if is_due && self.tree.size() > self.signed.0 {
            tokio::task::block_in_place(|| self.sign())?;
        }
        Ok(())
    }

    fn sign(&mut self) -> anyhow::Result<()> {
        self.tree.sync().context("the tree can't be written")?;
        let size = self.tree.size();
        let Some(root) = tree_root(&self.files, size)? else { return Ok(()) };
        let checkpoint = Checkpoint { origin: self.key.verifier().name().to_owned(), size, root };
        let note = checkpoint.signed(&self.key);
        let kept = KeptCheckpoint { at: (self.clock)(), position: self.position.0, note };
        checkpoint::add(&self.files.checkpoints(), &kept).context("the checkpoint can't be written")?;
        self.signed = (size, self.position);
        self.couriers.tell(&kept);
        Ok(())
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

/// The root of the tree in the files. Returns `None` for a tree without leaves.
fn tree_root(files: &ProofFiles, size: u64) -> anyhow::Result<Option<Hash>> {
    match size {
        0 => Ok(None),
        _ => Ok(Some(root(&TreeReader::open(&files.folder)?, size)?)),
    }
}

/// The last checkpoint, and the position of its last event.
fn last_of(
    files: &ProofFiles,
    kept: &[KeptCheckpoint],
    key: &VerifierKey,
) -> anyhow::Result<Option<(Checkpoint, Position)>> {
    let Some(last) = kept.last() else {
        bail!(
            "{} has no checkpoints, and {} signed some: somebody removed them. Keep a copy of the data directory, and compare the \
             log with checkpoints that were kept elsewhere (`loquet audit verify --checkpoints`). To begin a new proof, move {} away",
            place_of(&files.checkpoints()),
            place_of(&files.key()),
            place_of(&files.folder)
        )
    };
    let opened = Checkpoint::open(&last.note, key).with_context(|| {
        format!(
            "the last checkpoint in {} was not signed by {}: restore both from your copies, or move {} away to begin a new proof",
            place_of(&files.checkpoints()),
            place_of(&files.key()),
            place_of(&files.folder)
        )
    })?;
    Ok((opened.size > 0).then_some((opened, Position(last.position))))
}

/// Builds the tree from the log, up to a size.
async fn built_again(
    files: &ProofFiles,
    store: &dyn EventStore,
    size: u64,
    position: Position,
) -> anyhow::Result<TreeWriter> {
    tracing::warn!(
        size,
        "the tree of the proof is not the one that was signed: it is built again from the log"
    );
    let (mut tree, mut at) = (TreeWriter::open(&files.folder, 0)?, Position::default());
    while at < position && tree.size() < size {
        let page = store.read_all(at, PAGE).await?;
        let Some(last) = page.last() else { break };
        at = last.position;
        let left = usize::try_from(size - tree.size()).unwrap_or(usize::MAX);
        let leaves: Vec<Hash> = page.iter().take(left).map(hash_of).collect();
        tree.append(&leaves)?;
    }
    tree.sync()?;
    Ok(tree)
}

/// Compares the log with its last checkpoint: the tree, the last event, and events before it.
async fn compare(
    files: &ProofFiles,
    store: &dyn EventStore,
    checkpoint: &Checkpoint,
    position: Position,
    before: Position,
) -> anyhow::Result<()> {
    let why = contradiction(files, store, checkpoint, position, before).await?;
    if let Some(why) = why {
        bail!(
            "the log contradicts its last checkpoint, which was signed for {} events: {why}. Run `loquet audit verify`, which \
             names every difference, and keep a copy of the data directory. If somebody changed the log, restore a backup. If you \
             put an older copy of the log back by hand, move {} away: a new proof then begins",
            checkpoint.size,
            place_of(&files.folder)
        );
    }
    Ok(())
}

async fn contradiction(
    files: &ProofFiles,
    store: &dyn EventStore,
    checkpoint: &Checkpoint,
    position: Position,
    before: Position,
) -> anyhow::Result<Option<String>> {
    let Some(last) = store.event_at(position).await? else {
        return Ok(Some(format!("the log has no event at position {position}")));
    };
    let tree = TreeReader::open(&files.folder)?;
    if tree.size()? < checkpoint.size || root(&tree, checkpoint.size)? != checkpoint.root {
        return Ok(Some("its events are not those that were signed".to_owned()));
    }
    let is_same =
        |index: u64, event| Ok::<_, io::Error>(tree.leaves(index, 1)?.first() == Some(&hash_of(event)));
    if !is_same(checkpoint.size - 1, &last)? {
        return Ok(Some(format!("the event at position {position} is another one")));
    }
    // The newest events before it, as far as it is known where they begin.
    let events = store.read_all(before, COMPARED_AT_START).await?;
    let events: Vec<_> = events.iter().filter(|event| event.position <= position).collect();
    if events.last().is_none_or(|event| event.position != position) {
        return Ok(None);
    }
    for (back, event) in (1..).zip(events.iter().rev()) {
        let Some(index) = checkpoint.size.checked_sub(back) else {
            return Ok(Some("it has more events".to_owned()));
        };
        if !is_same(index, event)? {
            return Ok(Some(format!("the event at position {} is another one", event.position)));
        }
    }
    Ok(None)
}
