//! Compares a log with its checkpoints, and names what does not fit. It trusts the public key alone: not the log, not the
//! tree beside it, and not the file of checkpoints. The leaves beside the log are believed as far as a signed root proves
//! them.

use std::collections::BTreeMap;
use std::fmt;
use std::io;

use loquet_domain::ports::{EventStore, Position, ReadError, RecordedEvent};

use crate::checkpoint::{Checkpoint, KeptCheckpoint};
use crate::leaf::{hash_of, leaf_at};
use crate::note::{NoteError, VerifierKey};
use crate::tree::{Growing, Hash, leaf_hash};
use crate::tree_files::TreeReader;

/// Events that are read at once.
const PAGE: usize = 1000;
/// The most findings that are listed. Further ones are counted.
const LISTED: usize = 50;
/// Leaves that are read at once.
const LEAVES: u64 = 10_000;
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
    /// Events are missing before a position.
    Removed {
        /// How many.
        count: u64,
        /// The position of the event after them.
        before: Position,
    },
    /// Events were inserted before a position.
    Inserted {
        /// How many.
        count: u64,
        /// The position of the event after them.
        before: Position,
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
            Self::Removed { count, before } => {
                write!(f, "{count} events before position {before} were removed")
            }
            Self::Inserted { count, before } => {
                write!(f, "{count} events before position {before} were inserted")
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
    /// Whether the tree beside the log is not the one that was signed. That alone says nothing about the log: the tree follows
    /// from it, and a server builds it again when it starts.
    pub tree_is_damaged: bool,
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

/// A comparison that goes on.
struct Comparing<'a> {
    report: Report,
    tree: Option<SignedTree<'a>>,
    growing: Growing,
    /// By how many places the events stand after or before those that were recorded: so many are missing, or inserted.
    shift: i64,
    /// The number of events up to which a checkpoint fits, and the number of findings at that time.
    fits: (u64, usize),
}

impl Comparing<'_> {
    fn compare(&mut self, event: &RecordedEvent) -> Result<(), VerifyError> {
        let (hash, index) = (hash_of(event), self.growing.size());
        let expected = index.checked_add_signed(self.shift);
        let recorded = match (&self.tree, expected) {
            (Some(tree), Some(expected)) if expected < tree.size => tree.reader.leaves(expected, 1)?.pop(),
            _ => None,
        };
        if let (Some(tree), Some(recorded), Some(expected)) = (&self.tree, recorded, expected)
            && recorded != hash
        {
            let finding = match place_of(tree, expected, hash, |_| event.position, event) {
                // The same event, at another place in the order: some are missing before it, or were inserted.
                Some((other, _)) if other > expected => {
                    let count = other - expected;
                    self.shift = self.shift.saturating_add_unsigned(count);
                    Finding::Removed { count, before: event.position }
                }
                Some((other, _)) => {
                    let count = expected - other;
                    self.shift = self.shift.saturating_sub_unsigned(count);
                    Finding::Inserted { count, before: event.position }
                }
                None => {
                    let moved = |other: u64| Position((event.position.0 + other).saturating_sub(expected));
                    let belongs_to =
                        place_of(tree, expected, hash, moved, event).map(|(_, position)| position);
                    Finding::Event { position: event.position, found: described(event), belongs_to }
                }
            };
            self.report.find(finding);
        }
        self.growing.push(hash);
        Ok(())
    }

    fn reach(&mut self, checkpoint: &Checkpoint) {
        let found = self.report.findings.len();
        if self.growing.root() != checkpoint.root && found == self.fits.1 {
            self.report.find(Finding::Range { from: self.fits.0, to: checkpoint.size });
        }
        self.fits = (checkpoint.size, self.report.findings.len());
    }
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
    let mut waiting = signed.iter().filter(|checkpoint| checkpoint.size > 0).peekable();
    let mut comparing = Comparing { report, tree, growing: Growing::default(), shift: 0, fits: (0, 0) };
    comparing.fits.1 = comparing.report.findings.len();
    loop {
        let page = store.read_all(comparing.report.head, PAGE).await?;
        let Some(last) = page.last() else { break };
        for event in &page {
            comparing.compare(event)?;
            while let Some(checkpoint) = waiting.next_if(|next| next.size == comparing.growing.size()) {
                comparing.reach(checkpoint);
            }
        }
        comparing.report.head = last.position;
        reached(last.position);
    }
    let Comparing { mut report, growing, .. } = comparing;
    report.events = growing.size();
    if report.covered > report.events {
        report.find(Finding::Truncated { events: report.events, size: report.covered });
    }
    Ok(report)
}

/// The checkpoints that the key signed, the smallest first. What is wrong with the others is found.
fn trusted(report: &mut Report, kept: &[KeptCheckpoint], key: &VerifierKey) -> Vec<Checkpoint> {
    let (mut signed, mut roots) = (Vec::new(), BTreeMap::new());
    for (number, kept) in (1..).zip(kept) {
        match Checkpoint::open(&kept.note, key) {
            Ok(checkpoint) => {
                let size = checkpoint.size;
                if *roots.entry(size).or_insert(checkpoint.root) != checkpoint.root {
                    report.find(Finding::Contradiction { number, size });
                }
                signed.push(checkpoint);
            }
            Err(why) => report.find(Finding::Checkpoint { number, why }),
        }
    }
    signed.sort_by_key(|checkpoint: &Checkpoint| checkpoint.size);
    report.checkpoints = signed.len();
    report.covered = signed.last().map_or(0, |last| last.size);
    signed
}

/// The part of a tree that a checkpoint proves.
struct SignedTree<'a> {
    reader: &'a TreeReader,
    size: u64,
}

/// The tree up to the greatest checkpoint that it fits. The root is computed from the leaves themselves, because these are
/// what events are compared with.
fn signed_tree<'a>(
    report: &mut Report,
    reader: &'a TreeReader,
    signed: &[Checkpoint],
) -> Result<Option<SignedTree<'a>>, io::Error> {
    let (written, mut growing, mut size) = (reader.size()?, Growing::default(), 0);
    for checkpoint in signed.iter().filter(|checkpoint| checkpoint.size > 0) {
        while growing.size() < checkpoint.size.min(written) {
            let count = (checkpoint.size.min(written) - growing.size()).min(LEAVES);
            reader.leaves(growing.size(), count)?.into_iter().for_each(|leaf| growing.push(leaf));
        }
        if growing.size() != checkpoint.size || growing.root() != checkpoint.root {
            report.tree_is_damaged = true;
            break;
        }
        size = checkpoint.size;
    }
    Ok((size > 0).then_some(SignedTree { reader, size }))
}

/// Looks near an index for the leaf of an event. `position` says which position the event would have at another index.
/// Returns the index and the position at which it was recorded.
fn place_of(
    tree: &SignedTree<'_>,
    index: u64,
    hash: Hash,
    position: impl Fn(u64) -> Position,
    event: &RecordedEvent,
) -> Option<(u64, Position)> {
    let (first, last) = (index.saturating_sub(NEAR), (index + NEAR).min(tree.size - 1));
    let leaves = tree.reader.leaves(first, (last + 1).checked_sub(first)?).ok()?;
    (first..).zip(leaves).find_map(|(other, leaf)| {
        let position = position(other);
        let recorded = if position == event.position { hash } else { leaf_hash(&leaf_at(event, position)) };
        (other != index && recorded == leaf).then_some((other, position))
    })
}

fn described(event: &RecordedEvent) -> String {
    format!("{} of {}, revision {}", event.event.name, event.stream, event.revision.0)
}
