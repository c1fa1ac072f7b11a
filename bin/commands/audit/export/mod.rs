//! `loquet audit export` and `check-export`.

mod states;
mod table;

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use anyhow::{Context, bail, ensure};
use loquet_crypto::random_ids::RandomIdentities;
use loquet_domain::Moment;
use loquet_domain::administration::ExportNotice;
use loquet_domain::ports::{EventCodec, Identities, Position, RecordedEvent};
use loquet_domain::values::plain_text::is_text;
use loquet_files::create_private;
use loquet_http::EventBody;
use loquet_proof::checkpoint::Checkpoint;
use loquet_proof::leaf::hash_of;
use loquet_proof::note::Note;
use loquet_proof::tree_files::TreeReader;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use self::table::{Kind, Table};
use super::proofs::given_key;
use crate::administration::{note_export, operator};
use crate::cli::{DataDirectory, ExportHistory};
use crate::clock;
use crate::moments::optional;
use crate::output::{place_of, result, shown};
use crate::proof::ProofFiles;
use crate::system::System;

/// Events that are read at once.
const PAGE: usize = 1000;
/// The file that says what the others are. It is signed.
const MANIFEST: &str = "manifest.note";
/// The first line of a manifest. A later format begins with another one.
const FORMAT: &str = "loquet/export/v1";
/// The events: the fields of an event in the form of the API.
const EVENTS: Table = Table {
    name: "events",
    columns: &[
        ("position", Kind::Integer),
        ("stream", Kind::Text),
        ("revision", Kind::Integer),
        ("event_id", Kind::Text),
        ("type", Kind::Text),
        ("version", Kind::Integer),
        ("at", Kind::Moment),
        ("actor", Kind::Json),
        ("data", Kind::Json),
        ("personal", Kind::Json),
    ],
};

/// What an extract is.
#[derive(Serialize, Deserialize)]
struct Manifest {
    /// The name of the log.
    origin: String,
    /// The id of the extract, under which the log names it, and why it was taken.
    export: ExportNotice,
    events: u64,
    /// The positions of the first and the last event. Zero if there is none.
    first: u64,
    last: u64,
    /// The newest checkpoint of the log at that time.
    checkpoint: String,
    files: Vec<Named>,
}

/// A file of an extract.
#[derive(Serialize, Deserialize, PartialEq, Eq, Debug)]
struct Named {
    name: String,
    bytes: u64,
    sha256: String,
}

/// How many events were written, and the positions of the first and the last one.
#[derive(Default)]
struct Written {
    events: u64,
    first: u64,
    last: u64,
}

pub(super) async fn run(directory: &DataDirectory, what: &ExportHistory) -> anyhow::Result<()> {
    let folder = &what.folder;
    ensure!(!folder.exists(), "{} exists: choose a new directory", place_of(folder));
    let proof = ProofFiles::of(directory);
    let key = proof.signer()?;
    let checkpoint = proof.kept()?.pop();
    let checkpoint =
        checkpoint.context("the log has no checkpoint yet: a server signs the first when it starts")?;
    let system = System::open_to_read(directory).await?;
    let head = system.store.head().await?;
    let period = (optional(what.from.as_ref(), "from")?, optional(what.to.as_ref(), "to")?);
    ensure!(
        what.reason.as_ref().is_none_or(|reason| is_text(reason, 1000)),
        "a reason has 1 to 1000 printable characters"
    );
    let made = std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), 0o700).create(folder);
    made.with_context(|| format!("can't make {}", place_of(folder)))?;
    let export = ExportNotice {
        id: RandomIdentities.fresh(),
        at: clock::now(),
        by: operator(),
        reason: what.reason.clone(),
        personal: what.personal,
        from: period.0,
        to: period.1,
        head: head.0,
    };
    // The look is noted before anything is written. A server records it in the log.
    note_export(directory, export.clone()).context("the extract can't be noted in the data directory")?;
    let tree = TreeReader::open(&proof.folder)?;
    let covered = Checkpoint::open(&checkpoint.note, &key.verifier())?.size;
    let Written { events, first, last } = write(&system, head, period, what, (&tree, covered)).await?;
    let mut files = EVENTS.files().to_vec();
    if what.states {
        let past = system.pasts(directory).at(head)?;
        states::write(past.rows.as_ref(), folder, what.personal).await?;
        files.extend(states::files());
    }
    let files = files.iter().map(|name| named(folder, name)).collect::<anyhow::Result<_>>()?;
    let origin = key.verifier().name().to_owned();
    let manifest = Manifest { origin, export, events, first, last, checkpoint: checkpoint.note, files };
    let note = key.sign(&format!("{FORMAT}\n{}\n", serde_json::to_string(&manifest)?));
    create_private(&folder.join(MANIFEST))?.write_all(note.as_bytes())?;
    result(
        format_args!("{events} events are in {}, with a signed manifest", place_of(folder)),
        &json!({
            "folder": folder, "events": events, "first": first, "last": last, "export_id": manifest.export.id,
        }),
    );
    Ok(())
}

