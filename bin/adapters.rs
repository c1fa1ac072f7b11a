//! Chooses the adapter of every port that has files or a server behind it. `system.rs` chooses those in memory.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use chrono::TimeDelta;
use loquet_crypto::account_keys::AccountKeys;
use loquet_crypto::server_key::KeyFile;
use loquet_domain::ports::EventStore;
use loquet_http_ports::answers::Answers;
use loquet_http_ports::dev_mails::DevMails;
use loquet_http_ports::service_tokens::ServiceTokens;
use loquet_mail::folder::MailFolder;
use loquet_mail::smtp::Smtp;
use loquet_metrics::{LogMetrics, Metrics};
use loquet_projections::mail::MailLedger;
use loquet_projections::ports::{Clock, Lease, Mailer, ReadStore, Webhooks};
use loquet_sqlite::FileError;
use loquet_sqlite::answers::SqliteAnswers;
use loquet_sqlite::event_store::{self, SqliteStore};
use loquet_sqlite::key_store::KeyStore;
use loquet_sqlite::mail_journal::SqliteJournal;
use loquet_sqlite::read_store::SqliteReadStore;
use loquet_sqlite::service_tokens::SqliteServiceTokens;
use loquet_sqlite::webhooks::SqliteWebhooks;
use loquet_sqlite::write_ahead_log::WriteAheadLogs;

use crate::cli::DataDirectory;
use crate::settings::Settings;

/// How often the write-ahead logs are measured.
const LOOK_AT_LOGS: Duration = Duration::from_secs(5);

/// How a store is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// For writing, by this process only.
    Write,
    /// For reading, while another process writes.
    Read,
}

/// The event log and the account keys.
pub(crate) struct Log {
    pub(crate) store: Arc<dyn EventStore>,
    pub(crate) keys: Arc<dyn AccountKeys>,
    pub(crate) close: Close,
}

/// Finishes the accepted appends and closes the log. Blocks.
pub(crate) type Close = Box<dyn FnOnce() + Send>;

/// Opens the log and the keys.
pub(crate) fn log(directory: &DataDirectory, access: Access, metrics: &LogMetrics) -> anyhow::Result<Log> {
    let server_key = KeyFile::load(&directory.server_key())?;
    let (log, keys) = (directory.file("log.db"), directory.file("keys.db"));
    let (store, keys) = match access {
        Access::Write => (SqliteStore::open_measured(&log, metrics)?, KeyStore::open(&keys, server_key)?),
        Access::Read => {
            ensure!(log.exists(), "there is no log in {}", directory.data_dir.display());
            (SqliteStore::open_to_read(&log)?, KeyStore::open_to_read(&keys, server_key)?)
        }
    };
    let closing = store.clone();
    Ok(Log { store: Arc::new(store), keys: Arc::new(keys), close: Box::new(move || closing.close()) })
}

/// Opens the read models.
pub(crate) fn read_models(directory: &DataDirectory, access: Access) -> anyhow::Result<Arc<dyn ReadStore>> {
    let path = directory.file("views.db");
    Ok(Arc::new(match access {
        Access::Write => SqliteReadStore::open(&path)?,
        Access::Read => {
            ensure!(path.exists(), "no server has run in {} yet", directory.data_dir.display());
            SqliteReadStore::open_to_read(&path)?
        }
    }))
}

/// Opens the mail journal. It also stores the checkpoints of the reactions.
pub(crate) fn mail_journal(directory: &DataDirectory, access: Access) -> anyhow::Result<Arc<dyn MailLedger>> {
    let path = directory.file("reactions.db");
    Ok(Arc::new(match access {
        Access::Write => SqliteJournal::open(&path)?,
        Access::Read => {
            ensure!(path.exists(), "no server has run in {} yet", directory.data_dir.display());
            SqliteJournal::open_to_read(&path)?
        }
    }))
}

/// The journal of the reactions and the mail sender, and the lease that they need to write to it.
pub(crate) struct Reactions {
    pub(crate) journal: Arc<dyn MailLedger>,
    pub(crate) lease: Arc<dyn Lease>,
    /// The name under which this process takes the lease.
    pub(crate) holder: &'static str,
    /// How long a lease lasts. `None` if it never ends.
    pub(crate) lasts: Option<TimeDelta>,
}

/// Opens the mail journal with its lease. Only the process that has locked the log runs reactions on this
/// data. So every such process takes the lease under the same name and without an end: it never waits for a
/// process that was killed.
pub(crate) fn reactions(directory: &DataDirectory) -> anyhow::Result<Reactions> {
    let journal = Arc::new(SqliteJournal::open(&directory.file("reactions.db"))?);
    Ok(Reactions {
        journal: journal.clone(),
        lease: journal,
        holder: "the process that has locked the log",
        lasts: None,
    })
}

