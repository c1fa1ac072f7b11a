//! The connection settings of PostgreSQL, and the settings of each session.

use std::fmt;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use zeroize::Zeroizing;

use crate::error::PostgresError;
use crate::tls::{self, Tls};

/// How connections to the server are protected.
#[derive(Clone, Debug, Default)]
pub enum Protection {
    /// None. This is for a server on the same machine, or in a network that encrypts everything.
    #[default]
    Plaintext,
    /// TLS. The server's certificate and name are checked.
    Tls(Tls),
}

/// The connection to a PostgreSQL database.
#[derive(Clone)]
pub struct Connection {
    /// A connection URI of libpq: `postgresql://user@host-1,host-2/database?target_session_attrs=read-write`. With several
    /// hosts, the first one that answers and fits `target_session_attrs` is used. So a new primary is found after a
    /// fail-over.
    pub url: String,
    /// The password. The URI has none.
    pub password: Option<Zeroizing<String>>,
    /// The protection of connections.
    pub protection: Protection,
    /// The greatest number of connections that are open at once.
    pub connections: usize,
    /// The longest time that a statement may take. The server then ends it.
    pub statement_timeout: Duration,
    /// The name of this client in the server's list of sessions.
    pub name: String,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URI may have a password.
        f.debug_struct("Connection").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Connection {
    /// Checks the connection URI and the certificates. Connects to nothing.
    ///
    /// # Errors
    /// [`PostgresError`] says what is wrong.
    pub fn check(&self) -> Result<(), PostgresError> {
        let given: Config = self.url.parse().map_err(PostgresError::Url)?;
        if given.get_password().is_some() {
            return Err(PostgresError::PasswordInUrl);
        }
        if let Protection::Tls(files) = &self.protection {
            tls::connector(files)?;
        }
        self.config().map(drop)
    }

    /// Reads the connection URI, and adds the settings that every session of this program needs.
    pub(crate) fn config(&self) -> Result<Config, PostgresError> {
        let mut config: Config = self.url.parse().map_err(PostgresError::Url)?;
        if config.get_dbname().is_none() {
            return Err(PostgresError::NoDatabase);
        }
        if let Some(password) = &self.password {
            config.password(password.as_bytes());
        }
        // All servers but the primary are copies, which may be behind. A decision on an old state could be wrong.
        if config.get_hosts().len() > 1 && config.get_target_session_attrs() == TargetSessionAttrs::Any {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        config.ssl_mode(match self.protection {
            Protection::Plaintext => SslMode::Disable,
            Protection::Tls(_) => SslMode::Require,
        });
        let timeout = self.statement_timeout.as_millis();
        // An acknowledged commit is durable (law 1), even if the database's own settings say otherwise. The server ends the
        // transaction of a program that hangs, so that other nodes can go on.
        let options = format!(
            "-c search_path=loquet -c synchronous_commit=on -c statement_timeout={timeout} -c lock_timeout={timeout} \
             -c idle_in_transaction_session_timeout={timeout} -c default_transaction_isolation=read\\ committed \
             -c timezone=UTC"
        );
        let options = match config.get_options() {
            // Of two values for one setting, the server takes the last.
            Some(given) => format!("{given} {options}"),
            None => options,
        };
        config.options(&options).application_name(&self.name);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(5));
        }
        config.keepalives_idle(Duration::from_secs(10)).keepalives_interval(Duration::from_secs(5));
        config.keepalives_retries(3).tcp_user_timeout(self.statement_timeout * 2);
        Ok(config)
    }
}
