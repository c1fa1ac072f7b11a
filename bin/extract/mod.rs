//! Extracts of the history: JSON Lines, CSV and Apache Parquet, with a signed manifest. Each event is compared with the proof
//! of the log before it is written.

mod archive;
mod jobs;
mod manifest;
mod shelf;
mod states;
mod table;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, ensure};
use loquet_domain::administration::ExportNotice;
use loquet_domain::ports::{EventCodec, EventStore, Position, RecordedEvent};
use loquet_http::EventBody;
use loquet_proof::checkpoint::{Checkpoint, KeptCheckpoint};
use loquet_proof::leaf::hash_of;
use loquet_proof::note::SignerKey;
use loquet_proof::tree_files::TreeReader;
use serde_json::Value;
use tokio::task::block_in_place;

pub(crate) use self::jobs::ExportJobs;
pub(crate) use self::manifest::Manifest;
use self::manifest::Named;
use self::table::{Kind, Table};
use crate::cli::DataDirectory;
use crate::past::PastSystems;
use crate::proof::ProofFiles;
use crate::system::System;

/// Events that are read at once.
const PAGE: usize = 1000;
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

/// What extracts are taken from.
pub(crate) struct Source {
    store: Arc<dyn EventStore>,
    codec: Arc<dyn EventCodec>,
    pasts: PastSystems,
    proof: ProofFiles,
}

/// What signs an extract.
pub(crate) struct Signing {
    key: SignerKey,
    checkpoint: KeptCheckpoint,
}

/// How many events were written, and the positions of the first and the last one.
#[derive(Clone, Copy, Default)]
pub(crate) struct Written {
    pub(crate) events: u64,
    pub(crate) first: u64,
    pub(crate) last: u64,
}

/// Hears up to which position the log was read. An error ends the extract.
type Told<'a> = &'a (dyn Fn(Position) -> anyhow::Result<()> + Sync);

impl Source {
    pub(crate) fn of(system: &System, directory: &DataDirectory) -> Self {
        Self {
            store: system.store.clone(),
            codec: system.codec.clone(),
            pasts: system.pasts(directory),
            proof: ProofFiles::of(directory),
        }
    }

    /// Has the server on this data sign a checkpoint that covers every event up to `head`.
    ///
    /// # Errors
    /// The server signs none in time, or the files can't be used.
    async fn cover(&self, head: Position) -> anyhow::Result<()> {
        self.proof.signed_by_server(head).await
    }

    /// Reads the key that signs extracts, and the newest checkpoint.
    ///
    /// # Errors
    /// They can't be read, or there is no checkpoint yet.
    pub(crate) fn signing(&self) -> anyhow::Result<Signing> {
        let key = self.proof.signer()?;
        let checkpoint = self.proof.newest()?;
        let checkpoint =
            checkpoint.context("the log has no checkpoint yet: a server signs the first when it starts")?;
        Ok(Signing { key, checkpoint })
    }

    /// Writes an extract into an empty folder. `states` adds the accounts, companies, sites and terminals as they are at the
    /// end of the log.
    ///
    /// # Errors
    /// An event is not the one that was recorded, something can't be read or written, or `told` ends the extract.
    pub(crate) async fn write(
        &self,
        signing: Signing,
        export: ExportNotice,
        states: bool,
        folder: &Path,
        told: Told<'_>,
    ) -> anyhow::Result<Written> {
        let Signing { key, checkpoint } = signing;
        let tree = TreeReader::open(&self.proof.folder)?;
        let covered = Checkpoint::open(&checkpoint.note, &key.verifier())?.size;
        let written = self.write_events(&export, folder, (&tree, covered), told).await?;
        let mut files = EVENTS.files().to_vec();
        if states {
            let past = self.pasts.at(Position(export.head))?;
            let may_go_on = || told(Position(export.head));
            states::write(past.rows.as_ref(), folder, export.personal, &may_go_on).await?;
            files.extend(states::files());
        }
        let Written { events, first, last } = written;
        let origin = key.verifier().name().to_owned();
        block_in_place(|| {
            let files = files.iter().map(|name| Named::of(folder, name)).collect::<anyhow::Result<_>>()?;
            let KeptCheckpoint { position, note, .. } = checkpoint;
            let covered = Some(position);
            let manifest = Manifest { origin, export, events, first, last, checkpoint: note, covered, files };
            manifest.write(folder, &key)
        })?;
        Ok(written)
    }

    /// Writes the events of the period.
    async fn write_events(
        &self,
        export: &ExportNotice,
        folder: &Path,
        (tree, covered): (&TreeReader, u64),
        told: Told<'_>,
    ) -> anyhow::Result<Written> {
        let head = Position(export.head);
        let mut table = EVENTS.begin(folder)?;
        let mut index = 0;
        let (mut at, mut written) = (Position::default(), Written::default());
        while at < head {
            let page = self.store.read_all(at, PAGE).await?;
            let Some(end) = page.last() else { break };
            at = end.position;
            let mut rows = Vec::new();
            for recorded in page.iter().filter(|recorded| recorded.position <= head) {
                let is_recorded =
                    index >= covered || tree.leaves(index, 1)?.first() == Some(&hash_of(recorded));
                ensure!(
                    is_recorded,
                    "the event at position {} is not the one that was recorded: run `loquet audit verify`",
                    recorded.position
                );
                index += 1;
                let moment = self.codec.decode_open(recorded)?.context.at;
                if export.from.is_some_and(|from| moment < from) || export.to.is_some_and(|to| to <= moment) {
                    continue;
                }
                rows.push(self.row(recorded, export.personal).await?);
                written.events += 1;
                written.last = recorded.position.0;
                if written.first == 0 {
                    written.first = written.last;
                }
            }
            block_in_place(|| rows.into_iter().try_for_each(|row| table.add(row)))?;
            told(at)?;
        }
        block_in_place(|| table.end())?;
        Ok(written)
    }

    /// An event in the form of the API, with its encrypted part only if that is asked for.
    async fn row(&self, recorded: &RecordedEvent, is_personal: bool) -> anyhow::Result<Value> {
        if !is_personal {
            return Ok(serde_json::to_value(EventBody::open(self.codec.as_ref(), recorded)?)?);
        }
        Ok(serde_json::to_value(EventBody::read(self.codec.as_ref(), recorded).await?)?)
    }
}