/// Opens the mail journal for reading. Returns `None` if no server has run on this data yet.
pub(crate) fn mail_journal_if_there(
    directory: &DataDirectory,
) -> anyhow::Result<Option<Arc<dyn MailLedger>>> {
    match directory.file("reactions.db").exists() {
        true => mail_journal(directory, Access::Read).map(Some),
        false => Ok(None),
    }
}

/// Opens the service tokens.
pub(crate) fn service_tokens(directory: &DataDirectory) -> anyhow::Result<Arc<dyn ServiceTokens>> {
    Ok(Arc::new(SqliteServiceTokens::open(&directory.file("tokens.db"))?))
}

/// Opens the webhooks.
pub(crate) fn webhooks(directory: &DataDirectory) -> anyhow::Result<Arc<dyn Webhooks>> {
    Ok(Arc::new(SqliteWebhooks::open(&directory.file("webhooks.db"))?))
}

/// Opens the stored answers to commands with an idempotency key.
pub(crate) async fn answers(
    directory: &DataDirectory,
    keys: &dyn AccountKeys,
) -> anyhow::Result<Arc<dyn Answers>> {
    let hashing = keys.commands_key().await?;
    Ok(Arc::new(SqliteAnswers::open(&directory.file("answers.db"), hashing)?))
}

/// Opens the account keys, while another process writes them.
pub(crate) fn keys_to_read(
    directory: &DataDirectory,
    server_key: KeyFile,
) -> anyhow::Result<Arc<dyn AccountKeys>> {
    Ok(Arc::new(KeyStore::open_to_read(&directory.file("keys.db"), server_key)?))
}

/// Opens the log for reading, without its keys.
pub(crate) fn log_to_read(directory: &DataDirectory) -> anyhow::Result<Arc<dyn EventStore>> {
    Ok(Arc::new(SqliteStore::open_to_read(&directory.file("log.db"))?))
}

/// Returns whether a server is running on this data.
pub(crate) fn is_in_use(directory: &DataDirectory) -> bool {
    event_store::is_in_use(&directory.file("log.db"))
}

/// Returns whether an error means that a server is running on this data.
pub(crate) fn says_in_use(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(FileError::InUse(_)))
}

/// Copies the read models, as they are at one moment, and opens the copy at `scratch`.
pub(crate) fn copy_of_read_models(
    directory: &DataDirectory,
    scratch: &Path,
) -> anyhow::Result<Arc<dyn ReadStore>> {
    let views = directory.file("views.db");
    ensure!(views.exists(), "no server has run in {} yet", directory.data_dir.display());
    SqliteReadStore::copy(&views, scratch).context("can't copy views.db")?;
    Ok(Arc::new(SqliteReadStore::open(scratch)?))
}

/// Sends mails. In development, also shows them.
pub(crate) struct Mail {
    pub(crate) mailer: Arc<dyn Mailer>,
    pub(crate) dev_mails: Option<Arc<dyn DevMails>>,
}

/// Uses the mail server from the settings. Without one, uses the folder `mail` in the data directory.
pub(crate) fn mail(directory: &DataDirectory, settings: &Settings, clock: &Clock) -> anyhow::Result<Mail> {
    if let Some(smtp) = &settings.smtp {
        return Ok(Mail { mailer: Arc::new(Smtp::new(smtp)?), dev_mails: None });
    }
    let folder = MailFolder::open(&directory.file("mail"), &settings.from, clock.clone());
    let folder = Arc::new(folder?);
    Ok(Mail { mailer: folder.clone(), dev_mails: Some(folder) })
}

/// Measures the files of the stores at intervals, and warns if one grows.
pub(crate) fn watch_files(
    directory: &DataDirectory,
    metrics: Arc<Metrics>,
    clock: Clock,
) -> anyhow::Result<impl Future<Output = ()> + Send + use<>> {
    let logs = WriteAheadLogs::open(&directory.data_dir)?;
    Ok(look_at_logs(logs, metrics, clock))
}

/// Measures the write-ahead logs at intervals, and warns if one grows.
async fn look_at_logs(logs: WriteAheadLogs, metrics: Arc<Metrics>, clock: Clock) {
    let mut now_and_then = tokio::time::interval(LOOK_AT_LOGS);
    let mut held = Some(logs);
    while let Some(mut logs) = held.take() {
        now_and_then.tick().await;
        let (metrics, now) = (metrics.clone(), clock());
        let looked = tokio::task::spawn_blocking(move || {
            logs.look(now, &metrics.asked);
            logs
        });
        held = looked.await.ok();
    }
}
