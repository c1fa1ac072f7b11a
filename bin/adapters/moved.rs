//! The two sides of `loquet log copy`: how they are opened, and how the command makes sure that no server runs on them.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use loquet_crypto::random_ids::RandomIdentities;
use loquet_domain::ports::{EventStore, Identities};
use loquet_postgres::Database;
use loquet_postgres::mail_journal::PostgresJournal;
use loquet_postgres::moved_rows::PostgresRows;
use loquet_projections::ports::{Acquired, Fence, Lease, MovableRows, WriteFailed};
use loquet_sqlite::event_store::SqliteStore;
use loquet_sqlite::moved_rows::SqliteRows;
use tokio::task::JoinHandle;

use super::shared::{self, LEASE};
use super::{Close, embedded};
use crate::cli::DataDirectory;
use crate::engine::{Engine, Shared};

/// How long the lease is watched before the command takes it. Every running node shows itself in this time: the holder
/// renews the lease each second, and each other node tries to take a free lease every two seconds.
const WATCH: Duration = Duration::from_millis(3500);
/// How often the holder of the lease is looked up meanwhile.
const LOOK: Duration = Duration::from_millis(200);
/// The name under which the command holds the lease.
const HOLDER: &str = "loquet log copy";

/// One of the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// What is copied. Nothing is changed there.
    Source,
    /// Where the copy is made.
    Target,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "the source (--from)",
            Self::Target => "the target (--to)",
        })
    }
}

/// The stores of one side.
pub(crate) struct Moved {
    pub(crate) store: Arc<dyn EventStore>,
    pub(crate) rows: Arc<dyn MovableRows>,
    /// Whether the log has appends in the order in which a caller begins them, even if the caller does not wait for one
    /// before it begins the next one.
    pub(crate) keeps_the_order_of_callers: bool,
    /// Whether the positions in the log are 1, 2, 3 and so on.
    pub(crate) has_no_gaps: bool,
    /// The data directory or the databases that hold the rows. The other side must not use any of them.
    pub(crate) places: Vec<String>,
    /// The lease on the reactions. `None` for the embedded store, whose log is locked instead.
    lease: Option<HeldLease>,
    close: Close,
}

impl Moved {
    /// Fails if another process may have run the reactions since this side was opened.
    pub(crate) async fn refuse_other_leaders(&self) -> anyhow::Result<()> {
        match &self.lease {
            Some(lease) => lease.prove().await,
            None => Ok(()),
        }
    }

    /// Closes the log and gives the lease back.
    pub(crate) async fn close(self) {
        (self.close)().await;
        if let Some(lease) = self.lease {
            lease.release().await;
        }
    }
}

/// Opens one side. Refuses a side on which a server runs, and one that has a place of the other side.
pub(crate) async fn open(
    directory: &DataDirectory,
    side: Side,
    places_of_the_other: &[String],
) -> anyhow::Result<Moved> {
    match &directory.engine {
        Engine::Sqlite => open_embedded(directory, side, places_of_the_other),
        Engine::Shared(shared) => open_shared(directory, shared, side, places_of_the_other).await,
    }
}

/// Opens the files of a data directory. Makes none if it is the source.
fn open_embedded(directory: &DataDirectory, side: Side, others: &[String]) -> anyhow::Result<Moved> {
    let (folder, log) = (&directory.data_dir, directory.file("log.db"));
    match side {
        Side::Source => ensure!(
            log.exists(),
            "there is no log.db in {}: does the configuration file name the right data_dir?",
            folder.display()
        ),
        Side::Target => directory.make_folder()?,
    }
    let place = folder.canonicalize().with_context(|| format!("can't find {}", folder.display()))?;
    let places = vec![place.display().to_string()];
    refuse_shared_places(&places, others)?;
    let store = SqliteStore::open(&log)?;
    let close = embedded::closing(&store);
    Ok(Moved {
        store: Arc::new(store),
        rows: Arc::new(SqliteRows::of(folder)),
        keeps_the_order_of_callers: true,
        has_no_gaps: true,
        places,
        lease: None,
        close,
    })
}

