//! A pool of connections to one database.

use std::time::Duration;

use deadpool_postgres::{
    Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime, Timeouts,
};
use loquet_domain::Moment;
use loquet_projections::causes::Causes;
use loquet_projections::ports::StoreFailed;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Config, NoTls as Plain};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::connection::{Connection, Protection};
use crate::migrations::{self, Part};
use crate::tls::{self, NoTls};

/// The longest time that a caller waits for a connection.
const WAIT: Duration = Duration::from_secs(5);

/// PostgreSQL can't be used. Its sources say why.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The connection URI can't be read.
    #[error("it is not a connection URI of PostgreSQL: {}", Causes(.0))]
    Url(tokio_postgres::Error),
    /// The connection URI names no database.
    #[error("it names no database: add the name, as in postgresql://loquet@db.example/loquet")]
    NoDatabase,
    /// The connection URI has a password.
    #[error(
        "it has a password, which every user of this machine may see: set postgres.password_file instead"
    )]
    PasswordInUrl,
    /// A file of TLS can't be used.
    #[error("the settings of TLS for PostgreSQL can't be used")]
    Tls(#[from] NoTls),
    /// The pool can't be made.
    #[error("the pool of connections to PostgreSQL can't be made")]
    Pool(#[from] deadpool_postgres::BuildError),
    /// No connection can be had.
    #[error("{}", reason(.0))]
    Unreachable(PoolError),
    /// A statement failed.
    #[error("{}", in_words(.0))]
    Statement(tokio_postgres::Error),
    /// Something in the database is not as this program wrote it.
    #[error("the database holds something that this program did not write: {0}")]
    Unexpected(String),
    /// The tables were made by a newer program.
    #[error(
        "the database has the tables of a newer Loquet (schema {found}), which work with schema {oldest} at the least, and this Loquet knows schema {known}: start the newer Loquet"
    )]
    TooNew {
        /// The schema of the database.
        found: i32,
        /// The oldest schema whose programs can work with it.
        oldest: i32,
        /// The newest schema that this program knows.
        known: i32,
    },
    /// The server may lose what it acknowledged.
    #[error("{0} is off in PostgreSQL, so a power failure may lose what was acknowledged: set it to on")]
    NotDurable(&'static str),
}

impl From<tokio_postgres::Error> for PostgresError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Statement(error)
    }
}

/// What happened, in one line: what the server said, with its code (SQLSTATE) and what it suggests, or what happened to
/// the connection.
pub(crate) fn in_words(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        None if error.is_closed() => "the connection to PostgreSQL was closed".to_owned(),
        None => format!("PostgreSQL can't be used: {}", Causes(error)),
        Some(said) => {
            let hint = said.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
            format!("PostgreSQL refused: {} [{}]{hint}", said.message(), said.code().code())
        }
    }
}

fn reason(error: &PoolError) -> String {
    match error {
        PoolError::Timeout(_) => {
            format!("no connection to PostgreSQL became free or was made within {WAIT:?}")
        }
        PoolError::Backend(error) => in_words(error),
        other => format!("PostgreSQL can't be used: {}", Causes(other)),
    }
}

impl From<PostgresError> for StoreFailed {
    fn from(error: PostgresError) -> Self {
        Self::new(error)
    }
}

/// A database that nodes share. A clone is the same pool.
#[derive(Clone)]
pub struct Database {
    pool: Pool,
    config: Config,
    connector: Connector,
    statement_timeout: Duration,
}

#[derive(Clone)]
enum Connector {
    Plain,
    Tls(MakeRustlsConnect),
}

impl Database {
    /// Makes a pool. No connection is made yet.
    ///
    /// # Errors
    /// [`PostgresError`] if a setting can't be used.
    pub fn new(connection: &Connection) -> Result<Self, PostgresError> {
        let config = connection.config()?;
        let connector = match &connection.protection {
            Protection::Plaintext => Connector::Plain,
            Protection::Tls(tls) => Connector::Tls(tls::connector(tls)?),
        };
        // A connection that the server closed is noticed by its task, so it need not be asked before each use.
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = match connector.clone() {
            Connector::Plain => Manager::from_config(config.clone(), Plain, recycling),
            Connector::Tls(tls) => Manager::from_config(config.clone(), tls, recycling),
        };
        let pool = Pool::builder(manager)
            .max_size(connection.connections)
            .timeouts(Timeouts { wait: Some(WAIT), create: Some(WAIT), recycle: Some(WAIT) })
            .runtime(Runtime::Tokio1)
            .build()?;
        Ok(Self { pool, config, connector, statement_timeout: connection.statement_timeout })
    }

