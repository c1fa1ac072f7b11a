//! Opens the stores that are files in the data directory, for a single node.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use chrono::TimeDelta;
use loquet_crypto::account_keys::AccountKeys;
use loquet_crypto::server_key::KeyFile;
use loquet_domain::ports::{EventStore, Position};
use loquet_files::suffixed;
use loquet_http_ports::answers::Answers;
use loquet_http_ports::service_tokens::ServiceTokens;
use loquet_memory::anonymous_guesses::MemoryAnonymousGuesses;
use loquet_memory::keyed_lock::KeyedLocks;
use loquet_memory::session_activity::SessionActivity;
use loquet_metrics::{LogMetrics, Metrics};
use loquet_projections::mail::MailLedger;
use loquet_projections::ports::{Clock, ReadStore, StoreFailed, Webhooks};
use loquet_projections::view::{Build, ViewId};
use loquet_sqlite::FileError;
use loquet_sqlite::answers::SqliteAnswers;
use loquet_sqlite::event_store::{self, SqliteStore};
use loquet_sqlite::key_store::KeyStore;
use loquet_sqlite::mail_journal::SqliteJournal;
use loquet_sqlite::read_store::SqliteReadStore;
use loquet_sqlite::service_tokens::SqliteServiceTokens;
use loquet_sqlite::webhooks::SqliteWebhooks;
use loquet_sqlite::write_ahead_log::WriteAheadLogs;

use super::{Access, Close, Log, Memory, Reactions};
use crate::administration::operator;
use crate::cli::DataDirectory;

/// The number of unknown addresses whose wrong guesses are remembered.
const ANONYMOUS_ADDRESSES: NonZeroUsize = match NonZeroUsize::new(200_000) {
    Some(number) => number,
    None => NonZeroUsize::MIN,
};
/// The time between two measurements of the write-ahead logs.
const LOOK_AT_LOGS: Duration = Duration::from_secs(5);

/// Opens the log and the keys.
pub(super) fn log(directory: &DataDirectory, access: Access, metrics: &LogMetrics) -> anyhow::Result<Log> {
    let server_key = KeyFile::load(&directory.server_key())?;
    let (log, keys) = (directory.file("log.db"), directory.file("keys.db"));
    let (store, keys) = match access {
        Access::Write => {
            refuse_lost(directory)?;
            // The keys come first. A crash after the first start's first file leaves no log without keys.
            let keys = KeyStore::open(&keys, server_key)?;
            (SqliteStore::open_measured(&log, metrics)?, keys)
        }
        Access::Read => {
            ensure!(log.exists(), "there is no log in {}", directory.data_dir.display());
            (SqliteStore::open_to_read(&log)?, KeyStore::open_to_read(&keys, server_key)?)
        }
    };
    let close = closing(&store);
    Ok(Log { store: Arc::new(store), keys: Arc::new(keys), close })
}

/// Refuses to begin a new log, or a new store of keys, beside files that belong to an old one. Makes no file.
fn refuse_lost(directory: &DataDirectory) -> anyhow::Result<()> {
    match lost_file(directory) {
        Some(lost) => bail!("{lost}"),
        None => Ok(()),
    }
}

/// Says which file of the log was lost, if one was, and what to do.
pub(super) fn lost_file(directory: &DataDirectory) -> Option<String> {
    let there = |name: &str| directory.file(name).exists();
    let folder = directory.data_dir.display();
    if there("log.db") {
        let lost = || {
            format!(
                "keys.db is missing, but there is a log in {folder}: restore keys.db from a backup, because nobody can read the \
                 log without it"
            )
        };
        return (!there("keys.db")).then(lost);
    }
    let beside =
        ["views.db", "reactions.db", "proof/checkpoints.jsonl"].into_iter().find(|name| there(name))?;
    Some(format!(
        "log.db is missing, but {beside} in {folder} belongs to a log: restore log.db from a backup"
    ))
}

/// Returns the function that finishes the accepted appends and closes the log.
pub(super) fn closing(store: &SqliteStore) -> Close {
    let store = store.clone();
    let close = move || async move { drop(tokio::task::spawn_blocking(move || store.close()).await) };
    Box::new(|| Box::pin(close()))
}

/// The snapshot files that store the state in memory between two runs.
#[derive(Clone)]
pub(crate) struct MemoryFiles {
    guesses: Arc<MemoryAnonymousGuesses>,
    guesses_file: PathBuf,
    uses: Arc<SessionActivity>,
    uses_file: PathBuf,
}

