//! A pool of connections to one database.

use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Timeouts};
use loquet_domain::Moment;
use tokio_postgres::{Config, NoTls as Plain};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::connection::{Connection, Protection};
use crate::error::{PostgresError, WAIT};
use crate::migrations::{self, Part};
use crate::tls;

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

    /// Returns whether the tables of a part are there, and current. Changes nothing.
    ///
    /// # Errors
    /// [`PostgresError`] if the server can't be asked, or if a newer program made the tables.
    pub async fn is_prepared(&self, part: Part) -> Result<bool, PostgresError> {
        migrations::is_current(&self.client().await?, part).await
    }

    /// Identifies the database among all databases of all servers: two pools that lead to the same one get the same text.
    ///
    /// # Errors
    /// [`PostgresError`] if the server can't be asked.
    pub async fn identity(&self) -> Result<String, PostgresError> {
        let query = "
            SELECT extract(epoch FROM pg_postmaster_start_time())::text || '/' || oid::text
            FROM pg_database WHERE datname = current_database()";
        let row = self.row(query, &[]).await?;
        Ok(row.ok_or(PostgresError::NoAnswer)?.try_get(0)?)
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
        let row = self.row("SELECT clock_timestamp()", &[]).await?;
        Ok(row.ok_or(PostgresError::NoAnswer)?.try_get(0)?)
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

    use crate::error::PostgresError;

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