    /// Makes the tables of a part, or brings them up to date. Only one node at a time does that. Refuses a server that may
    /// lose what it acknowledged, and tables that a newer program made and this one can't use.
    ///
    /// # Errors
    /// [`PostgresError`] says what is wrong and what to do.
    pub async fn prepare(&self, part: Part) -> Result<(), PostgresError> {
        for setting in ["fsync", "full_page_writes"] {
            if self.setting(setting).await? != "on" {
                return Err(PostgresError::NotDurable(setting));
            }
        }
        let mut client = self.client().await?;
        migrations::migrate(&mut client, part).await
    }

    /// A connection of the pool. It goes back to the pool when it is dropped. A transaction that is dropped is rolled back.
    pub(crate) async fn client(&self) -> Result<Object, PostgresError> {
        self.pool.get().await.map_err(PostgresError::Unreachable)
    }

    /// The time of the server.
    ///
    /// # Errors
    /// [`PostgresError`] if the server can't be asked.
    pub async fn time(&self) -> Result<Moment, PostgresError> {
        let client = self.client().await?;
        let query = client.prepare_cached("SELECT clock_timestamp()").await?;
        Ok(client.query_one(&query, &[]).await?.try_get(0)?)
    }

    /// The value of a setting of the server, as it is for connections of this pool.
    ///
    /// # Errors
    /// [`PostgresError`] if the server can't be asked, or has no such setting.
    pub async fn setting(&self, name: &str) -> Result<String, PostgresError> {
        let client = self.client().await?;
        Ok(client.query_one("SELECT current_setting($1)", &[&name]).await?.try_get(0)?)
    }

    /// The longest time that a statement may take.
    pub(crate) fn statement_timeout(&self) -> Duration {
        self.statement_timeout
    }

    /// Opens a connection of its own, which tells of each message on a channel. Calls `heard` with each message until the
    /// connection breaks.
    pub(crate) async fn listen(&self, channel: &str, heard: impl FnMut(&str)) -> Result<(), PostgresError> {
        match self.connector.clone() {
            Connector::Plain => listening::listen(&self.config, Plain, channel, heard).await,
            Connector::Tls(tls) => listening::listen(&self.config, tls, channel, heard).await,
        }
    }
}

mod listening {
    use futures_util::future::{Either, select};
    use futures_util::{StreamExt, stream};
    use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
    use tokio_postgres::{AsyncMessage, Config, Socket};

    use super::PostgresError;

    pub(super) async fn listen<T>(
        config: &Config,
        tls: T,
        channel: &str,
        mut heard: impl FnMut(&str),
    ) -> Result<(), PostgresError>
    where
        T: MakeTlsConnect<Socket>,
        T::Stream: Send + 'static,
        T::TlsConnect: Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        let (client, mut connection) = config.connect(tls).await?;
        let mut messages = stream::poll_fn(move |cx| connection.poll_message(cx));
        let statement = format!("LISTEN {channel}");
        let listening = client.batch_execute(&statement);
        futures_util::pin_mut!(listening);
        // The messages carry the answers too, so both must be polled together.
        let mut listening = Some(listening);
        loop {
            let message = match listening.take() {
                None => messages.next().await,
                Some(asked) => match select(asked, messages.next()).await {
                    Either::Left((answered, _)) => {
                        answered?;
                        continue;
                    }
                    Either::Right((message, asked)) => {
                        listening = Some(asked);
                        message
                    }
                },
            };
            match message {
                Some(Ok(AsyncMessage::Notification(notification))) => heard(notification.payload()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
                None => return Ok(()),
            }
        }
    }
}

/// Whether the server says for certain that a statement, and so its transaction, changed nothing.
pub(crate) fn is_refusal(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some_and(|said| {
        // The server or its operator ended the session: how a commit ended is not known.
        ![SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW]
            .contains(said.code())
    })
}