/// Connects to the servers that nodes share. Makes no tables in the databases of the source.
async fn open_shared(
    directory: &DataDirectory,
    shared: &Shared,
    side: Side,
    others: &[String],
) -> anyhow::Result<Moved> {
    let databases = match side {
        Side::Source => shared.databases_as_they_are().await?,
        Side::Target => shared.databases().await?,
    };
    let places = vec![databases.main.identity().await?, databases.keys.identity().await?];
    refuse_shared_places(&places, others)?;
    // A node on this machine may not have asked for the lease yet.
    let occupied = match side {
        Side::Source if !shared::was_occupied(directory) => None,
        Side::Source => Some(shared::occupy(directory)?),
        Side::Target => {
            directory.make_folder()?;
            Some(shared::occupy(directory)?)
        }
    };
    let lease = HeldLease::take(databases.main.clone()).await?;
    let (store, close) = match shared::store(shared).await {
        Ok(opened) => opened,
        Err(error) => {
            lease.release().await;
            return Err(error);
        }
    };
    let close = move || {
        drop(occupied);
        close()
    };
    Ok(Moved {
        store,
        rows: Arc::new(PostgresRows::of(databases.main.clone(), databases.keys.clone())),
        keeps_the_order_of_callers: shared.kurrentdb.is_none(),
        has_no_gaps: shared.kurrentdb.is_none(),
        places,
        lease: Some(lease),
        close: Box::new(close),
    })
}

/// Refuses two sides that share a place. The copy begins with the deletion of all rows of the target.
fn refuse_shared_places(places: &[String], others: &[String]) -> anyhow::Result<()> {
    ensure!(
        !places.iter().any(|place| others.contains(place)),
        "it uses a data directory or a database of the source (--from), and the copy would delete what it has to copy: \
         give the target a data_dir, a postgres.url and a postgres.keys_url of its own"
    );
    Ok(())
}

/// The lease on the reactions, which this process holds while it copies. Meanwhile no node sends mails or webhooks, even
/// if one is started by mistake.
struct HeldLease {
    database: Database,
    journal: PostgresJournal,
    fence: Fence,
    renewing: JoinHandle<()>,
}

impl HeldLease {
    /// Takes the lease. Refuses if a running node shows itself.
    async fn take(database: Database) -> anyhow::Result<Self> {
        let journal = PostgresJournal::new(database.clone());
        refuse_running_nodes(&journal).await?;
        let holder = format!("{HOLDER}/{}", RandomIdentities.fresh());
        let now = database.time().await?;
        match journal.acquire(&holder, now, now + LEASE).await? {
            Acquired::Given(fence) => {
                let renewing = tokio::spawn(renew(database.clone(), journal.clone(), fence));
                Ok(Self { database, journal, fence, renewing })
            }
            Acquired::Taken { .. } => match journal.holder().await? {
                Some((holder, _)) => Err(refused(&holder)),
                None => bail!("another process took the lease on the reactions for a moment: try again"),
            },
        }
    }

    /// Fails if another process had the lease since this process took it.
    async fn prove(&self) -> anyhow::Result<()> {
        let until = self.database.time().await? + LEASE;
        match self.journal.renew(self.fence, until).await {
            Ok(()) => Ok(()),
            Err(WriteFailed::Store(error)) => Err(error.into()),
            Err(WriteFailed::Fenced(_)) => match self.journal.holder().await? {
                Some((holder, _)) => Err(refused(&holder)),
                None => bail!(
                    "another process held the lease on the reactions meanwhile: stop every node, and run the command again"
                ),
            },
        }
    }

    /// Gives the lease back. If that fails, the lease ends by itself.
    async fn release(self) {
        self.renewing.abort();
        if let Err(error) = self.journal.release(self.fence).await {
            tracing::warn!(%error, "can't give back the lease on the reactions; it ends by itself in three seconds");
        }
    }
}

/// Renews the lease until another process has it. A renewal that fails is repeated, and [`HeldLease::prove`] tells in the
/// end whether the lease was lost.
async fn renew(database: Database, journal: PostgresJournal, fence: Fence) {
    let pause = (LEASE / 3).to_std().unwrap_or(LOOK);
    loop {
        tokio::time::sleep(pause).await;
        let Ok(now) = database.time().await else { continue };
        if let Err(WriteFailed::Fenced(_)) = journal.renew(fence, now + LEASE).await {
            return;
        }
    }
}

/// Watches the lease, and refuses if somebody takes it or renews it. A lease that a killed node still has ends meanwhile.
async fn refuse_running_nodes(journal: &PostgresJournal) -> anyhow::Result<()> {
    let (begun, first) = (Instant::now(), journal.holder().await?);
    loop {
        tokio::time::sleep(LOOK).await;
        let is_over = begun.elapsed() >= WATCH;
        if let Some(held) = journal.holder().await?
            && (is_over || first.as_ref() != Some(&held))
        {
            return Err(refused(&held.0));
        }
        if is_over {
            return Ok(());
        }
    }
}

/// Says who holds the lease. The part of a holder's name after the slash tells one run of a node from the next one.
fn refused(holder: &str) -> anyhow::Error {
    match holder.rsplit_once('/').map_or(holder, |(name, _)| name) {
        HOLDER => anyhow::anyhow!("another `loquet log copy` works on it: wait until that command has ended"),
        node => anyhow::anyhow!(
            "the node {node} is running on it, and holds the lease on the reactions: stop this node and every other node, \
             and run the command again"
        ),
    }
}
