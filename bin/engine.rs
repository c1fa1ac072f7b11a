//! The engine of the stores (`store.engine`): SQLite files in the data directory, or servers that several nodes share.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use loquet_kurrentdb::Connection as KurrentConnection;
use loquet_postgres::{Connection, Database, Identity, Part, Protection, Tls};
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use crate::config::Config;
use crate::config::secret_files::{file, password};

/// The number of connections that only hold locks. A use case holds a lock for a moment.
pub(crate) const LOCKING: usize = 8;
/// The settings that have no effect without TLS.
const OF_TLS: [&str; 3] = ["postgres.ca_file", "postgres.certificate_file", "postgres.key_file"];

/// Where the stores are.
#[derive(Clone, Debug)]
pub(crate) enum Engine {
    /// In files of the data directory. One process uses them.
    Sqlite,
    /// On servers that several nodes share.
    Shared(Arc<Shared>),
}

/// How to connect to the shared stores.
#[derive(Debug)]
pub(crate) struct Shared {
    main: Connection,
    keys: Option<Connection>,
    /// How to connect to KurrentDB. `None` if the log is in the main database.
    pub(crate) kurrentdb: Option<KurrentConnection>,
    /// The name of this node.
    pub(crate) node: String,
    opened: OnceCell<Databases>,
}

/// The databases that nodes share, with their tables.
#[derive(Clone)]
pub(crate) struct Databases {
    /// Everything but the accounts' keys.
    pub(crate) main: Database,
    /// The accounts' keys.
    pub(crate) keys: Database,
    /// The main database again, with connections that only hold locks. Otherwise use cases that wait for a lock could take
    /// all connections, and its holder would have none to continue with.
    pub(crate) locks: Database,
}

impl std::fmt::Debug for Databases {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Databases(…)")
    }
}

impl Shared {
    /// Returns the databases. The first call makes their tables, or upgrades them.
    pub(crate) async fn databases(&self) -> anyhow::Result<&Databases> {
        self.opened.get_or_try_init(|| self.open()).await
    }

    /// Returns the databases, without making or upgrading their tables.
    ///
    /// # Errors
    /// It is an error if the tables are not those of this version.
    pub(crate) async fn databases_as_they_are(&self) -> anyhow::Result<&Databases> {
        self.opened.get_or_try_init(|| self.open_as_they_are()).await
    }

    async fn open_as_they_are(&self) -> anyhow::Result<Databases> {
        let databases = self.connect()?;
        let Databases { main, keys, .. } = &databases;
        for (database, part, setting) in
            [(main, Part::Main, "postgres.url"), (keys, Part::Keys, self.setting_of_keys())]
        {
            let is_prepared = database.is_prepared(part).await;
            ensure!(
                is_prepared.with_context(|| format!("can't use the database of {setting}"))?,
                "the database of {setting} does not have the tables of this version: correct {setting}. If it names the \
                 right database, start a server of this version on it once"
            );
        }
        Ok(databases)
    }

    async fn open(&self) -> anyhow::Result<Databases> {
        let databases = self.connect()?;
        databases.main.prepare(Part::Main).await.context("can't use the database of postgres.url")?;
        let prepared = databases.keys.prepare(Part::Keys).await;
        prepared.with_context(|| format!("can't use the database of {}", self.setting_of_keys()))?;
        Ok(databases)
    }

    /// The setting that names the database of the accounts' keys.
    fn setting_of_keys(&self) -> &'static str {
        if self.keys.is_some() { "postgres.keys_url" } else { "postgres.url" }
    }

    /// Makes the pools of connections. Connects to nothing yet.
    fn connect(&self) -> anyhow::Result<Databases> {
        let main = Database::new(&self.main)?;
        let keys = match &self.keys {
            Some(keys) => Database::new(keys)?,
            None => main.clone(),
        };
        let name = format!("{} locks", self.main.name);
        let locks = Database::new(&Connection { connections: LOCKING, name, ..self.main.clone() })?;
        Ok(Databases { main, keys, locks })
    }
}

impl Engine {
    /// Reads the settings. Adds a fault to the configuration for each that can't be used.
    pub(crate) fn of(config: &mut Config) -> Self {
        let engine = config.text("store.engine").unwrap_or("sqlite").to_owned();
        if engine == "sqlite" {
            for key in ["postgres.url", "kurrentdb.url"] {
                if config.text(key).is_some() {
                    config.fault(
                        key,
                        "it has no effect while store.engine is sqlite: set store.engine too, or remove it",
                    );
                }
            }
            return Self::Sqlite;
        }
        if engine != "kurrentdb" && config.text("kurrentdb.url").is_some() {
            let why = "it has no effect while store.engine is postgres: set store.engine to kurrentdb, or remove it";
            config.fault("kurrentdb.url", why);
        }
        match shared(config, &engine) {
            Some(shared) => Self::Shared(Arc::new(shared)),
            // `shared` has added the faults to the configuration. They are reported, and no store is opened.
            None => Self::Sqlite,
        }
    }

