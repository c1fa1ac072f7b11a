//! Copies the write-ahead log into the log's file (a checkpoint). This happens after a commit and never as a
//! part of it, so callers who wait for the commit are answered first.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use rusqlite::config::DbConfig;
use rusqlite::hooks::Wal;
use rusqlite::{Connection, ffi};

use crate::database::explain;

/// Copying begins at this number of frames: about 4 MiB.
const WORTH_COPYING: i32 = 1000;

/// Copies what commits have left in the write-ahead log.
pub(super) struct Checkpoints {
    /// The number of frames in the write-ahead log after the last commit.
    frames: Arc<AtomicI32>,
    health: Health,
}

/// The result of the last copying.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Health {
    Well,
    /// It failed. It is tried again after the next commit.
    Failing,
    /// A sync failed during it. This process does not try it again.
    Stopped,
}

impl Checkpoints {
    /// Starts counting frames after each commit, and turns SQLite's automatic checkpoints off: those report no
    /// errors.
    pub(super) fn after_commits_of(connection: &mut Connection) -> rusqlite::Result<Self> {
        let frames = Arc::new(AtomicI32::new(0));
        let noted = frames.clone();
        connection.wal_hook(Some(move |_: &mut Wal, frames| {
            noted.store(frames, Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Self { frames, health: Health::Well })
    }

    /// Copies as much as the readers allow. A failure loses nothing: committed data stays in the write-ahead
    /// log, which grows until copying works again.
    ///
    /// After a failed sync, the system treats pages as written although they are not. A second try of SQLite
    /// would write only what it has not copied yet. Pages that it copied without a sync, while there was a
    /// reader, would be lost when the write-ahead log begins anew. So this process stops copying. Everything
    /// stays in the write-ahead log, and the next process copies all of it.
    pub(super) fn after_commit(&mut self, connection: &Connection) {
        if self.frames.load(Ordering::Relaxed) < WORTH_COPYING || self.health == Health::Stopped {
            return;
        }
        let copied = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        match (copied, self.health) {
            (Ok(()), Health::Failing) => {
                self.health = Health::Well;
                tracing::info!("the write-ahead log is copied into log.db again");
            }
            (Ok(()), _) => {}
            (Err(error), _) if is_failed_sync(&error) => self.stop(connection, &error),
            (Err(error), Health::Well) => {
                self.health = Health::Failing;
                let why = explain(&error);
                tracing::error!(why, "the write-ahead log is not copied into log.db, and grows");
            }
            (Err(_), _) => {}
        }
    }

    fn stop(&mut self, connection: &Connection, error: &rusqlite::Error) {
        self.health = Health::Stopped;
        // Closing would also copy it.
        let kept = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        if let Err(error) = kept {
            tracing::error!(error = %explain(&error), "SQLite can't be told to leave the write-ahead log as it is when it closes");
        }
        tracing::error!(
            why = explain(error),
            "log.db could not be synced. Nothing is lost: everything is in log.db-wal, which grows from now on. \
             Mend the disk and restart the server, with no other program reading log.db"
        );
    }

    /// Copies all of it, if there are no readers. If some of it is left, the next start reads it. Nothing is
    /// lost.
    pub(super) fn at_the_end(&self, connection: &Connection) {
        if self.health == Health::Stopped {
            return;
        }
        if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
            tracing::warn!(error = %explain(&error), "the write-ahead log was not emptied");
        }
    }
}

fn is_failed_sync(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_IOERR_FSYNC)
}
