//! The use cases over the program's own adapters, within the benchmark's process.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use chrono::{SubsecRound, Utc};
use loquet_credentials::one_time_codes::TotpCodes;
use loquet_credentials::password_blocklist::PasswordBlocklist;
use loquet_credentials::password_hasher::{Argon2Pool, Cost};
use loquet_crypto::event_codec::JsonCodec;
use loquet_crypto::random_ids::RandomIdentities;
use loquet_crypto::server_key::ServerKey;
use loquet_crypto::tokens::HmacTokens;
use loquet_domain::app::{App, Ports};
use loquet_domain::fact::{Actor, Client, Context};
use loquet_domain::ids::CorrelationId;
use loquet_domain::policies::Policies;
use loquet_domain::ports::Identities;
use loquet_memory::anonymous_guesses::MemoryAnonymousGuesses;
use loquet_memory::keyed_lock::KeyedLocks;
use loquet_memory::session_activity::SessionActivity;
use loquet_memory::state_cache::MemoryStateCache;
use loquet_sqlite::event_store::SqliteStore;
use loquet_sqlite::key_store::KeyStore;

use crate::{Outcome, cores};

/// The number of cached states of each kind.
const CACHED_STATES: usize = 10_000;

/// Makes the use cases over the same adapters as the program's. Passwords are hashed at this cost.
///
/// # Errors
/// An error if a store can't be opened.
pub fn open(folder: &Path, cost: Cost) -> Outcome<(Arc<App>, SqliteStore)> {
    let path = folder.join("server.key");
    let key = ServerKey::load(&path).or_else(|_| ServerKey::create(&path))?;
    let store = SqliteStore::open(&folder.join("log.db"))?;
    let keys = KeyStore::open(&folder.join("keys.db"), &key)?;
    let ports = Ports {
        store: Arc::new(store.clone()),
        codec: Arc::new(JsonCodec::new(Arc::new(keys.clone()), "bench".to_owned())),
        keys: Arc::new(keys),
        hasher: Arc::new(Argon2Pool::start(cost, cores(), 1024)?),
        tokens: Arc::new(HmacTokens::new(&key)),
        codes: Arc::new(TotpCodes),
        identities: Arc::new(RandomIdentities),
        keyed_lock: Arc::new(KeyedLocks::default()),
        blocklist: Arc::new(PasswordBlocklist::default()),
        session_uses: Arc::new(SessionActivity::new(chrono::TimeDelta::hours(2))),
        guesses: Arc::new(MemoryAnonymousGuesses::new(NonZeroUsize::MIN.saturating_add(CACHED_STATES))),
        accounts: Arc::new(MemoryStateCache::new(CACHED_STATES)),
        claims: Arc::new(MemoryStateCache::new(CACHED_STATES)),
        companies: Arc::new(MemoryStateCache::new(CACHED_STATES)),
        orders: Arc::new(MemoryStateCache::new(CACHED_STATES)),
        terminals: Arc::new(MemoryStateCache::new(CACHED_STATES)),
        serials: Arc::new(MemoryStateCache::new(CACHED_STATES)),
        access: Arc::new(MemoryStateCache::new(CACHED_STATES)),
        receipts: Arc::new(MemoryStateCache::new(CACHED_STATES)),
        logos: Arc::new(MemoryStateCache::new(CACHED_STATES)),
        takeovers: Arc::new(MemoryStateCache::new(CACHED_STATES)),
        administration: Arc::new(MemoryStateCache::new(1)),
    };
    Ok((Arc::new(App::new(Policies::default(), ports)), store))
}

/// Returns the context of a command.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "a benchmark is a program of its own")]
pub fn context() -> Context {
    Context {
        at: Utc::now().trunc_subsecs(6),
        actor: Actor::Anonymous,
        correlation: CorrelationId(RandomIdentities.fresh()),
        causation: None,
        client: Some(Client {
            address: Some("203.0.113.7".to_owned()),
            agent: Some("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0".to_owned()),
        }),
        reason: None,
    }
}