/// Writes the events of the period.
async fn write(
    system: &System,
    head: Position,
    (from, to): (Option<Moment>, Option<Moment>),
    what: &ExportHistory,
    (tree, covered): (&TreeReader, u64),
) -> anyhow::Result<Written> {
    let mut table = EVENTS.begin(&what.folder)?;
    let mut index = 0;
    let (mut at, mut written) = (Position::default(), Written::default());
    while at < head {
        let page = system.store.read_all(at, PAGE).await?;
        let Some(end) = page.last() else { break };
        at = end.position;
        for recorded in page.iter().filter(|recorded| recorded.position <= head) {
            let is_recorded = index >= covered || tree.leaves(index, 1)?.first() == Some(&hash_of(recorded));
            ensure!(
                is_recorded,
                "the event at position {} is not the one that was recorded: run `loquet audit verify`",
                recorded.position
            );
            index += 1;
            let moment = system.codec.decode_open(recorded)?.context.at;
            if from.is_some_and(|from| moment < from) || to.is_some_and(|to| to <= moment) {
                continue;
            }
            table.add(told(system, recorded, what.personal).await?)?;
            written.events += 1;
            written.last = recorded.position.0;
            if written.first == 0 {
                written.first = written.last;
            }
        }
    }
    table.end()?;
    Ok(written)
}

/// An event in the form of the API, with its encrypted part only if that is asked for.
async fn told(system: &System, recorded: &RecordedEvent, is_personal: bool) -> anyhow::Result<Value> {
    let mut body = serde_json::to_value(EventBody::read(system.codec.as_ref(), recorded).await?)?;
    if let Some(fields) = body.as_object_mut().filter(|_| !is_personal) {
        fields.remove("personal");
    }
    Ok(body)
}

fn named(folder: &Path, name: &str) -> anyhow::Result<Named> {
    let path = folder.join(name);
    let mut file = File::open(&path).with_context(|| format!("can't read {}", place_of(&path)))?;
    let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 16]);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hash.update(buffer.get(..read).unwrap_or_default());
        bytes += u64::try_from(read)?;
    }
    Ok(Named { name: name.to_owned(), bytes, sha256: base16ct::lower::encode_string(&hash.finalize()) })
}

pub(super) fn check(folder: &Path, public_key: &str) -> anyhow::Result<()> {
    let key = given_key(public_key)?;
    let path = folder.join(MANIFEST);
    let text = std::fs::read_to_string(&path).with_context(|| format!("can't read {}", place_of(&path)))?;
    let note = Note::parse(&text)?;
    note.check(&key)?;
    let Some(manifest) = note.text.strip_prefix(FORMAT) else {
        bail!("{} is no manifest of an extract", place_of(&path))
    };
    let manifest: Manifest = serde_json::from_str(manifest)?;
    let checkpoint = Checkpoint::open(&manifest.checkpoint, &key)?;
    for file in &manifest.files {
        let is_plain = Path::new(&file.name).file_name().is_some_and(|name| name == file.name.as_str());
        ensure!(
            is_plain && named(folder, &file.name)? == *file,
            "{} is not the file that was signed",
            place_of(&folder.join(&file.name))
        );
    }
    let Manifest { origin, export, events, first, last, .. } = &manifest;
    shown(
        format_args!(
            "This extract is of the log {origin}: {events} events, from position {first} to {last}, taken at {}. The log had \
             a signed checkpoint of {} events then.",
            export.at, checkpoint.size
        ),
        &json!({
            "origin": origin, "events": events, "first": first, "last": last, "export": export,
            "checkpoint_size": checkpoint.size,
        }),
    );
    Ok(())
}
