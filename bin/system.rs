//! Assembles the program: the log, its keys, the adapters, and the use cases over them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use loquet_credentials::one_time_codes::TotpCodes;
use loquet_credentials::password_blocklist::PasswordBlocklist;
use loquet_credentials::password_hasher::{Argon2Pool, Cost};
use loquet_crypto::account_keys::AccountKeys;
use loquet_crypto::event_codec::JsonCodec;
use loquet_crypto::random_ids::RandomIdentities;
use loquet_domain::Moment;
use loquet_domain::administration;
use loquet_domain::app::{App, Ports};
use loquet_domain::clock_history::ClockSnapshot;
use loquet_domain::policies::Policies;
use loquet_domain::ports::{
    CodecError, EventCodec, EventStore, Identities, OneTimeCodes, PasswordHasher, Position, RecordedEvent,
};
use loquet_files::snapshot_file;
use loquet_http::Past;
use loquet_memory::state_cache::MemoryStateCache;
use loquet_metrics::{MeasuredStore, Metrics};
use loquet_projections::as_of::position_at;
use loquet_projections::ports::ReadStore;

use crate::adapters::{self, Access, Close, Log, Memory, MemoryFiles};
use crate::cli::DataDirectory;
use crate::clock;
use crate::moments::{self, Point};
use crate::past::PastSystems;
use crate::snapshots::SnapshotFiles;

/// The number of accounts whose states are cached. As many address claims are cached too. To read a state from the log
/// again takes about a thousandth of the time of a login.
const CACHED_STATES: usize = 40_000;
/// The number of newest events whose sealed parts are checked at a start.
const UNSEALED_AT_START: usize = 2000;
/// The number of events that one read returns.
const PAGE: usize = 500;
/// How often the times of last use of sessions are saved.
const KEPT_EVERY: Duration = Duration::from_mins(1);
/// The number of hashes that may wait for a core. Further logins are told to try again later.
const WAITING_HASHES: usize = 1024;

/// The log, its keys and the use cases over them.
pub(crate) struct System {
    pub(crate) app: Arc<App>,
    pub(crate) store: Arc<dyn EventStore>,
    pub(crate) codec: Arc<JsonCodec>,
    pub(crate) keys: Arc<dyn AccountKeys>,
    /// What the use cases were made of.
    ports: Ports,
    policies: Policies,
    /// The read models, if the system is seen from an earlier moment.
    pub(crate) past: Option<SeenFrom>,
    close: Close,
    files: Option<MemoryFiles>,
    clock_file: PathBuf,
}

/// An earlier moment.
pub(crate) struct SeenFrom {
    /// The read models as of then.
    pub(crate) rows: Arc<dyn ReadStore>,
    pub(crate) position: Position,
    /// When the last event up to the position happened.
    pub(crate) at: Moment,
}

/// The configuration of the parts.
pub(crate) struct Parts {
    pub(crate) policies: Policies,
    pub(crate) blocklist: PasswordBlocklist,
    pub(crate) cost: Cost,
    pub(crate) node: String,
    pub(crate) metrics: Arc<Metrics>,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            policies: Policies::default(),
            blocklist: PasswordBlocklist::default(),
            cost: Cost::default(),
            node: "operator".to_owned(),
            metrics: Arc::new(Metrics::new(VERSION, "operator")),
        }
    }
}

/// The adapters that hash passwords, make and check one-time codes, and make ids.
pub(crate) struct Outside {
    pub(crate) hasher: Arc<dyn PasswordHasher>,
    pub(crate) codes: Arc<dyn OneTimeCodes>,
    pub(crate) identities: Arc<dyn Identities>,
}

/// The version of Loquet.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