    /// Whether several nodes share the stores.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Self::Shared(_))
    }
}

fn shared(config: &mut Config, engine: &str) -> Option<Shared> {
    let kurrentdb = match engine {
        "kurrentdb" => Some(kurrentdb(config)),
        _ => None,
    };
    let password = password(config, "postgres.password", "postgres.password_file");
    let protection = protection(config);
    let node = config.text("node")?.to_owned();
    let connections = config.parsed("postgres.connections")?;
    let statement_timeout: Duration = config.duration("postgres.statement_timeout")?;
    let Some(url) = config.text("postgres.url").map(ToOwned::to_owned) else {
        config.fault("postgres.url", "it is required while store.engine is postgres or kurrentdb");
        return None;
    };
    let keys_url = config.text("postgres.keys_url").map(ToOwned::to_owned);
    let main = Connection {
        url,
        password: password.map(Zeroizing::new),
        protection: protection?,
        connections,
        statement_timeout,
        name: format!("loquet {node}"),
    };
    let keys = keys_url.map(|url| Connection { url, ..main.clone() });
    for (key, connection) in [("postgres.url", Some(&main)), ("postgres.keys_url", keys.as_ref())] {
        if let Some(Err(why)) = connection.map(Connection::check) {
            config.fault(key, why);
        }
    }
    let kurrentdb = match kurrentdb {
        Some(connection) => Some(connection?),
        None => None,
    };
    Some(Shared { main, keys, kurrentdb, node, opened: OnceCell::new() })
}

/// Reads how KurrentDB is reached. Returns `None` if a setting is wrong.
fn kurrentdb(config: &mut Config) -> Option<KurrentConnection> {
    let password = password(config, "kurrentdb.password", "kurrentdb.password_file");
    let path = |key| config.text(key).map(PathBuf::from);
    let (ca_file, certificate_file, key_file) =
        (path("kurrentdb.ca_file"), path("kurrentdb.certificate_file"), path("kurrentdb.key_file"));
    let Some(url) = config.text("kurrentdb.url").map(ToOwned::to_owned) else {
        config.fault("kurrentdb.url", "it is required while store.engine is kurrentdb");
        return None;
    };
    if url.contains('@') {
        let why = "it contains a user or a password, and `loquet config show` would print them: set kurrentdb.user and kurrentdb.password_file instead";
        config.fault("kurrentdb.url", why);
        return None;
    }
    if url.to_lowercase().contains("tlsverifycert=false") {
        let why = "with tlsVerifyCert=false, another server could pretend to be KurrentDB: set kurrentdb.ca_file instead";
        config.fault("kurrentdb.url", why);
        return None;
    }
    let connection = KurrentConnection {
        url,
        user: config.text("kurrentdb.user").map(ToOwned::to_owned),
        password: password.map(Zeroizing::new),
        ca_file,
        certificate_file,
        key_file,
        stream_prefix: config.text("kurrentdb.stream_prefix")?.to_owned(),
        deadline: config.duration("kurrentdb.deadline")?,
    };
    match connection.check() {
        Ok(()) => Some(connection),
        Err(why) => {
            config.fault("kurrentdb.url", why);
            None
        }
    }
}

fn protection(config: &mut Config) -> Option<Protection> {
    if config.text("postgres.security") != Some("tls") {
        for key in OF_TLS {
            if config.text(key).is_some() {
                let why =
                    "it has no effect while postgres.security is plaintext: set postgres.security to tls";
                config.fault(key, why);
            }
        }
        return Some(Protection::Plaintext);
    }
    let [has_certificate, has_key] =
        ["postgres.certificate_file", "postgres.key_file"].map(|key| config.text(key).is_some());
    if has_certificate != has_key {
        let (is, is_not) = match has_certificate {
            true => ("postgres.certificate_file", "postgres.key_file"),
            false => ("postgres.key_file", "postgres.certificate_file"),
        };
        config.fault(is, format!("it requires {is_not}"));
        return None;
    }
    let authorities = file(config, "postgres.ca_file");
    let (certificate, key) = (file(config, "postgres.certificate_file"), file(config, "postgres.key_file"));
    let identity =
        certificate.zip(key).map(|(certificate, key)| Identity { certificate, key: Zeroizing::new(key) });
    Some(Protection::Tls(Tls { authorities, identity }))
}
