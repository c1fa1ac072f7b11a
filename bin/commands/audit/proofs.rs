//! `loquet audit key`, `checkpoint`, `prove`, `check-proof`, `consistency` and `check-consistency`.

use std::path::Path;

use anyhow::{Context, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loquet_domain::ports::{EventStore, Position, RecordedEvent};
use loquet_proof::checkpoint::{Checkpoint, KeptCheckpoint};
use loquet_proof::inclusion::InclusionProof;
use loquet_proof::leaf::{self, hash_of};
use loquet_proof::note::VerifierKey;
use loquet_proof::tree::{self, Hash};
use loquet_proof::tree_files::TreeReader;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::adapters;
use crate::cli::{CheckProof, DataDirectory};
use crate::commands::show::place_of;
use crate::output::shown;
use crate::proof::{ProofFiles, sign_now};

/// Events that are read at once.
const PAGE: usize = 1000;

/// Reads a public key that was given: itself, or the name of its file.
pub(super) fn given_key(given: &str) -> anyhow::Result<VerifierKey> {
    if let Ok(key) = VerifierKey::parse(given) {
        return Ok(key);
    }
    let path = Path::new(given);
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("'{given}' is neither a public key nor a file that can be read"))?;
    VerifierKey::parse(&text).with_context(|| format!("{} has no public key", place_of(path)))
}

pub(super) fn key(directory: &DataDirectory) -> anyhow::Result<()> {
    let key = ProofFiles::of(directory).verifier()?;
    shown(&key, &json!({ "public_key": key.to_string(), "origin": key.name() }));
    Ok(())
}

pub(super) async fn checkpoint(directory: &DataDirectory, is_now: bool) -> anyhow::Result<()> {
    let files = ProofFiles::of(directory);
    let key = files.verifier()?;
    if is_now {
        let head = adapters::log_to_read(directory).await?.head().await?;
        sign_now(directory, head).await?;
    }
    let last = files.newest()?.with_context(|| {
        format!(
            "there is no checkpoint in {} yet: a server signs the first when it starts",
            place_of(&files.folder)
        )
    })?;
    let opened = Checkpoint::open(&last.note, &key)?;
    let value = json!({
        "note": last.note, "size": opened.size, "root": opened.root.to_string(), "at": last.at, "position": last.position,
    });
    shown(last.note.trim_end_matches('\n'), &value);
    Ok(())
}

pub(super) async fn prove(directory: &DataDirectory, wanted: &str) -> anyhow::Result<()> {
    let files = ProofFiles::of(directory);
    let key = files.verifier()?;
    let store = adapters::log_to_read(directory).await?;
    let event = found(store.as_ref(), wanted).await?;
    sign_now(directory, event.position).await?;
    let kept = files.kept()?;
    let covering = kept.iter().find(|kept| kept.position >= event.position.0);
    let covering = covering.with_context(|| format!("no checkpoint covers position {}", event.position))?;
    let checkpoint = Checkpoint::open(&covering.note, &key)?;
    let tree = TreeReader::open(&files.folder)?;
    let index = index_of(store.as_ref(), &kept, &key, &event).await?;
    let is_same = tree.leaves(index, 1)?.first() == Some(&hash_of(&event));
    ensure!(
        is_same,
        "the event at position {} is not the one that was recorded: run `loquet audit verify`",
        event.position
    );
    let proof = InclusionProof {
        leaf: leaf::leaf(&event),
        index,
        hashes: tree::inclusion(&tree, index, checkpoint.size)?,
        checkpoint: covering.note.clone(),
    };
    proof.check(&key).context("the tree beside the log was changed: run `loquet audit verify`")?;
    let text = proof.to_string();
    shown(text.trim_end_matches('\n'), &json!({ "proof": text, "index": index, "size": checkpoint.size }));
    Ok(())
}

/// The index of an event in the tree. The checkpoint before it says where its events begin.
async fn index_of(
    store: &dyn EventStore,
    kept: &[KeptCheckpoint],
    key: &VerifierKey,
    event: &RecordedEvent,
) -> anyhow::Result<u64> {
    let before = kept.iter().rev().find(|kept| kept.position < event.position.0);
    let (mut index, mut at) = match before {
        Some(before) => (Checkpoint::open(&before.note, key)?.size, Position(before.position)),
        None => (0, Position::default()),
    };
    loop {
        let page = store.read_all(at, PAGE).await?;
        let Some(last) = page.last() else { bail!("the log has no event at position {}", event.position) };
        if let Some(place) = page.iter().position(|other| other.position == event.position) {
            return Ok(index + u64::try_from(place)?);
        }
        index += u64::try_from(page.len())?;
        at = last.position;
    }
}

