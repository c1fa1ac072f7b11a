//! What can go wrong, in words.

use std::time::Duration;

use deadpool_postgres::PoolError;
use loquet_projections::causes::Causes;
use loquet_projections::ports::StoreFailed;
use tokio_postgres::error::{Severity, SqlState};
use tokio_rustls::rustls::pki_types::pem;

/// The longest time that a caller waits for a connection.
pub(crate) const WAIT: Duration = Duration::from_secs(5);

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
    #[error("it contains a password. Remove it, and set postgres.password_file")]
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
    /// The server did not answer.
    #[error(
        "PostgreSQL did not answer within the time limit of a statement: check the server, and the network to it"
    )]
    NoAnswer,
    /// Something in the database is not as this program wrote it.
    #[error("the database contains a value that Loquet did not write: {0}")]
    Unexpected(String),
    /// The tables were made by a newer program.
    #[error(
        "the database belongs to a newer Loquet. Its tables have schema {found}, and need a program that knows schema {oldest} or later. This program knows schema {known}: start the newer Loquet"
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
    #[error("{0} is off in PostgreSQL. A power failure could then lose acknowledged events: set it to on")]
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
            format!(
                "no connection to PostgreSQL was available within {WAIT:?}: check the server, or raise postgres.connections"
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

/// A file of TLS can't be used.
#[derive(Debug, thiserror::Error)]
pub enum NoTls {
    /// A file is not PEM.
    #[error("{0} is not PEM")]
    Pem(&'static str, #[source] pem::Error),
    /// A file has no certificate.
    #[error("{0} has no certificate in it")]
    Empty(&'static str),
    /// A certificate or key can't be used, or no version of TLS fits.
    #[error("the certificates can't be used")]
    Tls(#[from] tokio_rustls::rustls::Error),
}

/// Whether the server says for certain that a statement, and so its transaction, changed nothing.
pub(crate) fn is_refusal(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some_and(|said| {
        // The server or its operator ended the session: how a commit ended is not known.
        !matches!(said.parsed_severity(), Some(Severity::Fatal | Severity::Panic))
            && ![SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW]
                .contains(said.code())
    })
}