impl MemoryFiles {
    /// Saves the times of last use of sessions. Blocks.
    pub(crate) fn save_uses(&self) {
        if let Err(error) = self.uses.save(&self.uses_file) {
            tracing::warn!(%error, "the times of last use of sessions could not be saved");
        }
    }

    /// Saves the counts of wrong guesses at unknown addresses. Blocks.
    pub(crate) fn save_guesses(&self) {
        if let Err(error) = self.guesses.save(&self.guesses_file) {
            tracing::warn!(%error, "the counts of wrong logins at unknown addresses could not be saved");
        }
    }
}

/// Loads the state in memory from its snapshot files.
pub(super) fn memory(directory: &DataDirectory, idle: TimeDelta) -> Memory {
    let (guesses, guesses_file) =
        (Arc::new(MemoryAnonymousGuesses::new(ANONYMOUS_ADDRESSES)), directory.file("strangers.json"));
    guesses.load(&guesses_file);
    let (uses, uses_file) = (Arc::new(SessionActivity::new(idle)), directory.file("sessions.json"));
    uses.load(&uses_file);
    Memory {
        guesses: guesses.clone(),
        session_uses: uses.clone(),
        keyed_lock: Arc::new(KeyedLocks::default()),
        files: Some(MemoryFiles { guesses, guesses_file, uses, uses_file }),
    }
}

/// Opens the read models.
pub(super) fn read_models(directory: &DataDirectory, access: Access) -> anyhow::Result<Arc<dyn ReadStore>> {
    let path = directory.file("views.db");
    Ok(Arc::new(match access {
        Access::Write => SqliteReadStore::open(&path)?,
        Access::Read => {
            ensure!(
                path.exists(),
                "there are no read models in {} yet: start a server, or run `loquet projections rebuild`",
                directory.data_dir.display()
            );
            SqliteReadStore::open_to_read(&path)?
        }
    }))
}

/// Opens the mail journal. It also stores the checkpoints of the reactions.
pub(super) fn mail_journal(directory: &DataDirectory, access: Access) -> anyhow::Result<Arc<dyn MailLedger>> {
    let path = directory.file("reactions.db");
    Ok(Arc::new(match access {
        Access::Write => SqliteJournal::open(&path)?,
        Access::Read => {
            ensure!(path.exists(), "no server has run in {} yet", directory.data_dir.display());
            SqliteJournal::open_to_read(&path)?
        }
    }))
}

/// Opens the mail journal with its lease. Only the process that has locked the log runs the reactions. So every such
/// process takes the lease under the same name, and without an end. After a kill, the next process has the lease at once.
pub(super) fn reactions(directory: &DataDirectory) -> anyhow::Result<Reactions> {
    let journal = Arc::new(SqliteJournal::open(&directory.file("reactions.db"))?);
    Ok(Reactions {
        journal: journal.clone(),
        lease: journal,
        holder: "the process that has locked the log".to_owned(),
        lasts: None,
    })
}

/// Opens the mail journal for reading. Returns `None` if no server has run on this data yet.
pub(super) fn mail_journal_if_there(
    directory: &DataDirectory,
) -> anyhow::Result<Option<Arc<dyn MailLedger>>> {
    match directory.file("reactions.db").exists() {
        true => mail_journal(directory, Access::Read).map(Some),
        false => Ok(None),
    }
}

/// Opens the service tokens.
pub(super) fn service_tokens(directory: &DataDirectory) -> anyhow::Result<Arc<dyn ServiceTokens>> {
    let tokens = SqliteServiceTokens::open(&directory.file("tokens.db"))?;
    Ok(Arc::new(tokens.used_by(operator())))
}

/// Opens the webhooks.
pub(super) fn webhooks(directory: &DataDirectory) -> anyhow::Result<Arc<dyn Webhooks>> {
    Ok(Arc::new(SqliteWebhooks::open(&directory.file("webhooks.db"))?))
}

/// Opens the stored answers to commands with an idempotency key.
pub(super) async fn answers(
    directory: &DataDirectory,
    keys: &dyn AccountKeys,
) -> anyhow::Result<Arc<dyn Answers>> {
    let hashing = keys.commands_key().await?;
    Ok(Arc::new(SqliteAnswers::open(&directory.file("answers.db"), hashing)?))
}

/// Opens the account keys, while another process writes them.
pub(super) fn keys_to_read(
    directory: &DataDirectory,
    server_key: KeyFile,
) -> anyhow::Result<Arc<dyn AccountKeys>> {
    Ok(Arc::new(KeyStore::open_to_read(&directory.file("keys.db"), server_key)?))
}

