//! Compares a log with its checkpoints, and names what does not fit. It trusts the public key alone: not the log, not the
//! tree beside it, and not the file of checkpoints.

use std::fmt;
use std::io;

use loquet_domain::ports::{EventStore, Position, ReadError, RecordedEvent};

use crate::checkpoint::{Checkpoint, KeptCheckpoint};
use crate::leaf::{hash_of, leaf_at};
use crate::note::{NoteError, VerifierKey};
use crate::tree::{Growing, Hash, leaf_hash, root};
use crate::tree_files::TreeReader;

/// Events that are read at once.
const PAGE: usize = 1000;
/// The most findings that are listed. Further ones are counted.
const LISTED: usize = 50;
/// How far away the place is looked for at which an event belongs.
const NEAR: u64 = 32;

/// Something that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// A checkpoint is not what the key signed.
    Checkpoint {
        /// Its number in the file, from 1.
        number: usize,
        /// What is wrong with it.
        why: NoteError,
    },
    /// Two signed checkpoints can't both be true.
    Contradiction {
        /// The number of the later one in the file, from 1.
        number: usize,
        /// The size that it names.
        size: u64,
    },
    /// The tree in the data directory is not the one that was signed.
    Tree {
        /// The size of the checkpoint.
        size: u64,
    },
    /// An event is not the one that was recorded at its position.
    Event {
        /// The position.
        position: Position,
        /// The event that is there now: its name, stream and revision.
        found: String,
        /// The position at which this very event was recorded, if it is near.
        belongs_to: Option<Position>,
    },
    /// The events between two checkpoints are not those that were recorded. The tree that would tell which one is missing
    /// or was altered too.
    Range {
        /// The number of events up to which the log fits.
        from: u64,
        /// The number of events up to which something was changed.
        to: u64,
    },
    /// The log ends before its last checkpoint.
    Truncated {
        /// The number of events in the log.
        events: u64,
        /// The number of events that were signed.
        size: u64,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checkpoint { number, why } => write!(f, "checkpoint {number} can't be trusted: {why}"),
            Self::Contradiction { number, size } => write!(
                f,
                "checkpoint {number} (of {size} events) contradicts an earlier one: both were signed, so the log had two histories"
            ),
            Self::Tree { size } => {
                write!(f, "the tree beside the log is not the one that was signed for {size} events")
            }
            Self::Event { position, found, belongs_to: Some(other) } => write!(
                f,
                "position {position}: the event there ({found}) was recorded at position {other}: events were removed, \
                 inserted or swapped"
            ),
            Self::Event { position, found, belongs_to: None } => write!(
                f,
                "position {position}: the event there ({found}) was altered, or another one was recorded there"
            ),
            Self::Range { from, to } => write!(
                f,
                "among the events {} to {to} at least one was altered, removed, inserted or moved",
                from + 1
            ),
            Self::Truncated { events, size } => write!(
                f,
                "the log has {events} events, but {size} were signed: events were removed from its end"
            ),
        }
    }
}

/// The result of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The number of events in the log.
    pub events: u64,
    /// The position of the last one.
    pub head: Position,
    /// The number of checkpoints that the key signed.
    pub checkpoints: usize,
    /// The number of events that the greatest of them covers.
    pub covered: u64,
    /// What does not fit, in order.
    pub findings: Vec<Finding>,
    /// The number of findings that are not listed.
    pub more: u64,
}

impl Report {
    /// Whether everything fits.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.findings.is_empty()
    }

    fn find(&mut self, finding: Finding) {
        match self.findings.len() < LISTED {
            true => self.findings.push(finding),
            false => self.more += 1,
        }
    }
}

