//! The errors of PostgreSQL, with what an operator can do.

use std::time::Duration;

use deadpool_postgres::PoolError;
use loquet_projections::causes::Causes;
use loquet_projections::ports::StoreFailed;
use tokio_postgres::error::{Severity, SqlState};
use tokio_rustls::rustls::pki_types::pem;

/// The longest time that a caller waits for a connection of the pool, and the pool for the server.
pub(crate) const WAIT: Duration = Duration::from_secs(5);

/// PostgreSQL can't be used. Its sources say why.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The connection URI can't be read.
    #[error("it is not a connection URI of PostgreSQL, such as postgresql://loquet@db.example/loquet: {}", Causes(.0))]
    Url(tokio_postgres::Error),
    /// The connection URI names no database.
    #[error(
        "the connection URI names no database: add its name, as in postgresql://loquet@db.example/loquet"
    )]
    NoDatabase,
    /// The connection URI has a password.
    #[error("the connection URI contains a password: remove it, and set postgres.password_file")]
    PasswordInUrl,
    /// A certificate or a key can't be used.
    #[error("TLS to PostgreSQL can't be used")]
    Tls(#[from] NoTls),
    /// The pool can't be made.
    #[error("the pool of connections to PostgreSQL can't be made. This is a fault of the program: report it")]
    Pool(#[from] deadpool_postgres::BuildError),
    /// The pool has no connection, and can't make one.
    #[error("{}", reason(.0))]
    Unreachable(PoolError),
    /// A statement failed, or its connection broke.
    #[error("{}", in_words(.0))]
    Statement(tokio_postgres::Error),
    /// The server did not answer. It may have carried the statement out.
    #[error(
        "PostgreSQL did not answer within postgres.statement_timeout: check whether the server is overloaded or hangs, and the network to it"
    )]
    NoAnswer,
    /// A value in the database is not one that this program writes.
    #[error(
        "the database contains a value that this program did not write: {0}. If a newer Loquet wrote it, start that one. Otherwise restore a backup"
    )]
    Unexpected(String),
    /// The tables were made by a newer program.
    #[error(
        "a newer Loquet has changed the tables. They have schema {found}, and a program must know schema {oldest} to use them. This program knows schema {known}: start the newer Loquet"
    )]
    TooNew {
        /// The schema of the database.
        found: i32,
        /// The oldest schema whose programs can work with it.
        oldest: i32,
        /// The newest schema that this program knows.
        known: i32,
    },
    /// A power failure may lose what the server has acknowledged.
    #[error("{0} is off in PostgreSQL, so a power failure could lose acknowledged events: set it to on")]
    NotDurable(&'static str),
}

impl From<tokio_postgres::Error> for PostgresError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Statement(error)
    }
}

/// Says in one line what the server answered, with its code (SQLSTATE) and its hint, or what happened to the connection.
pub(crate) fn in_words(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        None if error.is_closed() => {
            "the connection to PostgreSQL was closed: check whether the server has restarted, and the network to it".to_owned()
        }
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
            format!(
                "no connection to PostgreSQL was free within {WAIT:?}: check whether the server answers, or raise postgres.connections"
            )
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

/// Why a certificate or a key can't be used.
#[derive(Debug, thiserror::Error)]
pub enum NoTls {
    /// A file is not PEM.
    #[error("the file of {0} can't be read as PEM")]
    Pem(&'static str, #[source] pem::Error),
    /// A file has no certificate.
    #[error("the file of {0} has no certificate in it")]
    Empty(&'static str),
    /// The TLS library refuses a certificate, or the key does not belong to it.
    #[error("a certificate or its private key can't be used")]
    Tls(#[from] tokio_rustls::rustls::Error),
}

/// Whether the server's answer makes certain that a statement and its transaction changed nothing.
pub(crate) fn is_refusal(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some_and(|said| {
        // The server or its operator ended the session, perhaps after the commit.
        !matches!(said.parsed_severity(), Some(Severity::Fatal | Severity::Panic))
            && ![SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW]
                .contains(said.code())
    })
}
