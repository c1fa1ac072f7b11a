//! Keeps the tree over a log, and signs checkpoints of it.

use std::io;
use std::sync::Arc;

use anyhow::{Context, bail};
use loquet_domain::ports::{EventStore, Position};
use loquet_projections::ports::Clock;
use loquet_proof::checkpoint::{self, Checkpoint, KeptCheckpoint};
use loquet_proof::leaf::hash_of;
use loquet_proof::note::{SignerKey, VerifierKey};
use loquet_proof::tree::{Hash, root};
use loquet_proof::tree_files::{TreeReader, TreeWriter};

use super::ProofFiles;
use crate::output::place_of;

/// Events that are read at once.
const PAGE: usize = 1000;
/// Pages that are read before a checkpoint may be signed.
const PAGES: usize = 100;
/// The most events that are compared with the tree at a start.
const COMPARED_AT_START: usize = 2000;

/// The tree over a log, and the key that signs its checkpoints. One process at a time has it.
pub(super) struct LogSigner {
    pub(super) files: ProofFiles,
    key: SignerKey,
    store: Arc<dyn EventStore>,
    clock: Clock,
    tree: TreeWriter,
    /// The position of the tree's last event.
    position: Position,
    /// The size of the last checkpoint, and the position of its last event.
    signed: (u64, Position),
    /// Whether a write failed, so that the tree must be opened again.
    is_broken: bool,
}

impl LogSigner {
    /// Opens the tree, and compares the log with its last checkpoint.
    ///
    /// # Errors
    /// The log contradicts the checkpoint, or the files can't be used.
    pub(super) async fn open(
        files: ProofFiles,
        key: SignerKey,
        store: &Arc<dyn EventStore>,
        clock: &Clock,
    ) -> anyhow::Result<Self> {
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
        let (store, clock, signed) = (store.clone(), clock.clone(), (size, position));
        Ok(Self { files, key, store, clock, tree, position, signed, is_broken: false })
    }

    /// Whether a checkpoint covers any event.
    pub(super) fn has_signed(&self) -> bool {
        self.signed.0 > 0
    }

    /// Adds the new events to the tree. Signs a checkpoint if one is due and there are new events, and returns it.
    ///
    /// # Errors
    /// The log can't be read, or the files can't be written. The next step tries again.
    pub(super) async fn step(&mut self, is_due: bool) -> anyhow::Result<Option<KeptCheckpoint>> {
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
            return tokio::task::block_in_place(|| self.sign());
        }
        Ok(None)
    }

    fn sign(&mut self) -> anyhow::Result<Option<KeptCheckpoint>> {
        self.tree.sync().context("the tree can't be written")?;
        let size = self.tree.size();
        let Some(root) = tree_root(&self.files, size)? else { return Ok(None) };
        let checkpoint = Checkpoint { origin: self.key.verifier().name().to_owned(), size, root };
        let note = checkpoint.signed(&self.key);
        let kept = KeptCheckpoint { at: (self.clock)(), position: self.position.0, note };
        checkpoint::add(&self.files.checkpoints(), &kept).context("the checkpoint can't be written")?;
        self.signed = (size, self.position);
        Ok(Some(kept))
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