/// The log could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The log can't be read.
    #[error(transparent)]
    Log(#[from] ReadError),
    /// The tree can't be read.
    #[error("the tree can't be read")]
    Tree(#[from] io::Error),
}

/// Compares a whole log with its checkpoints in one pass. `tree` is the tree beside the log, if there is one; it tells which
/// event was changed. `reached` is told how far the comparison is.
///
/// # Errors
/// [`VerifyError`] if the log or the tree can't be read. What does not fit is no error: it is in the report.
pub async fn verify(
    store: &dyn EventStore,
    tree: Option<&TreeReader>,
    kept: &[KeptCheckpoint],
    key: &VerifierKey,
    mut reached: impl FnMut(Position),
) -> Result<Report, VerifyError> {
    let mut report = Report::default();
    let signed = trusted(&mut report, kept, key);
    let tree = match tree {
        Some(tree) => signed_tree(&mut report, tree, &signed)?,
        None => None,
    };
    let mut waiting = signed.iter().peekable();
    let (mut growing, mut fits_up_to) = (Growing::default(), 0);
    loop {
        let page = store.read_all(report.head, PAGE).await?;
        let Some(last) = page.last() else { break };
        let recorded = recorded_leaves(tree.as_ref(), growing.size(), page.len())?;
        for (number, event) in page.iter().enumerate() {
            let hash = hash_of(event);
            if recorded.get(number).is_some_and(|recorded| *recorded != hash) {
                let belongs_to = tree.as_ref().and_then(|tree| place_of(tree, growing.size(), event));
                report.find(Finding::Event { position: event.position, found: described(event), belongs_to });
            }
            growing.push(hash);
            while let Some(checkpoint) = waiting.next_if(|next| next.size == growing.size()) {
                if growing.root() == checkpoint.root {
                    fits_up_to = growing.size();
                } else if tree.as_ref().is_none_or(|tree| tree.size < growing.size()) && report.more == 0 {
                    report.find(Finding::Range { from: fits_up_to, to: growing.size() });
                    fits_up_to = growing.size();
                }
            }
        }
        report.head = last.position;
        reached(report.head);
    }
    report.events = growing.size();
    if report.covered > report.events {
        report.find(Finding::Truncated { events: report.events, size: report.covered });
    }
    Ok(report)
}

/// The checkpoints that the key signed, the smallest first. What is wrong with the others is found.
fn trusted(report: &mut Report, kept: &[KeptCheckpoint], key: &VerifierKey) -> Vec<Checkpoint> {
    let mut signed: Vec<Checkpoint> = Vec::new();
    for (number, kept) in (1..).zip(kept) {
        match Checkpoint::open(&kept.note, key) {
            Ok(checkpoint) => {
                let contradicts = signed.iter().rev().take_while(|other| other.size >= checkpoint.size);
                if contradicts
                    .clone()
                    .any(|other| other.size == checkpoint.size && other.root != checkpoint.root)
                {
                    report.find(Finding::Contradiction { number, size: checkpoint.size });
                }
                signed.push(checkpoint);
                signed.sort_by_key(|checkpoint| checkpoint.size);
            }
            Err(why) => report.find(Finding::Checkpoint { number, why }),
        }
    }
    report.checkpoints = signed.len();
    report.covered = signed.last().map_or(0, |last| last.size);
    signed
}

/// The part of a tree that a checkpoint proves.
struct SignedTree<'a> {
    reader: &'a TreeReader,
    size: u64,
}

/// The tree up to the greatest checkpoint that it fits.
fn signed_tree<'a>(
    report: &mut Report,
    reader: &'a TreeReader,
    signed: &[Checkpoint],
) -> Result<Option<SignedTree<'a>>, io::Error> {
    let written = reader.size()?;
    for checkpoint in signed.iter().rev() {
        if checkpoint.size <= written
            && root(reader, checkpoint.size)? == checkpoint.root
            && checkpoint.size > 0
        {
            return Ok(Some(SignedTree { reader, size: checkpoint.size }));
        }
        report.find(Finding::Tree { size: checkpoint.size });
    }
    Ok(None)
}

fn recorded_leaves(tree: Option<&SignedTree<'_>>, index: u64, count: usize) -> io::Result<Vec<Hash>> {
    let Some(tree) = tree else { return Ok(Vec::new()) };
    let count = tree.size.saturating_sub(index).min(u64::try_from(count).unwrap_or(u64::MAX));
    if count == 0 { Ok(Vec::new()) } else { tree.reader.leaves(index, count) }
}

/// The position at which an event was recorded, if that is near the index at which it is now.
fn place_of(tree: &SignedTree<'_>, index: u64, event: &RecordedEvent) -> Option<Position> {
    let (first, last) = (index.saturating_sub(NEAR), (index + NEAR).min(tree.size - 1));
    let leaves = tree.reader.leaves(first, (last + 1).checked_sub(first)?).ok()?;
    (first..).zip(leaves).find_map(|(other, leaf)| {
        let position = Position((event.position.0 + other).checked_sub(index)?);
        (other != index && leaf_hash(&leaf_at(event, position)) == leaf).then_some(position)
    })
}

fn described(event: &RecordedEvent) -> String {
    format!("{} of {}, revision {}", event.event.name, event.stream, event.revision.0)
}
