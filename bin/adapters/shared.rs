//! Connects to the stores that several nodes share: PostgreSQL, and KurrentDB if the log is there.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use chrono::TimeDelta;
use loquet_crypto::account_keys::AccountKeys;
use loquet_crypto::random_ids::RandomIdentities;
use loquet_crypto::server_key::KeyFile;
use loquet_domain::ports::{EventStore, Identities};
use loquet_files::create_private;
use loquet_http_ports::answers::Answers;
use loquet_http_ports::service_tokens::ServiceTokens;
use loquet_kurrentdb::KurrentStore;
use loquet_memory::keyed_lock::KeyedLocks;
use loquet_postgres::anonymous_guesses::PostgresAnonymousGuesses;
use loquet_postgres::answers::PostgresAnswers;
use loquet_postgres::event_store::PostgresStore;
use loquet_postgres::key_store::PostgresKeyStore;
use loquet_postgres::keyed_locks::{PostgresKeyedLocks, Sharing};
use loquet_postgres::mail_journal::PostgresJournal;
use loquet_postgres::service_tokens::PostgresServiceTokens;
use loquet_postgres::session_uses::PostgresSessionUses;
use loquet_postgres::webhooks::PostgresWebhooks;
use loquet_projections::mail::MailLedger;
use loquet_projections::ports::Webhooks;

use super::{Close, Log, Memory, Reactions};
use crate::administration::operator;
use crate::cli::DataDirectory;
use crate::engine::{LOCKING, Shared};

/// The number of unknown addresses whose wrong guesses are remembered.
const ANONYMOUS_ADDRESSES: NonZeroUsize = match NonZeroUsize::new(1_000_000) {
    Some(number) => number,
    None => NonZeroUsize::MIN,
};
/// How long the lease on the reactions lasts without a renewal. A node renews it every second. If the node fails, another
/// node takes the lease at most three seconds later.
pub(super) const LEASE: TimeDelta = TimeDelta::seconds(3);

/// Another server runs on the data directory.
#[derive(Debug, thiserror::Error)]
#[error("another server is running on {0}: stop it, or give this node a data_dir of its own")]
struct InUse(String);

/// Locks the data directory, so that no other node writes to the read models in it. The lock ends when the returned value
/// is dropped.
pub(super) fn occupy(directory: &DataDirectory) -> anyhow::Result<Box<dyn Send>> {
    let path = lock_file(directory);
    let file = match create_private(&path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => File::open(&path),
        made => made,
    };
    let file = file.with_context(|| format!("can't open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Box::new(file)),
        Err(TryLockError::WouldBlock) => Err(InUse(directory.data_dir.display().to_string()).into()),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("can't lock {}", path.display()))
        }
    }
}

/// Returns whether a server has ever locked the data directory.
pub(super) fn was_occupied(directory: &DataDirectory) -> bool {
    lock_file(directory).exists()
}

fn lock_file(directory: &DataDirectory) -> PathBuf {
    directory.file("node.lock")
}

/// Returns whether a server has locked the data directory. Makes no file.
pub(super) fn is_in_use(directory: &DataDirectory) -> bool {
    was_occupied(directory) && occupy(directory).is_err_and(|error| says_in_use(&error))
}

pub(super) fn says_in_use(error: &anyhow::Error) -> bool {
    error.downcast_ref::<InUse>().is_some()
}

/// Opens the log. Also returns the function that closes it.
pub(super) async fn store(shared: &Shared) -> anyhow::Result<(Arc<dyn EventStore>, Close)> {
    if let Some(connection) = &shared.kurrentdb {
        let store = KurrentStore::open(connection).await.context("can't use the log of kurrentdb.url")?;
        let closing = store.clone();
        return Ok((Arc::new(store), Box::new(move || Box::pin(async move { closing.close().await }))));
    }
    let store = PostgresStore::open(shared.databases().await?.main.clone());
    let closing = store.clone();
    Ok((Arc::new(store), Box::new(move || Box::pin(async move { closing.close().await }))))
}

pub(super) async fn log(directory: &DataDirectory, shared: &Shared) -> anyhow::Result<Log> {
    let server_key = KeyFile::load(&directory.server_key())?;
    let keys = keys(shared, server_key).await?;
    let (store, close) = store(shared).await?;
    Ok(Log { store, keys, close })
}

pub(super) async fn keys(shared: &Shared, server_key: KeyFile) -> anyhow::Result<Arc<dyn AccountKeys>> {
    Ok(Arc::new(PostgresKeyStore::open(shared.databases().await?.keys.clone(), server_key).await?))
}

pub(super) async fn memory(shared: &Shared, idle: TimeDelta) -> anyhow::Result<Memory> {
    let databases = shared.databases().await?;
    let main = &databases.main;
    Ok(Memory {
        guesses: Arc::new(PostgresAnonymousGuesses::new(main.clone(), ANONYMOUS_ADDRESSES)),
        session_uses: Arc::new(PostgresSessionUses::new(main.clone(), idle)),
        keyed_lock: Arc::new(PostgresKeyedLocks::new(
            Arc::new(KeyedLocks::default()),
            databases.locks.clone(),
            LOCKING / 2,
            sharing,
        )),
        files: None,
    })
}

/// Says which callers wait for each other at a lock. A change of a company's administrators, and a take-over, append to
/// several streams one after the other, so callers on all nodes wait. Every other decision appends to one stream, and the
/// revision of the stream tells when another node was faster.
fn sharing(key: &str) -> Sharing {
    match key {
        _ if key.starts_with("takeover-") => Sharing::Outer,
        _ if key.starts_with("access-") => Sharing::Nodes,
        _ => Sharing::Node,
    }
}

pub(super) async fn mail_journal(shared: &Shared) -> anyhow::Result<Arc<dyn MailLedger>> {
    Ok(Arc::new(PostgresJournal::new(shared.databases().await?.main.clone())))
}

pub(super) async fn reactions(shared: &Shared) -> anyhow::Result<Reactions> {
    let journal = Arc::new(PostgresJournal::new(shared.databases().await?.main.clone()));
    // Each run of a node has another name. So if a node is started twice by mistake, only one of the two has the lease.
    let holder = format!("{}/{}", shared.node, RandomIdentities.fresh());
    Ok(Reactions { journal: journal.clone(), lease: journal, holder, lasts: Some(LEASE) })
}

pub(super) async fn service_tokens(shared: &Shared) -> anyhow::Result<Arc<dyn ServiceTokens>> {
    let tokens = PostgresServiceTokens::new(shared.databases().await?.main.clone());
    Ok(Arc::new(tokens.used_by(operator())))
}

pub(super) async fn webhooks(shared: &Shared) -> anyhow::Result<Arc<dyn Webhooks>> {
    Ok(Arc::new(PostgresWebhooks::new(shared.databases().await?.main.clone())))
}

pub(super) async fn answers(shared: &Shared, keys: &dyn AccountKeys) -> anyhow::Result<Arc<dyn Answers>> {
    let hashing = keys.commands_key().await?;
    Ok(Arc::new(PostgresAnswers::new(shared.databases().await?.main.clone(), hashing)))
}