impl System {
    /// Opens the data in the data directory.
    pub(crate) async fn open(
        directory: &DataDirectory,
        access: Access,
        parts: Parts,
    ) -> anyhow::Result<Self> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let hasher =
            Argon2Pool::start(parts.cost, threads, WAITING_HASHES).context("can't start password hashing")?;
        let hasher = Arc::new(hasher.measured(parts.metrics.hashing.clone()));
        let outside = Outside { hasher, codes: Arc::new(TotpCodes), identities: Arc::new(RandomIdentities) };
        Self::open_with(directory, access, parts, outside).await
    }

    /// Opens the data in the data directory with these adapters for passwords, codes and ids.
    pub(crate) async fn open_with(
        directory: &DataDirectory,
        access: Access,
        parts: Parts,
        outside: Outside,
    ) -> anyhow::Result<Self> {
        let Parts { policies, blocklist, node, metrics, .. } = parts;
        let Log { store, keys, close } = adapters::log(directory, access, &metrics.log).await?;
        belong_together(store.as_ref(), keys.as_ref(), directory).await?;
        let codec = Arc::new(JsonCodec::new(keys.clone(), node));
        let Memory { guesses, session_uses, keyed_lock, files } =
            adapters::memory(directory, policies.idle_session).await?;
        let ports = Ports {
            store: Arc::new(MeasuredStore::new(store.clone(), metrics.log.clone())),
            codec: codec.clone(),
            keys: keys.clone(),
            hasher: outside.hasher,
            tokens: Arc::new(keys.tokens()),
            codes: outside.codes,
            identities: outside.identities,
            keyed_lock,
            guesses,
            session_uses,
            blocklist: Arc::new(blocklist),
            accounts: Arc::new(MemoryStateCache::new(CACHED_STATES)),
            claims: Arc::new(MemoryStateCache::new(CACHED_STATES)),
            companies: Arc::new(MemoryStateCache::new(CACHED_STATES / 10)),
            orders: Arc::new(MemoryStateCache::new(CACHED_STATES / 100)),
            terminals: Arc::new(MemoryStateCache::new(CACHED_STATES / 10)),
            serials: Arc::new(MemoryStateCache::new(CACHED_STATES / 100)),
            access: Arc::new(MemoryStateCache::new(CACHED_STATES / 10)),
            receipts: Arc::new(MemoryStateCache::new(CACHED_STATES / 100)),
            // Each state may take up to a hundred kilobytes.
            logos: Arc::new(MemoryStateCache::new(100)),
            takeovers: Arc::new(MemoryStateCache::new(CACHED_STATES / 100)),
            administration: Arc::new(MemoryStateCache::new(1)),
        };
        let app = Arc::new(App::new(policies.clone(), ports.clone()));
        let clock_file = directory.file("clock.json");
        if let Some(kept) = snapshot_file::load::<Option<ClockSnapshot>>(&clock_file) {
            app.clock_history().take_up(kept);
        }
        Ok(Self { app, store, codec, keys, ports, policies, past: None, close, files, clock_file })
    }

    /// What opens the system as it was at earlier positions.
    pub(crate) fn pasts(&self, directory: &DataDirectory) -> PastSystems {
        PastSystems {
            ports: self.ports.clone(),
            policies: self.policies.clone(),
            store: self.store.clone(),
            folder: directory.data_dir.clone(),
            snapshots: Arc::new(SnapshotFiles::of(directory, self.store.clone())),
            turn: Arc::default(),
        }
    }

    /// Refuses a log if the sealed part of one of the newest events was altered.
    pub(crate) async fn refuse_altered(&self, directory: &DataDirectory) -> anyhow::Result<()> {
        let newest = self.store.newest(UNSEALED_AT_START).await?;
        match self.altered_of(&newest).await {
            None => Ok(()),
            Some(altered) => {
                let log = directory.file("log.db");
                bail!("{} is damaged ({altered}): restore it from a backup, with its keys.db", log.display())
            }
        }
    }

    /// Opens the sealed part of every event after a position. Returns what is wrong with the first altered
    /// one.
    pub(crate) async fn altered_after(&self, position: Position) -> anyhow::Result<Option<CodecError>> {
        let mut at = position;
        loop {
            let page = self.store.read_all(at, PAGE).await?;
            let Some(last) = page.last() else { return Ok(None) };
            at = last.position;
            if let Some(altered) = self.altered_of(&page).await {
                return Ok(Some(altered));
            }
        }
    }

    async fn altered_of(&self, events: &[RecordedEvent]) -> Option<CodecError> {
        for recorded in events {
            if let Err(altered) = self.codec.check(recorded).await {
                return Some(altered);
            }
        }
        None
    }

    /// Opens the data in the data directory for reading.
    pub(crate) async fn open_to_read(directory: &DataDirectory) -> anyhow::Result<Self> {
        Self::open(directory, Access::Read, Parts::default()).await?.seen_from(directory).await
    }

    /// The system as of the moment that the command line names, if it names one.
    pub(crate) async fn seen_from(self, directory: &DataDirectory) -> anyhow::Result<Self> {
        let Some(asked) = &directory.as_of else { return Ok(self) };
        let head = self.store.head().await?;
        let position = match moments::point(asked)? {
            Point::Position(position) => position,
            Point::Moment(moment) => position_at(self.store.as_ref(), self.codec.as_ref(), moment).await?,
        };
        ensure!(position <= head, "the log ends at position {head}");
        let at = match self.store.event_at(position).await? {
            Some(event) => self.codec.decode_open(&event)?.context.at,
            None if position == Position::default() => Moment::UNIX_EPOCH,
            None => bail!("the log has no event at position {position}"),
        };
        let Past { app, store, rows, .. } = self.pasts(directory).at(position)?;
        Ok(Self { app, store, past: Some(SeenFrom { rows, position, at }), ..self })
    }

    /// The moment as of which everything is read: now, or the one that the command line names.
    pub(crate) fn now(&self) -> Moment {
        self.past.as_ref().map_or_else(clock::now, |past| past.at)
    }

    /// Tells the clock the time of the newest event. So the server notices a clock that was put back while no
    /// server ran.
    pub(crate) async fn note_last_moment(&self) -> anyhow::Result<()> {
        for recorded in self.store.newest(1).await? {
            self.app.note_time(self.codec.decode_open(&recorded)?.context.at);
        }
        Ok(())
    }

    /// Saves the times of last use of sessions every minute, until the task is dropped.
    pub(crate) fn keep_activity(&self) -> impl Future<Output = ()> + Send + 'static {
        let (app, files, clock_file) = (self.app.clone(), self.files.clone(), self.clock_file.clone());
        async move {
            loop {
                tokio::time::sleep(KEPT_EVERY).await;
                let (app, files, clock_file) = (app.clone(), files.clone(), clock_file.clone());
                drop(tokio::task::spawn_blocking(move || keep(&app, files.as_ref(), &clock_file)).await);
            }
        }
    }

    /// Finishes accepted work and closes the log.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        keep(&self.app, self.files.as_ref(), &self.clock_file);
        if let Some(files) = &self.files {
            files.save_guesses();
        }
        (self.close)().await;
        Ok(())
    }
}