/// The event with a position or an id.
async fn found(store: &dyn EventStore, wanted: &str) -> anyhow::Result<RecordedEvent> {
    if let Ok(position) = wanted.parse() {
        let event = store.event_at(Position(position)).await?;
        return event.with_context(|| format!("the log has no event at position {position}"));
    }
    let id = Uuid::parse_str(wanted)
        .with_context(|| format!("'{wanted}' is neither a position nor the id of an event"))?;
    let mut at = Position::default();
    loop {
        let page = store.read_all(at, PAGE).await?;
        let Some(last) = page.last() else { bail!("the log has no event {id}") };
        at = last.position;
        if let Some(event) = page.into_iter().find(|event| event.event.id.0 == id) {
            return Ok(event);
        }
    }
}

pub(super) fn check(what: &CheckProof) -> anyhow::Result<()> {
    let key = given_key(&what.public_key)?;
    let text = std::fs::read_to_string(&what.file)
        .with_context(|| format!("can't read {}", place_of(&what.file)))?;
    let proof = InclusionProof::parse(&text)?;
    let checkpoint = proof.check(&key)?;
    let event = leaf::described(&proof.leaf).context("the proof is of no event")?;
    let value =
        json!({ "included": true, "origin": checkpoint.origin, "size": checkpoint.size, "event": event });
    let event_text = serde_json::to_string_pretty(&event)?;
    shown(
        format_args!(
            "This event is in the log {}, among its first {} events:\n{event_text}",
            checkpoint.origin, checkpoint.size
        ),
        &value,
    );
    Ok(())
}

pub(super) fn consistency(directory: &DataDirectory, from: u64, to: u64) -> anyhow::Result<()> {
    let files = ProofFiles::of(directory);
    let (kept, key, tree) = (files.kept()?, files.verifier()?, TreeReader::open(&files.folder)?);
    let of = |size: u64| {
        let opened =
            kept.iter().filter_map(|kept| Some((Checkpoint::open(&kept.note, &key).ok()?, &kept.note)));
        let mut found = opened.filter(move |(checkpoint, _)| checkpoint.size == size);
        found.next().with_context(|| {
            format!("there is no checkpoint of {size} events: `loquet audit checkpoint` prints the last one")
        })
    };
    let ((older, old_note), (newer, new_note)) = (of(from)?, of(to)?);
    let proof = tree::consistency(&tree, from, to)?;
    ensure!(
        tree::is_consistent(from, to, &proof, older.root, newer.root),
        "the two checkpoints contradict each other, or the tree beside the log was changed: run `loquet audit verify`"
    );
    let proof = proof.iter().map(|hash| STANDARD.encode(hash.0)).collect();
    let value = ConsistencyProof { from: old_note.clone(), to: new_note.clone(), proof };
    shown(serde_json::to_string_pretty(&value)?, &serde_json::to_value(&value)?);
    Ok(())
}

/// A proof that the log at one checkpoint begins with the log at an earlier one, with both checkpoints.
#[derive(Serialize, Deserialize)]
struct ConsistencyProof {
    /// The earlier signed note.
    from: String,
    /// The later one.
    to: String,
    /// The hashes of RFC 6962, 2.1.2, in base64.
    proof: Vec<String>,
}

pub(super) fn check_consistency(what: &CheckProof) -> anyhow::Result<()> {
    let key = given_key(&what.public_key)?;
    let text = std::fs::read_to_string(&what.file)
        .with_context(|| format!("can't read {}", place_of(&what.file)))?;
    let given: ConsistencyProof = serde_json::from_str(&text)
        .with_context(|| format!("{} is no output of `audit consistency`", place_of(&what.file)))?;
    let (older, newer) = (Checkpoint::open(&given.from, &key)?, Checkpoint::open(&given.to, &key)?);
    let hash = |text: &String| {
        let bytes = STANDARD.decode(text).ok()?;
        bytes.try_into().ok().map(Hash)
    };
    let hashes: Option<Vec<Hash>> = given.proof.iter().map(hash).collect();
    let hashes = hashes.context("a hash of the proof has not 32 bytes in base64")?;
    ensure!(
        tree::is_consistent(older.size, newer.size, &hashes, older.root, newer.root),
        "the log of {} events does not begin with the log of {} events: it was changed, or the proof is of other checkpoints",
        newer.size,
        older.size
    );
    shown(
        format_args!(
            "The log {} of {} events begins with its {} events of before.",
            key.name(),
            newer.size,
            older.size
        ),
        &json!({ "consistent": true, "origin": key.name(), "from": older.size, "to": newer.size }),
    );
    Ok(())
}
