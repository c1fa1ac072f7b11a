//! The stores on servers that several nodes share.

use std::fs::{File, TryLockError};
use std::num::NonZeroUsize;
use std::sync::Arc;

use anyhow::Context;
use chrono::TimeDelta;
use loquet_crypto::account_keys::AccountKeys;
use loquet_crypto::random_ids::RandomIdentities;
use loquet_crypto::server_key::KeyFile;
use loquet_domain::ports::{EventStore, Identities};
use loquet_http_ports::answers::Answers;
use loquet_http_ports::service_tokens::ServiceTokens;
use loquet_kurrentdb::KurrentStore;
use loquet_memory::keyed_lock::KeyedLocks;
use loquet_postgres::anonymous_guesses::PostgresAnonymousGuesses;
use loquet_postgres::answers::{self, PostgresAnswers};
use loquet_postgres::event_store::PostgresStore;
use loquet_postgres::key_store::PostgresKeyStore;
use loquet_postgres::keyed_locks::{PostgresKeyedLocks, Sharing};
use loquet_postgres::mail_journal::PostgresJournal;
use loquet_postgres::moved_rows::PostgresRows;
use loquet_postgres::service_tokens::PostgresServiceTokens;
use loquet_postgres::session_uses::PostgresSessionUses;
use loquet_postgres::webhooks::PostgresWebhooks;
use loquet_projections::mail::MailLedger;
use loquet_projections::ports::Webhooks;

use super::{Close, Log, Memory, Moved, Reactions};
use crate::cli::DataDirectory;
use crate::engine::{LOCKING, Shared};

/// The number of unknown addresses whose wrong guesses are remembered.
const ANONYMOUS_ADDRESSES: NonZeroUsize = match NonZeroUsize::new(1_000_000) {
    Some(number) => number,
    None => NonZeroUsize::MIN,
};
/// How long a lease lasts. When the node that holds it is gone, another one has it after so long at the most, and a
/// moment for asking. A node renews its lease three times in this time.
const LEASE: TimeDelta = TimeDelta::seconds(3);

/// Another server runs on the data directory.
#[derive(Debug, thiserror::Error)]
#[error("another server is running on {0}: each node needs a data directory of its own")]
struct InUse(String);

/// Takes the data directory for this process: its read models have one writer.
pub(super) fn occupy(directory: &DataDirectory) -> anyhow::Result<Box<dyn Send>> {
    let path = directory.file("node.lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.with_context(|| format!("can't open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Box::new(file)),
        Err(TryLockError::WouldBlock) => Err(InUse(directory.data_dir.display().to_string()).into()),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("can't lock {}", path.display()))
        }
    }
}

pub(super) fn says_in_use(error: &anyhow::Error) -> bool {
    error.downcast_ref::<InUse>().is_some()
}

/// Opens the log, and says how it is closed.
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

/// Opens everything that moves to another engine, or comes from one.
pub(super) async fn moved(directory: &DataDirectory, shared: &Shared) -> anyhow::Result<Moved> {
    let databases = shared.databases().await?;
    // The lock ends with the copy, because it belongs to the closing of the log.
    let occupied = occupy(directory)?;
    let (store, close) = store(shared).await?;
    let close = move || {
        drop(occupied);
        close()
    };
    Ok(Moved {
        store,
        rows: Arc::new(PostgresRows::of(databases.main.clone(), databases.keys.clone())),
        keeps_the_order_of_callers: shared.kurrentdb.is_none(),
        has_no_gaps: shared.kurrentdb.is_none(),
        close: Box::new(close),
    })
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

/// A company's administrators and a take-over are changed in several streams, one after the other, so nodes wait for one
/// another. All other decisions are about one stream, whose revision tells when another node came first.
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
    // A run has a name of its own. So a node that was started twice by mistake does not take itself for the holder.
    let holder = format!("{}/{}", shared.node, RandomIdentities.fresh());
    Ok(Reactions { journal: journal.clone(), lease: journal, holder, lasts: Some(LEASE) })
}

pub(super) async fn service_tokens(shared: &Shared) -> anyhow::Result<Arc<dyn ServiceTokens>> {
    Ok(Arc::new(PostgresServiceTokens::new(shared.databases().await?.main.clone())))
}

pub(super) async fn webhooks(shared: &Shared) -> anyhow::Result<Arc<dyn Webhooks>> {
    Ok(Arc::new(PostgresWebhooks::new(shared.databases().await?.main.clone())))
}

pub(super) async fn answers(shared: &Shared, keys: &dyn AccountKeys) -> anyhow::Result<Arc<dyn Answers>> {
    let hashing = keys.commands_key().await?;
    Ok(Arc::new(PostgresAnswers::new(shared.databases().await?.main.clone(), hashing, answers::LEASE)))
}