/// Opens the log for reading, without its keys.
pub(super) fn log_to_read(directory: &DataDirectory) -> anyhow::Result<Arc<dyn EventStore>> {
    Ok(Arc::new(SqliteStore::open_to_read(&directory.file("log.db"))?))
}

/// Returns whether a server is running on this data.
pub(super) fn is_in_use(directory: &DataDirectory) -> bool {
    event_store::is_in_use(&directory.file("log.db"))
}

/// Returns whether an error means that a server is running on this data.
pub(super) fn says_in_use(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(FileError::InUse(_)))
}

/// Copies the read models, as they are at one moment, and opens the copy at `scratch`.
pub(super) fn copy_of_read_models(
    directory: &DataDirectory,
    scratch: &Path,
) -> anyhow::Result<(Arc<dyn ReadStore>, ScratchFile)> {
    let views = directory.file("views.db");
    ensure!(views.exists(), "no server has run in {} yet", directory.data_dir.display());
    let file = ScratchFile(scratch.to_owned());
    SqliteReadStore::copy(&views, scratch).context("can't copy views.db")?;
    Ok((Arc::new(SqliteReadStore::open(scratch)?), file))
}

pub(super) fn strange_parts_of_log(directory: &DataDirectory) -> anyhow::Result<Vec<String>> {
    Ok(loquet_sqlite::event_store::strange_parts(&directory.file("log.db"))?)
}

/// A file of read models that is deleted with this value.
pub(crate) struct ScratchFile(PathBuf);

impl Drop for ScratchFile {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm"] {
            drop(std::fs::remove_file(suffixed(&self.0, suffix)));
        }
    }
}

/// Read models in a file that this process alone uses.
#[derive(Clone)]
pub(crate) struct OwnReadModels(SqliteReadStore);

impl OwnReadModels {
    /// Opens the file. Makes it if there is none.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        Ok(Self(SqliteReadStore::open(path)?))
    }

    pub(crate) fn rows(&self) -> Arc<dyn ReadStore> {
        Arc::new(self.0.clone())
    }

    /// Copies a view from another file. Returns the build and the position up to which it has seen the log.
    pub(crate) async fn import(
        &self,
        view: ViewId,
        from: &Path,
    ) -> Result<Option<(Build, Position)>, StoreFailed> {
        self.0.import(view, from).await
    }

    /// Makes a file that nobody has open complete in itself, and durable.
    pub(crate) fn complete(path: &Path) -> anyhow::Result<()> {
        Ok(SqliteReadStore::complete(path)?)
    }
}

pub(super) fn scratch_read_models(path: &Path) -> anyhow::Result<(OwnReadModels, ScratchFile)> {
    let file = ScratchFile(path.to_owned());
    Ok((OwnReadModels::open(path)?, file))
}

/// Measures the files of the stores at intervals, and warns if one grows.
pub(super) fn watch_files(
    directory: &DataDirectory,
    metrics: Arc<Metrics>,
    clock: Clock,
) -> anyhow::Result<impl Future<Output = ()> + Send + use<>> {
    let logs = WriteAheadLogs::open(&directory.data_dir)?;
    Ok(look_at_files(logs, directory.clone(), metrics, clock))
}

/// Measures the write-ahead logs and the disk at intervals, and warns if a log grows.
async fn look_at_files(logs: WriteAheadLogs, directory: DataDirectory, metrics: Arc<Metrics>, clock: Clock) {
    let mut now_and_then = tokio::time::interval(LOOK_AT_LOGS);
    let mut held = Some(logs);
    while let Some(mut logs) = held.take() {
        now_and_then.tick().await;
        let (metrics, now, directory) = (metrics.clone(), clock(), directory.clone());
        let looked = tokio::task::spawn_blocking(move || {
            logs.look(now, &metrics.asked);
            look_at_disk(&directory, &metrics);
            logs
        });
        held = looked.await.ok();
    }
}

/// Measures the disk, and reads when the last backup was taken.
fn look_at_disk(directory: &DataDirectory, metrics: &Metrics) {
    let bytes = |blocks: u64, size: u64| i64::try_from(blocks.saturating_mul(size)).unwrap_or(i64::MAX);
    if let Ok(disk) = rustix::fs::statvfs(&directory.data_dir) {
        metrics.asked.disk_free.set(bytes(disk.f_bavail, disk.f_frsize));
        metrics.asked.disk_size.set(bytes(disk.f_blocks, disk.f_frsize));
    }
    if let Some(taken) = directory.last_backup() {
        metrics.asked.last_backup.set(taken.timestamp());
    }
}
