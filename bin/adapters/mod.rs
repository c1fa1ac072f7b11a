//! Chooses the adapters that store data. `embedded.rs` opens files in the data directory, for a single node. `shared.rs`
//! connects to PostgreSQL and KurrentDB, for several nodes. `system.rs` chooses the adapters that work in memory.

mod embedded;
pub(crate) mod moved;
mod rotation;
mod shared;

use std::path::Path;
use std::sync::Arc;

use chrono::TimeDelta;
use loquet_crypto::account_keys::AccountKeys;
use loquet_crypto::server_key::KeyFile;
use loquet_domain::ports::{AnonymousGuesses, BoxFuture, EventStore, KeyedLock, SessionUses};
use loquet_http_ports::answers::Answers;
use loquet_http_ports::dev_mails::DevMails;
use loquet_http_ports::service_tokens::ServiceTokens;
use loquet_mail::folder::MailFolder;
use loquet_mail::smtp::Smtp;
use loquet_metrics::{LogMetrics, Metrics};
use loquet_projections::mail::MailLedger;
use loquet_projections::ports::{Clock, Lease, Mailer, ReadStore, Webhooks};

use crate::cli::DataDirectory;
use crate::clock::{self, SharedClock};
use crate::engine::Engine;
use crate::settings::Settings;

pub(crate) use embedded::{MemoryFiles, OwnReadModels, ScratchFile};
pub(crate) use rotation::{KeyFileState, Rotation};

/// How a store is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// For reading and writing. A file is then locked against other processes that write.
    Write,
    /// For reading only. Another process may be writing.
    Read,
}

/// The event log and the account keys.
pub(crate) struct Log {
    pub(crate) store: Arc<dyn EventStore>,
    pub(crate) keys: Arc<dyn AccountKeys>,
    pub(crate) close: Close,
}

/// Finishes the accepted appends and closes the log.
pub(crate) type Close = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

/// The journal of the reactions and the mail sender, and the lease that they need to write to it.
pub(crate) struct Reactions {
    pub(crate) journal: Arc<dyn MailLedger>,
    pub(crate) lease: Arc<dyn Lease>,
    /// The name under which this process takes the lease.
    pub(crate) holder: String,
    /// How long a lease lasts. `None` if it never ends.
    pub(crate) lasts: Option<TimeDelta>,
}

/// State that is not in the log: the counts of wrong guesses at unknown addresses, the times of last use of sessions, and
/// the locks that make use cases wait for each other.
pub(crate) struct Memory {
    pub(crate) guesses: Arc<dyn AnonymousGuesses>,
    pub(crate) session_uses: Arc<dyn SessionUses>,
    pub(crate) keyed_lock: Arc<dyn KeyedLock>,
    /// The files that store this state between two runs. `None` if a database stores it.
    pub(crate) files: Option<MemoryFiles>,
}

/// Opens the log and the keys.
pub(crate) async fn log(
    directory: &DataDirectory,
    access: Access,
    metrics: &LogMetrics,
) -> anyhow::Result<Log> {
    match &directory.engine {
        Engine::Sqlite => embedded::log(directory, access, metrics),
        Engine::Shared(shared) => shared::log(directory, shared).await,
    }
}

/// Opens the state that is not in the log. A session ends when it was not used for `idle`.
pub(crate) async fn memory(directory: &DataDirectory, idle: TimeDelta) -> anyhow::Result<Memory> {
    match &directory.engine {
        Engine::Sqlite => Ok(embedded::memory(directory, idle)),
        Engine::Shared(shared) => shared::memory(shared, idle).await,
    }
}

/// Says which file of the log was lost, if one was. A database that stores the log loses none.
pub(crate) fn lost_file(directory: &DataDirectory) -> Option<String> {
    match &directory.engine {
        Engine::Sqlite => embedded::lost_file(directory),
        Engine::Shared(_) => None,
    }
}

/// Makes this process the only server on the data directory, until the returned value is dropped.
pub(crate) fn occupy(directory: &DataDirectory) -> anyhow::Result<Box<dyn Send>> {
    match &directory.engine {
        // Opening the log locks it.
        Engine::Sqlite => Ok(Box::new(())),
        Engine::Shared(_) => shared::occupy(directory),
    }
}

/// Returns the clock of a server. If several nodes share the stores, this clock shows the time of their database, and the
/// second value keeps it right.
pub(crate) async fn clock(directory: &DataDirectory) -> anyhow::Result<(Clock, Option<SharedClock>)> {
    match &directory.engine {
        Engine::Sqlite => Ok((clock::system(), None)),
        Engine::Shared(shared) => {
            let kept = SharedClock::start(shared.databases().await?.main.clone()).await?;
            Ok((kept.clock(), Some(kept)))
        }
    }
}

