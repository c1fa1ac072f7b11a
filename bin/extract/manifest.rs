//! The manifest of an extract: a signed note that says which events of which log the files have.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use anyhow::{Context, bail, ensure};
use loquet_domain::administration::ExportNotice;
use loquet_files::create_private;
use loquet_proof::checkpoint::Checkpoint;
use loquet_proof::note::{Note, SignerKey, VerifierKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::output::place_of;

/// The name of its file.
pub(super) const MANIFEST: &str = "manifest.note";
/// The first line of a manifest. A later format begins with another one.
const FORMAT: &str = "loquet/export/v1";

/// What an extract is.
#[derive(Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// The name of the log.
    pub(crate) origin: String,
    /// The id of the extract, under which the log names it, and why it was taken.
    pub(crate) export: ExportNotice,
    pub(crate) events: u64,
    /// The positions of the first and the last event. Zero if there is none.
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// The newest checkpoint of the log at that time.
    pub(crate) checkpoint: String,
    /// The position of the last event that the checkpoint covers. Old manifests do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) covered: Option<u64>,
    pub(crate) files: Vec<Named>,
}

/// A file of an extract.
#[derive(Serialize, Deserialize, PartialEq, Eq, Debug)]
pub(crate) struct Named {
    name: String,
    bytes: u64,
    sha256: String,
}

impl Named {
    /// Reads a file of an extract, to name what is in it.
    pub(super) fn of(folder: &Path, name: &str) -> anyhow::Result<Self> {
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
        Ok(Self { name: name.to_owned(), bytes, sha256: base16ct::lower::encode_string(&hash.finalize()) })
    }
}

impl Manifest {
    /// Signs the manifest, and writes it into the folder of the extract.
    pub(super) fn write(&self, folder: &Path, key: &SignerKey) -> anyhow::Result<()> {
        let note = key.sign(&format!("{FORMAT}\n{}\n", serde_json::to_string(self)?));
        Ok(create_private(&folder.join(MANIFEST))?.write_all(note.as_bytes())?)
    }

    /// Reads the manifest of an extract, and compares every file with it. Returns the checkpoint too.
    ///
    /// # Errors
    /// The key did not sign the manifest, or a file is not the one that was signed.
    pub(crate) fn check(folder: &Path, key: &VerifierKey) -> anyhow::Result<(Self, Checkpoint)> {
        let path = folder.join(MANIFEST);
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("can't read {}", place_of(&path)))?;
        let note = Note::parse(&text)?;
        note.check(key)?;
        let Some(manifest) = note.text.strip_prefix(FORMAT) else {
            bail!("{} is no manifest of an extract", place_of(&path))
        };
        let manifest: Self = serde_json::from_str(manifest)?;
        let checkpoint = Checkpoint::open(&manifest.checkpoint, key)?;
        for file in &manifest.files {
            let is_plain = Path::new(&file.name).file_name().is_some_and(|name| name == file.name.as_str());
            ensure!(
                is_plain && Named::of(folder, &file.name)? == *file,
                "{} is not the file that was signed",
                place_of(&folder.join(&file.name))
            );
        }
        Ok((manifest, checkpoint))
    }
}
