//! Extracts that a server writes for auditors, without personal data. They are kept for an hour.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::ensure;
use chrono::TimeDelta;
use loquet_domain::administration::Observed;
use loquet_domain::app::App;
use loquet_domain::ports::{BoxFuture, Position};
use loquet_http_ports::exports::{ArchiveUnreadable, Export, Exports, NewExport, NotBegun, Progress};
use loquet_projections::ports::Clock;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::shelf::Shelf;
use super::{Source, archive};
use crate::cli::DataDirectory;
use crate::disk::{SPARE, free_space};
use crate::system::System;

/// How long an extract is kept after its end.
const KEPT_FOR: TimeDelta = TimeDelta::hours(1);

/// Writes extracts in the background, one at a time.
#[derive(Clone)]
pub(crate) struct ExportJobs {
    app: Arc<App>,
    writer: Arc<Writer>,
    tasks: Arc<Mutex<JoinSet<()>>>,
}

struct Writer {
    source: Source,
    clock: Clock,
    shelf: Shelf,
    /// Held while an extract is written.
    turn: tokio::sync::Mutex<()>,
}

impl ExportJobs {
    /// Begins with no extract.
    ///
    /// # Errors
    /// What an earlier process left can't be removed.
    pub(crate) fn begin(system: &System, directory: &DataDirectory, clock: &Clock) -> anyhow::Result<Self> {
        let writer = Writer {
            source: Source::of(system, directory),
            clock: clock.clone(),
            shelf: Shelf::begin(directory.file("exports"))?,
            turn: tokio::sync::Mutex::default(),
        };
        Ok(Self { app: system.app.clone(), writer: Arc::new(writer), tasks: Arc::default() })
    }

    /// Ends what is under way.
    pub(crate) fn stop(&self) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}

impl Writer {
    /// Writes an extract when its turn comes, keeps it for a while, and removes it.
    async fn keep(&self, export: Export) {
        let id = export.notice.id;
        let turn = self.turn.lock().await;
        let progress = self.write(&export).await.unwrap_or_else(|error| {
            tracing::error!(export = %id, error = format!("{error:#}"), "an extract can't be written");
            Progress::Failed { why: format!("{error:#}") }
        });
        if matches!(progress, Progress::Failed { .. }) {
            drop(std::fs::remove_dir_all(self.shelf.folder.join(id.to_string())));
            drop(loquet_files::remove_if_there(&self.shelf.archive(id)));
        }
        drop(turn);
        self.shelf.tell(id, progress);
        tokio::time::sleep(KEPT_FOR.to_std().unwrap_or_default()).await;
        self.shelf.forget(id);
    }

    async fn write(&self, export: &Export) -> anyhow::Result<Progress> {
        let id = export.notice.id;
        let folder = self.shelf.folder.join(id.to_string());
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let told = |position: Position| {
            self.shelf.tell(id, Progress::UnderWay { position: position.0 });
            self.leave_room()
        };
        self.leave_room()?;
        if let Err(error) = self.source.cover(Position(export.notice.head)).await {
            tracing::warn!(error = format!("{error:#}"), export = %id, "the newest events of an extract have no checkpoint");
        }
        let signing = self.source.signing()?;
        let written =
            self.source.write(signing, export.notice.clone(), export.states, &folder, &told).await?;
        let bytes = archive::pack(&folder, &self.shelf.archive(id), &|| self.leave_room()).await?;
        Ok(Progress::Finished { events: written.events, bytes, until: (self.clock)() + KEPT_FOR })
    }

    /// Refuses to fill the disk.
    fn leave_room(&self) -> anyhow::Result<()> {
        let has_room = free_space(&self.shelf.folder).is_none_or(|free| free >= SPARE);
        ensure!(has_room, "less than {} MiB are free on the disk of the server", SPARE / 1024 / 1024);
        Ok(())
    }
}

impl Exports for ExportJobs {
    fn begin(&self, new: NewExport) -> BoxFuture<'_, Result<(), NotBegun>> {
        Box::pin(async move {
            let NewExport { context, notice, states } = new;
            let (id, progress) = (notice.id, Progress::UnderWay { position: 0 });
            let export = Export { notice: notice.clone(), actor: context.actor.clone(), states, progress };
            self.writer.shelf.admit(export.clone()).map_err(NotBegun::TooMany)?;
            // First the record, then the extract: no extract is taken without a trace.
            let observed = Observed { exports: vec![notice], ..Observed::default() };
            if let Err(unavailable) = self.app.record_administration(&context, observed).await {
                self.writer.shelf.forget(id);
                return Err(unavailable.into());
            }
            let writer = self.writer.clone();
            let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            while tasks.try_join_next().is_some() {}
            tasks.spawn(async move { writer.keep(export).await });
            Ok(())
        })
    }

    fn list(&self) -> Vec<Export> {
        self.writer.shelf.list()
    }

    fn open(&self, id: Uuid) -> Result<Option<File>, ArchiveUnreadable> {
        self.writer.shelf.open(id)
    }
}