/// Opens the read models. Each node has its own.
pub(crate) fn read_models(directory: &DataDirectory, access: Access) -> anyhow::Result<Arc<dyn ReadStore>> {
    embedded::read_models(directory, access)
}

/// Opens the mail journal. It also stores the checkpoints of the reactions.
pub(crate) async fn mail_journal(
    directory: &DataDirectory,
    access: Access,
) -> anyhow::Result<Arc<dyn MailLedger>> {
    match &directory.engine {
        Engine::Sqlite => embedded::mail_journal(directory, access),
        Engine::Shared(shared) => shared::mail_journal(shared).await,
    }
}

/// Opens the mail journal with its lease.
pub(crate) async fn reactions(directory: &DataDirectory) -> anyhow::Result<Reactions> {
    match &directory.engine {
        Engine::Sqlite => embedded::reactions(directory),
        Engine::Shared(shared) => shared::reactions(shared).await,
    }
}

/// Opens the mail journal for reading. Returns `None` if no server has run on this data yet.
pub(crate) async fn mail_journal_if_there(
    directory: &DataDirectory,
) -> anyhow::Result<Option<Arc<dyn MailLedger>>> {
    match &directory.engine {
        Engine::Sqlite => embedded::mail_journal_if_there(directory),
        Engine::Shared(shared) => shared::mail_journal(shared).await.map(Some),
    }
}

/// Opens the service tokens.
pub(crate) async fn service_tokens(directory: &DataDirectory) -> anyhow::Result<Arc<dyn ServiceTokens>> {
    match &directory.engine {
        Engine::Sqlite => embedded::service_tokens(directory),
        Engine::Shared(shared) => shared::service_tokens(shared).await,
    }
}

/// Opens the webhooks.
pub(crate) async fn webhooks(directory: &DataDirectory) -> anyhow::Result<Arc<dyn Webhooks>> {
    match &directory.engine {
        Engine::Sqlite => embedded::webhooks(directory),
        Engine::Shared(shared) => shared::webhooks(shared).await,
    }
}

/// Opens the stored answers to commands with an idempotency key.
pub(crate) async fn answers(
    directory: &DataDirectory,
    keys: &dyn AccountKeys,
) -> anyhow::Result<Arc<dyn Answers>> {
    match &directory.engine {
        Engine::Sqlite => embedded::answers(directory, keys).await,
        Engine::Shared(shared) => shared::answers(shared, keys).await,
    }
}

/// Opens the account keys, while another process writes them.
pub(crate) async fn keys_to_read(
    directory: &DataDirectory,
    server_key: KeyFile,
) -> anyhow::Result<Arc<dyn AccountKeys>> {
    match &directory.engine {
        Engine::Sqlite => embedded::keys_to_read(directory, server_key),
        Engine::Shared(shared) => shared::keys(shared, server_key).await,
    }
}

/// Opens the log for reading, without its keys.
pub(crate) async fn log_to_read(directory: &DataDirectory) -> anyhow::Result<Arc<dyn EventStore>> {
    match &directory.engine {
        Engine::Sqlite => embedded::log_to_read(directory),
        Engine::Shared(shared) => shared::store(shared).await.map(|(store, _)| store),
    }
}

/// What is in the log's file and does not belong there. Servers have no such file.
pub(crate) fn strange_parts_of_log(directory: &DataDirectory) -> anyhow::Result<Vec<String>> {
    match &directory.engine {
        Engine::Sqlite => embedded::strange_parts_of_log(directory),
        Engine::Shared(_) => Ok(Vec::new()),
    }
}

/// Returns whether a server is running on this data directory.
pub(crate) fn is_in_use(directory: &DataDirectory) -> bool {
    match &directory.engine {
        Engine::Sqlite => embedded::is_in_use(directory),
        Engine::Shared(_) => shared::is_in_use(directory),
    }
}

/// Returns whether an error means that a server is running on this data directory.
pub(crate) fn says_in_use(error: &anyhow::Error) -> bool {
    embedded::says_in_use(error) || shared::says_in_use(error)
}

/// Copies the read models, as they are at one moment, and opens the copy at `scratch`.
pub(crate) fn copy_of_read_models(
    directory: &DataDirectory,
    scratch: &Path,
) -> anyhow::Result<(Arc<dyn ReadStore>, ScratchFile)> {
    embedded::copy_of_read_models(directory, scratch)
}

/// Opens read models in a file for a while. Makes the file if there is none. It is deleted when the second value is dropped.
pub(crate) fn scratch_read_models(path: &Path) -> anyhow::Result<(OwnReadModels, ScratchFile)> {
    embedded::scratch_read_models(path)
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
    embedded::watch_files(directory, metrics, clock)
}