/// Saves what the next run needs: the times of last use of sessions, and the latest time of the clock.
fn keep(app: &App, files: Option<&MemoryFiles>, clock_file: &Path) {
    if let Some(files) = files {
        files.save_uses();
    }
    if let Err(error) = snapshot_file::save(clock_file, &app.clock_history().kept()) {
        tracing::warn!(%error, "the latest time of the clock could not be saved");
    }
}

/// Refuses a log without its keys, and keys without their log. Something went wrong before, and going on
/// would make it worse.
async fn belong_together(
    store: &dyn EventStore,
    keys: &dyn AccountKeys,
    directory: &DataDirectory,
) -> anyhow::Result<()> {
    let folder = directory.data_dir.display();
    match (store.head().await? == Position::default(), keys.is_empty().await?) {
        (true, false) => {
            bail!("the log in {folder} is empty, but keys.db is not: restore log.db, or move both files away")
        }
        (false, true) if has_subjects(store).await? => {
            bail!("keys.db in {folder} contains no key, but the log is not empty: restore keys.db")
        }
        _ => Ok(()),
    }
}

/// Whether the log has more than acts of administration, which need no key.
async fn has_subjects(store: &dyn EventStore) -> anyhow::Result<bool> {
    let mut at = Position::default();
    loop {
        let page = store.read_all(at, PAGE).await?;
        let Some(last) = page.last() else { return Ok(false) };
        at = last.position;
        if page.iter().any(|event| event.stream.category() != administration::CATEGORY) {
            return Ok(true);
        }
    }
}
